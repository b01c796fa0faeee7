/* Rules of PersistentVolumes and claims. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/object.h"
#include "api/quantity.h"
#include "api/rules_internal.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "api/validation.h"
#include "base/arena.h"

/* upstream's field paths: those of the two kinds' own checks. */
static void check_modes(const struct rule_context *c, const struct str *modes, uint32_t n)
{
    bool alone = false, others = false;

    for (uint32_t i = 0; i < n; i++) {
        bool pod = str_eq(modes[i], STR("ReadWriteOncePod"));
        bool other = str_eq(modes[i], STR("ReadOnlyMany")) ||
                     str_eq(modes[i], STR("ReadWriteMany")) ||
                     str_eq(modes[i], STR("ReadWriteOnce"));

        if (!pod && !other)
            rule_unsupported(c, "accessModes", modes[i],
                             "ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod");
        alone |= pod;
        others |= other;
    }
    if (alone && others)
        rule_forbidden(c, "accessModes", "may not use ReadWriteOncePod with other access modes");
}

/* An amount above zero. */
static void check_positive(const struct rule_context *c, const struct field_path *at,
                           struct str amount)
{
    struct quantity q;

    if (quantity_parse(amount, &q) && q.nano <= 0)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, amount,
                              "must be greater than zero");
}

static void check_capacity(const struct rule_context *c,
                           const struct core_v1_persistent_volume_spec *s)
{
    static const struct str storage[] = { STR_INIT("storage") };
    struct field_path at = field_path_member(c->path, STR("capacity"));

    if (s->capacity.len == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
    if (s->capacity.len != 1 || !text_map_find(&s->capacity, storage[0]))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_NOT_SUPPORTED,
                             rule_print_map(c->arena, &s->capacity),
                             "supported values: \"storage\"");
    for (uint32_t i = 0; i < s->capacity.len; i++) {
        struct field_path key = field_path_key(&at, s->capacity.items[i].key);

        check_positive(c, &key, s->capacity.items[i].value);
    }
}

/* A volume in the spec of a VolumeAttachment: what comes from a Pod's own volume. */
static void check_inline(const struct rule_context *c,
                         const struct core_v1_persistent_volume_spec *s)
{
    static const char text[] = "may not be specified in the context of inline volumes";

    if (s->claim_ref)
        rule_forbidden(c, "claimRef", text);
    if (s->capacity.len)
        rule_forbidden(c, "capacity", text);
    if (!s->persistent_volume_source.csi)
        rule_required(c, "csi", "has to be specified in the context of inline volumes");
    if (s->node_affinity)
        rule_forbidden(c, "nodeAffinity", text);
    if (s->storage_class_name.len)
        rule_forbidden(c, "storageClassName", text);
}

static void check_volume_class(const struct rule_context *c,
                               const struct core_v1_persistent_volume_spec *s)
{
    struct field_path at = field_path_member(c->path, STR("volumeAttributesClassName"));

    if (!s->volume_attributes_class_name.p)
        return;
    if (s->volume_attributes_class_name.len == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "an empty string is disallowed");
    else
        (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1123_SUBDOMAIN,
                               s->volume_attributes_class_name);
    if (!s->persistent_volume_source.csi)
        rule_required(c, "csi", "has to be specified when using volumeAttributesClassName");
}

static void rule_volume_spec(const struct rule_context *c)
{
    const struct core_v1_persistent_volume_spec *s = c->data;

    check_modes(c, s->access_modes.items, s->access_modes.len);
    if (c->request->object.type != schema_walk_type(&schema_builtin, "core/v1.PersistentVolume"))
        check_inline(c, s);
    else
        check_capacity(c, s);
}

static void rule_volume_place(const struct rule_context *c)
{
    const struct core_v1_persistent_volume_spec *s = c->data;
    const struct core_v1_host_path_volume_source *host = s->persistent_volume_source.host_path;

    if (s->persistent_volume_source.local && !s->node_affinity)
        rule_required(c, "nodeAffinity", "Local volume requires node affinity");
    if (host && str_eq(host->path, STR("/")) &&
        str_eq(s->persistent_volume_reclaim_policy, STR("Recycle")))
        rule_forbidden(c, "persistentVolumeReclaimPolicy",
                       "may not be 'recycle' for a hostPath mount of '/'");
}

static void rule_volume_class(const struct rule_context *c)
{
    check_volume_class(c, c->data);
}

static bool structs_equal(const char *type, const void *a, const void *b)
{
    struct object x = { .schema = &schema_builtin,
                        .type = schema_walk_type(&schema_builtin, type),
                        .data = (void *)(uintptr_t)a }; /* read only */
    struct object y = x;

    y.data = (void *)(uintptr_t)b;
    if (!a || !b)
        return a == b;
    return object_equal(x, y);
}

