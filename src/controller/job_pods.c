/* What a Job asks of one Pod. */
#include "api/text_map.h"
#include "controller/job_internal.h"
#include "controller/pod_state.h"

bool job_is_indexed(const struct batch_v1_job *j)
{
    return str_eq(j->spec.completion_mode, STR("Indexed"));
}

bool job_is_suspended(const struct batch_v1_job *j)
{
    return j->spec.suspend && *j->spec.suspend;
}

bool job_replaces_failed_only(const struct batch_v1_job *j)
{
    return str_eq(j->spec.pod_replacement_policy, STR("Failed")) || j->spec.pod_failure_policy;
}

bool job_has_finalizer(const struct api_object *pod)
{
    for (uint32_t i = 0; i < pod->meta->finalizers.len; i++)
        if (str_eq(pod->meta->finalizers.items[i], STR(JOB_FINALIZER)))
            return true;
    return false;
}

/* A number as an annotation has it; otherwise when there is none that is good. */
static int32_t annotated(const struct api_object *pod, struct str key, int32_t otherwise)
{
    const struct schema_str_entry *e = text_map_find(&pod->meta->annotations, key);
    int64_t n;

    return e && str_to_i64(e->value, &n) && n >= 0 && n <= INT32_MAX ? (int32_t)n : otherwise;
}

int32_t job_completion_index(const struct api_object *pod)
{
    return annotated(pod, STR(JOB_INDEX), -1);
}

int32_t job_index_failures(const struct api_object *pod)
{
    return annotated(pod, STR(JOB_INDEX_FAILURES), 0);
}

int32_t job_index_all_failures(const struct api_object *pod)
{
    int64_t n = (int64_t)job_index_failures(pod) + annotated(pod, STR(JOB_INDEX_IGNORED), 0);

    return (int32_t)MIN(n, INT32_MAX);
}

/* A Pod that is being deleted may never say how it ended: unless the Job waits for that, it has
 * failed. */
static bool is_failed(const struct batch_v1_job *j, const struct api_object *o)
{
    const struct core_v1_pod *pod = o->o.data;

    if (str_eq(pod->status.phase, STR("Failed")))
        return true;
    return !job_replaces_failed_only(j) && o->meta->deletion_timestamp.set &&
           !str_eq(pod->status.phase, STR("Succeeded"));
}

struct job_pod job_pod_of(const struct batch_v1_job *j, const struct api_object *o)
{
    const struct core_v1_pod *pod = o->o.data;
    int32_t index = job_completion_index(o);

    return (struct job_pod){
        .object = o,
        .pod = pod,
        .index = index,
        .is_tracked = job_has_finalizer(o),
        .is_valid = !job_is_indexed(j) ||
                    (index >= 0 && j->spec.completions && index < *j->spec.completions),
        .is_active = pod_is_active(o),
        .is_leaving = o->meta->deletion_timestamp.set && !pod_is_finished(pod),
        .is_succeeded = str_eq(pod->status.phase, STR("Succeeded")),
        .is_failed = is_failed(j, o),
    };
}

/* --- when it ended --- */

static bool is_sidecar(const struct core_v1_pod *pod, struct str name)
{
    for (uint32_t i = 0; i < pod->spec.init_containers.len; i++) {
        const struct core_v1_container *c = &pod->spec.init_containers.items[i];

        if (str_eq(c->name, name))
            return str_eq(c->restart_policy, STR("Always"));
    }
    return false;
}

/* The latest end; 0: one has not ended, or there are none. */
static int64_t containers_end(const struct core_v1_pod *pod)
{
    int64_t end = 0;

    for (uint32_t i = 0; i < pod->status.container_statuses.len; i++) {
        const struct core_v1_container_state_terminated *t =
            pod->status.container_statuses.items[i].state.terminated;

        if (!t || !t->finished_at.set)
            return 0;
        end = MAX(end, t->finished_at.sec);
    }
    for (uint32_t i = 0; i < pod->status.init_container_statuses.len; i++) {
        const struct core_v1_container_status *s = &pod->status.init_container_statuses.items[i];

        if (!is_sidecar(pod, s->name))
            continue;
        if (!s->state.terminated || !s->state.terminated->finished_at.set)
            return 0;
        end = MAX(end, s->state.terminated->finished_at.sec);
    }
    return end;
}

int64_t job_pod_end(const struct api_object *o)
{
    const struct core_v1_pod *pod = o->o.data;
    const struct core_v1_pod_condition *ready = pod_condition(pod, STR("Ready"));
    int64_t end = containers_end(pod);

    if (end)
        return end;
    if (ready && str_eq(ready->status, STR("False")) && ready->last_transition_time.set)
        return ready->last_transition_time.sec;
    if (o->meta->deletion_timestamp.set)
        return o->meta->deletion_timestamp.sec - (o->meta->deletion_grace_period_seconds
                                                      ? *o->meta->deletion_grace_period_seconds
                                                      : 0);
    return o->meta->creation_timestamp.sec;
}
