#include "dns/dns_zone.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "api/core_v1.h"
#include "api/discovery_v1.h"
#include "api/meta_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "client/informer.h"

enum { TTL_S = 5, VERSION_TTL_S = 28800, MAX_LABELS = 16, MAX_ADDRESSES = 512, MAX_ALIASES = 8 };

/* One answer under way. */
struct asking {
    const struct dns_zone *zone;
    const struct dns_query *query;
    struct dns_answer *answer;
    struct arena arena;
    struct str owner;              /* of the records; unset: the question's name */
    struct str labels[MAX_LABELS]; /* of the name below the domain, first label first */
    size_t n;
    uint32_t seed;
    bool exists;      /* the name does, whatever it has of the type */
    struct str alias; /* what it stands for, else unset */
    uint16_t n_aliases;
};

static bool wants(const struct asking *k, uint16_t type)
{
    return k->query->type == type || k->query->type == DNS_ANY;
}

static void add_address(struct asking *k, enum dns_section s, struct str name, struct str text)
{
    unsigned char bytes[16];
    const char *t = str_cstr(&k->arena, text);

    if (inet_pton(AF_INET, t, bytes) == 1) {
        if (s == DNS_ADDITIONAL || wants(k, DNS_A))
            dns_answer_address(k->answer, s, name, TTL_S, DNS_A, bytes);
    } else if (inet_pton(AF_INET6, t, bytes) == 1) {
        if (s == DNS_ADDITIONAL || wants(k, DNS_AAAA))
            dns_answer_address(k->answer, s, name, TTL_S, DNS_AAAA, bytes);
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
    char key[2 * DNS_NAME_BYTES];
    int n = snprintf(key, sizeof(key), "%.*s/%.*s", STR_ARG(namespace), STR_ARG(name));

    return informer_get(k->zone->services, str_n(key, MIN((size_t)n, sizeof(key) - 1)));
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
    const struct api_object *const *slices;
    size_t n_slices =
        informer_by_index(k->zone->slices, k->zone->slices_of_service, service->key, &slices);
    size_t n = 0, room = 0;
    struct endpoint *list;

    for (size_t i = 0; i < n_slices; i++)
        room += API_OBJECT(slices[i], struct discovery_v1_endpoint_slice)->endpoints.len;
    list = ARENA_NEW_ARRAY(&k->arena, struct endpoint, MIN(room, (size_t)MAX_ADDRESSES));
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

/* An address is no alias, whatever the field is called. */
static void answer_external_name(struct asking *k, const struct core_v1_service *s)
{
    struct str name = s->spec.external_name;
    const char *text = str_cstr(&k->arena, name);
    unsigned char bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1 || !name.len)
        return;
    if (str_has_suffix(name, STR(".")))
        name = str_sub(name, 0, name.len - 1);
    k->exists = true;
    k->alias = name;
    k->n_aliases = (uint16_t)(k->n_aliases + (k->query->type != DNS_CNAME));
    dns_answer_name(k->answer, DNS_ANSWER, k->owner, TTL_S, DNS_CNAME, name);
}

static struct str service_name(struct asking *k, const struct api_object *o)
{
    return arena_printf(&k->arena, "%.*s.%.*s.svc.%.*s", STR_ARG(o->meta->name),
                        STR_ARG(o->meta->namespace), STR_ARG(k->zone->domain));
}

/* A label "_http" or "_tcp"; unset: any. */
static bool is_port(struct str name, struct str protocol, struct str label_port,
                    struct str label_protocol)
{
    return (!label_port.p || str_eq_nocase(name, str_tail(label_port, 1))) &&
           (!label_protocol.p ||
            str_eq_nocase(protocol.len ? protocol : STR("TCP"), str_tail(label_protocol, 1)));
}

static bool is_among(const struct endpoint *eps, size_t n, struct str host)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(eps[i].host, host))
            return true;
    return false;
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
            else if (wants(k, DNS_SRV) && !is_among(eps, i, eps[i].host))
                dns_answer_srv(k->answer, k->owner, TTL_S, (uint16_t)MAX(100 / n, 1),
                               (uint16_t)*ep->port, target);
        }
}

static size_t addresses_of(const struct core_v1_service *s, const struct str **ret)
{
    *ret = s->spec.cluster_ips.len ? s->spec.cluster_ips.items : &s->spec.cluster_ip;
    return s->spec.cluster_ips.len ? s->spec.cluster_ips.len : 1;
}

/* _PORT._PROTOCOL.NAME.NS.svc, or NAME.NS.svc for all ports. */
static void answer_srv(struct asking *k, const struct api_object *o, struct str port,
                       struct str protocol)
{
    const struct core_v1_service *s = API_OBJECT(o, struct core_v1_service);
    const struct str *ips;
    size_t n = addresses_of(s, &ips);
    bool has_one = false;

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
        has_one = true;
        dns_answer_srv(k->answer, k->owner, TTL_S, (uint16_t)(100 / n), (uint16_t)p->port,
                       service_name(k, o));
    }
    for (size_t i = 0; has_one && i < n; i++)
        add_address(k, DNS_ADDITIONAL, service_name(k, o), ips[i]);
}

