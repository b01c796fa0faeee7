/* Pods that nobody will ever finish: bound to a node that is gone (after a while, it may come
 * back), or being deleted without ever having had a node. Of finished ones the newest MAX_FINISHED
 * are kept. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/pod_state.h"

enum { MAX_FINISHED = 12500, QUARANTINE_S = 40 };

static const struct resource *pods_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static bool is_stranded(struct reconcile *r, const struct core_v1_pod *pod)
{
    return pod->spec.node_name.len &&
           !informer_get(controller_informer_of(r->manager, "", "v1", "nodes"),
                         pod->spec.node_name);
}

/* Such a Pod has failed: who waits for it to end, a Job, waits no longer. */
static void mark_failed(struct reconcile *r, const struct api_object *o, bool lost_its_node)
{
    struct object copy = object_copy(r->arena, o->o);
    struct core_v1_pod_status *s = &((struct core_v1_pod *)copy.data)->status;
    struct core_v1_pod_condition *all =
        ARENA_NEW_ARRAY(r->arena, struct core_v1_pod_condition, s->conditions.len + 1);

    if (pod_is_finished(o->o.data))
        return;
    s->phase = STR("Failed");
    if (lost_its_node) {
        if (s->conditions.len)
            memcpy(all, s->conditions.items, s->conditions.len * sizeof(*all));
        all[s->conditions.len++] = (struct core_v1_pod_condition){
            .type = STR("DisruptionTarget"),
            .status = STR("True"),
            .reason = STR("DeletionByPodGC"),
            .message = STR("PodGC: node no longer exists"),
            .last_transition_time = { .sec = r->now_s, .set = true },
        };
        s->conditions.items = all;
    }
    reconcile_update_status(r, pods_row(), copy);
}

static void delete_failed(struct reconcile *r, const struct api_object *o, bool lost_its_node)
{
    mark_failed(r, o, lost_its_node);
    reconcile_delete_now(r, pods_row(), o->meta->namespace, o->meta->name, o->meta->uid);
}

/* Nothing is left to say; somebody's finalizer keeps it. */
static bool is_done(const struct api_object *o)
{
    return o->meta->deletion_timestamp.set && o->meta->deletion_grace_period_seconds &&
           *o->meta->deletion_grace_period_seconds == 0 && pod_is_finished(o->o.data);
}

/* That the node is gone is asked of the server once more before anything is deleted. */
static enum reconcile_result delete_stranded(struct reconcile *r)
{
    const struct api_object *o = informer_get(controller_informer(r->manager, pods_row()), r->key);

    if (o && r->answers.items[0].result == ERR_NOT_FOUND)
        delete_failed(r, o, true);
    return RECONCILE_DONE;
}

static int newest_first(const void *a, const void *b)
{
    const struct api_object *const *x = a, *const *y = b;
    int64_t s = (*x)->meta->creation_timestamp.sec, t = (*y)->meta->creation_timestamp.sec;

    return s > t ? -1 : s < t;
}

static void delete_oldest_finished(struct reconcile *r)
{
    const struct informer *pods = controller_informer(r->manager, pods_row());
    const struct api_object **finished, *o;
    size_t cursor = 0, n = 0;

    if (informer_len(pods) <= MAX_FINISHED)
        return;
    finished = ARENA_NEW_ARRAY(r->arena, const struct api_object *, informer_len(pods));
    while ((o = informer_next(pods, &cursor)) != NULL)
        if (pod_is_finished(o->o.data) && !o->meta->deletion_timestamp.set)
            finished[n++] = o;
    qsort(finished, n, sizeof(finished[0]), newest_first);
    for (size_t i = MAX_FINISHED; i < n; i++)
        reconcile_delete_now(r, pods_row(), finished[i]->meta->namespace, finished[i]->meta->name,
                             finished[i]->meta->uid);
}

static enum reconcile_result reconcile_pod(struct reconcile *r)
{
    const struct api_object *o = informer_get(controller_informer(r->manager, pods_row()), r->key);
    const struct core_v1_pod *pod = o ? o->o.data : NULL;
    int64_t *since;

    if (!o)
        return RECONCILE_DONE;
    if (pod_is_finished(pod))
        delete_oldest_finished(r);
    if (is_done(o))
        return RECONCILE_DONE;
    if (!pod->spec.node_name.len && o->meta->deletion_timestamp.set)
        delete_failed(r, o, false);
    if (!is_stranded(r, pod))
        return RECONCILE_DONE;
    since = controller_state(r->manager, r->controller);
    if (r->now_s - *since < QUARANTINE_S) {
        r->again_after_ms = (*since + QUARANTINE_S - r->now_s + 1) * 1000;
        return RECONCILE_DONE;
    }
    reconcile_get(r, resource_find(STR(""), STR("v1"), STR("nodes")), STR_NULL,
                  pod->spec.node_name);
    r->then = delete_stranded;
    return RECONCILE_DONE;
}

/* A node that goes begins the quarantine anew, for all: a little late is better than too early. */
static void map_node(struct controller_manager *m, const struct controller *c,
                     const struct api_object *old, const struct api_object *new)
{
    const struct informer *pods = controller_informer_of(m, "", "v1", "pods");
    const struct api_object *o;
    size_t cursor = 0;

    if (new)
        return;
    *(int64_t *)controller_state(m, c) = controller_now_s(m);
    while ((o = informer_next(pods, &cursor)) != NULL)
        if (str_eq(API_OBJECT(o, struct core_v1_pod)->spec.node_name, old->meta->name))
            controller_enqueue(m, c, o->key);
}

const struct controller pod_gc_controller;

static void prepare(struct controller_manager *m)
{
    int64_t *since = ARENA_NEW(controller_arena(m), int64_t);

    *since = controller_now_s(m);
    controller_set_state(m, &pod_gc_controller, since);
}

static const struct controller_watch watches[] = {
    { "", "v1", "pods", controller_map_self },
    { "", "v1", "nodes", map_node },
    { 0 },
};

const struct controller pod_gc_controller = {
    .name = "pod-garbage-collector",
    .watches = watches,
    .reconcile = reconcile_pod,
    .prepare = prepare,
};
