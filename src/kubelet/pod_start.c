/* Starting one container: its image and those that it mounts (there, or pulled), its environment
 * and mounts, create, start, postStart. Whatever fails leaves a reason in the slot and the time of
 * the next try. */
#include "api/core_v1.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/volume/volume_manager.h"
#include "runtime/image_reference.h"

enum {
    PULL_BACKOFF_MS = 10000,
    PULL_BACKOFF_MAX_MS = 300000,
    ERROR_RETRY_MS = 10000, /* of what an event may heal before */
    PULL_AUTHS = 8,
};

struct wanted_image {
    struct str name, pull_policy;
};

struct pod_start {
    struct pod_worker *worker;
    struct pod_slot *slot;
    struct arena arena;
    const struct api_object *pod; /* as it was when this began */
    struct pod_container container;
    struct runtime_call *call;
    struct probe_action *hook;
    struct str id;
    struct runtime_image image;
    struct wanted_image *wanted; /* its own first, then those of volumes */
    size_t n_wanted, at;
    int64_t pull_began_ms;
    struct runtime_auth auths[PULL_AUTHS]; /* tried in turn */
    size_t n_auths, auth;
};

struct str pod_start_name(const struct pod_start *s)
{
    return s->container.spec->name;
}

static void free_start(struct pod_start *s)
{
    api_object_unref(s->pod);
    arena_done(&s->arena);
    mem_free(s);
}

void pod_start_cancel(struct pod_start *s)
{
    if (!s)
        return;
    if (s->call)
        s->worker->k->runtime->ops->cancel(s->call);
    probe_action_cancel(s->hook);
    free_start(s);
}

static void end(struct pod_start *s)
{
    struct pod_worker *w = s->worker;

    w->start = NULL;
    free_start(s);
    pod_worker_refresh(w);
}

/* The container waits with a reason; another try after retry_ms, or when an event brings one. */
static void fail(struct pod_start *s, const char *reason, struct str message, int64_t retry_ms)
{
    kubelet_figures_count_start(s->worker->k, s->container.kind, str_from_cstr(reason));
    pod_slot_wait(s->slot, reason, message);
    s->slot->is_healed_by_objects = strcmp(reason, "CreateContainerConfigError") == 0;
    s->slot->restart_at_ms = loop_now_ms(s->worker->k->loop) + retry_ms;
    end(s);
}

/* Something is not known yet: the cache's on_change brings us back, or the clock. */
static void wait_for_objects(struct pod_start *s)
{
    s->slot->is_healed_by_objects = true;
    s->slot->restart_at_ms = loop_now_ms(s->worker->k->loop) + ERROR_RETRY_MS;
    end(s);
}

/* --- the end: started, or not --- */

static void on_hook(const struct probe_action_result *res, void *arg)
{
    struct pod_start *s = arg;
    struct pod_worker *w = s->worker;
    struct pod_slot *slot = s->slot;
    struct pod_container c = s->container;
    const struct api_object *pod = api_object_ref(s->pod); /* c points into it */

    s->hook = NULL;
    if (res->code == 0 && !res->is_failure) {
        end(s);
    } else {
        pod_worker_event(w, c.spec->name, "Warning", "FailedPostStartHook", "PostStartHook failed");
        pod_slot_wait(slot, "PostStartHookError", res->output);
        end(s);
        pod_kill_begin(slot, &c, 0, STR("FailedPostStartHook"));
    }
    api_object_unref(pod);
}

static void on_started(const struct runtime_result *res, void *arg)
{
    struct pod_start *s = arg;
    struct pod_worker *w = s->worker;
    const struct core_v1_container *c = s->container.spec;
    struct runtime_strs ips = pod_worker_ips(w);

    s->call = NULL;
    if (res->code < 0) {
        pod_worker_event(w, c->name, "Warning", "Failed", "Error: %s", res->err->text);
        kubelet_figures_count_start(w->k, s->container.kind, STR("RunContainerError"));
        pod_slot_wait(s->slot, "RunContainerError", str_from_cstr(res->err->text));
        end(s);
        return;
    }
    kubelet_figures_count_start(w->k, s->container.kind, STR_NULL);
    pod_worker_event(w, c->name, "Normal", "Started", "Container started");
    pod_slot_wait(s->slot, NULL, STR_NULL);
    if (!c->lifecycle || !c->lifecycle->post_start) {
        end(s);
        return;
    }
    s->hook = prober_run_handler(
        w->k->prober,
        &(struct prober_target){ .pod_uid = w->uid,
                                 .pod_ip = ips.len ? ips.items[0] : STR("127.0.0.1"),
                                 .host_ip = w->k->node.host_ip,
                                 .container_id = s->id,
                                 .pod = API_OBJECT(s->pod, struct core_v1_pod),
                                 .container = c },
        c->lifecycle->post_start, 0, on_hook, s); /* as long as it takes */
}

