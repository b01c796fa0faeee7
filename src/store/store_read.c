/* Snapshots and single reads. A snapshot is a revision and a pooled pair of read transactions, one
 * of each environment. The two are not begun at one instant, and may see more than was published
 * when the snapshot's revision was read; when they do (rarely: the ids of the transactions tell),
 * reads go through history to the state at that revision. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_internal.h"

uint16_t store_lkey_resource(const struct store_lkey *k)
{
    return (uint16_t)(k->b[0] << 8 | k->b[1]);
}

struct str store_lkey_stored(MDB_val k)
{
    return str_n((const char *)k.mv_data + 2, k.mv_size - 2);
}

int store_corrupt(struct err *err, struct store *s, uint16_t resource, struct str key)
{
    struct store_resource_entry *r = store_resource_get(s, resource);
    struct str prefix = r ? r->prefix : STR_NULL;

    return err_set(err, ERR_CORRUPT, "stored object '%.*s%.*s' fails its checksum", STR_ARG(prefix),
                   STR_ARG(key));
}

/* --- snapshots --- */

static void reader_reset(struct store_reader *rd)
{
    for (int e = 0; e < ENV_MAX; e++)
        mdb_txn_reset(rd->txn[e]);
}

static int reader_new(struct store *s, struct store_reader **ret, struct err *err)
{
    struct store_reader *rd = NEW(struct store_reader);

    list_init(&rd->link);
    for (int e = 0; e < ENV_MAX; e++) {
        int rc = mdb_txn_begin(s->env[e].env, NULL, MDB_RDONLY, &rd->txn[e]);

        if (rc) {
            if (e > 0)
                mdb_txn_abort(rd->txn[0]);
            mem_free(rd);
            return store_env_fail(rc, err, "begin a read");
        }
    }
    reader_reset(rd);
    *ret = rd;
    return 0;
}

static int reader_renew(struct store_reader *rd)
{
    for (int e = 0; e < ENV_MAX; e++) {
        int rc = mdb_txn_renew(rd->txn[e]);

        if (rc) {
            if (e > 0)
                mdb_txn_reset(rd->txn[0]);
            return rc;
        }
    }
    return 0;
}

static int reader_get(struct store *s, struct store_reader **ret, struct err *err)
{
    struct list *l;

    (void)pthread_mutex_lock(&s->reader_lock);
    l = list_first(&s->readers);
    if (l)
        list_remove(l);
    (void)pthread_mutex_unlock(&s->reader_lock);
    if (l) {
        *ret = CONTAINER_OF(l, struct store_reader, link);
        return 0;
    }
    return reader_new(s, ret, err);
}

static void reader_put(struct store *s, struct store_reader *rd)
{
    (void)pthread_mutex_lock(&s->reader_lock);
    list_prepend(&s->readers, &rd->link);
    (void)pthread_mutex_unlock(&s->reader_lock);
}

/* The published revision, and the transaction ids that show exactly it. */
static uint64_t read_published(struct store *s, uint64_t ret_ids[ENV_MAX])
{
    for (;;) {
        uint64_t seq = atomic_load(&s->publish_seq), rev;

        rev = atomic_load(&s->revision);
        for (int e = 0; e < ENV_MAX; e++)
            ret_ids[e] = atomic_load(&s->txn_id[e]);
        if (!(seq & 1) && atomic_load(&s->publish_seq) == seq)
            return rev;
    }
}

int store_snapshot_begin(struct store *s, struct store_snapshot *ret, struct err *err)
{
    enum { TRIES = 3 };
    struct store_reader *rd = NULL;
    uint64_t ids[ENV_MAX], rev = 0;
    int rc = reader_get(s, &rd, err);

    if (rc < 0 || !rd)
        return rc;
    for (int i = 0; i < TRIES; i++) {
        rev = read_published(s, ids);
        rc = reader_renew(rd);
        if (rc) {
            reader_put(s, rd);
            return store_env_fail(rc, err, "begin a read");
        }
        rd->current = mdb_txn_id(rd->txn[ENV_HARD]) == ids[ENV_HARD] &&
                      mdb_txn_id(rd->txn[ENV_SOFT]) == ids[ENV_SOFT];
        if (rd->current || (i == TRIES - 1 && atomic_load(&s->compacted) <= rev))
            break;
        reader_reset(rd);
        if (i == TRIES - 1)
            i--; /* compacted past us in between: once more */
    }
    ret->store = s;
    ret->revision = rev;
    ret->compacted = atomic_load(&s->compacted);
    ret->reader = rd;
    return 0;
}

void store_snapshot_end(struct store_snapshot *snap)
{
    if (!snap->reader)
        return;
    reader_reset(snap->reader);
    reader_put(snap->store, snap->reader);
    snap->reader = NULL;
}

uint64_t store_revision(struct store *s)
{
    return atomic_load(&s->revision);
}

uint64_t store_compacted(struct store *s)
{
    return atomic_load(&s->compacted);
}

void store_view_of(const struct store_snapshot *snap, struct store_view *ret)
{
    ret->store = snap->store;
    ret->txn[ENV_HARD] = snap->reader->txn[ENV_HARD];
    ret->txn[ENV_SOFT] = snap->reader->txn[ENV_SOFT];
    ret->revision = snap->revision;
    ret->current = snap->reader->current;
}

/* --- one key --- */

