/* The soft environment's place: a directory on tmpfs of its own, stamped with the boot and the
 * store that it belongs to, and a copy on disk made at a clean stop and every hour. At open:
 *
 *   the directory's stamp is right   it is used: the process died, the machine did not
 *   else                             it is discarded, and the copy, if there is one, is put there
 *
 * "Intact" means that nothing is missing: the stamp is right, or the copy is that of the clean stop
 * which hard remembers. Otherwise the caller moves the revision to the ceiling. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/store_internal.h"

enum { PATH_BYTES = 512, STAMP_BYTES = 128 };
#define TMPFS_TYPE 0x01021994
#define COPY_NAME  "soft.mdb"

static int path_in(char *ret, const char *dir, const char *name, struct err *err)
{
    int n = snprintf(ret, PATH_BYTES, "%s/%s", dir, name);

    return n < 0 || n >= PATH_BYTES ? err_set(err, ERR_TOO_LARGE, "path '%s/...' is too long", dir)
                                    : 0;
}

static bool is_tmpfs(const char *dir)
{
    struct statfs st;

    return statfs(dir, &st) == 0 && st.f_type == TMPFS_TYPE && access(dir, W_OK | X_OK) == 0;
}

int store_soft_dir(struct store *s, const struct store_options *o, struct err *err)
{
    char path[PATH_BYTES];
    struct stat st;
    int n;

    if (o->soft_dir) {
        s->soft_dir = str_heap_cstr(str_from_cstr(o->soft_dir));
    } else {
        const char *base = is_tmpfs("/run") ? "/run" : is_tmpfs("/dev/shm") ? "/dev/shm" : NULL;

        if (stat(o->dir, &st) < 0)
            return err_errno(err, errno, "stat '%s'", o->dir);
        if (base)
            n = snprintf(path, sizeof(path), "%s/pintle-%u-%llx-%llx", base, geteuid(),
                         (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
        else
            n = snprintf(path, sizeof(path), "%s/soft", o->dir);
        if (n < 0 || (size_t)n >= sizeof(path))
            return err_set(err, ERR_TOO_LARGE, "path '%s/...' is too long", o->dir);
        s->soft_dir = str_heap_cstr(str_from_cstr(path));
    }
    if (mkdir(s->soft_dir, 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make '%s'", s->soft_dir);
    /* /dev/shm is everybody's: a directory, or a link, that somebody else put there is refused. */
    if (lstat(s->soft_dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & 077 && chmod(s->soft_dir, 0700) < 0))
        return err_set(err, ERR_DENIED, "'%s' is not a directory of this user alone", s->soft_dir);
    return 0;
}

static void read_boot_id(char *ret, size_t size)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

    if (fd >= 0)
        (void)close(fd);
    ret[n > 0 ? n - 1 : 0] = 0; /* without the newline; unknown: every stamp differs or is empty */
}

static void make_stamp(const struct store *s, char ret[STAMP_BYTES])
{
    char boot[48];

    read_boot_id(boot, sizeof(boot));
    (void)snprintf(ret, STAMP_BYTES, "%s %.40s\n", boot, s->identity.id);
}

static bool stamp_is_right(struct store *s, const char *path)
{
    char want[STAMP_BYTES], is[STAMP_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, is, sizeof(is) - 1);

    if (fd >= 0)
        (void)close(fd);
    if (n <= 0)
        return false;
    is[n] = 0;
    make_stamp(s, want);
    return strcmp(want, is) == 0;
}

static int write_stamp(struct store *s, const char *path, struct err *err)
{
    char stamp[STAMP_BYTES];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok;

    make_stamp(s, stamp);
    ok = fd >= 0 && write(fd, stamp, strlen(stamp)) == (ssize_t)strlen(stamp);
    if (!ok)
        (void)err_errno(err, errno, "write '%s'", path);
    if (fd >= 0)
        (void)close(fd);
    return ok ? 0 : err->code;
}

/* Bytes of one file into another that must not exist; -errno. */
static int copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, r = 0;
    struct stat st = { 0 };

    if (in < 0)
        return -errno;
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0 || fstat(in, &st) < 0)
        r = -errno;
    while (r == 0 && st.st_size > 0) {
        char block[65536];
        ssize_t n = read(in, block, sizeof(block));

        if (n <= 0 || write(out, block, (size_t)n) != n)
            r = n == 0 ? -EIO : -errno;
        st.st_size -= n > 0 ? n : 0;
    }
    (void)close(in);
    if (out >= 0)
        (void)close(out);
    return r < 0 ? r : 0;
}

