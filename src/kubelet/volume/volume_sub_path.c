/* Sub paths of volumes. A container may write to its volume and put links there while another one
 * is made that mounts a path of it. So each step is opened beneath the volume (a link that leads
 * out of it is refused by the kernel), and what was opened is mounted by its descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "kubelet/volume/volume_internal.h"
#include "runtime/runtime_files.h"

enum { STACKED_MAX = 16 }; /* mounts left on one target */

static int open_beneath(int fd, const char *path, uint64_t resolve)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve };
    int r = (int)syscall(SYS_openat2, fd, path, &how, sizeof(how));

    return r < 0 ? -errno : r;
}

/* A directory as the volume's own: for whoever may write there. */
static int make_one(int dir_fd, const char *name, mode_t mode)
{
    int fd, r;

    if (mkdirat(dir_fd, name, 0700) < 0)
        return -errno;
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = fchmod(fd, mode) < 0 ? -errno : 0;
    (void)close(fd);
    return r;
}

/* Opens step by step; what is absent is made where the step before led to. */
static int open_or_make(int root_fd, const char *sub)
{
    struct str rest = str_from_cstr(sub), part;
    int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    char name[NAME_MAX + 1];
    struct stat st;

    if (fd < 0 || fstat(root_fd, &st) < 0)
        return -errno;
    while (str_next(&rest, '/', &part)) {
        CLEANUP(arena_done) struct arena a = { 0 };
        const char *so_far = str_cstr(&a, str_n(sub, (size_t)(part.p - sub) + part.len));
        int next = part.len > NAME_MAX ? -ENAMETOOLONG : 0;

        if (!part.len || str_eq(part, STR(".")))
            continue;
        (void)snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
        if (next == 0)
            next = open_beneath(root_fd, so_far, 0);
        if (next == -ENOENT) {
            next = make_one(fd, name, st.st_mode & 07777);
            if (next == 0 || next == -EEXIST)
                next = open_beneath(fd, name, RESOLVE_NO_SYMLINKS);
        }
        (void)close(fd);
        if (next < 0)
            return next;
        fd = next;
    }
    return fd;
}

/* A directory or an empty file to mount on. */
static int make_target(const char *target, bool is_directory, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str path = str_from_cstr(target);
    int fd, r;

    for (int i = 0; i < STACKED_MAX && umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0; i++)
        ; /* of the run before */
    if (is_directory)
        (void)unlink(target);
    else
        (void)rmdir(target);
    r = runtime_files_make_directory(
        str_cstr(&a, is_directory ? path : str_sub(path, 0, (size_t)str_rfind(path, '/'))), 0750,
        err);
    if (r < 0 || is_directory)
        return r;
    fd = open(target, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "make '%s'", target);
    (void)close(fd);
    return 0;
}

static int bind(int fd, const char *target, struct err *err)
{
    int tree_fd, r = 0;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "look at what is to be mounted");
    r = make_target(target, S_ISDIR(st.st_mode), err);
    if (r < 0)
        return r;
    tree_fd = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree_fd < 0)
        return err_errno(err, errno, "clone the mount");
    if (move_mount(tree_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        r = err_errno(err, errno, "mount on '%s'", target);
    (void)close(tree_fd);
    return r;
}

int volume_sub_path_bind(const char *root, const char *sub, const char *target, struct err *err)
{
    int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, r;

    if (root_fd < 0)
        return err_errno(err, errno, "open the volume");
    fd = open_beneath(root_fd, sub, 0);
    if (fd == -ENOENT)
        fd = open_or_make(root_fd, sub);
    (void)close(root_fd);
    if (fd < 0)
        return err_errno(err, -fd, "open the sub path");
    r = bind(fd, target, err);
    (void)close(fd);
    return r;
}
