/* The defaulting engine. Rows and functions are sorted by type once per process into a plan: per
 * type its rows, its functions, and whether anything at all lies below it. */
#include "api/defaults.h"

#include <pthread.h>

#include "api/defaults_internal.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"

/* One field that gets a constant, or (without one) loses what it has. */
struct planned_row {
    const struct schema_field *field;
    struct schema_walk_probe unset;
    uint32_t offset; /* in the type's struct */
    uint32_t size;   /* of what is dropped */
    const char *json;
};

struct type_plan {
    struct VEC(struct planned_row) rows;
    struct VEC(default_apply_fn) fns;
};

struct plan {
    const struct schema *schema;
    struct type_plan *types;
    struct schema_walk_children *children;
    size_t unknown;
};

static struct plan plan;
static pthread_once_t plan_once = PTHREAD_ONCE_INIT; /* objects are defaulted on every I/O thread */

static uint32_t size_of(const struct schema_field *f)
{
    bool text = f->kind == SCHEMA_KIND_STRING;

    if (f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP)
        return sizeof(struct schema_list);
    if (f->shape == SCHEMA_POINTER && !text && f->kind != SCHEMA_KIND_INT_OR_STRING)
        return sizeof(void *);
    return (uint32_t)schema_kind_size(&schema_builtin, f->kind, f->type);
}

static void plan_row(struct type_plan *t, const struct schema_field *f, uint32_t offset,
                     const char *json)
{
    VEC_PUSH(&t->rows, (struct planned_row){ .field = f,
                                             .unset = schema_walk_probe(f, offset),
                                             .offset = offset,
                                             .size = size_of(f),
                                             .json = json });
}

static void plan_declared(struct plan *p)
{
    const struct schema *s = p->schema;

    for (uint16_t t = 0; t < s->n_types; t++)
        for (uint16_t i = 0; i < s->types[t].n_fields; i++) {
            const struct schema_field *f = &s->fields[s->types[t].first_field + i];

            if (f->default_json)
                plan_row(&p->types[t], f, f->offset, schema_cstr(s, f->default_json));
        }
}

static struct type_plan *plan_of(struct plan *p, const char *name)
{
    const struct schema_type *t = schema_walk_type(p->schema, name);

    return t ? &p->types[t - p->schema->types] : NULL;
}

static void plan_rows(struct plan *p)
{
    for (const struct default_row *r = default_rows; r->type; r++) {
        const struct schema_type *t = schema_walk_type(p->schema, r->type);
        const struct schema_field *f;
        uint32_t base;

        f = t ? schema_find_member(p->schema, t, str_from_cstr(r->field), &base) : NULL;
        if (f)
            plan_row(&p->types[t - p->schema->types], f, base + f->offset, r->json);
    }
}

static void plan_fns(struct plan *p, const struct default_fn *fns)
{
    for (; fns->type; fns++) {
        struct type_plan *t = plan_of(p, fns->type);

        if (t)
            VEC_PUSH(&t->fns, fns->fn);
        else
            p->unknown++;
    }
}

/* What lies below each type, from what each type has itself. */
static void plan_children(struct plan *p)
{
    bool *has_own = mem_zalloc(p->schema->n_types + 1U);

    for (uint16_t t = 0; t < p->schema->n_types; t++)
        has_own[t] = p->types[t].rows.len || p->types[t].fns.len;
    p->children = schema_walk_plan(p->schema, has_own);
    mem_free(has_own);
}

static void make_plan(void)
{
    plan.schema = &schema_builtin;
    plan.types = mem_zalloc(sizeof(*plan.types) * (schema_builtin.n_types + 1U));
    plan_declared(&plan);
    plan_rows(&plan);
    plan_fns(&plan, default_fns_core);
    plan_fns(&plan, default_fns_workloads);
    plan_fns(&plan, default_fns_other);
    plan_children(&plan);
}

static void walk(struct arena *a, uint16_t type, char *data)
{
    const struct schema_walk_children *below = &plan.children[type];
    struct type_plan *p = &plan.types[type];

    for (size_t i = 0; i < p->rows.len; i++) {
        const struct planned_row *r = &p->rows.items[i];

        if (!r->json)
            memset(data + r->offset, 0, r->size);
        else if (schema_walk_probe_is_zero(r->unset, data))
            schema_walk_set_json(a, plan.schema, r->field, data + r->offset, r->json);
    }
    for (size_t i = 0; i < p->fns.len; i++)
        p->fns.items[i](a, data);
    for (uint16_t i = 0; i < below->len; i++) {
        const struct schema_walk_child *c = &below->items[i];
        char *first;
        uint32_t n = schema_walk_child_structs(c, data, &first);

        for (uint32_t k = 0; k < n; k++)
            walk(a, c->type, first + (size_t)k * c->stride);
    }
}

void object_default(struct arena *a, struct object o)
{
    (void)pthread_once(&plan_once, make_plan); /* cannot fail */
    if (o.schema != plan.schema || !o.data)
        return;
    if (plan.children[o.type - o.schema->types].any)
        walk(a, (uint16_t)(o.type - o.schema->types), o.data);
}

size_t defaults_unknown_rows(void)
{
    (void)pthread_once(&plan_once, make_plan); /* cannot fail */
    return plan.unknown;
}
