/* CronJobs: a Job at each time of a schedule. A run first asks after Jobs that seem to be missing,
 * then deletes and makes Jobs, then writes status; the next time is a timer of the queue. A Job's
 * name tells its time, so that none is made twice, whoever dies in between. */
#include <stdlib.h>
#include <string.h>

#include "api/batch_v1.h"
#include "api/core_v1.h"
#include "api/cron_schedule.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "codec/time_text.h"
#include "codec/time_zone.h"
#include "controller/controller.h"
#include "controller/cron_times.h"
#include "controller/job_internal.h"
#include "controller/pod_state.h"

#define SCHEDULED_AT "batch.kubernetes.io/cronjob-scheduled-timestamp"

/* One run. Objects are looked up anew in each step. */
struct cron_run {
    struct reconcile *r;
    const struct api_object *object;
    const struct batch_v1_cron_job *cron;
    const struct api_object *const *jobs; /* it owns them */
    size_t n_jobs;
    /* Kept across steps: */
    struct str
        *asked; /* uids of active Jobs that are not in the cache; answers are in this order */
    size_t n_asked;
    struct str *deleted; /* uids of Jobs that this run deletes */
    size_t n_deleted;
    int64_t started_for; /* the time that a Job was made for; 0: none */
    struct str started;  /* its name */
};

static const struct resource *crons_row(void)
{
    return resource_find(STR("batch"), STR("v1"), STR("cronjobs"));
}

static const struct resource *jobs_row(void)
{
    return resource_find(STR("batch"), STR("v1"), STR("jobs"));
}

static bool look(struct cron_run *c, struct reconcile *r)
{
    c->r = r;
    c->object = informer_get(controller_informer(r->manager, crons_row()), r->key);
    if (!c->object)
        return false;
    c->cron = c->object->o.data;
    c->n_jobs = controller_owned_by(controller_informer(r->manager, jobs_row()),
                                    c->object->meta->uid, &c->jobs);
    return true;
}

static bool has_text(const struct str *all, size_t n, struct str text)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(all[i], text))
            return true;
    return false;
}

static const struct api_object *job_of_uid(const struct cron_run *c, struct str uid)
{
    for (size_t i = 0; i < c->n_jobs; i++)
        if (str_eq(c->jobs[i]->meta->uid, uid))
            return c->jobs[i];
    return NULL;
}

static bool is_active(const struct cron_run *c, struct str uid)
{
    for (uint32_t i = 0; i < c->cron->status.active.len; i++)
        if (str_eq(c->cron->status.active.items[i].uid, uid))
            return true;
    return false;
}

/* --- its times --- */

struct times {
    struct cron_schedule schedule;
    struct time_zone *zone;
    struct cron_due due;
};

static void times_done(struct times *t)
{
    time_zone_free(t->zone);
}
DEFINE_CLEANUP_VALUE(struct times, times_done);

static int read_times(const struct batch_v1_cron_job *cron, int64_t now_ms, struct times *ret,
                      struct err *err)
{
    const struct batch_v1_cron_job_spec *s = &cron->spec;
    int r;

    *ret = (struct times){ 0 };
    r = cron_schedule_parse(s->schedule, &ret->schedule, err);
    if (r >= 0)
        r = time_zone_load(ret->schedule.zone.len ? ret->schedule.zone : s->time_zone, &ret->zone,
                           err);
    ret->due = (struct cron_due){
        .schedule = &ret->schedule,
        .zone = ret->zone,
        .created_s = cron->metadata.creation_timestamp.sec,
        .last_s = cron->status.last_schedule_time.set ? cron->status.last_schedule_time.sec : 0,
        .deadline_s = s->starting_deadline_seconds ? *s->starting_deadline_seconds : -1,
        .now_ms = now_ms,
    };
    return r;
}

static int64_t now_ms(const struct controller_manager *m)
{
    const struct clock *c = controller_clock(m);

    return c->wall_ns(c) / 1000000;
}

/* --- Jobs --- */

/* As RFC 3339 has it, in the CronJob's zone; without one in UTC. */
static struct str print_time(struct arena *a, struct str zone, int64_t time_s)
{
    CLEANUP(time_zone_free) struct time_zone *z = NULL;
    struct buf b = { 0 };
    struct err err;
    int32_t offset;

