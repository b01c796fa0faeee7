#include "proxy/service_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <sys/socket.h>

#include "api/resource.h"
#include "base/buf.h"
#include "client/api_object.h"
#include "net/net_fixture.h"
#include "net/nft_batch.h"
#include "net/route.h"

static const struct api_object *decode(const char *group, const char *resource, const char *json)
{
    struct api_object *o;
    struct err err;

    NET_OK(
        api_object_decode(resource_find(str_from_cstr(group), STR("v1"), str_from_cstr(resource)),
                          str_from_cstr(json), &o, &err));
    return o;
}

/* One endpoint, or its address and node, in a slice of the family. */
static const struct api_object *slice(const char *family, const char *endpoints, unsigned port)
{
    char text[2048];

    (void)snprintf(
        text, sizeof(text),
        "{\"metadata\":{\"name\":\"s\",\"namespace\":\"d\"},\"addressType\":\"%s\","
        "\"endpoints\":[%s],\"ports\":[{\"name\":\"\",\"protocol\":\"TCP\",\"port\":%u}]}",
        family, endpoints, port);
    return decode("discovery.k8s.io", "endpointslices", text);
}

static const struct api_object *service(const char *spec)
{
    char text[2048];

    (void)snprintf(text, sizeof(text),
                   "{\"metadata\":{\"name\":\"s\",\"namespace\":\"d\"},\"spec\":{%s}}", spec);
    return decode("", "services", text);
}

static size_t count(const struct proxy_elements *e, enum proxy_set set)
{
    size_t n = 0;

    for (size_t i = 0; i < e->len; i++)
        n += e->items[i].set == set;
    return n;
}

static void rules(const char *spec, const char *endpoints, struct proxy_elements *ret)
{
    const struct api_object *slices[] = { slice("IPv4", endpoints, 8080) };
    struct service_rules_input in = { .node = STR("n1"),
                                      .zone = STR("z1"),
                                      .service = service(spec),
                                      .slices = slices,
                                      .n_slices = 1 };

    service_rules(&in, ret);
    api_object_unref(in.service);
    api_object_unref(slices[0]);
}

#define IP    "\"clusterIP\":\"10.96.0.9\",\"clusterIPs\":[\"10.96.0.9\"],"
#define PORT  "\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]"
#define NPORT "\"ports\":[{\"port\":80,\"nodePort\":30080,\"protocol\":\"TCP\"}]"
#define E1    "{\"addresses\":[\"10.244.1.2\"],\"nodeName\":\"n1\"}"
#define E2    "{\"addresses\":[\"10.244.2.2\"],\"nodeName\":\"n2\"}"
#define NOT(e, state)                                                                              \
    "{\"addresses\":[\"" e "\"],\"nodeName\":\"n1\",\"conditions\":{\"ready\":false," state "}}"

#define FOR(e, hints) "{\"addresses\":[\"" e "\"],\"nodeName\":\"n1\",\"hints\":{" hints "}}"
#define ZONE(z)       "\"forZones\":[{\"name\":\"" z "\"}]"
#define NODE(n)       "\"forNodes\":[{\"name\":\"" n "\"}]"

