/* Rules of a Job's status. What an update leaves as it was is not looked at again: a change of the
 * spec may have made it wrong, and the controller needs its turn to mend it. */
#include "api/batch_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/rules_internal.h"
#include "api/validation.h"
#include "base/arena.h"
#include "base/buf.h"

/* --- lists of indexes --- */

static const char *quoted(struct arena *a, struct str text)
{
    struct buf b = { .arena = a };

    field_error_quote(&b, text);
    return str_cstr(a, buf_str(&b));
}

static bool read_index(struct arena *a, struct str text, int32_t completions, int32_t *ret,
                       struct str *why)
{
    struct str digits = text;
    int64_t n = 0;

    if (digits.len > 1 && digits.p[0] == '+')
        digits = str_tail(digits, 1);
    if (!str_to_i64(digits, &n))
        *why = arena_printf(a, "cannot convert string to integer for index: %s", quoted(a, text));
    else if (n >= completions)
        *why = arena_printf(a, "too large index: %s", quoted(a, text));
    *ret = (int32_t)n;
    return !why->p;
}

struct interval {
    int32_t first, last;
};

static bool read_interval(struct arena *a, struct str text, int32_t completions,
                          struct interval *ret, struct str *why)
{
    struct str rest = text, first = { 0 }, last = { 0 };

    *why = (struct str){ 0 };
    (void)str_next(&rest, '-', &first);
    if (!str_next(&rest, '-', &last)) {
        last = first;
    } else if (rest.p) {
        *why = arena_printf(a,
                            "the fragment %s violates the requirement that an index interval can "
                            "have at most two parts separated by '-'",
                            quoted(a, text));
        return false;
    }
    if (!read_index(a, first, completions, &ret->first, why) ||
        !read_index(a, last, completions, &ret->last, why))
        return false;
    if (last.p == first.p || ret->first < ret->last)
        return true;
    *why =
        arena_printf(a, "non-increasing order, previous: %d, current: %d", ret->first, ret->last);
    return false;
}

int32_t rule_check_indexes(const struct rule_context *c, const char *member, struct str text,
                           int32_t completions)
{
    struct str rest = text, part, why = { 0 };
    int32_t total = 0, last = -1;
    struct interval i;

    while (text.len && !why.p && str_next(&rest, ',', &part)) {
        if (!read_interval(c->arena, part, completions, &i, &why))
            break;
        if (last >= i.first)
            why = arena_printf(c->arena, "non-increasing order, previous: %d, current: %d", last,
                               i.first);
        total += i.last - i.first + 1;
        last = i.last;
    }
    if (!why.p)
        return total;
    why = arena_printf(c->arena, "error parsing %s: %.*s", member, STR_ARG(why));
    rule_invalid(c, member, text, str_cstr(c->arena, why));
    return 0;
}

/* The next one that can be read; the others are told of elsewhere. */
static bool next_interval(struct arena *a, struct str *rest, int32_t completions,
                          struct interval *ret)
{
    struct str part, why;

    while (str_next(rest, ',', &part))
        if (read_interval(a, part, completions, ret, &why))
            return true;
    return false;
}

static void check_overlap(const struct rule_context *c, const struct batch_v1_job_status *s,
                          int32_t completions)
{
    struct str done = s->completed_indexes, failed = s->failed_indexes;
    struct interval d, f;
    bool more = done.len && failed.len && next_interval(c->arena, &done, completions, &d) &&
                next_interval(c->arena, &failed, completions, &f);

    while (more) {
        if (d.first <= f.last && f.first <= d.last) {
            struct str text =
                arena_printf(c->arena, "failedIndexes and completedIndexes overlap at index: %d",
                             d.first > f.first ? d.first : f.first);

            rule_invalid(c, "failedIndexes", s->failed_indexes, str_cstr(c->arena, text));
            return;
        }
        more = d.first <= f.first ? next_interval(c->arena, &done, completions, &d)
                                  : next_interval(c->arena, &failed, completions, &f);
    }
}

/* --- what changed --- */

