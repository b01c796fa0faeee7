/* What a Job needs next, of what it and its Pods say. In one run: Pods are deleted or made; then
 * status notes who has ended (uncountedTerminatedPods, completedIndexes) and how the Job will end;
 * then those Pods lose their finalizer; then they move from the list to the counts, and the Job
 * ends. Each step is found anew of what the API holds, so that whoever takes over after a crash
 * goes on where it was, and no Pod counts twice or never. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "controller/job_internal.h"
#include "controller/pod_state.h"

struct planner {
    const struct batch_v1_job *job;
    struct arena *a;
    struct job_input in; /* pods: our own, in the order of their indexes */
    struct job_pod *pods;
    struct job_facts f;
    struct job_plan *out;
    const job_condition *ends; /* how the Job ends; NULL: not yet */
    bool is_short;             /* not all Pods that ended could be noted at once */
};

static const job_condition *new_condition(struct planner *p, const char *type, struct str reason,
                                          struct str message)
{
    job_condition *c = ARENA_NEW(p->a, job_condition);
    struct ktime now = { .sec = p->in.now_ms / 1000, .set = true };

    *c = (job_condition){ .type = str_from_cstr(type),
                          .status = STR("True"),
                          .last_probe_time = now,
                          .last_transition_time = now,
                          .reason = reason,
                          .message = message };
    return c;
}

static const job_condition *fails(struct planner *p, const char *reason, struct str message)
{
    return new_condition(p, JOB_FAILURE_TARGET, str_from_cstr(reason), message);
}

static const job_condition *succeeds(struct planner *p, const char *reason, struct str message)
{
    return new_condition(p, JOB_SUCCESS_CRITERIA_MET, str_from_cstr(reason), message);
}

static bool is_success(const job_condition *c)
{
    return c && str_eq(c->type, STR(JOB_SUCCESS_CRITERIA_MET));
}

/* --- sets of uids --- */

struct uids {
    struct str *items; /* sorted */
    size_t len;
};

static int compare_texts(const void *a, const void *b)
{
    const struct str *x = a, *y = b;

    return str_cmp(*x, *y);
}

static void sort_uids(struct uids *u)
{
    if (u->len)
        qsort(u->items, u->len, sizeof(u->items[0]), compare_texts);
}

static bool has_uid(const struct uids *u, struct str uid)
{
    return u->len && bsearch(&uid, u->items, u->len, sizeof(u->items[0]), compare_texts);
}

static struct uids copy_uids(struct arena *a, const struct str *items, uint32_t n)
{
    struct uids u = { .items = ARENA_NEW_ARRAY(a, struct str, n), .len = n };

    if (n)
        memcpy(u.items, items, n * sizeof(*items));
    sort_uids(&u);
    return u;
}

/* --- facts --- */

static int compare_pods(const void *a, const void *b)
{
    const struct job_pod *x = a, *y = b;

    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return str_cmp(x->object->key, y->object->key);
}

static void take_pods(struct planner *p)
{
    const struct batch_v1_uncounted_terminated_pods none = { 0 },
                                                    *u = p->job->status.uncounted_terminated_pods;
    struct uids succeeded, failed;

    u = u ? u : &none;
    succeeded = copy_uids(p->a, u->succeeded.items, u->succeeded.len);
    failed = copy_uids(p->a, u->failed.items, u->failed.len);
    p->pods = ARENA_NEW_ARRAY(p->a, struct job_pod, p->in.n_pods);
    for (size_t i = 0; i < p->in.n_pods; i++) {
        p->pods[i] = p->in.pods[i];
        p->pods[i].was_succeeded = has_uid(&succeeded, p->pods[i].object->meta->uid);
        p->pods[i].was_failed = has_uid(&failed, p->pods[i].object->meta->uid);
    }
    if (p->in.n_pods && job_is_indexed(p->job))
        qsort(p->pods, p->in.n_pods, sizeof(p->pods[0]), compare_pods);
    p->in.pods = p->pods;
}

static bool counts_as_failed(struct planner *p, const struct job_pod *pod)
{
    return job_policy_judge(p->a, p->job->spec.pod_failure_policy, pod->pod).is_counted;
}