Test(service_rules, says_what_is_wanted)
{
    static const struct {
        const char *name, *spec, *endpoints;
        enum proxy_set set;
        size_t n;
    } cases[] = {
        { "two slots", IP PORT, E1 "," E2, PROXY_EPS, 2 },
        { "one place", IP PORT, E1 "," E2, PROXY_SVC, 1 },
        { "seen twice", IP PORT, E1 "," E1, PROXY_EPS, 1 },
        { "none: rejected", IP PORT, "", PROXY_REFUSE, 1 },
        { "none: no place", IP PORT, "", PROXY_SVC, 0 },
        { "headless", "\"clusterIP\":\"None\"," PORT, E1, PROXY_SVC, 0 },
        { "external name", "\"type\":\"ExternalName\"," PORT, E1, PROXY_SVC, 0 },
        { "unready", IP PORT, E1 "," NOT("10.244.1.3", "\"serving\":false"), PROXY_EPS, 1 },
        { "serving while it ends", IP PORT,
          NOT("10.244.1.3", "\"serving\":true,\"terminating\":true"), PROXY_EPS, 1 },
        { "serving, others ready", IP PORT,
          E1 "," NOT("10.244.1.3", "\"serving\":true,\"terminating\":true"), PROXY_EPS, 1 },
        { "ended", IP PORT, NOT("10.244.1.3", "\"terminating\":true"), PROXY_EPS, 0 },
        { "node port", IP NPORT, E1 "," E2, PROXY_NPEPS, 2 },
        { "node port, masqueraded", IP NPORT, E1, PROXY_NPMASQ, 1 },
        { "local, and all for those of the cluster",
          IP NPORT ",\"externalTrafficPolicy\":\"Local\"", E1 "," E2, PROXY_NPEPS, 3 },
        { "who is in the cluster is told apart", IP NPORT ",\"externalTrafficPolicy\":\"Local\"",
          E1 "," E2, PROXY_NPNEAR, 1 },
        { "not without a policy", IP NPORT, E1 "," E2, PROXY_NPNEAR, 0 },
        { "nor without endpoints", IP NPORT ",\"externalTrafficPolicy\":\"Local\"", "",
          PROXY_NPNEAR, 0 },
        { "local keeps addresses", IP NPORT ",\"externalTrafficPolicy\":\"Local\"", E1,
          PROXY_NPMASQ, 0 },
        { "local is of the node port", IP NPORT ",\"externalTrafficPolicy\":\"Local\"", E1 "," E2,
          PROXY_EPS, 2 },
        { "local, none here", IP NPORT ",\"externalTrafficPolicy\":\"Local\"", E2, PROXY_NPREFUSE,
          1 },
        { "internal local", IP PORT ",\"internalTrafficPolicy\":\"Local\"", E1 "," E2, PROXY_EPS,
          1 },
        { "affinity", IP PORT ",\"sessionAffinity\":\"ClientIP\"", E1 "," E2, PROXY_EPID, 2 },
        { "affinity draws", IP PORT ",\"sessionAffinity\":\"ClientIP\"", E1 "," E2, PROXY_IDS, 2 },
        { "external", IP PORT ",\"externalIPs\":[\"192.0.2.9\"]", E1, PROXY_SVC, 2 },
        { "external, masqueraded", IP PORT ",\"externalIPs\":[\"192.0.2.9\"]", E1, PROXY_MASQ, 1 },
        { "near by", IP PORT,
          FOR("10.244.1.2", ZONE("z1")) "," FOR("10.244.1.3", ZONE("z2")) "," FOR("10.244.1.4",
                                                                                  ZONE("z1")),
          PROXY_EPS, 2 },
        { "none near by", IP PORT, FOR("10.244.1.2", ZONE("z3")) "," FOR("10.244.1.3", ZONE("z2")),
          PROXY_EPS, 2 },
        { "not all say for whom", IP PORT, FOR("10.244.1.2", ZONE("z1")) "," E2, PROXY_EPS, 2 },
        { "of the node", IP PORT,
          FOR("10.244.1.2", ZONE("z1") "," NODE("n1")) "," FOR("10.244.1.3",
                                                               ZONE("z1") "," NODE("n2")),
          PROXY_EPS, 1 },
        { "of the zone, for want of one on the node", IP PORT,
          FOR("10.244.1.2", ZONE("z1") "," NODE("n3")) "," FOR(
              "10.244.1.3", ZONE("z1") "," NODE("n2")) "," FOR("10.244.1.4",
                                                               ZONE("z2") "," NODE("n2")),
          PROXY_EPS, 2 },
        { "who is not ready has no say", IP PORT,
          FOR("10.244.1.2", ZONE("z1")) "," FOR("10.244.1.3", ZONE("z2")) "," NOT(
              "10.244.1.5", "\"serving\":false"),
          PROXY_EPS, 1 },
        { "a node port too", IP NPORT,
          FOR("10.244.1.2", ZONE("z1")) "," FOR("10.244.1.3", ZONE("z2")), PROXY_NPEPS, 1 },
        { "a Local policy knows no zones", IP PORT ",\"internalTrafficPolicy\":\"Local\"",
          FOR("10.244.1.2", ZONE("z1")) "," FOR("10.244.1.3", ZONE("z2")), PROXY_EPS, 2 },
        { "hairpins", IP PORT, E1 "," E2, PROXY_HAIRPIN, 2 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proxy_elements e = { 0 };

        rules(cases[i].spec, cases[i].endpoints, &e);
        cr_expect_eq(count(&e, cases[i].set), cases[i].n, "%s: %zu", cases[i].name,
                     count(&e, cases[i].set));
        VEC_DONE(&e);
    }
}

Test(service_rules, load_balancers_ask_for_what_is_here)
{
    static const struct {
        const char *spec;
        unsigned port;
    } cases[] = {
        { "\"type\":\"LoadBalancer\",\"externalTrafficPolicy\":\"Local\",\"healthCheckNodePort\":31000",
          31000 },
        { "\"type\":\"LoadBalancer\",\"externalTrafficPolicy\":\"Cluster\",\"healthCheckNodePort\":31000",
          0 },
        { "\"type\":\"NodePort\",\"externalTrafficPolicy\":\"Local\",\"healthCheckNodePort\":31000",
          0 },
    };
    const struct api_object *slices[] = {
        slice("IPv4", E1 "," E2 "," NOT("10.244.1.3", "\"serving\":true,\"terminating\":true"),
              8080),
        slice("IPv4", E1, 8081),
    };
    struct service_rules_input in = { .node = STR("n1"), .slices = slices, .n_slices = 2 };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct api_object *o = service(cases[i].spec);

        cr_expect_eq(service_rules_health_port(o), cases[i].port, "case %zu", i);
        api_object_unref(o);
    }
    cr_expect_eq(service_rules_local_endpoints(&in), 1);
    in.node = STR("");
    cr_expect_eq(service_rules_local_endpoints(&in), 0);
    api_object_unref(slices[0]);
    api_object_unref(slices[1]);
}

