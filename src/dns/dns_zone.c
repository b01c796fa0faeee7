#include "dns/dns_zone.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "api/core_v1.h"
#include "api/discovery_v1.h"
#include "api/meta_v1.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "client/informer.h"

enum { TTL_S = 5, MAX_LABELS = 16, MAX_ADDRESSES = 512 };

/* One answer under way. */
struct asking {
    const struct dns_zone *zone;
    const struct dns_query *query;
    struct dns_answer answer;
    struct arena arena;
    struct str labels[MAX_LABELS]; /* of the name below the domain, first label first */
    size_t n;
    uint32_t seed;
    bool exists; /* the name does, whatever it has of the type */
    enum dns_zone_result result;
};

static bool wants(const struct asking *k, uint16_t type)
{
    return k->query->type == type || k->query->type == DNS_ANY;
}

/* name p NULL: the question's. */
static void add_address(struct asking *k, enum dns_section s, struct str name, struct str text)
{
    unsigned char bytes[16];
    const char *t = str_cstr(&k->arena, text);

    if (inet_pton(AF_INET, t, bytes) == 1) {
        if (s == DNS_ADDITIONAL || wants(k, DNS_A))
            dns_answer_address(&k->answer, s, name, TTL_S, DNS_A, bytes);
    } else if (inet_pton(AF_INET6, t, bytes) == 1) {
        if (s == DNS_ADDITIONAL || wants(k, DNS_AAAA))
            dns_answer_address(&k->answer, s, name, TTL_S, DNS_AAAA, bytes);
    }
}

/* --- Services --- */

static bool is_headless(const struct core_v1_service *s)
{
    return str_eq(s->spec.cluster_ip, STR("None"));
}

static const struct api_object *find_service(const struct asking *k, struct str namespace,
                                             struct str name)
{
    struct arena a = { 0 };
    const struct api_object *o = informer_get(
        k->zone->services, arena_printf(&a, "%.*s/%.*s", STR_ARG(namespace), STR_ARG(name)));

    arena_done(&a);
    return o;
}

/* "web-0", or the address with dashes where there is no host name. */
static struct str endpoint_host(struct arena *a, const struct discovery_v1_endpoint *e,
                                struct str address)
{
    struct str host;

    if (e->hostname.len)
        return e->hostname;
    host = str_dup(a, address);
    for (size_t i = 0; i < host.len; i++)
        if (host.p[i] == '.' || host.p[i] == ':')
            ((char *)(uintptr_t)host.p)[i] = '-';
    return host;
}

struct endpoint {
    const struct discovery_v1_endpoint_slice *slice;
    struct str address, host;
};

/* Ready endpoints of a headless Service (all, where it wants that), each address once. */
static size_t endpoints_of(struct asking *k, const struct api_object *service,
                           struct endpoint **ret)
{
    const struct core_v1_service *s = API_OBJECT(service, struct core_v1_service);
    struct endpoint *list = ARENA_NEW_ARRAY(&k->arena, struct endpoint, MAX_ADDRESSES);
    const struct api_object *const *slices;
    size_t n_slices =
        informer_by_index(k->zone->slices, k->zone->slices_of_service, service->key, &slices);
    size_t n = 0;

    for (size_t i = 0; i < n_slices; i++) {
        const struct discovery_v1_endpoint_slice *sl =
            API_OBJECT(slices[i], struct discovery_v1_endpoint_slice);

        for (uint32_t e = 0; e < sl->endpoints.len && n < MAX_ADDRESSES; e++) {
            const struct discovery_v1_endpoint *ep = &sl->endpoints.items[e];
            bool ready = !ep->conditions.ready || *ep->conditions.ready;

            if (!ep->addresses.len || (!ready && !s->spec.publish_not_ready_addresses))
                continue;
            list[n++] = (struct endpoint){ sl, ep->addresses.items[0],
                                           endpoint_host(&k->arena, ep, ep->addresses.items[0]) };
        }
    }
    *ret = list;
    return n;
}

