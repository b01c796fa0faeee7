#include "api/field_set.h"

#include <stdlib.h>

#include "api/field_error.h"
#include "api/field_type.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/json_reader.h"
#include "codec/json_writer.h"
#include "codec/value.h"

/* --- making --- */

static bool is_void(const struct field_set_node *n)
{
    return !n->member && !n->below.len;
}

void field_set_append(struct arena *a, struct field_set *s, struct field_set_node node)
{
    if (is_void(&node))
        return;
    if (s->len == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 4;
        struct field_set_node *items = arena_alloc(a, cap * sizeof(*items), _Alignof(max_align_t));

        if (s->len)
            memcpy(items, s->items, s->len * sizeof(*items));
        s->items = items;
        s->cap = cap;
    }
    s->items[s->len++] = node;
}

static int compare_nodes(const void *x, const void *y)
{
    return str_cmp(((const struct field_set_node *)x)->element,
                   ((const struct field_set_node *)y)->element);
}

static void sort_nodes(struct field_set *s)
{
    enum { INSERTION = 12 };

    if (s->len > INSERTION) {
        qsort(s->items, s->len, sizeof(*s->items), compare_nodes);
        return;
    }
    for (uint32_t i = 1; i < s->len; i++) {
        struct field_set_node n = s->items[i];
        uint32_t k = i;

        for (; k && compare_nodes(&s->items[k - 1], &n) > 0; k--)
            s->items[k] = s->items[k - 1];
        s->items[k] = n;
    }
}

void field_set_sort(struct arena *a, struct field_set *s)
{
    uint32_t n = 0;

    sort_nodes(s);
    for (uint32_t i = 0; i < s->len; i++) {
        struct field_set_node *node = &s->items[i], *last = n ? &s->items[n - 1] : NULL;

        if (last && str_eq(last->element, node->element)) {
            last->member |= node->member;
            last->below = field_set_union(a, &last->below, &node->below);
        } else {
            s->items[n++] = *node;
        }
    }
    s->len = n;
}

void field_set_add_names(struct arena *a, struct field_set *s, struct str paths)
{
    struct str path, name;

    while (str_next(&paths, ' ', &path)) {
        struct field_set one = { 0 }, *at = &one;

        if (!path.len)
            continue;
        while (str_next(&path, '.', &name)) {
            field_set_append(a, at,
                             (struct field_set_node){
                                 .element = arena_printf(a, "f:%.*s", STR_ARG(name)),
                                 .member = true,
                             });
            at->items[0].member = !path.p;
            at = &at->items[0].below;
        }
        *s = field_set_union(a, s, &one);
    }
}

/* --- FieldsV1 --- */

/* "-0" reads back as the integer 0, so it is written as that. */
static void drop_negative_zeros(struct value *v)
{
    if (v->type == VALUE_DOUBLE && v->d == 0)
        *v = (struct value){ .type = VALUE_INT };
    for (uint32_t i = 0; v->type == VALUE_ARRAY && i < v->len; i++)
        drop_negative_zeros(&v->items[i]);
    for (uint32_t i = 0; v->type == VALUE_OBJECT && i < v->len; i++)
        drop_negative_zeros(&v->members[i].v);
}

static int compare_members(const void *x, const void *y)
{
    return str_cmp(((const struct value_member *)x)->key, ((const struct value_member *)y)->key);
}

/* k: and v: hold JSON; the canonical spelling is compact with sorted keys. */
static int parse_element(struct arena *a, struct str text, struct str *ret, struct err *err)
{
    struct value v;
    struct buf b = { 0 };
    uint64_t index;
    int r;

    *ret = text;
    if (text.len < 2 || text.p[1] != ':')
        return err_set(err, ERR_INVALID, "missing colon");
    switch (text.p[0]) {
    case 'f':
        return 0;
    case 'i':
        return str_to_u64(str_tail(text, 2), &index)
                   ? 0
                   : err_set(err, ERR_INVALID, "no index: '%.*s'", STR_ARG(text));
    case 'k':
    case 'v':
        r = value_parse(a, str_tail(text, 2), &v, NULL, err);
        if (r < 0)
            return r;
        if (text.p[0] == 'k' && v.type != VALUE_OBJECT)
            return err_set(err, ERR_INVALID, "no key: '%.*s'", STR_ARG(text));
        if (v.type == VALUE_OBJECT && v.len)
            qsort(v.members, v.len, sizeof(*v.members), compare_members);
        drop_negative_zeros(&v);
        buf_init_arena(&b, a, text.len + 8);
        buf_append(&b, text.p, 2);
        value_print(&b, &v);
        *ret = buf_str(&b);
        return 0;
    default:
        return err_set(err, ERR_INVALID, "unknown path element: '%.*s'", STR_ARG(text));
    }
}

