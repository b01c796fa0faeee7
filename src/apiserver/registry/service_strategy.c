/* Services: address families by policy, and what an update that says nothing keeps. Addresses and
 * ports themselves are taken in service_allocation.c, once the object is valid. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/service_allocation.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"

static bool is_external_name(const struct core_v1_service *svc)
{
    return str_eq(svc->spec.type, STR("ExternalName"));
}

static void set_families(struct api_request *r, struct core_v1_service_spec *s, struct str first,
                         struct str second)
{
    struct str *items = ARENA_NEW_ARRAY(r->arena, struct str, 2);

    items[0] = first;
    items[1] = second;
    s->ip_families.items = items;
    s->ip_families.len = second.len ? 2 : 1;
}

static struct str other_family(struct str family)
{
    return str_eq(family, STR("IPv4")) ? STR("IPv6") : STR("IPv4");
}

/* Which families the Service gets, and its policy, from what it says and what the cluster has. */
static void default_families(struct api_request *r, struct core_v1_service *svc)
{
    const struct service_ranges *ranges = &r->server->service_ranges;
    struct core_v1_service_spec *s = &svc->spec;
    struct str first, second = STR_NULL;
    bool headless = str_eq(s->cluster_ip, STR("None"));

    if (is_external_name(svc))
        return;
    if (s->cluster_ip.len && !s->cluster_ips.len) {
        s->cluster_ips.items = arena_dup(r->arena, &s->cluster_ip, sizeof(struct str));
        s->cluster_ips.len = 1;
    }
    first = s->ip_families.len ? s->ip_families.items[0] : STR_NULL;
    if (!first.len && s->cluster_ips.len && !headless)
        first = ip_range_family_of(s->cluster_ips.items[0]);
    if (!first.len)
        first = ip_range_family(&ranges->ranges[0]);
    if (s->ip_families.len > 1)
        second = s->ip_families.items[1];
    else if (s->cluster_ips.len > 1)
        second = ip_range_family_of(s->cluster_ips.items[1]);
    if (!s->ip_family_policy.len) {
        if (headless && !s->selector.len && !s->ip_families.len)
            second = other_family(first);
        s->ip_family_policy = second.len ? STR("RequireDualStack") : STR("SingleStack");
    }
    if (!str_eq(s->ip_family_policy, STR("SingleStack")) && !second.len &&
        (ranges->n > 1 || (headless && !s->selector.len)))
        second = other_family(first);
    set_families(r, s, first, second);
}

static void prepare_create(struct api_request *r, struct object o)
{
    default_families(r, o.data);
}

/* --- updates --- */

/* An update that leaves out what the server chose keeps it. */
static void keep_allocated(struct api_request *r, struct core_v1_service *svc,
                           const struct core_v1_service *was)
{
    struct core_v1_service_spec *s = &svc->spec;

    if (!is_external_name(svc) && !is_external_name(was)) {
        if (!s->cluster_ip.len)
            s->cluster_ip = was->spec.cluster_ip;
        if (!s->cluster_ips.len && str_eq(s->cluster_ip, was->spec.cluster_ip)) {
            s->cluster_ips.items = was->spec.cluster_ips.items;
            s->cluster_ips.len = was->spec.cluster_ips.len;
        }
        if (!s->ip_family_policy.len)
            s->ip_family_policy = was->spec.ip_family_policy;
        if (!s->ip_families.len) {
            s->ip_families.items = was->spec.ip_families.items;
            s->ip_families.len = was->spec.ip_families.len;
        }
    }
    if (service_has_health_port(svc) && service_has_health_port(was) && !s->health_check_node_port)
        s->health_check_node_port = was->spec.health_check_node_port;
    if (!service_has_node_ports(svc) || !service_has_node_ports(was) || !s->ports.len)
        return;
    s->ports.items = arena_dup(r->arena, s->ports.items, s->ports.len * sizeof(*s->ports.items));
    for (uint32_t i = 0; i < s->ports.len; i++)
        for (uint32_t k = 0; k < was->spec.ports.len && !s->ports.items[i].node_port; k++) {
            const struct core_v1_service_port *old = &was->spec.ports.items[k];

            if (old->port == s->ports.items[i].port &&
                str_eq(old->protocol, s->ports.items[i].protocol))
                s->ports.items[i].node_port = old->node_port;
        }
}

static bool is_load_balancer(const struct core_v1_service *svc)
{
    return str_eq(svc->spec.type, STR("LoadBalancer"));
}

static bool same_strs(const struct str *a, uint32_t n, const struct str *b, uint32_t n_b)
{
    for (uint32_t i = 0; n == n_b && i < n; i++)
        if (!str_eq(a[i], b[i]))
            return false;
    return n == n_b;
}

static bool same_addresses(const struct core_v1_service_spec *a,
                           const struct core_v1_service_spec *b)
{
    return same_strs(a->cluster_ips.items, a->cluster_ips.len, b->cluster_ips.items,
                     b->cluster_ips.len);
}

static bool has_node_port(const struct core_v1_service_spec *s, int32_t port)
{
    for (uint32_t i = 0; i < s->ports.len; i++)
        if (s->ports.items[i].node_port == port)
            return true;
    return false;
}

/* Ports may go, but no node port is new. */
static bool has_no_new_node_ports(const struct core_v1_service_spec *s,
                                  const struct core_v1_service_spec *was)
{
    for (uint32_t i = 0; i < s->ports.len; i++)
        if (s->ports.items[i].node_port && !has_node_port(was, s->ports.items[i].node_port))
            return false;
    return true;
}

