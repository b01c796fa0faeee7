/* Rules of storage.k8s.io. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/quantity.h"
#include "api/rules_internal.h"
#include "api/storage_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/map.h"

#define DRIVER_SPEC "storage.k8s.io/v1.CSIDriverSpec"

enum { PARAMETERS_MAX = 512, PARAMETERS_MAX_BYTES = 256 * 1024 };

static size_t bytes_of(const void *map)
{
    const struct schema_str_entry *e = text_map_items(map);
    size_t n = 0;

    for (uint32_t i = 0; i < text_map_len(map); i++)
        n += e[i].key.len + e[i].value.len;
    return n;
}

static void check_parameters(const struct rule_context *c, const void *map)
{
    struct field_path at = field_path_member(c->path, STR("parameters"));

    if (text_map_len(map) > PARAMETERS_MAX) {
        field_errors_add(c->errs, &at, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         PARAMETERS_MAX);
        return;
    }
    if (text_map_find(map, STR("")))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, STR(""),
                              "field can not be empty.");
    if (bytes_of(map) > PARAMETERS_MAX_BYTES)
        field_errors_add(c->errs, &at, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         PARAMETERS_MAX_BYTES);
}

/* A provisioner's name in any case. */
static void check_provisioner(const struct rule_context *c, const char *member, struct str name)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));
    char *lower = arena_dup(c->arena, name.p, name.len);

    for (size_t i = 0; i < name.len; i++)
        lower[i] = lower[i] >= 'A' && lower[i] <= 'Z' ? (char)(lower[i] + 32) : lower[i];
    if (name.len)
        (void)name_rule_report(c->errs, &at, NAME_RULE_QUALIFIED_NAME, str_n(lower, name.len));
}

static void rule_storage_class(const struct rule_context *c)
{
    const struct storage_v1_storage_class *s = c->data;

    check_provisioner(c, "provisioner", s->provisioner);
    check_parameters(c, &s->parameters);
}

/* Each expression, and then whether its key was there before. */
static void rule_topology_term(const struct rule_context *c)
{
    CLEANUP(map_done) struct map seen = { 0 };
    const struct core_v1_topology_selector_term *t = c->data;
    struct field_path list = field_path_member(c->path, STR("matchLabelExpressions"));

    for (uint32_t i = 0; i < t->match_label_expressions.len; i++) {
        struct field_path item = field_path_index(&list, i);
        struct field_path key = field_path_member(&item, STR("key"));
        struct str name = t->match_label_expressions.items[i].key;

        rule_below_item(c, "matchLabelExpressions", i);
        if (map_put(&seen, name, c->errs))
            field_errors_add_text(c->errs, &key, FIELD_ERROR_DUPLICATE, name, "");
    }
}

static void rule_topology_requirement(const struct rule_context *c)
{
    CLEANUP(map_done) struct map seen = { 0 };
    const struct core_v1_topology_selector_label_requirement *r = c->data;
    struct field_path values = field_path_member(c->path, STR("values"));
    struct field_path key = field_path_member(c->path, STR("key"));

    for (uint32_t i = 0; i < r->values.len; i++) {
        struct field_path item = field_path_index(&values, i);

        if (map_put(&seen, r->values.items[i], c->errs))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, r->values.items[i], "");
    }
    (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, r->key);
}

/* The same keys with the same values, in whatever order. */
static bool is_part_of_term(const struct core_v1_topology_selector_term *a,
                            const struct core_v1_topology_selector_term *b)
{
    for (uint32_t i = 0; i < a->match_label_expressions.len; i++) {
        const struct core_v1_topology_selector_label_requirement *r =
            &a->match_label_expressions.items[i];
        bool found = false;

        for (uint32_t k = 0; !found && k < b->match_label_expressions.len; k++) {
            const struct core_v1_topology_selector_label_requirement *o =
                &b->match_label_expressions.items[k];

            found = str_eq(o->key, r->key) && o->values.len == r->values.len;
            for (uint32_t v = 0; found && v < r->values.len; v++) {
                bool has = false;

                for (uint32_t w = 0; !has && w < o->values.len; w++)
                    has = str_eq(r->values.items[v], o->values.items[w]);
                found = has;
            }
        }
        if (!found)
            return false;
    }
    return true;
}

enum { TERMS_COMPARED_MAX = 256 };

/* One error for each earlier term that is the same; upstream has seen as many terms without
 * expressions as there are terms, before the first one. */
