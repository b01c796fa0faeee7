/* What can be done with any object: make, copy, compare, reach its metadata. All by the schema's
 * rows; recursion is as deep as the object, which its decoder bounded. */
#include "api/object.h"

#include "api/meta_v1.h"
#include "api/schema.h"
#include "base/arena.h"

struct object object_new(struct arena *a, const struct schema *s, const struct schema_type *t)
{
    return (struct object){ .schema = s, .type = t, .data = arena_zalloc(a, t->size, t->align) };
}

static bool is_text(uint8_t kind)
{
    switch ((enum schema_kind)kind) {
    case SCHEMA_KIND_STRING:
    case SCHEMA_KIND_BYTES:
    case SCHEMA_KIND_QUANTITY:
    case SCHEMA_KIND_RAW:
    case SCHEMA_KIND_FIELDS_V1:
    case SCHEMA_KIND_ANY_JSON:
        return true;
    default:
        return false;
    }
}

static bool is_schema_or(uint8_t kind)
{
    return kind >= SCHEMA_KIND_SCHEMA_OR_BOOL;
}

/* Behind a pointer in C: see schema.h. */
static bool is_pointer(const struct schema_field *f)
{
    return f->shape == SCHEMA_POINTER &&
           (f->kind <= SCHEMA_KIND_DOUBLE || f->kind == SCHEMA_KIND_DURATION ||
            f->kind == SCHEMA_KIND_STRUCT);
}

/* --- copying: structs are copied as they lie first, then what they point to is replaced --- */

static void copy_struct(struct arena *a, const struct schema *s, const struct schema_type *t,
                        char *base);

static void copy_text(struct arena *a, struct str *s)
{
    if (s->p)
        *s = str_dup(a, *s);
}

static void copy_strings(struct arena *a, struct schema_strings *l)
{
    if (!l->items)
        return;
    l->items = arena_dup(a, l->items, l->len * sizeof(*l->items));
    for (uint32_t i = 0; i < l->len; i++)
        copy_text(a, &l->items[i]);
}

static void copy_value(struct arena *a, const struct schema *s, const struct schema_field *f,
                       void *v);

static void copy_schema_or(struct arena *a, const struct schema *s, const struct schema_field *f,
                           struct schema_or *v)
{
    const struct schema_type *t = &s->types[f->type];

    if (v->schema) {
        v->schema = arena_dup(a, v->schema, t->size);
        copy_struct(a, s, t, (char *)v->schema);
    }
    if (v->schemas.items) {
        v->schemas.items = arena_dup(a, v->schemas.items, v->schemas.len * (size_t)t->size);
        for (uint32_t i = 0; i < v->schemas.len; i++)
            copy_struct(a, s, t, (char *)v->schemas.items + i * t->size);
    }
    copy_strings(a, &v->names);
}

/* What the value at v points to becomes the copy's own. */
static void copy_value(struct arena *a, const struct schema *s, const struct schema_field *f,
                       void *v)
{
    if (is_text(f->kind))
        copy_text(a, v);
    else if (f->kind == SCHEMA_KIND_STRUCT)
        copy_struct(a, s, &s->types[f->type], v);
    else if (f->kind == SCHEMA_KIND_INT_OR_STRING)
        copy_text(a, &((struct int_or_string *)v)->s);
    else if (f->kind == SCHEMA_KIND_STRING_LIST)
        copy_strings(a, v);
    else if (is_schema_or(f->kind))
        copy_schema_or(a, s, f, v);
}

static void copy_items(struct arena *a, const struct schema *s, const struct schema_field *f,
                       struct schema_list *l)
{
    size_t value_at = 0, size = schema_kind_size(s, f->kind, f->type);

    if (!l->items)
        return;
    if (f->shape == SCHEMA_MAP)
        size = schema_map_entry_size(s, f, &value_at);
    l->items = arena_dup(a, l->items, l->len * size);
    for (uint32_t i = 0; i < l->len; i++) {
        char *item = (char *)l->items + i * size;

        if (f->shape == SCHEMA_MAP)
            copy_text(a, (struct str *)(void *)item);
        copy_value(a, s, f, item + value_at);
    }
}

static void copy_struct(struct arena *a, const struct schema *s, const struct schema_type *t,
                        char *base)
{
    for (uint32_t i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &s->fields[t->first_field + i];
        void *v = base + f->offset;

        if (f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP) {
            copy_items(a, s, f, v);
        } else if (!is_pointer(f)) {
            copy_value(a, s, f, v);
        } else if (*(void **)v) {
            *(void **)v = arena_dup(a, *(void **)v, schema_kind_size(s, f->kind, f->type));
            copy_value(a, s, f, *(void **)v);
        }
    }
}

struct object object_copy(struct arena *a, struct object o)
{
    o.data = arena_dup(a, o.data, o.type->size);
    copy_struct(a, o.schema, o.type, o.data);
    return o;
}

/* --- comparing --- */

static bool structs_equal(const struct schema *s, const struct schema_type *t, const char *a,
                          const char *b);

static bool strings_equal(const struct schema_strings *a, const struct schema_strings *b)
{
    if (a->len != b->len)
        return false;
    for (uint32_t i = 0; i < a->len; i++) {
        if (!str_eq(a->items[i], b->items[i]))
            return false;
    }
    return true;
}

