/* The process: what changes marks its Service; at the end of the turn all marked ones are worked
 * out anew, and what differs goes to the kernel in one transaction. */
#include "proxy/proxy.h"

#include <signal.h>
#include <stdio.h>

#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "client/rest_client.h"
#include "io/command.h"
#include "io/loop.h"
#include "net/netlink.h"
#include "net/netns.h"
#include "net/nft_batch.h"
#include "proxy/node_routes.h"
#include "proxy/service_rules.h"

enum { RETRY_MS = 1000, NFT_TIMEOUT_MS = 30000 };

/* An element that the kernel has, for as many Services as want it. */
struct rule {
    struct proxy_element element;
    uint32_t users;
};

struct proxy {
    const struct proxy_options *o;
    struct arena arena;
    struct loop *loop;
    struct rest_client *rest;
    struct informer *services, *slices, *nodes;
    int slices_of_service; /* index */
    struct node_routes *routes;
    struct netlink *netfilter;
    struct map wanted; /* Service key -> struct proxy_elements */
    struct map rules;  /* bytes of set and key -> struct rule */
    struct map dirty;  /* Service keys */
    struct nft_batch *batch;
    struct loop_task task;
    struct loop_timer retry;
    struct command *nft;
    bool is_loaded; /* the table stands and is what `rules` says */
    int exit_code;
};

/* --- what the kernel is to have --- */

static struct str rule_key(const struct proxy_element *e, char ret[NFT_DATA_BYTES + 1])
{
    struct nft_bytes key;

    proxy_element_key(e, &key);
    ret[0] = (char)e->set;
    memcpy(ret + 1, key.bytes, key.len);
    return str_n(ret, (size_t)key.len + 1);
}

static void release(struct proxy *p, const struct proxy_element *e)
{
    char text[NFT_DATA_BYTES + 1];
    struct str key = rule_key(e, text);
    struct rule *r = map_get(&p->rules, key);

    if (!r || e->is_shadowed || --r->users)
        return;
    proxy_table_remove(p->batch, p->o->table, &r->element);
    (void)map_remove(&p->rules, key);
    mem_free(r);
}

static void acquire(struct proxy *p, struct proxy_element *e)
{
    char text[NFT_DATA_BYTES + 1];
    struct str key = rule_key(e, text);
    struct rule *r = map_get(&p->rules, key);

    if (r) {
        e->is_shadowed = !proxy_element_same_value(&r->element, e);
        r->users += !e->is_shadowed;
        return;
    }
    r = NEW(struct rule);
    r->element = *e;
    r->users = 1;
    (void)map_put(&p->rules, key, r);
    proxy_table_add(p->batch, p->o->table, e);
}

static bool is_among(const struct proxy_elements *list, const struct proxy_element *e, size_t hint)
{
    char a[NFT_DATA_BYTES + 1], b[NFT_DATA_BYTES + 1];
    struct str key = rule_key(e, a);

    /* Lists are made in the same order, so the place is mostly the same. */
    for (size_t k = 0; k < list->len; k++) {
        const struct proxy_element *x = &list->items[(hint + k) % list->len];

        if (x->set == e->set && proxy_element_same_value(x, e) && str_eq(rule_key(x, b), key))
            return true;
    }
    return false;
}

static void elements_free(struct proxy_elements *e)
{
    if (!e)
        return;
    VEC_DONE(e);
    mem_free(e);
}

/* From what a Service had to what it wants now. What stays is not touched. */
static void replace(struct proxy *p, struct proxy_elements *old, struct proxy_elements *new)
{
    static const struct proxy_elements none = { 0 };
    const struct proxy_elements *was = old ? old : &none, *is = new ? new : &none;

    for (size_t i = 0; i < was->len; i++)
        if (!is_among(is, &was->items[i], i))
            release(p, &was->items[i]);
    for (size_t i = 0; new &&i < new->len; i++) {
        if (is_among(was, &new->items[i], i))
            new->items[i].is_shadowed = false;
        else
            acquire(p, &new->items[i]);
    }
}

