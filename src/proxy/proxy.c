/* The process: what changes marks its Service; at the end of the turn all marked ones are worked
 * out anew, and what differs goes to the kernel in one transaction. */
#include "proxy/proxy.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>

#include "api/core_v1.h"
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
#include "codec/time_text.h"
#include "io/command.h"
#include "io/loop.h"
#include "net/conntrack.h"
#include "net/netlink.h"
#include "net/netns.h"
#include "net/nft_batch.h"
#include "proxy/node_routes.h"
#include "proxy/proxy_health.h"
#include "proxy/proxy_ledger.h"
#include "proxy/proxy_metrics.h"
#include "proxy/service_rules.h"

enum { RETRY_MS = 1000, NFT_TIMEOUT_MS = 30000, MAX_TRIGGERS = 1000 };

struct proxy {
    const struct proxy_options *o;
    struct arena arena;
    struct loop *loop;
    struct rest_client *rest;
    struct informer *services, *slices, *nodes, *pods; /* pods: NULL without a node */
    int slices_of_service;                             /* index */
    struct node_routes *routes;
    struct netlink *netfilter;
    struct proxy_ledger *ledger;
    struct proxy_metrics *metrics;
    struct proxy_health *health;
    struct map dirty; /* Service keys; Pod keys after a '#' */
    struct buf zone;  /* the node's */
    struct ip_prefix cidrs[2];
    size_t n_cidrs;
    struct VEC(uint32_t) timeouts; /* of affinity, with chains once the table is loaded */
    struct VEC(int64_t) triggers;  /* when what is being written was caused, ms since 1970 */
    int64_t load_ns;               /* when nft was started */
    struct nft_batch *batch;
    struct loop_task task;
    struct loop_timer retry;
    struct command *nft;
    bool is_loaded; /* the table stands and is what `rules` says */
    int exit_code;
};

static void mark(struct proxy *p, struct str key)
{
    (void)map_put(&p->dirty, key, p);
    loop_task_post(p->loop, &p->task);
    proxy_health_queued(p->health);
}

static void on_free(struct str owner, void *arg)
{
    mark(arg, owner);
}

/* --- what the kernel is to have --- */

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

static void set_health(struct proxy *p, struct str key, const struct service_rules_input *in)
{
    struct str namespace, name;
    uint16_t port = in->service && in->node.len ? service_rules_health_port(in->service) : 0;

    (void)str_cut(key, '/', &namespace, &name);
    proxy_health_service(p->health, namespace, name, port,
                         port ? service_rules_local_endpoints(in) : 0);
}

static void wanted_by(struct proxy *p, struct str key, struct proxy_elements *ret)
{
    struct service_rules_input in = { .node = str_from_cstr(p->o->node_name),
                                      .zone = buf_str(&p->zone) };
    const struct api_object *pod;

    if (str_has_prefix(key, STR("#"))) {
        pod = informer_get(p->pods, str_tail(key, 1));
        if (pod)
            service_rules_of_pod(pod, ret);
        return;
    }
    in.service = informer_get(p->services, key);
    in.n_slices = informer_by_index(p->slices, p->slices_of_service, key, &in.slices);
    set_health(p, key, &in);
    if (in.service)
        service_rules(&in, ret);
}

static void work_out(struct proxy *p, struct str key)
{
    struct proxy_elements wanted = { 0 };

    wanted_by(p, key, &wanted);
    note_timeouts(p, &wanted);
    proxy_ledger_replace(p->ledger, key, &wanted);
}

/* --- the table as a whole --- */

static int64_t us_since(int64_t ns)
{
    return (clock_system.mono_ns(&clock_system) - ns) / 1000;
}

/* The kernel has it all. */
static void note_written(struct proxy *p)
{
    VEC_FOREACH(const int64_t *, t, &p->triggers)
        proxy_metrics_programmed(p->metrics, *t);
    VEC_CLEAR(&p->triggers);
    if (!p->dirty.len)
        proxy_health_updated(p->health);
}

