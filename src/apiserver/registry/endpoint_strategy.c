/* EndpointSlices: topology by labels belongs to a version before v1, what says so in v1 is dropped;
 * names as addresses are on their way out. */
#include "api/discovery_v1.h"
#include "api/field_error.h"
#include "api/rules.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/registry/strategies.h"

#define HOST_LABEL STR("kubernetes.io/hostname")

typedef struct discovery_v1_endpoint_slice slice;

static bool has_node(const slice *s, struct str name)
{
    for (uint32_t i = 0; s && i < s->endpoints.len; i++) {
        const struct schema_str_entry *e =
            text_map_find(&s->endpoints.items[i].deprecated_topology, HOST_LABEL);

        if (e && str_eq(e->value, name))
            return true;
    }
    return false;
}

static void drop_topology(slice *s, const slice *old)
{
    for (uint32_t i = 0; i < s->endpoints.len; i++) {
        struct discovery_v1_endpoint *e = &s->endpoints.items[i];
        const struct schema_str_entry *host = text_map_find(&e->deprecated_topology, HOST_LABEL);

        if (!e->node_name.p && host && has_node(old, host->value) &&
            name_rule_holds(NAME_RULE_DNS1123_SUBDOMAIN, host->value))
            e->node_name = host->value;
        e->deprecated_topology.items = NULL;
        e->deprecated_topology.len = 0;
    }
}

static void prepare_create(struct api_request *r, struct object o)
{
    (void)r;
    drop_topology(o.data, NULL);
}

static void prepare_update(struct api_request *r, struct object o, struct object old)
{
    (void)r;
    if (!rule_members_equal("discovery.k8s.io/v1.EndpointSlice", "endpoints", o.data, old.data))
        drop_topology(o.data, old.data);
}

static void validate(struct api_request *r, struct object o, struct object old,
                     struct field_errors *errs)
{
    const slice *s = o.data;

    if (!old.data && !errs->len && str_eq(s->address_type, STR("FQDN")))
        api_request_warn(r, "spec.addressType: FQDN endpoints are deprecated");
}

const struct strategy endpoint_slice_strategy = {
    .group = STR_INIT("discovery.k8s.io"),
    .resource = STR_INIT("endpointslices"),
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .validate = validate,
};
