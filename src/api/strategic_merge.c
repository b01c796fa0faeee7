/* Strategic merge patch. The document is changed in place; the patch is only read (what enters the
 * document is copied), because a lost write race applies it again. Recursion follows the patch,
 * whose depth the parser bounds by VALUE_MAX_DEPTH. Look-ups go through indexes, so that merging
 * wide maps and long lists stays linear; ordering of lists is in strategic_merge_list.c. */
#include "api/strategic_merge.h"

#include "api/schema.h"
#include "api/strategic_merge_internal.h"
#include "api/value_index.h"
#include "base/arena.h"
#include "base/err.h"

#define DIRECTIVE      "$patch"
#define RETAIN_KEYS    "$retainKeys"
#define DELETE_FROM    "$deleteFromPrimitiveList"
#define ELEMENT_ORDER  "$setElementOrder"
#define ORDER_MALFORM  "invalid patch format of setElementOrder list"
#define RETAIN_MALFORM "invalid patch format of retainKeys"

int strategic_merge_decode(struct arena *a, struct str json, struct value *ret, struct err *err)
{
    struct value v;

    if (value_parse(a, json, &v, NULL, err) < 0)
        return err->code;
    if (v.type == VALUE_NULL)
        v = value_object();
    if (v.type != VALUE_OBJECT)
        return err_set(err, ERR_SYNTAX,
                       "json: cannot unmarshal %s into Go value of type map[string]interface {}",
                       value_type_name(&v));
    *ret = v;
    return 0;
}

/* What the schema says of member `key` of a map at `at`. */
static int look_up(struct merge_run *run, struct merge_node at, struct str key,
                   struct merge_field *ret)
{
    const struct schema_field *f;
    uint32_t base;

    if (!at.type)
        return err_set(run->err, ERR_UNSUPPORTED,
                       "merging an object in json but data type is not struct, instead is: %s",
                       at.is_map ? "map" : "interface");
    f = schema_find_member(run->schema, at.type, key, &base);
    if (!f)
        return err_set(run->err, ERR_UNSUPPORTED,
                       "unable to find api field in struct %s for the json field \"%.*s\"",
                       schema_cstr(run->schema, at.type->name), STR_ARG(key));
    *ret = (struct merge_field){
        .merge = f->flags & SCHEMA_PATCH_MERGE,
        .replace = f->flags & SCHEMA_PATCH_REPLACE,
        .is_list = f->shape == SCHEMA_LIST,
        .merge_key = schema_str(run->schema, f->patch_key),
        .node = { .is_map = f->shape == SCHEMA_MAP },
    };
    if (f->kind == SCHEMA_KIND_STRUCT && f->shape != SCHEMA_MAP)
        ret->node.type = &run->schema->types[f->type];
    return 0;
}

static int look_up_list(struct merge_run *run, struct merge_node at, struct str key,
                        struct merge_field *ret)
{
    int r = look_up(run, at, key, ret);

    if (r < 0)
        return r;
    if (!ret->is_list)
        return err_set(run->err, ERR_UNSUPPORTED, "expected slice or array type, but got: struct");
    return 0;
}

static bool is_directive(struct str key, struct str directive)
{
    return str_has_prefix(key, directive);
}

/* A deep copy without null members and without maps that hold "$patch": what a member that the
 * document lacks becomes. False: nothing is left of it. */
static bool copy_clean(struct arena *a, const struct value *v, struct value *ret)
{
    struct value out = *v, item;

    if (v->type == VALUE_OBJECT) {
        if (value_get(v, STR(DIRECTIVE)))
            return false;
        out.len = 0;
        out.cap = v->len;
        out.members = ARENA_NEW_ARRAY(a, struct value_member, v->len);
        for (uint32_t i = 0; i < v->len; i++)
            if (v->members[i].v.type != VALUE_NULL && copy_clean(a, &v->members[i].v, &item))
                out.members[out.len++] =
                    (struct value_member){ .key = v->members[i].key, .v = item };
    } else if (v->type == VALUE_ARRAY) {
        out.len = 0;
        out.cap = v->len;
        out.items = ARENA_NEW_ARRAY(a, struct value, v->len);
        for (uint32_t i = 0; i < v->len; i++)
            if (copy_clean(a, &v->items[i], &item))
                out.items[out.len++] = item;
    }
    *ret = out;
    return true;
}

