#include "api/structural/schema_rules.h"

#include "api/apiextensions_v1.h"
#include "api/field_error.h"
#include "api/schema.h"
#include "api/structural/structural.h"
#include "api/structural/structural_internal.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

typedef const struct apiextensions_v1_json_schema_props props;
typedef const struct field_path path_t;

enum level { LEVEL_ROOT, LEVEL_ITEM, LEVEL_FIELD };

static struct field_path child(path_t *p, const char *name)
{
    return field_path_member(p, str_from_cstr(name));
}

static void forbid(struct field_errors *errs, path_t *p, const char *name, const char *text)
{
    struct field_path at = child(p, name);

    field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN, "%s", text);
}

static void require(struct field_errors *errs, path_t *p, const char *name, const char *text)
{
    struct field_path at = child(p, name);

    field_errors_add(errs, &at, FIELD_ERROR_REQUIRED, "%s", text);
}

static void invalid(struct field_errors *errs, path_t *p, const char *name, struct str value,
                    const char *text)
{
    struct field_path at = child(p, name);

    field_errors_add_text(errs, &at, FIELD_ERROR_INVALID, value, "%s", text);
}

static bool preserves(props *s)
{
    return s->x_kubernetes_preserve_unknown_fields && *s->x_kubernetes_preserve_unknown_fields;
}

static props *property(props *s, struct str name)
{
    for (uint32_t i = 0; i < s->properties.len; i++)
        if (str_eq(s->properties.items[i].key, name))
            return &s->properties.items[i].value;
    return NULL;
}

static props *items_of(props *s)
{
    return s->items.type == SCHEMA_OR_ONE ? s->items.schema : NULL;
}

static props *additional_of(props *s)
{
    return s->additional_properties.type == SCHEMA_OR_ONE ? s->additional_properties.schema : NULL;
}

static bool is_contained(const struct str *items, uint32_t n, struct str s)
{
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(items[i], s))
            return true;
    return false;
}

/* --- values below allOf and its like: they may refuse, never shape --- */

static void check_nested(props *s, bool skip_any_of, path_t *p, struct field_errors *errs);

/* anyOf of integer and string, which goes with x-kubernetes-int-or-string. */
static bool is_int_or_string(props *s)
{
    props *a = s->any_of.items;

    return s->any_of.len == 2 && str_eq(a[0].type, STR("integer")) &&
           str_eq(a[1].type, STR("string"));
}

static void check_list(props *items, uint32_t n, const char *name, bool skip_first_any_of,
                       path_t *p, struct field_errors *errs)
{
    struct field_path list = child(p, name);

    for (uint32_t i = 0; i < n; i++) {
        struct field_path at = field_path_index(&list, i);

        check_nested(&items[i], skip_first_any_of && i == 0, &at, errs);
    }
}

static void check_pattern(props *s, path_t *p, struct field_errors *errs)
{
    struct field_path at = child(p, "pattern");
    const struct pcre2_real_code_8 *code;
    struct err err;

    if (s->pattern.len && structural_pattern_compile(errs->arena, s->pattern, &code, &err) < 0)
        field_errors_add_text(errs, &at, FIELD_ERROR_INVALID, s->pattern,
                              "must be a valid regular expression, but isn't: %s", err.text);
}

static void check_junctors(props *s, bool skip_any_of, bool skip_first_all_of, path_t *p,
                           struct field_errors *errs)
{
    if (!skip_any_of)
        check_list(s->any_of.items, s->any_of.len, "anyOf", false, p, errs);
    check_list(s->all_of.items, s->all_of.len, "allOf", skip_first_all_of, p, errs);
    check_list(s->one_of.items, s->one_of.len, "oneOf", false, p, errs);
    if (s->not ) {
        struct field_path at = child(p, "not");

        check_nested(s->not, false, &at, errs);
    }
    check_pattern(s, p, errs);
}

static void check_nested_members(props *s, path_t *p, struct field_errors *errs)
{
    struct field_path list = child(p, "properties"), at;

    if (items_of(s)) {
        at = child(p, "items");
        check_nested(items_of(s), false, &at, errs);
    }
    for (uint32_t i = 0; i < s->properties.len; i++) {
        at = field_path_key(&list, s->properties.items[i].key);
        check_nested(&s->properties.items[i].value, false, &at, errs);
    }
}

