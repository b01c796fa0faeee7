#include "cni/cni_routed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "cni/cni_ipam.h"
#include "net/net_fixture.h"
#include "net/route.h"

static char directory[64];
static struct cni_routed_config config;

static void enter(const char *range4, const char *range6)
{
    struct ip_prefix node;
    struct netlink *n;
    struct err err;

    (void)snprintf(directory, sizeof(directory), "%s/ipam", net_fixture_enter());
    config = (struct cni_routed_config){ .directory = directory, .mtu = 1400 };
    cr_assert(ip_prefix_parse(str_from_cstr(range4), &config.ranges[config.n_ranges++]));
    if (range6)
        cr_assert(ip_prefix_parse(str_from_cstr(range6), &config.ranges[config.n_ranges++]));
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &n, &err));
    NET_OK(link_set_up(n, 1, true, &err));
    cr_assert(ip_prefix_parse(STR("192.0.2.1/32"), &node));
    NET_OK(route_add_address(n, 1, &node, &err));
    cr_assert(ip_prefix_parse(STR("2001:db8::1/128"), &node));
    NET_OK(route_add_address(n, 1, &node, &err));
    netlink_free(n);
}

struct pod {
    char netns[64];
    int fd;
    struct cni_routed_pod pod;
    struct cni_result result;
};

static void add(struct pod *p, const char *id)
{
    struct err err;

    (void)snprintf(p->netns, sizeof(p->netns), "/mnt/%s", id);
    NET_OK(netns_create(p->netns, &err));
    p->fd = netns_open(p->netns, &err);
    p->pod = (struct cni_routed_pod){ .container_id = str_from_cstr(id),
                                      .interface = "eth0",
                                      .netns_path = p->netns };
    NET_OK(cni_routed_add(&config, &p->pod, &p->result, &err));
}

static void drop(struct pod *p)
{
    struct err err;

    NET_OK(cni_routed_delete(&config, &p->pod, &err));
    close(p->fd);
    NET_OK(netns_remove(p->netns, &err));
}

static socklen_t address_of(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (ip->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;

        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, ip->bytes, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, ip->bytes, 16);
    return sizeof(*in6);
}

/* A TCP connection from a namespace (-1: the node) to a Pod's port, and a byte over it. */
static void talk(int from_fd, const struct pod *to, size_t ip)
{
    struct sockaddr_storage a;
    socklen_t len = address_of(&to->result.ips[ip].address.ip, 8080, &a);
    int listener = netns_socket(to->fd, a.ss_family, SOCK_STREAM, 0);
    int client = netns_socket(from_fd, a.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0), server, on = 1;
    struct pollfd ready = { .fd = listener, .events = POLLIN };
    char c = 0;

    cr_assert_eq(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&a, len), 0);
    cr_assert_eq(listen(listener, 1), 0);
    (void)connect(client, (struct sockaddr *)&a, len);
    cr_assert_eq(poll(&ready, 1, 3000), 1, "nobody came");
    server = accept(listener, NULL, NULL);
    cr_assert_eq(write(server, "x", 1), 1);
    ready.fd = client;
    cr_assert_eq(poll(&ready, 1, 3000), 1);
    cr_assert_eq(read(client, &c, 1), 1);
    cr_expect_eq(c, 'x');
    close(server);
    close(client);
    close(listener);
}

Test(cni_routed, pods_reach_each_other_and_the_node_reaches_them)
{
    struct pod a, b;
    struct err err;

    enter("10.244.3.0/24", "fd00:3::/64");
    add(&a, "aaaa");
    add(&b, "bbbb");
    cr_expect_eq(a.result.n_ips, 2);
    for (size_t i = 0; i < 2; i++) {
        talk(a.fd, &b, i);
        talk(b.fd, &a, i);
        talk(a.fd, &a, i);
        talk(-1, &a, i);
    }
    NET_OK(cni_routed_check(&config, &a.pod, &a.result, &err));
    drop(&a);
    cr_expect_lt(cni_routed_check(&config, &a.pod, &a.result, &err), 0);
    drop(&b);
}

static int read_accept_ra(void *arg)
{
    FILE *f = fopen(arg, "r");
    int c = f ? fgetc(f) : EOF;

    if (f)
        (void)fclose(f);
    return c;
}

static int expect_no_advertisements(const struct link_info *info, void *arg)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", info->name);
    if (strcmp(info->name, "lo") != 0) {
        cr_expect_eq(read_accept_ra(path), '0', "%s", info->name);
        ++*(int *)arg;
    }
    return 0;
}

Test(cni_routed, nobody_becomes_a_router_by_a_word)
{
    char path[] = "/proc/sys/net/ipv6/conf/eth0/accept_ra";
    struct netlink *n;
    struct err err;
    struct pod a;
    int links = 0;

    enter("10.244.3.0/24", NULL);
    add(&a, "aaaa");
    cr_expect_eq(netns_run(a.fd, read_accept_ra, path), '0');
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &n, &err));
    NET_OK(link_list(n, expect_no_advertisements, &links, &err));
    cr_expect_eq(links, 1);
    netlink_free(n);
    drop(&a);
}

