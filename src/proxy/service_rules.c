#include "proxy/service_rules.h"

#include <sys/socket.h>

#include <netinet/in.h>

#include "api/core_v1.h"
#include "api/discovery_v1.h"
#include "api/meta_v1.h"
#include "base/hash.h"
#include "base/map.h"
#include "client/api_object.h"

enum { DEFAULT_AFFINITY_S = 10800 };

struct endpoint {
    struct ip address;
    uint16_t port;
};
struct endpoints {
    struct endpoint *items;
    size_t len, cap;
    struct map seen; /* where there are many */
};

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

enum { FEW = 64 };

/* An endpoint may be in two slices while it moves. */
static bool is_known(struct endpoints *to, const struct endpoint *e)
{
    struct str key = str_n((const char *)e, sizeof(*e));

    if (to->len < FEW) {
        for (size_t i = 0; i < to->len; i++)
            if (to->items[i].port == e->port && ip_cmp(&to->items[i].address, &e->address) == 0)
                return true;
        return false;
    }
    for (size_t i = to->seen.len; i < to->len; i++)
        (void)map_put(&to->seen, str_n((const char *)&to->items[i], sizeof(*e)), to);
    return map_has(&to->seen, key);
}

static void add_endpoint(struct endpoints *to, const struct ip *address, uint16_t port)
{
    struct endpoint e;

    memset(&e, 0, sizeof(e)); /* its bytes are a key */
    e.address = *address;
    e.port = port;
    if (!is_known(to, &e))
        VEC_PUSH(to, e);
}

static void endpoints_done(struct endpoints *e)
{
    VEC_DONE(e);
    map_done(&e->seen);
}

static struct str protocol_of(struct str p)
{
    return p.len ? p : STR("TCP");
}

/* Which of a port's endpoints are asked for. */
struct selection {
    const struct service_rules_input *in;
    uint8_t family;
    bool is_local; /* of this node alone */
    const struct core_v1_service_port *port;
};
typedef void endpoint_fn(const struct discovery_v1_endpoint *e, const struct ip *ip, uint16_t port,
                         void *arg);

static bool is_on_node(const struct service_rules_input *in, const struct discovery_v1_endpoint *e)
{
    return in->node.len && str_eq(e->node_name, in->node);
}

static void visit_slice(const struct discovery_v1_endpoint_slice *s, const struct selection *sel,
                        endpoint_fn *fn, void *arg)
{
    struct ip ip;

    for (uint32_t p = 0; p < s->ports.len; p++) {
        const struct discovery_v1_endpoint_port *ep = &s->ports.items[p];

        if (!str_eq(ep->name, sel->port->name) || !ep->port ||
            !str_eq(protocol_of(ep->protocol), protocol_of(sel->port->protocol)))
            continue;
        for (uint32_t i = 0; i < s->endpoints.len; i++) {
            const struct discovery_v1_endpoint *e = &s->endpoints.items[i];

            if ((!sel->is_local || is_on_node(sel->in, e)) && e->addresses.len &&
                ip_parse(e->addresses.items[0], &ip) && ip.family == sel->family)
                fn(e, &ip, (uint16_t)*ep->port, arg);
        }
    }
}

static void visit(const struct selection *sel, endpoint_fn *fn, void *arg)
{
    for (size_t i = 0; i < sel->in->n_slices; i++)
        visit_slice(API_OBJECT(sel->in->slices[i], struct discovery_v1_endpoint_slice), sel, fn,
                    arg);
}

/* --- those near by, where all endpoints bear hints for whom they are --- */

enum nearness { ANYWHERE, SAME_ZONE, SAME_NODE };

static bool is_for_zone(const struct discovery_v1_endpoint *e, struct str zone)
{
    for (uint32_t i = 0; e->hints && i < e->hints->for_zones.len; i++)
        if (zone.len && str_eq(e->hints->for_zones.items[i].name, zone))
            return true;
    return false;
}

static bool is_for_node(const struct discovery_v1_endpoint *e, struct str node)
{
    for (uint32_t i = 0; e->hints && i < e->hints->for_nodes.len; i++)
        if (node.len && str_eq(e->hints->for_nodes.items[i].name, node))
            return true;
    return false;
}

