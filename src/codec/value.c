#include "codec/value.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "codec/json_reader.h"
#include "codec/json_writer.h"

/* --- making and changing --- */

struct value value_string(struct str s)
{
    return (struct value){ .type = VALUE_STRING, .s = s };
}

struct value value_int(int64_t i)
{
    return (struct value){ .type = VALUE_INT, .i = i };
}

struct value value_bool(bool b)
{
    return (struct value){ .type = VALUE_BOOL, .b = b };
}

struct value value_object(void)
{
    return (struct value){ .type = VALUE_OBJECT };
}

struct value value_array(void)
{
    return (struct value){ .type = VALUE_ARRAY };
}

static void *grow(struct arena *a, const void *old, uint32_t len, uint32_t *cap, size_t size)
{
    uint32_t n = *cap ? *cap * 2 : 4;
    char *p = arena_alloc(a, n * size, _Alignof(struct value_member));

    if (len)
        memcpy(p, old, len * size);
    *cap = n;
    return p;
}

static struct value *append_member(struct arena *a, struct value *v, struct str key)
{
    struct value_member *m;

    if (v->len == v->cap)
        v->members = grow(a, v->members, v->len, &v->cap, sizeof(*v->members));
    m = &v->members[v->len++];
    m->key = key;
    return &m->v;
}

struct value *value_push(struct arena *a, struct value *v, struct value x)
{
    if (v->len == v->cap)
        v->items = grow(a, v->items, v->len, &v->cap, sizeof(*v->items));
    v->items[v->len] = x;
    return &v->items[v->len++];
}

void value_insert(struct arena *a, struct value *v, size_t at, struct value x)
{
    (void)value_push(a, v, x);
    memmove(&v->items[at + 1], &v->items[at], (v->len - 1 - at) * sizeof(*v->items));
    v->items[at] = x;
}

void value_remove_at(struct value *v, size_t at)
{
    memmove(&v->items[at], &v->items[at + 1], (v->len - 1 - at) * sizeof(*v->items));
    v->len--;
}

struct value *value_get(const struct value *v, struct str key)
{
    if (!v || v->type != VALUE_OBJECT)
        return NULL;
    for (uint32_t i = 0; i < v->len; i++) {
        if (str_eq(v->members[i].key, key))
            return &v->members[i].v;
    }
    return NULL;
}

struct str value_get_str(const struct value *v, struct str key)
{
    const struct value *x = value_get(v, key);

    return x && x->type == VALUE_STRING ? x->s : STR_NULL;
}

struct value *value_set(struct arena *a, struct value *v, struct str key, struct value x)
{
    struct value *at = value_get(v, key);

    if (!at)
        at = append_member(a, v, key);
    *at = x;
    return at;
}

bool value_remove(struct value *v, struct str key)
{
    if (v->type != VALUE_OBJECT)
        return false;
    for (uint32_t i = 0; i < v->len; i++) {
        if (!str_eq(v->members[i].key, key))
            continue;
        memmove(&v->members[i], &v->members[i + 1], (v->len - 1 - i) * sizeof(*v->members));
        v->len--;
        return true;
    }
    return false;
}

/* Recursion in the next two is bounded by VALUE_MAX_DEPTH, which trees are made with; values built
 * by hand nest less. */
struct value value_copy(struct arena *a, const struct value *v)
{
    struct value copy = *v;

    if (!v->len)
        return copy;
    copy.cap = v->len;
    if (v->type == VALUE_ARRAY) {
        copy.items = arena_alloc(a, v->len * sizeof(*v->items), _Alignof(struct value));
        for (uint32_t i = 0; i < v->len; i++)
            copy.items[i] = value_copy(a, &v->items[i]);
    } else if (v->type == VALUE_OBJECT) {
        copy.members = arena_alloc(a, v->len * sizeof(*v->members), _Alignof(struct value_member));
        for (uint32_t i = 0; i < v->len; i++)
            copy.members[i] =
                (struct value_member){ v->members[i].key, value_copy(a, &v->members[i].v) };
    }
    return copy;
}

static bool objects_equal(const struct value *a, const struct value *b)
{
    for (uint32_t i = 0; i < a->len; i++) {
        bool in_place = str_eq(a->members[i].key, b->members[i].key);
        const struct value *other = in_place ? &b->members[i].v : value_get(b, a->members[i].key);

        if (!other || !value_equal(&a->members[i].v, other))
            return false;
    }
    return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a->b == b->b;
    case VALUE_INT:
        return a->i == b->i;
    case VALUE_DOUBLE:
        return a->d == b->d; /* never NaN: JSON has none */
    case VALUE_STRING:
        return str_eq(a->s, b->s);
    case VALUE_OBJECT:
        return a->len == b->len && objects_equal(a, b);
    case VALUE_ARRAY:
        if (a->len != b->len)
            return false;
        for (uint32_t i = 0; i < a->len; i++) {
            if (!value_equal(&a->items[i], &b->items[i]))
                return false;
        }
        return true;
    }
    return false;
}