static bool is_for_outsiders(const struct core_v1_service *svc)
{
    return is_load_balancer(svc) || str_eq(svc->spec.type, STR("NodePort")) ||
           (str_eq(svc->spec.type, STR("ClusterIP")) && svc->spec.external_ips.len);
}

static void drop_addresses(struct core_v1_service_spec *s, const struct core_v1_service_spec *was)
{
    if (same_addresses(s, was) && str_eq(s->cluster_ip, was->cluster_ip)) {
        s->cluster_ip = STR_NULL;
        s->cluster_ips.items = NULL;
        s->cluster_ips.len = 0;
    }
    if (same_strs(s->ip_families.items, s->ip_families.len, was->ip_families.items,
                  was->ip_families.len)) {
        s->ip_families.items = NULL;
        s->ip_families.len = 0;
    }
    if (str_eq(s->ip_family_policy, was->ip_family_policy))
        s->ip_family_policy = STR_NULL;
}

static void drop_of_load_balancer(struct core_v1_service_spec *s,
                                  const struct core_v1_service_spec *was)
{
    const bool *now = s->allocate_load_balancer_node_ports,
               *then = was->allocate_load_balancer_node_ports;

    if (now && then && *now == *then)
        s->allocate_load_balancer_node_ports = NULL;
    if (str_eq(s->load_balancer_class, was->load_balancer_class))
        s->load_balancer_class = STR_NULL;
}

/* What belongs to a type that the Service no longer is goes, unless the client changed it. */
static void drop_of_type(struct api_request *r, struct core_v1_service *svc,
                         const struct core_v1_service *was)
{
    struct core_v1_service_spec *s = &svc->spec;

    if (is_external_name(svc) && !is_external_name(was))
        drop_addresses(s, &was->spec);
    if (service_has_health_port(was) && !service_has_health_port(svc) &&
        s->health_check_node_port == was->spec.health_check_node_port)
        s->health_check_node_port = 0;
    if (!is_load_balancer(svc) && is_load_balancer(was))
        drop_of_load_balancer(s, &was->spec);
    if (is_for_outsiders(was) && !is_for_outsiders(svc) &&
        str_eq(s->external_traffic_policy, was->spec.external_traffic_policy))
        s->external_traffic_policy = STR_NULL;
    if (!service_has_node_ports(was) || service_has_node_ports(svc) || !s->ports.len ||
        !has_no_new_node_ports(s, &was->spec))
        return;
    s->ports.items = arena_dup(r->arena, s->ports.items, s->ports.len * sizeof(*s->ports.items));
    for (uint32_t i = 0; i < s->ports.len; i++)
        s->ports.items[i].node_port = 0;
}

/* From two families to one: the second address is given up. */
static void drop_second(struct core_v1_service_spec *s, const struct core_v1_service_spec *was)
{
    if (!str_eq(s->ip_family_policy, STR("SingleStack")) ||
        str_eq(was->ip_family_policy, STR("SingleStack")) || !same_addresses(s, was))
        return;
    s->cluster_ips.len = MIN(s->cluster_ips.len, 1U);
    s->ip_families.len = MIN(s->ip_families.len, 1U);
}

static void prepare_update(struct api_request *r, struct object o, struct object old)
{
    struct core_v1_service *svc = o.data;
    const struct core_v1_service *was = old.data;

    if (r->subresource)
        return;
    keep_allocated(r, svc, was);
    drop_of_type(r, svc, was);
    drop_second(&svc->spec, &was->spec);
    default_families(r, svc);
    if (!is_load_balancer(svc)) {
        svc->status.load_balancer.ingress.items = NULL;
        svc->status.load_balancer.ingress.len = 0;
    }
}

static void validate(struct api_request *r, struct object o, struct object old,
                     struct field_errors *errs)
{
    const struct core_v1_service *svc = o.data;
    const struct service_ranges *ranges = &r->server->service_ranges;
    struct field_path spec = field_path_member(NULL, STR("spec"));
    struct field_path policy = field_path_member(&spec, STR("ipFamilyPolicy"));
    struct field_path families = field_path_member(&spec, STR("ipFamilies"));

    (void)old;
    if (!service_has_address(svc) || r->subresource || errs->len)
        return;
    if (str_eq(svc->spec.ip_family_policy, STR("RequireDualStack")) && ranges->n < 2)
        field_errors_add_text(errs, &policy, FIELD_ERROR_INVALID, svc->spec.ip_family_policy,
                              "this cluster is not configured for dual-stack services");
    else if (str_eq(svc->spec.ip_family_policy, STR("SingleStack")) &&
             svc->spec.ip_families.len > 1)
        field_errors_add_text(errs, &policy, FIELD_ERROR_INVALID, svc->spec.ip_family_policy,
                              "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP "
                              "families are specified");
    for (uint32_t i = 0; i < svc->spec.ip_families.len; i++) {
        struct field_path item = field_path_index(&families, i);
        struct str family = svc->spec.ip_families.items[i];

        if (!service_ranges_of(ranges, family))
            field_errors_add_text(errs, &item, FIELD_ERROR_INVALID, family,
                                  "not configured on this cluster");
    }
}

const struct strategy service_strategy = {
    .group = STR_INIT(""),
    .resource = STR_INIT("services"),
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .validate = validate,
    .transact = service_allocation_transact,
};
