/* Jobs: Pods until enough of them have succeeded. What to do is job_plan()'s to say; here it is
 * done, step by step of one run, each on what the step before it wrote. */
#include "api/label_selector.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/job_internal.h"
#include "controller/owned_objects.h"
#include "controller/pod_state.h"

extern const struct controller job_controller;

/* Pods come and go in crowds; the Job's status follows that often. */
enum { BATCH_MS = 100 };

/* One run, across its steps. */
struct steps {
    bool has_managed; /* Pods were made or deleted */
    bool has_failed;  /* something was refused: what is left is to note what is */
    const job_condition *decided;
    bool wrote_status;
    struct job_backoff backoff; /* then it holds */
};

static const struct resource *pods_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static const struct resource *jobs_row(void)
{
    return resource_find(STR("batch"), STR("v1"), STR("jobs"));
}

/* --- back-off of each Job that has failures --- */

struct record {
    char uid[64];
    struct job_backoff backoff;
};

static void free_records(void *arg)
{
    struct map *m = arg;

    MAP_FOREACH(e, m)
        mem_free(e->value);
    map_done(m);
}

static void prepare(struct controller_manager *m)
{
    struct map *records = ARENA_NEW(controller_arena(m), struct map);

    arena_defer(controller_arena(m), free_records, records);
    controller_set_state(m, &job_controller, records);
}

static void forget_backoff(struct reconcile *r)
{
    mem_free(map_remove(controller_state(r->manager, &job_controller), r->key));
}

static struct job_backoff backoff_of(struct reconcile *r, const struct api_object *job)
{
    const struct record *e = map_get(controller_state(r->manager, &job_controller), r->key);

    return e && str_eq(str_from_cstr(e->uid), job->meta->uid) ? e->backoff
                                                              : (struct job_backoff){ 0 };
}

static void keep_backoff(struct reconcile *r, const struct api_object *job, struct job_backoff b)
{
    struct record *e;

    forget_backoff(r);
    if (!b.failures || job->meta->uid.len >= sizeof(e->uid))
        return;
    e = NEW(struct record);
    e->backoff = b;
    memcpy(e->uid, job->meta->uid.p, job->meta->uid.len);
    (void)map_put(controller_state(r->manager, &job_controller), r->key, e);
}

/* --- the steps --- */

static enum reconcile_result step(struct reconcile *r);

static enum reconcile_result step_after_failure(struct reconcile *r)
{
    struct steps *s = r->state;

    s->has_failed = true;
    s->wrote_status = false;
    return step(r);
}

static void go_on(struct reconcile *r)
{
    const struct steps *s = r->state;

    r->then = step;
    r->otherwise = s->has_failed ? NULL : step_after_failure;
}

static const job_condition *keep_condition(struct arena *a, const job_condition *c)
{
    job_condition *kept;

    if (!c)
        return NULL;
    kept = ARENA_NEW(a, job_condition);
    *kept = *c;
    kept->reason = str_dup(a, c->reason);
    kept->message = str_dup(a, c->message);
    kept->type = str_dup(a, c->type);
    kept->status = str_dup(a, c->status);
    return kept;
}

/* The uid makes it fail on another Pod of the name; as_seen: on one that has changed, too. */
static void release(struct reconcile *r, const struct api_object *pod, bool as_seen)
{
    struct str patch = arena_printf(
        r->arena,
        "{\"metadata\":{\"uid\":\"%.*s\",\"$deleteFromPrimitiveList/finalizers\":[\"" JOB_FINALIZER
        "\"]%s%.*s%s}}",
        STR_ARG(pod->meta->uid), as_seen ? ",\"resourceVersion\":\"" : "",
        STR_ARG(as_seen ? pod->meta->resource_version : STR_NULL), as_seen ? "\"" : "");

    reconcile_patch_strategic(r, pods_row(), pod->meta->namespace, pod->meta->name, patch);
}

/* Pods that shall not count lose their finalizer first, unless they have ended meanwhile, and only
 * then are they deleted. */
static void delete_pods(struct reconcile *r, const struct api_object *job,
                        const struct job_plan *plan)
{
    struct steps *s = r->state;
    bool has_released = false;

    for (size_t i = 0; plan->deletes_uncounted && i < plan->n_deletes; i++)
        if (plan->deletes[i]->is_tracked) {
            release(r, plan->deletes[i]->object, true);
            has_released = true;
        }
    if (has_released)
        return;
    for (size_t i = 0; i < plan->n_deletes; i++)
        pod_delete_told(r, job, plan->deletes[i]->object);
    s->has_managed = true;
}

static void create_pods(struct reconcile *r, const struct api_object *job,
                        const struct job_plan *plan)
{
    struct steps *s = r->state;

    for (size_t i = 0; i < plan->n_creates; i++) {
        reconcile_create(r, pods_row(), job->meta->namespace,
                         job_new_pod(r->arena, job, plan->indexes ? plan->indexes[i] : -1,
                                     plan->replaced ? plan->replaced[i] : NULL));
        pod_tell_created(r, job);
    }
    s->has_managed = true;
}

