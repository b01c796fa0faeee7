/* Probes of running containers: startup first, then liveness and readiness, each by its own timer
 * (initialDelaySeconds, periodSeconds, timeoutSeconds, thresholds). Containers that ran before the
 * kubelet did keep what their Pod's status says, and are first probed at a random moment of the
 * period, so that not all are at once. exec through the runtime, httpGet, tcpSocket and grpc from
 * here. One loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct core_v1_container;
struct core_v1_lifecycle_handler;
struct core_v1_pod;
struct loop;
struct prober;
struct runtime;

enum probe_kind { PROBE_STARTUP, PROBE_LIVENESS, PROBE_READINESS };

struct prober_target {
    struct str pod_uid, pod_ip, host_ip; /* host_ip: where the Pod is on the node's network */
    struct str container_id;
    int64_t started_at_ns;                     /* wall time */
    const struct core_v1_pod *pod;             /* for named ports; copied as far as needed */
    const struct core_v1_container *container; /* its probes */
};

struct prober_options {
    struct loop *loop;
    struct runtime *runtime;
    /* A result changed (is_ok now). */
    void (*on_result)(struct str pod_uid, struct str container_id, enum probe_kind kind, bool is_ok,
                      void *arg);
    /* For an Event: each failed run, and what is odd about one that went well. reason: "Unhealthy",
     * "ProbeWarning"; message: upstream's words ("Readiness probe failed: HTTP probe failed with
     * statuscode: 500"). */
    void (*on_event)(struct str pod_uid, struct str container_id, const char *reason,
                     struct str message, void *arg);
    void *arg;
};

struct prober *prober_new(const struct prober_options *o); /* copies */
void prober_free(struct prober *p);                        /* accepts NULL */

void prober_add(struct prober *p, const struct prober_target *t); /* again for the same id: no-op */
void prober_remove(struct prober *p, struct str container_id);    /* unknown: no-op */
/* Readiness goes on while a Pod terminates, the others end. */
void prober_stop_liveness(struct prober *p, struct str container_id);

/* A container without the probe is ready and started while it runs. Unknown containers are not. */
bool prober_is_ready(const struct prober *p, struct str container_id);
bool prober_is_started(const struct prober *p, struct str container_id);
/* Liveness or startup has failed for good: kill it. */
bool prober_is_failed(const struct prober *p, struct str container_id);

/* prober_probe_total and prober_probe_duration_seconds of the containers that are probed now. */
void prober_print_metrics(const struct prober *p, struct buf *b);

/* --- lifecycle hooks use the same actions --- */
struct probe_action_result {
    int code;        /* 0: it went well; ERR_TIMEOUT, or negative: could not be done */
    bool is_failure; /* it was done and said no */
    bool is_warning; /* it went well, but */
    struct str output;
};
typedef void probe_action_done_fn(const struct probe_action_result *r, void *arg);
struct probe_action;
/* A handler of postStart or preStop (exec, httpGet, sleep, tcpSocket). done runs once, later. */
struct probe_action *prober_run_handler(struct prober *p, const struct prober_target *t,
                                        const struct core_v1_lifecycle_handler *h,
                                        int64_t timeout_ms, probe_action_done_fn *done, void *arg);
void probe_action_cancel(struct probe_action *a); /* accepts NULL */
