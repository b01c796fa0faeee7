/* Objects of custom resources beside their schemas. */
#include <stdlib.h>

#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/object_value.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "api/structural/json_path.h"
#include "api/structural/structural.h"
#include "api/structural/structural_embedded.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

static struct meta_v1_custom_object *data_of(struct object o)
{
    return o.data;
}

struct object custom_object_new(struct arena *a, const struct resource *row)
{
    struct object o = object_new(a, &schema_builtin, row->type);

    object_set_gvk(o, resource_api_version(a, row), row->kind);
    return o;
}

struct str custom_object_member(struct object o, struct str name)
{
    const struct meta_v1_custom_object *c = data_of(o);

    for (uint32_t i = 0; i < c->members.len; i++)
        if (str_eq(c->members.items[i].key, name))
            return c->members.items[i].value;
    return STR_NULL;
}

void custom_object_set_member(struct arena *a, struct object o, struct str name, struct str json)
{
    struct meta_v1_custom_object *c = data_of(o);
    uint32_t n = c->members.len, to = 0;
    struct schema_str_entry *items = ARENA_NEW_ARRAY(a, struct schema_str_entry, n + 1);
    bool placed = !json.p;

    for (uint32_t i = 0; i < n; i++) {
        int order = str_cmp(c->members.items[i].key, name);

        if (order >= 0 && !placed) {
            items[to++] = (struct schema_str_entry){ name, json };
            placed = true;
        }
        if (order)
            items[to++] = c->members.items[i];
    }
    if (!placed)
        items[to++] = (struct schema_str_entry){ name, json };
    c->members.items = (void *)items;
    c->members.len = to;
}

bool custom_object_differs(struct object x, struct object y, struct str except)
{
    const struct meta_v1_custom_object *a = data_of(x), *b = data_of(y);
    uint32_t i = 0, k = 0;

    for (;;) {
        if (i < a->members.len && str_eq(a->members.items[i].key, except))
            i++;
        if (k < b->members.len && str_eq(b->members.items[k].key, except))
            k++;
        if (i == a->members.len || k == b->members.len)
            return i != a->members.len || k != b->members.len;
        if (!str_eq(a->members.items[i].key, b->members.items[k].key) ||
            !str_eq(a->members.items[i].value, b->members.items[k].value))
            return true;
        i++;
        k++;
    }
}

/* --- members as a tree and back --- */

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct value_member *)a)->key, ((const struct value_member *)b)->key);
}

/* One spelling of every value: members in the order of their names. */
static void sort_members(struct value *v)
{
    bool sorted = true;

    if (v->type == VALUE_ARRAY)
        for (uint32_t i = 0; i < v->len; i++)
            sort_members(&v->items[i]);
    if (v->type != VALUE_OBJECT)
        return;
    for (uint32_t i = 0; i < v->len; i++) {
        sort_members(&v->members[i].v);
        sorted &= !i || by_key(&v->members[i - 1], &v->members[i]) < 0;
    }
    if (!sorted)
        qsort(v->members, v->len, sizeof(*v->members), by_key);
}

struct settle {
    struct arena *arena;
    custom_path_fn *duplicate;
    void *arg;
    struct err *err;
};

static int to_tree(struct settle *s, struct object o, struct value *ret)
{
    const struct meta_v1_custom_object *c = data_of(o);

    *ret = value_object();
    for (uint32_t i = 0; i < c->members.len; i++) {
        struct str duplicate = STR_NULL, key = c->members.items[i].key;
        struct value v;
        int r = value_parse(s->arena, c->members.items[i].value, &v, &duplicate, s->err);

        if (r < 0)
            return r;
        if (duplicate.p && s->duplicate)
            s->duplicate(arena_printf(s->arena, "%.*s.%.*s", STR_ARG(key), STR_ARG(duplicate)),
                         s->arg);
        value_set(s->arena, ret, key, v);
    }
    return 0;
}

static void from_tree(struct arena *a, struct value *tree, struct object o)
{
    struct meta_v1_custom_object *c = data_of(o);
    struct schema_str_entry *items = ARENA_NEW_ARRAY(a, struct schema_str_entry, tree->len + 1);

    sort_members(tree);
    for (uint32_t i = 0; i < tree->len; i++) {
        struct buf b = { 0 };

        buf_init_arena(&b, a, 64);
        value_print(&b, &tree->members[i].v);
        items[i] = (struct schema_str_entry){ tree->members[i].key, buf_str(&b) };
    }
    c->members.items = (void *)items;
    c->members.len = tree->len;
}

int custom_object_settle(struct arena *a, const struct custom_resource *c, struct object o,
                         custom_path_fn *unknown, custom_path_fn *duplicate, void *arg,
                         struct err *err)
{
    struct settle s = { .arena = a, .duplicate = duplicate, .arg = arg, .err = err };
    struct value tree;
    int r = to_tree(&s, o, &tree);

    if (r < 0)
        return r;
    structural_prune(a, &tree, c->schema, unknown, arg);
    structural_default(a, &tree, c->schema);
    structural_embedded_settle(a, &tree, c->schema, unknown, arg);
    from_tree(a, &tree, o);
    return arena_is_over(a) ? err_set(err, ERR_TOO_LARGE, "the object takes too much memory") : 0;
}