static void work_out(struct proxy *p, struct str key)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct api_object *service = informer_get(p->services, key);
    struct proxy_elements *old = map_get(&p->wanted, key), *new = NULL;
    const struct api_object *const *slices;
    size_t n;

    if (service) {
        new = NEW(struct proxy_elements);
        n = informer_by_index(p->slices, p->slices_of_service, key, &slices);
        service_rules(&a, service, slices, n, new);
    }
    replace(p, old, new);
    if (new)
        (void)map_put(&p->wanted, key, new);
    else
        (void)map_remove(&p->wanted, key);
    elements_free(old);
}

/* --- the table as a whole --- */

static void on_loaded(struct command *c, const struct command_result *res, void *arg)
{
    struct proxy *p = arg;

    (void)c;
    p->nft = NULL;
    if (res->code < 0 || res->status != 0) {
        LOG_ERROR("cannot load the table", KV("nft", str_trim(res->err)));
        loop_timer_start(&p->retry, RETRY_MS);
        return;
    }
    p->is_loaded = true;
    loop_task_post(p->loop, &p->task); /* what has changed meanwhile */
}

/* One transaction replaces whatever an earlier proxy left, so nothing is without rules meanwhile.
 */
static void load(struct proxy *p)
{
    static const char *const argv[] = { "nft", "-f", "-", NULL };
    CLEANUP(buf_done) struct buf text = { 0 };
    struct err err;

    nft_batch_reset(p->batch); /* the text has it all */
    proxy_table_print(&text, p->o->table, p->o->cluster_cidr);
    MAP_FOREACH(it, &p->rules)
        proxy_element_print(&text, p->o->table, &((const struct rule *)it->value)->element);
    if (command_start(p->loop,
                      &(struct command_options){ .argv = argv,
                                                 .input = buf_str(&text),
                                                 .timeout_ms = NFT_TIMEOUT_MS,
                                                 .done = on_loaded,
                                                 .arg = p },
                      &p->nft, &err) < 0) {
        LOG_ERROR("cannot run nft", KV("err", str_from_cstr(err.text)));
        loop_timer_start(&p->retry, RETRY_MS);
    }
}

static void commit(struct proxy *p)
{
    struct err err;

    if (!nft_batch_len(p->batch))
        return;
    if (nft_batch_commit(p->batch, p->netfilter, &err) < 0) {
        /* The kernel has something else than we think: all of it anew. */
        LOG_WARNING("the table is not as expected and is loaded anew",
                    KV("err", str_from_cstr(err.text)));
        p->is_loaded = false;
        load(p);
        return;
    }
    nft_batch_reset(p->batch);
}

static void on_task(struct loop_task *t)
{
    struct proxy *p = CONTAINER_OF(t, struct proxy, task);

    if (!informer_is_synced(p->services) || !informer_is_synced(p->slices) || p->nft)
        return;
    MAP_FOREACH(it, &p->dirty)
        work_out(p, it->key);
    map_done(&p->dirty);
    p->dirty = (struct map){ 0 };
    if (p->is_loaded)
        commit(p);
    else
        load(p);
}

static void on_retry(struct loop_timer *t)
{
    loop_task_post(CONTAINER_OF(t, struct proxy, retry)->loop,
                   &CONTAINER_OF(t, struct proxy, retry)->task);
}

/* --- what the API says --- */

static void mark(struct proxy *p, struct str key)
{
    (void)map_put(&p->dirty, key, p);
    loop_task_post(p->loop, &p->task);
}

static void on_service(const struct api_object *old, const struct api_object *new, void *arg)
{
    mark(arg, (new ? new : old)->key);
}

static struct str service_of(struct arena *a, const struct api_object *slice)
{
    const struct schema_str_entry *e =
        text_map_find(&slice->meta->labels, STR("kubernetes.io/service-name"));

    return e ? arena_printf(a, "%.*s/%.*s", STR_ARG(slice->meta->namespace), STR_ARG(e->value))
             : STR_NULL;
}

static void index_service(const struct api_object *o, informer_emit_fn *emit, void *emit_arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str key = service_of(&a, o);

    if (key.len)
        emit(key, emit_arg);
}

static void on_slice(const struct api_object *old, const struct api_object *new, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str before = old ? service_of(&a, old) : STR_NULL,
               now = new ? service_of(&a, new) : STR_NULL;

    if (before.len)
        mark(arg, before);
    if (now.len && !str_eq(before, now))
        mark(arg, now);
}