static void check_nested(props *s, bool skip_any_of, path_t *p, struct field_errors *errs)
{
    struct field_path list = child(p, "properties"),
                      metadata = field_path_key(&list, STR("metadata"));
    const struct {
        bool is_set;
        const char *name, *text;
    } rows[] = {
        { s->type.len, "type", "must be empty to be structural" },
        { s->additional_properties.type != SCHEMA_OR_UNSET, "additionalProperties",
          "must be undefined to be structural" },
        { s->default_.p, "default", "must be undefined to be structural" },
        { s->title.len, "title", "must be empty to be structural" },
        { s->description.len, "description", "must be empty to be structural" },
        { s->nullable, "nullable", "must be false to be structural" },
        { preserves(s), "x-kubernetes-preserve-unknown-fields", "must be false to be structural" },
        { s->x_kubernetes_embedded_resource, "x-kubernetes-embedded-resource",
          "must be false to be structural" },
        { s->x_kubernetes_int_or_string, "x-kubernetes-int-or-string",
          "must be false to be structural" },
        { s->x_kubernetes_list_map_keys.len, "x-kubernetes-list-map-keys",
          "must be empty to be structural" },
        { s->x_kubernetes_list_type.p, "x-kubernetes-list-type",
          "must be undefined to be structural" },
        { s->x_kubernetes_map_type.p, "x-kubernetes-map-type",
          "must be undefined to be structural" },
    };

    check_junctors(s, skip_any_of, false, p, errs);
    check_nested_members(s, p, errs);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].is_set)
            forbid(errs, p, rows[i].name, rows[i].text);
    if (property(s, STR("metadata")))
        field_errors_add(errs, &metadata, FIELD_ERROR_FORBIDDEN,
                         "must not be specified in a nested context");
}

/* --- the structure --- */

static void check_structure(props *s, enum level level, path_t *p, struct field_errors *errs);

static void check_structure_below(props *s, enum level level, path_t *p, struct field_errors *errs)
{
    struct field_path list = child(p, "properties"), at;

    if (str_eq(s->type, STR("array")) && !items_of(s))
        require(errs, p, "items", "must be specified");
    if (items_of(s)) {
        at = child(p, "items");
        check_structure(items_of(s), LEVEL_ITEM, &at, errs);
    }
    for (uint32_t i = 0; i < s->properties.len; i++) {
        at = field_path_key(&list, s->properties.items[i].key);
        check_structure(&s->properties.items[i].value, LEVEL_FIELD, &at, errs);
    }
    if (s->additional_properties.type != SCHEMA_OR_UNSET && level == LEVEL_ROOT)
        forbid(errs, p, "additionalProperties", "must not be used at the root");
    if (additional_of(s)) {
        at = child(p, "additionalProperties");
        check_structure(additional_of(s), LEVEL_FIELD, &at, errs);
    }
}

static void check_type_is_there(props *s, enum level level, path_t *p, struct field_errors *errs)
{
    static const char *const texts[] = {
        [LEVEL_ROOT] = "must not be empty at the root",
        [LEVEL_ITEM] = "must not be empty for specified array items",
        [LEVEL_FIELD] = "must not be empty for specified object fields",
    };

    if (s->x_kubernetes_embedded_resource && !str_eq(s->type, STR("object"))) {
        if (!s->type.len)
            require(errs, p, "type", "must be object if x-kubernetes-embedded-resource is true");
        else
            invalid(errs, p, "type", s->type,
                    "must be object if x-kubernetes-embedded-resource is true");
    } else if (!s->type.len && !s->x_kubernetes_int_or_string && !preserves(s)) {
        require(errs, p, "type", texts[level]);
    }
    if (level == LEVEL_ROOT && s->type.len && !str_eq(s->type, STR("object")))
        invalid(errs, p, "type", s->type, "must be object at the root");
}

/* Of the root's metadata only names may be said more of. */
static bool is_plain_metadata(props *m)
{
    uint32_t known = 0;

    for (uint32_t i = 0; i < m->properties.len; i++)
        known += str_eq(m->properties.items[i].key, STR("name")) ||
                 str_eq(m->properties.items[i].key, STR("generateName"));
    return known == m->properties.len && m->additional_properties.type == SCHEMA_OR_UNSET &&
           m->items.type == SCHEMA_OR_UNSET && !m->title.len && !m->description.len &&
           !m->nullable && !m->required.len && !m->format.len && !m->enum_.len && !m->all_of.len &&
           !m->any_of.len && !m->one_of.len && !m->not &&!preserves(m) &&
           !m->x_kubernetes_embedded_resource && !m->x_kubernetes_map_type.p;
}

