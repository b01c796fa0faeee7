/* Opening and closing. Opening decides where the revision counter starts:
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

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/store_internal.h"

enum { PATH_BYTES = 512, REVISION_BLOCK = 100000 };
#define DEFAULT_HARD_MAP ((size_t)64 << 30)
#define DEFAULT_SOFT_MAP ((size_t)4 << 30)
#define DEFAULT_KEEP_MS  ((uint64_t)5 * 60 * 1000)
#define RESTORE_JUMP     1000000000ULL
#define HARD_RESERVE     ((uint64_t)8 << 20)
#define HARD_STEP        ((uint64_t)8 << 20)

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
        else if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0 &&
                 strcmp(de->d_name, "lost+found") != 0)
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
        mem_zalloc(STORE_RESOURCES_MAX * sizeof(*s->resources)); /* untouched pages cost none */
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
            store_resource_free(re);
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