/* "$retainKeys": clears what is not named, and refuses a patch that sets something else. */
static int apply_retain_keys(struct merge_run *run, struct value *doc, const struct value *patch)
{
    CLEANUP(map_done) struct map keep = { 0 };
    const struct value *list = value_get(patch, STR(RETAIN_KEYS));
    uint32_t kept = 0;

    if (!list)
        return 0;
    if (list->type != VALUE_ARRAY)
        return err_set(run->err, ERR_SYNTAX, RETAIN_MALFORM);
    for (uint32_t i = 0; i < list->len; i++)
        if (list->items[i].type == VALUE_STRING)
            (void)map_put(&keep, list->items[i].s, &keep); /* a set: the value says nothing */
    for (uint32_t i = 0; i < patch->len; i++) {
        struct str key = patch->members[i].key;

        if (patch->members[i].v.type == VALUE_NULL || is_directive(key, STR(DELETE_FROM)) ||
            is_directive(key, STR(ELEMENT_ORDER)) || str_eq(key, STR(RETAIN_KEYS)))
            continue;
        if (!map_has(&keep, key))
            return err_set(run->err, ERR_SYNTAX, RETAIN_MALFORM);
    }
    for (uint32_t i = 0; i < doc->len; i++)
        if (map_has(&keep, doc->members[i].key))
            doc->members[kept++] = doc->members[i];
    doc->len = kept;
    return 0;
}

static const struct value_member *find_member(const struct value *v, struct str key)
{
    for (uint32_t i = 0; i < v->len; i++)
        if (str_eq(v->members[i].key, key))
            return &v->members[i];
    return NULL;
}

static int list_or_absent(struct merge_run *run, const struct value *v)
{
    if (!v || v->type == VALUE_ARRAY)
        return 0;
    return err_set(run->err, ERR_UNSUPPORTED, "expected a []interface {}, but received a %s",
                   merge_type_name(v));
}

/* One "$setElementOrder/F": merges list F of both sides and puts it in the wanted order. */
static int apply_element_order(struct merge_run *run, struct merge_node at, struct value *doc,
                               const struct value *patch, const struct value_member *directive,
                               bool *consumed)
{
    const struct value *order = &directive->v, *patch_list;
    const struct value_member *member;
    struct value *doc_list, merged = value_array(), old = value_array();
    struct merge_field field;
    struct str prefix, key;
    int r;

    if (order->type != VALUE_ARRAY)
        return list_or_absent(run, order);
    if (!str_cut(directive->key, '/', &prefix, &key) || !str_eq(prefix, STR(ELEMENT_ORDER)))
        return err_set(run->err, ERR_SYNTAX, ORDER_MALFORM);
    doc_list = value_get(doc, key);
    member = find_member(patch, key);
    patch_list = member ? &member->v : NULL;
    r = list_or_absent(run, doc_list);
    if (r >= 0)
        r = list_or_absent(run, patch_list);
    if (r >= 0)
        r = look_up_list(run, at, key, &field);
    if (r >= 0)
        r = merge_check_order(run, patch_list, order, field.merge_key);
    if (r < 0)
        return r;
    if (!doc_list && !patch_list)
        return 0;
    if (doc_list) {
        /* A flat copy: merging works on the list in place, the old order is still needed. */
        old = *doc_list;
        old.items = arena_dup(run->arena, doc_list->items, doc_list->len * sizeof(*old.items));
        merged = *doc_list;
    }
    if (!doc_list)
        (void)copy_clean(run->arena, patch_list, &merged); /* lists are always kept */
    else if (patch_list && field.merge)
        r = merge_lists(run, &field, &merged, patch_list, false);
    else if (patch_list)
        merged = value_copy(run->arena, patch_list);
    if (r >= 0)
        r = merge_order(run, &merged, order, &old, field.merge_key);
    if (r < 0)
        return r;
    value_set(run->arena, doc, key, merged);
    if (member)
        consumed[member - patch->members] = true;
    return 0;
}

static int apply_element_orders(struct merge_run *run, struct merge_node at, struct value *doc,
                                const struct value *patch, bool *consumed)
{
    for (uint32_t i = 0; i < patch->len; i++) {
        int r;

        if (!is_directive(patch->members[i].key, STR(ELEMENT_ORDER)))
            continue;
        consumed[i] = true;
        r = apply_element_order(run, at, doc, patch, &patch->members[i], consumed);
        if (r < 0)
            return r;
    }
    return 0;
}

