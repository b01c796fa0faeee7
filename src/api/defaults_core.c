/* Conditional defaults of core/v1, and what upstream's conversion fills in visibly. */
#include "api/core_v1.h"
#include "api/defaults_internal.h"
#include "api/meta_v1.h"
#include "api/pod_amounts.h"
#include "api/quantity.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/arena.h"

static bool is_unset(struct str s)
{
    return s.len == 0;
}

static bool *new_bool(struct arena *a, bool v)
{
    bool *p = ARENA_NEW(a, bool);

    *p = v;
    return p;
}

static int32_t *new_int32(struct arena *a, int32_t v)
{
    int32_t *p = ARENA_NEW(a, int32_t);

    *p = v;
    return p;
}

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Words of small letters and digits, with '.', '_', "__" or any number of '-' between them. */
static bool is_path_part(struct str s)
{
    size_t i = 0, run;

    if (!s.len || !is_lower(s.p[0]) || !is_lower(s.p[s.len - 1]))
        return false;
    while (i < s.len) {
        char c = s.p[i];

        for (run = 1; i + run < s.len && s.p[i + run] == c && !is_lower(c); run++)
            ;
        if (!is_lower(c) && c != '-' && !(c == '_' && run <= 2) && !(c == '.' && run == 1))
            return false;
        i += run;
        if (!is_lower(c) && !is_lower(s.p[i]))
            return false;
    }
    return true;
}

/* The name in an image's reference, without tag and digest: "[host[:port]/]part/part". */
static bool is_image_name(struct str name)
{
    ptrdiff_t slash = str_find(name, '/');
    struct str host = slash > 0 ? str_sub(name, 0, (size_t)slash) : STR(""), rest = name, part;
    bool named =
        str_eq(host, STR("localhost")) || str_find(host, '.') >= 0 || str_find(host, ':') >= 0;

    for (size_t i = 0; i < host.len; i++)
        named |= host.p[i] >= 'A' && host.p[i] <= 'Z';
    if (named)
        rest = str_tail(name, (size_t)slash + 1);
    while (str_next(&rest, '/', &part))
        if (!is_path_part(part))
            return false;
    return name.len != 0;
}

/* Always when the reference has the tag "latest", or neither tag nor digest, and can be read. */
static struct str pull_policy(struct str image)
{
    ptrdiff_t at = str_find(image, '@'), slash = str_rfind(image, '/'), colon;
    struct str name = at >= 0 ? str_sub(image, 0, (size_t)at) : image;
    struct str last = str_tail(name, (size_t)(slash + 1));

    colon = str_find(last, ':');
    if (!is_image_name(colon >= 0 ? str_sub(name, 0, name.len - last.len + (size_t)colon) : name))
        return STR("IfNotPresent");
    if (colon >= 0)
        return str_eq(str_tail(last, (size_t)colon + 1), STR("latest")) ? STR("Always")
                                                                        : STR("IfNotPresent");
    return at >= 0 ? STR("IfNotPresent") : STR("Always");
}

/* Amounts finer than thousandths are rounded up. Decoded quantities are canonical, so only those
 * with the suffixes n and u, or an exponent, can be finer. */
static void round_amounts(struct arena *a, void *map)
{
    struct schema_str_entry *e = text_map_items(map);

    for (uint32_t i = 0; i < text_map_len(map); i++) {
        struct str v = e[i].value;
        struct quantity q;

        if (v.len && (v.p[v.len - 1] == 'n' || v.p[v.len - 1] == 'u' || str_find(v, 'e') >= 0) &&
            quantity_parse(v, &q))
            e[i].value = quantity_print(a, quantity_round_milli(q));
    }
}

static void container(struct arena *a, void *data)
{
    struct core_v1_container *c = data;

    (void)a;
    if (is_unset(c->image_pull_policy))
        c->image_pull_policy = pull_policy(c->image);
}

static void ephemeral_container(struct arena *a, void *data)
{
    struct core_v1_ephemeral_container_common *c = data;

    (void)a;
    if (is_unset(c->image_pull_policy))
        c->image_pull_policy = pull_policy(c->image);
}