static bool is(const struct batch_v1_job *j, const char *type, const char *status)
{
    for (uint32_t i = 0; i < j->status.conditions.len; i++)
        if (str_eq(j->status.conditions.items[i].type, str_from_cstr(type)) &&
            str_eq(j->status.conditions.items[i].status, str_from_cstr(status)))
            return true;
    return false;
}

bool rule_job_is(const struct batch_v1_job *j, const char *condition)
{
    return is(j, condition, "True");
}

static bool is_finished(const struct batch_v1_job *j)
{
    return rule_job_is(j, "Complete") || rule_job_is(j, "Failed");
}

/* One update. was: the stored Job. */
struct job_step {
    const struct batch_v1_job *job, *was;
    bool finished, complete, failed, target, met;          /* changed */
    bool done_indexes, failed_indexes, active, start, end; /* changed */
    bool ready, terminating, uncounted;                    /* changed */
};

static bool times_equal(struct ktime a, struct ktime b)
{
    return a.set == b.set && a.sec == b.sec && a.nsec == b.nsec;
}

static bool numbers_equal(const int32_t *a, const int32_t *b)
{
    return a && b ? *a == *b : a == b;
}

static bool counts_equal(const struct batch_v1_uncounted_terminated_pods *a,
                         const struct batch_v1_uncounted_terminated_pods *b)
{
    return a && b ? rule_structs_equal("batch/v1.UncountedTerminatedPods", a, b) : a == b;
}

static bool differs(const struct job_step *s, const char *condition)
{
    return rule_job_is(s->job, condition) != rule_job_is(s->was, condition);
}

static struct job_step step_of(const struct batch_v1_job *job, const struct batch_v1_job *was)
{
    const struct batch_v1_job_status *n = &job->status, *o = &was->status;
    struct job_step s = { .job = job, .was = was };
    bool has = n->failed_indexes.p != NULL, had = o->failed_indexes.p != NULL;

    s.finished = is_finished(job) != is_finished(was);
    s.complete = differs(&s, "Complete");
    s.failed = differs(&s, "Failed");
    s.target = differs(&s, "FailureTarget");
    s.met = differs(&s, "SuccessCriteriaMet");
    s.done_indexes = !str_eq(n->completed_indexes, o->completed_indexes);
    s.failed_indexes = had && has ? !str_eq(n->failed_indexes, o->failed_indexes) : had != has;
    s.active = n->active != o->active;
    s.start = !times_equal(n->start_time, o->start_time);
    s.end = !times_equal(n->completion_time, o->completion_time);
    s.ready = !numbers_equal(n->ready, o->ready);
    s.terminating = !numbers_equal(n->terminating, o->terminating);
    s.uncounted = !counts_equal(n->uncounted_terminated_pods, o->uncounted_terminated_pods);
    return s;
}

/* --- the rules, in upstream's order --- */

static void condition_error(const struct rule_context *c, const char *text)
{
    struct field_path at = field_path_member(c->path, STR("conditions"));

    field_errors_add(c->errs, &at, FIELD_ERROR_INVALID, "%s", text);
}

static void check_uids(const struct rule_context *c, const char *member, const struct str *uids,
                       uint32_t n, struct rule_names *seen)
{
    struct field_path pods = field_path_member(c->path, STR("uncountedTerminatedPods"));
    struct field_path list = field_path_member(&pods, str_from_cstr(member));

    for (uint32_t i = 0; i < n; i++) {
        struct field_path at = field_path_index(&list, i);

        if (!uids[i].len)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, uids[i], "must not be empty");
        else if (!rule_names_add(c, seen, uids[i], NULL))
            field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, uids[i], "%s", "");
    }
}

static void check_uncounted(const struct rule_context *c, const struct job_step *s)
{
    const struct batch_v1_uncounted_terminated_pods *p = s->job->status.uncounted_terminated_pods;
    struct rule_names seen = { 0 };

    if (!p)
        return;
    check_uids(c, "succeeded", p->succeeded.items, p->succeeded.len, &seen);
    check_uids(c, "failed", p->failed.items, p->failed.len, &seen);
    rule_names_done(&seen);
}

