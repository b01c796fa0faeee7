#include "apiserver/authz/node_graph.h"

#include <pthread.h>
#include <stdatomic.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/pod_references.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/edge_counts.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "io/loop.h"
#include "store/store.h"

enum { SLICE_OBJECTS = 256, EDGE_BYTES = 1024 };

/* A resource that feeds the graph. */
struct feed {
    struct node_graph *graph;
    const struct resource *row;
    uint16_t id;
    /* Adds (n = 1) or takes away (-1) what the object brings. */
    void (*count)(struct node_graph *g, struct object o, int32_t n);
    bool (*is_same)(const struct store_object *old, const struct store_object *new);
    struct store_watch *watch;
    uint64_t scan_revision; /* what is scanned, and events begin after */
    struct str after;       /* the key that was scanned last; heap */
    bool is_scanned;
    uint64_t heard;              /* the newest event that is counted */
    _Atomic uint64_t is_counted; /* everything up to this revision is; 0: the scan is not over */
};

/* Claims whose volumes are mounted with a Secret: by the Secret's "namespace/name". */
struct claim {
    char *key; /* "namespace/name" */
    int32_t count;
};
struct claims {
    struct VEC(struct claim) list;
};

struct node_graph {
    struct apiserver *server;
    struct loop *loop;
    struct loop_task scan;
    struct feed pods, volumes;
    /* A lock and no message: requests on every loop read, for some nanoseconds. */
    pthread_mutex_t lock;
    struct edge_counts edges;
    struct map secrets; /* struct claims */
};

/* --- edges --- */

/* A name longer than any object's has no edges; 0 stands for it. */
static uint64_t edge_hash(struct str node, enum node_edge edge, struct str namespace,
                          struct str name)
{
    char text[EDGE_BYTES];
    int n = snprintf(text, sizeof(text), "%d/%.*s/%.*s/%.*s", edge, STR_ARG(node),
                     STR_ARG(namespace), STR_ARG(name));

    return n > 0 && (size_t)n < sizeof(text) ? hash_bytes(text, (size_t)n) : 0;
}

static bool has_edge(const struct node_graph *g, struct str node, enum node_edge edge,
                     struct str namespace, struct str name)
{
    return edge_counts_get(&g->edges, edge_hash(node, edge, namespace, name)) > 0;
}

/* --- Pods --- */

typedef void edge_fn(enum node_edge edge, struct str name, void *arg);
struct each {
    edge_fn *fn;
    void *arg;
};

static bool on_reference(enum pod_reference kind, struct str name, void *arg)
{
    static const enum node_edge edges[] = {
        [POD_REFERENCE_SECRET] = NODE_EDGE_SECRET,
        [POD_REFERENCE_CONFIG_MAP] = NODE_EDGE_CONFIG_MAP,
        [POD_REFERENCE_CLAIM] = NODE_EDGE_CLAIM,
    };
    const struct each *e = arg;

    if (name.len)
        e->fn(edges[kind], name, e->arg);
    return true;
}

/* The picture of a static Pod gives its node nothing: it made it itself. */
static void each_edge(struct arena *a, const struct core_v1_pod *pod, edge_fn *fn, void *arg)
{
    const struct core_v1_pod_extended_resource_claim_status *extended =
        pod->status.extended_resource_claim_status;

    if (text_map_find(&pod->metadata.annotations, STR("kubernetes.io/config.mirror")))
        return;
    if (pod->spec.service_account_name.len)
        fn(NODE_EDGE_ACCOUNT, pod->spec.service_account_name, arg);
    pod_references_each(pod, on_reference, &(struct each){ fn, arg });
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++) {
        const struct core_v1_volume *v = &pod->spec.volumes.items[i];

        if (v->volume_source.ephemeral)
            fn(NODE_EDGE_CLAIM,
               arena_printf(a, "%.*s-%.*s", STR_ARG(pod->metadata.name), STR_ARG(v->name)), arg);
    }
    for (uint32_t i = 0; i < pod->spec.resource_claims.len; i++)
        if (pod->spec.resource_claims.items[i].resource_claim_name.len)
            fn(NODE_EDGE_RESOURCE_CLAIM, pod->spec.resource_claims.items[i].resource_claim_name,
               arg);
    for (uint32_t i = 0; i < pod->status.resource_claim_statuses.len; i++)
        if (pod->status.resource_claim_statuses.items[i].resource_claim_name.len)
            fn(NODE_EDGE_RESOURCE_CLAIM,
               pod->status.resource_claim_statuses.items[i].resource_claim_name, arg);
    if (extended && extended->resource_claim_name.len)
        fn(NODE_EDGE_RESOURCE_CLAIM, extended->resource_claim_name, arg);
}

