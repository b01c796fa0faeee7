/* Ranges. Each environment is walked by an iterator that merges kv (what is there now) and hist
 * (what was superseded) into the state at one revision, in the order of stored keys; the cursor
 * merges the two iterators. A walk by index takes its keys from idx instead, where a value stays
 * until compaction after it went, and looks each key up.
 *
 *   kv    a mod 5            at revision 6:   a (kv), b mod 3 (hist: superseded at 8),
 *         b mod 8                             c mod 4 (hist: deleted at 7)
 *   hist  b superseded 8: mod 3               at 9: a, b mod 8
 *         c superseded 7: mod 4 */
#include <string.h>

#include "base/arena.h"
#include "store/store_internal.h"

struct env_iter {
    int env;
    bool on;
    bool hist_on;
    MDB_cursor *kv, *hist;
    bool kv_ok, hist_ok;
    MDB_val kk, kv_val, hk, hv;
    bool has; /* what stands at the head: */
    struct store_lkey key;
    struct store_record record;
};

struct store_cursor {
    struct store_view view;
    struct arena *arena;
    struct store_range range;
    struct store_lkey prefix; /* of kv keys, or of idx entries */
    bool by_index;
    bool check_prefix; /* the stored prefix is cut: compare whole keys */
    struct env_iter it[ENV_MAX];
    struct store_lkey last; /* the newest key handed out */
    bool has_last;
};

static void close_cursor(void *c)
{
    mdb_cursor_close(c);
}

static int open_cursor(struct store_cursor *c, int env, enum store_dbi dbi, MDB_cursor **ret)
{
    int rc = mdb_cursor_open(c->view.txn[env], c->view.store->env[env].dbi[dbi], ret);

    if (rc == 0)
        arena_defer(c->arena, close_cursor, *ret);
    return store_env_code(rc);
}

static bool starts_with(MDB_val k, const struct store_lkey *prefix)
{
    return k.mv_size >= prefix->len && memcmp(k.mv_data, prefix->b, prefix->len) == 0;
}

static int seek(const struct store_cursor *c, MDB_cursor *mc, const struct store_lkey *to,
                MDB_val *k, MDB_val *v, bool *ret_ok)
{
    int rc;

    *k = store_key_val(to);
    rc = mdb_cursor_get(mc, k, v, MDB_SET_RANGE);
    *ret_ok = rc == 0 && starts_with(*k, &c->prefix);
    return rc == MDB_NOTFOUND ? 0 : store_env_code(rc);
}

static int kv_next(const struct store_cursor *c, struct env_iter *it)
{
    int rc = mdb_cursor_get(it->kv, &it->kk, &it->kv_val, MDB_NEXT);

    it->kv_ok = rc == 0 && starts_with(it->kk, &c->prefix);
    return rc == MDB_NOTFOUND ? 0 : store_env_code(rc);
}

/* Beyond all of a key's history: its entries go on with NUL. */
static int hist_skip(const struct store_cursor *c, struct env_iter *it,
                     const struct store_lkey *key)
{
    struct store_lkey to = *key;

    to.b[to.len++] = 1;
    return seek(c, it->hist, &to, &it->hk, &it->hv, &it->hist_ok);
}

/* The head of hist is key's; finds its record at the revision: 1, 0. Moves beyond the key. */
static int hist_take(const struct store_cursor *c, struct env_iter *it,
                     const struct store_lkey *key)
{
    struct store_lkey to;
    int r, found = 0;

    store_key_hist(key, c->range.revision + 1, &to);
    r = seek(c, it->hist, &to, &it->hk, &it->hv, &it->hist_ok);
    if (r < 0)
        return r;
    if (it->hist_ok && it->hk.mv_size == to.len &&
        memcmp(it->hk.mv_data, to.b, key->len + 1) == 0) {
        r = store_record_decode(it->hk, str_n((const char *)it->hk.mv_data + 2, key->len - 2),
                                it->hv, &it->record);
        if (r < 0)
            return r;
        found = it->record.mod <= c->range.revision;
        r = hist_skip(c, it, key);
    }
    return r < 0 ? r : found;
}

static int order(const struct env_iter *it)
{
    size_t hist_len = it->hk.mv_size - STORE_HIST_SUFFIX, n;
    int d;

    if (!it->hist_on || !it->hist_ok)
        return -1;
    if (!it->kv_ok)
        return 1;
    n = MIN(hist_len, it->kk.mv_size);
    d = memcmp(it->kk.mv_data, it->hk.mv_data, n);
    return d ? d : (it->kk.mv_size > hist_len) - (it->kk.mv_size < hist_len);
}

