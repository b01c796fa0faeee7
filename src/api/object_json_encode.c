/* Encoding: rows in declaration order, inline structs opened in place, with Go's rules of what is
 * left out. */
#include "api/object_json.h"
#include "api/schema.h"
#include "base/buf.h"
#include "base/macros.h"
#include "codec/base64.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"

struct encoder {
    struct buf *b;
    const struct schema *s;
    size_t *rv_at; /* still to be left; NULL afterwards */
};

static void encode_struct(struct encoder *e, const struct schema_type *t, const char *base);

static void encode_time(struct buf *b, const struct ktime *t, bool micro)
{
    if (!t->set) {
        buf_append_lit(b, "null");
        return;
    }
    buf_append_char(b, '"');
    if (micro)
        time_text_print_micro(b, t->sec, t->nsec);
    else
        time_text_print(b, t->sec);
    buf_append_char(b, '"');
}

static void encode_bytes(struct buf *b, struct str s)
{
    if (!s.p) {
        buf_append_lit(b, "null");
        return;
    }
    buf_append_char(b, '"');
    base64_encode(b, s);
    buf_append_char(b, '"');
}

static void encode_strings(struct buf *b, const struct schema_strings *l)
{
    if (!l->items) {
        buf_append_lit(b, "null");
        return;
    }
    buf_append_char(b, '[');
    for (uint32_t i = 0; i < l->len; i++) {
        if (i)
            buf_append_char(b, ',');
        json_write_string(b, l->items[i]);
    }
    buf_append_char(b, ']');
}

static void encode_schemas(struct encoder *e, const struct schema_type *t,
                           const struct schema_list *l)
{
    buf_append_char(e->b, '[');
    for (uint32_t i = 0; i < l->len; i++) {
        if (i)
            buf_append_char(e->b, ',');
        encode_struct(e, t, (const char *)l->items + i * t->size);
    }
    buf_append_char(e->b, ']');
}

static void encode_schema_or(struct encoder *e, const struct schema_field *f,
                             const struct schema_or *v)
{
    const struct schema_type *t = &e->s->types[f->type];

    switch (v->type) {
    case SCHEMA_OR_UNSET:
        buf_append_lit(e->b, "null");
        break;
    case SCHEMA_OR_BOOL:
        buf_append_str(e->b, v->allows ? STR("true") : STR("false"));
        break;
    case SCHEMA_OR_ONE:
        encode_struct(e, t, (const char *)v->schema);
        break;
    case SCHEMA_OR_MANY:
        encode_schemas(e, t, &v->schemas);
        break;
    case SCHEMA_OR_NAMES:
        encode_strings(e->b, &v->names);
        break;
    }
}

static void encode_value(struct encoder *e, const struct schema_field *f, const void *v)
{
    struct buf *b = e->b;

    switch ((enum schema_kind)f->kind) {
    case SCHEMA_KIND_BOOL:
        buf_append_str(b, *(const bool *)v ? STR("true") : STR("false"));
        break;
    case SCHEMA_KIND_INT32:
        buf_append_i64(b, *(const int32_t *)v);
        break;
    case SCHEMA_KIND_INT64:
        buf_append_i64(b, *(const int64_t *)v);
        break;
    case SCHEMA_KIND_UINT32:
        buf_append_u64(b, *(const uint32_t *)v);
        break;
    case SCHEMA_KIND_UINT64:
        buf_append_u64(b, *(const uint64_t *)v);
        break;
    case SCHEMA_KIND_DOUBLE:
        json_write_double(b, *(const double *)v);
        break;
    case SCHEMA_KIND_STRING:
        json_write_string(b, *(const struct str *)v);
        break;
    case SCHEMA_KIND_BYTES:
        encode_bytes(b, *(const struct str *)v);
        break;
    case SCHEMA_KIND_QUANTITY: {
        struct str q = *(const struct str *)v;

        json_write_string(b, q.len ? q : STR("0"));
        break;
    }
    case SCHEMA_KIND_TIME:
    case SCHEMA_KIND_MICRO_TIME:
        encode_time(b, v, f->kind == SCHEMA_KIND_MICRO_TIME);
        break;
    case SCHEMA_KIND_DURATION:
        buf_append_char(b, '"');
        time_text_print_duration(b, *(const int64_t *)v);
        buf_append_char(b, '"');
        break;
    case SCHEMA_KIND_INT_OR_STRING: {
        const struct int_or_string *x = v;

        if (x->type == INT_OR_STRING_STRING)
            json_write_string(b, x->s);
        else
            buf_append_i64(b, x->i);
        break;
    }
    case SCHEMA_KIND_RAW:
    case SCHEMA_KIND_FIELDS_V1:
    case SCHEMA_KIND_ANY_JSON: {
        struct str raw = *(const struct str *)v;

        buf_append_str(b, raw.len ? raw : STR("null"));
        break;
    }
    case SCHEMA_KIND_STRING_LIST:
        encode_strings(b, v);
        break;
    case SCHEMA_KIND_STRUCT:
        encode_struct(e, &e->s->types[f->type], v);
        break;
    case SCHEMA_KIND_SCHEMA_OR_BOOL:
    case SCHEMA_KIND_SCHEMA_OR_ARRAY:
    case SCHEMA_KIND_SCHEMA_OR_STRINGS:
        encode_schema_or(e, f, v);
        break;
    case SCHEMA_KIND_MAX:
        break;
    }
}

