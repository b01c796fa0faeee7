/* A Pod's sandbox: its namespaces, network and control group, made before its containers and
 * removed after them. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "cni/cni_network.h"
#include "kubelet/kubelet_internal.h"
#include "runtime/cgroup.h"

enum { SANDBOX_RETRY_MS = 1000, NETWORK_RETRY_MS = 5000 };

static void set_sandbox(struct pod_worker *w, struct str id, bool is_ready)
{
    char *old = w->sandbox_id;

    w->sandbox_id = id.len ? str_heap_cstr(id) : NULL;
    w->is_sandbox_ready = is_ready;
    mem_free(old);
}

static void set_ips(struct pod_worker *w, const struct runtime_strs *ips)
{
    arena_reset(&w->ips_arena);
    w->ips = ARENA_NEW_ARRAY(&w->ips_arena, struct str, ips->len);
    for (size_t i = 0; i < ips->len; i++)
        w->ips[i] = str_dup(&w->ips_arena, ips->items[i]);
    w->n_ips = ips->len;
}

void pod_sandbox_adopt(struct pod_worker *w, const struct runtime_sandbox_status *s)
{
    if (w->sandbox_id && s->attempt < w->sandbox_attempt)
        return;
    set_sandbox(w, s->id, s->ready);
    set_ips(w, &s->ips);
    w->sandbox_attempt = s->attempt + 1;
    w->is_listed = false;
    pod_worker_refresh(w);
}

static void on_sandbox_status(const struct runtime_result *res, void *arg)
{
    struct pod_worker *w = arg;

    w->sandbox_call = NULL;
    if (res->code == 0 && res->n_sandboxes) {
        w->is_sandbox_ready = res->sandboxes[0].ready;
        set_ips(w, &res->sandboxes[0].ips);
    } else if (res->code == ERR_NOT_FOUND) {
        set_sandbox(w, STR_NULL, false);
    }
    pod_worker_refresh(w);
}

void pod_sandbox_ask(struct pod_worker *w)
{
    if (w->sandbox_id && !w->sandbox_call)
        w->sandbox_call = w->k->runtime->ops->pod_sandbox_status(
            w->k->runtime, str_from_cstr(w->sandbox_id), on_sandbox_status, w);
}

static void on_sandbox_made(const struct runtime_result *res, void *arg)
{
    struct pod_worker *w = arg;

    w->sandbox_call = NULL;
    if (res->code < 0) {
        pod_worker_event(w, STR_NULL, "Warning", "FailedCreatePodSandBox",
                         "Failed to create pod sandbox: %s", res->err->text);
        pod_worker_retry_after(w, SANDBOX_RETRY_MS);
        return;
    }
    set_sandbox(w, res->id, true);
    w->is_listed = true;
    w->n_statuses = 0;
    pod_sandbox_ask(w);
}

/* The network's owner wakes all Pods when it is ready. */
static bool is_network_ready(struct pod_worker *w)
{
    struct err err;

    if (cni_network_ready(w->k->network, &err) >= 0)
        return true;
    if (!w->is_network_told)
        pod_worker_event(w, STR_NULL, "Warning", "NetworkNotReady",
                         "network is not ready: container runtime network not ready: "
                         "NetworkReady=false reason:NetworkPluginNotReady message:Network plugin "
                         "returns error: %s",
                         err.text);
    w->is_network_told = true;
    if (w->k->o->cni_conf_directory) /* nobody tells of other plugins */
        pod_worker_retry_after(w, NETWORK_RETRY_MS);
    return false;
}

void pod_sandbox_make(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_pod *pod = pod_worker_spec(w);
    struct runtime_sandbox_config config;
    struct runtime_resources limits;
    struct err err;
    int r = pod_config_sandbox(&a, &w->k->config, pod, w->sandbox_attempt, &config, &err);

    if (r < 0) {
        pod_worker_event(w, STR_NULL, "Warning", "SysctlForbidden", "%s", err.text);
        pod_worker_fail(w, "SysctlForbidden", arena_printf(&a, "Pod was rejected: %s", err.text));
        return;
    }
    pod_config_cgroup_limits(pod, &limits);
    limits.pids_limit = w->k->o->pod_max_pids;
    r = cgroup_make(config.cgroup_parent, &err);
    if (r >= 0)
        r = cgroup_set(config.cgroup_parent, &limits, &err);
    if (r < 0)
        LOG_WARNING("cannot limit a Pod's control group", KV("pod", w->pod->key),
                    KV("err", str_from_cstr(err.text)));
    if (!pod->spec.host_network && !is_network_ready(w))
        return;
    w->sandbox_attempt++;
    w->sandbox_call =
        w->k->runtime->ops->run_pod_sandbox(w->k->runtime, &config, on_sandbox_made, w);
}

static void on_sandbox_removed(const struct runtime_result *res, void *arg)
{
    struct pod_worker *w = arg;

    w->sandbox_call = NULL;
    if (res->code < 0 && res->code != ERR_NOT_FOUND) {
        LOG_WARNING("cannot remove a Pod's sandbox", KV("pod", w->pod->key),
                    KV("err", str_from_cstr(res->err->text)));
        pod_worker_retry_after(w, SANDBOX_RETRY_MS);
        return;
    }
    set_sandbox(w, STR_NULL, false);
    w->n_ips = 0;
    pod_worker_refresh(w);
}

void pod_sandbox_remove(struct pod_worker *w)
{
    pod_worker_keep_lost(w);
    if (w->phase == POD_RUNS && w->n_statuses)
        pod_worker_event(w, STR_NULL, "Normal", "SandboxChanged",
                         "Pod sandbox changed, it will be killed and re-created.");
    w->sandbox_call = w->k->runtime->ops->remove_pod_sandbox(
        w->k->runtime, str_from_cstr(w->sandbox_id), on_sandbox_removed, w);
}

static void on_sandbox_stopped(const struct runtime_result *res, void *arg)
{
    struct pod_worker *w = arg;

    w->sandbox_call = NULL;
    if (res->code < 0)
        pod_worker_retry_after(w, SANDBOX_RETRY_MS);
    else
        w->is_sandbox_ready = false;
    pod_worker_refresh(w);
}

void pod_sandbox_stop(struct pod_worker *w)
{
    w->sandbox_call = w->k->runtime->ops->stop_pod_sandbox(
        w->k->runtime, str_from_cstr(w->sandbox_id), on_sandbox_stopped, w);
}
