#include "supervisor/node_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/netns.h"
#include "net/nft_batch.h"
#include "net/route.h"
#include "supervisor/cluster.h"
#include "supervisor/program.h"

#define NSFS_MAGIC 0x6e736673

/* --- one node --- */

/* The namespace's descriptor. A file that holds none is what a reboot leaves. */
static int open_namespace(const char *path, struct err *err)
{
    struct statfs fs;
    int r;

    if (statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC)
        return netns_open(path, err);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove '%s'", path);
    r = netns_create(path, err);
    return r < 0 ? r : netns_open(path, err);
}

static struct ip_prefix whole(const char *address)
{
    struct ip_prefix p = { 0 };

    (void)ip_parse(str_from_cstr(address), &p.ip); /* the plan made it */
    p.len = ip_bits(&p.ip);
    return p;
}

/* eth0: the whole range of nodes is on the cable, as far as the node knows. */
static int set_up_inside(const struct cluster *c, const struct cluster_node *node,
                         struct netlink *n, struct err *err)
{
    struct ip_prefix address = whole(node->ip), range = { 0 };
    struct route world = { .to = { .ip = { .family = AF_INET } }, .via = whole(c->gateway).ip };
    int index = link_index(n, "eth0", err), r;

    (void)ip_prefix_parse(str_from_cstr(c->o->node_cidr), &range); /* the plan read it */
    address.len = range.len;
    if (index < 0)
        return index;
    world.link_index = index;
    r = link_set_up(n, index, true, err);
    if (r >= 0)
        r = route_add_address(n, index, &address, err);
    return r < 0 ? r : route_add(n, &world, err);
}

static int set_sysctl(const char *where, const char *link, const char *what, const char *value,
                      struct err *err)
{
    char key[128];

    (void)snprintf(key, sizeof(key), "net/ipv4/%s/%s/%s", where, link, what);
    return netns_sysctl(-1, key, value, err);
}

/* The host's end answers for everybody that it has a route to, and at once: the kernel's default is
 * to wait up to 0.8 s with an answer for somebody else. */
static int set_up_outside(const struct cluster *c, const struct cluster_node *node,
                          struct netlink *n, struct err *err)
{
    struct ip_prefix gateway = whole(c->gateway);
    struct route to_node = { .to = whole(node->ip) };
    int index = link_index(n, node->link, err), r;

    if (index < 0)
        return index;
    to_node.link_index = index;
    r = set_sysctl("conf", node->link, "proxy_arp", "1", err);
    if (r >= 0)
        r = set_sysctl("neigh", node->link, "proxy_delay", "0", err);
    if (r >= 0)
        r = route_add_address(n, index, &gateway, err);
    return r < 0 ? r : route_add(n, &to_node, err);
}

static int connect_namespace(const struct cluster *c, const struct cluster_node *node,
                             struct netlink *host, int fd, struct err *err)
{
    struct link_veth cable = {
        .name = node->link, .peer_name = "eth0", .peer_netns_fd = fd, .up = true
    };
    struct netlink *inside = NULL;
    int r = link_add_veth(host, &cable, err);

    if (r < 0 && r != -EEXIST)
        return err_wrap(err, "make a veth pair (CONFIG_VETH)");
    r = netlink_new(fd, NETLINK_OF_ROUTE, &inside, err);
    if (r >= 0)
        r = set_up_inside(c, node, inside, err);
    netlink_free(inside);
    return r < 0 ? r : set_up_outside(c, node, host, err);
}

int node_network_make(const struct cluster *c, const struct cluster_node *node, struct err *err)
{
    struct netlink *host = NULL;
    int fd, r;

    if (!node->netns)
        return 0;
    fd = open_namespace(node->netns, err);
    if (fd < 0)
        return fd;
    r = netlink_new(-1, NETLINK_OF_ROUTE, &host, err);
    if (r >= 0)
        r = connect_namespace(c, node, host, fd, err);
    if (r >= 0)
        r = netns_sysctl(fd, "net/ipv4/ip_forward", "1", err);
    netlink_free(host);
    (void)close(fd);
    return r < 0 ? err_wrap(err, "network of node '%s'", node->name) : 0;
}

/* --- the host --- */

/* Beside the proxy's table, and gone with its own. */
static const char *table_name(struct arena *a, const struct cluster *c)
{
    return arena_printf(a, "pintle-%s-nodes", c->id).p;
}

int node_network_make_host(const struct cluster *c, struct err *err)
{
    static const char *const argv[] = { "nft", "-f", "-", NULL };
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *name = table_name(&a, c), *own = c->o->node_cidr;
    struct str rules;
    int r;

    if (!c->gateway)
        return 0;
    rules = arena_printf(&a,
                         "table ip %s\ndelete table ip %s\ntable ip %s {\n"
                         "  chain postrouting {\n"
                         "    type nat hook postrouting priority srcnat;\n"
                         "    ip saddr %s ip daddr != { %s, %s } masquerade\n"
                         "  }\n}\n",
                         name, name, name, own, own, c->o->cluster_cidr);
    r = netns_sysctl(-1, "net/ipv4/ip_forward", "1", err);
    return r < 0 ? r : program_feed(argv, rules.p, err);
}

static int remove_table(const struct cluster *c, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct nft_batch *b = nft_batch_new();
    struct netlink *n = NULL;
    int r = netlink_new(-1, NETLINK_OF_NETFILTER, &n, err);

    nft_batch_delete_table(b, NFPROTO_IPV4, table_name(&a, c));
    if (r >= 0)
        r = nft_batch_commit(b, n, err);
    netlink_free(n);
    nft_batch_free(b);
    return r == -ENOENT ? 0 : r;
}

int node_network_remove(const struct cluster *c, struct err *err)
{
    struct netlink *n = NULL;
    int r;

    if (!c->gateway)
        return 0;
    r = netlink_new(-1, NETLINK_OF_ROUTE, &n, err);
    for (size_t i = 0; i < c->n_nodes && r >= 0; i++) {
        /* The cable first: a namespace goes when the kernel comes to it, its links with it. */
        r = link_delete(n, c->nodes[i].link, err);
        if (r >= 0)
            r = netns_remove(c->nodes[i].netns, err);
    }
    netlink_free(n);
    return r < 0 ? r : remove_table(c, err);
}
