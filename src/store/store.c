/* Opening and closing, and resources. Opening decides where the revision counter starts:
 *
 *   restored from a backup           far ahead, history forgotten
 *   clean stop                       where it stopped
 *   killed, soft still there         at the newest revision of either environment
 *   killed, soft gone (a power cut)  at the ceiling, history forgotten: revisions up to it may have
 *                                    been shown to somebody */
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/store_internal.h"

enum { PATH_BYTES = 512, REVISION_BLOCK = 100000, RESOURCES_MAX = 65536 };
#define DEFAULT_HARD_MAP ((size_t)64 << 30)
#define DEFAULT_SOFT_MAP ((size_t)4 << 30)
#define DEFAULT_KEEP_MS  ((uint64_t)5 * 60 * 1000)
#define RESTORE_JUMP     1000000000ULL
#define HARD_RESERVE     ((uint64_t)8 << 20)
#define HARD_STEP        ((uint64_t)8 << 20)

/* --- resources --- */

struct store_resource_entry *store_resource_get(struct store *s, uint16_t id)
{
    return atomic_load_explicit(&s->resources[id], memory_order_acquire);
}

static struct str heap_str(struct str s)
{
    return str_n(mem_dup(s.p, s.len), s.len);
}

static void entry_free(struct store_resource_entry *re)
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
            entry_free(re);
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

    if (o->prefix.len < 2 || o->prefix.len > 256 || !str_has_suffix(o->prefix, STR("/")))
        return err_set(err, ERR_INVALID,
                       "resource prefix '%.*s' is not 2 to 256 bytes ending in '/'",
                       STR_ARG(o->prefix));
    (void)pthread_mutex_lock(&s->resource_lock);
    re = map_get(&s->resource_by_prefix, o->prefix);
    if (!re) {
        r = new_resource(s, o, &re, err);
    } else if (!same_indexed(re, o->indexed)) {
        set_indexed(re, o->indexed);
        r = rebuild_index(s, re, err);
    }
    if (r == 0) {
        re->class = o->class;
        *ret_id = re->id;
    }
    (void)pthread_mutex_unlock(&s->resource_lock);
    return r;
}

/* --- opening --- */

static int lock_file(const char *dir, int *ret_fd, struct err *err)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/lock", dir), fd;

    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ERR_TOO_LARGE, "path '%s/...' is too long", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, errno, "open '%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        (void)close(fd);
        return err_set(err, -EBUSY, "'%s' is in use by another process", dir);
    }
    *ret_fd = fd;
    return 0;
}

/* A directory with anything in it but no store is somebody else's. */
static int check_dir(const char *dir, struct err *err)
{
    bool foreign = false, ours = false;
    struct dirent *de;
    DIR *d;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make '%s'", dir);
    d = opendir(dir);
    if (!d)
        return err_errno(err, errno, "open '%s'", dir);
    while ((de = readdir(d))) {
        if (strcmp(de->d_name, "hard.mdb") == 0 || strcmp(de->d_name, "lock") == 0)
            ours = true;
        else if (strcmp(de->d_name, ".") && strcmp(de->d_name, "..") &&
                 strcmp(de->d_name, "lost+found"))
            foreign = true;
    }
    (void)closedir(d);
    if (foreign && !ours)
        return err_set(err, ERR_CORRUPT, "'%s' is not empty and holds no store", dir);
    return 0;
}

static void make_id(char ret[40])
{
    (void)snprintf(ret, 40, "%016llx%016llx", (unsigned long long)random_u64(),
                   (unsigned long long)random_u64());
}

/* Reads the identity of the hard environment, or gives a new one a fresh identity (in memory). */
static int load_identity(struct store *s, const char *path, struct err *err)
{
    char name[] = "identity";
    MDB_val k = { .mv_size = 8, .mv_data = name }, v;
    struct store_env *e = &s->env[ENV_HARD];
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);

    if (rc)
        return store_env_fail(rc, err, path);
    rc = mdb_get(txn, e->dbi[DB_META], &k, &v);
    if (rc == 0 && v.mv_size == sizeof(s->identity))
        memcpy(&s->identity, v.mv_data, sizeof(s->identity));
    mdb_txn_abort(txn);
    if (rc == MDB_NOTFOUND && e->state.revision == 0) {
        memcpy(s->identity.format, STORE_FORMAT, sizeof(STORE_FORMAT));
        make_id(s->identity.id);
        random_bytes(s->identity.hash_key, sizeof(s->identity.hash_key));
        return 0;
    }
    if (rc)
        return store_env_fail(rc, err, path);
    if (memcmp(s->identity.format, STORE_FORMAT, sizeof(STORE_FORMAT)) != 0)
        return err_set(err, ERR_CORRUPT, "'%s' is of another format than " STORE_FORMAT, path);
    return 0;
}

