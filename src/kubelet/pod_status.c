/* The status of a Pod out of what the runtime, the prober and the slots say. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "base/buf.h"
#include "base/clock.h"
#include "client/api_object.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/resize/pod_resize.h"
#include "kubelet/volume/volume_manager.h"

enum {
    TERMINATION_MESSAGE_BYTES = 4096,
    LOG_TAIL_BYTES = 2048,
    LOG_TAIL_LINES = 80,
    LOG_RAW_BYTES = 16384, /* of the file, with each line's time */
};

struct maker {
    struct arena *arena;
    struct pod_worker *worker;
    const struct core_v1_pod *pod;
    const struct core_v1_pod_status *told; /* what the API has */
    const struct plan *plan;
    int64_t now_s;
    struct core_v1_pod_status *status;
};

/* --- what the plan asks --- */

void pod_status_plan_input(struct arena *a, struct pod_worker *w, struct plan_input *ret)
{
    const struct pod_container *cs;
    size_t n = pod_containers(a, pod_worker_spec(w), &cs);
    struct plan_container *out = ARENA_NEW_ARRAY(a, struct plan_container, n);

    for (size_t i = 0; i < n; i++) {
        const struct runtime_container_status *c = pod_worker_latest(w, cs[i].spec->name);
        const struct pod_slot *s = pod_worker_slot(w, cs[i].spec->name);

        out[i] = (struct plan_container){ .c = cs[i],
                                          .exists = c != NULL,
                                          .is_being_killed = s->kill != NULL,
                                          .restart_at_ms = s->restart_at_ms };
        if (!c)
            continue;
        out[i].state = c->state;
        out[i].exit_code = c->exit_code;
        out[i].is_started = !s->probed_id || prober_is_started(w->k->prober, c->id);
        out[i].is_unhealthy = s->probed_id && prober_is_failed(w->k->prober, c->id);
        out[i].must_restart = s->must_restart;
        out[i].is_changed = c->image.len && !str_eq(c->image, cs[i].spec->image);
    }
    *ret = (struct plan_input){ .restart_policy = pod_worker_spec(w)->spec.restart_policy,
                                .containers = out,
                                .n = n,
                                .has_sandbox = w->sandbox_id != NULL,
                                .is_sandbox_ready = w->is_sandbox_ready,
                                .is_deadline_over = w->is_deadline_over,
                                .is_final = w->is_final,
                                .now_ms = loop_now_ms(w->k->loop) };
}

/* --- one container --- */

/* The last n lines. */
static struct str last_lines(struct str text, int n)
{
    size_t at = text.len && text.p[text.len - 1] == '\n' ? text.len - 1 : text.len;

    while (at > 0 && !(text.p[at - 1] == '\n' && --n == 0))
        at--;
    return str_tail(text, at);
}

/* The text of CRI log lines: "TIME stream F text"; P instead of F: the line goes on, or never
 * ended. Of the first one is_cut says whether it is text already, the end of a long line. */
static struct str log_text(struct arena *a, struct str raw, bool is_cut)
{
    struct str rest = raw, line, tag;
    struct buf b;

    buf_init_arena(&b, a, raw.len + 1);
    while (str_next(&rest, '\n', &line)) {
        int n = 0;

        if (is_cut) {
            buf_append_str(&b, line);
            buf_append_char(&b, '\n');
            is_cut = false;
            continue;
        }
        while (n < 3 && str_cut(line, ' ', &tag, &line))
            n++;
        if (n < 3)
            continue;
        buf_append_str(&b, line);
        if (!str_has_prefix(tag, STR("P")))
            buf_append_char(&b, '\n');
    }
    return buf_str(&b);
}

static struct str read_tail(struct arena *a, const char *path, size_t max)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char *p = arena_alloc(a, max, 1);
    struct stat st;
    ssize_t n = 0;

    if (fd < 0)
        return STR_NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = pread(fd, p, max, MAX(st.st_size - (off_t)max, (off_t)0));
    (void)close(fd);
    return n > 0 ? str_n(p, (size_t)n) : STR_NULL;
}

