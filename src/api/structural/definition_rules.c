#include "api/structural/definition_rules.h"

#include "api/apiextensions_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/name_rules.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "api/structural/json_path.h"
#include "api/structural/schema_rules.h"
#include "api/structural/structural.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef const struct apiextensions_v1_custom_resource_definition crd_t;
typedef const struct apiextensions_v1_custom_resource_definition_names names_t;
typedef const struct apiextensions_v1_custom_resource_definition_spec spec_t;
typedef const struct apiextensions_v1_custom_resource_definition_version version_t;
typedef const struct field_path path_t;

static struct field_path child(path_t *p, const char *name)
{
    return field_path_member(p, str_from_cstr(name));
}

static void invalid(struct field_errors *errs, path_t *p, const char *name, struct str value,
                    const char *text)
{
    struct field_path at = child(p, name);

    field_errors_add_text(errs, &at, FIELD_ERROR_INVALID, value, "%s", text);
}

static void require(struct field_errors *errs, path_t *p, const char *name, const char *text)
{
    struct field_path at = child(p, name);

    field_errors_add(errs, &at, FIELD_ERROR_REQUIRED, "%s", text);
}

/* All messages of a rule in one error, after a prefix. */
static void check_rule(struct field_errors *errs, path_t *at, enum name_rule rule,
                       struct str tested, struct str shown, const char *prefix)
{
    struct name_messages m = { .len = 0 };
    struct buf b = { 0 };

    name_rule_check(rule, tested, &m);
    if (!m.len)
        return;
    buf_init_arena(&b, errs->arena, 128);
    for (size_t i = 0; i < m.len; i++)
        buf_printf(&b, "%s%.*s", i ? "," : "", STR_ARG(m.items[i]));
    field_errors_add_text(errs, at, FIELD_ERROR_INVALID, shown, "%s%.*s", prefix,
                          STR_ARG(buf_str(&b)));
}

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_dup(a, s.p, s.len);

    for (size_t i = 0; i < s.len; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] - 'A' + 'a');
    return str_n(p, s.len);
}

/* --- names --- */

static void check_names(names_t *n, path_t *p, struct field_errors *errs)
{
    static const char mixed[] = "may have mixed case, but should otherwise match: ";
    const struct {
        const char *name;
        struct str value;
        bool folded;
    } rows[] = { { "plural", n->plural, false },
                 { "singular", n->singular, false },
                 { "kind", n->kind, true },
                 { "listKind", n->list_kind, true } };
    struct field_path list, at;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        at = child(p, rows[i].name);
        if (rows[i].value.len)
            check_rule(errs, &at, NAME_RULE_DNS1035_LABEL,
                       rows[i].folded ? lower(errs->arena, rows[i].value) : rows[i].value,
                       rows[i].value, rows[i].folded ? mixed : "");
    }
    list = child(p, "shortNames");
    for (uint32_t i = 0; i < n->short_names.len; i++) {
        at = field_path_index(&list, i);
        check_rule(errs, &at, NAME_RULE_DNS1035_LABEL, n->short_names.items[i],
                   n->short_names.items[i], "");
    }
    if (n->kind.len && str_eq(n->kind, n->list_kind))
        invalid(errs, p, "listKind", n->list_kind, "kind and listKind may not be the same");
    list = child(p, "categories");
    for (uint32_t i = 0; i < n->categories.len; i++) {
        at = field_path_index(&list, i);
        check_rule(errs, &at, NAME_RULE_DNS1035_LABEL, n->categories.items[i],
                   n->categories.items[i], "");
    }
}

/* --- versions --- */

/* ret_path may be NULL. False: an error was added. */
static bool check_path(struct str text, path_t *at, struct field_errors *errs)
{
    const struct json_path *ignored;
    struct err err;

    if (text.p[0] != '.') {
        field_errors_add_text(errs, at, FIELD_ERROR_INVALID, text,
                              "must be a simple json path starting with .");
        return false;
    }
    if (json_path_parse(errs->arena, text, &ignored, &err) >= 0)
        return true;
    field_errors_add_text(errs, at, FIELD_ERROR_INVALID, text, "is an invalid path: %s", err.text);
    return false;
}

static void check_scale_path(struct str text, path_t *p, const char *name, const char *below,
                             struct field_errors *errs)
{
    struct field_path at = child(p, name);
    const struct json_path *path = NULL;
    struct err err;

