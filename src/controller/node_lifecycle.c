/* Nodes whose kubelet is silent, or says that something is wrong: conditions, taints, and the
 * readiness of their Pods. A kubelet is alive while its Lease in kube-node-lease is renewed;
 * silence is measured from when we saw the last renewal, on our own clock, so clocks need not
 * agree. */
#include "api/coordination_v1.h"
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/pod_state.h"
#include "io/loop.h"

#define TAINT_PREFIX "node.kubernetes.io/"

static const struct resource *nodes_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("nodes"));
}

static const struct core_v1_node_condition *condition(const struct core_v1_node *n,
                                                      const char *type)
{
    for (uint32_t i = 0; i < n->status.conditions.len; i++)
        if (str_eq(n->status.conditions.items[i].type, str_from_cstr(type)))
            return &n->status.conditions.items[i];
    return NULL;
}

static bool has_status(const struct core_v1_node *n, const char *type, const char *status)
{
    const struct core_v1_node_condition *c = condition(n, type);

    return c && str_eq(c->status, str_from_cstr(status));
}

/* --- silence --- */

/* What we saw of a node's lease last. */
struct pulse {
    struct ktime renewed;
    int64_t seen_ms;
};

static void free_pulses(void *arg)
{
    struct map *pulses = arg;

    MAP_FOREACH(e, pulses)
        mem_free(e->value);
    map_done(pulses);
}

static struct map *pulses_of(struct controller_manager *m, const struct controller *c)
{
    struct map *pulses = controller_state(m, c);

    if (pulses)
        return pulses;
    pulses = ARENA_NEW(controller_arena(m), struct map);
    arena_defer(controller_arena(m), free_pulses, pulses);
    controller_set_state(m, c, pulses);
    return pulses;
}

/* Milliseconds until the node counts as silent; <= 0: it does. */
static int64_t until_silent(struct reconcile *r, const struct api_object *node)
{
    const struct informer *leases =
        controller_informer_of(r->manager, "coordination.k8s.io", "v1", "leases");
    const struct api_object *o =
        informer_get(leases, controller_key(r->arena, STR("kube-node-lease"), r->name));
    struct map *pulses = pulses_of(r->manager, r->controller);
    struct pulse *p = map_get(pulses, r->name);
    int64_t now = loop_now_ms(controller_loop(r->manager));
    int64_t grace = controller_options(r->manager)->node_monitor_grace_ms;
    struct ktime renewed = { 0 };

    if (o)
        renewed = API_OBJECT(o, struct coordination_v1_lease)->spec.renew_time;
    if (!p) {
        p = NEW(struct pulse);
        *p = (struct pulse){ renewed, now };
        (void)map_put(pulses, r->name, p); /* was absent */
    } else if (p->renewed.sec != renewed.sec || p->renewed.nsec != renewed.nsec) {
        *p = (struct pulse){ renewed, now };
    }
    if (!grace)
        grace = CONTROLLER_NODE_GRACE_MS;
    if (!condition(node->o.data, "Ready"))
        grace += grace / 5; /* it may still be starting */
    return p->seen_ms + grace - now;
}

/* --- conditions --- */

static void set_unknown(struct reconcile *r, struct core_v1_node *n, const char *type,
                        bool was_never_told)
{
    struct ktime now = { .sec = r->now_s, .set = true };
    struct core_v1_node_condition *c = NULL, *grown;

    for (uint32_t i = 0; i < n->status.conditions.len; i++)
        if (str_eq(n->status.conditions.items[i].type, str_from_cstr(type)))
            c = &n->status.conditions.items[i];
    if (!c) {
        grown =
            ARENA_NEW_ARRAY(r->arena, struct core_v1_node_condition, n->status.conditions.len + 1);
        if (n->status.conditions.len)
            memcpy(grown, n->status.conditions.items, n->status.conditions.len * sizeof(*grown));
        n->status.conditions.items = grown;
        c = &grown[n->status.conditions.len++];
        *c = (struct core_v1_node_condition){ .type = str_from_cstr(type),
                                              .last_transition_time = now };
    }
    if (str_eq(c->status, STR("Unknown")))
        return;
    c->status = STR("Unknown");
    c->last_transition_time = now;
    c->reason = was_never_told ? STR("NodeStatusNeverUpdated") : STR("NodeStatusUnknown");
    c->message = was_never_told ? STR("Kubelet never posted node status.")
                                : STR("Kubelet stopped posting node status.");
}

static bool mark_silent(struct reconcile *r, const struct api_object *node)
{
    static const char *const types[] = { "Ready", "MemoryPressure", "DiskPressure", "PIDPressure" };
    struct object copy = object_copy(r->arena, node->o);
    struct core_v1_node *n = copy.data;
    bool was_never_told = !condition(n, "Ready");

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        set_unknown(r, n, types[i], was_never_told);
    if (object_equal(copy, node->o))
        return false;
    reconcile_update_status(r, nodes_row(), copy);
    if (!was_never_told && has_status(node->o.data, "Ready", "True"))
        reconcile_event(r, node, "Normal", "NodeNotReady", "Node %.*s status is now: NodeNotReady",
                        STR_ARG(r->name));
    return true;
}

/* --- taints --- */

