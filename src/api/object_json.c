/* Decoding: one recursive descent over the text, led by the schema's rows. The member that follows
 * the last one in declaration order is tried before the name is looked up, because writers keep
 * that order. */
#include "api/object_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/object_map.h"
#include "api/quantity.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/base64.h"
#include "codec/json_reader.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"

enum {
    SEEN_WORDS = 4
}; /* 256 members; the widest type has fewer (checked by kapic's tables test) */

/* Where the decoder stands, for messages: a chain on the stack. */
struct frame {
    const struct frame *up;
    struct str name;                /* member or map key; unset for a list item */
    uint32_t index;                 /* list item */
    const struct schema_type *type; /* that declares the member; NULL for items and keys */
};

struct decoder {
    struct json_reader r;
    const struct schema *s;
    struct object_json_strict *strict; /* NULL: lax */
    const struct frame *at;
};

static int decode_struct(struct decoder *d, const struct schema_type *t, char *base, int depth);

/* --- messages --- */

/* Without indexes: struct members only, as Go names a field: no list items, no map keys. */
static void print_path(struct buf *b, const struct frame *f, bool indexes)
{
    if (!f)
        return;
    print_path(b, f->up, indexes);
    if (!indexes && !f->type)
        return;
    if (!f->name.p) {
        if (indexes)
            buf_printf(b, "[%u]", f->index);
        return;
    }
    if (b->len)
        buf_append_char(b, '.');
    buf_append_str(b, f->name);
}

static void report(struct decoder *d, const char *what, struct str key)
{
    struct object_json_strict *list = d->strict;
    struct buf b;

    if (!list || list->len == OBJECT_JSON_MAX_STRICT)
        return;
    if (!list->items)
        list->items = ARENA_NEW_ARRAY(d->r.arena, struct str, OBJECT_JSON_MAX_STRICT);
    buf_init_arena(&b, d->r.arena, 64);
    print_path(&b, d->at, true);
    if (b.len)
        buf_append_char(&b, '.');
    buf_append_str(&b, key);
    list->items[list->len++] =
        arena_printf(d->r.arena, "%s field \"%.*s\"", what, STR_ARG(buf_str(&b)));
}

static const char *const go_types[SCHEMA_KIND_MAX] = {
    [SCHEMA_KIND_BOOL] = "bool",
    [SCHEMA_KIND_INT32] = "int32",
    [SCHEMA_KIND_INT64] = "int64",
    [SCHEMA_KIND_UINT32] = "uint32",
    [SCHEMA_KIND_UINT64] = "uint64",
    [SCHEMA_KIND_DOUBLE] = "float64",
    [SCHEMA_KIND_STRING] = "string",
    [SCHEMA_KIND_BYTES] = "[]uint8",
    [SCHEMA_KIND_QUANTITY] = "resource.Quantity",
    [SCHEMA_KIND_TIME] = "string",
    [SCHEMA_KIND_MICRO_TIME] = "string",
    [SCHEMA_KIND_DURATION] = "string",
    [SCHEMA_KIND_INT_OR_STRING] = "int32",
    [SCHEMA_KIND_RAW] = "runtime.RawExtension",
    [SCHEMA_KIND_FIELDS_V1] = "v1.FieldsV1",
    [SCHEMA_KIND_ANY_JSON] = "v1.JSON",
    [SCHEMA_KIND_STRING_LIST] = "[]string",
    [SCHEMA_KIND_SCHEMA_OR_BOOL] = "v1.JSONSchemaPropsOrBool",
    [SCHEMA_KIND_SCHEMA_OR_ARRAY] = "v1.JSONSchemaPropsOrArray",
    [SCHEMA_KIND_SCHEMA_OR_STRINGS] = "v1.JSONSchemaPropsOrStringArray",
};

/* The innermost frame that is a member, for "Go struct field TYPE.path". */
static const struct schema_type *declaring_type(const struct frame *f)
{
    while (f && !f->type)
        f = f->up;
    return f ? f->type : NULL;
}

