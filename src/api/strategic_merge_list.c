/* Lists of strategic merge patches: merging by key, and the order of the result.
 *
 * Every item has an identity: of a map the value of its merge key, of a scalar the scalar itself,
 * written as a short text ("s" and the string, "i" and the number ...), so that a hash map finds
 * items. */
#include "api/strategic_merge_internal.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"

enum { GO_PRINT_MAX = 900 };

const char *merge_type_name(const struct value *v)
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

static int compare_members(const void *x, const void *y)
{
    const struct value_member *const *a = x, *const *b = y;

    return str_cmp((*a)->key, (*b)->key);
}

/* As Go's %v, cut at GO_PRINT_MAX bytes (an error text holds no more). */
static void go_print(struct arena *a, struct buf *b, const struct value *v)
{
    const struct value_member **sorted;

    if (b->len > GO_PRINT_MAX)
        return;
    switch (v->type) {
    case VALUE_NULL:
        buf_append_lit(b, "<nil>");
        return;
    case VALUE_STRING:
        buf_append_str(b, str_sub(v->s, 0, GO_PRINT_MAX));
        return;
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_DOUBLE:
        value_print(b, v);
        return;
    case VALUE_ARRAY:
        buf_append_char(b, '[');
        for (uint32_t i = 0; i < v->len && b->len <= GO_PRINT_MAX; i++) {
            if (i)
                buf_append_char(b, ' ');
            go_print(a, b, &v->items[i]);
        }
        buf_append_char(b, ']');
        return;
    case VALUE_OBJECT:
        break;
    }
    sorted = ARENA_NEW_ARRAY(a, const struct value_member *, v->len);
    for (uint32_t i = 0; i < v->len; i++)
        sorted[i] = &v->members[i];
    if (v->len)
        qsort(sorted, v->len, sizeof(sorted[0]), compare_members);
    buf_append_lit(b, "map[");
    for (uint32_t i = 0; i < v->len && b->len <= GO_PRINT_MAX; i++) {
        if (i)
            buf_append_char(b, ' ');
        buf_append_str(b, str_sub(sorted[i]->key, 0, GO_PRINT_MAX));
        buf_append_char(b, ':');
        go_print(a, b, &sorted[i]->v);
    }
    buf_append_char(b, ']');
}

static struct str go_text(struct arena *a, const struct value *v)
{
    struct buf b;

    buf_init_arena(&b, a, 128);
    go_print(a, &b, v);
    return buf_str(&b);
}

int merge_bad_directive(struct merge_run *run, const struct value *directive,
                        const struct value *map)
{
    return err_set(run->err, ERR_UNSUPPORTED, "unknown patch type: %.*s in map: %.*s",
                   STR_ARG(go_text(run->arena, directive)), STR_ARG(go_text(run->arena, map)));
}

int merge_no_key(struct merge_run *run, const struct value *map, struct str merge_key)
{
    return err_set(run->err, ERR_UNSUPPORTED, "map: %.*s does not contain declared merge key: %.*s",
                   STR_ARG(go_text(run->arena, map)), STR_ARG(merge_key));
}

/* The identity of an item; unset when it has none. */
static struct str identity(struct arena *a, const struct value *item, struct str merge_key)
{
    struct buf b;

    if (merge_key.len) {
        item = value_get(item, merge_key);
        if (!item)
            return STR_NULL;
    }
    if (item->type == VALUE_OBJECT || item->type == VALUE_ARRAY)
        return STR_NULL;
    buf_init_arena(&b, a, 24);
    buf_append_char(&b, "zbids"[item->type]);
    if (item->type == VALUE_STRING)
        buf_append_str(&b, item->s);
    else
        value_print(&b, item);
    return buf_str(&b);
}

/* Identity -> position + 1 of the first item that has it. */
static void *position(size_t i)
{
    return (void *)(i + 1); /* never followed: a number in the map's pointer */
}

static ptrdiff_t position_of(const struct map *m, struct str id)
{
    return (ptrdiff_t)(uintptr_t)map_get(m, id) - 1;
}

static void index_list(struct arena *a, struct map *m, const struct value *list,
                       struct str merge_key)
{
    for (uint32_t i = 0; list && i < list->len; i++) {
        struct str id = identity(a, &list->items[i], merge_key);

        if (id.p && !map_has(m, id))
            (void)map_put(m, id, position(i)); /* absent so far */
    }
}

/* All items of both lists must be of one type, and no lists. */
static int element_type(struct merge_run *run, const struct value *a, const struct value *b,
                        enum value_type *ret)
{
    const struct value *lists[] = { a, b };
    bool known = false;

    for (size_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < lists[k]->len; i++) {
            enum value_type t = lists[k]->items[i].type;

            if (t == VALUE_ARRAY)
                return err_set(run->err, ERR_INVALID, "lists of lists are not supported");
            if (t == VALUE_NULL || (known && t != *ret))
                return err_set(run->err, ERR_UNSUPPORTED,
                               "list element types are not identical: [%.*s %.*s]",
                               STR_ARG(go_text(run->arena, a)), STR_ARG(go_text(run->arena, b)));
            *ret = t;
            known = true;
        }
    return 0;
}