static void answer_service(struct asking *k, const struct api_object *o)
{
    const struct core_v1_service *s = API_OBJECT(o, struct core_v1_service);
    struct endpoint *eps;
    size_t n;

    k->exists = true;
    if (str_eq(s->spec.type, STR("ExternalName"))) {
        dns_answer_name(&k->answer, DNS_ANSWER, STR_NULL, TTL_S, DNS_CNAME, s->spec.external_name);
        if (k->query->type != DNS_CNAME)
            k->result = DNS_ZONE_CHASE;
        return;
    }
    if (!is_headless(s)) {
        for (uint32_t i = 0; i < s->spec.cluster_ips.len; i++)
            add_address(k, DNS_ANSWER, STR_NULL, s->spec.cluster_ips.items[i]);
        if (!s->spec.cluster_ips.len)
            add_address(k, DNS_ANSWER, STR_NULL, s->spec.cluster_ip);
        return;
    }
    n = endpoints_of(k, o, &eps);
    k->exists = n != 0;
    for (size_t i = 0; i < n; i++)
        add_address(k, DNS_ANSWER, STR_NULL, eps[(i + k->seed) % n].address);
}

/* HOST.NAME.NS.svc: one endpoint of a headless Service. */
static void answer_endpoint(struct asking *k, const struct api_object *o, struct str host)
{
    struct endpoint *eps;
    size_t n;

    if (!is_headless(API_OBJECT(o, struct core_v1_service)))
        return;
    n = endpoints_of(k, o, &eps);
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(eps[i].host, host)) {
            k->exists = true;
            add_address(k, DNS_ANSWER, STR_NULL, eps[i].address);
        }
}

static struct str service_name(struct asking *k, const struct api_object *o)
{
    return arena_printf(&k->arena, "%.*s.%.*s.svc.%.*s", STR_ARG(o->meta->name),
                        STR_ARG(o->meta->namespace), STR_ARG(k->zone->domain));
}

static bool is_port(struct str name, struct str protocol, struct str label_port,
                    struct str label_protocol)
{
    return str_eq_nocase(name, str_tail(label_port, 1)) &&
           str_eq_nocase(protocol.len ? protocol : STR("TCP"), str_tail(label_protocol, 1));
}

/* Records of the answer first, then the addresses beside it: sections follow each other. */
static void srv_of_endpoints(struct asking *k, const struct api_object *o, struct str port,
                             struct str protocol, enum dns_section section)
{
    struct endpoint *eps;
    size_t n = endpoints_of(k, o, &eps);

    for (size_t i = 0; i < n; i++)
        for (uint32_t p = 0; p < eps[i].slice->ports.len; p++) {
            const struct discovery_v1_endpoint_port *ep = &eps[i].slice->ports.items[p];
            struct str target;

            if (!ep->port || !is_port(ep->name, ep->protocol, port, protocol))
                continue;
            k->exists = true;
            target = arena_printf(&k->arena, "%.*s.%.*s", STR_ARG(eps[i].host),
                                  STR_ARG(service_name(k, o)));
            if (section == DNS_ADDITIONAL)
                add_address(k, DNS_ADDITIONAL, target, eps[i].address);
            else if (wants(k, DNS_SRV))
                dns_answer_srv(&k->answer, STR_NULL, TTL_S, (uint16_t)(100 / n),
                               (uint16_t)*ep->port, target);
        }
}

/* _PORT._PROTOCOL.NAME.NS.svc */
static void answer_srv(struct asking *k, const struct api_object *o, struct str port,
                       struct str protocol)
{
    const struct core_v1_service *s = API_OBJECT(o, struct core_v1_service);

    if (is_headless(s)) {
        srv_of_endpoints(k, o, port, protocol, DNS_ANSWER);
        if (wants(k, DNS_SRV))
            srv_of_endpoints(k, o, port, protocol, DNS_ADDITIONAL);
        return;
    }
    for (uint32_t i = 0; i < s->spec.ports.len; i++) {
        const struct core_v1_service_port *p = &s->spec.ports.items[i];

        if (!is_port(p->name, p->protocol, port, protocol))
            continue;
        k->exists = true;
        if (!wants(k, DNS_SRV))
            continue;
        dns_answer_srv(&k->answer, STR_NULL, TTL_S, 100, (uint16_t)p->port, service_name(k, o));
        add_address(k, DNS_ADDITIONAL, service_name(k, o), s->spec.cluster_ip);
    }
}

