/* Resources: prefixes and their 2-byte ids, and the index that belongs to each. The table is read
 * without a lock by id; registering takes one. An id becomes durable with the first batch after it
 * was given out, so before anything that is stored under it. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/store_internal.h"

struct store_resource_entry *store_resource_get(struct store *s, uint16_t id)
{
    return atomic_load_explicit(&s->resources[id], memory_order_acquire);
}

static struct str heap_str(struct str s)
{
    return str_n(mem_dup(s.p, s.len), s.len);
}

void store_resource_free(struct store_resource_entry *re)
{
    for (size_t i = 0; i < re->n_indexed; i++)
        mem_free((void *)(uintptr_t)re->indexed[i].p);
    mem_free((void *)(uintptr_t)re->prefix.p);
    mem_free(re);
}

/* meta: "r" prefix -> id, then the indexed fields' names, each ended by NUL. */
static int save_resource(struct store *s, MDB_txn *txn, struct store_resource_entry *re)
{
    CLEANUP(buf_done) struct buf key = { 0 }, val = { 0 };
    MDB_val k, v;

    buf_append_char(&key, 'r');
    buf_append_str(&key, re->prefix);
    buf_append(&val, &re->id, sizeof(re->id));
    for (size_t i = 0; i < re->n_indexed; i++) {
        buf_append_str(&val, re->indexed[i]);
        buf_append_char(&val, 0);
    }
    k = (MDB_val){ .mv_size = key.len, .mv_data = key.p };
    v = (MDB_val){ .mv_size = val.len, .mv_data = val.p };
    return mdb_put(txn, s->env[ENV_HARD].dbi[DB_META], &k, &v, 0);
}

int store_save_resources(struct store *s, MDB_txn *hard)
{
    int rc = 0;

    (void)pthread_mutex_lock(&s->resource_lock);
    for (uint32_t id = 1; id <= s->last_resource && rc == 0; id++) {
        struct store_resource_entry *re = store_resource_get(s, (uint16_t)id);

        if (!re || re->saved)
            continue;
        rc = save_resource(s, hard, re);
        re->saved = rc == 0;
    }
    (void)pthread_mutex_unlock(&s->resource_lock);
    return rc;
}

static bool has_records(struct store *s, int env, uint16_t id)
{
    static const enum store_dbi where[] = { DB_KV, DB_HIST };
    struct store_env *e = &s->env[env];
    struct store_lkey prefix;
    MDB_txn *txn;
    bool found = false;

    if (mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn))
        return true; /* to be looked at each time */
    store_key_prefix(id, STR(""), &prefix);
    for (size_t i = 0; i < ARRAY_LEN(where) && !found; i++) {
        MDB_val k = store_key_val(&prefix), v;
        MDB_cursor *c;

        if (mdb_cursor_open(txn, e->dbi[where[i]], &c))
            continue;
        found = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE) == 0 && k.mv_size >= 2 &&
                memcmp(k.mv_data, prefix.b, 2) == 0;
        mdb_cursor_close(c);
    }
    mdb_txn_abort(txn);
    return found;
}

static void put_entry(struct store *s, struct store_resource_entry *re)
{
    for (int e = 0; e < ENV_MAX; e++)
        atomic_store(&re->in_env[e], has_records(s, e, re->id));
    (void)map_put(&s->resource_by_prefix, re->prefix, re);
    atomic_store_explicit(&s->resources[re->id], re, memory_order_release);
    s->last_resource = MAX(s->last_resource, re->id);
}

int store_load_resources(struct store *s, struct err *err)
{
    struct store_env *e = &s->env[ENV_HARD];
    char first[] = "r";
    MDB_val k = { .mv_size = 1, .mv_data = first }, v;
    MDB_cursor *c;
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);

    if (rc)
        return store_env_fail(rc, err, "read resources");
    rc = mdb_cursor_open(txn, e->dbi[DB_META], &c);
    if (rc) {
        mdb_txn_abort(txn);
        return store_env_fail(rc, err, "read resources");
    }
    for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
         rc == 0 && k.mv_size > 1 && *(const char *)k.mv_data == 'r' && v.mv_size >= 2;
         rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
        struct store_resource_entry *re = NEW(struct store_resource_entry);
        struct str rest = str_n((const char *)v.mv_data + 2, v.mv_size - 2), name;

        memcpy(&re->id, v.mv_data, 2);
        re->prefix = heap_str(str_n((const char *)k.mv_data + 1, k.mv_size - 1));
        re->saved = true;
        if (!re->prefix.len || store_resource_get(s, re->id)) {
            store_resource_free(re);
            continue;
        }
        while (re->n_indexed < STORE_INDEXED_MAX && str_next(&rest, 0, &name) && name.len)
            re->indexed[re->n_indexed++] = heap_str(name);
        put_entry(s, re);
    }
    mdb_cursor_close(c);
    mdb_txn_abort(txn);
    return 0;
}

static bool same_indexed(const struct store_resource_entry *re, const char *const *names)
{
    size_t n = 0;

    for (; names && names[n]; n++)
        if (n >= re->n_indexed || !str_eq(re->indexed[n], str_from_cstr(names[n])))
            return false;
    return n == re->n_indexed;
}

