/* One LMDB environment: opening with clear words for what is wrong, its state record, and room in
 * its file. The file is allocated ahead, so that a full disk is met by fallocate() before a batch
 * is applied and never halfway in a commit; the last part of what is allocated is a reserve which
 * only deletes, compaction and renewals may use. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/store_internal.h"

enum { MAX_READERS = 512, MAX_DBS = 8 };
#define MIN_MAP_BYTES ((size_t)64 << 20)

static const char *const dbi_names[DB_MAX] = {
    [DB_OBJ] = "obj", [DB_KV] = "kv",   [DB_HIST] = "hist",
    [DB_LOG] = "log", [DB_IDX] = "idx", [DB_META] = "meta",
};

int store_env_code(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return 0;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return ERR_CORRUPT;
    default:
        return rc > 0 ? -rc : -EIO;
    }
}

int store_env_fail(int rc, struct err *err, const char *what)
{
    return err_set(err, store_env_code(rc), "%s: %s", what, mdb_strerror(rc));
}

void store_die(const char *what, int rc)
{
    /* Against the rule that this layer logs nothing: nobody is left to do it. */
    LOG_ERROR("store: stopping at once, the disk refused a write", KV("step", what),
              KV("reason", (const char *)mdb_strerror(rc)));
    _exit(70);
}

static size_t clamp_map(size_t want)
{
    struct rlimit rl;

    if (getrlimit(RLIMIT_AS, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY && want > rl.rlim_cur / 4)
        want = rl.rlim_cur / 4;
    if (want < MIN_MAP_BYTES)
        want = MIN_MAP_BYTES;
    return want & ~(size_t)0xffff;
}

static int open_handles(struct store_env *e, const char *path, struct err *err)
{
    MDB_txn *txn;
    MDB_stat st;
    int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

    if (rc)
        return store_env_fail(rc, err, path);
    for (int i = 0; i < DB_MAX && !rc; i++) {
        rc = mdb_dbi_open(txn, dbi_names[i], 0, &e->dbi[i]);
        if (rc == MDB_NOTFOUND && i == 0 && mdb_stat(txn, 0, &st) == 0 && st.ms_entries) {
            mdb_txn_abort(txn);
            return err_set(err, ERR_CORRUPT, "'%s' is an LMDB file of something else", path);
        }
        if (rc == MDB_NOTFOUND)
            rc = mdb_dbi_open(txn, dbi_names[i], MDB_CREATE, &e->dbi[i]);
    }
    if (rc) {
        mdb_txn_abort(txn);
        return store_env_fail(rc, err, path);
    }
    rc = mdb_txn_commit(txn);
    return rc ? store_env_fail(rc, err, path) : 0;
}

static int load_state(struct store_env *e, const char *path, struct err *err)
{
    char name[] = "state";
    MDB_val k = { .mv_size = 5, .mv_data = name }, v;
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);

    if (rc)
        return store_env_fail(rc, err, path);
    rc = mdb_get(txn, e->dbi[DB_META], &k, &v);
    if (rc == 0 && v.mv_size == sizeof(e->state))
        memcpy(&e->state, v.mv_data, sizeof(e->state));
    else if (rc == 0)
        rc = MDB_CORRUPTED;
    else if (rc == MDB_NOTFOUND)
        rc = 0;
    mdb_txn_abort(txn);
    return rc ? store_env_fail(rc, err, path) : 0;
}

int store_env_save_state(struct store_env *e, MDB_txn *txn)
{
    char name[] = "state";
    MDB_val k = { .mv_size = 5, .mv_data = name };
    MDB_val v = { .mv_size = sizeof(e->state), .mv_data = &e->state };

    return mdb_put(txn, e->dbi[DB_META], &k, &v, 0);
}