static size_t soft_map_bytes(const struct store *s, size_t want)
{
    struct statvfs vs;

    if (statvfs(s->soft_dir, &vs) == 0 && vs.f_blocks)
        want = MIN(want, (size_t)vs.f_blocks * vs.f_frsize);
    return want;
}

static void discard(const char *mdb, const char *lock, const char *stamp)
{
    (void)unlink(stamp); /* absent is as good */
    (void)unlink(mdb);
    (void)unlink(lock);
}

static int open_soft(struct store *s, const char *mdb, size_t map_bytes, struct err *err)
{
    struct store_env *e = &s->env[ENV_SOFT];

    e->reserve_bytes = (uint64_t)256 << 10; /* memory, on tmpfs */
    e->step_bytes = (uint64_t)256 << 10;
    return store_env_open(e, mdb, MDB_NOSYNC | MDB_NOMETASYNC, soft_map_bytes(s, map_bytes), err);
}

int store_soft_open(struct store *s, size_t map_bytes, bool *ret_intact, struct err *err)
{
    char mdb[PATH_BYTES], lock[PATH_BYTES], stamp[PATH_BYTES], copy[PATH_BYTES];
    const struct store_state *hard = &s->env[ENV_HARD].state, *soft = &s->env[ENV_SOFT].state;
    bool stamped, copied = false;
    int r;

    if (path_in(mdb, s->soft_dir, "soft.mdb", err) < 0 ||
        path_in(lock, s->soft_dir, "soft.mdb-lock", err) < 0 ||
        path_in(stamp, s->soft_dir, "stamp", err) < 0 ||
        path_in(copy, s->dir ? s->dir : s->soft_dir, COPY_NAME, err) < 0)
        return err->code;
    stamped = stamp_is_right(s, stamp);
    if (stamped) {
        r = open_soft(s, mdb, map_bytes, err);
        /* One that is ahead of hard belongs to a later state of it than this (a copied file). */
        if (r == 0 && soft->revision <= hard->ceiling) {
            *ret_intact = true;
            return 0;
        }
        store_env_close(&s->env[ENV_SOFT]);
    }
    discard(mdb, lock, stamp);
    if (!s->ephemeral)
        copied = copy_file(copy, mdb) == 0;
    r = open_soft(s, mdb, map_bytes, err);
    if (copied && (r < 0 || soft->revision > hard->ceiling)) {
        store_env_close(&s->env[ENV_SOFT]); /* a copy that cannot be used is as none */
        s->env[ENV_SOFT].state = (struct store_state){ 0 };
        discard(mdb, lock, stamp);
        copied = false;
        r = open_soft(s, mdb, map_bytes, err);
    }
    if (r < 0)
        return r;
    *ret_intact = copied && hard->clean_revision && soft->clean_revision == hard->clean_revision;
    return write_stamp(s, stamp, err);
}

int store_env_copy(struct store_env *e, const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), rc;

    if (fd < 0)
        return err_errno(err, errno, "make '%s'", path);
    rc = mdb_env_copyfd2(e->env, fd, MDB_CP_COMPACT);
    if (rc == 0 && fsync(fd) < 0)
        rc = errno;
    (void)close(fd);
    if (rc) {
        (void)unlink(path);
        return store_env_fail(rc, err, path);
    }
    return 0;
}

int store_soft_copy(struct store *s, struct err *err)
{
    char tmp[PATH_BYTES], path[PATH_BYTES];
    int fd, r;

    if (path_in(tmp, s->dir, COPY_NAME ".new", err) < 0 ||
        path_in(path, s->dir, COPY_NAME, err) < 0)
        return err->code;
    r = store_env_copy(&s->env[ENV_SOFT], tmp, err);
    if (r < 0)
        return r;
    if (rename(tmp, path) < 0)
        return err_errno(err, errno, "rename '%s'", tmp);
    fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        r = err_errno(err, errno, "sync '%s'", s->dir);
    if (fd >= 0)
        (void)close(fd);
    return r;
}

void store_soft_remove(struct store *s)
{
    static const char *const names[] = { "stamp",    "soft.mdb",      "soft.mdb-lock",
                                         "hard.mdb", "hard.mdb-lock", "lock" };
    char path[PATH_BYTES];
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (path_in(path, s->soft_dir, names[i], &err) == 0)
            (void)unlink(path);
    (void)rmdir(s->soft_dir); /* somebody's files in it keep it */
}
