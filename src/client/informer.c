#include "client/informer.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "client/api_object.h"
#include "client/reflector.h"

enum { MAX_INDEXES = 8 };

struct entry {
    const struct api_object *object;
    bool is_seen; /* in the list that is under way */
};

struct bucket {
    struct VEC(const struct api_object *) objects;
};

struct index {
    informer_index_fn *fn;
    struct map buckets; /* value -> struct bucket */
};

struct waiter {
    uint64_t revision;
    void (*fn)(void *arg);
    void *arg;
};

struct informer {
    struct informer_options o;
    struct arena arena;
    struct reflector *reflector;
    struct map entries; /* key -> struct entry */
    struct VEC(struct informer_handler) handlers;
    struct index indexes[MAX_INDEXES];
    int n_indexes;
    struct VEC(struct waiter) waiters;
    uint64_t revision;
    bool is_synced;
    bool is_listing;
};

/* --- indexes --- */

struct emission {
    struct index *index;
    const struct api_object *object;
    bool is_added;
};

static void add_to_bucket(struct index *x, struct str value, const struct api_object *o)
{
    struct bucket *b = map_get(&x->buckets, value);

    if (!b) {
        b = NEW(struct bucket);
        (void)map_put(&x->buckets, value, b); /* was absent */
    }
    VEC_PUSH(&b->objects, o);
}

static void remove_from_bucket(struct index *x, struct str value, const struct api_object *o)
{
    struct bucket *b = map_get(&x->buckets, value);

    for (size_t i = 0; b && i < b->objects.len; i++)
        if (b->objects.items[i] == o) {
            b->objects.items[i] = VEC_LAST(&b->objects);
            b->objects.len--;
            break;
        }
    if (b && !b->objects.len) {
        (void)map_remove(&x->buckets, value); /* b itself */
        VEC_DONE(&b->objects);
        mem_free(b);
    }
}

static void on_emit(struct str value, void *arg)
{
    struct emission *e = arg;

    if (e->is_added)
        add_to_bucket(e->index, value, e->object);
    else
        remove_from_bucket(e->index, value, e->object);
}

static void reindex(struct informer *i, const struct api_object *o, bool is_added)
{
    for (int n = 0; n < i->n_indexes; n++) {
        struct emission e = { &i->indexes[n], o, is_added };

        i->indexes[n].fn(o, on_emit, &e);
    }
}

/* --- what the reflector says --- */

static void tell(struct informer *i, const struct api_object *old, const struct api_object *new)
{
    VEC_FOREACH(struct informer_handler *, h, &i->handlers)
        h->on_change(old, new, h->arg);
}

static void on_list(void *arg)
{
    struct informer *i = arg;

    i->is_listing = true;
    MAP_FOREACH(e, &i->entries)
        ((struct entry *)e->value)->is_seen = false;
}

static void put(struct informer *i, const struct api_object *o)
{
    struct entry *e = map_get(&i->entries, o->key);
    const struct api_object *old = e ? e->object : NULL;

    if (!e) {
        e = NEW(struct entry);
        (void)map_put(&i->entries, o->key, e); /* was absent */
    }
    e->is_seen = true;
    if (old && old->revision == o->revision)
        return; /* a list that brought nothing new */
    if (old)
        reindex(i, old, false);
    e->object = api_object_ref(o);
    reindex(i, o, true);
    tell(i, old, o);
    api_object_unref(old);
}

static void drop(struct informer *i, struct str key)
{
    struct entry *e = map_remove(&i->entries, key);
    const struct api_object *old = e ? e->object : NULL;

    if (!e)
        return;
    mem_free(e);
    reindex(i, old, false);
    tell(i, old, NULL);
    api_object_unref(old);
}

static void on_object(const struct api_object *o, bool is_deleted, void *arg)
{
    struct informer *i = arg;

    if (is_deleted)
        drop(i, o->key);
    else
        put(i, o);
}

static void drop_unseen(struct informer *i)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct VEC(struct str) gone = { 0 };

    MAP_FOREACH(e, &i->entries)
        if (!((struct entry *)e->value)->is_seen)
            VEC_PUSH(&gone, str_dup(&a, e->key));
    VEC_FOREACH(struct str *, key, &gone)
        drop(i, *key);
    VEC_DONE(&gone);
}

static void on_synced(void *arg)
{
    struct informer *i = arg;

    drop_unseen(i);
    i->is_listing = false;
    i->is_synced = true;
    VEC_FOREACH(struct informer_handler *, h, &i->handlers)
        if (h->on_synced)
            h->on_synced(h->arg);
}