static void on_created(const struct runtime_result *res, void *arg)
{
    struct pod_start *s = arg;
    struct pod_worker *w = s->worker;
    struct str name = s->container.spec->name;

    s->call = NULL;
    if (res->code < 0) {
        pod_worker_event(w, name, "Warning", "Failed", "Error: %s", res->err->text);
        fail(s, "CreateContainerError", str_from_cstr(res->err->text), ERROR_RETRY_MS);
        return;
    }
    pod_worker_event(w, name, "Normal", "Created", "Container created");
    s->slot->attempt++;
    s->slot->must_restart = false;
    worker_resize_note(s->slot, &s->container.spec->resources);
    s->id = str_dup(&s->arena, res->id);
    s->call = w->k->runtime->ops->start_container(w->k->runtime, s->id, on_started, s);
}

/* --- what it is created with --- */

static struct str target_id(const struct pod_start *s)
{
    const struct runtime_container_status *t =
        s->container.target.len ? pod_worker_latest(s->worker, s->container.target) : NULL;

    return t ? t->id : STR_NULL;
}

static void config_failed(struct pod_start *s, int code, const struct err *err)
{
    struct str text = str_dup(&s->arena, str_from_cstr(err->text));

    if (code == ERR_AGAIN) {
        wait_for_objects(s);
        return;
    }
    pod_worker_event(s->worker, s->container.spec->name, "Warning", "Failed", "Error: %.*s",
                     STR_ARG(text));
    fail(s, "CreateContainerConfigError", text, ERROR_RETRY_MS);
}

static void create(struct pod_start *s)
{
    struct pod_worker *w = s->worker;
    const struct core_v1_pod *pod = API_OBJECT(s->pod, struct core_v1_pod);
    struct runtime_strs ips = pod_worker_ips(w);
    struct pod_config_container in = { .container = &s->container,
                                       .image = &s->image,
                                       .attempt = s->slot->attempt,
                                       .target_id = target_id(s) };
    struct runtime_container_config config;
    struct runtime_mount *mounts = NULL;
    struct err err;
    int r =
        pod_env_make(&s->arena, &w->k->env_sources, pod, s->container.spec, &ips, &in.env, &err);

    if (r >= 0)
        r = volume_manager_mounts(w->k->volumes, &s->arena, pod, s->container.spec, in.attempt,
                                  &in.env, &ips, &mounts, &in.n_mounts, &err);
    in.mounts = mounts;
    if (r >= 0)
        r = pod_config_container(&s->arena, &w->k->config, pod, &in, &config, &err);
    if (r < 0) {
        config_failed(s, r, &err);
        return;
    }
    s->call = w->k->runtime->ops->create_container(w->k->runtime, str_from_cstr(w->sandbox_id),
                                                   &config, on_created, s);
}

/* --- the images --- */

static void look_for_image(struct pod_start *s);

static void take_image(struct pod_start *s, const struct runtime_image *image)
{
    if (s->at == 0)
        s->image = (struct runtime_image){ .has_uid = image->has_uid,
                                           .uid = image->uid,
                                           .username = str_dup(&s->arena, image->username),
                                           .size_bytes = image->size_bytes };
    s->auth = 0;
    if (++s->at < s->n_wanted) {
        look_for_image(s);
        return;
    }
    s->slot->pull_backoff_ms = 0;
    create(s);
}

static void on_image_after_pull(const struct runtime_result *res, void *arg)
{
    struct pod_start *s = arg;
    const struct core_v1_container *c = s->container.spec;
    const struct wanted_image *image = &s->wanted[s->at];
    int64_t took_ms = loop_now_ms(s->worker->k->loop) - s->pull_began_ms;

    s->call = NULL;
    if (res->code < 0 || !res->n_images) {
        fail(s, "ErrImagePull", STR("the image was pulled and is not there"), ERROR_RETRY_MS);
        return;
    }
    pod_worker_event(s->worker, c->name, "Normal", "Pulled",
                     "Successfully pulled image \"%.*s\" in %lldms (%lldms including waiting). "
                     "Image size: %llu bytes.",
                     STR_ARG(image->name), (long long)took_ms, (long long)took_ms,
                     (unsigned long long)res->images[0].size_bytes);
    s->worker->pulled_ms += took_ms;
    node_agent_look_at_images(s->worker->k->node_agent);
    take_image(s, &res->images[0]);
}

static void pull_once(struct pod_start *s);

static void on_pulled(const struct runtime_result *res, void *arg)
{
    struct pod_start *s = arg;
    struct pod_worker *w = s->worker;
    const struct core_v1_container *c = s->container.spec;
    const struct wanted_image *image = &s->wanted[s->at];
    struct pod_slot *slot = s->slot;

    s->call = NULL;
    if (res->code >= 0) {
        s->call =
            w->k->runtime->ops->image_status(w->k->runtime, image->name, on_image_after_pull, s);
        return;
    }
    if (++s->auth < s->n_auths) { /* another secret may know better */
        pull_once(s);
        return;
    }
    slot->pull_backoff_ms = slot->pull_backoff_ms
                                ? MIN(slot->pull_backoff_ms * 2, (int64_t)PULL_BACKOFF_MAX_MS)
                                : PULL_BACKOFF_MS;
    pod_worker_event(w, c->name, "Warning", "Failed", "Failed to pull image \"%.*s\": %s",
                     STR_ARG(image->name), res->err->text);
    pod_worker_event(w, c->name, "Warning", "Failed", "Error: ErrImagePull");
    fail(s, "ErrImagePull", str_from_cstr(res->err->text), slot->pull_backoff_ms);
}

