/* Decoding of protobuf, led by the rows in order of their numbers. */
#include "api/object_pb.h"

#include "api/object_map.h"
#include "api/quantity.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/json_reader.h"
#include "codec/pb_wire.h"

enum { MAX_DEPTH = 128 };

struct decoder {
    struct pb_reader r; /* of the innermost message */
    struct arena *arena;
    const struct schema *s;
};

static int decode_struct(struct decoder *d, const struct schema_type *t, char *base, int depth);

/* Enters a nested message: the reader stands in it until leave(). */
static int enter(struct decoder *d, struct pb_reader *ret_outer)
{
    struct str body;
    int x = pb_bytes(&d->r, &body);

    if (x < 0)
        return x;
    *ret_outer = d->r;
    d->r.p = (const unsigned char *)body.p;
    d->r.end = d->r.p + body.len;
    return 0;
}

static void leave(struct decoder *d, const struct pb_reader *outer)
{
    d->r = *outer;
}

static int text(struct decoder *d, struct str *ret)
{
    int x = pb_bytes(&d->r, ret);

    if (x < 0)
        return x;
    if (!json_utf8_valid(ret->p, ret->len))
        return pb_error(&d->r, "invalid UTF-8 in string");
    return 0;
}

/* --- small messages of fixed form: up to three numbered parts --- */

struct part {
    bool is_bytes;
    uint64_t number;
    struct str bytes;
};

/* parts[i] gets field i + 1; what is not there stays zero. */
static int small_message(struct decoder *d, struct part *parts, uint32_t n)
{
    struct pb_reader outer;
    uint32_t number, wire;
    int x = enter(d, &outer);

    while (x >= 0 && !pb_at_end(&d->r)) {
        x = pb_tag(&d->r, &number, &wire);
        if (x < 0)
            break;
        if (number > n)
            x = pb_skip(&d->r, wire);
        else if (wire == PB_BYTES)
            x = pb_bytes(&d->r, &parts[number - 1].bytes);
        else if (wire == PB_VARINT)
            x = pb_varint(&d->r, &parts[number - 1].number);
        else
            x = pb_error(&d->r, "wrong wireType");
    }
    if (x < 0)
        return x;
    leave(d, &outer);
    return 0;
}

static int decode_time(struct decoder *d, const struct schema_field *f, struct ktime *to)
{
    struct part parts[2] = { 0 };
    struct pb_reader before = d->r;
    struct str body;
    int x = pb_bytes(&before, &body);

    if (x >= 0)
        x = small_message(d, parts, 2);
    if (x < 0)
        return x;
    if (!body.len)
        return 0;
    to->sec = (int64_t)parts[0].number;
    to->nsec = f->kind == SCHEMA_KIND_TIME ? 0 : (int32_t)parts[1].number;
    to->set = true;
    /* what JSON can show: years 0 to 9999 */
    if (to->sec < -62167219200 || to->sec > 253402300799 || to->nsec < 0 || to->nsec > 999999999)
        return pb_error(&d->r, "time out of range");
    return 0;
}

static int decode_quantity(struct decoder *d, struct str *to)
{
    struct part part = { 0 };
    int x = small_message(d, &part, 1);

    if (x < 0)
        return x;
    if (!quantity_canonical(d->arena, part.bytes.len ? part.bytes : STR("0"), to))
        return err_set(d->r.err, ERR_INVALID, "%s", QUANTITY_FORMAT_ERROR);
    return 0;
}

static int decode_int_or_string(struct decoder *d, struct int_or_string *to)
{
    struct part parts[3] = { 0 };
    int x = small_message(d, parts, 3);

    if (x < 0)
        return x;
    to->type = parts[0].number == 1 ? INT_OR_STRING_STRING : INT_OR_STRING_INT;
    to->i = (int32_t)parts[1].number;
    to->s = parts[2].bytes;
    if (!json_utf8_valid(to->s.p, to->s.len))
        return pb_error(&d->r, "invalid UTF-8 in string");
    return 0;
}

/* RawExtension, FieldsV1, JSON: the text must be JSON, because it goes out as it is. */
static int decode_raw(struct decoder *d, struct str *to)
{
    struct part part = { 0 };
    struct json_reader json;
    int x = small_message(d, &part, 1);

    if (x < 0 || !part.bytes.len)
        return x;
    json_reader_init(&json, d->arena, part.bytes, d->r.err);
    x = json_skip(&json, NULL);
    if (x >= 0)
        x = json_end(&json);
    if (x < 0)
        return x;
    *to = part.bytes;
    return 0;
}