static void check_metadata(props *s, enum level level, path_t *p, struct field_errors *errs)
{
    bool checked = level == LEVEL_ROOT || s->x_kubernetes_embedded_resource;
    static const struct str names[] = { STR_INIT("kind"), STR_INIT("apiVersion") };
    struct field_path list = child(p, "properties"), at;
    props *m = property(s, STR("metadata"));

    for (size_t i = 0; i < ARRAY_LEN(names) && checked; i++) {
        props *named = property(s, names[i]);

        at = field_path_key(&list, names[i]);
        if (named && !str_eq(named->type, STR("string")))
            invalid(errs, &at, "type", named->type, "must be string");
    }
    at = field_path_key(&list, STR("metadata"));
    if (m && checked && !str_eq(m->type, STR("object")))
        invalid(errs, &at, "type", m->type, "must be object");
    if (m && level == LEVEL_ROOT && !is_plain_metadata(m))
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                         "must not specify anything other than name and generateName, but metadata "
                         "is implicitly specified");
}

/* Whatever a junctor speaks of, the structure must have. p: of s; sp: of the structure. */
static void check_complete(props *s, path_t *p, props *structure, path_t *sp,
                           struct field_errors *errs);

static void check_complete_below(props *s, path_t *p, props *structure, path_t *sp,
                                 struct field_errors *errs)
{
    struct field_path list = child(p, "properties"), s_list = child(sp, "properties");
    struct field_path at = child(p, "items"), s_at = child(sp, "items");

    if (items_of(s) && !items_of(structure))
        field_errors_add(errs, &s_at, FIELD_ERROR_REQUIRED, "because it is defined in %.*s",
                         STR_ARG(field_path_print(errs->arena, &at)));
    else if (items_of(s))
        check_complete(items_of(s), &at, items_of(structure), &s_at, errs);
    for (uint32_t i = 0; i < s->properties.len; i++) {
        props *below = property(structure, s->properties.items[i].key);

        at = field_path_key(&list, s->properties.items[i].key);
        s_at = field_path_key(&s_list, s->properties.items[i].key);
        if (below)
            check_complete(&s->properties.items[i].value, &at, below, &s_at, errs);
        else
            field_errors_add(errs, &s_at, FIELD_ERROR_REQUIRED, "because it is defined in %.*s",
                             STR_ARG(field_path_print(errs->arena, &at)));
    }
}

static void check_complete(props *s, path_t *p, props *structure, path_t *sp,
                           struct field_errors *errs)
{
    const struct {
        props *items;
        uint32_t n;
        const char *name;
    } lists[] = { { s->all_of.items, s->all_of.len, "allOf" },
                  { s->any_of.items, s->any_of.len, "anyOf" },
                  { s->one_of.items, s->one_of.len, "oneOf" } };
    struct field_path at;

    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        struct field_path junctor = child(p, lists[k].name);

        for (uint32_t i = 0; i < lists[k].n; i++) {
            at = field_path_index(&junctor, i);
            check_complete(&lists[k].items[i], &at, structure, sp, errs);
        }
    }
    at = child(p, "not");
    if (s->not )
        check_complete(s->not, &at, structure, sp, errs);
    if (s != structure)
        check_complete_below(s, p, structure, sp, errs);
}

