/* Claims of devices: who may write which part of a status, who may ask for administrative access,
 * statuses of devices that are given back. Slices: fields of features that are off. */
#include <ctype.h>

#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/resource.h"
#include "api/resource_v1.h"
#include "api/rules.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/authorizer.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"

#define STATUS      "resource.k8s.io/v1.ResourceClaimStatus"
#define ADMIN_LABEL "resource.kubernetes.io/admin-access"

typedef struct resource_v1_resource_claim claim;
typedef struct resource_v1_allocated_device_status device_status;
typedef struct resource_v1_device_request_allocation_result result;

static const struct field_path status_path = { .name = STR_INIT("status"), .index = -1 };

static bool results_have(const claim *c, const device_status *d)
{
    const struct resource_v1_allocation_result *all = c->status.allocation;

    for (uint32_t i = 0; all && i < all->devices.results.len; i++) {
        const result *r = &all->devices.results.items[i];

        if (str_eq(r->driver, d->driver) && str_eq(r->pool, d->pool) &&
            str_eq(r->device, d->device) && str_eq(r->share_id, d->share_id))
            return true;
    }
    return false;
}

/* What was allocated and is not any more loses its status. */
static void prepare_claim_update(struct api_request *r, struct object o, struct object old)
{
    claim *c = o.data;
    uint32_t n = 0;

    if (!r->subresource)
        return;
    for (uint32_t i = 0; i < c->status.devices.len; i++) {
        const device_status *d = &c->status.devices.items[i];

        if (!results_have(old.data, d) || results_have(c, d))
            c->status.devices.items[n++] = *d;
    }
    c->status.devices.len = n;
    if (!n)
        c->status.devices.items = NULL;
}

static bool is_admin_namespace(struct api_request *r, struct str namespace, struct err *err)
{
    struct store_snapshot snapshot;
    struct stored_reader reader = { &r->server->registry, &snapshot, r->arena };
    struct object ns;
    const struct schema_str_entry *e = NULL;
    int rc = store_snapshot_begin(r->server->store, &snapshot, err);

    if (rc < 0)
        return false;
    rc = stored_read_get(&reader, stored_read_row(STR(""), STR("namespaces")), STR(""), namespace,
                         &ns, err);
    if (rc == 0)
        e = text_map_find(&((const struct core_v1_namespace *)ns.data)->metadata.labels,
                          STR(ADMIN_LABEL));
    store_snapshot_end(&snapshot);
    return e && str_eq(e->value, STR("true"));
}

static void check_admin(struct api_request *r, struct str namespace, const struct field_path *list,
                        uint32_t i, struct field_errors *errs)
{
    struct field_path item = field_path_index(list, i);
    struct field_path at = field_path_member(&item, STR("adminAccess"));
    struct err err = { 0 };

    if (is_admin_namespace(r, namespace, &err))
        return;
    if (err.text[0])
        field_errors_add(errs, &at, FIELD_ERROR_INTERNAL,
                         "could not retrieve namespace to verify admin access: %s", err.text);
    else
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                         "admin access to devices requires the `" ADMIN_LABEL
                         ": true` label on the containing namespace");
}

static void check_admin_requests(struct api_request *r, struct str namespace,
                                 const struct resource_v1_device_claim *c,
                                 struct field_errors *errs)
{
    static const struct field_path spec = { .name = STR_INIT("spec"), .index = -1 };
    struct field_path devices = field_path_member(&spec, STR("devices"));
    struct field_path requests = field_path_member(&devices, STR("requests"));

    for (uint32_t i = 0; i < c->requests.len; i++) {
        const struct resource_v1_exact_device_request *e = c->requests.items[i].exactly;

        if (e && e->admin_access && *e->admin_access) {
            check_admin(r, namespace, &requests, i, errs);
            return;
        }
    }
}

/* The first result with administrative access; -1: none. */
static int64_t admin_result(const claim *c)
{
    const struct resource_v1_allocation_result *all = c->status.allocation;

    for (uint32_t i = 0; all && i < all->devices.results.len; i++)
        if (all->devices.results.items[i].admin_access &&
            *all->devices.results.items[i].admin_access)
            return i;
    return -1;
}

static void check_admin_results(struct api_request *r, const claim *c, const claim *old,
                                struct field_errors *errs)
{
    struct field_path allocation = field_path_member(&status_path, STR("allocation"));
    struct field_path devices = field_path_member(&allocation, STR("devices"));
    struct field_path results = field_path_member(&devices, STR("results"));
    int64_t i = admin_result(c);

    if (i >= 0 && admin_result(old) < 0)
        check_admin(r, c->metadata.namespace, &results, (uint32_t)i, errs);
}

