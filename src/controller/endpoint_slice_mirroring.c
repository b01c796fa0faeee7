/* Endpoints that somebody keeps by hand, for a Service without a selector, as EndpointSlices, for
 * these are what proxies and DNS read: a slice per subset and address family. */
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

enum { MAX_ENDPOINTS = 1000 /* of a slice */ };

#define MANAGER STR("endpointslicemirroring-controller.k8s.io")

/* Locks of old leader elections are Endpoints too, and whoever keeps slices himself says so. */
static bool is_mirrored(const struct api_object *endpoints, const struct api_object *service)
{
    const struct schema_str_entry *skip =
        endpoints ? text_map_find(&endpoints->meta->labels,
                                  STR("endpointslice.kubernetes.io/skip-mirror"))
                  : NULL;

    return endpoints && !endpoints->meta->deletion_timestamp.set && service &&
           !service_has_selector(service) && !(skip && str_eq(skip->value, STR("true"))) &&
           !text_map_find(&endpoints->meta->annotations,
                          STR("control-plane.alpha.kubernetes.io/leader"));
}

/* --- what is wanted --- */

static bool is_v6(struct str ip)
{
    return str_find(ip, ':') >= 0;
}

static void add_endpoints(struct reconcile *r, const struct core_v1_endpoint_address *from,
                          uint32_t n, bool ready, bool v6, struct discovery_v1_endpoint_slice *ret)
{
    for (uint32_t i = 0; i < n && ret->endpoints.len < MAX_ENDPOINTS; i++) {
        struct discovery_v1_endpoint *e = &ret->endpoints.items[ret->endpoints.len];

        if (is_v6(from[i].ip) != v6)
            continue;
        *e = (struct discovery_v1_endpoint){ .hostname = from[i].hostname,
                                             .node_name = from[i].node_name,
                                             .target_ref = from[i].target_ref };
        e->addresses.items = ARENA_NEW(r->arena, struct str);
        e->addresses.items[0] = from[i].ip;
        e->addresses.len = 1;
        e->conditions.ready = ARENA_NEW(r->arena, bool);
        *e->conditions.ready = ready;
        ret->endpoints.len++;
    }
}

static void add_ports(struct reconcile *r, const struct core_v1_endpoint_subset *s,
                      struct discovery_v1_endpoint_slice *ret)
{
    ret->ports.items =
        ARENA_NEW_ARRAY(r->arena, struct discovery_v1_endpoint_port, s->ports.len + 1);
    for (uint32_t i = 0; i < s->ports.len; i++) {
        const struct core_v1_endpoint_port *p = &s->ports.items[i];
        int32_t *number = ARENA_NEW(r->arena, int32_t);

        *number = p->port;
        ret->ports.items[ret->ports.len++] =
            (struct discovery_v1_endpoint_port){ .name = p->name.p ? p->name : STR(""),
                                                 .protocol = p->protocol,
                                                 .port = number,
                                                 .app_protocol = p->app_protocol };
    }
}

/* False: the subset has nobody of the family. */
static bool fill(struct reconcile *r, const struct core_v1_endpoint_subset *s, bool v6,
                 struct discovery_v1_endpoint_slice *ret)
{
    uint32_t most = s->addresses.len + s->not_ready_addresses.len;

    ret->endpoints.items = ARENA_NEW_ARRAY(r->arena, struct discovery_v1_endpoint, most + 1);
    ret->endpoints.len = 0;
    ret->ports.len = 0;
    add_endpoints(r, s->addresses.items, s->addresses.len, true, v6, ret);
    add_endpoints(r, s->not_ready_addresses.items, s->not_ready_addresses.len, false, v6, ret);
    add_ports(r, s, ret);
    return ret->endpoints.len > 0;
}

static void fill_meta(struct reconcile *r, const struct api_object *endpoints,
                      struct meta_v1_object_meta *m)
{
    static const struct str left_out[] = {
        STR_INIT("endpoints.kubernetes.io/last-change-trigger-time"),
        STR_INIT("kubectl.kubernetes.io/last-applied-configuration"),
    };

    text_map_copy(r->arena, &m->labels, &endpoints->meta->labels);
    service_slices_label(r->arena, m, r->name, MANAGER);
    m->annotations.items = NULL;
    m->annotations.len = 0;
    for (uint32_t i = 0; i < endpoints->meta->annotations.len; i++) {
        const struct schema_str_entry *e = &text_map_items(&endpoints->meta->annotations)[i];

        if (!str_eq(e->key, left_out[0]) && !str_eq(e->key, left_out[1]))
            text_map_put(r->arena, &m->annotations, e->key, e->value);
    }
}