static struct str termination_message(const struct maker *m, const struct core_v1_container *spec,
                                      const struct runtime_container_status *c)
{
    struct str text =
        read_tail(m->arena,
                  volume_manager_termination_log(m->arena, m->worker->k->volumes, m->worker->uid,
                                                 spec->name, c->attempt)
                      .p,
                  TERMINATION_MESSAGE_BYTES);
    struct str raw, lines;

    if (text.len || c->exit_code == 0 ||
        !str_eq(spec->termination_message_policy, STR("FallbackToLogsOnError")))
        return text;
    raw = read_tail(m->arena, str_cstr(m->arena, c->log_path), LOG_RAW_BYTES);
    lines = last_lines(raw, LOG_TAIL_LINES);
    text = log_text(m->arena, lines, lines.p == raw.p && raw.len == LOG_RAW_BYTES);
    return text.len > LOG_TAIL_BYTES ? str_tail(text, text.len - LOG_TAIL_BYTES) : text;
}

static struct ktime time_of(int64_t ns)
{
    return (struct ktime){ .sec = ns / 1000000000, .set = ns != 0 };
}

static struct str container_id(const struct maker *m, struct str id)
{
    return arena_printf(m->arena, "pintle://%.*s", STR_ARG(id));
}

static struct core_v1_container_state_terminated *
terminated(const struct maker *m, const struct core_v1_container *spec,
           const struct runtime_container_status *c)
{
    struct core_v1_container_state_terminated *t =
        ARENA_NEW(m->arena, struct core_v1_container_state_terminated);

    t->exit_code = c->exit_code;
    t->reason = c->reason.len ? c->reason : c->exit_code ? STR("Error") : STR("Completed");
    t->started_at = time_of(c->started_at_ns);
    t->finished_at = time_of(c->finished_at_ns);
    t->container_id = container_id(m, c->id);
    t->message = c->message;
    if (!t->message.len)
        t->message = termination_message(m, spec, c);
    return t;
}

static struct core_v1_container_state_waiting *waiting(const struct maker *m, struct str reason,
                                                       struct str message)
{
    struct core_v1_container_state_waiting *w =
        ARENA_NEW(m->arena, struct core_v1_container_state_waiting);

    w->reason = reason;
    w->message = message;
    return w;
}

static struct core_v1_container_state_waiting *back_off(const struct maker *m,
                                                        const struct pod_slot *s)
{
    const struct pod_worker *w = m->worker;

    return waiting(
        m, STR("CrashLoopBackOff"),
        arena_printf(m->arena, "back-off %llds restarting failed container=%s pod=%.*s_%.*s(%.*s)",
                     (long long)s->backoff_ms / 1000, s->name, STR_ARG(w->pod->meta->name),
                     STR_ARG(w->pod->meta->namespace), STR_ARG(w->uid)));
}

/* Is it going to run again? Then it waits, and how it ended is the last state. */
static bool will_restart(const struct maker *m, const struct pod_container *c,
                         const struct runtime_container_status *status)
{
    struct plan_container p = { .c = *c, .exit_code = status->exit_code };

    return m->worker->phase == POD_RUNS && !m->plan->is_over &&
           pod_plan_restarts(m->pod->spec.restart_policy, &p);
}

static struct core_v1_container_state_terminated *never_ran(const struct maker *m, struct str id)
{
    struct core_v1_container_state_terminated *t =
        ARENA_NEW(m->arena, struct core_v1_container_state_terminated);

    t->exit_code = 137;
    t->reason = STR("ContainerStatusUnknown");
    t->message = STR("The container could not be located when the pod was terminated");
    t->container_id = id;
    return t;
}

