#include "apiserver/extensions/definition_cleanup.h"

#include "api/meta_v1.h"
#include "api/structural/custom_resource.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_object.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/store.h"

enum { BATCH = 128 };

struct definition_cleanup {
    struct apiserver *server;
    struct loop *loop;
    struct custom_definition *definition;
    struct store_watch *watch; /* of its objects */
    struct loop_task task;
    struct arena arena; /* of the batch */
    struct store_mutation mutations[BATCH];
    size_t n;
    struct store_txn txn;
    void (*settled)(void *arg);
    void *arg;
    bool is_busy, is_done, is_over;
};

static void free_all(struct definition_cleanup *c)
{
    arena_done(&c->arena);
    custom_definition_unref(c->definition);
    mem_free(c);
}

static void on_stored(struct store_txn *txn, void *arg)
{
    struct definition_cleanup *c = arg;

    (void)txn; /* what somebody else changed meanwhile comes round again */
    c->is_busy = false;
    if (c->is_over)
        free_all(c);
    else
        loop_task_post(c->loop, &c->task);
}

/* A deletion, or a mark where finalizers hold the object. False: it is marked already. */
static bool add(struct definition_cleanup *c, const struct store_object *so, struct err *err)
{
    const struct resource *row = &c->definition->storage->row;
    struct store_mutation *m = &c->mutations[c->n];
    struct meta_v1_object_meta *meta;
    struct object o;

    *m = (struct store_mutation){
        .op = STORE_DELETE,
        .resource = c->definition->store_id,
        .key = str_dup(&c->arena, so->key),
        .expected = so->mod_revision,
    };
    if (stored_object_decode(&c->arena, row, so, &o, err) < 0) { /* goes as it is */
        c->n++;
        return true;
    }
    meta = object_meta(o);
    if (meta->finalizers.len && meta->deletion_timestamp.set)
        return false;
    if (meta->finalizers.len) {
        m->op = STORE_PUT;
        meta->deletion_timestamp =
            (struct ktime){ .sec = clock_wall_s(c->server->clock), .set = true };
        meta->deletion_grace_period_seconds = ARENA_NEW(&c->arena, int64_t);
        meta->generation++;
    }
    if (stored_object_encode(&c->arena, row, o, m, err) < 0)
        return false;
    c->n++;
    return true;
}

/* The next batch; *ret_left: objects that are there. */
static int gather(struct definition_cleanup *c, size_t *ret_left, struct err *err)
{
    const struct store_range range = { .resource = c->definition->store_id, .prefix = STR("") };
    struct store_snapshot snapshot;
    struct store_cursor *cursor;
    struct store_object so;
    int rc = store_snapshot_begin(c->server->store, &snapshot, err);

    if (rc < 0)
        return rc;
    arena_reset(&c->arena);
    c->n = *ret_left = 0;
    rc = store_range_begin(&snapshot, &c->arena, &range, &cursor, err);
    while (rc >= 0 && c->n < BATCH && (rc = store_range_next(cursor, &so, err)) > 0) {
        (void)add(c, &so, err); /* what is held by its finalizers is waited for */
        ++*ret_left;
    }
    store_snapshot_end(&snapshot);
    return rc;
}

static void on_task(struct loop_task *t)
{
    struct definition_cleanup *c = CONTAINER_OF(t, struct definition_cleanup, task);
    struct err err;
    size_t left;

    if (c->is_busy || c->is_done)
        return;
    if (gather(c, &left, &err) < 0) {
        LOG_WARNING("objects of a CustomResourceDefinition were not deleted",
                    KV("name", c->definition->name), KV("reason", (const char *)err.text));
        return;
    }
    if (!left) {
        c->is_done = true;
        c->settled(c->arg);
        return;
    }
    if (!c->n)
        return; /* the watch tells when a finalizer has gone */
    c->is_busy = true;
    c->txn = (struct store_txn){
        .mutations = c->mutations,
        .n = c->n,
        .mailbox = loop_mailbox(c->loop),
        .done = on_stored,
        .arg = c,
    };
    store_submit(c->server->store, &c->txn);
}

static void on_change(struct store_watch *w, void *arg)
{
    struct definition_cleanup *c = arg;
    const struct store_event *e;

    while ((e = store_watch_next(w)))
        store_event_unref(e);
    loop_task_post(c->loop, &c->task);
}

struct definition_cleanup *definition_cleanup_start(struct apiserver *s, struct loop *l,
                                                    struct custom_definition *d,
                                                    void (*settled)(void *arg), void *arg)
{
    struct definition_cleanup *c = NEW(struct definition_cleanup);
    const struct store_watch_options o = {
        .resource = d->store_id,
        .prefix = STR(""),
        .after = store_revision(s->store),
        .max_queued = UINT32_MAX,
    };
    struct err err;

    c->server = s;
    c->loop = l;
    c->definition = custom_definition_ref(d);
    c->settled = settled;
    c->arg = arg;
    arena_init(&c->arena, 0);
    loop_task_init(&c->task, on_task);
    if (store_watch_start(s->store, &o, loop_mailbox(l), on_change, c, &c->watch, &err) < 0)
        LOG_WARNING("objects of a CustomResourceDefinition are not watched", KV("name", d->name),
                    KV("reason", (const char *)err.text));
    loop_task_post(l, &c->task);
    return c;
}

bool definition_cleanup_is_done(const struct definition_cleanup *c)
{
    return c->is_done;
}

void definition_cleanup_stop(struct definition_cleanup *c)
{
    if (!c)
        return;
    store_watch_stop(c->watch);
    loop_task_cancel(&c->task);
    c->is_over = true;
    if (!c->is_busy)
        free_all(c);
}
