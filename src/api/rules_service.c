/* Rules of Services, in the order in which upstream looks at them. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/rules_internal.h"
#include "api/text_map.h"
#include "api/validation.h"
#include "base/arena.h"

enum { AFFINITY_MAX_SECONDS = 86400, PORT_MAX = 65535 };

#define HINTS  "service.kubernetes.io/topology-aware-hints"
#define MODE   "service.kubernetes.io/topology-mode"
#define RANGES "service.beta.kubernetes.io/load-balancer-source-ranges"

static bool is_type(const struct core_v1_service_spec *s, const char *type)
{
    return str_eq(s->type, str_from_cstr(type));
}

static bool is_headless(const struct core_v1_service_spec *s)
{
    return s->cluster_ips.len == 1 && str_eq(s->cluster_ips.items[0], STR("None"));
}

static bool is_external(const struct core_v1_service_spec *s)
{
    return is_type(s, "LoadBalancer") || is_type(s, "NodePort") ||
           (is_type(s, "ClusterIP") && s->external_ips.len);
}

static bool needs_health_check(const struct core_v1_service_spec *s)
{
    return is_type(s, "LoadBalancer") && str_eq(s->external_traffic_policy, STR("Local"));
}

static struct str print_ips(const struct rule_context *c, const struct core_v1_service_spec *s)
{
    return s->cluster_ips.len ? rule_print_texts(c->arena, s->cluster_ips.items, s->cluster_ips.len)
                              : STR("null");
}

static struct str print_families(const struct rule_context *c, const struct core_v1_service_spec *s)
{
    return rule_print_texts(c->arena, s->ip_families.items, s->ip_families.len);
}

static void invalid_item(const struct rule_context *c, const char *list, size_t i,
                         struct str printed, const char *text)
{
    struct field_path all = field_path_member(c->path, str_from_cstr(list));
    struct field_path at = field_path_index(&all, i);

    field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed, "%s", text);
}

/* A second address comes and goes; the first one stays. */
static void check_changed_ips(const struct rule_context *c, const struct core_v1_service_spec *s,
                              const struct core_v1_service_spec *old)
{
    static const char text[] = "may not change once set";
    uint32_t n = s->cluster_ips.len, was = old->cluster_ips.len;

    if (is_headless(s) && is_headless(old))
        return;
    for (uint32_t i = 0; n == was && i < n; i++)
        if (!str_eq(s->cluster_ips.items[i], old->cluster_ips.items[i]))
            invalid_item(c, "clusterIPs", i, print_ips(c, s), text);
    if (n == was)
        return;
    if (n == 0)
        invalid_item(c, "clusterIPs", 0, print_ips(c, s), "primary clusterIP can not be unset");
    else if (was && !str_eq(s->cluster_ips.items[0], old->cluster_ips.items[0]))
        invalid_item(c, "clusterIPs", 0, print_ips(c, s), text);
    if (was > n && n == 1 && !str_eq(s->ip_family_policy, STR("SingleStack")))
        rule_invalid(c, "ipFamilyPolicy", s->ip_family_policy,
                     "must be set to 'SingleStack' when releasing the secondary clusterIP");
}

static void check_changed_families(const struct rule_context *c,
                                   const struct core_v1_service_spec *s,
                                   const struct core_v1_service_spec *old)
{
    static const char text[] = "may not change once set";
    uint32_t n = s->ip_families.len, was = old->ip_families.len;

    if (is_headless(s) || is_headless(old))
        return;
    for (uint32_t i = 0; n == was && i < n; i++)
        if (!str_eq(s->ip_families.items[i], old->ip_families.items[i]))
            invalid_item(c, "ipFamilies", 0, print_families(c, s), text);
    if (n == was)
        return;
    if (was > n && s->cluster_ips.len == 0)
        invalid_item(c, "ipFamilies", 0, print_families(c, s), "primary ipFamily can not be unset");
    if (n && was && !str_eq(s->ip_families.items[0], old->ip_families.items[0]))
        invalid_item(c, "ipFamilies", 0, print_ips(c, s), text);
    if (was > n && n == 1 && !str_eq(s->ip_family_policy, STR("SingleStack")))
        rule_invalid(c, "ipFamilyPolicy", s->ip_family_policy,
                     "must be set to 'SingleStack' when releasing the secondary ipFamily");
}

