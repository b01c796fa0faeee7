/* How many Pods a Job shall have: which are too many, and when which are made. Deletions come
 * before creations; one run does not do both. */
#include <stdlib.h>

#include "base/arena.h"
#include "controller/job_internal.h"
#include "controller/pod_state.h"

void job_plan_again(struct job_plan *p, int64_t after_ms)
{
    after_ms = MAX(after_ms, 1);
    if (!p->again_after_ms || after_ms < p->again_after_ms)
        p->again_after_ms = after_ms;
}

const struct job_pod *job_delayed(const struct job_facts *f, int32_t index)
{
    size_t low = 0, high = f->n_delayed;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (f->delayed[middle]->index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->n_delayed && f->delayed[low]->index == index ? f->delayed[low] : NULL;
}

/* --- too many --- */

/* What has lost its finalizer already was on its way out when the run before ended. */
static int compare_for_deletion(const void *a, const void *b)
{
    const struct job_pod *const *x = a, *const *y = b;

    if ((*x)->is_tracked != (*y)->is_tracked)
        return (*x)->is_tracked ? 1 : -1;
    return pod_compare_for_deletion((*x)->object, 0, (*y)->object, 0);
}

static int compare_by_index(const void *a, const void *b)
{
    const struct job_pod *const *x = a, *const *y = b;

    if ((*x)->index != (*y)->index)
        return (*x)->index < (*y)->index ? -1 : 1;
    return compare_for_deletion(a, b);
}

struct split {
    const struct job_pod **out, **left;
    size_t n_out, n_left;
};

/* Of an index one Pod stays; Pods without a good index do not. */
static void drop_repeated(const struct job_pod **active, size_t n, struct split *s)
{
    qsort(active, n, sizeof(active[0]), compare_by_index);
    for (size_t i = 0; i < n; i++)
        if (!active[i]->is_valid || (i + 1 < n && active[i + 1]->index == active[i]->index))
            s->out[s->n_out++] = active[i];
        else
            s->left[s->n_left++] = active[i];
}

static void drop(const struct job_input *in, size_t n_active, size_t at_least, struct job_plan *ret)
{
    const struct job_pod **active = ARENA_NEW_ARRAY(in->arena, const struct job_pod *, n_active);
    struct split s = { .out = ARENA_NEW_ARRAY(in->arena, const struct job_pod *, n_active),
                       .left = ARENA_NEW_ARRAY(in->arena, const struct job_pod *, n_active) };
    size_t n = 0;

    for (size_t i = 0; i < in->n_pods; i++)
        if (in->pods[i].is_active)
            active[n++] = &in->pods[i];
    if (n == 0)
        return;
    if (job_is_indexed(in->job)) {
        drop_repeated(active, n, &s);
    } else {
        s.left = active;
        s.n_left = n;
    }
    if (s.n_out < at_least)
        qsort(s.left, s.n_left, sizeof(s.left[0]), compare_for_deletion);
    for (size_t i = 0; s.n_out < at_least && i < s.n_left; i++)
        s.out[s.n_out++] = s.left[i];
    ret->deletes = s.out;
    ret->n_deletes = MIN(s.n_out, (size_t)JOB_MAX_CHANGES);
    ret->deletes_uncounted = true;
}

/* --- too few --- */

/* Indexes at which a Pod is, or none is needed any more. */
static struct job_indexes taken(const struct job_input *in, const struct job_facts *f)
{
    int32_t *indexes = ARENA_NEW_ARRAY(in->arena, int32_t, in->n_pods);
    bool waits = job_replaces_failed_only(in->job);
    struct job_indexes s;
    size_t n = 0;

    for (size_t i = 0; i < in->n_pods; i++) {
        const struct job_pod *p = &in->pods[i];

        if (p->index >= 0 && (p->is_active || (waits && p->is_leaving)))
            indexes[n++] = p->index;
    }
    s = job_indexes_of(in->arena, indexes, n);
    s = job_indexes_union(in->arena, &s, &f->succeeded_indexes);
    return job_indexes_union(in->arena, &s, &f->failed_indexes);
}

/* With backoffLimitPerIndex each index waits by itself. */
static void keep_due(const struct job_input *in, const struct job_facts *f, struct job_plan *ret)
{
    int64_t soonest = 0;
    size_t n = 0;

    for (size_t i = 0; i < ret->n_creates; i++) {
        const struct job_pod *last = job_delayed(f, ret->indexes[i]);
        int64_t left = job_backoff_left_of_index_ms(last ? last->object : NULL, in->now_ms);

        if (left > 0) {
            soonest = soonest ? MIN(soonest, left) : left;
            continue;
        }
        ret->replaced[n] = last;
        ret->indexes[n++] = ret->indexes[i];
    }
    ret->n_creates = n;
    if (soonest)
        job_plan_again(ret, soonest);
}

static void make(const struct job_input *in, const struct job_facts *f, int32_t n,
                 struct job_plan *ret)
{
    bool is_per_index = job_is_indexed(in->job) && in->job->spec.backoff_limit_per_index;
    int64_t left = is_per_index ? 0 : job_backoff_left_ms(f->backoff, in->now_ms);
    struct job_indexes have;

    if (left > 0) {
        job_plan_again(ret, left);
        return;
    }
    ret->n_creates = (size_t)MIN(n, JOB_MAX_CHANGES);
    if (!job_is_indexed(in->job))
        return;
    have = taken(in, f);
    ret->indexes = ARENA_NEW_ARRAY(in->arena, int32_t, ret->n_creates);
    ret->n_creates =
        job_indexes_missing(&have, *in->job->spec.completions, ret->indexes, ret->n_creates);
    if (!is_per_index)
        return;
    ret->replaced = ARENA_NEW_ARRAY(in->arena, const struct job_pod *, ret->n_creates);
    keep_due(in, f, ret);
}

/* Without completions: parallelism many, until one has succeeded; then whatever still runs. */
static int32_t wanted(const struct job_input *in, const struct job_facts *f)
{
    const struct batch_v1_job_spec *s = &in->job->spec;
    int32_t parallelism = s->parallelism ? *s->parallelism : 1;

    if (!s->completions)
        return f->succeeded > 0 ? f->active : parallelism;
    return MAX(MIN(*s->completions - f->succeeded, parallelism), 0);
}

void job_manage(const struct job_input *in, const struct job_facts *f, struct job_plan *ret)
{
    int32_t want = job_is_suspended(in->job) ? 0 : wanted(in, f), n;

    drop(in, (size_t)f->active, (size_t)MAX(f->active - want, 0), ret);
    if (ret->n_deletes || job_is_suspended(in->job))
        return;
    n = want - f->active - (job_replaces_failed_only(in->job) ? f->leaving : 0);
    if (n > 0)
        make(in, f, n, ret);
}