    if (zone.len)
        (void)time_zone_load(zone, &z, &err); /* it was found before */
    offset = time_zone_offset(z, time_s);
    buf_init_arena(&b, a, 32);
    time_text_print(&b, time_s + offset);
    if (offset) {
        b.len--; /* the Z */
        buf_printf(&b, "%c%02d:%02d", offset < 0 ? '-' : '+', abs(offset) / 3600,
                   abs(offset) / 60 % 60);
    }
    return buf_str(&b);
}

static struct object new_job(struct cron_run *c, struct str name, int64_t time_s)
{
    struct arena *a = c->r->arena;
    struct object o = object_new(a, &schema_builtin, jobs_row()->type);
    const struct batch_v1_job_template_spec *t = &c->cron->spec.job_template;
    struct batch_v1_job *j = o.data;

    text_map_copy(a, &j->metadata.labels, &t->metadata.labels);
    text_map_copy(a, &j->metadata.annotations, &t->metadata.annotations);
    text_map_put(a, &j->metadata.annotations, STR(SCHEDULED_AT),
                 print_time(a, c->cron->spec.time_zone, time_s));
    j->metadata.name = name;
    j->metadata.namespace = c->r->namespace;
    j->metadata.owner_references.items = ARENA_NEW(a, struct meta_v1_owner_reference);
    j->metadata.owner_references.items[0] = owner_reference_to(a, c->object);
    j->metadata.owner_references.len = 1;
    j->spec = t->spec;
    return o;
}

static void create_job(struct cron_run *c, struct str name, int64_t time_s)
{
    reconcile_create(c->r, jobs_row(), c->r->namespace, new_job(c, name, time_s));
    reconcile_tell(c->r, c->object,
                   &(struct reconcile_tale){ .reason = "SuccessfulCreate",
                                             .text = STR("Created job "),
                                             .ends_in_name = true,
                                             .failed_reason = "FailedCreate",
                                             .failed_text = STR("Error creating job: ") });
}

static void delete_job(struct cron_run *c, const struct api_object *job)
{
    struct arena *a = c->r->arena;

    c->deleted[c->n_deleted++] = str_dup(a, job->meta->uid);
    if (job->meta->deletion_timestamp.set)
        return;
    reconcile_delete(c->r, jobs_row(), c->r->namespace, job->meta->name, job->meta->uid,
                     STR("Background"));
    reconcile_tell(c->r, c->object,
                   &(struct reconcile_tale){
                       .reason = "SuccessfulDelete",
                       .text = arena_printf(a, "Deleted job %.*s", STR_ARG(job->meta->name)),
                       .failed_reason = "FailedDelete",
                       .failed_text = STR("Deleted job: ") });
}

/* --- history --- */

static int oldest_first(const void *a, const void *b)
{
    const struct api_object *const *x = a, *const *y = b;
    struct ktime s = API_OBJECT(*x, struct batch_v1_job)->status.start_time,
                 t = API_OBJECT(*y, struct batch_v1_job)->status.start_time;

    if (s.set != t.set)
        return s.set ? -1 : 1;
    if (s.set && s.sec != t.sec)
        return s.sec < t.sec ? -1 : 1;
    return str_cmp((*x)->meta->name, (*y)->meta->name);
}

static void limit_history(struct cron_run *c, const char *how, const int32_t *limit)
{
    const struct api_object **ended =
        ARENA_NEW_ARRAY(c->r->arena, const struct api_object *, c->n_jobs);
    size_t n = 0;

    for (size_t i = 0; limit && i < c->n_jobs; i++) {
        const job_condition *end = job_finished_condition(c->jobs[i]->o.data);

        if (end && str_eq(end->type, str_from_cstr(how)))
            ended[n++] = c->jobs[i];
    }
    if (!limit || n <= (size_t)MAX(*limit, 0))
        return;
    qsort(ended, n, sizeof(ended[0]), oldest_first);
    for (size_t i = 0; i < n - (size_t)MAX(*limit, 0); i++)
        delete_job(c, ended[i]);
}

/* --- status --- */

static void note_success(struct batch_v1_cron_job_status *s, const struct batch_v1_job *j)
{
    struct ktime at = j->status.completion_time;

    if (job_has_condition(j, "Complete") && at.set &&
        (!s->last_successful_time.set || at.sec > s->last_successful_time.sec))
        s->last_successful_time = at;
}