    if (!text.len)
        field_errors_add(errs, &at, FIELD_ERROR_REQUIRED, "%s", "");
    else if (!check_path(text, &at, errs))
        return;
    else if (below && !str_has_prefix(text, str_from_cstr(below)))
        field_errors_add_text(errs, &at, FIELD_ERROR_INVALID, text,
                              "should be a json path under %.*s", (int)strlen(below) - 1, below);
    else if (!below && !str_has_prefix(text, STR(".spec.")) &&
             !str_has_prefix(text, STR(".status.")))
        field_errors_add_text(errs, &at, FIELD_ERROR_INVALID, text,
                              "should be a json path under either .spec or .status");
    else if (json_path_parse(errs->arena, text, &path, &err) >= 0 && !json_path_is_simple(path))
        field_errors_add_text(errs, &at, FIELD_ERROR_INVALID, text,
                              "must be a json path in the dot notation");
}

static void check_subresources(const struct apiextensions_v1_custom_resource_subresources *s,
                               path_t *p, struct field_errors *errs)
{
    if (!s || !s->scale)
        return;
    check_scale_path(s->scale->spec_replicas_path, p, "scale.specReplicasPath", ".spec.", errs);
    check_scale_path(s->scale->status_replicas_path, p, "scale.statusReplicasPath", ".status.",
                     errs);
    if (s->scale->label_selector_path.len)
        check_scale_path(s->scale->label_selector_path, p, "scale.labelSelectorPath", NULL, errs);
}

static bool is_one_of(struct str s, const struct str *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(items[i], s))
            return true;
    return false;
}

static void check_column(const struct apiextensions_v1_custom_resource_column_definition *c,
                         path_t *p, struct field_errors *errs)
{
    static const struct str types[] = { STR_INIT("boolean"), STR_INIT("date"), STR_INIT("integer"),
                                        STR_INIT("number"), STR_INIT("string") };
    static const struct str formats[] = { STR_INIT("byte"),      STR_INIT("date"),
                                          STR_INIT("date-time"), STR_INIT("double"),
                                          STR_INIT("float"),     STR_INIT("int32"),
                                          STR_INIT("int64"),     STR_INIT("password") };
    static const char type_text[] = "must be one of boolean,date,integer,number,string";
    struct field_path at = child(p, "JSONPath");

    if (!c->name.len)
        require(errs, p, "name", "");
    if (!c->type.len)
        require(errs, p, "type", type_text);
    else if (!is_one_of(c->type, types, ARRAY_LEN(types)))
        invalid(errs, p, "type", c->type, type_text);
    if (c->format.len && !is_one_of(c->format, formats, ARRAY_LEN(formats)))
        invalid(errs, p, "format", c->format,
                "must be one of byte,date,date-time,double,float,int32,int64,password");
    if (!c->json_path.len)
        field_errors_add(errs, &at, FIELD_ERROR_REQUIRED, "%s", "");
    else
        (void)check_path(c->json_path, &at, errs); /* the error is there */
}

/* The schema at a path of names; NULL: there is none. */
static const struct apiextensions_v1_json_schema_props *
schema_at(const struct apiextensions_v1_json_schema_props *s, struct str path)
{
    struct str part;

    path = str_tail(path, 1);
    while (s && str_next(&path, '.', &part)) {
        const struct apiextensions_v1_json_schema_props *below = NULL;

        for (uint32_t i = 0; i < s->properties.len; i++)
            if (str_eq(s->properties.items[i].key, part))
                below = &s->properties.items[i].value;
        if (!below && s->additional_properties.type == SCHEMA_OR_ONE)
            below = s->additional_properties.schema;
        s = below;
    }
    return s;
}

static void check_selectable(version_t *v, struct str path, path_t *at, struct field_errors *errs)
{
    static const struct str types[] = { STR_INIT("string"), STR_INIT("boolean"),
                                        STR_INIT("integer") };
    const struct apiextensions_v1_json_schema_props *s =
        schema_at(v->schema->open_api_v3_schema, path);
    const struct json_path *parsed = NULL;
    struct err err;

    if (path.p[0] != '.' || json_path_parse(errs->arena, path, &parsed, &err) < 0 ||
        !json_path_is_simple(parsed) || !s) {
        field_errors_add_text(errs, at, FIELD_ERROR_INVALID, path,
                              "is an invalid path: does not refer to a valid field");
        return;
    }
    if (str_has_prefix(path, STR(".metadata")))
        field_errors_add_text(errs, at, FIELD_ERROR_INVALID, path,
                              "must not point to fields in metadata");
    if (!is_one_of(s->type, types, ARRAY_LEN(types)))
        field_errors_add_text(errs, at, FIELD_ERROR_INVALID, path,
                              "must point to a field of type string, boolean or integer. Enum "
                              "string fields and strings with formats are allowed.");
}

