/* One transaction, into the open write transactions of a batch: all expectations first, then all
 * changes. What a change does to the sub-databases of its environment:
 *
 *   PUT     obj += bytes; kv = new record; hist += the old one; log += entry; idx
 *   DELETE  (obj += last state, when one was given); kv -; hist += the old one; log += entry; idx
 *
 * A hard change leaves a soft renewal of the same key behind; a DROP entry in soft's log lets
 * compaction find what is left of it. */
#include <string.h>

#include "base/buf.h"
#include "store/store_internal.h"

#define NEWEST UINT64_MAX

static MDB_dbi dbi_of(const struct store_batch *b, int env, enum store_dbi d)
{
    return b->view.store->env[env].dbi[d];
}

/* --- index and expiry --- */

struct idx_value {
    uint32_t crc;
    uint32_t gone_low; /* revision at which the value went: two halves, so that nothing is padded */
    uint32_t gone_high;
};

static int put_idx(struct store_batch *b, int env, const struct store_lkey *ik, uint64_t gone)
{
    struct idx_value iv = { .gone_low = (uint32_t)gone, .gone_high = (uint32_t)(gone >> 32) };
    MDB_val k = store_key_val(ik), v = { .mv_size = sizeof(iv), .mv_data = &iv };

    return mdb_put(b->view.txn[env], dbi_of(b, env, DB_IDX), &k, &v, 0);
}

static int index_fields(struct store_batch *b, int env, const struct store_lkey *k,
                        const struct store_record *old, const struct store_record *new,
                        uint64_t revision)
{
    struct store *s = b->view.store;
    struct store_resource_entry *re = store_resource_get(s, store_lkey_resource(k));

    for (size_t i = 0; i < re->n_indexed; i++) {
        struct str was, is;
        bool had = old && store_packed_find(old->packed, true, re->indexed[i], &was);
        bool has = new &&store_packed_find(new->packed, true, re->indexed[i], &is);
        struct store_lkey ik;
        int rc = 0;

        if (had && has && str_eq(was, is))
            continue;
        if (had) {
            store_key_idx(s->identity.hash_key, k, (uint8_t)i, was, &ik);
            rc = put_idx(b, env, &ik, revision);
        }
        if (rc == 0 && has) {
            store_key_idx(s->identity.hash_key, k, (uint8_t)i, is, &ik);
            rc = put_idx(b, env, &ik, 0);
        }
        if (rc)
            return rc;
    }
    return 0;
}

static int index_expiry(struct store_batch *b, int env, const struct store_lkey *k, int64_t was,
                        int64_t is)
{
    struct store *s = b->view.store;
    struct store_lkey ik;
    MDB_val key, v = { 0 };
    int rc = 0;

    if (was == is)
        return 0;
    if (was) {
        store_key_expiry(k, was, &ik);
        key = store_key_val(&ik);
        rc = mdb_del(b->view.txn[env], dbi_of(b, env, DB_IDX), &key, NULL);
        if (rc && rc != MDB_NOTFOUND)
            return rc;
    }
    if (!is)
        return 0;
    if (is < s->next_expiry_s)
        s->next_expiry_s = is;
    store_key_expiry(k, is, &ik);
    key = store_key_val(&ik);
    return mdb_put(b->view.txn[env], dbi_of(b, env, DB_IDX), &key, &v, 0);
}

int store_index_update(struct store_batch *b, int env, const struct store_lkey *k,
                       const struct store_record *old, const struct store_record *new,
                       uint64_t revision)
{
    int rc = index_fields(b, env, k, old, new, revision);

    if (rc)
        return rc;
    return index_expiry(b, env, k, old ? old->expires_s : 0, new ? new->expires_s : 0);
}

/* --- writing --- */

static int put_bytes(struct store_batch *b, int env, uint64_t revision, uint16_t sub,
                     const struct store_mutation *m)
{
    unsigned char ok[STORE_REV_KEY_LEN];
    uint32_t head_len = (uint32_t)m->head.len, crc;
    MDB_val k = { .mv_size = sizeof(ok), .mv_data = ok };
    MDB_val v = { .mv_size = STORE_OBJ_HEAD + m->head.len + m->tail.len };
    char *p;
    int rc;

    store_key_rev(revision, sub, ok);
    rc = mdb_put(b->view.txn[env], dbi_of(b, env, DB_OBJ), &k, &v, MDB_APPEND | MDB_RESERVE);
    if (rc)
        return rc;
    p = v.mv_data;
    memcpy(p + 4, &head_len, 4);
    memcpy(p + STORE_OBJ_HEAD, m->head.p, m->head.len);
    if (m->tail.len)
        memcpy(p + STORE_OBJ_HEAD + m->head.len, m->tail.p, m->tail.len);
    crc = store_obj_crc(ok, p + 4, v.mv_size - 4);
    memcpy(p, &crc, 4);
    return 0;
}

