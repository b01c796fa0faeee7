/* What ended: when it may run again, what is told of that, and which old runs are let go. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/clock.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/log/container_log.h"

enum {
    RESTART_BACKOFF_MS = 10000,
    RESTART_BACKOFF_MAX_MS = 300000,
    RESTART_FORGIVEN_MS = 600000, /* ran so long: the back-off begins anew */
};

/* A run that has ended sets when the next may begin: 10 s, 20 s, ... 5 min; the first restart is at
 * once. */
static void back_off(struct pod_worker *w, struct pod_slot *s,
                     const struct runtime_container_status *c)
{
    int64_t ran_ms = (c->finished_at_ns - c->started_at_ns) / 1000000;
    int64_t ended_ms = c->finished_at_ns / 1000000;
    int64_t wall_ms = loop_clock(w->k->loop)->wall_ns(loop_clock(w->k->loop)) / 1000000;

    if (s->backed_off_id && str_eq(str_from_cstr(s->backed_off_id), c->id))
        return;
    mem_free(s->backed_off_id);
    s->backed_off_id = str_heap_cstr(c->id);
    if (s->must_restart) { /* what failed was another one */
        s->backoff_ms = 0;
        s->restart_at_ms = 0;
        return;
    }
    if (c->attempt == 0 || ran_ms > RESTART_FORGIVEN_MS) {
        s->backoff_ms = 0;
        s->restart_at_ms = 0;
        if (c->attempt == 0)
            return;
    }
    s->backoff_ms = s->backoff_ms ? MIN(s->backoff_ms * 2, (int64_t)RESTART_BACKOFF_MAX_MS)
                                  : RESTART_BACKOFF_MS;
    s->restart_at_ms =
        loop_now_ms(w->k->loop) + MAX(s->backoff_ms - MAX(wall_ms - ended_ms, (int64_t)0), 0LL);
    pod_worker_event(w, c->name, "Warning", "BackOff",
                     "Back-off restarting failed container %.*s in pod %.*s_%.*s(%.*s)",
                     STR_ARG(c->name), STR_ARG(w->pod->meta->name),
                     STR_ARG(w->pod->meta->namespace), STR_ARG(w->uid));
}

static void note_ends(struct pod_worker *w)
{
    struct str policy = pod_worker_spec(w)->spec.restart_policy;

    MAP_FOREACH(it, &w->slots) {
        struct pod_slot *s = it->value;
        const struct runtime_container_status *c = pod_worker_latest(w, str_from_cstr(s->name));

        if (!c)
            continue;
        s->attempt = MAX(s->attempt, c->attempt + 1);
        if (c->state == RUNTIME_CONTAINER_IS_RUNNING)
            continue;
        if (s->probed_id) {
            prober_remove(w->k->prober, str_from_cstr(s->probed_id));
            mem_free(s->probed_id);
            s->probed_id = NULL;
        }
        if (c->state == RUNTIME_CONTAINER_IS_EXITED && !str_eq(policy, STR("Never")))
            back_off(w, s, c);
    }
}

/* What was told once goes on as a back-off; what crashes again and again says so. */
static void tell_backoffs(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_pod *pod = pod_worker_spec(w);

    MAP_FOREACH(it, &w->slots) {
        struct pod_slot *s = it->value;
        struct str name = str_from_cstr(s->name);
        const struct core_v1_container *c = pod_find_container(pod, name);

        if (!c || !s->is_told || !s->waiting_reason ||
            strcmp(s->waiting_reason, "ErrImagePull") != 0)
            continue;
        pod_slot_wait(s, "ImagePullBackOff",
                      arena_printf(&a, "Back-off pulling image \"%.*s\": ErrImagePull: %s",
                                   STR_ARG(c->image), s->waiting_message));
        pod_worker_event(w, name, "Normal", "BackOff", "Back-off pulling image \"%.*s\"",
                         STR_ARG(c->image));
        pod_worker_event(w, name, "Warning", "Failed", "Error: ImagePullBackOff");
    }
}

static void on_removed(const struct runtime_result *res, void *arg)
{
    (void)res;
    (void)arg;
}

/* Of each container the last two runs are kept: what is, and what was before. */
static void remove_old_runs(struct pod_worker *w)
{
    const struct runtime_ops *ops = w->k->runtime->ops;

    for (size_t i = 0; i < w->n_statuses; i++) {
        const struct runtime_container_status *c = &w->statuses[i];

        if (c->attempt + 2 > pod_worker_latest(w, c->name)->attempt)
            continue;
        (void)ops->remove_container(w->k->runtime, c->id, on_removed, NULL);
        container_log_remove(c->log_path);
    }
}

void pod_restart_look(struct pod_worker *w)
{
    note_ends(w);
    tell_backoffs(w);
    remove_old_runs(w);
}