struct pod_count {
    struct node_graph *graph;
    const struct core_v1_pod *pod;
    int32_t n;
};

static void count_edge(enum node_edge edge, struct str name, void *arg)
{
    const struct pod_count *c = arg;

    edge_counts_add(&c->graph->edges,
                    edge_hash(c->pod->spec.node_name, edge, c->pod->metadata.namespace, name),
                    c->n);
}

static void count_pod(struct node_graph *g, struct object o, int32_t n)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct pod_count c = { g, o.data, n };

    if (c.pod->spec.node_name.len)
        each_edge(&a, c.pod, count_edge, &c);
}

static bool mentions(const struct store_object *o, struct str text)
{
    return str_contains(o->head, text) || str_contains(o->tail, text);
}

/* Once it is bound, a Pod names something new only by its ephemeral containers and its claims'
 * status. */
static bool is_same_pod(const struct store_object *old, const struct store_object *new)
{
    static const struct str late[] = { STR_INIT("\"ephemeralContainers\""),
                                       STR_INIT("\"resourceClaimStatuses\""),
                                       STR_INIT("\"extendedResourceClaimStatus\"") };
    struct str from = STR(""), to = STR("");

    (void)store_object_field(old, STR("spec.nodeName"), &from);
    (void)store_object_field(new, STR("spec.nodeName"), &to);
    if (!str_eq(from, to))
        return false;
    for (size_t i = 0; to.len && i < ARRAY_LEN(late); i++)
        if (mentions(old, late[i]) || mentions(new, late[i]))
            return false;
    return true;
}

/* --- volumes --- */

static void count_claim(struct node_graph *g, struct str secret, struct str claim, int32_t n)
{
    struct claims *c = map_get(&g->secrets, secret);
    size_t i = 0;

    if (!c) {
        c = NEW(struct claims);
        (void)map_put(&g->secrets, secret, c); /* there was none */
    }
    while (i < c->list.len && !str_eq(str_from_cstr(c->list.items[i].key), claim))
        i++;
    if (i == c->list.len)
        VEC_PUSH(&c->list, (struct claim){ .key = str_heap_cstr(claim) });
    c->list.items[i].count += n;
    if (c->list.items[i].count)
        return;
    mem_free(c->list.items[i].key);
    c->list.items[i] = c->list.items[c->list.len - 1];
    c->list.len--;
    if (c->list.len)
        return;
    VEC_DONE(&c->list);
    mem_free(map_remove(&g->secrets, secret));
}

static void count_secret(struct node_graph *g, const struct core_v1_persistent_volume *pv,
                         struct str namespace, struct str name, int32_t n)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_object_reference *claim = pv->spec.claim_ref;

    if (!name.len)
        return;
    count_claim(g,
                arena_printf(&a, "%.*s/%.*s", STR_ARG(namespace.len ? namespace : claim->namespace),
                             STR_ARG(name)),
                arena_printf(&a, "%.*s/%.*s", STR_ARG(claim->namespace), STR_ARG(claim->name)), n);
}

/* The Secrets that a node mounts the volume with; those of its controllers are not its business. */
static void count_volume(struct node_graph *g, struct object o, int32_t n)
{
    const struct core_v1_persistent_volume *pv = o.data;
    const struct core_v1_persistent_volume_source *v = &pv->spec.persistent_volume_source;
    const struct core_v1_secret_reference *refs[] = {
        v->cephfs ? v->cephfs->secret_ref : NULL,
        v->cinder ? v->cinder->secret_ref : NULL,
        v->flex_volume ? v->flex_volume->secret_ref : NULL,
        v->rbd ? v->rbd->secret_ref : NULL,
        v->scale_io ? v->scale_io->secret_ref : NULL,
        v->iscsi ? v->iscsi->secret_ref : NULL,
        v->csi ? v->csi->node_publish_secret_ref : NULL,
        v->csi ? v->csi->node_stage_secret_ref : NULL,
        v->csi ? v->csi->node_expand_secret_ref : NULL,
    };

    if (!pv->spec.claim_ref)
        return;
    for (size_t i = 0; i < ARRAY_LEN(refs); i++)
        if (refs[i])
            count_secret(g, pv, refs[i]->namespace, refs[i]->name, n);
    if (v->azure_file)
        count_secret(g, pv, v->azure_file->secret_namespace, v->azure_file->secret_name, n);
    if (v->storageos && v->storageos->secret_ref)
        count_secret(g, pv, v->storageos->secret_ref->namespace, v->storageos->secret_ref->name, n);
}

