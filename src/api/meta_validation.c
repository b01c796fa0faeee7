/* ObjectMeta: upstream's rules in upstream's order. */
#include "api/meta_validation.h"

#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/rules.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"

enum {
    ANNOTATIONS_MAX_BYTES = 256 * 1024,
    FIELD_MANAGER_MAX_BYTES = 128,
    SUBRESOURCE_MAX_BYTES = 256,
};

typedef const struct field_path *path_t;

static struct field_path member(path_t parent, const char *name)
{
    return field_path_member(parent, str_from_cstr(name));
}

static void report(struct field_errors *errs, path_t parent, const char *name, struct str value,
                   const struct name_messages *m)
{
    struct field_path p = member(parent, name);

    for (size_t i = 0; i < m->len; i++)
        field_errors_add_text(errs, &p, FIELD_ERROR_INVALID, value, "%s", m->items[i].p);
}

void meta_validate_labels(struct field_errors *errs, const void *string_map,
                          const struct field_path *path)
{
    const struct schema_str_entry *e = text_map_items(string_map);

    for (uint32_t i = 0; i < text_map_len(string_map); i++) {
        (void)name_rule_report(errs, path, NAME_RULE_QUALIFIED_NAME, e[i].key);
        (void)name_rule_report(errs, path, NAME_RULE_LABEL_VALUE, e[i].value);
    }
}

/* Keys are qualified names in any case. */
static void check_annotation_key(struct field_errors *errs, struct str key, path_t path)
{
    struct name_messages m;
    struct buf lower;

    buf_init_arena(&lower, errs->arena, key.len);
    for (size_t i = 0; i < key.len; i++)
        buf_append_char(&lower,
                        (char)(key.p[i] >= 'A' && key.p[i] <= 'Z' ? key.p[i] + 32 : key.p[i]));
    name_rule_check(NAME_RULE_QUALIFIED_NAME, buf_str(&lower), &m);
    for (size_t i = 0; i < m.len; i++)
        field_errors_add_text(errs, path, FIELD_ERROR_INVALID, key, "%s", m.items[i].p);
}

void meta_validate_annotations(struct field_errors *errs, const void *string_map,
                               const struct field_path *path)
{
    const struct schema_str_entry *e = text_map_items(string_map);
    size_t total = 0;

    for (uint32_t i = 0; i < text_map_len(string_map); i++) {
        if (!name_rule_holds(NAME_RULE_QUALIFIED_NAME, e[i].key))
            check_annotation_key(errs, e[i].key, path);
        total += e[i].key.len + e[i].value.len;
    }
    if (total > ANNOTATIONS_MAX_BYTES)
        field_errors_add(errs, path, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         ANNOTATIONS_MAX_BYTES);
}

static void required(struct field_errors *errs, path_t parent, const char *name, struct str value)
{
    struct field_path p = member(parent, name);

    if (value.len == 0)
        field_errors_add(errs, &p, FIELD_ERROR_REQUIRED, "must not be empty");
}

static void validate_owner(struct field_errors *errs, const struct meta_v1_owner_reference *o,
                           path_t path)
{
    struct str group, version;
    bool malformed = false;

    required(errs, path, "apiVersion", o->api_version);
    if (o->api_version.len) {
        if (!str_cut(o->api_version, '/', &group, &version))
            version = o->api_version;
        malformed = version.len == 0 || str_find(version, '/') >= 0;
    }
    if (malformed) {
        struct field_path p = member(path, "apiVersion");

        field_errors_add_text(errs, &p, FIELD_ERROR_INVALID, o->api_version,
                              "must be <group>/<version> or <version>");
    }
    required(errs, path, "kind", o->kind);
    required(errs, path, "name", o->name);
    required(errs, path, "uid", o->uid);
    if (str_eq(o->api_version, STR("v1")) && str_eq(o->kind, STR("Event")))
        field_errors_add_raw(errs, path, FIELD_ERROR_INVALID,
                             rule_print_struct(errs->arena, "meta.k8s.io/v1.OwnerReference", o),
                             "/v1, Kind=Event is disallowed from being an owner");
}

static void validate_owners(struct field_errors *errs, const struct meta_v1_object_meta *m,
                            path_t path)
{
    const struct meta_v1_owner_reference *controller = NULL;

    for (uint32_t i = 0; i < m->owner_references.len; i++) {
        const struct meta_v1_owner_reference *o = &m->owner_references.items[i];
        struct field_path item = field_path_index(path, i);

        validate_owner(errs, o, &item);
        if (!o->controller || !*o->controller)
            continue;
        if (controller)
            field_errors_add_raw(errs, path, FIELD_ERROR_INVALID,
                                 rule_print_struct(errs->arena, "meta.k8s.io/v1.OwnerReference", o),
                                 "Only one reference can have Controller set to true. Found "
                                 "\"true\" in references for %.*s/%.*s and %.*s/%.*s",
                                 STR_ARG(controller->kind), STR_ARG(controller->name),
                                 STR_ARG(o->kind), STR_ARG(o->name));
        else
            controller = o;
    }
}

