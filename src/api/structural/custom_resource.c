/* From a CustomResourceDefinition to rows and schemas. What is asked of objects is in
 * custom_object.c. */
#include "api/structural/custom_resource.h"

#include <ctype.h>
#include <stdlib.h>

#include "api/apiextensions_v1.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/structural/json_path.h"
#include "api/structural/structural.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "codec/digest.h"

typedef const struct apiextensions_v1_custom_resource_definition crd;
typedef const struct apiextensions_v1_custom_resource_definition_version crd_version;

/* --- versions in order --- */

struct version_parts {
    bool is_version; /* v1, v1beta2 */
    int stage;       /* 3: none, 2: beta, 1: alpha */
    uint64_t major, minor;
};

static struct str take_digits(struct str *s)
{
    struct str digits = { .p = s->p };

    while (digits.len < s->len && digits.len < 18 && isdigit((unsigned char)s->p[digits.len]))
        digits.len++;
    *s = str_tail(*s, digits.len);
    return digits;
}

static struct version_parts parse_version(struct str s)
{
    struct version_parts v = { .stage = 3 };

    if (!s.len || s.p[0] != 'v')
        return v;
    s = str_tail(s, 1);
    if (!str_to_u64(take_digits(&s), &v.major) || !v.major)
        return v;
    if (!s.len) {
        v.is_version = true;
        return v;
    }
    if (str_has_prefix(s, STR("beta")))
        v.stage = 2;
    else if (str_has_prefix(s, STR("alpha")))
        v.stage = 1;
    else
        return v;
    s = str_tail(s, v.stage == 2 ? 4 : 5);
    v.is_version = str_to_u64(take_digits(&s), &v.minor) && !s.len;
    return v;
}

int custom_resource_compare_versions(struct str a, struct str b)
{
    struct version_parts x = parse_version(a), y = parse_version(b);

    if (x.is_version != y.is_version)
        return x.is_version ? -1 : 1;
    if (!x.is_version)
        return str_cmp(a, b);
    if (x.stage != y.stage)
        return x.stage > y.stage ? -1 : 1;
    if (x.major != y.major)
        return x.major > y.major ? -1 : 1;
    return x.minor != y.minor ? (x.minor > y.minor ? -1 : 1) : 0;
}

/* --- rows --- */

static struct str join(struct arena *a, const struct str *words, uint32_t n)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 64);
    for (uint32_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", STR_ARG(words[i]));
    return buf_str(&b);
}

static const struct apiextensions_v1_custom_resource_definition_names *names_of(crd *d)
{
    return d->status.accepted_names.plural.len ? &d->status.accepted_names : &d->spec.names;
}

static struct str copy(struct custom_definition *d, struct str s)
{
    return str_dup(&d->arena, s);
}

static void fill_names(struct custom_definition *d, crd *from, struct resource *row)
{
    const struct apiextensions_v1_custom_resource_definition_names *n = names_of(from);

    row->group = d->group;
    row->name = copy(d, from->spec.names.plural);
    row->singular = copy(d, n->singular.len ? n->singular : from->spec.names.singular);
    row->kind = copy(d, n->kind.len ? n->kind : from->spec.names.kind);
    row->list_kind = copy(d, n->list_kind.len ? n->list_kind : from->spec.names.list_kind);
    row->short_names = join(&d->arena, n->short_names.items, n->short_names.len);
    row->categories = join(&d->arena, n->categories.items, n->categories.len);
    row->storage_prefix =
        arena_printf(&d->arena, "/registry/%.*s/%.*s/", STR_ARG(d->group), STR_ARG(row->name));
}

static const struct schema_type *builtin_type(struct str group, const char *name)
{
    return schema_find_type(&schema_builtin, group, STR("v1"), str_from_cstr(name));
}

static void fill_subresources(struct custom_definition *d, crd_version *v,
                              struct custom_resource *c)
{
    struct resource_subresource *subs = ARENA_NEW_ARRAY(&d->arena, struct resource_subresource, 2);
    const unsigned verbs = RESOURCE_VERB_GET | RESOURCE_VERB_PATCH | RESOURCE_VERB_UPDATE;
    size_t n = 0;

    if (!v->subresources)
        return;
    if (v->subresources->status) {
        c->has_status = true;
        c->row.reset_main = STR("status");
        c->row.reset_status = STR("metadata spec");
        subs[n++] = (struct resource_subresource){ STR("status"), c->row.type, verbs, false };
    }
    if (v->subresources->scale) {
        const struct apiextensions_v1_custom_resource_subresource_scale *s = v->subresources->scale;

        c->has_scale = true;
        c->replicas_path = copy(d, str_tail(s->spec_replicas_path, 1));
        c->status_replicas_path = copy(d, str_tail(s->status_replicas_path, 1));
        if (s->label_selector_path.len)
            c->selector_path = copy(d, str_tail(s->label_selector_path, 1));
        subs[n++] =
            (struct resource_subresource){ STR("scale"), builtin_type(STR("autoscaling"), "Scale"),
                                           verbs, false };
    }
    c->row.subresources = subs;
    c->row.n_subresources = n;
}

