/* VolumeBinding: claims that are bound say where the Pod may run; those of a class that waits for
 * its first consumer get a volume that is there, or one that a driver makes there. The choice is
 * made anew for the node that wins (volume_binding_choose) and carried out by scheduler_volumes.c.
 * What earlier Pods were given, and the API does not show yet, lies in the cache.
 *
 * VolumeZone: zones and regions that bound volumes bear as labels. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/quantity.h"
#include "api/schema.h"
#include "api/storage_v1.h"
#include "api/text_map.h"
#include "api/volume_match.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

typedef const struct core_v1_persistent_volume_claim claim_t;

struct pending_claim {
    const struct api_object *object;
    const struct storage_v1_storage_class *class;
    struct volume_search search;             /* as it begins */
    const struct api_object *const *volumes; /* of its class */
    size_t n_volumes;
};

struct volume_wants {
    const struct core_v1_persistent_volume **bound;
    size_t n_bound;
    bool some_missing;             /* a claim is bound to a volume that is not there */
    struct pending_claim *pending; /* the smallest first */
    size_t n_pending;
};

static const struct api_object *get(const struct sched_cycle *c, enum sched_kind kind,
                                    struct str namespace, struct str name)
{
    return c->lister ? c->lister->get(c->lister->arg, kind, namespace, name) : NULL;
}

/* --- before nodes are looked at --- */

static struct str objection(struct sched_cycle *c, const struct core_v1_volume *v, struct str name,
                            const struct api_object **ret)
{
    const struct api_object *o = get(c, SCHED_CLAIMS, c->object->meta->namespace, name);
    claim_t *claim = o ? o->o.data : NULL;

    *ret = o;
    if (!o && v->volume_source.ephemeral)
        return arena_printf(c->arena,
                            "waiting for ephemeral volume controller to create the "
                            "persistentvolumeclaim \"%.*s\"",
                            STR_ARG(name));
    if (!o)
        return arena_printf(c->arena, "persistentvolumeclaim \"%.*s\" not found", STR_ARG(name));
    if (str_eq(claim->status.phase, STR("Lost")))
        return arena_printf(
            c->arena,
            "persistentvolumeclaim \"%.*s\" bound to non-existent persistentvolume \"%.*s\"",
            STR_ARG(name), STR_ARG(claim->spec.volume_name));
    if (o->meta->deletion_timestamp.set)
        return arena_printf(c->arena, "persistentvolumeclaim \"%.*s\" is being deleted",
                            STR_ARG(name));
    if (v->volume_source.ephemeral && !volume_claim_is_of_pod(claim, c->pod))
        return arena_printf(c->arena,
                            "PVC %.*s/%.*s was not created for pod %.*s/%.*s (pod is not owner)",
                            STR_ARG(o->meta->namespace), STR_ARG(name),
                            STR_ARG(c->object->meta->namespace), STR_ARG(c->object->meta->name));
    return STR_NULL;
}

static void add_bound(struct sched_cycle *c, struct volume_wants *w, claim_t *claim)
{
    const struct api_object *o = get(c, SCHED_VOLUMES, STR(""), claim->spec.volume_name);

    if (o)
        w->bound[w->n_bound++] = o->o.data;
    else
        w->some_missing = true;
}

/* False: it should have been bound by now. */
static bool add_pending(struct sched_cycle *c, struct volume_wants *w, const struct api_object *o)
{
    struct pending_claim *p = &w->pending[w->n_pending];
    struct str name = volume_class_of_claim(o->o.data);
    const struct api_object *class = name.len ? get(c, SCHED_CLASSES, STR(""), name) : NULL;
    struct err err;

    *p = (struct pending_claim){ .object = o, .class = class ? class->o.data : NULL };
    if (API_OBJECT(o, struct core_v1_persistent_volume_claim)->spec.volume_name.len || !class ||
        !str_eq(p->class->volume_binding_mode, STR("WaitForFirstConsumer")) ||
        volume_search_init(c->arena, &p->search, o->o.data, &err) < 0)
        return false;
    for (size_t i = 0; i < w->n_pending; i++)
        if (w->pending[i].object == o)
            return true; /* two volumes of the Pod are one */
    p->n_volumes = c->lister->list(c->lister->arg, SCHED_VOLUMES, name, &p->volumes);
    w->n_pending++;
    return true;
}

static int by_size(const void *a, const void *b)
{
    const struct pending_claim *x = a, *y = b;

    return quantity_compare(x->search.wanted, y->search.wanted);
}

