/* Backup: a directory that store_open() takes as it is. The file `restored` in it tells that the
 * state may be older than what clients have seen, so that the revision must jump. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_internal.h"

static int sync_dir(int fd, const char *what, struct err *err)
{
    return fsync(fd) < 0 ? err_errno(err, errno, "sync '%s'", what) : 0;
}

static int copy_into(struct store *s, int fd, struct err *err)
{
    char path[64];
    int marker, r;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/restored", fd);
    marker = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (marker < 0)
        return err_errno(err, errno, "make the marker");
    (void)close(marker);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/soft.mdb", fd);
    r = store_env_copy(&s->env[ENV_SOFT], path, err);
    if (r < 0)
        return r;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/hard.mdb", fd);
    r = store_env_copy(&s->env[ENV_HARD], path, err);
    return r < 0 ? r : sync_dir(fd, "backup", err);
}

int store_backup(struct store *s, int dirfd, const char *name, struct err *err)
{
    static const char *const names[] = { "hard.mdb", "soft.mdb", "restored" };
    int fd, r;

    if (mkdirat(dirfd, name, 0700) < 0)
        return err_errno(err, errno, "make '%s'", name);
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(err, errno, "open '%s'", name);
    r = copy_into(s, fd, err);
    if (r == 0)
        r = sync_dir(dirfd, name, err);
    if (r < 0) {
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            (void)unlinkat(fd, names[i], 0);
        (void)unlinkat(dirfd, name, AT_REMOVEDIR);
    }
    (void)close(fd);
    return r;
}