/* "$deleteFromPrimitiveList/F". Lists that the document lacks stay absent. */
static int apply_delete_lists(struct merge_run *run, struct merge_node at, struct value *doc,
                              const struct value *patch)
{
    CLEANUP(value_index_done) struct value_index ix;

    value_index_init(&ix, doc, patch->len);
    for (uint32_t i = 0; i < patch->len; i++) {
        const struct value_member *p = &patch->members[i];
        struct merge_field field;
        struct value_member *m;
        struct str prefix, key;
        int r;

        if (!is_directive(p->key, STR(DELETE_FROM)))
            continue;
        if (!str_cut(p->key, '/', &prefix, &key) || !str_eq(prefix, STR(DELETE_FROM)))
            return err_set(run->err, ERR_SYNTAX, "invalid patch format of primitive list");
        m = value_index_find(&ix, key);
        if (!m || m->v.type != VALUE_ARRAY || p->v.type != VALUE_ARRAY)
            continue;
        r = look_up_list(run, at, key, &field);
        if (r >= 0)
            r = merge_lists(run, &field, &m->v, &p->v, true);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Member `key` is in both: merges p into *v. *ret_keep false: it goes. */
static int merge_member(struct merge_run *run, struct merge_node at, struct str key,
                        struct value *v, const struct value *p, bool *ret_keep)
{
    struct merge_field field;
    int r;

    *ret_keep = true;
    if (v->type == p->type && p->type == VALUE_OBJECT) {
        r = look_up(run, at, key, &field);
        if (r < 0)
            return r;
        if (field.replace) {
            *v = value_copy(run->arena, p);
            return 0;
        }
        return merge_maps(run, field.node, v, p);
    }
    if (v->type == p->type && p->type == VALUE_ARRAY) {
        r = look_up_list(run, at, key, &field);
        if (r < 0)
            return r;
        if (field.merge)
            return merge_lists(run, &field, v, p, false);
        *v = value_copy(run->arena, p);
        return 0;
    }
    *ret_keep = copy_clean(run->arena, p, v);
    return 0;
}

static bool is_plain(const struct value *patch, const struct value_member *m, const bool *consumed)
{
    return !consumed[m - patch->members] && !is_directive(m->key, STR(DELETE_FROM)) &&
           !str_eq(m->key, STR(RETAIN_KEYS));
}

/* The members that are no directives: the document's in their order, then new ones. */
static int merge_members(struct merge_run *run, struct merge_node at, struct value *doc,
                         const struct value *patch, const bool *consumed)
{
    CLEANUP(value_index_done) struct value_index in_doc, in_patch;
    struct value out = value_object();

    value_index_init(&in_doc, doc, patch->len);
    value_index_init(&in_patch, patch, doc->len);
    out.cap = doc->len + patch->len;
    out.members = ARENA_NEW_ARRAY(run->arena, struct value_member, out.cap);
    for (uint32_t i = 0; i < doc->len; i++) {
        struct value_member m = doc->members[i];
        const struct value_member *p = value_index_find(&in_patch, m.key);
        bool keep = true;

        if (p && is_plain(patch, p, consumed)) {
            int r = p->v.type == VALUE_NULL ? 0 : merge_member(run, at, m.key, &m.v, &p->v, &keep);
            if (r < 0)
                return r;
            keep = keep && p->v.type != VALUE_NULL;
        }
        if (keep)
            out.members[out.len++] = m;
    }
    for (uint32_t i = 0; i < patch->len; i++) {
        const struct value_member *p = &patch->members[i];
        struct value v;

        if (is_plain(patch, p, consumed) && p->v.type != VALUE_NULL &&
            !value_index_find(&in_doc, p->key) && copy_clean(run->arena, &p->v, &v))
            out.members[out.len++] = (struct value_member){ .key = p->key, .v = v };
    }
    *doc = out;
    return 0;
}

/* "$patch" in a map: 1 when it said all there is to say. */
static int apply_map_directive(struct merge_run *run, struct value *doc, const struct value *patch)
{
    const struct value *directive = value_get(patch, STR(DIRECTIVE));

    if (!directive)
        return 0;
    if (directive->type == VALUE_STRING && str_eq(directive->s, STR("replace"))) {
        *doc = value_copy(run->arena, patch);
        value_remove(doc, STR(DIRECTIVE));
        return 1;
    }
    if (directive->type == VALUE_STRING && str_eq(directive->s, STR("delete"))) {
        *doc = value_object();
        return 1;
    }
    return merge_bad_directive(run, directive, patch);
}

int merge_maps(struct merge_run *run, struct merge_node at, struct value *doc,
               const struct value *patch)
{
    bool *consumed;
    int r = apply_map_directive(run, doc, patch);

    if (r != 0)
        return r < 0 ? r : 0;
    if (arena_is_over(run->arena))
        return err_set(run->err, ERR_TOO_LARGE, "the patched object is too large");
    consumed = ARENA_NEW_ARRAY(run->arena, bool, patch->len);
    r = apply_retain_keys(run, doc, patch);
    if (r >= 0)
        r = apply_element_orders(run, at, doc, patch, consumed);
    if (r >= 0)
        r = merge_members(run, at, doc, patch, consumed);
    if (r >= 0)
        r = apply_delete_lists(run, at, doc, patch);
    return r;
}

int strategic_merge_apply(struct arena *a, const struct schema *s, const struct schema_type *t,
                          struct value *doc, const struct value *patch, struct err *err)
{
    struct merge_run run = { .arena = a, .schema = s, .err = err };

    if (doc->type != VALUE_OBJECT || patch->type != VALUE_OBJECT)
        return err_set(err, ERR_SYNTAX, "invalid JSON document");
    return merge_maps(&run, (struct merge_node){ .type = t }, doc, patch);
}