static void on_loaded(struct command *c, const struct command_result *res, void *arg)
{
    struct proxy *p = arg;

    (void)c;
    p->nft = NULL;
    proxy_metrics_synced(p->metrics, true, res->code < 0 || res->status != 0,
                         proxy_ledger_len(p->ledger), us_since(p->load_ns));
    if (res->code < 0 || res->status != 0) {
        LOG_ERROR("cannot load the table", KV("nft", str_trim(res->err)));
        loop_timer_start(&p->retry, RETRY_MS);
        return;
    }
    p->is_loaded = true;
    note_written(p);
    loop_task_post(p->loop, &p->task); /* what has changed meanwhile */
}

/* One transaction replaces whatever an earlier proxy left, so nothing is without rules meanwhile.
 */
static void load(struct proxy *p)
{
    static const char *const argv[] = { "nft", "-f", "-", NULL };
    CLEANUP(buf_done) struct buf text = { 0 };
    const struct proxy_element *e;
    struct err err;
    size_t at = 0;

    nft_batch_reset(p->batch); /* the text has it all */
    proxy_table_print(&text, &(struct proxy_layout){ .table = p->o->table,
                                                     .cidrs = p->cidrs,
                                                     .n_cidrs = p->n_cidrs,
                                                     .timeouts_s = p->timeouts.items,
                                                     .n_timeouts = p->timeouts.len });
    while ((e = proxy_ledger_next(p->ledger, &at)))
        proxy_element_print(&text, p->o->table, e);
    p->load_ns = clock_system.mono_ns(&clock_system);
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
    struct proxy_elements *gone = proxy_ledger_gone(p->ledger);
    size_t left = 0;
    struct err err;

    for (size_t i = 0; i < gone->len; i++) {
        const struct proxy_element *e = &gone->items[i];
        struct conntrack_filter f = { .protocol = e->protocol,
                                      .original_to = e->address,
                                      .original_port = e->port,
                                      .translated_to = e->to,
                                      .translated_port = e->to_port };

        if (conntrack_flush(p->netfilter, &f, &err) >= 0)
            continue;
        LOG_WARNING("cannot forget tracked datagrams yet", KV("err", str_from_cstr(err.text)));
        gone->items[left++] = *e;
    }
    gone->len = left;
    if (left)
        loop_timer_start(&p->retry, RETRY_MS);
}

