/* Cells of the core group: nodes, services, endpoints, events, configuration, volumes, quotas. */
#include <stdlib.h>

#include "api/core_v1.h"
#include "api/events_v1.h"
#include "api/meta_v1.h"
#include "api/schema.h"
#include "api/table_cells.h"
#include "base/arena.h"
#include "base/buf.h"

enum { SHOWN = 3 }; /* of long lists, then " + N more..." */

static void more(struct cell *c, size_t total)
{
    if (total > SHOWN)
        buf_printf(c->b, " + %zu more...", total - SHOWN);
}

/* --- nodes --- */

static void node_status(struct cell *c)
{
    const struct core_v1_node *n = c->o.data;
    struct str text = STR("Unknown");

    for (uint32_t i = 0; i < n->status.conditions.len; i++) {
        const struct core_v1_node_condition *x = &n->status.conditions.items[i];

        if (str_eq(x->type, STR("Ready")))
            text = str_eq(x->status, STR("True")) ? STR("Ready") : STR("NotReady");
    }
    cell_text(c, text);
    if (n->spec.unschedulable)
        cell_text(c, STR(",SchedulingDisabled"));
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void node_roles(struct cell *c)
{
    static const struct str prefix = STR_INIT("node-role.kubernetes.io/");
    const struct meta_v1_object_meta *m = object_meta(c->o);
    struct str *roles = ARENA_NEW_ARRAY(c->arena, struct str, m->labels.len + 1);
    size_t begin = c->b->len, n = 0;

    for (uint32_t i = 0; i < m->labels.len; i++) {
        struct str key = m->labels.items[i].key;

        if (str_has_prefix(key, prefix) && key.len > prefix.len)
            roles[n++] = str_tail(key, prefix.len);
        else if (str_eq(key, STR("kubernetes.io/role")) && m->labels.items[i].value.len)
            roles[n++] = m->labels.items[i].value;
    }
    qsort(roles, n, sizeof(*roles), by_text);
    for (size_t i = 0; i < n; i++)
        cell_join(c, begin, roles[i]);
    if (c->b->len == begin)
        cell_text(c, STR("<none>"));
}

static void node_address(struct cell *c, struct str type)
{
    const struct core_v1_node *n = c->o.data;

    for (uint32_t i = 0; i < n->status.addresses.len; i++) {
        if (str_eq(n->status.addresses.items[i].type, type)) {
            cell_text(c, n->status.addresses.items[i].address);
            return;
        }
    }
    cell_text(c, STR("<none>"));
}

static void node_internal_ip(struct cell *c)
{
    node_address(c, STR("InternalIP"));
}

static void node_external_ip(struct cell *c)
{
    node_address(c, STR("ExternalIP"));
}

static void node_kernel_version(struct cell *c)
{
    const struct core_v1_node_system_info *i =
        &((const struct core_v1_node *)c->o.data)->status.node_info;

    cell_or(c, i->kernel_version, STR("<unknown>"));
    if (i->architecture.len)
        buf_printf(c->b, " (%.*s)", STR_ARG(i->architecture));
}

/* --- services and endpoints --- */

static void service_cluster_ip(struct cell *c)
{
    const struct core_v1_service *s = c->o.data;

    cell_or(c, s->spec.cluster_ips.len ? s->spec.cluster_ips.items[0] : s->spec.cluster_ip,
            STR("<none>"));
}

static void external_ips(struct cell *c, const struct core_v1_service *s, size_t begin)
{
    for (uint32_t i = 0; i < s->spec.external_ips.len; i++)
        cell_join(c, begin, s->spec.external_ips.items[i]);
}

static void service_external_ip(struct cell *c)
{
    const struct core_v1_service *s = c->o.data;
    bool is_lb = str_eq(s->spec.type, STR("LoadBalancer"));
    size_t begin = c->b->len;

    if (str_eq(s->spec.type, STR("ExternalName"))) {
        cell_text(c, s->spec.external_name);
        return;
    }
    if (!is_lb && !str_eq(s->spec.type, STR("ClusterIP")) &&
        !str_eq(s->spec.type, STR("NodePort"))) {
        cell_text(c, STR("<unknown>"));
        return;
    }
    for (uint32_t i = 0; is_lb && i < s->status.load_balancer.ingress.len; i++) {
        const struct core_v1_load_balancer_ingress *x = &s->status.load_balancer.ingress.items[i];

        if (x->ip.len || x->hostname.len)
            cell_join(c, begin, x->ip.len ? x->ip : x->hostname);
    }
    external_ips(c, s, begin);
    if (c->b->len == begin)
        cell_text(c, is_lb ? STR("<pending>") : STR("<none>"));
}

static void service_ports(struct cell *c)
{
    const struct core_v1_service *s = c->o.data;

    for (uint32_t i = 0; i < s->spec.ports.len; i++) {
        const struct core_v1_service_port *p = &s->spec.ports.items[i];

        buf_printf(c->b, "%s%d", i ? "," : "", p->port);
        if (p->node_port)
            buf_printf(c->b, ":%d", p->node_port);
        buf_printf(c->b, "/%.*s", STR_ARG(p->protocol));
    }
    if (!s->spec.ports.len)
        cell_text(c, STR("<none>"));
}

/* The addresses of a subset with one of its ports, or with none. */
static void endpoints_of_port(struct cell *c, size_t begin, size_t seen,
                              const struct core_v1_endpoint_subset *s,
                              const struct core_v1_endpoint_port *port)
{
    for (uint32_t i = 0; i < s->addresses.len && seen + i < SHOWN; i++) {
        struct str ip = s->addresses.items[i].ip;
        bool v6 = str_find(ip, ':') >= 0;

        if (port)
            ip = arena_printf(c->arena, "%s%.*s%s:%d", v6 ? "[" : "", STR_ARG(ip), v6 ? "]" : "",
                              port->port);
        cell_join(c, begin, ip);
    }
}

static void endpoints_endpoints(struct cell *c)
{
    const struct core_v1_endpoints *e = c->o.data;
    size_t begin = c->b->len, total = 0;

    for (uint32_t i = 0; i < e->subsets.len; i++) {
        const struct core_v1_endpoint_subset *s = &e->subsets.items[i];

        if (!s->ports.len)
            endpoints_of_port(c, begin, total, s, NULL);
        for (uint32_t k = 0; k < s->ports.len; k++)
            endpoints_of_port(c, begin, total + (size_t)k * s->addresses.len, s,
                              &s->ports.items[k]);
        total += (size_t)s->addresses.len * MAX(s->ports.len, 1U);
    }
    if (!e->subsets.len)
        cell_text(c, STR("<none>"));
    more(c, total);
}

/* --- events --- */

/* Both groups' Events as one. */
struct event_view {
    const struct ktime *time, *first, *last, *series_last;
    const struct core_v1_object_reference *about;
    const struct core_v1_event_source *source;
    struct str reporter, instance, text;
    int32_t count;
};

static struct event_view view_of_core(const struct core_v1_event *e)
{
    return (struct event_view){
        .time = &e->event_time,
        .first = &e->first_timestamp,
        .last = &e->last_timestamp,
        .series_last = e->series ? &e->series->last_observed_time : NULL,
        .about = &e->involved_object,
        .source = &e->source,
        .reporter = e->reporting_component,
        .instance = e->reporting_instance,
        .text = e->message,
        .count = e->series ? e->series->count : e->count,
    };
}

static struct event_view view_of_v1(const struct events_v1_event *e)
{
    return (struct event_view){
        .time = &e->event_time,
        .first = &e->deprecated_first_timestamp,
        .last = &e->deprecated_last_timestamp,
        .series_last = e->series ? &e->series->last_observed_time : NULL,
        .about = &e->regarding,
        .source = &e->deprecated_source,
        .reporter = e->reporting_controller,
        .instance = e->reporting_instance,
        .text = e->note,
        .count = e->series ? e->series->count : e->deprecated_count,
    };
}

static struct event_view event_of(const struct cell *c)
{
    return schema_str(c->o.schema, c->o.type->group).len ? view_of_v1(c->o.data)
                                                         : view_of_core(c->o.data);
}

static const struct ktime *first_seen(const struct event_view *e)
{
    return e->first->set ? e->first : e->time;
}

static void event_first_seen(struct cell *c)
{
    const struct event_view e = event_of(c);

    cell_age(c, first_seen(&e), STR("<unknown>"));
}

static void event_last_seen(struct cell *c)
{
    const struct event_view e = event_of(c);
    const struct ktime *t = first_seen(&e);

    if (e.series_last && e.series_last->set)
        t = e.series_last;
    else if (e.last->set)
        t = e.last;
    cell_age(c, t, STR("<unknown>"));
}

static void lower(struct cell *c, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_append_char(c->b, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
}

static void event_object(struct cell *c)
{
    const struct event_view e = event_of(c);

    lower(c, e.about->kind);
    if (e.about->name.len)
        buf_printf(c->b, "/%.*s", STR_ARG(e.about->name));
}

static void event_source(struct cell *c)
{
    const struct event_view e = event_of(c);
    struct str host = e.source->host.len ? e.source->host : e.instance;

    cell_or(c, e.source->component, e.reporter);
    if (host.len)
        buf_printf(c->b, ", %.*s", STR_ARG(host));
}

static void event_message(struct cell *c)
{
    cell_text(c, str_trim(event_of(c).text));
}

static void event_count(struct cell *c)
{
    int32_t n = event_of(c).count;

    buf_append_i64(c->b, n ? n : 1);
}

/* --- configuration, volumes, quotas --- */

static void configmap_data(struct cell *c)
{
    const struct core_v1_config_map *m = c->o.data;

    c->is_number = true;
    buf_append_u64(c->b, m->data.len + m->binary_data.len);
}

static void persistentvolume_claim(struct cell *c)
{
    const struct core_v1_object_reference *r =
        ((const struct core_v1_persistent_volume *)c->o.data)->spec.claim_ref;

    if (r)
        buf_printf(c->b, "%.*s/%.*s", STR_ARG(r->namespace), STR_ARG(r->name));
}

static void persistentvolumeclaim_capacity(struct cell *c)
{
    const struct core_v1_persistent_volume_claim *p = c->o.data;

    for (uint32_t i = 0; p->spec.volume_name.len && i < p->status.capacity.len; i++) {
        if (str_eq(p->status.capacity.items[i].key, STR("storage")))
            cell_text(c, p->status.capacity.items[i].value);
    }
}

static void persistentvolumeclaim_access_modes(struct cell *c)
{
    const struct core_v1_persistent_volume_claim *p = c->o.data;

    if (!p->spec.volume_name.len)
        return;
    c->argument = STR(".status.accessModes");
    for (const struct cell_row *row = table_cells_common; row->print; row++) {
        if (str_eq(row->name, STR("access_modes")))
            row->print(c);
    }
}

static struct str used_of(const struct core_v1_resource_quota *q, struct str name)
{
    for (uint32_t i = 0; i < q->status.used.len; i++) {
        if (str_eq(q->status.used.items[i].key, name))
            return q->status.used.items[i].value;
    }
    return STR("0");
}

static void quota(struct cell *c, bool limits)
{
    const struct core_v1_resource_quota *q = c->o.data;
    size_t begin = c->b->len;

    for (uint32_t i = 0; i < q->status.hard.len; i++) {
        struct str name = q->status.hard.items[i].key;

        if (str_has_prefix(name, STR("limits.")) != limits)
            continue;
        buf_printf(c->b, "%s%.*s: %.*s/%.*s", c->b->len > begin ? ", " : "", STR_ARG(name),
                   STR_ARG(used_of(q, name)), STR_ARG(q->status.hard.items[i].value));
    }
}

static void resourcequota_request(struct cell *c)
{
    quota(c, false);
}

static void resourcequota_limit(struct cell *c)
{
    quota(c, true);
}

static const struct core_v1_component_condition *healthy(const struct cell *c)
{
    const struct core_v1_component_status *s = c->o.data;

    for (uint32_t i = 0; i < s->conditions.len; i++) {
        if (str_eq(s->conditions.items[i].type, STR("Healthy")))
            return &s->conditions.items[i];
    }
    return NULL;
}

static void componentstatus_status(struct cell *c)
{
    const struct core_v1_component_condition *x = healthy(c);

    cell_text(c, !x                               ? STR("Unknown")
                 : str_eq(x->status, STR("True")) ? STR("Healthy")
                                                  : STR("Unhealthy"));
}

static void componentstatus_message(struct cell *c)
{
    const struct core_v1_component_condition *x = healthy(c);

    cell_text(c, x ? x->message : STR(""));
}

static void componentstatus_error(struct cell *c)
{
    const struct core_v1_component_condition *x = healthy(c);

    cell_text(c, x ? x->error : STR(""));
}

const struct cell_row table_cells_core[] = {
    { STR_INIT("node_status"), node_status },
    { STR_INIT("node_roles"), node_roles },
    { STR_INIT("node_internal_ip"), node_internal_ip },
    { STR_INIT("node_external_ip"), node_external_ip },
    { STR_INIT("node_kernel_version"), node_kernel_version },
    { STR_INIT("service_cluster_ip"), service_cluster_ip },
    { STR_INIT("service_external_ip"), service_external_ip },
    { STR_INIT("service_port_s"), service_ports },
    { STR_INIT("endpoints_endpoints"), endpoints_endpoints },
    { STR_INIT("event_first_seen"), event_first_seen },
    { STR_INIT("event_last_seen"), event_last_seen },
    { STR_INIT("event_object"), event_object },
    { STR_INIT("event_source"), event_source },
    { STR_INIT("event_message"), event_message },
    { STR_INIT("event_count"), event_count },
    { STR_INIT("configmap_data"), configmap_data },
    { STR_INIT("persistentvolume_claim"), persistentvolume_claim },
    { STR_INIT("persistentvolumeclaim_capacity"), persistentvolumeclaim_capacity },
    { STR_INIT("persistentvolumeclaim_access_modes"), persistentvolumeclaim_access_modes },
    { STR_INIT("resourcequota_request"), resourcequota_request },
    { STR_INIT("resourcequota_limit"), resourcequota_limit },
    { STR_INIT("componentstatus_status"), componentstatus_status },
    { STR_INIT("componentstatus_message"), componentstatus_message },
    { STR_INIT("componentstatus_error"), componentstatus_error },
    { { 0 }, NULL },
};