static struct str
column_description(struct custom_definition *d,
                   const struct apiextensions_v1_custom_resource_column_definition *c)
{
    if (c->description.len)
        return copy(d, c->description);
    return arena_printf(&d->arena, "Custom resource definition column (in JSONPath format): %.*s",
                        STR_ARG(c->json_path));
}

static int fill_columns(struct custom_definition *d, crd_version *v, struct custom_resource *c,
                        struct err *err)
{
    uint32_t n = v->additional_printer_columns.len;
    struct resource_column *columns =
        ARENA_NEW_ARRAY(&d->arena, struct resource_column, n ? n + 1 : 2);
    const struct json_path **paths =
        ARENA_NEW_ARRAY(&d->arena, const struct json_path *, n ? n : 1);
    int r = 0;

    columns[0] = (struct resource_column){ STR("Name"), STR("string"), true, 0, STR("") };
    if (!n) {
        columns[1] = (struct resource_column){ STR("Age"), STR("date"), false, 0, STR("") };
        r = json_path_parse(&d->arena, STR(".metadata.creationTimestamp"), &paths[0], err);
    }
    for (uint32_t i = 0; i < n && r >= 0; i++) {
        const struct apiextensions_v1_custom_resource_column_definition *from =
            &v->additional_printer_columns.items[i];

        columns[i + 1] = (struct resource_column){
            .name = copy(d, from->name),
            .type = copy(d, from->type),
            .priority = (uint8_t)MIN(MAX(from->priority, 0), 255),
            .format = copy(d, from->format),
            .description = column_description(d, from),
        };
        r = json_path_parse(&d->arena, from->json_path, &paths[i], err);
    }
    c->row.columns = columns;
    c->row.n_columns = n ? n + 1 : 2;
    c->column_paths = paths;
    return r;
}

static int fill_selectable(struct custom_definition *d, crd_version *v, struct custom_resource *c,
                           struct err *err)
{
    uint32_t n = MIN(v->selectable_fields.len, (uint32_t)CUSTOM_SELECTABLE_MAX);
    const struct json_path **paths =
        ARENA_NEW_ARRAY(&d->arena, const struct json_path *, n ? n : 1);
    struct buf b = { 0 };
    int r = 0;

    buf_init_arena(&b, &d->arena, 64);
    for (uint32_t i = 0; i < n && r >= 0; i++) {
        struct str path = v->selectable_fields.items[i].json_path;

        buf_printf(&b, "%s%.*s", i ? " " : "", STR_ARG(str_tail(path, 1)));
        r = json_path_parse(&d->arena, path, &paths[i], err);
    }
    c->row.selectable = buf_str(&b);
    c->selectable_paths = paths;
    c->n_selectable = n;
    return r;
}

/* The texts of version and schema decide whether what was stored by them is as it would be stored
 * now; what is selected by is stored beside each object. */
static uint32_t stamp_of(crd *from, crd_version *v)
{
    const struct apiextensions_v1_json_schema_props *schema =
        v->schema ? v->schema->open_api_v3_schema : NULL;
    struct object o = {
        .schema = &schema_builtin,
        .type = builtin_type(STR("apiextensions.k8s.io"), "JSONSchemaProps"),
    };
    CLEANUP(buf_done) struct buf b = { 0 };
    unsigned char digest[DIGEST_SHA256_BYTES];
    uint32_t stamp;

    buf_printf(&b, "%.*s %.*s %.*s", STR_ARG(v->name), STR_ARG(from->spec.names.kind),
               STR_ARG(from->status.accepted_names.kind));
    for (uint32_t i = 0; i < from->spec.versions.len; i++)
        for (uint32_t k = 0; k < from->spec.versions.items[i].selectable_fields.len; k++)
            buf_printf(&b, " %.*s",
                       STR_ARG(from->spec.versions.items[i].selectable_fields.items[k].json_path));
    memcpy(&o.data, &schema, sizeof(o.data)); /* only read */
    if (schema)
        object_json_encode(&b, o, NULL);
    digest_sha256(buf_str(&b), digest);
    memcpy(&stamp, digest, sizeof(stamp));
    return stamp | 2; /* neither 0, which is never current, nor that of built-in types */
}

/* The newest version that is served, newer than this one, and no way out itself. */
static crd_version *better_version(crd *from, crd_version *than)
{
    crd_version *best = NULL;

    for (uint32_t i = 0; i < from->spec.versions.len; i++) {
        crd_version *v = &from->spec.versions.items[i];

        if (v->served && !v->deprecated &&
            custom_resource_compare_versions(v->name, best ? best->name : than->name) < 0)
            best = v;
    }
    return best;
}

static void fill_warning(struct custom_definition *d, crd *from, crd_version *v,
                         struct custom_resource *c)
{
    crd_version *better = better_version(from, v);
    struct str use = STR("");

