/* Rules of networking.k8s.io. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/networking_v1.h"
#include "api/rules_internal.h"
#include "api/text_map.h"
#include "base/arena.h"

static bool is_ip(struct str text)
{
    struct name_ip ip;

    return name_ip_parse(text, &ip);
}

/* A host name, wild or not. */
static void check_host(const struct rule_context *c, const struct field_path *at, struct str host)
{
    (void)name_rule_report(c->errs, at,
                           str_find(host, '*') >= 0 ? NAME_RULE_WILDCARD_DNS1123_SUBDOMAIN
                                                    : NAME_RULE_DNS1123_SUBDOMAIN,
                           host);
}

static void rule_ingress(const struct rule_context *c)
{
    const struct networking_v1_ingress *i = c->data;
    struct field_path annotations = field_path_member(c->path, STR("annotations"));
    struct field_path at = field_path_member(&annotations, STR("kubernetes.io/ingress.class"));
    const struct schema_str_entry *e =
        text_map_find(&i->metadata.annotations, STR("kubernetes.io/ingress.class"));

    if (!c->old && e && i->spec.ingress_class_name.p &&
        !str_eq(e->value, i->spec.ingress_class_name))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, e->value,
                              "must match `ingressClassName` when both are specified");
}

static void rule_ingress_spec(const struct rule_context *c)
{
    const struct networking_v1_ingress_spec *s = c->data;
    struct field_path name = field_path_member(c->path, STR("ingressClassName"));

    if (s->rules.len == 0 && !s->default_backend)
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID,
                             s->rules.items ? STR("[]") : STR("null"),
                             "either `defaultBackend` or `rules` must be specified");
    if (s->ingress_class_name.p)
        (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_SUBDOMAIN, s->ingress_class_name);
}

static void rule_ingress_tls(const struct rule_context *c)
{
    const struct networking_v1_ingress_tls *t = c->data;
    struct field_path hosts = field_path_member(c->path, STR("hosts"));

    for (uint32_t i = 0; i < t->hosts.len; i++) {
        struct field_path item = field_path_index(&hosts, i);

        check_host(c, &item, t->hosts.items[i]);
    }
}

static void rule_ingress_rule(const struct rule_context *c)
{
    const struct networking_v1_ingress_rule *r = c->data;
    struct field_path host = field_path_member(c->path, STR("host"));

    if (r->host.len == 0)
        return;
    if (is_ip(r->host))
        rule_invalid(c, "host", r->host, "must be a DNS name, not an IP address");
    check_host(c, &host, r->host);
}

static void check_path_text(const struct rule_context *c, struct str path)
{
    static const char *const parts[] = { "//", "/./", "/../", "%2f", "%2F" };
    static const char *const ends[] = { "/..", "/." };
    struct field_path at = field_path_member(c->path, STR("path"));

    if (!str_has_prefix(path, STR("/")))
        rule_invalid(c, "path", path, "must be an absolute path");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (str_contains(path, str_from_cstr(parts[i])))
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, path, "must not contain '%s'",
                                  parts[i]);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_has_suffix(path, str_from_cstr(ends[i])))
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, path, "cannot end with '%s'",
                                  ends[i]);
}

static void rule_http_path(const struct rule_context *c)
{
    const struct networking_v1_http_ingress_path *p = c->data;

    if (str_eq(p->path_type, STR("Exact")) || str_eq(p->path_type, STR("Prefix")))
        check_path_text(c, p->path);
    else if (str_eq(p->path_type, STR("ImplementationSpecific")) && p->path.len &&
             p->path.p[0] != '/')
        rule_invalid(c, "path", p->path, "must be an absolute path");
}

static void check_backend_port(const struct rule_context *c,
                               const struct networking_v1_service_backend_port *port)
{
    struct field_path service = field_path_member(c->path, STR("service"));
    struct field_path at = field_path_member(&service, STR("port"));
    struct field_path name = field_path_member(&at, STR("name"));
    struct rule_context below = *c;

    below.path = &at;
    if (port->name.len && port->number)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR(""),
                              "cannot set both port name & port number");
    else if (port->name.len)
        (void)name_rule_report(c->errs, &name, NAME_RULE_PORT_NAME, port->name);
    else if (!port->number)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED, "port name or number is required");
    else if (port->number < 1 || port->number > 65535)
        rule_invalid_number(&below, "number", port->number,
                            "must be between 1 and 65535, inclusive");
}

