#include "proxy/service_rules.h"

#include <netinet/in.h>

#include "api/core_v1.h"
#include "api/discovery_v1.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "net/ip_prefix.h"

struct endpoint {
    uint32_t address;
    uint16_t port;
};
struct endpoints VEC(struct endpoint);

static bool parse_v4(struct str text, uint32_t *ret)
{
    struct ip ip;

    if (!ip_parse(text, &ip) || ip.family != 2 /* AF_INET */)
        return false;
    memcpy(ret, ip.bytes, 4);
    return true;
}

static bool is_true(const bool *p, bool otherwise)
{
    return p ? *p : otherwise;
}

static bool is_ready(const struct discovery_v1_endpoint *e)
{
    return is_true(e->conditions.ready, true);
}

static bool still_serves(const struct discovery_v1_endpoint *e)
{
    return is_true(e->conditions.serving, false) && is_true(e->conditions.terminating, false);
}

static void add_endpoint(struct endpoints *to, uint32_t address, uint16_t port)
{
    VEC_FOREACH(const struct endpoint *, e, to)
        if (e->address == address && e->port == port)
            return; /* in two slices while it moves */
    VEC_PUSH(to, (struct endpoint){ address, port });
}

static struct str protocol_of(struct str p)
{
    return p.len ? p : STR("TCP");
}

static void gather_slice(const struct discovery_v1_endpoint_slice *s,
                         const struct core_v1_service_port *port,
                         bool (*wanted)(const struct discovery_v1_endpoint *e),
                         struct endpoints *ret)
{
    uint32_t address;

    for (uint32_t p = 0; p < s->ports.len; p++) {
        const struct discovery_v1_endpoint_port *ep = &s->ports.items[p];

        if (!str_eq(ep->name, port->name) || !ep->port ||
            !str_eq(protocol_of(ep->protocol), protocol_of(port->protocol)))
            continue;
        for (uint32_t i = 0; i < s->endpoints.len; i++) {
            const struct discovery_v1_endpoint *e = &s->endpoints.items[i];

            if (wanted(e) && e->addresses.len && parse_v4(e->addresses.items[0], &address))
                add_endpoint(ret, address, (uint16_t)*ep->port);
        }
    }
}

static void gather(const struct api_object *const *slices, size_t n,
                   const struct core_v1_service_port *port, struct endpoints *ret)
{
    static bool (*const passes[])(const struct discovery_v1_endpoint *e) = { is_ready,
                                                                             still_serves };

    for (size_t pass = 0; pass < 2 && !ret->len; pass++)
        for (size_t i = 0; i < n; i++) {
            const struct discovery_v1_endpoint_slice *s =
                API_OBJECT(slices[i], struct discovery_v1_endpoint_slice);

            if (str_eq(s->address_type, STR("IPv4")))
                gather_slice(s, port, passes[pass], ret);
        }
}

/* One place where the port is reached: `e` says which. */
static void add_place(struct proxy_elements *ret, struct proxy_element e, enum proxy_set slots_set,
                      const struct endpoints *eps)
{
    uint16_t slots = proxy_table_slots(eps->len);

    e.slots = slots;
    VEC_PUSH(ret, e);
    e.set = slots_set;
    e.slots = 0;
    for (uint32_t i = 0; i < slots; i++) {
        e.slot = i;
        e.to_address = eps->items[i % eps->len].address;
        e.to_port = eps->items[i % eps->len].port;
        VEC_PUSH(ret, e);
    }
}

static void add_hairpins(struct proxy_elements *ret, const struct endpoints *eps)
{
    VEC_FOREACH(const struct endpoint *, e, eps)
        VEC_PUSH(ret, (struct proxy_element){ .set = PROXY_HAIRPIN, .address = e->address });
}

/* The Service's addresses of the cluster, external ones, and a load balancer's. */
static size_t addresses_of(struct arena *a, const struct core_v1_service *s, uint32_t **ret)
{
    size_t n = 0;
    uint32_t *list = ARENA_NEW_ARRAY(
        a, uint32_t, 1 + s->spec.external_ips.len + s->status.load_balancer.ingress.len);

    n += parse_v4(s->spec.cluster_ip, &list[n]);
    for (uint32_t i = 0; i < s->spec.external_ips.len; i++)
        n += parse_v4(s->spec.external_ips.items[i], &list[n]);
    for (uint32_t i = 0; i < s->status.load_balancer.ingress.len; i++)
        n += parse_v4(s->status.load_balancer.ingress.items[i].ip, &list[n]);
    *ret = list;
    return n;
}

static void add_port(struct proxy_elements *ret, const struct core_v1_service_port *port,
                     const uint32_t *addresses, size_t n, const struct endpoints *eps)
{
    struct proxy_element e = { .port = (uint16_t)port->port };

    if (str_eq(protocol_of(port->protocol), STR("TCP")))
        e.protocol = IPPROTO_TCP;
    else if (str_eq(port->protocol, STR("UDP")))
        e.protocol = IPPROTO_UDP;
    else
        return; /* SCTP is not translated */
    for (size_t i = 0; eps->len && i < n; i++) {
        e.set = PROXY_SVC;
        e.address = addresses[i];
        add_place(ret, e, PROXY_EPS, eps);
    }
    if (port->node_port <= 0)
        return;
    e = (struct proxy_element){ .set = eps->len ? PROXY_NP : PROXY_NPREJECT,
                                .protocol = e.protocol,
                                .port = (uint16_t)port->node_port };
    if (eps->len)
        add_place(ret, e, PROXY_NPEPS, eps);
    else
        VEC_PUSH(ret, e);
}

void service_rules(struct arena *a, const struct api_object *service,
                   const struct api_object *const *slices, size_t n_slices,
                   struct proxy_elements *ret)
{
    const struct core_v1_service *s = API_OBJECT(service, struct core_v1_service);
    uint32_t *addresses, address;
    size_t n;

    if (!s->spec.cluster_ip.len || str_eq(s->spec.cluster_ip, STR("None")) ||
        str_eq(s->spec.type, STR("ExternalName")))
        return;
    n = addresses_of(a, s, &addresses);
    /* Only the cluster's own: another may be a node's, where more than Services is reached. */
    if (parse_v4(s->spec.cluster_ip, &address))
        VEC_PUSH(ret, (struct proxy_element){ .set = PROXY_ADDRESSES, .address = address });
    for (uint32_t i = 0; i < s->spec.ports.len; i++) {
        struct endpoints eps = { 0 };

        gather(slices, n_slices, &s->spec.ports.items[i], &eps);
        add_port(ret, &s->spec.ports.items[i], addresses, n, &eps);
        add_hairpins(ret, &eps);
        VEC_DONE(&eps);
    }
}
