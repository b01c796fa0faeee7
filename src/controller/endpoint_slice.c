/* EndpointSlices of Services with a selector: per address family and set of ports, slices of at
 * most 100 endpoints. What is there is kept where it is, so that a change of one Pod rewrites one
 * slice. */
#include "api/core_v1.h"
#include "api/discovery_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/pod_state.h"
#include "controller/service_backends.h"
#include "controller/service_slices.h"

enum { MAX_ENDPOINTS = 100 };

#define MANAGER STR("endpointslice-controller.k8s.io")

/* A slice that is there, and what becomes of it. */
struct slice {
    const struct api_object *object;
    const struct discovery_v1_endpoint_slice *slice;
    struct discovery_v1_endpoint *endpoints; /* wanted */
    uint32_t n;
    bool is_used; /* belongs to a group that still is */
};

static size_t find_slices(struct reconcile *r, struct slice **ret)
{
    const struct api_object *const *all;
    size_t n = controller_in_namespace(controller_informer(r->manager, service_slices_row()),
                                       r->namespace, &all);
    size_t found = 0;

    *ret = ARENA_NEW_ARRAY(r->arena, struct slice, n + 1);
    for (size_t i = 0; i < n; i++)
        if (service_slices_is_one(all[i], r->name, MANAGER) &&
            !all[i]->meta->deletion_timestamp.set)
            (*ret)[found++] = (struct slice){ .object = all[i], .slice = all[i]->o.data };
    return found;
}

/* --- endpoints --- */

static bool *new_bool(struct reconcile *r, bool value)
{
    bool *b = ARENA_NEW(r->arena, bool);

    *b = value;
    return b;
}

static struct str zone_of(struct reconcile *r, struct str node)
{
    const struct informer *nodes = controller_informer_of(r->manager, "", "v1", "nodes");
    const struct api_object *o = node.len ? informer_get(nodes, node) : NULL;
    const struct schema_str_entry *zone =
        o ? text_map_find(&o->meta->labels, STR("topology.kubernetes.io/zone")) : NULL;

    return zone ? zone->value : STR_NULL;
}

/* For whom an endpoint is, where the Service wants its traffic near: its own zone, its own node. */
static struct discovery_v1_endpoint_hints *hints_of(struct reconcile *r,
                                                    const struct core_v1_service *s,
                                                    const struct discovery_v1_endpoint *e)
{
    bool is_of_node = str_eq(s->spec.traffic_distribution, STR("PreferSameNode"));
    struct discovery_v1_endpoint_hints *h;

    if (!s->spec.traffic_distribution.len || !*e->conditions.ready ||
        (!e->zone.len && !(is_of_node && e->node_name.len)))
        return NULL;
    h = ARENA_NEW(r->arena, struct discovery_v1_endpoint_hints);
    if (e->zone.len) {
        h->for_zones.items = ARENA_NEW(r->arena, struct discovery_v1_for_zone);
        h->for_zones.items[0].name = e->zone;
        h->for_zones.len = 1;
    }
    if (is_of_node && e->node_name.len) {
        h->for_nodes.items = ARENA_NEW(r->arena, struct discovery_v1_for_node);
        h->for_nodes.items[0].name = e->node_name;
        h->for_nodes.len = 1;
    }
    return h;
}

static struct discovery_v1_endpoint
endpoint_of(struct reconcile *r, const struct api_object *service, const struct backend *b)
{
    const struct core_v1_pod *pod = b->pod->o.data;
    struct discovery_v1_endpoint e = {
        .hostname = b->hostname,
        .node_name = pod->spec.node_name.len ? pod->spec.node_name : STR_NULL,
        .zone = zone_of(r, pod->spec.node_name),
        .target_ref = service_target_ref(r, b->pod),
    };

    e.addresses.items = ARENA_NEW(r->arena, struct str);
    e.addresses.items[0] = b->ip;
    e.addresses.len = 1;
    e.conditions.ready = new_bool(r, b->is_ready);
    e.conditions.serving = new_bool(r, b->is_serving);
    e.conditions.terminating = new_bool(r, b->is_terminating);
    e.hints = hints_of(r, service->o.data, &e);
    return e;
}