static void check_selectable_fields(version_t *v, path_t *p, struct field_errors *errs)
{
    struct field_path list = child(p, "selectableFields");
    uint32_t n = v->selectable_fields.len, unique = 0;

    if (!n)
        return;
    if (!v->schema || !v->schema->open_api_v3_schema) {
        field_errors_add_text(errs, &list, FIELD_ERROR_INVALID, STR(""),
                              "may only be set when `version.schema.openAPIV3Schema` is not "
                              "included");
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&list, i), at = child(&item, "jsonPath");
        struct str path = v->selectable_fields.items[i].json_path;
        bool seen = false;

        for (uint32_t k = 0; k < i; k++)
            seen |= str_eq(v->selectable_fields.items[k].json_path, path);
        unique += !seen;
        if (!path.len)
            field_errors_add(errs, &at, FIELD_ERROR_REQUIRED, "%s", "");
        else if (seen)
            field_errors_add_text(errs, &at, FIELD_ERROR_DUPLICATE, path, "%s", "");
        else
            check_selectable(v, path, &at, errs);
    }
    if (unique > CUSTOM_SELECTABLE_MAX)
        field_errors_add_raw(errs, &list, FIELD_ERROR_TOO_MANY,
                             arena_printf(errs->arena, "%u", unique), "must have at most %d items",
                             CUSTOM_SELECTABLE_MAX);
}

static void check_warning(version_t *v, path_t *p, struct field_errors *errs)
{
    struct str w = v->deprecation_warning;

    if (!w.p)
        return;
    if (!v->deprecated)
        invalid(errs, p, "deprecationWarning", w, "can only be set for deprecated versions");
    else if (w.len > 256)
        invalid(errs, p, "deprecationWarning", w, "must be <= 256 characters long");
    else if (!w.len)
        invalid(errs, p, "deprecationWarning", w, "must not be an empty string");
    for (size_t i = 0; i < w.len; i++)
        if ((unsigned char)w.p[i] < ' ' || w.p[i] == 0x7f) {
            struct field_path at = child(p, "deprecationWarning");

            field_errors_add_text(errs, &at, FIELD_ERROR_INVALID, w,
                                  "must only contain printable UTF-8 characters; non-printable "
                                  "character found at index %zu",
                                  i);
            return;
        }
}

static void check_schema(version_t *v, bool status_enabled, path_t *p, const char *name,
                         struct field_errors *errs)
{
    struct field_path schema = child(p, name), at = child(&schema, "openAPIV3Schema");

    if (v->schema && v->schema->open_api_v3_schema)
        schema_rules_check(v->schema->open_api_v3_schema, status_enabled, &at, errs);
}

static void check_columns(version_t *v, path_t *p, struct field_errors *errs)
{
    struct field_path list = child(p, "additionalPrinterColumns");

    for (uint32_t i = 0; i < v->additional_printer_columns.len; i++) {
        struct field_path at = field_path_index(&list, i);

        check_column(&v->additional_printer_columns.items[i], &at, errs);
    }
}

/* What all versions say alike upstream's own form of a definition says once, and so do its errors.
 */
struct alike {
    bool schema, subresources, columns, selectable;
};

static struct str encoded(struct arena *a, const char *type, const void *data)
{
    struct object o = {
        .schema = &schema_builtin,
        .type = schema_find_type(&schema_builtin, STR("apiextensions.k8s.io"), STR("v1"),
                                 str_from_cstr(type)),
    };
    struct buf b = { 0 };

    memcpy(&o.data, &data, sizeof(o.data)); /* only read */
    buf_init_arena(&b, a, 256);
    object_json_encode(&b, o, NULL);
    return buf_str(&b);
}

static struct alike what_is_alike(struct arena *a, spec_t *s)
{
    struct str schema = STR_NULL, subresources = STR_NULL, columns = STR_NULL, rest;
    struct alike same = { s->versions.len, s->versions.len, s->versions.len, s->versions.len };

