/* fsGroup on a volume that kept its contents from before the Pod: all of it belongs to the group,
 * and what its owner may, the group may. Others may be writing to it meanwhile: everything goes by
 * descriptors, links are not followed, other file systems are not entered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "kubelet/volume/volume_internal.h"

enum { MAX_DEPTH = 256 };

static bool fits(const struct stat *st, gid_t gid, mode_t mode)
{
    return st->st_gid == gid && (st->st_mode & mode) == mode;
}

static mode_t mode_for(const struct stat *st)
{
    return S_ISDIR(st->st_mode) ? S_ISGID | 0770 : 0660;
}

/* Owner before mode: a change of owner clears set-id bits. */
static int own(int fd, const struct stat *st, gid_t gid)
{
    mode_t mode = mode_for(st);

    if (fits(st, gid, mode))
        return 0;
    return fchown(fd, (uid_t)-1, gid) < 0 || fchmod(fd, (st->st_mode & 07777) | mode) < 0 ? -errno
                                                                                          : 0;
}

static int own_tree(int fd, gid_t gid, dev_t device, int depth);

static int own_entry(int dir_fd, const char *name, gid_t gid, dev_t device, int depth)
{
    struct stat st;
    int fd, r;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) /* opening one of these may do something */
        return fchownat(dir_fd, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : -errno; /* it changed meanwhile */
    if (fstat(fd, &st) < 0)
        r = -errno;
    else if (st.st_dev != device)
        r = 0;
    else if (S_ISDIR(st.st_mode))
        return own_tree(fd, gid, device, depth + 1);
    else
        r = own(fd, &st, gid);
    (void)close(fd);
    return r;
}

/* Takes fd. */
static int own_tree(int fd, gid_t gid, dev_t device, int depth)
{
    DIR *d = depth < MAX_DEPTH ? fdopendir(fd) : NULL;
    const struct dirent *e;
    struct stat st;
    int r;

    if (!d) {
        (void)close(fd);
        return depth < MAX_DEPTH ? -errno : -ELOOP;
    }
    r = fstat(fd, &st) < 0 ? -errno : own(fd, &st, gid);
    while (r == 0 && (e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = own_entry(fd, e->d_name, gid, device, depth);
    (void)closedir(d);
    return r;
}

int volume_group_own(const char *path, gid_t gid, bool only_on_mismatch, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0)
            (void)close(fd);
        return err_errno(err, errno, "open '%s'", path);
    }
    if (only_on_mismatch && fits(&st, gid, mode_for(&st))) {
        (void)close(fd);
        return 0;
    }
    r = own_tree(fd, gid, st.st_dev, 0);
    return r < 0 ? err_errno(err, -r, "give '%s' to group %u", path, (unsigned)gid) : 0;
}