static bool has_ports(const struct discovery_v1_endpoint_slice *s, const struct backend_group *g)
{
    if (s->ports.len != g->n_ports)
        return false;
    for (size_t i = 0; i < g->n_ports; i++) {
        const struct discovery_v1_endpoint_port *p = &s->ports.items[i];

        if (!p->port || *p->port != g->ports[i].port || !str_eq(p->name, g->ports[i].name) ||
            !str_eq(p->protocol, g->ports[i].protocol) ||
            !str_eq(p->app_protocol, g->ports[i].app_protocol))
            return false;
    }
    return true;
}

static bool is_in(const struct slice *s, const struct backend *b)
{
    for (uint32_t i = 0; i < s->slice->endpoints.len; i++) {
        const struct core_v1_object_reference *ref = s->slice->endpoints.items[i].target_ref;

        if (ref && str_eq(ref->uid, b->pod->meta->uid))
            return true;
    }
    return false;
}

/* --- placing --- */

static void write_slice(struct reconcile *r, const struct api_object *service, struct str family,
                        const struct backend_group *g, const struct slice *s)
{
    struct object o = s->object ? object_copy(r->arena, s->object->o)
                                : object_new(r->arena, &schema_builtin, service_slices_row()->type);
    struct discovery_v1_endpoint_slice *slice = o.data;

    if (!s->object) {
        slice->metadata.generate_name = arena_printf(r->arena, "%.*s-", STR_ARG(r->name));
        slice->metadata.namespace = r->namespace;
        slice->metadata.owner_references.items =
            ARENA_NEW(r->arena, struct meta_v1_owner_reference);
        slice->metadata.owner_references.items[0] = owner_reference_to(r->arena, service);
        slice->metadata.owner_references.len = 1;
        slice->address_type = family;
    }
    slice->metadata.labels.items = NULL;
    slice->metadata.labels.len = 0;
    service_copy_labels(r, service, &slice->metadata.labels);
    service_slices_label(r->arena, &slice->metadata, r->name, MANAGER);
    slice->endpoints.items = s->endpoints;
    slice->endpoints.len = s->n;
    slice->ports.items =
        ARENA_NEW_ARRAY(r->arena, struct discovery_v1_endpoint_port, g->n_ports + 1);
    slice->ports.len = (uint32_t)g->n_ports;
    for (size_t i = 0; i < g->n_ports; i++)
        slice->ports.items[i] = (struct discovery_v1_endpoint_port){
            .name = g->ports[i].name.p ? g->ports[i].name : STR(""),
            .protocol = g->ports[i].protocol,
            .port = &g->ports[i].port,
            .app_protocol = g->ports[i].app_protocol,
        };
    if (!s->object)
        reconcile_create(r, service_slices_row(), r->namespace, o);
    else if (!object_equal(o, s->object->o))
        reconcile_update(r, service_slices_row(), o);
}

static void put(struct reconcile *r, const struct api_object *service, struct slice *s,
                const struct backend *b)
{
    if (!s->endpoints)
        s->endpoints = ARENA_NEW_ARRAY(r->arena, struct discovery_v1_endpoint, MAX_ENDPOINTS);
    s->endpoints[s->n++] = endpoint_of(r, service, b);
}

/* Who is in a slice stays there; the others go where room is, then into new slices. False: there
 * was nobody to place. */