int merge_check_order(struct merge_run *run, const struct value *patch, const struct value *order,
                      struct str merge_key)
{
    uint32_t at = 0;

    if (!patch || patch->len == 0 || order->len == 0)
        return 0;
    for (uint32_t i = 0; i < patch->len; i++) {
        const struct value *item = &patch->items[i];
        struct str want;
        bool found = false;

        if (merge_key.len && item->type != VALUE_OBJECT)
            return err_set(run->err, ERR_UNSUPPORTED,
                           "expected a map[string]interface {}, but received a %s",
                           merge_type_name(item));
        if (merge_key.len && value_get(item, STR("$patch")))
            continue;
        want = identity(run->arena, item, merge_key);
        if (!want.p)
            return merge_no_key(run, item, merge_key);
        while (at < order->len && !found) {
            struct str have = identity(run->arena, &order->items[at], merge_key);

            if (!have.p)
                return merge_no_key(run, &order->items[at], merge_key);
            found = str_eq(want, have);
            at++;
        }
        if (!found)
            return err_set(run->err, ERR_UNSUPPORTED,
                           "The order in patch list:\n%.*s\n doesn't match $setElementOrder "
                           "list:\n%.*s\n",
                           STR_ARG(go_text(run->arena, patch)),
                           STR_ARG(go_text(run->arena, order)));
    }
    return 0;
}

/* An item while lists are ordered. */
struct placed {
    struct value item;
    ptrdiff_t wanted; /* position in the wanted order, -1: not named there */
    ptrdiff_t old;    /* position in the old list, -1: new */
    size_t nth;       /* position in the merged list: makes sorting stable */
};

static int compare_numbers(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? -1 : a > b;
}

static int by_wanted(const void *x, const void *y)
{
    const struct placed *a = x, *b = y;
    int c = compare_numbers(a->wanted, b->wanted);

    return c ? c : compare_numbers((ptrdiff_t)a->nth, (ptrdiff_t)b->nth);
}

/* Items that were not in the old list come after those that were. */
static int by_old(const void *x, const void *y)
{
    const struct placed *a = x, *b = y;
    int c = compare_numbers(a->old < 0 ? PTRDIFF_MAX : a->old, b->old < 0 ? PTRDIFF_MAX : b->old);

    return c ? c : compare_numbers((ptrdiff_t)a->nth, (ptrdiff_t)b->nth);
}

/* Named items keep their order, others theirs; one of the others goes before a named one when it
 * stood before it in the old list. */
static void interleave(struct value *list, const struct placed *named, size_t n_named,
                       const struct placed *others, size_t n_others)
{
    size_t i = 0, j = 0;

    list->len = 0;
    while (i < n_others || j < n_named) {
        bool other_first = j == n_named || (i < n_others && others[i].old >= 0 &&
                                            named[j].old >= 0 && others[i].old < named[j].old);

        list->items[list->len++] = other_first ? others[i++].item : named[j++].item;
    }
}

int merge_order(struct merge_run *run, struct value *list, const struct value *order,
                const struct value *old, struct str merge_key)
{
    CLEANUP(map_done) struct map in_order = { 0 }, in_old = { 0 };
    struct placed *named = ARENA_NEW_ARRAY(run->arena, struct placed, list->len);
    struct placed *others = ARENA_NEW_ARRAY(run->arena, struct placed, list->len);
    size_t n_named = 0, n_others = 0;

    index_list(run->arena, &in_order, order, merge_key);
    index_list(run->arena, &in_old, old, merge_key);
    for (uint32_t i = 0; i < list->len; i++) {
        struct str id = identity(run->arena, &list->items[i], merge_key);
        struct placed p = { .item = list->items[i], .nth = i };

        if (!id.p)
            return merge_no_key(run, &list->items[i], merge_key);
        p.wanted = position_of(&in_order, id);
        p.old = position_of(&in_old, id);
        if (p.wanted >= 0)
            named[n_named++] = p;
        else
            others[n_others++] = p;
    }
    if (n_named)
        qsort(named, n_named, sizeof(*named), by_wanted);
    if (n_others)
        qsort(others, n_others, sizeof(*others), by_old);
    interleave(list, named, n_named, others, n_others);
    return 0;
}

/* Both lists hold scalars: the union, each once. */
static void unite_scalars(struct arena *a, struct value *doc, const struct value *patch)
{
    CLEANUP(map_done) struct map seen = { 0 };
    const struct value *lists[] = { doc, patch };
    struct value out = value_array();

    out.cap = doc->len + patch->len;
    out.items = ARENA_NEW_ARRAY(a, struct value, out.cap);
    for (size_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < lists[k]->len; i++) {
            struct str id = identity(a, &lists[k]->items[i], STR_NULL);

            if (map_has(&seen, id))
                continue;
            (void)map_put(&seen, id, position(i)); /* a set */
            out.items[out.len++] = lists[k]->items[i];
        }
    *doc = out;
}

