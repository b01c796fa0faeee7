/* Ending one container: preStop, then TERM and KILL by the runtime, all within the grace period. */
#include "api/core_v1.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "kubelet/kubelet_internal.h"

enum { MIN_GRACE_MS = 2000 }; /* what TERM gets after a preStop that took everything */

struct pod_kill {
    struct pod_slot *slot;
    const struct api_object *pod;
    struct pod_container container;
    struct str id;
    struct arena arena;
    struct probe_action *hook;
    struct runtime_call *call;
    int64_t began_ms, grace_ms;
};

static void free_kill(struct pod_kill *k)
{
    api_object_unref(k->pod);
    arena_done(&k->arena);
    mem_free(k);
}

void pod_kill_cancel(struct pod_kill *k)
{
    if (!k)
        return;
    probe_action_cancel(k->hook);
    if (k->call)
        k->slot->worker->k->runtime->ops->cancel(k->call);
    free_kill(k);
}

static void on_stopped(const struct runtime_result *res, void *arg)
{
    struct pod_kill *k = arg;
    struct pod_worker *w = k->slot->worker;

    (void)res; /* if it runs on, the next look begins anew */
    k->slot->kill = NULL;
    free_kill(k);
    pod_worker_refresh(w);
}

static void stop(struct pod_kill *k)
{
    struct kubelet *kubelet = k->slot->worker->k;
    int64_t left_ms = k->grace_ms - (loop_now_ms(kubelet->loop) - k->began_ms);

    if (k->grace_ms && left_ms < MIN_GRACE_MS)
        left_ms = MIN(k->grace_ms, (int64_t)MIN_GRACE_MS);
    k->call = kubelet->runtime->ops->stop_container(kubelet->runtime, k->id,
                                                    MAX(left_ms, (int64_t)0), on_stopped, k);
}

static void on_hook(const struct probe_action_result *res, void *arg)
{
    struct pod_kill *k = arg;

    k->hook = NULL;
    if (res->code < 0 || res->is_failure)
        pod_worker_event(k->slot->worker, k->container.spec->name, "Warning", "FailedPreStopHook",
                         "PreStopHook failed");
    stop(k);
}

void pod_kill_begin(struct pod_slot *s, const struct pod_container *c, int64_t grace_ms,
                    struct str why)
{
    struct pod_worker *w = s->worker;
    const struct runtime_container_status *status = pod_worker_latest(w, c->spec->name);
    const struct core_v1_lifecycle *l = c->spec->lifecycle;
    struct runtime_strs ips = pod_worker_ips(w);
    struct pod_kill *k;

    if (s->kill || !status || status->state != RUNTIME_CONTAINER_IS_RUNNING)
        return;
    k = NEW(struct pod_kill);
    k->slot = s;
    k->pod = api_object_ref(w->pod);
    k->container = *c;
    k->id = str_dup(&k->arena, status->id);
    k->grace_ms = grace_ms;
    k->began_ms = loop_now_ms(w->k->loop);
    s->kill = k;
    if (s->probed_id && w->phase == POD_RUNS) {
        prober_remove(w->k->prober, str_from_cstr(s->probed_id));
    } else if (s->probed_id) {
        prober_stop_liveness(w->k->prober, str_from_cstr(s->probed_id));
    }
    if (why.len)
        pod_worker_event(w, c->spec->name, "Normal", "Killing", "%.*s", STR_ARG(why));
    else
        pod_worker_event(w, c->spec->name, "Normal", "Killing", "Stopping container %.*s",
                         STR_ARG(c->spec->name));
    if (!l || !l->pre_stop || !grace_ms) {
        stop(k);
        return;
    }
    k->hook = prober_run_handler(
        w->k->prober,
        &(struct prober_target){ .pod_uid = w->uid,
                                 .pod_ip = ips.len ? ips.items[0] : STR("127.0.0.1"),
                                 .host_ip = w->k->node.host_ip,
                                 .container_id = k->id,
                                 .pod = API_OBJECT(k->pod, struct core_v1_pod),
                                 .container = c->spec },
        l->pre_stop, grace_ms, on_hook, k);
}

void pod_kill_hurry(struct pod_kill *k, int64_t grace_ms)
{
    struct kubelet *kubelet = k->slot->worker->k;

    if (grace_ms >= k->grace_ms)
        return;
    k->grace_ms = grace_ms;
    probe_action_cancel(TAKE(k->hook));
    /* Stopping what is being stopped is fine: the shorter time wins. */
    if (k->call)
        kubelet->runtime->ops->cancel(k->call);
    stop(k);
}