/* --- reading --- */

/* More members than that are refused: what works on trees looks members up by scanning. Reading
 * alone would take any number, because it finds duplicates by hash. */
enum { MAX_MEMBERS = 20000, SCANNED_MEMBERS = 16 };

/* Where the reader is: the members and elements that it is inside of. */
struct step {
    const struct step *up;
    struct str key; /* unset: element `index` */
    size_t index;
};

struct parse {
    struct json_reader r;
    const struct step *at;
    struct str *ret_duplicate;
};

static int parse_value(struct parse *p, struct value *ret, int depth);

static void print_step(struct buf *b, const struct step *s)
{
    if (s->up)
        print_step(b, s->up);
    if (!s->key.p)
        buf_printf(b, "[%zu]", s->index);
    else
        buf_printf(b, "%s%.*s", b->len ? "." : "", STR_ARG(s->key));
}

static void note_duplicate(struct parse *p, struct str key)
{
    struct step here = { .up = p->at, .key = key };
    struct buf b = { 0 };

    if (!p->ret_duplicate || p->ret_duplicate->p)
        return;
    buf_init_arena(&b, p->r.arena, 64);
    print_step(&b, &here);
    *p->ret_duplicate = buf_str(&b);
}

/* Where the members of a big object are, by hash: open addressing, place + 1 in each slot. */
struct member_table {
    uint32_t *slots;
    uint32_t mask;
};

static uint32_t *find_slot(const struct member_table *t, const struct value *v, struct str key)
{
    uint32_t at = (uint32_t)hash_str(key) & t->mask;

    while (t->slots[at] && !str_eq(v->members[t->slots[at] - 1].key, key))
        at = (at + 1) & t->mask;
    return &t->slots[at];
}

/* At most half full; made anew at twice the size. */
static void grow_table(struct arena *a, struct member_table *t, const struct value *v)
{
    uint32_t cap = t->slots ? (t->mask + 1) * 2 : SCANNED_MEMBERS * 4;

    t->mask = cap - 1;
    t->slots = ARENA_NEW_ARRAY(a, uint32_t, cap);
    for (uint32_t i = 0; i < v->len; i++)
        *find_slot(t, v, v->members[i].key) = i + 1;
}

/* The place of a member, appended when there is none of that name yet. */
static struct value *member_place(struct parse *p, struct member_table *t, struct value *v,
                                  struct str key)
{
    struct value *at = NULL;
    uint32_t *slot = NULL;

    if (v->len < SCANNED_MEMBERS) {
        at = value_get(v, key);
    } else {
        if (!t->slots || v->len * 2 > t->mask)
            grow_table(p->r.arena, t, v);
        slot = find_slot(t, v, key);
        at = *slot ? &v->members[*slot - 1].v : NULL;
    }
    if (at) {
        note_duplicate(p, key);
        return at;
    }
    at = append_member(p->r.arena, v, key);
    if (slot)
        *slot = v->len;
    return at;
}

static int parse_object(struct parse *p, struct value *ret, int depth)
{
    struct member_table table = { 0 };
    struct step here = { .up = p->at };
    struct str key;
    int x;

    *ret = value_object();
    p->r.p++;
    for (bool first = true; (x = json_object_next(&p->r, first, &key)) > 0; first = false) {
        struct value *at = member_place(p, &table, ret, key);

        if (ret->len > MAX_MEMBERS || arena_is_over(p->r.arena))
            return err_set(p->r.err, ERR_TOO_LARGE, "JSON object is too large");
        here.key = key;
        p->at = &here;
        x = parse_value(p, at, depth + 1);
        p->at = here.up;
        if (x < 0)
            return x;
    }
    return x;
}

static int parse_array(struct parse *p, struct value *ret, int depth)
{
    struct step here = { .up = p->at };
    int x;

    *ret = value_array();
    p->r.p++;
    for (bool first = true; (x = json_array_next(&p->r, first)) > 0; first = false) {
        struct value item;

        here.index = ret->len;
        p->at = &here;
        x = parse_value(p, &item, depth + 1);
        p->at = here.up;
        if (x < 0)
            return x;
        (void)value_push(p->r.arena, ret, item);
        if (arena_is_over(p->r.arena))
            return err_set(p->r.err, ERR_TOO_LARGE, "JSON array is too large");
    }
    return x;
}

static int parse_number(struct parse *p, struct value *ret)
{
    struct str text;
    bool integer;
    char copy[64];
    int x = json_number(&p->r, &text, &integer);

    if (x < 0)
        return x;
    if (integer && str_to_i64(text, &ret->i)) {
        ret->type = VALUE_INT;
        return 0;
    }
    ret->type = VALUE_DOUBLE;
    if (text.len < sizeof(copy)) {
        memcpy(copy, text.p, text.len);
        copy[text.len] = '\0';
        ret->d = strtod(copy, NULL);
    } else {
        ret->d = strtod(str_cstr(p->r.arena, text), NULL);
    }
    if (!isfinite(ret->d))
        return err_set(p->r.err, ERR_SYNTAX, "number %.*s is out of range",
                       (int)(text.len > 40 ? 40 : text.len), text.p);
    return 0;
}

