/* What the files of store/ share. docs/store.md explains the layout; in short, each environment has
 *
 *   obj   revision, sub                  -> crc, head length, head, tail
 *   kv    resource, key                  -> record (mod, create, version, labels and fields)
 *   hist  resource, key, 0, superseding  -> the record that was superseded at that revision
 *   log   revision, sub                  -> operation, resource, key
 *   idx   resource, field, hash, key     -> revision at which the value went, 0: current
 *         0, expires_s, resource, key    -> nothing (what expires next)
 *   meta  "state", "identity", "r" prefix
 *
 * `sub` numbers the mutations of one transaction. Numbers in keys are big-endian, in values
 * little-endian. */
#pragma once

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "store/store.h"

/* --- keys --- */

enum {
    STORE_KEY_LIMIT = 498, /* bytes of a stored key after the resource id */
    STORE_KEY_CUT = STORE_KEY_LIMIT - 17,
    STORE_LMDB_KEY_MAX = 511,
    STORE_REV_KEY_LEN = 10, /* revision, sub */
    STORE_HIST_SUFFIX = 9,  /* NUL, superseding revision */
};

/* An LMDB key: resource id and stored key, or longer (hist, idx). */
struct store_lkey {
    size_t len;
    unsigned char b[STORE_LMDB_KEY_MAX + 1];
};

void store_put_be64(unsigned char *p, uint64_t v);
uint64_t store_get_be64(const unsigned char *p);
/* ERR_INVALID (empty, NUL or 0xff inside), ERR_TOO_LARGE. */
int store_key_make(const uint64_t hash_key[2], uint16_t resource, struct str key,
                   struct store_lkey *ret);
/* The start of every stored key that has this prefix. */
void store_key_prefix(uint16_t resource, struct str prefix, struct store_lkey *ret);
void store_key_hist(const struct store_lkey *key, uint64_t superseding, struct store_lkey *ret);
void store_key_rev(uint64_t revision, uint16_t sub, unsigned char ret[STORE_REV_KEY_LEN]);
void store_key_idx(const uint64_t hash_key[2], const struct store_lkey *key, uint8_t field,
                   struct str value, struct store_lkey *ret);
void store_key_idx_prefix(const uint64_t hash_key[2], uint16_t resource, uint8_t field,
                          struct str value, struct store_lkey *ret);
void store_key_expiry(const struct store_lkey *key, int64_t expires_s, struct store_lkey *ret);
static inline MDB_val store_key_val(const struct store_lkey *k)
{
    return (MDB_val){ .mv_size = k->len, .mv_data = (void *)(uintptr_t)k->b };
}
enum { STORE_IDX_HEAD = 11, STORE_EXPIRY_HEAD = 10 };

/* --- records --- */

struct store_record {
    uint64_t mod;
    uint64_t create;
    uint64_t version;
    uint64_t base; /* soft version of a hard object: the hard mod that it renews; else 0 */
    int64_t expires_s;
    uint32_t stamp;
    uint16_t sub; /* with mod: where in obj */
    struct str key;
    struct str packed;
};

enum store_log_op { STORE_LOG_CREATE, STORE_LOG_UPDATE, STORE_LOG_DELETE, STORE_LOG_DROP };

struct store_log {
    enum store_log_op op;
    bool own; /* DELETE: with a last state of its own; record follows, bytes in obj */
    struct store_lkey key;
    MDB_val record;
};

struct buf;
/* Appends r's bytes for being stored under lkey. */
void store_record_encode(struct buf *out, MDB_val lkey, const struct store_record *r,
                         bool long_key);
/* lkey: the whole LMDB key; stored: its part that is the object's stored key, from which a short
 * key is taken. ERR_CORRUPT. */
int store_record_decode(MDB_val lkey, struct str stored, MDB_val value, struct store_record *ret);
void store_log_encode(struct buf *out, MDB_val lkey, const struct store_log *l);
int store_log_decode(MDB_val lkey, MDB_val value, struct store_log *ret);
int store_pack(struct buf *out, const struct store_mutation *m); /* ERR_TOO_LARGE, ERR_INVALID */
bool store_packed_find(struct str packed, bool fields, struct str key, struct str *ret);
enum { STORE_OBJ_HEAD = 8 };
uint32_t store_obj_crc(const unsigned char key[STORE_REV_KEY_LEN], const void *p, size_t len);

/* --- environments --- */

enum store_dbi { DB_OBJ, DB_KV, DB_HIST, DB_LOG, DB_IDX, DB_META, DB_MAX };
enum { ENV_HARD, ENV_SOFT, ENV_MAX };

struct store_state {   /* meta "state" */
    uint64_t revision; /* newest in this environment */
    uint64_t ceiling;  /* hard: no revision above it was ever given out */
    uint64_t compacted;
    uint64_t clean_revision; /* of the store, at a clean stop; 0: in use */
};