static void check_structure(props *s, enum level level, path_t *p, struct field_errors *errs)
{
    bool first_all_of = s->all_of.len && is_int_or_string(&s->all_of.items[0]);

    check_structure_below(s, level, p, errs);
    if (s->x_kubernetes_int_or_string && preserves(s)) {
        struct field_path at = child(p, "x-kubernetes-preserve-unknown-fields");

        field_errors_add_raw(errs, &at, FIELD_ERROR_INVALID, STR("true"),
                             "must be false if x-kubernetes-int-or-string is true");
    }
    if (s->x_kubernetes_int_or_string && s->x_kubernetes_embedded_resource) {
        struct field_path at = child(p, "x-kubernetes-embedded-resource");

        field_errors_add_raw(errs, &at, FIELD_ERROR_INVALID, STR("true"),
                             "must be false if x-kubernetes-int-or-string is true");
    }
    check_junctors(s, is_int_or_string(s), first_all_of, p, errs);
    check_complete(s, p, s, p, errs);
    check_type_is_there(s, level, p, errs);
    if (s->x_kubernetes_embedded_resource && s->additional_properties.type != SCHEMA_OR_UNSET)
        forbid(errs, p, "additionalProperties",
               "must not be used if x-kubernetes-embedded-resource is set");
    check_metadata(s, level, p, errs);
    if (s->x_kubernetes_embedded_resource && !preserves(s) && !s->properties.len)
        require(errs, p, "properties",
                "must not be empty if x-kubernetes-embedded-resource is true without "
                "x-kubernetes-preserve-unknown-fields");
}

/* --- defaults: what the schema would accept, pruned --- */

static struct str printed(struct arena *a, const struct value *v)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 64);
    value_print(&b, v);
    return buf_str(&b);
}

static bool is_meta(struct str name)
{
    return str_eq(name, STR("metadata")) || str_eq(name, STR("kind")) ||
           str_eq(name, STR("apiVersion"));
}

static void check_default(const struct structural *s, path_t *p, struct field_errors *errs)
{
    struct field_path at = child(p, "default");
    struct value v = value_copy(errs->arena, s->default_value);

    structural_prune_below(errs->arena, &v, s);
    if (!value_equal(&v, s->default_value))
        field_errors_add_raw(errs, &at, FIELD_ERROR_INVALID, printed(errs->arena, s->default_value),
                             "must not have unknown fields");
    structural_validate(s->default_value, NULL, s, &at, errs);
}

static void check_defaults(const struct structural *s, bool is_root, path_t *p,
                           struct field_errors *errs)
{
    struct field_path list = child(p, "properties"), at;

    if (!(s->flags & STRUCTURAL_HAS_DEFAULTS))
        return;
    if (s->default_value)
        check_default(s, p, errs);
    if (s->items) {
        at = child(p, "items");
        check_defaults(s->items, false, &at, errs);
    }
    for (size_t i = 0; i < s->n_properties; i++) {
        if ((is_root || s->flags & STRUCTURAL_EMBEDDED) && is_meta(s->properties[i].name))
            continue;
        at = field_path_key(&list, s->properties[i].name);
        check_defaults(s->properties[i].schema, false, &at, errs);
    }
}

/* --- keywords, everywhere --- */

struct where {
    bool inside_meta;
    const char *no_defaults; /* why not; NULL: they may be */
    struct str no_defaults_of;
};

static void check_keywords(props *s, bool is_root, struct where w, path_t *p,
                           struct field_errors *errs);

static void check_plain(props *s, struct where w, path_t *p, struct field_errors *errs)
{
    static const struct str types[] = { STR_INIT("array"),   STR_INIT("boolean"),
                                        STR_INIT("integer"), STR_INIT("number"),
                                        STR_INIT("object"),  STR_INIT("string") };
    struct field_path at = child(p, "type");

    if (s->type.len && !is_contained(types, ARRAY_LEN(types), s->type))
        field_errors_add_unsupported(errs, &at, s->type, types, ARRAY_LEN(types));
    at = child(p, "default");
    if (s->default_.p && w.no_defaults)
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN, "must not be set %s%.*s", w.no_defaults,
                         STR_ARG(w.no_defaults_of));
    if (s->id.len)
        forbid(errs, p, "id", "id is not supported");
    if (s->additional_items.type != SCHEMA_OR_UNSET)
        forbid(errs, p, "additionalItems", "additionalItems is not supported");
    if (s->pattern_properties.len)
        forbid(errs, p, "patternProperties", "patternProperties is not supported");
    if (s->definitions.len)
        forbid(errs, p, "definitions", "definitions is not supported");
    if (s->dependencies.items)
        forbid(errs, p, "dependencies", "dependencies is not supported");
    if (s->_ref.p)
        forbid(errs, p, "$ref", "$ref is not supported");
    if (str_eq(s->type, STR("null")))
        forbid(errs, p, "type", "type cannot be set to null, use nullable as an alternative");
    if (s->items.type == SCHEMA_OR_MANY && s->items.schemas.len)
        forbid(errs, p, "items", "items must be a schema object and not an array");
    if (w.inside_meta && s->x_kubernetes_embedded_resource)
        forbid(errs, p, "x-kubernetes-embedded-resource",
               "must not be used inside of resource meta");
    if (s->unique_items)
        forbid(errs, p, "uniqueItems",
               "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
}

