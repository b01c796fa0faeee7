/* DaemonSets: a Pod on each node that suits, made for that node and put there by the scheduler.
 * What is made and removed is decided in daemon_set_plan.c. */
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/informer.h"
#include "controller/controller_history.h"
#include "controller/daemon_set_internal.h"
#include "controller/owned_objects.h"
#include "controller/pod_backoff.h"
#include "controller/pod_state.h"

extern const struct controller daemonset_controller;

enum { BURST = 250 }; /* creates, and deletes, of one run */

static const struct resource *pods_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static const struct resource *sets_row(void)
{
    return resource_find(STR("apps"), STR("v1"), STR("daemonsets"));
}

/* --- failures that come again --- */

static void free_backoff(void *arg)
{
    pod_backoff_done(arg);
}

static struct pod_backoff *backoff_of(struct controller_manager *m)
{
    struct pod_backoff *b = controller_state(m, &daemonset_controller);

    if (b)
        return b;
    b = ARENA_NEW(controller_arena(m), struct pod_backoff);
    arena_defer(controller_arena(m), free_backoff, b);
    controller_set_state(m, &daemonset_controller, b);
    return b;
}

/* --- what there is --- */

struct looked {
    struct daemon_run run;
    struct history history;
    struct owned_objects pods;
};

static struct str label_of(const struct api_object *o, struct str key)
{
    const struct schema_str_entry *e = text_map_find(&o->meta->labels, key);

    return e ? e->value : STR_NULL;
}

/* A number, or nothing. */
static struct str generation_of(const struct api_object *set)
{
    const struct schema_str_entry *e =
        text_map_find(&set->meta->annotations, STR(DAEMON_GENERATION_ANNOTATION));
    int64_t n;

    return e && str_to_i64(e->value, &n) ? e->value : STR_NULL;
}

static void gather(struct reconcile *r, struct looked *l)
{
    const struct informer *i = controller_informer_of(r->manager, "", "v1", "nodes");
    const struct api_object **nodes =
        ARENA_NEW_ARRAY(r->arena, const struct api_object *, informer_len(i) + 1);
    const struct api_object *o;
    size_t n = 0, cursor = 0;

    while ((o = informer_next(i, &cursor)) != NULL)
        nodes[n++] = o;
    daemon_gather(&l->run, nodes, n, l->pods.items, l->pods.len);
}

/* False: nothing to be done for it. */
static bool look(struct reconcile *r, struct looked *l)
{
    const struct api_object *set =
        informer_get(controller_informer(r->manager, sets_row()), r->key);
    const struct apps_v1_daemon_set *ds = set ? set->o.data : NULL;
    struct label_selector selector;
    struct err err;

    /* Of one that leaves, the history may have left already. */
    if (!set || set->meta->deletion_timestamp.set ||
        label_selector_from_meta(r->arena, ds->spec.selector, &selector, &err) < 0)
        return false;
    if (label_selector_is_empty(&selector)) {
        reconcile_event(r, set, "Warning", "SelectingAll",
                        "This daemon set is selecting all pods. A non-empty selector is required.");
        return false;
    }
    *l = (struct looked){ .history = { .owner = set,
                                       .template = &ds->spec.template,
                                       .hash_label = STR(DAEMON_HASH_LABEL) } };
    history_look(r, &selector, ds->status.collision_count, &l->history);
    owned_claim(r, &(struct owned_rules){ .row = pods_row(), .owner = set, .selector = &selector },
                &l->pods);
    l->run = (struct daemon_run){ .arena = r->arena,
                                  .object = set,
                                  .set = ds,
                                  .generation = generation_of(set),
                                  .now_s = r->now_s,
                                  .now_ms = clock_mono_ms(controller_clock(r->manager)),
                                  .backoff = backoff_of(r->manager) };
    if (l->history.current)
        l->run.hash = label_of(l->history.current, STR(DAEMON_HASH_LABEL));
    return true;
}

/* --- history --- */