static const struct core_v1_container_status *told_status(const struct maker *m,
                                                          const struct pod_container *c)
{
    const struct core_v1_container_status *lists[] = {
        [POD_CONTAINER_INIT] = m->told->init_container_statuses.items,
        [POD_CONTAINER_SIDECAR] = m->told->init_container_statuses.items,
        [POD_CONTAINER_MAIN] = m->told->container_statuses.items,
        [POD_CONTAINER_EPHEMERAL] = m->told->ephemeral_container_statuses.items,
    };
    const uint32_t lens[] = {
        [POD_CONTAINER_INIT] = m->told->init_container_statuses.len,
        [POD_CONTAINER_SIDECAR] = m->told->init_container_statuses.len,
        [POD_CONTAINER_MAIN] = m->told->container_statuses.len,
        [POD_CONTAINER_EPHEMERAL] = m->told->ephemeral_container_statuses.len,
    };

    for (uint32_t i = 0; i < lens[c->kind]; i++)
        if (str_eq(lists[c->kind][i].name, c->spec->name))
            return &lists[c->kind][i];
    return NULL;
}

/* What it ended with, as far as anybody knows: the runtime knows nothing of it any more. */
static struct core_v1_container_state_terminated *
lost_end(const struct maker *m, const struct pod_container *c,
         const struct core_v1_container_status *told)
{
    const struct runtime_container_status *lost = pod_worker_lost_run(m->worker, c->spec->name);

    if (lost && lost->attempt >= (uint32_t)MAX(told->restart_count, 0))
        return terminated(m, c->spec, lost);
    return told->state.terminated ? told->state.terminated : never_ran(m, told->container_id);
}

/* How the run before that one has ended; NULL: it is the first. What the runtime has forgotten, the
 * API may still know. */
static struct core_v1_container_state_terminated *
end_before(const struct maker *m, const struct pod_container *c,
           const struct runtime_container_status *status)
{
    const struct runtime_container_status *before = pod_worker_run_before(m->worker, status);
    const struct core_v1_container_status *told = told_status(m, c);

    if (before)
        return terminated(m, c->spec, before);
    if (!told || (uint32_t)MAX(told->restart_count, 0) > status->attempt)
        return NULL;
    if ((uint32_t)told->restart_count == status->attempt || !told->container_id.len)
        return told->last_state.terminated;
    return lost_end(m, c, told);
}

static void set_ended(const struct maker *m, const struct pod_container *c,
                      const struct runtime_container_status *status, struct pod_slot *s,
                      struct core_v1_container_status *ret)
{
    struct core_v1_container_state_terminated *t = terminated(m, c->spec, status);

    if (!will_restart(m, c, status)) {
        ret->state.terminated = t;
        ret->last_state.terminated = end_before(m, c, status);
        return;
    }
    if (s->waiting_reason)
        ret->state.waiting =
            waiting(m, str_from_cstr(s->waiting_reason), str_from_cstr(s->waiting_message));
    else if (s->restart_at_ms > loop_now_ms(m->worker->k->loop))
        ret->state.waiting = back_off(m, s);
    else
        ret->state.terminated = t;
    if (ret->state.waiting)
        ret->last_state.terminated = t;
}

/* Init containers are done with, or were at some time. */
static bool has_got_past_init(const struct maker *m)
{
    const struct core_v1_pod_spec *spec = &m->pod->spec;
    const struct core_v1_container *last;
    const struct runtime_container_status *c;

    for (uint32_t i = 0; i < spec->containers.len; i++)
        if (pod_worker_latest(m->worker, spec->containers.items[i].name))
            return true;
    for (uint32_t i = 0; i < m->told->container_statuses.len; i++)
        if (m->told->container_statuses.items[i].container_id.len)
            return true;
    if (!spec->init_containers.len)
        return true;
    last = &spec->init_containers.items[spec->init_containers.len - 1];
    c = pod_worker_latest(m->worker, last->name);
    return c && (str_eq(last->restart_policy, STR("Always")) ||
                 (c->state == RUNTIME_CONTAINER_IS_EXITED && c->exit_code == 0));
}

/* Did its turn come? Of a Pod that ends while its init containers run, what stands behind them
 * never began, and is not said to have ended. */
static bool was_due(const struct maker *m, const struct pod_container *c)
{
    return has_got_past_init(m) || c->spec == &m->pod->spec.init_containers.items[0];
}

/* status: of the run that is being made; NULL: there is none yet. */
static void set_not_there(const struct maker *m, const struct pod_container *c, struct pod_slot *s,
                          const struct runtime_container_status *status,
                          struct core_v1_container_status *ret)
{
    bool is_main = c->kind == POD_CONTAINER_MAIN || c->kind == POD_CONTAINER_EPHEMERAL;