    for (uint32_t i = 0; i < s->versions.len; i++) {
        version_t *v = &s->versions.items[i];
        struct apiextensions_v1_custom_resource_definition_version part = { 0 };

        same.schema &= v->schema != NULL;
        same.subresources &= v->subresources != NULL;
        same.columns &= v->additional_printer_columns.len != 0;
        same.selectable &= v->selectable_fields.len != 0;
        if (s->versions.len == 1)
            break;
        rest = v->schema ? encoded(a, "CustomResourceValidation", v->schema) : STR("");
        same.schema &= !i || str_eq(rest, schema);
        schema = rest;
        rest =
            v->subresources ? encoded(a, "CustomResourceSubresources", v->subresources) : STR("");
        same.subresources &= !i || str_eq(rest, subresources);
        subresources = rest;
        part.additional_printer_columns.items = v->additional_printer_columns.items;
        part.additional_printer_columns.len = v->additional_printer_columns.len;
        part.selectable_fields.items = v->selectable_fields.items;
        part.selectable_fields.len = v->selectable_fields.len;
        rest = encoded(a, "CustomResourceDefinitionVersion", &part);
        same.columns &= !i || str_eq(rest, columns);
        same.selectable &= !i || str_eq(rest, columns);
        columns = rest;
    }
    return same;
}

static void check_version(version_t *v, struct alike same, path_t *p, struct field_errors *errs)
{
    struct field_path at = child(p, "name");
    bool has_status = v->subresources && v->subresources->status;

    check_rule(errs, &at, NAME_RULE_DNS1035_LABEL, v->name, v->name, "");
    check_warning(v, p, errs);
    if (!same.schema)
        check_schema(v, has_status, p, "schema", errs);
    at = child(p, "subresources");
    if (!same.subresources)
        check_subresources(v->subresources, &at, errs);
    if (!same.columns)
        check_columns(v, p, errs);
    if (!same.selectable)
        check_selectable_fields(v, p, errs);
}

static void check_alike(spec_t *s, struct alike same, path_t *p, struct field_errors *errs)
{
    struct field_path at = child(p, "subresources");
    version_t *v = s->versions.items;
    bool has_status = false;

    for (uint32_t i = 0; i < s->versions.len; i++)
        has_status |= v[i].subresources && v[i].subresources->status;
    if (same.schema)
        check_schema(v, has_status, p, "validation", errs);
    if (same.subresources)
        check_subresources(v->subresources, &at, errs);
    if (same.columns)
        check_columns(v, p, errs);
    if (same.selectable)
        check_selectable_fields(v, p, errs);
}

static void check_versions(spec_t *s, struct alike same, path_t *p, struct field_errors *errs)
{
    struct field_path list = child(p, "versions"), at;
    uint32_t stored = 0;
    bool unique = true;

    for (uint32_t i = 0; i < s->versions.len; i++) {
        version_t *v = &s->versions.items[i];
        struct field_path item = field_path_index(&list, i), schema = child(&item, "schema");

        at = child(&schema, "openAPIV3Schema");
        if (!v->schema || !v->schema->open_api_v3_schema)
            field_errors_add(errs, &at, FIELD_ERROR_REQUIRED, "%s", "");
    }
    for (uint32_t i = 0; i < s->versions.len; i++) {
        at = field_path_index(&list, i);
        stored += s->versions.items[i].storage;
        for (uint32_t k = 0; k < i; k++)
            unique &= !str_eq(s->versions.items[k].name, s->versions.items[i].name);
        check_version(&s->versions.items[i], same, &at, errs);
    }
    if (!unique)
        field_errors_add_raw(errs, &list, FIELD_ERROR_INVALID, STR("[]"),
                             "must contain unique version names");
    if (stored != 1)
        field_errors_add_raw(errs, &list, FIELD_ERROR_INVALID, STR("[]"),
                             "must have exactly one version marked as storage version");
    at = child(p, "version"); /* upstream keeps the first one's name there, too */
    if (s->versions.len && s->versions.items[0].name.len)
        check_rule(errs, &at, NAME_RULE_DNS1035_LABEL, s->versions.items[0].name,
                   s->versions.items[0].name, "");
    if (s->versions.len > CUSTOM_VERSIONS_MAX)
        field_errors_add_raw(errs, &list, FIELD_ERROR_TOO_MANY,
                             arena_printf(errs->arena, "%u", s->versions.len),
                             "must have at most %d items", CUSTOM_VERSIONS_MAX);
}

