/* Upkeep, on the store thread between batches: forgetting history in slices, and deleting what has
 * expired. Compaction walks the log from its start: each entry names one superseded record, whose
 * bytes, history and outlived index entries go with it.
 *
 * Time is known by marks: pairs of a time and the newest revision then. The revision of the newest
 * mark that is older than what must be kept is forgotten. A store to which nothing is written makes
 * no marks, has nothing to compact, and sleeps. */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/store_internal.h"

enum { SLICE_ENTRIES = 512, MARKS_PER_HISTORY = 16, EXPIRE_SLICE = 128 };
#define SOFT_COPY_MS ((int64_t)3600 * 1000)

void store_mark_history(struct store *s)
{
    int64_t now = clock_mono_ms(s->clock);
    size_t n = s->marks.len;

    if (n &&
        (s->marks.items[n - 1].revision == s->counter ||
         now - s->marks.items[n - 1].at_ms < (int64_t)(s->keep_history_ms / MARKS_PER_HISTORY)))
        return;
    VEC_PUSH(&s->marks, (struct store_mark){ .at_ms = now, .revision = s->counter });
}

/* Marks old enough raise the compacted revision. */
static void use_marks(struct store *s)
{
    int64_t now = clock_mono_ms(s->clock);
    size_t n = 0;
    uint64_t to = atomic_load(&s->compacted);

    for (; n < s->marks.len && now - s->marks.items[n].at_ms >= (int64_t)s->keep_history_ms; n++)
        to = MAX(to, s->marks.items[n].revision);
    if (!n)
        return;
    s->marks.len -= n;
    memmove(s->marks.items, s->marks.items + n, s->marks.len * sizeof(*s->marks.items));
    atomic_store(&s->compacted, to);
}

/* The index entries of a record's values, when they went at or below `to`. */
static int forget_index(struct store *s, MDB_txn *txn, int env, const struct store_lkey *k,
                        const struct store_record *old, uint64_t to)
{
    struct store_resource_entry *re = store_resource_get(s, store_lkey_resource(k));

    for (size_t i = 0; re && i < re->n_indexed; i++) {
        struct store_lkey ik;
        struct str v;
        MDB_val key, val;
        uint32_t words[3];
        uint64_t gone;
        int rc;

        if (!store_packed_find(old->packed, true, re->indexed[i], &v))
            continue;
        store_key_idx(s->identity.hash_key, k, (uint8_t)i, v, &ik);
        key = store_key_val(&ik);
        if (mdb_get(txn, s->env[env].dbi[DB_IDX], &key, &val) || val.mv_size != sizeof(words))
            continue;
        memcpy(words, val.mv_data, sizeof(words));
        gone = words[1] | (uint64_t)words[2] << 32;
        if (gone == 0 || gone > to)
            continue;
        rc = mdb_del(txn, s->env[env].dbi[DB_IDX], &key, NULL);
        if (rc)
            return rc;
    }
    return 0;
}

