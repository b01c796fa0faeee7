/* OpenAPI definitions of types, from the schema's rows: what `kubectl explain` and code generators
 * read. Version 2 and 3 differ in few places: how a reference bears a default or a description
 * beside it (siblings in 2, allOf in 3), and how quantities and int-or-string are spelled. */
#include <stdlib.h>
#include <string.h>

#include "api/openapi_internal.h"
#include "api/resource.h"
#include "base/buf.h"
#include "base/mem.h"
#include "codec/json_writer.h"

/* Value kinds that have a definition of their own rather than a struct. */
struct kind_definition {
    uint8_t kind;
    struct str name;
    struct str v2;
    struct str v3;
};

#define META_V1 "io.k8s.apimachinery.pkg.apis.meta.v1."
#define CRD_V1  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

static const struct kind_definition kind_definitions[] = {
    { SCHEMA_KIND_TIME, STR_INIT(META_V1 "Time"),
      STR_INIT(
          "\"description\":\"A moment in RFC 3339, in UTC, with whole seconds.\",\"type\":\"string\",\"format\":\"date-time\""),
      STR_NULL },
    { SCHEMA_KIND_MICRO_TIME, STR_INIT(META_V1 "MicroTime"),
      STR_INIT(
          "\"description\":\"A moment in RFC 3339, in UTC, with microseconds.\",\"type\":\"string\",\"format\":\"date-time\""),
      STR_NULL },
    { SCHEMA_KIND_FIELDS_V1, STR_INIT(META_V1 "FieldsV1"),
      STR_INIT(
          "\"description\":\"A set of fields as a tree: f:NAME members, k:KEYS and v:VALUE items.\",\"type\":\"object\""),
      STR_NULL },
    { SCHEMA_KIND_QUANTITY, STR_INIT("io.k8s.apimachinery.pkg.api.resource.Quantity"),
      STR_INIT(
          "\"description\":\"An exact decimal number with an SI, binary or exponent suffix: 250m, 1.5Gi, 1e3.\",\"type\":\"string\""),
      STR_INIT(
          "\"description\":\"An exact decimal number with an SI, binary or exponent suffix: 250m, 1.5Gi, 1e3.\",\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]") },
    { SCHEMA_KIND_INT_OR_STRING, STR_INIT("io.k8s.apimachinery.pkg.util.intstr.IntOrString"),
      STR_INIT(
          "\"description\":\"A whole number or a text, such as a port's number or name.\",\"type\":\"string\",\"format\":\"int-or-string\""),
      STR_INIT(
          "\"description\":\"A whole number or a text, such as a port's number or name.\",\"format\":\"int-or-string\",\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]") },
    { SCHEMA_KIND_RAW, STR_INIT("io.k8s.apimachinery.pkg.runtime.RawExtension"),
      STR_INIT("\"description\":\"Any object, kept as it was given.\",\"type\":\"object\""),
      STR_NULL },
    { SCHEMA_KIND_ANY_JSON, STR_INIT(CRD_V1 "JSON"),
      STR_INIT("\"description\":\"Any JSON value.\""), STR_NULL },
    { SCHEMA_KIND_SCHEMA_OR_BOOL, STR_INIT(CRD_V1 "JSONSchemaPropsOrBool"),
      STR_INIT("\"description\":\"A schema, or true or false.\""), STR_NULL },
    { SCHEMA_KIND_SCHEMA_OR_ARRAY, STR_INIT(CRD_V1 "JSONSchemaPropsOrArray"),
      STR_INIT("\"description\":\"A schema, or a list of schemas.\""), STR_NULL },
    { SCHEMA_KIND_SCHEMA_OR_STRINGS, STR_INIT(CRD_V1 "JSONSchemaPropsOrStringArray"),
      STR_INIT("\"description\":\"A schema, or a list of names.\""), STR_NULL },
};

static const struct str patch_definition_name = STR_INIT(META_V1 "Patch");
static const struct str code_version_name = STR_INIT("io.k8s.apimachinery.pkg.version.Info");