static void relabel(struct reconcile *r, const struct resource *row, const struct api_object *o,
                    struct str hash)
{
    reconcile_patch(r, row, o->meta->namespace, o->meta->name,
                    arena_printf(r->arena,
                                 "{\"metadata\":{\"labels\":{\"" DAEMON_HASH_LABEL "\":\"%.*s\"}}}",
                                 STR_ARG(hash)));
}

/* Revisions that others made may lack the label, or say the same twice. True: changes are listed.
 */
static bool tidy_history(struct reconcile *r, const struct looked *l)
{
    const struct resource *row = resource_find(STR("apps"), STR("v1"), STR("controllerrevisions"));
    const struct history *h = &l->history;
    size_t n = r->changes.len;
    bool has_twin = false;

    for (size_t i = 0; i < h->len; i++) {
        const struct api_object *rev = h->items[i];

        if (!label_of(rev, STR(DAEMON_HASH_LABEL)).len)
            relabel(r, row, rev, rev->meta->name);
        if (rev == h->current || !str_eq(history_data_of(rev), h->data))
            continue;
        has_twin = true;
        reconcile_delete(r, row, r->namespace, rev->meta->name, rev->meta->uid, STR_NULL);
    }
    for (size_t i = 0; i < l->pods.len && has_twin && l->run.hash.len; i++)
        if (!str_eq(label_of(l->pods.items[i], STR(DAEMON_HASH_LABEL)), l->run.hash))
            relabel(r, pods_row(), l->pods.items[i], l->run.hash);
    return r->changes.len > n;
}

/* The next hash begins from there: it is no use to find the same names taken again. */
static void note_collisions(struct reconcile *r, const struct looked *l)
{
    struct object o = object_copy(r->arena, l->run.object->o);
    struct apps_v1_daemon_set_status *s = &((struct apps_v1_daemon_set *)o.data)->status;

    if (l->history.collisions == (s->collision_count ? *s->collision_count : 0))
        return;
    s->collision_count = arena_dup(r->arena, &l->history.collisions, sizeof(int32_t));
    reconcile_update_status(r, sets_row(), o);
}

static bool is_used(const struct api_object *revision, const void *arg)
{
    const struct looked *l = arg;
    struct str hash = label_of(revision, STR(DAEMON_HASH_LABEL));

    for (size_t i = 0; i < l->pods.len; i++)
        if (hash.len && str_eq(label_of(l->pods.items[i], STR(DAEMON_HASH_LABEL)), hash))
            return true;
    return false;
}

/* --- acting --- */

static void tell_of_end(struct reconcile *r, const struct daemon_run *d,
                        const struct daemon_removal *m)
{
    if (m->why == DAEMON_FAILED)
        reconcile_event(r, d->object, "Warning", "FailedDaemonPod",
                        "Found failed daemon pod %.*s on node %.*s, will try to kill it",
                        STR_ARG(m->pod->key), STR_ARG(m->node->name));
    if (m->why == DAEMON_SUCCEEDED)
        reconcile_event(r, d->object, "Normal", "SucceededDaemonPod",
                        "Found succeeded daemon pod %.*s on node %.*s, will try to delete it",
                        STR_ARG(m->pod->key), STR_ARG(m->node->name));
}

static void act(struct reconcile *r, const struct daemon_run *d)
{
    for (size_t i = 0; i < MIN(d->n_remove, (size_t)BURST); i++) {
        tell_of_end(r, d, &d->remove[i]);
        pod_delete_told(r, d->object, d->remove[i].pod);
    }
    for (size_t i = 0; i < MIN(d->n_create, (size_t)BURST); i++) {
        reconcile_create(r, pods_row(), r->namespace, daemon_pod(d, d->create[i]->name));
        pod_tell_created(r, d->object);
    }
}

static void update_status(struct reconcile *r, const struct looked *l)
{
    struct object o = object_copy(r->arena, l->run.object->o);
    struct apps_v1_daemon_set_status *s = &((struct apps_v1_daemon_set *)o.data)->status;
    int64_t wait_s;

    daemon_status(&l->run, s, &wait_s);
    if (wait_s && (!r->again_after_ms || wait_s * 1000 < r->again_after_ms))
        r->again_after_ms = wait_s * 1000;
    if (!object_equal(o, l->run.object->o))
        reconcile_update_status(r, sets_row(), o);
}