static int put_record(struct store_batch *b, int env, enum store_dbi dbi,
                      const struct store_lkey *k, const struct store_record *r)
{
    CLEANUP(buf_done) struct buf out = { 0 };
    MDB_val key = store_key_val(k), v;

    store_record_encode(&out, key, r, r->key.len >= STORE_KEY_LIMIT);
    v = (MDB_val){ .mv_size = out.len, .mv_data = out.p };
    return mdb_put(b->view.txn[env], dbi_of(b, env, dbi), &key, &v, 0);
}

static int put_log(struct store_batch *b, int env, uint64_t revision, uint16_t sub,
                   const struct store_log *l)
{
    CLEANUP(buf_done) struct buf out = { 0 };
    unsigned char lk[STORE_REV_KEY_LEN];
    MDB_val key = { .mv_size = sizeof(lk), .mv_data = lk }, v;

    store_key_rev(revision, sub, lk);
    store_log_encode(&out, key, l);
    v = (MDB_val){ .mv_size = out.len, .mv_data = out.p };
    return mdb_put(b->view.txn[env], dbi_of(b, env, DB_LOG), &key, &v, MDB_APPEND);
}

/* Moves what kv of env holds under k, if anything, to history. The record's bytes in *ret_old are
 * copied to `keep`. */
static int supersede(struct store_batch *b, int env, const struct store_lkey *k, uint64_t revision,
                     struct buf *keep, struct store_record *ret_old)
{
    struct store_lkey hk;
    size_t key_len;
    int r = store_find_in(&b->view, env, k, NEWEST, ret_old), rc;

    if (r <= 0)
        return 0; /* absent, or corrupt: what cannot be read is replaced without history */
    key_len = ret_old->key.len;
    buf_append_str(keep, ret_old->key);
    buf_append_str(keep, ret_old->packed);
    ret_old->key = str_n(keep->p, key_len);
    ret_old->packed = str_n(keep->p + key_len, keep->len - key_len);
    store_key_hist(k, revision, &hk);
    rc = put_record(b, env, DB_HIST, &hk, ret_old);
    return rc ? store_env_code(rc) : 1;
}

/* The key's record in an environment where it is not wanted any more. */
static int drop(struct store_batch *b, int env, const struct store_lkey *k, uint64_t revision,
                uint16_t sub)
{
    CLEANUP(buf_done) struct buf keep = { 0 };
    struct store_record old;
    struct store_log l = { .op = STORE_LOG_DROP, .key = *k };
    MDB_val key = store_key_val(k);
    int r = supersede(b, env, k, revision, &keep, &old), rc;

    if (r <= 0)
        return r;
    b->touched[env] = true;
    rc = mdb_del(b->view.txn[env], dbi_of(b, env, DB_KV), &key, NULL);
    if (rc == 0 && !old.base)
        rc = store_index_update(b, env, k, &old, NULL, revision);
    if (rc == 0)
        rc = put_log(b, env, revision, sub, &l);
    return store_env_code(rc);
}

/* What a mutation does, once it is known to be allowed. */
struct change {
    const struct store_mutation *m;
    struct store_lkey key;
    struct store_found cur;
    bool has_cur;
    int env;
    bool renewal;
};

static bool in_other(struct store_batch *b, const struct change *c)
{
    struct store_resource_entry *re = store_resource_get(b->view.store, c->m->resource);

    return !c->renewal && atomic_load_explicit(&re->in_env[!c->env], memory_order_relaxed);
}

/* The event, when somebody watches: made before the write, while what it shows is in the map. */
static void add_event(struct store_batch *b, const struct change *c, enum store_event_type type,
                      const struct store_record *now, uint16_t sub)
{
    struct store_resource_entry *re = store_resource_get(b->view.store, c->m->resource);
    struct store_object object, previous;
    struct store_event_node *n;
    bool has_previous = false;

    if (!atomic_load_explicit(&re->watchers, memory_order_acquire))
        return;
    if (c->has_cur)
        has_previous =
            store_fill(&b->view, c->cur.env, c->m->resource, &c->cur.record, &previous) == 0;
    if (now) {
        object = (struct store_object){
            .resource = c->m->resource,
            .key = c->m->key,
            .head = c->m->head,
            .tail = c->m->tail,
            .create_revision = now->create,
            .version = now->version,
            .expires_s = now->expires_s,
            .schema_stamp = now->stamp,
            .packed = now->packed,
        };
    } else if (has_previous) {
        object = previous;
    } else {
        object = (struct store_object){ .resource = c->m->resource, .key = c->m->key };
    }
    object.mod_revision = b->view.revision;
    n = store_event_new(type, b->view.revision, &object, has_previous ? &previous : NULL);
    n->sub = sub;
    n->env = c->env;
    list_append(&b->events, &n->link);
}

