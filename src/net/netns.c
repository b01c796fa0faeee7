#include "net/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/macros.h"
#include "io/thread.h"

struct inside {
    int netns_fd; /* -1: a new one */
    int (*fn)(void *arg);
    void *arg;
    int result;
};

static void run_inside(void *arg)
{
    struct inside *in = arg;
    int r = in->netns_fd >= 0 ? setns(in->netns_fd, CLONE_NEWNET) : unshare(CLONE_NEWNET);

    in->result = r < 0 ? -errno : in->fn(in->arg);
}

static int run(struct inside *in)
{
    thread_join(thread_start("netns", run_inside, in));
    return in->result;
}

int netns_run(int netns_fd, int (*fn)(void *arg), void *arg)
{
    struct inside in = { .netns_fd = netns_fd, .fn = fn, .arg = arg };

    if (netns_fd < 0)
        return -EBADF;
    return run(&in);
}

static int set_loopback_up(void)
{
    struct ifreq ifr = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;

    if (fd < 0)
        return -errno;
    if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
        r = -errno;
    ifr.ifr_flags |= IFF_UP;
    if (r == 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

static int bind_self(void *arg)
{
    const char *path = arg;
    int r = set_loopback_up();

    if (r < 0)
        return r;
    return mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

int netns_create(const char *path, struct err *err)
{
    struct inside in = { .netns_fd = -1, .fn = bind_self, .arg = (void *)(uintptr_t)path };
    int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444), r;

    if (fd < 0)
        return err_errno(err, errno, "create '%s'", path);
    (void)close(fd);
    r = run(&in);
    if (r < 0) {
        (void)unlink(path); /* the first failure is what counts */
        return err_errno(err, -r, "make a network namespace at '%s'", path);
    }
    return 0;
}

int netns_remove(const char *path, struct err *err)
{
    /* EINVAL: nothing is mounted there, as after a reboot. */
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
        return err_errno(err, errno, "unmount '%s'", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove '%s'", path);
    return 0;
}

int netns_open(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? err_errno(err, errno, "open network namespace '%s'", path) : fd;
}

struct socket_args {
    int domain, type, protocol;
};

static int open_socket(void *arg)
{
    const struct socket_args *a = arg;
    int fd = socket(a->domain, a->type | SOCK_CLOEXEC, a->protocol);

    return fd < 0 ? -errno : fd;
}

int netns_socket(int netns_fd, int domain, int type, int protocol)
{
    struct socket_args a = { .domain = domain, .type = type, .protocol = protocol };

    return netns_fd < 0 ? open_socket(&a) : netns_run(netns_fd, open_socket, &a);
}

struct sysctl_args {
    char path[256];
    const char *value;
};

static int write_sysctl(void *arg)
{
    const struct sysctl_args *a = arg;
    int fd = open(a->path, O_WRONLY | O_CLOEXEC), r = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, a->value, strlen(a->value)) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

int netns_sysctl(int netns_fd, const char *key, const char *value, struct err *err)
{
    struct sysctl_args a = { .value = value };
    bool has_slash = strchr(key, '/') != NULL;
    int n, r;

    n = snprintf(a.path, sizeof(a.path), "/proc/sys/%s", key);
    if (n < 0 || (size_t)n >= sizeof(a.path) || strstr(key, "..") || key[0] == '/')
        return err_set(err, ERR_INVALID, "sysctl '%s' is no name of one", key);
    for (char *p = a.path + sizeof("/proc/sys"); !has_slash && *p; p++)
        if (*p == '.')
            *p = '/';
    if (strncmp(a.path, "/proc/sys/net/", sizeof("/proc/sys/net/") - 1) != 0)
        return err_set(err, ERR_INVALID, "sysctl '%s' is not of the network", key);
    r = netns_fd < 0 ? write_sysctl(&a) : netns_run(netns_fd, write_sysctl, &a);
    return r < 0 ? err_errno(err, -r, "set sysctl '%s' to '%s'", key, value) : 0;
}

int netns_enter(const char *path, struct err *err)
{
    int fd = netns_open(path, err), r;

    if (fd < 0)
        return fd;
    r = setns(fd, CLONE_NEWNET) < 0 ? err_errno(err, errno, "enter '%s'", path) : 0;
    (void)close(fd);
    return r;
}