static enum reconcile_result report(struct reconcile *r)
{
    struct looked l;
    bool is_there;

    is_there = look(r, &l);
    VEC_CLEAR(&r->changes); /* what there is to claim waits for the next run */
    if (is_there && l.history.current) {
        gather(r, &l);
        update_status(r, &l);
    }
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_set(struct reconcile *r)
{
    struct looked l;

    if (!look(r, &l))
        return RECONCILE_DONE;
    if (tidy_history(r, &l) || l.history.is_changing || l.pods.some_change) {
        note_collisions(r, &l);
        r->then = reconcile_set;
        return RECONCILE_DONE;
    }
    if (!l.history.current)
        return RECONCILE_FAILED; /* every name is taken */
    gather(r, &l);
    daemon_plan(&l.run);
    r->again_after_ms = l.run.again_after_ms;
    act(r, &l.run);
    history_trim(r, &l.history,
                 &(struct history_limit){ .limit = l.run.set->spec.revision_history_limit
                                                       ? *l.run.set->spec.revision_history_limit
                                                       : 10,
                                          .used_count = true,
                                          .is_used = is_used,
                                          .arg = &l });
    if (r->changes.len)
        r->then = r->otherwise = report;
    else
        update_status(r, &l);
    return RECONCILE_DONE;
}

/* --- events --- */

static const struct meta_v1_label_selector *selector_of(struct arena *a,
                                                        const struct api_object *set)
{
    (void)a;
    return API_OBJECT(set, struct apps_v1_daemon_set)->spec.selector;
}

static void map_owned(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    owned_map(m, c, sets_row(), selector_of, old, new);
}

/* A revision that somebody makes for a DaemonSet is no news until something else is. */
static void map_revision(struct controller_manager *m, const struct controller *c,
                         const struct api_object *old, const struct api_object *new)
{
    if (old || !owned_by(new))
        map_owned(m, c, old, new);
}

static bool suits_alike(const struct api_object *a, const struct api_object *b)
{
    const struct core_v1_node *x = a->o.data, *y = b->o.data;

    if (x->metadata.labels.len != y->metadata.labels.len ||
        x->spec.taints.len != y->spec.taints.len)
        return false;
    for (uint32_t i = 0; i < x->metadata.labels.len; i++)
        if (!str_eq(x->metadata.labels.items[i].key, y->metadata.labels.items[i].key) ||
            !str_eq(x->metadata.labels.items[i].value, y->metadata.labels.items[i].value))
            return false;
    for (uint32_t i = 0; i < x->spec.taints.len; i++) {
        const struct core_v1_taint *s = &x->spec.taints.items[i], *t = &y->spec.taints.items[i];

        if (!str_eq(s->key, t->key) || !str_eq(s->value, t->value) || !str_eq(s->effect, t->effect))
            return false;
    }
    return true;
}

/* Nodes that come, go or change in what decides concern every DaemonSet. */
static void map_node(struct controller_manager *m, const struct controller *c,
                     const struct api_object *old, const struct api_object *new)
{
    const struct informer *sets = controller_informer(m, sets_row());
    const struct api_object *set;
    size_t cursor = 0;

    if (old && new &&suits_alike(old, new))
        return;
    while ((set = informer_next(sets, &cursor)) != NULL)
        controller_enqueue(m, c, set->key);
}

static const struct controller_watch watches[] = {
    { "apps", "v1", "daemonsets", controller_map_self },
    { "apps", "v1", "controllerrevisions", map_revision },
    { "", "v1", "pods", map_owned },
    { "", "v1", "nodes", map_node },
    { 0 },
};

const struct controller daemonset_controller = {
    .name = "daemonset",
    .watches = watches,
    .reconcile = reconcile_set,
};