/* Is the Job still under way? Tells what became of it. */
static bool stays_active(struct cron_run *c, const struct core_v1_object_reference *ref)
{
    const struct api_object *job = job_of_uid(c, ref->uid);
    const job_condition *end = job ? job_finished_condition(job->o.data) : NULL;

    if (has_text(c->deleted, c->n_deleted, ref->uid))
        return false;
    if (end)
        reconcile_event(c->r, c->object, "Normal", "SawCompletedJob",
                        "Saw completed job: %.*s, condition: %.*s", STR_ARG(ref->name),
                        STR_ARG(end->type));
    if (job)
        return !end;
    for (size_t i = 0; i < c->n_asked; i++)
        if (str_eq(c->asked[i], ref->uid) && c->r->answers.items[i].result == ERR_NOT_FOUND) {
            reconcile_event(c->r, c->object, "Normal", "MissingJob",
                            "Active job went missing: %.*s", STR_ARG(ref->name));
            return false;
        }
    return true;
}

static void add_active(struct cron_run *c, struct batch_v1_cron_job_status *s)
{
    const struct api_object *job =
        informer_get(controller_informer(c->r->manager, jobs_row()),
                     controller_key(c->r->arena, c->r->namespace, c->started));

    s->last_schedule_time = (struct ktime){ .sec = c->started_for, .set = true };
    if (!job)
        return; /* gone already */
    for (uint32_t i = 0; i < s->active.len; i++)
        if (str_eq(s->active.items[i].uid, job->meta->uid))
            return;
    if (job_is_finished(job->o.data))
        return;
    s->active.items[s->active.len++] = (struct core_v1_object_reference){
        .kind = STR("Job"),
        .api_version = STR("batch/v1"),
        .namespace = job->meta->namespace,
        .name = job->meta->name,
        .uid = job->meta->uid,
        .resource_version = job->meta->resource_version,
    };
}

static enum reconcile_result write_status(struct reconcile *r)
{
    struct cron_run *c = r->state;
    const struct batch_v1_cron_job_status *was;
    struct batch_v1_cron_job_status *s;
    CLEANUP(times_done) struct times times = { 0 };
    struct object copy;
    struct err err;

    if (!look(c, r))
        return RECONCILE_DONE;
    copy = object_copy(r->arena, c->object->o);
    s = &((struct batch_v1_cron_job *)copy.data)->status;
    was = &c->cron->status;
    s->active.items =
        ARENA_NEW_ARRAY(r->arena, struct core_v1_object_reference, was->active.len + 1);
    s->active.len = 0;
    for (uint32_t i = 0; i < was->active.len; i++)
        if (stays_active(c, &was->active.items[i]))
            s->active.items[s->active.len++] = was->active.items[i];
    for (size_t i = 0; i < c->n_jobs; i++)
        note_success(s, c->jobs[i]->o.data);
    if (c->started_for)
        add_active(c, s);
    if (!object_equal(copy, c->object->o))
        reconcile_update_status(r, crons_row(), copy);
    /* From the time that was started for, when it was. */
    if (r->again_after_ms && read_times(copy.data, now_ms(r->manager), &times, &err) >= 0)
        r->again_after_ms = cron_due_after_ms(&times.due);
    return RECONCILE_DONE;
}

static enum reconcile_result write_status_after_failure(struct reconcile *r)
{
    ((struct cron_run *)r->state)->started_for = 0;
    return write_status(r);
}

/* --- is it time? --- */

static void warn(struct cron_run *c, const char *reason, struct str message)
{
    reconcile_event(c->r, c->object, "Warning", reason, "%.*s", STR_ARG(message));
}

/* Mon, 02 Jan 2006 15:04:05 +0000 */
static struct str print_rfc1123(struct arena *a, int64_t t)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    int64_t year, s = (t % 86400 + 86400) % 86400;
    int month, day, weekday;

    time_zone_date((t - s) / 86400, &year, &month, &day, &weekday);
    return arena_printf(a, "%s, %02d %s %04lld %02lld:%02lld:%02lld +0000", days[weekday], day,
                        months[month - 1], (long long)year, (long long)(s / 3600),
                        (long long)(s / 60 % 60), (long long)(s % 60));
}

