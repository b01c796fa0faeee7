/* The hub: which watchers want an event, and their queues. A watcher stands in one bucket, named by
 * the most telling of what it asked for; an event goes to the buckets of its old and its new value:
 *
 *   index  resource, field, value     name  resource, name     namespace  resource, "ns/"     all
 *
 * Locks: the hub's (buckets, joiners), then a port's (queues of one mailbox's watchers). They are
 * locks and not messages, because the store thread fills thousands of queues that loops empty, and
 * a message for each would be the larger cost; both are held for a few stores only.
 *
 * A watcher that starts while a batch is on its way joins when that batch has been published, so it
 * is either all in the log for it or all live. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/store_internal.h"

struct watch_bucket {
    struct list watches;
    struct str key; /* the map's */
};

/* One mailbox's watchers: one wake-up for all of them. */
struct watch_port {
    pthread_mutex_t lock;
    struct mailbox *mailbox;
    struct watch_hub *hub;
    struct mailbox_message message;
    struct list ready;
    struct list link; /* of the hub; hub's lock, as is: */
    size_t watches;
    bool posted; /* lock */
};

struct watch_hub {
    struct store *store;
    pthread_mutex_t lock;
    struct map buckets;
    struct list ports;
    struct list joiners;
    bool busy;   /* a batch is on its way */
    size_t refs; /* the store's, and one for each port: its message may outlive the store */
    atomic_uint_fast64_t published;
    atomic_uint_fast64_t watchers, dropped;
};

/* --- events --- */

static size_t object_bytes(const struct store_object *o)
{
    return o->key.len + o->head.len + o->tail.len + o->packed.len;
}

static char *copy_str(char *to, struct str *s)
{
    if (s->len)
        memcpy(to, s->p, s->len);
    s->p = to;
    return to + s->len;
}

static char *copy_object(char *to, struct store_object *o)
{
    to = copy_str(to, &o->key);
    to = copy_str(to, &o->head);
    to = copy_str(to, &o->tail);
    return copy_str(to, &o->packed);
}

struct store_event_node *store_event_new(enum store_event_type type, uint64_t revision,
                                         const struct store_object *object,
                                         const struct store_object *previous)
{
    size_t size = sizeof(struct store_event_node) + object_bytes(object) +
                  (previous ? object_bytes(previous) : 0);
    struct store_event_node *n = mem_alloc(size);
    char *to = (char *)(n + 1);

    *n = (struct store_event_node){ .event = { .type = type,
                                               .revision = revision,
                                               .object = *object,
                                               .has_previous = previous != NULL } };
    list_init(&n->link);
    atomic_init(&n->refs, 1);
    to = copy_object(to, &n->event.object);
    if (previous) {
        n->event.previous = *previous;
        (void)copy_object(to, &n->event.previous);
    }
    return n;
}

static struct store_event_node *node_of(const struct store_event *e)
{
    return (struct store_event_node *)(uintptr_t)e; /* its first member */
}

const struct store_event *store_event_ref(const struct store_event *e)
{
    (void)atomic_fetch_add_explicit(&node_of(e)->refs, 1, memory_order_relaxed);
    return e;
}

void store_event_unref(const struct store_event *e)
{
    if (e && atomic_fetch_sub_explicit(&node_of(e)->refs, 1, memory_order_acq_rel) == 1)
        mem_free(node_of(e));
}

/* --- who wants what --- */

static struct str name_of(struct str key)
{
    ptrdiff_t slash = str_rfind(key, '/');

    return slash < 0 ? key : str_tail(key, (size_t)slash + 1);
}

static bool index_matches(const struct store_watch *w, const struct store_object *o)
{
    struct str v;

    return store_packed_find(o->packed, true, w->index_field, &v) && str_eq(v, w->index_value);
}

bool watch_matches(const struct store_watch *w, const struct store_event *e)
{
    if (e->object.resource != w->resource || !str_has_prefix(e->object.key, w->prefix))
        return false;
    if (w->name.p && !str_eq(name_of(e->object.key), w->name))
        return false;
    return !w->index_field.p || index_matches(w, &e->object) ||
           (e->has_previous && index_matches(w, &e->previous));
}