static void check_map_type(props *s, path_t *p, struct field_errors *errs)
{
    static const struct str types[] = { STR_INIT("atomic"), STR_INIT("granular") };
    struct field_path at = child(p, "x-kubernetes-map-type");

    if (!s->x_kubernetes_map_type.p)
        return;
    if (!s->type.len)
        require(errs, p, "type", "must be object if x-kubernetes-map-type is specified");
    else if (!str_eq(s->type, STR("object")))
        invalid(errs, p, "type", s->type, "must be object if x-kubernetes-map-type is specified");
    if (!is_contained(types, ARRAY_LEN(types), s->x_kubernetes_map_type))
        field_errors_add_unsupported(errs, &at, s->x_kubernetes_map_type, types, ARRAY_LEN(types));
}

/* Items of a set are compared as a whole. */
static void check_set(props *s, path_t *p, struct field_errors *errs)
{
    static const char text[] = "must be atomic as item of a list with x-kubernetes-list-type=set";
    struct field_path items = child(p, "items");
    props *i = items_of(s);

    if (!i)
        return;
    if (str_eq(i->type, STR("array")) && i->x_kubernetes_list_type.p &&
        !str_eq(i->x_kubernetes_list_type, STR("atomic")))
        invalid(errs, &items, "x-kubernetes-list-type", i->x_kubernetes_list_type, text);
    if (str_eq(i->type, STR("object")) && !str_eq(i->x_kubernetes_map_type, STR("atomic"))) {
        struct field_path at = child(&items, "x-kubernetes-map-type");

        field_errors_add_raw(errs, &at, FIELD_ERROR_INVALID, STR("null"), "%s", text);
    }
}

static struct str key_list(struct arena *a, props *s)
{
    struct value v = value_array();

    for (uint32_t i = 0; i < s->x_kubernetes_list_map_keys.len; i++)
        value_push(a, &v, value_string(s->x_kubernetes_list_map_keys.items[i]));
    return printed(a, &v);
}

static void check_map_keys(props *s, props *item, path_t *p, struct field_errors *errs)
{
    struct field_path items = child(p, "items"), list = child(&items, "properties");
    struct field_path keys = child(p, "x-kubernetes-list-map-keys");

    for (uint32_t i = 0; i < s->x_kubernetes_list_map_keys.len; i++) {
        struct str k = s->x_kubernetes_list_map_keys.items[i];
        struct field_path at = field_path_key(&list, k);
        props *key = property(item, k);

        if (!key)
            field_errors_add_raw(errs, &keys, FIELD_ERROR_INVALID, key_list(errs->arena, s),
                                 "entries must all be names of item properties");
        else if (str_eq(key->type, STR("array")) || str_eq(key->type, STR("object")))
            invalid(errs, &at, "type", item->type,
                    "must be a scalar type if parent array's x-kubernetes-list-type is map");
        if (is_contained(s->x_kubernetes_list_map_keys.items, i, k))
            field_errors_add_raw(errs, &keys, FIELD_ERROR_INVALID, key_list(errs->arena, s),
                                 "must not contain duplicate entries");
    }
}

static void check_list_map(props *s, path_t *p, struct field_errors *errs)
{
    struct field_path items = child(p, "items");

    if (!s->x_kubernetes_list_map_keys.len)
        require(errs, p, "x-kubernetes-list-map-keys",
                "must not be empty if x-kubernetes-list-type is map");
    if (s->items.type == SCHEMA_OR_UNSET)
        require(errs, p, "items", "must have a schema if x-kubernetes-list-type is map");
    if (!items_of(s))
        return;
    if (!str_eq(items_of(s)->type, STR("object")))
        invalid(errs, &items, "type", items_of(s)->type,
                "must be object if parent array's x-kubernetes-list-type is map");
    else
        check_map_keys(s, items_of(s), p, errs);
}

