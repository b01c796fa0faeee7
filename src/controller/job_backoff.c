/* How long a Job waits until it makes the next Pod after failures. */
#include "controller/job_internal.h"

static bool is_new(const struct job_pod *p)
{
    return p->is_tracked && p->is_valid;
}

struct job_backoff job_backoff_add(struct job_backoff b, const struct job_pod *pods, size_t n)
{
    int64_t last_success = INT64_MIN;

    for (size_t i = 0; i < n; i++)
        if (is_new(&pods[i]) && pods[i].is_succeeded && !pods[i].was_succeeded)
            last_success = MAX(last_success, job_pod_end(pods[i].object));
    if (last_success != INT64_MIN)
        b = (struct job_backoff){ 0 };
    for (size_t i = 0; i < n; i++) {
        int64_t end;

        if (!is_new(&pods[i]) || !pods[i].is_failed || pods[i].was_failed)
            continue;
        end = job_pod_end(pods[i].object);
        if (end <= last_success)
            continue;
        b.last_failure_s = b.failures ? MAX(b.last_failure_s, end) : end;
        b.failures++;
    }
    return b;
}

static int64_t left_ms(int32_t failures, int64_t last_failure_s, int64_t now_ms)
{
    int64_t wait = JOB_BACKOFF_MS;

    if (failures == 0)
        return 0;
    for (int32_t i = 1; i < failures && wait < JOB_BACKOFF_MAX_MS; i++)
        wait = MIN(wait * 2, (int64_t)JOB_BACKOFF_MAX_MS);
    return MAX(wait - (now_ms - last_failure_s * 1000), 0);
}

int64_t job_backoff_left_ms(struct job_backoff b, int64_t now_ms)
{
    return left_ms(b.failures, b.last_failure_s, now_ms);
}

int64_t job_backoff_left_of_index_ms(const struct api_object *last_failed, int64_t now_ms)
{
    int64_t failures = last_failed ? (int64_t)job_index_all_failures(last_failed) + 1 : 0;

    return last_failed
               ? left_ms((int32_t)MIN(failures, INT32_MAX), job_pod_end(last_failed), now_ms)
               : 0;
}