static void bucket_key(struct buf *b, enum watch_kind kind, uint16_t resource, struct str field,
                       struct str value)
{
    buf_reset(b);
    buf_append_char(b, (char)kind);
    buf_append(b, &resource, sizeof(resource));
    buf_append_str(b, field);
    buf_append_char(b, 0);
    buf_append_str(b, value);
}

static bool is_namespace(struct str prefix)
{
    return prefix.len && str_find(prefix, '/') == (ptrdiff_t)prefix.len - 1;
}

static void watch_bucket_key(struct store_watch *w, struct buf *b)
{
    if (w->index_field.p)
        bucket_key(b, WATCH_INDEX, w->resource, w->index_field, w->index_value);
    else if (w->name.p)
        bucket_key(b, WATCH_NAME, w->resource, STR(""), w->name);
    else if (is_namespace(w->prefix))
        bucket_key(b, WATCH_NAMESPACE, w->resource, STR(""), w->prefix);
    else
        bucket_key(b, WATCH_ALL, w->resource, STR(""), STR(""));
}

/* --- ports and queues --- */

void watch_hub_lock_port(struct store_watch *w)
{
    (void)pthread_mutex_lock(&w->port->lock);
}

void watch_hub_unlock_port(struct store_watch *w)
{
    (void)pthread_mutex_unlock(&w->port->lock);
}

/* Port's lock. */
static void make_ready(struct store_watch *w)
{
    if (list_is_empty(&w->ready))
        list_append(&w->port->ready, &w->ready);
}

static bool take_post(struct watch_port *p)
{
    bool post;

    (void)pthread_mutex_lock(&p->lock);
    post = !p->posted && !list_is_empty(&p->ready);
    p->posted = p->posted || post;
    (void)pthread_mutex_unlock(&p->lock);
    return post;
}

void watch_hub_wake(struct store_watch *w)
{
    watch_hub_lock_port(w);
    make_ready(w);
    watch_hub_unlock_port(w);
    if (take_post(w->port))
        mailbox_post(w->port->mailbox, &w->port->message);
}

static void free_queue(struct store_watch *w)
{
    for (uint32_t i = 0; i < w->n; i++)
        store_event_unref(w->ring[(w->first + i) % w->cap]);
    mem_free(w->ring);
    w->ring = NULL;
    w->n = w->cap = w->first = 0;
    w->queued_bytes = 0;
}

static void grow_ring(struct store_watch *w)
{
    uint32_t cap = w->cap ? w->cap * 2 : 4;
    const struct store_event **ring = mem_alloc(cap * sizeof(*ring));

    for (uint32_t i = 0; i < w->n; i++)
        ring[i] = w->ring[(w->first + i) % w->cap];
    mem_free(w->ring);
    w->ring = ring;
    w->cap = cap;
    w->first = 0;
}

/* Store thread. */
static void push(struct watch_hub *h, struct store_watch *w, const struct store_event *e)
{
    watch_hub_lock_port(w);
    if (w->status == 0 && e->revision > w->live_from) {
        size_t bytes = store_event_bytes(e);

        if (w->n == w->max_queued || (w->n && w->queued_bytes + bytes > STORE_WATCH_QUEUE_BYTES)) {
            w->status = ERR_OVERFLOW;
            free_queue(w);
            (void)atomic_fetch_add_explicit(&h->dropped, 1, memory_order_relaxed);
        } else {
            if (w->n == w->cap)
                grow_ring(w);
            w->ring[(w->first + w->n++) % w->cap] = store_event_ref(e);
            w->queued_bytes += bytes;
        }
        make_ready(w);
    }
    watch_hub_unlock_port(w);
}

static void push_bucket(struct watch_hub *h, struct buf *key, const struct store_event *e)
{
    struct watch_bucket *b = map_get(&h->buckets, buf_str(key));

    if (!b)
        return;
    LIST_FOREACH(l, &b->watches) {
        struct store_watch *w = CONTAINER_OF(l, struct store_watch, member);

        if (watch_matches(w, e))
            push(h, w, e);
    }
}