static int mismatch(struct decoder *d, const char *json_kind, const char *go_type)
{
    const struct schema_type *t = declaring_type(d->at);
    struct buf path;

    buf_init_arena(&path, d->r.arena, 64);
    print_path(&path, d->at, false);
    if (!t)
        return err_set(d->r.err, ERR_INVALID, "json: cannot unmarshal %s into Go value of type %s",
                       json_kind, go_type);
    return err_set(d->r.err, ERR_INVALID,
                   "json: cannot unmarshal %s into Go struct field %s.%.*s of type %s", json_kind,
                   schema_cstr(d->s, t->name), STR_ARG(buf_str(&path)), go_type);
}

static int kind_mismatch(struct decoder *d, const struct schema_field *f, const char *prefix)
{
    char text[160];
    const char *name = f->kind == SCHEMA_KIND_STRUCT ? schema_cstr(d->s, d->s->types[f->type].name)
                                                     : go_types[f->kind];
    const char *version =
        f->kind == SCHEMA_KIND_STRUCT ? schema_cstr(d->s, d->s->types[f->type].version) : "";

    (void)snprintf(text, sizeof(text), "%s%s%s%s", prefix, version, *version ? "." : "", name);
    return mismatch(d, json_kind_name(json_peek(&d->r)), text);
}

static int too_large(struct decoder *d)
{
    return err_set(d->r.err, ERR_TOO_LARGE, "object is too large");
}

/* --- values of one kind: *to is where the value lies --- */

/* A string of JSON, or a mismatch. */
static int take_string(struct decoder *d, const struct schema_field *f, struct str *ret)
{
    if (json_peek(&d->r) != '"')
        return kind_mismatch(d, f, "");
    return json_string(&d->r, ret);
}

static int decode_bool(struct decoder *d, const struct schema_field *f, void *to)
{
    char c = json_peek(&d->r);

    if (c != 't' && c != 'f')
        return kind_mismatch(d, f, "");
    *(bool *)to = c == 't';
    return json_literal(&d->r, c == 't' ? STR("true") : STR("false"));
}

static int number_mismatch(struct decoder *d, const struct schema_field *f, struct str text)
{
    char kind[80];

    (void)snprintf(kind, sizeof(kind), "number %.*s", (int)MIN(text.len, 60), text.p);
    return mismatch(d, kind, go_types[f->kind]);
}

static bool store_integer(uint8_t kind, int64_t v, void *to)
{
    switch (kind) {
    case SCHEMA_KIND_INT32:
        *(int32_t *)to = (int32_t)v;
        return v >= INT32_MIN && v <= INT32_MAX;
    case SCHEMA_KIND_UINT32:
        *(uint32_t *)to = (uint32_t)v;
        return v >= 0 && v <= UINT32_MAX;
    case SCHEMA_KIND_UINT64:
        *(uint64_t *)to = (uint64_t)v;
        return v >= 0;
    default:
        *(int64_t *)to = v;
        return true;
    }
}

static int decode_integer(struct decoder *d, const struct schema_field *f, void *to)
{
    char c = json_peek(&d->r);
    struct str text;
    bool integer;
    int64_t v;
    int x;

    if (c != '-' && (c < '0' || c > '9'))
        return kind_mismatch(d, f, "");
    x = json_number(&d->r, &text, &integer);
    if (x < 0)
        return x;
    if (!integer || !str_to_i64(text, &v) || !store_integer(f->kind, v, to))
        return number_mismatch(d, f, text);
    return 0;
}

static int decode_double(struct decoder *d, const struct schema_field *f, void *to)
{
    char c = json_peek(&d->r), copy[64];
    struct str text;
    bool integer;
    int x;

    if (c != '-' && (c < '0' || c > '9'))
        return kind_mismatch(d, f, "");
    x = json_number(&d->r, &text, &integer);
    if (x < 0)
        return x;
    if (text.len >= sizeof(copy))
        return number_mismatch(d, f, text);
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    *(double *)to = strtod(copy, NULL);
    if (*(double *)to - *(double *)to != 0) /* infinite */
        return number_mismatch(d, f, text);
    return 0;
}

static int decode_text(struct decoder *d, const struct schema_field *f, void *to)
{
    return take_string(d, f, to);
}