static void check_class(const struct rule_context *c, const struct core_v1_service_spec *s,
                        const struct core_v1_service_spec *old)
{
    struct field_path at = field_path_member(c->path, STR("loadBalancerClass"));
    struct str class = s->load_balancer_class;

    if (old && is_type(s, "LoadBalancer") && is_type(old, "LoadBalancer") &&
        (!class.p != !old->load_balancer_class.p || !str_eq(class, old->load_balancer_class))) {
        if (class.p)
            rule_invalid(c, "loadBalancerClass", class, "may not change once set");
        else
            field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, STR("null"),
                                 "may not change once set");
    }
    if (!class.p)
        return;
    if (is_type(s, "LoadBalancer"))
        (void)name_rule_report(c->errs, &at, NAME_RULE_QUALIFIED_NAME, class);
    else
        rule_forbidden(c, "loadBalancerClass", "may only be used when `type` is 'LoadBalancer'");
}

static void check_update(const struct rule_context *c, const struct core_v1_service_spec *s,
                         const struct core_v1_service_spec *old)
{
    if (!is_type(s, "ExternalName") && !is_type(old, "ExternalName")) {
        check_changed_ips(c, s, old);
        check_changed_families(c, s, old);
    }
    check_class(c, s, old);
    if (needs_health_check(s) && needs_health_check(old) &&
        s->health_check_node_port != old->health_check_node_port)
        rule_forbidden(c, "healthCheckNodePort", "field is immutable");
}

/* What its type asks for. */
static void check_type(const struct rule_context *c, const struct core_v1_service_spec *s)
{
    static const char text[] = "may not be set for ExternalName services";
    struct field_path name = field_path_member(c->path, STR("externalName"));
    struct field_path list = field_path_member(c->path, STR("clusterIPs"));
    struct field_path first = field_path_index(&list, 0);
    struct str host = s->external_name;

    if (s->ports.len == 0 && !is_headless(s) && !is_type(s, "ExternalName"))
        rule_required(c, "ports", "");
    if (is_headless(s) && (is_type(s, "LoadBalancer") || is_type(s, "NodePort")))
        field_errors_add_text(c->errs, &first, FIELD_ERROR_INVALID, STR("None"),
                              "may not be set to 'None' for %.*s services", STR_ARG(s->type));
    if (!is_type(s, "ExternalName"))
        return;
    rule_forbid_set(c, c->path, "core/v1.ServiceSpec", s, "clusterIPs|ipFamilies|ipFamilyPolicy",
                    text);
    if (host.len && host.p[host.len - 1] == '.')
        host.len--;
    if (host.len)
        (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_SUBDOMAIN, host);
    else
        field_errors_add(c->errs, &name, FIELD_ERROR_REQUIRED, "");
}

static void rule_service_begin(const struct rule_context *c)
{
    const struct core_v1_service_spec *s = c->data, *old = c->old;
    const struct core_v1_service *svc = c->up->data;
    const struct schema_str_entry *mode = text_map_find(&svc->metadata.annotations, STR(MODE));
    const struct schema_str_entry *hints = text_map_find(&svc->metadata.annotations, STR(HINTS));
    struct field_path meta = field_path_member(c->up->path, STR("metadata"));
    struct field_path annotations = field_path_member(&meta, STR("annotations"));
    struct field_path at = field_path_key(&annotations, STR(MODE));

    c->scratch->seen = ARENA_NEW(c->arena, struct rule_names);
    if (old)
        check_update(c, s, old);
    if (mode && hints && !str_eq(mode->value, hints->value))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, mode->value,
                              "must match annotations[" HINTS "] when both are specified");
    check_type(c, s);
}