static void push_index(struct watch_hub *h, struct buf *key, const struct store_event *e)
{
    struct store_resource_entry *re = store_resource_get(h->store, e->object.resource);

    for (size_t i = 0; re && i < re->n_indexed; i++) {
        struct str was, is;
        bool had =
            e->has_previous && store_packed_find(e->previous.packed, true, re->indexed[i], &was);
        bool has = store_packed_find(e->object.packed, true, re->indexed[i], &is);

        if (has) {
            bucket_key(key, WATCH_INDEX, e->object.resource, re->indexed[i], is);
            push_bucket(h, key, e);
        }
        if (had && !(has && str_eq(was, is))) {
            bucket_key(key, WATCH_INDEX, e->object.resource, re->indexed[i], was);
            push_bucket(h, key, e);
        }
    }
}

static void deliver(struct watch_hub *h, struct buf *key, const struct store_event *e)
{
    ptrdiff_t slash = str_find(e->object.key, '/');

    bucket_key(key, WATCH_ALL, e->object.resource, STR(""), STR(""));
    push_bucket(h, key, e);
    if (slash >= 0) {
        bucket_key(key, WATCH_NAMESPACE, e->object.resource, STR(""),
                   str_sub(e->object.key, 0, (size_t)slash + 1));
        push_bucket(h, key, e);
    }
    bucket_key(key, WATCH_NAME, e->object.resource, STR(""), name_of(e->object.key));
    push_bucket(h, key, e);
    push_index(h, key, e);
}

/* --- ports' wake-ups, on their loops --- */

static void destroy_hub(struct watch_hub *h)
{
    map_done(&h->buckets);
    (void)pthread_mutex_destroy(&h->lock);
    mem_free(h);
}

/* Hub's lock is held and dropped: the port goes with its last watch, unless its message is still on
 * its way and will see to it. */
static void release_port(struct watch_port *p)
{
    struct watch_hub *h = p->hub;
    bool last, last_of_hub = false;

    (void)pthread_mutex_lock(&p->lock);
    last = p->watches == 0 && !p->posted;
    (void)pthread_mutex_unlock(&p->lock);
    if (last) {
        list_remove(&p->link);
        last_of_hub = --h->refs == 0;
    }
    (void)pthread_mutex_unlock(&h->lock);
    if (last) {
        (void)pthread_mutex_destroy(&p->lock);
        mem_free(p);
    }
    if (last_of_hub)
        destroy_hub(h);
}

static void run_port(struct mailbox_message *m)
{
    struct watch_port *p = CONTAINER_OF(m, struct watch_port, message);
    struct list now, *l;
    bool again;

    list_init(&now);
    (void)pthread_mutex_lock(&p->lock);
    list_splice(&now, &p->ready);
    /* Stays posted while callbacks run, so that a stop in one of them does not free the port. */
    while ((l = list_first(&now))) {
        struct store_watch *w = CONTAINER_OF(l, struct store_watch, ready);

        list_remove(l);
        (void)pthread_mutex_unlock(&p->lock);
        w->fn(w, w->arg);
        (void)pthread_mutex_lock(&p->lock);
    }
    again = !list_is_empty(&p->ready); /* what came meanwhile, in its turn */
    p->posted = again;
    (void)pthread_mutex_unlock(&p->lock);
    if (again) {
        mailbox_post(p->mailbox, &p->message);
        return;
    }
    (void)pthread_mutex_lock(&p->hub->lock);
    release_port(p);
}

/* --- joining and leaving --- */

static struct watch_port *get_port(struct watch_hub *h, struct mailbox *m)
{
    struct watch_port *p;

    LIST_FOREACH(l, &h->ports) {
        p = CONTAINER_OF(l, struct watch_port, link);
        if (p->mailbox == m)
            return p;
    }
    p = NEW(struct watch_port);
    (void)pthread_mutex_init(&p->lock, NULL);
    p->mailbox = m;
    p->hub = h;
    p->message.fn = run_port;
    list_init(&p->message.link);
    list_init(&p->ready);
    list_append(&h->ports, &p->link);
    h->refs++;
    return p;
}

/* Hub's lock. */
static void join(struct watch_hub *h, struct store_watch *w)
{
    CLEANUP(buf_done) struct buf key = { 0 };
    struct watch_bucket *b;

    watch_bucket_key(w, &key);
    b = map_get(&h->buckets, buf_str(&key));
    if (!b) {
        b = NEW(struct watch_bucket);
        list_init(&b->watches);
        b->key.p = mem_dup(key.p, key.len);
        b->key.len = key.len;
        (void)map_put(&h->buckets, b->key, b);
    }
    w->bucket = b;
    list_append(&b->watches, &w->member);
    watch_hub_lock_port(w);
    w->live_from = atomic_load(&h->published);
    watch_hub_unlock_port(w);
}

