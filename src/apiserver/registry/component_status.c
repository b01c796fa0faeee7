/* ComponentStatus: not stored, but said. The store answers or there is no answer; the scheduler and
 * the controllers are as healthy as the Leases that they hold, where they hold any. */
#include "api/coordination_v1.h"
#include "api/core_v1.h"
#include "api/field_selector.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/list_options.h"
#include "apiserver/registry/list_render.h"
#include "apiserver/registry/object_response.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

static const struct {
    struct str name;
    struct str lease; /* unset: the store itself */
} components[] = {
    { STR_INIT("controller-manager"), STR_INIT("kube-controller-manager") },
    { STR_INIT("scheduler"), STR_INIT("kube-scheduler") },
    { STR_INIT("etcd-0"), { 0 } },
};

struct health {
    struct str status, message, error;
};

static struct health health_of(struct api_request *r, struct store_snapshot *snap, struct str lease)
{
    const struct stored_reader reader = { &r->server->registry, snap, r->arena };
    const struct coordination_v1_lease *l;
    struct object o;
    struct err err;
    int64_t age;

    if (!lease.p)
        return (struct health){ STR("True"), STR("ok"), STR("") };
    if (stored_read_get(&reader, stored_read_row(STR("coordination.k8s.io"), STR("leases")),
                        STR("kube-system"), lease, &o, &err) < 0)
        return (struct health){ STR("Unknown"), STR("it holds no Lease"), STR("") };
    l = o.data;
    age = clock_wall_s(r->server->clock) - l->spec.renew_time.sec;
    if (l->spec.renew_time.set && l->spec.lease_duration_seconds &&
        age <= *l->spec.lease_duration_seconds)
        return (struct health){ STR("True"), STR("ok"), STR("") };
    return (struct health){ STR("False"), STR(""), STR("its Lease is not renewed") };
}

static struct object status_of(struct api_request *r, struct store_snapshot *snap, size_t i)
{
    struct object o = object_new(r->arena, &schema_builtin, r->resource->type);
    struct core_v1_component_status *s = o.data;
    struct core_v1_component_condition *c = ARENA_NEW(r->arena, struct core_v1_component_condition);
    struct health h = health_of(r, snap, components[i].lease);

    object_set_gvk(o, STR("v1"), STR("ComponentStatus"));
    s->metadata.name = components[i].name;
    c->type = STR("Healthy");
    c->status = h.status;
    c->message = h.message;
    c->error = h.error;
    s->conditions.items = c;
    s->conditions.len = 1;
    return o;
}

static struct str lookup_name(void *arg, struct str field)
{
    return str_eq(field, STR("metadata.name")) ? *(const struct str *)arg : STR("");
}

static void respond_list(struct api_request *r, struct store_snapshot *snap)
{
    struct list_render *l = list_render_new(r);
    struct list_options options;
    struct status s;

    if (!list_options_parse(r, false, &options, &s)) {
        api_respond_status(r, &s);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(components); i++) {
        struct str name = components[i].name;

        if (label_selector_is_empty(&options.labels) &&
            field_selector_match(&options.fields, lookup_name, &name))
            (void)list_render_object(l, status_of(r, snap, i)); /* three small objects fit */
    }
    list_render_respond(l, 0);
}

static void respond_one(struct api_request *r, struct store_snapshot *snap)
{
    struct status s;

    for (size_t i = 0; i < ARRAY_LEN(components); i++)
        if (str_eq(components[i].name, r->info.name)) {
            object_response_send(r, 200, status_of(r, snap, i));
            return;
        }
    s = status_not_found(r->arena, (struct group_resource){ r->resource->group, r->resource->name },
                         r->info.name);
    api_respond_status(r, &s);
}

void component_status_read(struct api_request *r)
{
    struct store_snapshot snap;
    struct status s;
    struct err err;
    int rc = store_snapshot_begin(r->server->store, &snap, &err);

    if (rc < 0) {
        s = status_of_store(r->arena, rc, &err);
        api_respond_status(r, &s);
        return;
    }
    if (r->info.name.len)
        respond_one(r, &snap);
    else
        respond_list(r, &snap);
    store_snapshot_end(&snap);
}
