/* Encoding of protobuf: rows in order of their numbers; what stands in place is always written,
 * what can be unset only when it is set. */
#include "api/object_pb.h"
#include "api/schema.h"
#include "base/buf.h"
#include "codec/pb_wire.h"

static void encode_struct(struct buf *b, const struct schema *s, const struct schema_type *t,
                          const char *base);

static void encode_time(struct buf *b, uint32_t number, const struct ktime *t)
{
    size_t begin = pb_begin(b, number);

    if (t->set) {
        pb_put_uint(b, 1, (uint64_t)t->sec);
        pb_put_uint(b, 2, (uint64_t)t->nsec);
    }
    pb_end(b, begin);
}

static void encode_int_or_string(struct buf *b, uint32_t number, const struct int_or_string *v)
{
    size_t begin = pb_begin(b, number);

    pb_put_uint(b, 1, v->type == INT_OR_STRING_STRING);
    pb_put_uint(b, 2, (uint64_t)(int64_t)v->i);
    pb_put_bytes(b, 3, v->s);
    pb_end(b, begin);
}

/* Messages that hold one text: in a quantity it is always written, in raw forms when there is one.
 */
static void encode_wrapped(struct buf *b, uint32_t number, struct str s, bool always)
{
    size_t begin = pb_begin(b, number);

    if (always || s.p)
        pb_put_bytes(b, 1, s);
    pb_end(b, begin);
}

static void encode_strings(struct buf *b, uint32_t number, const struct schema_strings *l)
{
    size_t begin = pb_begin(b, number);

    for (uint32_t i = 0; i < l->len; i++)
        pb_put_bytes(b, 1, l->items[i]);
    pb_end(b, begin);
}

static void encode_nested(struct buf *b, const struct schema *s, const struct schema_type *t,
                          uint32_t number, const void *v)
{
    size_t begin = pb_begin(b, number);

    encode_struct(b, s, t, v);
    pb_end(b, begin);
}

static void encode_schema_or(struct buf *b, const struct schema *s, const struct schema_field *f,
                             uint32_t number, const struct schema_or *v)
{
    const struct schema_type *t = &s->types[f->type];
    bool is_bool = f->kind == SCHEMA_KIND_SCHEMA_OR_BOOL;
    size_t begin = pb_begin(b, number);

    if (is_bool)
        pb_put_uint(b, 1, v->allows);
    if (v->schema)
        encode_nested(b, s, t, is_bool ? 2 : 1, v->schema);
    for (uint32_t i = 0; i < v->schemas.len; i++)
        encode_nested(b, s, t, 2, (const char *)v->schemas.items + i * t->size);
    for (uint32_t i = 0; i < v->names.len; i++)
        pb_put_bytes(b, 2, v->names.items[i]);
    pb_end(b, begin);
}

static void encode_value(struct buf *b, const struct schema *s, const struct schema_field *f,
                         uint32_t number, const void *v)
{
    uint64_t bits;

    switch ((enum schema_kind)f->kind) {
    case SCHEMA_KIND_BOOL:
        pb_put_uint(b, number, *(const bool *)v);
        break;
    case SCHEMA_KIND_INT32:
        pb_put_uint(b, number, (uint64_t)(int64_t) * (const int32_t *)v);
        break;
    case SCHEMA_KIND_UINT32:
        pb_put_uint(b, number, *(const uint32_t *)v);
        break;
    case SCHEMA_KIND_INT64:
    case SCHEMA_KIND_UINT64:
        pb_put_uint(b, number, *(const uint64_t *)v);
        break;
    case SCHEMA_KIND_DOUBLE:
        memcpy(&bits, v, sizeof(bits));
        pb_put_fixed64(b, number, bits);
        break;
    case SCHEMA_KIND_STRING:
    case SCHEMA_KIND_BYTES:
        pb_put_bytes(b, number, *(const struct str *)v);
        break;
    case SCHEMA_KIND_QUANTITY: {
        struct str q = *(const struct str *)v;

        encode_wrapped(b, number, q.len ? q : STR("0"), true);
        break;
    }
    case SCHEMA_KIND_RAW:
    case SCHEMA_KIND_FIELDS_V1:
    case SCHEMA_KIND_ANY_JSON:
        encode_wrapped(b, number, *(const struct str *)v, false);
        break;
    case SCHEMA_KIND_TIME:
    case SCHEMA_KIND_MICRO_TIME:
        encode_time(b, number, v);
        break;
    case SCHEMA_KIND_DURATION: {
        size_t begin = pb_begin(b, number);

        pb_put_uint(b, 1, *(const uint64_t *)v);
        pb_end(b, begin);
        break;
    }
    case SCHEMA_KIND_INT_OR_STRING:
        encode_int_or_string(b, number, v);
        break;
    case SCHEMA_KIND_STRING_LIST:
        encode_strings(b, number, v);
        break;
    case SCHEMA_KIND_STRUCT:
        encode_nested(b, s, &s->types[f->type], number, v);
        break;
    case SCHEMA_KIND_SCHEMA_OR_BOOL:
    case SCHEMA_KIND_SCHEMA_OR_ARRAY:
    case SCHEMA_KIND_SCHEMA_OR_STRINGS:
        encode_schema_or(b, s, f, number, v);
        break;
    case SCHEMA_KIND_MAX:
        break;
    }
}

