/* A Pod's life on this node. The worker is woken by whatever may matter, looks at all there is,
 * lets pod_plan() decide, and does one thing of that; what it began wakes it again. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/event_recorder.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/manifest/mirror_pods.h"
#include "kubelet/stats/kubelet_metrics.h"
#include "kubelet/volume/volume_manager.h"
#include "runtime/cgroup.h"
#include "runtime/runtime_files.h"

enum {
    DEFAULT_GRACE_MS = 30000,
    VOLUME_RETRY_MS = 1000,
    VOLUME_RETRY_MAX_MS = 122000,
    CLEAN_RETRY_MS = 200,
    MIN_GRACE_MS = 2000,
};

const struct core_v1_pod *pod_worker_spec(const struct pod_worker *w)
{
    return API_OBJECT(w->pod, struct core_v1_pod);
}

struct runtime_strs pod_worker_ips(const struct pod_worker *w)
{
    if (pod_worker_spec(w)->spec.host_network)
        return w->k->node.host_ips;
    return (struct runtime_strs){ w->ips, w->n_ips };
}

/* The list of the spec that a container stands in. */
static const char *list_of(const struct pod_worker *w, struct str container)
{
    static const char *const lists[] = { [POD_CONTAINER_INIT] = "initContainers",
                                         [POD_CONTAINER_SIDECAR] = "initContainers",
                                         [POD_CONTAINER_MAIN] = "containers",
                                         [POD_CONTAINER_EPHEMERAL] = "ephemeralContainers" };
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct pod_container *cs;
    size_t n = pod_containers(&a, pod_worker_spec(w), &cs);

    for (size_t i = 0; i < n; i++)
        if (str_eq(cs[i].spec->name, container))
            return lists[cs[i].kind];
    return "containers";
}

void pod_worker_event(struct pod_worker *w, struct str container, const char *type,
                      const char *reason, const char *fmt, ...)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct event_reference about = event_reference_of(w->pod);
    struct str text;
    va_list ap;

    va_start(ap, fmt);
    text = arena_vprintf(&a, fmt, ap);
    va_end(ap);
    if (container.len)
        about.field_path =
            arena_printf(&a, "spec.%s{%.*s}", list_of(w, container), STR_ARG(container));
    event_recorder_event(w->k->events, &about, type, str_from_cstr(reason), "%.*s", STR_ARG(text));
}

void pod_worker_fail(struct pod_worker *w, const char *reason, struct str message)
{
    w->is_final = true;
    mem_free(w->final_reason);
    mem_free(w->final_message);
    w->final_reason = str_heap_cstr(str_from_cstr(reason));
    w->final_message = message.len ? str_heap_cstr(message) : NULL;
    pod_worker_wake(w);
}

bool pod_worker_is_active(const struct pod_worker *w)
{
    return w->is_admitted && w->phase != POD_IS_GONE && !w->is_final;
}

/* --- slots --- */

struct pod_slot *pod_worker_slot(struct pod_worker *w, struct str name)
{
    struct pod_slot *s = map_get(&w->slots, name);

    if (s)
        return s;
    s = NEW(struct pod_slot);
    s->worker = w;
    s->name = str_heap_cstr(name);
    (void)map_put(&w->slots, name, s);
    return s;
}

void pod_slot_wait(struct pod_slot *s, const char *reason, struct str message)
{
    mem_free(s->waiting_reason);
    mem_free(s->waiting_message);
    s->is_told = false;
    s->waiting_reason = reason ? str_heap_cstr(str_from_cstr(reason)) : NULL;
    s->waiting_message = reason ? str_heap_cstr(message) : NULL;
}

static void slot_free(struct pod_slot *s)
{
    pod_kill_cancel(s->kill);
    mem_free(s->name);
    mem_free(s->waiting_reason);
    mem_free(s->waiting_message);
    mem_free(s->probed_id);
    mem_free(s->backed_off_id);
    mem_free(s->resources);
    mem_free(s);
}

const struct runtime_container_status *pod_worker_latest(const struct pod_worker *w,
                                                         struct str name)
{
    const struct runtime_container_status *best = NULL;

    for (size_t i = 0; i < w->n_statuses; i++)
        if (str_eq(w->statuses[i].name, name) && (!best || w->statuses[i].attempt >= best->attempt))
            best = &w->statuses[i];
    return best;
}