/* --- the spec --- */

/* By the names of upstream's internal form. */
static void check_no_webhook(const struct apiextensions_v1_webhook_conversion *w, path_t *p,
                             struct field_errors *errs)
{
    struct field_path client = child(p, "webhookClientConfig");
    struct field_path versions = child(p, "conversionReviewVersions");
    static const char text[] = "should not be set when strategy is not set to Webhook";

    if (w->client_config)
        field_errors_add(errs, &client, FIELD_ERROR_FORBIDDEN, "%s", text);
    if (w->conversion_review_versions.len)
        field_errors_add(errs, &versions, FIELD_ERROR_FORBIDDEN, "%s", text);
}

static void check_conversion(spec_t *s, path_t *p, struct field_errors *errs)
{
    static const struct str strategies[] = { STR_INIT("None"), STR_INIT("Webhook") };
    const struct apiextensions_v1_custom_resource_conversion *c = s->conversion;
    struct field_path conversion = child(p, "conversion"), at = child(&conversion, "strategy");

    if (!c)
        return;
    if (!c->strategy.len)
        field_errors_add(errs, &at, FIELD_ERROR_REQUIRED, "%s", "");
    else if (!is_one_of(c->strategy, strategies, ARRAY_LEN(strategies)))
        field_errors_add_unsupported(errs, &at, c->strategy, strategies, ARRAY_LEN(strategies));
    else if (str_eq(c->strategy, STR("Webhook")))
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                         "conversion webhooks are not supported by this server");
    else if (c->webhook)
        check_no_webhook(c->webhook, &conversion, errs);
}

static void check_required_names(names_t *n, path_t *p, struct field_errors *errs)
{
    if (!n->plural.len)
        require(errs, p, "plural", "");
    if (!n->singular.len)
        require(errs, p, "singular", "");
    if (!n->kind.len)
        require(errs, p, "kind", "");
    if (!n->list_kind.len)
        require(errs, p, "listKind", "");
}

static void check_spec(spec_t *s, path_t *p, struct field_errors *errs)
{
    static const struct str scopes[] = { STR_INIT("Cluster"), STR_INIT("Namespaced") };
    struct field_path names = child(p, "names"), at = child(p, "group");
    struct alike same = what_is_alike(errs->arena, s);

    if (!s->group.len)
        field_errors_add(errs, &at, FIELD_ERROR_REQUIRED, "%s", "");
    else if (!name_rule_holds(NAME_RULE_DNS1123_SUBDOMAIN, s->group))
        check_rule(errs, &at, NAME_RULE_DNS1123_SUBDOMAIN, s->group, s->group, "");
    else if (str_find(s->group, '.') < 0)
        field_errors_add_text(errs, &at, FIELD_ERROR_INVALID, s->group,
                              "should be a domain with at least one dot");
    at = child(p, "scope");
    if (!s->scope.len)
        field_errors_add(errs, &at, FIELD_ERROR_REQUIRED, "%s", "");
    else if (!is_one_of(s->scope, scopes, ARRAY_LEN(scopes)))
        field_errors_add_unsupported(errs, &at, s->scope, scopes, ARRAY_LEN(scopes));
    check_versions(s, same, p, errs);
    check_required_names(&s->names, &names, errs);
    check_names(&s->names, &names, errs);
    check_alike(s, same, p, errs);
    check_conversion(s, p, errs);
    at = child(p, "preserveUnknownFields");
    if (s->preserve_unknown_fields)
        field_errors_add_raw(errs, &at, FIELD_ERROR_INVALID, STR("true"),
                             "cannot set to true, set x-kubernetes-preserve-unknown-fields to true "
                             "in spec.versions[*].schema instead");
}

static bool is_established(crd_t *d)
{
    for (uint32_t i = 0; i < d->status.conditions.len; i++)
        if (str_eq(d->status.conditions.items[i].type, STR("Established")))
            return str_eq(d->status.conditions.items[i].status, STR("True"));
    return false;
}

static void immutable(struct field_errors *errs, path_t *p, const char *name, struct str now,
                      struct str was)
{
    if (!str_eq(now, was))
        invalid(errs, p, name, now, "field is immutable");
}

