/* Single fields of built-in types: equal or not, and as JSON in error texts. */
#include "api/internal_print.h"
#include "api/object.h"
#include "api/object_json.h"
#include "api/rules.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/value.h"

static bool is_text(uint8_t kind)
{
    return kind == SCHEMA_KIND_STRING || kind == SCHEMA_KIND_BYTES ||
           kind == SCHEMA_KIND_QUANTITY || kind == SCHEMA_KIND_RAW ||
           kind == SCHEMA_KIND_FIELDS_V1 || kind == SCHEMA_KIND_ANY_JSON;
}

/* Kinds whose POINTER fields lie as values. */
static bool is_own_unset(uint8_t kind)
{
    return is_text(kind) || kind == SCHEMA_KIND_TIME || kind == SCHEMA_KIND_MICRO_TIME ||
           kind == SCHEMA_KIND_INT_OR_STRING;
}

static bool element_equal(const struct schema_field *f, void *a, void *b)
{
    const struct schema *s = &schema_builtin;

    if (f->kind == SCHEMA_KIND_STRUCT) {
        struct object x = { .schema = s, .type = &s->types[f->type], .data = a }, y = x;

        y.data = b;
        return object_equal(x, y);
    }
    if (is_text(f->kind))
        return str_eq(*(struct str *)a, *(struct str *)b);
    if (f->kind == SCHEMA_KIND_TIME || f->kind == SCHEMA_KIND_MICRO_TIME) {
        const struct ktime *x = a, *y = b;

        return x->set == y->set && (!x->set || (x->sec == y->sec && x->nsec == y->nsec));
    }
    if (f->kind == SCHEMA_KIND_INT_OR_STRING) {
        const struct int_or_string *x = a, *y = b;

        return x->type == y->type &&
               (x->type == INT_OR_STRING_STRING ? str_eq(x->s, y->s)
                                                : x->type == INT_OR_STRING_UNSET || x->i == y->i);
    }
    return memcmp(a, b, schema_kind_size(s, f->kind, f->type)) == 0;
}

static struct schema_walk_items items_of(const struct schema_field *f, const void *at)
{
    void *p = (void *)(uintptr_t)at; /* read only */

    if (f->shape == SCHEMA_POINTER && is_own_unset(f->kind))
        return (struct schema_walk_items){ .first = p, .len = 1 };
    return schema_walk_items(&schema_builtin, f, p);
}

bool rule_fields_equal(const struct schema_field *f, const void *a, const void *b)
{
    struct schema_walk_items x = items_of(f, a), y = items_of(f, b);

    if (x.len != y.len)
        return false;
    for (uint32_t i = 0; i < x.len; i++) {
        char *p = x.first + i * x.stride, *q = y.first + i * y.stride;

        if (f->shape == SCHEMA_MAP && !str_eq(*(struct str *)(void *)(p - x.value_offset),
                                              *(struct str *)(void *)(q - y.value_offset)))
            return false;
        if (!element_equal(f, p, q))
            return false;
    }
    return true;
}

bool rule_members_equal(const char *type, const char *member, const void *a, const void *b)
{
    const struct schema_type *t = schema_walk_type(&schema_builtin, type);
    const struct schema_field *f = NULL;
    uint32_t base = 0;

    if (t)
        f = schema_find_member(&schema_builtin, t, str_from_cstr(member), &base);
    return f && rule_fields_equal(f, (const char *)a + base + f->offset,
                                  (const char *)b + base + f->offset);
}

bool rule_structs_equal(const char *type, const void *a, const void *b)
{
    struct object x = { .schema = &schema_builtin,
                        .type = schema_walk_type(&schema_builtin, type),
                        .data = (void *)(uintptr_t)a }; /* read only, as y's */
    struct object y = x;

    y.data = (void *)(uintptr_t)b;
    return x.type && object_equal(x, y);
}

static void print_text(struct buf *b, struct str s)
{
    struct value v = value_string(s.p ? s : STR(""));

    value_print(b, &v);
}