static void volume(struct arena *a, void *data)
{
    struct core_v1_volume *v = data;
    static const struct core_v1_volume_source none;

    /* The source holds pointers only. */
    if (memcmp(&v->volume_source, &none, sizeof(none)) == 0)
        v->volume_source.empty_dir = ARENA_NEW(a, struct core_v1_empty_dir_volume_source);
    if (v->volume_source.image && is_unset(v->volume_source.image->pull_policy))
        v->volume_source.image->pull_policy = pull_policy(v->volume_source.image->reference);
}

static void service_affinity(struct arena *a, struct core_v1_service_spec *s)
{
    if (is_unset(s->session_affinity) || str_eq(s->session_affinity, STR("None")))
        s->session_affinity_config = NULL;
    if (!str_eq(s->session_affinity, STR("ClientIP")))
        return;
    if (!s->session_affinity_config)
        s->session_affinity_config = ARENA_NEW(a, struct core_v1_session_affinity_config);
    if (!s->session_affinity_config->client_ip)
        s->session_affinity_config->client_ip = ARENA_NEW(a, struct core_v1_client_ip_config);
    if (!s->session_affinity_config->client_ip->timeout_seconds)
        s->session_affinity_config->client_ip->timeout_seconds = new_int32(a, 10800);
}

static void service(struct arena *a, void *data)
{
    struct core_v1_service *svc = data;
    struct core_v1_service_spec *s = &svc->spec;
    bool cluster_ip, node_port, balancer;

    service_affinity(a, s);
    cluster_ip = is_unset(s->type) || str_eq(s->type, STR("ClusterIP"));
    node_port = str_eq(s->type, STR("NodePort"));
    balancer = str_eq(s->type, STR("LoadBalancer"));
    for (uint32_t i = 0; i < s->ports.len; i++) {
        struct core_v1_service_port *p = &s->ports.items[i];
        struct int_or_string *t = &p->target_port;

        if (t->type == INT_OR_STRING_UNSET || (t->type == INT_OR_STRING_INT && t->i == 0) ||
            (t->type == INT_OR_STRING_STRING && t->s.len == 0))
            *t = (struct int_or_string){ .type = INT_OR_STRING_INT, .i = p->port };
    }
    if (is_unset(s->external_traffic_policy) &&
        (node_port || balancer || (cluster_ip && s->external_ips.len)))
        s->external_traffic_policy = STR("Cluster");
    if (!s->internal_traffic_policy.p && (cluster_ip || node_port || balancer))
        s->internal_traffic_policy = STR("Cluster");
    if (!balancer)
        return;
    if (!s->allocate_load_balancer_node_ports)
        s->allocate_load_balancer_node_ports = new_bool(a, true);
    for (uint32_t i = 0; i < svc->status.load_balancer.ingress.len; i++) {
        struct core_v1_load_balancer_ingress *in = &svc->status.load_balancer.ingress.items[i];

        if (in->ip.len && !in->ip_mode.p)
            in->ip_mode = STR("VIP");
    }
}

/* A limit without a request is the request, too. */
static void requests_from_limits(struct arena *a, struct core_v1_resource_requirements *r)
{
    const struct schema_str_entry *limits = text_map_items(&r->limits);

    for (uint32_t i = 0; i < text_map_len(&r->limits); i++)
        if (!text_map_find(&r->requests, limits[i].key))
            text_map_put(a, &r->requests, limits[i].key, limits[i].value);
}

static bool is_huge_page(struct str name)
{
    return str_has_prefix(name, STR("hugepages-"));
}

/* Puts those of `amounts` that a Pod may have as a whole, and that `map` lacks. */
static void fill_pod_amounts(struct arena *a, void *map, const void *amounts, bool compute,
                             bool huge)
{
    const struct schema_str_entry *e = text_map_items(amounts);

    for (uint32_t i = 0; i < text_map_len(amounts); i++) {
        bool is_compute = str_eq(e[i].key, STR("cpu")) || str_eq(e[i].key, STR("memory"));

        if (((compute && is_compute) || (huge && is_huge_page(e[i].key))) &&
            !text_map_find(map, e[i].key))
            text_map_put(a, map, e[i].key, e[i].value);
    }
}

