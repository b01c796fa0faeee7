/* One run of what probes and lifecycle hooks have in common: a command inside the container, an
 * HTTP GET, a TCP connection, a gRPC health check, or nothing for a while. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/http_message.h"
#include "kubelet/prober/prober.h"
#include "runtime/runtime_types.h"

struct arena;
struct core_v1_lifecycle_handler;
struct core_v1_probe_handler;
struct err;

enum probe_action_kind {
    PROBE_ACTION_EXEC,
    PROBE_ACTION_HTTP,
    PROBE_ACTION_TCP,
    PROBE_ACTION_GRPC,
    PROBE_ACTION_SLEEP,
    PROBE_ACTION_NONE, /* fails with what stands in path */
};

enum probe_verdict { PROBE_YES, PROBE_NO, PROBE_WARNING };

/* A handler with its ports and addresses found. */
struct probe_plan {
    enum probe_action_kind kind;
    struct runtime_strs command; /* EXEC */
    struct str host;             /* the others: as it was written */
    struct str address;          /* numeric */
    uint16_t port;
    bool is_https;
    bool is_hook;    /* HTTP: any answer will do */
    struct str path; /* HTTP */
    const struct http_header *headers;
    size_t n_headers;
    struct str service; /* GRPC */
    int64_t sleep_ms;   /* SLEEP */
};

/* Everything copied to a. ERR_INVALID: a port that the container does not name, a host that is no
 * address, no action at all. */
int probe_plan_of_probe(struct arena *a, const struct prober_target *t,
                        const struct core_v1_probe_handler *h, struct probe_plan *ret,
                        struct err *err);
int probe_plan_of_hook(struct arena *a, const struct prober_target *t,
                       const struct core_v1_lifecycle_handler *h, struct probe_plan *ret,
                       struct err *err);

struct probe_action_options {
    struct loop *loop;
    struct runtime *runtime;
    struct tls_context *tls; /* that verifies nothing */
    struct str container_id;
    const struct probe_plan *plan; /* stays until done */
    struct arena *plan_arena;      /* not NULL: has the plan, and is taken over */
    int64_t timeout_ms;
    probe_action_done_fn *done;
    void *arg;
};
/* done runs once, later; result.output is what upstream's probe says. */
struct probe_action *probe_action_start(const struct probe_action_options *o);