/* NULL: they may. */
static const char *denial(struct api_request *r, const struct authz_attributes *a)
{
    struct str reason = STR_NULL, where = STR("at the cluster scope"), subject = STR("");

    if (authz_check(r->server, a, &reason) == AUTHORIZER_ALLOW)
        return NULL;
    if (a->namespace.len)
        where = arena_printf(r->arena, "in the namespace \"%.*s\"", STR_ARG(a->namespace));
    if (a->name.len)
        subject = arena_printf(r->arena, " \"%.*s\"", STR_ARG(a->name));
    return str_cstr(
        r->arena,
        arena_printf(r->arena,
                     "resourceclaims.resource.k8s.io%.*s is forbidden: User \"%.*s\" cannot %.*s "
                     "resource \"resourceclaims/%.*s\" in API group \"resource.k8s.io\" "
                     "%.*s%s%.*s",
                     STR_ARG(subject), STR_ARG(a->user->name), STR_ARG(a->verb),
                     STR_ARG(a->subresource), STR_ARG(where), reason.len ? ": " : "",
                     STR_ARG(reason)));
}

static void check_binding(struct api_request *r, const claim *c, const claim *old,
                          struct field_errors *errs)
{
    struct field_path at = field_path_member(&status_path, STR("allocation"));
    struct authz_attributes a = authz_attributes_of(r);
    const char *why;

    if (rule_members_equal(STATUS, "allocation", &c->status, &old->status) &&
        rule_members_equal(STATUS, "reservedFor", &c->status, &old->status))
        return;
    a.subresource = STR("binding");
    a.namespace = a.name = STR("");
    why = denial(r, &a);
    if (why)
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                         "changing status.allocation or status.reservedFor requires "
                         "resource=\"resourceclaims/binding\", verb=\"%.*s\" permission: %s",
                         STR_ARG(a.verb), why);
}

/* The node that a claim is bound to by name; "": to none alone. */
static struct str node_of(const claim *c)
{
    const struct resource_v1_allocation_result *all = c->status.allocation;
    const struct core_v1_node_selector_term *t;
    const struct core_v1_node_selector_requirement *f;

    if (!all || !all->node_selector || all->node_selector->node_selector_terms.len != 1)
        return STR("");
    t = all->node_selector->node_selector_terms.items;
    if (t->match_expressions.len || t->match_fields.len != 1)
        return STR("");
    f = t->match_fields.items;
    if (!str_eq(f->key, STR("metadata.name")) || !str_eq(f->operator, STR("In")) ||
        f->values.len != 1)
        return STR("");
    return f->values.items[0];
}

/* A service account whose token was made for a Pod of that node. */
static bool is_of_node(const struct user_info *u, struct str node)
{
    if (!node.len || !str_has_prefix(u->name, STR("system:serviceaccount:")))
        return false;
    for (size_t i = 0; i < u->n_extra; i++)
        if (str_eq(u->extra[i].key, STR("authentication.kubernetes.io/node-name")))
            return u->extra[i].n_values == 1 && str_eq(u->extra[i].values[0], node);
    return false;
}

static void check_driver(struct api_request *r, const claim *c, struct str driver,
                         struct field_errors *errs)
{
    struct field_path at = field_path_member(&status_path, STR("devices"));
    struct authz_attributes a = authz_attributes_of(r);
    struct str verb = a.verb, prefixes[] = { STR("associated-node:"), STR("arbitrary-node:") };
    struct str tried = STR("");
    const char *first = NULL, *why;

    a.subresource = STR("driver");
    a.name = driver;
    for (size_t i = is_of_node(&r->user, node_of(c)) ? 0 : 1; i < ARRAY_LEN(prefixes); i++) {
        a.verb = arena_printf(r->arena, "%.*s%.*s", STR_ARG(prefixes[i]), STR_ARG(verb));
        why = denial(r, &a);
        if (!why)
            return;
        first = first ? first : why;
        tried = arena_printf(r->arena, "%.*s%s%.*s", STR_ARG(tried), tried.len ? " " : "",
                             STR_ARG(a.verb));
    }
    field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                     "changing status.devices requires resource=\"resourceclaims/driver\", "
                     "verb=[\"%.*s\"] permission: %s",
                     STR_ARG(tried), first);
}

static const device_status *same_device(const claim *c, const device_status *d)
{
    for (uint32_t i = 0; i < c->status.devices.len; i++) {
        const device_status *o = &c->status.devices.items[i];

        if (str_eq(o->driver, d->driver) && str_eq(o->pool, d->pool) &&
            str_eq(o->device, d->device) && str_eq(o->share_id, d->share_id))
            return o;
    }
    return NULL;
}

/* Drivers of devices whose status differs, each once, sorted. */
static size_t changed_drivers(struct api_request *r, const claim *c, const claim *old,
                              struct str **ret)
{
    const claim *both[] = { c, old };
    size_t n = 0;