static bool pre_filter(struct sched_cycle *c)
{
    uint32_t n = c->pod->spec.volumes.len;
    struct volume_wants *w = NULL;
    bool some_unbound = false;

    for (uint32_t i = 0; i < n && !c->rejection.len; i++) {
        const struct core_v1_volume *v = &c->pod->spec.volumes.items[i];
        struct str name = volume_claim_name(c->arena, c->pod, v);
        const struct api_object *o;

        if (!name.len)
            continue;
        if (!w) {
            w = ARENA_NEW(c->arena, struct volume_wants);
            w->bound = ARENA_NEW_ARRAY(c->arena, const struct core_v1_persistent_volume *, n);
            w->pending = ARENA_NEW_ARRAY(c->arena, struct pending_claim, n);
        }
        c->rejection = objection(c, v, name, &o);
        if (!c->rejection.len && volume_claim_is_bound(o->o.data))
            add_bound(c, w, o->o.data);
        else if (!c->rejection.len)
            some_unbound |= !add_pending(c, w, o);
    }
    if (!c->rejection.len && some_unbound)
        c->rejection = STR("pod has unbound immediate PersistentVolumeClaims");
    if (w && w->n_pending)
        qsort(w->pending, w->n_pending, sizeof(*w->pending), by_size);
    c->volume_wants = w;
    return w;
}

/* --- a node --- */

static bool has_topology(const struct core_v1_topology_selector_term *t,
                         const struct core_v1_node *node)
{
    for (uint32_t i = 0; i < t->match_label_expressions.len; i++) {
        const struct core_v1_topology_selector_label_requirement *r =
            &t->match_label_expressions.items[i];
        const struct schema_str_entry *e = text_map_find(&node->metadata.labels, r->key);
        bool is_in = false;

        for (uint32_t k = 0; e && k < r->values.len; k++)
            is_in |= str_eq(r->values.items[k], e->value);
        if (!is_in)
            return false;
    }
    return true;
}

static bool can_be_made(const struct storage_v1_storage_class *class,
                        const struct core_v1_node *node)
{
    bool is_there = !class->allowed_topologies.len;

    for (uint32_t i = 0; i < class->allowed_topologies.len; i++)
        is_there |= has_topology(&class->allowed_topologies.items[i], node);
    return is_there && class->provisioner.len &&
           !str_eq(class->provisioner, STR("kubernetes.io/no-provisioner"));
}

/* The node that a driver was told, or is about to be. */
static struct str told_node(const struct sched_cycle *c, const struct api_object *claim)
{
    const struct schema_str_entry *e =
        text_map_find(&claim->meta->annotations, STR(VOLUME_SELECTED_NODE));

    return e ? e->value : str_from_cstr(map_get(&c->cache->told_nodes, claim->key));
}

static const struct api_object *find_volume(const struct sched_cycle *c,
                                            const struct pending_claim *p,
                                            const struct core_v1_node *node,
                                            const struct volume_choice *taken, size_t n_taken)
{
    struct volume_search s = p->search;
    const struct api_object *best = NULL;

    s.node = node;
    for (size_t i = 0; i < p->n_volumes; i++) {
        const struct api_object *v = p->volumes[i];
        const char *given = map_get(&c->cache->given_volumes, v->key);
        const struct core_v1_persistent_volume *was = s.best;
        bool is_taken = false;

        for (size_t k = 0; k < n_taken; k++)
            is_taken |= taken[k].volume == v;
        if (is_taken || (given && !str_eq(str_from_cstr(given), p->object->key)))
            continue;
        if (given) /* it is this claim's, whatever the API says yet */
            return volume_is_on_node(v->o.data, node) ? v : NULL;
        volume_search_offer(&s, v->o.data);
        if (s.best != was)
            best = v;
    }
    return s.is_elsewhere ? NULL : best;
}

static bool choose(const struct sched_cycle *c, const struct core_v1_node *node,
                   struct volume_choice *ret)
{
    const struct volume_wants *w = c->volume_wants;

    for (size_t i = 0; i < w->n_pending; i++) {
        const struct pending_claim *p = &w->pending[i];
        struct str told = told_node(c, p->object);

        if (told.len && !str_eq(told, node->metadata.name))
            return false;
        ret[i] = (struct volume_choice){ .claim = p->object };
        if (!told.len)
            ret[i].volume = find_volume(c, p, node, ret, i);
        if (!ret[i].volume && !can_be_made(p->class, node))
            return false;
    }
    return true;
}

