/* Rules of resource.k8s.io: claims, their templates and status, classes. Expressions of selectors
 * are not compiled; only their length is limited. */
#include <arpa/inet.h>

#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_validation.h"
#include "api/resource_v1.h"
#include "api/rules_internal.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/validation.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "codec/value.h"

enum { REQUESTS_MAX = 32, RAW_MAX = 10 * 1024, IPS_MAX = 16, CONDITIONS_MAX = 8 };

/* A claim's spec never changes, so that it is looked at once. */
static void rule_spec_on_create(const struct rule_context *c)
{
    if (!c->old)
        rule_below(c, "spec");
}

/* Of a template's metadata only labels and annotations mean anything. */
static void check_only_labels(const struct rule_context *c, const struct meta_v1_object_meta *m,
                              const struct field_path *path)
{
    const struct schema_type *t = schema_walk_type(&schema_builtin, "meta.k8s.io/v1.ObjectMeta");

    for (uint16_t i = 0; t && i < t->n_fields; i++) {
        const struct schema_field *f = &schema_builtin.fields[t->first_field + i];
        struct str name = schema_field_name(&schema_builtin, f);
        struct field_path at =
            field_path_member(path, str_eq(name, STR("uid")) ? STR("uID") : name);

        if (!str_eq(name, STR("labels")) && !str_eq(name, STR("annotations")) &&
            !schema_walk_probe_is_zero(schema_walk_probe(f, f->offset), m))
            field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN, "cannot be set");
    }
}

static void rule_claim_template_meta(const struct rule_context *c)
{
    const struct resource_v1_resource_claim_template_spec *s = c->data;
    struct field_path metadata = field_path_member(c->path, STR("metadata"));
    struct field_path labels = field_path_member(&metadata, STR("labels"));
    struct field_path annotations = field_path_member(&metadata, STR("annotations"));

    meta_validate_annotations(c->errs, &s->metadata.annotations, &annotations);
    meta_validate_labels(c->errs, &s->metadata.labels, &labels);
    check_only_labels(c, &s->metadata, &metadata);
}

static void check_label_name(const struct rule_context *c, const char *member, struct str name)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));

    (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1123_LABEL, name);
}

static void rule_device_request(const struct rule_context *c)
{
    const struct resource_v1_device_request *r = c->data;

    check_label_name(c, "name", r->name);
    if (!r->exactly && !r->first_available.len)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED,
                         "exactly one of `exactly` or `firstAvailable` is required");
    else if (r->exactly && r->first_available.len)
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID, STR("null"),
                             "exactly one of `exactly` or `firstAvailable` is required, but "
                             "multiple fields are set");
}

static void rule_exactly(const struct rule_context *c)
{
    const struct resource_v1_device_request *r = c->data;

    if (!r->first_available.len)
        rule_below(c, "exactly");
}

static void rule_first_available(const struct rule_context *c)
{
    const struct resource_v1_device_request *r = c->data;

    if (!r->exactly)
        rule_below_set(c, "firstAvailable", 8, "name");
}

static void rule_sub_request_name(const struct rule_context *c)
{
    const struct resource_v1_device_sub_request *r = c->data;

    check_label_name(c, "name", r->name);
}

static void check_mode(const struct rule_context *c, struct str mode, int64_t count)
{
    if (str_eq(mode, STR("All"))) {
        if (count)
            rule_invalid_number(c, "count", count,
                                "must not be specified when allocationMode is 'All'");
    } else if (str_eq(mode, STR("ExactCount"))) {
        if (count <= 0)
            rule_invalid_number(c, "count", count, "must be greater than zero");
    } else {
        rule_unsupported(c, "allocationMode", mode, "All|ExactCount");
    }
}

static void rule_exact_request(const struct rule_context *c)
{
    const struct resource_v1_exact_device_request *r = c->data;

    check_mode(c, r->allocation_mode, r->count);
}

static void rule_sub_request(const struct rule_context *c)
{
    const struct resource_v1_device_sub_request *r = c->data;

    check_mode(c, r->allocation_mode, r->count);
}

static void rule_device_toleration(const struct rule_context *c)
{
    const struct resource_v1_device_toleration *t = c->data;
    struct field_path value = field_path_member(c->path, STR("value"));

    if (str_eq(t->operator, STR("Exists"))) {
        if (t->value.len)
            rule_invalid(c, "value", t->value, "must be empty for operator `Exists`");
    } else if (str_eq(t->operator, STR("Equal"))) {
        (void)name_rule_report(c->errs, &value, NAME_RULE_LABEL_VALUE, t->value);
    } else if (t->operator.len == 0) {
        rule_required(c, "operator", "");
    } else {
        rule_unsupported(c, "operator", t->operator, "Equal|Exists");
    }
}

