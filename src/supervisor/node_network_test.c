#include "supervisor/node_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "net/net_fixture.h"
#include "net/route.h"
#include "supervisor/cluster.h"

static struct cluster_options options = { .service_cidr = "10.96.0.0/12",
                                          .cluster_cidr = "10.244.0.0/16",
                                          .node_cidr = "10.243.0.0/24",
                                          .secure_port = 6443,
                                          .n_nodes = 2 };

static struct cluster plan(struct arena *a)
{
    const char *dir = net_fixture_enter();
    struct cluster c;
    struct err err;

    options.root = arena_printf(a, "%s/root", dir).p;
    options.run_dir = arena_printf(a, "%s/run", dir).p;
    NET_OK(cluster_plan(a, &options, &c, &err));
    cr_assert_eq(mkdir(options.run_dir, 0755), 0);
    cr_assert_eq(mkdir(cluster_run_path(a, &c, "netns"), 0755), 0);
    /* sysctls of the namespace that we are in now */
    cr_assert_eq(mount("proc", "/proc", "proc", 0, NULL), 0);
    return c;
}

static void make(const struct cluster *c)
{
    struct err err;

    NET_OK(node_network_make_host(c, &err));
    for (size_t i = 0; i < c->n_nodes; i++)
        NET_OK(node_network_make(c, &c->nodes[i], &err));
}

/* A datagram from one node to another, and the answer's sender. */
static void talk(const struct cluster *c, size_t from, size_t to)
{
    struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(7000) }, who;
    int from_ns, to_ns, server, client;
    socklen_t len = sizeof(who);
    struct timeval limit = { .tv_sec = 5 };
    char byte;
    struct err err;

    from_ns = netns_open(c->nodes[from].netns, &err);
    to_ns = netns_open(c->nodes[to].netns, &err);
    server = netns_socket(to_ns, AF_INET, SOCK_DGRAM, 0);
    client = netns_socket(from_ns, AF_INET, SOCK_DGRAM, 0);
    cr_assert_eq(bind(server, (struct sockaddr *)&there, sizeof(there)), 0);
    cr_assert_eq(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    inet_pton(AF_INET, c->nodes[to].ip, &there.sin_addr);
    cr_assert_eq(sendto(client, "x", 1, 0, (struct sockaddr *)&there, sizeof(there)), 1);
    cr_assert_eq(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&who, &len), 1, "%d", errno);
    inet_pton(AF_INET, c->nodes[from].ip, &there.sin_addr);
    cr_expect_eq(who.sin_addr.s_addr, there.sin_addr.s_addr); /* not masqueraded */
    close(server);
    close(client);
    close(from_ns);
    close(to_ns);
}

Test(node_network, nodes_reach_each_other_under_their_own_addresses)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster c = plan(&a);

    make(&c);
    talk(&c, 0, 1);
    talk(&c, 1, 0);
}

Test(node_network, a_node_takes_another_as_the_next_hop)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster c = plan(&a);
    struct route to_pods = { 0 };
    struct netlink *n;
    struct err err;
    int fd;

    make(&c);
    fd = netns_open(c.nodes[0].netns, &err);
    NET_OK(netlink_new(fd, NETLINK_OF_ROUTE, &n, &err));
    ip_prefix_parse(STR("10.244.1.0/24"), &to_pods.to);
    ip_parse(str_from_cstr(c.nodes[1].ip), &to_pods.via);
    to_pods.link_index = link_index(n, "eth0", &err);
    NET_OK(route_add(n, &to_pods, &err));
    netlink_free(n);
    close(fd);
}

Test(node_network, once_more_keeps_what_is_there)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster c = plan(&a);
    struct stat before, after;

    make(&c);
    cr_assert_eq(stat(c.nodes[0].netns, &before), 0);
    make(&c);
    cr_assert_eq(stat(c.nodes[0].netns, &after), 0);
    cr_expect_eq(before.st_ino, after.st_ino);
    talk(&c, 0, 1);
}

Test(node_network, removes_all_of_it_and_what_is_half_there)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster c = plan(&a);
    struct netlink *n;
    struct err err;

    NET_OK(node_network_remove(&c, &err)); /* nothing is there yet */
    make(&c);
    NET_OK(node_network_remove(&c, &err));
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &n, &err));
    cr_expect_eq(link_index(n, c.nodes[0].link, &err), -ENODEV);
    netlink_free(n);
    cr_expect_eq(access(c.nodes[0].netns, F_OK), -1);
    make(&c); /* and again */
    talk(&c, 0, 1);
}

Test(node_network, a_file_without_a_namespace_is_replaced)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster c = plan(&a);

    close(open(c.nodes[0].netns, O_CREAT | O_RDONLY, 0444)); /* what a reboot leaves */
    make(&c);
    talk(&c, 0, 1);
}