static bool place_group(struct reconcile *r, const struct api_object *service, struct str family,
                        const struct backend_group *g, struct slice *slices, size_t n_slices)
{
    bool *is_placed = ARENA_NEW_ARRAY(r->arena, bool, g->n_backends + 1);
    size_t next = 0;

    for (size_t k = 0; k < n_slices; k++) {
        struct slice *s = &slices[k];

        if (s->is_used || !str_eq(s->slice->address_type, family) || !has_ports(s->slice, g))
            continue;
        s->is_used = true;
        for (size_t i = 0; i < g->n_backends && s->n < MAX_ENDPOINTS; i++)
            if (!is_placed[i] && is_in(s, &g->backends[i])) {
                is_placed[i] = true;
                put(r, service, s, &g->backends[i]);
            }
    }
    for (size_t k = 0; k < n_slices; k++) {
        struct slice *s = &slices[k];

        if (!s->is_used || !str_eq(s->slice->address_type, family) || !has_ports(s->slice, g))
            continue;
        for (; next < g->n_backends && s->n < MAX_ENDPOINTS; next++)
            if (!is_placed[next]) {
                is_placed[next] = true;
                put(r, service, s, &g->backends[next]);
            }
        if (s->n)
            write_slice(r, service, family, g, s);
        else
            s->is_used = false; /* empty: it goes */
    }
    while (next < g->n_backends) {
        struct slice s = { .n = 0 };

        for (; next < g->n_backends && s.n < MAX_ENDPOINTS; next++)
            if (!is_placed[next])
                put(r, service, &s, &g->backends[next]);
        if (s.n)
            write_slice(r, service, family, g, &s);
    }
    return g->n_backends > 0;
}

/* A Service that nobody is behind has a slice all the same, without ports: it was looked at. */
static void place_nobody(struct reconcile *r, const struct api_object *service, struct str family,
                         struct slice *slices, size_t n_slices)
{
    static const struct backend_group nobody = { .n_ports = 0 };
    struct slice none = { .n = 0 }, *s = &none;

    for (size_t k = 0; k < n_slices && s == &none; k++)
        if (!slices[k].is_used && str_eq(slices[k].slice->address_type, family) &&
            has_ports(slices[k].slice, &nobody))
            s = &slices[k];
    s->is_used = true;
    write_slice(r, service, family, &nobody, s);
}

static void place_family(struct reconcile *r, const struct api_object *service, struct str family,
                         struct slice *slices, size_t n_slices)
{
    struct backends backends;
    bool is_any = false;

    service_backends(r, service, str_eq(family, STR("IPv6")), &backends);
    for (size_t i = 0; i < backends.n; i++)
        is_any |= place_group(r, service, family, &backends.groups[i], slices, n_slices);
    if (!is_any)
        place_nobody(r, service, family, slices, n_slices);
}

static enum reconcile_result reconcile_slices(struct reconcile *r)
{
    const struct api_object *service =
        informer_get(controller_informer_of(r->manager, "", "v1", "services"), r->key);
    const struct core_v1_service *s = service ? service->o.data : NULL;
    struct slice *slices;
    size_t n = find_slices(r, &slices);

    if (service && service->meta->deletion_timestamp.set)
        return RECONCILE_DONE;
    if (service && service_has_selector(service)) {
        if (!s->spec.ip_families.len)
            place_family(r, service, STR("IPv4"), slices, n);
        for (uint32_t i = 0; i < s->spec.ip_families.len; i++)
            place_family(r, service, s->spec.ip_families.items[i], slices, n);
    }
    for (size_t i = 0; i < n; i++)
        if (!slices[i].is_used)
            service_slices_delete(r, slices[i].object);
    return RECONCILE_DONE;
}

/* A slice of ours concerns its Service. */
static void map_slice(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    service_slices_map(m, c, new ? new : old, MANAGER);
}

static const struct controller_watch watches[] = {
    { "", "v1", "services", controller_map_self },
    { "", "v1", "pods", service_map_pod },
    { "discovery.k8s.io", "v1", "endpointslices", map_slice },
    { "", "v1", "nodes", NULL },
    { 0 },
};

const struct controller endpointslice_controller = {
    .name = "endpointslice",
    .watches = watches,
    .reconcile = reconcile_slices,
};