static bool is_same_volume(const struct store_object *old, const struct store_object *new)
{
    (void)old, (void)new;
    return false; /* they change seldom */
}

/* --- feeding --- */

static void count(struct feed *f, const struct store_object *so, int32_t n)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct object o;
    struct err err;

    if (stored_object_decode(&a, f->row, so, &o, &err) < 0) {
        LOG_ERROR("an object does not count for its node", KV("key", so->key),
                  KV("reason", (const char *)err.text));
        return;
    }
    pthread_mutex_lock(&f->graph->lock);
    f->count(f->graph, o, n);
    pthread_mutex_unlock(&f->graph->lock);
}

static void take(struct feed *f, const struct store_event *e)
{
    bool has_new = e->type != STORE_EVENT_DELETED;

    f->heard = e->revision;
    if (has_new && e->has_previous && f->is_same(&e->previous, &e->object))
        return;
    if (e->has_previous)
        count(f, &e->previous, -1);
    if (has_new)
        count(f, &e->object, 1);
}

static void publish(struct feed *f)
{
    if (f->is_scanned)
        atomic_store(&f->is_counted, MAX(f->heard, f->scan_revision));
}

static void restart(struct node_graph *g);

static void on_events(struct store_watch *w, void *arg)
{
    struct feed *f = arg;
    const struct store_event *e;

    while ((e = store_watch_next(w))) {
        take(f, e);
        store_event_unref(e);
    }
    if (store_watch_status(w) < 0) {
        LOG_WARNING("what nodes may read is counted anew",
                    KV("reason", err_name(store_watch_status(w))));
        restart(f->graph);
        return;
    }
    publish(f);
}

/* True: there is more to scan. */
static bool scan_some(struct feed *f)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct store_range range = {
        .resource = f->id, .prefix = STR(""), .after = f->after, .revision = f->scan_revision
    };
    struct store_snapshot snapshot;
    struct store_cursor *cursor;
    struct store_object so;
    struct err err;
    int n = 0, rc = store_snapshot_begin(f->graph->server->store, &snapshot, &err);
    char *last = NULL;

    if (rc < 0) {
        LOG_ERROR("what nodes may read was not counted", KV("reason", (const char *)err.text));
        return false;
    }
    rc = store_range_begin(&snapshot, &a, &range, &cursor, &err);
    while (rc >= 0 && n < SLICE_OBJECTS && (rc = store_range_next(cursor, &so, &err)) > 0) {
        count(f, &so, 1);
        mem_free(last);
        last = str_heap_cstr(so.key);
        n++;
    }
    store_snapshot_end(&snapshot);
    if (last) {
        mem_free((char *)(uintptr_t)f->after.p);
        f->after = str_from_cstr(last);
    }
    if (rc < 0)
        LOG_ERROR("what nodes may read was not counted", KV("reason", (const char *)err.text));
    f->is_scanned = rc == 0;
    publish(f);
    return rc > 0;
}

static void on_scan(struct loop_task *t)
{
    struct node_graph *g = CONTAINER_OF(t, struct node_graph, scan);

    if ((!g->volumes.is_scanned && scan_some(&g->volumes)) ||
        (!g->pods.is_scanned && scan_some(&g->pods)))
        loop_task_post(g->loop, &g->scan);
}

static int begin(struct feed *f, struct err *err)
{
    struct node_graph *g = f->graph;
    struct store_watch_options o = {
        .resource = f->id,
        .prefix = STR(""),
        .max_queued = UINT32_MAX, /* they are only counted, at once */
    };

    f->scan_revision = o.after = store_revision(g->server->store);
    return store_watch_start(g->server->store, &o, loop_mailbox(g->loop), on_events, f, &f->watch,
                             err);
}

static void end_feed(struct feed *f)
{
    store_watch_stop(f->watch);
    f->watch = NULL;
    mem_free((char *)(uintptr_t)f->after.p);
    f->after = STR_NULL;
    f->is_scanned = false;
    f->heard = 0;
    atomic_store(&f->is_counted, 0);
}

static void forget(struct node_graph *g)
{
    edge_counts_done(&g->edges);
    MAP_FOREACH(e, &g->secrets) {
        struct claims *c = e->value;

        for (size_t i = 0; i < c->list.len; i++)
            mem_free(c->list.items[i].key);
        VEC_DONE(&c->list);
        mem_free(c);
    }
    map_done(&g->secrets);
}

static int start(struct node_graph *g, struct err *err)
{
    int rc = begin(&g->pods, err);

    if (rc >= 0)
        rc = begin(&g->volumes, err);
    loop_task_post(g->loop, &g->scan);
    return rc;
}

