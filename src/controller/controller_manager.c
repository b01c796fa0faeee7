/* The process: one informer a resource, shared by all controllers that watch it; one workqueue a
 * controller; work begins when every cache is whole. */
#include <signal.h>
#include <stdio.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/volume_match.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "client/api_object.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "client/leader_election.h"
#include "client/rest_client.h"
#include "client/workqueue.h"
#include "controller/controller_internal.h"
#include "controller/custom_rows.h"
#include "controller/owned_objects.h"
#include "io/loop.h"

/* --- informers --- */

static void index_namespace(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    if (o->meta->namespace.len)
        emit(o->meta->namespace, arg);
}

static void index_owner(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    const struct meta_v1_owner_reference *ref = owned_by(o);

    if (ref)
        emit(ref->uid, arg);
}

static void index_any_owner(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    for (uint32_t i = 0; i < o->meta->owner_references.len; i++)
        emit(o->meta->owner_references.items[i].uid, arg);
}

static void index_claim(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_pod *pod = o->o.data;

    for (uint32_t i = 0; i < pod->spec.volumes.len; i++) {
        struct str name = volume_claim_name(&a, pod, &pod->spec.volumes.items[i]);

        if (name.len)
            emit(controller_key(&a, o->meta->namespace, name), arg);
    }
}

struct watcher {
    struct controller_manager *manager;
    const struct controller *controller;
    controller_map_fn *map;
};

static void ignore(const struct api_object *old, const struct api_object *new, void *arg)
{
    (void)old;
    (void)new;
    (void)arg;
}

static void on_change(const struct api_object *old, const struct api_object *new, void *arg)
{
    const struct watcher *w = arg;

    w->map(w->manager, w->controller, old, new);
}

static void run_queues(struct controller_manager *m);

static void on_synced(void *arg)
{
    struct controller_manager *m = arg;

    if (m->is_running || ++m->n_synced < m->n_informers)
        return;
    m->is_running = true;
    LOG_INFO("caches are whole", KV("informers", (unsigned long long)m->n_informers));
    run_queues(m);
}

struct informer *controller_informer(struct controller_manager *m, const struct resource *row)
{
    for (size_t i = 0; i < m->n_informers; i++)
        if (informer_resource(m->informers[i]) == row)
            return m->informers[i];
    return custom_rows_informer(m, row);
}

struct informer *controller_informer_new(struct controller_manager *m, const struct resource *row)
{
    struct informer *i = informer_new(
        &(struct informer_options){ .loop = m->loop, .client = m->rest, .resource = row });

    (void)informer_add_index(i, index_namespace); /* INDEX_NAMESPACE */
    (void)informer_add_index(i, index_owner);     /* INDEX_OWNER */
    (void)informer_add_index(i, index_any_owner); /* INDEX_ANY_OWNER */
    if (!row->group.len && str_eq(row->name, STR("pods")))
        (void)informer_add_index(i, index_claim); /* INDEX_CLAIM */
    return i;
}

struct informer *controller_informer_of(struct controller_manager *m, const char *group,
                                        const char *version, const char *resource)
{
    const struct resource *row =
        resource_find(str_from_cstr(group), str_from_cstr(version), str_from_cstr(resource));
    struct informer *i = row ? controller_informer(m, row) : NULL;

    if (i || !row || m->n_informers == MAX_INFORMERS)
        return i;
    i = controller_informer_new(m, row);
    informer_add_handler(
        i, &(struct informer_handler){ .on_change = ignore, .on_synced = on_synced, .arg = m });
    m->informers[m->n_informers++] = i;
    return i;
}

size_t controller_in_namespace(const struct informer *i, struct str namespace,
                               const struct api_object *const **ret)
{
    return informer_by_index(i, INDEX_NAMESPACE, namespace, ret);
}

size_t controller_owned_by(const struct informer *i, struct str uid,
                           const struct api_object *const **ret)
{
    return informer_by_index(i, INDEX_OWNER, uid, ret);
}

size_t controller_dependents(const struct informer *i, struct str uid,
                             const struct api_object *const **ret)
{
    return informer_by_index(i, INDEX_ANY_OWNER, uid, ret);
}

size_t controller_pods_of_claim(struct controller_manager *m, struct str claim,
                                const struct api_object *const **ret)
{
    return informer_by_index(controller_informer_of(m, "", "v1", "pods"), INDEX_CLAIM, claim, ret);
}

