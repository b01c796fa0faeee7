/* The store: revisioned bytes with labels. It knows resources, keys, revisions and byte strings,
 * and no API type. All reads come from local LMDB maps (no lock, no copy); all writes go through
 * one thread that applies queued mutations in one transaction and makes one durable commit for the
 * batch (docs/store.md). Two environments share one revision counter: `hard` is durable, `soft` is
 * for what may be lost with the machine.
 *
 * Stored form of an object: its JSON, split where the text of metadata.resourceVersion goes. A
 * reader sends head, the revision in decimal, tail.
 *
 * Threads: store_open/close and resource registration belong to the owner, before other threads use
 * the store. Snapshots may be used on any thread, each on the one that began it. store_submit() may
 * be called from any thread; completions run on the loop whose mailbox was given.
 *
 * Keys are "namespace/name" or "name": 1 to STORE_KEY_MAX bytes without NUL and 0xff. Key order is
 * bytewise but for keys longer than 481 bytes that share their first 481: those follow each other
 * in a fixed order of their own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "io/loop.h"
#include "io/mailbox.h"

struct arena;
struct clock;
struct err;
struct store;
struct store_reader;

enum {
    STORE_KEY_MAX = 4096,          /* bytes of a key; longer ones are ERR_TOO_LARGE */
    STORE_PREFIX_MAX = 384,        /* bytes of a resource's prefix */
    STORE_OBJECT_MAX = 16 << 20,   /* bytes of head and tail, and of packed labels and fields */
    STORE_TXN_MUTATIONS_MAX = 256, /* mutations in one transaction */
    STORE_WATCH_QUEUE_DEFAULT = 1024,
    STORE_WATCH_QUEUE_BYTES = 64 << 20, /* of objects that wait for one watch */
};

enum store_class {
    STORE_HARD, /* durable before the write is answered */
    STORE_SOFT, /* on tmpfs; copied to disk at a clean stop and now and then; gone after a power cut
                 */
};

struct store_options {
    /* The hard environment's directory, the store's alone; made (0700) when it is missing. */
    const char *dir;
    /* On tmpfs; NULL: one of its own under /run or /dev/shm, by dir's identity. */
    const char *soft_dir;
    bool ephemeral;           /* both on tmpfs, nothing synced, removed by store_close() */
    size_t map_bytes;         /* address space per environment, 0: the default */
    uint64_t keep_history_ms; /* compaction keeps at least this much, 0: 5 minutes */
    const struct clock *clock;
};

/* Opens or creates. A foreign or corrupt directory, one in use by another process, a disk without
 * room: one clear text in err, nothing changed. */
int store_open(const struct store_options *o, struct store **ret, struct err *err);
void store_close(struct store *s); /* drains the queue, copies soft to disk, frees; accepts NULL */

/* --- resources --- */

struct store_resource_options {
    struct str prefix; /* "/registry/pods/": the identity; ends with "/" */
    enum store_class class;
    const char *const *indexed; /* names of indexed fields, NULL-terminated; NULL: none */
};
/* The same prefix gets the same id for the life of the directory. Any thread; before the first use
 * of the id. An `indexed` list that differs from the one before rebuilds the resource's index. */
int store_resource(struct store *s, const struct store_resource_options *o, uint16_t *ret_id,
                   struct err *err);

/* --- objects as stored --- */

/* A label or a selectable field, to be written. */
struct store_pair {
    struct str key;
    struct str value;
};

struct store_object {
    uint16_t resource;
    struct str key;  /* "namespace/name" or "name" */
    struct str head; /* JSON up to the text of resourceVersion */
    struct str tail; /* JSON after it */
    uint64_t mod_revision;
    uint64_t create_revision;
    uint64_t version;  /* of this key, 1 after create */
    int64_t expires_s; /* wall clock, 0: never */
    uint32_t schema_stamp;
    struct str packed; /* labels and fields, for store_object_label()/_field(); opaque */
};

/* The value of a label or selectable field; false when absent. */
bool store_object_label(const struct store_object *o, struct str key, struct str *ret);
bool store_object_field(const struct store_object *o, struct str name, struct str *ret);