/* Kinds that stand in place: type and format, and the zero value that OpenAPI shows as default. */
static const struct {
    struct str type;
    struct str zero;
} plain_kinds[SCHEMA_KIND_MAX] = {
    [SCHEMA_KIND_BOOL] = { STR_INIT("\"type\":\"boolean\""), STR_INIT("false") },
    [SCHEMA_KIND_INT32] = { STR_INIT("\"type\":\"integer\",\"format\":\"int32\""), STR_INIT("0") },
    [SCHEMA_KIND_INT64] = { STR_INIT("\"type\":\"integer\",\"format\":\"int64\""), STR_INIT("0") },
    [SCHEMA_KIND_UINT32] = { STR_INIT("\"type\":\"integer\",\"format\":\"int64\""), STR_INIT("0") },
    [SCHEMA_KIND_UINT64] = { STR_INIT("\"type\":\"integer\",\"format\":\"int64\""), STR_INIT("0") },
    [SCHEMA_KIND_DOUBLE] = { STR_INIT("\"type\":\"number\",\"format\":\"double\""), STR_INIT("0") },
    [SCHEMA_KIND_STRING] = { STR_INIT("\"type\":\"string\""), STR_INIT("\"\"") },
    [SCHEMA_KIND_BYTES] = { STR_INIT("\"type\":\"string\",\"format\":\"byte\""), STR_NULL },
    [SCHEMA_KIND_DURATION] = { STR_INIT("\"type\":\"string\""), STR_NULL },
    [SCHEMA_KIND_STRING_LIST] = { STR_INIT("\"type\":\"array\",\"items\":{\"type\":\"string\"}"),
                                  STR_NULL },
};

struct str openapi_ref_prefix(const struct openapi_doc *d)
{
    return d->version == OPENAPI_V2 ? STR("#/definitions/") : STR("#/components/schemas/");
}

void openapi_comma(struct openapi_doc *d, bool *first)
{
    if (!*first)
        buf_append_char(d->b, ',');
    *first = false;
}

void openapi_member(struct openapi_doc *d, bool *first, const char *key, struct str text)
{
    openapi_comma(d, first);
    json_write_string(d->b, str_from_cstr(key));
    buf_append_char(d->b, ':');
    json_write_string(d->b, text);
}

static void ref_name(struct openapi_doc *d, struct str name)
{
    buf_append_lit(d->b, "\"$ref\":\"");
    buf_append_str(d->b, openapi_ref_prefix(d));
    buf_append_str(d->b, name);
    buf_append_char(d->b, '"');
}

void openapi_ref_type(struct openapi_doc *d, const struct schema_type *t)
{
    d->types[t - d->schema->types] = true;
    buf_append_char(d->b, '{');
    ref_name(d, schema_str(d->schema, t->openapi_name));
    buf_append_char(d->b, '}');
}

void openapi_ref_patch(struct openapi_doc *d)
{
    d->patch = true;
    buf_append_char(d->b, '{');
    ref_name(d, patch_definition_name);
    buf_append_char(d->b, '}');
}

void openapi_ref_code_version(struct openapi_doc *d)
{
    d->code_version = true;
    buf_append_char(d->b, '{');
    ref_name(d, code_version_name);
    buf_append_char(d->b, '}');
}

static const struct kind_definition *find_kind_definition(uint8_t kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_definitions); i++) {
        if (kind_definitions[i].kind == kind)
            return &kind_definitions[i];
    }
    return NULL;
}

/* The definition that values of a field refer to, noted as needed; unset for plain kinds. */
static struct str referred(struct openapi_doc *d, const struct schema_field *f)
{
    const struct kind_definition *k;

    if (f->kind == SCHEMA_KIND_STRUCT) {
        d->types[f->type] = true;
        return schema_str(d->schema, d->schema->types[f->type].openapi_name);
    }
    k = find_kind_definition(f->kind);
    if (!k)
        return STR_NULL;
    d->kinds[f->kind] = true;
    return k->name;
}

/* The schema of one value (of the field, or of its elements), without braces. bare: nothing else
 * will stand beside it, so that version 3 needs no allOf. */