struct hints {
    const struct service_rules_input *in;
    bool lacks_zone, lacks_node; /* an endpoint without such a hint */
    bool has_zone, has_node;     /* one that is for us */
};

static void note_hints(const struct discovery_v1_endpoint *e, const struct ip *ip, uint16_t port,
                       void *arg)
{
    struct hints *h = arg;

    (void)ip;
    (void)port;
    if (!is_ready(e))
        return;
    h->lacks_zone |= !e->hints || !e->hints->for_zones.len;
    h->lacks_node |= !e->hints || !e->hints->for_nodes.len;
    h->has_zone |= is_for_zone(e, h->in->zone);
    h->has_node |= is_for_node(e, h->in->node);
}

static enum nearness nearness_of(const struct selection *sel)
{
    struct hints h = { .in = sel->in };

    visit(sel, note_hints, &h);
    return h.has_node && !h.lacks_node   ? SAME_NODE
           : h.has_zone && !h.lacks_zone ? SAME_ZONE
                                         : ANYWHERE;
}

/* --- the ones that count --- */

struct gathering {
    const struct selection *sel;
    enum nearness near;
    bool (*is_wanted)(const struct discovery_v1_endpoint *e);
    struct endpoints *ret;
};

static void take(const struct discovery_v1_endpoint *e, const struct ip *ip, uint16_t port,
                 void *arg)
{
    const struct gathering *g = arg;

    if (g->is_wanted(e) && (g->near != SAME_ZONE || is_for_zone(e, g->sel->in->zone)) &&
        (g->near != SAME_NODE || is_for_node(e, g->sel->in->node)))
        add_endpoint(g->ret, ip, port);
}

static void gather(const struct selection *sel, struct endpoints *ret)
{
    struct gathering g = { sel, sel->is_local ? ANYWHERE : nearness_of(sel), is_ready, ret };

    visit(sel, take, &g);
    if (ret->len)
        return;
    g.near = ANYWHERE;
    g.is_wanted = still_serves;
    visit(sel, take, &g);
}

/* The sets of places with an address, and of those without. */
struct place_sets {
    enum proxy_set picks, slots, ids, by_id, affine, masquerade, refuse, near;
};
static const struct place_sets
    with_address = { PROXY_SVC,    PROXY_EPS,  PROXY_IDS,    PROXY_EPID,
                     PROXY_AFFINE, PROXY_MASQ, PROXY_REFUSE, PROXY_NEAR },
    any_address = { PROXY_NP,       PROXY_NPEPS,  PROXY_NPIDS,    PROXY_NPEPID,
                    PROXY_NPAFFINE, PROXY_NPMASQ, PROXY_NPREFUSE, PROXY_NPNEAR };

struct place {
    const struct place_sets *sets;
    struct proxy_element at; /* family, protocol, address, port */
    bool is_masqueraded;
    bool has_others; /* endpoints, but none that the policy allows here */
    uint32_t affinity_s;
};

static void push(struct proxy_elements *ret, const struct place *p, enum proxy_set set,
                 struct proxy_element e)
{
    e.set = set;
    e.family = p->at.family;
    e.protocol = p->at.protocol;
    e.address = p->at.address;
    e.port = p->at.port;
    VEC_PUSH(ret, e);
}

static uint32_t number_of(const struct endpoint *e)
{
    return hash_crc32c(hash_crc32c(0, e->address.bytes, sizeof(e->address.bytes)), &e->port,
                       sizeof(e->port));
}

static void add_affinity(struct proxy_elements *ret, const struct place *p,
                         const struct endpoints *eps, uint16_t slots)
{
    push(ret, p, p->sets->affine,
         (struct proxy_element){ .verdict = PROXY_STICK, .timeout_s = p->affinity_s });
    for (uint32_t i = 0; i < slots; i++)
        push(ret, p, p->sets->ids,
             (struct proxy_element){ .slot = i, .id = number_of(&eps->items[i % eps->len]) });
    VEC_FOREACH(const struct endpoint *, e, eps)
        push(ret, p, p->sets->by_id,
             (struct proxy_element){ .slot = number_of(e), .to = e->address, .to_port = e->port });
}