const struct runtime_container_status *
pod_worker_run_before(const struct pod_worker *w, const struct runtime_container_status *c)
{
    const struct runtime_container_status *best = pod_worker_lost_run(w, c->name);

    if (best && best->attempt >= c->attempt)
        best = NULL;
    for (size_t i = 0; i < w->n_statuses; i++)
        if (str_eq(w->statuses[i].name, c->name) && w->statuses[i].attempt < c->attempt &&
            (!best || w->statuses[i].attempt > best->attempt))
            best = &w->statuses[i];
    return best;
}

const struct runtime_container_status *pod_worker_lost_run(const struct pod_worker *w,
                                                           struct str name)
{
    for (size_t i = 0; i < w->n_lost; i++)
        if (str_eq(w->lost[i].name, name))
            return &w->lost[i];
    return NULL;
}

/* --- what the runtime says --- */

static struct str dup_map_text(struct arena *a, struct str s)
{
    return s.p ? str_dup(a, s) : s;
}

static void copy_status(struct arena *a, const struct runtime_container_status *from,
                        struct runtime_container_status *to)
{
    *to = *from;
    to->id = str_dup(a, from->id);
    to->name = str_dup(a, from->name);
    to->sandbox_id = str_dup(a, from->sandbox_id);
    to->pod_uid = str_dup(a, from->pod_uid);
    to->reason = dup_map_text(a, from->reason);
    to->message = dup_map_text(a, from->message);
    to->image = dup_map_text(a, from->image);
    to->image_ref = dup_map_text(a, from->image_ref);
    to->image_id = dup_map_text(a, from->image_id);
    to->log_path = dup_map_text(a, from->log_path);
    to->groups = dup_map_text(a, from->groups);
    to->labels = to->annotations = (struct runtime_map){ 0 };
}

void pod_worker_keep_lost(struct pod_worker *w)
{
    struct arena old = w->lost_arena;
    const struct runtime_container_status *before = w->lost;
    size_t n_before = w->n_lost;

    w->lost_arena = (struct arena){ 0 };
    w->lost =
        ARENA_NEW_ARRAY(&w->lost_arena, struct runtime_container_status, w->n_statuses + n_before);
    w->n_lost = 0;
    for (size_t i = 0; i < w->n_statuses; i++)
        if (w->statuses[i].state == RUNTIME_CONTAINER_IS_EXITED &&
            &w->statuses[i] == pod_worker_latest(w, w->statuses[i].name))
            copy_status(&w->lost_arena, &w->statuses[i], &w->lost[w->n_lost++]);
    for (size_t i = 0; i < n_before; i++)
        if (!pod_worker_lost_run(w, before[i].name))
            copy_status(&w->lost_arena, &before[i], &w->lost[w->n_lost++]);
    arena_done(&old);
}

static void on_listed(const struct runtime_result *res, void *arg)
{
    struct pod_worker *w = arg;

    w->refresh = NULL;
    if (res->code == 0) {
        arena_reset(&w->statuses_arena);
        w->statuses =
            ARENA_NEW_ARRAY(&w->statuses_arena, struct runtime_container_status, res->n_containers);
        w->n_statuses = res->n_containers;
        for (size_t i = 0; i < res->n_containers; i++)
            copy_status(&w->statuses_arena, &res->containers[i], &w->statuses[i]);
        w->is_listed = true;
    } else {
        LOG_WARNING("cannot list a Pod's containers", KV("pod", w->pod->key),
                    KV("err", str_from_cstr(res->err->text)));
    }
    if (w->is_refresh_wanted)
        pod_worker_refresh(w);
    else
        pod_worker_wake(w);
}

void pod_worker_refresh(struct pod_worker *w)
{
    const struct runtime_ops *ops = w->k->runtime->ops;

    w->is_refresh_wanted = w->refresh != NULL;
    if (w->refresh)
        return;
    if (!w->sandbox_id) {
        w->n_statuses = 0;
        w->is_listed = true;
        pod_worker_wake(w);
        return;
    }
    w->refresh = ops->list_containers(w->k->runtime, str_from_cstr(w->sandbox_id), on_listed, w);
}

void pod_worker_retry_after(struct pod_worker *w, int64_t ms)
{
    int64_t at_ms = loop_now_ms(w->k->loop) + ms;

    if (w->wake_at_ms && w->wake_at_ms <= at_ms)
        return;
    w->wake_at_ms = at_ms;
    loop_timer_start(&w->timer, ms);
}

/* --- probes --- */