/* Requests of a claim by name, subrequests behind a slash. */
static bool claim_has_request(const struct resource_v1_device_claim *claim, struct str name)
{
    struct str head, sub;
    bool has_sub = str_cut(name, '/', &head, &sub);

    for (uint32_t i = 0; i < claim->requests.len; i++) {
        const struct resource_v1_device_request *r = &claim->requests.items[i];

        if (!str_eq(r->name, head))
            continue;
        for (uint32_t k = 0; has_sub && k < r->first_available.len; k++)
            if (str_eq(r->first_available.items[k].name, sub))
                return true;
        if (!has_sub)
            return true;
    }
    return false;
}

static void check_request(const struct rule_context *c, const struct field_path *at,
                          const struct resource_v1_device_claim *claim, struct str name)
{
    static const char text[] = "must be the name of a request in the claim or the name of a "
                               "request and a subrequest separated by '/'";
    struct str head, sub;
    bool has_sub = str_cut(name, '/', &head, &sub);

    if (has_sub && str_find(sub, '/') >= 0) {
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, name, "%s", text);
        return;
    }
    (void)name_rule_report(c->errs, at, NAME_RULE_DNS1123_LABEL, head);
    if (has_sub)
        (void)name_rule_report(c->errs, at, NAME_RULE_DNS1123_LABEL, sub);
    if (!claim_has_request(claim, name))
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, name, "%s", text);
}

/* Member requests: names in the claim, each once. */
static void check_requests(const struct rule_context *c,
                           const struct resource_v1_device_claim *claim, const struct str *items,
                           uint32_t n)
{
    struct field_path at = field_path_member(c->path, STR("requests"));

    if (n > REQUESTS_MAX) {
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_TOO_MANY, arena_printf(c->arena, "%u", n),
                             "must have at most %d items", REQUESTS_MAX);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&at, i);

        check_request(c, &item, claim, items[i]);
    }
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (str_eq(items[i], items[k])) {
                struct field_path item = field_path_index(&at, i);

                field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, items[i], "");
                break;
            }
}

static void check_full_name(const struct rule_context *c, const char *member, struct str name)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));

    rule_check_attribute_name(c, &at, name);
    if (str_find(name, '/') < 0)
        rule_invalid(c, member, name,
                     "a fully qualified name must be a domain and a name separated by a slash");
}

static void rule_device_constraint(const struct rule_context *c)
{
    const struct resource_v1_device_constraint *r = c->data;

    check_requests(c, c->up->data, r->requests.items, r->requests.len);
    if (r->match_attribute.p)
        check_full_name(c, "matchAttribute", r->match_attribute);
    else if (r->distinct_attribute.p)
        check_full_name(c, "distinctAttribute", r->distinct_attribute);
    else
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED,
                         "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, "
                         "but multiple fields are set");
}

static void rule_claim_configuration(const struct rule_context *c)
{
    const struct resource_v1_device_claim_configuration *f = c->data;

    check_requests(c, c->up->data, f->requests.items, f->requests.len);
}

static bool is_object(struct arena *a, struct str raw, struct value *ret, struct err *err)
{
    return value_parse(a, raw, ret, NULL, err) == 0 && ret->type == VALUE_OBJECT;
}

/* JSON of some driver's. `stored`: it was there before, however long it is. */
static void check_raw(const struct rule_context *c, const char *member, struct str raw, bool stored)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));
    struct err err = { 0 };
    struct value v = { 0 };

    if (raw.len == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
    else if (!stored && raw.len > RAW_MAX)
        field_errors_add(c->errs, &at, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         RAW_MAX);
    else if (is_object(c->arena, raw, &v, &err))
        return;
    else if (err.text[0])
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, STR("<value omitted>"),
                              "error parsing data as JSON: %s", err.text);
    else if (v.type == VALUE_NULL)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
    else
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, STR("<value omitted>"),
                              "must be a valid JSON object");
}

#define D "resource.k8s.io/v1."

/* Only an update of a class has stored configurations to look at again. */
static bool is_stored(const struct rule_context *c)
{
    const struct validation_request *r = c->request;
    const struct resource_v1_device_class *now = r->object.data, *old = r->old.data;

    return old && r->object.type == schema_walk_type(&schema_builtin, D "DeviceClass") &&
           rule_members_equal(D "DeviceClassSpec", "config", &now->spec, &old->spec);
}