/* --- reading --- */

/* One consistent view of both environments. Borrowed bytes are good until store_snapshot_end().
 * Never held across a loop turn. */
struct store_snapshot {
    struct store *store;
    uint64_t revision;  /* of the newest write seen */
    uint64_t compacted; /* revisions below this are gone */
    struct store_reader *reader;
};

int store_snapshot_begin(struct store *s, struct store_snapshot *ret, struct err *err);
void store_snapshot_end(struct store_snapshot *snap);
uint64_t store_revision(struct store *s); /* newest published revision; any thread, no lock */
uint64_t store_compacted(struct store *s);

/* ERR_NOT_FOUND; ERR_CORRUPT when the checksum fails (the text names the key). The result's key is
 * the caller's bytes. */
int store_get(struct store_snapshot *snap, uint16_t resource, struct str key,
              struct store_object *ret, struct err *err);

struct store_range {
    uint16_t resource;
    struct str prefix;      /* "" for all, "namespace/" for one namespace */
    struct str after;       /* continue after this key (exclusive); unset: from the start */
    uint64_t revision;      /* state as of this revision; 0: the snapshot's own */
    struct str index_field; /* walk by this indexed field ... */
    struct str index_value; /* ... equal to this, instead of the whole prefix; unset: no index */
};

struct store_cursor; /* in the arena; ends with the snapshot */
/* ERR_COMPACTED or ERR_FUTURE for a revision that cannot be read. */
int store_range_begin(struct store_snapshot *snap, struct arena *a, const struct store_range *r,
                      struct store_cursor **ret, struct err *err);
/* 1 and an object, in key order; 0 at the end. */
int store_range_next(struct store_cursor *c, struct store_object *ret, struct err *err);
/* How many objects are left after the cursor (for remainingItemCount); walks keys only. */
int store_range_count(struct store_cursor *c, uint64_t *ret, struct err *err);

/* --- writing --- */

enum store_op { STORE_PUT, STORE_DELETE, STORE_CHECK /* only the expectation */ };

#define STORE_EXPECT_ANY    UINT64_MAX
#define STORE_EXPECT_ABSENT ((uint64_t)0)

struct store_mutation {
    enum store_op op;
    uint16_t resource;
    struct str key;
    uint64_t expected; /* mod_revision, STORE_EXPECT_ANY or STORE_EXPECT_ABSENT */
    /* PUT: the new value, with its labels and fields. DELETE: the last state to show in the DELETED
     * event, or head unset to show the stored one (labels and fields are then ignored). */
    struct str head;
    struct str tail;
    const struct store_pair *labels; /* sorted */
    size_t n_labels;
    const struct store_pair *fields; /* selectable and indexed ones, sorted */
    size_t n_fields;
    int64_t expires_s;
    uint32_t schema_stamp;
    /* Lease renewals, when the caller knows that nothing but the renewal time changed: written to
     * soft although the resource is hard, unless the object is new or its labels, fields, expiry or
     * stamp differ. */
    bool soft_if_same;
};

struct store_txn;
typedef void store_done_fn(struct store_txn *txn, void *arg);

/* Mutations applied as one, all or nothing, sharing one revision: mod_revision of everything that
 * it puts, and of its events, which come in the order of its mutations. Each transaction that
 * changes something has a revision of its own. A key occurs once at most, CHECKs apart; all that is
 * changed is hard or all is soft (else ERR_INVALID), CHECKs apart. A watcher that resumes after a
 * revision resumes after the whole transaction.
 * The caller keeps it and every byte it points to alive until done runs; there is no cancelling. */
struct store_txn {
    struct list queue;              /* the store's */
    struct mailbox_message message; /* the store's */
    int env;                        /* the store's */
    const struct store_mutation *mutations;
    size_t n;
    struct mailbox *mailbox; /* where done runs */
    store_done_fn *done;
    void *arg;
    /* The answer: */
    /* 0; ERR_EXISTS (expected absent), ERR_NOT_FOUND (a DELETE, or a revision expected of what is
     * absent), ERR_CONFLICT (another revision), ERR_NO_SPACE, ERR_TOO_LARGE, ERR_INVALID,
     * ERR_CORRUPT (what is to be replaced fails its checksum; EXPECT_ANY replaces it anyway) */
    int result;
    size_t failed;     /* which mutation that was */
    uint64_t revision; /* of the write; of the store when there were only CHECKs */
};