static const struct taint_rule {
    const char *key, *effect;
    const char *condition, *status; /* condition NULL: spec.unschedulable */
} taint_rules[] = {
    { TAINT_PREFIX "not-ready", "NoSchedule", "Ready", "False" },
    { TAINT_PREFIX "not-ready", "NoExecute", "Ready", "False" },
    { TAINT_PREFIX "unreachable", "NoSchedule", "Ready", "Unknown" },
    { TAINT_PREFIX "unreachable", "NoExecute", "Ready", "Unknown" },
    { TAINT_PREFIX "memory-pressure", "NoSchedule", "MemoryPressure", "True" },
    { TAINT_PREFIX "disk-pressure", "NoSchedule", "DiskPressure", "True" },
    { TAINT_PREFIX "pid-pressure", "NoSchedule", "PIDPressure", "True" },
    { TAINT_PREFIX "network-unavailable", "NoSchedule", "NetworkUnavailable", "True" },
    { TAINT_PREFIX "unschedulable", "NoSchedule", NULL, NULL },
};

static bool is_wanted(const struct core_v1_node *n, const struct taint_rule *rule)
{
    return rule->condition ? has_status(n, rule->condition, rule->status) : n->spec.unschedulable;
}

static const struct taint_rule *rule_of(const struct core_v1_taint *t)
{
    for (size_t i = 0; i < ARRAY_LEN(taint_rules); i++)
        if (str_eq(t->key, str_from_cstr(taint_rules[i].key)) &&
            str_eq(t->effect, str_from_cstr(taint_rules[i].effect)))
            return &taint_rules[i];
    return NULL;
}

static bool has_taint(const struct core_v1_node *n, const struct taint_rule *rule)
{
    for (uint32_t i = 0; i < n->spec.taints.len; i++)
        if (rule_of(&n->spec.taints.items[i]) == rule)
            return true;
    return false;
}

/* Ours come and go with what they stand for; others' stay. */
static void set_taints(struct reconcile *r, const struct api_object *node)
{
    struct object copy = object_copy(r->arena, node->o);
    struct core_v1_node *n = copy.data;
    const struct core_v1_node *was = node->o.data;
    struct core_v1_taint *taints = ARENA_NEW_ARRAY(r->arena, struct core_v1_taint,
                                                   n->spec.taints.len + ARRAY_LEN(taint_rules));
    uint32_t len = 0;
    bool changed = false;

    for (uint32_t i = 0; i < was->spec.taints.len; i++) {
        const struct taint_rule *rule = rule_of(&was->spec.taints.items[i]);

        if (rule && !is_wanted(was, rule))
            changed = true;
        else
            taints[len++] = was->spec.taints.items[i];
    }
    for (size_t i = 0; i < ARRAY_LEN(taint_rules); i++) {
        const struct taint_rule *rule = &taint_rules[i];

        if (!is_wanted(was, rule) || has_taint(was, rule))
            continue;
        taints[len++] = (struct core_v1_taint){ .key = str_from_cstr(rule->key),
                                                .effect = str_from_cstr(rule->effect),
                                                .time_added = { .sec = r->now_s, .set = true } };
        changed = true;
    }
    if (!changed)
        return;
    n->spec.taints.items = taints;
    n->spec.taints.len = len;
    reconcile_update(r, nodes_row(), copy);
}

/* --- Pods --- */

/* Of a node that is not ready no Pod is. */
static void mark_pods(struct reconcile *r)
{
    const struct resource *row = resource_find(STR(""), STR("v1"), STR("pods"));
    const struct informer *pods = controller_informer(r->manager, row);
    const struct api_object *o;
    size_t cursor = 0;

    while ((o = informer_next(pods, &cursor)) != NULL) {
        const struct core_v1_pod *pod = o->o.data;
        struct object copy;
        struct core_v1_pod *p;

        if (!str_eq(pod->spec.node_name, r->name) || !pod_is_ready(pod))
            continue;
        copy = object_copy(r->arena, o->o);
        p = copy.data;
        for (uint32_t i = 0; i < p->status.conditions.len; i++)
            if (str_eq(p->status.conditions.items[i].type, STR("Ready"))) {
                p->status.conditions.items[i].status = STR("False");
                p->status.conditions.items[i].last_transition_time =
                    (struct ktime){ .sec = r->now_s, .set = true };
            }
        reconcile_update_status(r, row, copy);
    }
}

static enum reconcile_result reconcile_node(struct reconcile *r)
{
    const struct api_object *node =
        informer_get(controller_informer(r->manager, nodes_row()), r->key);
    int64_t left;

    if (!node) {
        mem_free(map_remove(pulses_of(r->manager, r->controller), r->name));
        return RECONCILE_DONE;
    }
    left = until_silent(r, node);
    if (left <= 0 && mark_silent(r, node))
        return RECONCILE_DONE; /* its event brings us back for the taints */
    if (left > 0)
        r->again_after_ms = left + 1;
    set_taints(r, node);
    if (!has_status(node->o.data, "Ready", "True") && condition(node->o.data, "Ready"))
        mark_pods(r);
    return RECONCILE_DONE;
}

static void map_lease(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    const struct api_object *o = new ? new : old;

    if (str_eq(o->meta->namespace, STR("kube-node-lease")))
        controller_enqueue(m, c, o->meta->name);
}

static const struct controller_watch watches[] = {
    { "", "v1", "nodes", controller_map_self },
    { "coordination.k8s.io", "v1", "leases", map_lease },
    { "", "v1", "pods", NULL },
    { 0 },
};

const struct controller node_lifecycle_controller = {
    .name = "node-lifecycle",
    .watches = watches,
    .reconcile = reconcile_node,
};