static int apply_put(struct store_batch *b, const struct change *c, uint16_t sub)
{
    CLEANUP(buf_done) struct buf packed = { 0 }, keep = { 0 };
    const struct store_mutation *m = c->m;
    uint64_t rev = b->view.revision;
    struct store_log l = { .op = c->has_cur ? STORE_LOG_UPDATE : STORE_LOG_CREATE, .key = c->key };
    struct store_record old, now = {
        .mod = rev,
        .create = c->has_cur ? c->cur.record.create : rev,
        .version = c->has_cur ? c->cur.record.version + 1 : 1,
        .expires_s = m->expires_s,
        .stamp = m->schema_stamp,
        .sub = sub,
        .key = m->key,
    };
    int r, rc;

    if (c->renewal)
        now.base = c->cur.record.base ? c->cur.record.base : c->cur.record.mod;
    (void)store_pack(&packed, m); /* was tried when the mutation was checked */
    now.packed = buf_str(&packed);
    add_event(b, c, c->has_cur ? STORE_EVENT_MODIFIED : STORE_EVENT_CREATED, &now, sub);
    r = supersede(b, c->env, &c->key, rev, &keep, &old);
    if (r < 0)
        return r;
    rc = put_bytes(b, c->env, rev, sub, m);
    if (rc == 0)
        rc = put_record(b, c->env, DB_KV, &c->key, &now);
    if (rc == 0 && !c->renewal)
        rc = store_index_update(b, c->env, &c->key, r == 1 ? &old : NULL, &now, rev);
    if (rc == 0)
        rc = put_log(b, c->env, rev, sub, &l);
    if (rc)
        return store_env_code(rc);
    return in_other(b, c) ? drop(b, !c->env, &c->key, rev, sub) : 0;
}

static int apply_delete(struct store_batch *b, const struct change *c, uint16_t sub)
{
    CLEANUP(buf_done) struct buf packed = { 0 }, keep = { 0 }, last = { 0 };
    const struct store_mutation *m = c->m;
    uint64_t rev = b->view.revision;
    struct store_log l = { .op = STORE_LOG_DELETE, .key = c->key, .own = m->head.p != NULL };
    struct store_record old, now = c->cur.record;
    MDB_val key = store_key_val(&c->key);
    int r, rc = 0;

    if (l.own) {
        MDB_val lk;
        unsigned char rk[STORE_REV_KEY_LEN];

        (void)store_pack(&packed, m);
        now.packed = buf_str(&packed);
        now.mod = rev;
        now.sub = sub;
        now.stamp = m->schema_stamp;
        now.key = m->key;
        store_key_rev(rev, sub, rk);
        lk = (MDB_val){ .mv_size = sizeof(rk), .mv_data = rk };
        store_record_encode(&last, lk, &now, true);
        l.record = (MDB_val){ .mv_size = last.len, .mv_data = last.p };
    }
    add_event(b, c, STORE_EVENT_DELETED, l.own ? &now : NULL, sub);
    r = supersede(b, c->env, &c->key, rev, &keep, &old);
    if (r < 0)
        return r;
    if (l.own)
        rc = put_bytes(b, c->env, rev, sub, m);
    if (rc == 0)
        rc = mdb_del(b->view.txn[c->env], dbi_of(b, c->env, DB_KV), &key, NULL);
    if (rc == MDB_NOTFOUND)
        rc = 0; /* the object is all in the other environment */
    if (rc == 0 && r == 1)
        rc = store_index_update(b, c->env, &c->key, &old, NULL, rev);
    if (rc == 0)
        rc = put_log(b, c->env, rev, sub, &l);
    if (rc)
        return store_env_code(rc);
    return in_other(b, c) ? drop(b, !c->env, &c->key, rev, sub) : 0;
}

/* --- checking --- */

static int check_expected(const struct store_mutation *m, const struct change *c)
{
    if (m->expected == STORE_EXPECT_ABSENT)
        return c->has_cur ? ERR_EXISTS : 0;
    if (!c->has_cur)
        return m->expected != STORE_EXPECT_ANY || m->op == STORE_DELETE ? ERR_NOT_FOUND : 0;
    return m->expected != STORE_EXPECT_ANY && m->expected != c->cur.record.mod ? ERR_CONFLICT : 0;
}