    ret->restart_count = (int32_t)(status ? status->attempt : s->attempt);
    if (status)
        ret->last_state.terminated = end_before(m, c, status);
    if (m->worker->phase != POD_RUNS && m->plan->is_over && was_due(m, c)) { /* it will never be */
        ret->state.terminated = never_ran(m, STR_NULL);
        return;
    }
    if (s->waiting_reason)
        ret->state.waiting =
            waiting(m, str_from_cstr(s->waiting_reason), str_from_cstr(s->waiting_message));
    else
        ret->state.waiting = waiting(m,
                                     is_main && m->pod->spec.init_containers.len &&
                                             (!m->plan->is_initialized || !was_due(m, c))
                                         ? STR("PodInitializing")
                                     : is_main || m->plan->is_initialized ? STR("ContainerCreating")
                                                                          : STR("PodInitializing"),
                                     STR_NULL);
}

/* A container that the API knows of and the runtime does not: a reboot, a sandbox that was made
 * anew, or a Pod that has ended long ago. True: that is its status. */
static bool set_lost(const struct maker *m, const struct pod_container *c,
                     struct core_v1_container_status *ret)
{
    const struct core_v1_container_status *told = told_status(m, c);
    struct core_v1_container_state_terminated *end;

    if (!told)
        return false;
    if (!told->container_id.len || (!told->state.terminated && !told->state.running)) {
        ret->last_state.terminated = told->last_state.terminated; /* it has yet to come again */
        return false;
    }
    end = lost_end(m, c, told);
    if (m->worker->phase == POD_RUNS && !m->worker->is_final && !m->plan->is_over) {
        ret->last_state.terminated = end;
        return false;
    }
    *ret = *told;
    ret->ready = c->kind == POD_CONTAINER_INIT && end->exit_code == 0;
    ret->state.running = NULL;
    ret->state.terminated = end;
    return true;
}

static bool *bool_of(struct arena *a, bool b)
{
    bool *p = ARENA_NEW(a, bool);

    *p = b;
    return p;
}

/* What the run has, which a resize may be about to change. */
static void set_resources(const struct maker *m, const struct pod_slot *s,
                          struct core_v1_container_status *ret)
{
    ret->resources = pod_resize_parse(m->arena, str_from_cstr(s->resources));
    if (!ret->resources)
        return;
    ret->allocated_resources.items = ret->resources->requests.items;
    ret->allocated_resources.len = ret->resources->requests.len;
}

/* Who the first process began as. */
static void set_user(const struct maker *m, const struct runtime_container_status *c,
                     struct core_v1_container_status *ret)
{
    struct core_v1_linux_container_user *u;
    struct str rest = c->groups, part;
    size_t max = 1;
    uint64_t n;

    if (!rest.len)
        return;
    for (size_t i = 0; i < rest.len; i++)
        max += rest.p[i] == ',';
    u = ARENA_NEW(m->arena, struct core_v1_linux_container_user);
    u->uid = c->user;
    u->supplemental_groups.items = ARENA_NEW_ARRAY(m->arena, int64_t, max);
    while (str_next(&rest, ',', &part))
        if (str_to_u64(part, &n))
            u->supplemental_groups.items[u->supplemental_groups.len++] = (int64_t)n;
    u->gid = u->supplemental_groups.len ? u->supplemental_groups.items[0] : 0;
    ret->user = ARENA_NEW(m->arena, struct core_v1_container_user);
    ret->user->linux_ = u;
}

static void make_container(const struct maker *m, const struct pod_container *c,
                           struct core_v1_container_status *ret)
{
    struct pod_worker *w = m->worker;
    struct pod_slot *s = pod_worker_slot(w, c->spec->name);
    const struct runtime_container_status *status = pod_worker_latest(w, c->spec->name);
    bool is_running = status && status->state == RUNTIME_CONTAINER_IS_RUNNING;