static void count(struct planner *p)
{
    const struct batch_v1_job_status *s = &p->job->status;
    struct job_facts *f = &p->f;

    f->succeeded = s->succeeded;
    f->failed = s->failed;
    if (s->uncounted_terminated_pods) {
        f->succeeded += (int32_t)s->uncounted_terminated_pods->succeeded.len;
        f->failed += (int32_t)s->uncounted_terminated_pods->failed.len;
    }
    for (size_t i = 0; i < p->in.n_pods; i++) {
        const struct job_pod *pod = &p->pods[i];
        bool is_new = pod->is_tracked && pod->is_valid;

        f->active += pod->is_active;
        f->leaving += pod->is_leaving;
        f->succeeded += is_new && pod->is_succeeded && !pod->was_succeeded;
        f->failed += is_new && pod->is_failed && !pod->was_failed && counts_as_failed(p, pod);
    }
    f->backoff = job_backoff_add(p->in.backoff, p->pods, p->in.n_pods);
}

/* The Job's end is decided, and the Pod deleted for that: it has not failed. */
static bool is_deleted_at_end(const struct planner *p, const struct job_pod *pod)
{
    bool is_decided = p->in.decided || job_has_condition(p->job, JOB_FAILURE_TARGET) ||
                      job_has_condition(p->job, JOB_SUCCESS_CRITERIA_MET);

    return is_decided && pod->object->meta->deletion_timestamp.set;
}

static bool fails_its_index(struct planner *p, const struct job_pod *pod)
{
    struct job_verdict v;

    if (!pod->is_failed || is_deleted_at_end(p, pod))
        return false;
    v = job_policy_judge(p->a, p->job->spec.pod_failure_policy, pod->pod);
    return str_eq(v.action, STR("FailIndex")) ||
           (v.is_counted &&
            job_index_failures(pod->object) >= *p->job->spec.backoff_limit_per_index);
}

/* Of the failed Pods of an index that waits for its next one: the last. */
static void find_delayed(struct planner *p, const struct job_indexes *active)
{
    struct job_facts *f = &p->f;

    f->delayed = ARENA_NEW_ARRAY(p->a, const struct job_pod *, p->in.n_pods);
    for (size_t i = 0; i < p->in.n_pods; i++) {
        const struct job_pod *pod = &p->pods[i], **last;

        if (!pod->is_tracked || !pod->is_valid || !pod->is_failed ||
            job_indexes_has(&f->succeeded_indexes, pod->index) ||
            job_indexes_has(&f->failed_indexes, pod->index) || job_indexes_has(active, pod->index))
            continue;
        last = f->n_delayed ? &f->delayed[f->n_delayed - 1] : NULL;
        if (!last || (*last)->index != pod->index)
            f->delayed[f->n_delayed++] = pod;
        else if (job_index_all_failures((*last)->object) <= job_index_all_failures(pod->object) &&
                 job_pod_end((*last)->object) <= job_pod_end(pod->object))
            *last = pod;
    }
}

static void take_indexes(struct planner *p)
{
    const struct batch_v1_job *j = p->job;
    struct job_facts *f = &p->f;
    int32_t *succeeded = ARENA_NEW_ARRAY(p->a, int32_t, p->in.n_pods),
            *failed = ARENA_NEW_ARRAY(p->a, int32_t, p->in.n_pods),
            *active = ARENA_NEW_ARRAY(p->a, int32_t, p->in.n_pods);
    size_t n_succeeded = 0, n_failed = 0, n_active = 0;
    bool is_per_index = j->spec.backoff_limit_per_index;
    struct job_indexes now;

    for (size_t i = 0; i < p->in.n_pods; i++) {
        const struct job_pod *pod = &p->pods[i];

        if (pod->index >= 0 && pod->is_active)
            active[n_active++] = pod->index;
        if (!pod->is_valid || !pod->is_tracked)
            continue;
        if (pod->is_succeeded)
            succeeded[n_succeeded++] = pod->index;
        if (is_per_index && fails_its_index(p, pod))
            failed[n_failed++] = pod->index;
    }
    f->was_succeeded = job_indexes_parse(p->a, j->status.completed_indexes, *j->spec.completions);
    now = job_indexes_of(p->a, succeeded, n_succeeded);
    f->succeeded_indexes = job_indexes_union(p->a, &f->was_succeeded, &now);
    f->succeeded = job_indexes_count(&f->succeeded_indexes);
    if (!is_per_index)
        return;
    now = job_indexes_of(p->a, failed, n_failed);
    f->failed_indexes = job_indexes_parse(p->a, j->status.failed_indexes, *j->spec.completions);
    f->failed_indexes = job_indexes_union(p->a, &f->failed_indexes, &now);
    now = job_indexes_of(p->a, active, n_active);
    find_delayed(p, &now);
}

