/* A running Pod whose spec asks for other resources: does it fit, and then one container after the
 * other. What each run has is kept with its slot, and after a new start taken from the status that
 * was told: giving it once more harms nobody. */
#include "api/core_v1.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "client/api_object.h"
#include "kubelet/admission/pod_admit.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/resize/pod_resize.h"
#include "runtime/cgroup.h"

void worker_resize_note(struct pod_slot *s, const struct core_v1_resource_requirements *r)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    mem_free(s->resources);
    s->resources = str_heap_cstr(pod_resize_text(&a, r));
}

/* What an earlier kubelet has told of the run, else what it must have been made with. */
static void learn(struct pod_worker *w, struct pod_slot *s, const struct core_v1_container *c)
{
    const struct core_v1_pod_status *t = &pod_worker_spec(w)->status;

    for (uint32_t i = 0; !s->resources && i < t->container_statuses.len; i++)
        if (str_eq(t->container_statuses.items[i].name, c->name) &&
            t->container_statuses.items[i].resources)
            worker_resize_note(s, t->container_statuses.items[i].resources);
    if (!s->resources)
        worker_resize_note(s, &c->resources);
}

/* The containers that can be given something else now. */
static enum pod_resize_way way_of(struct arena *a, struct pod_worker *w,
                                  const struct pod_container *c)
{
    struct pod_slot *s = pod_worker_slot(w, c->spec->name);
    const struct runtime_container_status *r = pod_worker_latest(w, c->spec->name);
    const struct core_v1_resource_requirements *has;

    if ((c->kind != POD_CONTAINER_MAIN && c->kind != POD_CONTAINER_SIDECAR) || !r ||
        r->state != RUNTIME_CONTAINER_IS_RUNNING || s->kill)
        return POD_RESIZE_NOTHING;
    learn(w, s, c->spec);
    has = pod_resize_parse(a, str_from_cstr(s->resources));
    return has ? pod_resize_way(c->spec, has) : POD_RESIZE_NOTHING;
}

static void set_state(struct pod_worker *w, const char *reason, struct str message)
{
    mem_free(w->resize_message);
    w->resize_reason = reason;
    w->resize_message = message.len ? str_heap_cstr(message) : NULL;
}

/* Deferred: not now; Infeasible: never on this node. */
static bool fits(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct kubelet *k = w->k;
    struct VEC(const struct core_v1_pod *) others = { 0 };
    const struct pod_admit_node node = { .cpu_milli = k->node.allocatable_cpu_milli,
                                         .memory_bytes = k->node.allocatable_memory_bytes,
                                         .ephemeral_bytes = INT64_MAX,
                                         .pods = UINT32_MAX };
    struct pod_rejection alone, now;

    MAP_FOREACH(it, &k->workers) {
        struct pod_worker *other = it->value;

        if (other != w && pod_worker_is_active(other))
            VEC_PUSH(&others, pod_worker_spec(other));
    }
    alone = pod_admit_resources(&a, &node, pod_worker_spec(w), NULL, 0);
    now = pod_admit_resources(&a, &node, pod_worker_spec(w), others.items, others.len);
    VEC_DONE(&others);
    if (alone.reason.len)
        set_state(w, "Infeasible", alone.message);
    else if (now.reason.len)
        set_state(w, "Deferred", now.message);
    else
        set_state(w, NULL, STR_NULL);
    return !now.reason.len;
}

static void limit_pod(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_pod *pod = pod_worker_spec(w);
    struct runtime_resources limits;
    struct err err;

    pod_config_cgroup_limits(pod, &limits);
    if (cgroup_set(pod_config_cgroup(&a, &w->k->config, pod), &limits, &err) < 0)
        LOG_DEBUG("cannot limit a Pod's control group yet", KV("pod", w->pod->key),
                  KV("err", str_from_cstr(err.text)));
}

static void on_updated(const struct runtime_result *res, void *arg)
{
    struct pod_slot *s = arg;
    struct pod_worker *w = s->worker;
    const struct core_v1_container *c =
        pod_find_container(pod_worker_spec(w), str_from_cstr(s->name));

    w->resize_call = NULL;
    if (res->code < 0) {
        set_state(w, "Error", str_from_cstr(res->err->text));
        w->resize_failed_generation = pod_worker_spec(w)->metadata.generation;
    } else if (c) {
        mem_free(s->resources);
        s->resources = TAKE(w->resize_text);
        limit_pod(w); /* what got smaller can be told now */
    }
    pod_worker_wake(w);
}

static void update(struct pod_worker *w, const struct pod_container *c)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct runtime *rt = w->k->runtime;
    struct runtime_resources r = { 0 };

    pod_config_resources(&w->k->config, pod_worker_spec(w), c->spec, &r);
    r.has_oom_score_adj = false;
    mem_free(w->resize_text);
    w->resize_text = str_heap_cstr(pod_resize_text(&a, &c->spec->resources));
    w->resize_call =
        rt->ops->update_container_resources(rt, pod_worker_latest(w, c->spec->name)->id, &r,
                                            on_updated, pod_worker_slot(w, c->spec->name));
}

bool worker_resize_step(struct pod_worker *w, const struct pod_container *cs, size_t n)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    int64_t generation = pod_worker_spec(w)->metadata.generation;
    bool any = false;

    if (w->resize_call || w->start)
        return w->resize_call != NULL;
    for (size_t i = 0; i < n; i++)
        any |= way_of(&a, w, &cs[i]) != POD_RESIZE_NOTHING;
    w->is_resizing = any;
    if (!any) {
        set_state(w, NULL, STR_NULL);
        return false;
    }
    if (w->resize_failed_generation == generation || !fits(w))
        return false;
    limit_pod(w); /* what gets larger needs the room */
    for (size_t i = 0; i < n; i++) {
        enum pod_resize_way way = way_of(&a, w, &cs[i]);

        if (way == POD_RESIZE_IN_PLACE) {
            update(w, &cs[i]);
            return true;
        }
        if (way != POD_RESIZE_BY_RESTART)
            continue;
        pod_worker_slot(w, cs[i].spec->name)->must_restart = true;
        pod_kill_begin(
            pod_worker_slot(w, cs[i].spec->name), &cs[i], pod_worker_grace_ms(w),
            arena_printf(&a, "Container %.*s resize requires restart", STR_ARG(cs[i].spec->name)));
        return true;
    }
    return false;
}