/* Leaves in *ret_dot whether "." was there; *ret_len how many members the object has. */
static int parse_object(struct json_reader *r, unsigned depth, struct field_set *ret, bool *ret_dot,
                        uint32_t *ret_len)
{
    struct str key;
    int rc = 0;

    *ret = (struct field_set){ 0 };
    *ret_dot = false;
    *ret_len = 0;
    if (depth > FIELD_SET_MAX_DEPTH)
        return err_set(r->err, ERR_TOO_DEEP, "field paths are nested too deeply");
    if (json_peek(r) != '{')
        return json_unexpected(r, "expected object");
    r->p++;
    for (bool first = true; (rc = json_object_next(r, first, &key)) > 0; first = false) {
        struct field_set_node n = { 0 };
        uint32_t len;
        bool dot;

        if (arena_is_over(r->arena))
            return err_set(r->err, ERR_TOO_LARGE, "too many field paths");
        rc = parse_object(r, depth + 1, &n.below, &dot, &len);
        if (rc < 0)
            return rc;
        ++*ret_len;
        if (str_eq(key, STR("."))) {
            *ret_dot = true;
            continue;
        }
        rc = parse_element(r->arena, key, &n.element, r->err);
        if (rc < 0)
            return rc;
        n.member = dot || !len;
        field_set_append(r->arena, ret, n);
    }
    if (rc == 0)
        field_set_sort(r->arena, ret);
    return rc;
}

int field_set_parse(struct arena *a, struct str json, struct field_set *ret, struct err *err)
{
    struct json_reader r;
    struct field_set s;
    uint32_t len;
    bool dot;
    int rc;

    json_reader_init(&r, a, json, err);
    rc = parse_object(&r, 0, &s, &dot, &len);
    if (rc >= 0)
        rc = json_end(&r);
    if (rc < 0)
        return rc;
    *ret = s;
    return 0;
}

static void print_below(struct buf *b, const struct field_set *s, bool member)
{
    buf_append_char(b, '{');
    if (member && s->len)
        buf_append_lit(b, "\".\":{}");
    for (uint32_t i = 0; i < s->len; i++) {
        if (i || (member && s->len))
            buf_append_char(b, ',');
        json_write_string(b, s->items[i].element);
        buf_append_char(b, ':');
        print_below(b, &s->items[i].below, s->items[i].member);
    }
    buf_append_char(b, '}');
}

void field_set_print(struct buf *b, const struct field_set *s)
{
    print_below(b, s, false);
}

/* --- operations --- */

bool field_set_equal(const struct field_set *a, const struct field_set *b)
{
    if (a->len != b->len)
        return false;
    if (a->items == b->items)
        return true;
    for (uint32_t i = 0; i < a->len; i++)
        if (a->items[i].member != b->items[i].member ||
            !str_eq(a->items[i].element, b->items[i].element) ||
            !field_set_equal(&a->items[i].below, &b->items[i].below))
            return false;
    return true;
}