/* --- how it ends --- */

static const job_condition *end_by_policy(struct planner *p)
{
    for (size_t i = 0; p->job->spec.pod_failure_policy && i < p->in.n_pods; i++) {
        struct job_verdict v;

        if (!p->pods[i].is_failed)
            continue;
        v = job_policy_judge(p->a, p->job->spec.pod_failure_policy, p->pods[i].pod);
        if (v.message.p)
            return fails(p, "PodFailurePolicy", v.message);
    }
    return NULL;
}

static int64_t restarts_of(const struct core_v1_container_status *all, uint32_t n)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += all[i].restart_count;
    return sum;
}

/* Where containers are started again in their Pod, each restart is a failure. */
static bool has_restarted_too_often(const struct planner *p, int32_t limit)
{
    int64_t sum = 0;

    if (!str_eq(p->job->spec.template.spec.restart_policy, STR("OnFailure")))
        return false;
    for (size_t i = 0; i < p->in.n_pods; i++) {
        const struct core_v1_pod_status *s = &p->pods[i].pod->status;

        if (!str_eq(s->phase, STR("Running")) && !str_eq(s->phase, STR("Pending")))
            continue;
        sum += restarts_of(s->init_container_statuses.items, s->init_container_statuses.len);
        sum += restarts_of(s->container_statuses.items, s->container_statuses.len);
    }
    return limit == 0 ? sum > 0 : sum >= limit;
}

static const job_condition *end_by_limits(struct planner *p)
{
    const struct batch_v1_job_spec *s = &p->job->spec;
    int32_t limit = s->backoff_limit ? *s->backoff_limit : INT32_MAX;
    int64_t now_s = p->in.now_ms / 1000, left;

    if (p->f.failed > limit || has_restarted_too_often(p, limit))
        return fails(p, "BackoffLimitExceeded", STR(JOB_BACKOFF_EXCEEDED));
    if (!s->active_deadline_seconds || job_is_suspended(p->job))
        return NULL;
    left = *s->active_deadline_seconds;
    if (p->job->status.start_time.set)
        left -= now_s - p->job->status.start_time.sec;
    if (left <= 0)
        return fails(p, "DeadlineExceeded", STR("Job was active longer than specified deadline"));
    job_plan_again(p->out, left * 1000 - p->in.now_ms % 1000);
    return NULL;
}

static const job_condition *end_by_indexes(struct planner *p)
{
    const struct batch_v1_job_spec *s = &p->job->spec;
    int32_t n = job_indexes_count(&p->f.failed_indexes);
    int rule;

    if (s->backoff_limit_per_index && s->max_failed_indexes && n > *s->max_failed_indexes)
        return fails(p, "MaxFailedIndexesExceeded",
                     STR("Job has exceeded the specified maximal number of failed indexes"));
    if (n > 0 && n + p->f.succeeded >= *s->completions)
        return fails(p, "FailedIndexes", STR("Job has failed indexes"));
    rule = job_policy_success(p->a, p->job, &p->f.succeeded_indexes);
    return rule < 0 ? NULL
                    : succeeds(p, "SuccessPolicy",
                               arena_printf(p->a, "Matched rules at index %d", rule));
}

/* What was found before stays, however things look now. */
static const job_condition *find_end(struct planner *p)
{
    const job_condition *c = job_find_condition(p->job, JOB_FAILURE_TARGET);

    if (job_has_condition(p->job, JOB_SUCCESS_CRITERIA_MET))
        return job_find_condition(p->job, JOB_SUCCESS_CRITERIA_MET);
    if (job_has_condition(p->job, JOB_FAILURE_TARGET))
        return new_condition(p, "Failed", c->reason, c->message);
    if (p->in.decided)
        return p->in.decided;
    c = end_by_policy(p);
    if (!c)
        c = end_by_limits(p);
    if (!c && job_is_indexed(p->job))
        c = end_by_indexes(p);
    return c;
}

static bool is_complete(const struct planner *p)
{
    const int32_t *completions = p->job->spec.completions;

    return p->f.active == 0 && (completions ? p->f.succeeded >= *completions : p->f.succeeded > 0);
}

/* --- status --- */

static void tell(struct planner *p, const char *type, const char *reason, struct str message)
{
    p->out->events[p->out->n_events++] =
        (struct job_event){ .type = type, .reason = reason, .message = message };
}