static void print_value(struct openapi_doc *d, const struct schema_field *f, bool bare)
{
    struct str name = referred(d, f);

    if (!name.p) {
        buf_append_str(d->b, plain_kinds[f->kind].type);
    } else if (bare || d->version == OPENAPI_V2) {
        ref_name(d, name);
    } else {
        buf_append_lit(d->b, "\"allOf\":[{");
        ref_name(d, name);
        buf_append_lit(d->b, "}]");
    }
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* In order of value. */
static void print_enum(struct openapi_doc *d, const struct schema_field *f)
{
    const struct schema_enum *e = &d->schema->enums[f->enum_set];
    CLEANUP(mem_free) void *memory = mem_realloc_array(NULL, e->n + 1, sizeof(struct str));
    struct str *values = memory;
    bool first = true;

    for (uint32_t i = 0; i < e->n; i++)
        values[i] = schema_str(d->schema, d->schema->enum_values[e->first + i]);
    qsort(values, e->n, sizeof(*values), by_text);
    buf_append_lit(d->b, ",\"enum\":[");
    for (uint32_t i = 0; i < e->n; i++) {
        openapi_comma(d, &first);
        json_write_string(d->b, values[i]);
    }
    buf_append_char(d->b, ']');
}

static bool is_enum(const struct schema_field *f)
{
    return f->enum_set && f->flags & SCHEMA_ENUM_CLOSED;
}

/* An element of a list or map: nothing but its type and the values that it may have. */
static void print_element(struct openapi_doc *d, const struct schema_field *f)
{
    buf_append_char(d->b, '{');
    print_value(d, f, true);
    if (is_enum(f))
        print_enum(d, f);
    buf_append_char(d->b, '}');
}

/* Version 2 shows none. */
static struct str default_of(const struct openapi_doc *d, const struct schema_field *f)
{
    if (d->version == OPENAPI_V2)
        return STR_NULL;
    if (f->default_json)
        return schema_str(d->schema, f->default_json);
    if (f->shape != SCHEMA_ONE)
        return STR_NULL;
    if (f->kind == SCHEMA_KIND_STRUCT)
        return STR("{}");
    return f->flags & SCHEMA_OMIT_EMPTY ? STR_NULL : plain_kinds[f->kind].zero;
}

static void print_list_keys(struct openapi_doc *d, struct str keys)
{
    struct str key;
    bool first = true;

    buf_append_lit(d->b, ",\"x-kubernetes-list-map-keys\":[");
    while (str_next(&keys, ',', &key)) {
        openapi_comma(d, &first);
        json_write_string(d->b, key);
    }
    buf_append_char(d->b, ']');
}

/* Is the field owned as a whole? A type that is says so itself. */
static bool has_map_type(const struct openapi_doc *d, const struct schema_field *f)
{
    return f->flags & SCHEMA_ATOMIC &&
           !(f->kind == SCHEMA_KIND_STRUCT && d->schema->types[f->type].flags & SCHEMA_TYPE_ATOMIC);
}

/* The few fields that say what goes without saying: that each member has an owner. */
static bool is_granular(const struct openapi_doc *d, const struct schema_field *f)
{
    static const struct str names[] = { STR_INIT("claimRef"),
                                        STR_INIT("allocatedResourceStatuses") };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(schema_field_name(d->schema, f), names[i]))
            return true;
    return false;
}

/* How patches and server-side apply treat the field. */
static void print_merge_rules(struct openapi_doc *d, const struct schema_field *f)
{
    static const struct str strategies[] = { STR_INIT(""), STR_INIT("merge"),
                                             STR_INIT("retainKeys"), STR_INIT("merge,retainKeys") };
    unsigned strategy =
        (f->flags & SCHEMA_PATCH_MERGE ? 1U : 0U) | (f->flags & SCHEMA_PATCH_RETAIN_KEYS ? 2U : 0U);
    bool first = false;

    if (f->flags & SCHEMA_LIST_MAP) {
        openapi_member(d, &first, "x-kubernetes-list-type", STR("map"));
        print_list_keys(d, schema_str(d->schema, f->list_keys));
    } else if (f->flags & SCHEMA_LIST_SET) {
        openapi_member(d, &first, "x-kubernetes-list-type", STR("set"));
    } else if ((f->flags & SCHEMA_ATOMIC) &&
               (f->shape == SCHEMA_LIST || f->kind == SCHEMA_KIND_BYTES)) {
        openapi_member(d, &first, "x-kubernetes-list-type", STR("atomic"));
    } else if (has_map_type(d, f)) {
        openapi_member(d, &first, "x-kubernetes-map-type", STR("atomic"));
    } else if (is_granular(d, f)) {
        openapi_member(d, &first, "x-kubernetes-map-type", STR("granular"));
    }
    if (f->patch_key)
        openapi_member(d, &first, "x-kubernetes-patch-merge-key",
                       schema_str(d->schema, f->patch_key));
    if (f->flags & SCHEMA_PATCH_REPLACE)
        openapi_member(d, &first, "x-kubernetes-patch-strategy", STR("replace"));
    else if (strategy)
        openapi_member(d, &first, "x-kubernetes-patch-strategy", strategies[strategy]);
}