static void on_revision(uint64_t revision, void *arg)
{
    struct informer *i = arg;

    i->revision = revision;
    for (size_t n = 0; n < i->waiters.len;) {
        struct waiter w = i->waiters.items[n];

        if (w.revision > revision) {
            n++;
            continue;
        }
        i->waiters.items[n] = VEC_LAST(&i->waiters);
        i->waiters.len--;
        w.fn(w.arg); /* may add others */
    }
}

static const struct reflector_ops reflector_ops = { on_list, on_object, on_synced, on_revision };

/* --- life --- */

struct informer *informer_new(const struct informer_options *o)
{
    struct informer *i = NEW(struct informer);

    i->o = *o;
    i->o.namespace = str_dup(&i->arena, o->namespace);
    i->o.field_selector = str_dup(&i->arena, o->field_selector);
    i->o.label_selector = str_dup(&i->arena, o->label_selector);
    return i;
}

static void free_index(struct index *x)
{
    MAP_FOREACH(e, &x->buckets) {
        VEC_DONE(&((struct bucket *)e->value)->objects);
        mem_free(e->value);
    }
    map_done(&x->buckets);
}

void informer_free(struct informer *i)
{
    if (!i)
        return;
    reflector_free(i->reflector);
    for (int n = 0; n < i->n_indexes; n++)
        free_index(&i->indexes[n]);
    MAP_FOREACH(e, &i->entries) {
        api_object_unref(((struct entry *)e->value)->object);
        mem_free(e->value);
    }
    map_done(&i->entries);
    VEC_DONE(&i->handlers);
    VEC_DONE(&i->waiters);
    arena_done(&i->arena);
    mem_free(i);
}

void informer_add_handler(struct informer *i, const struct informer_handler *h)
{
    VEC_PUSH(&i->handlers, *h);
}

int informer_add_index(struct informer *i, informer_index_fn *fn)
{
    if (i->n_indexes == MAX_INDEXES)
        return -1;
    i->indexes[i->n_indexes].fn = fn;
    return i->n_indexes++;
}

void informer_start(struct informer *i)
{
    struct reflector_options o = { .loop = i->o.loop,
                                   .client = i->o.client,
                                   .resource = i->o.resource,
                                   .namespace = i->o.namespace,
                                   .field_selector = i->o.field_selector,
                                   .label_selector = i->o.label_selector,
                                   .trim = i->o.trim,
                                   .ops = &reflector_ops,
                                   .arg = i };

    i->reflector = reflector_new(&o);
}

void informer_stop(struct informer *i)
{
    reflector_free(TAKE(i->reflector));
    on_list(i); /* one that brings nothing */
    drop_unseen(i);
    i->is_synced = i->is_listing = false;
}

/* --- looking --- */

bool informer_is_synced(const struct informer *i)
{
    return i->is_synced;
}

uint64_t informer_revision(const struct informer *i)
{
    return i->revision;
}

void informer_cancel_await(struct informer *i, void *arg)
{
    for (size_t n = 0; n < i->waiters.len; n++)
        if (i->waiters.items[n].arg == arg) {
            i->waiters.items[n] = VEC_LAST(&i->waiters);
            i->waiters.len--;
            return;
        }
}

void informer_await(struct informer *i, uint64_t revision, void (*fn)(void *arg), void *arg)
{
    informer_cancel_await(i, arg);
    if (revision <= i->revision)
        fn(arg);
    else
        VEC_PUSH(&i->waiters, (struct waiter){ revision, fn, arg });
}

const struct api_object *informer_get(const struct informer *i, struct str key)
{
    const struct entry *e = map_get(&i->entries, key);

    return e ? e->object : NULL;
}

size_t informer_len(const struct informer *i)
{
    return i->entries.len;
}

const struct api_object *informer_next(const struct informer *i, size_t *cursor)
{
    const struct map_entry *e = map_next(&i->entries, cursor);

    return e ? ((const struct entry *)e->value)->object : NULL;
}

size_t informer_by_index(const struct informer *i, int index, struct str value,
                         const struct api_object *const **ret)
{
    const struct bucket *b =
        index < 0 || index >= i->n_indexes ? NULL : map_get(&i->indexes[index].buckets, value);

    *ret = b ? b->objects.items : NULL;
    return b ? b->objects.len : 0;
}

const struct resource *informer_resource(const struct informer *i)
{
    return i->o.resource;
}