/* Items and keys are always there. */
static void check_nullability(props *s, path_t *p, struct field_errors *errs)
{
    struct field_path items = child(p, "items"), list = child(&items, "properties"), at;
    props *item = items_of(s);

    at = child(&items, "nullable");
    if (item->nullable)
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                         "cannot be nullable when x-kubernetes-list-type is %.*s",
                         STR_ARG(s->x_kubernetes_list_type));
    for (uint32_t i = 0;
         str_eq(s->x_kubernetes_list_type, STR("map")) && i < s->x_kubernetes_list_map_keys.len;
         i++) {
        struct str k = s->x_kubernetes_list_map_keys.items[i];
        props *key = property(item, k);

        at = field_path_key(&list, k);
        if (key && !key->default_.p && !is_contained(item->required.items, item->required.len, k))
            require(errs, &at, "default",
                    "this property is in x-kubernetes-list-map-keys, so it must have a default or "
                    "be a required property");
        if (key && key->nullable)
            forbid(errs, &at, "nullable",
                   "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
    }
}

static void check_list_type(props *s, path_t *p, struct field_errors *errs)
{
    static const struct str types[] = { STR_INIT("atomic"), STR_INIT("set"), STR_INIT("map") };
    struct field_path at = child(p, "x-kubernetes-list-type");
    bool given = s->x_kubernetes_list_type.p;
    struct str type = given ? s->x_kubernetes_list_type : STR("");

    if (given && !s->type.len)
        require(errs, p, "type", "must be array if x-kubernetes-list-type is specified");
    else if (given && !str_eq(s->type, STR("array")))
        invalid(errs, p, "type", s->type, "must be array if x-kubernetes-list-type is specified");
    else if (str_eq(type, STR("set")))
        check_set(s, p, errs);
    if (given && !is_contained(types, ARRAY_LEN(types), type))
        field_errors_add_unsupported(errs, &at, type, types, ARRAY_LEN(types));
    if (s->x_kubernetes_list_map_keys.len && !given)
        require(errs, p, "x-kubernetes-list-type",
                "must be map if x-kubernetes-list-map-keys is non-empty");
    else if (s->x_kubernetes_list_map_keys.len && !str_eq(type, STR("map")))
        invalid(errs, p, "x-kubernetes-list-type", type,
                "must be map if x-kubernetes-list-map-keys is non-empty");
    if (str_eq(type, STR("map")))
        check_list_map(s, p, errs);
    if (items_of(s) && (str_eq(type, STR("map")) || str_eq(type, STR("set"))))
        check_nullability(s, p, errs);
}

static void check_properties(props *s, bool is_root, struct where w, path_t *p,
                             struct field_errors *errs)
{
    struct field_path list = child(p, "properties");

    for (uint32_t i = 0; i < s->properties.len; i++) {
        struct str name = s->properties.items[i].key;
        struct field_path at = field_path_key(&list, name);
        struct where below = w;

        if ((is_root || s->x_kubernetes_embedded_resource) && is_meta(name)) {
            below.inside_meta = true;
            if (is_root) {
                below.no_defaults = "in top-level ";
                below.no_defaults_of = name;
            }
        }
        check_keywords(&s->properties.items[i].value, false, below, &at, errs);
    }
}

static void check_keyword_lists(props *s, struct where w, path_t *p, struct field_errors *errs)
{
    const struct {
        props *items;
        uint32_t n;
        const char *name;
    } lists[] = { { s->all_of.items, s->all_of.len, "allOf" },
                  { s->one_of.items, s->one_of.len, "oneOf" },
                  { s->any_of.items, s->any_of.len, "anyOf" } };
    struct field_path at;

    if (s->not ) {
        at = child(p, "not");
        check_keywords(s->not, false, w, &at, errs);
    }
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        struct field_path list = child(p, lists[k].name);

        for (uint32_t i = 0; i < lists[k].n; i++) {
            at = field_path_index(&list, i);
            check_keywords(&lists[k].items[i], false, w, &at, errs);
        }
    }
    if (items_of(s)) {
        at = child(p, "items");
        check_keywords(items_of(s), false, w, &at, errs);
    }
}

static void check_keywords(props *s, bool is_root, struct where w, path_t *p,
                           struct field_errors *errs)
{
    struct field_path at = child(p, "additionalProperties");

