/* A Pod that is new here is asked for once, against those that were here before it. */
#include "api/core_v1.h"
#include "base/vec.h"
#include "client/api_object.h"
#include "kubelet/admission/pod_admit.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/stats/kubelet_metrics.h"

void kubelet_admission_check(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct kubelet *k = w->k;
    struct VEC(const struct core_v1_pod *) others = { 0 };
    struct pod_rejection r;

    if (w->is_admitted)
        return;
    w->is_admitted = true;
    if (w->is_final || pod_worker_spec(w)->status.start_time.set)
        return; /* an earlier kubelet has let it in */
    MAP_FOREACH(it, &k->workers) {
        struct pod_worker *other = it->value;

        if (other != w && pod_worker_is_active(other))
            VEC_PUSH(&others, pod_worker_spec(other));
    }
    r = pod_admit(&a,
                  &(struct pod_admit_node){ .node = node_agent_node(k->node_agent),
                                            .cpu_milli = k->node.allocatable_cpu_milli,
                                            .memory_bytes = k->node.allocatable_memory_bytes,
                                            .ephemeral_bytes = k->node.allocatable_ephemeral_bytes,
                                            .pods = k->o->max_pods,
                                            .pressure = node_agent_pressure(k->node_agent) },
                  pod_worker_spec(w), others.items, others.len);
    VEC_DONE(&others);
    if (!r.reason.len)
        return;
    kubelet_metrics_count(k->metrics, KUBELET_METRIC_ADMISSION_REJECTIONS, &r.reason);
    pod_worker_event(w, STR_NULL, "Warning", str_cstr(&a, r.reason), "%.*s", STR_ARG(r.message));
    pod_worker_fail(w, str_cstr(&a, r.reason),
                    arena_printf(&a, "Pod was rejected: %.*s", STR_ARG(r.message)));
}