static void probe_running(struct pod_worker *w, const struct pod_container *cs, size_t n)
{
    struct runtime_strs ips = pod_worker_ips(w);

    for (size_t i = 0; i < n; i++) {
        struct pod_slot *s = pod_worker_slot(w, cs[i].spec->name);
        const struct runtime_container_status *c = pod_worker_latest(w, cs[i].spec->name);

        if (!c || c->state != RUNTIME_CONTAINER_IS_RUNNING || s->probed_id || s->kill ||
            (w->start && str_eq(pod_start_name(w->start), cs[i].spec->name)))
            continue;
        s->probed_id = str_heap_cstr(c->id);
        prober_add(w->k->prober,
                   &(struct prober_target){ .pod_uid = w->uid,
                                            .pod_ip = ips.len ? ips.items[0] : STR("127.0.0.1"),
                                            .host_ip = w->k->node.host_ip,
                                            .container_id = c->id,
                                            .started_at_ns = c->started_at_ns,
                                            .pod = pod_worker_spec(w),
                                            .container = cs[i].spec });
    }
}

/* --- doing what the plan says --- */

static const struct pod_container *planned(const struct plan_input *in, const struct plan *p)
{
    return &in->containers[p->index].c;
}

int64_t pod_worker_grace_ms(const struct pod_worker *w)
{
    const int64_t *s = pod_worker_spec(w)->spec.termination_grace_period_seconds;

    return s ? *s * 1000 : DEFAULT_GRACE_MS;
}

/* Later and later; a wake-up of another cause does not count. */
static void retry_volumes(struct pod_worker *w)
{
    int64_t now_ms = loop_now_ms(w->k->loop);

    if (now_ms >= w->volume_retry_at_ms) {
        w->volume_retry_ms = w->volume_retry_ms
                                 ? MIN(w->volume_retry_ms * 2, (int64_t)VOLUME_RETRY_MAX_MS)
                                 : VOLUME_RETRY_MS;
        w->volume_retry_at_ms = now_ms + w->volume_retry_ms;
    }
    pod_worker_retry_after(w, w->volume_retry_at_ms - now_ms);
}

/* Volumes must be there before the first container and are kept fresh afterwards. */
static bool are_volumes_there(struct pod_worker *w)
{
    struct err err;
    int r = volume_manager_sync(w->k->volumes, pod_worker_spec(w), &err);

    if (r == 0) {
        mem_free(w->volume_error);
        w->volume_error = NULL;
        w->volume_retry_ms = w->volume_retry_at_ms = 0;
        return true;
    }
    if (r == ERR_AGAIN)
        return false;
    if (!w->volume_error || strcmp(w->volume_error, err.text) != 0) {
        mem_free(w->volume_error);
        w->volume_error = str_heap_cstr(str_from_cstr(err.text));
        pod_worker_event(w, STR_NULL, "Warning", "FailedMount", "%s", err.text);
    }
    if (r != ERR_NOT_FOUND) /* of which the cache tells */
        retry_volumes(w);
    return false;
}

/* What is left of the grace period; a container that is told late has a moment as well. */
static int64_t grace_left(const struct pod_worker *w)
{
    int64_t left_ms = w->grace_ms - (loop_now_ms(w->k->loop) - w->ending_since_ms);

    return w->grace_ms ? MAX(left_ms, MIN(w->grace_ms, (int64_t)MIN_GRACE_MS)) : 0;
}

static bool is_running(const struct pod_worker *w, const struct pod_container *c)
{
    const struct runtime_container_status *s = pod_worker_latest(w, c->spec->name);

    return s && s->state == RUNTIME_CONTAINER_IS_RUNNING;
}

/* All but sidecars at once; then sidecars one by one, the last that was started first. True:
 * something runs still. */
static bool kill_running(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct pod_container *cs;
    size_t n = pod_containers(&a, pod_worker_spec(w), &cs);
    bool any = false;

    if (!w->ending_since_ms)
        w->ending_since_ms = loop_now_ms(w->k->loop);
    for (size_t i = 0; i < n; i++) {
        if (cs[i].kind == POD_CONTAINER_SIDECAR || !is_running(w, &cs[i]))
            continue;
        any = true;
        pod_kill_begin(pod_worker_slot(w, cs[i].spec->name), &cs[i], grace_left(w), STR_NULL);
    }
    for (size_t i = n; i > 0 && !any; i--) {
        if (cs[i - 1].kind != POD_CONTAINER_SIDECAR || !is_running(w, &cs[i - 1]))
            continue;
        any = true;
        pod_kill_begin(pod_worker_slot(w, cs[i - 1].spec->name), &cs[i - 1], grace_left(w),
                       STR_NULL);
    }
    return any;
}

