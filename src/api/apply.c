#include "api/apply.h"

#include <stdlib.h>

#include "api/field_error.h"
#include "api/typed_value.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

enum { VERSIONS_MAX = 8 };

/* --- one object in several versions --- */

static int in_version(const struct apply_call *call, const struct value *v, struct str version,
                      struct value *ret, struct field_type *ret_type, struct err *err)
{
    if (str_eq(version, call->who.api_version)) {
        *ret = *v;
        *ret_type = call->type;
        return 0;
    }
    if (!call->convert)
        return ERR_NOT_FOUND;
    return call->convert(call->convert_arg, call->arena, v, call->who.api_version, version, ret,
                         ret_type, err);
}

struct version_comparison {
    struct str version;
    struct typed_comparison c;
    int result;
};

struct comparisons {
    const struct apply_call *call;
    const struct value *live, *updated;
    struct version_comparison items[VERSIONS_MAX];
    size_t len;
};

static int compare_in(struct comparisons *cs, struct str version, struct typed_comparison *ret,
                      struct err *err)
{
    const struct apply_call *call = cs->call;
    struct value live, updated;
    struct field_type type = { 0 };
    int r = in_version(call, cs->live, version, &live, &type, err);

    if (r >= 0)
        r = in_version(call, cs->updated, version, &updated, &type, err);
    if (r >= 0)
        r = typed_value_compare(call->arena, &type, &live, &updated, ret, err);
    if (r < 0 || field_set_is_empty(&call->ignored))
        return r;
    ret->added = field_set_difference(call->arena, &ret->added, &call->ignored, true);
    ret->removed = field_set_difference(call->arena, &ret->removed, &call->ignored, true);
    ret->modified = field_set_difference(call->arena, &ret->modified, &call->ignored, true);
    return r;
}

/* What differs, in the paths of a version; worked out once for each. ERR_NOT_FOUND. */
static int comparison_get(struct comparisons *cs, struct str version,
                          const struct typed_comparison **ret, struct err *err)
{
    struct version_comparison *v;

    for (size_t i = 0; i < cs->len; i++)
        if (str_eq(cs->items[i].version, version)) {
            *ret = &cs->items[i].c;
            return cs->items[i].result;
        }
    if (cs->len == VERSIONS_MAX)
        return ERR_NOT_FOUND;
    v = &cs->items[cs->len++];
    *v = (struct version_comparison){ .version = version };
    v->result = compare_in(cs, version, &v->c, err);
    *ret = &v->c;
    return v->result;
}

/* --- conflicts --- */

struct lister {
    struct arena *arena;
    struct apply_conflicts *list;
    const struct managed_entry *owner;
};

static void list_conflict(struct str path, void *arg)
{
    struct lister *l = arg;
    struct apply_conflicts *c = l->list;

    if (c->len == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 8;
        struct apply_conflict *items = ARENA_NEW_ARRAY(l->arena, struct apply_conflict, cap);

        if (c->len)
            memcpy(items, c->items, c->len * sizeof(*items));
        c->items = items;
        c->cap = cap;
    }
    c->items[c->len++] = (struct apply_conflict){ *l->owner, str_dup(l->arena, path) };
}

/* Whoever is not `except` loses what was changed under it, or is in the way of that. */
static int settle(struct comparisons *cs, struct managed_fields *m, const struct managed_entry *own,
                  struct apply_conflicts *conflicts, struct err *err)
{
    struct arena *a = cs->call->arena;

    for (uint32_t i = 0; i < m->len; i++) {
        struct managed_entry *e = &m->items[i];
        struct lister lister = { a, conflicts, e };
        const struct typed_comparison *c = NULL;
        struct field_set set, taken;
        int r;

        if (e == own)
            continue;
        r = comparison_get(cs, e->api_version, &c, err);
        if (r == ERR_NOT_FOUND) {
            e->set = (struct field_set){ 0 };
            continue;
        }
        if (r < 0)
            return r;
        taken = field_set_union(a, &c->modified, &c->added);
        taken = field_set_intersection(a, &e->set, &taken);
        field_set_each(&taken, list_conflict, &lister);
        set = field_set_difference(a, &e->set, &taken, false);
        managed_entry_set(e, field_set_difference(a, &set, &c->removed, false));
    }
    return 0;
}

/* --- update --- */

static struct ktime now(const struct apply_call *call)
{
    return (struct ktime){ .sec = call->now_s, .set = true };
}

