/* The process: what changes marks its Service; at the end of the turn all marked ones are worked
 * out anew, and what differs goes to the kernel in one transaction. */
#include "proxy/proxy.h"

#include <netinet/in.h>
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
#include "net/conntrack.h"
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
    struct informer *services, *slices, *nodes, *pods; /* pods: NULL without a node */
    int slices_of_service;                             /* index */
    struct node_routes *routes;
    struct netlink *netfilter;
    struct map wanted;   /* Service key -> struct proxy_elements */
    struct map rules;    /* bytes of set and key -> struct rule */
    struct map dirty;    /* Service keys; Pod keys after a '#' */
    struct map shadowed; /* keys as above of those that want what another has */
    struct ip_prefix cidrs[2];
    size_t n_cidrs;
    struct VEC(uint32_t) timeouts;         /* of affinity, with chains once the table is loaded */
    struct VEC(struct proxy_element) gone; /* endpoints whose datagrams may still go there */
    struct nft_batch *batch;
    struct loop_task task;
    struct loop_timer retry;
    struct command *nft;
    bool is_loaded; /* the table stands and is what `rules` says */
    int exit_code;
};

/* --- what the kernel is to have --- */

/* Who waits for what another had is asked again. */
static void wake_shadowed(struct proxy *p)
{
    MAP_FOREACH(it, &p->shadowed)
        (void)map_put(&p->dirty, it->key, p);
    if (p->shadowed.len)
        loop_task_post(p->loop, &p->task);
}

static void release(struct proxy *p, const struct proxy_element *e)
{
    char text[PROXY_KEY_BYTES];
    struct str key = proxy_element_key(e, text);
    struct rule *r = map_get(&p->rules, key);

    if (!r || e->is_shadowed || --r->users)
        return;
    proxy_table_remove(p->batch, p->o->table, &r->element);
    if (e->protocol == IPPROTO_UDP && e->to.family)
        VEC_PUSH(&p->gone, *e);
    (void)map_remove(&p->rules, key);
    mem_free(r);
    wake_shadowed(p);
}

static void acquire(struct proxy *p, struct proxy_element *e)
{
    char text[PROXY_KEY_BYTES];
    struct str key = proxy_element_key(e, text);
    struct rule *r = map_get(&p->rules, key);

    if (r) {
        e->is_shadowed = !proxy_element_same_value(&r->element, e);
        r->users += !e->is_shadowed;
        return;
    }
    e->is_shadowed = false;
    r = NEW(struct rule);
    r->element = *e;
    r->users = 1;
    (void)map_put(&p->rules, key, r);
    proxy_table_add(p->batch, p->o->table, e);
}

static const struct proxy_element *find(const struct proxy_elements *list,
                                        const struct proxy_element *e, size_t hint)
{
    char a[PROXY_KEY_BYTES], b[PROXY_KEY_BYTES];
    struct str key = proxy_element_key(e, a);

    /* Lists are made in the same order, so the place is mostly the same. */
    for (size_t k = 0; k < list->len; k++) {
        const struct proxy_element *x = &list->items[(hint + k) % list->len];

        if (x->set == e->set && proxy_element_same_value(x, e) &&
            str_eq(proxy_element_key(x, b), key))
            return x;
    }
    return NULL;
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
        if (!find(is, &was->items[i], i))
            release(p, &was->items[i]);
    for (size_t i = 0; new &&i < new->len; i++) {
        const struct proxy_element *same = find(was, &new->items[i], i);

        if (!same || same->is_shadowed)
            acquire(p, &new->items[i]);
    }
}

/* A chain for each timeout of affinity stands in the table; one more takes a new table. */
static void note_timeouts(struct proxy *p, const struct proxy_elements *list)
{
    for (size_t i = 0; i < list->len; i++) {
        uint32_t wanted = list->items[i].timeout_s;
        bool is_known = !wanted;

        VEC_FOREACH(const uint32_t *, t, &p->timeouts)
            is_known |= *t == wanted;
        if (!is_known) {
            VEC_PUSH(&p->timeouts, wanted);
            p->is_loaded = false;
        }
    }
}

static void note_shadows(struct proxy *p, struct str key, const struct proxy_elements *list)
{
    for (size_t i = 0; list && i < list->len; i++)
        if (list->items[i].is_shadowed) {
            (void)map_put(&p->shadowed, key, p);
            return;
        }
    (void)map_remove(&p->shadowed, key);
}

static struct proxy_elements *wanted_by(struct proxy *p, struct str key)
{
    struct service_rules_input in = { .node = str_from_cstr(p->o->node_name) };
    struct proxy_elements *ret = NEW(struct proxy_elements);
    const struct api_object *pod;

    if (str_has_prefix(key, STR("#"))) {
        pod = informer_get(p->pods, str_tail(key, 1));
        if (pod)
            service_rules_of_pod(pod, ret);
        return ret;
    }
    in.service = informer_get(p->services, key);
    if (!in.service)
        return ret;
    in.n_slices = informer_by_index(p->slices, p->slices_of_service, key, &in.slices);
    service_rules(&in, ret);
    return ret;
}

