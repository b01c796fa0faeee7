#include "supervisor/readiness.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "client/rest_client.h"
#include "io/loop.h"
#include "supervisor/cluster.h"

struct readiness {
    const struct cluster *cluster;
    struct loop *loop;
    struct rest_client *rest;
    struct informer *nodes;
    int64_t since_s;
    void (*on_ready)(void *arg);
    void *arg;
    struct loop_task task;
};

static const struct core_v1_node_condition *ready_condition(const struct readiness *r,
                                                            const char *name)
{
    const struct api_object *o = informer_get(r->nodes, str_from_cstr(name));
    const struct core_v1_node *node = o ? API_OBJECT(o, struct core_v1_node) : NULL;

    for (uint32_t i = 0; node && i < node->status.conditions.len; i++)
        if (str_eq(node->status.conditions.items[i].type, STR("Ready")))
            return &node->status.conditions.items[i];
    return NULL;
}

static bool is_ready(const struct readiness *r, const struct core_v1_node_condition *c)
{
    return c && str_eq(c->status, STR("True")) && c->last_heartbeat_time.sec >= r->since_s;
}

/* At the end of the turn: the informer is not freed within its own call. */
static void look(struct loop_task *t)
{
    struct readiness *r = CONTAINER_OF(t, struct readiness, task);

    for (size_t i = 0; i < r->cluster->n_nodes; i++)
        if (!is_ready(r, ready_condition(r, r->cluster->nodes[i].name)))
            return;
    r->on_ready(r->arg);
}

static void on_node(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct readiness *r = arg;

    (void)old;
    (void)new;
    loop_task_post(r->loop, &r->task);
}

int readiness_new(struct loop *l, const struct cluster *c, void (*on_ready)(void *arg), void *arg,
                  struct readiness **ret, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct readiness *r = NEW(struct readiness);
    struct kube_config config;
    int code;

    r->cluster = c;
    r->loop = l;
    r->since_s = clock_wall_s(loop_clock(l));
    r->on_ready = on_ready;
    r->arg = arg;
    loop_task_init(&r->task, look);
    code = kube_config_load(&a, cluster_path(&a, c, "admin.conf"), &config, err);
    if (code >= 0)
        code = rest_client_new(l, &config, STR("pintle-up"), &r->rest, err);
    if (code < 0) {
        readiness_free(r);
        return code;
    }
    r->nodes = informer_new(
        &(struct informer_options){ .loop = l,
                                    .client = r->rest,
                                    .resource = resource_find(STR(""), STR("v1"), STR("nodes")) });
    informer_add_handler(r->nodes, &(struct informer_handler){ .on_change = on_node, .arg = r });
    informer_start(r->nodes);
    *ret = r;
    return 0;
}

void readiness_free(struct readiness *r)
{
    if (!r)
        return;
    loop_task_cancel(&r->task);
    informer_free(r->nodes);
    rest_client_free(r->rest);
    mem_free(r);
}

struct str readiness_missing(const struct readiness *r, struct arena *a)
{
    for (size_t i = 0; i < r->cluster->n_nodes; i++) {
        const char *name = r->cluster->nodes[i].name;
        const struct core_v1_node_condition *c = ready_condition(r, name);

        if (!c)
            return arena_printf(a, "node '%s' has not registered", name);
        if (!is_ready(r, c))
            return arena_printf(a, "node '%s' is not Ready: %.*s", name, STR_ARG(c->message));
    }
    return STR("");
}