static void rule_opaque(const struct rule_context *c)
{
    const struct resource_v1_opaque_device_configuration *o = c->data;

    rule_check_driver(c, "driver", o->driver);
    check_raw(c, "parameters", o->parameters, is_stored(c));
}

static void rule_class_resource(const struct rule_context *c)
{
    const struct resource_v1_device_class_spec *s = c->data;
    struct str name = s->extended_resource_name;

    if (!name.p)
        return;
    if (str_find(name, '/') < 0 || str_contains(name, STR("kubernetes.io/")) ||
        str_has_prefix(name, STR("requests.")) ||
        !name_rule_holds(NAME_RULE_QUALIFIED_NAME,
                         arena_printf(c->arena, "requests.%.*s", STR_ARG(name))))
        rule_invalid(c, "extendedResourceName", name, "must be a valid extended resource name");
}

/* ---- status ---- */

static const struct resource_v1_resource_claim *claim_of(const struct rule_context *c)
{
    return c->request->object.data;
}

/* Devices by the text that upstream prints, which holds every part of their identity. */
static struct str device_id(struct arena *a, struct str driver, struct str pool, struct str device,
                            struct str share)
{
    struct str tail = share.len ? arena_printf(a, "/%.*s", STR_ARG(share)) : STR("");

    return arena_printf(a, "%.*s/%.*s/%.*s%.*s", STR_ARG(driver), STR_ARG(pool), STR_ARG(device),
                        STR_ARG(tail));
}

static struct str printed_id(struct arena *a, const struct resource_v1_allocated_device_status *d)
{
    struct str parts[] = { d->driver, d->pool, d->device, d->share_id };
    static const char *const names[] = { "Driver", "Pool", "Device", "ShareID" };
    struct str text = STR("{");

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct str quoted = rule_print_texts(a, &parts[i], 1);

        text = arena_printf(a, "%.*s%s\"%s\":%.*s", STR_ARG(text), i ? "," : "", names[i],
                            (int)quoted.len - 2, quoted.p + 1);
    }
    return arena_printf(a, "%.*s}", STR_ARG(text));
}

/* Unset is the same as empty. */
static bool is_same_share(struct str a, struct str b)
{
    return a.p && b.p ? str_eq(a, b) : a.len == b.len;
}

static bool is_allocated(const struct rule_context *c,
                         const struct resource_v1_allocated_device_status *d)
{
    const struct resource_v1_allocation_result *all = claim_of(c)->status.allocation;

    for (uint32_t i = 0; all && i < all->devices.results.len; i++) {
        const struct resource_v1_device_request_allocation_result *r =
            &all->devices.results.items[i];

        if (str_eq(r->driver, d->driver) && str_eq(r->pool, d->pool) &&
            str_eq(r->device, d->device) && is_same_share(r->share_id, d->share_id))
            return true;
    }
    return false;
}

static void rule_device_status(const struct rule_context *c)
{
    const struct resource_v1_allocated_device_status *d = c->data;
    struct field_path conditions = field_path_member(c->path, STR("conditions"));

    rule_check_driver(c, "driver", d->driver);
    rule_check_pool(c, "pool", d->pool);
    check_label_name(c, "device", d->device);
    if (d->share_id.p)
        rule_check_uuid(c, "shareID", d->share_id);
    if (!is_allocated(c, d))
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID, printed_id(c->arena, d),
                             "must be an allocated device in the claim");
    if (d->conditions.len > CONDITIONS_MAX)
        field_errors_add_raw(c->errs, &conditions, FIELD_ERROR_TOO_MANY,
                             arena_printf(c->arena, "%u", d->conditions.len),
                             "must have at most %d items", CONDITIONS_MAX);
    rule_check_conditions(c, "conditions", d->conditions.items, d->conditions.len);
    if (d->data.len)
        check_raw(c, "data", d->data, false);
}

static void rule_same_devices(const struct rule_context *c)
{
    CLEANUP(map_done) struct map seen = { 0 };
    const struct resource_v1_resource_claim_status *s = c->data;
    struct field_path devices = field_path_member(c->path, STR("devices"));

    for (uint32_t i = 0; i < s->devices.len; i++) {
        const struct resource_v1_allocated_device_status *d = &s->devices.items[i];
        struct str id = device_id(c->arena, d->driver, d->pool, d->device, d->share_id);
        struct field_path item = field_path_index(&devices, i);

        if (map_has(&seen, id))
            field_errors_add_raw(c->errs, &item, FIELD_ERROR_DUPLICATE, printed_id(c->arena, d),
                                 "%s", "");
        else
            (void)map_put(&seen, id, &seen); /* a set */
    }
}

