/* Conditional defaults of the remaining groups. */
#include "api/apiextensions_v1.h"
#include "api/defaults_internal.h"
#include "api/networking_v1.h"
#include "api/rbac_v1.h"
#include "api/resource_v1.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/clock.h"

enum { NSEC_PER_SEC = 1000 * 1000 * 1000 };

static void network_policy_spec(struct arena *a, void *data)
{
    struct networking_v1_network_policy_spec *s = data;

    if (s->policy_types.len)
        return;
    s->policy_types.items = ARENA_NEW_ARRAY(a, struct str, 2);
    s->policy_types.items[s->policy_types.len++] = STR("Ingress");
    if (s->egress.len)
        s->policy_types.items[s->policy_types.len++] = STR("Egress");
}

static void rbac_subject(struct arena *a, void *data)
{
    struct rbac_v1_subject *s = data;

    (void)a;
    if (s->api_group.len == 0 && (str_eq(s->kind, STR("User")) || str_eq(s->kind, STR("Group"))))
        s->api_group = STR("rbac.authorization.k8s.io");
}

static void exact_device_request(struct arena *a, void *data)
{
    struct resource_v1_exact_device_request *r = data;

    (void)a;
    if (r->count == 0 && str_eq(r->allocation_mode, STR("ExactCount")))
        r->count = 1;
}

static void device_sub_request(struct arena *a, void *data)
{
    struct resource_v1_device_sub_request *r = data;

    (void)a;
    if (r->count == 0 && str_eq(r->allocation_mode, STR("ExactCount")))
        r->count = 1;
}

static void device_taint(struct arena *a, void *data)
{
    struct resource_v1_device_taint *t = data;

    (void)a;
    if (!t->time_added.set)
        t->time_added = (struct ktime){ .sec = clock_system.wall_ns(&clock_system) / NSEC_PER_SEC,
                                        .set = true };
}

static struct str to_lower(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.len + 1, 1);

    for (size_t i = 0; i < s.len; i++)
        p[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + ('a' - 'A') : s.p[i]);
    return str_n(p, s.len);
}

static void stored_versions(struct arena *a,
                            struct apiextensions_v1_custom_resource_definition *crd)
{
    if (crd->status.stored_versions.len)
        return;
    for (uint32_t i = 0; i < crd->spec.versions.len; i++)
        if (crd->spec.versions.items[i].storage) {
            crd->status.stored_versions.items = ARENA_NEW(a, struct str);
            crd->status.stored_versions.items[0] = crd->spec.versions.items[i].name;
            crd->status.stored_versions.len = 1;
            return;
        }
}

static void custom_resource_definition(struct arena *a, void *data)
{
    struct apiextensions_v1_custom_resource_definition *crd = data;
    struct apiextensions_v1_custom_resource_definition_names *n = &crd->spec.names;

    if (n->singular.len == 0 && n->kind.len)
        n->singular = to_lower(a, n->kind);
    if (n->list_kind.len == 0 && n->kind.len)
        n->list_kind = arena_printf(a, "%.*sList", STR_ARG(n->kind));
    if (!crd->spec.conversion) {
        crd->spec.conversion = ARENA_NEW(a, struct apiextensions_v1_custom_resource_conversion);
        crd->spec.conversion->strategy = STR("None");
    }
    stored_versions(a, crd);
}

const struct default_fn default_fns_other[] = {
    { "networking.k8s.io/v1.NetworkPolicySpec", network_policy_spec },
    { "rbac.authorization.k8s.io/v1.Subject", rbac_subject },
    { "resource.k8s.io/v1.ExactDeviceRequest", exact_device_request },
    { "resource.k8s.io/v1.DeviceSubRequest", device_sub_request },
    { "resource.k8s.io/v1.DeviceTaint", device_taint },
    { "apiextensions.k8s.io/v1.CustomResourceDefinition", custom_resource_definition },
    { 0 },
};
