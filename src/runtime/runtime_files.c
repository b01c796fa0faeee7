#include "runtime/runtime_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"

enum { TREE_MAX_DEPTH = 256 };

DEFINE_CLEANUP(DIR *, closedir);

int runtime_files_make_directory(const char *path, mode_t mode, struct err *err)
{
    char part[4096];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(part))
        return err_set(err, ERR_INVALID, "a path of %zu bytes", len);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, i == len ? mode : 0755) < 0 && errno != EEXIST)
            return err_errno(err, errno, "make '%s'", part);
        part[i] = path[i];
    }
    return 0;
}

int runtime_files_read(struct arena *a, int dir_fd, const char *path, size_t limit_bytes,
                       struct str *ret, struct err *err)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC), r = 0;
    size_t size, len = 0;
    struct stat st;
    char *p;

    if (fd < 0)
        return err_errno(err, errno, "open '%s'", path);
    if (fstat(fd, &st) < 0 || (size_t)st.st_size > limit_bytes) {
        (void)close(fd);
        return err_set(err, ERR_TOO_LARGE, "'%s' is larger than %zu bytes", path, limit_bytes);
    }
    /* Files of /proc and /sys have no size. */
    size = st.st_size > 0 ? (size_t)st.st_size + 1 : MIN(limit_bytes, (size_t)64 * 1024);
    p = arena_alloc(a, size, 1);
    while (len < size) {
        ssize_t n = read(fd, p + len, size - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = err_errno(err, errno, "read '%s'", path);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    (void)close(fd);
    if (r == 0)
        *ret = str_n(p, len);
    return r;
}

static int write_all(int fd, struct str text)
{
    while (text.len) {
        ssize_t n = write(fd, text.p, text.len);

        if (n < 0 && errno != EINTR)
            return -errno;
        text = str_tail(text, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

static int replace(const char *path, struct str text, mode_t mode, bool is_durable, struct err *err)
{
    char temporary[4096];
    int n = snprintf(temporary, sizeof(temporary), "%s.new", path), fd, r;

    if (n < 0 || (size_t)n >= sizeof(temporary))
        return err_set(err, ERR_INVALID, "'%s' is too long", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(err, errno, "write '%s'", path);
    r = write_all(fd, text);
    if (r == 0 && is_durable && fsync(fd) < 0)
        r = -errno;
    (void)close(fd);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r == 0)
        return 0;
    (void)unlink(temporary);
    return err_errno(err, -r, "write '%s'", path);
}

int runtime_files_write(const char *path, struct str text, mode_t mode, struct err *err)
{
    return replace(path, text, mode, false, err);
}

int runtime_files_sync_directory(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

    if (fd < 0)
        return err_errno(err, errno, "open '%s'", path);
    if (fsync(fd) < 0)
        r = err_errno(err, errno, "sync '%s'", path);
    (void)close(fd);
    return r;
}

int runtime_files_write_durably(const char *path, struct str text, mode_t mode, struct err *err)
{
    char directory[4096];
    int n = snprintf(directory, sizeof(directory), "%s", path);
    char *slash = n > 0 && (size_t)n < sizeof(directory) ? strrchr(directory, '/') : NULL;
    int r = replace(path, text, mode, true, err);

    if (r < 0 || !slash)
        return r;
    *slash = '\0';
    return runtime_files_sync_directory(directory, err);
}

/* The entries of an open directory, which is closed. */
static int remove_entries(int fd, dev_t device, int depth)
{
    CLEANUP(closedir) DIR *d = fdopendir(fd);
    const struct dirent *e;
    struct stat st;

    if (!d) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    while ((e = readdir(d))) {
        int r = 0, child;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(d), e->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM)
            return -errno;
        if (depth >= TREE_MAX_DEPTH)
            return -ELOOP;
        child = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0)
            return -errno;
        if (fstat(child, &st) < 0 || st.st_dev != device) {
            (void)close(child);
            return -EBUSY;
        }
        r = remove_entries(child, device, depth + 1);
        if (r < 0)
            return r;
        if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

int runtime_files_remove(int dir_fd, const char *path, struct err *err)
{
    struct stat st;
    int fd, r;

    if (unlinkat(dir_fd, path, 0) == 0 || errno == ENOENT)
        return 0;
    fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "remove '%s'", path);
    if (fstat(fd, &st) < 0) {
        r = -errno;
        (void)close(fd);
    } else {
        r = remove_entries(fd, st.st_dev, 0);
    }
    if (r == 0 && unlinkat(dir_fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = -errno;
    return r < 0 ? err_errno(err, -r, "remove '%s'", path) : 0;
}