static void remove_scalars(struct arena *a, struct value *doc, const struct value *patch)
{
    CLEANUP(map_done) struct map gone = { 0 };
    uint32_t kept = 0;

    index_list(a, &gone, patch, STR_NULL);
    for (uint32_t i = 0; i < doc->len; i++)
        if (!map_has(&gone, identity(a, &doc->items[i], STR_NULL)))
            doc->items[kept++] = doc->items[i];
    doc->len = kept;
}

/* Items with "$patch": deletes what they name from *doc, or empties it for "replace"; *ret_plain
 * are the other items (shared, not copied). */
static int apply_item_directives(struct merge_run *run, struct value *doc,
                                 const struct value *patch, struct str merge_key,
                                 struct value *ret_plain)
{
    CLEANUP(map_done) struct map gone = { 0 };
    struct value plain = value_array();
    bool replace = false;
    uint32_t kept = 0;

    plain.cap = patch->len;
    plain.items = ARENA_NEW_ARRAY(run->arena, struct value, patch->len);
    for (uint32_t i = 0; i < patch->len; i++) {
        const struct value *item = &patch->items[i], *directive = value_get(item, STR("$patch"));
        struct str name = directive && directive->type == VALUE_STRING ? directive->s : STR_NULL;

        if (!directive) {
            plain.items[plain.len++] = *item;
        } else if (str_eq(name, STR("delete"))) {
            struct str id = identity(run->arena, item, merge_key);

            if (!id.p)
                return merge_no_key(run, item, merge_key);
            (void)map_put(&gone, id, position(i)); /* a set */
        } else if (str_eq(name, STR("replace"))) {
            replace = true;
        } else if (str_eq(name, STR("merge"))) {
            return err_set(run->err, ERR_UNSUPPORTED,
                           "merging lists cannot yet be specified in the patch");
        } else {
            return merge_bad_directive(run, directive, item);
        }
    }
    for (uint32_t i = 0; i < doc->len && !replace; i++) {
        struct str id = identity(run->arena, &doc->items[i], merge_key);

        if (!id.p || !map_has(&gone, id))
            doc->items[kept++] = doc->items[i];
    }
    doc->len = kept;
    *ret_plain = plain;
    return 0;
}

/* Merges the items of plain into *doc by key; new ones are appended. */
static int merge_items(struct merge_run *run, const struct merge_field *field, struct value *doc,
                       const struct value *plain)
{
    CLEANUP(map_done) struct map at = { 0 };
    struct value out = value_array();

    out.cap = doc->len + plain->len;
    out.len = doc->len;
    out.items = ARENA_NEW_ARRAY(run->arena, struct value, out.cap);
    if (doc->len)
        memcpy(out.items, doc->items, doc->len * sizeof(*out.items));
    index_list(run->arena, &at, doc, field->merge_key);
    for (uint32_t i = 0; i < plain->len; i++) {
        struct str id = identity(run->arena, &plain->items[i], field->merge_key);
        ptrdiff_t pos;
        int r;

        if (!id.p)
            return merge_no_key(run, &plain->items[i], field->merge_key);
        pos = position_of(&at, id);
        if (pos < 0) {
            (void)map_put(&at, id, position(out.len)); /* absent so far */
            out.items[out.len++] = value_copy(run->arena, &plain->items[i]);
            continue;
        }
        r = merge_maps(run, field->node, &out.items[pos], &plain->items[i]);
        if (r < 0)
            return r;
    }
    *doc = out;
    return 0;
}

int merge_lists(struct merge_run *run, const struct merge_field *field, struct value *doc,
                const struct value *patch, bool remove)
{
    enum value_type type = VALUE_NULL;
    struct value old, plain = *patch;
    int r;

    if (doc->len == 0 && patch->len == 0)
        return 0;
    r = element_type(run, doc, patch, &type);
    if (r < 0)
        return r;
    if (type != VALUE_OBJECT && remove) {
        remove_scalars(run->arena, doc, patch);
        return 0;
    }
    if (type == VALUE_OBJECT && field->merge_key.len == 0)
        return err_set(run->err, ERR_UNSUPPORTED, "cannot merge lists without merge key for %s",
                       field->node.type ? "struct" : "map");
    if (type == VALUE_OBJECT) {
        r = apply_item_directives(run, doc, patch, field->merge_key, &plain);
        if (r < 0)
            return r;
    }
    old = *doc;
    old.items = arena_dup(run->arena, doc->items, doc->len * sizeof(*doc->items));
    if (type == VALUE_OBJECT)
        r = merge_items(run, field, doc, &plain);
    else
        unite_scalars(run->arena, doc, patch);
    if (r < 0)
        return r;
    return merge_order(run, doc, &plain, &old, type == VALUE_OBJECT ? field->merge_key : STR_NULL);
}
