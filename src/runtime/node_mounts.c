/* A mount namespace cannot be bound to a file within itself, so a child makes it and waits while
 * we, outside, bind it; then we enter. The file lies on a private mount of its own directory: a
 * shared one would carry the binding into the new namespace, which the kernel refuses. */
#include "runtime/node_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/err.h"

#ifndef NSFS_MAGIC
#    define NSFS_MAGIC 0x6e736673
#endif

/* The namespace behind the file, -ENOENT when there is none (yet). */
static int open_kept(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct statfs fs;

    if (fd < 0)
        return -errno;
    if (fstatfs(fd, &fs) < 0 || fs.f_type != NSFS_MAGIC) {
        (void)close(fd);
        return -ENOENT;
    }
    return fd;
}

/* In the child: 0 or an errno value. */
static int make_namespace(void)
{
    struct stat v1, v2;

    if (unshare(CLONE_NEWNS) < 0)
        return errno;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return errno;
    if (stat("/sys/fs/cgroup/unified", &v2) == 0 && stat("/sys/fs/cgroup", &v1) == 0 &&
        v1.st_dev != v2.st_dev && umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0)
        return errno;
    if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
        return errno;
    return 0;
}

/* Starts the child: its pid, once its namespace stands; it waits until hold_fd is closed. */
static pid_t start_child(int *ret_hold_fd, struct err *err)
{
    int ready[2], hold[2], result = EPIPE;
    pid_t pid;

    if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(hold, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    pid = fork();
    if (pid == 0) {
        char c;
        int r = make_namespace();

        (void)close(hold[1]);
        if (write(ready[1], &r, sizeof(r)) == sizeof(r))
            (void)!read(hold[0], &c, 1); /* until the other end is closed */
        _exit(0);
    }
    (void)close(ready[1]);
    (void)close(hold[0]);
    if (pid > 0 && read(ready[0], &result, sizeof(result)) != sizeof(result))
        result = EPIPE;
    (void)close(ready[0]);
    *ret_hold_fd = hold[1];
    if (pid > 0 && result == 0)
        return pid;
    (void)close(hold[1]);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    return err_errno(err, pid < 0 ? errno : result, "make a mount namespace");
}

static int make_directory_private(const char *path, struct err *err)
{
    char directory[4096];
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || (size_t)(slash - path) >= sizeof(directory))
        return err_set(err, ERR_INVALID, "'%s' is not below a directory", path);
    memcpy(directory, path, (size_t)(slash - path));
    directory[slash - path] = '\0';
    if (mount(NULL, directory, NULL, MS_PRIVATE, NULL) == 0)
        return 0; /* a mount already */
    if (mount(directory, directory, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, directory, NULL, MS_PRIVATE, NULL) < 0)
        return err_errno(err, errno, "make '%s' a private mount", directory);
    return 0;
}

static int make_kept(const char *path, struct err *err)
{
    char source[64];
    int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444), hold = -1, r;
    pid_t pid;

    if (fd < 0)
        return err_errno(err, errno, "create '%s'", path);
    (void)close(fd);
    r = make_directory_private(path, err);
    if (r < 0)
        return r;
    pid = start_child(&hold, err);
    if (pid < 0)
        return pid;
    (void)snprintf(source, sizeof(source), "/proc/%d/ns/mnt", (int)pid);
    r = mount(source, path, NULL, MS_BIND, NULL) < 0
            ? err_errno(err, errno, "keep the mount namespace at '%s'", path)
            : 0;
    (void)close(hold);
    (void)waitpid(pid, NULL, 0);
    return r;
}

int node_mounts_enter(const char *path, struct err *err)
{
    int fd = open_kept(path), r;

    if (fd == -ENOENT) {
        r = make_kept(path, err);
        if (r < 0)
            return r;
        fd = open_kept(path);
    }
    if (fd < 0)
        return err_errno(err, -fd, "open '%s'", path);
    r = setns(fd, CLONE_NEWNS) < 0 ? err_errno(err, errno, "enter the mounts of '%s'", path) : 0;
    (void)close(fd);
    return r;
}

int node_mounts_remove(const char *path, struct err *err)
{
    char directory[4096];
    const char *slash = strrchr(path, '/');

    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
        return err_errno(err, errno, "unmount '%s'", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove '%s'", path);
    if (slash && slash != path && (size_t)(slash - path) < sizeof(directory)) {
        memcpy(directory, path, (size_t)(slash - path));
        directory[slash - path] = '\0';
        (void)umount2(directory, MNT_DETACH); /* the binding of make_directory_private(), if it was
                                                 one: else EINVAL or EBUSY */
    }
    return 0;
}
