/* Where a DaemonSet's Pods should be, and the Pods that are made for there. Nothing here talks to
 * anybody. */
#include "api/meta_v1.h"
#include "api/node_match.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "controller/daemon_set_internal.h"
#include "controller/pod_state.h"

/* --- Pods as they are made --- */

/* A node that is in trouble keeps its daemons. */
static const struct {
    struct str key, effect;
    bool host_network_only;
} tolerated[] = {
    { STR_INIT("node.kubernetes.io/not-ready"), STR_INIT("NoExecute"), false },
    { STR_INIT("node.kubernetes.io/unreachable"), STR_INIT("NoExecute"), false },
    { STR_INIT("node.kubernetes.io/disk-pressure"), STR_INIT("NoSchedule"), false },
    { STR_INIT("node.kubernetes.io/memory-pressure"), STR_INIT("NoSchedule"), false },
    { STR_INIT("node.kubernetes.io/pid-pressure"), STR_INIT("NoSchedule"), false },
    { STR_INIT("node.kubernetes.io/unschedulable"), STR_INIT("NoSchedule"), false },
    { STR_INIT("node.kubernetes.io/network-unavailable"), STR_INIT("NoSchedule"), true },
};

/* One of the template's of the same key, value, operator and effect gives way. */
static void put_toleration(struct core_v1_pod_spec *spec, struct core_v1_toleration new)
{
    for (uint32_t i = 0; i < spec->tolerations.len; i++) {
        struct core_v1_toleration *t = &spec->tolerations.items[i];

        if (str_eq(t->key, new.key) && str_eq(t->effect, new.effect) &&
            str_eq(t->operator, new.operator) && str_eq(t->value, new.value)) {
            *t = new;
            return;
        }
    }
    spec->tolerations.items[spec->tolerations.len++] = new;
}

static struct core_v1_pod_spec spec_of(struct arena *a, const struct core_v1_pod_spec *template)
{
    struct core_v1_pod_spec spec = *template;

    spec.tolerations.items = ARENA_NEW_ARRAY(a, struct core_v1_toleration,
                                             template->tolerations.len + ARRAY_LEN(tolerated));
    if (template->tolerations.len)
        memcpy(spec.tolerations.items, template->tolerations.items,
               template->tolerations.len * sizeof(spec.tolerations.items[0]));
    for (size_t i = 0; i < ARRAY_LEN(tolerated); i++)
        if (!tolerated[i].host_network_only || spec.host_network)
            put_toleration(&spec, (struct core_v1_toleration){ .key = tolerated[i].key,
                                                               .operator= STR("Exists"),
                                                               .effect = tolerated[i].effect });
    return spec;
}

/* Required affinity becomes the one node's name, for which the template's own has been asked. */
static struct core_v1_affinity *affinity_to(struct arena *a, const struct core_v1_affinity *from,
                                            struct str node)
{
    struct core_v1_affinity *affinity = ARENA_NEW(a, struct core_v1_affinity);
    struct core_v1_node_affinity *of_node = ARENA_NEW(a, struct core_v1_node_affinity);
    struct core_v1_node_selector *required = ARENA_NEW(a, struct core_v1_node_selector);
    struct core_v1_node_selector_term *term = ARENA_NEW(a, struct core_v1_node_selector_term);
    struct core_v1_node_selector_requirement *field =
        ARENA_NEW(a, struct core_v1_node_selector_requirement);

    if (from)
        *affinity = *from;
    if (affinity->node_affinity)
        *of_node = *affinity->node_affinity;
    affinity->node_affinity = of_node;
    of_node->required_during_scheduling_ignored_during_execution = required;
    required->node_selector_terms.items = term;
    required->node_selector_terms.len = 1;
    term->match_fields.items = field;
    term->match_fields.len = 1;
    field->key = STR("metadata.name");
    field->operator= STR("In");
    field->values.items = arena_dup(a, &node, sizeof(node));
    field->values.len = 1;
    return affinity;
}

struct object daemon_pod(const struct daemon_run *d, struct str node)
{
    struct arena *a = d->arena;
    const struct core_v1_pod_template_spec *t = &d->set->spec.template;
    struct object o =
        pod_from_template(a, t, d->object->meta->namespace,
                          arena_printf(a, "%.*s-", STR_ARG(d->object->meta->name)), d->object);
    struct core_v1_pod *pod = o.data;

    pod->spec = spec_of(a, &t->spec);
    pod->spec.affinity = affinity_to(a, t->spec.affinity, node);
    text_map_copy(a, &pod->metadata.labels, &t->metadata.labels);
    if (d->generation.len)
        text_map_put(a, &pod->metadata.labels, STR(DAEMON_GENERATION_LABEL), d->generation);
    text_map_put(a, &pod->metadata.labels, STR(DAEMON_HASH_LABEL), d->hash);
    return o;
}

bool daemon_pod_is_updated(const struct daemon_run *d, const struct api_object *pod)
{
    const struct schema_str_entry *hash = text_map_find(&pod->meta->labels, STR(DAEMON_HASH_LABEL));
    const struct schema_str_entry *generation =
        text_map_find(&pod->meta->labels, STR(DAEMON_GENERATION_LABEL));

    return (hash && d->hash.len && str_eq(hash->value, d->hash)) ||
           (generation && d->generation.len && str_eq(generation->value, d->generation));
}

