/* What a Job's next step is, step by step, without anybody to talk to. */
#include <criterion/criterion.h>

#include "base/arena.h"
#include "controller/job_internal.h"

enum { NOW_S = 1000000, MAX_PODS = 600 };

struct fixture {
    struct arena arena;
    struct batch_v1_job job;
    int32_t numbers[8];
    int64_t deadline;
    bool suspend;
    struct core_v1_pod pods[MAX_PODS];
    struct api_object objects[MAX_PODS];
    struct str finalizer;
    struct schema_str_entry annotations[MAX_PODS];
    char names[MAX_PODS][16], indexes[MAX_PODS][16];
    size_t n;
    struct job_backoff backoff;
    struct job_plan plan;
};
static struct fixture f;

static int32_t *number(int i, int32_t n)
{
    f.numbers[i] = n;
    return &f.numbers[i];
}

/* completions < 0: unset. */
static void begin(int32_t parallelism, int32_t completions, int32_t limit, const char *mode)
{
    f = (struct fixture){ .finalizer = STR(JOB_FINALIZER) };
    f.job.metadata.name = STR("job");
    f.job.spec.parallelism = number(0, parallelism);
    f.job.spec.completions = completions < 0 ? NULL : number(1, completions);
    f.job.spec.backoff_limit = number(2, limit);
    f.job.spec.completion_mode = str_from_cstr(mode);
    f.job.spec.template.spec.restart_policy = STR("Never");
    f.job.status.start_time = (struct ktime){ .sec = NOW_S - 100, .set = true };
}

/* phase: R(unning), P(ending), S(ucceeded), F(ailed); small: being deleted; index < 0: none. */
static struct core_v1_pod *add(char phase, int32_t index)
{
    size_t i = f.n++;
    struct core_v1_pod *p = &f.pods[i];
    bool is_leaving = phase >= 'a';

    *p = (struct core_v1_pod){ 0 };
    switch (is_leaving ? phase - 'a' + 'A' : phase) {
    case 'R':
        p->status.phase = STR("Running");
        break;
    case 'S':
        p->status.phase = STR("Succeeded");
        break;
    case 'F':
        p->status.phase = STR("Failed");
        break;
    default:
        p->status.phase = STR("Pending");
        break;
    }
    (void)snprintf(f.names[i], sizeof(f.names[i]), "pod-%zu", i);
    p->metadata.name = p->metadata.uid = str_from_cstr(f.names[i]);
    p->metadata.namespace = STR("ns");
    p->metadata.creation_timestamp = (struct ktime){ .sec = NOW_S - 3600, .set = true };
    p->metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S - 3600, .set = is_leaving };
    p->metadata.finalizers.items = &f.finalizer;
    p->metadata.finalizers.len = 1;
    if (index >= 0) {
        (void)snprintf(f.indexes[i], sizeof(f.indexes[i]), "%d", index);
        f.annotations[i] = (struct schema_str_entry){ STR(JOB_INDEX), str_from_cstr(f.indexes[i]) };
        p->metadata.annotations.items = (void *)&f.annotations[i];
        p->metadata.annotations.len = 1;
    }
    f.objects[i] =
        (struct api_object){ .o = { .data = p }, .meta = &p->metadata, .key = p->metadata.name };
    return p;
}

static void add_all(const char *phases)
{
    for (int32_t i = 0; phases[i]; i++)
        (void)add(phases[i], -1);
}

/* Indexed: "R0 F1 S2"; -1: without an index. */
static void add_indexed(const char *pods)
{
    struct str rest = str_from_cstr(pods), pod;
    int64_t index;

    while (pods[0] && str_next(&rest, ' ', &pod)) {
        cr_assert(str_to_i64(str_tail(pod, 1), &index));
        (void)add(pod.p[0], (int32_t)index);
    }
}

static void untrack(size_t i)
{
    f.pods[i].metadata.finalizers.len = 0;
}

static struct job_plan *plan(bool may_manage, const job_condition *decided)
{
    struct job_pod *pods = ARENA_NEW_ARRAY(&f.arena, struct job_pod, f.n);