static void check_term_differs(const struct rule_context *c,
                               const struct storage_v1_storage_class *s, uint32_t i)
{
    struct field_path list = field_path_member(c->path, STR("allowedTopologies"));
    struct field_path item = field_path_index(&list, i);
    struct field_path at = field_path_member(&item, STR("matchLabelExpressions"));
    const struct core_v1_topology_selector_term *terms = s->allowed_topologies.items;
    uint32_t same = terms[i].match_label_expressions.len ? 0 : s->allowed_topologies.len;

    for (uint32_t k = 0; k < i; k++)
        same += is_part_of_term(&terms[i], &terms[k]) && is_part_of_term(&terms[k], &terms[i]);
    for (uint32_t k = 0; k < same; k++)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, STR(""), "");
}

static void rule_allowed_topologies(const struct rule_context *c)
{
    const struct storage_v1_storage_class *s = c->data;

    for (uint32_t i = 0; i < s->allowed_topologies.len; i++) {
        rule_below_item(c, "allowedTopologies", i);
        if (i < TERMS_COMPARED_MAX)
            check_term_differs(c, s, i);
    }
}

static void rule_attributes_class(const struct rule_context *c)
{
    const struct storage_v1_volume_attributes_class *v = c->data;

    check_provisioner(c, "driverName", v->driver_name);
    check_parameters(c, &v->parameters);
}

static void rule_attachment_source(const struct rule_context *c)
{
    const struct storage_v1_volume_attachment_source *s = c->data;
    static const char text[] =
        "must specify exactly one of inlineVolumeSpec and persistentVolumeName";

    if (!s->inline_volume_spec && !s->persistent_volume_name.p)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED, "%s", text);
    else if (s->inline_volume_spec && s->persistent_volume_name.p)
        field_errors_add(c->errs, c->path, FIELD_ERROR_FORBIDDEN, "%s", text);
    else if (s->persistent_volume_name.p && !s->persistent_volume_name.len)
        rule_required(c, "persistentVolumeName", "must specify non empty persistentVolumeName");
}

static void rule_attachment_status(const struct rule_context *c)
{
    const struct storage_v1_volume_attachment_status *s = c->data;
    struct field_path at = field_path_member(c->path, STR("attachmentMetadata"));

    if (bytes_of(&s->attachment_metadata) > PARAMETERS_MAX_BYTES)
        field_errors_add(c->errs, &at, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         PARAMETERS_MAX_BYTES);
}

/* Nothing more is said of a token whose audience was there before. */
static void rule_driver_tokens(const struct rule_context *c)
{
    CLEANUP(map_done) struct map seen = { 0 };
    const struct storage_v1_csi_driver_spec *s = c->data;
    struct field_path list = field_path_member(c->path, STR("tokenRequests"));

    for (uint32_t i = 0; i < s->token_requests.len; i++) {
        struct field_path item = field_path_index(&list, i);
        struct field_path audience = field_path_member(&item, STR("audience"));
        struct str name = s->token_requests.items[i].audience;

        if (map_put(&seen, name, c->errs))
            field_errors_add_text(c->errs, &audience, FIELD_ERROR_DUPLICATE, name, "");
        else
            rule_below_item(c, "tokenRequests", i);
    }
}

static void rule_driver_modes(const struct rule_context *c)
{
    const struct storage_v1_csi_driver_spec *s = c->data;

    for (uint32_t i = 0; i < s->volume_lifecycle_modes.len; i++)
        if (!str_eq(s->volume_lifecycle_modes.items[i], STR("Persistent")) &&
            !str_eq(s->volume_lifecycle_modes.items[i], STR("Ephemeral")))
            rule_unsupported(c, "volumeLifecycleModes", s->volume_lifecycle_modes.items[i],
                             "Persistent|Ephemeral");
}

static void rule_driver_secrets(const struct rule_context *c)
{
    const struct storage_v1_csi_driver_spec *s = c->data;
    struct field_path at = field_path_member(c->path, STR("serviceAccountTokenInSecrets"));

    if (s->service_account_token_in_secrets && !s->token_requests.len)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             *s->service_account_token_in_secrets ? STR("true") : STR("false"),
                             "serviceAccountTokenInSecrets is set but no tokenRequests are "
                             "specified");
}

/* Upstream misspells the member. */
static void rule_driver_attaches(const struct rule_context *c)
{
    struct field_path at = field_path_member(c->path, STR("attachedRequired"));

    if (c->old && !rule_members_equal(DRIVER_SPEC, "attachRequired", c->data, c->old))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             rule_print_member(c->arena, DRIVER_SPEC, "attachRequired", c->data),
                             "field is immutable");
}