static void encode_list(struct encoder *e, const struct schema_field *f,
                        const struct schema_list *l)
{
    size_t size = schema_kind_size(e->s, f->kind, f->type);

    if (!l->items) {
        buf_append_lit(e->b, "null");
        return;
    }
    buf_append_char(e->b, '[');
    for (uint32_t i = 0; i < l->len; i++) {
        if (i)
            buf_append_char(e->b, ',');
        encode_value(e, f, (const char *)l->items + i * size);
    }
    buf_append_char(e->b, ']');
}

static void encode_map(struct encoder *e, const struct schema_field *f, const struct schema_list *l)
{
    size_t value_at, size = schema_map_entry_size(e->s, f, &value_at);

    if (!l->items) {
        buf_append_lit(e->b, "null");
        return;
    }
    buf_append_char(e->b, '{');
    for (uint32_t i = 0; i < l->len; i++) {
        const char *entry = (const char *)l->items + i * size;

        if (i)
            buf_append_char(e->b, ',');
        json_write_string(e->b, *(const struct str *)(const void *)entry);
        buf_append_char(e->b, ':');
        encode_value(e, f, entry + value_at);
    }
    buf_append_char(e->b, '}');
}

/* Go's isEmptyValue of what stands in place: structs, times and the like never are. */
static bool is_empty(const struct schema_field *f, const void *v)
{
    switch ((enum schema_kind)f->kind) {
    case SCHEMA_KIND_BOOL:
        return !*(const bool *)v;
    case SCHEMA_KIND_INT32:
    case SCHEMA_KIND_UINT32:
        return !*(const uint32_t *)v;
    case SCHEMA_KIND_INT64:
    case SCHEMA_KIND_UINT64:
        return !*(const uint64_t *)v;
    case SCHEMA_KIND_DOUBLE:
        return *(const double *)v == 0;
    case SCHEMA_KIND_STRING:
    case SCHEMA_KIND_BYTES:
        return !((const struct str *)v)->len;
    default:
        return false;
    }
}

/* Kinds that are unset in place where Go has a nil pointer. */
static bool is_unset(const struct schema_field *f, const void *v)
{
    switch ((enum schema_kind)f->kind) {
    case SCHEMA_KIND_STRING:
    case SCHEMA_KIND_BYTES:
    case SCHEMA_KIND_QUANTITY:
    case SCHEMA_KIND_RAW:
    case SCHEMA_KIND_FIELDS_V1:
    case SCHEMA_KIND_ANY_JSON:
        return !((const struct str *)v)->p;
    case SCHEMA_KIND_TIME:
    case SCHEMA_KIND_MICRO_TIME:
        return !((const struct ktime *)v)->set;
    case SCHEMA_KIND_INT_OR_STRING:
        return ((const struct int_or_string *)v)->type == INT_OR_STRING_UNSET;
    case SCHEMA_KIND_SCHEMA_OR_BOOL:
    case SCHEMA_KIND_SCHEMA_OR_ARRAY:
    case SCHEMA_KIND_SCHEMA_OR_STRINGS:
        return ((const struct schema_or *)v)->type == SCHEMA_OR_UNSET;
    default:
        return !*(void *const *)v; /* a pointer */
    }
}

static bool is_left_out(const struct schema_field *f, const void *v)
{
    if (f->flags & SCHEMA_JSON_HIDDEN)
        return true;
    if ((f->flags & SCHEMA_OMIT_ZERO) && f->kind != SCHEMA_KIND_STRUCT)
        return is_unset(f, v);
    if (!(f->flags & SCHEMA_OMIT_EMPTY))
        return false;
    if (f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP)
        return !((const struct schema_list *)v)->len;
    return f->shape == SCHEMA_POINTER ? is_unset(f, v) : is_empty(f, v);
}

static void encode_member(struct encoder *e, const struct schema_field *f, const void *v)
{
    if (f->shape == SCHEMA_LIST) {
        encode_list(e, f, v);
    } else if (f->shape == SCHEMA_MAP) {
        encode_map(e, f, v);
    } else if (f->shape != SCHEMA_POINTER) {
        encode_value(e, f, v);
    } else if (is_unset(f, v)) {
        buf_append_lit(e->b, "null");
    } else if (f->kind <= SCHEMA_KIND_DOUBLE || f->kind == SCHEMA_KIND_DURATION ||
               f->kind == SCHEMA_KIND_STRUCT) {
        encode_value(e, f, *(void *const *)v);
    } else {
        encode_value(e, f, v);
    }
}

