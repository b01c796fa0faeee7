/* A watch: first the past, read from the logs of both environments in slices on the loop of its
 * owner, then what the hub queues. The log says which key changed at which revision; what it was
 * then, and before, is looked up as a read at that revision. */
#include <string.h>

#include "base/mem.h"
#include "store/store_internal.h"

enum { SLICE_EVENTS = 64, SLICE_ENTRIES = 1024, WATCH_TEXT_MAX = 4 * STORE_KEY_MAX };
#define SLICE_BYTES ((size_t)512 << 10)

static char *keep_str(char *to, struct str *dst, struct str src)
{
    if (!src.p)
        return to;
    if (src.len)
        memcpy(to, src.p, src.len);
    *dst = str_n(to, src.len);
    return to + src.len;
}

static int check_options(struct store *s, const struct store_watch_options *o, struct err *err)
{
    struct store_resource_entry *re = store_resource_get(s, o->resource);
    uint64_t newest = watch_hub_published(s->hub), oldest = store_compacted(s);

    if (!re)
        return err_set(err, ERR_INVALID, "no resource %u", o->resource);
    if (o->prefix.len + o->name.len + o->index_value.len + o->index_field.len > WATCH_TEXT_MAX)
        return err_set(err, ERR_TOO_LARGE, "watch options are too long");
    if (o->after < oldest)
        return err_set(err, ERR_COMPACTED, "revision %llu has been compacted, the oldest is %llu",
                       (unsigned long long)o->after, (unsigned long long)oldest);
    if (o->after > newest && o->after > store_revision(s))
        return err_set(err, ERR_FUTURE, "revision %llu is newer than %llu",
                       (unsigned long long)o->after, (unsigned long long)newest);
    if (!o->index_field.p)
        return 0;
    for (size_t i = 0; i < re->n_indexed; i++)
        if (str_eq(re->indexed[i], o->index_field))
            return 0;
    return err_set(err, ERR_INVALID, "field '%.*s' is not indexed", STR_ARG(o->index_field));
}

int store_watch_start(struct store *s, const struct store_watch_options *o, struct mailbox *mailbox,
                      store_watch_fn *ready, void *arg, struct store_watch **ret, struct err *err)
{
    struct store_watch *w;
    char *to;
    int r = check_options(s, o, err);

    if (r < 0)
        return r;
    w = mem_zalloc(sizeof(*w) + o->prefix.len + o->name.len + o->index_field.len +
                   o->index_value.len);
    w->store = s;
    w->fn = ready;
    w->arg = arg;
    w->resource = o->resource;
    w->max_queued = o->max_queued ? o->max_queued : STORE_WATCH_QUEUE_DEFAULT;
    w->at = o->after;
    list_init(&w->past);
    to = keep_str(w->text, &w->prefix, o->prefix);
    to = keep_str(to, &w->name, o->name);
    to = keep_str(to, &w->index_field, o->index_field);
    (void)keep_str(to, &w->index_value, o->index_value);
    watch_hub_add(s->hub, w, mailbox);
    if (w->at < watch_hub_published(s->hub))
        watch_hub_wake(w);
    *ret = w;
    return 0;
}

/* --- the past --- */

struct log_walk {
    MDB_cursor *c[ENV_MAX];
    MDB_val k[ENV_MAX], v[ENV_MAX];
    bool ok[ENV_MAX];
};

static void walk_check(struct log_walk *lw, int e, int rc)
{
    lw->ok[e] = rc == 0 && lw->k[e].mv_size == STORE_REV_KEY_LEN;
}

static int walk_start(struct log_walk *lw, const struct store_view *v, uint64_t from)
{
    unsigned char lk[STORE_REV_KEY_LEN];

    store_key_rev(from, 0, lk);
    for (int e = 0; e < ENV_MAX; e++) {
        int rc = mdb_cursor_open(v->txn[e], v->store->env[e].dbi[DB_LOG], &lw->c[e]);

        if (rc)
            return store_env_code(rc);
        lw->k[e] = (MDB_val){ .mv_size = sizeof(lk), .mv_data = lk };
        walk_check(lw, e, mdb_cursor_get(lw->c[e], &lw->k[e], &lw->v[e], MDB_SET_RANGE));
    }
    return 0;
}

static void walk_end(struct log_walk *lw)
{
    for (int e = 0; e < ENV_MAX; e++)
        if (lw->c[e])
            mdb_cursor_close(lw->c[e]);
}