static void restart(struct node_graph *g)
{
    struct err err;

    end_feed(&g->pods);
    end_feed(&g->volumes);
    pthread_mutex_lock(&g->lock);
    forget(g);
    pthread_mutex_unlock(&g->lock);
    if (start(g, &err) < 0)
        LOG_ERROR("what nodes may read is not counted", KV("reason", (const char *)err.text));
}

/* --- its life --- */

int node_graph_new(struct apiserver *s, struct loop *l, struct node_graph **ret, struct err *err)
{
    struct node_graph *g = NEW(struct node_graph);
    int rc;

    g->server = s;
    g->loop = l;
    pthread_mutex_init(&g->lock, NULL);
    loop_task_init(&g->scan, on_scan);
    g->pods.row = stored_read_row(STR(""), STR("pods"));
    g->pods.count = count_pod;
    g->pods.is_same = is_same_pod;
    g->volumes.row = stored_read_row(STR(""), STR("persistentvolumes"));
    g->volumes.count = count_volume;
    g->volumes.is_same = is_same_volume;
    g->pods.graph = g->volumes.graph = g;
    g->pods.id = registry_store_id(&s->registry, g->pods.row);
    g->volumes.id = registry_store_id(&s->registry, g->volumes.row);
    rc = start(g, err);
    if (rc < 0) {
        node_graph_stop(g);
        node_graph_free(g);
        return rc;
    }
    *ret = g;
    return 0;
}

void node_graph_stop(struct node_graph *g)
{
    if (!g)
        return;
    end_feed(&g->pods);
    end_feed(&g->volumes);
    loop_task_cancel(&g->scan);
}

void node_graph_free(struct node_graph *g)
{
    if (!g)
        return;
    forget(g);
    pthread_mutex_destroy(&g->lock);
    mem_free(g);
}

/* --- asking --- */

struct wish {
    enum node_edge edge;
    struct str name;
    bool found;
};

static void compare(enum node_edge edge, struct str name, void *arg)
{
    struct wish *w = arg;

    w->found |= edge == w->edge && str_eq(name, w->name);
}

/* Does a Pod name it that changed after `counted`? */
static bool is_in_news(struct node_graph *g, struct str node, uint64_t counted,
                       struct str namespace, struct wish *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct store_range range = {
        .resource = g->pods.id,
        .prefix = arena_printf(&a, "%.*s/", STR_ARG(namespace)),
        .index_field = STR("spec.nodeName"),
        .index_value = node,
    };
    struct store_snapshot snapshot;
    struct store_cursor *cursor;
    struct store_object so;
    struct object o;
    struct err err;
    int rc = store_snapshot_begin(g->server->store, &snapshot, &err);

    if (rc < 0)
        return false;
    rc = store_range_begin(&snapshot, &a, &range, &cursor, &err);
    while (!w->found && rc >= 0 && store_range_next(cursor, &so, &err) > 0)
        if (so.mod_revision > counted && stored_object_decode(&a, g->pods.row, &so, &o, &err) >= 0)
            each_edge(&a, o.data, compare, w);
    store_snapshot_end(&snapshot);
    return w->found;
}

static bool is_of_pods(struct node_graph *g, struct str node, enum node_edge edge,
                       struct str namespace, struct str name)
{
    struct wish w = { .edge = edge, .name = name };
    uint64_t counted = atomic_load(&g->pods.is_counted);
    bool found;

    pthread_mutex_lock(&g->lock);
    found = has_edge(g, node, edge, namespace, name);
    pthread_mutex_unlock(&g->lock);
    return found || is_in_news(g, node, counted, namespace, &w);
}

/* Through a claim of the node's Pods. */
static bool is_of_volumes(struct node_graph *g, struct str node, struct str namespace,
                          struct str name)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str secret = arena_printf(&a, "%.*s/%.*s", STR_ARG(namespace), STR_ARG(name));
    const struct claims *c;
    bool found = false;

    pthread_mutex_lock(&g->lock);
    c = map_get(&g->secrets, secret);
    for (size_t i = 0; !found && c && i < c->list.len; i++) {
        struct str claim = str_from_cstr(c->list.items[i].key), of = STR("");

        (void)str_cut(claim, '/', &of, &claim);
        found = c->list.items[i].count > 0 && has_edge(g, node, NODE_EDGE_CLAIM, of, claim);
    }
    pthread_mutex_unlock(&g->lock);
    return found;
}

bool node_graph_has(struct node_graph *g, struct str node, enum node_edge edge,
                    struct str namespace, struct str name)
{
    return is_of_pods(g, node, edge, namespace, name) ||
           (edge == NODE_EDGE_SECRET && is_of_volumes(g, node, namespace, name));
}