/* Moves to the next key that stands at the revision; sets has. */
static int iter_next(const struct store_cursor *c, struct env_iter *it)
{
    it->has = false;
    while (it->kv_ok || (it->hist_on && it->hist_ok)) {
        int d = order(it), r, found = 0;

        if (d <= 0) {
            it->key.len = it->kk.mv_size;
            memcpy(it->key.b, it->kk.mv_data, it->kk.mv_size);
            r = store_record_decode(it->kk, store_lkey_stored(it->kk), it->kv_val, &it->record);
            if (r == 0)
                r = kv_next(c, it);
            if (r < 0)
                return r;
            found = it->record.mod <= c->range.revision;
            r = d == 0 ? (found ? hist_skip(c, it, &it->key) : hist_take(c, it, &it->key)) : 0;
            found = found || r == 1;
        } else {
            it->key.len = it->hk.mv_size - STORE_HIST_SUFFIX;
            memcpy(it->key.b, it->hk.mv_data, it->key.len);
            r = found = hist_take(c, it, &it->key);
        }
        if (r < 0)
            return r;
        if (found) {
            it->has = true;
            return 0;
        }
    }
    return 0;
}

static int iter_start(struct store_cursor *c, int env, const struct store_lkey *from)
{
    struct env_iter *it = &c->it[env];
    int r = open_cursor(c, env, DB_KV, &it->kv);

    if (r == 0)
        r = seek(c, it->kv, from, &it->kk, &it->kv_val, &it->kv_ok);
    it->hist_on = !(c->view.current && c->range.revision >= c->view.revision);
    if (r == 0 && it->hist_on)
        r = open_cursor(c, env, DB_HIST, &it->hist);
    if (r == 0 && it->hist_on)
        r = seek(c, it->hist, from, &it->hk, &it->hv, &it->hist_ok);
    it->on = true;
    return r < 0 ? r : iter_next(c, it);
}

/* The index's head: the entry's stored key becomes the iterator's. */
static int idx_head(const struct store_cursor *c, struct env_iter *it, int rc)
{
    it->kv_ok = it->has = rc == 0 && starts_with(it->kk, &c->prefix);
    if (it->has) {
        it->key.b[0] = c->prefix.b[0];
        it->key.b[1] = c->prefix.b[1];
        it->key.len = 2 + it->kk.mv_size - STORE_IDX_HEAD;
        memcpy(it->key.b + 2, (const char *)it->kk.mv_data + STORE_IDX_HEAD, it->key.len - 2);
    }
    return rc == MDB_NOTFOUND ? 0 : store_env_code(rc);
}

static int idx_start(struct store_cursor *c, int env, const struct store_lkey *from)
{
    struct env_iter *it = &c->it[env];
    struct store_lkey to = c->prefix;
    int r = open_cursor(c, env, DB_IDX, &it->kv);

    it->on = true;
    if (r < 0)
        return r;
    memcpy(to.b + to.len, from->b + 2, from->len - 2);
    to.len += from->len - 2;
    it->kk = store_key_val(&to);
    return idx_head(c, it, mdb_cursor_get(it->kv, &it->kk, &it->kv_val, MDB_SET_RANGE));
}

static int advance(struct store_cursor *c, struct env_iter *it)
{
    if (!c->by_index)
        return iter_next(c, it);
    return idx_head(c, it, mdb_cursor_get(it->kv, &it->kk, &it->kv_val, MDB_NEXT));
}

static int compare_keys(const struct store_lkey *a, const struct store_lkey *b)
{
    int d = memcmp(a->b, b->b, MIN(a->len, b->len));

    return d ? d : (a->len > b->len) - (a->len < b->len);
}

/* The next key of either environment, and what is found under it. 1, 0 at the end. */
static int next_candidate(struct store_cursor *c, struct store_found *ret)
{
    struct env_iter *h = &c->it[ENV_HARD], *s = &c->it[ENV_SOFT];

    for (;;) {
        int d = h->has && s->has ? compare_keys(&h->key, &s->key) : (h->has ? -1 : 1);
        bool in_h = h->has && d <= 0, in_s = s->has && d >= 0;
        struct store_record hr = h->record, sr = s->record;
        int r, found;

        if (!in_h && !in_s)
            return 0;
        c->last = in_h ? h->key : s->key;
        c->has_last = true;
        if ((in_h && (r = advance(c, h)) < 0) || (in_s && (r = advance(c, s)) < 0))
            return r;
        if (c->by_index) {
            found = store_find(&c->view, &c->last, c->range.revision, ret);
        } else {
            if (in_s && sr.base && (!in_h || hr.mod != sr.base))
                in_s = false;
            ret->env = in_s && (!in_h || sr.mod > hr.mod) ? ENV_SOFT : ENV_HARD;
            ret->record = ret->env == ENV_SOFT ? sr : hr;
            found = in_h || in_s;
        }
        if (found)
            return found;
    }
}