static int walk_head(const struct log_walk *lw) /* the environment of the next entry, -1: none */
{
    if (lw->ok[ENV_HARD] && lw->ok[ENV_SOFT])
        return memcmp(lw->k[ENV_HARD].mv_data, lw->k[ENV_SOFT].mv_data, STORE_REV_KEY_LEN) <= 0
                   ? ENV_HARD
                   : ENV_SOFT;
    return lw->ok[ENV_HARD] ? ENV_HARD : lw->ok[ENV_SOFT] ? ENV_SOFT : -1;
}

/* The object of a DELETED event: what was given with the deletion, or what was there. */
static int deleted_object(const struct store_view *v, int env, const struct store_log *l,
                          MDB_val lkey, const struct store_object *previous,
                          struct store_object *ret)
{
    struct store_record r;

    if (!l->own) {
        *ret = *previous;
        return 0;
    }
    if (store_record_decode(lkey, str_n("", 0), l->record, &r) < 0)
        return ERR_CORRUPT;
    return store_fill(v, env, store_lkey_resource(&l->key), &r, ret);
}

/* The event of a log entry. *ret is NULL when its bytes are not whole any more. */
static int make_event(const struct store_view *v, int env, const struct store_log *l, MDB_val lkey,
                      struct store_event_node **ret)
{
    uint64_t revision = store_get_be64(lkey.mv_data);
    uint16_t resource = store_lkey_resource(&l->key);
    struct store_object object, previous;
    struct store_found f;
    bool has_previous = false;
    int r;

    if (l->op != STORE_LOG_CREATE) {
        r = store_find(v, &l->key, revision - 1, &f);
        has_previous = r == 1 && store_fill(v, f.env, resource, &f.record, &previous) == 0;
    }
    if (l->op == STORE_LOG_DELETE) {
        if (!has_previous && !l->own)
            return ERR_CORRUPT;
        r = deleted_object(v, env, l, lkey, &previous, &object);
    } else {
        r = store_find(v, &l->key, revision, &f);
        if (r == 0 || (r == 1 && f.record.mod != revision))
            r = ERR_CORRUPT;
        if (r == 1)
            r = store_fill(v, f.env, resource, &f.record, &object);
    }
    if (r < 0)
        return r;
    object.mod_revision = revision;
    *ret = store_event_new(l->op == STORE_LOG_CREATE   ? STORE_EVENT_CREATED
                           : l->op == STORE_LOG_UPDATE ? STORE_EVENT_MODIFIED
                                                       : STORE_EVENT_DELETED,
                           revision, &object, has_previous ? &previous : NULL);
    return 0;
}

static bool may_want(const struct store_watch *w, const struct store_log *l)
{
    struct str stored = str_n((const char *)l->key.b + 2, l->key.len - 2);

    if (l->op == STORE_LOG_DROP || store_lkey_resource(&l->key) != w->resource)
        return false;
    return w->prefix.len > STORE_KEY_CUT || str_has_prefix(stored, w->prefix);
}

/* Appends the entry's event to the past when it is wanted. */
static int take_entry(struct store_watch *w, const struct store_view *v, int env, MDB_val lkey,
                      MDB_val val, size_t *bytes)
{
    struct store_event_node *n;
    struct store_log l;
    int r = store_log_decode(lkey, val, &l);

    if (r < 0 || !may_want(w, &l))
        return r;
    r = make_event(v, env, &l, lkey, &n);
    if (r < 0)
        return r;
    if (!watch_matches(w, &n->event)) {
        store_event_unref(&n->event);
        return 0;
    }
    *bytes += n->event.object.head.len + n->event.object.tail.len;
    list_append(&w->past, &n->link);
    return 1;
}

/* A slice ends between revisions, so that `at` always says exactly what has been seen. */
static int read_slice(struct store_watch *w, const struct store_view *v, uint64_t limit)
{
    struct log_walk lw = { 0 };
    size_t events = 0, entries = 0, bytes = 0;
    uint64_t last = w->at;
    int r = walk_start(&lw, v, w->at + 1), e;

    while (r >= 0 && (e = walk_head(&lw)) >= 0) {
        uint64_t revision = store_get_be64(lw.k[e].mv_data);

        if (revision > limit)
            break;
        if (revision != last &&
            (events >= SLICE_EVENTS || entries >= SLICE_ENTRIES || bytes >= SLICE_BYTES)) {
            limit = last;
            break;
        }
        last = revision;
        entries++;
        r = take_entry(w, v, e, lw.k[e], lw.v[e], &bytes);
        events += r == 1;
        walk_check(&lw, e, mdb_cursor_get(lw.c[e], &lw.k[e], &lw.v[e], MDB_NEXT));
    }
    walk_end(&lw);
    w->at = limit;
    return r < 0 ? r : 0;
}