static void rule_node_driver(const struct rule_context *c)
{
    const struct storage_v1_csi_node_driver *d = c->data;

    if (d->node_id.len > 256)
        rule_invalid(c, "nodeID", d->node_id, "must be 256 characters or less");
    for (uint32_t i = 0; i < d->topology_keys.len; i++) {
        struct str key = d->topology_keys.items[i];
        bool twice = false;

        for (uint32_t j = 0; j < i; j++)
            twice |= str_eq(d->topology_keys.items[j], key);
        if (key.len == 0)
            field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED, "");
        if (twice)
            field_errors_add_text(c->errs, c->path, FIELD_ERROR_DUPLICATE, key, "");
        (void)name_rule_report(c->errs, c->path, NAME_RULE_QUALIFIED_NAME, key);
    }
}

static bool drivers_equal(const struct storage_v1_csi_node_driver *a,
                          const struct storage_v1_csi_node_driver *b)
{
    if (!str_eq(a->node_id, b->node_id) || a->topology_keys.len != b->topology_keys.len)
        return false;
    for (uint32_t i = 0; i < a->topology_keys.len; i++)
        if (!str_eq(a->topology_keys.items[i], b->topology_keys.items[i]))
            return false;
    return true;
}

/* A driver may come and go, but not turn into another. */
static void rule_node_spec(const struct rule_context *c)
{
    const struct storage_v1_csi_node_spec *s = c->data, *old = c->old;
    struct field_path at = field_path_member(c->path, STR("drivers"));

    for (uint32_t i = 0; old && i < old->drivers.len; i++)
        for (uint32_t j = 0; j < s->drivers.len; j++) {
            const struct storage_v1_csi_node_driver *d = &s->drivers.items[j];
            struct storage_v1_csi_node_driver shown = *d;

            shown.allocatable = NULL; /* it may change, and upstream prints what may not */
            if (str_eq(d->name, old->drivers.items[i].name) &&
                !drivers_equal(d, &old->drivers.items[i]))
                field_errors_add_raw(
                    c->errs, &at, FIELD_ERROR_INVALID,
                    rule_print_internal(c->arena, "storage.k8s.io/v1.CSINodeDriver", &shown),
                    "field is immutable");
        }
}

static void rule_storage_capacity(const struct rule_context *c)
{
    const struct storage_v1_csi_storage_capacity *s = c->data;
    struct field_path class = field_path_member(c->path, STR("storageClassName"));
    struct field_path at = field_path_member(c->path, STR("capacity"));
    struct quantity q;

    (void)name_rule_report(c->errs, &class, NAME_RULE_DNS1123_SUBDOMAIN, s->storage_class_name);
    if (s->capacity.len && quantity_parse(s->capacity, &q) && q.nano < 0)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, s->capacity,
                              "must be greater than or equal to 0");
}

static void rule_attachment_node(const struct rule_context *c)
{
    const struct storage_v1_volume_attachment_spec *s = c->data;
    struct field_path at = field_path_member(c->path, STR("nodeName"));

    (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1123_SUBDOMAIN, s->node_name);
}

static void rule_inline_volume(const struct rule_context *c)
{
    const struct storage_v1_volume_attachment_source *s = c->data;

    if (!s->persistent_volume_name.p)
        rule_below(c, "inlineVolumeSpec");
}

#define S "storage.k8s.io/v1."