/* An update is checked as a new one, too: upstream tells of each error twice. */
static void rule_volume_below(const struct rule_context *c)
{
    rule_below(c, "spec");
    if (c->old)
        rule_below(c, "spec");
}

/* The paths are upstream's, as odd as they are. */
static void rule_volume(const struct rule_context *c)
{
    const struct core_v1_persistent_volume *v = c->data, *old = c->old;
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path source = field_path_member(&spec, STR("persistentvolumesource"));
    struct field_path class = field_path_member(&spec, STR("volumeAttributesClassName"));
    struct core_v1_persistent_volume_source now;
    struct core_v1_csi_persistent_volume_source csi;

    if (!old)
        return;
    now = v->spec.persistent_volume_source;
    if (now.csi && old->spec.persistent_volume_source.csi &&
        !old->spec.persistent_volume_source.csi->controller_expand_secret_ref) {
        csi = *now.csi; /* it may get that secret */
        csi.controller_expand_secret_ref = NULL;
        now.csi = &csi;
    }
    if (!structs_equal("core/v1.PersistentVolumeSource", &now, &old->spec.persistent_volume_source))
        field_errors_add(c->errs, &source, FIELD_ERROR_FORBIDDEN,
                         "spec.persistentvolumesource is immutable after creation\n%.*s",
                         STR_ARG(rule_print_diff(c->arena, "core/v1.PersistentVolumeSource",
                                                 &old->spec.persistent_volume_source, &now)));
    if (!str_eq(v->spec.volume_mode, old->spec.volume_mode))
        rule_invalid(c, "volumeMode", v->spec.volume_mode, "field is immutable");
    if (old->spec.node_affinity && !structs_equal("core/v1.VolumeNodeAffinity",
                                                  v->spec.node_affinity, old->spec.node_affinity))
        field_errors_add_raw(
            c->errs, &(struct field_path){ .name = STR("nodeAffinity"), .index = -1 },
            FIELD_ERROR_INVALID,
            v->spec.node_affinity
                ? rule_print_internal(c->arena, "core/v1.VolumeNodeAffinity", v->spec.node_affinity)
                : STR("null"),
            "field is immutable, except for updating from beta label to GA");
    if (old->spec.volume_attributes_class_name.p && !v->spec.volume_attributes_class_name.p)
        field_errors_add(c->errs, &class, FIELD_ERROR_FORBIDDEN,
                         "update from non-nil value to nil is forbidden");
}

static void check_data_source(const struct rule_context *c, const char *member, struct str group,
                              struct str kind, struct str name)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));
    struct field_path name_at = field_path_member(&at, STR("name"));
    struct field_path kind_at = field_path_member(&at, STR("kind"));
    struct field_path group_at = field_path_member(&at, STR("apiGroup"));

    if (name.len == 0)
        field_errors_add(c->errs, &name_at, FIELD_ERROR_REQUIRED, "");
    if (kind.len == 0)
        field_errors_add(c->errs, &kind_at, FIELD_ERROR_REQUIRED, "");
    if (group.len == 0 && !str_eq(kind, STR("PersistentVolumeClaim")))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, kind,
                              "must be 'PersistentVolumeClaim' when referencing the default "
                              "apiGroup");
    if (group.len)
        (void)name_rule_report(c->errs, &group_at, NAME_RULE_DNS1123_SUBDOMAIN, group);
}

/* Unset is not the same as empty. */
static bool texts_equal(struct str a, struct str b)
{
    return a.p && b.p ? str_eq(a, b) : a.p == b.p;
}

/* Upstream shows its path object, which has nothing to show, as the value. */
static void check_data_sources(const struct rule_context *c,
                               const struct core_v1_persistent_volume_claim_spec *s)
{
    const struct core_v1_typed_local_object_reference *local = s->data_source;
    const struct core_v1_typed_object_reference *ref = s->data_source_ref;
    struct field_path at = field_path_member(c->path, STR("dataSourceRef"));
    struct field_path namespace = field_path_member(&at, STR("namespace"));

    if (local)
        check_data_source(c, "dataSource", local->api_group, local->kind, local->name);
    if (ref)
        check_data_source(c, "dataSourceRef", ref->api_group, ref->kind, ref->name);
    if (ref && ref->namespace.len)
        (void)name_rule_report(c->errs, &namespace, NAME_RULE_DNS1123_LABEL, ref->namespace);
    if (!local || !ref)
        return;
    if (ref->namespace.len)
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID, STR("{}"),
                             "may not be specified when dataSourceRef.namespace is specified");
    else if (!str_eq(local->kind, ref->kind) || !str_eq(local->name, ref->name) ||
             !texts_equal(local->api_group, ref->api_group))
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID, STR("{}"),
                             "must match dataSourceRef");
}