Test(service_rules, many_endpoints_are_told_apart)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    const struct api_object *slices[2];
    struct service_rules_input in = { .slices = slices, .n_slices = 2 };
    struct proxy_elements e = { 0 };

    buf_append_lit(&text, "{\"metadata\":{\"name\":\"s\",\"namespace\":\"d\"},\"addressType\":"
                          "\"IPv4\",\"ports\":[{\"name\":\"\",\"port\":80}],\"endpoints\":[");
    for (int i = 0; i < 100; i++)
        buf_printf(&text, "%s{\"addresses\":[\"10.244.1.%d\"]}", i ? "," : "", i);
    buf_append_lit(&text, "]}");
    slices[0] = slices[1] = decode("discovery.k8s.io", "endpointslices", buf_cstr(&text));
    in.service = service(IP PORT);
    service_rules(&in, &e);
    cr_expect_eq(count(&e, PROXY_HAIRPIN), 100, "%zu", count(&e, PROXY_HAIRPIN));
    cr_expect_eq(count(&e, PROXY_EPS), 1024);
    VEC_DONE(&e);
    api_object_unref(in.service);
    api_object_unref(slices[0]);
}

Test(service_rules, ranges_do_not_overlap)
{
    const struct api_object *slices[] = { slice("IPv4", E1, 8080) };
    struct service_rules_input in = { .slices = slices, .n_slices = 1 };
    struct proxy_elements e = { 0 };

    in.service = decode("", "services",
                        "{\"metadata\":{\"name\":\"s\",\"namespace\":\"d\"},\"spec\":{" IP PORT
                        ",\"loadBalancerSourceRanges\":[\"10.1.0.0/16\",\"10.0.0.0/8\","
                        "\"10.0.0.0/8\",\"192.0.2.0/24\",\"fd00::/64\"]},"
                        "\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"198.51.100.1\"}]}}}");
    service_rules(&in, &e);
    cr_expect_eq(count(&e, PROXY_RANGES), 2);
    cr_expect_eq(count(&e, PROXY_GUARD), 1);
    VEC_DONE(&e);
    api_object_unref(in.service);
    api_object_unref(slices[0]);
}