static void note_suspension(struct planner *p, struct batch_v1_job_status *s)
{
    struct ktime now = { .sec = p->in.now_ms / 1000, .set = true };
    job_condition c;

    if (job_is_suspended(p->job)) {
        c = *new_condition(p, "Suspended", STR("JobSuspended"), STR("Job suspended"));
        if (!job_set_condition(p->a, s, &c))
            return;
        s->start_time = (struct ktime){ 0 };
        tell(p, "Normal", "Suspended", c.message);
        return;
    }
    c = *new_condition(p, "Suspended", STR("JobResumed"), STR("Job resumed"));
    c.status = STR("False");
    if (!job_set_condition(p->a, s, &c))
        return;
    s->start_time = now; /* the deadline counts from here */
    tell(p, "Normal", "Resumed", c.message);
}

/* Those that were noted and have lost their finalizer since are counted. */
static void move_to_counts(struct planner *p, struct batch_v1_job_status *s)
{
    const struct batch_v1_uncounted_terminated_pods *was = s->uncounted_terminated_pods;
    struct batch_v1_uncounted_terminated_pods *u =
        ARENA_NEW(p->a, struct batch_v1_uncounted_terminated_pods);
    struct uids tracked = { .items = ARENA_NEW_ARRAY(p->a, struct str, p->in.n_pods) };
    size_t room = JOB_MAX_UNCOUNTED + (was ? was->succeeded.len + was->failed.len : 0);

    u->succeeded.items = ARENA_NEW_ARRAY(p->a, struct str, room);
    u->failed.items = ARENA_NEW_ARRAY(p->a, struct str, room);
    s->uncounted_terminated_pods = u;
    for (size_t i = 0; i < p->in.n_pods; i++)
        if (p->pods[i].is_tracked)
            tracked.items[tracked.len++] = p->pods[i].object->meta->uid;
    sort_uids(&tracked);
    for (uint32_t i = 0; was && i < was->succeeded.len; i++)
        if (has_uid(&tracked, was->succeeded.items[i]))
            u->succeeded.items[u->succeeded.len++] = was->succeeded.items[i];
        else
            s->succeeded++;
    for (uint32_t i = 0; was && i < was->failed.len; i++)
        if (has_uid(&tracked, was->failed.items[i]))
            u->failed.items[u->failed.len++] = was->failed.items[i];
        else
            s->failed++;
}

static bool has_failed(const struct planner *p, const struct job_pod *pod)
{
    if (is_success(p->ends))
        return pod->is_failed && !is_deleted_at_end(p, pod);
    return pod->is_failed || p->ends;
}

static bool may_release(const struct planner *p, const struct job_pod *pod)
{
    const struct job_pod *delayed;

    if (p->job->metadata.deletion_timestamp.set || p->ends || pod->is_succeeded)
        return true;
    if (!pod->is_failed)
        return false;
    delayed = pod->index >= 0 ? job_delayed(&p->f, pod->index) : NULL;
    return !delayed || delayed->object != pod->object;
}

enum note { NOTE_NONE, NOTE_SUCCEEDED, NOTE_FAILED };

/* What is still to be noted of the Pod's end. Of a success its index is note enough. */
static enum note note_of(struct planner *p, const struct job_pod *pod)
{
    if (pod->is_succeeded && !pod->was_failed)
        return pod->was_succeeded || job_is_indexed(p->job) ? NOTE_NONE : NOTE_SUCCEEDED;
    if (!has_failed(p, pod) || pod->was_failed || !pod->is_valid || !counts_as_failed(p, pod))
        return NOTE_NONE;
    return NOTE_FAILED;
}

static void note_ends(struct planner *p, struct batch_v1_job_status *s)
{
    struct batch_v1_uncounted_terminated_pods *u = s->uncounted_terminated_pods;
    struct job_plan *out = p->out;

    out->releases = ARENA_NEW_ARRAY(p->a, const struct job_pod *, p->in.n_pods);
    for (size_t i = 0; i < p->in.n_pods; i++) {
        const struct job_pod *pod = &p->pods[i];
        enum note note;

        if (!pod->is_tracked || !may_release(p, pod))
            continue;
        note = note_of(p, pod);
        if (note != NOTE_NONE && u->succeeded.len + u->failed.len >= JOB_MAX_UNCOUNTED) {
            p->is_short = true; /* its turn comes when these are counted */
            continue;
        }
        out->releases[out->n_releases++] = pod;
        if (note == NOTE_SUCCEEDED)
            u->succeeded.items[u->succeeded.len++] = pod->object->meta->uid;
        else if (note == NOTE_FAILED)
            u->failed.items[u->failed.len++] = pod->object->meta->uid;
    }
}