    ret->name = c->spec->name;
    ret->image = status && status->image.len ? status->image : c->spec->image;
    ret->image_id = status ? status->image_ref : STR("");
    if (status)
        set_user(m, status, ret);
    ret->started = bool_of(m->arena, is_running && s->probed_id != NULL
                                         ? prober_is_started(w->k->prober, status->id)
                                         : is_running && !c->spec->startup_probe);
    s->is_told = true;
    if (!status && set_lost(m, c, ret))
        return;
    /* It has not started before its postStart hook has ended. */
    if (!status || status->state == RUNTIME_CONTAINER_IS_CREATED ||
        (is_running && w->start && str_eq(pod_start_name(w->start), c->spec->name))) {
        set_not_there(m, c, s, status, ret);
        return;
    }
    set_resources(m, s, ret);
    ret->container_id = container_id(m, status->id);
    ret->restart_count = (int32_t)status->attempt;
    if (!is_running) {
        set_ended(m, c, status, s, ret);
        ret->ready = c->kind == POD_CONTAINER_INIT && status->exit_code == 0;
        return;
    }
    ret->state.running = ARENA_NEW(m->arena, struct core_v1_container_state_running);
    ret->state.running->started_at = time_of(status->started_at_ns);
    ret->ready = !c->spec->readiness_probe && !c->spec->startup_probe
                     ? true
                     : s->probed_id && prober_is_ready(w->k->prober, status->id);
    ret->last_state.terminated = end_before(m, c, status);
}

/* --- the whole --- */

static void make_containers(const struct maker *m, const struct pod_container *cs, size_t n)
{
    struct core_v1_container_status *all =
        ARENA_NEW_ARRAY(m->arena, struct core_v1_container_status, n);
    size_t inits = m->pod->spec.init_containers.len, mains = m->pod->spec.containers.len;

    for (size_t i = 0; i < n; i++)
        make_container(m, &cs[i], &all[i]);
    m->status->init_container_statuses.items = inits ? all : NULL;
    m->status->init_container_statuses.len = (uint32_t)inits;
    m->status->container_statuses.items = all + inits;
    m->status->container_statuses.len = (uint32_t)mains;
    m->status->ephemeral_container_statuses.items = n > inits + mains ? all + inits + mains : NULL;
    m->status->ephemeral_container_statuses.len = (uint32_t)(n - inits - mains);
}

/* Init containers are over once a main one has run. */
static bool is_initialized(const struct maker *m)
{
    for (uint32_t i = 0; i < m->status->container_statuses.len; i++)
        if (m->status->container_statuses.items[i].container_id.len)
            return true;
    return m->plan->is_initialized;
}

static struct str phase_of(const struct maker *m)
{
    const struct pod_worker *w = m->worker;
    uint32_t waiting_n = 0, failed = 0;

    for (uint32_t i = 0; i < m->status->container_statuses.len; i++) {
        const struct core_v1_container_status *c = &m->status->container_statuses.items[i];

        waiting_n += c->state.waiting && !c->last_state.terminated;
        failed += c->state.terminated && c->state.terminated->exit_code != 0;
        if (m->plan->is_over && c->state.waiting)
            failed++;
    }
    if (w->final_reason)
        return STR("Failed");
    if (w->is_final || m->plan->is_over) {
        for (uint32_t i = 0; i < m->status->init_container_statuses.len; i++) {
            const struct core_v1_container_status *c = &m->status->init_container_statuses.items[i];

            failed += c->state.terminated && c->state.terminated->exit_code != 0 &&
                      !str_eq(m->pod->spec.init_containers.items[i].restart_policy, STR("Always"));
        }
        return failed ? STR("Failed") : STR("Succeeded");
    }
    return waiting_n || !is_initialized(m) ? STR("Pending") : STR("Running");
}

static const struct core_v1_pod_condition *old_condition(const struct maker *m, struct str type)
{
    for (uint32_t i = 0; i < m->told->conditions.len; i++)
        if (str_eq(m->told->conditions.items[i].type, type))
            return &m->told->conditions.items[i];
    return NULL;
}