static bool stands_alone(const struct openapi_doc *d, const struct schema_field *f)
{
    return !f->doc && !default_of(d, f).p && !has_map_type(d, f) &&
           !(f->flags & (SCHEMA_PATCH_MERGE | SCHEMA_PATCH_RETAIN_KEYS | SCHEMA_PATCH_REPLACE));
}

static void print_property(struct openapi_doc *d, const struct schema_field *f)
{
    struct str zero = default_of(d, f);

    buf_append_char(d->b, '{');
    switch ((enum schema_shape)f->shape) {
    case SCHEMA_LIST:
        buf_append_lit(d->b, "\"type\":\"array\",\"items\":");
        print_element(d, f);
        break;
    case SCHEMA_MAP:
        buf_append_lit(d->b, "\"type\":\"object\",\"additionalProperties\":");
        print_element(d, f);
        break;
    case SCHEMA_ONE:
    case SCHEMA_POINTER:
    case SCHEMA_INLINE:
        print_value(d, f, stands_alone(d, f));
        break;
    }
    if (f->doc) {
        buf_append_lit(d->b, ",\"description\":");
        json_write_string(d->b, schema_str(d->schema, f->doc));
    }
    if (zero.p) {
        buf_append_lit(d->b, ",\"default\":");
        buf_append_str(d->b, zero);
    }
    if (is_enum(f) && f->shape != SCHEMA_LIST && f->shape != SCHEMA_MAP)
        print_enum(d, f);
    print_merge_rules(d, f);
    buf_append_char(d->b, '}');
}

static const struct schema_field *member_field(const struct openapi_doc *d,
                                               const struct schema_type *t, uint32_t i)
{
    return &d->schema->fields[d->schema->members[t->first_member + i].field];
}

static void print_required(struct openapi_doc *d, const struct schema_type *t)
{
    bool first = true;

    for (uint32_t i = 0; i < t->n_members; i++) {
        const struct schema_field *f = member_field(d, t, i);

        if (!(f->flags & SCHEMA_REQUIRED))
            continue;
        buf_append_str(d->b, first ? STR(",\"required\":[") : STR(","));
        first = false;
        json_write_string(d->b, schema_field_name(d->schema, f));
    }
    if (!first)
        buf_append_char(d->b, ']');
}

static void print_gvk(struct openapi_doc *d, struct str group, struct str version, struct str kind)
{
    bool first = true;

    buf_append_char(d->b, '{');
    openapi_member(d, &first, "group", group);
    openapi_member(d, &first, "version", version);
    openapi_member(d, &first, "kind", kind);
    buf_append_char(d->b, '}');
}