static void answer_service(struct asking *k, const struct api_object *o)
{
    const struct core_v1_service *s = API_OBJECT(o, struct core_v1_service);
    const struct str *ips;
    struct endpoint *eps;
    size_t n;

    if (str_eq(s->spec.type, STR("ExternalName"))) {
        answer_external_name(k, s);
        return;
    }
    if (k->query->type == DNS_SRV) {
        answer_srv(k, o, STR_NULL, STR_NULL);
        return;
    }
    if (!is_headless(s)) {
        k->exists = true;
        n = addresses_of(s, &ips);
        for (size_t i = 0; i < n; i++)
            add_address(k, DNS_ANSWER, k->owner, ips[i]);
        return;
    }
    n = endpoints_of(k, o, &eps);
    k->exists = n != 0;
    for (size_t i = 0; i < n && !k->answer->is_truncated; i++)
        add_address(k, DNS_ANSWER, k->owner, eps[(i + k->seed) % n].address);
}

/* HOST.NAME.NS.svc: one endpoint, of a Service with an address as well. */
static void answer_endpoint(struct asking *k, const struct api_object *o, struct str host)
{
    struct endpoint *eps;
    size_t n;

    if (str_eq(API_OBJECT(o, struct core_v1_service)->spec.type, STR("ExternalName")))
        return;
    n = endpoints_of(k, o, &eps);
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(eps[i].host, host)) {
            k->exists = true;
            add_address(k, DNS_ANSWER, k->owner, eps[i].address);
        }
}

static bool has_namespace(const struct asking *k, struct str namespace)
{
    return informer_get(k->zone->namespaces, namespace) != NULL;
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
    if (!o || !has_namespace(k, k->labels[n - 1]))
        return;
    if (n == 2)
        answer_service(k, o);
    else if (n == 3)
        answer_endpoint(k, o, k->labels[0]);
    else if (n == 4 && k->labels[0].len && k->labels[0].p[0] == '_' && k->labels[1].len &&
             k->labels[1].p[0] == '_' &&
             !str_eq(API_OBJECT(o, struct core_v1_service)->spec.type, STR("ExternalName")))
        answer_srv(k, o, k->labels[0], k->labels[1]);
}

/* Is there a Pod of that address and namespace? */
static bool is_pod(const struct asking *k, struct str ip, struct str namespace)
{
    const struct api_object *const *pods;
    size_t n = informer_by_index(k->zone->pods, k->zone->pods_of_ip, ip, &pods);

    for (size_t i = 0; i < n; i++)
        if (str_eq(pods[i]->meta->namespace, namespace))
            return true;
    return false;
}

/* 10-1-2-3.NS.pod: the address that the name is. */
static void answer_pod(struct asking *k, size_t n)
{
    char text[INET6_ADDRSTRLEN + 1];
    struct str label = k->labels[0];
    unsigned char bytes[16];
    size_t dashes = 0;
    bool is_v4;

    if (k->zone->pods_mode == DNS_ZONE_PODS_DISABLED)
        return;
    if (n < 2) {
        k->exists = n == 0 || has_namespace(k, label);
        return;
    }
    if (n != 2 || label.len >= sizeof(text) || !has_namespace(k, k->labels[1]))
        return;
    for (size_t i = 0; i < label.len; i++)
        dashes += label.p[i] == '-';
    is_v4 = dashes == 3 && str_find_str(label, STR("--")) < 0;
    for (size_t i = 0; i < label.len; i++)
        text[i] = label.p[i] != '-' ? label.p[i] : is_v4 ? '.' : ':';
    text[label.len] = '\0';
    if (inet_pton(is_v4 ? AF_INET : AF_INET6, text, bytes) != 1 ||
        (k->zone->pods_mode == DNS_ZONE_PODS_VERIFIED &&
         !is_pod(k, str_n(text, label.len), k->labels[1])))
        return;
    k->exists = true;
    add_address(k, DNS_ANSWER, k->owner, str_n(text, label.len));
}

static void answer_apex(struct asking *k)
{
    k->exists = true;
    if (wants(k, DNS_SOA))
        dns_answer_soa(k->answer, DNS_ANSWER, k->zone->domain, TTL_S, 1);
    if (wants(k, DNS_NS))
        dns_answer_name(k->answer, DNS_ANSWER, k->zone->domain, TTL_S, DNS_NS,
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
            dns_answer_txt(k->answer, k->owner, VERSION_TTL_S, STR("1.1.0"));
    }
}

/* --- addresses to names --- */

/* "4.3.2.1.in-addr.arpa" to "1.2.3.4". */
static bool reverse_v4(struct str name, char ret[INET6_ADDRSTRLEN])
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
    (void)snprintf(ret, INET6_ADDRSTRLEN, "%u.%u.%u.%u", (unsigned)parts[3], (unsigned)parts[2],
                   (unsigned)parts[1], (unsigned)parts[0]);
    return true;
}

