#include "api/structural/custom_openapi.h"

#include "api/apiextensions_v1.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_writer.h"
#include "codec/value.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

struct printer {
    struct arena *arena;
    bool v2;
};

struct str custom_openapi_name(struct arena *a, struct str group, struct str version,
                               struct str kind)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, group.len + version.len + kind.len + 3);
    while (group.len) {
        ptrdiff_t dot = str_rfind(group, '.');

        buf_printf(&b, "%.*s.", STR_ARG(str_tail(group, (size_t)(dot + 1))));
        group = dot < 0 ? STR_NULL : str_sub(group, 0, (size_t)dot);
    }
    buf_printf(&b, "%.*s.%.*s", STR_ARG(version), STR_ARG(kind));
    return buf_str(&b);
}

/* --- references and members that every object has --- */

static struct value reference(struct printer *p, struct str name, const char *doc)
{
    struct value v = value_object(), ref = value_object(), all = value_array();
    const char *prefix = p->v2 ? "#/definitions/" : "#/components/schemas/";

    if (doc)
        value_set(p->arena, &v, STR("description"), value_string(str_from_cstr(doc)));
    value_set(p->arena, p->v2 ? &v : &ref, STR("$ref"),
              value_string(arena_printf(p->arena, "%s%.*s", prefix, STR_ARG(name))));
    if (p->v2)
        return v;
    value_push(p->arena, &all, ref); /* beside a reference nothing else counts */
    value_set(p->arena, &v, STR("allOf"), all);
    return v;
}

static struct value text_schema(struct printer *p, const char *doc)
{
    struct value v = value_object();

    value_set(p->arena, &v, STR("description"), value_string(str_from_cstr(doc)));
    value_set(p->arena, &v, STR("type"), value_string(STR("string")));
    return v;
}

static struct value *members_of(struct printer *p, struct value *schema)
{
    struct value *m = value_get(schema, STR("properties"));

    return m && m->type == VALUE_OBJECT
               ? m
               : value_set(p->arena, schema, STR("properties"), value_object());
}

static void add_meta(struct printer *p, struct value *schema, const char *meta)
{
    struct value *m = members_of(p, schema);

    value_set(p->arena, m, STR("apiVersion"),
              text_schema(p, "APIVersion defines the group and version of the object's schema."));
    value_set(p->arena, m, STR("kind"), text_schema(p, "Kind of the object, in CamelCase."));
    value_set(p->arena, m, STR("metadata"),
              reference(p, str_from_cstr(meta), "Standard object's metadata."));
}

/* --- the schema, walked in place --- */

static bool is_true(const struct value *v, struct str key)
{
    const struct value *m = value_get(v, key);

    return m && m->type == VALUE_BOOL && m->b;
}

static void rewrite(struct printer *p, struct value *s);

static void drop_required(struct printer *p, struct value *s, struct str name)
{
    struct value *required = value_get(s, STR("required"));

    (void)p;
    for (uint32_t i = 0; required && required->type == VALUE_ARRAY && i < required->len; i++)
        if (required->items[i].type == VALUE_STRING && str_eq(required->items[i].s, name))
            value_remove_at(required, i--);
    if (required && !required->len)
        value_remove(s, STR("required"));
}

/* What may be null may be anything, in version 2. */
static void drop_nullable_from_required(struct printer *p, struct value *s)
{
    const struct value *m = value_get(s, STR("properties"));
    const struct value *other = value_get(s, STR("additionalProperties"));

    for (uint32_t i = 0; m && m->type == VALUE_OBJECT && i < m->len; i++)
        if (is_true(&m->members[i].v, STR("nullable")))
            drop_required(p, s, m->members[i].key);
    if (other && is_true(other, STR("nullable")))
        value_remove(s, STR("required"));
}

static void lower_to_v2(struct printer *p, struct value *s)
{
    static const struct str dropped[] = { STR_INIT("allOf"), STR_INIT("anyOf"), STR_INIT("oneOf"),
                                          STR_INIT("not") };
    bool preserves = is_true(s, STR("x-kubernetes-preserve-unknown-fields"));

    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        value_remove(s, dropped[i]);
    drop_nullable_from_required(p, s);
    if (is_true(s, STR("nullable"))) {
        value_remove(s, STR("type"));
        value_remove(s, STR("nullable"));
        value_remove(s, STR("items"));
        value_remove(s, STR("properties"));
    }
    if (preserves) {
        value_remove(s, STR("items"));
        value_remove(s, STR("properties"));
    }
    if (str_eq(value_get_str(s, STR("type")), STR("array")) && !value_get(s, STR("items")))
        value_remove(s, STR("type"));
    if (preserves && str_eq(value_get_str(s, STR("type")), STR("object")))
        value_remove(s, STR("type"));
}

static void add_required(struct printer *p, struct value *s, struct str name)
{
    struct value *required = value_get(s, STR("required"));

    if (!required || required->type != VALUE_ARRAY)
        required = value_set(p->arena, s, STR("required"), value_array());
    for (uint32_t i = 0; i < required->len; i++)
        if (required->items[i].type == VALUE_STRING && str_eq(required->items[i].s, name))
            return;
    value_push(p->arena, required, value_string(name));
}

static bool has_alternatives(const struct value *s)
{
    const struct value *all = value_get(s, STR("allOf"));

    return value_get(s, STR("anyOf")) ||
           (all && all->type == VALUE_ARRAY && all->len && value_get(&all->items[0], STR("anyOf")));
}