int apply_update(const struct apply_call *call, const struct value *live,
                 const struct value *updated, struct managed_fields *m, struct err *err)
{
    struct arena *a = call->arena;
    struct comparisons cs = { .call = call, .live = live, .updated = updated };
    struct managed_fields after = managed_fields_copy(a, m);
    const struct typed_comparison *c = NULL;
    struct apply_conflicts ignored = { 0 };
    struct managed_entry *e;
    struct field_set own;
    int r = comparison_get(&cs, call->who.api_version, &c, err);

    if (r >= 0)
        r = settle(&cs, &after, NULL, &ignored, err);
    if (r < 0)
        return r;
    own = field_set_union(a, &c->modified, &c->added);
    own = field_set_difference(a, &own, managed_fields_never_owned(), false);
    if (!field_set_is_empty(&own)) {
        e = managed_fields_find(&after, &call->who);
        if (!e)
            e = managed_fields_add(a, &after, &call->who);
        managed_entry_set(e, field_set_union(a, &own, &e->set));
        e->time = now(call);
    }
    managed_fields_remove_empty(&after);
    managed_fields_cap(a, &after);
    *m = after;
    return 0;
}

/* --- apply --- */

struct pruning {
    const struct apply_call *call;
    const struct managed_fields *managers; /* the applier's new set among them */
    struct err *err;
};

/* The paths of a value, structs on the way included. */
static int named_fields(struct pruning *p, const struct field_type *t, const struct value *v,
                        struct field_set *ret)
{
    struct field_set s;
    int r = typed_value_fields(p->call->arena, t, v, &s, p->err);

    if (r >= 0)
        *ret = field_set_with_named(p->call->arena, &s, t);
    return r;
}

/* Takes from merged what pruned lacks, but for what the managers of this version own. Both are in
 * that version. */
static int keep_owned(struct pruning *p, const struct field_type *t, struct str version,
                      const struct value *merged, struct value *pruned)
{
    struct arena *a = p->call->arena;
    struct field_set in_merged, kept, owned = { 0 }, out;
    int r = named_fields(p, t, merged, &in_merged);

    if (r >= 0)
        r = named_fields(p, t, pruned, &kept);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < p->managers->len; i++)
        if (str_eq(p->managers->items[i].api_version, version))
            owned = field_set_union(a, &owned, &p->managers->items[i].set);
    owned = field_set_with_named(a, &owned, t);
    kept = field_set_union(a, &kept, &owned);
    out = field_set_difference(a, &in_merged, &kept, false);
    return typed_value_remove(a, t, merged, &out, pruned, p->err);
}

/* The same for managers of another version: there and back again, so that only what that takes
 * out stays out. */
static int keep_owned_elsewhere(struct pruning *p, struct str version, const struct value *merged,
                                struct value *pruned)
{
    const struct apply_call *call = p->call;
    struct apply_call back = *call;
    struct value other_merged, other_pruned;
    struct field_type t;
    int r = in_version(call, merged, version, &other_merged, &t, p->err);

    if (r >= 0)
        r = in_version(call, pruned, version, &other_pruned, &t, p->err);
    if (r == ERR_NOT_FOUND)
        return 0;
    if (r >= 0)
        r = keep_owned(p, &t, version, &other_merged, &other_pruned);
    if (r < 0)
        return r;
    back.who.api_version = version;
    back.type = t;
    return in_version(&back, &other_pruned, call->who.api_version, pruned, &t, p->err);
}

/* Takes out what the applier said before (`last`), unless somebody owns it. */
static int prune(struct pruning *p, const struct managed_entry *last, struct value *merged)
{
    const struct apply_call *call = p->call;
    struct arena *a = call->arena;
    struct apply_call then = *call;
    struct value before, pruned;
    struct field_set said, in_merged, kept;
    struct field_type t;
    int r = in_version(call, merged, last->api_version, &before, &t, p->err);

    if (r == ERR_NOT_FOUND)
        return 0;
    if (r < 0)
        return r;
    said = field_set_with_named(a, &last->set, &t);
    r = typed_value_remove(a, &t, &before, &said, &pruned, p->err);
    if (r >= 0)
        r = keep_owned(p, &t, last->api_version, &before, &pruned);
    then.who.api_version = last->api_version;
    then.type = t;
    p->call = &then;
    for (uint32_t i = 0; r >= 0 && i < p->managers->len; i++) {
        struct str version = p->managers->items[i].api_version;
        bool seen = str_eq(version, last->api_version);

        for (uint32_t k = 0; k < i; k++)
            seen |= str_eq(version, p->managers->items[k].api_version);
        if (!seen)
            r = keep_owned_elsewhere(p, version, &before, &pruned);
    }
    /* What nobody owns goes only where the applier had said it. */
    if (r >= 0)
        r = named_fields(p, &t, &before, &in_merged);
    if (r >= 0)
        r = named_fields(p, &t, &pruned, &kept);
    p->call = call;
    if (r < 0)
        return r;
    in_merged = field_set_difference(a, &in_merged, &kept, false);
    in_merged = field_set_intersection(a, &in_merged, &said);
    r = typed_value_remove(a, &t, &before, &in_merged, &pruned, p->err);
    return r < 0 ? r : in_version(&then, &pruned, call->who.api_version, merged, &t, p->err);
}