static int decode_bytes(struct decoder *d, const struct schema_field *f, void *to)
{
    struct str text;
    size_t bad;
    int x = take_string(d, f, &text);

    if (x < 0)
        return x;
    if (!base64_decode(d->r.arena, text, to, &bad))
        return err_set(d->r.err, ERR_INVALID, "illegal base64 data at input byte %zu", bad);
    return 0;
}

static int decode_quantity(struct decoder *d, const struct schema_field *f, void *to)
{
    char c = json_peek(&d->r);
    struct str text;
    bool integer;
    int x;

    if (c == '"')
        x = json_string(&d->r, &text);
    else if (c == '-' || (c >= '0' && c <= '9'))
        x = json_number(&d->r, &text, &integer);
    else
        return kind_mismatch(d, f, "");
    if (x < 0)
        return x;
    if (!quantity_canonical(d->r.arena, text, to))
        return err_set(d->r.err, ERR_INVALID, "%s", QUANTITY_FORMAT_ERROR);
    return 0;
}

/* Where Go's layout stops first. */
static bool begins_with_year(struct str text)
{
    for (size_t i = 0; i < 4; i++)
        if (i >= text.len || text.p[i] < '0' || text.p[i] > '9')
            return false;
    return true;
}

/* A time has six digits of fraction, no more and no fewer. */
static int check_micro(struct decoder *d, struct str text)
{
    enum { SECONDS = 19, FRACTION = 7 };
    struct str rest = str_tail(text, SECONDS);
    const char *wanted = NULL;
    bool digits = rest.len >= FRACTION && rest.p[0] == '.';

    for (size_t i = 1; digits && i < FRACTION; i++)
        digits = rest.p[i] >= '0' && rest.p[i] <= '9';
    if (!digits)
        wanted = ".000000";
    else if (rest.len > FRACTION && rest.p[FRACTION] >= '0' && rest.p[FRACTION] <= '9')
        wanted = "Z07:00";
    if (!wanted)
        return 0;
    if (digits)
        rest = str_tail(rest, FRACTION);
    return err_set(d->r.err, ERR_INVALID,
                   "parsing time \"%.*s\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse "
                   "\"%.*s\" as \"%s\"",
                   (int)MIN(text.len, 100), text.p, STR_ARG(rest), wanted);
}

static int decode_time(struct decoder *d, const struct schema_field *f, void *to)
{
    struct ktime t = { .set = true };
    struct str text;
    int x = take_string(d, f, &text);

    if (x < 0)
        return x;
    if (!time_text_parse(text, &t.sec, &t.nsec))
        return err_set(
            d->r.err, ERR_INVALID,
            "parsing time \"%.*s\" as \"2006-01-02T15:04:05%sZ07:00\": cannot parse \"%.*s\"%s",
            (int)MIN(text.len, 100), text.p, f->kind == SCHEMA_KIND_MICRO_TIME ? ".000000" : "",
            (int)MIN(text.len, 100), text.p, begins_with_year(text) ? "" : " as \"2006\"");
    if (f->kind == SCHEMA_KIND_MICRO_TIME && check_micro(d, text) < 0)
        return ERR_INVALID;
    t.nsec = f->kind == SCHEMA_KIND_TIME ? 0 : t.nsec / 1000 * 1000;
    *(struct ktime *)to = t;
    return 0;
}

static int decode_duration(struct decoder *d, const struct schema_field *f, void *to)
{
    struct str text;
    int x = take_string(d, f, &text);

    if (x < 0)
        return x;
    if (!time_text_parse_duration(text, to))
        return err_set(d->r.err, ERR_INVALID, "time: invalid duration \"%.*s\"",
                       (int)MIN(text.len, 100), text.p);
    return 0;
}

static int decode_int_or_string(struct decoder *d, const struct schema_field *f, void *to)
{
    struct int_or_string *v = to;

    if (json_peek(&d->r) == '"') {
        v->type = INT_OR_STRING_STRING;
        return json_string(&d->r, &v->s);
    }
    v->type = INT_OR_STRING_INT;
    return decode_integer(d, &(struct schema_field){ .kind = SCHEMA_KIND_INT32, .name = f->name },
                          &v->i);
}