const struct field_set_node *field_set_find(const struct field_set *s, struct str element)
{
    uint32_t from = 0, to = s->len;

    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        int c = str_cmp(s->items[mid].element, element);

        if (c == 0)
            return &s->items[mid];
        if (c < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return NULL;
}

/* Walks two sets side by side: the next pair of nodes of one element, either of them NULL. */
struct zip {
    const struct field_set *x, *y;
    uint32_t i, k;
};

static bool zip_next(struct zip *z, const struct field_set_node **ret_x,
                     const struct field_set_node **ret_y)
{
    int c;

    *ret_x = z->i < z->x->len ? &z->x->items[z->i] : NULL;
    *ret_y = z->k < z->y->len ? &z->y->items[z->k] : NULL;
    if (!*ret_x && !*ret_y)
        return false;
    c = !*ret_x ? 1 : !*ret_y ? -1 : str_cmp((*ret_x)->element, (*ret_y)->element);
    if (c > 0)
        *ret_x = NULL;
    if (c < 0)
        *ret_y = NULL;
    z->i += *ret_x != NULL;
    z->k += *ret_y != NULL;
    return true;
}

struct field_set field_set_union(struct arena *a, const struct field_set *x,
                                 const struct field_set *y)
{
    struct zip z = { .x = x, .y = y };
    const struct field_set_node *nx, *ny;
    struct field_set out = { 0 };

    if (!x->len)
        return *y;
    if (!y->len)
        return *x;
    while (zip_next(&z, &nx, &ny)) {
        struct field_set_node n = nx ? *nx : *ny;

        if (nx && ny) {
            n.member |= ny->member;
            n.below = field_set_union(a, &nx->below, &ny->below);
        }
        field_set_append(a, &out, n);
    }
    return out;
}

struct field_set field_set_intersection(struct arena *a, const struct field_set *x,
                                        const struct field_set *y)
{
    struct zip z = { .x = x, .y = y };
    const struct field_set_node *nx, *ny;
    struct field_set out = { 0 };

    if (!x->len || !y->len)
        return out;
    while (zip_next(&z, &nx, &ny)) {
        if (!nx || !ny)
            continue;
        field_set_append(a, &out,
                         (struct field_set_node){
                             .element = nx->element,
                             .member = nx->member && ny->member,
                             .below = field_set_intersection(a, &nx->below, &ny->below),
                         });
    }
    return out;
}

struct field_set field_set_difference(struct arena *a, const struct field_set *x,
                                      const struct field_set *y, bool below)
{
    struct zip z = { .x = x, .y = y };
    const struct field_set_node *nx, *ny;
    struct field_set out = { 0 };

    if (!x->len || !y->len)
        return *x;
    while (zip_next(&z, &nx, &ny)) {
        struct field_set_node n;

        if (!nx || (ny && ny->member && below))
            continue;
        n = *nx;
        if (ny) {
            n.member &= !ny->member;
            n.below = field_set_difference(a, &nx->below, &ny->below, below);
        }
        field_set_append(a, &out, n);
    }
    return out;
}

struct field_set field_set_with_named(struct arena *a, const struct field_set *s,
                                      const struct field_type *t)
{
    struct field_set out = { 0 };

    for (uint32_t i = 0; i < s->len; i++) {
        struct field_set_node n = s->items[i];
        struct field_type below = { 0 };
        bool declared = false, known = false;

        if (t && t->ops && str_has_prefix(n.element, STR("f:")) && field_type_is_map(t)) {
            known = t->ops->member(t, str_tail(n.element, 2), &below, &declared);
            n.member |= known && declared && n.below.len;
        } else if (t && t->ops && str_has_prefix(n.element, STR("k:")) &&
                   t->form == FIELD_FORM_LIST) {
            below = t->ops->element(t);
            known = true;
        }
        n.below = field_set_with_named(a, &n.below, known ? &below : NULL);
        field_set_append(a, &out, n);
    }
    return out;
}

/* --- paths in messages --- */

static void print_scalar(struct buf *b, const struct value *v)
{
    if (v->type == VALUE_STRING)
        field_error_quote(b, v->s);
    else
        value_print(b, v);
}

static void print_element(struct buf *b, struct str element)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str text = str_tail(element, 2);
    struct value v;
    struct err err;

    if (element.p[0] == 'f') {
        buf_append_char(b, '.');
        buf_append_str(b, text);
        return;
    }
    arena_init(&a, 0);
    buf_append_char(b, '[');
    if (element.p[0] == 'i' || value_parse(&a, text, &v, NULL, &err) < 0) {
        buf_append_str(b, text);
    } else if (element.p[0] == 'v') {
        buf_append_char(b, '=');
        print_scalar(b, &v);
    } else {
        for (uint32_t i = 0; i < v.len; i++) {
            if (i)
                buf_append_char(b, ',');
            buf_append_str(b, v.members[i].key);
            buf_append_char(b, '=');
            print_scalar(b, &v.members[i].v);
        }
    }
    buf_append_char(b, ']');
}

static void each_below(const struct field_set *s, struct buf *path, field_set_path_fn *fn,
                       void *arg)
{
    size_t len = path->len;

    for (uint32_t i = 0; i < s->len; i++) {
        path->len = len;
        print_element(path, s->items[i].element);
        if (s->items[i].member)
            fn(buf_str(path), arg);
        each_below(&s->items[i].below, path, fn, arg);
    }
    path->len = len;
}

void field_set_each(const struct field_set *s, field_set_path_fn *fn, void *arg)
{
    CLEANUP(buf_done) struct buf path = { 0 };

    each_below(s, &path, fn, arg);
}