static void commit(struct proxy *p)
{
    size_t n = nft_batch_len(p->batch);
    int64_t since = clock_system.mono_ns(&clock_system);
    struct err err;
    int r = n ? nft_batch_commit(p->batch, p->netfilter, &err) : 0;

    if (n)
        proxy_metrics_synced(p->metrics, false, r < 0, n, us_since(since));
    if (r < 0) {
        /* The kernel has something else than we think: all of it anew. */
        LOG_WARNING("the table is not as expected and is loaded anew",
                    KV("err", str_from_cstr(err.text)));
        p->is_loaded = false;
        load(p);
        return;
    }
    nft_batch_reset(p->batch);
    forget(p);
    note_written(p);
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

static void on_service(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct proxy *p = arg;

    proxy_metrics_service_changed(p->metrics);
    mark(p, (new ? new : old)->key);
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

/* Who changed an endpoint says when; what was there when we came tells nothing. */
static void note_trigger(struct proxy *p, const struct api_object *slice)
{
    const struct schema_str_entry *e = text_map_find(
        &slice->meta->annotations, STR("endpoints.kubernetes.io/last-change-trigger-time"));
    int64_t sec;
    int32_t nsec;

    if (e && informer_is_synced(p->slices) && p->triggers.len < MAX_TRIGGERS &&
        time_text_parse(e->value, &sec, &nsec))
        VEC_PUSH(&p->triggers, sec * 1000 + nsec / 1000000);
}

static void on_slice(const struct api_object *old, const struct api_object *new, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str before = old ? service_of(&a, old) : STR_NULL,
               now = new ? service_of(&a, new) : STR_NULL;

    proxy_metrics_endpoints_changed(((struct proxy *)arg)->metrics);
    if (new)
        note_trigger(arg, new);
    if (before.len)
        mark(arg, before);
    if (now.len && !str_eq(before, now))
        mark(arg, now);
}

/* Which endpoints are near changes with the zone. */
static void set_zone(struct proxy *p, struct str zone)
{
    const struct api_object *o;
    size_t at = 0;

    if (str_eq(zone, buf_str(&p->zone)))
        return;
    buf_reset(&p->zone);
    buf_append_str(&p->zone, zone);
    while ((o = informer_next(p->services, &at)))
        mark(p, o->key);
}

static void on_own_node(struct proxy *p, const struct api_object *o)
{
    const struct schema_str_entry *zone =
        o ? text_map_find(&o->meta->labels, STR("topology.kubernetes.io/zone")) : NULL;
    const struct core_v1_node *node = o ? API_OBJECT(o, struct core_v1_node) : NULL;
    bool is_leaving = !o || o->meta->deletion_timestamp.set;

    for (uint32_t i = 0; node && i < node->spec.taints.len; i++)
        is_leaving |= str_eq(node->spec.taints.items[i].key, STR("ToBeDeletedByClusterAutoscaler"));
    proxy_health_eligible(p->health, !is_leaving);
    set_zone(p, zone ? zone->value : STR(""));
}

static void on_node(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct proxy *p = arg;

    if (p->o->node_name && str_eq((new ? new : old)->meta->name, str_from_cstr(p->o->node_name)))
        on_own_node(p, new);
    node_routes_change(p->routes, old, new);
}

static void on_nodes_synced(void *arg)
{
    node_routes_sweep(((struct proxy *)arg)->routes);
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
        i, &(struct informer_handler){ .on_change = fn,
                                       .on_synced = fn == on_node ? on_nodes_synced : on_synced,
                                       .arg = p });
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
        r = node_routes_new(str_from_cstr(p->o->node_name), p->cidrs, p->n_cidrs, &p->routes, err);
    p->batch = nft_batch_new();
    p->ledger = proxy_ledger_new(&(struct proxy_ledger_options){
        .batch = p->batch, .table = p->o->table, .on_free = on_free, .arg = p });
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

static void print_metrics(struct buf *b, void *arg)
{
    const struct proxy *p = arg;

    proxy_metrics_print(p->metrics, proxy_ledger_len(p->ledger), b);
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
    if (r >= 0)
        r = proxy_health_new(&(struct proxy_health_options){ .loop = p->loop,
                                                             .metrics = p->metrics,
                                                             .healthz = p->o->healthz,
                                                             .metrics_at = p->o->metrics,
                                                             .print_metrics = print_metrics,
                                                             .arg = p },
                             &p->health, err);
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

static int clean_tables(struct proxy *p, struct err *err)
{
    static const uint8_t families[] = { 2, 10 }; /* NFPROTO_IPV4, NFPROTO_IPV6 */
    int r = netlink_new(-1, NETLINK_OF_NETFILTER, &p->netfilter, err);

    p->batch = nft_batch_new();
    for (size_t i = 0; i < ARRAY_LEN(families) && r >= 0; i++) {
        nft_batch_reset(p->batch);
        nft_batch_delete_table(p->batch, families[i], p->o->table);
        r = nft_batch_commit(p->batch, p->netfilter, err);
        if (r == -2 /* ENOENT: there is none */)
            r = 0;
    }
    return r;
}

/* --cleanup: the tables, and our routes into the cluster's ranges. */
static int clean(struct proxy *p, struct err *err)
{
    int r = parse_cidrs(p, err);

    if (r >= 0)
        r = clean_tables(p, err);
    if (r >= 0)
        r = node_routes_new(STR(""), p->cidrs, p->n_cidrs, &p->routes, err);
    return r < 0 ? r : node_routes_clean(p->routes, err);
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
    proxy_ledger_free(p->ledger);
    nft_batch_free(p->batch);
    proxy_health_free(p->health);
    proxy_metrics_free(p->metrics);
    map_done(&p->dirty);
    buf_done(&p->zone);
    VEC_DONE(&p->timeouts);
    VEC_DONE(&p->triggers);
    loop_free(p->loop);
    arena_done(&p->arena);
}

int proxy_run(const struct proxy_options *o)
{
    struct proxy p = { .o = o };
    struct err err;
    int r;

    p.loop = loop_new(&clock_system);
    p.metrics = proxy_metrics_new();
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