static void check_end(const struct rule_context *c, const struct job_step *s)
{
    struct ktime start = s->job->status.start_time, end = s->job->status.completion_time;
    struct field_path at = field_path_member(c->path, STR("completionTime"));
    struct str printed = rule_print_time(c->arena, end);
    bool complete = rule_job_is(s->job, "Complete");

    if ((s->complete || s->failed) && complete && rule_job_is(s->job, "Failed"))
        condition_error(c, "cannot set Complete=True and Failed=true conditions");
    if ((s->complete || s->target) && complete && rule_job_is(s->job, "FailureTarget"))
        condition_error(c, "cannot set Complete=True and FailureTarget=true conditions");
    if ((s->complete || s->end) && end.set && !complete)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed,
                             "cannot set completionTime when there is no Complete=True condition");
    if ((s->complete || s->end) && !end.set && complete)
        rule_required(c, "completionTime", "completionTime is required for Complete jobs");
    if ((s->start || s->end) && start.set && end.set && end.sec < start.sec)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed,
                             "must be equal to or after `startTime`");
    if ((s->failed || s->failed_indexes) && rule_job_is(s->job, "Failed") &&
        !rule_job_is(s->job, "FailureTarget"))
        condition_error(
            c, "cannot set Failed=True condition without the FailureTarget=true condition");
    if ((s->complete || s->met) && complete && !rule_job_is(s->job, "SuccessCriteriaMet"))
        condition_error(
            c, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition");
}

/* Suspended from the start, with nothing to do: ends without having begun. */
static bool never_runs(const struct batch_v1_job_spec *s)
{
    return s->suspend && *s->suspend && s->completions && *s->completions == 0;
}

static void check_finished(const struct rule_context *c, const struct job_step *s)
{
    const struct batch_v1_job_status *n = &s->job->status;
    const struct batch_v1_uncounted_terminated_pods *p = n->uncounted_terminated_pods;
    struct field_path at = field_path_member(c->path, STR("uncountedTerminatedPods"));

    if (!is_finished(s->job))
        return;
    if ((s->finished || s->active) && n->active > 0)
        rule_invalid_number(c, "active", n->active, "active>0 is invalid for finished job");
    if ((s->finished || s->start) && !n->start_time.set && !never_runs(&s->job->spec))
        rule_required(c, "startTime", "startTime is required for finished job");
    if ((s->finished || s->uncounted) && p && p->failed.len + p->succeeded.len)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             rule_print_internal(c->arena, "batch/v1.UncountedTerminatedPods", p),
                             "must be empty for finished job");
}