static void rule_service_port(const struct rule_context *c)
{
    const struct core_v1_service_port *p = c->data;
    const struct core_v1_service_spec *s = c->up->data;
    struct field_path name = field_path_member(c->path, STR("name"));

    if (p->name.len == 0 && s->ports.len > 1)
        rule_required(c, "name", "");
    if (p->name.len == 0)
        return;
    (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_LABEL, p->name);
    if (!rule_names_add(c, c->scratch->seen, p->name, p))
        field_errors_add_text(c->errs, &name, FIELD_ERROR_DUPLICATE, p->name, "");
}

static void rule_target_port(const struct rule_context *c)
{
    const struct core_v1_service_port *p = c->data;

    rule_check_port(c, "targetPort", &p->target_port);
}

static void rule_session_affinity(const struct rule_context *c)
{
    static const char text[] = "when session affinity type is ClientIP";
    const struct core_v1_service_spec *s = c->data;
    const struct core_v1_session_affinity_config *config = s->session_affinity_config;
    struct field_path at = field_path_member(c->path, STR("sessionAffinityConfig"));
    struct field_path ip = field_path_member(&at, STR("clientIP"));
    struct field_path seconds = field_path_member(&ip, STR("timeoutSeconds"));
    const int32_t *timeout;

    if (str_eq(s->session_affinity, STR("None")) && config)
        rule_forbidden(c, "sessionAffinityConfig", "must not be set when session affinity is None");
    if (!str_eq(s->session_affinity, STR("ClientIP")))
        return;
    timeout = config && config->client_ip ? config->client_ip->timeout_seconds : NULL;
    if (!config)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "%s", text);
    else if (!config->client_ip)
        field_errors_add(c->errs, &ip, FIELD_ERROR_REQUIRED, "%s", text);
    else if (!timeout)
        field_errors_add(c->errs, &seconds, FIELD_ERROR_REQUIRED, "%s", text);
    else if (*timeout <= 0 || *timeout > AFFINITY_MAX_SECONDS)
        field_errors_add_raw(c->errs, &seconds, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "%d", *timeout),
                             "must be greater than 0 and less than %d", AFFINITY_MAX_SECONDS);
}

static void check_families(const struct rule_context *c, const struct core_v1_service_spec *s)
{
    static const struct str known[] = { STR_INIT("IPv4"), STR_INIT("IPv6") };
    struct field_path list = field_path_member(c->path, STR("ipFamilies"));

    for (uint32_t i = 0; i < s->ip_families.len; i++) {
        struct field_path at = field_path_index(&list, i);
        struct str family = s->ip_families.items[i];
        bool seen = false;

        if (!str_eq(family, known[0]) && !str_eq(family, known[1]))
            field_errors_add_unsupported(c->errs, &at, family, known, ARRAY_LEN(known));
        for (uint32_t k = 0; k < i && k < 2; k++)
            seen |= str_eq(family, s->ip_families.items[k]);
        if (seen)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, family, "");
    }
}

/* false: one of them is no address. */
static bool check_each_ip(const struct rule_context *c, const struct core_v1_service_spec *s)
{
    struct field_path list = field_path_member(c->path, STR("clusterIPs"));
    bool ok = true;

    for (uint32_t i = 0; i < s->cluster_ips.len; i++) {
        struct field_path at = field_path_index(&list, i);

        if (i || !str_eq(s->cluster_ips.items[i], STR("None"))) {
            ok &= name_rule_report(c->errs, &at, NAME_RULE_IP, s->cluster_ips.items[i]);
        } else if (s->cluster_ips.len > 1) {
            ok = false;
            field_errors_add_raw(c->errs, &list, FIELD_ERROR_INVALID, print_ips(c, s),
                                 "'None' must be the first and only value");
        }
    }
    if (s->cluster_ips.len > 2)
        field_errors_add_raw(c->errs, &list, FIELD_ERROR_INVALID, print_ips(c, s),
                             "may only hold up to 2 values");
    return ok;
}

static int family_of(struct str ip)
{
    struct name_ip parsed;

    return name_ip_parse(ip, &parsed) ? parsed.family : 0;
}