static void add_alternatives(struct printer *p, struct value *s)
{
    static const struct str types[] = { STR_INIT("integer"), STR_INIT("string") };
    struct value any = value_array();

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct value one = value_object();

        value_set(p->arena, &one, STR("type"), value_string(types[i]));
        value_push(p->arena, &any, one);
    }
    value_set(p->arena, s, STR("anyOf"), any);
}

static void rewrite_below(struct printer *p, struct value *s)
{
    struct value *m = value_get(s, STR("properties")), *v;

    for (uint32_t i = 0; m && m->type == VALUE_OBJECT && i < m->len; i++)
        rewrite(p, &m->members[i].v);
    v = value_get(s, STR("items"));
    if (v && v->type == VALUE_OBJECT)
        rewrite(p, v);
    v = value_get(s, STR("additionalProperties"));
    if (v && v->type == VALUE_OBJECT)
        rewrite(p, v);
}

static void rewrite(struct printer *p, struct value *s)
{
    bool preserves = is_true(s, STR("x-kubernetes-preserve-unknown-fields"));

    if (s->type != VALUE_OBJECT)
        return;
    if (p->v2)
        lower_to_v2(p, s);
    else if (is_true(s, STR("x-kubernetes-int-or-string")) && !has_alternatives(s))
        add_alternatives(p, s);
    rewrite_below(p, s);
    if (!is_true(s, STR("x-kubernetes-embedded-resource")) || (p->v2 && preserves))
        return;
    add_meta(p, s, META "ObjectMeta");
    add_required(p, s, STR("kind"));
    add_required(p, s, STR("apiVersion"));
}

/* --- the definitions --- */

static void add_extensions(struct printer *p, struct value *s, const struct custom_resource *c,
                           struct str kind)
{
    struct value gvk = value_object(), list = value_array(), fields = value_array();
    struct str rest = c->row.selectable, path;

    value_set(p->arena, &gvk, STR("group"), value_string(c->row.group));
    value_set(p->arena, &gvk, STR("kind"), value_string(kind));
    value_set(p->arena, &gvk, STR("version"), value_string(c->row.version));
    value_push(p->arena, &list, gvk);
    value_set(p->arena, s, STR("x-kubernetes-group-version-kind"), list);
    while (c->n_selectable && str_next(&rest, ' ', &path)) {
        struct value field = value_object();

        value_set(p->arena, &field, STR("fieldPath"), value_string(path));
        value_push(p->arena, &fields, field);
    }
    if (fields.len)
        value_set(p->arena, s, STR("x-kubernetes-selectable-fields"), fields);
}

static struct value object_schema(struct printer *p,
                                  const struct apiextensions_v1_json_schema_props *schema)
{
    struct object o = {
        .schema = &schema_builtin,
        .type = schema_find_type(&schema_builtin, STR("apiextensions.k8s.io"), STR("v1"),
                                 STR("JSONSchemaProps")),
    };
    struct value v = value_object();
    struct buf b = { 0 };
    struct err err;

    if (!schema || (p->v2 && schema->x_kubernetes_preserve_unknown_fields &&
                    *schema->x_kubernetes_preserve_unknown_fields)) {
        value_set(p->arena, &v, STR("type"), value_string(STR("object")));
        return v; /* more would forbid all that is not said */
    }
    memcpy(&o.data, &schema, sizeof(o.data)); /* only read */
    buf_init_arena(&b, p->arena, 4096);
    object_json_encode(&b, o, NULL);
    if (value_parse(p->arena, buf_str(&b), &v, NULL, &err) < 0)
        return value_object(); /* our own text */
    rewrite(p, &v);
    add_meta(p, &v, META "ObjectMeta");
    return v;
}

static struct value list_schema(struct printer *p, const struct custom_resource *c, struct str name)
{
    struct value v = value_object(), items = value_object(), *m;

    value_set(p->arena, &v, STR("description"),
              value_string(arena_printf(p->arena, "%.*s is a list of %.*s",
                                        STR_ARG(c->row.list_kind), STR_ARG(c->row.kind))));
    value_set(p->arena, &v, STR("type"), value_string(STR("object")));
    add_required(p, &v, STR("items"));
    add_meta(p, &v, META "ListMeta");
    value_set(p->arena, &items, STR("description"),
              value_string(arena_printf(p->arena, "List of %.*s.", STR_ARG(c->row.name))));
    value_set(p->arena, &items, STR("type"), value_string(STR("array")));
    value_set(p->arena, &items, STR("items"), reference(p, name, NULL));
    m = members_of(p, &v);
    value_set(p->arena, m, STR("items"), items);
    return v;
}

void custom_openapi_print(struct arena *a, struct buf *b, const struct custom_resource *c,
                          const struct apiextensions_v1_json_schema_props *schema, bool v2)
{
    struct printer p = { .arena = a, .v2 = v2 };
    struct str name = custom_openapi_name(a, c->row.group, c->row.version, c->row.kind);
    struct str list = custom_openapi_name(a, c->row.group, c->row.version, c->row.list_kind);
    struct value v = object_schema(&p, schema);

    add_extensions(&p, &v, c, c->row.kind);
    json_write_string(b, name);
    buf_append_char(b, ':');
    value_print(b, &v);
    v = list_schema(&p, c, name);
    add_extensions(&p, &v, c, c->row.list_kind);
    buf_append_char(b, ',');
    json_write_string(b, list);
    buf_append_char(b, ':');
    value_print(b, &v);
}
