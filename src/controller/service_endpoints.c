/* Endpoints: the old form of a Service's backends, one object a Service, up to 1,000 addresses. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/map.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/service_backends.h"

enum { MAX_ADDRESSES = 1000 };

#define MANAGED_BY_LABEL "endpoints.kubernetes.io/managed-by"
#define MANAGER          "endpoint-controller"
#define OVER_CAPACITY    "endpoints.kubernetes.io/over-capacity"

static const struct resource *endpoints_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("endpoints"));
}

static void add_address(struct reconcile *r, const struct backend *b,
                        struct core_v1_endpoint_address *items, uint32_t *len)
{
    const struct core_v1_pod *pod = b->pod->o.data;

    items[(*len)++] = (struct core_v1_endpoint_address){
        .ip = b->ip,
        .hostname = b->hostname,
        .node_name = pod->spec.node_name,
        .target_ref = service_target_ref(r, b->pod),
    };
}

/* Terminating Pods are not shown here. */
static void fill_subset(struct reconcile *r, const struct backend_group *g, size_t *room,
                        struct core_v1_endpoint_subset *ret)
{
    ret->ports.items = ARENA_NEW_ARRAY(r->arena, struct core_v1_endpoint_port, g->n_ports + 1);
    for (size_t i = 0; i < g->n_ports; i++)
        ret->ports.items[ret->ports.len++] =
            (struct core_v1_endpoint_port){ .name = g->ports[i].name,
                                            .port = g->ports[i].port,
                                            .protocol = g->ports[i].protocol,
                                            .app_protocol = g->ports[i].app_protocol };
    ret->addresses.items =
        ARENA_NEW_ARRAY(r->arena, struct core_v1_endpoint_address, g->n_backends + 1);
    ret->not_ready_addresses.items =
        ARENA_NEW_ARRAY(r->arena, struct core_v1_endpoint_address, g->n_backends + 1);
    for (size_t i = 0; i < g->n_backends && *room; i++) {
        const struct backend *b = &g->backends[i];

        if (b->is_terminating && !b->is_ready)
            continue;
        if (b->is_ready)
            add_address(r, b, ret->addresses.items, &ret->addresses.len);
        else
            add_address(r, b, ret->not_ready_addresses.items, &ret->not_ready_addresses.len);
        --*room;
    }
}

static void fill(struct reconcile *r, const struct api_object *service, struct core_v1_endpoints *e)
{
    const struct core_v1_service *s = service->o.data;
    bool is_v6 = s->spec.ip_families.len && str_eq(s->spec.ip_families.items[0], STR("IPv6"));
    size_t room = MAX_ADDRESSES, shown = 0, all = 0;
    struct backends backends;

    service_backends(r, service, is_v6, &backends);
    e->subsets.items = ARENA_NEW_ARRAY(r->arena, struct core_v1_endpoint_subset, backends.n + 1);
    e->subsets.len = 0;
    for (size_t i = 0; i < backends.n; i++) {
        struct core_v1_endpoint_subset *subset = &e->subsets.items[e->subsets.len];

        *subset = (struct core_v1_endpoint_subset){ .ports = { .len = 0 } };
        fill_subset(r, &backends.groups[i], &room, subset);
        shown += subset->addresses.len + subset->not_ready_addresses.len;
        e->subsets.len += subset->addresses.len || subset->not_ready_addresses.len;
        all += backends.groups[i].n_backends;
    }
    if (!e->subsets.len)
        e->subsets.items = NULL;
    e->metadata.labels.items = NULL;
    e->metadata.labels.len = 0;
    service_copy_labels(r, service, &e->metadata.labels);
    text_map_put(r->arena, &e->metadata.labels, STR(MANAGED_BY_LABEL), STR(MANAGER));
    if (all > MAX_ADDRESSES && shown == MAX_ADDRESSES)
        text_map_put(r->arena, &e->metadata.annotations, STR(OVER_CAPACITY), STR("truncated"));
}

/* Keys of Services that went: their Endpoints go with them, also those that somebody else keeps
 * (and which would else lead the next Service of the name to where nobody is any more). Endpoints
 * that never had a Service are left alone. */
static void free_map(void *map)
{
    map_done(map);
}

static struct map *gone_services(struct controller_manager *m, const struct controller *c)
{
    struct map *gone = controller_state(m, c);

    if (!gone) {
        gone = ARENA_NEW(controller_arena(m), struct map);
        arena_defer(controller_arena(m), free_map, gone);
        controller_set_state(m, c, gone);
    }
    return gone;
}

static void map_service(struct controller_manager *m, const struct controller *c,
                        const struct api_object *old, const struct api_object *new)
{
    struct map *gone = gone_services(m, c);

    if (new)
        (void)map_remove(gone, new->key);
    else
        (void)map_put(gone, old->key, gone);
    controller_map_self(m, c, old, new);
}

/* The mark stays until the Endpoints are gone, should their deletion fail. */
static void reconcile_without_service(struct reconcile *r, const struct api_object *have)
{
    struct map *gone = gone_services(r->manager, r->controller);

    if (!have)
        (void)map_remove(gone, r->key);
    else if (map_has(gone, r->key) || text_map_find(&have->meta->labels, STR(MANAGED_BY_LABEL)))
        reconcile_delete(r, endpoints_row(), r->namespace, r->name, have->meta->uid, STR_NULL);
}

static enum reconcile_result reconcile_endpoints(struct reconcile *r)
{
    const struct api_object *service =
        informer_get(controller_informer_of(r->manager, "", "v1", "services"), r->key);
    const struct api_object *have =
        informer_get(controller_informer(r->manager, endpoints_row()), r->key);
    struct object o;

    if (!service) {
        reconcile_without_service(r, have);
        return RECONCILE_DONE;
    }
    if (!service_has_selector(service) || service->meta->deletion_timestamp.set)
        return RECONCILE_DONE;
    o = have ? object_copy(r->arena, have->o)
             : object_new(r->arena, &schema_builtin, endpoints_row()->type);
    object_meta(o)->name = r->name;
    object_meta(o)->namespace = r->namespace;
    fill(r, service, o.data);
    if (!have)
        reconcile_create(r, endpoints_row(), r->namespace, o);
    else if (!object_equal(o, have->o))
        reconcile_update(r, endpoints_row(), o);
    return RECONCILE_DONE;
}

static const struct controller_watch watches[] = {
    { "", "v1", "services", map_service },
    { "", "v1", "endpoints", controller_map_self },
    { "", "v1", "pods", service_map_pod },
    { 0 },
};

const struct controller endpoints_controller = {
    .name = "endpoints",
    .watches = watches,
    .reconcile = reconcile_endpoints,
};