    *ret = ARENA_NEW_ARRAY(r->arena, struct str, c->status.devices.len + old->status.devices.len);
    for (size_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < both[k]->status.devices.len; i++) {
            device_status *d = &both[k]->status.devices.items[i];
            device_status *other = (device_status *)(uintptr_t)same_device(both[1 - k], d);
            struct object x = { .schema = &schema_builtin,
                                .type = schema_walk_type(
                                    &schema_builtin, "resource.k8s.io/v1.AllocatedDeviceStatus"),
                                .data = d };
            struct object y = x;
            size_t at = 0;

            y.data = other;
            if (other && object_equal(x, y))
                continue;
            while (at < n && str_cmp((*ret)[at], d->driver) < 0)
                at++;
            if (at < n && str_eq((*ret)[at], d->driver))
                continue;
            memmove(*ret + at + 1, *ret + at, (n - at) * sizeof(**ret));
            (*ret)[at] = d->driver;
            n++;
        }
    return n;
}

/* Upstream asks who may before it looks at what. */
static void put_first(struct field_errors *errs, size_t before, struct arena *a)
{
    size_t n = errs->len - before;
    struct field_error *copy;

    if (!n || !before)
        return;
    copy = ARENA_NEW_ARRAY(a, struct field_error, errs->len);
    memcpy(copy, errs->items + before, n * sizeof(*copy));
    memcpy(copy + n, errs->items, before * sizeof(*copy));
    memcpy(errs->items, copy, errs->len * sizeof(*copy));
}

static void validate_claim(struct api_request *r, struct object o, struct object old,
                           struct field_errors *errs)
{
    const claim *c = o.data;
    size_t before = errs->len, n;
    struct str *drivers;

    if (!old.data) {
        check_admin_requests(r, c->metadata.namespace, &c->spec.devices, errs);
    } else if (r->subresource) {
        check_admin_results(r, c, old.data, errs);
        check_binding(r, c, old.data, errs);
        n = c->status.allocation ? changed_drivers(r, c, old.data, &drivers) : 0;
        for (size_t i = 0; i < n; i++)
            check_driver(r, c, drivers[i], errs);
    }
    put_first(errs, before, r->arena);
}

const struct strategy device_claim_strategy = {
    .group = STR_INIT("resource.k8s.io"),
    .resource = STR_INIT("resourceclaims"),
    .prepare_update = prepare_claim_update,
    .validate = validate_claim,
};

static void validate_template(struct api_request *r, struct object o, struct object old,
                              struct field_errors *errs)
{
    const struct resource_v1_resource_claim_template *t = o.data;
    size_t before = errs->len;

    if (!old.data)
        check_admin_requests(r, t->metadata.namespace, &t->spec.spec.devices, errs);
    put_first(errs, before, r->arena);
}

const struct strategy device_template_strategy = {
    .group = STR_INIT("resource.k8s.io"),
    .resource = STR_INIT("resourceclaimtemplates"),
    .validate = validate_template,
};

/* ---- slices ---- */

/* Lists of values and mappings to resources of nodes are off in upstream's 1.36. */
static void drop_fields(struct object o)
{
    struct resource_v1_resource_slice *s = o.data;

    for (uint32_t i = 0; i < s->spec.devices.len; i++) {
        struct resource_v1_device *d = &s->spec.devices.items[i];

        d->node_allocatable_resource_mappings.items = NULL;
        d->node_allocatable_resource_mappings.len = 0;
        for (uint32_t k = 0; k < d->attributes.len; k++) {
            const struct resource_v1_device_attribute *a = &d->attributes.items[k].value;

            d->attributes.items[k].value = (struct resource_v1_device_attribute){
                .int_ = a->int_, .bool_ = a->bool_, .string = a->string, .version = a->version
            };
        }
    }
}

static void prepare_slice_create(struct api_request *r, struct object o)
{
    (void)r;
    drop_fields(o);
}

static void prepare_slice_update(struct api_request *r, struct object o, struct object old)
{
    (void)r;
    (void)old;
    drop_fields(o);
}

static void warn_of_slice(struct api_request *r, struct object o, struct object old,
                          struct field_errors *errs)
{
    const struct resource_v1_resource_slice *s = o.data;
    bool upper = false;

    (void)old;
    for (size_t i = 0; i < s->spec.driver.len; i++)
        upper |= isupper((unsigned char)s->spec.driver.p[i]) != 0;
    if (upper && !errs->len)
        api_request_warn(r,
                         "spec.driver: driver names should be lowercase; \"%.*s\" contains "
                         "uppercase characters",
                         STR_ARG(s->spec.driver));
}

const struct strategy device_slice_strategy = {
    .group = STR_INIT("resource.k8s.io"),
    .resource = STR_INIT("resourceslices"),
    .prepare_create = prepare_slice_create,
    .prepare_update = prepare_slice_update,
    .validate = warn_of_slice,
};