/* The time to start for now; CRON_NEVER: none. */
static int64_t find_time(struct cron_run *c, const struct times *t)
{
    struct arena *a = c->r->arena;
    bool too_many;
    int64_t time_s;
    struct err err;

    if (cron_due_time(&t->due, &time_s, &too_many, &err) < 0) {
        warn(c, "InvalidSchedule",
             arena_printf(a, "invalid schedule: %.*s : %s", STR_ARG(c->cron->spec.schedule),
                          err.text));
        c->r->again_after_ms = 0;
        return CRON_NEVER;
    }
    if (too_many)
        warn(
            c, "TooManyMissedTimes",
            STR("too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check "
                "clock skew"));
    if (time_s != CRON_NEVER && cron_is_late(&t->due, time_s)) {
        warn(c, "MissSchedule",
             arena_printf(a, "Missed scheduled time to start a job: %.*s",
                          STR_ARG(print_rfc1123(a, time_s))));
        return CRON_NEVER;
    }
    return time_s;
}

static bool is_started(const struct cron_run *c, struct str name, int64_t time_s)
{
    for (uint32_t i = 0; i < c->cron->status.active.len; i++)
        if (str_eq(c->cron->status.active.items[i].name, name))
            return true;
    return c->cron->status.last_schedule_time.set &&
           c->cron->status.last_schedule_time.sec == time_s;
}

/* How many of the active Jobs are still under way. */
static size_t count_running(const struct cron_run *c)
{
    size_t n = 0;

    for (uint32_t i = 0; i < c->cron->status.active.len; i++) {
        struct str uid = c->cron->status.active.items[i].uid;
        const struct api_object *job = job_of_uid(c, uid);
        bool is_missing = false;

        for (size_t k = 0; !job && k < c->n_asked; k++)
            is_missing |=
                str_eq(c->asked[k], uid) && c->r->answers.items[k].result == ERR_NOT_FOUND;
        n += job ? !job_is_finished(job->o.data) : !is_missing;
    }
    return n;
}

static void replace(struct cron_run *c)
{
    for (uint32_t i = 0; i < c->cron->status.active.len; i++) {
        const struct api_object *job = job_of_uid(c, c->cron->status.active.items[i].uid);

        if (job && !has_text(c->deleted, c->n_deleted, job->meta->uid))
            delete_job(c, job);
    }
}

static void start_job(struct cron_run *c, int64_t time_s)
{
    struct str policy = c->cron->spec.concurrency_policy;
    struct str name = arena_printf(c->r->arena, "%.*s-%lld", STR_ARG(c->object->meta->name),
                                   (long long)(time_s / 60));
    const struct api_object *have;

    if (is_started(c, name, time_s))
        return;
    if (str_eq(policy, STR("Forbid")) && count_running(c)) {
        reconcile_event(c->r, c->object, "Normal", "JobAlreadyActive",
                        "Not starting job because prior execution is running and concurrency "
                        "policy is Forbid");
        return;
    }
    if (str_eq(policy, STR("Replace")))
        replace(c);
    /* Made before, but status was not written then; or somebody else's. */
    have = informer_get(controller_informer(c->r->manager, jobs_row()),
                        controller_key(c->r->arena, c->r->namespace, name));
    if (!have)
        create_job(c, name, time_s);
    else if (!job_of_uid(c, have->meta->uid))
        return;
    c->started = name;
    c->started_for = time_s;
}