void watch_hub_add(struct watch_hub *h, struct store_watch *w, struct mailbox *m)
{
    struct store_resource_entry *re = store_resource_get(h->store, w->resource);

    list_init(&w->member);
    list_init(&w->ready);
    w->live_from = UINT64_MAX;
    (void)atomic_fetch_add(&re->watchers, 1);
    (void)atomic_fetch_add(&h->watchers, 1);
    (void)pthread_mutex_lock(&h->lock);
    w->port = get_port(h, m);
    w->port->watches++;
    if (h->busy)
        list_append(&h->joiners, &w->member);
    else
        join(h, w);
    (void)pthread_mutex_unlock(&h->lock);
}

void watch_hub_remove(struct watch_hub *h, struct store_watch *w)
{
    struct store_resource_entry *re = store_resource_get(h->store, w->resource);
    struct watch_port *p = w->port;

    (void)pthread_mutex_lock(&h->lock);
    list_remove(&w->member);
    if (w->bucket && list_is_empty(&w->bucket->watches)) {
        (void)map_remove(&h->buckets, w->bucket->key);
        mem_free((void *)(uintptr_t)w->bucket->key.p);
        mem_free(w->bucket);
    }
    (void)pthread_mutex_lock(&p->lock);
    list_remove(&w->ready);
    free_queue(w);
    (void)pthread_mutex_unlock(&p->lock);
    p->watches--;
    (void)atomic_fetch_sub(&re->watchers, 1);
    (void)atomic_fetch_sub(&h->watchers, 1);
    release_port(p);
}

/* --- the store thread's side --- */

void watch_hub_begin_batch(struct watch_hub *h)
{
    (void)pthread_mutex_lock(&h->lock);
    h->busy = true;
    (void)pthread_mutex_unlock(&h->lock);
}

void watch_hub_publish(struct watch_hub *h, struct list *events, uint64_t revision)
{
    CLEANUP(buf_done) struct buf key = { 0 };
    struct list *l;

    (void)pthread_mutex_lock(&h->lock);
    while (events && (l = list_first(events))) {
        struct store_event_node *n = CONTAINER_OF(l, struct store_event_node, link);

        list_remove(l);
        deliver(h, &key, &n->event);
        store_event_unref(&n->event);
    }
    atomic_store(&h->published, revision);
    h->busy = false;
    while ((l = list_first(&h->joiners))) {
        struct store_watch *w = CONTAINER_OF(l, struct store_watch, member);

        list_remove(l);
        join(h, w);
        watch_hub_lock_port(w);
        make_ready(w); /* the batch that it waited for is in the log */
        watch_hub_unlock_port(w);
    }
    LIST_FOREACH(pl, &h->ports) {
        struct watch_port *p = CONTAINER_OF(pl, struct watch_port, link);

        if (take_post(p))
            mailbox_post(p->mailbox, &p->message);
    }
    (void)pthread_mutex_unlock(&h->lock);
}

uint64_t watch_hub_published(struct watch_hub *h)
{
    return atomic_load(&h->published);
}

void watch_hub_stats(struct watch_hub *h, struct store_stats *ret)
{
    ret->watchers = atomic_load(&h->watchers);
    ret->dropped_watchers = atomic_load(&h->dropped);
}

struct watch_hub *watch_hub_new(struct store *s)
{
    struct watch_hub *h = NEW(struct watch_hub);

    h->store = s;
    h->refs = 1;
    (void)pthread_mutex_init(&h->lock, NULL);
    list_init(&h->ports);
    list_init(&h->joiners);
    atomic_store(&h->published, s->counter);
    return h;
}

void watch_hub_free(struct watch_hub *h)
{
    bool last;

    if (!h)
        return;
    (void)pthread_mutex_lock(&h->lock);
    last = --h->refs == 0;
    (void)pthread_mutex_unlock(&h->lock);
    if (last)
        destroy_hub(h);
}
