/* Compiling: one walk over the JSONSchemaProps, bounded in depth and nodes. */
#include "api/structural/structural.h"

#include <math.h>
#include <stdlib.h>

#include "api/apiextensions_v1.h"
#include "api/structural/structural_internal.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/macros.h"
#include "codec/value.h"

typedef const struct apiextensions_v1_json_schema_props props;

enum { SLOTS_FROM = 16 }; /* as many properties are looked up by hash */
enum { FLAGS_OF_BELOW = STRUCTURAL_HAS_DEFAULTS | STRUCTURAL_HAS_EMBEDDED };

struct compiler {
    struct arena *arena;
    struct err *err;
    size_t nodes;
};

static const char *const type_names[STRUCTURAL_TYPE_MAX] = {
    [STRUCTURAL_ANY] = "",
    [STRUCTURAL_OBJECT] = "object",
    [STRUCTURAL_ARRAY] = "array",
    [STRUCTURAL_STRING] = "string",
    [STRUCTURAL_INTEGER] = "integer",
    [STRUCTURAL_NUMBER] = "number",
    [STRUCTURAL_BOOLEAN] = "boolean",
};

const char *structural_type_name(enum structural_type t)
{
    return type_names[t];
}

enum structural_type structural_type_of(struct str name)
{
    for (int t = 1; t < STRUCTURAL_TYPE_MAX; t++) {
        if (str_eq(name, str_from_cstr(type_names[t])))
            return (enum structural_type)t;
    }
    return STRUCTURAL_ANY;
}

static int compile(struct compiler *c, props *p, int depth, struct structural *ret);

static int compile_one(struct compiler *c, props *p, int depth, const struct structural **ret)
{
    struct structural *s;
    int r;

    if (!p)
        return 0;
    s = ARENA_NEW(c->arena, struct structural);
    r = compile(c, p, depth + 1, s);
    *ret = s;
    return r;
}

/* Schemas side by side: allOf and its like. */
static int compile_many(struct compiler *c, props *items, size_t n, int depth,
                        const struct structural **ret, size_t *ret_n)
{
    struct structural *s;

    if (!n)
        return 0;
    s = ARENA_NEW_ARRAY(c->arena, struct structural, n);
    for (size_t i = 0; i < n; i++) {
        int r = compile(c, &items[i], depth + 1, &s[i]);

        if (r < 0)
            return r;
    }
    *ret = s;
    *ret_n = n;
    return 0;
}

static int parse_literal(struct compiler *c, struct str json, struct value *ret)
{
    return value_parse(c->arena, str_dup(c->arena, json), ret, NULL, c->err);
}