/* Does nothing but the bytes change? */
static bool is_renewal(struct store_batch *b, const struct change *c, struct str packed)
{
    struct store_resource_entry *re = store_resource_get(b->view.store, c->m->resource);
    const struct store_record *r = &c->cur.record;

    return c->m->op == STORE_PUT && c->m->soft_if_same && re->class == STORE_HARD && c->has_cur &&
           (c->cur.env == ENV_HARD || r->base) && r->stamp == c->m->schema_stamp &&
           r->expires_s == c->m->expires_s && str_eq(r->packed, packed);
}

static int prepare(struct store_batch *b, const struct store_mutation *m, struct change *c)
{
    CLEANUP(buf_done) struct buf packed = { 0 };
    struct store *s = b->view.store;
    struct store_resource_entry *re = store_resource_get(s, m->resource);
    int r;

    *c = (struct change){ .m = m };
    if (!re)
        return ERR_INVALID;
    r = store_key_make(s->identity.hash_key, m->resource, m->key, &c->key);
    if (r < 0)
        return r;
    if (m->head.len + m->tail.len > STORE_OBJECT_MAX)
        return ERR_TOO_LARGE;
    if (m->op == STORE_PUT && !m->head.p)
        return ERR_INVALID;
    if (m->head.p && (r = store_pack(&packed, m)) < 0)
        return r;
    r = store_find(&b->view, &c->key, NEWEST, &c->cur);
    if (r < 0 && !(r == ERR_CORRUPT && m->expected == STORE_EXPECT_ANY && m->op == STORE_PUT))
        return r;
    c->has_cur = r == 1;
    if (c->has_cur && !str_eq(c->cur.record.key, m->key))
        return ERR_CORRUPT; /* two long keys of one 128-bit hash */
    r = check_expected(m, c);
    if (r < 0)
        return r;
    c->renewal = is_renewal(b, c, buf_str(&packed));
    c->env = re->class == STORE_SOFT || c->renewal ? ENV_SOFT : ENV_HARD;
    return 0;
}

static int check_all(struct store_batch *b, struct store_txn *t, int *ret_env)
{
    int env = -1;

    if (t->n > STORE_TXN_MUTATIONS_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < t->n; i++) {
        struct change c;
        int r = prepare(b, &t->mutations[i], &c);

        t->failed = i;
        if (r < 0)
            return r;
        if (t->mutations[i].op == STORE_CHECK)
            continue;
        if (env >= 0 && env != c.env)
            return ERR_INVALID;
        env = c.env;
        for (size_t j = 0; j < i; j++)
            if (t->mutations[j].op != STORE_CHECK &&
                t->mutations[j].resource == t->mutations[i].resource &&
                str_eq(t->mutations[j].key, t->mutations[i].key))
                return ERR_INVALID;
    }
    t->failed = 0;
    *ret_env = env;
    return 0;
}

/* Deletes and renewals use the reserve; everything else needs room beyond it. */
static int check_room(struct store_batch *b, struct store_txn *t, int env)
{
    enum { PAGES_PER_MUTATION = 8, PAGES_PER_BATCH = 32, PAGE = 4096 };
    struct store_env *e = &b->view.store->env[env];
    uint64_t pages = 0;
    bool grows = false;

    for (size_t i = 0; i < t->n; i++) {
        const struct store_mutation *m = &t->mutations[i];

        if (m->op == STORE_CHECK)
            continue;
        grows = grows || (m->op == STORE_PUT && !m->soft_if_same);
        pages += (m->head.len + m->tail.len) / PAGE + 1 + PAGES_PER_MUTATION;
    }
    b->pages[env] += pages;
    return grows ? store_env_make_room(e, b->pages[env] + PAGES_PER_BATCH) : 0;
}

int store_apply(struct store_batch *b, struct store_txn *t)
{
    int env = -1;

    t->env = -1;
    t->result = check_all(b, t, &env);
    t->revision = b->view.revision;
    if (t->result < 0 || env < 0)
        return 0;
    t->env = env;
    t->result = check_room(b, t, env);
    if (t->result < 0)
        return 0;
    b->touched[env] = true;
    t->revision = ++b->view.revision;
    for (size_t i = 0; i < t->n; i++) {
        const struct store_mutation *m = &t->mutations[i];
        struct store_resource_entry *re;
        struct change c;
        int r;

        if (m->op == STORE_CHECK)
            continue;
        r = prepare(b, m, &c);
        if (r < 0)
            return r; /* cannot be: it was allowed a moment ago, and keys differ */
        re = store_resource_get(b->view.store, m->resource);
        atomic_store(&re->in_env[env], true);
        r = m->op == STORE_PUT ? apply_put(b, &c, (uint16_t)i) : apply_delete(b, &c, (uint16_t)i);
        if (r < 0)
            return r;
    }
    return 0;
}