/* A path without a type is not looked at any further. */
static void rule_path_backend(const struct rule_context *c)
{
    const struct networking_v1_http_ingress_path *p = c->data;

    if (p->path_type.p)
        rule_below(c, "backend");
}

static void rule_backend_resource(const struct rule_context *c)
{
    const struct networking_v1_ingress_backend *b = c->data;

    if (!b->service)
        rule_below(c, "resource");
}

static void rule_backend(const struct rule_context *c)
{
    const struct networking_v1_ingress_backend *b = c->data;
    struct field_path service = field_path_member(c->path, STR("service"));
    struct field_path name = field_path_member(&service, STR("name"));

    if (b->resource && b->service)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR(""),
                              "cannot set both resource and service backends");
    else if (!b->resource && !b->service)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR(""),
                              "resource or service backend is required");
    if (b->resource || !b->service)
        return;
    if (b->service->name.len == 0)
        field_errors_add(c->errs, &name, FIELD_ERROR_REQUIRED, "");
    else
        (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_LABEL, b->service->name);
    check_backend_port(c, &b->service->port);
}

static void rule_typed_reference(const struct rule_context *c)
{
    const struct core_v1_typed_local_object_reference *r = c->data;

    rule_check_kind(c, "kind", r->kind);
    rule_check_kind(c, "name", r->name);
}

static void rule_load_balancer_ingress(const struct rule_context *c)
{
    const struct networking_v1_ingress_load_balancer_ingress *i = c->data;

    if (i->hostname.len && is_ip(i->hostname))
        rule_invalid(c, "hostname", i->hostname, "must be a DNS name, not an IP address");
}

static void rule_class_spec(const struct rule_context *c)
{
    const struct networking_v1_ingress_class_spec *s = c->data;

    rule_check_prefixed_path(c, "controller", s->controller);
}

static void rule_class_parameters(const struct rule_context *c)
{
    const struct networking_v1_ingress_class_parameters_reference *p = c->data;
    bool cluster = str_eq(p->scope, STR("Cluster"));
    struct field_path namespace = field_path_member(c->path, STR("namespace"));

    rule_check_kind(c, "kind", p->kind);
    rule_check_kind(c, "name", p->name);
    if (!cluster && !str_eq(p->scope, STR("Namespace")))
        return;
    if (cluster && p->namespace.p)
        rule_forbidden(c, "namespace", "`parameters.scope` is set to 'Cluster'");
    else if (!cluster && !p->namespace.p)
        rule_required(c, "namespace", "`parameters.scope` is set to 'Namespace'");
    else if (!cluster)
        (void)name_rule_report(c->errs, &namespace, NAME_RULE_DNS1123_LABEL, p->namespace);
}

static void rule_policy_port(const struct rule_context *c)
{
    const struct networking_v1_network_policy_port *p = c->data;
    bool is_name = p->port.type == INT_OR_STRING_STRING;

    if (p->end_port && is_name)
        rule_invalid_number(c, "endPort", *p->end_port,
                            "may not be specified when `port` is non-numeric");
    if (p->end_port && p->port.type == INT_OR_STRING_UNSET)
        rule_invalid_number(c, "endPort", *p->end_port,
                            "may not be specified when `port` is not specified");
    if (p->port.type != INT_OR_STRING_UNSET)
        rule_check_port(c, "port", &p->port);
    if (!p->end_port || p->port.type != INT_OR_STRING_INT)
        return;
    if (*p->end_port < p->port.i)
        rule_invalid_number(c, "endPort", p->port.i, "must be greater than or equal to `port`");
    if (*p->end_port < 1 || *p->end_port > 65535)
        rule_invalid_number(c, "endPort", *p->end_port, "must be between 1 and 65535, inclusive");
}

static void rule_policy_peer(const struct rule_context *c)
{
    const struct networking_v1_network_policy_peer *p = c->data;

    if (!p->pod_selector && !p->namespace_selector && !p->ip_block)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED, "must specify a peer");
    else if (p->ip_block && (p->pod_selector || p->namespace_selector))
        field_errors_add(c->errs, c->path, FIELD_ERROR_FORBIDDEN,
                         "may not specify both ipBlock and another peer");
}

