#include "api/typed_value.h"

#include <stdlib.h>

#include "api/field_error.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/macros.h"

enum { KEYS_MAX = 8, SLOTS_FROM = 9, DEPTH_MAX = VALUE_MAX_DEPTH };

/* --- items --- */

static int compare_strs(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static size_t keys_of(const struct field_type *list, struct str keys[KEYS_MAX])
{
    struct str rest = list->keys, key;
    size_t n = 0;

    while (n < KEYS_MAX && str_next(&rest, ',', &key))
        keys[n++] = key;
    if (n)
        qsort(keys, n, sizeof(*keys), compare_strs);
    return n;
}

static int keyed_element(struct arena *a, const struct field_type *list, const struct value *item,
                         struct str *ret, struct err *err)
{
    struct str keys[KEYS_MAX];
    size_t n = keys_of(list, keys);
    struct value key = value_object(), v;
    struct buf b = { 0 };

    if (item->type == VALUE_NULL)
        return err_set(err, ERR_INVALID, "associative list with keys may not have a null element");
    if (item->type != VALUE_OBJECT)
        return err_set(err, ERR_INVALID,
                       "associative list with keys may not have non-map elements");
    for (size_t i = 0; i < n; i++) {
        const struct value *given = value_get(item, keys[i]);

        if (given)
            value_set(a, &key, keys[i], *given);
        else if (list->ops->key_default(list, keys[i], &v))
            value_set(a, &key, keys[i], v);
    }
    if (!key.len) {
        buf_init_arena(&b, a, 64);
        for (size_t i = 0; i < n; i++)
            buf_printf(&b, "%s\"%.*s\"", i ? " " : "", STR_ARG(keys[i]));
        return err_set(err, ERR_INVALID,
                       "associative list with keys has an element that omits all key fields [%s] "
                       "(and doesn't have default values for any key fields)",
                       buf_cstr(&b));
    }
    buf_init_arena(&b, a, 48);
    buf_append_lit(&b, "k:");
    value_print(&b, &key);
    *ret = buf_str(&b);
    return 0;
}

int typed_value_element(struct arena *a, const struct field_type *list, const struct value *item,
                        struct str *ret, struct err *err)
{
    struct buf b = { 0 };

    if (list->relation == FIELD_KEYED)
        return keyed_element(a, list, item, ret, err);
    switch (item->type) {
    case VALUE_NULL:
        return err_set(err, ERR_INVALID,
                       "associative list without keys has an element that's an explicit null");
    case VALUE_OBJECT:
        return err_set(err, ERR_INVALID,
                       "associative list without keys has an element that's a map type");
    case VALUE_ARRAY:
        return err_set(err, ERR_INVALID, "not supported: associative list with lists as elements");
    default:
        buf_init_arena(&b, a, 32);
        buf_append_lit(&b, "v:");
        value_print(&b, item);
        *ret = buf_str(&b);
        return 0;
    }
}

int64_t typed_items_find(const struct typed_items *items, struct str element)
{
    if (items->n_slots) {
        uint32_t at = (uint32_t)hash_str(element) & (items->n_slots - 1);

        for (; items->first[at]; at = (at + 1) & (items->n_slots - 1))
            if (str_eq(items->elements[items->first[at] - 1], element))
                return (int64_t)items->first[at] - 1;
        return -1;
    }
    for (uint32_t i = 0; i < items->len; i++)
        if (str_eq(items->elements[i], element))
            return i;
    return -1;
}

/* Item i is known by its element from now on, or chained to the first one that is. */
static void add_item(struct typed_items *items, uint32_t i)
{
    int64_t first = typed_items_find(items, items->elements[i]);
    uint32_t at;

    if (first >= 0 && first < i) {
        uint32_t last = (uint32_t)first;

        /* A chain of three is told from one of two, more is not asked for: the newest goes
         * second, so that long chains cost nothing. */
        items->next[i] = items->next[last];
        items->next[last] = i + 1;
        return;
    }
    if (!items->n_slots)
        return;
    at = (uint32_t)hash_str(items->elements[i]) & (items->n_slots - 1);
    while (items->first[at])
        at = (at + 1) & (items->n_slots - 1);
    items->first[at] = i + 1;
}

int typed_items_init(struct arena *a, const struct field_type *t, const struct value *v,
                     struct typed_items *ret, struct err *err)
{
    struct typed_items items = { .list = v && v->type == VALUE_ARRAY ? v : NULL };
    uint32_t n = items.list ? v->len : 0;
    int r;

    items.elements = ARENA_NEW_ARRAY(a, struct str, n + 1);
    items.next = ARENA_NEW_ARRAY(a, uint32_t, n + 1);
    if (n >= SLOTS_FROM) {
        for (items.n_slots = 16; items.n_slots < n * 2; items.n_slots *= 2)
            ;
        items.first = ARENA_NEW_ARRAY(a, uint32_t, items.n_slots);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (arena_is_over(a))
            return err_set(err, ERR_TOO_LARGE, "the list is too large");
        r = typed_value_element(a, t, &v->items[i], &items.elements[i], err);
        if (r < 0)
            return r;
        items.len = i + 1;
        add_item(&items, i);
    }
    *ret = items;
    return 0;
}

/* --- validation --- */

struct checked {
    struct arena *arena;
    struct buf *out;
    struct buf path;
    size_t n;
    unsigned depth;
};

static void complain(struct checked *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void complain(struct checked *c, const char *fmt, ...)
{
    enum { COMPLAINTS_MAX = 100 };
    va_list ap;

    if (c->n++ >= COMPLAINTS_MAX)
        return;
    if (c->out->len)
        buf_append_lit(c->out, "\n  ");
    if (c->path.len)
        buf_printf(c->out, "%.*s: ", STR_ARG(buf_str(&c->path)));
    va_start(ap, fmt);
    buf_vprintf(c->out, fmt, ap);
    va_end(ap);
}

static const char *go_text(struct checked *c, const struct value *v)
{
    struct buf b = { 0 };
    struct str s;

    buf_init_arena(&b, c->arena, 64);
    if (v->type == VALUE_STRING)
        buf_append_str(&b, v->s);
    else
        value_print(&b, v);
    s = str_sub(buf_str(&b), 0, 200);
    return str_cstr(c->arena, s);
}

static const char *go_type(const struct value *v)
{
    static const char *const names[] = {
        [VALUE_NULL] = "<nil>",
        [VALUE_BOOL] = "bool",
        [VALUE_INT] = "int64",
        [VALUE_DOUBLE] = "float64",
        [VALUE_STRING] = "string",
        [VALUE_ARRAY] = "[]interface {}",
        [VALUE_OBJECT] = "map[string]interface {}",
    };

    return names[v->type];
}

static void check(struct checked *c, struct field_type t, const struct value *v);

static void check_members(struct checked *c, const struct field_type *t, const struct value *v)
{
    size_t len = c->path.len;

    for (uint32_t i = 0; i < v->len; i++) {
        struct field_type below = { 0 };
        bool declared;

        c->path.len = len;
        buf_append_char(&c->path, '.');
        buf_append_str(&c->path, v->members[i].key);
        if (t->ops->member(t, v->members[i].key, &below, &declared))
            check(c, below, &v->members[i].v);
        else
            complain(c, "field not declared in schema");
    }
    c->path.len = len;
}

static void collect(struct str path, void *arg)
{
    struct buf *b = arg;

    buf_append_str(b, path);
}

/* An element as messages show it: [name="a"] */
static struct str shown(struct arena *a, struct str element)
{
    struct field_set_node n = { .element = element, .member = true };
    struct field_set s = { .items = &n, .len = 1, .cap = 1 };
    struct buf b = { 0 };

    buf_init_arena(&b, a, 64);
    field_set_each(&s, collect, &b);
    return buf_str(&b);
}

static void check_items(struct checked *c, const struct field_type *t, const struct value *v)
{
    struct field_type element = t->ops->element(t);
    size_t len = c->path.len;
    struct typed_items items = { 0 };
    struct err err;

    if (t->relation != FIELD_WHOLE && typed_items_init(c->arena, t, v, &items, &err) < 0) {
        complain(c, "%s", err.text);
        return;
    }
    for (uint32_t i = 0; i < v->len; i++) {
        c->path.len = len;
        if (items.len && items.next[i] && typed_items_find(&items, items.elements[i]) == i)
            complain(c, "duplicate entries for key %.*s",
                     STR_ARG(shown(c->arena, items.elements[i])));
        if (items.len)
            buf_append_str(&c->path, shown(c->arena, items.elements[i]));
        else
            buf_printf(&c->path, "[%u]", i);
        check(c, element, &v->items[i]);
    }
    c->path.len = len;
}

static void check_scalar(struct checked *c, const struct field_type *t, const struct value *v)
{
    switch (t->form) {
    case FIELD_FORM_NUMBER:
        if (v->type != VALUE_INT && v->type != VALUE_DOUBLE)
            complain(c, "expected numeric (int or float), got %s", go_type(v));
        break;
    case FIELD_FORM_STRING:
        if (v->type != VALUE_STRING)
            complain(c, "expected string, got &value.valueUnstructured{Value:%s}", go_text(c, v));
        break;
    case FIELD_FORM_BOOL:
        if (v->type != VALUE_BOOL)
            complain(c, "expected boolean, got &{%s}", go_text(c, v));
        break;
    default:
        if (v->type == VALUE_ARRAY || v->type == VALUE_OBJECT)
            complain(c, "expected any scalar, got &{%s}", go_text(c, v));
        break;
    }
}

static void check(struct checked *c, struct field_type t, const struct value *v)
{
    t = field_type_of_value(t, v);
    if (v->type == VALUE_NULL || c->depth >= DEPTH_MAX || arena_is_over(c->arena))
        return;
    c->depth++;
    if (field_type_is_map(&t)) {
        if (v->type == VALUE_OBJECT)
            check_members(c, &t, v);
        else
            complain(c, "expected map, got &{%s}", go_text(c, v));
    } else if (t.form == FIELD_FORM_LIST) {
        if (v->type == VALUE_ARRAY)
            check_items(c, &t, v);
        else
            complain(c, "expected list, got &{%s}", go_text(c, v));
    } else {
        check_scalar(c, &t, v);
    }
    c->depth--;
}

void typed_value_validate(struct arena *a, const struct field_type *t, const struct value *v,
                          struct buf *b)
{
    struct checked c = { .arena = a, .out = b };
    struct buf all = { 0 };

    buf_init_arena(&c.path, a, 128);
    check(&c, *t, v);
    if (c.n > 1) {
        buf_init_arena(&all, a, b->len + 16);
        buf_append_lit(&all, "errors:\n  ");
        buf_append_str(&all, buf_str(b));
        buf_reset(b);
        buf_append_str(b, buf_str(&all));
    }
}

/* --- the fields of a value --- */

struct gather {
    struct arena *arena;
    struct err *err;
};

static int gather(struct gather *g, struct field_type t, const struct value *v,
                  struct field_set *ret, bool *ret_member);

static int gather_members(struct gather *g, const struct field_type *t, const struct value *v,
                          struct field_set *ret)
{
    for (uint32_t i = 0; i < v->len; i++) {
        const struct value *x = &v->members[i].v;
        struct field_set_node n = { 0 };
        struct field_type below;
        bool declared;
        int r;

        if (!t->ops->member(t, v->members[i].key, &below, &declared))
            continue;
        r = gather(g, below, x, &n.below, &n.member);
        if (r < 0)
            return r;
        n.element = arena_printf(g->arena, "f:%.*s", STR_ARG(v->members[i].key));
        n.member |= !declared || x->type == VALUE_NULL || (x->type == VALUE_OBJECT && !x->len);
        field_set_append(g->arena, ret, n);
    }
    field_set_sort(g->arena, ret);
    return 0;
}

static int gather_items(struct gather *g, const struct field_type *t, const struct value *v,
                        struct field_set *ret)
{
    struct field_type element = t->ops->element(t);

    for (uint32_t i = 0; i < v->len; i++) {
        struct field_set_node n = { 0 };
        int r = typed_value_element(g->arena, t, &v->items[i], &n.element, g->err);

        if (r < 0)
            return r;
        r = gather(g, element, &v->items[i], &n.below, &n.member);
        if (r < 0)
            return r;
        n.member = true;
        field_set_append(g->arena, ret, n);
    }
    field_set_sort(g->arena, ret);
    return 0;
}

static int gather(struct gather *g, struct field_type t, const struct value *v,
                  struct field_set *ret, bool *ret_member)
{
    t = field_type_of_value(t, v);
    if (arena_is_over(g->arena))
        return err_set(g->err, ERR_TOO_LARGE, "the object has too many fields");
    if (t.relation != FIELD_WHOLE && field_type_is_map(&t))
        return v->type == VALUE_OBJECT ? gather_members(g, &t, v, ret) : 0;
    if (t.relation != FIELD_WHOLE && t.form == FIELD_FORM_LIST)
        return v->type == VALUE_ARRAY ? gather_items(g, &t, v, ret) : 0;
    *ret_member = true;
    return 0;
}

int typed_value_fields(struct arena *a, const struct field_type *t, const struct value *v,
                       struct field_set *ret, struct err *err)
{
    struct gather g = { .arena = a, .err = err };
    bool member = false;

    *ret = (struct field_set){ 0 };
    return gather(&g, *t, v, ret, &member);
}