size_t volume_binding_choose(struct sched_cycle *c, size_t row, const struct volume_choice **ret)
{
    const struct volume_wants *w = c->volume_wants;
    const struct api_object *node = scheduler_cache_node(c->cache, row)->object;
    struct volume_choice *choices;

    if (!w || !w->n_pending || !node)
        return 0;
    choices = ARENA_NEW_ARRAY(c->arena, struct volume_choice, w->n_pending);
    *ret = choices;
    return choose(c, node->o.data, choices) ? w->n_pending : 0;
}

static void filter(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                   struct sched_reasons *why)
{
    const struct volume_wants *w = c->volume_wants;
    const struct core_v1_node *node = n->object->o.data;
    struct volume_choice *choices =
        w->n_pending ? ARENA_NEW_ARRAY(c->arena, struct volume_choice, w->n_pending) : NULL;

    (void)row;
    for (size_t i = 0; i < w->n_bound; i++)
        if (!volume_is_on_node(w->bound[i], node)) {
            sched_reason_final(why, STR("node(s) didn't match PersistentVolume's node affinity"));
            break;
        }
    if (w->n_pending && !choose(c, node, choices))
        sched_reason_final(why, STR("node(s) didn't find available persistent volumes to bind"));
    if (w->some_missing)
        sched_reason_final(why, STR("node(s) unavailable due to one or more pvc(s) bound to "
                                    "non-existent pv(s)"));
}

const struct sched_plugin volume_binding_plugin = {
    .name = "VolumeBinding",
    .events = SCHED_CLAIM_CHANGED | SCHED_NODE_ADDED | SCHED_NODE_LABELS,
    .pre_filter = pre_filter,
    .filter = filter,
};

/* --- VolumeZone --- */

static const struct {
    struct str key, now; /* of old, and what it is called now */
} zones[] = {
    { STR_INIT("failure-domain.beta.kubernetes.io/zone"), STR_INIT("topology.kubernetes.io/zone") },
    { STR_INIT("failure-domain.beta.kubernetes.io/region"),
      STR_INIT("topology.kubernetes.io/region") },
    { STR_INIT("topology.kubernetes.io/zone"), STR_INIT("topology.kubernetes.io/zone") },
    { STR_INIT("topology.kubernetes.io/region"), STR_INIT("topology.kubernetes.io/region") },
};

static bool zone_pre_filter(struct sched_cycle *c)
{
    const struct volume_wants *w = c->volume_wants;

    for (size_t i = 0; w && i < w->n_bound; i++)
        for (size_t k = 0; k < ARRAY_LEN(zones); k++)
            if (text_map_find(&w->bound[i]->metadata.labels, zones[k].key))
                return true;
    return false;
}

/* Several values in one are parted by "__". */
static bool has_value(struct str values, struct str value)
{
    ptrdiff_t at;

    while ((at = str_find_str(values, STR("__"))) >= 0) {
        if (str_eq(str_sub(values, 0, (size_t)at), value))
            return true;
        values = str_tail(values, (size_t)at + 2);
    }
    return str_eq(values, value);
}

static void zone_filter(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                        struct sched_reasons *why)
{
    const struct volume_wants *w = c->volume_wants;
    const void *labels = &n->object->meta->labels;
    bool is_zoned = false;

    (void)row;
    for (size_t k = 0; k < ARRAY_LEN(zones); k++)
        is_zoned |= text_map_find(labels, zones[k].key) != NULL;
    for (size_t i = 0; is_zoned && i < w->n_bound; i++)
        for (size_t k = 0; k < ARRAY_LEN(zones); k++) {
            const struct schema_str_entry *e =
                text_map_find(&w->bound[i]->metadata.labels, zones[k].key);
            const struct schema_str_entry *at = text_map_find(labels, zones[k].key);

            if (!at)
                at = text_map_find(labels, zones[k].now);
            if (e && (!at || !has_value(e->value, at->value))) {
                sched_reason_final(why, STR("node(s) had no available volume zone"));
                return;
            }
        }
}

const struct sched_plugin volume_zone_plugin = {
    .name = "VolumeZone",
    .events = SCHED_CLAIM_CHANGED | SCHED_NODE_ADDED | SCHED_NODE_LABELS,
    .pre_filter = zone_pre_filter,
    .filter = zone_filter,
};