/* --- growing lists: room for a power of two --- */

static void *append(struct decoder *d, struct schema_list *l, size_t size)
{
    if ((l->len & (l->len - 1)) == 0) {
        size_t cap = l->len ? (size_t)l->len * 2 : 1;
        char *grown = arena_alloc(d->arena, cap * size, _Alignof(max_align_t));

        if (l->len)
            memcpy(grown, l->items, l->len * size);
        l->items = grown;
    }
    return memset((char *)l->items + l->len++ * size, 0, size);
}

static int decode_strings(struct decoder *d, struct schema_strings *to)
{
    struct pb_reader outer;
    uint32_t number, wire;
    int x = enter(d, &outer);

    to->items = arena_alloc(d->arena, 0, 8);
    while (x >= 0 && !pb_at_end(&d->r)) {
        x = pb_tag(&d->r, &number, &wire);
        if (x < 0)
            break;
        if (number == 1 && wire == PB_BYTES)
            x = text(d, append(d, (struct schema_list *)(void *)to, sizeof(struct str)));
        else
            x = pb_skip(&d->r, wire);
        if (arena_is_over(d->arena))
            return err_set(d->r.err, ERR_TOO_LARGE, "object is too large");
    }
    if (x < 0)
        return x;
    leave(d, &outer);
    return 0;
}

static int decode_nested(struct decoder *d, const struct schema_type *t, void *to, int depth)
{
    struct pb_reader outer;
    int x = enter(d, &outer);

    if (x >= 0)
        x = decode_struct(d, t, to, depth + 1);
    if (x < 0)
        return x;
    leave(d, &outer);
    return 0;
}

/* --- the apiextensions unions --- */

static int decode_schema_or_part(struct decoder *d, const struct schema_field *f,
                                 struct schema_or *v, uint32_t number, int depth)
{
    const struct schema_type *t = &d->s->types[f->type];
    bool is_bool = f->kind == SCHEMA_KIND_SCHEMA_OR_BOOL;

    if (number == (is_bool ? 2 : 1)) {
        v->type = SCHEMA_OR_ONE;
        v->schema = arena_zalloc(d->arena, t->size, t->align);
        return decode_nested(d, t, v->schema, depth);
    }
    if (f->kind == SCHEMA_KIND_SCHEMA_OR_ARRAY) {
        v->type = SCHEMA_OR_MANY;
        return decode_nested(d, t, append(d, &v->schemas, t->size), depth);
    }
    v->type = SCHEMA_OR_NAMES;
    return text(d, append(d, (struct schema_list *)(void *)&v->names, sizeof(struct str)));
}

static int decode_schema_or(struct decoder *d, const struct schema_field *f, struct schema_or *v,
                            int depth)
{
    struct pb_reader outer;
    uint32_t number, wire;
    uint64_t allows = 0;
    int x = enter(d, &outer);

    if (f->kind == SCHEMA_KIND_SCHEMA_OR_BOOL)
        v->type = SCHEMA_OR_BOOL;
    while (x >= 0 && !pb_at_end(&d->r)) {
        x = pb_tag(&d->r, &number, &wire);
        if (x < 0)
            break;
        if (number == 1 && wire == PB_VARINT)
            x = pb_varint(&d->r, &allows);
        else if (number <= 2 && wire == PB_BYTES)
            x = decode_schema_or_part(d, f, v, number, depth);
        else
            x = pb_skip(&d->r, wire);
    }
    if (x < 0)
        return x;
    v->allows = allows != 0;
    leave(d, &outer);
    return 0;
}

/* --- values --- */

static int wire_type_of(uint8_t kind)
{
    if (kind == SCHEMA_KIND_DOUBLE)
        return PB_FIXED64;
    return kind <= SCHEMA_KIND_UINT64 ? PB_VARINT : PB_BYTES;
}

static int decode_number(struct decoder *d, uint8_t kind, void *to)
{
    uint64_t v;
    int x = kind == SCHEMA_KIND_DOUBLE ? pb_fixed64(&d->r, &v) : pb_varint(&d->r, &v);

    if (x < 0)
        return x;
    if (kind == SCHEMA_KIND_BOOL)
        *(bool *)to = v != 0;
    else if (kind == SCHEMA_KIND_INT32 || kind == SCHEMA_KIND_UINT32)
        *(uint32_t *)to = (uint32_t)v;
    else
        memcpy(to, &v, 8);
    if (kind == SCHEMA_KIND_DOUBLE && *(double *)to - *(double *)to != 0)
        return pb_error(&d->r, "number out of range");
    return 0;
}