static int next_found(struct store_cursor *c, struct store_found *ret)
{
    struct str v;
    int r;

    while ((r = next_candidate(c, ret)) == 1) {
        if (c->by_index &&
            !(store_packed_find(ret->record.packed, true, c->range.index_field, &v) &&
              str_eq(v, c->range.index_value)))
            continue;
        if ((c->by_index || c->check_prefix) && !str_has_prefix(ret->record.key, c->range.prefix))
            continue;
        return 1;
    }
    return r;
}

static int start_iters(struct store_cursor *c, const struct store_lkey *from)
{
    struct store_resource_entry *re = store_resource_get(c->view.store, c->range.resource);

    for (int e = 0; e < ENV_MAX; e++) {
        int r;

        if (!re || !atomic_load(&re->in_env[e]))
            continue;
        r = c->by_index ? idx_start(c, e, from) : iter_start(c, e, from);
        if (r < 0)
            return r;
    }
    return 0;
}

static int start_after(struct store_cursor *c, struct str after)
{
    const uint64_t *hash_key = c->view.store->identity.hash_key;
    struct store_lkey from, prefix;

    store_key_prefix(c->range.resource, c->range.prefix, &prefix);
    from = prefix;
    if (after.len) {
        struct store_lkey k;
        int r = store_key_make(hash_key, c->range.resource, after, &k);

        if (r < 0)
            return r;
        if (compare_keys(&k, &prefix) >= 0) {
            from = k;
            from.b[from.len++] = 1; /* beyond it, and beyond its history */
        }
    }
    return start_iters(c, &from);
}

int store_range_begin(struct store_snapshot *snap, struct arena *a, const struct store_range *r,
                      struct store_cursor **ret, struct err *err)
{
    struct store_cursor *c;
    struct store_resource_entry *re = store_resource_get(snap->store, r->resource);
    int rc;

    if (r->revision > snap->revision)
        return err_set(err, ERR_FUTURE, "revision %llu is newer than %llu",
                       (unsigned long long)r->revision, (unsigned long long)snap->revision);
    if (r->revision && r->revision < snap->compacted)
        return err_set(err, ERR_COMPACTED, "revision %llu has been compacted, the oldest is %llu",
                       (unsigned long long)r->revision, (unsigned long long)snap->compacted);
    c = ARENA_NEW(a, struct store_cursor);
    store_view_of(snap, &c->view);
    c->arena = a;
    c->range = *r;
    if (!c->range.revision)
        c->range.revision = snap->revision;
    store_key_prefix(r->resource, r->prefix, &c->prefix);
    c->check_prefix = r->prefix.len > STORE_KEY_CUT;
    if (r->index_field.p) {
        size_t i = 0;

        while (re && i < re->n_indexed && !str_eq(re->indexed[i], r->index_field))
            i++;
        if (!re || i == re->n_indexed)
            return err_set(err, ERR_INVALID, "field '%.*s' is not indexed",
                           STR_ARG(r->index_field));
        c->by_index = true;
        store_key_idx_prefix(snap->store->identity.hash_key, r->resource, (uint8_t)i,
                             r->index_value, &c->prefix);
    }
    rc = start_after(c, r->after);
    if (rc < 0)
        return err_set(err, rc, "begin a range");
    *ret = c;
    return 0;
}

static int range_fail(struct store_cursor *c, int r, struct err *err)
{
    if (r == ERR_CORRUPT)
        return store_corrupt(err, c->view.store, c->range.resource,
                             str_n((const char *)c->last.b + 2, c->has_last ? c->last.len - 2 : 0));
    return err_set(err, r, "read a range");
}

int store_range_next(struct store_cursor *c, struct store_object *ret, struct err *err)
{
    struct store_found f;
    int r = next_found(c, &f);

    if (r == 0)
        return 0;
    if (r == 1)
        r = store_fill(&c->view, f.env, c->range.resource, &f.record, ret);
    return r < 0 ? range_fail(c, r, err) : 1;
}

int store_range_count(struct store_cursor *c, uint64_t *ret, struct err *err)
{
    struct store_cursor *walk = ARENA_NEW(c->arena, struct store_cursor);
    struct store_lkey from;
    struct store_found f;
    uint64_t n = 0;
    int r;

    walk->view = c->view;
    walk->arena = c->arena;
    walk->range = c->range;
    walk->prefix = c->prefix;
    walk->by_index = c->by_index;
    walk->check_prefix = c->check_prefix;
    if (c->has_last) {
        from = c->last;
        from.b[from.len++] = 1;
        r = start_iters(walk, &from);
    } else {
        r = start_after(walk, c->range.after);
    }
    while (r >= 0 && (r = next_found(walk, &f)) == 1)
        n++;
    if (r < 0)
        return range_fail(walk, r, err);
    *ret = n;
    return 0;
}