static bool has_namespace(const struct asking *k, struct str namespace)
{
    const struct api_object *const *services;

    return informer_by_index(k->zone->services, k->zone->services_in_namespace, namespace,
                             &services) > 0;
}

/* Labels before "svc". */
static void answer_svc(struct asking *k, size_t n)
{
    const struct api_object *o;

    if (n == 0) {
        k->exists = true;
        return;
    }
    if (n == 1) {
        k->exists = has_namespace(k, k->labels[0]);
        return;
    }
    o = find_service(k, k->labels[n - 1], k->labels[n - 2]);
    if (!o)
        return;
    if (n == 2)
        answer_service(k, o);
    else if (n == 3)
        answer_endpoint(k, o, k->labels[0]);
    else if (n == 4 && k->labels[0].len && k->labels[0].p[0] == '_' && k->labels[1].len &&
             k->labels[1].p[0] == '_')
        answer_srv(k, o, k->labels[0], k->labels[1]);
}

/* 10-1-2-3.NS.pod: the address that the name is. */
static void answer_pod(struct asking *k, size_t n)
{
    struct str text;
    unsigned char bytes[16];

    if (n < 2) {
        k->exists = n == 0 || has_namespace(k, k->labels[0]);
        return;
    }
    if (n != 2)
        return;
    text = str_dup(&k->arena, k->labels[0]);
    for (int pass = 0; pass < 2 && !k->exists; pass++) {
        for (size_t i = 0; i < text.len; i++)
            if (k->labels[0].p[i] == '-')
                ((char *)(uintptr_t)text.p)[i] = pass ? ':' : '.';
        if (inet_pton(pass ? AF_INET6 : AF_INET, text.p, bytes) == 1) {
            k->exists = true;
            add_address(k, DNS_ANSWER, STR_NULL, text);
        }
    }
}

static void answer_apex(struct asking *k)
{
    k->exists = true;
    if (wants(k, DNS_SOA))
        dns_answer_soa(&k->answer, DNS_ANSWER, k->zone->domain, TTL_S, 1);
    if (wants(k, DNS_NS))
        dns_answer_name(&k->answer, DNS_ANSWER, k->zone->domain, TTL_S, DNS_NS,
                        arena_printf(&k->arena, "ns.dns.%.*s", STR_ARG(k->zone->domain)));
}

static void answer_zone(struct asking *k)
{
    struct str top = k->n ? k->labels[k->n - 1] : STR("");

    if (!k->n) {
        answer_apex(k);
    } else if (str_eq(top, STR("svc"))) {
        answer_svc(k, k->n - 1);
    } else if (str_eq(top, STR("pod"))) {
        answer_pod(k, k->n - 1);
    } else if (k->n == 1 && str_eq(top, STR("dns-version"))) {
        k->exists = true;
        if (wants(k, DNS_TXT))
            dns_answer_txt(&k->answer, STR_NULL, TTL_S, STR("1.1.0"));
    }
}

/* --- addresses to names --- */

/* "4.3.2.1.in-addr.arpa" to "1.2.3.4". */
static bool reverse_v4(struct str name, char ret[INET_ADDRSTRLEN])
{
    static const struct str suffix = STR_INIT(".in-addr.arpa");
    struct str rest, label;
    uint64_t parts[4];
    int n = 0;

    if (!str_has_suffix(name, suffix))
        return false;
    rest = str_sub(name, 0, name.len - suffix.len);
    while (n < 4 && str_next(&rest, '.', &label)) {
        if (!str_to_u64(label, &parts[n]) || parts[n] > 255)
            return false;
        n++;
    }
    if (n != 4 || rest.p)
        return false;
    (void)snprintf(ret, INET_ADDRSTRLEN, "%u.%u.%u.%u", (unsigned)parts[3], (unsigned)parts[2],
                   (unsigned)parts[1], (unsigned)parts[0]);
    return true;
}