const struct rule rules_storage[] = {
    { S "StorageClass", "provisioner", RULE_REQUIRED },
    { .type = S "StorageClass", .check = RULE_FN, .fn = rule_storage_class },
    { S "StorageClass", "reclaimPolicy", RULE_ENUM, .text = "Delete|Retain" },
    { S "StorageClass", "volumeBindingMode", RULE_ENUM_SET,
      .text = "Immediate|WaitForFirstConsumer" },
    { S "StorageClass", "parameters", RULE_IMMUTABLE },
    { S "StorageClass", "provisioner", RULE_IMMUTABLE },
    { S "StorageClass", "reclaimPolicy", RULE_IMMUTABLE },
    { S "StorageClass", "volumeBindingMode", RULE_IMMUTABLE },
    { S "StorageClass", "allowedTopologies", RULE_BELOW, .fn = rule_allowed_topologies },
    { "core/v1.TopologySelectorTerm", "matchLabelExpressions", RULE_BELOW,
      .fn = rule_topology_term },
    { "core/v1.TopologySelectorLabelRequirement", "values", RULE_REQUIRED },
    { .type = "core/v1.TopologySelectorLabelRequirement",
      .check = RULE_FN,
      .fn = rule_topology_requirement },
    { S "VolumeAttributesClass", "driverName", RULE_LOCKED,
      .text = "updates to driverName are forbidden." },
    { S "VolumeAttributesClass", "parameters", RULE_LOCKED,
      .text = "updates to parameters are forbidden." },
    { S "VolumeAttributesClass", "driverName", RULE_REQUIRED },
    { S "VolumeAttributesClass", "parameters", RULE_REQUIRED,
      .text = "must contain at least one key/value pair" },
    { .type = S "VolumeAttributesClass", .check = RULE_FN, .fn = rule_attributes_class },
    { S "VolumeAttachmentSpec", "attacher", RULE_REQUIRED },
    { S "VolumeAttachmentSpec", "attacher", RULE_MAX_BYTES, .max = 63 },
    { S "VolumeAttachmentSpec", "attacher", RULE_NAME,
      .min = NAME_RULE_DNS1123_SUBDOMAIN_CASELESS },
    { S "VolumeAttachmentSpec", "source", RULE_BELOW },
    { .type = S "VolumeAttachmentSpec", .check = RULE_FN, .fn = rule_attachment_node },
    { .type = S "VolumeAttachmentSource", .check = RULE_FN, .fn = rule_attachment_source },
    { S "VolumeAttachmentSource", "inlineVolumeSpec", RULE_BELOW, .fn = rule_inline_volume },
    { S "VolumeAttachment", "spec", RULE_BELOW },
    { S "VolumeAttachment", "spec", RULE_IMMUTABLE },
    { .type = S "VolumeAttachmentStatus", .check = RULE_FN, .fn = rule_attachment_status },
    /* Upstream names the limit of the metadata here, too. */
    { S "VolumeError", "message", RULE_MAX_BYTES, .max = 1024,
      .text = "may not be more than 262144 bytes" },
    { S "VolumeError", "errorCode", RULE_NUMBER, .min = 0, .max = INT32_MAX },
    { DRIVER_SPEC, "fsGroupPolicy", RULE_ENUM, .text = "File|None|ReadWriteOnceWithFSType" },
    { DRIVER_SPEC, "tokenRequests", RULE_BELOW, .fn = rule_driver_tokens },
    { .type = DRIVER_SPEC, .check = RULE_FN, .fn = rule_driver_modes },
    { DRIVER_SPEC, "nodeAllocatableUpdatePeriodSeconds", RULE_NUMBER, .min = 10, .max = INT64_MAX,
      .text = "must be greater than or equal to 10 seconds" },
    { .type = DRIVER_SPEC, .check = RULE_FN, .fn = rule_driver_secrets },
    { .type = DRIVER_SPEC, .check = RULE_FN, .fn = rule_driver_attaches },
    { DRIVER_SPEC, "volumeLifecycleModes", RULE_IMMUTABLE },
    { S "TokenRequest", "expirationSeconds", RULE_NUMBER, .min = 600, .max = INT64_MAX,
      .text = "may not specify a duration less than 10 minutes" },
    { S "TokenRequest", "expirationSeconds", RULE_NUMBER, .min = INT64_MIN, .max = (int64_t)1 << 32,
      .text = "may not specify a duration larger than 2^32 seconds" },
    { S "CSINodeSpec", "drivers", RULE_UNIQUE, .text = "name" },
    { S "CSINodeSpec", "drivers", RULE_BELOW },
    { .type = S "CSINodeSpec", .check = RULE_FN, .fn = rule_node_spec },
    { S "CSINodeDriver", "name", RULE_REQUIRED },
    { S "CSINodeDriver", "name", RULE_MAX_BYTES, .max = 63 },
    { S "CSINodeDriver", "name", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN_CASELESS },
    { S "CSINodeDriver", "nodeID", RULE_REQUIRED },
    { .type = S "CSINodeDriver", .check = RULE_FN, .fn = rule_node_driver },
    { S "VolumeNodeResources", "count", RULE_MIN, .min = 0 },
    { S "CSIStorageCapacity", "nodeTopology", RULE_BELOW },
    { .type = S "CSIStorageCapacity", .check = RULE_FN, .fn = rule_storage_capacity },
    { S "CSIStorageCapacity", "nodeTopology", RULE_IMMUTABLE },
    { S "CSIStorageCapacity", "storageClassName", RULE_IMMUTABLE },
    { 0 },
};