static bool has_space(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == ' ' || s.p[i] == '\n' || s.p[i] == '\t' || s.p[i] == '\r')
            return true;
    }
    return false;
}

static int decode_raw(struct decoder *d, const struct schema_field *f, void *to)
{
    struct str text;
    struct buf b;
    int x;

    if (f->kind != SCHEMA_KIND_ANY_JSON && json_peek(&d->r) != '{')
        return kind_mismatch(d, f, "");
    x = json_skip(&d->r, &text);
    if (x < 0)
        return x;
    if (has_space(text)) {
        buf_init_arena(&b, d->r.arena, text.len);
        json_write_compact(&b, text);
        text = buf_str(&b);
    }
    *(struct str *)to = text;
    return 0;
}

static int decode_value(struct decoder *d, const struct schema_field *f, void *to, int depth);

/* The elements behind '[', of the field's kind; *at tells which of them is read. */
static int gather_items(struct decoder *d, const struct schema_field *f, struct frame *at,
                        struct schema_list *ret, int depth)
{
    size_t size = schema_kind_size(d->s, f->kind, f->type);
    size_t align = schema_kind_align(d->s, f->kind, f->type);
    uint32_t len = 0, cap = 0;
    char *items = NULL;
    int x;

    for (bool first = true; (x = json_array_next(&d->r, first)) > 0; first = false) {
        if (len == cap) {
            uint32_t more = cap ? cap * 2 : 2;
            char *grown = arena_alloc(d->r.arena, more * size, align);

            if (arena_is_over(d->r.arena))
                return too_large(d);
            if (len)
                memcpy(grown, items, len * size);
            items = grown;
            cap = more;
        }
        at->index = len;
        memset(items + len * size, 0, size);
        if (json_peek(&d->r) == 'n')
            x = json_literal(&d->r, STR("null"));
        else
            x = decode_value(d, f, items + len * size, depth);
        if (x < 0)
            return x;
        len++;
    }
    ret->items = items ? items : arena_alloc(d->r.arena, 0, align);
    ret->len = len;
    return x;
}

static int decode_items(struct decoder *d, const struct schema_field *f, struct schema_list *to,
                        int depth)
{
    struct frame frame = { .up = d->at };
    int x;

    if (json_peek(&d->r) != '[')
        return kind_mismatch(d, f, "[]");
    d->r.p++;
    d->at = &frame;
    x = gather_items(d, f, &frame, to, depth);
    d->at = frame.up;
    return x;
}

static int decode_string_list(struct decoder *d, const struct schema_field *f, void *to, int depth)
{
    struct schema_field item = { .kind = SCHEMA_KIND_STRING };

    (void)f;
    return decode_items(d, &item, to, depth);
}

static int decode_schema_struct(struct decoder *d, const struct schema_field *f,
                                struct schema_or *v, int depth)
{
    const struct schema_type *t = &d->s->types[f->type];

    v->type = SCHEMA_OR_ONE;
    v->allows = f->kind == SCHEMA_KIND_SCHEMA_OR_BOOL;
    v->schema = arena_zalloc(d->r.arena, t->size, t->align);
    return decode_struct(d, t, (char *)v->schema, depth + 1);
}

/* JSONSchemaPropsOr*: what it is shows in the first byte. */
static int decode_schema_or(struct decoder *d, const struct schema_field *f, void *to, int depth)
{
    struct schema_field item = { .kind = SCHEMA_KIND_STRUCT, .type = f->type };
    struct schema_or *v = to;
    char c = json_peek(&d->r);

    if (c == '{')
        return decode_schema_struct(d, f, v, depth);
    if (f->kind == SCHEMA_KIND_SCHEMA_OR_BOOL) {
        v->type = SCHEMA_OR_BOOL;
        return decode_bool(d, f, &v->allows);
    }
    if (f->kind == SCHEMA_KIND_SCHEMA_OR_STRINGS) {
        v->type = SCHEMA_OR_NAMES;
        return decode_string_list(d, f, &v->names, depth);
    }
    v->type = SCHEMA_OR_MANY;
    return decode_items(d, &item, &v->schemas, depth);
}

