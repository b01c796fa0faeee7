#include "net/nft_batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <sys/socket.h>

#include "net/conntrack.h"
#include "net/net_fixture.h"

static void run_nft(const char *script)
{
    const char *const argv[] = { "nft", "-f", "-", NULL };

    cr_assert_eq(net_fixture_run(argv, script, NULL, 0), 0);
}

static size_t list_contains(const char *what)
{
    const char *const argv[] = { "nft", "list", "ruleset", NULL };
    static char text[1 << 20];
    size_t count = 0;

    cr_assert_eq(net_fixture_run(argv, "", text, sizeof(text)), 0);
    for (const char *p = text; (p = strstr(p, what)); p++)
        count++;
    return count;
}

static const struct nft_set addresses = { NFPROTO_IPV4, "t", "addresses" };
static const struct nft_set services = { NFPROTO_IPV4, "t", "services" };
static const char script[] =
    "table ip t {\n"
    " set addresses { type ipv4_addr; }\n"
    " map services { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
    " map endpoints { type ipv4_addr . inet_service : ipv4_addr . inet_service; }\n"
    " chain reject_it { reject with tcp reset; }\n"
    " chain out { type nat hook output priority -100;\n"
    "   meta l4proto udp dnat ip to ip daddr . udp dport map @endpoints; }\n"
    " chain filter { type filter hook output priority 0;\n"
    "   ip daddr . meta l4proto . th dport vmap @services; }\n"
    "}\n";

static struct nft_element address(unsigned i)
{
    struct nft_element e = { 0 };

    nft_bytes_put_u32(&e.key, htonl(0x0a000000 + i));
    return e;
}

Test(nft_batch, is_all_or_nothing)
{
    struct nft_batch *b = nft_batch_new();
    struct netlink *n;
    struct err err;

    net_fixture_enter();
    run_nft(script);
    NET_OK(netlink_new(-1, NETLINK_OF_NETFILTER, &n, &err));
    for (unsigned i = 0; i < 5000; i++)
        nft_batch_add(b, &addresses, &(struct nft_element){ .key = address(i).key });
    cr_expect_eq(nft_batch_len(b), 5000);
    NET_OK(nft_batch_commit(b, n, &err));
    cr_expect_eq(list_contains("10.0.19.135"), 1); /* the last one */

    nft_batch_reset(b);
    nft_batch_remove(b, &addresses, &(struct nft_element){ .key = address(0).key });
    nft_batch_remove(b, &addresses, &(struct nft_element){ .key = address(9999).key });
    cr_expect_eq(nft_batch_commit(b, n, &err), -ENOENT);
    cr_expect_eq(list_contains(" 10.0.0.0,"), 1, "half of a refused batch stayed");

    nft_batch_reset(b);
    nft_batch_flush_set(b, &addresses);
    nft_batch_add(b, &addresses, &(struct nft_element){ .key = address(77).key });
    NET_OK(nft_batch_commit(b, n, &err));
    cr_expect_eq(list_contains("10.0.0."), 1);
    nft_batch_reset(b);
    nft_batch_delete_table(b, NFPROTO_IPV4, "t");
    NET_OK(nft_batch_commit(b, n, &err));
    cr_expect_eq(list_contains("addresses"), 0);
    netlink_free(n);
    nft_batch_free(b);
}

/* Connecting to a service address whose verdict is a reset fails at once. */
Test(nft_batch, verdicts_take_effect)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(81) };
    struct nft_batch *b = nft_batch_new();
    struct nft_element e = { .jump_to = "reject_it" };
    struct netlink *n, *links;
    struct err err;
    int s;

    net_fixture_enter();
    run_nft(script);
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &links, &err));
    NET_OK(link_set_up(links, 1, true, &err));
    NET_OK(netlink_new(-1, NETLINK_OF_NETFILTER, &n, &err));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    nft_bytes_put_u32(&e.key, to.sin_addr.s_addr);
    nft_bytes_put_u8(&e.key, IPPROTO_TCP);
    nft_bytes_put_port(&e.key, 81);
    nft_batch_add(b, &services, &e);
    NET_OK(nft_batch_commit(b, n, &err));
    cr_expect_eq(list_contains("127.0.0.1 . tcp . 81 : goto reject_it"), 1);
    s = socket(AF_INET, SOCK_STREAM, 0);
    cr_expect_eq(connect(s, (struct sockaddr *)&to, sizeof(to)), -1);
    cr_expect_eq(errno, ECONNREFUSED);
    close(s);
    netlink_free(n);
    netlink_free(links);
    nft_batch_free(b);
}

/* Datagrams to a service go to its endpoint; the connection tracked so is found and removed. */
Test(conntrack, removes_what_went_to_an_endpoint)
{
    struct sockaddr_in service = { .sin_family = AF_INET, .sin_port = htons(53) };
    struct sockaddr_in endpoint = { .sin_family = AF_INET };
    socklen_t len = sizeof(endpoint);
    const struct nft_set endpoints = { NFPROTO_IPV4, "t", "endpoints" };
    struct conntrack_filter filter = { .protocol = IPPROTO_UDP };
    struct nft_batch *b = nft_batch_new();
    struct nft_element e = { 0 };
    struct netlink *n, *links;
    struct err err;
    char c;
    int s, client;

    net_fixture_enter();
    run_nft(script);
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &links, &err));
    NET_OK(link_set_up(links, 1, true, &err));
    NET_OK(netlink_new(-1, NETLINK_OF_NETFILTER, &n, &err));
    s = socket(AF_INET, SOCK_DGRAM, 0);
    endpoint.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(bind(s, (struct sockaddr *)&endpoint, sizeof(endpoint)), 0);
    cr_assert_eq(getsockname(s, (struct sockaddr *)&endpoint, &len), 0);
    service.sin_addr.s_addr = htonl(0x7f000002);
    nft_bytes_put_u32(&e.key, service.sin_addr.s_addr);
    nft_bytes_put_port(&e.key, 53);
    nft_bytes_put_u32(&e.data, endpoint.sin_addr.s_addr);
    nft_bytes_put_port(&e.data, ntohs(endpoint.sin_port));
    nft_batch_add(b, &endpoints, &e);
    NET_OK(nft_batch_commit(b, n, &err));

    client = socket(AF_INET, SOCK_DGRAM, 0);
    cr_assert_eq(sendto(client, "x", 1, 0, (struct sockaddr *)&service, sizeof(service)), 1);
    cr_assert_eq(poll(&(struct pollfd){ .fd = s, .events = POLLIN }, 1, 5000), 1);
    cr_assert_eq(recv(s, &c, 1, 0), 1);
    filter.translated_port = (uint16_t)(ntohs(endpoint.sin_port) + 1);
    cr_expect_eq(conntrack_flush(n, &filter, &err), 0);
    filter.translated_port = ntohs(endpoint.sin_port);
    cr_assert(ip_parse(STR("127.0.0.1"), &filter.translated_to));
    cr_assert(ip_parse(STR("127.0.0.2"), &filter.original_to));
    filter.original_port = 53;
    cr_expect_eq(conntrack_flush(n, &filter, &err), 1, "%s", err.text);
    cr_expect_eq(conntrack_flush(n, &filter, &err), 0);
    close(client);
    close(s);
    netlink_free(n);
    netlink_free(links);
    nft_batch_free(b);
}