static void check_address(const struct rule_context *c, const struct field_path *at,
                          struct str text)
{
    char address[INET6_ADDRSTRLEN];
    struct name_ip ip;
    struct str canonical;
    int len;

    if (!name_cidr_parse(text, &ip, &len) ||
        !inet_ntop(ip.family == 4 ? AF_INET : AF_INET6, ip.bytes, address, sizeof(address))) {
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, text,
                              "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or "
                              "2001:db8::1/64)");
        return;
    }
    canonical = arena_printf(c->arena, "%s/%d", address, len);
    if (!str_eq(canonical, text))
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, text,
                              "must be in canonical form (\"%.*s\")", STR_ARG(canonical));
}

static void rule_network_data(const struct rule_context *c)
{
    const struct resource_v1_network_device_data *n = c->data;
    struct field_path ips = field_path_member(c->path, STR("ips"));

    if (n->ips.len > IPS_MAX) {
        field_errors_add_raw(c->errs, &ips, FIELD_ERROR_TOO_MANY,
                             arena_printf(c->arena, "%u", n->ips.len), "must have at most %d items",
                             IPS_MAX);
        return;
    }
    for (uint32_t i = 0; i < n->ips.len; i++) {
        struct field_path item = field_path_index(&ips, i);

        check_address(c, &item, n->ips.items[i]);
    }
    for (uint32_t i = 1; i < n->ips.len; i++)
        for (uint32_t k = 0; k < i; k++)
            if (str_eq(n->ips.items[i], n->ips.items[k])) {
                struct field_path item = field_path_index(&ips, i);

                field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, n->ips.items[i], "");
                break;
            }
}

static bool has_consumer(const struct resource_v1_resource_claim_status *s,
                         const struct resource_v1_resource_claim_consumer_reference *r)
{
    for (uint32_t i = 0; i < s->reserved_for.len; i++) {
        const struct resource_v1_resource_claim_consumer_reference *o = &s->reserved_for.items[i];

        if (str_eq(o->uid, r->uid) && str_eq(o->name, r->name) &&
            str_eq(o->resource, r->resource) && str_eq(o->api_group, r->api_group))
            return true;
    }
    return false;
}

/* Who uses a claim: only of an allocated one, and nobody new of one that goes. */
static void rule_reservations(const struct rule_context *c)
{
    const struct resource_v1_resource_claim_status *s = c->data, *old = c->old;

    if (!s->reserved_for.len)
        return;
    if (!s->allocation) {
        rule_forbidden(c, "reservedFor", "may not be specified when `allocated` is not set");
        return;
    }
    if (!claim_of(c)->metadata.deletion_timestamp.set)
        return;
    for (uint32_t i = 0; i < s->reserved_for.len; i++)
        if (!old || !has_consumer(old, &s->reserved_for.items[i])) {
            rule_forbidden(c, "reservedFor",
                           "new entries may not be added while `deallocationRequested` or "
                           "`deletionTimestamp` are set");
            return;
        }
}

static void rule_allocation(const struct rule_context *c)
{
    const struct resource_v1_resource_claim_status *s = c->data, *old = c->old;
    struct field_path at = field_path_member(c->path, STR("allocation"));

    if (!old || !old->allocation)
        rule_below(c, "allocation");
    else if (!rule_members_equal(D "ResourceClaimStatus", "allocation", s, old))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             rule_print_internal(c->arena, D "AllocationResult", s->allocation),
                             "field is immutable");
}

static void rule_allocated_request(const struct rule_context *c)
{
    const struct resource_v1_device_request_allocation_result *r = c->data;
    struct field_path request = field_path_member(c->path, STR("request"));

    check_request(c, &request, &claim_of(c)->spec.devices, r->request);
    rule_check_driver(c, "driver", r->driver);
    rule_check_pool(c, "pool", r->pool);
    check_label_name(c, "device", r->device);
    rule_check_bindings(c, &r->binding_conditions, &r->binding_failure_conditions);
    if (r->share_id.p)
        rule_check_uuid(c, "shareID", r->share_id);
}

static void rule_allocated_configuration(const struct rule_context *c)
{
    const struct resource_v1_device_allocation_configuration *f = c->data;

    check_requests(c, &claim_of(c)->spec.devices, f->requests.items, f->requests.len);
}

#define DEVICE_REQUEST_RULES(name, function)                                                       \
    { D name, "deviceClassName", RULE_REQUIRED },                                                  \
        { D name, "deviceClassName", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },              \
        { D name, "selectors", RULE_SET, .max = 32 },                                              \
    {                                                                                              \
        .type = D name, .check = RULE_FN, .fn = (function)                                         \
    }