static void check_spec_update(crd_t *d, crd_t *old, path_t *p, struct field_errors *errs)
{
    struct field_path names = child(p, "names");

    if (is_established(old)) {
        immutable(errs, p, "scope", d->spec.scope, old->spec.scope);
        immutable(errs, &names, "kind", d->spec.names.kind, old->spec.names.kind);
    }
    immutable(errs, p, "group", d->spec.group, old->spec.group);
    immutable(errs, &names, "plural", d->spec.names.plural, old->spec.names.plural);
}

/* --- the rest --- */

static void check_stored_versions(crd_t *d, path_t *p, struct field_errors *errs)
{
    struct field_path list = child(p, "storedVersions");

    if (!d->status.stored_versions.len)
        field_errors_add_raw(errs, &list, FIELD_ERROR_INVALID, STR("[]"),
                             "must have at least one stored version");
    for (uint32_t i = 0; i < d->status.stored_versions.len; i++) {
        struct field_path at = field_path_index(&list, i);
        struct str v = d->status.stored_versions.items[i];
        bool found = false;

        for (uint32_t k = 0; k < d->spec.versions.len; k++)
            found |= str_eq(d->spec.versions.items[k].name, v);
        if (!found)
            field_errors_add_text(
                errs, &at, FIELD_ERROR_INVALID, v,
                "missing from spec.versions; %.*s was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                "persisted in %.*s and removes %.*s from status.storedVersions",
                STR_ARG(v), STR_ARG(v), STR_ARG(v));
    }
}

static struct str approval(crd_t *d)
{
    for (uint32_t i = 0; d && i < d->metadata.annotations.len; i++)
        if (str_eq(d->metadata.annotations.items[i].key, STR("api-approved.kubernetes.io")))
            return d->metadata.annotations.items[i].value;
    return STR("");
}

static int approval_state(struct str text)
{
    return !text.len                                 ? 0
           : str_has_prefix(text, STR("unapproved")) ? 1
           : str_find_str(text, STR("://")) > 0      ? 2
                                                     : 3;
}

static void check_approval(crd_t *d, crd_t *old, struct field_errors *errs)
{
#define PAGE "see https://github.com/kubernetes/enhancements/pull/1111"
    struct field_path meta = child(NULL, "metadata"), list = child(&meta, "annotations");
    struct field_path at = field_path_key(&list, STR("api-approved.kubernetes.io"));
    struct str group = d->spec.group, text = approval(d);
    int state = approval_state(text);

    if (!str_eq(group, STR("k8s.io")) && !str_eq(group, STR("kubernetes.io")) &&
        !str_has_suffix(group, STR(".k8s.io")) && !str_has_suffix(group, STR(".kubernetes.io")))
        return;
    if (old && approval_state(approval(old)) == state)
        return;
    if (state == 0)
        field_errors_add(errs, &at, FIELD_ERROR_REQUIRED,
                         "protected groups must have approval annotation "
                         "\"api-approved.kubernetes.io\", " PAGE);
    else if (state == 3)
        field_errors_add_text(errs, &at, FIELD_ERROR_INVALID, text,
                              "protected groups must have approval annotation "
                              "\"api-approved.kubernetes.io\" with either a URL or a reason "
                              "starting with \"unapproved\", " PAGE);
#undef PAGE
}

static void check_name(crd_t *d, struct field_errors *errs)
{
    struct field_path meta = child(NULL, "metadata");
    struct str wanted = arena_printf(errs->arena, "%.*s.%.*s", STR_ARG(d->spec.names.plural),
                                     STR_ARG(d->spec.group));

    if (!str_eq(d->metadata.name, wanted))
        invalid(errs, &meta, "name", d->metadata.name,
                "must be spec.names.plural+\".\"+spec.group");
}

void definition_rules_check(struct object o, struct object old, bool is_status,
                            struct field_errors *errs)
{
    struct field_path spec = child(NULL, "spec"), status = child(NULL, "status");
    struct field_path accepted = child(&status, "acceptedNames");
    crd_t *d = o.data;

    if (!old.data)
        check_name(d, errs);
    if (!is_status) {
        check_spec(&d->spec, &spec, errs);
        if (old.data)
            check_spec_update(d, old.data, &spec, errs);
    }
    check_names(&d->status.accepted_names, &accepted, errs);
    if (is_status)
        return;
    check_stored_versions(d, &status, errs);
    check_approval(d, old.data, errs);
}