/* --- queues --- */

static int workers_of(const struct controller *c)
{
    return c->workers ? c->workers : CONTROLLER_WORKERS;
}

static void run_queue(struct managed_controller *mc)
{
    struct str key;

    while (mc->manager->is_running && mc->running < workers_of(mc->controller) &&
           workqueue_get(mc->queue, &key)) {
        mc->running++;
        controller_run_start(mc, key);
    }
}

static void run_queues(struct controller_manager *m)
{
    for (size_t i = 0; i < m->n_controllers; i++)
        run_queue(&m->controllers[i]);
}

static void on_ready(void *arg)
{
    run_queue(arg);
}

void controller_run_ended(struct managed_controller *mc, struct str key,
                          const struct run_outcome *outcome)
{
    mc->running--;
    if (outcome->is_failed)
        workqueue_add_rate_limited(mc->queue, key);
    else
        workqueue_forget(mc->queue, key);
    if (outcome->again_after_ms > 0)
        workqueue_add_after(mc->queue, key, outcome->again_after_ms);
    workqueue_done(mc->queue, key);
}

struct managed_controller *controller_managed(struct controller_manager *m,
                                              const struct controller *c)
{
    for (size_t i = 0; i < m->n_controllers; i++)
        if (m->controllers[i].controller == c)
            return &m->controllers[i];
    return NULL;
}

void controller_enqueue(struct controller_manager *m, const struct controller *c, struct str key)
{
    workqueue_add(controller_managed(m, c)->queue, key);
}

void controller_enqueue_after(struct controller_manager *m, const struct controller *c,
                              struct str key, int64_t delay_ms)
{
    workqueue_add_after(controller_managed(m, c)->queue, key, delay_ms);
}

void controller_map_self(struct controller_manager *m, const struct controller *c,
                         const struct api_object *old, const struct api_object *new)
{
    controller_enqueue(m, c, new ? new->key : old->key);
}

void controller_map_namespace(struct controller_manager *m, const struct controller *c,
                              const struct api_object *old, const struct api_object *new)
{
    const struct api_object *o = new ? new : old;

    if (o->meta->namespace.len)
        controller_enqueue(m, c, o->meta->namespace);
}

struct str controller_key(struct arena *a, struct str namespace, struct str name)
{
    return namespace.len ? arena_printf(a, "%.*s/%.*s", STR_ARG(namespace), STR_ARG(name)) : name;
}

void controller_enqueue_owner(struct controller_manager *m, const struct controller *c,
                              const struct api_object *o, struct str kind)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct meta_v1_owner_reference *ref = o ? owned_by(o) : NULL;

    if (ref && str_eq(ref->kind, kind))
        controller_enqueue(m, c, controller_key(&a, o->meta->namespace, ref->name));
}

/* --- the process --- */

static void watch_resource(struct controller_manager *m, const struct controller *c,
                           struct informer *i, controller_map_fn *map)
{
    struct watcher *watcher = ARENA_NEW(&m->arena, struct watcher);

    *watcher = (struct watcher){ m, c, map };
    informer_add_handler(i, &(struct informer_handler){ .on_change = on_change, .arg = watcher });
}

void controller_add_watch(struct controller_manager *m, const struct controller *c,
                          const struct resource *row, controller_map_fn *map)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct informer *i = controller_informer_of(
        m, str_cstr(&a, row->group), str_cstr(&a, row->version), str_cstr(&a, row->name));

    if (i)
        watch_resource(m, c, i, map);
}

static void add_watches(struct controller_manager *m, const struct controller *c)
{
    for (const struct controller_watch *w = c->watches; w->resource; w++) {
        struct informer *i = controller_informer_of(m, w->group, w->version, w->resource);

        if (i && w->map)
            watch_resource(m, c, i, w->map);
    }
}

static void add_controllers(struct controller_manager *m)
{
    custom_rows_prepare(m);
    for (const struct controller *const *c = controller_table; *c; c++) {
        struct managed_controller *mc = &m->controllers[m->n_controllers++];

        *mc = (struct managed_controller){ .manager = m, .controller = *c };
        mc->queue = workqueue_new(m->loop, on_ready, mc);
    }
    for (size_t i = 0; i < m->n_controllers; i++) {
        add_watches(m, m->controllers[i].controller);
        if (m->controllers[i].controller->prepare)
            m->controllers[i].controller->prepare(m);
    }
}