static int decode_value(struct decoder *d, const struct schema_field *f, void *to, int depth)
{
    switch ((enum schema_kind)f->kind) {
    case SCHEMA_KIND_BOOL:
        return decode_bool(d, f, to);
    case SCHEMA_KIND_INT32:
    case SCHEMA_KIND_INT64:
    case SCHEMA_KIND_UINT32:
    case SCHEMA_KIND_UINT64:
        return decode_integer(d, f, to);
    case SCHEMA_KIND_DOUBLE:
        return decode_double(d, f, to);
    case SCHEMA_KIND_STRING:
        return decode_text(d, f, to);
    case SCHEMA_KIND_BYTES:
        return decode_bytes(d, f, to);
    case SCHEMA_KIND_QUANTITY:
        return decode_quantity(d, f, to);
    case SCHEMA_KIND_TIME:
    case SCHEMA_KIND_MICRO_TIME:
        return decode_time(d, f, to);
    case SCHEMA_KIND_DURATION:
        return decode_duration(d, f, to);
    case SCHEMA_KIND_INT_OR_STRING:
        return decode_int_or_string(d, f, to);
    case SCHEMA_KIND_RAW:
    case SCHEMA_KIND_FIELDS_V1:
    case SCHEMA_KIND_ANY_JSON:
        return decode_raw(d, f, to);
    case SCHEMA_KIND_STRING_LIST:
        return decode_string_list(d, f, to, depth);
    case SCHEMA_KIND_STRUCT:
        if (json_peek(&d->r) != '{')
            return kind_mismatch(d, f, "");
        return decode_struct(d, &d->s->types[f->type], to, depth + 1);
    case SCHEMA_KIND_SCHEMA_OR_BOOL:
    case SCHEMA_KIND_SCHEMA_OR_ARRAY:
    case SCHEMA_KIND_SCHEMA_OR_STRINGS:
        return decode_schema_or(d, f, to, depth);
    case SCHEMA_KIND_MAX:
        break;
    }
    return err_set(d->r.err, ERR_UNSUPPORTED, "field of unknown kind %d", f->kind);
}

/* --- maps: gathered in order of appearance, then sorted; the last of equal keys stays --- */

static void report_duplicate(void *arg, struct str key)
{
    report(arg, "duplicate", key);
}

static int decode_map(struct decoder *d, const struct schema_field *f, struct schema_list *to,
                      int depth)
{
    size_t value_at, size = schema_map_entry_size(d->s, f, &value_at);
    struct frame frame = { .up = d->at };
    uint32_t len = 0, cap = 0;
    char *items = NULL;
    struct str key;
    int x;

    if (json_peek(&d->r) != '{')
        return kind_mismatch(d, f, "map[string]");
    d->r.p++;
    for (bool first = true; (x = json_object_next(&d->r, first, &key)) > 0; first = false) {
        if (len == cap) {
            uint32_t more = cap ? cap * 2 : 4;
            char *grown = arena_alloc(d->r.arena, more * size, _Alignof(max_align_t));

            if (arena_is_over(d->r.arena))
                return too_large(d);
            if (len)
                memcpy(grown, items, len * size);
            items = grown;
            cap = more;
        }
        memset(items + len * size, 0, size);
        *(struct str *)(void *)(items + len * size) = key;
        frame.name = key;
        d->at = &frame;
        if (json_peek(&d->r) == 'n')
            x = json_literal(&d->r, STR("null"));
        else
            x = decode_value(d, f, items + len * size + value_at, depth);
        d->at = frame.up;
        if (x < 0)
            return x;
        len++;
    }
    if (x < 0)
        return x;
    len = object_map_sort(d->r.arena, items, len, size, report_duplicate, d);
    to->items = items ? items : arena_alloc(d->r.arena, 0, _Alignof(max_align_t));
    to->len = len;
    return 0;
}

/* --- structs --- */

/* Scalars and structs behind a pointer are allocated; the other kinds have an unset state in place.
 */
static bool lies_behind_pointer(const struct schema_field *f)
{
    return f->shape == SCHEMA_POINTER &&
           (f->kind <= SCHEMA_KIND_DOUBLE || f->kind == SCHEMA_KIND_DURATION ||
            f->kind == SCHEMA_KIND_STRUCT);
}