static void write_status(struct reconcile *r, const struct api_object *job, struct object o,
                         const struct job_plan *plan)
{
    struct steps *s = r->state;

    reconcile_update_status(r, jobs_row(), o);
    for (size_t i = 0; i < plan->n_events; i++)
        reconcile_event(r, job, plan->events[i].type, plan->events[i].reason, "%.*s",
                        STR_ARG(plan->events[i].message));
    s->wrote_status = true;
    s->backoff = plan->backoff;
    go_on(r);
}

/* The first thing to do of what the plan has; then comes a new plan. */
static void act(struct reconcile *r, const struct api_object *job, const struct job_plan *plan)
{
    struct steps *s = r->state;
    struct object o = object_copy(r->arena, job->o);

    s->decided = keep_condition(r->arena, plan->decided);
    if (plan->n_deletes || plan->n_creates) {
        if (plan->n_deletes)
            delete_pods(r, job, plan);
        else
            create_pods(r, job, plan);
        go_on(r);
        return;
    }
    ((struct batch_v1_job *)o.data)->status = plan->status;
    if (!object_equal(o, job->o)) {
        write_status(r, job, o, plan);
        return;
    }
    for (size_t i = 0; i < plan->n_releases; i++)
        release(r, plan->releases[i]->object, false);
    if (plan->n_releases)
        go_on(r);
}

static bool may_take(const struct api_object *pod)
{
    (void)pod;
    return true;
}

/* The Job's Pods as the cache has them; false: some are being taken or let go, or its selector is
 * none. */
static bool look(struct reconcile *r, const struct api_object *job, struct job_input *in)
{
    struct owned_objects owned;
    struct label_selector selector;
    struct job_pod *pods;
    struct err err;

    if (label_selector_from_meta(r->arena, in->job->spec.selector, &selector, &err) < 0)
        return false;
    owned_claim(r,
                &(struct owned_rules){ .row = pods_row(),
                                       .owner = job,
                                       .selector = &selector,
                                       .may_take = may_take,
                                       .finalizer = STR(JOB_FINALIZER) },
                &owned);
    if (owned.some_change) {
        go_on(r);
        return false;
    }
    pods = ARENA_NEW_ARRAY(r->arena, struct job_pod, owned.len);
    for (size_t i = 0; i < owned.len; i++)
        pods[i] = job_pod_of(in->job, owned.items[i]);
    in->pods = pods;
    in->n_pods = owned.len;
    return true;
}

static bool is_ours(const struct batch_v1_job *j)
{
    return !j->spec.managed_by.p || str_eq(j->spec.managed_by, STR(JOB_CONTROLLER));
}

static enum reconcile_result step(struct reconcile *r)
{
    const struct api_object *job =
        informer_get(controller_informer(r->manager, jobs_row()), r->key);
    struct steps *s = r->state;
    struct job_plan plan;
    struct job_input in;

    if (job && s->wrote_status)
        keep_backoff(r, job, s->backoff);
    s->wrote_status = false;
    if (!job || job_is_finished(job->o.data)) {
        forget_backoff(r);
        return RECONCILE_DONE;
    }
    in = (struct job_input){
        .arena = r->arena,
        .job = job->o.data,
        .now_ms = controller_clock(r->manager)->wall_ns(controller_clock(r->manager)) / 1000000,
        .backoff = backoff_of(r, job),
        .may_manage = !s->has_managed && !s->has_failed,
        .decided = s->decided,
    };
    if (!is_ours(in.job) || !look(r, job, &in))
        return RECONCILE_DONE;
    job_plan(&in, &plan);
    if (plan.again_after_ms)
        r->again_after_ms = plan.again_after_ms;
    act(r, job, &plan);
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_job(struct reconcile *r)
{
    r->state = ARENA_NEW(r->arena, struct steps);
    return step(r);
}

/* --- events --- */

static void map_job(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    if (!old || !new || old->meta->generation != new->meta->generation)
        controller_map_self(m, c, old, new);
    else
        controller_enqueue_after(m, c, new->key, BATCH_MS);
}

static void enqueue_owner(struct controller_manager *m, const struct controller *c,
                          const struct api_object *pod)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct meta_v1_owner_reference *ref = pod ? owned_by(pod) : NULL;

    if (ref && str_eq(ref->kind, STR("Job")))
        controller_enqueue_after(m, c, controller_key(&a, pod->meta->namespace, ref->name),
                                 BATCH_MS);
}

static const struct meta_v1_label_selector *selector_of(struct arena *a,
                                                        const struct api_object *job)
{
    (void)a;
    return API_OBJECT(job, struct batch_v1_job)->spec.selector;
}

static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    if (new && !owned_by(new)) {
        owned_map(m, c, jobs_row(), selector_of, old, new);
        return;
    }
    enqueue_owner(m, c, old);
    enqueue_owner(m, c, new);
}

static const struct controller_watch watches[] = {
    { "batch", "v1", "jobs", map_job },
    { "", "v1", "pods", map_pod },
    { 0 },
};

const struct controller job_controller = {
    .name = "job",
    .watches = watches,
    .reconcile = reconcile_job,
    .prepare = prepare,
};