static void encode_name(struct encoder *e, const struct schema_field *f, bool *first)
{
    char *p = buf_reserve(e->b, f->name_len + 4U);
    size_t n = 0;

    if (!*first)
        p[n++] = ',';
    *first = false;
    p[n++] = '"';
    memcpy(p + n, e->s->pool + f->name, f->name_len);
    n += f->name_len;
    p[n++] = '"';
    p[n++] = ':';
    e->b->len += n;
}

/* metadata.resourceVersion of the stored form: always there, and its place is told. */
static bool encode_resource_version(struct encoder *e, const struct schema_field *f, const char *v,
                                    bool *first)
{
    if (!e->rv_at || !str_eq(schema_field_name(e->s, f), STR("resourceVersion")))
        return false;
    encode_name(e, f, first);
    buf_append_char(e->b, '"');
    *e->rv_at = e->b->len;
    e->rv_at = NULL;
    buf_append_str(e->b, *(const struct str *)(const void *)v);
    buf_append_char(e->b, '"');
    return true;
}

/* Members that no field names: beside the others. */
static void encode_others(struct encoder *e, const struct schema_list *l, bool *first)
{
    const struct schema_str_entry *items = l->items;

    for (uint32_t i = 0; i < l->len; i++) {
        if (!*first)
            buf_append_char(e->b, ',');
        *first = false;
        json_write_string(e->b, items[i].key);
        buf_append_char(e->b, ':');
        buf_append_str(e->b, items[i].value);
    }
}

static void encode_rows(struct encoder *e, const struct schema_type *t, const char *base,
                        bool *first)
{
    for (uint32_t i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &e->s->fields[t->first_field + i];
        const char *v = base + f->offset;

        if (f->shape == SCHEMA_INLINE) {
            encode_rows(e, &e->s->types[f->type], v, first); /* as deep as kapic allows */
            continue;
        }
        if (e->rv_at && encode_resource_version(e, f, v, first))
            continue;
        if (is_left_out(f, v))
            continue;
        if (f->flags & SCHEMA_OTHERS) {
            encode_others(e, (const struct schema_list *)(const void *)v, first);
            continue;
        }
        encode_name(e, f, first);
        encode_member(e, f, v);
    }
}

static void encode_struct(struct encoder *e, const struct schema_type *t, const char *base)
{
    bool first = true;

    buf_append_char(e->b, '{');
    encode_rows(e, t, base, &first);
    buf_append_char(e->b, '}');
}

void object_json_encode(struct buf *b, struct object o, const struct object_json_options *opts)
{
    struct encoder e = { .b = b, .s = o.schema };
    bool first = true;

    if (opts)
        e.rv_at = opts->ret_resource_version_at;
    buf_append_char(b, '{');
    for (uint32_t i = 0; i < o.type->n_fields; i++) {
        const struct schema_field *f = &o.schema->fields[o.type->first_field + i];
        const char *v = (const char *)o.data + f->offset;

        if (f->shape == SCHEMA_INLINE) {
            bool is_gvk = i == 0 && (o.type->flags & SCHEMA_TYPE_TOP);

            if (!is_gvk || !opts || !opts->without_gvk)
                encode_rows(&e, &o.schema->types[f->type], v, &first);
        } else if (f->flags & SCHEMA_OTHERS) {
            encode_others(&e, (const struct schema_list *)(const void *)v, &first);
        } else if (!is_left_out(f, v)) {
            encode_name(&e, f, &first);
            encode_member(&e, f, v);
        }
    }
    buf_append_char(b, '}');
}

void object_json_indent(struct buf *b, struct str s)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i], next = i + 1 < s.len ? s.p[i + 1] : '\0';

        if (in_string) {
            buf_append_char(b, c);
            if (c == '\\' && next) {
                buf_append_char(b, next);
                i++;
            }
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        if ((c == '{' && next == '}') || (c == '[' && next == ']')) {
            buf_append_char(b, c);
            buf_append_char(b, next);
            i++;
        } else if (c == '{' || c == '[' || c == ',' || c == '}' || c == ']') {
            bool closes = c == '}' || c == ']';

            depth += c == ',' ? 0 : closes ? -1 : 1;
            if (!closes)
                buf_append_char(b, c);
            buf_append_char(b, '\n');
            for (int k = 0; k < depth; k++)
                buf_append_lit(b, "  ");
            if (closes)
                buf_append_char(b, c);
        } else {
            buf_append_char(b, c);
            if (c == ':')
                buf_append_char(b, ' ');
        }
    }
}