static void check_ips_match(const struct rule_context *c, const struct core_v1_service_spec *s)
{
    struct field_path list = field_path_member(c->path, STR("clusterIPs"));

    if (s->cluster_ips.len == 2 &&
        family_of(s->cluster_ips.items[0]) == family_of(s->cluster_ips.items[1]))
        field_errors_add_raw(c->errs, &list, FIELD_ERROR_INVALID, print_ips(c, s),
                             "may specify no more than one IP for each IP family");
    for (uint32_t i = 0; i < s->cluster_ips.len && i < s->ip_families.len && !is_headless(s); i++) {
        struct field_path at = field_path_index(&list, i);
        int want = str_eq(s->ip_families.items[i], STR("IPv4"))   ? 4
                   : str_eq(s->ip_families.items[i], STR("IPv6")) ? 6
                                                                  : 0;

        if (want && family_of(s->cluster_ips.items[i]) != want)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, s->cluster_ips.items[i],
                                  "expected an IPv%d value as indicated by `ipFamilies[%u]`", want,
                                  i);
    }
}

static void rule_cluster_ips(const struct rule_context *c)
{
    const struct core_v1_service_spec *s = c->data;
    struct field_path list = field_path_member(c->path, STR("clusterIPs"));

    if (is_type(s, "ExternalName"))
        return;
    if (s->cluster_ip.len && s->cluster_ips.len == 0)
        rule_required(c, "clusterIPs", "");
    else if (s->cluster_ip.len && !str_eq(s->cluster_ips.items[0], s->cluster_ip))
        field_errors_add_raw(c->errs, &list, FIELD_ERROR_INVALID, print_ips(c, s),
                             "first value must match `clusterIP`");
    else if (s->cluster_ip.len == 0 && s->cluster_ips.len)
        field_errors_add_raw(c->errs, &list, FIELD_ERROR_INVALID, print_ips(c, s),
                             "must be empty when `clusterIP` is not specified");
    check_families(c, s);
    if (s->ip_family_policy.p && !str_eq(s->ip_family_policy, STR("PreferDualStack")) &&
        !str_eq(s->ip_family_policy, STR("RequireDualStack")) &&
        !str_eq(s->ip_family_policy, STR("SingleStack")))
        rule_unsupported(c, "ipFamilyPolicy", s->ip_family_policy,
                         "PreferDualStack|RequireDualStack|SingleStack");
    if (check_each_ip(c, s))
        check_ips_match(c, s);
}

static void rule_external_ips(const struct rule_context *c)
{
    const struct core_v1_service_spec *s = c->data;
    struct field_path list = field_path_member(c->path, STR("externalIPs"));

    for (uint32_t i = 0; i < s->external_ips.len; i++) {
        struct field_path at = field_path_index(&list, i);

        if (name_rule_report(c->errs, &at, NAME_RULE_IP, s->external_ips.items[i]))
            rule_check_endpoint_ip(c, &at, s->external_ips.items[i]);
    }
}

/* Ports of the node, and ports at all, are there once for each protocol. */
static void rule_ports_unique(const struct rule_context *c)
{
    const struct core_v1_service_spec *s = c->data;
    struct field_path list = field_path_member(c->path, STR("ports"));
    struct rule_names nodes = { 0 }, ports = { 0 };

    rule_names_done(c->scratch->seen); /* the ports were walked */
    for (uint32_t i = 0; i < s->ports.len; i++) {
        const struct core_v1_service_port *p = &s->ports.items[i];
        struct field_path item = field_path_index(&list, i);
        struct field_path at = field_path_member(&item, STR("nodePort"));

        if (p->node_port && is_type(s, "ClusterIP"))
            field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN,
                             "may not be used when `type` is 'ClusterIP'");
    }
    for (uint32_t i = 0; i < s->ports.len; i++) {
        const struct core_v1_service_port *p = &s->ports.items[i];
        struct field_path item = field_path_index(&list, i);
        struct field_path at = field_path_member(&item, STR("nodePort"));

        if (p->node_port &&
            !rule_names_add(c, &nodes,
                            arena_printf(c->arena, "%.*s/%d", STR_ARG(p->protocol), p->node_port),
                            p))
            field_errors_add_raw(c->errs, &at, FIELD_ERROR_DUPLICATE,
                                 arena_printf(c->arena, "%d", p->node_port), "");
    }
    for (uint32_t i = 0; i < s->ports.len; i++) {
        const struct core_v1_service_port *p = &s->ports.items[i];
        struct field_path item = field_path_index(&list, i);
        struct core_v1_service_port key = { .protocol = p->protocol, .port = p->port };

        key.target_port.type = INT_OR_STRING_INT;
        if (!rule_names_add(c, &ports,
                            arena_printf(c->arena, "%.*s/%d", STR_ARG(p->protocol), p->port), p))
            field_errors_add_raw(c->errs, &item, FIELD_ERROR_DUPLICATE,
                                 rule_print_internal(c->arena, "core/v1.ServicePort", &key), "");
    }
    rule_names_done(&nodes);
    rule_names_done(&ports);
}