static int decode_value(struct decoder *d, const struct schema_field *f, void *to, int depth)
{
    struct part part = { 0 };
    int x;

    switch ((enum schema_kind)f->kind) {
    case SCHEMA_KIND_BOOL:
    case SCHEMA_KIND_INT32:
    case SCHEMA_KIND_INT64:
    case SCHEMA_KIND_UINT32:
    case SCHEMA_KIND_UINT64:
    case SCHEMA_KIND_DOUBLE:
        return decode_number(d, f->kind, to);
    case SCHEMA_KIND_STRING:
        return text(d, to);
    case SCHEMA_KIND_BYTES:
        return pb_bytes(&d->r, to);
    case SCHEMA_KIND_QUANTITY:
        return decode_quantity(d, to);
    case SCHEMA_KIND_TIME:
    case SCHEMA_KIND_MICRO_TIME:
        return decode_time(d, f, to);
    case SCHEMA_KIND_DURATION:
        x = small_message(d, &part, 1);
        *(int64_t *)to = (int64_t)part.number;
        return x;
    case SCHEMA_KIND_INT_OR_STRING:
        return decode_int_or_string(d, to);
    case SCHEMA_KIND_RAW:
    case SCHEMA_KIND_FIELDS_V1:
    case SCHEMA_KIND_ANY_JSON:
        return decode_raw(d, to);
    case SCHEMA_KIND_STRING_LIST:
        return decode_strings(d, to);
    case SCHEMA_KIND_STRUCT:
        return decode_nested(d, &d->s->types[f->type], to, depth);
    case SCHEMA_KIND_SCHEMA_OR_BOOL:
    case SCHEMA_KIND_SCHEMA_OR_ARRAY:
    case SCHEMA_KIND_SCHEMA_OR_STRINGS:
        return decode_schema_or(d, f, to, depth);
    case SCHEMA_KIND_MAX:
        break;
    }
    return err_set(d->r.err, ERR_UNSUPPORTED, "field of unknown kind %d", f->kind);
}

static int decode_map_entry(struct decoder *d, const struct schema_field *f, struct schema_list *l,
                            int depth)
{
    size_t value_at, size = schema_map_entry_size(d->s, f, &value_at);
    char *entry = append(d, l, size);
    struct pb_reader outer;
    uint32_t number, wire;
    int x = enter(d, &outer);

    *(struct str *)(void *)entry = STR("");
    while (x >= 0 && !pb_at_end(&d->r)) {
        x = pb_tag(&d->r, &number, &wire);
        if (x < 0)
            break;
        if (number == 1 && wire == PB_BYTES)
            x = text(d, (struct str *)(void *)entry);
        else if (number == 2 && (int)wire == wire_type_of(f->kind))
            x = decode_value(d, f, entry + value_at, depth);
        else
            x = pb_skip(&d->r, wire);
    }
    if (x < 0)
        return x;
    leave(d, &outer);
    return 0;
}

static int decode_member(struct decoder *d, const struct schema_field *f, char *to, int depth)
{
    struct schema_list *l = (struct schema_list *)(void *)to;

    if (f->shape == SCHEMA_MAP)
        return decode_map_entry(d, f, l, depth);
    if (f->shape == SCHEMA_LIST)
        return decode_value(d, f, append(d, l, schema_kind_size(d->s, f->kind, f->type)), depth);
    if (f->shape == SCHEMA_POINTER &&
        (f->kind <= SCHEMA_KIND_DOUBLE || f->kind == SCHEMA_KIND_DURATION ||
         f->kind == SCHEMA_KIND_STRUCT)) {
        void *p = *(void **)(void *)to;

        if (!p)
            p = arena_zalloc(d->arena, schema_kind_size(d->s, f->kind, f->type),
                             schema_kind_align(d->s, f->kind, f->type));
        *(void **)(void *)to = p;
        to = p;
    }
    return decode_value(d, f, to, depth);
}

/* The row with this number, NULL when there is none. *guess is the place in the order to try first.
 */
