/* Jobs that have ended and say for how long they are of interest are deleted after that. */
#include "api/resource.h"
#include "base/arena.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/job_internal.h"

static const struct resource *jobs_row(void)
{
    return resource_find(STR("batch"), STR("v1"), STR("jobs"));
}

/* What has ended, is not leaving already, and has a time to live; NULL: not that. */
static const job_condition *end_of(const struct api_object *o)
{
    const struct batch_v1_job *j = o->o.data;

    if (o->meta->deletion_timestamp.set || !j->spec.ttl_seconds_after_finished)
        return NULL;
    return job_finished_condition(j);
}

static enum reconcile_result reconcile_job(struct reconcile *r)
{
    const struct api_object *job =
        informer_get(controller_informer(r->manager, jobs_row()), r->key);
    const job_condition *end = job ? end_of(job) : NULL;
    int64_t left;

    if (!end || !end->last_transition_time.set)
        return RECONCILE_DONE;
    left = end->last_transition_time.sec - r->now_s +
           *API_OBJECT(job, struct batch_v1_job)->spec.ttl_seconds_after_finished;
    if (left > 0) {
        r->again_after_ms = left * 1000;
        return RECONCILE_DONE;
    }
    reconcile_delete_as_seen(r, jobs_row(), job, STR("Foreground"));
    return RECONCILE_DONE;
}

static void map_job(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    (void)old;
    if (new &&end_of(new))
        controller_enqueue(m, c, new->key);
}

static const struct controller_watch watches[] = {
    { "batch", "v1", "jobs", map_job },
    { 0 },
};

const struct controller ttl_after_finished_controller = {
    .name = "ttl-after-finished",
    .watches = watches,
    .reconcile = reconcile_job,
};