static void add_condition(const struct maker *m, struct str type, bool is_true, struct str reason,
                          struct str message)
{
    const struct core_v1_pod_condition *old = old_condition(m, type);
    struct core_v1_pod_condition *c = &m->status->conditions.items[m->status->conditions.len++];
    struct str status = is_true ? STR("True") : STR("False");

    *c = (struct core_v1_pod_condition){ .type = type,
                                         .status = status,
                                         .observed_generation = m->pod->metadata.generation,
                                         .reason = is_true ? STR_NULL : reason,
                                         .message = is_true ? STR_NULL : message };
    if (old && str_eq(old->status, status) && old->last_transition_time.set)
        c->last_transition_time = old->last_transition_time;
    else
        c->last_transition_time = (struct ktime){ .sec = m->now_s, .set = true };
}

/* "[a b]" of containers that are not ready; unset: all are. */
static struct str unready(const struct maker *m)
{
    struct buf b;

    buf_init_arena(&b, m->arena, 64);
    for (uint32_t i = 0; i < m->status->container_statuses.len; i++) {
        const struct core_v1_container_status *c = &m->status->container_statuses.items[i];

        if (!c->ready)
            buf_printf(&b, "%s%.*s", b.len ? " " : "", STR_ARG(c->name));
    }
    return b.len ? arena_printf(m->arena, "containers with unready status: [%.*s]",
                                STR_ARG(buf_str(&b)))
                 : STR_NULL;
}

/* Of init containers that have not done their part, as upstream names them. */
static struct str incomplete(const struct maker *m)
{
    struct buf b;

    buf_init_arena(&b, m->arena, 64);
    for (uint32_t i = 0; i < m->status->init_container_statuses.len; i++) {
        const struct core_v1_container_status *c = &m->status->init_container_statuses.items[i];

        if (!c->ready)
            buf_printf(&b, "%s%.*s", b.len ? " " : "", STR_ARG(c->name));
    }
    return arena_printf(m->arena, "containers with incomplete status: [%.*s]",
                        STR_ARG(buf_str(&b)));
}

static struct str closed_gate(const struct maker *m)
{
    for (uint32_t i = 0; i < m->pod->spec.readiness_gates.len; i++) {
        struct str type = m->pod->spec.readiness_gates.items[i].condition_type;
        const struct core_v1_pod_condition *c = old_condition(m, type);

        if (!c)
            return arena_printf(m->arena,
                                "corresponding condition of pod readiness gate \"%.*s\" does not "
                                "exist.",
                                STR_ARG(type));
        if (!str_eq(c->status, STR("True")))
            return arena_printf(m->arena,
                                "the status of pod readiness gate \"%.*s\" is not "
                                "\"True\", but %.*s",
                                STR_ARG(type), STR_ARG(c->status));
    }
    return STR_NULL;
}

/* There only while a resize is waited for, or goes on. */
static void add_resize(const struct maker *m)
{
    const struct pod_worker *w = m->worker;
    struct str reason = str_from_cstr(w->resize_reason);
    bool is_error = str_eq(reason, STR("Error"));
    struct core_v1_pod_condition *c;

    if (!w->is_resizing || w->phase != POD_RUNS)
        return;
    add_condition(m, reason.len && !is_error ? STR("PodResizePending") : STR("PodResizeInProgress"),
                  true, STR_NULL, STR_NULL);
    c = &m->status->conditions.items[m->status->conditions.len - 1];
    c->reason = reason;
    c->message = str_from_cstr(w->resize_message);
}

static void make_conditions(const struct maker *m)
{
    struct str phase = m->status->phase, missing = unready(m), gate = closed_gate(m);
    bool is_over = str_eq(phase, STR("Succeeded")) || str_eq(phase, STR("Failed"));
    struct str reason = is_over ? STR("PodCompleted") : STR("ContainersNotReady");

    if (str_eq(phase, STR("Failed")))
        reason = STR("PodFailed");
    m->status->conditions.items = ARENA_NEW_ARRAY(m->arena, struct core_v1_pod_condition, 8);
    add_condition(m, STR("PodReadyToStartContainers"), m->worker->is_sandbox_ready, STR_NULL,
                  STR_NULL);
    add_condition(m, STR("Initialized"), is_initialized(m), STR("ContainersNotInitialized"),
                  incomplete(m));
    add_condition(m, STR("Ready"), !is_over && !missing.p && !gate.p && m->plan->is_initialized,
                  missing.p || is_over ? reason : STR("ReadinessGatesNotReady"),
                  missing.p ? missing : gate);
    add_condition(m, STR("ContainersReady"), !is_over && !missing.p && m->plan->is_initialized,
                  reason, missing);
    add_condition(m, STR("PodScheduled"), true, STR_NULL, STR_NULL);
    add_resize(m);
}