/* --- what is there --- */

struct slices {
    const struct api_object **items;
    bool *is_used;
    size_t n;
};

static struct slices find_slices(struct reconcile *r)
{
    const struct api_object *const *all;
    size_t n = controller_in_namespace(controller_informer(r->manager, service_slices_row()),
                                       r->namespace, &all);
    struct slices ret = { .items = ARENA_NEW_ARRAY(r->arena, const struct api_object *, n + 1),
                          .is_used = ARENA_NEW_ARRAY(r->arena, bool, n + 1) };

    for (size_t i = 0; i < n; i++)
        if (service_slices_is_one(all[i], r->name, MANAGER) &&
            !all[i]->meta->deletion_timestamp.set)
            ret.items[ret.n++] = all[i];
    return ret;
}

static bool has_ports(const struct discovery_v1_endpoint_slice *s,
                      const struct core_v1_endpoint_subset *subset)
{
    if (s->ports.len != subset->ports.len)
        return false;
    for (uint32_t i = 0; i < s->ports.len; i++)
        if (!s->ports.items[i].port || *s->ports.items[i].port != subset->ports.items[i].port ||
            !str_eq(s->ports.items[i].name, subset->ports.items[i].name) ||
            !str_eq(s->ports.items[i].protocol, subset->ports.items[i].protocol))
            return false;
    return true;
}

/* One of the family to be rewritten, with the same ports if there is one. */
static const struct api_object *take_slice(struct slices *have, struct str family,
                                           const struct core_v1_endpoint_subset *subset)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < have->n; i++) {
            const struct discovery_v1_endpoint_slice *s = have->items[i]->o.data;

            if (have->is_used[i] || !str_eq(s->address_type, family) ||
                (pass == 0 && !has_ports(s, subset)))
                continue;
            have->is_used[i] = true;
            return have->items[i];
        }
    return NULL;
}

static void mirror_subset(struct reconcile *r, const struct api_object *endpoints,
                          const struct core_v1_endpoint_subset *subset, bool v6,
                          struct slices *have)
{
    struct str family = v6 ? STR("IPv6") : STR("IPv4");
    struct discovery_v1_endpoint_slice wanted = { .address_type = family }, *slice;
    const struct api_object *old;
    struct object o;

    if (!fill(r, subset, v6, &wanted))
        return;
    old = take_slice(have, family, subset);
    o = old ? object_copy(r->arena, old->o)
            : object_new(r->arena, &schema_builtin, service_slices_row()->type);
    slice = o.data;
    if (!old) {
        slice->metadata.generate_name = arena_printf(r->arena, "%.*s-", STR_ARG(r->name));
        slice->metadata.namespace = r->namespace;
        slice->metadata.owner_references.items =
            ARENA_NEW(r->arena, struct meta_v1_owner_reference);
        slice->metadata.owner_references.items[0] = owner_reference_to(r->arena, endpoints);
        slice->metadata.owner_references.len = 1;
        slice->address_type = family;
    }
    fill_meta(r, endpoints, &slice->metadata);
    slice->endpoints.items = wanted.endpoints.items;
    slice->endpoints.len = wanted.endpoints.len;
    slice->ports.items = wanted.ports.items;
    slice->ports.len = wanted.ports.len;
    if (!old)
        reconcile_create(r, service_slices_row(), r->namespace, o);
    else if (!object_equal(o, old->o))
        reconcile_update(r, service_slices_row(), o);
}

static enum reconcile_result reconcile_mirror(struct reconcile *r)
{
    const struct api_object *service =
        informer_get(controller_informer_of(r->manager, "", "v1", "services"), r->key);
    const struct api_object *endpoints =
        informer_get(controller_informer_of(r->manager, "", "v1", "endpoints"), r->key);
    struct slices have = find_slices(r);
    const struct core_v1_endpoints *e;

    if (is_mirrored(endpoints, service)) {
        e = endpoints->o.data;
        for (uint32_t i = 0; i < e->subsets.len; i++) {
            mirror_subset(r, endpoints, &e->subsets.items[i], false, &have);
            mirror_subset(r, endpoints, &e->subsets.items[i], true, &have);
        }
    }
    for (size_t i = 0; i < have.n; i++)
        if (!have.is_used[i])
            service_slices_delete(r, have.items[i]);
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
    { "", "v1", "endpoints", controller_map_self },
    { "discovery.k8s.io", "v1", "endpointslices", map_slice },
    { 0 },
};

const struct controller endpointslice_mirroring_controller = {
    .name = "endpointslicemirroring",
    .watches = watches,
    .reconcile = reconcile_mirror,
};
