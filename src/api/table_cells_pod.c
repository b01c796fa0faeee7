/* What `kubectl get pods` shows of a Pod: its status is worked out from phase, conditions and the
 * states of all containers, as upstream's printer does. */
#include "api/core_v1.h"
#include "api/schema.h"
#include "api/table_cells.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/time_text.h"

/* What one walk over a Pod finds out. */
struct summary {
    struct str reason;
    uint32_t ready;
    uint32_t total;
    int64_t restarts;
    struct ktime last_restart;
};

static const struct core_v1_pod *pod_of(const struct cell *c)
{
    return c->o.data;
}

static const struct core_v1_pod_condition *condition(const struct core_v1_pod *p, struct str type)
{
    for (uint32_t i = 0; i < p->status.conditions.len; i++) {
        if (str_eq(p->status.conditions.items[i].type, type))
            return &p->status.conditions.items[i];
    }
    return NULL;
}

static bool is_true(const struct core_v1_pod_condition *c)
{
    return c && str_eq(c->status, STR("True"));
}

/* An init container with restartPolicy Always runs beside the others: a sidecar. */
static bool is_sidecar(const struct core_v1_pod *p, struct str name)
{
    for (uint32_t i = 0; i < p->spec.init_containers.len; i++) {
        const struct core_v1_container *c = &p->spec.init_containers.items[i];

        if (str_eq(c->name, name))
            return str_eq(c->restart_policy, STR("Always"));
    }
    return false;
}

static void note_restart(struct summary *s, const struct core_v1_container_status *c)
{
    const struct core_v1_container_state_terminated *t = c->last_state.terminated;

    s->restarts += c->restart_count;
    if (t && t->finished_at.set &&
        (!s->last_restart.set || s->last_restart.sec < t->finished_at.sec))
        s->last_restart = t->finished_at;
}

/* "Reason", "Signal:9" or "ExitCode:2" of a container that ended. */
static struct str ended(struct arena *a, const struct core_v1_container_state_terminated *t)
{
    if (t->reason.len)
        return t->reason;
    return t->signal ? arena_printf(a, "Signal:%d", t->signal)
                     : arena_printf(a, "ExitCode:%d", t->exit_code);
}

/* True while an init container is not done: then its state is the Pod's. */
static bool summarize_init(struct arena *a, const struct core_v1_pod *p, struct summary *s)
{
    for (uint32_t i = 0; i < p->status.init_container_statuses.len; i++) {
        const struct core_v1_container_status *c = &p->status.init_container_statuses.items[i];
        const struct core_v1_container_state_terminated *t = c->state.terminated;
        bool sidecar = is_sidecar(p, c->name), started = c->started && *c->started;

        note_restart(s, c);
        if (sidecar && started && c->ready)
            s->ready++;
        if ((t && t->exit_code == 0) || (sidecar && started))
            continue;
        if (t)
            s->reason = arena_printf(a, "Init:%.*s", STR_ARG(ended(a, t)));
        else if (c->state.waiting && c->state.waiting->reason.len &&
                 !str_eq(c->state.waiting->reason, STR("PodInitializing")))
            s->reason = arena_printf(a, "Init:%.*s", STR_ARG(c->state.waiting->reason));
        else
            s->reason = arena_printf(a, "Init:%u/%u", i, p->spec.init_containers.len);
        return true;
    }
    return false;
}

static void forget_init_restarts(const struct core_v1_pod *p, struct summary *s)
{
    s->restarts = 0;
    s->last_restart.set = false;
    for (uint32_t i = 0; i < p->status.init_container_statuses.len; i++) {
        if (is_sidecar(p, p->status.init_container_statuses.items[i].name))
            note_restart(s, &p->status.init_container_statuses.items[i]);
    }
}