/* Of a Pod that has amounts of its own: what its containers have together, then its limits. */
static void pod_level_resources(struct arena *a, struct core_v1_pod_spec *s)
{
    struct core_v1_resource_requirements *r = s->resources;
    struct core_v1_pod_spec plain = *s;
    struct schema_list limits = { 0 }, requests = { 0 }, huge = { 0 };

    if (!r || (r->limits.len == 0 && r->requests.len == 0))
        return;
    plain.resources = NULL;
    pod_amounts(a, &plain, POD_AMOUNTS_LIMITS, &limits);
    fill_pod_amounts(a, &huge, &limits, false, true);
    for (uint32_t i = 0; i < huge.len; i++) {
        const struct schema_str_entry *e = &text_map_items(&huge)[i];

        if (!text_map_find(&r->requests, e->key) && !text_map_find(&r->limits, e->key))
            text_map_put(a, &r->limits, e->key, e->value);
    }
    if (r->limits.len == 0)
        return;
    pod_amounts(a, &plain, POD_AMOUNTS_REQUESTS, &requests);
    fill_pod_amounts(a, &r->requests, &requests, true, false);
    fill_pod_amounts(a, &r->requests, &r->limits, true, true);
}

static void host_ports(struct core_v1_container *c)
{
    for (uint32_t i = 0; i < c->ports.len; i++)
        if (c->ports.items[i].host_port == 0)
            c->ports.items[i].host_port = c->ports.items[i].container_port;
}

static void pod(struct arena *a, void *data)
{
    struct core_v1_pod *p = data;
    struct core_v1_pod_spec *s = &p->spec;

    for (uint32_t i = 0; i < s->containers.len; i++) {
        requests_from_limits(a, &s->containers.items[i].resources);
        if (s->host_network)
            host_ports(&s->containers.items[i]);
    }
    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        requests_from_limits(a, &s->init_containers.items[i].resources);
        if (s->host_network)
            host_ports(&s->init_containers.items[i]);
    }
    pod_level_resources(a, s);
    if (!s->enable_service_links)
        s->enable_service_links = new_bool(a, true);
    if (s->termination_grace_period_seconds && *s->termination_grace_period_seconds < 0)
        *s->termination_grace_period_seconds = 1;
}

/* The old name of the field: upstream keeps both alike. */
static void pod_spec(struct arena *a, void *data)
{
    struct core_v1_pod_spec *s = data;

    (void)a;
    if (is_unset(s->service_account_name))
        s->service_account_name = s->service_account;
    s->service_account = s->service_account_name;
}

static void pod_status(struct arena *a, void *data)
{
    struct core_v1_pod_status *s = data;

    if (s->pod_ip.len && (s->pod_ips.len == 0 || !str_eq(s->pod_ips.items[0].ip, s->pod_ip))) {
        s->pod_ips.items = (void *)ARENA_NEW(a, struct core_v1_pod_ip);
        s->pod_ips.len = 1;
        s->pod_ips.items[0].ip = s->pod_ip;
    }
    if (s->pod_ips.len)
        s->pod_ip = s->pod_ips.items[0].ip;
}

static void node_spec(struct arena *a, void *data)
{
    struct core_v1_node_spec *s = data;

    if (s->pod_cidr.len && (s->pod_cidrs.len == 0 || !str_eq(s->pod_cidrs.items[0], s->pod_cidr))) {
        s->pod_cidrs.items = ARENA_NEW(a, struct str);
        s->pod_cidrs.len = 1;
        s->pod_cidrs.items[0] = s->pod_cidr;
    }
    if (s->pod_cidrs.len)
        s->pod_cidr = s->pod_cidrs.items[0];
}

