/* Pruning and defaulting of values, side by side with the schema. Recursion is as deep as the
 * value, which its parser bounded (VALUE_MAX_DEPTH). */
#include "api/field_error.h"
#include "api/structural/structural.h"
#include "base/arena.h"
#include "codec/value.h"

/* --- pruning --- */

struct pruner {
    struct arena *arena;
    structural_unknown_fn *fn;
    void *arg;
    bool is_below; /* what it begins with is not the root */
};

static void prune(struct pruner *p, struct value *v, const struct structural *s,
                  const struct field_path *path);

static bool is_meta(struct str name)
{
    return str_eq(name, STR("metadata")) || str_eq(name, STR("kind")) ||
           str_eq(name, STR("apiVersion"));
}

static void tell(struct pruner *p, const struct field_path *path)
{
    if (p->fn)
        p->fn(field_path_print(p->arena, path), p->arg);
}

/* Below a schema that keeps everything, what it does describe is pruned all the same. */
static bool keeps(struct pruner *p, struct value_member *m, const struct structural *s,
                  const struct field_path *path)
{
    bool preserves = s && (s->flags & STRUCTURAL_PRESERVES);
    struct field_path at = field_path_member(path, m->key);
    const struct structural *below;

    /* The root is an embedded resource whether its schema says so or not. */
    if (((s && (s->flags & STRUCTURAL_EMBEDDED)) || (!path && !p->is_below)) && is_meta(m->key))
        return true;
    below = s ? structural_member(s, m->key) : NULL;
    if (below) {
        prune(p, &m->v, below, &at);
        return true;
    }
    if (preserves)
        return true;
    if (s && (s->flags & STRUCTURAL_ANY_MEMBERS)) {
        prune(p, &m->v, NULL, &at);
        return true;
    }
    tell(p, &at);
    return false;
}

static void prune(struct pruner *p, struct value *v, const struct structural *s,
                  const struct field_path *path)
{
    uint32_t n = 0;

    if (v->type == VALUE_ARRAY) {
        if (s && (s->flags & STRUCTURAL_PRESERVES) && !s->items)
            return;
        for (uint32_t i = 0; i < v->len; i++) {
            struct field_path at = field_path_index(path, i);

            prune(p, &v->items[i], s ? s->items : NULL, &at);
        }
        return;
    }
    if (v->type != VALUE_OBJECT)
        return;
    for (uint32_t i = 0; i < v->len; i++) {
        if (keeps(p, &v->members[i], s, path))
            v->members[n++] = v->members[i];
    }
    v->len = n;
}

void structural_prune(struct arena *a, struct value *v, const struct structural *s,
                      structural_unknown_fn *fn, void *arg)
{
    struct pruner p = { .arena = a, .fn = fn, .arg = arg };

    prune(&p, v, s, NULL);
}

void structural_prune_below(struct arena *a, struct value *v, const struct structural *s)
{
    struct pruner p = { .arena = a, .is_below = true };

    prune(&p, v, s, NULL);
}

/* --- nulls and defaults --- */

static bool may_be_null(const struct structural *s)
{
    return s->flags & STRUCTURAL_NULLABLE;
}

/* A null that may not be one: its default, or nothing. False: the member goes. */
static bool settle_null(struct arena *a, struct value *v, const struct structural *s)
{
    if (v->type != VALUE_NULL || !s || may_be_null(s))
        return true;
    if (!s->default_value)
        return false;
    *v = value_copy(a, s->default_value);
    return true;
}

static void default_members(struct arena *a, struct value *v, const struct structural *s)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < v->len; i++) {
        const struct structural *below = structural_member(s, v->members[i].key);

        if (settle_null(a, &v->members[i].v, below))
            v->members[n++] = v->members[i];
    }
    v->len = n;
    if (s->flags & STRUCTURAL_HAS_DEFAULTS) {
        for (size_t i = 0; i < s->n_properties; i++) {
            const struct structural_property *p = &s->properties[i];

            if (p->schema->default_value && !value_get(v, p->name))
                value_set(a, v, p->name, value_copy(a, p->schema->default_value));
        }
    }
    for (uint32_t i = 0; i < v->len; i++) {
        const struct structural *below = structural_member(s, v->members[i].key);

        if (below)
            structural_default(a, &v->members[i].v, below);
    }
}

void structural_default(struct arena *a, struct value *v, const struct structural *s)
{
    if (v->type == VALUE_OBJECT) {
        default_members(a, v, s);
    } else if (v->type == VALUE_ARRAY && s->items) {
        for (uint32_t i = 0; i < v->len; i++) {
            if (v->items[i].type == VALUE_NULL && s->items->default_value)
                (void)settle_null(a, &v->items[i], s->items);
            structural_default(a, &v->items[i], s->items);
        }
    }
}
