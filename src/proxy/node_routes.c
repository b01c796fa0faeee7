#include "proxy/node_routes.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "net/netlink.h"
#include "net/route.h"

struct node_routes {
    char *own;
    struct netlink *netlink;
};

int node_routes_new(struct str own_node, struct node_routes **ret, struct err *err)
{
    struct node_routes *r = NEW(struct node_routes);
    int rc = netlink_new(-1, NETLINK_OF_ROUTE, &r->netlink, err);

    if (rc < 0) {
        mem_free(r);
        return rc;
    }
    r->own = str_heap_cstr(own_node);
    *ret = r;
    return 0;
}

void node_routes_free(struct node_routes *r)
{
    if (!r)
        return;
    netlink_free(r->netlink);
    mem_free(r->own);
    mem_free(r);
}

/* The link that an address is behind without a next hop, by the narrowest route. */
struct search {
    struct ip wanted;
    int link;
    uint8_t len;
};

static int on_route(const struct route *route, void *arg)
{
    struct search *s = arg;

    if (!route->via.family && route->to.len && ip_prefix_contains(&route->to, &s->wanted) &&
        (!s->link || route->to.len > s->len)) {
        s->link = route->link_index;
        s->len = route->to.len;
    }
    return 0;
}

static bool internal_ip(const struct core_v1_node *node, uint8_t family, struct ip *ret)
{
    for (uint32_t i = 0; i < node->status.addresses.len; i++) {
        const struct core_v1_node_address *a = &node->status.addresses.items[i];

        if (str_eq(a->type, STR("InternalIP")) && ip_parse(a->address, ret) &&
            ret->family == family)
            return true;
    }
    return false;
}

static void set_route(struct node_routes *r, const struct api_object *o, struct str cidr,
                      bool is_wanted)
{
    const struct core_v1_node *node = API_OBJECT(o, struct core_v1_node);
    struct search s = { .link = 0 };
    struct route route = { .link_index = 0 };
    struct err err;
    int rc;

    if (!ip_prefix_parse(cidr, &route.to) || !internal_ip(node, route.to.ip.family, &s.wanted))
        return;
    rc = route_list(r->netlink, s.wanted.family, on_route, &s, &err);
    if (rc >= 0 && !s.link) {
        LOG_WARNING("no route to a node's Pods: it is on no network of ours",
                    KV("node", o->meta->name), KV("podCIDR", cidr));
        return;
    }
    route.link_index = s.link;
    route.via = s.wanted;
    if (rc >= 0)
        rc = is_wanted ? route_add(r->netlink, &route, &err)
                       : route_delete(r->netlink, &route, &err);
    if (rc < 0)
        LOG_WARNING("cannot change the route to a node's Pods", KV("node", o->meta->name),
                    KV("err", str_from_cstr(err.text)));
}

static void set_routes(struct node_routes *r, const struct api_object *o, bool is_wanted)
{
    const struct core_v1_node_spec *s = &API_OBJECT(o, struct core_v1_node)->spec;

    for (uint32_t i = 0; i < s->pod_cidrs.len; i++)
        set_route(r, o, s->pod_cidrs.items[i], is_wanted);
    if (!s->pod_cidrs.len && s->pod_cidr.len)
        set_route(r, o, s->pod_cidr, is_wanted);
}

static struct str first_cidr(const struct api_object *o)
{
    return API_OBJECT(o, struct core_v1_node)->spec.pod_cidr;
}

/* Does anything differ that routes are made of? */
static bool is_same(const struct api_object *a, const struct api_object *b)
{
    struct ip x = { .family = 0 }, y = { .family = 0 };

    (void)internal_ip(API_OBJECT(a, struct core_v1_node), 2, &x);
    (void)internal_ip(API_OBJECT(b, struct core_v1_node), 2, &y);
    return str_eq(first_cidr(a), first_cidr(b)) && ip_cmp(&x, &y) == 0;
}

void node_routes_change(struct node_routes *r, const struct api_object *old,
                        const struct api_object *new)
{
    const struct api_object *o = new ? new : old;

    if (str_eq(o->meta->name, str_from_cstr(r->own)) || (old && new &&is_same(old, new)))
        return;
    if (old)
        set_routes(r, old, false);
    if (new)
        set_routes(r, new, true);
}