/* Kinds that every group version registers (DeleteOptions, WatchEvent) name them all. */
static void print_gvks(struct openapi_doc *d, const struct schema_type *t)
{
    struct str group = schema_str(d->schema, t->group);
    struct str name = schema_str(d->schema, t->name);
    bool is_shared = str_eq(name, STR("DeleteOptions")) || str_eq(name, STR("WatchEvent"));

    if (!is_shared && (!(t->flags & SCHEMA_TYPE_TOP) || str_eq(name, STR("TypeMeta"))))
        return;
    buf_append_lit(d->b, ",\"x-kubernetes-group-version-kind\":[");
    if (is_shared && d->version == OPENAPI_V3) { /* the oldest, and the document's own */
        print_gvk(d, STR(""), STR("v1"), name);
        if (d->group.len) {
            buf_append_char(d->b, ',');
            print_gvk(d, d->group, d->group_version, name);
        }
    } else if (is_shared) {
        for (size_t i = 0; i < resource_group_versions_len; i++) {
            const struct resource_group_version *gv = &resource_group_versions[i];

            if (i)
                buf_append_char(d->b, ',');
            print_gvk(d, gv->group, gv->version, name);
        }
    } else {
        print_gvk(d, str_eq(group, STR("meta.k8s.io")) ? STR("") : group,
                  schema_str(d->schema, t->version), name);
    }
    buf_append_char(d->b, ']');
}

/* Which member goes with which value of the discriminator. */
static const struct {
    struct str type;
    const char *unions;
} unions[] = {
    { STR_INIT("io.k8s.api.core.v1.AppArmorProfile"),
      "{\"discriminator\":\"type\",\"fields-to-discriminateBy\":{\"localhostProfile\":"
      "\"LocalhostProfile\"}}" },
    { STR_INIT("io.k8s.api.core.v1.PodSchedulingGroup"),
      "{\"fields-to-discriminateBy\":{\"podGroupName\":\"PodGroupName\"}}" },
    { STR_INIT("io.k8s.api.core.v1.SeccompProfile"),
      "{\"discriminator\":\"type\",\"fields-to-discriminateBy\":{\"localhostProfile\":"
      "\"LocalhostProfile\"}}" },
    { STR_INIT("io.k8s.api.flowcontrol.v1.LimitResponse"),
      "{\"discriminator\":\"type\",\"fields-to-discriminateBy\":{\"queuing\":\"Queuing\"}}" },
    { STR_INIT("io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec"),
      "{\"discriminator\":\"type\",\"fields-to-discriminateBy\":{\"exempt\":\"Exempt\","
      "\"limited\":\"Limited\"}}" },
    { STR_INIT("io.k8s.api.flowcontrol.v1.Subject"),
      "{\"discriminator\":\"kind\",\"fields-to-discriminateBy\":{\"group\":\"Group\","
      "\"serviceAccount\":\"ServiceAccount\",\"user\":\"User\"}}" },
};

static void print_unions(struct openapi_doc *d, struct str type)
{
    for (size_t i = 0; i < ARRAY_LEN(unions); i++)
        if (str_eq(unions[i].type, type))
            buf_printf(d->b, ",\"x-kubernetes-unions\":[%s]", unions[i].unions);
}

static void print_type(struct openapi_doc *d, const struct schema_type *t)
{
    json_write_string(d->b, schema_str(d->schema, t->openapi_name));
    buf_append_lit(d->b, ":{\"type\":\"object\"");
    if (t->doc) {
        buf_append_lit(d->b, ",\"description\":");
        json_write_string(d->b, schema_str(d->schema, t->doc));
    }
    if (t->n_members) {
        bool first = true;

        buf_append_lit(d->b, ",\"properties\":{");
        for (uint32_t i = 0; i < t->n_members; i++) {
            const struct schema_field *f = member_field(d, t, i);

            if (f->flags & SCHEMA_JSON_HIDDEN)
                continue;
            openapi_comma(d, &first);
            json_write_string(d->b, schema_field_name(d->schema, f));
            buf_append_char(d->b, ':');
            print_property(d, f);
        }
        buf_append_char(d->b, '}');
    }
    print_required(d, t);
    print_gvks(d, t);
    if (t->flags & SCHEMA_TYPE_ATOMIC)
        buf_append_lit(d->b, ",\"x-kubernetes-map-type\":\"atomic\"");
    print_unions(d, schema_str(d->schema, t->openapi_name));
    buf_append_char(d->b, '}');
}

/* Definitions refer to more definitions: mark until nothing is new. Types that no kind or struct
 * field leads to stay out. */