/* 32 digits, the last first, to the address as the API writes it. */
static bool reverse_v6(struct str name, char ret[INET6_ADDRSTRLEN])
{
    static const struct str suffix = STR_INIT(".ip6.arpa");
    unsigned char bytes[16] = { 0 };

    if (!str_has_suffix(name, suffix) || name.len != 63 + suffix.len)
        return false;
    for (size_t i = 0; i < 32; i++) {
        char c = name.p[2 * i];
        unsigned digit = (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0');

        if (digit > 15 || name.p[2 * i + 1] != '.')
            return false;
        bytes[15 - i / 2] |= (unsigned char)(i % 2 ? digit << 4 : digit);
    }
    return inet_ntop(AF_INET6, bytes, ret, INET6_ADDRSTRLEN) != NULL;
}

/* Endpoints with a host name have one name each for their address. */
static void reverse_of_slice(struct asking *k, const struct api_object *slice, struct str ip)
{
    const struct discovery_v1_endpoint_slice *s =
        API_OBJECT(slice, struct discovery_v1_endpoint_slice);
    const struct schema_str_entry *service =
        text_map_find(&slice->meta->labels, STR("kubernetes.io/service-name"));

    for (uint32_t e = 0; service && e < s->endpoints.len; e++) {
        const struct discovery_v1_endpoint *ep = &s->endpoints.items[e];

        if (!ep->hostname.len || !ep->addresses.len || !str_eq(ep->addresses.items[0], ip))
            continue;
        k->exists = true;
        if (wants(k, DNS_PTR))
            dns_answer_name(k->answer, DNS_ANSWER, k->owner, TTL_S, DNS_PTR,
                            arena_printf(&k->arena, "%.*s.%.*s.%.*s.svc.%.*s",
                                         STR_ARG(ep->hostname), STR_ARG(service->value),
                                         STR_ARG(slice->meta->namespace),
                                         STR_ARG(k->zone->domain)));
    }
}

/* False: the address is no Service's or endpoint's. */
static bool answer_reverse(struct asking *k, struct str ip)
{
    const struct api_object *const *found;
    size_t n = informer_by_index(k->zone->services, k->zone->services_of_ip, ip, &found);

    if (n) {
        k->exists = true;
        if (wants(k, DNS_PTR))
            dns_answer_name(k->answer, DNS_ANSWER, k->owner, TTL_S, DNS_PTR,
                            service_name(k, found[0]));
        return true;
    }
    n = informer_by_index(k->zone->slices, k->zone->slices_of_ip, ip, &found);
    for (size_t i = 0; i < n; i++)
        reverse_of_slice(k, found[i], ip);
    return k->exists;
}

/* --- the whole --- */

/* Splits the name below the domain; false: it is not below. */
static bool split(struct asking *k, struct str name)
{
    struct str domain = k->zone->domain, rest, label;

    k->n = 0;
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

/* Where aliases lead, as long as they stay in the zone; a ring of them ends somewhere. */
static enum dns_zone_whose follow(struct asking *k)
{
    for (int i = 0; k->alias.p && k->query->type != DNS_CNAME; i++) {
        k->owner = k->alias;
        k->alias = STR_NULL;
        if (!split(k, k->owner))
            return DNS_ZONE_CHASE;
        if (i == MAX_ALIASES)
            break;
        k->exists = false;
        answer_zone(k);
    }
    return DNS_ZONE_OURS;
}

static enum dns_zone_whose answer(struct asking *k)
{
    struct str name = str_from_cstr(k->query->name);
    char ip[INET6_ADDRSTRLEN];

    if (reverse_v4(name, ip) || reverse_v6(name, ip))
        return answer_reverse(k, str_from_cstr(ip)) ? DNS_ZONE_OURS : DNS_ZONE_NOT_OURS;
    if (!split(k, name))
        return DNS_ZONE_NOT_OURS;
    answer_zone(k);
    return follow(k);
}

void dns_zone_answer(const struct dns_zone *z, const struct dns_query *q, uint32_t seed,
                     struct dns_answer *a, struct dns_zone_result *ret)
{
    struct asking k = { .zone = z, .query = q, .seed = seed, .answer = a };

    ret->whose = answer(&k);
    ret->rcode = k.exists ? DNS_NOERROR : DNS_NXDOMAIN;
    if (ret->whose == DNS_ZONE_CHASE)
        (void)snprintf(ret->target, sizeof(ret->target), "%.*s", STR_ARG(k.owner));
    if (ret->whose == DNS_ZONE_OURS && a->counts[DNS_ANSWER] == k.n_aliases && !a->is_truncated)
        dns_answer_soa(a, DNS_AUTHORITY, z->domain, TTL_S, 1);
    arena_done(&k.arena);
}