static int parse_value(struct parse *p, struct value *ret, int depth)
{
    char c = json_peek(&p->r);

    if (depth >= VALUE_MAX_DEPTH)
        return err_set(p->r.err, ERR_TOO_DEEP, "exceeded max depth of %d", VALUE_MAX_DEPTH);
    *ret = (struct value){ .type = VALUE_NULL };
    switch (c) {
    case '{':
        return parse_object(p, ret, depth);
    case '[':
        return parse_array(p, ret, depth);
    case '"':
        ret->type = VALUE_STRING;
        return json_string(&p->r, &ret->s);
    case 't':
        *ret = value_bool(true);
        return json_literal(&p->r, STR("true"));
    case 'f':
        *ret = value_bool(false);
        return json_literal(&p->r, STR("false"));
    case 'n':
        return json_literal(&p->r, STR("null"));
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return parse_number(p, ret);
        return json_unexpected(&p->r, "looking for beginning of value");
    }
}

int value_parse(struct arena *a, struct str json, struct value *ret, struct str *ret_duplicate,
                struct err *err)
{
    struct parse p = { .ret_duplicate = ret_duplicate };
    struct value v;
    int x;

    if (ret_duplicate)
        *ret_duplicate = STR_NULL;
    json_reader_init(&p.r, a, json, err);
    x = parse_value(&p, &v, 0);
    if (x >= 0)
        x = json_end(&p.r);
    if (x < 0)
        return x;
    *ret = v;
    return 0;
}

const char *value_type_name(const struct value *v)
{
    static const char *const names[] = {
        [VALUE_NULL] = "null",     [VALUE_BOOL] = "bool",     [VALUE_INT] = "number",
        [VALUE_DOUBLE] = "number", [VALUE_STRING] = "string", [VALUE_ARRAY] = "array",
        [VALUE_OBJECT] = "object",
    };

    return names[v->type];
}

/* --- writing --- */

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct value_member *)a)->key, ((const struct value_member *)b)->key);
}

void value_sort_members(struct value *v)
{
    if (v->type == VALUE_OBJECT && v->len)
        qsort(v->members, v->len, sizeof(*v->members), by_key);
}

static void print_go_object(struct buf *b, const struct value *v)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct value sorted = *v;

    sorted.members = ARENA_NEW_ARRAY(&a, struct value_member, v->len + 1);
    for (uint32_t i = 0; i < v->len; i++)
        sorted.members[i] = v->members[i];
    value_sort_members(&sorted);
    buf_append_lit(b, "map[");
    for (uint32_t i = 0; i < v->len; i++) {
        if (i)
            buf_append_char(b, ' ');
        buf_append_str(b, sorted.members[i].key);
        buf_append_char(b, ':');
        value_print_go(b, &sorted.members[i].v);
    }
    buf_append_char(b, ']');
}

void value_print_go(struct buf *b, const struct value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        buf_append_lit(b, "<nil>");
        break;
    case VALUE_STRING:
        buf_append_str(b, v->s);
        break;
    case VALUE_ARRAY:
        buf_append_char(b, '[');
        for (uint32_t i = 0; i < v->len; i++) {
            if (i)
                buf_append_char(b, ' ');
            value_print_go(b, &v->items[i]);
        }
        buf_append_char(b, ']');
        break;
    case VALUE_OBJECT:
        print_go_object(b, v);
        break;
    default:
        value_print(b, v);
    }
}

void value_print(struct buf *b, const struct value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        buf_append_lit(b, "null");
        break;
    case VALUE_BOOL:
        buf_append_str(b, v->b ? STR("true") : STR("false"));
        break;
    case VALUE_INT:
        buf_append_i64(b, v->i);
        break;
    case VALUE_DOUBLE:
        json_write_double(b, v->d);
        break;
    case VALUE_STRING:
        json_write_string(b, v->s);
        break;
    case VALUE_ARRAY:
        buf_append_char(b, '[');
        for (uint32_t i = 0; i < v->len; i++) {
            if (i)
                buf_append_char(b, ',');
            value_print(b, &v->items[i]);
        }
        buf_append_char(b, ']');
        break;
    case VALUE_OBJECT:
        buf_append_char(b, '{');
        for (uint32_t i = 0; i < v->len; i++) {
            if (i)
                buf_append_char(b, ',');
            json_write_string(b, v->members[i].key);
            buf_append_char(b, ':');
            value_print(b, &v->members[i].v);
        }
        buf_append_char(b, '}');
        break;
    }
}
