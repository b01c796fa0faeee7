#include "proxy/node_routes.h"

#include <sys/socket.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "client/api_object.h"
#include "net/netlink.h"
#include "net/route.h"

enum { ROUTE_MARK = 107, MAX_CIDRS = 4 /* of a node */ };

struct node_routes {
    char *own;
    struct netlink *netlink;
    const struct ip_prefix *cidrs;
    size_t n_cidrs;
    struct map nodes; /* name -> struct wanted */
};

/* What a node wants: its ranges of Pods, each by its address of the family. */
struct wanted {
    size_t n;
    struct {
        struct ip_prefix to;
        struct ip via;
        bool is_there; /* in the kernel */
    } routes[MAX_CIDRS];
};

int node_routes_new(struct str own_node, const struct ip_prefix *cidrs, size_t n_cidrs,
                    struct node_routes **ret, struct err *err)
{
    struct node_routes *r = NEW(struct node_routes);
    int rc = netlink_new(-1, NETLINK_OF_ROUTE, &r->netlink, err);

    if (rc < 0) {
        mem_free(r);
        return rc;
    }
    r->own = str_heap_cstr(own_node);
    r->cidrs = cidrs;
    r->n_cidrs = n_cidrs;
    *ret = r;
    return 0;
}

void node_routes_free(struct node_routes *r)
{
    if (!r)
        return;
    MAP_FOREACH(it, &r->nodes)
        mem_free(it->value);
    map_done(&r->nodes);
    netlink_free(r->netlink);
    mem_free(r->own);
    mem_free(r);
}

/* --- what a node wants --- */

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

static void want(struct wanted *w, const struct core_v1_node *node, struct str cidr)
{
    struct ip_prefix to;
    struct ip via;

    if (w->n == MAX_CIDRS || !ip_prefix_parse(cidr, &to) || !internal_ip(node, to.ip.family, &via))
        return;
    w->routes[w->n].to = (struct ip_prefix){ ip_prefix_base(&to), to.len };
    w->routes[w->n++].via = via;
}

static struct wanted wanted_by(const struct api_object *o)
{
    const struct core_v1_node *node = API_OBJECT(o, struct core_v1_node);
    struct wanted w = { .n = 0 };

    for (uint32_t i = 0; i < node->spec.pod_cidrs.len; i++)
        want(&w, node, node->spec.pod_cidrs.items[i]);
    if (!node->spec.pod_cidrs.len)
        want(&w, node, node->spec.pod_cidr);
    return w;
}

static bool is_same_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return a->len == b->len && ip_cmp(&a->ip, &b->ip) == 0;
}

static ptrdiff_t find(const struct wanted *w, const struct ip_prefix *to, const struct ip *via)
{
    for (size_t i = 0; i < w->n; i++)
        if (is_same_prefix(&w->routes[i].to, to) && (!via || ip_cmp(&w->routes[i].via, via) == 0))
            return (ptrdiff_t)i;
    return -1;
}

/* --- the kernel --- */

/* Packets to the node must leave by a link, not by another router. */
static bool add(struct node_routes *r, struct str node, const struct ip_prefix *to,
                const struct ip *via)
{
    struct route by = { .link_index = 0 }, route = { .to = *to, .protocol = ROUTE_MARK };
    struct err err = { .code = 0 };
    int rc = route_find(r->netlink, via, &by, &err);

    if (rc >= 0 && by.via.family)
        rc = err_set(&err, ERR_NOT_FOUND, "it is on no network of ours");
    route.link_index = by.link_index;
    route.via = *via;
    if (rc >= 0)
        rc = route_add(r->netlink, &route, &err);
    if (rc < 0)
        LOG_WARNING("no route to a node's Pods", KV("node", node),
                    KV("err", str_from_cstr(err.text)));
    return rc >= 0;
}

static void drop(struct node_routes *r, const struct ip_prefix *to, const struct ip *via)
{
    const struct route route = { .to = *to, .via = *via, .protocol = ROUTE_MARK };
    struct err err;

    if (route_delete(r->netlink, &route, &err) < 0)
        LOG_WARNING("cannot delete a route to Pods", KV("err", str_from_cstr(err.text)));
}

void node_routes_change(struct node_routes *r, const struct api_object *old,
                        const struct api_object *new)
{
    struct str name = (new ? new : old)->meta->name;
    struct wanted *was = map_get(&r->nodes, name), *is = NULL;
    ptrdiff_t at;

    if (str_eq(name, str_from_cstr(r->own)))
        return;
    if (new) {
        is = NEW(struct wanted);
        *is = wanted_by(new);
        (void)map_put(&r->nodes, name, is);
    } else {
        (void)map_remove(&r->nodes, name);
    }
    for (size_t i = 0; was && i < was->n; i++) {
        at = is ? find(is, &was->routes[i].to, &was->routes[i].via) : -1;
        if (at >= 0)
            is->routes[at].is_there = was->routes[i].is_there;
        else if (was->routes[i].is_there)
            drop(r, &was->routes[i].to, &was->routes[i].via);
    }
    for (size_t i = 0; is && i < is->n; i++)
        if (!is->routes[i].is_there)
            is->routes[i].is_there = add(r, name, &is->routes[i].to, &is->routes[i].via);
    mem_free(was);
}

/* --- what is left over --- */

struct leftovers {
    const struct node_routes *routes;
    bool is_none_wanted;
    struct VEC(struct route) found;
};

static bool is_in_cluster(const struct node_routes *r, const struct ip_prefix *p)
{
    for (size_t i = 0; i < r->n_cidrs; i++)
        if (p->len >= r->cidrs[i].len && ip_prefix_contains(&r->cidrs[i], &p->ip))
            return true;
    return false;
}

static bool is_wanted(const struct node_routes *r, const struct route *route)
{
    MAP_FOREACH(it, &r->nodes)
        if (find(it->value, &route->to, &route->via) >= 0)
            return true;
    return false;
}

static int on_route(const struct route *route, void *arg)
{
    struct leftovers *l = arg;

    if (route->protocol == ROUTE_MARK && is_in_cluster(l->routes, &route->to) &&
        (l->is_none_wanted || !is_wanted(l->routes, route)))
        VEC_PUSH(&l->found, *route);
    return 0;
}

static int remove_leftovers(struct node_routes *r, bool is_none_wanted, struct err *err)
{
    static const int families[] = { AF_INET, AF_INET6 };
    struct leftovers l = { .routes = r, .is_none_wanted = is_none_wanted };
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(families) && rc >= 0; i++)
        rc = route_list(r->netlink, families[i], on_route, &l, err);
    VEC_FOREACH(const struct route *, route, &l.found)
        if (rc >= 0)
            rc = route_delete(r->netlink, route, err);
    VEC_DONE(&l.found);
    return rc;
}

void node_routes_sweep(struct node_routes *r)
{
    struct err err;

    if (remove_leftovers(r, false, &err) < 0)
        LOG_WARNING("cannot look for routes that are left over",
                    KV("err", str_from_cstr(err.text)));
}

int node_routes_clean(struct node_routes *r, struct err *err)
{
    return remove_leftovers(r, true, err);
}