static void encode_map(struct buf *b, const struct schema *s, const struct schema_field *f,
                       const struct schema_list *l)
{
    size_t value_at, size = schema_map_entry_size(s, f, &value_at);

    for (uint32_t i = 0; i < l->len; i++) {
        const char *entry = (const char *)l->items + i * size;
        size_t begin = pb_begin(b, f->proto_number);

        pb_put_bytes(b, 1, *(const struct str *)(const void *)entry);
        encode_value(b, s, f, 2, entry + value_at);
        pb_end(b, begin);
    }
}

/* What may be unset in place: see schema.h. */
static bool is_unset(const struct schema_field *f, const void *v)
{
    switch ((enum schema_kind)f->kind) {
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
        return !*(void *const *)v; /* a pointer, or a text's */
    }
}

static void encode_field(struct buf *b, const struct schema *s, const struct schema_field *f,
                         const char *v)
{
    const struct schema_list *l = (const struct schema_list *)(const void *)v;
    size_t size;

    switch ((enum schema_shape)f->shape) {
    case SCHEMA_MAP:
        encode_map(b, s, f, l);
        break;
    case SCHEMA_LIST:
        size = schema_kind_size(s, f->kind, f->type);
        for (uint32_t i = 0; i < l->len; i++)
            encode_value(b, s, f, f->proto_number, (const char *)l->items + i * size);
        break;
    case SCHEMA_POINTER:
        if (is_unset(f, v))
            break;
        if (f->kind <= SCHEMA_KIND_DOUBLE || f->kind == SCHEMA_KIND_DURATION ||
            f->kind == SCHEMA_KIND_STRUCT)
            v = *(const char *const *)(const void *)v;
        encode_value(b, s, f, f->proto_number, v);
        break;
    case SCHEMA_ONE:
        if (f->kind == SCHEMA_KIND_BYTES && is_unset(f, v))
            break;
        encode_value(b, s, f, f->proto_number, v);
        break;
    case SCHEMA_INLINE:
        encode_value(b, s, f, f->proto_number, v);
        break;
    }
}

static void encode_struct(struct buf *b, const struct schema *s, const struct schema_type *t,
                          const char *base)
{
    const uint16_t *order = s->proto_order + t->first_field;

    for (uint32_t i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &s->fields[order[i]];

        if (!f->proto_number)
            break; /* those without a number come last */
        encode_field(b, s, f, base + f->offset);
    }
}

void object_pb_encode(struct buf *b, struct object o)
{
    encode_struct(b, o.schema, o.type, o.data);
}

void object_pb_encode_enveloped(struct buf *b, struct object o, struct str api_version,
                                struct str kind)
{
    size_t begin;

    buf_append(b, "k8s\0", 4);
    begin = pb_begin(b, 1);
    pb_put_bytes(b, 1, api_version);
    pb_put_bytes(b, 2, kind);
    pb_end(b, begin);
    begin = pb_begin(b, 2);
    object_pb_encode(b, o);
    pb_end(b, begin);
    pb_put_bytes(b, 3, STR(""));
    pb_put_bytes(b, 4, STR(""));
}

void object_pb_encode_watch_event(struct buf *b, struct str type, struct str enveloped)
{
    size_t at = b->len, begin, len;

    buf_append(b, "\0\0\0\0", 4);
    pb_put_bytes(b, 1, type);
    begin = pb_begin(b, 2);
    pb_put_bytes(b, 1, enveloped);
    pb_end(b, begin);
    len = b->len - at - 4;
    for (int i = 0; i < 4; i++)
        b->p[at + (size_t)i] = (char)(len >> (24 - 8 * i));
}