    for (size_t i = 0; i < f.n; i++)
        pods[i] = job_pod_of(&f.job, &f.objects[i]);
    job_plan(&(struct job_input){ .arena = &f.arena,
                                  .job = &f.job,
                                  .pods = pods,
                                  .n_pods = f.n,
                                  .now_ms = (int64_t)NOW_S * 1000,
                                  .backoff = f.backoff,
                                  .may_manage = may_manage,
                                  .decided = decided },
             &f.plan);
    return &f.plan;
}

/* The status goes to the server. */
static void write_status(void)
{
    f.job.status = f.plan.status;
    f.backoff = f.plan.backoff;
}

static void release(void)
{
    for (size_t i = 0; i < f.plan.n_releases; i++)
        for (size_t k = 0; k < f.n; k++)
            if (f.plan.releases[i]->pod == &f.pods[k])
                untrack(k);
}

static const char *reason_of(const char *type)
{
    const job_condition *c = job_find_condition(&f.job, type);

    return c ? str_cstr(&f.arena, c->reason) : "";
}

static const struct batch_v1_uncounted_terminated_pods *noted(void)
{
    return f.plan.status.uncounted_terminated_pods;
}

/* --- how many Pods --- */

Test(job_plan, how_many_pods_there_shall_be)
{
    static const struct {
        const char *what;
        int32_t parallelism, completions;
        int32_t succeeded; /* counted */
        const char *pods;
        size_t creates, deletes;
    } rows[] = {
        { "all at once", 2, 5, 0, "", 2, 0 },
        { "no more than are needed", 10, 3, 0, "", 3, 0 },
        { "one less for each that succeeded", 5, 5, 3, "", 2, 0 },
        { "those not yet counted are seen", 5, 5, 0, "SSS", 2, 0 },
        { "a failed one is replaced", 2, 5, 0, "RF", 1, 0 },
        { "so is one that is being deleted", 2, 5, 0, "Rr", 1, 0 },
        { "too many", 1, 5, 0, "RRR", 0, 2 },
        { "more than can be of use", 3, 3, 2, "RRR", 0, 2 },
        { "none at all", 0, 5, 0, "RR", 0, 2 },
        { "as many as it says, until one succeeds", 3, -1, 0, "R", 2, 0 },
        { "then no more", 3, -1, 1, "RR", 0, 0 },
        { "pending ones go first", 1, 5, 0, "RP", 0, 1 },
        { "not more than 500 a run", 700, 700, 0, "", 500, 0 },
        { "enough", 2, 2, 0, "RP", 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct job_plan *p;

        begin(rows[i].parallelism, rows[i].completions, 600, "NonIndexed");
        f.job.status.succeeded = rows[i].succeeded;
        add_all(rows[i].pods);
        p = plan(true, NULL);
        cr_expect_eq(p->n_creates, rows[i].creates, "%s: makes %zu", rows[i].what, p->n_creates);
        cr_expect_eq(p->n_deletes, rows[i].deletes, "%s: deletes %zu", rows[i].what, p->n_deletes);
        cr_expect(p->n_deletes == 0 || p->deletes_uncounted, "%s", rows[i].what);
        arena_done(&f.arena);
    }
}

Test(job_plan, which_indexes)
{
    static const struct {
        const char *what;
        int32_t parallelism, completions;
        const char *completed, *failed, *pods;
        const char *creates;
        const char *deletes;
    } rows[] = {
        { "from the start", 3, 5, "", NULL, "", "0-2", "" },
        { "gaps first", 3, 6, "0,2", NULL, "R3", "1,4", "" },
        { "not those that failed for good", 2, 5, "", "0,1", "", "2,3", "" },
        { "a failed one again", 2, 2, "", NULL, "F0 R1", "0", "" },
        { "success that is not counted yet", 2, 3, "", NULL, "S0 R1", "2", "" },
        { "of two of an index one stays", 3, 3, "", NULL, "R0 R0 R1", "", "0" },
        { "beyond the end", 3, 3, "", NULL, "R0 R1 R7", "", "7" },
        { "without an index", 2, 2, "", NULL, "R0 R-1", "", "-1" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct job_plan *p;
        struct job_indexes made;

        begin(rows[i].parallelism, rows[i].completions, 600, "Indexed");
        f.job.status.completed_indexes = str_from_cstr(rows[i].completed);
        if (rows[i].failed) {
            f.job.spec.backoff_limit_per_index = number(3, 1);
            f.job.status.failed_indexes = str_from_cstr(rows[i].failed);
        }
        add_indexed(rows[i].pods);
        p = plan(true, NULL);
        made = job_indexes_of(&f.arena, p->indexes, p->n_creates);
        cr_expect(str_eq(job_indexes_print(&f.arena, &made), str_from_cstr(rows[i].creates)),
                  "%s: makes %zu", rows[i].what, p->n_creates);
        cr_expect_eq(p->n_deletes, rows[i].deletes[0] ? 1 : 0, "%s: deletes %zu", rows[i].what,
                     p->n_deletes);
        if (p->n_deletes && rows[i].deletes[0])
            cr_expect_eq(p->deletes[0]->index, strtol(rows[i].deletes, NULL, 10), "%s",
                         rows[i].what);
        arena_done(&f.arena);
    }
}

Test(job_plan, who_lost_the_finalizer_already_goes_first)
{
    begin(1, 5, 6, "NonIndexed");
    add_all("RRR");
    untrack(1);
    cr_assert_eq(plan(true, NULL)->n_deletes, 2);
    cr_expect_eq(f.plan.deletes[0]->pod, &f.pods[1]);
    arena_done(&f.arena);
}

Test(job_plan, replacing_only_what_has_failed)
{
    begin(2, 5, 6, "NonIndexed");
    f.job.spec.pod_replacement_policy = STR("Failed");
    add_all("Rr");
    cr_assert_eq(plan(true, NULL)->n_creates, 0);
    cr_expect_eq(*f.plan.status.terminating, 1);
    cr_expect_eq(noted()->failed.len, 0, "it has not failed yet");
    arena_done(&f.arena);
    begin(2, 2, 6, "Indexed");
    f.job.spec.pod_replacement_policy = STR("Failed");
    add_indexed("F0 r1");
    cr_assert_eq(plan(true, NULL)->n_creates, 1);
    cr_expect_eq(f.plan.indexes[0], 0);
    arena_done(&f.arena);
}

/* --- counting --- */

Test(job_plan, counting_takes_three_steps)
{
    begin(2, 10, 6, "NonIndexed");
    add_all("SFRR");
    f.job.status.active = 2;
    cr_assert_eq(plan(false, NULL)->n_creates, 0);
    cr_expect_eq(noted()->succeeded.len, 1, "noted first");
    cr_expect_eq(noted()->failed.len, 1);
    cr_expect_eq(f.plan.status.succeeded + f.plan.status.failed, 0);
    write_status();
    cr_expect_eq(plan(false, NULL)->n_releases, 2, "then released");
    cr_expect_eq(noted()->succeeded.len + noted()->failed.len, 2, "nothing is noted twice");
    release();
    (void)plan(false, NULL);
    cr_expect_eq(f.plan.status.succeeded, 1, "then counted");
    cr_expect_eq(f.plan.status.failed, 1);
    cr_expect_eq(noted()->succeeded.len + noted()->failed.len, 0);
    cr_expect_eq(f.plan.n_releases, 0);
    write_status();
    (void)plan(false, NULL);
    cr_expect_eq(f.plan.status.succeeded, 1, "once");
    cr_expect_eq(f.plan.status.failed, 1);
    arena_done(&f.arena);
}

Test(job_plan, a_pod_that_vanished_after_it_was_noted_counts)
{
    begin(1, 10, 6, "NonIndexed");
    add_all("SR");
    (void)plan(false, NULL);
    write_status();
    f.objects[0] = f.objects[1]; /* only the running one is left */
    f.n = 1;
    (void)plan(false, NULL);
    cr_expect_eq(f.plan.status.succeeded, 1);
    arena_done(&f.arena);
}

Test(job_plan, a_note_is_of_bounded_length)
{
    size_t counted = 0;

    begin(0, 600, 6, "NonIndexed");
    for (int i = 0; i < MAX_PODS; i++)
        (void)add('S', -1);
    for (int round = 0; round < 8 && !job_is_finished(&f.job); round++) {
        (void)plan(false, NULL);
        cr_assert_leq(noted()->succeeded.len, JOB_MAX_UNCOUNTED);
        counted = (size_t)f.plan.status.succeeded;
        write_status();
        (void)plan(false, NULL);
        release();
    }
    cr_expect_eq(counted, 600);
    cr_expect(job_is_finished(&f.job));
    arena_done(&f.arena);
}

Test(job_plan, indexes_are_their_own_note)
{
    begin(2, 4, 6, "Indexed");
    add_indexed("S0 S2 S2 S9 R1");
    (void)plan(false, NULL);
    cr_expect(str_eq(f.plan.status.completed_indexes, STR("0,2")));
    cr_expect_eq(f.plan.status.succeeded, 2);
    cr_expect_eq(noted()->succeeded.len, 0);
    write_status();
    cr_expect_eq(plan(false, NULL)->n_releases, 4, "the one that counts for nothing, too");
    release();
    (void)plan(false, NULL);
    cr_expect_eq(f.plan.status.succeeded, 2);
    arena_done(&f.arena);
}

Test(job_plan, a_failed_pod_of_an_index_stays_until_it_is_replaced)
{
    begin(2, 2, 6, "Indexed");
    f.job.spec.backoff_limit_per_index = number(3, 3);
    add_indexed("F0 R1");
    cr_assert_eq(plan(true, NULL)->n_creates, 1);
    cr_assert_eq(f.plan.replaced[0]->pod, &f.pods[0], "its annotations are looked at");
    (void)plan(false, NULL);
    cr_expect_eq(f.plan.n_releases, 0);
    cr_expect_eq(noted()->failed.len, 0);
    add_indexed("R0");
    (void)plan(false, NULL);
    cr_expect_eq(f.plan.n_releases, 1);
    cr_expect_eq(noted()->failed.len, 1);
    arena_done(&f.arena);
}

Test(job_plan, a_job_that_is_deleted_lets_its_pods_go)
{
    begin(2, 2, 6, "NonIndexed");
    f.job.metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
    add_all("RS");
    (void)plan(true, NULL);
    cr_expect_eq(f.plan.n_creates + f.plan.n_deletes, 0);
    cr_expect_eq(f.plan.n_releases, 2);
    cr_expect_eq(noted()->succeeded.len, 1);
    cr_expect_eq(noted()->failed.len, 0);
    arena_done(&f.arena);
}

/* --- the end --- */

Test(job_plan, an_end_takes_its_steps)
{
    begin(2, 2, 1, "NonIndexed");
    f.job.status.failed = 1;
    add_all("FR");
    cr_assert_eq(plan(true, NULL)->n_deletes, 1, "first, what runs is ended");
    cr_expect_not(f.plan.deletes_uncounted);
    cr_assert_not_null(f.plan.decided);
    f.pods[1].metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
    (void)plan(false, f.plan.decided);
    cr_expect_eq(noted()->failed.len, 2, "both have failed");
    write_status();
    cr_expect_str_eq(reason_of(JOB_FAILURE_TARGET), "BackoffLimitExceeded");
    cr_expect_str_eq(reason_of("Failed"), "", "not before all is counted");
    cr_expect_eq(plan(false, NULL)->n_releases, 2);
    release();
    (void)plan(true, NULL);
    write_status();
    cr_expect_eq(f.job.status.failed, 3);
    cr_expect_str_eq(reason_of("Failed"), "", "not while a Pod is still leaving");
    f.n = 1;
    (void)plan(true, NULL);
    write_status();
    cr_expect_str_eq(reason_of("Failed"), "BackoffLimitExceeded");
    cr_expect_eq(f.plan.n_events, 1);
    arena_done(&f.arena);
}

Test(job_plan, what_cannot_be_deleted_holds_the_end_up)
{
    begin(2, 2, 0, "NonIndexed");
    add_all("FR");
    (void)plan(true, NULL);
    (void)plan(false, f.plan.decided);
    write_status();
    cr_expect_str_eq(reason_of(JOB_FAILURE_TARGET), "");
    arena_done(&f.arena);
}

Test(job_plan, limits)
{
    static const struct {
        const char *what;
        int32_t limit;
        int64_t deadline; /* 0: none */
        int32_t restarts;
        const char *pods;
        const char *reason;
    } rows[] = {
        { "as many failures as the limit", 2, 0, 0, "FFR", NULL },
        { "one more", 2, 0, 0, "FFFR", "BackoffLimitExceeded" },
        { "none is allowed", 0, 0, 0, "F", "BackoffLimitExceeded" },
        { "in time", 6, 101, 0, "R", NULL },
        { "late", 6, 100, 0, "R", "DeadlineExceeded" },
        { "few restarts", 3, 0, 2, "R", NULL },
        { "restarts", 3, 0, 3, "R", "BackoffLimitExceeded" },
        { "no restart is allowed", 0, 0, 1, "R", "BackoffLimitExceeded" },
        { "of Pods that are not over", 3, 0, 3, "F", NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct core_v1_container_status status = { .restart_count = rows[i].restarts };
        const job_condition *c;

        begin(2, 9, rows[i].limit, "NonIndexed");
        f.deadline = rows[i].deadline;
        f.job.spec.active_deadline_seconds = f.deadline ? &f.deadline : NULL;
        if (rows[i].restarts)
            f.job.spec.template.spec.restart_policy = STR("OnFailure");
        add_all(rows[i].pods);
        f.pods[0].status.container_statuses.items = &status;
        f.pods[0].status.container_statuses.len = 1;
        c = plan(true, NULL)->decided;
        cr_expect_eq(c != NULL, rows[i].reason != NULL, "%s", rows[i].what);
        if (c && rows[i].reason)
            cr_expect(str_eq(c->reason, str_from_cstr(rows[i].reason)), "%s: %.*s", rows[i].what,
                      STR_ARG(c->reason));
        arena_done(&f.arena);
    }
}

Test(job_plan, a_deadline_wakes_us)
{
    begin(1, 1, 6, "NonIndexed");
    f.deadline = 130;
    f.job.spec.active_deadline_seconds = &f.deadline;
    add_all("R");
    cr_expect_eq(plan(true, NULL)->again_after_ms, 30000);
    f.suspend = true;
    f.job.spec.suspend = &f.suspend;
    cr_expect_eq(plan(true, NULL)->again_after_ms, 0);
    arena_done(&f.arena);
}

Test(job_plan, too_many_indexes_fail)
{
    begin(3, 3, INT32_MAX, "Indexed");
    f.job.spec.backoff_limit_per_index = number(3, 0);
    f.job.spec.max_failed_indexes = number(4, 1);
    add_indexed("F0 R1 R2");
    cr_expect_null(plan(true, NULL)->decided);
    add_indexed("F2");
    cr_assert_not_null(plan(true, NULL)->decided);
    cr_expect(str_eq(f.plan.decided->reason, STR("MaxFailedIndexesExceeded")));
    f.pods[1].metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
    f.pods[2].metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
    (void)plan(false, f.plan.decided);
    cr_expect(str_eq(f.plan.status.failed_indexes, STR("0,2")), "not those deleted for that");
    arena_done(&f.arena);
}

Test(job_plan, success_before_all_are_done)
{
    struct batch_v1_success_policy_rule rules[2] = { { .succeeded_indexes = STR("1-2") },
                                                     { .succeeded_count = number(7, 3) } };
    struct batch_v1_success_policy policy = { .rules = { .items = rules, .len = 2 } };

    begin(4, 4, 0, "Indexed");
    (void)number(7, 3);
    f.job.spec.success_policy = &policy;
    add_indexed("R0 S1 S2 R3");
    cr_assert_eq(plan(true, NULL)->n_deletes, 2);
    cr_expect(str_eq(f.plan.decided->message, STR("Matched rules at index 0")));
    f.pods[0].metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
    f.pods[3].metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
    (void)plan(false, f.plan.decided);
    cr_expect_eq(noted()->failed.len, 0, "what is ended by success has not failed");
    write_status();
    cr_expect_str_eq(reason_of(JOB_SUCCESS_CRITERIA_MET), "SuccessPolicy");
    cr_expect_eq(plan(true, NULL)->n_releases, 4);
    release();
    f.n = 3; /* one is still leaving */
    (void)plan(true, NULL);
    write_status();
    cr_expect_not(job_is_finished(&f.job));
    f.pods[0].status.phase = STR("Failed"); /* now it is not */
    (void)plan(true, NULL);
    write_status();
    cr_expect_str_eq(reason_of("Complete"), "SuccessPolicy");
    cr_expect_eq(f.job.status.failed, 0);
    arena_done(&f.arena);
}

/* --- rest --- */

Test(job_plan, rest_and_resumption)
{
    begin(2, 2, 6, "NonIndexed");
    f.suspend = true;
    f.job.spec.suspend = &f.suspend;
    add_all("RR");
    cr_assert_eq(plan(true, NULL)->n_deletes, 2);
    cr_expect(f.plan.deletes_uncounted);
    f.n = 0;
    (void)plan(false, NULL);
    write_status();
    cr_expect_str_eq(reason_of("Suspended"), "JobSuspended");
    cr_expect_not(f.job.status.start_time.set);
    f.suspend = false;
    add_all("PP");
    (void)plan(false, NULL);
    write_status();
    cr_expect_str_eq(reason_of("Suspended"), "JobResumed");
    cr_expect_eq(f.job.status.start_time.sec, NOW_S);
    arena_done(&f.arena);
}

/* --- waiting after failures --- */

static struct core_v1_container_status ended[8];

static void end_at(size_t i, int64_t seconds_ago)
{
    static struct core_v1_container_state_terminated how[8];

    how[i].finished_at = (struct ktime){ .sec = NOW_S - seconds_ago, .set = true };
    ended[i] = (struct core_v1_container_status){ .state = { .terminated = &how[i] } };
    f.pods[i].status.container_statuses.items = &ended[i];
    f.pods[i].status.container_statuses.len = 1;
}

Test(job_plan, each_failure_doubles_the_wait)
{
    static const struct {
        int32_t before; /* failures that were counted */
        const char *pods;
        int64_t ago[3];
        int64_t want_ms;
    } rows[] = {
        { 0, "F", { 4 }, 6000 },       { 0, "F", { 10 }, 0 },
        { 0, "FF", { 15, 5 }, 15000 }, { 2, "F", { 10 }, 30000 },
        { 20, "F", { 100 }, 500000 },  { 0, "FS", { 5, 4 }, 0 }, /* success after it */
        { 3, "FS", { 5, 6 }, 5000 },                             /* and before it */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct job_plan *p;

        begin(1, 9, 600, "NonIndexed");
        f.backoff = (struct job_backoff){ rows[i].before, NOW_S - 1000 };
        add_all(rows[i].pods);
        for (size_t k = 0; rows[i].pods[k]; k++)
            end_at(k, rows[i].ago[k]);
        p = plan(true, NULL);
        cr_expect_eq(p->again_after_ms, rows[i].want_ms, "%zu: %lld", i,
                     (long long)p->again_after_ms);
        cr_expect_eq(p->n_creates, rows[i].want_ms ? 0 : 1, "%zu", i);
        arena_done(&f.arena);
    }
}

Test(job_plan, each_index_waits_by_itself)
{
    begin(3, 3, INT32_MAX, "Indexed");
    f.job.spec.backoff_limit_per_index = number(3, 5);
    add_indexed("F0 F1 R2");
    end_at(0, 3);
    end_at(1, 60);
    cr_assert_eq(plan(true, NULL)->n_creates, 1);
    cr_expect_eq(f.plan.indexes[0], 1);
    cr_expect_eq(f.plan.again_after_ms, 7000);
    arena_done(&f.arena);
}
