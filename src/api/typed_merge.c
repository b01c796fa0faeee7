/* Comparing, merging and taking apart of structured values. */
#include "api/typed_value.h"

#include "api/value_index.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"

struct typed_run {
    struct arena *arena;
    struct err *err;
};

static int check_size(struct typed_run *run)
{
    return arena_is_over(run->arena)
               ? err_set(run->err, ERR_TOO_LARGE, "the object has too many fields")
               : 0;
}

static bool is_void(const struct value *v)
{
    return !v || (v->type != VALUE_OBJECT && v->type != VALUE_ARRAY) || !v->len;
}

static bool is_leaf(const struct field_type *t, const struct value *l, const struct value *r)
{
    if (!field_type_is_map(t) && t->form != FIELD_FORM_LIST)
        return true;
    return t->relation == FIELD_WHOLE || (is_void(l) && is_void(r));
}

static const struct value empty_object = { .type = VALUE_OBJECT };

static const struct value *as_object(const struct value *v)
{
    return v && v->type == VALUE_OBJECT ? v : &empty_object;
}

/* --- comparing --- */

static int compare(struct typed_run *run, const struct field_type *t, const struct value *l,
                   const struct value *r, struct typed_comparison *below,
                   struct typed_comparison *into, struct str element);

/* One side's path itself: appended to the parent's three sets with what is below it. */
static void report(struct typed_run *run, struct typed_comparison *into,
                   const struct typed_comparison *below, struct str element, bool added,
                   bool removed, bool modified)
{
    field_set_append(run->arena, &into->added,
                     (struct field_set_node){ element, below->added, added });
    field_set_append(run->arena, &into->removed,
                     (struct field_set_node){ element, below->removed, removed });
    field_set_append(run->arena, &into->modified,
                     (struct field_set_node){ element, below->modified, modified });
}

static void sort_all(struct typed_run *run, struct typed_comparison *c)
{
    field_set_sort(run->arena, &c->added);
    field_set_sort(run->arena, &c->removed);
    field_set_sort(run->arena, &c->modified);
}

static int compare_member(struct typed_run *run, const struct field_type *t, struct str name,
                          const struct value *l, const struct value *r,
                          struct typed_comparison *into)
{
    struct typed_comparison below = { 0 };
    struct field_type type;
    bool declared;

    if (!t->ops->member(t, name, &type, &declared))
        return 0;
    return compare(run, &type, l, r, &below, into, str_join(run->arena, STR("f:"), name, STR_NULL));
}

static int compare_maps(struct typed_run *run, const struct field_type *t, const struct value *l,
                        const struct value *r, struct typed_comparison *into)
{
    CLEANUP(value_index_done) struct value_index left = { 0 }, right = { 0 };
    int rc = 0;

    l = as_object(l);
    r = as_object(r);
    value_index_init(&left, l, r->len);
    value_index_init(&right, r, l->len);
    for (uint32_t i = 0; rc >= 0 && i < l->len; i++) {
        const struct value_member *m = value_index_find(&right, l->members[i].key);

        rc = compare_member(run, t, l->members[i].key, &l->members[i].v, m ? &m->v : NULL, into);
    }
    for (uint32_t i = 0; rc >= 0 && i < r->len; i++)
        if (!value_index_find(&left, r->members[i].key))
            rc = compare_member(run, t, r->members[i].key, NULL, &r->members[i].v, into);
    sort_all(run, into);
    return rc;
}

static uint32_t chain_len(const struct typed_items *items, uint32_t i)
{
    uint32_t n = 1;

    while ((i = items->next[i])) {
        n++;
        i--;
    }
    return n;
}

/* Items of one element, some of them several: as a whole. */
static bool chains_equal(const struct typed_items *l, uint32_t i, const struct typed_items *r,
                         uint32_t k)
{
    if (chain_len(l, i) != chain_len(r, k))
        return false;
    for (;;) {
        if (!value_equal(&l->list->items[i], &r->list->items[k]))
            return false;
        if (!l->next[i])
            return true;
        i = l->next[i] - 1;
        k = r->next[k] - 1;
    }
}

static int compare_lists(struct typed_run *run, const struct field_type *t, const struct value *l,
                         const struct value *r, struct typed_comparison *into)
{
    struct field_type element = t->ops->element(t);
    struct typed_items left = { 0 }, right = { 0 };
    int rc = typed_items_init(run->arena, t, l, &left, run->err);

    if (rc >= 0)
        rc = typed_items_init(run->arena, t, r, &right, run->err);
    for (uint32_t i = 0; rc >= 0 && i < left.len; i++) {
        int64_t k = typed_items_find(&right, left.elements[i]);
        struct typed_comparison below = { 0 };

        if (typed_items_find(&left, left.elements[i]) != i)
            continue;
        if (k >= 0 && (left.next[i] || right.next[k]))
            report(run, into, &below, left.elements[i], false, false,
                   !chains_equal(&left, i, &right, (uint32_t)k));
        else
            rc = compare(run, &element, &left.list->items[i], k >= 0 ? &right.list->items[k] : NULL,
                         &below, into, left.elements[i]);
    }
    for (uint32_t k = 0; rc >= 0 && k < right.len; k++) {
        struct typed_comparison below = { 0 };

        if (typed_items_find(&left, right.elements[k]) < 0 &&
            typed_items_find(&right, right.elements[k]) == k)
            rc = compare(run, &element, NULL, &right.list->items[k], &below, into,
                         right.elements[k]);
    }
    sort_all(run, into);
    return rc;
}