static void set_indexed(struct store_resource_entry *re, const char *const *names)
{
    for (size_t i = 0; i < re->n_indexed; i++)
        mem_free((void *)(uintptr_t)re->indexed[i].p);
    re->n_indexed = 0;
    for (size_t i = 0; names && names[i] && i < STORE_INDEXED_MAX; i++)
        re->indexed[re->n_indexed++] = heap_str(str_from_cstr(names[i]));
}

/* Everything below a resource's prefix in idx goes, and comes back from kv and hist: the entry of a
 * superseded record says when it went, unless the present one has the same value. */
static int rebuild_from(struct store *s, struct store_batch *b, int env, enum store_dbi dbi,
                        uint16_t id)
{
    struct store_lkey prefix;
    MDB_val k, v;
    MDB_cursor *c;
    int rc = mdb_cursor_open(b->view.txn[env], s->env[env].dbi[dbi], &c);

    if (rc)
        return rc;
    store_key_prefix(id, STR(""), &prefix);
    k = store_key_val(&prefix);
    for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
         rc == 0 && k.mv_size > 2 && memcmp(k.mv_data, prefix.b, 2) == 0;
         rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
        size_t tail = dbi == DB_HIST ? STORE_HIST_SUFFIX : 0;
        struct store_lkey key = { .len = k.mv_size - tail };
        struct store_record r;
        uint64_t gone = 0;

        if (k.mv_size <= tail + 2)
            continue;
        memcpy(key.b, k.mv_data, key.len);
        if (tail)
            gone = store_get_be64((const unsigned char *)k.mv_data + k.mv_size - 8);
        if (store_record_decode(k, str_n("", 0), v, &r) < 0 || r.base)
            continue;
        r.expires_s = 0; /* those entries stand */
        rc = store_index_update(b, env, &key, tail ? &r : NULL, tail ? NULL : &r, gone);
        if (rc)
            break;
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int drop_index(struct store *s, struct store_batch *b, int env, uint16_t id)
{
    struct store_lkey prefix;
    int rc;

    store_key_prefix(id, STR(""), &prefix);
    for (;;) {
        MDB_val k = store_key_val(&prefix), v;
        MDB_cursor *c;

        rc = mdb_cursor_open(b->view.txn[env], s->env[env].dbi[DB_IDX], &c);
        if (rc)
            return rc;
        while ((rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE)) == 0 && k.mv_size > 2 &&
               memcmp(k.mv_data, prefix.b, 2) == 0) {
            rc = mdb_cursor_del(c, 0);
            if (rc)
                break;
            k = store_key_val(&prefix);
        }
        mdb_cursor_close(c);
        return rc == MDB_NOTFOUND ? 0 : rc;
    }
}

static int rebuild_index(struct store *s, struct store_resource_entry *re, struct err *err)
{
    struct store_batch b = { .view = { .store = s, .current = true } };

    for (int e = 0; e < ENV_MAX; e++) {
        int rc = mdb_txn_begin(s->env[e].env, NULL, 0, &b.view.txn[e]);

        if (rc)
            return store_env_fail(rc, err, "rebuild an index");
        rc = drop_index(s, &b, e, re->id);
        if (rc == 0)
            rc = rebuild_from(s, &b, e, DB_HIST, re->id);
        if (rc == 0)
            rc = rebuild_from(s, &b, e, DB_KV, re->id);
        if (rc == 0 && e == ENV_HARD)
            rc = save_resource(s, b.view.txn[e], re);
        if (rc) {
            mdb_txn_abort(b.view.txn[e]);
            return store_env_fail(rc, err, "rebuild an index");
        }
        rc = mdb_txn_commit(b.view.txn[e]);
        if (rc)
            return store_env_fail(rc, err, "rebuild an index");
    }
    return 0;
}

static int new_resource(struct store *s, const struct store_resource_options *o,
                        struct store_resource_entry **ret, struct err *err)
{
    struct store_resource_entry *re;

    if (s->last_resource == UINT16_MAX)
        return err_set(err, ERR_TOO_LARGE, "too many resources");
    re = NEW(struct store_resource_entry);
    re->id = (uint16_t)(s->last_resource + 1);
    re->prefix = heap_str(o->prefix);
    re->class = o->class;
    set_indexed(re, o->indexed);
    put_entry(s, re);
    atomic_store(&s->resources_dirty, true);
    *ret = re;
    return 0;
}

int store_resource(struct store *s, const struct store_resource_options *o, uint16_t *ret_id,
                   struct err *err)
{
    struct store_resource_entry *re;
    int r = 0;

    if (o->prefix.len < 2 || o->prefix.len > STORE_PREFIX_MAX ||
        !str_has_suffix(o->prefix, STR("/")))
        return err_set(err, ERR_INVALID,
                       "resource prefix '%.*s' is not 2 to %d bytes ending in '/'",
                       STR_ARG(o->prefix), STORE_PREFIX_MAX);
    (void)pthread_mutex_lock(&s->resource_lock);
    re = map_get(&s->resource_by_prefix, o->prefix);
    if (!re) {
        r = new_resource(s, o, &re, err);
    } else if (!same_indexed(re, o->indexed)) {
        set_indexed(re, o->indexed);
        r = rebuild_index(s, re, err);
    }
    if (r == 0) {
        if (re->class != o->class) /* the store's thread reads it: the same again is no write */
            re->class = o->class;
        *ret_id = re->id;
    }
    (void)pthread_mutex_unlock(&s->resource_lock);
    return r;
}