static bool prefix_holds(const struct name_ip *net, int len, const struct name_ip *ip)
{
    int whole = len / 8, bits = len % 8;
    uint8_t mask = (uint8_t)(0xff00 >> bits);

    return net->family == ip->family && memcmp(net->bytes, ip->bytes, (size_t)whole) == 0 &&
           (bits == 0 || ((net->bytes[whole] ^ ip->bytes[whole]) & mask) == 0);
}

static void rule_ip_block(const struct rule_context *c)
{
    const struct networking_v1_ip_block *b = c->data;
    struct field_path except = field_path_member(c->path, STR("except"));
    struct name_ip net, part;
    int len, part_len;

    if (!name_cidr_parse(b->cidr, &net, &len))
        return;
    for (uint32_t i = 0; i < b->except.len; i++) {
        struct field_path item = field_path_index(&except, i);

        if (name_rule_report(c->errs, &item, NAME_RULE_CIDR, b->except.items[i]) &&
            name_cidr_parse(b->except.items[i], &part, &part_len) &&
            (!prefix_holds(&net, len, &part) || len >= part_len))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, b->except.items[i],
                                  "must be a strict subset of `cidr`");
    }
}

static void rule_policy_spec(const struct rule_context *c)
{
    const struct networking_v1_network_policy_spec *s = c->data;
    struct field_path types = field_path_member(c->path, STR("policyTypes"));

    if (s->policy_types.len > 2)
        field_errors_add_raw(c->errs, &types, FIELD_ERROR_INVALID,
                             rule_print_texts(c->arena, s->policy_types.items, s->policy_types.len),
                             "may not specify more than two policyTypes");
}

static void rule_parent_reference(const struct rule_context *c)
{
    const struct networking_v1_parent_reference *r = c->data;

    rule_check_kind(c, "resource", r->resource);
    rule_check_kind(c, "name", r->name);
}

static void check_cidrs(const struct rule_context *c,
                        const struct networking_v1_service_cidr_spec *s)
{
    struct field_path at = field_path_member(c->path, STR("cidrs"));
    struct str printed = rule_print_texts(c->arena, s->cidrs.items, s->cidrs.len);
    struct name_ip a, b;
    int len;

    if (s->cidrs.len == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "at least one CIDR required");
    if (s->cidrs.len > 2)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "{\"CIDRs\":%.*s}", STR_ARG(printed)),
                             "may only hold up to 2 values");
    for (uint32_t i = 0; s->cidrs.len <= 2 && i < s->cidrs.len; i++) {
        struct field_path item = field_path_index(&at, i);

        (void)name_rule_report(c->errs, &item, NAME_RULE_CIDR, s->cidrs.items[i]);
    }
    if (s->cidrs.len == 2 && name_cidr_parse(s->cidrs.items[0], &a, &len) &&
        name_cidr_parse(s->cidrs.items[1], &b, &len) && a.family == b.family)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed,
                             "may specify no more than one IP for each IP family, i.e "
                             "192.168.0.0/24 and 2001:db8::/64");
}

/* The ranges stay; a second one may join. */
static void rule_service_cidr_spec(const struct rule_context *c)
{
    const struct networking_v1_service_cidr_spec *s = c->data, *old = c->old;
    struct field_path at = field_path_member(c->path, STR("cidrs"));

    bool grown = old && old->cidrs.len == 1 && s->cidrs.len == 2;

    if (!old) {
        check_cidrs(c, s);
        return;
    }
    if (old->cidrs.len != s->cidrs.len && !(old->cidrs.len == 1 && s->cidrs.len == 2)) {
        field_errors_add_raw(
            c->errs, &at, FIELD_ERROR_INVALID,
            s->cidrs.items ? rule_print_texts(c->arena, s->cidrs.items, s->cidrs.len) : STR("null"),
            "field is immutable");
        return;
    }
    for (uint32_t i = 0; i < old->cidrs.len; i++) {
        struct field_path item = field_path_index(&at, i);

        if (!str_eq(old->cidrs.items[i], s->cidrs.items[i]))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, s->cidrs.items[i],
                                  "field is immutable");
    }
    if (grown)
        check_cidrs(c, s);
}