static void validate_finalizers(struct field_errors *errs, const struct meta_v1_object_meta *m,
                                path_t path)
{
    bool orphan = false, foreground = false;

    for (uint32_t i = 0; i < m->finalizers.len; i++) {
        struct str f = m->finalizers.items[i];

        (void)name_rule_report(errs, path, NAME_RULE_QUALIFIED_NAME, f);
        orphan |= str_eq(f, STR("orphan"));
        foreground |= str_eq(f, STR("foregroundDeletion"));
    }
    if (orphan && foreground)
        field_errors_add_raw(errs, path, FIELD_ERROR_INVALID,
                             rule_print_texts(errs->arena, m->finalizers.items, m->finalizers.len),
                             "finalizer orphan and foregroundDeletion cannot be both set");
}

static void validate_managed(struct field_errors *errs, const struct meta_v1_object_meta *m,
                             path_t path)
{
    static const struct str operations[] = { STR_INIT("Apply"), STR_INIT("Update") };

    for (uint32_t i = 0; i < m->managed_fields.len; i++) {
        const struct meta_v1_managed_fields_entry *f = &m->managed_fields.items[i];
        struct field_path item = field_path_index(path, i);
        struct field_path operation = member(&item, "operation");
        struct field_path type = member(&item, "fieldsType"), manager = member(&item, "manager");
        struct field_path sub = member(&item, "subresource");

        if (f->operation.len == 0)
            field_errors_add(errs, &operation, FIELD_ERROR_REQUIRED, "must not be empty");
        else if (!str_eq(f->operation, operations[0]) && !str_eq(f->operation, operations[1]))
            field_errors_add_unsupported(errs, &operation, f->operation, operations, 2);
        if (f->fields_type.len && !str_eq(f->fields_type, STR("FieldsV1")))
            field_errors_add_text(errs, &type, FIELD_ERROR_INVALID, f->fields_type,
                                  "must be `FieldsV1`");
        if (f->manager.len > FIELD_MANAGER_MAX_BYTES)
            field_errors_add(errs, &manager, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                             FIELD_MANAGER_MAX_BYTES);
        if (f->subresource.len > SUBRESOURCE_MAX_BYTES)
            field_errors_add(errs, &sub, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                             SUBRESOURCE_MAX_BYTES);
    }
}

static void validate_generation(struct field_errors *errs, const struct meta_v1_object_meta *m,
                                path_t path)
{
    struct field_path p = member(path, "generation");

    if (m->generation < 0)
        field_errors_add_raw(errs, &p, FIELD_ERROR_INVALID,
                             arena_printf(errs->arena, "%lld", (long long)m->generation),
                             "must be greater than or equal to 0");
}

/* What holds at create and update alike. */
static void validate_common(struct field_errors *errs, const struct meta_v1_object_meta *m,
                            path_t path)
{
    struct field_path labels = member(path, "labels"), annotations = member(path, "annotations");
    struct field_path owners = member(path, "ownerReferences");
    struct field_path managed = member(path, "managedFields");

    meta_validate_labels(errs, &m->labels, &labels);
    meta_validate_annotations(errs, &m->annotations, &annotations);
    validate_owners(errs, m, &owners);
    validate_managed(errs, m, &managed);
}

static void check_length(struct field_errors *errs, struct str name, const struct meta_rules *rules,
                         path_t path)
{
    if (rules->name_max && name.len > (size_t)rules->name_max)
        field_errors_add_text(errs, path, FIELD_ERROR_INVALID, name,
                              "must be no more than %d characters", rules->name_max);
}

static void validate_names(struct field_errors *errs, const struct meta_v1_object_meta *m,
                           const struct meta_rules *rules, path_t path)
{
    struct field_path name = member(path, "name");
    struct name_messages messages;

    if (m->generate_name.len) {
        name_rule_check_prefix(rules->name_rule, m->generate_name, &messages);
        report(errs, path, "generateName", m->generate_name, &messages);
    }
    if (m->name.len == 0) {
        field_errors_add(errs, &name, FIELD_ERROR_REQUIRED, "name or generateName is required");
        return;
    }
    (void)name_rule_report(errs, &name, rules->name_rule, m->name);
    check_length(errs, m->name, rules, &name);
}

static void validate_namespace(struct field_errors *errs, const struct meta_v1_object_meta *m,
                               const struct meta_rules *rules, path_t path)
{
    struct field_path p = member(path, "namespace");

    if (!rules->namespaced) {
        if (m->namespace.len)
            field_errors_add(errs, &p, FIELD_ERROR_FORBIDDEN, "not allowed on this type");
    } else if (m->namespace.len == 0) {
        field_errors_add(errs, &p, FIELD_ERROR_REQUIRED, "");
    } else {
        (void)name_rule_report(errs, &p, NAME_RULE_DNS1123_LABEL, m->namespace);
    }
}