/* Nothing is started while it rests, leaves or cannot be understood. */
static void start_when_due(struct cron_run *c)
{
    const struct batch_v1_cron_job_spec *s = &c->cron->spec;
    CLEANUP(times_done) struct times times = { 0 };
    struct arena *a = c->r->arena;
    struct time_zone *zone = NULL;
    struct err err;
    int64_t time_s;

    if (c->object->meta->deletion_timestamp.set)
        return;
    if (s->time_zone.p && time_zone_load(s->time_zone, &zone, &err) < 0) {
        warn(c, "UnknownTimeZone",
             arena_printf(a, "invalid timeZone: \"%.*s\": %s", STR_ARG(s->time_zone), err.text));
        return;
    }
    time_zone_free(zone);
    if (s->suspend && *s->suspend)
        return;
    if (str_contains(s->schedule, STR("TZ")))
        warn(
            c, "UnsupportedSchedule",
            arena_printf(a,
                         "CRON_TZ or TZ used in schedule \"%.*s\" is not officially supported, see "
                         "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for "
                         "more details",
                         STR_ARG(s->schedule)));
    if (read_times(c->cron, now_ms(c->r->manager), &times, &err) < 0) {
        warn(
            c, "UnparseableSchedule",
            arena_printf(a, "unparseable schedule: \"%.*s\" : %s", STR_ARG(s->schedule), err.text));
        return;
    }
    c->r->again_after_ms = cron_due_after_ms(&times.due);
    time_s = find_time(c, &times);
    if (time_s != CRON_NEVER)
        start_job(c, time_s);
}

/* --- the run --- */

static void warn_of_unknown(struct cron_run *c)
{
    for (size_t i = 0; i < c->n_jobs; i++)
        if (!job_is_finished(c->jobs[i]->o.data) && !is_active(c, c->jobs[i]->meta->uid))
            warn(c, "UnexpectedJob",
                 arena_printf(c->r->arena,
                              "Saw a job that the controller did not create or forgot: %.*s",
                              STR_ARG(c->jobs[i]->meta->name)));
}

static enum reconcile_result act(struct reconcile *r)
{
    struct cron_run *c = r->state;

    if (!look(c, r))
        return RECONCILE_DONE;
    c->deleted = ARENA_NEW_ARRAY(r->arena, struct str, c->n_jobs);
    limit_history(c, "Complete", c->cron->spec.successful_jobs_history_limit);
    limit_history(c, "Failed", c->cron->spec.failed_jobs_history_limit);
    warn_of_unknown(c);
    start_when_due(c);
    r->then = write_status;
    r->otherwise = write_status_after_failure;
    return RECONCILE_DONE;
}

/* The cache of Jobs may be behind: of those that are missing the server is asked. */
static enum reconcile_result reconcile_cron_job(struct reconcile *r)
{
    struct cron_run *c = ARENA_NEW(r->arena, struct cron_run);

    r->state = c;
    if (!look(c, r))
        return RECONCILE_DONE;
    c->asked = ARENA_NEW_ARRAY(r->arena, struct str, c->cron->status.active.len);
    for (uint32_t i = 0; i < c->cron->status.active.len; i++) {
        const struct core_v1_object_reference *ref = &c->cron->status.active.items[i];

        if (job_of_uid(c, ref->uid))
            continue;
        c->asked[c->n_asked++] = str_dup(r->arena, ref->uid);
        reconcile_get(r, jobs_row(), r->namespace, ref->name);
    }
    if (!c->n_asked)
        return act(r);
    r->then = act;
    return RECONCILE_DONE;
}

/* --- events --- */

/* Another schedule begins with its next time: what it would have had before is not made up for. */
static void map_cron_job(struct controller_manager *m, const struct controller *c,
                         const struct api_object *old, const struct api_object *new)
{
    const struct batch_v1_cron_job_spec *was =
                                            old ? &API_OBJECT(old, struct batch_v1_cron_job)->spec
                                                : NULL,
                                        *is = new ? &API_OBJECT(new, struct batch_v1_cron_job)->spec
                                                  : NULL;
    CLEANUP(times_done) struct times times = { 0 };
    struct err err;

    if (was && is &&
        (!str_eq(was->schedule, is->schedule) || !str_eq(was->time_zone, is->time_zone)) &&
        read_times(new->o.data, now_ms(m), &times, &err) >= 0 && cron_due_after_ms(&times.due))
        controller_enqueue_after(m, c, new->key, cron_due_after_ms(&times.due));
    else
        controller_map_self(m, c, old, new);
}

static void map_job(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    controller_enqueue_owner(m, c, old, STR("CronJob"));
    controller_enqueue_owner(m, c, new, STR("CronJob"));
}

static const struct controller_watch watches[] = {
    { "batch", "v1", "cronjobs", map_cron_job },
    { "batch", "v1", "jobs", map_job },
    { 0 },
};

const struct controller cronjob_controller = {
    .name = "cronjob",
    .watches = watches,
    .reconcile = reconcile_cron_job,
};
