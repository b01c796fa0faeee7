/* ReplicaSets: as many active Pods as wanted. Pods that match and belong to nobody are adopted,
 * Pods that no longer match are let go. ReplicationControllers are the same with a plain map as
 * selector. */
#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "codec/json_writer.h"
#include "controller/controller.h"
#include "controller/owned_objects.h"
#include "controller/pod_state.h"

extern const struct controller replicaset_controller, replicationcontroller_controller;

enum { BURST = 500 }; /* creates or deletes of one run */

struct pods {
    struct VEC(const struct api_object *) items;
};

static const struct resource *pods_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static const struct resource *sets_row(const struct controller *c)
{
    return c == &replicationcontroller_controller
               ? resource_find(STR(""), STR("v1"), STR("replicationcontrollers"))
               : resource_find(STR("apps"), STR("v1"), STR("replicasets"));
}

/* --- a ReplicationController, seen as the ReplicaSet that it would be --- */

static bool is_old(const struct api_object *set)
{
    return str_eq(object_kind(set->o), STR("ReplicationController"));
}

/* The two kinds' conditions are the same words. */
static struct apps_v1_replica_set_condition *
conditions_of_old(struct arena *a, const struct core_v1_replication_controller_status *s)
{
    struct apps_v1_replica_set_condition *c =
        ARENA_NEW_ARRAY(a, struct apps_v1_replica_set_condition, s->conditions.len);

    for (uint32_t i = 0; i < s->conditions.len; i++)
        c[i] = (struct apps_v1_replica_set_condition){
            .type = s->conditions.items[i].type,
            .status = s->conditions.items[i].status,
            .last_transition_time = s->conditions.items[i].last_transition_time,
            .reason = s->conditions.items[i].reason,
            .message = s->conditions.items[i].message,
        };
    return c;
}

static const struct apps_v1_replica_set *view_old(struct arena *a,
                                                  const struct core_v1_replication_controller *rc)
{
    struct apps_v1_replica_set *rs = ARENA_NEW(a, struct apps_v1_replica_set);

    rs->spec.replicas = rc->spec.replicas;
    rs->spec.min_ready_seconds = rc->spec.min_ready_seconds;
    rs->spec.selector = ARENA_NEW(a, struct meta_v1_label_selector);
    rs->spec.selector->match_labels.items = rc->spec.selector.items;
    rs->spec.selector->match_labels.len = rc->spec.selector.len;
    if (!rc->spec.selector.len)
        rs->spec.selector = NULL; /* selects nothing, where a ReplicaSet's selects everything */
    if (rc->spec.template)
        rs->spec.template = *rc->spec.template;
    rs->status.conditions.items = conditions_of_old(a, &rc->status);
    rs->status.conditions.len = rc->status.conditions.len;
    return rs;
}

static const struct apps_v1_replica_set *view(struct arena *a, const struct api_object *set)
{
    return is_old(set) ? view_old(a, set->o.data) : set->o.data;
}

static void write_old_status(struct arena *a, const struct apps_v1_replica_set_status *s,
                             struct core_v1_replication_controller_status *ret)
{
    ret->replicas = s->replicas;
    ret->fully_labeled_replicas = s->fully_labeled_replicas;
    ret->ready_replicas = s->ready_replicas;
    ret->available_replicas = s->available_replicas;
    ret->observed_generation = s->observed_generation;
    ret->conditions.len = s->conditions.len;
    ret->conditions.items =
        ARENA_NEW_ARRAY(a, struct core_v1_replication_controller_condition, s->conditions.len);
    for (uint32_t i = 0; i < s->conditions.len; i++)
        ret->conditions.items[i] = (struct core_v1_replication_controller_condition){
            .type = s->conditions.items[i].type,
            .status = s->conditions.items[i].status,
            .last_transition_time = s->conditions.items[i].last_transition_time,
            .reason = s->conditions.items[i].reason,
            .message = s->conditions.items[i].message,
        };
}

/* --- claiming --- */

static void claim(struct reconcile *r, const struct api_object *set,
                  const struct label_selector *selector, struct owned_objects *ret)
{
    owned_claim(
        r,
        &(struct owned_rules){
            .row = pods_row(), .owner = set, .selector = selector, .may_take = pod_is_active },
        ret);
}