static void add_place(struct proxy_elements *ret, const struct place *p,
                      const struct endpoints *eps)
{
    uint16_t slots = proxy_table_slots(eps->len);

    if (!eps->len) {
        push(ret, p, p->sets->refuse,
             (struct proxy_element){ .verdict = p->has_others ? PROXY_DROP : PROXY_REJECT });
        return;
    }
    push(ret, p, p->sets->picks,
         (struct proxy_element){
             .verdict = PROXY_PICK, .is_affine = p->affinity_s != 0, .slots = slots });
    if (p->is_masqueraded)
        push(ret, p, p->sets->masquerade, (struct proxy_element){ .slots = 0 });
    if (p->affinity_s && p->at.family == AF_INET) {
        add_affinity(ret, p, eps, slots);
        return;
    }
    for (uint32_t i = 0; i < slots; i++) {
        const struct endpoint *e = &eps->items[i % eps->len];

        push(ret, p, p->sets->slots,
             (struct proxy_element){ .slot = i, .to = e->address, .to_port = e->port });
    }
}

/* Who is in the cluster is no outsider: a Local policy for these is not for him. */
static void add_near(struct proxy_elements *ret, const struct place *p, const struct endpoints *all)
{
    uint16_t slots = proxy_table_slots(all->len);

    if (!slots)
        return;
    push(ret, p, p->sets->near, (struct proxy_element){ .verdict = PROXY_PICK, .slots = slots });
    for (uint32_t i = 0; i < slots; i++) {
        const struct endpoint *e = &all->items[i % all->len];

        push(ret, p, p->sets->slots,
             (struct proxy_element){
                 .slot = PROXY_NEAR_SLOTS + i, .to = e->address, .to_port = e->port });
    }
}

static void add_hairpins(struct proxy_elements *ret, uint8_t family, const struct endpoints *eps)
{
    VEC_FOREACH(const struct endpoint *, e, eps)
        VEC_PUSH(ret, (struct proxy_element){
                          .set = PROXY_HAIRPIN, .family = family, .address = e->address });
}

/* Only clients in the Service's ranges, if it has some of the family. A range within another is
 * left out: the kernel wants no overlap. */
static void add_guard(struct proxy_elements *ret, const struct core_v1_service *s,
                      const struct place *p)
{
    uint32_t n = s->spec.load_balancer_source_ranges.len;
    struct ip_prefix range, other;

    if (!n)
        return;
    push(ret, p, PROXY_GUARD, (struct proxy_element){ .slots = 0 });
    for (uint32_t i = 0; i < n; i++) {
        bool is_within = false;

        if (!ip_prefix_parse(str_trim(s->spec.load_balancer_source_ranges.items[i]), &range) ||
            range.ip.family != p->at.family)
            continue;
        for (uint32_t k = 0; k < n && !is_within; k++)
            is_within =
                k != i &&
                ip_prefix_parse(str_trim(s->spec.load_balancer_source_ranges.items[k]), &other) &&
                ip_prefix_contains(&other, &range.ip) &&
                (other.len < range.len || (other.len == range.len && k < i));
        if (!is_within)
            push(ret, p, PROXY_RANGES,
                 (struct proxy_element){ .to = ip_prefix_base(&range), .len = range.len });
    }
}

/* A Service's port in one family. */
struct port_rules {
    const struct core_v1_service *service;
    const struct core_v1_service_port *port;
    struct place place; /* what all places have in common */
    struct endpoints all, local;
};

static void add_cluster_ip(struct proxy_elements *ret, const struct port_rules *r, struct str text)
{
    bool is_local = str_eq(r->service->spec.internal_traffic_policy, STR("Local"));
    struct place p = r->place;

    if (!ip_parse(text, &p.at.address) || p.at.address.family != p.at.family)
        return;
    p.at.port = (uint16_t)r->port->port;
    p.sets = &with_address;
    p.has_others = r->all.len > 0;
    add_place(ret, &p, is_local ? &r->local : &r->all);
}

