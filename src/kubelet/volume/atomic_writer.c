#include "kubelet/volume/atomic_writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/macros.h"
#include "base/random.h"
#include "runtime/runtime_files.h"

enum { PATH_BYTES = 4096 };

int atomic_writer_check_path(struct str path, struct err *err)
{
    struct str rest = path, part;

    if (!path.len || path.len >= PATH_BYTES || path.p[0] == '/')
        return err_set(err, ERR_INVALID, "invalid path '%.*s': must be relative and not empty",
                       STR_ARG(path));
    if (str_has_prefix(path, STR("..")))
        return err_set(err, ERR_INVALID, "invalid path '%.*s': must not start with '..'",
                       STR_ARG(path));
    while (str_next(&rest, '/', &part))
        if (str_eq(part, STR("..")) || part.len > 255)
            return err_set(err, ERR_INVALID, "invalid path '%.*s': must not contain '..'",
                           STR_ARG(path));
    return 0;
}

static int open_beneath(int dir_fd, const char *path, int flags, mode_t mode, bool follow)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };

    if (!follow)
        how.resolve |= RESOLVE_NO_SYMLINKS;
    return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

/* --- is it there already? --- */

static bool has_bytes(int fd, struct str wanted)
{
    char piece[16384];
    size_t at = 0;
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        if ((size_t)n > wanted.len - at || memcmp(piece, wanted.p + at, (size_t)n) != 0)
            return false;
        at += (size_t)n;
    }
    return n == 0 && at == wanted.len;
}

static bool is_same(int dir_fd, const struct atomic_file *f, bool has_gid)
{
    mode_t mode = f->mode | (has_gid ? 0440 : 0);
    char path[PATH_BYTES + 8];
    struct stat st;
    bool is_equal;
    int fd;

    (void)snprintf(path, sizeof(path), "..data/%.*s", STR_ARG(f->path));
    fd = open_beneath(dir_fd, path, O_RDONLY | O_NONBLOCK, 0, true);
    if (fd < 0)
        return false;
    is_equal = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == mode &&
               (size_t)st.st_size == f->data.len && has_bytes(fd, f->data);
    (void)close(fd);
    return is_equal;
}