static void make_addresses(const struct maker *m)
{
    const struct pod_node *node = &m->worker->k->node;
    struct runtime_strs ips = pod_worker_ips(m->worker);
    struct core_v1_pod_status *s = m->status;

    s->host_ip = node->host_ip;
    s->host_ips.items = ARENA_NEW_ARRAY(m->arena, struct core_v1_host_ip, node->host_ips.len);
    s->host_ips.len = (uint32_t)node->host_ips.len;
    for (size_t i = 0; i < node->host_ips.len; i++)
        s->host_ips.items[i].ip = node->host_ips.items[i];
    if (!ips.len || !m->worker->sandbox_id)
        return;
    s->pod_ip = ips.items[0];
    s->pod_ips.items = ARENA_NEW_ARRAY(m->arena, struct core_v1_pod_ip, ips.len);
    s->pod_ips.len = (uint32_t)ips.len;
    for (size_t i = 0; i < ips.len; i++)
        s->pod_ips.items[i].ip = ips.items[i];
}

/* --- as a patch --- */

static void put_time(struct buf *b, const char *name, struct ktime t)
{
    buf_printf(b, "\"%s\":", name);
    if (!t.set) {
        buf_append_lit(b, "null");
        return;
    }
    buf_append_char(b, '"');
    time_text_print(b, t.sec);
    buf_append_char(b, '"');
}

static void put_or_null(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "\"%s\":", name);
    if (value.len)
        json_write_string(b, value);
    else
        buf_append_lit(b, "null");
}

static bool has_condition(const struct core_v1_pod_status *s, struct str kind)
{
    for (uint32_t i = 0; i < s->conditions.len; i++)
        if (str_eq(s->conditions.items[i].type, kind))
            return true;
    return false;
}

/* Merged by type, so that what an old one said must be taken back. */
static void put_conditions(struct buf *b, const struct core_v1_pod_status *s,
                           const struct core_v1_pod_status *told)
{
    buf_append_lit(b, "\"conditions\":[");
    for (uint32_t i = 0; i < s->conditions.len; i++) {
        const struct core_v1_pod_condition *c = &s->conditions.items[i];

        buf_printf(b, "%s{\"type\":\"%.*s\",\"status\":\"%.*s\",\"observedGeneration\":%lld,",
                   i ? "," : "", STR_ARG(c->type), STR_ARG(c->status),
                   (long long)c->observed_generation);
        put_time(b, "lastTransitionTime", c->last_transition_time);
        buf_append_char(b, ',');
        put_or_null(b, "reason", c->reason);
        buf_append_char(b, ',');
        put_or_null(b, "message", c->message);
        buf_append_char(b, '}');
    }
    for (uint32_t i = 0; i < told->conditions.len; i++)
        if (str_has_prefix(told->conditions.items[i].type, STR("PodResize")) &&
            !has_condition(s, told->conditions.items[i].type))
            buf_printf(b, ",{\"$patch\":\"delete\",\"type\":\"%.*s\"}",
                       STR_ARG(told->conditions.items[i].type));
    buf_append_lit(b, "],");
}

static bool has_ip(const struct core_v1_pod_status *s, struct str ip)
{
    for (uint32_t i = 0; i < s->pod_ips.len; i++)
        if (str_eq(s->pod_ips.items[i].ip, ip))
            return true;
    return false;
}