static void add_external(struct proxy_elements *ret, const struct port_rules *r, struct str text,
                         bool is_load_balancer)
{
    bool is_local = str_eq(r->service->spec.external_traffic_policy, STR("Local"));
    struct place p = r->place;

    p.at.port = (uint16_t)r->port->port;
    p.sets = &with_address;
    if (!text.p) {
        p.at.port = (uint16_t)r->port->node_port;
        p.sets = &any_address;
    } else if (!ip_parse(text, &p.at.address) || p.at.address.family != p.at.family) {
        return;
    }
    p.is_masqueraded = !is_local;
    p.has_others = r->all.len > 0;
    add_place(ret, &p, is_local ? &r->local : &r->all);
    if (is_local)
        add_near(ret, &p, &r->all);
    if (is_load_balancer)
        add_guard(ret, r->service, &p);
}

static void add_port(struct proxy_elements *ret, const struct port_rules *r)
{
    const struct core_v1_service *s = r->service;

    if (s->spec.cluster_ips.len == 0)
        add_cluster_ip(ret, r, s->spec.cluster_ip);
    for (uint32_t i = 0; i < s->spec.cluster_ips.len; i++)
        add_cluster_ip(ret, r, s->spec.cluster_ips.items[i]);
    for (uint32_t i = 0; i < s->spec.external_ips.len; i++)
        add_external(ret, r, s->spec.external_ips.items[i], false);
    for (uint32_t i = 0; i < s->status.load_balancer.ingress.len; i++) {
        const struct core_v1_load_balancer_ingress *in = &s->status.load_balancer.ingress.items[i];

        if (in->ip.len && !str_eq(in->ip_mode, STR("Proxy")))
            add_external(ret, r, in->ip, true);
    }
    if (r->port->node_port > 0)
        add_external(ret, r, STR_NULL, false);
    add_hairpins(ret, r->place.at.family, &r->all);
}

static uint8_t protocol_number(struct str p)
{
    p = protocol_of(p);
    /* SCTP is not translated. */
    return str_eq(p, STR("TCP")) ? IPPROTO_TCP : str_eq(p, STR("UDP")) ? IPPROTO_UDP : 0;
}

static uint32_t affinity_of(const struct core_v1_service_spec *s)
{
    const struct core_v1_session_affinity_config *c = s->session_affinity_config;

    if (!str_eq(s->session_affinity, STR("ClientIP")))
        return 0;
    if (c && c->client_ip && c->client_ip->timeout_seconds && *c->client_ip->timeout_seconds > 0)
        return (uint32_t)*c->client_ip->timeout_seconds;
    return DEFAULT_AFFINITY_S;
}

static bool has_family(const struct core_v1_service_spec *s, uint8_t family)
{
    struct ip ip;

    for (uint32_t i = 0; i < s->cluster_ips.len; i++)
        if (ip_parse(s->cluster_ips.items[i], &ip) && ip.family == family)
            return true;
    return s->cluster_ips.len == 0 && ip_parse(s->cluster_ip, &ip) && ip.family == family;
}

/* Only the cluster's own addresses: another may be a node's, where more than Services is reached.
 */
static void add_addresses(struct proxy_elements *ret, const struct core_v1_service_spec *s)
{
    const struct str *list = s->cluster_ips.len ? s->cluster_ips.items : &s->cluster_ip;
    struct ip ip;

    for (uint32_t i = 0; i < (s->cluster_ips.len ? s->cluster_ips.len : 1); i++)
        if (ip_parse(list[i], &ip))
            VEC_PUSH(ret, (struct proxy_element){
                              .set = PROXY_ADDRESSES, .family = ip.family, .address = ip });
}