/* Files below a directory, links not followed. */
static size_t count_files(int dir_fd, const char *path, int depth)
{
    int fd = open_beneath(dir_fd, path, O_RDONLY | O_DIRECTORY, 0, true);
    const struct dirent *e;
    size_t n = 0;
    DIR *d;

    if (fd < 0 || !(d = fdopendir(fd)))
        return 0;
    while (depth < 64 && (e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        n += e->d_type == DT_DIR ? count_files(fd, e->d_name, depth + 1) : 1;
    }
    (void)closedir(d);
    return n;
}

static bool is_up_to_date(int dir_fd, const struct atomic_file *files, size_t n, bool has_gid)
{
    struct stat st;

    if (fstatat(dir_fd, "..data", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_same(dir_fd, &files[i], has_gid))
            return false;
    return count_files(dir_fd, "..data", 0) == n;
}

/* --- writing --- */

/* The umask does not count; a group of its own may enter. */
static int own_directory(int fd, gid_t gid)
{
    if (gid != (gid_t)-1 && fchown(fd, (uid_t)-1, gid) < 0)
        return -errno;
    return fchmod(fd, gid != (gid_t)-1 ? 02755 : 0755) < 0 ? -errno : 0;
}

/* Made when absent; a descriptor. */
static int open_directory(int dir_fd, struct str part, gid_t gid)
{
    char name[NAME_MAX + 1];
    int fd, r;

    (void)snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
    if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    fd = open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0, false);
    if (fd < 0)
        return -errno;
    r = own_directory(fd, gid);
    if (r < 0)
        (void)close(fd);
    return r < 0 ? r : fd;
}

static int write_bytes(int fd, struct str data)
{
    while (data.len) {
        ssize_t n = write(fd, data.p, data.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data = str_tail(data, (size_t)n);
    }
    return 0;
}

/* A name without slashes. */
static int write_leaf(int dir_fd, const struct atomic_file *f, struct str part, gid_t gid)
{
    bool is_owned = gid != (gid_t)-1 || f->uid != (uid_t)-1;
    char name[NAME_MAX + 1];
    int fd, r;

    (void)snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
    fd = open_beneath(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600, false);
    if (fd < 0)
        return -errno;
    r = write_bytes(fd, f->data);
    if (r == 0 && is_owned && fchown(fd, f->uid, gid) < 0)
        r = -errno;
    if (r == 0 && fchmod(fd, f->mode | (gid != (gid_t)-1 ? 0440 : 0)) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

static int write_file(int dir_fd, const struct atomic_file *f, gid_t gid)
{
    int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0), r;
    struct str rest = f->path, part;

    if (fd < 0)
        return -errno;
    while (str_next(&rest, '/', &part) && rest.p) {
        int below = open_directory(fd, part, gid);

        (void)close(fd);
        if (below < 0)
            return below;
        fd = below;
    }
    r = write_leaf(fd, f, part, gid);
    (void)close(fd);
    return r;
}

static int write_all(int dir_fd, const char *name, const struct atomic_file *files, size_t n,
                     gid_t gid, struct err *err)
{
    int fd, r;

    if (mkdirat(dir_fd, name, 0755) < 0)
        return err_errno(err, errno, "make '%s'", name);
    fd = open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0, false);
    if (fd < 0)
        return err_errno(err, errno, "open '%s'", name);
    r = own_directory(fd, gid);
    if (r < 0)
        (void)err_errno(err, -r, "own '%s'", name);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = write_file(fd, &files[i], gid);
        if (r < 0)
            r = err_errno(err, -r, "write '%.*s'", STR_ARG(files[i].path));
    }
    (void)close(fd);
    return r;
}

static struct str first_part(struct str path)
{
    ptrdiff_t slash = str_find(path, '/');

    return slash < 0 ? path : str_sub(path, 0, (size_t)slash);
}

/* The links that a container sees by name. */
static int link_names(int dir_fd, const struct atomic_file *files, size_t n, struct err *err)
{
    char name[NAME_MAX + 1], target[NAME_MAX + 16];

    for (size_t i = 0; i < n; i++) {
        struct str part = first_part(files[i].path);

        (void)snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
        (void)snprintf(target, sizeof(target), "..data/%.*s", STR_ARG(part));
        if (symlinkat(target, dir_fd, name) < 0 && errno != EEXIST)
            return err_errno(err, errno, "link '%s'", name);
    }
    return 0;
}

static bool is_wanted(const struct atomic_file *files, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(first_part(files[i].path), str_from_cstr(name)))
            return true;
    return false;
}

/* What earlier contents left: their directories, and links to what is no more. */
static void remove_stale(int dir_fd, const char *current, const struct atomic_file *files, size_t n)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct dirent *e;
    struct err err;
    DIR *d;

    if (fd < 0 || !(d = fdopendir(fd)))
        return;
    while ((e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !strcmp(e->d_name, "..data") ||
            !strcmp(e->d_name, current))
            continue;
        if (str_has_prefix(str_from_cstr(e->d_name), STR("..")))
            (void)runtime_files_remove(dir_fd, e->d_name, &err);
        else if (e->d_type == DT_LNK && !is_wanted(files, n, e->d_name))
            (void)unlinkat(dir_fd, e->d_name, 0);
    }
    (void)closedir(d);
}

int atomic_writer_write(int dir_fd, const struct atomic_file *files, size_t n, gid_t gid,
                        struct err *err)
{
    time_t now = time(NULL);
    char name[64], stamp[32];
    struct tm tm;
    int r;

    for (size_t i = 0; i < n; i++)
        if (atomic_writer_check_path(files[i].path, err) < 0)
            return ERR_INVALID;
    if (is_up_to_date(dir_fd, files, n, gid != (gid_t)-1))
        return 0;
    (void)strftime(stamp, sizeof(stamp), "%Y_%m_%d_%H_%M_%S", gmtime_r(&now, &tm));
    (void)snprintf(name, sizeof(name), "..%s.%010llu", stamp,
                   (unsigned long long)(random_u64() % 10000000000ULL));
    r = write_all(dir_fd, name, files, n, gid, err);
    if (r < 0) {
        (void)runtime_files_remove(dir_fd, name, &(struct err){ 0 }); /* what there is of it */
        return r;
    }
    (void)unlinkat(dir_fd, "..data_tmp", 0);
    if (symlinkat(name, dir_fd, "..data_tmp") < 0 ||
        renameat(dir_fd, "..data_tmp", dir_fd, "..data") < 0)
        return err_errno(err, errno, "switch '..data'");
    r = link_names(dir_fd, files, n, err);
    remove_stale(dir_fd, name, files, n);
    return r < 0 ? r : 1;
}
