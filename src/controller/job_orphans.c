/* Pods that still have a Job's finalizer, but no Job that would ever take it away: it is gone, or
 * has ended, or let the Pod go. They lose it. Key: the Pod. */
#include "api/resource.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/job_internal.h"
#include "controller/owned_objects.h"

extern const struct controller job_orphans_controller;

static const struct resource *pods_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static const struct resource *jobs_row(void)
{
    return resource_find(STR("batch"), STR("v1"), STR("jobs"));
}

/* Only as it is seen: a Job may take the Pod just now, and put the finalizer on it anew. */
static void release(struct reconcile *r, const struct api_object *pod)
{
    reconcile_patch_strategic(
        r, pods_row(), pod->meta->namespace, pod->meta->name,
        arena_printf(r->arena,
                     "{\"metadata\":{\"uid\":\"%.*s\",\"resourceVersion\":\"%.*s\","
                     "\"$deleteFromPrimitiveList/finalizers\":[\"" JOB_FINALIZER "\"]}}",
                     STR_ARG(pod->meta->uid), STR_ARG(pod->meta->resource_version)));
}

static const struct api_object *find_pod(struct reconcile *r)
{
    const struct api_object *pod =
        informer_get(controller_informer(r->manager, pods_row()), r->key);

    return pod && job_has_finalizer(pod) ? pod : NULL;
}

/* The cache of Jobs may be behind that of Pods: the server's word decides. */
static enum reconcile_result release_unless_there(struct reconcile *r)
{
    const struct api_object *pod = find_pod(r);
    const struct meta_v1_owner_reference *ref = pod ? owned_by(pod) : NULL;
    const struct reconcile_answer *job = &r->answers.items[0];

    if (!ref)
        return RECONCILE_DONE; /* changed meanwhile, which has its own event */
    if (job->result == ERR_NOT_FOUND || (job->result == 0 && !str_eq(job->uid, ref->uid)))
        release(r, pod);
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_orphan(struct reconcile *r)
{
    const struct api_object *pod = find_pod(r), *job;
    const struct meta_v1_owner_reference *ref = pod ? owned_by(pod) : NULL;
    const struct batch_v1_job *j;

    if (!pod)
        return RECONCILE_DONE;
    if (!ref) {
        release(r, pod);
        return RECONCILE_DONE;
    }
    if (!str_eq(ref->kind, STR("Job")) || !str_eq(ref->api_version, STR("batch/v1")))
        return RECONCILE_DONE;
    job = informer_get(controller_informer(r->manager, jobs_row()),
                       controller_key(r->arena, pod->meta->namespace, ref->name));
    if (!job || !str_eq(job->meta->uid, ref->uid)) {
        reconcile_get(r, jobs_row(), pod->meta->namespace, ref->name);
        r->then = release_unless_there;
        return RECONCILE_DONE;
    }
    j = job->o.data;
    if (job_is_finished(j) &&
        (!j->spec.managed_by.p || str_eq(j->spec.managed_by, STR(JOB_CONTROLLER))))
        release(r, pod);
    return RECONCILE_DONE;
}

/* --- events --- */

static bool is_owned_by_job(struct controller_manager *m, const struct api_object *pod)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct meta_v1_owner_reference *ref = owned_by(pod);
    const struct api_object *job;

    if (!ref)
        return false;
    job = informer_get(controller_informer(m, jobs_row()),
                       controller_key(&a, pod->meta->namespace, ref->name));
    return job && str_eq(job->meta->uid, ref->uid) && !job_is_finished(job->o.data);
}

static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    (void)old;
    if (new &&job_has_finalizer(new) && !is_owned_by_job(m, new))
        controller_enqueue(m, c, new->key);
}

static void map_job(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    const struct api_object *const *pods;
    size_t n;

    if (new && !job_is_finished(new->o.data))
        return;
    n = controller_owned_by(controller_informer(m, pods_row()), (new ? new : old)->meta->uid,
                            &pods);
    for (size_t i = 0; i < n; i++)
        if (job_has_finalizer(pods[i]))
            controller_enqueue(m, c, pods[i]->key);
}

static const struct controller_watch watches[] = {
    { "batch", "v1", "jobs", map_job },
    { "", "v1", "pods", map_pod },
    { 0 },
};

const struct controller job_orphans_controller = {
    .name = "job-orphans",
    .watches = watches,
    .reconcile = reconcile_orphan,
};