static bool schema_ors_equal(const struct schema *s, const struct schema_type *t,
                             const struct schema_or *a, const struct schema_or *b)
{
    if (a->type != b->type || a->allows != b->allows || a->schemas.len != b->schemas.len ||
        !a->schema != !b->schema || !strings_equal(&a->names, &b->names))
        return false;
    if (a->schema && !structs_equal(s, t, (const char *)a->schema, (const char *)b->schema))
        return false;
    for (uint32_t i = 0; i < a->schemas.len; i++) {
        if (!structs_equal(s, t, (const char *)a->schemas.items + i * t->size,
                           (const char *)b->schemas.items + i * t->size))
            return false;
    }
    return true;
}

static bool times_equal(const struct ktime *a, const struct ktime *b)
{
    return a->set == b->set && (!a->set || (a->sec == b->sec && a->nsec == b->nsec));
}

static bool int_or_strings_equal(const struct int_or_string *a, const struct int_or_string *b)
{
    if (a->type != b->type)
        return false;
    return a->type == INT_OR_STRING_STRING ? str_eq(a->s, b->s) : a->i == b->i;
}

static bool values_equal(const struct schema *s, const struct schema_field *f, const void *a,
                         const void *b)
{
    if (is_text(f->kind)) {
        struct str x = *(const struct str *)a, y = *(const struct str *)b;

        return str_eq(x, y) && (f->shape != SCHEMA_POINTER || !x.p == !y.p);
    }
    if (f->kind == SCHEMA_KIND_STRUCT)
        return structs_equal(s, &s->types[f->type], a, b);
    if (f->kind == SCHEMA_KIND_TIME || f->kind == SCHEMA_KIND_MICRO_TIME)
        return times_equal(a, b);
    if (f->kind == SCHEMA_KIND_INT_OR_STRING)
        return int_or_strings_equal(a, b);
    if (f->kind == SCHEMA_KIND_STRING_LIST)
        return strings_equal(a, b);
    if (is_schema_or(f->kind))
        return schema_ors_equal(s, &s->types[f->type], a, b);
    return memcmp(a, b, schema_kind_size(s, f->kind, f->type)) == 0;
}

static bool items_equal(const struct schema *s, const struct schema_field *f,
                        const struct schema_list *a, const struct schema_list *b)
{
    size_t value_at = 0, size = schema_kind_size(s, f->kind, f->type);

    if (a->len != b->len)
        return false;
    if (f->shape == SCHEMA_MAP)
        size = schema_map_entry_size(s, f, &value_at);
    for (uint32_t i = 0; i < a->len; i++) {
        const char *x = (const char *)a->items + i * size, *y = (const char *)b->items + i * size;

        if (f->shape == SCHEMA_MAP &&
            !str_eq(*(const struct str *)(const void *)x, *(const struct str *)(const void *)y))
            return false;
        if (!values_equal(s, f, x + value_at, y + value_at))
            return false;
    }
    return true;
}

static bool fields_equal(const struct schema *s, const struct schema_field *f, const void *a,
                         const void *b)
{
    if (f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP)
        return items_equal(s, f, a, b);
    if (!is_pointer(f))
        return values_equal(s, f, a, b);
    a = *(void *const *)a;
    b = *(void *const *)b;
    return a && b ? values_equal(s, f, a, b) : a == b;
}

static bool structs_equal(const struct schema *s, const struct schema_type *t, const char *a,
                          const char *b)
{
    for (uint32_t i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &s->fields[t->first_field + i];

        if (!fields_equal(s, f, a + f->offset, b + f->offset))
            return false;
    }
    return true;
}

bool object_equal(struct object a, struct object b)
{
    return a.type == b.type && structs_equal(a.schema, a.type, a.data, b.data);
}

/* --- metadata --- */

static void *metadata(struct object o)
{
    uint32_t base;
    const struct schema_field *f = schema_find_member(o.schema, o.type, STR("metadata"), &base);

    return f ? (char *)o.data + base + f->offset : NULL;
}

struct meta_v1_object_meta *object_meta(struct object o)
{
    return o.type->flags & SCHEMA_TYPE_OBJECT ? metadata(o) : NULL;
}

struct meta_v1_list_meta *object_list_meta(struct object o)
{
    return o.type->flags & SCHEMA_TYPE_LIST ? metadata(o) : NULL;
}

/* TypeMeta is the first field of a SCHEMA_TYPE_TOP, inline. */
static struct meta_v1_type_meta *type_meta(struct object o)
{
    const struct schema_field *f = &o.schema->fields[o.type->first_field];

    return (struct meta_v1_type_meta *)(void *)((char *)o.data + f->offset);
}

void object_set_gvk(struct object o, struct str api_version, struct str kind)
{
    if (!(o.type->flags & SCHEMA_TYPE_TOP))
        return;
    type_meta(o)->api_version = api_version;
    type_meta(o)->kind = kind;
}

struct str object_kind(struct object o)
{
    return o.type->flags & SCHEMA_TYPE_TOP ? type_meta(o)->kind : STR_NULL;
}

struct str object_api_version(struct object o)
{
    return o.type->flags & SCHEMA_TYPE_TOP ? type_meta(o)->api_version : STR_NULL;
}