static void on_goodbye(struct loop_timer *t)
{
    loop_stop(CONTAINER_OF(t, struct controller_manager, goodbye)->loop);
}

/* The lease is let go of, which takes a moment to send. */
static void on_signal(int signum, void *arg)
{
    struct controller_manager *m = arg;

    (void)signum;
    m->is_running = false;
    loop_timer_start(&m->goodbye, m->election ? LEADER_ELECTION_GOODBYE_MS : 0);
    leader_election_free(TAKE(m->election));
}

static int open_client(struct controller_manager *m, struct err *err)
{
    struct kube_config config;
    int r = m->options->kubeconfig
                ? kube_config_load(&m->arena, m->options->kubeconfig, &config, err)
                : kube_config_in_cluster(&m->arena, &config, err);

    if (r < 0)
        return r;
    m->root_ca = config.ca_pem;
    if (m->options->root_ca_file)
        r = kube_config_read_file(&m->arena, m->options->root_ca_file, &m->root_ca, err);
    if (r < 0)
        return r;
    return rest_client_new(m->loop, &config, STR("kube-controller-manager"), &m->rest, err);
}

/* Nothing is read before: who waits costs the server one request in a while. */
static void on_leading(void *arg)
{
    struct controller_manager *m = arg;

    add_controllers(m);
    for (size_t i = 0; i < m->n_informers; i++)
        informer_start(m->informers[i]);
}

static void on_lease_lost(void *arg)
{
    struct controller_manager *m = arg;

    m->has_lost = true;
    loop_stop(m->loop);
}

static int start(struct controller_manager *m, struct err *err)
{
    int r = open_client(m, err);

    if (r >= 0)
        r = loop_on_signal(m->loop, SIGTERM, on_signal, m, err);
    if (r >= 0)
        r = loop_on_signal(m->loop, SIGINT, on_signal, m, err);
    if (r < 0)
        return r;
    if (m->options->leader_elect)
        m->election = leader_election_new(
            &(struct leader_election_options){ .loop = m->loop,
                                               .client = m->rest,
                                               .namespace = STR("kube-system"),
                                               .name = STR("kube-controller-manager"),
                                               .identity = leader_election_identity(&m->arena),
                                               .on_started = on_leading,
                                               .on_stopped = on_lease_lost,
                                               .arg = m });
    else
        on_leading(m);
    return 0;
}

int controller_manager_run(const struct controller_manager_options *o)
{
    struct controller_manager m = { .options = o };
    struct err err;
    int r;

    m.loop = loop_new(&clock_system);
    loop_timer_init(&m.goodbye, m.loop, on_goodbye);
    r = start(&m, &err);
    if (r >= 0)
        loop_run(m.loop);
    else
        (void)fprintf(stderr, "pintle controller-manager: %s\n", err.text);
    for (size_t i = 0; i < m.n_informers; i++)
        informer_free(m.informers[i]);
    custom_rows_free(m.custom);
    leader_election_free(m.election);
    for (size_t i = 0; i < m.n_controllers; i++)
        event_recorder_free(m.controllers[i].recorder);
    rest_client_free(m.rest);
    for (size_t i = 0; i < m.n_controllers; i++)
        workqueue_free(m.controllers[i].queue);
    loop_free(m.loop);
    arena_done(&m.arena);
    return r < 0 || m.has_lost ? 1 : 0;
}

const struct controller_manager_options *controller_options(const struct controller_manager *m)
{
    return m->options;
}

struct str controller_root_ca(const struct controller_manager *m)
{
    return m->root_ca;
}

const struct clock *controller_clock(const struct controller_manager *m)
{
    return loop_clock(m->loop);
}

struct loop *controller_loop(const struct controller_manager *m)
{
    return m->loop;
}

struct rest_client *controller_rest(const struct controller_manager *m)
{
    return m->rest;
}

void *controller_state(struct controller_manager *m, const struct controller *c)
{
    return controller_managed(m, c)->state;
}

void controller_set_state(struct controller_manager *m, const struct controller *c, void *state)
{
    controller_managed(m, c)->state = state;
}

struct arena *controller_arena(struct controller_manager *m)
{
    return &m->arena;
}

int64_t controller_now_s(const struct controller_manager *m)
{
    return clock_wall_s(loop_clock(m->loop));
}