static void fail_watch(struct store_watch *w, int code)
{
    watch_hub_lock_port(w);
    if (w->status == 0)
        w->status = code;
    watch_hub_unlock_port(w);
}

static void read_past(struct store_watch *w, uint64_t limit)
{
    struct store_snapshot snap;
    struct store_view v;
    struct err err;
    int r = store_snapshot_begin(w->store, &snap, &err);

    if (r < 0) {
        fail_watch(w, r);
        return;
    }
    if (snap.compacted > w->at) {
        r = ERR_COMPACTED;
    } else {
        store_view_of(&snap, &v);
        /* Lookups at past revisions must go through history. */
        r = read_slice(w, &v, MIN(limit, snap.revision));
    }
    store_snapshot_end(&snap);
    if (r < 0)
        fail_watch(w, r);
}

/* --- taking --- */

static const struct store_event *take_past(struct store_watch *w)
{
    struct list *l = list_first(&w->past);
    struct store_event_node *n;

    if (!l)
        return NULL;
    n = CONTAINER_OF(l, struct store_event_node, link);
    list_remove(l);
    return &n->event;
}

static const struct store_event *take_live(struct store_watch *w)
{
    const struct store_event *e = NULL;

    watch_hub_lock_port(w);
    if (w->n) {
        e = w->ring[w->first];
        w->first = (w->first + 1) % w->cap;
        w->queued_bytes -= store_event_bytes(e);
        if (--w->n == 0) {
            mem_free(w->ring); /* an idle watch holds no queue */
            w->ring = NULL;
            w->cap = w->first = 0;
        }
    }
    watch_hub_unlock_port(w);
    return e;
}

/* Up to where the log is to be read; what is above is queued by the hub. */
static uint64_t past_limit(struct store_watch *w, bool *ret_joined)
{
    uint64_t published = watch_hub_published(w->store->hub), from;

    watch_hub_lock_port(w);
    from = w->live_from;
    watch_hub_unlock_port(w);
    *ret_joined = from != UINT64_MAX;
    return *ret_joined ? from : published;
}

const struct store_event *store_watch_next(struct store_watch *w)
{
    const struct store_event *e;
    bool joined;
    uint64_t limit;

    if (store_watch_status(w) < 0)
        return NULL;
    e = take_past(w);
    if (e)
        return e;
    limit = past_limit(w, &joined);
    if (w->at < limit) {
        if (!w->slice_taken) {
            w->slice_taken = true;
            read_past(w, limit);
            e = take_past(w);
            if (e || store_watch_status(w) < 0)
                return e;
        }
        if (w->at < limit) {
            w->slice_taken = false;
            watch_hub_wake(w);
            return NULL;
        }
    }
    w->slice_taken = false;
    return joined ? take_live(w) : NULL;
}

uint64_t store_watch_progress(struct store_watch *w)
{
    uint64_t published = watch_hub_published(w->store->hub), progress;
    struct list *l = list_first(&w->past);
    bool joined;

    if (l)
        return CONTAINER_OF(l, struct store_event_node, link)->event.revision - 1;
    if (w->at < past_limit(w, &joined) || !joined)
        return w->at;
    watch_hub_lock_port(w);
    progress = w->n ? w->ring[w->first]->revision - 1 : published;
    if (w->status < 0)
        progress = w->at;
    watch_hub_unlock_port(w);
    return MAX(progress, w->at);
}

int store_watch_status(struct store_watch *w)
{
    int status;

    watch_hub_lock_port(w);
    status = w->status;
    watch_hub_unlock_port(w);
    return status;
}

void store_watch_stop(struct store_watch *w)
{
    const struct store_event *e;

    if (!w)
        return;
    watch_hub_remove(w->store->hub, w);
    while ((e = take_past(w)))
        store_event_unref(e);
    mem_free(w);
}