static void write_indexes(struct planner *p, struct batch_v1_job_status *s)
{
    if (!job_is_indexed(p->job))
        return;
    s->succeeded = p->f.succeeded;
    s->completed_indexes = job_indexes_print(p->a, &p->f.succeeded_indexes);
    s->failed_indexes = p->job->spec.backoff_limit_per_index
                            ? job_indexes_print(p->a, &p->f.failed_indexes)
                            : STR_NULL;
}

/* The interim condition goes first; the last one comes when nothing is left to count. */
static void write_end(struct planner *p, struct batch_v1_job_status *s)
{
    const struct batch_v1_uncounted_terminated_pods *u = s->uncounted_terminated_pods;
    const job_condition *last = p->ends;
    const int32_t *completions = p->job->spec.completions;

    if (!p->ends)
        return;
    if (is_success(p->ends) || str_eq(p->ends->type, STR(JOB_FAILURE_TARGET))) {
        if (!job_has_condition(p->job, is_success(p->ends) ? JOB_SUCCESS_CRITERIA_MET
                                                           : JOB_FAILURE_TARGET)) {
            (void)job_set_condition(p->a, s, p->ends);
            return;
        }
        last = new_condition(p, "Complete", p->ends->reason, p->ends->message);
    }
    if (p->is_short || p->out->n_releases || u->succeeded.len || u->failed.len || p->f.leaving)
        return;
    (void)job_set_condition(p->a, s, last);
    if (!str_eq(last->type, STR("Complete"))) {
        tell(p, "Warning", str_cstr(p->a, last->reason), last->message);
        return;
    }
    s->completion_time = last->last_transition_time;
    if (completions && s->succeeded > *completions)
        tell(p, "Warning", "TooManySucceededPods",
             STR("Too many succeeded pods running after completion count reached"));
    tell(p, "Normal", "Completed", STR("Job completed"));
}

static int32_t *number(struct arena *a, int32_t n)
{
    int32_t *p = ARENA_NEW(a, int32_t);

    *p = n;
    return p;
}

static void write_status(struct planner *p)
{
    struct batch_v1_job_status *s = &p->out->status;
    int32_t ready = 0;

    *s = p->job->status;
    if (!s->start_time.set && !job_is_suspended(p->job))
        s->start_time = (struct ktime){ .sec = p->in.now_ms / 1000, .set = true };
    if (!p->ends && !p->job->metadata.deletion_timestamp.set)
        note_suspension(p, s);
    for (size_t i = 0; i < p->in.n_pods; i++)
        ready += p->pods[i].is_active && pod_is_ready(p->pods[i].pod);
    s->active = p->f.active;
    s->ready = number(p->a, ready);
    s->terminating = number(p->a, p->f.leaving);
    move_to_counts(p, s);
    note_ends(p, s);
    write_indexes(p, s);
    write_end(p, s);
    p->out->backoff = p->f.backoff;
}

/* --- the plan --- */

static void delete_active(struct planner *p)
{
    struct job_plan *out = p->out;

    out->deletes = ARENA_NEW_ARRAY(p->a, const struct job_pod *, p->in.n_pods);
    for (size_t i = 0; i < p->in.n_pods; i++)
        if (p->pods[i].is_active)
            out->deletes[out->n_deletes++] = &p->pods[i];
}

void job_plan(const struct job_input *in, struct job_plan *ret)
{
    struct planner p = { .job = in->job, .a = in->arena, .in = *in, .out = ret };

    *ret = (struct job_plan){ 0 };
    take_pods(&p);
    count(&p);
    if (job_is_indexed(p.job))
        take_indexes(&p);
    p.ends = ret->decided = find_end(&p);
    if (p.ends && p.f.active && in->may_manage) {
        delete_active(&p);
        return;
    }
    if (p.ends && p.f.active)
        p.ends = NULL; /* what could not be deleted holds the end up */
    else if (!p.ends && in->may_manage && !p.job->metadata.deletion_timestamp.set)
        job_manage(&p.in, &p.f, ret);
    if (ret->n_deletes || ret->n_creates)
        return;
    if (!p.ends && is_complete(&p))
        p.ends =
            succeeds(&p, "CompletionsReached", STR("Reached expected number of succeeded pods"));
    write_status(&p);
}