static int open_hard(struct store *s, const struct store_options *o, struct err *err)
{
    struct store_env *e = &s->env[ENV_HARD];
    char path[PATH_BYTES];
    unsigned flags = s->ephemeral ? MDB_NOSYNC | MDB_NOMETASYNC : 0;
    int n = snprintf(path, sizeof(path), "%s/hard.mdb", s->ephemeral ? s->soft_dir : s->dir), r;

    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ERR_TOO_LARGE, "path '%s/...' is too long", o->dir);
    e->reserve_bytes = s->ephemeral ? HARD_RESERVE / 16 : HARD_RESERVE;
    e->step_bytes = s->ephemeral ? HARD_STEP / 16 : HARD_STEP;
    r = store_env_open(e, path, flags, o->map_bytes ? o->map_bytes : DEFAULT_HARD_MAP, err);
    return r < 0 ? r : load_identity(s, path, err);
}

static bool was_restored(const struct store *s, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/restored", s->dir ? s->dir : s->soft_dir);
    return access(path, F_OK) == 0;
}

/* Writes what the first revision depends on: once, durable, before anything else. */
static int begin_life(struct store *s, struct err *err)
{
    struct store_env *e = &s->env[ENV_HARD];
    char name[] = "identity";
    MDB_val k = { .mv_size = 8, .mv_data = name };
    MDB_val v = { .mv_size = sizeof(s->identity), .mv_data = &s->identity };
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

    if (rc)
        return store_env_fail(rc, err, "begin");
    rc = store_env_make_room(e, 64);
    if (rc < 0 && e->state.revision == 0) {
        mdb_txn_abort(txn);
        return err_set(err, rc, "no room for a new store in '%s'", s->dir ? s->dir : s->soft_dir);
    }
    e->state.ceiling = MAX(e->state.ceiling, s->counter + REVISION_BLOCK);
    e->state.compacted = atomic_load(&s->compacted);
    e->state.clean_revision = 0;
    rc = mdb_put(txn, e->dbi[DB_META], &k, &v, 0);
    if (rc == 0)
        rc = store_env_save_state(e, txn);
    if (rc) {
        mdb_txn_abort(txn);
        return store_env_fail(rc, err, "begin");
    }
    rc = e->commit(txn);
    return rc ? store_env_fail(rc, err, "begin") : 0;
}

static int start_revision(struct store *s, bool soft_intact, struct err *err)
{
    const struct store_state *hard = &s->env[ENV_HARD].state, *soft = &s->env[ENV_SOFT].state;
    uint64_t compacted = MAX(hard->compacted, soft->compacted);
    char marker[PATH_BYTES];
    bool restored = was_restored(s, marker);
    int r;

    if (restored) {
        s->counter = MAX(hard->ceiling, soft->revision) + RESTORE_JUMP;
        compacted = s->counter;
    } else if (hard->clean_revision) {
        s->counter = hard->clean_revision;
        compacted = soft_intact ? compacted : s->counter;
    } else if (soft_intact) {
        s->counter = MAX(hard->revision, soft->revision);
    } else {
        s->counter = hard->ceiling;
        compacted = s->counter;
    }
    atomic_store(&s->compacted, compacted);
    r = begin_life(s, err);
    if (r == 0 && restored && unlink(marker) < 0)
        return err_errno(err, errno, "remove '%s'", marker);
    return r;
}

static void init(struct store *s, const struct store_options *o)
{
    pthread_condattr_t ca;

    s->clock = o->clock ? o->clock : &clock_system;
    s->keep_history_ms = o->keep_history_ms ? o->keep_history_ms : DEFAULT_KEEP_MS;
    s->ephemeral = o->ephemeral;
    s->dir = o->dir && !o->ephemeral ? str_heap_cstr(str_from_cstr(o->dir)) : NULL;
    s->lock_fd = s->soft_lock_fd = -1;
    (void)pthread_mutex_init(&s->reader_lock, NULL);
    (void)pthread_mutex_init(&s->resource_lock, NULL);
    (void)pthread_mutex_init(&s->queue_lock, NULL);
    (void)pthread_condattr_init(&ca);
    (void)pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->queue_cond, &ca);
    (void)pthread_condattr_destroy(&ca);
    list_init(&s->readers);
    list_init(&s->queue);
    s->resources =
        mem_zalloc(RESOURCES_MAX * sizeof(*s->resources)); /* untouched pages cost none */
}

static int open_all(struct store *s, const struct store_options *o, struct err *err)
{
    bool soft_intact = false;
    char marker[PATH_BYTES];
    int r = 0;

    if (!o->dir && !(o->ephemeral && o->soft_dir))
        return err_set(err, ERR_INVALID, "a store needs a directory");
    if (o->dir)
        r = check_dir(o->dir, err);
    if (r == 0 && s->dir)
        r = lock_file(s->dir, &s->lock_fd, err);
    if (r == 0)
        r = store_soft_dir(s, o, err);
    if (r == 0)
        r = lock_file(s->soft_dir, &s->soft_lock_fd, err);
    if (r == 0)
        r = open_hard(s, o, err);
    if (r == 0 && was_restored(s, marker))
        make_id(s->identity.id); /* whatever soft is there is another's */
    if (r == 0)
        r = store_soft_open(s, o->map_bytes ? o->map_bytes : DEFAULT_SOFT_MAP, &soft_intact, err);
    if (r == 0)
        r = store_load_resources(s, err);
    if (r == 0)
        r = start_revision(s, soft_intact, err);
    if (r < 0)
        return r;
    s->soft_copied_ms = clock_mono_ms(s->clock);
    s->soft_copied_revision = s->env[ENV_SOFT].state.revision;
    store_mark_history(s);
    s->hub = watch_hub_new(s);
    return store_thread_start(s, err);
}