static const struct str *copy_strs(struct arena *a, const struct str *items, size_t n)
{
    struct str *copy = ARENA_NEW_ARRAY(a, struct str, n);

    for (size_t i = 0; i < n; i++)
        copy[i] = str_dup(a, items[i]);
    return copy;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str sorted_keys(struct arena *a, const struct str *keys, size_t n)
{
    struct str *sorted = arena_dup(a, keys, n * sizeof(*keys));
    struct buf b = { 0 };

    qsort(sorted, n, sizeof(*sorted), by_name);
    buf_init_arena(&b, a, 32);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s", i ? "," : "", STR_ARG(sorted[i]));
    return buf_str(&b);
}

/* --- the checks --- */

static bool has_checks(props *p)
{
    return p->format.len || p->pattern.len || p->maximum || p->minimum || p->multiple_of ||
           p->max_length || p->min_length || p->max_items || p->min_items || p->max_properties ||
           p->min_properties || p->unique_items || p->enum_.len || p->required.len ||
           p->all_of.len || p->any_of.len || p->one_of.len || p->not ;
}

static int64_t bound(const int64_t *p)
{
    return p ? *p : -1;
}

static void copy_numbers(struct structural_checks *k, props *p)
{
    k->has_maximum = p->maximum != NULL;
    k->maximum = p->maximum ? *p->maximum : 0;
    k->has_minimum = p->minimum != NULL;
    k->minimum = p->minimum ? *p->minimum : 0;
    k->exclusive_maximum = p->exclusive_maximum;
    k->exclusive_minimum = p->exclusive_minimum;
    k->has_multiple_of = p->multiple_of != NULL;
    k->multiple_of = p->multiple_of ? *p->multiple_of : 0;
    k->max_length = bound(p->max_length);
    k->min_length = bound(p->min_length);
    k->max_items = bound(p->max_items);
    k->min_items = bound(p->min_items);
    k->max_properties = bound(p->max_properties);
    k->min_properties = bound(p->min_properties);
    k->unique_items = p->unique_items;
}

static int compile_enum(struct compiler *c, props *p, struct structural_checks *k)
{
    struct value *v;

    if (!p->enum_.len)
        return 0;
    v = ARENA_NEW_ARRAY(c->arena, struct value, p->enum_.len);
    for (uint32_t i = 0; i < p->enum_.len; i++) {
        int r = parse_literal(c, p->enum_.items[i], &v[i]);

        if (r < 0)
            return r;
    }
    k->enums = v;
    k->n_enums = p->enum_.len;
    return 0;
}

static int compile_junctors(struct compiler *c, props *p, int depth, struct structural_checks *k)
{
    int r = compile_many(c, p->all_of.items, p->all_of.len, depth, &k->all_of, &k->n_all_of);

    if (r >= 0)
        r = compile_many(c, p->any_of.items, p->any_of.len, depth, &k->any_of, &k->n_any_of);
    if (r >= 0)
        r = compile_many(c, p->one_of.items, p->one_of.len, depth, &k->one_of, &k->n_one_of);
    if (r >= 0)
        r = compile_one(c, p->not, depth, &k->none_of);
    return r;
}

static int compile_checks(struct compiler *c, props *p, int depth, struct structural *s)
{
    struct structural_checks *k;
    int r;

    if (!has_checks(p))
        return 0;
    k = ARENA_NEW(c->arena, struct structural_checks);
    copy_numbers(k, p);
    k->format = structural_format_known(s->type, p->format);
    if (p->required.len)
        k->required = copy_strs(c->arena, p->required.items, p->required.len);
    k->n_required = p->required.len;
    k->pattern = str_dup(c->arena, p->pattern);
    r = p->pattern.len ? structural_pattern_compile(c->arena, p->pattern, &k->pattern_code, c->err)
                       : 0;
    if (r >= 0)
        r = compile_enum(c, p, k);
    if (r >= 0)
        r = compile_junctors(c, p, depth, k);
    s->checks = k;
    return r;
}

/* --- the structure --- */

static unsigned flags_of(props *p)
{
    unsigned f = 0;

    if (p->nullable)
        f |= STRUCTURAL_NULLABLE;
    if (p->x_kubernetes_preserve_unknown_fields && *p->x_kubernetes_preserve_unknown_fields)
        f |= STRUCTURAL_PRESERVES;
    if (p->x_kubernetes_embedded_resource)
        f |= STRUCTURAL_EMBEDDED | STRUCTURAL_HAS_EMBEDDED;
    if (p->x_kubernetes_int_or_string)
        f |= STRUCTURAL_INT_OR_STRING;
    if (p->additional_properties.type == SCHEMA_OR_BOOL && p->additional_properties.allows)
        f |= STRUCTURAL_ANY_MEMBERS;
    if (str_eq(p->x_kubernetes_list_type, STR("set")))
        f |= STRUCTURAL_LIST_SET;
    if (str_eq(p->x_kubernetes_list_type, STR("map")))
        f |= STRUCTURAL_LIST_MAP;
    if (str_eq(p->x_kubernetes_list_type, STR("atomic")) ||
        str_eq(p->x_kubernetes_map_type, STR("atomic")))
        f |= STRUCTURAL_ATOMIC;
    if (p->x_kubernetes_validations.len)
        f |= STRUCTURAL_HAS_EXPRESSIONS;
    return f;
}

static void fill_slots(struct arena *a, struct structural *s)
{
    uint32_t *slots;
    size_t at;

    if (s->n_properties < SLOTS_FROM)
        return;
    for (s->n_slots = SLOTS_FROM; s->n_slots < s->n_properties * 2;)
        s->n_slots *= 2;
    slots = ARENA_NEW_ARRAY(a, uint32_t, s->n_slots);
    for (size_t i = 0; i < s->n_properties; i++) {
        for (at = hash_str(s->properties[i].name) & (s->n_slots - 1); slots[at];)
            at = (at + 1) & (s->n_slots - 1);
        slots[at] = (uint32_t)i + 1;
    }
    s->slots = slots;
}

static int compile_properties(struct compiler *c, props *p, int depth, struct structural *s)
{
    if (!p->properties.len)
        return 0;
    s->properties = ARENA_NEW_ARRAY(c->arena, struct structural_property, p->properties.len);
    s->n_properties = p->properties.len;
    for (uint32_t i = 0; i < p->properties.len; i++) {
        int r = compile_one(c, &p->properties.items[i].value, depth, &s->properties[i].schema);

        if (r < 0)
            return r;
        s->properties[i].name = str_dup(c->arena, p->properties.items[i].key);
        s->flags |= s->properties[i].schema->flags & FLAGS_OF_BELOW;
    }
    fill_slots(c->arena, s);
    return 0;
}

static int compile_default(struct compiler *c, props *p, struct structural *s)
{
    struct value *v;
    int r;

    if (!p->default_.p)
        return 0;
    v = ARENA_NEW(c->arena, struct value);
    r = parse_literal(c, p->default_, v);
    if (r < 0)
        return err_wrap(c->err, "default");
    s->default_value = v;
    s->flags |= STRUCTURAL_HAS_DEFAULTS;
    return 0;
}

static int compile(struct compiler *c, props *p, int depth, struct structural *s)
{
    int r;

    if (depth > STRUCTURAL_MAX_DEPTH)
        return err_set(c->err, ERR_TOO_DEEP, "schema is nested more than %d levels deep",
                       STRUCTURAL_MAX_DEPTH);
    if (++c->nodes > STRUCTURAL_MAX_NODES || arena_is_over(c->arena))
        return err_set(c->err, ERR_TOO_LARGE, "schema is too large");
    s->type = structural_type_of(p->type);
    s->flags = flags_of(p);
    s->n_list_keys = p->x_kubernetes_list_map_keys.len;
    if (s->n_list_keys) {
        s->list_keys = copy_strs(c->arena, p->x_kubernetes_list_map_keys.items, s->n_list_keys);
        s->sorted_keys = sorted_keys(c->arena, s->list_keys, s->n_list_keys);
    }
    r = compile_properties(c, p, depth, s);
    if (r >= 0 && p->additional_properties.type == SCHEMA_OR_ONE)
        r = compile_one(c, p->additional_properties.schema, depth, &s->additional);
    if (r >= 0 && p->items.type == SCHEMA_OR_ONE)
        r = compile_one(c, p->items.schema, depth, &s->items);
    if (r >= 0)
        r = compile_default(c, p, s);
    if (r >= 0)
        r = compile_checks(c, p, depth, s);
    if (r >= 0 && s->additional)
        s->flags |= s->additional->flags & FLAGS_OF_BELOW;
    if (r >= 0 && s->items)
        s->flags |= s->items->flags & FLAGS_OF_BELOW;
    return r;
}

/* --- bounds --- */

struct measure {
    size_t nodes;
    struct err *err;
};

static int measure(struct measure *m, props *p, int depth);

static int measure_many(struct measure *m, props *items, size_t n, int depth)
{
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++)
        r = measure(m, &items[i], depth + 1);
    return r;
}

