/* What is to be done for a Pod next: a pure function of what it wants and what there is. Whoever
 * acts does one thing of it and asks again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kubelet/pod_containers.h"
#include "runtime/runtime_types.h"

/* A container as it is now; the latest of its runs. */
struct plan_container {
    struct pod_container c;
    bool exists;
    enum runtime_container_state state;
    int exit_code;
    bool is_started;       /* startup probe passed, or none */
    bool is_unhealthy;     /* liveness or startup failed for good */
    bool is_changed;       /* the spec wants another image than this run has */
    bool must_restart;     /* was ended by us in order to run anew, whatever the policy says */
    bool is_being_killed;  /* somebody is at it */
    int64_t restart_at_ms; /* not to be started before; 0: at once */
};

struct plan_input {
    struct str restart_policy; /* "Always", "OnFailure", "Never" */
    const struct plan_container *containers;
    size_t n;
    bool has_sandbox; /* one exists */
    bool is_sandbox_ready;
    bool is_deadline_over; /* activeDeadlineSeconds */
    bool is_final;         /* the phase was terminal before: it stays so */
    int64_t now_ms;
};

enum plan_action {
    PLAN_NOTHING,
    PLAN_CREATE_SANDBOX,
    PLAN_REMOVE_SANDBOX, /* it is no longer ready, or has nothing to do: with all its containers */
    PLAN_STOP_SANDBOX,   /* the Pod has ended: kills what is left, keeps what can be read */
    PLAN_START,          /* containers[index] */
    PLAN_KILL,           /* containers[index], which is unhealthy or has changed */
};
struct plan {
    enum plan_action action;
    size_t index;
    int64_t again_at_ms; /* ask again then even if nothing happens; 0: no need */
    bool is_over;        /* every container has run for the last time */
    bool is_initialized; /* init containers are done, sidecars run */
};
struct plan pod_plan(const struct plan_input *in);

/* Will a container that has exited be started again? */
bool pod_plan_restarts(struct str restart_policy, const struct plan_container *c);