void store_submit(struct store *s, struct store_txn *txn);

/* What a loop submits in one turn, handed over when the turn ends: one wake-up, and one commit for
 * all of it. On the loop's thread. */
struct store_outbox {
    struct store *store;
    struct loop *loop;
    struct loop_task flush;
    struct list txns;
};
void store_outbox_init(struct store_outbox *o, struct store *s, struct loop *l);
void store_outbox_submit(struct store_outbox *o, struct store_txn *txn);
void store_outbox_flush(struct store_outbox *o); /* at once; also when the loop has ended */

/* --- watching --- */

enum store_event_type { STORE_EVENT_CREATED, STORE_EVENT_MODIFIED, STORE_EVENT_DELETED };

/* Counted, immutable; shared by all watchers; any thread. */
struct store_event {
    enum store_event_type type;
    uint64_t revision;
    struct store_object object; /* DELETED: last state, mod_revision = the deletion's */
    bool has_previous;
    struct store_object previous; /* MODIFIED and DELETED: as it was before */
};
const struct store_event *store_event_ref(const struct store_event *e);
void store_event_unref(const struct store_event *e);

struct store_watch_options {
    uint16_t resource;
    struct str prefix; /* "" or "namespace/" */
    struct str name;   /* equality on the part of the key after its last "/"; unset: any */
    /* Equality on an indexed field, e.g. spec.nodeName; unset: any. The watcher then gets the
     * events whose old or new object matches. */
    struct str index_field;
    struct str index_value;
    uint64_t after; /* events with a revision above this */
    /* 0: the default. One more, or objects of more than STORE_WATCH_QUEUE_BYTES, and the watch ends
     * with ERR_OVERFLOW. */
    uint32_t max_queued;
};

struct store_watch;
/* Something is to be taken, or the watch has ended; runs on the mailbox's loop, coalesced: once
 * until store_watch_next() has returned NULL. May stop the watch. */
typedef void store_watch_fn(struct store_watch *w, void *arg);

/* ERR_COMPACTED when `after` is too old, ERR_FUTURE when it is beyond the newest revision. On the
 * mailbox's loop, as all that follows. `ready` runs soon when there are events of the past; the
 * options' strings are copied. */
int store_watch_start(struct store *s, const struct store_watch_options *o, struct mailbox *mailbox,
                      store_watch_fn *ready, void *arg, struct store_watch **ret, struct err *err);
/* The next event in revision order, with a reference for the caller, or NULL when there is none
 * now (`ready` runs again). Events of the past are read from the log in slices on the calling
 * thread, so NULL may also mean that the rest of the past comes in a later turn. */
const struct store_event *store_watch_next(struct store_watch *w);
/* Everything up to this revision has been handed out (for bookmarks). */
uint64_t store_watch_progress(struct store_watch *w);
int store_watch_status(struct store_watch *w); /* 0, or why it ended: ERR_OVERFLOW, ERR_COMPACTED */
void store_watch_stop(struct store_watch *w);  /* no callback after this; accepts NULL */

/* --- upkeep --- */

/* Forgets history below revision; returns at once, the work is sliced on the store thread.
 * ERR_FUTURE beyond the newest revision. Any thread. */
int store_compact(struct store *s, uint64_t revision, struct err *err);
/* Copies a snapshot into the new directory `name` below dirfd, on the calling thread (it blocks:
 * not for a loop). The copy carries a marker; the store that is first opened on it jumps its
 * revision forward, so that no client takes the restored state for one that it knows. */
int store_backup(struct store *s, int dirfd, const char *name, struct err *err);

struct store_stats {
    uint64_t commits, mutations, batch_max, objects, bytes_hard, bytes_soft, watchers,
        dropped_watchers;
};
void store_get_stats(struct store *s, struct store_stats *ret); /* any thread */
