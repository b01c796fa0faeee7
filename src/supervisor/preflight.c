#include "supervisor/preflight.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "net/ip_prefix.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/netns.h"
#include "net/nft_batch.h"
#include "supervisor/cluster.h"
#include "supervisor/program.h"

enum { MIN_FREE_MIB = 64 };

int preflight_user(struct err *err)
{
    if (geteuid() != 0)
        return err_set(err, ERR_DENIED,
                       "must run as root: nodes make namespaces, mounts and control groups");
    return 0;
}

/* --- programs --- */

static int check_programs(struct err *err)
{
    static const char *const names[] = { "crun", "conmon", "nft" };
    static const char *const packages[] = { "crun", "conmon", "nftables" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!program_is_there(names[i]))
            return err_set(err, ERR_NOT_FOUND, "'%s' is not installed: apt-get install %s",
                           names[i], packages[i]);
    return 0;
}

/* --- the kernel --- */

/* Asking for a context loads the module where there is one. */
static int check_overlay(struct err *err)
{
    int fd = fsopen("overlay", FSOPEN_CLOEXEC);

    if (fd < 0 && (errno == ENODEV || errno == ENOSYS))
        return err_set(err, ERR_UNSUPPORTED,
                       "this kernel has no overlayfs (CONFIG_OVERLAY_FS), which container images "
                       "need: modprobe overlay, or another kernel");
    if (fd >= 0)
        (void)close(fd);
    return 0;
}

static int check_nftables(struct err *err)
{
    struct nft_batch *b = nft_batch_new();
    struct netlink *n = NULL;
    int r = netlink_new(-1, NETLINK_OF_NETFILTER, &n, err);

    nft_batch_delete_table(b, NFPROTO_INET, "pintle-is-not-there");
    if (r >= 0)
        r = nft_batch_commit(b, n, err);
    netlink_free(n);
    nft_batch_free(b);
    if (r >= 0 || r == -ENOENT)
        return 0;
    return err_set(err, ERR_UNSUPPORTED,
                   "this kernel has no nftables (CONFIG_NF_TABLES_INET), which Services need: "
                   "modprobe nf_tables, or another kernel");
}

/* v2 shows what there is: "cpuset cpu io memory pids\n". */
static int check_controllers(FILE *f, struct err *err)
{
    static const char *const needed[] = { "cpuset", "cpu", "memory", "pids" };
    char text[512];
    size_t n = fread(text, 1, sizeof(text), f);

    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        struct str rest = str_trim(str_n(text, n)), word;
        bool is_there = false;

        while (!is_there && str_next(&rest, ' ', &word))
            is_there = str_eq(word, str_from_cstr(needed[i]));
        if (!is_there)
            return err_set(err, ERR_UNSUPPORTED,
                           "control groups without '%s', which limits of Pods need: look for "
                           "cgroup_disable in /proc/cmdline, or take another kernel",
                           needed[i]);
    }
    return 0;
}

static int check_cgroups(struct err *err)
{
    static const char v1[] = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
    FILE *f = fopen("/sys/fs/cgroup/cgroup.controllers", "re");
    int r;

    if (f) {
        r = check_controllers(f, err);
        (void)fclose(f); /* only read */
        return r;
    }
    if (access(v1, R_OK) == 0)
        return 0;
    return err_set(err, ERR_UNSUPPORTED,
                   "no control groups at /sys/fs/cgroup: mount -t cgroup2 none /sys/fs/cgroup");
}

static int try_veth(const char *path, struct err *err)
{
    struct link_veth pair = { .name = "a", .peer_name = "b", .peer_netns_fd = -1 };
    int fd = netns_open(path, err), r;
    struct netlink *n = NULL;

    if (fd < 0)
        return fd;
    r = netlink_new(fd, NETLINK_OF_ROUTE, &n, err);
    if (r >= 0)
        r = link_add_veth(n, &pair, err);
    netlink_free(n);
    (void)close(fd);
    return r;
}

/* In a namespace that goes at once. */
static int check_network(const struct cluster *c, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *path = cluster_run_path(&a, c, "preflight");
    struct err ignored;
    int r;

    (void)netns_remove(path, &ignored); /* of a run that was killed */
    r = netns_create(path, err);
    if (r < 0)
        return err_set(err, r,
                       "this kernel makes no network namespaces (CONFIG_NET_NS), which Pods need");
    r = try_veth(path, err);
    (void)netns_remove(path, &ignored); /* nothing hangs on it */
    if (r < 0)
        return err_set(err, r,
                       "this kernel has no veth links (CONFIG_VETH), which Pods need: "
                       "modprobe veth, or another kernel");
    return 0;
}

/* --- ports --- */

static int check_port(const char *flag, const char *address, uint16_t port, int type,
                      struct err *err)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1, r = 0;

    if (fd < 0)
        return err_errno(err, errno, "open a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* as the servers do */
    (void)inet_pton(AF_INET, address ? address : "0.0.0.0", &in.sin_addr);
    if (bind(fd, (const struct sockaddr *)&in, sizeof(in)) < 0)
        r = errno;
    (void)close(fd);
    if (r)
        return err_errno(err, r, "port %u (another one: --%s)", port, flag);
    return 0;
}

static int check_ports(const struct cluster *c, struct err *err)
{
    const struct cluster_options *o = c->o;
    int r = check_port("secure-port", o->bind_address, o->secure_port, SOCK_STREAM, err);

    if (r >= 0 && !c->gateway)
        r = check_port("kubelet-port", NULL, o->kubelet_port, SOCK_STREAM, err);
    if (r >= 0) /* the gateway's address is not there yet */
        r = check_port("dns-port", c->gateway ? NULL : c->nodes[0].ip, o->dns_port, SOCK_DGRAM,
                       err);
    return r;
}

/* --- the disk --- */

static int check_room(const struct cluster *c, struct err *err)
{
    struct statvfs fs;
    unsigned long long free_mib;

    if (statvfs(c->root, &fs) < 0)
        return err_errno(err, errno, "look at '%s'", c->root);
    free_mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    if (free_mib < MIN_FREE_MIB)
        return err_set(err, ERR_NO_SPACE,
                       "the disk of '%s' is full: %llu MiB are left, %d are needed; make room, or "
                       "choose another place with --root",
                       c->root, free_mib, MIN_FREE_MIB);
    return 0;
}

int preflight_check(const struct cluster *c, struct err *err)
{
    int r = check_programs(err);

    if (r >= 0)
        r = check_overlay(err);
    if (r >= 0)
        r = check_nftables(err);
    if (r >= 0)
        r = check_cgroups(err);
    if (r >= 0)
        r = check_network(c, err);
    if (r >= 0)
        r = check_ports(c, err);
    return r < 0 ? r : check_room(c, err);
}