static int compare_as(struct typed_run *run, const struct field_type *t, const struct value *l,
                      const struct value *r, struct typed_comparison *below, bool *ret_modified)
{
    if (is_leaf(t, l, r)) {
        *ret_modified |= l && r && !value_equal(l, r);
        return 0;
    }
    return field_type_is_map(t) ? compare_maps(run, t, l, r, below)
                                : compare_lists(run, t, l, r, below);
}

static int compare(struct typed_run *run, const struct field_type *t, const struct value *l,
                   const struct value *r, struct typed_comparison *below,
                   struct typed_comparison *into, struct str element)
{
    struct field_type tl = field_type_of_value(*t, l ? l : r);
    struct field_type tr = field_type_of_value(*t, r ? r : l);
    bool modified = false;
    int rc = check_size(run);

    if (rc >= 0 && tl.form != tr.form)
        rc = compare_as(run, &tl, l, r, below, &modified);
    if (rc >= 0)
        rc = compare_as(run, &tr, l, r, below, &modified);
    if (rc >= 0)
        report(run, into, below, element, !l, !r, modified);
    return rc;
}

int typed_value_compare(struct arena *a, const struct field_type *t, const struct value *left,
                        const struct value *right, struct typed_comparison *ret, struct err *err)
{
    struct typed_run run = { .arena = a, .err = err };
    struct typed_comparison c = { 0 };
    int r = compare_maps(&run, t, left, right, &c);

    if (r >= 0)
        *ret = c;
    return r;
}

/* --- merging --- */

static int merge(struct typed_run *run, const struct field_type *t, const struct value *l,
                 const struct value *r, struct value *ret);

static int merge_maps(struct typed_run *run, const struct field_type *t, const struct value *l,
                      const struct value *r, struct value *ret)
{
    CLEANUP(value_index_done) struct value_index left = { 0 }, right = { 0 };
    struct value out = value_object(), v;
    int rc = 0;

    l = as_object(l);
    r = as_object(r);
    value_index_init(&left, l, r->len);
    value_index_init(&right, r, l->len);
    out.members = ARENA_NEW_ARRAY(run->arena, struct value_member, l->len + r->len + 1);
    out.cap = l->len + r->len + 1;
    for (uint32_t i = 0; rc >= 0 && i < l->len; i++) {
        const struct value_member *m = value_index_find(&right, l->members[i].key);
        struct field_type type;
        bool declared;

        v = l->members[i].v;
        if (m && t->ops->member(t, m->key, &type, &declared))
            rc = merge(run, &type, &l->members[i].v, &m->v, &v);
        out.members[out.len++] = (struct value_member){ l->members[i].key, v };
    }
    for (uint32_t i = 0; rc >= 0 && i < r->len; i++)
        if (!value_index_find(&left, r->members[i].key))
            out.members[out.len++] = r->members[i];
    *ret = out;
    return rc;
}

struct list_merge {
    struct typed_run *run;
    struct field_type element;
    struct typed_items left, right;
    struct value out;
};

/* Item k of right, over its namesake in left where there is exactly one. */
static int take_right(struct list_merge *m, uint32_t k)
{
    int64_t i = typed_items_find(&m->left, m->right.elements[k]);
    struct value v = m->right.list->items[k];
    int rc = 0;

    if (i >= 0 && !m->left.next[i])
        rc = merge(m->run, &m->element, &m->left.list->items[i], &m->right.list->items[k], &v);
    m->out.items[m->out.len++] = v;
    return rc;
}

/* The next item of right from k on that left has too; right.len when there is none. */
static uint32_t next_shared(const struct list_merge *m, uint32_t k)
{
    while (k < m->right.len && typed_items_find(&m->left, m->right.elements[k]) < 0)
        k++;
    return k;
}

/* Right's order for what it names. An item that only left has stays behind its left neighbour:
 * the walk through left stops at the item that right has next. */