bool daemon_allows_surge(const struct apps_v1_daemon_set *set)
{
    const struct apps_v1_daemon_set_update_strategy *s = &set->spec.update_strategy;

    return str_eq(s->type, STR("RollingUpdate")) && s->rolling_update &&
           pod_share(&s->rolling_update->max_surge, 1, true) > 0;
}

/* --- where they should be --- */

static bool is_tolerated(const struct core_v1_pod_spec *spec, const struct core_v1_node *node,
                         bool no_schedule_too)
{
    for (uint32_t i = 0; i < node->spec.taints.len; i++) {
        const struct core_v1_taint *taint = &node->spec.taints.items[i];
        bool ok = !str_eq(taint->effect, STR("NoExecute")) &&
                  !(no_schedule_too && str_eq(taint->effect, STR("NoSchedule")));

        for (uint32_t t = 0; t < spec->tolerations.len && !ok; t++)
            ok = node_match_tolerates(&spec->tolerations.items[t], taint);
        if (!ok)
            return false;
    }
    return true;
}

static void judge(const struct core_v1_pod_spec *spec, struct daemon_node *n)
{
    const struct core_v1_node *node = n->object->o.data;

    if ((spec->node_name.len && !str_eq(spec->node_name, n->name)) || !node_match_pod(spec, node))
        return;
    n->may_stay = is_tolerated(spec, node, false);
    n->should_run = n->may_stay && is_tolerated(spec, node, true);
}

struct str daemon_target(const struct core_v1_pod *pod)
{
    const struct core_v1_node_affinity *f =
        pod->spec.affinity ? pod->spec.affinity->node_affinity : NULL;
    const struct core_v1_node_selector *s =
        f ? f->required_during_scheduling_ignored_during_execution : NULL;

    if (pod->spec.node_name.len)
        return pod->spec.node_name;
    for (uint32_t i = 0; s && i < s->node_selector_terms.len; i++)
        for (uint32_t k = 0; k < s->node_selector_terms.items[i].match_fields.len; k++) {
            const struct core_v1_node_selector_requirement *r =
                &s->node_selector_terms.items[i].match_fields.items[k];

            if (str_eq(r->key, STR("metadata.name")) && str_eq(r->operator, STR("In")))
                return r->values.len == 1 ? r->values.items[0] : STR_NULL;
        }
    return STR_NULL;
}

/* --- gathering --- */

struct placed {
    const struct api_object *pod;
    struct str node;
};

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    const struct core_v1_pod *p = x->pod->o.data, *q = y->pod->o.data;
    int64_t s = x->pod->meta->creation_timestamp.sec, t = y->pod->meta->creation_timestamp.sec;
    int r = str_cmp(x->node, y->node);

    if (r)
        return r;
    if ((p->spec.node_name.len > 0) != (q->spec.node_name.len > 0))
        return p->spec.node_name.len ? -1 : 1;
    if (s != t)
        return s < t ? -1 : 1;
    return str_cmp(x->pod->meta->name, y->pod->meta->name);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct daemon_node *)a)->name, ((const struct daemon_node *)b)->name);
}

/* The Pods of known and unknown nodes, by node. */
static size_t place(struct daemon_run *d, const struct api_object *const *pods, size_t n_pods,
                    struct placed *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < n_pods; i++) {
        const struct core_v1_pod *pod = pods[i]->o.data;
        struct str node = daemon_target(pod);

        if (node.len && !(pods[i]->meta->deletion_timestamp.set && pod_is_finished(pod)))
            ret[n++] = (struct placed){ pods[i], node };
    }
    if (n)
        qsort(ret, n, sizeof(ret[0]), by_place);
    (void)d;
    return n;
}

void daemon_gather(struct daemon_run *d, const struct api_object *const *nodes, size_t n_nodes,
                   const struct api_object *const *pods, size_t n_pods)
{
    struct arena *a = d->arena;
    struct core_v1_pod_spec spec = spec_of(a, &d->set->spec.template.spec);
    struct placed *placed = ARENA_NEW_ARRAY(a, struct placed, n_pods + 1);
    const struct api_object **sorted = ARENA_NEW_ARRAY(a, const struct api_object *, n_pods + 1);
    size_t n_placed = place(d, pods, n_pods, placed), known = n_nodes;

    d->nodes = ARENA_NEW_ARRAY(a, struct daemon_node, n_nodes + n_pods + 1);
    for (size_t i = 0; i < n_nodes; i++) {
        d->nodes[i] = (struct daemon_node){ .object = nodes[i], .name = nodes[i]->meta->name };
        judge(&spec, &d->nodes[i]);
    }
    if (n_nodes)
        qsort(d->nodes, n_nodes, sizeof(d->nodes[0]), by_name);
    d->n_nodes = n_nodes;
    for (size_t i = 0, end; i < n_placed; i = end) {
        struct daemon_node key = { .name = placed[i].node };
        struct daemon_node *n = known ? bsearch(&key, d->nodes, known, sizeof(key), by_name) : NULL;

        if (!n) {
            n = &d->nodes[d->n_nodes++];
            *n = key;
        }
        n->pods = &sorted[i];
        for (end = i; end < n_placed && str_eq(placed[end].node, placed[i].node); end++)
            sorted[end] = placed[end].pod;
        n->n_pods = end - i;
    }
    d->create = ARENA_NEW_ARRAY(a, const struct daemon_node *, d->n_nodes + 1);
    d->remove = ARENA_NEW_ARRAY(a, struct daemon_removal, n_pods + 1);
}