/* A probe that names a grace period of its own has it. */
static int64_t grace_for_restart(const struct pod_worker *w, const struct plan_container *c)
{
    const struct core_v1_probe *p =
        c->is_started ? c->c.spec->liveness_probe : c->c.spec->startup_probe;

    return !c->is_changed && p && p->termination_grace_period_seconds
               ? *p->termination_grace_period_seconds * 1000
               : pod_worker_grace_ms(w);
}

static void kill_for_restart(struct pod_worker *w, const struct plan_container *c)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct pod_slot *s = pod_worker_slot(w, c->c.spec->name);
    const char *why = c->is_changed   ? "definition changed"
                      : c->is_started ? "failed liveness probe"
                                      : "failed startup probe";
    struct plan_container after = *c;

    after.exit_code = 137;
    s->must_restart = c->is_changed;
    after.must_restart = c->is_changed;
    pod_kill_begin(s, &c->c, grace_for_restart(w, c),
                   arena_printf(&a, "Container %.*s %s%s", STR_ARG(c->c.spec->name), why,
                                pod_plan_restarts(pod_worker_spec(w)->spec.restart_policy, &after)
                                    ? ", will be restarted"
                                    : ""));
}

static void act(struct pod_worker *w, const struct plan_input *in, const struct plan *p)
{
    switch (p->action) {
    case PLAN_NOTHING:
        break;
    case PLAN_CREATE_SANDBOX:
        if (are_volumes_there(w))
            pod_sandbox_make(w);
        break;
    case PLAN_REMOVE_SANDBOX:
        w->grace_ms = pod_worker_grace_ms(w);
        if (kill_running(w)) /* what runs without its sandbox; how it ends is to be known */
            break;
        w->ending_since_ms = 0;
        pod_sandbox_remove(w);
        break;
    case PLAN_STOP_SANDBOX:
        w->grace_ms = pod_worker_grace_ms(w);
        if (!kill_running(w)) /* sidecars, and what a deadline cuts short */
            pod_sandbox_stop(w);
        break;
    case PLAN_START:
        if (!w->start && are_volumes_there(w))
            pod_start_begin(w, planned(in, p));
        break;
    case PLAN_KILL:
        kill_for_restart(w, &in->containers[p->index]);
        break;
    }
    if (p->again_at_ms)
        pod_worker_retry_after(w, MAX(p->again_at_ms - loop_now_ms(w->k->loop), (int64_t)1));
}

static void check_deadline(struct pod_worker *w)
{
    const int64_t *s = pod_worker_spec(w)->spec.active_deadline_seconds;
    int64_t left_ms;

    if (!s || !w->started_s || w->is_final)
        return;
    left_ms = (w->started_s + *s) * 1000 -
              loop_clock(w->k->loop)->wall_ns(loop_clock(w->k->loop)) / 1000000;
    if (left_ms > 0) {
        pod_worker_retry_after(w, left_ms);
        return;
    }
    w->is_deadline_over = true;
    pod_worker_fail(w, "DeadlineExceeded",
                    STR("Pod was active on the node longer than the specified deadline"));
    pod_worker_event(w, STR_NULL, "Normal", "DeadlineExceeded",
                     "Pod was active on the node longer than the specified deadline");
}

static void sync_running(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct pod_container *cs;
    size_t n = pod_containers(&a, pod_worker_spec(w), &cs);
    struct plan_input in;
    struct plan plan;

    kubelet_admission_check(w);
    check_deadline(w);
    pod_restart_look(w);
    probe_running(w, cs, n);
    pod_status_plan_input(&a, w, &in);
    plan = pod_plan(&in);
    w->is_final |= plan.is_over;
    if (!w->sandbox_call && !(w->start && plan.action != PLAN_KILL))
        act(w, &in, &plan);
    if (plan.action == PLAN_NOTHING && !plan.is_over)
        (void)worker_resize_step(w, cs, n);
    if (w->sandbox_id)
        (void)are_volumes_there(w); /* fresh, while it runs */
    pod_status_send(w, pod_status_patch(&a, w, &plan));
}

/* --- termination --- */