static void release(struct store *s)
{
    struct list *l;

    while ((l = list_first(&s->readers))) {
        struct store_reader *rd = CONTAINER_OF(l, struct store_reader, link);

        list_remove(l);
        for (int e = 0; e < ENV_MAX; e++)
            mdb_txn_abort(rd->txn[e]);
        mem_free(rd);
    }
    for (int e = 0; e < ENV_MAX; e++)
        store_env_close(&s->env[e]);
    for (uint32_t id = 0; id <= s->last_resource; id++) {
        struct store_resource_entry *re = store_resource_get(s, (uint16_t)id);

        if (re)
            entry_free(re);
    }
    map_done(&s->resource_by_prefix);
    mem_free(s->resources);
    watch_hub_free(s->hub);
    VEC_DONE(&s->marks);
    if (s->soft_lock_fd >= 0)
        (void)close(s->soft_lock_fd);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd);
    (void)pthread_mutex_destroy(&s->reader_lock);
    (void)pthread_mutex_destroy(&s->resource_lock);
    (void)pthread_mutex_destroy(&s->queue_lock);
    (void)pthread_cond_destroy(&s->queue_cond);
    mem_free(s->dir);
    mem_free(s->soft_dir);
    mem_free(s);
}

int store_open(const struct store_options *o, struct store **ret, struct err *err)
{
    struct store *s = NEW(struct store);
    int r;

    init(s, o);
    r = open_all(s, o, err);
    if (r < 0) {
        (void)err_wrap(err, "open store '%s'", o->dir ? o->dir : o->soft_dir ? o->soft_dir : "");
        release(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* --- closing --- */

/* Says in env that everything up to the counter is in it. */
static bool mark_clean(struct store *s, int env)
{
    struct store_env *e = &s->env[env];
    MDB_txn *txn;

    if (mdb_txn_begin(e->env, NULL, 0, &txn))
        return false;
    e->state.clean_revision = s->counter;
    if (store_env_save_state(e, txn)) {
        mdb_txn_abort(txn);
        return false;
    }
    return e->commit(txn) == 0;
}

void store_close(struct store *s)
{
    struct err err;

    if (!s)
        return;
    store_thread_stop(s);
    if (s->has_copier)
        (void)pthread_join(s->copier, NULL);
    /* Whatever fails on the way leaves an unclean stop, from which the next start recovers. */
    if (s->ephemeral)
        store_soft_remove(s);
    else if (mark_clean(s, ENV_SOFT) && store_soft_copy(s, &err) == 0 && mark_clean(s, ENV_HARD))
        store_soft_remove(s);
    release(s);
}

/* --- upkeep --- */

int store_compact(struct store *s, uint64_t revision, struct err *err)
{
    if (revision > store_revision(s))
        return err_set(err, ERR_FUTURE, "revision %llu is newer than %llu",
                       (unsigned long long)revision, (unsigned long long)store_revision(s));
    (void)pthread_mutex_lock(&s->queue_lock);
    s->compact_to = MAX(s->compact_to, revision);
    (void)pthread_cond_signal(&s->queue_cond);
    (void)pthread_mutex_unlock(&s->queue_lock);
    return 0;
}

static uint64_t used_bytes(const struct store_env *e)
{
    MDB_envinfo info;
    MDB_stat st;

    (void)mdb_env_info(e->env, &info); /* these fail only on NULL */
    (void)mdb_env_stat(e->env, &st);
    return ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
}

static uint64_t count_objects(struct store *s)
{
    struct store_snapshot snap;
    struct store_view v;
    struct err err;
    uint64_t n = 0;

    if (store_snapshot_begin(s, &snap, &err) < 0)
        return 0;
    store_view_of(&snap, &v);
    for (int e = 0; e < ENV_MAX; e++) {
        MDB_stat st;

        if (mdb_stat(v.txn[e], s->env[e].dbi[DB_KV], &st) == 0)
            n += st.ms_entries;
    }
    store_snapshot_end(&snap);
    return n;
}

void store_get_stats(struct store *s, struct store_stats *ret)
{
    *ret = (struct store_stats){
        .commits = atomic_load(&s->commits),
        .mutations = atomic_load(&s->mutations),
        .batch_max = atomic_load(&s->batch_max),
        .objects = count_objects(s),
        .bytes_hard = used_bytes(&s->env[ENV_HARD]),
        .bytes_soft = used_bytes(&s->env[ENV_SOFT]),
    };
    watch_hub_stats(s->hub, ret);
}