static void check_indexes(const struct rule_context *c, const struct job_step *s)
{
    const struct batch_v1_job_spec *spec = &s->job->spec;
    const struct batch_v1_job_status *n = &s->job->status;
    bool has_failed = n->failed_indexes.p;

    if (s->done_indexes && spec->completions)
        (void)rule_check_indexes(c, "completedIndexes", n->completed_indexes, *spec->completions);
    if (s->failed_indexes && spec->completions && spec->backoff_limit_per_index && has_failed)
        (void)rule_check_indexes(c, "failedIndexes", n->failed_indexes, *spec->completions);
    if (s->done_indexes && n->completed_indexes.len &&
        !str_eq(spec->completion_mode, STR("Indexed")))
        rule_invalid(c, "completedIndexes", n->completed_indexes,
                     "cannot set non-empty completedIndexes when non-indexed completion mode");
    if (s->failed_indexes && !spec->backoff_limit_per_index && has_failed)
        rule_invalid(c, "failedIndexes", n->failed_indexes,
                     "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
    if ((s->failed_indexes || s->done_indexes) && spec->completions && has_failed)
        check_overlap(c, n, *spec->completions);
}

static void check_pods(const struct rule_context *c, const struct job_step *s)
{
    const struct batch_v1_job_status *n = &s->job->status;

    if ((s->finished || s->terminating) && is_finished(s->job) && n->terminating &&
        *n->terminating > 0)
        rule_invalid_number(c, "terminating", *n->terminating,
                            "terminating>0 is invalid for finished job");
    if ((s->ready || s->active) && n->ready && *n->ready > n->active)
        rule_invalid_number(c, "ready", *n->ready, "cannot set more ready pods than active");
}

static void check_criteria(const struct rule_context *c, const struct job_step *s)
{
    bool met = rule_job_is(s->job, "SuccessCriteriaMet");

    if (met && rule_job_is(s->job, "Failed"))
        condition_error(c, "cannot set SuccessCriteriaMet=True and Failed=true conditions");
    if (met && rule_job_is(s->job, "FailureTarget"))
        condition_error(c, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
    if (!met && s->job->spec.success_policy && rule_job_is(s->job, "Complete"))
        condition_error(c, "cannot set Complete=True for Job with SuccessPolicy unless "
                           "SuccessCriteriaMet=True");
}

/* May lose completions, and the successes beyond them. */
static bool is_elastic(const struct batch_v1_job_spec *s)
{
    return str_eq(s->completion_mode, STR("Indexed")) &&
           numbers_equal(s->completions, s->parallelism);
}

static void check_kept(const struct rule_context *c, const struct job_step *s)
{
    static const char *const terminal[] = { "Failed", "Complete", "FailureTarget" };
    const struct batch_v1_job_status *n = &s->job->status, *o = &s->was->status;

    for (size_t i = 0; i < ARRAY_LEN(terminal); i++)
        if (rule_job_is(s->was, terminal[i]) && !rule_job_is(s->job, terminal[i]))
            condition_error(
                c, str_cstr(c->arena,
                            arena_printf(c->arena, "cannot disable the terminal %s=True condition",
                                         terminal[i])));
    if (n->failed < o->failed)
        rule_invalid_number(c, "failed", n->failed, "cannot decrease the failed counter");
    if (n->succeeded < o->succeeded && !is_elastic(&s->job->spec))
        rule_invalid_number(c, "succeeded", n->succeeded, "cannot decrease the succeeded counter");
}

static void check_times_kept(const struct rule_context *c, const struct job_step *s)
{
    const struct batch_v1_job_status *n = &s->job->status, *o = &s->was->status;
    const bool *suspend = s->job->spec.suspend;
    bool resumes = rule_job_is(s->was, "Suspended") && is(s->job, "Suspended", "False");
    struct field_path end = field_path_member(c->path, STR("completionTime"));
    struct field_path start = field_path_member(c->path, STR("startTime"));

    if (n->completion_time.set && o->completion_time.set && s->end)
        field_errors_add_raw(c->errs, &end, FIELD_ERROR_INVALID,
                             rule_print_time(c->arena, n->completion_time), "field is immutable");
    if (s->start && !resumes && o->start_time.set && !(suspend && *suspend))
        field_errors_add_raw(c->errs, &start, FIELD_ERROR_INVALID,
                             rule_print_time(c->arena, n->start_time),
                             "field is immutable for unsuspended job once set");
}

void rule_job_status(const struct rule_context *c)
{
    static const struct batch_v1_job none;
    const struct batch_v1_job *old = c->request->old.data;
    struct job_step s = step_of(c->request->object.data, old ? old : &none);

    check_uncounted(c, &s);
    check_end(c, &s);
    check_finished(c, &s);
    check_indexes(c, &s);
    check_pods(c, &s);
    check_criteria(c, &s);
    check_kept(c, &s);
    check_times_kept(c, &s);
    if (rule_job_is(s.was, "SuccessCriteriaMet") && !rule_job_is(s.job, "SuccessCriteriaMet"))
        condition_error(c, "cannot disable the SuccessCriteriaMet=True condition");
    if (rule_job_is(s.was, "Complete") && !rule_job_is(s.was, "SuccessCriteriaMet") &&
        rule_job_is(s.job, "SuccessCriteriaMet"))
        condition_error(c, "cannot set SuccessCriteriaMet=True for Job already has Complete=true "
                           "conditions");
}
