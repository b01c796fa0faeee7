#include "net/link.h"

#include <errno.h>

#include "net/net_fixture.h"
#include "net/route.h"

static struct netlink *open_netlink(int netns_fd)
{
    struct netlink *n;
    struct err err;

    NET_OK(netlink_new(netns_fd, NETLINK_OF_ROUTE, &n, &err));
    return n;
}

Test(link, makes_a_pair_across_namespaces)
{
    const uint8_t mac[] = { 2, 0, 0, 0, 0, 1 };
    struct netlink *here, *there;
    struct link_info info;
    struct err err;
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/pod", net_fixture_enter());
    NET_OK(netns_create(path, &err));
    cr_assert_eq(netns_create(path, &err), -EEXIST);
    fd = netns_open(path, &err);
    cr_assert_geq(fd, 0);
    here = open_netlink(-1);
    there = open_netlink(fd);

    NET_OK(link_add_veth(here,
                         &(struct link_veth){ .name = "host0",
                                              .peer_name = "eth0",
                                              .peer_netns_fd = fd,
                                              .mtu = 1400,
                                              .peer_mac = mac,
                                              .up = true },
                         &err));
    NET_OK(link_get(here, "host0", &info, &err));
    cr_expect_eq(info.mtu, 1400);
    cr_expect(info.is_up);
    NET_OK(link_get(there, "eth0", &info, &err));
    cr_expect_eq(memcmp(info.mac, mac, sizeof(mac)), 0);
    NET_OK(link_set_up(there, info.index, true, &err));
    cr_expect_eq(link_get(here, "eth0", &info, &err), -ENODEV);
    cr_expect_eq(
        link_add_veth(
            here, &(struct link_veth){ .name = "host0", .peer_name = "eth1", .peer_netns_fd = fd },
            &err),
        -EEXIST);
    cr_expect_neq(link_index(there, "lo", &err), 0);
    NET_OK(link_delete(here, "host0", &err));
    cr_expect_eq(link_get(there, "eth0", &info, &err), -ENODEV);
    NET_OK(link_delete(here, "host0", &err)); /* once more is fine */
    netlink_free(here);
    netlink_free(there);
    close(fd);
    NET_OK(netns_remove(path, &err));
    cr_expect_eq(access(path, F_OK), -1);
    NET_OK(netns_remove(path, &err));
}

Test(link, refuses_names)
{
    static const char *const names[] = { "", "a/b", "sixteen-bytes-xx" };
    struct netlink *n;
    struct err err;

    net_fixture_enter();
    n = open_netlink(-1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        cr_expect_eq(
            link_add_veth(
                n, &(struct link_veth){ .name = names[i], .peer_name = "p", .peer_netns_fd = -1 },
                &err),
            ERR_INVALID, "%s", names[i]);
    netlink_free(n);
}

Test(link, is_renamed_and_moved)
{
    struct netlink *n, *there;
    struct link_info info;
    struct err err;
    char path[64];
    int fd, index;

    (void)snprintf(path, sizeof(path), "%s/pod", net_fixture_enter());
    NET_OK(netns_create(path, &err));
    fd = netns_open(path, &err);
    n = open_netlink(-1);
    there = open_netlink(fd);
    NET_OK(link_add_veth(
        n, &(struct link_veth){ .name = "a", .peer_name = "b", .peer_netns_fd = -1 }, &err));
    index = link_index(n, "b", &err);
    cr_assert_gt(index, 0);
    NET_OK(link_rename(n, index, "c", &err));
    NET_OK(link_set_mtu(n, index, 1300, &err));
    NET_OK(link_move(n, index, fd, &err));
    NET_OK(link_get(there, "c", &info, &err));
    cr_expect_eq(info.mtu, 1300);
    NET_OK(link_set_up(there, info.index, true, &err));
    NET_OK(link_get(there, "c", &info, &err));
    cr_expect(info.is_up);
    netlink_free(n);
    netlink_free(there);
    close(fd);
    NET_OK(netns_remove(path, &err));
}

static int count_route(const struct route *route, void *arg)
{
    char text[IP_PREFIX_TEXT_BYTES];

    *(int *)arg += strcmp(ip_prefix_print(&route->to, text), "10.9.0.0/16") == 0;
    return 0;
}

static int count_address(int index, const struct ip_prefix *address, void *arg)
{
    (void)index;
    *(int *)arg += address->ip.family == 2;
    return 0;
}

Test(route, addresses_and_routes_come_and_go)
{
    struct ip_prefix address;
    struct route route = { .onlink = true };
    const uint8_t mac[] = { 2, 0, 0, 0, 0, 1 };
    struct netlink *n;
    struct err err;
    int index, count = 0;

    net_fixture_enter();
    n = open_netlink(-1);
    NET_OK(link_add_veth(
        n, &(struct link_veth){ .name = "a", .peer_name = "b", .peer_netns_fd = -1, .up = true },
        &err));
    index = link_index(n, "a", &err);
    cr_assert(ip_prefix_parse(STR("10.1.0.1/32"), &address));
    NET_OK(route_add_address(n, index, &address, &err));
    NET_OK(route_add_address(n, index, &address, &err));
    NET_OK(route_list_addresses(n, index, count_address, &count, &err));
    cr_expect_eq(count, 1);

    cr_assert(ip_prefix_parse(STR("10.9.0.0/16"), &route.to));
    cr_assert(ip_parse(STR("169.254.1.1"), &route.via));
    route.link_index = index;
    NET_OK(route_add(n, &route, &err));
    NET_OK(route_add(n, &route, &err));
    NET_OK(route_add_neighbour(n, index, &route.via, mac, &err));
    count = 0;
    NET_OK(route_list(n, 2, count_route, &count, &err));
    cr_expect_eq(count, 1);
    NET_OK(route_delete(n, &route, &err));
    NET_OK(route_delete(n, &route, &err));
    count = 0;
    NET_OK(route_list(n, 2, count_route, &count, &err));
    cr_expect_eq(count, 0);
    NET_OK(route_delete_address(n, index, &address, &err));
    NET_OK(route_delete_address(n, index, &address, &err));
    netlink_free(n);
}

Test(netns, sets_sysctls_inside_alone)
{
    struct err err;
    char path[64], here[8] = "";
    int fd;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/pod", net_fixture_enter());
    NET_OK(netns_create(path, &err));
    fd = netns_open(path, &err);
    NET_OK(netns_sysctl(fd, "net.ipv4.ip_default_ttl", "33", &err));
    cr_expect_eq(netns_sysctl(fd, "kernel.hostname", "x", &err), ERR_INVALID);
    cr_expect_eq(netns_sysctl(fd, "net/../kernel/hostname", "x", &err), ERR_INVALID);
    cr_expect_eq(netns_sysctl(fd, "net.ipv4.no_such", "x", &err), -ENOENT);
    f = fopen("/proc/sys/net/ipv4/ip_default_ttl", "r");
    cr_assert(f);
    cr_assert(fgets(here, sizeof(here), f));
    fclose(f);
    cr_expect_str_neq(here, "33\n");
    close(fd);
    NET_OK(netns_remove(path, &err));
}