int custom_object_prune(struct arena *a, const struct custom_resource *c, struct object o,
                        struct err *err)
{
    struct settle s = { .arena = a, .err = err };
    struct value tree;
    int r = to_tree(&s, o, &tree);

    if (r < 0)
        return r;
    structural_prune(a, &tree, c->schema, NULL, NULL);
    from_tree(a, &tree, o);
    return 0;
}

/* --- fields that selectors name --- */

static struct str scalar_text(struct arena *a, const struct value *v)
{
    struct buf b = { 0 };

    if (!v || v->type == VALUE_NULL || v->type == VALUE_ARRAY || v->type == VALUE_OBJECT)
        return STR_NULL;
    if (v->type == VALUE_STRING)
        return v->s;
    buf_init_arena(&b, a, 16);
    value_print(&b, v);
    return buf_str(&b);
}

static bool has_field(const struct custom_field *fields, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(fields[i].name, name))
            return true;
    return false;
}

size_t custom_object_fields(struct arena *a, const struct custom_definition *d, struct object o,
                            struct custom_field *ret, size_t max)
{
    struct value tree = { 0 };
    bool parsed = false;
    struct err err;
    size_t n = 0;

    for (size_t i = 0; i < d->n_versions; i++) {
        const struct custom_resource *c = &d->versions[i];
        struct str rest = c->row.selectable, name;

        for (size_t k = 0; k < c->n_selectable && str_next(&rest, ' ', &name); k++) {
            struct str text;

            if (n == max || has_field(ret, n, name))
                continue;
            if (!parsed && object_value(a, o, &tree, &err) < 0)
                return n;
            parsed = true;
            text = scalar_text(a, json_path_first(c->selectable_paths[k], &tree));
            if (text.p)
                ret[n++] = (struct custom_field){ name, text };
        }
    }
    return n;
}

/* --- checks --- */

static void keep_member(struct value *v, struct str name)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < v->len; i++)
        if (str_eq(v->members[i].key, name))
            v->members[n++] = v->members[i];
    v->len = n;
}

/* Of a status alone its own schema is asked, so that a spec which is wrong by now does not hold it
 * up. */
static void validate_status(const struct custom_resource *c, struct value *tree,
                            const struct value *old, struct field_errors *errs)
{
    const struct structural *schema = structural_property(c->schema, STR("status"));
    struct field_path path = field_path_member(NULL, STR("status"));

    keep_member(tree, STR("status"));
    if (schema && tree->len)
        structural_validate(&tree->members[0].v, old ? value_get(old, STR("status")) : NULL, schema,
                            &path, errs);
}

static void check_replicas(const struct custom_resource *c, const struct value *tree,
                           struct str path, struct field_errors *errs)
{
    struct field_path at[16];
    const struct value *v = tree;
    struct str part;
    size_t n = 0;

    (void)c;
    while (v && n < ARRAY_LEN(at) && str_next(&path, '.', &part)) {
        at[n] = field_path_member(n ? &at[n - 1] : NULL, part);
        n++;
        v = value_get(v, part);
    }
    if (!v || v->type == VALUE_NULL || !n)
        return;
    if (v->type != VALUE_INT) {
        struct buf b = { 0 };

        buf_init_arena(&b, errs->arena, 16);
        value_print(&b, v);
        field_errors_add_raw(errs, &at[n - 1], FIELD_ERROR_INVALID, buf_str(&b),
                             "should be an integer");
    } else if (v->i < 0) {
        field_errors_add_raw(errs, &at[n - 1], FIELD_ERROR_INVALID,
                             arena_printf(errs->arena, "%lld", (long long)v->i),
                             "should be a non-negative integer");
    } else if (v->i > INT32_MAX) {
        field_errors_add_raw(errs, &at[n - 1], FIELD_ERROR_INVALID,
                             arena_printf(errs->arena, "%lld", (long long)v->i),
                             "should be less than or equal to %d", INT32_MAX);
    }
}

void custom_object_validate(struct arena *a, const struct custom_resource *c, struct object o,
                            struct object old, bool status_only, struct field_errors *errs)
{
    struct value tree, before;
    const struct value *was = NULL;
    struct err err;
    int r = object_value(a, o, &tree, &err);

    if (r >= 0 && old.data) {
        r = object_value(a, old, &before, &err);
        was = &before;
    }
    if (r < 0) {
        struct field_path path = field_path_member(NULL, STR("spec"));

        field_errors_add(errs, &path, FIELD_ERROR_INTERNAL, "%s", err.text);
        return;
    }
    if (c->has_scale) {
        if (!status_only)
            check_replicas(c, &tree, c->replicas_path, errs);
        check_replicas(c, &tree, c->status_replicas_path, errs);
    }
    if (status_only)
        validate_status(c, &tree, was, errs);
    else
        structural_validate(&tree, was, c->schema, NULL, errs);
    if (!status_only)
        structural_embedded_validate(&tree, c->schema, NULL, errs);
}
