#include "proxy/node_routes.h"

#include <sys/socket.h>

#include "api/resource.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "net/net_fixture.h"
#include "net/route.h"

/* A network of ours: 192.0.2.1/24 and 2001:db8::1/64 on one link. */
static struct netlink *enter(void)
{
    static const char *const addresses[] = { "192.0.2.1/24", "2001:db8::1/64" };
    struct netlink *n;
    struct ip_prefix p;
    struct err err;
    int index;

    net_fixture_enter();
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &n, &err));
    NET_OK(link_add_veth(
        n, &(struct link_veth){ .name = "a", .peer_name = "b", .peer_netns_fd = -1, .up = true },
        &err));
    index = link_index(n, "b", &err);
    NET_OK(index);
    NET_OK(link_set_up(n, index, true, &err));
    index = link_index(n, "a", &err);
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        cr_assert(ip_prefix_parse(str_from_cstr(addresses[i]), &p));
        NET_OK(route_add_address(n, index, &p, &err));
    }
    return n;
}

static const struct api_object *made[16];
static size_t n_made;

static const struct api_object *node(const char *name, const char *cidrs, const char *ips)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str rest = str_from_cstr(ips), ip;
    struct api_object *o;
    struct err err;
    struct str addresses = STR("");

    while (str_next(&rest, ' ', &ip))
        addresses = arena_printf(&a, "%.*s%s{\"type\":\"InternalIP\",\"address\":\"%.*s\"}",
                                 STR_ARG(addresses), addresses.len ? "," : "", STR_ARG(ip));
    NET_OK(api_object_decode(
        resource_find(STR(""), STR("v1"), STR("nodes")),
        arena_printf(&a,
                     "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"podCIDRs\":[%s]},"
                     "\"status\":{\"addresses\":[%.*s]}}",
                     name, cidrs, STR_ARG(addresses)),
        &o, &err));
    made[n_made++] = o;
    return o;
}

static void done(struct node_routes *r, struct netlink *n)
{
    while (n_made)
        api_object_unref(made[--n_made]);
    node_routes_free(r);
    netlink_free(n);
}

/* Those by another node, in words, in the kernel's order. */
static int print_route(const struct route *r, void *arg)
{
    char to[IP_PREFIX_TEXT_BYTES], via[IP_TEXT_BYTES], *text = arg;
    size_t n = strlen(text);

    if (r->via.family)
        (void)snprintf(text + n, 512 - n, "%s by %s; ", ip_prefix_print(&r->to, to),
                       ip_print(&r->via, via));
    return 0;
}

static void expect(struct netlink *n, const char *wanted)
{
    char text[512] = "";
    struct err err;

    NET_OK(route_list(n, AF_INET, print_route, text, &err));
    NET_OK(route_list(n, AF_INET6, print_route, text, &err));
    cr_expect_str_eq(text, wanted);
}

static struct ip_prefix ranges[2];

static struct node_routes *open_routes(void)
{
    struct node_routes *r;
    struct err err;

    cr_assert(ip_prefix_parse(STR("10.244.0.0/16"), &ranges[0]));
    cr_assert(ip_prefix_parse(STR("fd00::/48"), &ranges[1]));
    NET_OK(node_routes_new(STR("own"), ranges, 2, &r, &err));
    return r;
}

static void change(struct node_routes *r, const struct api_object *old,
                   const struct api_object *new)
{
    node_routes_change(r, old, new);
}

#define BOTH "\"10.244.1.0/24\",\"fd00:0:0:1::/64\""

Test(node_routes, follow_the_nodes_in_both_families)
{
    struct netlink *n = enter();
    struct node_routes *r = open_routes();
    const struct api_object *a = node("a", BOTH, "192.0.2.2 2001:db8::2"),
                            *moved = node("a", BOTH, "192.0.2.3 2001:db8::2"),
                            *v4 = node("a", "\"10.244.1.0/24\"", "192.0.2.3 2001:db8::2"),
                            *own = node("own", "\"10.244.9.0/24\"", "192.0.2.1"),
                            *far = node("far", "\"10.244.2.0/24\"", "198.51.100.7"),
                            *near = node("far", "\"10.244.2.0/24\"", "192.0.2.4");

    change(r, NULL, a);
    change(r, NULL, own);
    expect(n, "10.244.1.0/24 by 192.0.2.2; fd00:0:0:1::/64 by 2001:db8::2; ");
    change(r, a, moved);
    expect(n, "10.244.1.0/24 by 192.0.2.3; fd00:0:0:1::/64 by 2001:db8::2; ");
    change(r, moved, v4);
    expect(n, "10.244.1.0/24 by 192.0.2.3; ");
    change(r, NULL, far);
    expect(n, "10.244.1.0/24 by 192.0.2.3; ");
    change(r, far, near);
    expect(n, "10.244.1.0/24 by 192.0.2.3; 10.244.2.0/24 by 192.0.2.4; ");
    change(r, v4, NULL);
    expect(n, "10.244.2.0/24 by 192.0.2.4; ");
    node_routes_free(r);
    expect(n, "10.244.2.0/24 by 192.0.2.4; ");
    done(NULL, n);
}

Test(node_routes, what_could_not_be_added_is_tried_again)
{
    struct netlink *n = enter();
    struct node_routes *r = open_routes();
    const struct api_object *a = node("a", "\"10.244.1.0/24\"", "198.51.100.2"),
                            *again = node("a", "\"10.244.1.0/24\"", "198.51.100.2");
    struct ip_prefix p;
    struct err err;

    change(r, NULL, a);
    expect(n, "");
    cr_assert(ip_prefix_parse(STR("198.51.100.1/24"), &p));
    NET_OK(route_add_address(n, link_index(n, "a", &err), &p, &err));
    change(r, a, again);
    expect(n, "10.244.1.0/24 by 198.51.100.2; ");
    done(r, n);
}

Test(node_routes, what_nobody_wants_goes_and_others_routes_stay)
{
    struct netlink *n = enter();
    struct node_routes *r = open_routes();
    const struct api_object *a = node("a", BOTH, "192.0.2.2 2001:db8::2"),
                            *b = node("b", "\"10.244.2.0/24\"", "192.0.2.3");
    struct route others = { .link_index = 0 };
    struct err err;

    change(r, NULL, a);
    change(r, NULL, b);
    cr_assert(ip_prefix_parse(STR("10.244.3.0/24"), &others.to));
    cr_assert(ip_parse(STR("192.0.2.4"), &others.via));
    NET_OK(route_add(n, &others, &err));
    node_routes_free(r);

    r = open_routes(); /* the next proxy knows of one node alone */
    change(r, NULL, b);
    node_routes_sweep(r);
    expect(n, "10.244.2.0/24 by 192.0.2.3; 10.244.3.0/24 by 192.0.2.4; ");
    NET_OK(node_routes_clean(r, &err));
    expect(n, "10.244.3.0/24 by 192.0.2.4; ");
    done(r, n);
}