void meta_validate(struct field_errors *errs, const struct meta_v1_object_meta *meta,
                   const struct meta_rules *rules, const struct field_path *path)
{
    struct field_path finalizers = member(path, "finalizers");

    validate_names(errs, meta, rules, path);
    validate_namespace(errs, meta, rules, path);
    validate_generation(errs, meta, path);
    validate_common(errs, meta, path);
    validate_finalizers(errs, meta, &finalizers);
}

void meta_prepare_update(struct meta_v1_object_meta *updated, const struct meta_v1_object_meta *old)
{
    if (updated->uid.len == 0)
        updated->uid = old->uid;
    updated->creation_timestamp = old->creation_timestamp;
    updated->deletion_timestamp = old->deletion_timestamp;
    updated->deletion_grace_period_seconds = old->deletion_grace_period_seconds;
    updated->generation = old->generation;
    updated->self_link = STR_NULL;
}

static void validate_no_new_finalizers(struct field_errors *errs,
                                       const struct meta_v1_object_meta *updated,
                                       const struct meta_v1_object_meta *old, path_t path)
{
    struct field_path p = member(path, "finalizers");
    struct buf found;

    buf_init_arena(&found, errs->arena, 64);
    for (uint32_t i = 0; i < updated->finalizers.len; i++) {
        bool known = false;

        for (uint32_t k = 0; k < old->finalizers.len && !known; k++)
            known = str_eq(updated->finalizers.items[i], old->finalizers.items[k]);
        if (known)
            continue;
        if (found.len)
            buf_append_lit(&found, ", ");
        field_error_quote(&found, updated->finalizers.items[i]);
    }
    if (found.len)
        field_errors_add(errs, &p, FIELD_ERROR_FORBIDDEN,
                         "no new finalizers can be added if the object is being deleted, found "
                         "new finalizers []string{%.*s}",
                         STR_ARG(buf_str(&found)));
}

static void immutable_text(struct field_errors *errs, path_t parent, const char *name,
                           struct str updated, struct str old)
{
    struct field_path p = member(parent, name);

    if (!str_eq(updated, old))
        field_errors_add_text(errs, &p, FIELD_ERROR_INVALID, updated, "field is immutable");
}

static void immutable_time(struct field_errors *errs, path_t parent, const char *name,
                           struct ktime updated, struct ktime old)
{
    struct field_path p = member(parent, name);

    if (updated.set != old.set || (old.set && updated.sec != old.sec))
        field_errors_add_raw(errs, &p, FIELD_ERROR_INVALID, rule_print_time(errs->arena, updated),
                             "field is immutable");
}

static void immutable_grace(struct field_errors *errs, path_t parent, const int64_t *updated,
                            const int64_t *old)
{
    struct field_path p = member(parent, "deletionGracePeriodSeconds");

    if ((updated == NULL) == (old == NULL) && (!old || *updated == *old))
        return;
    field_errors_add_raw(errs, &p, FIELD_ERROR_INVALID,
                         updated ? arena_printf(errs->arena, "%lld", (long long)*updated)
                                 : STR("null"),
                         "field is immutable");
}

void meta_validate_update(struct field_errors *errs, const struct meta_v1_object_meta *updated,
                          const struct meta_v1_object_meta *old, const struct meta_rules *rules,
                          const struct field_path *path)
{
    struct field_path version = member(path, "resourceVersion");
    struct field_path generation = member(path, "generation");

    (void)rules; /* names and namespaces of stored objects are not judged again */
    if (old->deletion_timestamp.set)
        validate_no_new_finalizers(errs, updated, old, path);
    if (updated->resource_version.len == 0)
        field_errors_add_text(errs, &version, FIELD_ERROR_INVALID, updated->resource_version,
                              "must be specified for an update");
    validate_generation(errs, updated, path);
    if (updated->generation < old->generation)
        field_errors_add_raw(errs, &generation, FIELD_ERROR_INVALID,
                             arena_printf(errs->arena, "%lld", (long long)updated->generation),
                             "must not be decremented");
    immutable_text(errs, path, "name", updated->name, old->name);
    immutable_text(errs, path, "namespace", updated->namespace, old->namespace);
    immutable_text(errs, path, "uid", updated->uid, old->uid);
    immutable_time(errs, path, "creationTimestamp", updated->creation_timestamp,
                   old->creation_timestamp);
    immutable_time(errs, path, "deletionTimestamp", updated->deletion_timestamp,
                   old->deletion_timestamp);
    immutable_grace(errs, path, updated->deletion_grace_period_seconds,
                    old->deletion_grace_period_seconds);
    validate_common(errs, updated, path);
}