const struct rule rules_devices[] = {
    { D "ResourceClaim", "spec", RULE_BELOW, .fn = rule_spec_on_create },
    { D "ResourceClaim", "spec", RULE_IMMUTABLE },
    { D "ResourceClaimTemplate", "spec", RULE_BELOW },
    { D "ResourceClaimTemplate", "spec", RULE_IMMUTABLE },
    { .type = D "ResourceClaimTemplateSpec", .check = RULE_FN, .fn = rule_claim_template_meta },
    { D "DeviceClaim", "requests", RULE_SET, .max = REQUESTS_MAX, .text = "name" },
    { D "DeviceClaim", "constraints", RULE_SET, .max = 32 },
    { D "DeviceClaim", "config", RULE_SET, .max = 32 },
    { .type = D "DeviceRequest", .check = RULE_FN, .fn = rule_device_request },
    { D "DeviceRequest", "exactly", RULE_BELOW, .fn = rule_exactly },
    { D "DeviceRequest", "firstAvailable", RULE_BELOW, .fn = rule_first_available },
    DEVICE_REQUEST_RULES("ExactDeviceRequest", rule_exact_request),
    { .type = D "DeviceSubRequest", .check = RULE_FN, .fn = rule_sub_request_name },
    DEVICE_REQUEST_RULES("DeviceSubRequest", rule_sub_request),
    { D "DeviceSelector", "cel", RULE_REQUIRED },
    { D "CELDeviceSelector", "expression", RULE_MAX_BYTES, .max = 10 * 1024 },
    { D "DeviceToleration", "key", RULE_NAME, .min = NAME_RULE_QUALIFIED_NAME },
    { .type = D "DeviceToleration", .check = RULE_FN, .fn = rule_device_toleration },
    { D "DeviceToleration", "effect", RULE_ENUM, .text = "NoExecute|NoSchedule|None" },
    { .type = D "DeviceConstraint", .check = RULE_FN, .fn = rule_device_constraint },
    { .type = D "DeviceClaimConfiguration", .check = RULE_FN, .fn = rule_claim_configuration },
    { D "DeviceConfiguration", "opaque", RULE_REQUIRED },
    { .type = D "OpaqueDeviceConfiguration", .check = RULE_FN, .fn = rule_opaque },
    { D "DeviceClassSpec", "selectors", RULE_SET, .max = 32 },
    { D "DeviceClassSpec", "config", RULE_SET, .max = 32 },
    { .type = D "DeviceClassSpec", .check = RULE_FN, .fn = rule_class_resource },
    /* Status. */
    { D "ResourceClaimStatus", "reservedFor", RULE_SET, .max = 256, .text = "uid" },
    { D "ResourceClaimStatus", "devices", RULE_BELOW },
    { .type = D "ResourceClaimStatus", .check = RULE_FN, .fn = rule_same_devices },
    { .type = D "ResourceClaimStatus", .check = RULE_FN, .fn = rule_reservations },
    { D "ResourceClaimStatus", "allocation", RULE_BELOW, .fn = rule_allocation },
    { D "ResourceClaimConsumerReference", "resource", RULE_REQUIRED },
    { D "ResourceClaimConsumerReference", "name", RULE_REQUIRED },
    { D "ResourceClaimConsumerReference", "uid", RULE_REQUIRED },
    { .type = D "AllocatedDeviceStatus", .check = RULE_FN, .fn = rule_device_status },
    { D "NetworkDeviceData", "interfaceName", RULE_MAX_BYTES, .max = 256 },
    { D "NetworkDeviceData", "hardwareAddress", RULE_MAX_BYTES, .max = 128 },
    { .type = D "NetworkDeviceData", .check = RULE_FN, .fn = rule_network_data },
    { D "DeviceAllocationResult", "results", RULE_SET, .max = 32 },
    { D "DeviceAllocationResult", "config", RULE_SET, .max = 64 },
    { .type = D "DeviceRequestAllocationResult", .check = RULE_FN, .fn = rule_allocated_request },
    /* Tolerations that the scheduler copied are not looked at again. */
    { .type = D "DeviceRequestAllocationResult", .check = RULE_BELOW, .order = "tolerations" },
    { D "DeviceAllocationConfiguration", "source", RULE_REQUIRED },
    { D "DeviceAllocationConfiguration", "source", RULE_ENUM, .text = "FromClaim|FromClass" },
    { .type = D "DeviceAllocationConfiguration",
      .check = RULE_FN,
      .fn = rule_allocated_configuration },
    { 0 },
};