static const struct schema_field *find_row(const struct decoder *d, const struct schema_type *t,
                                           uint32_t number, uint32_t *guess)
{
    const uint16_t *order = d->s->proto_order + t->first_field;

    for (uint32_t i = 0; i < t->n_fields; i++) {
        uint32_t at = (*guess + i) % t->n_fields;

        if (d->s->fields[order[at]].proto_number == number) {
            *guess = at;
            return &d->s->fields[order[at]];
        }
    }
    return NULL;
}

static void sort_maps(struct decoder *d, const struct schema_type *t, char *base)
{
    for (uint32_t i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &d->s->fields[t->first_field + i];
        struct schema_list *l = (struct schema_list *)(void *)(base + f->offset);
        size_t value_at;

        if (f->shape == SCHEMA_MAP && l->len > 1)
            l->len = object_map_sort(d->arena, l->items, l->len,
                                     schema_map_entry_size(d->s, f, &value_at), NULL, NULL);
    }
}

static int decode_struct(struct decoder *d, const struct schema_type *t, char *base, int depth)
{
    uint32_t guess = 0, number, wire;
    int x;

    if (depth > MAX_DEPTH)
        return err_set(d->r.err, ERR_TOO_DEEP, "exceeded max depth of %d", MAX_DEPTH);
    while (!pb_at_end(&d->r)) {
        const struct schema_field *f;

        if (arena_is_over(d->arena))
            return err_set(d->r.err, ERR_TOO_LARGE, "object is too large");
        x = pb_tag(&d->r, &number, &wire);
        if (x < 0)
            return x;
        f = t->n_fields ? find_row(d, t, number, &guess) : NULL;
        if (!f)
            x = pb_skip(&d->r, wire);
        else if ((int)wire != (f->shape == SCHEMA_MAP ? (int)PB_BYTES : wire_type_of(f->kind)))
            x = pb_error(&d->r, "wrong wireType");
        else
            x = decode_member(d, f, base + f->offset, depth);
        if (x < 0)
            return x;
    }
    sort_maps(d, t, base);
    return 0;
}

int object_pb_decode(struct arena *a, const struct schema *s, const struct schema_type *t,
                     struct str pb, struct object *ret, struct err *err)
{
    struct decoder d = { .arena = a, .s = s };
    char *data = arena_zalloc(a, t->size, t->align);
    int x;

    pb_reader_init(&d.r, pb, err);
    x = decode_struct(&d, t, data, 1);
    if (x < 0)
        return x;
    *ret = (struct object){ .schema = s, .type = t, .data = data };
    return 0;
}

/* --- the envelope --- */

#define MAGIC STR("k8s\0")

bool object_pb_has_magic(struct str bytes)
{
    return str_has_prefix(bytes, MAGIC);
}

static int open_type_meta(struct pb_reader *outer, struct object_pb_envelope *e)
{
    struct pb_reader r;
    uint32_t number, wire;
    struct str body;
    int x = pb_bytes(outer, &body);

    if (x < 0)
        return x;
    pb_reader_init(&r, body, outer->err);
    while (!pb_at_end(&r)) {
        x = pb_tag(&r, &number, &wire);
        if (x < 0)
            return x;
        if (wire == PB_BYTES && number <= 2)
            x = pb_bytes(&r, number == 1 ? &e->api_version : &e->kind);
        else
            x = pb_skip(&r, wire);
        if (x < 0)
            return x;
    }
    return 0;
}

int object_pb_open(struct str bytes, struct object_pb_envelope *ret, struct err *err)
{
    struct object_pb_envelope e = { 0 };
    struct pb_reader r;
    uint32_t number, wire;
    int x;

    if (!object_pb_has_magic(bytes))
        return err_set(err, ERR_SYNTAX,
                       "provided data does not appear to be a protobuf message, expected prefix "
                       "[107 56 115 0]");
    if (bytes.len == 4)
        return err_set(err, ERR_SYNTAX, "empty body");
    pb_reader_init(&r, str_tail(bytes, 4), err);
    while (!pb_at_end(&r)) {
        struct str *const texts[] = { NULL, &e.raw, &e.content_encoding, &e.content_type };

        x = pb_tag(&r, &number, &wire);
        if (x < 0)
            return x;
        if (wire != PB_BYTES || number > ARRAY_LEN(texts))
            x = pb_skip(&r, wire);
        else
            x = number == 1 ? open_type_meta(&r, &e) : pb_bytes(&r, texts[number - 1]);
        if (x < 0)
            return x;
    }
    *ret = e;
    return 0;
}