/* A file that is shorter than its tree would kill the process at the first read beyond its end. */
static int check_length(struct store_env *e, const char *path, struct err *err)
{
    MDB_envinfo info;
    MDB_stat st;
    struct stat fs;
    int fd;

    (void)mdb_env_info(e->env, &info); /* fails only on NULL */
    (void)mdb_env_stat(e->env, &st);
    if (mdb_env_get_fd(e->env, &fd) || fstat(fd, &fs) < 0)
        return err_errno(err, errno, "stat '%s'", path);
    if ((uint64_t)fs.st_size < ((uint64_t)info.me_last_pgno + 1) * st.ms_psize)
        return err_set(err, ERR_CORRUPT, "'%s' is cut short: %lld bytes of %llu", path,
                       (long long)fs.st_size,
                       ((unsigned long long)info.me_last_pgno + 1) * st.ms_psize);
    e->allocated = 0; /* what is beyond the tree is asked for anew */
    return 0;
}

int store_env_open(struct store_env *e, const char *path, unsigned flags, size_t map_bytes,
                   struct err *err)
{
    int rc;

    e->commit = mdb_txn_commit;
    for (size_t map = clamp_map(map_bytes);; map = clamp_map(map / 2)) {
        rc = mdb_env_create(&e->env);
        if (rc)
            return store_env_fail(rc, err, path);
        (void)mdb_env_set_maxdbs(e->env, MAX_DBS); /* these fail only when it is open */
        (void)mdb_env_set_maxreaders(e->env, MAX_READERS);
        (void)mdb_env_set_mapsize(e->env, map);
        rc = mdb_env_open(e->env, path, flags | MDB_NOTLS | MDB_NOSUBDIR, 0600);
        if (rc != ENOMEM || map <= MIN_MAP_BYTES)
            break;
        mdb_env_close(e->env);
    }
    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
        return err_set(err, ERR_CORRUPT, "'%s' is not a database of this program", path);
    if (rc)
        return store_env_fail(rc, err, path);
    rc = check_length(e, path, err);
    if (rc == 0)
        rc = open_handles(e, path, err);
    return rc < 0 ? rc : load_state(e, path, err);
}

void store_env_close(struct store_env *e)
{
    if (e->env)
        mdb_env_close(e->env);
    e->env = NULL;
}

/* Pages that the file has and nothing uses, as of the last commit: LMDB shows its list of them only
 * to a read transaction. */
static uint64_t free_pages(struct store_env *e)
{
    MDB_txn *txn;
    MDB_cursor *c;
    MDB_val k, v;
    uint64_t sum = 0;

    if (mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn))
        return 0;
    if (mdb_cursor_open(txn, 0, &c) == 0) {
        while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
            size_t n;

            if (v.mv_size < sizeof(n))
                break;
            memcpy(&n, v.mv_data, sizeof(n));
            sum += n;
        }
        mdb_cursor_close(c);
    }
    mdb_txn_abort(txn);
    return sum;
}

int store_env_make_room(struct store_env *e, uint64_t pages)
{
    MDB_envinfo info;
    MDB_stat st;
    uint64_t used, need, want;
    int fd;

    (void)mdb_env_info(e->env, &info);
    (void)mdb_env_stat(e->env, &st);
    used = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
    need = used + pages * st.ms_psize + e->reserve_bytes;
    if (e->no_fallocate || need <= e->allocated)
        return 0;
    want = need + MAX(e->step_bytes, MIN(used / 8, 32 * e->step_bytes));
    if (need > info.me_mapsize)
        goto full;
    want = MIN(want, info.me_mapsize);
    if (mdb_env_get_fd(e->env, &fd))
        return 0;
    if (fallocate(fd, 0, 0, (off_t)want) == 0 || fallocate(fd, 0, 0, (off_t)(want = need)) == 0) {
        e->allocated = want;
        e->full = false;
        return 0;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS) {
        e->no_fallocate = true;
        return 0;
    }
full:
    e->full = true;
    /* What compaction freed is good for writes as well: that is how a full disk heals by itself. */
    return free_pages(e) >= pages + e->reserve_bytes / st.ms_psize ? 0 : ERR_NO_SPACE;
}