static void check_ranges_annotation(const struct rule_context *c,
                                    const struct core_v1_service_spec *s)
{
    const struct core_v1_service *svc = c->up->data;
    const struct schema_str_entry *e = text_map_find(&svc->metadata.annotations, STR(RANGES));
    struct field_path meta = field_path_member(c->up->path, STR("metadata"));
    struct field_path annotations = field_path_member(&meta, STR("annotations"));
    struct field_path at = field_path_key(&annotations, STR(RANGES));
    struct str rest, range;

    if (!e)
        return;
    if (!is_type(s, "LoadBalancer"))
        field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN,
                         "may only be used when `type` is 'LoadBalancer'");
    rest = str_trim(e->value);
    while (rest.len && str_next(&rest, ',', &range))
        (void)name_rule_report(c->errs, &at, NAME_RULE_CIDR, str_trim(range));
}

static void rule_load_balancer(const struct rule_context *c)
{
    static const char text[] = "may only be used when `type` is 'LoadBalancer'";
    const struct core_v1_service_spec *s = c->data;
    struct field_path list = field_path_member(c->path, STR("LoadBalancerSourceRanges"));
    struct field_path allocate = { .name = STR("allocateLoadBalancerNodePorts"), .index = -1 };
    bool balanced = is_type(s, "LoadBalancer");

    if (s->load_balancer_source_ranges.len && !balanced)
        field_errors_add(c->errs, &list, FIELD_ERROR_FORBIDDEN, "%s", text);
    for (uint32_t i = 0; i < s->load_balancer_source_ranges.len; i++) {
        struct field_path at = field_path_index(&list, i);

        (void)name_rule_report(c->errs, &at, NAME_RULE_CIDR,
                               str_trim(s->load_balancer_source_ranges.items[i]));
    }
    if (s->load_balancer_source_ranges.len == 0)
        check_ranges_annotation(c, s);
    if (s->allocate_load_balancer_node_ports && !balanced)
        rule_forbidden(c, "allocateLoadBalancerNodePorts", text);
    if (!s->allocate_load_balancer_node_ports && balanced)
        field_errors_add(c->errs, &allocate, FIELD_ERROR_REQUIRED, "");
    check_class(c, s, NULL);
}

static void check_health_port(const struct rule_context *c, const struct core_v1_service_spec *s)
{
    int32_t port = s->health_check_node_port;

    if (!needs_health_check(s)) {
        if (port)
            rule_invalid_number(c, "healthCheckNodePort", port,
                                "may only be set when `type` is 'LoadBalancer' and "
                                "`externalTrafficPolicy` is 'Local'");
    } else if (port < 0 || port > PORT_MAX) {
        rule_invalid_number(c, "healthCheckNodePort", port,
                            "must be between 1 and 65535, inclusive");
    }
}

static void rule_traffic(const struct rule_context *c)
{
    const struct core_v1_service_spec *s = c->data;

    if (!is_external(s)) {
        if (s->external_traffic_policy.len)
            rule_invalid(c, "externalTrafficPolicy", s->external_traffic_policy,
                         "may only be set for externally-accessible services");
    } else if (s->external_traffic_policy.len == 0) {
        rule_required(c, "externalTrafficPolicy", "");
    } else if (!str_eq(s->external_traffic_policy, STR("Cluster")) &&
               !str_eq(s->external_traffic_policy, STR("Local"))) {
        rule_unsupported(c, "externalTrafficPolicy", s->external_traffic_policy, "Cluster|Local");
    }
    check_health_port(c, s);
    if (!s->internal_traffic_policy.p &&
        (is_type(s, "NodePort") || is_type(s, "LoadBalancer") || is_type(s, "ClusterIP")))
        rule_required(c, "internalTrafficPolicy", "");
}