static int count_link(const struct link_info *info, void *arg)
{
    (void)info;
    ++*(int *)arg;
    return 0;
}

Test(cni_routed, repeats_and_leaves_nothing)
{
    struct cni_result again;
    struct netlink *n;
    struct pod a;
    struct err err;
    int before = 0, after = 0;

    enter("10.244.3.0/24", NULL);
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &n, &err));
    NET_OK(link_list(n, count_link, &before, &err));
    add(&a, "aaaa");
    NET_OK(cni_routed_add(&config, &a.pod, &again, &err));
    cr_expect_eq(ip_cmp(&again.ips[0].address.ip, &a.result.ips[0].address.ip), 0);
    talk(-1, &a, 0);
    drop(&a);
    NET_OK(cni_routed_delete(&config, &a.pod, &err));
    NET_OK(link_list(n, count_link, &after, &err));
    cr_expect_eq(before, after);

    a.pod.netns_path = "/mnt/gone";
    cr_expect_eq(cni_routed_add(&config, &a.pod, &again, &err), -ENOENT);
    cr_expect_eq(access("/mnt/ipam/10.244.3.3", F_OK), -1, "a failed ADD kept its address");
    netlink_free(n);
}

Test(cni_ipam, gives_each_address_once_and_rests_it)
{
    struct ip_prefix range;
    struct ip ip, first;
    struct err err;
    char owner[32], text[IP_TEXT_BYTES];

    (void)snprintf(directory, sizeof(directory), "%s/ipam", net_fixture_enter());
    cr_assert(ip_prefix_parse(STR("10.1.1.0/29"), &range));
    for (int i = 0; i < 5; i++) { /* .2 to .6: neither network, gateway nor broadcast */
        (void)snprintf(owner, sizeof(owner), "pod%d", i);
        NET_OK(cni_ipam_allocate(directory, &range, str_from_cstr(owner), &ip, &err));
        cr_expect_eq(ip_prefix_index(&range, &ip), (uint64_t)i + 2);
    }
    cr_expect_eq(cni_ipam_allocate(directory, &range, STR("more"), &ip, &err), ERR_NO_SPACE);
    NET_OK(cni_ipam_allocate(directory, &range, STR("pod1"), &ip, &err));
    cr_expect_str_eq(ip_print(&ip, text), "10.1.1.3");
    NET_OK(cni_ipam_release(directory, STR("pod0"), &err));
    NET_OK(cni_ipam_release(directory, STR("pod1"), &err));
    NET_OK(cni_ipam_release(directory, STR("pod1"), &err));
    NET_OK(cni_ipam_allocate(directory, &range, STR("pod8"), &first, &err));
    NET_OK(cni_ipam_release(directory, STR("pod8"), &err));
    NET_OK(cni_ipam_allocate(directory, &range, STR("pod9"), &ip, &err));
    cr_expect_neq(ip_cmp(&first, &ip), 0, "an address came back at once");
}

static void write_owner_of(const struct ip *ip, const char *owner)
{
    char path[128], text[IP_TEXT_BYTES];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, ip_print(ip, text));
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    cr_assert(fd >= 0 && write(fd, owner, strlen(owner)) == (ssize_t)strlen(owner));
    (void)close(fd);
}

/* A power cut loses records of sandboxes, and what files of addresses say. */
Test(cni_ipam, addresses_of_lost_sandboxes_come_back)
{
    static const char *const owners[] = { "s1\neth0", "s2\neth0", "", "s3\neth0", "s1" };
    const struct str known[] = { STR("s3"), STR("s2"), STR("s9") };
    struct ip_prefix range;
    struct ip ip;
    struct err err;
    char text[IP_TEXT_BYTES];

    (void)snprintf(directory, sizeof(directory), "%s/ipam", net_fixture_enter());
    config = (struct cni_routed_config){ .directory = directory };
    NET_OK(cni_routed_retain(&config, known, ARRAY_LEN(known), &err)); /* it is not there yet */
    cr_assert(ip_prefix_parse(STR("10.1.1.0/29"), &range));
    for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
        (void)snprintf(text, sizeof(text), "any%zu", i);
        NET_OK(cni_ipam_allocate(directory, &range, str_from_cstr(text), &ip, &err));
        write_owner_of(&ip, owners[i]);
    }
    cr_expect_eq(cni_ipam_allocate(directory, &range, STR("s4\neth0"), &ip, &err), ERR_NO_SPACE);
    NET_OK(cni_routed_retain(&config, known, ARRAY_LEN(known), &err));
    NET_OK(cni_ipam_allocate(directory, &range, STR("s2\neth0"), &ip, &err));
    cr_expect_str_eq(ip_print(&ip, text), "10.1.1.3", "it has kept its own");
    for (int i = 0; i < 3; i++) { /* of s1, of nobody, and of what was not whole */
        (void)snprintf(text, sizeof(text), "new%d\neth0", i);
        NET_OK(cni_ipam_allocate(directory, &range, str_from_cstr(text), &ip, &err));
    }
    cr_expect_eq(cni_ipam_allocate(directory, &range, STR("s4\neth0"), &ip, &err), ERR_NO_SPACE);
}