    if (!v->deprecated)
        return;
    if (better)
        use = arena_printf(&d->arena, "; use %.*s/%.*s %.*s", STR_ARG(d->group),
                           STR_ARG(better->name), STR_ARG(c->row.kind));
    c->warning =
        v->deprecation_warning.p
            ? copy(d, v->deprecation_warning)
            : arena_printf(&d->arena, "%.*s/%.*s %.*s is deprecated%.*s", STR_ARG(d->group),
                           STR_ARG(v->name), STR_ARG(c->row.kind), STR_ARG(use));
}

static int fill_version(struct custom_definition *d, crd *from, crd_version *v,
                        struct custom_resource *c, struct err *err)
{
    const struct apiextensions_v1_json_schema_props *schema =
        v->schema ? v->schema->open_api_v3_schema : NULL;
    int r;

    c->definition = d;
    c->is_served = v->served;
    c->stamp = stamp_of(from, v);
    c->row = (struct resource){
        .version = copy(d, v->name),
        .verbs = (1U << RESOURCE_VERB_INDEX_MAX) - 1,
        .flags = RESOURCE_SERVED | RESOURCE_NEEDS_VERSION,
        .type = builtin_type(STR("meta.k8s.io"), "CustomObject"),
        .generation = STR("none"), /* the strategy's */
        .name_rule = NAME_RULE_DNS1123_SUBDOMAIN,
        .custom = c,
    };
    c->row.storage_type = c->row.type;
    if (str_eq(from->spec.scope, STR("Namespaced")))
        c->row.flags |= RESOURCE_NAMESPACED;
    fill_names(d, from, &c->row);
    fill_subresources(d, v, c);
    fill_warning(d, from, v, c);
    r = structural_compile(&d->arena, schema, &c->schema, err);
    if (r >= 0)
        r = fill_columns(d, v, c, err);
    if (r >= 0)
        r = fill_selectable(d, v, c, err);
    return r < 0 ? err_wrap(err, "version '%.*s'", STR_ARG(v->name)) : 0;
}

/* --- the definition --- */

static bool has_condition(crd *d, struct str type)
{
    for (uint32_t i = 0; i < d->status.conditions.len; i++) {
        const struct apiextensions_v1_custom_resource_definition_condition *c =
            &d->status.conditions.items[i];

        if (str_eq(c->type, type))
            return str_eq(c->status, STR("True"));
    }
    return false;
}

struct order {
    struct str name;
    uint32_t at;
};

static int by_version(const void *a, const void *b)
{
    return custom_resource_compare_versions(((const struct order *)a)->name,
                                            ((const struct order *)b)->name);
}

static int fill(struct custom_definition *d, crd *from, struct err *err)
{
    uint32_t n = from->spec.versions.len;
    struct order *order = ARENA_NEW_ARRAY(&d->arena, struct order, n + 1);
    int r = 0;

    if (n > CUSTOM_VERSIONS_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d versions", CUSTOM_VERSIONS_MAX);
    for (uint32_t i = 0; i < n; i++)
        order[i] = (struct order){ from->spec.versions.items[i].name, i };
    qsort(order, n, sizeof(*order), by_version);
    d->versions = ARENA_NEW_ARRAY(&d->arena, struct custom_resource, n + 1);
    d->n_versions = n;
    for (uint32_t i = 0; i < n && r >= 0; i++) {
        crd_version *v = &from->spec.versions.items[order[i].at];

        r = fill_version(d, from, v, &d->versions[i], err);
        if (v->storage)
            d->storage = &d->versions[i];
    }
    if (r >= 0 && !d->storage)
        r = err_set(err, ERR_INVALID, "no version is stored");
    if (r >= 0 && arena_is_over(&d->arena))
        r = err_set(err, ERR_TOO_LARGE, "definition takes too much memory");
    return r;
}

int custom_definition_new(struct object o, struct custom_definition **ret, struct err *err)
{
    crd *from = o.data;
    struct custom_definition *d = NEW(struct custom_definition);
    int r;

    refcount_init(&d->refs);
    arena_init(&d->arena, CUSTOM_DEFINITION_BYTES_MAX);
    d->name = copy(d, from->metadata.name);
    d->group = copy(d, from->spec.group);
    d->uid = copy(d, from->metadata.uid);
    d->generation = from->metadata.generation;
    (void)str_to_u64(from->metadata.resource_version, &d->revision); /* 0: of no stored object */
    d->is_established =
        has_condition(from, STR("Established")) || has_condition(from, STR("NamesAccepted"));
    d->is_terminating = from->metadata.deletion_timestamp.set;
    r = fill(d, from, err);
    if (r < 0) {
        custom_definition_unref(d);
        return r;
    }
    *ret = d;
    return 0;
}

struct custom_definition *custom_definition_ref(struct custom_definition *d)
{
    refcount_ref(&d->refs);
    return d;
}

void custom_definition_unref(struct custom_definition *d)
{
    if (!d || !refcount_unref(&d->refs))
        return;
    arena_done(&d->arena);
    mem_free(d);
}

const struct custom_resource *custom_definition_version(const struct custom_definition *d,
                                                        struct str version)
{
    for (size_t i = 0; i < d->n_versions; i++)
        if (str_eq(d->versions[i].row.version, version))
            return &d->versions[i];
    return NULL;
}