static void on_node(const struct api_object *old, const struct api_object *new, void *arg)
{
    node_routes_change(((struct proxy *)arg)->routes, old, new);
}

static void on_synced(void *arg)
{
    struct proxy *p = arg;

    loop_task_post(p->loop, &p->task);
}

/* --- life --- */

static struct informer *open_informer(struct proxy *p, struct str group, struct str resource,
                                      void (*fn)(const struct api_object *old,
                                                 const struct api_object *new, void *arg))
{
    struct informer *i = informer_new(
        &(struct informer_options){ .loop = p->loop,
                                    .client = p->rest,
                                    .resource = resource_find(group, STR("v1"), resource) });

    informer_add_handler(
        i, &(struct informer_handler){ .on_change = fn, .on_synced = on_synced, .arg = p });
    return i;
}

static void on_signal(int signum, void *arg)
{
    (void)signum;
    loop_stop(((struct proxy *)arg)->loop);
}

static int open_kernel(struct proxy *p, struct err *err)
{
    int r = netns_sysctl(-1, "net/ipv4/ip_forward", "1", err);

    if (r >= 0)
        r = netlink_new(-1, NETLINK_OF_NETFILTER, &p->netfilter, err);
    if (r >= 0)
        r = node_routes_new(str_from_cstr(p->o->node_name), &p->routes, err);
    p->batch = nft_batch_new();
    return r;
}

static int start(struct proxy *p, struct err *err)
{
    struct kube_config config;
    int r = kube_config_load(&p->arena, p->o->kubeconfig, &config, err);

    if (r >= 0)
        r = rest_client_new(p->loop, &config, STR("kube-proxy"), &p->rest, err);
    if (r >= 0)
        r = open_kernel(p, err);
    if (r < 0)
        return r;
    p->services = open_informer(p, STR(""), STR("services"), on_service);
    p->slices = open_informer(p, STR("discovery.k8s.io"), STR("endpointslices"), on_slice);
    p->slices_of_service = informer_add_index(p->slices, index_service);
    p->nodes = open_informer(p, STR(""), STR("nodes"), on_node);
    informer_start(p->services);
    informer_start(p->slices);
    informer_start(p->nodes);
    return 0;
}

/* --cleanup. Routes go with their links, or are the next proxy's. */
static int clean(struct proxy *p, struct err *err)
{
    struct netlink *n;
    int r = netlink_new(-1, NETLINK_OF_NETFILTER, &n, err);

    if (r < 0)
        return r;
    p->batch = nft_batch_new();
    nft_batch_delete_table(p->batch, 2 /* NFPROTO_IPV4 */, p->o->table);
    r = nft_batch_commit(p->batch, n, err);
    netlink_free(n);
    return r == -2 /* ENOENT: there is none */ ? 0 : r;
}

static void close_all(struct proxy *p)
{
    command_cancel(p->nft);
    informer_free(p->services);
    informer_free(p->slices);
    informer_free(p->nodes);
    rest_client_free(p->rest);
    node_routes_free(p->routes);
    netlink_free(p->netfilter);
    nft_batch_free(p->batch);
    MAP_FOREACH(it, &p->wanted)
        elements_free(it->value);
    MAP_FOREACH(it, &p->rules)
        mem_free(it->value);
    map_done(&p->wanted);
    map_done(&p->rules);
    map_done(&p->dirty);
    loop_free(p->loop);
    arena_done(&p->arena);
}

int proxy_run(const struct proxy_options *o)
{
    struct proxy p = { .o = o };
    struct err err;
    int r;

    p.loop = loop_new(&clock_system);
    loop_task_init(&p.task, on_task);
    loop_timer_init(&p.retry, p.loop, on_retry);
    r = loop_on_signal(p.loop, SIGTERM, on_signal, &p, &err);
    if (r >= 0)
        r = loop_on_signal(p.loop, SIGINT, on_signal, &p, &err);
    if (r >= 0)
        r = o->cleanup ? clean(&p, &err) : start(&p, &err);
    if (r < 0)
        (void)fprintf(stderr, "pintle proxy: %s\n", err.text);
    else if (!o->cleanup)
        loop_run(p.loop);
    close_all(&p);
    return r < 0 ? 1 : 0;
}
