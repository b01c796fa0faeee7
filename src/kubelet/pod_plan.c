/* Init containers first, in order; a sidecar counts as done once it has started. Then main and
 * ephemeral ones, each by itself. */
#include "kubelet/pod_plan.h"

#include "api/core_v1.h"

/* A container's own rules come first, then its own policy, then the Pod's. */
static bool rule_restarts(const struct core_v1_container_restart_rule *r, int exit_code)
{
    bool is_among = false;

    if (!r->exit_codes || !str_has_prefix(r->action, STR("Restart")))
        return false;
    for (uint32_t i = 0; i < r->exit_codes->values.len; i++)
        is_among |= r->exit_codes->values.items[i] == exit_code;
    return is_among == str_eq(r->exit_codes->operator, STR("In"));
}

bool pod_plan_restarts(struct str policy, const struct plan_container *c)
{
    if (c->must_restart)
        return true;
    if (c->c.kind == POD_CONTAINER_INIT || c->c.kind == POD_CONTAINER_MAIN) {
        const struct core_v1_container *s = c->c.spec;

        for (uint32_t i = 0; i < s->restart_policy_rules.len; i++)
            if (rule_restarts(&s->restart_policy_rules.items[i], c->exit_code))
                return true;
        if (s->restart_policy.len)
            policy = s->restart_policy;
    }
    switch (c->c.kind) {
    case POD_CONTAINER_SIDECAR:
        return true;
    case POD_CONTAINER_EPHEMERAL:
        return false;
    case POD_CONTAINER_INIT: /* done once it went well */
        return c->exit_code != 0 && !str_eq(policy, STR("Never"));
    case POD_CONTAINER_MAIN:
        break;
    }
    if (str_eq(policy, STR("Never")))
        return false;
    return !str_eq(policy, STR("OnFailure")) || c->exit_code != 0;
}

static bool is_running(const struct plan_container *c)
{
    return c->exists && c->state == RUNTIME_CONTAINER_IS_RUNNING;
}

static bool has_ended(const struct plan_container *c)
{
    return c->exists &&
           (c->state == RUNTIME_CONTAINER_IS_EXITED || c->state == RUNTIME_CONTAINER_IS_UNKNOWN);
}

static bool is_done_init(const struct plan_container *c)
{
    if (c->c.kind == POD_CONTAINER_SIDECAR)
        return is_running(c) && c->is_started;
    return has_ended(c) && c->exit_code == 0;
}

/* Has failed, and nobody will try again. */
static bool has_failed_init(const struct plan_input *in, const struct plan_container *c)
{
    return c->c.kind == POD_CONTAINER_INIT && has_ended(c) && c->exit_code != 0 &&
           !pod_plan_restarts(in->restart_policy, c);
}

static bool is_init(const struct plan_container *c)
{
    return c->c.kind == POD_CONTAINER_INIT || c->c.kind == POD_CONTAINER_SIDECAR;
}

/* Every main container has run for the last time, or an init container has failed for good. */
static bool is_over(const struct plan_input *in)
{
    bool any_main = false;

    if (in->is_final || in->is_deadline_over)
        return true;
    for (size_t i = 0; i < in->n; i++) {
        const struct plan_container *c = &in->containers[i];

        if (has_failed_init(in, c))
            return true;
        if (c->c.kind != POD_CONTAINER_MAIN)
            continue;
        any_main = true;
        if (!has_ended(c) || pod_plan_restarts(in->restart_policy, c))
            return false;
    }
    return any_main;
}

static void remember(struct plan *p, int64_t at_ms)
{
    if (!p->again_at_ms || at_ms < p->again_at_ms)
        p->again_at_ms = at_ms;
}

/* Starts, kills or leaves one container. True: that is what is to be done next. */
static bool consider(const struct plan_input *in, size_t i, struct plan *p)
{
    const struct plan_container *c = &in->containers[i];

    if (c->is_being_killed)
        return false;
    if (is_running(c)) {
        if (!c->is_unhealthy && !c->is_changed)
            return false;
        p->action = PLAN_KILL;
        p->index = i;
        return true;
    }
    if (has_ended(c) && !pod_plan_restarts(in->restart_policy, c))
        return false;
    if (c->restart_at_ms > in->now_ms) {
        remember(p, c->restart_at_ms);
        return false;
    }
    p->action = PLAN_START;
    p->index = i;
    return true;
}

/* True: something is to be done, or init containers are not done yet. */
static bool consider_init(const struct plan_input *in, struct plan *p)
{
    bool is_waiting = false, mains_began = false;

    for (size_t i = 0; i < in->n; i++)
        mains_began |= in->containers[i].c.kind == POD_CONTAINER_MAIN && in->containers[i].exists;
    for (size_t i = 0; i < in->n; i++) {
        const struct plan_container *c = &in->containers[i];

        if (!is_init(c))
            continue;
        /* Once the main ones run, init containers are history, but sidecars are kept alive. */
        if (c->c.kind == POD_CONTAINER_INIT && (mains_began || is_done_init(c)))
            continue;
        if (!is_waiting && consider(in, i, p))
            return true;
        if (!is_done_init(c) && !mains_began)
            is_waiting = true; /* those behind it wait */
    }
    return is_waiting;
}

static bool wants_sandbox(const struct plan_input *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (!has_ended(&in->containers[i]) ||
            pod_plan_restarts(in->restart_policy, &in->containers[i]))
            return true;
    return false;
}

struct plan pod_plan(const struct plan_input *in)
{
    struct plan p = { .action = PLAN_NOTHING };

    p.is_over = is_over(in);
    if (p.is_over) {
        if (in->is_sandbox_ready)
            p.action = PLAN_STOP_SANDBOX;
        return p;
    }
    if (!in->is_sandbox_ready) {
        if (in->has_sandbox)
            p.action = PLAN_REMOVE_SANDBOX;
        else if (wants_sandbox(in))
            p.action = PLAN_CREATE_SANDBOX;
        return p;
    }
    if (consider_init(in, &p))
        return p;
    p.is_initialized = true;
    for (size_t i = 0; i < in->n; i++)
        if (!is_init(&in->containers[i]) && consider(in, i, &p))
            return p;
    return p;
}