static int merge_lists(struct typed_run *run, const struct field_type *t, const struct value *l,
                       const struct value *r, struct value *ret)
{
    struct list_merge m = { .run = run, .element = t->ops->element(t), .out = value_array() };
    int rc = typed_items_init(run->arena, t, l, &m.left, run->err);
    uint32_t i = 0, k = 0, shared;

    if (rc >= 0)
        rc = typed_items_init(run->arena, t, r, &m.right, run->err);
    if (rc < 0)
        return rc;
    m.out.cap = m.left.len + m.right.len + 1;
    m.out.items = ARENA_NEW_ARRAY(run->arena, struct value, m.out.cap);
    shared = next_shared(&m, 0);
    while (rc >= 0 && (i < m.left.len || k < m.right.len)) {
        if (i < m.left.len) {
            struct str element = m.left.elements[i];
            bool both = typed_items_find(&m.right, element) >= 0;

            if (!both) {
                m.out.items[m.out.len++] = m.left.list->items[i++];
                continue;
            }
            if (shared == m.right.len || !str_eq(element, m.right.elements[shared])) {
                i++; /* taken already, or where right has it */
                continue;
            }
        }
        if (k < m.right.len) {
            bool was_shared = k == shared;

            rc = take_right(&m, k++);
            if (was_shared) {
                shared = next_shared(&m, k);
                i += i < m.left.len;
            }
        }
    }
    *ret = m.out;
    return rc;
}

static int merge(struct typed_run *run, const struct field_type *t, const struct value *l,
                 const struct value *r, struct value *ret)
{
    struct field_type tl = field_type_of_value(*t, l), tr = field_type_of_value(*t, r);
    int rc = check_size(run);

    if (rc < 0)
        return rc;
    if (tl.form != tr.form || is_leaf(&tr, l, r)) {
        *ret = *r;
        return 0;
    }
    return field_type_is_map(&tr) ? merge_maps(run, &tr, l, r, ret)
                                  : merge_lists(run, &tr, l, r, ret);
}

int typed_value_merge(struct arena *a, const struct field_type *t, const struct value *left,
                      const struct value *right, struct value *ret, struct err *err)
{
    struct typed_run run = { .arena = a, .err = err };
    struct value v = { 0 };
    int r = merge(&run, t, left, right, &v);

    if (r >= 0)
        *ret = v;
    return r;
}

/* --- removing --- */

static int take_out(struct typed_run *run, const struct field_type *t, const struct value *v,
                    const struct field_set *set, struct value *ret);

static int take_members(struct typed_run *run, const struct field_type *t, const struct value *v,
                        const struct field_set *set, struct value *ret)
{
    struct value out = value_object();

    out.cap = v->len;
    out.members = ARENA_NEW_ARRAY(run->arena, struct value_member, v->len);
    for (uint32_t i = 0; i < v->len; i++) {
        struct value_member m = v->members[i];
        const struct field_set_node *n =
            field_set_find(set, str_join(run->arena, STR("f:"), m.key, STR_NULL));
        struct field_type below;
        bool declared;

        if (n && n->member)
            continue;
        if (n && t->ops->member(t, m.key, &below, &declared)) {
            int r = take_out(run, &below, &v->members[i].v, &n->below, &m.v);

            if (r < 0)
                return r;
        }
        out.members[out.len++] = m;
    }
    *ret = out.len ? out : (struct value){ .type = VALUE_NULL };
    return 0;
}

static int take_items(struct typed_run *run, const struct field_type *t, const struct value *v,
                      const struct field_set *set, struct value *ret)
{
    struct field_type element = t->ops->element(t);
    struct value out = value_array();

    out.cap = v->len;
    out.items = ARENA_NEW_ARRAY(run->arena, struct value, v->len);
    for (uint32_t i = 0; i < v->len; i++) {
        struct value x = v->items[i];
        const struct field_set_node *n;
        struct str text;
        int r = typed_value_element(run->arena, t, &x, &text, run->err);

        if (r < 0)
            return r;
        n = field_set_find(set, text);
        if (n && n->member)
            continue;
        if (n) {
            r = take_out(run, &element, &v->items[i], &n->below, &x);
            if (r < 0)
                return r;
        }
        out.items[out.len++] = x;
    }
    *ret = out.len ? out : (struct value){ .type = VALUE_NULL };
    return 0;
}

static int take_out(struct typed_run *run, const struct field_type *type, const struct value *v,
                    const struct field_set *set, struct value *ret)
{
    struct field_type t = field_type_of_value(*type, v);
    int r = check_size(run);

    *ret = *v;
    if (r < 0 || is_void(v) || t.relation == FIELD_WHOLE || !set->len)
        return r;
    if (field_type_is_map(&t))
        return v->type == VALUE_OBJECT ? take_members(run, &t, v, set, ret) : 0;
    return t.form == FIELD_FORM_LIST && v->type == VALUE_ARRAY ? take_items(run, &t, v, set, ret)
                                                               : 0;
}

int typed_value_remove(struct arena *a, const struct field_type *t, const struct value *v,
                       const struct field_set *set, struct value *ret, struct err *err)
{
    struct typed_run run = { .arena = a, .err = err };
    struct value out;
    int r = take_out(&run, t, v, set, &out);

    if (r >= 0)
        *ret = out;
    return r;
}