static int decode_member(struct decoder *d, const struct schema_field *f, char *to, int depth)
{
    char c = json_peek(&d->r);

    if (c == '"' && f->kind == SCHEMA_KIND_STRING && f->shape <= SCHEMA_POINTER) /* most are */
        return json_string(&d->r, (struct str *)(void *)to);
    if (c == 'n')
        return json_literal(&d->r, STR("null"));
    if (f->shape == SCHEMA_LIST)
        return decode_items(d, f, (struct schema_list *)(void *)to, depth);
    if (f->shape == SCHEMA_MAP)
        return decode_map(d, f, (struct schema_list *)(void *)to, depth);
    if (lies_behind_pointer(f)) {
        void *p = arena_zalloc(d->r.arena, schema_kind_size(d->s, f->kind, f->type),
                               schema_kind_align(d->s, f->kind, f->type));

        *(void **)(void *)to = p;
        to = p;
    }
    return decode_value(d, f, to, depth);
}

static inline bool is_named(const struct schema *s, const struct schema_field *f, struct str name)
{
    return f->name_len == name.len && str_same_bytes(s->pool + f->name, name.p, name.len);
}

/* The index of the member in t's members, n_members when there is none. guess is tried first. */
static uint32_t find_member(const struct schema *s, const struct schema_type *t, struct str name,
                            uint32_t guess)
{
    const struct schema_member *members = s->members + t->first_member;
    uint16_t i;

    if (guess < t->n_members) {
        const struct schema_field *f = &s->fields[members[guess].field];

        if (is_named(s, f, name))
            return guess;
    }
    i = s->slots[t->first_slot + (schema_name_hash(name.p, name.len) & (t->n_slots - 1U))];
    for (i--; i != 0xffff; i = members[i].next) {
        const struct schema_field *f = &s->fields[members[i].field];

        if (is_named(s, f, name))
            return i;
    }
    return t->n_members;
}

/* The field of a type that takes the members which no other field names; it stands last. */
static const struct schema_field *others_of(const struct schema *s, const struct schema_type *t)
{
    const struct schema_field *f = &s->fields[t->first_field + t->n_fields - 1];

    return t->n_fields && f->flags & SCHEMA_OTHERS ? f : NULL;
}

/* In order of appearance; cap is what items has room for. */
static int decode_other(struct decoder *d, const struct schema_field *f, struct str key, char *base,
                        uint32_t *cap)
{
    struct schema_list *l = (struct schema_list *)(void *)(base + f->offset);
    struct schema_str_entry *items = l->items;

    if (l->len == *cap) {
        *cap = *cap ? *cap * 2 : 4;
        items = ARENA_NEW_ARRAY(d->r.arena, struct schema_str_entry, *cap);
        if (arena_is_over(d->r.arena))
            return too_large(d);
        if (l->len)
            memcpy(items, l->items, l->len * sizeof(*items));
        l->items = items;
    }
    items[l->len] = (struct schema_str_entry){ .key = key };
    return decode_raw(d, f, &items[l->len++].value);
}

static void sort_others(struct decoder *d, const struct schema_field *f, char *base)
{
    struct schema_list *l = (struct schema_list *)(void *)(base + f->offset);

    l->len = object_map_sort(d->r.arena, l->items, l->len, sizeof(struct schema_str_entry),
                             report_duplicate, d);
}