static void mark_all(struct openapi_doc *d)
{
    bool again = true;

    while (again) {
        again = false;
        for (uint32_t i = 0; i < d->schema->n_types; i++) {
            const struct schema_type *t = &d->schema->types[i];

            for (uint32_t m = 0; d->types[i] && m < t->n_members; m++) {
                const struct schema_field *f = member_field(d, t, m);
                bool known = f->kind != SCHEMA_KIND_STRUCT || d->types[f->type];

                (void)referred(d, f);
                again |= !known;
            }
        }
    }
}

static void print_kind(struct openapi_doc *d, const struct kind_definition *k)
{
    json_write_string(d->b, k->name);
    buf_append_lit(d->b, ":{");
    buf_append_str(d->b, d->version == OPENAPI_V3 && k->v3.p ? k->v3 : k->v2);
    buf_append_char(d->b, '}');
}

/* What stands in "definitions", so that all can be printed in order of name. */
struct definition {
    struct str name;
    const struct schema_type *type;
    const struct kind_definition *kind; /* type and kind NULL: those that have no rows */
};

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct definition *)a)->name, ((const struct definition *)b)->name);
}

static size_t gather(struct openapi_doc *d, struct definition *all)
{
    size_t n = 0;

    for (uint32_t i = 0; i < d->schema->n_types; i++) {
        const struct schema_type *t = &d->schema->types[i];

        if (d->types[i] && t->openapi_name)
            all[n++] = (struct definition){ schema_str(d->schema, t->openapi_name), t, NULL };
    }
    for (size_t i = 0; i < ARRAY_LEN(kind_definitions); i++) {
        const struct kind_definition *k = &kind_definitions[i];

        if (d->kinds[k->kind])
            all[n++] = (struct definition){ k->name, NULL, k };
    }
    if (d->patch)
        all[n++] = (struct definition){ patch_definition_name, NULL, NULL };
    if (d->code_version)
        all[n++] = (struct definition){ code_version_name, NULL, NULL };
    qsort(all, n, sizeof(*all), by_name);
    return n;
}

static void print_code_version(struct openapi_doc *d)
{
    static const char *const members[] = { "buildDate",
                                           "compiler",
                                           "emulationMajor",
                                           "emulationMinor",
                                           "gitCommit",
                                           "gitTreeState",
                                           "gitVersion",
                                           "goVersion",
                                           "major",
                                           "minCompatibilityMajor",
                                           "minCompatibilityMinor",
                                           "minor",
                                           "platform" };
    static const char *const required[] = { "major",     "minor",        "gitVersion",
                                            "gitCommit", "gitTreeState", "buildDate",
                                            "goVersion", "compiler",     "platform" };

    json_write_string(d->b, code_version_name);
    buf_append_lit(d->b, ":{\"description\":\"What the server is and what it is compatible "
                         "with.\",\"type\":\"object\",\"required\":[");
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        buf_printf(d->b, "%s\"%s\"", i ? "," : "", required[i]);
    buf_append_lit(d->b, "],\"properties\":{");
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        bool needed = false;

        for (size_t k = 0; k < ARRAY_LEN(required); k++)
            needed |= strcmp(required[k], members[i]) == 0;
        buf_printf(d->b, "%s\"%s\":{\"type\":\"string\"%s}", i ? "," : "", members[i],
                   needed && d->version == OPENAPI_V3 ? ",\"default\":\"\"" : "");
    }
    buf_append_lit(d->b, "}}");
}

void openapi_print_definitions(struct openapi_doc *d)
{
    CLEANUP(mem_free) void *memory = NULL;
    struct definition *all;
    size_t n;

    mark_all(d);
    memory =
        mem_realloc_array(NULL, d->schema->n_types + ARRAY_LEN(kind_definitions) + 2, sizeof(*all));
    all = memory;
    n = gather(d, all);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_append_char(d->b, ',');
        if (all[i].type) {
            print_type(d, all[i].type);
        } else if (all[i].kind) {
            print_kind(d, all[i].kind);
        } else if (str_eq(all[i].name, code_version_name)) {
            print_code_version(d);
        } else {
            json_write_string(d->b, patch_definition_name);
            buf_append_lit(
                d->b,
                ":{\"description\":\"A change to an object, in the form that the content type names.\",\"type\":\"object\"}");
        }
    }
}