static void pull_once(struct pod_start *s)
{
    struct runtime *rt = s->worker->k->runtime;

    s->call = rt->ops->pull_image(rt, s->wanted[s->at].name,
                                  s->auth < s->n_auths ? &s->auths[s->auth] : NULL, on_pulled, s);
}

static void pull(struct pod_start *s)
{
    struct pod_worker *w = s->worker;
    const struct core_v1_container *c = s->container.spec;
    const struct wanted_image *image = &s->wanted[s->at];

    if (pod_pull_auths(&s->arena, w, image->name, s->auths, PULL_AUTHS, &s->n_auths) == ERR_AGAIN) {
        wait_for_objects(s);
        return;
    }
    pod_worker_event(w, c->name, "Normal", "Pulling", "Pulling image \"%.*s\"",
                     STR_ARG(image->name));
    s->pull_began_ms = loop_now_ms(w->k->loop);
    pull_once(s);
}

static void on_image(const struct runtime_result *res, void *arg)
{
    struct pod_start *s = arg;
    const struct core_v1_container *c = s->container.spec;
    const struct wanted_image *image = &s->wanted[s->at];
    bool is_there = res->code == 0 && res->n_images;

    s->call = NULL;
    if (is_there && !str_eq(image->pull_policy, STR("Always"))) {
        pod_worker_event(s->worker, c->name, "Normal", "Pulled",
                         "Container image \"%.*s\" already present on machine",
                         STR_ARG(image->name));
        take_image(s, &res->images[0]);
    } else if (str_eq(image->pull_policy, STR("Never"))) {
        struct str text = arena_printf(&s->arena,
                                       "Container image \"%.*s\" is not present with pull policy "
                                       "of Never",
                                       STR_ARG(image->name));

        pod_worker_event(s->worker, c->name, "Warning", "ErrImageNeverPull", "%.*s", STR_ARG(text));
        pod_worker_event(s->worker, c->name, "Warning", "Failed", "Error: ErrImageNeverPull");
        fail(s, "ErrImageNeverPull", text, ERROR_RETRY_MS);
    } else {
        pull(s);
    }
}

static bool has_valid_image(struct pod_start *s)
{
    struct str image = s->wanted[s->at].name, text;
    struct image_reference r;
    struct err err;

    if (image_reference_parse(&s->arena, image, &r, &err) >= 0)
        return true;
    text = arena_printf(&s->arena,
                        "Failed to apply default image tag \"%.*s\": couldn't parse image name "
                        "\"%.*s\": %s",
                        STR_ARG(image), STR_ARG(image), err.text);
    pod_worker_event(s->worker, s->container.spec->name, "Warning", "InspectFailed", "%.*s",
                     STR_ARG(text));
    pod_worker_event(s->worker, s->container.spec->name, "Warning", "Failed",
                     "Error: InvalidImageName");
    fail(s, "InvalidImageName", text, PULL_BACKOFF_MAX_MS);
    return false;
}

static void look_for_image(struct pod_start *s)
{
    struct runtime *rt = s->worker->k->runtime;

    if (has_valid_image(s))
        s->call = rt->ops->image_status(rt, s->wanted[s->at].name, on_image, s);
}

static void want_images(struct pod_start *s)
{
    const struct core_v1_container *c = s->container.spec;
    const struct core_v1_pod_spec *spec = &API_OBJECT(s->pod, struct core_v1_pod)->spec;

    s->wanted = ARENA_NEW_ARRAY(&s->arena, struct wanted_image, 1 + spec->volumes.len);
    s->wanted[s->n_wanted++] = (struct wanted_image){ c->image, c->image_pull_policy };
    for (uint32_t i = 0; i < spec->volumes.len; i++) {
        const struct core_v1_volume *v = &spec->volumes.items[i];
        bool is_mounted = false;

        for (uint32_t k = 0; v->volume_source.image && k < c->volume_mounts.len; k++)
            is_mounted |= str_eq(c->volume_mounts.items[k].name, v->name);
        if (is_mounted)
            s->wanted[s->n_wanted++] = (struct wanted_image){ v->volume_source.image->reference,
                                                              v->volume_source.image->pull_policy };
    }
}

/* While a pull is backed off the reason says so, as upstream's does. */
void pod_start_begin(struct pod_worker *w, const struct pod_container *c)
{
    struct pod_start *s = NEW(struct pod_start);

    s->worker = w;
    s->slot = pod_worker_slot(w, c->spec->name);
    s->pod = api_object_ref(w->pod);
    s->container = *c;
    w->start = s;
    want_images(s);
    look_for_image(s);
}