static int delete_bytes(struct store *s, MDB_txn *txn, int env, uint64_t revision, uint16_t sub)
{
    unsigned char ok[STORE_REV_KEY_LEN];
    MDB_val key = { .mv_size = sizeof(ok), .mv_data = ok };
    int rc;

    store_key_rev(revision, sub, ok);
    rc = mdb_del(txn, s->env[env].dbi[DB_OBJ], &key, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* What one log entry left behind. */
static int forget_entry(struct store *s, MDB_txn *txn, int env, MDB_val lkey, MDB_val val,
                        uint64_t to)
{
    uint64_t revision = store_get_be64(lkey.mv_data);
    const unsigned char *lb = lkey.mv_data;
    uint16_t sub = (uint16_t)(lb[8] << 8 | lb[9]);
    struct store_lkey hk;
    struct store_log l;
    struct store_record old;
    MDB_val key, hv;
    int rc = 0;

    if (store_log_decode(lkey, val, &l) < 0)
        return 0; /* its record stays as garbage; reads do not meet it */
    if (l.own)
        rc = delete_bytes(s, txn, env, revision, sub);
    store_key_hist(&l.key, revision, &hk);
    key = store_key_val(&hk);
    if (rc || mdb_get(txn, s->env[env].dbi[DB_HIST], &key, &hv))
        return rc;
    if (store_record_decode(key, str_n("", 0), hv, &old) == 0) {
        CLEANUP(buf_done) struct buf packed = { 0 };

        buf_append_str(&packed, old.packed); /* deleting below moves what it points to */
        old.packed = buf_str(&packed);
        rc = delete_bytes(s, txn, env, old.mod, old.sub);
        if (rc == 0)
            rc = forget_index(s, txn, env, &l.key, &old, to);
    }
    return rc ? rc : mdb_del(txn, s->env[env].dbi[DB_HIST], &key, NULL);
}

/* One slice of env's log up to `to`: how many entries it held, or < 0. */
static int compact_env(struct store_batch *b, int env, uint64_t to)
{
    struct store *s = b->view.store;
    MDB_txn *txn = b->view.txn[env];
    MDB_cursor *c;
    int n = 0, rc = mdb_cursor_open(txn, s->env[env].dbi[DB_LOG], &c);

    if (rc)
        return store_env_code(rc);
    while (n < SLICE_ENTRIES) {
        MDB_val k, v;

        rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
        if (rc || k.mv_size != STORE_REV_KEY_LEN || store_get_be64(k.mv_data) > to)
            break;
        rc = forget_entry(s, txn, env, k, v, to);
        if (rc == 0)
            rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
        if (rc == 0)
            rc = mdb_cursor_del(c, 0);
        if (rc)
            break;
        n++;
    }
    mdb_cursor_close(c);
    if (rc && rc != MDB_NOTFOUND)
        return store_env_code(rc);
    if (n) {
        s->env[env].state.compacted = to;
        b->touched[env] = true;
    }
    return n;
}

static bool is_behind(const struct store *s, uint64_t to)
{
    return s->compact_done[ENV_HARD] < to || s->compact_done[ENV_SOFT] < to;
}

bool store_compact_slice(struct store *s)
{
    struct store_batch b;
    uint64_t to;
    int n[ENV_MAX];

    use_marks(s);
    to = atomic_load(&s->compacted);
    if (!is_behind(s, to) || store_batch_begin(s, &b) < 0)
        return false;
    for (int e = 0; e < ENV_MAX; e++) {
        n[e] = s->compact_done[e] < to ? compact_env(&b, e, to) : 0;
        if (n[e] < 0) {
            store_batch_abort(&b);
            return false; /* no room even for this: again with the next batch */
        }
    }
    if (store_batch_commit(&b) != 0)
        return false;
    for (int e = 0; e < ENV_MAX; e++)
        if (n[e] < SLICE_ENTRIES)
            s->compact_done[e] = to;
    return is_behind(s, to);
}

/* --- expiry --- */

/* The first entry of what expires, in one environment: 1, 0, < 0. */
static int first_expiry(struct store *s, MDB_txn *txn, int env, int64_t *ret_s,
                        struct store_lkey *ret_key)
{
    unsigned char zero[2] = { 0 };
    MDB_val k = { .mv_size = 2, .mv_data = zero }, v;
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, s->env[env].dbi[DB_IDX], &c), r = 0;

    if (rc)
        return store_env_code(rc);
    rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
    if (rc == 0 && k.mv_size > STORE_EXPIRY_HEAD + 2 &&
        k.mv_size <= STORE_EXPIRY_HEAD + 2 + STORE_KEY_LIMIT && memcmp(k.mv_data, zero, 2) == 0) {
        *ret_s = (int64_t)store_get_be64((const unsigned char *)k.mv_data + 2);
        ret_key->len = k.mv_size - STORE_EXPIRY_HEAD;
        memcpy(ret_key->b, (const char *)k.mv_data + STORE_EXPIRY_HEAD, ret_key->len);
        r = 1;
    }
    mdb_cursor_close(c);
    return r;
}

static int expire_one(struct store_batch *b, int env, int64_t at_s, const struct store_lkey *k)
{
    struct store *s = b->view.store;
    struct store_found f;
    struct store_lkey ek;
    MDB_val key;
    int r = store_find(&b->view, k, UINT64_MAX, &f);

    if (r == 1 && f.record.expires_s == at_s) {
        CLEANUP(buf_done) struct buf name = { 0 };
        struct store_mutation m = { .op = STORE_DELETE, .resource = store_lkey_resource(k) };
        struct store_txn t = { .mutations = &m, .n = 1 };

        buf_append_str(&name, f.record.key); /* the write moves what it points to */
        m.key = buf_str(&name);
        m.expected = f.record.mod;
        r = store_apply(b, &t);
        if (r < 0 || t.result == 0)
            return r;
    }
    /* An entry without its object: only the entry goes. */
    store_key_expiry(k, at_s, &ek);
    key = store_key_val(&ek);
    b->touched[env] = true;
    r = mdb_del(b->view.txn[env], s->env[env].dbi[DB_IDX], &key, NULL);
    return r == MDB_NOTFOUND ? 0 : store_env_code(r);
}

bool store_expire_slice(struct store *s)
{
    int64_t now = clock_wall_s(s->clock), next = INT64_MAX;
    struct store_batch b;
    bool more = false;
    int r = 0;

    if (s->next_expiry_s > now)
        return false;
    watch_hub_begin_batch(s->hub);
    if (store_batch_begin(s, &b) < 0) {
        watch_hub_publish(s->hub, NULL, s->counter);
        return false;
    }
    for (int e = 0; e < ENV_MAX && r >= 0; e++) {
        struct store_lkey k;
        int64_t at = 0;
        int n = 0;

        while ((r = first_expiry(s, b.view.txn[e], e, &at, &k)) == 1 && at <= now &&
               n++ < EXPIRE_SLICE)
            if ((r = expire_one(&b, e, at, &k)) < 0)
                break;
        more = more || n > EXPIRE_SLICE;
        if (r == 1)
            next = MIN(next, at);
    }
    if (b.view.revision > s->env[ENV_HARD].state.ceiling)
        r = ERR_NO_SPACE; /* the next batch moves the ceiling */
    if (r < 0)
        store_batch_abort(&b);
    else
        r = store_batch_commit(&b);
    s->next_expiry_s = r == 0 ? next : now + 1;
    watch_hub_publish(s->hub, r < 0 ? NULL : &b.events, s->counter);
    store_mark_history(s);
    return more && r == 0;
}

/* --- when --- */

static void *copy_soft(void *arg)
{
    struct err err = { 0 };

    (void)store_soft_copy(arg, &err); /* the copy before stays; the next hour tries again */
    return NULL;
}

/* The copying reads one snapshot and waits for the disk: not on the store thread. */
static void start_copy(struct store *s, int64_t now)
{
    if (s->has_copier)
        (void)pthread_join(s->copier, NULL); /* an hour old: it has ended */
    s->has_copier = pthread_create(&s->copier, NULL, copy_soft, s) == 0;
    s->soft_copied_ms = now;
    s->soft_copied_revision = s->env[ENV_SOFT].state.revision;
}

int64_t store_upkeep_wait_ms(struct store *s)
{
    int64_t now = clock_mono_ms(s->clock), wait = INT64_MAX;

    if (s->marks.len)
        wait = s->marks.items[0].at_ms + (int64_t)s->keep_history_ms - now;
    if (s->next_expiry_s != INT64_MAX) {
        int64_t in_s = s->next_expiry_s - clock_wall_s(s->clock);

        wait = MIN(wait, in_s > 86400 ? 86400000 : in_s * 1000);
    }
    if (!s->ephemeral && s->soft_copied_revision != s->env[ENV_SOFT].state.revision) {
        if (now - s->soft_copied_ms >= SOFT_COPY_MS)
            start_copy(s, now);
        else
            wait = MIN(wait, s->soft_copied_ms + SOFT_COPY_MS - now);
    }
    if (wait == INT64_MAX)
        return -1;
    return MAX(wait, 0);
}