static void rule_claim_size(const struct rule_context *c)
{
    const struct core_v1_persistent_volume_claim_spec *s = c->data;
    const struct schema_str_entry *size = text_map_find(&s->resources.requests, STR("storage"));
    struct field_path resources = field_path_member(c->path, STR("resources"));
    struct field_path at = field_path_key(&resources, STR("storage"));

    check_modes(c, s->access_modes.items, s->access_modes.len);
    if (!size)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
    else
        check_positive(c, &at, size->value);
}

static void rule_claim_sources(const struct rule_context *c)
{
    check_data_sources(c, c->data);
}

static struct quantity amount_of(const void *map)
{
    const struct schema_str_entry *e = text_map_find(map, STR("storage"));
    struct quantity q = { 0 };

    if (e)
        (void)quantity_parse(e->value, &q); /* zero, when it is none */
    return q;
}

#define BETA_CLASS "volume.beta.kubernetes.io/storage-class"

/* The class that an annotation named may move to the field, or a class be given to a claim without
 * one, once. */
static void check_class(const struct rule_context *c,
                        const struct core_v1_persistent_volume_claim *p,
                        const struct core_v1_persistent_volume_claim *old,
                        struct core_v1_persistent_volume_claim_spec *now)
{
    const struct schema_str_entry *a = text_map_find(&p->metadata.annotations, STR(BETA_CLASS));
    const struct schema_str_entry *b = text_map_find(&old->metadata.annotations, STR(BETA_CLASS));
    struct str class = now->storage_class_name, had = b ? b->value : STR("");
    struct field_path meta = field_path_member(c->path, STR("metadata"));
    struct field_path annotations = field_path_member(&meta, STR("annotations"));
    struct field_path at = field_path_key(&annotations, STR(BETA_CLASS));
    bool gets_one = class.p && !old->spec.storage_class_name.p && (!b || str_eq(class, had));

    if (gets_one)
        now->storage_class_name = old->spec.storage_class_name;
    if (gets_one && b && (!a || str_eq(a->value, had)))
        return;
    if (!str_eq(a ? a->value : STR(""), had))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, a ? a->value : STR(""),
                              "field is immutable");
}

/* What of a claim stays: all but the size and class of a bound one, and what was unset. */
static void check_claim_change(const struct rule_context *c,
                               const struct core_v1_persistent_volume_claim *p,
                               const struct core_v1_persistent_volume_claim *old)
{
    struct core_v1_persistent_volume_claim_spec x = p->spec, y = old->spec;
    const struct schema_str_entry *size = text_map_find(&y.resources.requests, STR("storage"));
    struct field_path spec = field_path_member(c->path, STR("spec"));

    if (!y.volume_name.len)
        y.volume_name = x.volume_name;
    check_class(c, p, old, &x);
    if (str_eq(p->status.phase, STR("Bound"))) {
        text_map_copy(c->arena, &x.resources.requests, &p->spec.resources.requests);
        if (size)
            text_map_put(c->arena, &x.resources.requests, STR("storage"), size->value);
        x.volume_attributes_class_name = y.volume_attributes_class_name;
    }
    if (!structs_equal("core/v1.PersistentVolumeClaimSpec", &x, &y))
        field_errors_add(
            c->errs, &spec, FIELD_ERROR_FORBIDDEN,
            "spec is immutable after creation except resources.requests and "
            "volumeAttributesClassName for bound claims\n%.*s",
            STR_ARG(rule_print_diff(c->arena, "core/v1.PersistentVolumeClaimSpec", &y, &x)));
}

static void check_attributes_class(const struct rule_context *c,
                                   const struct core_v1_persistent_volume_claim *p,
                                   const struct core_v1_persistent_volume_claim *old)
{
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path at = field_path_member(&spec, STR("volumeAttributesClassName"));
    struct str now = p->spec.volume_attributes_class_name;
    struct str was = old->spec.volume_attributes_class_name;

    if (now.len || (was.len == 0 && !now.p == !was.p) ||
        !old->status.current_volume_attributes_class_name.p)
        return;
    field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN,
                     "update to %s is forbidden when status.currentVolumeAttributesClassName is "
                     "not nil",
                     now.p ? "empty string" : "nil");
}

static void rule_claim(const struct rule_context *c)
{
    const struct core_v1_persistent_volume_claim *p = c->data, *old = c->old;
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path resources = field_path_member(&spec, STR("resources"));
    struct field_path requests = field_path_member(&resources, STR("requests"));
    struct field_path size = field_path_member(&requests, STR("storage"));
    struct quantity now;

    if (!old)
        return;
    check_claim_change(c, p, old);
    now = amount_of(&p->spec.resources.requests);
    if (quantity_compare(now, amount_of(&old->spec.resources.requests)) < 0 &&
        quantity_compare(now, amount_of(&old->status.capacity)) <= 0)
        field_errors_add(c->errs, &size, FIELD_ERROR_FORBIDDEN,
                         "field can not be less than status.capacity");
    if (!str_eq(p->spec.volume_mode, old->spec.volume_mode))
        rule_invalid(c, "volumeMode", p->spec.volume_mode, "field is immutable");
    check_attributes_class(c, p, old);
}