static void summarize_containers(struct arena *a, const struct core_v1_pod *p, struct summary *s)
{
    bool has_running = false;
    struct str failed = STR_NULL;

    for (uint32_t i = p->status.container_statuses.len; i-- > 0;) {
        const struct core_v1_container_status *c = &p->status.container_statuses.items[i];

        note_restart(s, c);
        if (c->state.waiting && c->state.waiting->reason.len) {
            s->reason = c->state.waiting->reason;
        } else if (c->state.terminated) {
            s->reason = ended(a, c->state.terminated);
            if (c->state.terminated->exit_code != 0)
                failed = s->reason;
        } else if (c->ready && c->state.running) {
            has_running = true;
            s->ready++;
        }
    }
    if (!str_eq(s->reason, STR("Completed")))
        return;
    if (has_running && is_true(condition(p, STR("Ready"))))
        s->reason = STR("Running");
    else if (failed.len)
        s->reason = failed;
    else if (has_running)
        s->reason = STR("NotReady");
}

static struct summary summarize(struct arena *a, const struct core_v1_pod *p)
{
    struct summary s = { .reason = p->status.phase, .total = p->spec.containers.len };
    const struct core_v1_pod_condition *scheduled = condition(p, STR("PodScheduled"));
    bool initialized = is_true(condition(p, STR("Initialized")));

    if (p->status.reason.len)
        s.reason = p->status.reason;
    if (scheduled && str_eq(scheduled->reason, STR("SchedulingGated")))
        s.reason = STR("SchedulingGated");
    for (uint32_t i = 0; i < p->spec.init_containers.len; i++)
        s.total += str_eq(p->spec.init_containers.items[i].restart_policy, STR("Always"));
    if (!summarize_init(a, p, &s) || initialized) {
        forget_init_restarts(p, &s);
        summarize_containers(a, p, &s);
    }
    if (!p->metadata.deletion_timestamp.set)
        return s;
    if (str_eq(p->status.reason, STR("NodeLost")))
        s.reason = STR("Unknown");
    else if (!str_eq(p->status.phase, STR("Succeeded")) && !str_eq(p->status.phase, STR("Failed")))
        s.reason = STR("Terminating");
    return s;
}

static void pod_ready(struct cell *c)
{
    struct summary s = summarize(c->arena, pod_of(c));

    buf_printf(c->b, "%u/%u", s.ready, s.total);
}

static void pod_status(struct cell *c)
{
    cell_text(c, summarize(c->arena, pod_of(c)).reason);
}

static void pod_restarts(struct cell *c)
{
    struct summary s = summarize(c->arena, pod_of(c));

    buf_append_i64(c->b, s.restarts);
    if (!s.restarts || !s.last_restart.set)
        return;
    cell_text(c, STR(" ("));
    time_text_print_age(c->b, c->now_s - s.last_restart.sec);
    cell_text(c, STR(" ago)"));
}

static void pod_ip(struct cell *c)
{
    const struct core_v1_pod *p = pod_of(c);

    cell_or(c, p->status.pod_ips.len ? p->status.pod_ips.items[0].ip : STR(""), STR("<none>"));
}

static void pod_readiness_gates(struct cell *c)
{
    const struct core_v1_pod *p = pod_of(c);
    uint32_t n = 0;

    if (!p->spec.readiness_gates.len) {
        cell_text(c, STR("<none>"));
        return;
    }
    for (uint32_t i = 0; i < p->spec.readiness_gates.len; i++)
        n += is_true(condition(p, p->spec.readiness_gates.items[i].condition_type));
    buf_printf(c->b, "%u/%u", n, p->spec.readiness_gates.len);
}

const struct cell_row table_cells_pod[] = {
    { STR_INIT("pod_ready"), pod_ready },
    { STR_INIT("pod_status"), pod_status },
    { STR_INIT("pod_restarts"), pod_restarts },
    { STR_INIT("pod_ip"), pod_ip },
    { STR_INIT("pod_readiness_gates"), pod_readiness_gates },
    { { 0 }, NULL },
};
