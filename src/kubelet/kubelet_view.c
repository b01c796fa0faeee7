/* What the kubelet's port shows of the kubelet. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "client/api_object.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/server/kubelet_server.h"

static const struct api_object *shown(const struct pod_worker *w)
{
    const struct api_object *o = pod_worker_shown(w);

    return o ? o : w->pod;
}

static size_t view_pods(void *arg, const struct api_object *const **ret)
{
    struct kubelet *k = arg;

    VEC_CLEAR(&k->viewed);
    MAP_FOREACH(it, &k->workers)
        VEC_PUSH(&k->viewed, shown(it->value));
    *ret = k->viewed.items;
    return k->viewed.len;
}

static const struct api_object *find_pod(void *arg, struct str namespace, struct str name,
                                         struct str uid)
{
    struct kubelet *k = arg;

    MAP_FOREACH(it, &k->workers) {
        const struct pod_worker *w = it->value;
        const struct api_object *o = shown(w);

        /* A static Pod goes by its own uid or its mirror's. */
        if (str_eq(o->meta->namespace, namespace) && str_eq(o->meta->name, name) &&
            (!uid.len || str_eq(o->meta->uid, uid) || str_eq(w->uid, uid)))
            return o;
    }
    return NULL;
}

static const struct pod_worker *worker_of(const struct kubelet *k, struct str uid)
{
    const struct pod_worker *w = map_get(&k->workers, uid);

    if (w)
        return w;
    MAP_FOREACH(it, &k->workers)
        if (str_eq(shown(it->value)->meta->uid, uid))
            return it->value;
    return NULL;
}

static struct str container_id(void *arg, struct str pod_uid, struct str container)
{
    const struct pod_worker *w = worker_of(arg, pod_uid);
    const struct runtime_container_status *c = w ? pod_worker_latest(w, container) : NULL;

    return c ? c->id : STR_NULL;
}

static struct str sandbox_id(void *arg, struct str pod_uid)
{
    const struct pod_worker *w = worker_of(arg, pod_uid);

    return w ? str_from_cstr(w->sandbox_id) : STR_NULL;
}

/* Why the container waits, as the API says it. */
static struct str told_reason(const struct pod_worker *w, struct str container)
{
    const struct core_v1_pod_status *s = &API_OBJECT(shown(w), struct core_v1_pod)->status;
    const struct core_v1_container_status *lists[] = { s->container_statuses.items,
                                                       s->init_container_statuses.items,
                                                       s->ephemeral_container_statuses.items };
    const uint32_t lens[] = { s->container_statuses.len, s->init_container_statuses.len,
                              s->ephemeral_container_statuses.len };

    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (uint32_t i = 0; i < lens[k]; i++)
            if (str_eq(lists[k][i].name, container) && lists[k][i].state.waiting)
                return lists[k][i].state.waiting->reason;
    return STR_NULL;
}

static int no_log(const struct pod_worker *w, struct str container, struct err *err)
{
    const struct pod_slot *s = map_get(&w->slots, container);
    struct str reason = s ? str_from_cstr(s->waiting_reason) : STR_NULL, pod = w->pod->meta->name;

    if (!s)
        return err_set(err, ERR_INVALID, "container \"%.*s\" in pod \"%.*s\" is not available",
                       STR_ARG(container), STR_ARG(pod));
    if (str_eq(reason, STR("ErrImagePull")))
        reason = STR("image can't be pulled");
    else if (str_eq(reason, STR("ImagePullBackOff")))
        reason = STR("trying and failing to pull image");
    if (!reason.len)
        reason = told_reason(w, container);
    if (!reason.len)
        reason = STR("ContainerCreating");
    return err_set(err, ERR_INVALID, "container \"%.*s\" in pod \"%.*s\" is waiting to start: %.*s",
                   STR_ARG(container), STR_ARG(pod), STR_ARG(reason));
}

static struct str log_path(void *arg, struct str pod_uid, struct str container, bool is_previous,
                           bool *ret_is_running, struct err *err)
{
    const struct pod_worker *w = worker_of(arg, pod_uid);
    const struct runtime_container_status *c = w ? pod_worker_latest(w, container) : NULL;

    *ret_is_running = false;
    if (!w) {
        (void)err_set(err, ERR_NOT_FOUND, "pod \"%.*s\" not found", STR_ARG(pod_uid));
        return STR_NULL;
    }
    /* One that was made and never started has written nothing: the run before it counts. */
    if (c && c->state == RUNTIME_CONTAINER_IS_CREATED)
        c = pod_worker_run_before(w, c);
    if (c && is_previous) {
        c = pod_worker_run_before(w, c);
        if (!c) {
            (void)err_set(err, ERR_INVALID,
                          "previous terminated container \"%.*s\" in pod \"%.*s\" not found",
                          STR_ARG(container), STR_ARG(w->pod->meta->name));
            return STR_NULL;
        }
    }
    if (!c) {
        (void)no_log(w, container, err);
        return STR_NULL;
    }
    *ret_is_running = c->state == RUNTIME_CONTAINER_IS_RUNNING;
    return c->log_path;
}

static bool is_healthy(void *arg, struct err *err)
{
    (void)arg;
    (void)err;
    return true; /* it answers, so its loop turns */
}

struct kubelet_view kubelet_view_of(struct kubelet *k)
{
    struct kubelet_view v = { .pods = view_pods,
                              .find_pod = find_pod,
                              .container_id = container_id,
                              .log_path = log_path,
                              .sandbox_id = sandbox_id,
                              .is_healthy = is_healthy,
                              .arg = k };

    kubelet_figures_of(&v);
    return v;
}