struct store_env {
    MDB_env *env;
    MDB_dbi dbi[DB_MAX];
    int (*commit)(MDB_txn *txn); /* mdb_txn_commit, but for tests of faults */
    struct store_state state;    /* the store thread's */
    uint64_t reserve_bytes;      /* in the file, only for what must work on a full disk */
    uint64_t step_bytes;         /* the file grows by */
    uint64_t allocated;          /* bytes of file that the disk has promised */
    bool full;                   /* the last attempt to grow failed */
    bool no_fallocate;
};

struct store_identity { /* meta "identity" of hard */
    char format[16];
    char id[40]; /* random, hexadecimal */
    uint64_t hash_key[2];
};
#define STORE_FORMAT "pintle-store-1"

int store_env_open(struct store_env *e, const char *path, unsigned flags, size_t map_bytes,
                   struct err *err);
void store_env_close(struct store_env *e);
int store_env_save_state(struct store_env *e, MDB_txn *txn);
/* Makes sure that the file has room for about `pages` more; ERR_NO_SPACE leaves only the reserve.
 */
int store_env_make_room(struct store_env *e, uint64_t pages);
int store_env_fail(int rc, struct err *err, const char *what); /* LMDB's code as ours, text set */
int store_env_code(int rc);
/* The disk did not take what was to be durable: one line, and the process ends. */
__attribute__((noreturn)) void store_die(const char *what, int rc);

/* --- the store --- */

enum { STORE_INDEXED_MAX = 16, STORE_RESOURCES_MAX = 65536 };

struct store_resource_entry {
    uint16_t id;
    enum store_class class;
    struct str prefix; /* owned */
    size_t n_indexed;
    struct str indexed[STORE_INDEXED_MAX]; /* owned */
    atomic_bool in_env[ENV_MAX];           /* may hold records there */
    atomic_uint watchers;
    bool saved;
};

/* A pooled pair of read transactions; reset while it rests. */
struct store_reader {
    struct list link;
    MDB_txn *txn[ENV_MAX];
    bool current; /* nothing newer than the snapshot's revision is in sight */
};

/* What reads need: of a snapshot, or the store thread's write transactions. */
struct store_view {
    struct store *store;
    MDB_txn *txn[ENV_MAX];
    uint64_t revision;
    bool current; /* as in store_reader */
};

struct store_mark { /* history up to revision was made before at_ms */
    int64_t at_ms;
    uint64_t revision;
};

struct watch_hub;

struct store {
    struct store_env env[ENV_MAX];
    struct store_identity identity;
    const struct clock *clock;
    uint64_t keep_history_ms;
    bool ephemeral;
    char *dir; /* NULL: ephemeral without one */
    char *soft_dir;
    int lock_fd;
    int soft_lock_fd;

    /* Published by the store thread: odd while it changes. */
    atomic_uint_fast64_t publish_seq;
    atomic_uint_fast64_t revision;
    atomic_uint_fast64_t txn_id[ENV_MAX];
    atomic_uint_fast64_t compacted;

    /* A lock and not a message: readers on any thread take and give back a pair of transactions
     * within one call, and must not wait for a loop. */
    pthread_mutex_t reader_lock;
    struct list readers;

    pthread_mutex_t resource_lock; /* registration only; reading is by the atomic pointers */
    struct map resource_by_prefix;
    _Atomic(struct store_resource_entry *) *resources; /* by id, 65536 */
    uint16_t last_resource;
    atomic_bool resources_dirty;

    /* The store thread sleeps on a condition, as it has no loop. */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t queue_lock;
    pthread_cond_t queue_cond;
    struct list queue;
    bool stopping;
    uint64_t compact_to; /* asked for by store_compact(); queue_lock */

    /* The store thread's. */
    uint64_t counter;               /* newest revision given out */
    uint64_t compact_done[ENV_MAX]; /* the log has been cleaned up to this */
    struct VEC(struct store_mark) marks;
    int64_t next_expiry_s; /* 0: look, INT64_MAX: nothing expires */
    int64_t soft_copied_ms;
    uint64_t soft_copied_revision;
    pthread_t copier;
    bool has_copier;

    struct watch_hub *hub;
    atomic_uint_fast64_t commits, mutations, batch_max;
};

struct store_resource_entry *store_resource_get(struct store *s, uint16_t id); /* NULL: unknown */
void store_resource_free(struct store_resource_entry *re);
int store_save_resources(struct store *s, MDB_txn *hard); /* those not yet on disk */
int store_load_resources(struct store *s, struct err *err);

/* store_soft.c: opens env[ENV_SOFT]; *ret_intact: it holds everything that was ever in it. */
int store_soft_open(struct store *s, size_t map_bytes, bool *ret_intact, struct err *err);
int store_env_copy(struct store_env *e, const char *path, struct err *err); /* durable, by rename */
int store_soft_copy(struct store *s, struct err *err); /* to disk, replacing the copy */
void store_soft_remove(struct store *s);
int store_soft_dir(struct store *s, const struct store_options *o, struct err *err);