static void node_status(struct arena *a, void *data)
{
    struct core_v1_node_status *s = data;

    round_amounts(a, &s->capacity);
    round_amounts(a, &s->allocatable);
    if (!s->allocatable.items && s->capacity.items)
        text_map_copy(a, &s->allocatable, &s->capacity);
}

static void name_space(struct arena *a, void *data)
{
    struct core_v1_namespace *n = data;

    if (n->metadata.name.len)
        text_map_put(a, &n->metadata.labels, STR("kubernetes.io/metadata.name"), n->metadata.name);
}

/* stringData is written over data and never seen again. */
static void secret(struct arena *a, void *data)
{
    struct core_v1_secret *s = data;
    const struct schema_str_entry *e = text_map_items(&s->string_data);

    for (uint32_t i = 0; i < text_map_len(&s->string_data); i++)
        text_map_put(a, &s->data, e[i].key, e[i].value);
    s->string_data.items = NULL;
    s->string_data.len = 0;
}

static void replication_controller(struct arena *a, void *data)
{
    struct core_v1_replication_controller *rc = data;

    if (!rc->spec.template || rc->spec.template->metadata.labels.len == 0)
        return;
    if (rc->spec.selector.len == 0)
        text_map_copy(a, &rc->spec.selector, &rc->spec.template->metadata.labels);
    if (rc->metadata.labels.len == 0)
        text_map_copy(a, &rc->metadata.labels, &rc->spec.template->metadata.labels);
}

static void fill_absent(struct arena *a, void *to, const void *from)
{
    const struct schema_str_entry *e = text_map_items(from);

    for (uint32_t i = 0; i < text_map_len(from); i++)
        if (!text_map_find(to, e[i].key))
            text_map_put(a, to, e[i].key, e[i].value);
}

static void limit_range_item(struct arena *a, void *data)
{
    struct core_v1_limit_range_item *i = data;

    round_amounts(a, &i->max);
    round_amounts(a, &i->min);
    round_amounts(a, &i->default_);
    round_amounts(a, &i->default_request);
    if (!str_eq(i->type, STR("Container")))
        return;
    fill_absent(a, &i->default_, &i->max);
    fill_absent(a, &i->default_request, &i->default_);
    fill_absent(a, &i->default_request, &i->min);
}

static void resource_requirements(struct arena *a, void *data)
{
    struct core_v1_resource_requirements *r = data;

    round_amounts(a, &r->limits);
    round_amounts(a, &r->requests);
}

static void volume_resource_requirements(struct arena *a, void *data)
{
    struct core_v1_volume_resource_requirements *r = data;

    round_amounts(a, &r->limits);
    round_amounts(a, &r->requests);
}

static void persistent_volume_spec(struct arena *a, void *data)
{
    struct core_v1_persistent_volume_spec *s = data;

    round_amounts(a, &s->capacity);
}

static void resource_quota(struct arena *a, void *data)
{
    struct core_v1_resource_quota *q = data;

    round_amounts(a, &q->spec.hard);
    round_amounts(a, &q->status.hard);
    round_amounts(a, &q->status.used);
}

const struct default_fn default_fns_core[] = {
    { "core/v1.ResourceRequirements", resource_requirements },
    { "core/v1.VolumeResourceRequirements", volume_resource_requirements },
    { "core/v1.PersistentVolumeSpec", persistent_volume_spec },
    { "core/v1.ResourceQuota", resource_quota },
    { "core/v1.Container", container },
    { "core/v1.EphemeralContainerCommon", ephemeral_container },
    { "core/v1.Volume", volume },
    { "core/v1.Service", service },
    { "core/v1.Pod", pod },
    { "core/v1.PodSpec", pod_spec },
    { "core/v1.PodStatus", pod_status },
    { "core/v1.NodeSpec", node_spec },
    { "core/v1.NodeStatus", node_status },
    { "core/v1.Namespace", name_space },
    { "core/v1.Secret", secret },
    { "core/v1.ReplicationController", replication_controller },
    { "core/v1.LimitRangeItem", limit_range_item },
    { 0 },
};