static bool check_claim_key(const struct rule_context *c, const struct field_path *at,
                            struct str name)
{
    static const struct str known[] = { STR_INIT("storage") };

    if (!name_rule_report(c->errs, at, NAME_RULE_QUALIFIED_NAME, name))
        return false;
    if (!rule_is_native_resource(name) || str_eq(name, known[0]))
        return true;
    field_errors_add_unsupported(c->errs, at, name, known, 1);
    return false;
}

static void rule_claim_status(const struct rule_context *c)
{
    static const struct str states[] = { STR_INIT("ControllerResizeInProgress"),
                                         STR_INIT("ControllerResizeInfeasible"),
                                         STR_INIT("NodeResizeInProgress"),
                                         STR_INIT("NodeResizeInfeasible"),
                                         STR_INIT("NodeResizePending") };
    const struct core_v1_persistent_volume_claim_status *s = c->data;
    struct field_path statuses = field_path_member(c->path, STR("allocatedResourceStatuses"));
    struct field_path amounts = field_path_member(c->path, STR("allocatedResources"));

    if (c->request->part != VALIDATION_STATUS)
        return; /* a template of claims */
    for (uint32_t i = 0; i < s->allocated_resource_statuses.len; i++) {
        const struct schema_str_entry *e = &s->allocated_resource_statuses.items[i];
        bool known = false;

        (void)check_claim_key(c, &statuses, e->key);
        for (size_t k = 0; k < ARRAY_LEN(states); k++)
            known |= str_eq(e->value, states[k]);
        if (!known)
            field_errors_add_unsupported(c->errs, &statuses, e->key, states, ARRAY_LEN(states));
    }
    for (uint32_t i = 0; i < s->allocated_resources.len; i++) {
        const struct schema_str_entry *e = &s->allocated_resources.items[i];
        struct field_path at = field_path_key(&amounts, e->key);

        if (check_claim_key(c, &amounts, e->key))
            rule_check_amount_value(c, &at, STR("storage"), e->value);
    }
}

#define PV  "core/v1.PersistentVolumeSpec"
#define PVC "core/v1.PersistentVolumeClaimSpec"

const struct rule rules_volumes[] = {
    { PV, "accessModes", RULE_REQUIRED },
    { .type = PV, .check = RULE_FN, .fn = rule_volume_spec },
    { PV, "persistentVolumeReclaimPolicy", RULE_ENUM, .text = "Delete|Recycle|Retain" },
    { PV, "nodeAffinity", RULE_BELOW },
    { PV, "*", RULE_BELOW },
    { .type = PV, .check = RULE_FN, .fn = rule_volume_place },
    { PV, "storageClassName", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { PV, "volumeMode", RULE_ENUM, .text = "Block|Filesystem" },
    { .type = PV, .check = RULE_FN, .fn = rule_volume_class },
    { .type = "core/v1.PersistentVolumeSource",
      .check = RULE_ONE_OF,
      .text = "must specify a volume type|may not specify more than 1 volume type",
      .order =
          "hostPath|gcePersistentDisk::persistentDisk|awsElasticBlockStore|glusterfs|flocker|nfs|rbd|quobyte|cephfs:cephFS|iscsi|cinder|fc|flexVolume|azureFile|vsphereVolume|photonPersistentDisk|portworxVolume|azureDisk|scaleIO|local|storageos|csi" },
    { .type = "core/v1.PersistentVolume",
      .check = RULE_BELOW,
      .fn = rule_volume_below,
      .order = "spec" },
    { .type = "core/v1.PersistentVolume", .check = RULE_FN, .fn = rule_volume },
    { "core/v1.VolumeNodeAffinity", "required", RULE_REQUIRED,
      .text = "must specify required node constraints" },
    { PVC, "accessModes", RULE_REQUIRED, .text = "at least 1 access mode is required" },
    { PVC, "selector", RULE_BELOW },
    { .type = PVC, .check = RULE_FN, .fn = rule_claim_size },
    { PVC, "storageClassName", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { PVC, "volumeMode", RULE_ENUM, .text = "Block|Filesystem" },
    { .type = PVC, .check = RULE_FN, .fn = rule_claim_sources },
    { PVC, "volumeAttributesClassName", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { .type = "core/v1.PersistentVolumeClaimStatus", .check = RULE_FN, .fn = rule_claim_status },
    { "core/v1.PersistentVolumeClaim", "spec", RULE_BELOW },
    { .type = "core/v1.PersistentVolumeClaim", .check = RULE_FN, .fn = rule_claim },
    { 0 },
};