/* The record of k that was superseded first after revision, if it stood at revision. */
static int find_in_history(const struct store_view *v, int env, const struct store_lkey *k,
                           uint64_t revision, struct store_record *ret)
{
    struct store_lkey hk;
    MDB_val key, val;
    MDB_cursor *c;
    int rc, r = 0;

    rc = mdb_cursor_open(v->txn[env], v->store->env[env].dbi[DB_HIST], &c);
    if (rc)
        return store_env_code(rc);
    store_key_hist(k, revision + 1, &hk);
    key = store_key_val(&hk);
    rc = mdb_cursor_get(c, &key, &val, MDB_SET_RANGE);
    if (rc == 0 && key.mv_size == hk.len && memcmp(key.mv_data, hk.b, k->len + 1) == 0) {
        struct str stored = str_n((const char *)key.mv_data + 2, k->len - 2);

        r = store_record_decode(key, stored, val, ret);
        if (r == 0)
            r = ret->mod <= revision;
    } else if (rc && rc != MDB_NOTFOUND) {
        r = store_env_code(rc);
    }
    mdb_cursor_close(c);
    return r;
}

int store_find_in(const struct store_view *v, int env, const struct store_lkey *k,
                  uint64_t revision, struct store_record *ret)
{
    MDB_val key = store_key_val(k), val;
    int rc = mdb_get(v->txn[env], v->store->env[env].dbi[DB_KV], &key, &val), r;

    if (rc == 0) {
        r = store_record_decode(key, store_lkey_stored(key), val, ret);
        if (r < 0 || ret->mod <= revision)
            return r < 0 ? r : 1;
    } else if (rc != MDB_NOTFOUND) {
        return store_env_code(rc);
    }
    if (revision == UINT64_MAX || (v->current && revision >= v->revision))
        return 0;
    return find_in_history(v, env, k, revision, ret);
}

int store_find(const struct store_view *v, const struct store_lkey *k, uint64_t revision,
               struct store_found *ret)
{
    struct store_resource_entry *re = store_resource_get(v->store, store_lkey_resource(k));
    struct store_record hard = { 0 }, soft = { 0 };
    int h = 0, s = 0;

    if (!re)
        return 0;
    if (atomic_load_explicit(&re->in_env[ENV_HARD], memory_order_relaxed))
        h = store_find_in(v, ENV_HARD, k, revision, &hard);
    if (h < 0)
        return h;
    if (atomic_load_explicit(&re->in_env[ENV_SOFT], memory_order_relaxed))
        s = store_find_in(v, ENV_SOFT, k, revision, &soft);
    if (s < 0)
        return s;
    /* A renewal holds only for the hard version that it renewed: whatever happened to that since
     * (changed, deleted, made anew) leaves it behind, without any write to soft. */
    if (s && soft.base && (!h || hard.mod != soft.base))
        s = 0;
    if (!h && !s)
        return 0;
    ret->env = s && (!h || soft.mod > hard.mod) ? ENV_SOFT : ENV_HARD;
    ret->record = ret->env == ENV_SOFT ? soft : hard;
    return 1;
}

int store_fill(const struct store_view *v, int env, uint16_t resource, const struct store_record *r,
               struct store_object *ret)
{
    unsigned char ok[STORE_REV_KEY_LEN];
    MDB_val key = { .mv_size = sizeof(ok), .mv_data = ok }, val;
    uint32_t crc, head_len;
    const char *p;

    store_key_rev(r->mod, r->sub, ok);
    if (mdb_get(v->txn[env], v->store->env[env].dbi[DB_OBJ], &key, &val) ||
        val.mv_size < STORE_OBJ_HEAD)
        return ERR_CORRUPT;
    p = val.mv_data;
    memcpy(&crc, p, 4);
    memcpy(&head_len, p + 4, 4);
    if (head_len > val.mv_size - STORE_OBJ_HEAD || crc != store_obj_crc(ok, p + 4, val.mv_size - 4))
        return ERR_CORRUPT;
    *ret = (struct store_object){
        .resource = resource,
        .key = r->key,
        .head = str_n(p + STORE_OBJ_HEAD, head_len),
        .tail = str_n(p + STORE_OBJ_HEAD + head_len, val.mv_size - STORE_OBJ_HEAD - head_len),
        .mod_revision = r->mod,
        .create_revision = r->create,
        .version = r->version,
        .expires_s = r->expires_s,
        .schema_stamp = r->stamp,
        .packed = r->packed,
    };
    return 0;
}

int store_get(struct store_snapshot *snap, uint16_t resource, struct str key,
              struct store_object *ret, struct err *err)
{
    struct store_lkey k;
    struct store_found f;
    struct store_view v;
    int r;

    if (store_key_make(snap->store->identity.hash_key, resource, key, &k) < 0)
        return err_set(err, ERR_NOT_FOUND, "no object '%.*s'", STR_ARG(key));
    store_view_of(snap, &v);
    r = store_find(&v, &k, snap->revision, &f);
    if (r == 0 || (r == 1 && key.len >= STORE_KEY_LIMIT && !str_eq(f.record.key, key)))
        return err_set(err, ERR_NOT_FOUND, "no object '%.*s'", STR_ARG(key));
    if (r == 1) {
        f.record.key = key;
        r = store_fill(&v, f.env, resource, &f.record, ret);
    }
    if (r == ERR_CORRUPT)
        return store_corrupt(err, snap->store, resource, key);
    return r < 0 ? err_set(err, r, "read '%.*s'", STR_ARG(key)) : 0;
}