    check_plain(s, w, p, errs);
    if (s->additional_properties.type != SCHEMA_OR_UNSET && s->properties.len &&
        (additional_of(s) || !s->additional_properties.allows))
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                         "additionalProperties and properties are mutual exclusive");
    if (additional_of(s)) {
        struct where below = w;

        if (w.inside_meta) {
            below.no_defaults = "inside additionalProperties applying to object metadata";
            below.no_defaults_of = STR("");
        }
        check_keywords(additional_of(s), false, below, &at, errs);
    }
    check_properties(s, is_root, w, p, errs);
    check_keyword_lists(s, w, p, errs);
    at = child(p, "x-kubernetes-preserve-unknown-fields");
    if (s->x_kubernetes_preserve_unknown_fields && !*s->x_kubernetes_preserve_unknown_fields)
        field_errors_add_raw(errs, &at, FIELD_ERROR_INVALID, STR("false"),
                             "must be true or undefined");
    check_map_type(s, p, errs);
    check_list_type(s, p, errs);
    /* Until there is CEL, a rule that would not be kept is not taken either. */
    if (s->x_kubernetes_validations.len)
        forbid(errs, p, "x-kubernetes-validations",
               "validation rules are not supported by this server: it has no CEL");
}

/* --- the whole --- */

static void check_root_with_status(props *s, path_t *p, struct field_errors *errs)
{
    bool odd = s->enum_.len || s->max_properties || s->min_properties || s->all_of.len ||
               s->one_of.len || s->any_of.len || s->not || s->default_.p ||
               s->additional_properties.type != SCHEMA_OR_UNSET || s->nullable;

    if (!str_eq(s->type, STR("object")))
        invalid(errs, p, "type", s->type,
                "only \"object\" is allowed as the type at the root of the schema if the status "
                "subresource is enabled");
    if (odd)
        field_errors_add_raw(
            errs, p, FIELD_ERROR_INVALID, STR("{}"),
            "only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum "
            "MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items "
            "Properties ExternalDocs Example XPreserveUnknownFields XValidations] fields are "
            "allowed at the root of the schema if the status subresource is enabled");
}

void schema_rules_check(props *schema, bool status_enabled, path_t *path, struct field_errors *errs)
{
    const struct structural *compiled;
    size_t before = errs->len;
    struct err err;
    int r = structural_measure(schema, &err);

    if (r < 0) { /* not to be walked */
        field_errors_add_text(errs, path, FIELD_ERROR_INVALID, STR(""), "%s", err.text);
        return;
    }
    if (status_enabled)
        check_root_with_status(schema, path, errs);
    if (schema->nullable)
        forbid(errs, path, "nullable", "nullable cannot be true at the root");
    check_structure(schema, LEVEL_ROOT, path, errs);
    check_keywords(schema, true, (struct where){ 0 }, path, errs);
    if (errs->len != before)
        return;
    r = structural_compile(errs->arena, schema, &compiled, &err);
    if (r < 0)
        field_errors_add_text(errs, path, FIELD_ERROR_INVALID, STR(""), "%s", err.text);
    else
        check_defaults(compiled, true, path, errs);
}

/* --- formats --- */

static bool each_of(props *items, uint32_t n, schema_rules_format_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < n; i++)
        if (!schema_rules_each_unknown_format(&items[i], fn, arg))
            return false;
    return true;
}

bool schema_rules_each_unknown_format(props *s, schema_rules_format_fn *fn, void *arg)
{
    if (!s)
        return true;
    if (s->format.len && !structural_format_known(structural_type_of(s->type), s->format).len &&
        !fn(s->format, arg))
        return false;
    for (uint32_t i = 0; i < s->properties.len; i++)
        if (!schema_rules_each_unknown_format(&s->properties.items[i].value, fn, arg))
            return false;
    return schema_rules_each_unknown_format(items_of(s), fn, arg) &&
           schema_rules_each_unknown_format(additional_of(s), fn, arg) &&
           each_of(s->all_of.items, s->all_of.len, fn, arg) &&
           each_of(s->any_of.items, s->any_of.len, fn, arg) &&
           each_of(s->one_of.items, s->one_of.len, fn, arg) &&
           schema_rules_each_unknown_format(s->not, fn, arg);
}