static void rule_balancer_status(const struct rule_context *c)
{
    const struct core_v1_load_balancer_status *s = c->data;
    const struct core_v1_service *svc = c->request->object.data;

    if (!str_eq(svc->spec.type, STR("LoadBalancer")) && s->ingress.len)
        rule_forbidden(c, "ingress", "may only be used when `spec.type` is 'LoadBalancer'");
    else
        rule_below(c, "ingress");
}

static void rule_balancer_ingress(const struct rule_context *c)
{
    const struct core_v1_load_balancer_ingress *i = c->data;
    struct field_path ip = field_path_member(c->path, STR("ip"));
    struct field_path host = field_path_member(c->path, STR("hostname"));
    struct name_ip parsed;

    if (i->ip.len)
        (void)name_rule_report(c->errs, &ip, NAME_RULE_IP, i->ip);
    if (!i->ip_mode.p && i->ip.len)
        rule_required(c, "ipMode", "must be specified when `ip` is set");
    else if (i->ip_mode.p && i->ip.len == 0)
        rule_forbidden(c, "ipMode", "may not be specified when `ip` is not set");
    else if (i->ip_mode.p && !str_eq(i->ip_mode, STR("Proxy")) && !str_eq(i->ip_mode, STR("VIP")))
        rule_unsupported(c, "ipMode", i->ip_mode, "Proxy|VIP");
    if (i->hostname.len == 0)
        return;
    (void)name_rule_report(c->errs, &host, NAME_RULE_DNS1123_SUBDOMAIN, i->hostname);
    if (name_ip_parse(i->hostname, &parsed))
        rule_invalid(c, "hostname", i->hostname, "must be a DNS name, not an IP address");
}

#define SVC  "core/v1.ServiceSpec"
#define PORT "core/v1.ServicePort"

const struct rule rules_service[] = {
    { .type = SVC, .check = RULE_FN, .fn = rule_service_begin },
    { SVC, "ports", RULE_BELOW },
    { SVC, "selector", RULE_LABELS },
    { SVC, "sessionAffinity", RULE_ENUM, .text = "ClientIP|None" },
    { .type = SVC, .check = RULE_FN, .fn = rule_session_affinity },
    { .type = SVC, .check = RULE_FN, .fn = rule_cluster_ips },
    { .type = SVC, .check = RULE_FN, .fn = rule_external_ips },
    { SVC, "type", RULE_ENUM, .text = "ClusterIP|ExternalName|LoadBalancer|NodePort" },
    { .type = SVC, .check = RULE_FN, .fn = rule_ports_unique },
    { .type = SVC, .check = RULE_FN, .fn = rule_load_balancer },
    { .type = SVC, .check = RULE_FN, .fn = rule_traffic },
    { SVC, "internalTrafficPolicy", RULE_ENUM_SET, .text = "Cluster|Local" },
    { SVC, "trafficDistribution", RULE_ENUM_SET,
      .text = "PreferClose|PreferSameZone|PreferSameNode" },
    { .type = PORT, .check = RULE_FN, .fn = rule_service_port },
    { PORT, "port", RULE_NUMBER, .min = 1, .max = 65535 },
    { PORT, "protocol", RULE_ENUM, .text = "SCTP|TCP|UDP" },
    { .type = PORT, .check = RULE_FN, .fn = rule_target_port },
    { PORT, "appProtocol", RULE_NAME_SET, .min = NAME_RULE_QUALIFIED_NAME },
    { .type = "core/v1.LoadBalancerStatus",
      .check = RULE_BELOW,
      .fn = rule_balancer_status,
      .order = "ingress" },
    { .type = "core/v1.LoadBalancerIngress", .check = RULE_FN, .fn = rule_balancer_ingress },
    { 0 },
};