#define N "networking.k8s.io/v1."

const struct rule rules_networking[] = {
    { .type = N "Ingress", .check = RULE_FN, .fn = rule_ingress },
    { .type = N "IngressSpec", .check = RULE_FN, .fn = rule_ingress_spec },
    { .type = N "IngressTLS", .check = RULE_FN, .fn = rule_ingress_tls },
    { N "IngressTLS", "secretName", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { .type = N "IngressRule", .check = RULE_FN, .fn = rule_ingress_rule },
    { N "HTTPIngressRuleValue", "paths", RULE_REQUIRED },
    { N "HTTPIngressPath", "pathType", RULE_REQUIRED, .text = "pathType must be specified" },
    { N "HTTPIngressPath", "pathType", RULE_ENUM_SET,
      .text = "Exact|ImplementationSpecific|Prefix" },
    { .type = N "HTTPIngressPath", .check = RULE_FN, .fn = rule_http_path },
    { N "HTTPIngressPath", "backend", RULE_BELOW, .fn = rule_path_backend },
    { N "IngressBackend", "resource", RULE_BELOW, .fn = rule_backend_resource },
    { .type = N "IngressBackend", .check = RULE_FN, .fn = rule_backend },
    { "core/v1.TypedLocalObjectReference", "apiGroup", RULE_NAME_SET,
      .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { .type = "core/v1.TypedLocalObjectReference", .check = RULE_FN, .fn = rule_typed_reference },
    { N "IngressLoadBalancerIngress", "ip", RULE_NAME, .min = NAME_RULE_IP },
    { N "IngressLoadBalancerIngress", "hostname", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { .type = N "IngressLoadBalancerIngress", .check = RULE_FN, .fn = rule_load_balancer_ingress },
    { N "IngressClassSpec", "controller", RULE_IMMUTABLE },
    { N "IngressClassSpec", "controller", RULE_MAX_BYTES, .max = 250 },
    { .type = N "IngressClassSpec", .check = RULE_FN, .fn = rule_class_spec },
    { N "IngressClassParametersReference", "apiGroup", RULE_NAME_SET,
      .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { N "IngressClassParametersReference", "scope", RULE_ENUM_SET, .text = "Cluster|Namespace" },
    { .type = N "IngressClassParametersReference", .check = RULE_FN, .fn = rule_class_parameters },
    { N "NetworkPolicyPort", "protocol", RULE_ENUM_SET, .text = "TCP|UDP|SCTP" },
    { .type = N "NetworkPolicyPort", .check = RULE_FN, .fn = rule_policy_port },
    { N "NetworkPolicyPeer", "podSelector", RULE_BELOW },
    { N "NetworkPolicyPeer", "namespaceSelector", RULE_BELOW },
    { N "NetworkPolicyPeer", "ipBlock", RULE_BELOW },
    { .type = N "NetworkPolicyPeer", .check = RULE_FN, .fn = rule_policy_peer },
    { N "IPBlock", "cidr", RULE_REQUIRED },
    { N "IPBlock", "cidr", RULE_NAME, .min = NAME_RULE_CIDR },
    { .type = N "IPBlock", .check = RULE_FN, .fn = rule_ip_block },
    { .type = N "NetworkPolicySpec", .check = RULE_FN, .fn = rule_policy_spec },
    { N "NetworkPolicySpec", "policyTypes", RULE_ENUM, .text = "Ingress|Egress" },
    { N "IPAddressSpec", "parentRef", RULE_REQUIRED },
    { N "IPAddressSpec", "parentRef", RULE_BELOW },
    { N "IPAddressSpec", "parentRef", RULE_IMMUTABLE },
    { N "ParentReference", "group", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { N "ParentReference", "namespace", RULE_NAME, .min = NAME_RULE_PATH_SEGMENT },
    { .type = N "ParentReference", .check = RULE_FN, .fn = rule_parent_reference },
    { .type = N "ServiceCIDRSpec", .check = RULE_FN, .fn = rule_service_cidr_spec },
    { 0 },
};