/* --- too few, too many --- */

static void create_pods(struct reconcile *r, const struct api_object *set,
                        const struct core_v1_pod_template_spec *template, size_t n)
{
    struct str prefix = arena_printf(r->arena, "%.*s-", STR_ARG(set->meta->name));

    for (size_t i = 0; i < MIN(n, (size_t)BURST); i++) {
        reconcile_create(r, pods_row(), set->meta->namespace,
                         pod_from_template(r->arena, template, set->meta->namespace, prefix, set));
        pod_tell_created(r, set);
    }
}

struct ranked {
    const struct api_object *pod;
    size_t on_node;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    return pod_compare_for_deletion(x->pod, x->on_node, y->pod, y->on_node);
}

static size_t count_on_node(const struct pods *pods, struct str node)
{
    size_t n = 0;

    for (size_t i = 0; i < pods->items.len; i++)
        n += str_eq(API_OBJECT(pods->items.items[i], struct core_v1_pod)->spec.node_name, node);
    return n;
}

static void delete_pods(struct reconcile *r, const struct api_object *set,
                        const struct pods *active, size_t n)
{
    struct ranked *ranked = ARENA_NEW_ARRAY(r->arena, struct ranked, active->items.len);

    for (size_t i = 0; i < active->items.len; i++) {
        const struct api_object *pod = active->items.items[i];

        ranked[i].pod = pod;
        ranked[i].on_node =
            count_on_node(active, API_OBJECT(pod, struct core_v1_pod)->spec.node_name);
    }
    qsort(ranked, active->items.len, sizeof(ranked[0]), compare_ranked);
    for (size_t i = 0; i < MIN(n, (size_t)BURST); i++)
        pod_delete_told(r, set, ranked[i].pod);
}

/* --- status --- */

static bool has_template_labels(const struct api_object *pod,
                                const struct core_v1_pod_template_spec *template)
{
    for (uint32_t i = 0; i < template->metadata.labels.len; i++) {
        const struct schema_str_entry *want = &template->metadata.labels.items[i];
        const struct schema_str_entry *have = text_map_find(&pod->meta->labels, want->key);

        if (!have || !str_eq(have->value, want->value))
            return false;
    }
    return true;
}

static void set_failure(struct reconcile *r, struct apps_v1_replica_set_status *s,
                        struct str failure)
{
    struct apps_v1_replica_set_condition *c;

    for (uint32_t i = 0; i < s->conditions.len; i++)
        if (str_eq(s->conditions.items[i].type, STR("ReplicaFailure"))) {
            if (!failure.len)
                s->conditions.items[i] = s->conditions.items[--s->conditions.len];
            return; /* else it says why the first one failed: each has a name of its own */
        }
    if (!failure.len)
        return;
    c = ARENA_NEW_ARRAY(r->arena, struct apps_v1_replica_set_condition, s->conditions.len + 1);
    if (s->conditions.len)
        memcpy(c, s->conditions.items, s->conditions.len * sizeof(*c));
    c[s->conditions.len] = (struct apps_v1_replica_set_condition){
        .type = STR("ReplicaFailure"),
        .status = STR("True"),
        .reason = STR("FailedCreate"),
        .message = failure,
        .last_transition_time = { .sec = r->now_s, .set = true },
    };
    s->conditions.items = c;
    s->conditions.len++;
}