static void clean_up(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str cgroup = pod_config_cgroup(&a, &w->k->config, pod_worker_spec(w));
    struct str logs = pod_config_log_directory(&a, &w->k->config, pod_worker_spec(w));
    struct err err;

    if (w->sandbox_id) {
        pod_sandbox_remove(w);
        return;
    }
    if (cgroup_remove(cgroup, &err) < 0 ||
        volume_manager_remove_pod(w->k->volumes, w->uid, &err) < 0 ||
        runtime_files_remove(AT_FDCWD, logs.p, &err) < 0) {
        LOG_DEBUG("cannot clean up a Pod yet", KV("pod", w->pod->key),
                  KV("err", str_from_cstr(err.text)));
        pod_worker_retry_after(w, CLEAN_RETRY_MS);
        return;
    }
    w->phase = POD_IS_GONE;
    LOG_INFO("a Pod is gone", KV("pod", w->pod->key));
    if (w->is_deleted_in_api || w->is_static)
        kubelet_worker_gone(w->k, w);
    else
        pod_status_delete(w);
}

static void sync_terminating(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct plan_input in;
    struct plan plan = { .is_over = true, .is_initialized = true };

    if (w->sandbox_call)
        return;
    if (kill_running(w)) {
        if (!w->is_deleted_in_api)
            pod_status_send(w, pod_status_patch(&a, w, &(struct plan){ .is_initialized = true }));
        return;
    }
    pod_status_plan_input(&a, w, &in);
    if (!w->is_deleted_in_api)
        pod_status_send(w, pod_status_patch(&a, w, &plan));
    w->phase = POD_CLEANS_UP;
    clean_up(w);
}

static void look(struct pod_worker *w)
{
    loop_timer_stop(&w->timer);
    w->wake_at_ms = 0;
    switch (w->phase) {
    case POD_RUNS:
        sync_running(w);
        break;
    case POD_TERMINATES:
        sync_terminating(w);
        break;
    case POD_CLEANS_UP:
        if (!w->sandbox_call)
            clean_up(w);
        break;
    case POD_IS_GONE:
        break;
    }
}

static void on_wake(struct loop_task *t)
{
    struct pod_worker *w = CONTAINER_OF(t, struct pod_worker, task);
    struct kubelet_metrics *m = w->k->metrics;
    const struct clock *clock = loop_clock(w->k->loop);
    int64_t began_ns = clock->mono_ns(clock);
    struct str what = w->phase != POD_RUNS ? STR("terminate")
                      : w->sandbox_id      ? STR("sync")
                                           : STR("create");

    if (!w->is_listed || w->refresh || !w->is_adopted)
        return;
    look(w); /* may free it */
    kubelet_metrics_observe(m, KUBELET_METRIC_POD_WORKER, &what, clock->mono_ns(clock) - began_ns);
}

void pod_worker_wake(struct pod_worker *w)
{
    loop_task_post(w->k->loop, &w->task);
}

static void on_timer(struct loop_timer *t)
{
    pod_worker_wake(CONTAINER_OF(t, struct pod_worker, timer));
}

/* --- the API's word --- */

static void terminate(struct pod_worker *w)
{
    const struct meta_v1_object_meta *m = w->pod->meta;
    int64_t grace_ms = m->deletion_grace_period_seconds ? *m->deletion_grace_period_seconds * 1000
                                                        : pod_worker_grace_ms(w);

    if (w->is_deleted_in_api)
        grace_ms = MIN(grace_ms, (int64_t)1000); /* nobody waits for it any more */
    if (w->phase == POD_RUNS) {
        w->phase = POD_TERMINATES;
        w->grace_ms = grace_ms;
        w->ending_since_ms = loop_now_ms(w->k->loop);
        pod_start_cancel(TAKE(w->start));
        pod_worker_refresh(w);
    } else if (grace_ms < w->grace_ms) {
        w->grace_ms = grace_ms;
        w->ending_since_ms = loop_now_ms(w->k->loop);
        MAP_FOREACH(it, &w->slots) {
            struct pod_slot *s = it->value;

            if (s->kill)
                pod_kill_hurry(s->kill, grace_ms);
        }
    }
}

/* Another image may do what the old one could not. */
static void forget_waits(struct pod_worker *w, const struct core_v1_pod *new)
{
    MAP_FOREACH(it, &w->slots) {
        struct pod_slot *s = it->value;
        struct str name = str_from_cstr(s->name);
        const struct core_v1_container *a = pod_find_container(pod_worker_spec(w), name),
                                       *b = pod_find_container(new, name);

        if (!s->waiting_reason || !a || !b || str_eq(a->image, b->image))
            continue;
        s->restart_at_ms = s->pull_backoff_ms = 0;
    }
}