/* --- with real traffic: endpoints are addresses of lo, which the kernel's own sockets reach --- */

static void load(const struct proxy_elements *e, bool is_text)
{
    const char *const argv[] = { "nft", "-f", "-", NULL };
    static const uint32_t timeouts[] = { 10800 };
    struct proxy_layout layout = { .table = "t", .timeouts_s = timeouts, .n_timeouts = 1 };
    CLEANUP(buf_done) struct buf text = { 0 };
    struct nft_batch *b = nft_batch_new();
    struct netlink *n;
    struct err err;
    FILE *f = fopen("/mnt/script", "we");
    const char *const file[] = { "nft", "-f", "/mnt/script", NULL };

    (void)argv;
    NET_OK(netlink_new(-1, NETLINK_OF_NETFILTER, &n, &err));
    proxy_table_print(&text, &layout);
    for (size_t i = 0; i < e->len; i++) {
        if (is_text)
            proxy_element_print(&text, "t", &e->items[i]);
        else
            proxy_table_add(b, "t", &e->items[i]);
    }
    cr_assert_eq(fwrite(text.p, 1, text.len, f), text.len);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(net_fixture_run(file, "", NULL, 0), 0);
    NET_OK(nft_batch_commit(b, n, &err));
    netlink_free(n);
    nft_batch_free(b);
}

static void enter(void)
{
    static const char *const addresses[] = { "127.0.1.1/32", "127.0.1.2/32", "192.0.2.1/32",
                                             "fd00::1/128",  "fd00::2/128",  "2001:db8::1/128" };
    struct ip_prefix p;
    struct netlink *n;
    struct route route = { .link_index = 1 };
    struct err err;

    net_fixture_enter();
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &n, &err));
    NET_OK(link_set_up(n, 1, true, &err));
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        cr_assert(ip_prefix_parse(str_from_cstr(addresses[i]), &p));
        NET_OK(route_add_address(n, 1, &p, &err));
    }
    route.to.ip.family = AF_INET;
    NET_OK(route_add(n, &route, &err));
    route.to.ip.family = AF_INET6;
    NET_OK(route_add(n, &route, &err));
    netlink_free(n);
}

static socklen_t sockaddr_of(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    struct sockaddr_in *in = (struct sockaddr_in *)ret;

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        return sizeof(*in);
    }
    cr_assert_eq(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    return sizeof(*in6);
}

static int listen_on(const char *text, uint16_t port)
{
    struct sockaddr_storage a;
    socklen_t len = sockaddr_of(text, port, &a);
    int s = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    cr_assert_eq(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    cr_assert_eq(bind(s, (struct sockaddr *)&a, len), 0);
    cr_assert_eq(listen(s, 128), 0);
    return s;
}

/* 0, or -errno of connecting; -ETIME after a second. */
static int reach(const char *text, uint16_t port)
{
    struct sockaddr_storage a;
    socklen_t len = sockaddr_of(text, port, &a), size = sizeof(int);
    int s = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), e = 0;
    struct pollfd p = { .fd = s, .events = POLLOUT };

    if (connect(s, (struct sockaddr *)&a, len) < 0 && errno != EINPROGRESS)
        e = errno;
    else if (poll(&p, 1, 1000) != 1)
        e = ETIME;
    else
        (void)getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &size);
    close(s);
    return -e;
}

static size_t waiting(int listener)
{
    size_t n = 0;
    int s;

    for (struct pollfd p = { .fd = listener, .events = POLLIN }; poll(&p, 1, 0) == 1; n++) {
        s = accept(listener, NULL, NULL);
        close(s);
    }
    return n;
}