static void update_status(struct reconcile *r, const struct api_object *set,
                          const struct pods *active, int32_t n_terminating, struct str failure)
{
    const struct apps_v1_replica_set *rs = view(r->arena, set);
    struct object o = object_copy(r->arena, set->o);
    struct apps_v1_replica_set_status old = rs->status;
    struct apps_v1_replica_set_status *s =
        is_old(set) ? &old : &((struct apps_v1_replica_set *)o.data)->status;
    int64_t wait, soonest = 0;

    s->replicas = (int32_t)active->items.len;
    s->fully_labeled_replicas = s->ready_replicas = s->available_replicas = 0;
    for (size_t i = 0; i < active->items.len; i++) {
        const struct api_object *pod = active->items.items[i];

        s->fully_labeled_replicas += has_template_labels(pod, &rs->spec.template);
        s->ready_replicas += pod_is_ready(pod->o.data);
        s->available_replicas +=
            pod_is_available(pod->o.data, rs->spec.min_ready_seconds, r->now_s, &wait);
        if (wait && (!soonest || wait < soonest))
            soonest = wait;
    }
    s->terminating_replicas = ARENA_NEW(r->arena, int32_t);
    *s->terminating_replicas = n_terminating;
    s->observed_generation = set->meta->generation;
    set_failure(r, s, failure);
    if (is_old(set))
        write_old_status(r->arena, s, &((struct core_v1_replication_controller *)o.data)->status);
    r->again_after_ms = soonest * 1000;
    if (!object_equal(o, set->o))
        reconcile_update_status(r, sets_row(r->controller), o);
}

/* --- reconcile --- */

/* What the set has, as the cache shows it now. */
static bool look(struct reconcile *r, const struct api_object **ret_set, struct pods *ret_active,
                 int32_t *ret_terminating)
{
    const struct api_object *set =
        informer_get(controller_informer(r->manager, sets_row(r->controller)), r->key);
    struct label_selector selector;
    struct owned_objects claimed;
    struct err err;

    if (!set ||
        label_selector_from_meta(r->arena, view(r->arena, set)->spec.selector, &selector, &err) < 0)
        return false;
    claim(r, set, &selector, &claimed);
    *ret_terminating = 0;
    for (size_t i = 0; i < claimed.len; i++) {
        const struct api_object *pod = claimed.items[i];

        if (pod_is_active(pod))
            VEC_PUSH(&ret_active->items, pod);
        else
            *ret_terminating += pod->meta->deletion_timestamp.set && !pod_is_finished(pod->o.data);
    }
    *ret_set = set;
    return true;
}

static enum reconcile_result report(struct reconcile *r)
{
    const struct api_object *set;
    struct pods active = { 0 };
    int32_t terminating;

    VEC_CLEAR(&r->changes);
    if (look(r, &set, &active, &terminating)) {
        VEC_CLEAR(&r->changes); /* claims wait for the next run */
        update_status(r, set, &active, terminating, r->failure);
    }
    VEC_DONE(&active.items);
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_set(struct reconcile *r)
{
    const struct api_object *set;
    const struct apps_v1_replica_set *rs;
    struct pods active = { 0 };
    int32_t terminating;
    size_t want;

    if (!look(r, &set, &active, &terminating)) {
        VEC_DONE(&active.items);
        return RECONCILE_DONE;
    }
    rs = view(r->arena, set);
    want = rs->spec.replicas && *rs->spec.replicas > 0 ? (size_t)*rs->spec.replicas : 0;
    if (!set->meta->deletion_timestamp.set && active.items.len < want) {
        create_pods(r, set, &rs->spec.template, want - active.items.len);
    } else if (!set->meta->deletion_timestamp.set && active.items.len > want) {
        delete_pods(r, set, &active, active.items.len - want);
    }
    if (r->changes.len)
        r->then = r->otherwise = report;
    else
        update_status(r, set, &active, terminating, STR_NULL);
    VEC_DONE(&active.items);
    return RECONCILE_DONE;
}

static const struct meta_v1_label_selector *selector_of(struct arena *a,
                                                        const struct api_object *set)
{
    return view(a, set)->spec.selector;
}

static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    owned_map(m, c, sets_row(c), selector_of, old, new);
}

static const struct controller_watch watches[] = {
    { "apps", "v1", "replicasets", controller_map_self },
    { "", "v1", "pods", map_pod },
    { 0 },
};

const struct controller replicaset_controller = {
    .name = "replicaset",
    .watches = watches,
    .reconcile = reconcile_set,
};

static const struct controller_watch old_watches[] = {
    { "", "v1", "replicationcontrollers", controller_map_self },
    { "", "v1", "pods", map_pod },
    { 0 },
};

const struct controller replicationcontroller_controller = {
    .name = "replicationcontroller",
    .watches = old_watches,
    .reconcile = reconcile_set,
};