/* Merged by address: those of an earlier sandbox go. */
static void put_ips(struct buf *b, const struct core_v1_pod_status *s,
                    const struct core_v1_pod_status *told)
{
    buf_append_lit(b, "\"podIPs\":[");
    for (uint32_t i = 0; i < s->pod_ips.len; i++) {
        buf_printf(b, "%s{\"ip\":", i ? "," : "");
        json_write_string(b, s->pod_ips.items[i].ip);
        buf_append_char(b, '}');
    }
    for (uint32_t i = 0; i < told->pod_ips.len; i++) {
        if (has_ip(s, told->pod_ips.items[i].ip))
            continue;
        buf_printf(b, "%s{\"$patch\":\"delete\",\"ip\":", b->p[b->len - 1] == '[' ? "" : ",");
        json_write_string(b, told->pod_ips.items[i].ip);
        buf_append_char(b, '}');
    }
    buf_append_lit(b, "],");
}

/* What a merge cannot take away by leaving it out is said to be null. */
static void put_by_hand(struct buf *b, struct core_v1_pod_status *s,
                        const struct core_v1_pod_status *told)
{
    if (!s->reason.len)
        buf_append_lit(b, "\"reason\":null,");
    if (!s->message.len)
        buf_append_lit(b, "\"message\":null,");
    if (!s->pod_ip.len)
        buf_append_lit(b, "\"podIP\":null,");
    put_conditions(b, s, told);
    put_ips(b, s, told);
    s->conditions.len = 0;
    s->pod_ips.len = 0;
}

static bool any_runs(const struct pod_worker *w)
{
    for (size_t i = 0; i < w->n_statuses; i++)
        if (w->statuses[i].state == RUNTIME_CONTAINER_IS_RUNNING)
            return true;
    return false;
}

static bool is_rejected(const struct pod_worker *w)
{
    return w->final_reason && !w->sandbox_attempt && !w->is_deadline_over;
}

/* A Pod has ended when nothing of it runs any more; until then it is what it was. */
static void set_phase(const struct maker *m)
{
    const struct pod_worker *w = m->worker;
    struct str phase = phase_of(m);
    bool has_ended = str_eq(phase, STR("Succeeded")) || str_eq(phase, STR("Failed"));

    if (has_ended && any_runs(w)) {
        m->status->phase = m->told->phase.len ? m->told->phase : STR("Running");
        m->status->reason = m->told->reason;
        m->status->message = m->told->message;
        return;
    }
    m->status->phase = phase;
    m->status->reason = str_from_cstr(w->final_reason);
    m->status->message = str_from_cstr(w->final_message);
}

struct str pod_status_patch(struct arena *a, struct pod_worker *w, const struct plan *plan)
{
    static const struct core_v1_pod_status nothing = { 0 };
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("PodStatus"));
    const struct api_object *shown = pod_worker_shown(w);
    struct object o = object_new(a, &schema_builtin, t);
    struct maker m = { .arena = a,
                       .worker = w,
                       .pod = pod_worker_spec(w),
                       .told = shown ? &API_OBJECT(shown, struct core_v1_pod)->status : &nothing,
                       .plan = plan,
                       .now_s = clock_wall_s(loop_clock(w->k->loop)),
                       .status = o.data };
    const struct pod_container *cs;
    size_t n = pod_containers(a, m.pod, &cs);
    struct buf b;
    size_t at;

    if (!is_rejected(w)) /* such a Pod has none */
        make_containers(&m, cs, n);
    set_phase(&m);
    make_conditions(&m);
    make_addresses(&m);
    m.status->qos_class = pod_qos_name(pod_qos_of(m.pod));
    m.status->start_time = (struct ktime){ .sec = w->started_s, .set = true };
    m.status->observed_generation = m.pod->metadata.generation;
    buf_init_arena(&b, a, 2048);
    buf_append_lit(&b, "{\"metadata\":{\"uid\":");
    json_write_string(&b, shown ? shown->meta->uid : w->uid);
    buf_append_lit(&b, "},\"status\":{");
    put_by_hand(&b, m.status, m.told);
    at = b.len;
    object_json_encode(&b, o, NULL);
    memmove(b.p + at, b.p + at + 1, b.len - at - 1); /* its brace is ours */
    b.len--;
    buf_append_char(&b, '}');
    return buf_str(&b);
}