static void print_element(struct buf *b, const struct schema_field *f, void *at)
{
    const struct int_or_string *i = at;

    if (f->kind == SCHEMA_KIND_STRUCT) {
        struct object o = { .schema = &schema_builtin,
                            .type = &schema_builtin.types[f->type],
                            .data = at };

        object_json_encode(b, o, NULL);
    } else if (f->kind == SCHEMA_KIND_INT_OR_STRING && i->type == INT_OR_STRING_INT) {
        buf_append_i64(b, i->i);
    } else if (f->kind == SCHEMA_KIND_INT_OR_STRING) {
        print_text(b, i->s);
    } else if (f->kind == SCHEMA_KIND_RAW || f->kind == SCHEMA_KIND_ANY_JSON) {
        buf_append_str(b, *(struct str *)at);
    } else if (is_text(f->kind)) {
        print_text(b, *(struct str *)at);
    } else if (f->kind == SCHEMA_KIND_INT32) {
        buf_append_i64(b, *(int32_t *)at);
    } else if (f->kind == SCHEMA_KIND_INT64) {
        buf_append_i64(b, *(int64_t *)at);
    } else if (f->kind == SCHEMA_KIND_BOOL) {
        buf_append_str(b, *(bool *)at ? STR("true") : STR("false"));
    } else {
        buf_append_lit(b, "null");
    }
}

struct str rule_print_value(struct arena *a, const struct schema_field *f, const void *at)
{
    struct schema_walk_items items = items_of(f, at);
    bool list = f->shape == SCHEMA_LIST, map = f->shape == SCHEMA_MAP;
    struct buf b;

    buf_init_arena(&b, a, 128);
    if (items.len == 0 && (!items.first || f->shape == SCHEMA_POINTER))
        return STR("null");
    if (list || map)
        buf_append_char(&b, list ? '[' : '{');
    for (uint32_t i = 0; i < items.len; i++) {
        char *p = items.first + i * items.stride;

        if (i)
            buf_append_char(&b, ',');
        if (map) {
            print_text(&b, *(struct str *)(void *)(p - items.value_offset));
            buf_append_char(&b, ':');
        }
        print_element(&b, f, p);
    }
    if (list || map)
        buf_append_char(&b, list ? ']' : '}');
    return buf_str(&b);
}

struct str rule_print_struct(struct arena *a, const char *type, const void *data)
{
    const struct schema_type *t = schema_walk_type(&schema_builtin, type);
    struct buf b;

    if (!t)
        return STR("null");
    buf_init_arena(&b, a, 128);
    object_json_encode(&b,
                       (struct object){ .schema = &schema_builtin,
                                        .type = t,
                                        .data = (void *)(uintptr_t)data }, /* read only */
                       NULL);
    return buf_str(&b);
}

struct str rule_print_texts(struct arena *a, const struct str *texts, size_t n)
{
    struct buf b;

    buf_init_arena(&b, a, 64);
    buf_append_char(&b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_append_char(&b, ',');
        print_text(&b, texts[i]);
    }
    buf_append_char(&b, ']');
    return buf_str(&b);
}

struct str rule_print_map(struct arena *a, const void *string_map)
{
    const struct schema_str_entry *e = text_map_items(string_map);
    struct buf b;

    if (!e)
        return STR("null");
    buf_init_arena(&b, a, 64);
    buf_append_char(&b, '{');
    for (uint32_t i = 0; i < text_map_len(string_map); i++) {
        if (i)
            buf_append_char(&b, ',');
        print_text(&b, e[i].key);
        buf_append_char(&b, ':');
        print_text(&b, e[i].value);
    }
    buf_append_char(&b, '}');
    return buf_str(&b);
}

struct str rule_print_time(struct arena *a, struct ktime t)
{
    time_t sec = (time_t)t.sec;
    struct tm tm;

    if (!t.set || !gmtime_r(&sec, &tm))
        return STR("null");
    return arena_printf(a, "\"%04d-%02d-%02dT%02d:%02d:%02dZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
                        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

struct str rule_print_internal(struct arena *a, const char *type, const void *data)
{
    const struct schema_type *t = schema_walk_type(&schema_builtin, type);

    return t ? internal_print(a, t, data) : STR("null");
}

struct str rule_print_member(struct arena *a, const char *type, const char *member,
                             const void *data)
{
    const struct schema_type *t = schema_walk_type(&schema_builtin, type);
    uint32_t base = 0;
    const struct schema_field *f =
        t ? schema_find_member(&schema_builtin, t, str_from_cstr(member), &base) : NULL;

    return f ? internal_print_field(a, f, (const char *)data + base + f->offset) : STR("null");
}

struct str rule_print_diff(struct arena *a, const char *type, const void *before, const void *after)
{
    return internal_print_diff(a, internal_print_indented(a, rule_print_internal(a, type, before)),
                               internal_print_indented(a, rule_print_internal(a, type, after)));
}