/* The fields of client-side apply's annotation that still are as it says. */
static struct field_set last_applied_fields(const struct apply_call *call, const struct value *live)
{
    const struct value *meta = value_get(live, STR("metadata"));
    const struct value *notes = meta ? value_get(meta, STR("annotations")) : NULL;
    struct str json = notes ? value_get_str(notes, STR(LAST_APPLIED)) : STR_NULL;
    struct arena *a = call->arena;
    struct field_set none = { 0 }, s;
    struct typed_comparison c;
    struct value last;
    struct err err;

    if (!json.len || value_parse(a, json, &last, NULL, &err) < 0 || last.type != VALUE_OBJECT ||
        !str_eq(value_get_str(&last, STR("apiVersion")), call->who.api_version) ||
        typed_value_fields(a, &call->type, &last, &s, &err) < 0 ||
        typed_value_compare(a, &call->type, &last, live, &c, &err) < 0)
        return none;
    s = field_set_difference(a, &s, &c.modified, false);
    s = field_set_difference(a, &s, &c.added, false);
    return field_set_difference(a, &s, &c.removed, false);
}

static int compare_conflicts(const void *x, const void *y)
{
    const struct apply_conflict *a = x, *b = y;
    int c = str_cmp(a->owner.manager, b->owner.manager);

    if (!c)
        c = str_cmp(b->owner.subresource, a->owner.subresource);
    return c ? c : str_cmp(a->path, b->path);
}

/* `kubectl apply` of old may be taken over by `kubectl apply --server-side`: what its annotation
 * still says is nobody's conflict. */
static void allow_last_applied(const struct apply_call *call, const struct value *live,
                               struct apply_conflicts *c)
{
    struct field_set allowed;
    struct apply_conflicts named = { 0 };
    struct managed_entry nobody = { 0 };
    struct lister lister = { call->arena, &named, &nobody };
    size_t n = 0;

    if (!c->len || !str_eq(call->who.name, STR("kubectl")))
        return;
    allowed = last_applied_fields(call, live);
    field_set_each(&allowed, list_conflict, &lister);
    for (size_t i = 0; i < c->len; i++) {
        bool is_allowed = false;

        for (size_t k = 0; k < named.len && !is_allowed; k++)
            is_allowed = str_eq(named.items[k].path, c->items[i].path);
        if (!is_allowed)
            c->items[n++] = c->items[i];
    }
    c->len = n;
}

/* `kubectl apply` and its annotation go on beside server-side apply. */
static void sync_last_applied(const struct apply_call *call, const struct value *config,
                              struct value *v)
{
    struct arena *a = call->arena;
    struct value copy = value_copy(a, config), *notes;
    struct value *meta = value_get(v, STR("metadata"));
    struct value *config_meta = value_get(&copy, STR("metadata"));
    struct value *config_notes = config_meta ? value_get(config_meta, STR("annotations")) : NULL;
    struct buf b = { 0 };

    notes = meta ? value_get(meta, STR("annotations")) : NULL;
    if (!str_eq(call->who.name, STR("kubectl")) || !notes ||
        !value_get_str(notes, STR(LAST_APPLIED)).len)
        return;
    if (config_notes && config_notes->type == VALUE_OBJECT)
        value_remove(config_notes, STR(LAST_APPLIED));
    buf_init_arena(&b, a, 1024);
    value_print(&b, &copy);
    buf_append_char(&b, '\n');
    *v = value_copy(a, v); /* parts are shared with the live object */
    notes = value_get(value_get(v, STR("metadata")), STR("annotations"));
    value_set(a, notes, STR(LAST_APPLIED), value_string(buf_str(&b)));
}

static int before_first_apply(const struct apply_call *call, const struct value *live,
                              const struct value *empty, struct managed_fields *m, struct err *err)
{
    struct apply_call first = *call;

    first.who.name = STR("before-first-apply");
    first.who.applied = false;
    return apply_update(&first, empty, live, m, err);
}