static void work_out(struct proxy *p, struct str key)
{
    struct proxy_elements *old = map_get(&p->wanted, key), *new = wanted_by(p, key);

    note_timeouts(p, new);
    replace(p, old, new);
    note_shadows(p, key, new);
    if (new->len) {
        (void)map_put(&p->wanted, key, new);
    } else {
        (void)map_remove(&p->wanted, key);
        elements_free(new);
    }
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
    proxy_table_print(&text, &(struct proxy_layout){ .table = p->o->table,
                                                     .cidrs = p->cidrs,
                                                     .n_cidrs = p->n_cidrs,
                                                     .timeouts_s = p->timeouts.items,
                                                     .n_timeouts = p->timeouts.len });
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

/* A client that sends on from one port stays with the endpoint that its first datagram went to, as
 * long as the kernel remembers: it is to forget those that went. */
static void forget(struct proxy *p)
{
    struct err err;

    VEC_FOREACH(const struct proxy_element *, e, &p->gone) {
        struct conntrack_filter f = { .protocol = e->protocol,
                                      .original_to = e->address,
                                      .original_port = e->port,
                                      .translated_to = e->to,
                                      .translated_port = e->to_port };

        if (conntrack_flush(p->netfilter, &f, &err) < 0)
            LOG_WARNING("cannot forget tracked datagrams", KV("err", str_from_cstr(err.text)));
    }
    VEC_CLEAR(&p->gone);
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
    forget(p);
}

static void work_out_dirty(struct proxy *p)
{
    struct map dirty = p->dirty;

    p->dirty = (struct map){ 0 }; /* what working out marks is for the next turn */
    MAP_FOREACH(it, &dirty)
        work_out(p, it->key);
    map_done(&dirty);
}

static void on_task(struct loop_task *t)
{
    struct proxy *p = CONTAINER_OF(t, struct proxy, task);

    /* Pods are not waited for: who may not list them has Services all the same. */
    if (!informer_is_synced(p->services) || !informer_is_synced(p->slices) || p->nft)
        return;
    work_out_dirty(p);
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

static void on_pod(const struct api_object *old, const struct api_object *new, void *arg)
{
    CLEANUP(buf_done) struct buf key = { 0 };

    buf_append_char(&key, '#');
    buf_append_str(&key, (new ? new : old)->key);
    mark(arg, buf_str(&key));
}

static void on_synced(void *arg)
{
    struct proxy *p = arg;

    loop_task_post(p->loop, &p->task);
}

/* --- life --- */

static struct informer *
open_informer(struct proxy *p, struct str group, struct str resource, struct str fields,
              void (*fn)(const struct api_object *old, const struct api_object *new, void *arg))
{
    struct informer *i = informer_new(
        &(struct informer_options){ .loop = p->loop,
                                    .client = p->rest,
                                    .field_selector = fields,
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

    if (r >= 0) {
        struct err none; /* a kernel without IPv6 */

        (void)netns_sysctl(-1, "net/ipv6/conf/all/forwarding", "1", &none);
        r = netlink_new(-1, NETLINK_OF_NETFILTER, &p->netfilter, err);
    }
    if (r >= 0)
        r = node_routes_new(str_from_cstr(p->o->node_name), &p->routes, err);
    p->batch = nft_batch_new();
    return r;
}

static int parse_cidrs(struct proxy *p, struct err *err)
{
    struct str rest = str_from_cstr(p->o->cluster_cidr), part;

    while (str_next(&rest, ',', &part)) {
        if (p->n_cidrs == ARRAY_LEN(p->cidrs) ||
            !ip_prefix_parse(str_trim(part), &p->cidrs[p->n_cidrs]))
            return err_set(err, ERR_INVALID, "--cluster-cidr '%s' is not one or two prefixes",
                           p->o->cluster_cidr);
        p->cidrs[p->n_cidrs] =
            (struct ip_prefix){ ip_prefix_base(&p->cidrs[p->n_cidrs]), p->cidrs[p->n_cidrs].len };
        p->n_cidrs++;
    }
    return 0;
}

static int start(struct proxy *p, struct err *err)
{
    struct kube_config config;
    int r = parse_cidrs(p, err);

    if (r >= 0)
        r = kube_config_load(&p->arena, p->o->kubeconfig, &config, err);

    if (r >= 0)
        r = rest_client_new(p->loop, &config, STR("kube-proxy"), &p->rest, err);
    if (r >= 0)
        r = open_kernel(p, err);
    if (r < 0)
        return r;
    p->services = open_informer(p, STR(""), STR("services"), STR_NULL, on_service);
    p->slices =
        open_informer(p, STR("discovery.k8s.io"), STR("endpointslices"), STR_NULL, on_slice);
    p->slices_of_service = informer_add_index(p->slices, index_service);
    p->nodes = open_informer(p, STR(""), STR("nodes"), STR_NULL, on_node);
    if (p->o->node_name && *p->o->node_name)
        p->pods =
            open_informer(p, STR(""), STR("pods"),
                          arena_printf(&p->arena, "spec.nodeName=%s", p->o->node_name), on_pod);
    informer_start(p->services);
    informer_start(p->slices);
    informer_start(p->nodes);
    if (p->pods)
        informer_start(p->pods);
    return 0;
}

/* --cleanup. Routes go with their links, or are the next proxy's. */
static int clean(struct proxy *p, struct err *err)
{
    static const uint8_t families[] = { 2, 10 }; /* NFPROTO_IPV4, NFPROTO_IPV6 */
    struct netlink *n;
    int r = netlink_new(-1, NETLINK_OF_NETFILTER, &n, err);

    if (r < 0)
        return r;
    p->batch = nft_batch_new();
    for (size_t i = 0; i < ARRAY_LEN(families) && r >= 0; i++) {
        nft_batch_reset(p->batch);
        nft_batch_delete_table(p->batch, families[i], p->o->table);
        r = nft_batch_commit(p->batch, n, err);
        if (r == -2 /* ENOENT: there is none */)
            r = 0;
    }
    netlink_free(n);
    return r;
}

static void close_all(struct proxy *p)
{
    command_cancel(p->nft);
    informer_free(p->services);
    informer_free(p->slices);
    informer_free(p->nodes);
    informer_free(p->pods);
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
    map_done(&p->shadowed);
    VEC_DONE(&p->timeouts);
    VEC_DONE(&p->gone);
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