void service_rules(const struct service_rules_input *in, struct proxy_elements *ret)
{
    static const uint8_t families[] = { AF_INET, AF_INET6 };
    const struct core_v1_service *s = API_OBJECT(in->service, struct core_v1_service);

    if (!s->spec.cluster_ip.len || str_eq(s->spec.cluster_ip, STR("None")) ||
        str_eq(s->spec.type, STR("ExternalName")))
        return;
    add_addresses(ret, &s->spec);
    for (uint32_t i = 0; i < 2 * s->spec.ports.len; i++) {
        const struct core_v1_service_port *port = &s->spec.ports.items[i / 2];
        struct port_rules r = { .service = s, .port = port };
        struct selection sel = { .in = in, .family = families[i % 2], .port = port };

        r.place.at.family = sel.family;
        r.place.at.protocol = protocol_number(port->protocol);
        r.place.affinity_s = affinity_of(&s->spec);
        if (!has_family(&s->spec, sel.family) || !r.place.at.protocol)
            continue;
        gather(&sel, &r.all);
        sel.is_local = true;
        if (in->node.len)
            gather(&sel, &r.local);
        add_port(ret, &r);
        endpoints_done(&r.all);
        endpoints_done(&r.local);
    }
}

/* --- health checks of load balancers --- */

uint16_t service_rules_health_port(const struct api_object *service)
{
    const struct core_v1_service_spec *s = &API_OBJECT(service, struct core_v1_service)->spec;

    return str_eq(s->type, STR("LoadBalancer")) &&
                   str_eq(s->external_traffic_policy, STR("Local")) && s->health_check_node_port > 0
               ? (uint16_t)s->health_check_node_port
               : 0;
}

size_t service_rules_local_endpoints(const struct service_rules_input *in)
{
    struct endpoints local = { 0 };
    size_t n;
    struct ip ip;

    for (size_t i = 0; i < in->n_slices; i++) {
        const struct discovery_v1_endpoint_slice *s =
            API_OBJECT(in->slices[i], struct discovery_v1_endpoint_slice);

        for (uint32_t k = 0; k < s->endpoints.len; k++) {
            const struct discovery_v1_endpoint *e = &s->endpoints.items[k];

            if (is_ready(e) && is_on_node(in, e) && e->addresses.len &&
                ip_parse(e->addresses.items[0], &ip))
                add_endpoint(&local, &ip, 0);
        }
    }
    n = local.len;
    endpoints_done(&local);
    return n;
}

/* --- ports of Pods --- */

static void add_host_port(struct proxy_elements *ret, const struct core_v1_container_port *port,
                          const struct ip *pod)
{
    struct endpoint e = { *pod, (uint16_t)port->container_port };
    struct endpoints eps = { .items = &e, .len = 1 };
    struct place p = { .sets = &any_address };
    bool has_ip = port->host_ip.len && ip_parse(port->host_ip, &p.at.address);
    static const struct ip none;

    p.at.family = pod->family;
    p.at.protocol = protocol_number(port->protocol);
    p.at.port = (uint16_t)port->host_port;
    if (!p.at.protocol || (has_ip && p.at.address.family != pod->family))
        return;
    if (has_ip && memcmp(p.at.address.bytes, none.bytes, sizeof(none.bytes)) != 0)
        p.sets = &with_address;
    else
        p.at.address = none;
    add_place(ret, &p, &eps);
    add_hairpins(ret, pod->family, &eps);
}

static void add_host_ports(struct proxy_elements *ret, const struct core_v1_container *c,
                           const struct core_v1_pod_status *s)
{
    struct ip ip;

    for (uint32_t i = 0; i < c->ports.len; i++)
        for (uint32_t k = 0; c->ports.items[i].host_port > 0 && k < s->pod_ips.len; k++)
            if (ip_parse(s->pod_ips.items[k].ip, &ip))
                add_host_port(ret, &c->ports.items[i], &ip);
}

void service_rules_of_pod(const struct api_object *pod, struct proxy_elements *ret)
{
    const struct core_v1_pod *p = API_OBJECT(pod, struct core_v1_pod);

    if (p->spec.host_network || str_eq(p->status.phase, STR("Succeeded")) ||
        str_eq(p->status.phase, STR("Failed")))
        return;
    for (uint32_t i = 0; i < p->spec.containers.len; i++)
        add_host_ports(ret, &p->spec.containers.items[i], &p->status);
    for (uint32_t i = 0; i < p->spec.init_containers.len; i++)
        if (str_eq(p->spec.init_containers.items[i].restart_policy, STR("Always")))
            add_host_ports(ret, &p->spec.init_containers.items[i], &p->status);
}