void pod_worker_update(struct pod_worker *w, const struct api_object *pod)
{
    if (!pod) {
        w->is_deleted_in_api = true;
        pod_status_stop(w);
        terminate(w);
        if (w->phase == POD_IS_GONE)
            kubelet_worker_gone(w->k, w);
        else
            pod_worker_wake(w);
        return;
    }
    forget_waits(w, API_OBJECT(pod, struct core_v1_pod));
    api_object_unref(w->pod);
    w->pod = api_object_ref(pod);
    pod_env_retain(&w->k->env_sources, pod_worker_spec(w)); /* ephemeral containers come late */
    if (pod->meta->deletion_timestamp.set)
        terminate(w);
    pod_worker_wake(w);
}

void pod_worker_end(struct pod_worker *w)
{
    terminate(w);
    pod_worker_wake(w);
}

const struct api_object *pod_worker_shown(const struct pod_worker *w)
{
    return w->is_static ? mirror_pods_find(w->k->mirrors, w->pod) : w->pod;
}

/* --- life --- */

/* What an earlier kubelet has told: counts of restarts, when it began, how it ended. */
static void take_over_status(struct pod_worker *w)
{
    const struct core_v1_pod_status *s = &pod_worker_spec(w)->status;
    const struct core_v1_container_status *lists[] = { s->container_statuses.items,
                                                       s->init_container_statuses.items };
    uint32_t lens[] = { s->container_statuses.len, s->init_container_statuses.len };

    w->started_s = s->start_time.set ? s->start_time.sec : 0;
    w->is_final = str_eq(s->phase, STR("Succeeded")) || str_eq(s->phase, STR("Failed"));
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (uint32_t i = 0; i < lens[k]; i++) {
            const struct core_v1_container_status *c = &lists[k][i];
            bool has_run = c->container_id.len != 0;

            pod_worker_slot(w, c->name)->attempt =
                (uint32_t)MAX(c->restart_count, 0) + (has_run ? 1 : 0);
        }
}

struct pod_worker *pod_worker_new(struct kubelet *k, const struct api_object *pod, bool is_static)
{
    struct pod_worker *w = NEW(struct pod_worker);
    const struct core_v1_pod *spec = API_OBJECT(pod, struct core_v1_pod);

    w->k = k;
    w->seen_at_ms = loop_now_ms(k->loop);
    w->is_start_told = spec->status.start_time.set; /* it began with an earlier kubelet */
    w->is_static = is_static;
    w->is_adopted = k->is_runtime_listed; /* else a list of sandboxes is to come */
    w->uid_text = str_heap_cstr(pod->meta->uid);
    w->uid = str_from_cstr(w->uid_text);
    w->pod = api_object_ref(pod);
    loop_task_init(&w->task, on_wake);
    loop_timer_init(&w->timer, k->loop, on_timer);
    (void)map_put(&k->workers, w->uid, w);
    take_over_status(w);
    if (!w->started_s)
        w->started_s = clock_wall_s(loop_clock(k->loop));
    pod_env_retain(&k->env_sources, spec);
    pod_pull_retain(w);
    if (pod->meta->deletion_timestamp.set)
        terminate(w);
    w->is_listed = true; /* unless a sandbox is found */
    pod_worker_wake(w);
    return w;
}

void pod_worker_free(struct pod_worker *w)
{
    const struct runtime_ops *ops = w->k->runtime->ops;

    loop_task_cancel(&w->task);
    loop_timer_stop(&w->timer);
    pod_status_stop(w);
    pod_start_cancel(w->start);
    if (w->refresh)
        ops->cancel(w->refresh);
    if (w->sandbox_call)
        ops->cancel(w->sandbox_call);
    if (w->resize_call)
        ops->cancel(w->resize_call);
    MAP_FOREACH(it, &w->slots) {
        struct pod_slot *s = it->value;

        if (s->probed_id)
            prober_remove(w->k->prober, str_from_cstr(s->probed_id));
        slot_free(s);
    }
    map_done(&w->slots);
    api_object_unref(w->pod);
    arena_done(&w->statuses_arena);
    arena_done(&w->lost_arena);
    arena_done(&w->ips_arena);
    mem_free(w->sandbox_id);
    mem_free(w->volume_error);
    mem_free(w->resize_message);
    mem_free(w->resize_text);
    mem_free(w->final_reason);
    mem_free(w->final_message);
    mem_free(w->uid_text);
    mem_free(w);
}