/* store_read.c */
struct store_found {
    struct store_record record;
    int env; /* where its bytes are */
};
/* 1, 0 when absent, ERR_CORRUPT. As of revision (UINT64_MAX: newest). */
int store_find_in(const struct store_view *v, int env, const struct store_lkey *k,
                  uint64_t revision, struct store_record *ret);
int store_find(const struct store_view *v, const struct store_lkey *k, uint64_t revision,
               struct store_found *ret);
uint16_t store_lkey_resource(const struct store_lkey *k);
struct str store_lkey_stored(MDB_val k); /* without the resource id */
/* The object of a record: looks up its bytes. ERR_CORRUPT. */
int store_fill(const struct store_view *v, int env, uint16_t resource, const struct store_record *r,
               struct store_object *ret);
void store_view_of(const struct store_snapshot *snap, struct store_view *ret);
int store_corrupt(struct err *err, struct store *s, uint16_t resource, struct str key);

/* store_apply.c: one transaction into the open write transactions. */
struct store_batch {
    struct store_view view; /* write transactions, newest state */
    struct list events;     /* of this batch, in order */
    bool touched[ENV_MAX];
    uint64_t pages[ENV_MAX];            /* about how many this batch writes */
    struct store_state before[ENV_MAX]; /* for going back */
};
int store_apply(struct store_batch *b, struct store_txn *t); /* < 0: LMDB failed, batch is lost */
int store_index_update(struct store_batch *b, int env, const struct store_lkey *k,
                       const struct store_record *old, const struct store_record *new,
                       uint64_t revision);

/* store_thread.c */
int store_thread_start(struct store *s, struct err *err);
void store_thread_stop(struct store *s);
int store_batch_begin(struct store *s, struct store_batch *b);
void store_batch_abort(struct store_batch *b);
/* Hard, then soft; publishes to readers. ERR_NO_SPACE: nothing happened; 1: hard is done, soft had
 * no room and is as before. */
int store_batch_commit(struct store_batch *b);

/* store_compact.c: on the store thread, between batches. Return whether more is to be done now. */
bool store_compact_slice(struct store *s);
bool store_expire_slice(struct store *s);
void store_mark_history(struct store *s);
int64_t store_upkeep_wait_ms(struct store *s); /* until something is due; -1: nothing is */

/* --- events and the hub --- */

struct store_event_node {
    struct store_event event;
    struct list link; /* of a batch; the store thread's */
    atomic_uint refs;
    uint16_t sub;
    int env; /* that it was written to */
};
struct store_event_node *store_event_new(enum store_event_type type, uint64_t revision,
                                         const struct store_object *object,
                                         const struct store_object *previous);

struct watch_hub *watch_hub_new(struct store *s);
void watch_hub_free(struct watch_hub *h); /* no watch is left */
void watch_hub_begin_batch(struct watch_hub *h);
/* Delivers events (takes them), up to and including revision; joins new watches. */
void watch_hub_publish(struct watch_hub *h, struct list *events, uint64_t revision);
uint64_t watch_hub_published(struct watch_hub *h);
void watch_hub_stats(struct watch_hub *h, struct store_stats *ret);

enum watch_kind { WATCH_ALL, WATCH_NAMESPACE, WATCH_NAME, WATCH_INDEX };
struct watch_bucket;
struct watch_port;

struct store_watch {
    struct list member; /* of its bucket or of the joiners; hub's lock */
    struct list ready;  /* of its port; port's lock */
    struct watch_bucket *bucket;
    struct watch_port *port;
    struct store *store;
    store_watch_fn *fn;
    void *arg;
    uint16_t resource;
    uint8_t kind;
    bool slice_taken; /* this turn's part of the past has been read; the loop's */
    int status;       /* port's lock */
    uint32_t max_queued;
    /* Ring of live events; port's lock. */
    const struct store_event **ring;
    uint32_t n, first, cap;
    size_t queued_bytes; /* of the objects of these events, as if none were shared */
    uint64_t live_from;  /* events above this are queued; UINT64_MAX: has not joined yet; port's */
    /* The loop's: */
    uint64_t at;      /* handed out or passed over up to here */
    struct list past; /* events read from the log, not handed out yet */
    struct str prefix, name, index_field, index_value;
    char text[];
};
void watch_hub_add(struct watch_hub *h, struct store_watch *w, struct mailbox *m);
void watch_hub_remove(struct watch_hub *h, struct store_watch *w);
static inline size_t store_event_bytes(const struct store_event *e)
{
    return e->object.head.len + e->object.tail.len + e->previous.head.len + e->previous.tail.len;
}
void watch_hub_lock_port(struct store_watch *w);
void watch_hub_unlock_port(struct store_watch *w);
void watch_hub_wake(struct store_watch *w); /* `ready` in a later turn; any thread */
/* Does w want this event? */
bool watch_matches(const struct store_watch *w, const struct store_event *e);
