/* What the kubelet counts of its own work, in upstream's families. Series are made as their labels
 * come up, and there is a bound on them: what comes beyond is not counted. One loop. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct buf;
struct kubelet_metrics;

/* X(NAME, type, text, help, labels..., up to three) */
#define KUBELET_METRICS(X)                                                                         \
    X(POD_WORKER, HISTOGRAM, "kubelet_pod_worker_duration_seconds",                                \
      "Time of one look at a Pod, by what it was for", "operation_type")                           \
    X(POD_START, HISTOGRAM_POD, "kubelet_pod_start_duration_seconds",                              \
      "Time from a Pod's first sight to its containers running", NULL)                             \
    X(POD_START_SLI, HISTOGRAM_POD, "kubelet_pod_start_sli_duration_seconds",                      \
      "Time from a Pod's creation to its status telling that it runs, images not counted", NULL)   \
    X(POD_START_TOTAL, HISTOGRAM_POD, "kubelet_pod_start_total_duration_seconds",                  \
      "Time from a Pod's creation to its status telling that it runs", NULL)                       \
    X(POD_STATUS_SYNC, HISTOGRAM, "kubelet_pod_status_sync_duration_seconds",                      \
      "Time from a change of a status to the server having it", NULL)                              \
    X(RUNTIME_OPERATIONS, COUNTER, "kubelet_runtime_operations_total",                             \
      "Calls of the runtime that have ended", "operation_type")                                    \
    X(RUNTIME_ERRORS, COUNTER, "kubelet_runtime_operations_errors_total",                          \
      "Calls of the runtime that failed", "operation_type")                                        \
    X(RUNTIME_DURATION, HISTOGRAM_RUNTIME, "kubelet_runtime_operations_duration_seconds",          \
      "Time of the runtime's calls", "operation_type")                                             \
    X(RUN_SANDBOX, HISTOGRAM, "kubelet_run_podsandbox_duration_seconds",                           \
      "Time of making a sandbox", "runtime_handler")                                               \
    X(RUN_SANDBOX_ERRORS, COUNTER, "kubelet_run_podsandbox_errors_total",                          \
      "Sandboxes that could not be made", "runtime_handler")                                       \
    X(STARTED_PODS, COUNTER, "kubelet_started_pods_total", "Pods that got a sandbox", NULL)        \
    X(STARTED_PODS_ERRORS, COUNTER, "kubelet_started_pods_errors_total",                           \
      "Pods that got no sandbox", NULL)                                                            \
    X(STARTED_CONTAINERS, COUNTER, "kubelet_started_containers_total",                             \
      "Containers that were started", "container_type")                                            \
    X(STARTED_CONTAINERS_ERRORS, COUNTER, "kubelet_started_containers_errors_total",               \
      "Containers that could not be started", "code", "container_type")                            \
    X(ADMISSION_REJECTIONS, COUNTER, "kubelet_admission_rejections_total",                         \
      "Pods that were not let in", "reason")                                                       \
    X(HTTP_REQUESTS, COUNTER, "kubelet_http_requests_total", "Requests to the kubelet's port",     \
      "method", "path", "server_type")

enum kubelet_metric {
#define X(name, type, ...) KUBELET_METRIC_##name,
    KUBELET_METRICS(X)
#undef X
        KUBELET_METRIC_MAX
};

struct kubelet_metrics *kubelet_metrics_new(void);
void kubelet_metrics_free(struct kubelet_metrics *m); /* accepts NULL */
/* values: as many as the family has labels, in their order. */
void kubelet_metrics_count(struct kubelet_metrics *m, enum kubelet_metric id,
                           const struct str *values);
void kubelet_metrics_observe(struct kubelet_metrics *m, enum kubelet_metric id,
                             const struct str *values, int64_t took_ns);
void kubelet_metrics_print(const struct kubelet_metrics *m, struct buf *b);
void kubelet_metrics_print_build(struct buf *b); /* our version */