/* False: the address is no Service's or endpoint's. */
static bool answer_reverse(struct asking *k, struct str ip)
{
    const struct api_object *const *found;
    size_t n = informer_by_index(k->zone->services, k->zone->services_of_ip, ip, &found);

    if (n) {
        k->exists = true;
        if (wants(k, DNS_PTR))
            dns_answer_name(&k->answer, DNS_ANSWER, STR_NULL, TTL_S, DNS_PTR,
                            service_name(k, found[0]));
        return true;
    }
    n = informer_by_index(k->zone->slices, k->zone->slices_of_ip, ip, &found);
    for (size_t i = 0; i < n; i++) {
        const struct discovery_v1_endpoint_slice *s =
            API_OBJECT(found[i], struct discovery_v1_endpoint_slice);
        const struct api_object *o;
        struct str name = STR_NULL;

        for (uint32_t l = 0; l < found[i]->meta->labels.len; l++)
            if (str_eq(found[i]->meta->labels.items[l].key, STR("kubernetes.io/service-name")))
                name = found[i]->meta->labels.items[l].value;
        o = find_service(k, found[i]->meta->namespace, name);
        if (!o || !is_headless(API_OBJECT(o, struct core_v1_service)))
            continue;
        for (uint32_t e = 0; e < s->endpoints.len; e++) {
            const struct discovery_v1_endpoint *ep = &s->endpoints.items[e];

            if (!ep->hostname.len || !ep->addresses.len || !str_eq(ep->addresses.items[0], ip))
                continue;
            k->exists = true;
            if (wants(k, DNS_PTR))
                dns_answer_name(&k->answer, DNS_ANSWER, STR_NULL, TTL_S, DNS_PTR,
                                arena_printf(&k->arena, "%.*s.%.*s", STR_ARG(ep->hostname),
                                             STR_ARG(service_name(k, o))));
        }
    }
    return k->exists;
}

/* --- the whole --- */

/* Splits the name below the domain; false: it is not below. */
static bool split(struct asking *k, struct str name)
{
    struct str domain = k->zone->domain, rest, label;

    if (str_eq(name, domain))
        return true;
    if (name.len <= domain.len + 1 || !str_has_suffix(name, domain) ||
        name.p[name.len - domain.len - 1] != '.')
        return false;
    rest = str_sub(name, 0, name.len - domain.len - 1);
    while (str_next(&rest, '.', &label)) {
        if (k->n == MAX_LABELS)
            return true; /* too deep for anything that there is */
        k->labels[k->n++] = label;
    }
    return true;
}

enum dns_zone_result dns_zone_answer(const struct dns_zone *z, const struct dns_query *q,
                                     size_t limit, uint32_t seed, struct buf *out)
{
    struct asking k = { .zone = z, .query = q, .seed = seed, .result = DNS_ZONE_ANSWERED };
    struct str name = str_from_cstr(q->name);
    size_t before = out->len;
    char ip[INET_ADDRSTRLEN];
    bool is_reverse = reverse_v4(name, ip);

    dns_answer_begin(&k.answer, out, q, limit);
    if (is_reverse ? !answer_reverse(&k, str_from_cstr(ip)) : !split(&k, name)) {
        out->len = before;
        arena_done(&k.arena);
        return DNS_ZONE_NOT_OURS;
    }
    if (!is_reverse)
        answer_zone(&k);
    if (!k.answer.counts[DNS_ANSWER] && !k.answer.is_truncated)
        dns_answer_soa(&k.answer, DNS_AUTHORITY, z->domain, TTL_S, 1);
    dns_answer_end(&k.answer, q, k.exists ? DNS_NOERROR : DNS_NXDOMAIN, true);
    arena_done(&k.arena);
    return k.result;
}