/* What is left of the applier's set once the never-owned are out. */
static void finish(const struct apply_call *call, struct managed_fields *after, bool changed,
                   const struct managed_fields *former, bool *ret_changed)
{
    struct managed_entry *own = managed_fields_find(after, &call->who);

    managed_entry_set(
        own, field_set_difference(call->arena, &own->set, managed_fields_never_owned(), false));
    own->api_version = call->who.api_version;
    managed_fields_remove_empty(after);
    own = managed_fields_find(after, &call->who);
    *ret_changed = changed || !managed_fields_equal(after, former);
    if (*ret_changed && own)
        own->time = now(call);
}

int apply_config(const struct apply_call *call, const struct value *live, const struct value *empty,
                 const struct value *config, bool force, struct managed_fields *m,
                 struct value *ret, bool *ret_changed, struct apply_conflicts *ret_conflicts,
                 struct err *err)
{
    struct arena *a = call->arena;
    struct managed_fields after = managed_fields_copy(a, m), former;
    struct managed_entry last = { 0 }, *own;
    struct pruning pruning = { .call = call, .managers = &after, .err = err };
    struct comparisons cs = { .call = call, .live = live };
    struct field_set said;
    struct value merged;
    int r = 0;

    if (!after.len)
        r = before_first_apply(call, live, empty, &after, err);
    former = managed_fields_copy(a, &after);
    if (r >= 0)
        r = typed_value_merge(a, &call->type, live, config, &merged, err);
    if (r >= 0)
        r = typed_value_fields(a, &call->type, config, &said, err);
    if (r < 0)
        return r;
    own = managed_fields_find(&after, &call->who);
    if (own)
        last = *own;
    else
        own = managed_fields_add(a, &after, &call->who);
    managed_entry_set(own, field_set_difference(a, &said, &call->ignored, true));
    own->api_version = call->who.api_version;
    if (!field_set_is_empty(&last.set))
        r = prune(&pruning, &last, &merged);
    cs.updated = &merged;
    if (r >= 0)
        r = settle(&cs, &after, own, ret_conflicts, err);
    if (r < 0)
        return r;
    allow_last_applied(call, live, ret_conflicts);
    if (ret_conflicts->len)
        qsort(ret_conflicts->items, ret_conflicts->len, sizeof(*ret_conflicts->items),
              compare_conflicts);
    if (ret_conflicts->len && !force)
        return err_set(err, ERR_CONFLICT, "other managers own these fields");
    sync_last_applied(call, config, &merged);
    finish(call, &after, !value_equal(live, &merged), &former, ret_changed);
    *m = after;
    *ret = merged;
    return 0;
}

/* --- texts --- */

static void print_owner(struct buf *b, const struct managed_entry *e)
{
    field_error_quote(b, e->manager);
    if (e->subresource.len) {
        buf_append_lit(b, " with subresource ");
        field_error_quote(b, e->subresource);
    }
    if (!e->applied)
        buf_printf(b, " using %.*s", STR_ARG(e->api_version));
}

struct str apply_conflict_text(struct arena *a, const struct apply_conflict *c)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 64);
    buf_append_lit(&b, "conflict with ");
    print_owner(&b, &c->owner);
    return buf_str(&b);
}

static bool is_same_owner(const struct managed_entry *x, const struct managed_entry *y)
{
    return x->applied == y->applied && str_eq(x->manager, y->manager) &&
           str_eq(x->subresource, y->subresource) && str_eq(x->api_version, y->api_version);
}

struct str apply_conflicts_message(struct arena *a, const struct apply_conflicts *c)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 256);
    if (c->len == 1) {
        buf_printf(&b, "Apply failed with 1 conflict: %.*s: %.*s",
                   STR_ARG(apply_conflict_text(a, &c->items[0])), STR_ARG(c->items[0].path));
        return buf_str(&b);
    }
    buf_printf(&b, "Apply failed with %zu conflicts: ", c->len);
    for (size_t i = 0; i < c->len; i++) {
        if (!i || !is_same_owner(&c->items[i - 1].owner, &c->items[i].owner)) {
            buf_printf(&b, "%sconflicts with ", i ? "\n" : "");
            print_owner(&b, &c->items[i].owner);
            buf_append_char(&b, ':');
        }
        buf_printf(&b, "\n- %.*s", STR_ARG(c->items[i].path));
    }
    return buf_str(&b);
}