static int decode_struct(struct decoder *d, const struct schema_type *t, char *base, int depth)
{
    const struct schema_field *others = others_of(d->s, t);
    const struct schema_member *members = d->s->members + t->first_member;
    uint64_t seen[SEEN_WORDS] = { 0 };
    struct frame frame = { .up = d->at, .type = t };
    uint32_t next = 0, cap = 0;
    struct str key;
    int x;

    if (depth > OBJECT_JSON_MAX_DEPTH)
        return err_set(d->r.err, ERR_TOO_DEEP, "exceeded max depth of %d", OBJECT_JSON_MAX_DEPTH);
    if (arena_is_over(d->r.arena))
        return too_large(d);
    d->r.p++;
    for (bool first = true; (x = json_object_next(&d->r, first, &key)) > 0; first = false) {
        uint32_t i = find_member(d->s, t, key, next);

        if (i == t->n_members || &d->s->fields[members[i].field] == others) {
            if (!others)
                report(d, "unknown", key);
            x = others ? decode_other(d, others, key, base, &cap) : json_skip(&d->r, NULL);
            if (x < 0)
                return x;
            continue;
        }
        if (seen[i / 64 % SEEN_WORDS] & (1ULL << (i % 64)))
            report(d, "duplicate", key);
        seen[i / 64 % SEEN_WORDS] |= 1ULL << (i % 64);
        frame.name = key;
        d->at = &frame;
        x = decode_member(d, &d->s->fields[members[i].field],
                          base + members[i].base + d->s->fields[members[i].field].offset, depth);
        d->at = frame.up;
        if (x < 0)
            return x;
        next = i + 1;
    }
    if (others && x >= 0)
        sort_others(d, others, base);
    return x;
}

/* --- the doors --- */

int object_json_decode(struct arena *a, const struct schema *s, const struct schema_type *t,
                       struct str json, struct object *ret, struct object_json_strict *ret_strict,
                       struct err *err)
{
    struct decoder d = { .s = s, .strict = ret_strict };
    char *data = arena_zalloc(a, t->size, t->align);
    int x;

    if (ret_strict)
        *ret_strict = (struct object_json_strict){ 0 };
    json_reader_init(&d.r, a, json, err);
    if (json_peek(&d.r) != '{') {
        if (!d.r.p || d.r.p >= d.r.end)
            return json_unexpected(&d.r, "");
        x = json_skip(&d.r, NULL);
        if (x < 0)
            return x;
        d.r.p = d.r.begin;
        return mismatch(
            &d, json_kind_name(json_peek(&d.r)),
            arena_printf(a, "%s.%s", schema_cstr(s, t->version), schema_cstr(s, t->name)).p);
    }
    x = decode_struct(&d, t, data, 1);
    if (x >= 0)
        x = json_end(&d.r);
    if (x < 0)
        return x;
    *ret = (struct object){ .schema = s, .type = t, .data = data };
    return 0;
}

#define GVK_STRUCT                                                                                 \
    "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string "               \
    "\"json:\\\"kind,omitempty\\\"\" }"

/* null names nothing; all else is of the wrong type, or no JSON. */
static int not_an_object(struct json_reader *r, struct str *ret_api_version, struct str *ret_kind)
{
    char c = json_peek(r);
    int x = json_skip(r, NULL);

    if (x < 0)
        return x;
    if (c != 'n')
        return err_set(r->err, ERR_SYNTAX,
                       "json: cannot unmarshal %s into Go value of type " GVK_STRUCT,
                       json_kind_name(c));
    *ret_api_version = *ret_kind = STR_NULL;
    return 0;
}

int object_json_peek_gvk(struct arena *a, struct str json, struct str *ret_api_version,
                         struct str *ret_kind, struct err *err)
{
    struct str api_version = STR_NULL, kind = STR_NULL, key;
    struct json_reader r;
    int x;

    json_reader_init(&r, a, json, err);
    if (r.p == r.end || json_peek(&r) != '{')
        return not_an_object(&r, ret_api_version, ret_kind);
    r.p++;
    for (bool first = true; (x = json_object_next(&r, first, &key)) > 0; first = false) {
        bool is_kind = str_eq(key, STR("kind")), wanted = is_kind || str_eq(key, STR("apiVersion"));

        if (wanted && json_peek(&r) == '"')
            x = json_string(&r, is_kind ? &kind : &api_version);
        else if (wanted && json_peek(&r) != 'n')
            return err_set(err, ERR_SYNTAX,
                           "json: cannot unmarshal %s into Go struct field .%s of type string",
                           json_kind_name(json_peek(&r)), is_kind ? "kind" : "apiVersion");
        else
            x = json_skip(&r, NULL);
        if (x < 0)
            return x;
        if (kind.p && api_version.p)
            break;
    }
    if (x < 0)
        return x;
    *ret_api_version = api_version;
    *ret_kind = kind;
    return 0;
}
