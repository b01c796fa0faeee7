/* Where Pods come from: the API server, and manifests; and what an earlier kubelet has left of
 * them. Sandboxes are listed twice: at once, so that static Pods need no API server, and when the
 * API's Pods are known, because only then can the others be told from orphans. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/log.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/manifest/manifest_source.h"
#include "kubelet/manifest/mirror_pods.h"
#include "kubelet/volume/volume_manager.h"

/* --- orphans --- */

static void on_ignored(const struct runtime_result *res, void *arg)
{
    (void)res;
    (void)arg;
}

static void remove_orphan_sandboxes(struct kubelet *k, const struct runtime_result *res)
{
    for (size_t i = 0; i < res->n_sandboxes; i++) {
        const struct runtime_sandbox_status *s = &res->sandboxes[i];
        const struct pod_worker *w = map_get(&k->workers, s->uid);

        if (w && w->sandbox_id && str_eq(str_from_cstr(w->sandbox_id), s->id))
            continue;
        LOG_INFO("removing the sandbox of a Pod that is gone", KV("pod", s->name));
        (void)k->runtime->ops->remove_pod_sandbox(k->runtime, s->id, on_ignored, k);
    }
}

static void remove_orphan_volumes(struct str uid, void *arg)
{
    struct kubelet *k = arg;
    struct err err;

    if (!map_has(&k->workers, uid) && volume_manager_remove_pod(k->volumes, uid, &err) < 0)
        LOG_WARNING("cannot remove a Pod's directory", KV("uid", uid),
                    KV("err", str_from_cstr(err.text)));
}

static void on_sandboxes(const struct runtime_result *res, void *arg)
{
    struct kubelet *k = arg;
    bool are_all_known = informer_is_synced(k->pods);

    for (size_t i = 0; res->code == 0 && i < res->n_sandboxes; i++) {
        struct pod_worker *w = map_get(&k->workers, res->sandboxes[i].uid);

        if (w && !w->is_adopted)
            pod_sandbox_adopt(w, &res->sandboxes[i]);
    }
    MAP_FOREACH(it, &k->workers) {
        struct pod_worker *w = it->value;

        w->is_adopted = true;
        pod_worker_wake(w);
    }
    if (!are_all_known || k->is_runtime_listed)
        return;
    k->is_runtime_listed = true;
    if (res->code == 0)
        remove_orphan_sandboxes(k, res);
    volume_manager_each_pod(k->volumes, remove_orphan_volumes, k);
}

/* --- the API's word --- */

static void on_pod(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct kubelet *k = arg;
    const struct api_object *o = new ? new : old;
    struct pod_worker *w;

    /* The same name with another uid is another Pod. */
    if (old && new && !str_eq(old->meta->uid, new->meta->uid)) {
        on_pod(old, NULL, arg);
        on_pod(NULL, new, arg);
        return;
    }
    if (!o)
        return;
    if (mirror_pods_is_mirror(o)) {
        mirror_pods_change(k->mirrors, old, new);
        return;
    }
    w = map_get(&k->workers, o->meta->uid);
    if (w)
        pod_worker_update(w, new);
    else if (new)
        (void)pod_worker_new(k, new, false);
}

static void on_pods_synced(void *arg)
{
    struct kubelet *k = arg;

    if (!k->is_runtime_listed)
        (void)k->runtime->ops->list_pod_sandboxes(k->runtime, on_sandboxes, k);
    mirror_pods_synced(k->mirrors);
}

/* --- manifests --- */

static struct pod_worker *static_worker(struct kubelet *k, struct str key)
{
    MAP_FOREACH(it, &k->workers) {
        struct pod_worker *w = it->value;

        if (w->is_static && str_eq(w->pod->key, key))
            return w;
    }
    return NULL;
}

static void forget_static(struct kubelet *k, const struct api_object *pod)
{
    const struct api_object *wanted = map_get(&k->statics, pod->key);
    struct pod_worker *w = map_get(&k->workers, pod->meta->uid);

    if (wanted && str_eq(wanted->meta->uid, pod->meta->uid)) {
        (void)map_remove(&k->statics, pod->key);
        api_object_unref(wanted);
    }
    if (w)
        pod_worker_end(w);
}

/* A static Pod waits until the one of its name before it has ended. */
static void on_manifest(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct kubelet *k = arg;
    const struct api_object *o = new ? new : old;

    if (old)
        forget_static(k, old);
    if (new) {
        api_object_unref(map_put(&k->statics, new->key, (void *)(uintptr_t)api_object_ref(new)));
        if (!static_worker(k, new->key))
            (void)pod_worker_new(k, new, true);
    }
    if (o)
        mirror_pods_wake(k->mirrors, o->key);
}

static const struct api_object *wanted_static(struct str key, void *arg)
{
    return map_get(&((struct kubelet *)arg)->statics, key);
}

static const struct core_v1_node *own_node(void *arg)
{
    return node_agent_node(((struct kubelet *)arg)->node_agent);
}

static void on_mirror(struct str key, void *arg)
{
    struct pod_worker *w = static_worker(arg, key);

    if (w)
        pod_worker_wake(w);
}

void kubelet_worker_gone(struct kubelet *k, struct pod_worker *w)
{
    const struct api_object *next = w->is_static ? map_get(&k->statics, w->pod->key) : NULL;

    (void)map_remove(&k->workers, w->uid);
    pod_worker_free(w);
    MAP_FOREACH(it, &k->workers)
        if (((struct pod_worker *)it->value)->is_resizing)
            pod_worker_wake(it->value); /* there is more room now */
    if (next)
        (void)pod_worker_new(k, next, true);
}

/* --- life --- */

int kubelet_pods_open(struct kubelet *k, struct err *err)
{
    k->mirrors = mirror_pods_new(&(struct mirror_pods_options){ .loop = k->loop,
                                                                .client = k->rest,
                                                                .wanted = wanted_static,
                                                                .node = own_node,
                                                                .on_mirror = on_mirror,
                                                                .arg = k });
    k->pods = informer_new(&(struct informer_options){
        .loop = k->loop,
        .client = k->rest,
        .resource = resource_find(STR(""), STR("v1"), STR("pods")),
        .field_selector = arena_printf(&k->arena, "spec.nodeName=%s", k->o->node_name) });
    informer_add_handler(k->pods, &(struct informer_handler){
                                      .on_change = on_pod, .on_synced = on_pods_synced, .arg = k });
    informer_start(k->pods);
    if (!k->o->manifest_directory)
        return 0;
    (void)k->runtime->ops->list_pod_sandboxes(k->runtime, on_sandboxes, k);
    return manifest_source_new(
        &(struct manifest_source_options){ .loop = k->loop,
                                           .directory = k->o->manifest_directory,
                                           .node_name = k->node.name,
                                           .on_change = on_manifest,
                                           .arg = k },
        &k->manifests, err);
}

void kubelet_pods_close(struct kubelet *k)
{
    manifest_source_free(k->manifests);
    MAP_FOREACH(it, &k->workers)
        pod_worker_free(it->value);
    map_done(&k->workers);
    mirror_pods_free(k->mirrors);
    MAP_FOREACH(it, &k->statics)
        api_object_unref(it->value);
    map_done(&k->statics);
    informer_free(k->pods);
}