static void traffic(bool is_text)
{
    struct proxy_elements e = { 0 };
    const struct api_object *slices[] = {
        slice("IPv4",
              "{\"addresses\":[\"127.0.1.1\"],\"nodeName\":\"n1\"},"
              "{\"addresses\":[\"127.0.1.2\"],\"nodeName\":\"n2\"}",
              8080),
        slice("IPv6", "{\"addresses\":[\"fd00::1\"]},{\"addresses\":[\"fd00::2\"]}", 8080),
    };
    struct service_rules_input in = { .node = STR("n1"), .slices = slices, .n_slices = 2 };
    int a, b, a6, b6;
    size_t at_a, at_b;

    enter();
    a = listen_on("127.0.1.1", 8080), b = listen_on("127.0.1.2", 8080);
    a6 = listen_on("fd00::1", 8080), b6 = listen_on("fd00::2", 8080);
    in.service = service("\"clusterIP\":\"10.96.0.9\",\"clusterIPs\":[\"10.96.0.9\",\"fd96::9\"]"
                         "," NPORT);
    service_rules(&in, &e);
    api_object_unref(in.service);
    in.service = service("\"clusterIP\":\"10.96.0.10\",\"clusterIPs\":[\"10.96.0.10\","
                         "\"fd96::10\"],\"sessionAffinity\":\"ClientIP\"," PORT);
    service_rules(&in, &e);
    api_object_unref(in.service);
    in.service = service("\"clusterIP\":\"10.96.0.11\",\"clusterIPs\":[\"10.96.0.11\"],"
                         "\"internalTrafficPolicy\":\"Local\"," PORT);
    service_rules(&in, &e);
    api_object_unref(in.service);
    in.n_slices = 0;
    in.service = service("\"clusterIP\":\"10.96.0.12\",\"clusterIPs\":[\"10.96.0.12\","
                         "\"fd96::12\"],"
                         "\"ports\":[{\"port\":80,\"nodePort\":30081,\"protocol\":\"TCP\"}]");
    service_rules(&in, &e);
    api_object_unref(in.service);
    load(&e, is_text);

    for (int i = 0; i < 40; i++) {
        cr_assert_eq(reach("10.96.0.9", 80), 0);
        cr_assert_eq(reach("fd96::9", 80), 0);
    }
    cr_expect_gt(waiting(a), 0);
    cr_expect_gt(waiting(b), 0);
    cr_expect_gt(waiting(a6), 0);
    cr_expect_gt(waiting(b6), 0);
    cr_expect_eq(reach("10.96.0.9", 81), -ECONNREFUSED, "an unknown port");
    cr_expect_eq(reach("fd96::9", 81), -ECONNREFUSED);
    cr_expect_eq(reach("10.96.0.12", 80), -ECONNREFUSED, "no endpoint");
    cr_expect_eq(reach("fd96::12", 80), -ECONNREFUSED);
    cr_expect_eq(reach("192.0.2.1", 30081), -ECONNREFUSED);
    cr_expect_eq(reach("192.0.2.1", 30080), 0, "the node port");
    cr_expect_eq(reach("2001:db8::1", 30080), 0);
    cr_expect_eq(reach("127.0.0.1", 30080), -ECONNREFUSED, "not on loopback");
    cr_expect_eq(waiting(a) + waiting(b), 1);
    cr_expect_eq(waiting(a6) + waiting(b6), 1);

    for (int i = 0; i < 20; i++) {
        cr_assert_eq(reach("10.96.0.10", 80), 0);
        cr_assert_eq(reach("fd96::10", 80), 0);
    }
    at_a = waiting(a), at_b = waiting(b);
    cr_expect(at_a + at_b == 20 && (!at_a || !at_b), "affinity: %zu and %zu", at_a, at_b);
    at_a = waiting(a6), at_b = waiting(b6);
    cr_expect(at_a + at_b == 20 && (!at_a || !at_b), "affinity: %zu and %zu", at_a, at_b);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(reach("10.96.0.11", 80), 0);
    cr_expect_eq(waiting(a), 10, "the local one");
    cr_expect_eq(waiting(b), 0);
    VEC_DONE(&e);
    api_object_unref(slices[0]);
    api_object_unref(slices[1]);
}

Test(service_rules, take_effect_as_text)
{
    traffic(true);
}

Test(service_rules, take_effect_as_a_batch)
{
    traffic(false);
}