static int measure_members(struct measure *m,
                           const struct apiextensions_v1_json_schema_props_entry *items, size_t n,
                           int depth)
{
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++)
        r = measure(m, &items[i].value, depth + 1);
    return r;
}

static int measure(struct measure *m, props *p, int depth)
{
    int r = 0;

    if (!p)
        return 0;
    if (depth > STRUCTURAL_MAX_DEPTH)
        return err_set(m->err, ERR_TOO_DEEP, "schema is nested more than %d levels deep",
                       STRUCTURAL_MAX_DEPTH);
    if (++m->nodes > STRUCTURAL_MAX_NODES)
        return err_set(m->err, ERR_TOO_LARGE, "schema is too large");
    r = measure_members(m, (const void *)p->properties.items, p->properties.len, depth);
    if (r >= 0)
        r = measure_members(m, (const void *)p->definitions.items, p->definitions.len, depth);
    if (r >= 0)
        r = measure_many(m, p->all_of.items, p->all_of.len, depth);
    if (r >= 0)
        r = measure_many(m, p->any_of.items, p->any_of.len, depth);
    if (r >= 0)
        r = measure_many(m, p->one_of.items, p->one_of.len, depth);
    if (r >= 0)
        r = measure(m, p->not, depth + 1);
    if (r >= 0 && p->additional_properties.type == SCHEMA_OR_ONE)
        r = measure(m, p->additional_properties.schema, depth + 1);
    if (r >= 0 && p->items.type == SCHEMA_OR_ONE)
        r = measure(m, p->items.schema, depth + 1);
    return r;
}

int structural_measure(props *p, struct err *err)
{
    struct measure m = { .err = err };

    return measure(&m, p, 0);
}

int structural_compile(struct arena *a, props *p, const struct structural **ret, struct err *err)
{
    struct compiler c = { .arena = a, .err = err };
    struct structural *s = ARENA_NEW(a, struct structural);
    int r = 0;

    if (p)
        r = compile(&c, p, 0, s);
    else
        s->flags = STRUCTURAL_PRESERVES;
    if (r >= 0)
        *ret = s;
    return r;
}

/* --- members --- */

static const struct structural *by_slot(const struct structural *s, struct str name)
{
    size_t at = hash_str(name) & (s->n_slots - 1);

    for (; s->slots[at]; at = (at + 1) & (s->n_slots - 1)) {
        const struct structural_property *p = &s->properties[s->slots[at] - 1];

        if (str_eq(p->name, name))
            return p->schema;
    }
    return NULL;
}

/* Names come sorted: maps are. */
const struct structural *structural_property(const struct structural *s, struct str name)
{
    size_t low = 0, high = s->n_properties;

    if (s->slots)
        return by_slot(s, name);
    while (low < high) {
        size_t at = (low + high) / 2;
        int c = str_cmp(s->properties[at].name, name);

        if (c == 0)
            return s->properties[at].schema;
        if (c < 0)
            low = at + 1;
        else
            high = at;
    }
    return NULL;
}

const struct structural *structural_member(const struct structural *s, struct str name)
{
    const struct structural *m = structural_property(s, name);

    return m ? m : s->additional;
}
