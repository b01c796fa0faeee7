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

/* One field that gets a constant. */
struct planned_row {
    const struct schema_field *field;
    uint32_t offset; /* in the type's struct */
    const char *json;
};

struct type_plan {
    struct VEC(struct planned_row) rows;
    struct VEC(default_apply_fn) fns;
    bool any; /* here or below */
};

struct plan {
    const struct schema *schema;
    struct type_plan *types;
    size_t unknown;
};

static struct plan plan;
static pthread_once_t plan_once = PTHREAD_ONCE_INIT; /* objects are defaulted on every I/O thread */

static void plan_declared(struct plan *p)
{
    const struct schema *s = p->schema;

    for (uint16_t t = 0; t < s->n_types; t++)
        for (uint16_t i = 0; i < s->types[t].n_fields; i++) {
            const struct schema_field *f = &s->fields[s->types[t].first_field + i];

            if (f->default_json)
                VEC_PUSH(&p->types[t].rows,
                         (struct planned_row){ .field = f,
                                               .offset = f->offset,
                                               .json = schema_cstr(s, f->default_json) });
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
            VEC_PUSH(
                &p->types[t - p->schema->types].rows,
                (struct planned_row){ .field = f, .offset = base + f->offset, .json = r->json });
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

/* A type has something below it when one of its struct fields does: repeated until nothing
 * changes, because types refer to each other in circles. */
static void plan_any(struct plan *p)
{
    const struct schema *s = p->schema;
    bool changed = true;

    for (uint16_t t = 0; t < s->n_types; t++)
        p->types[t].any = p->types[t].rows.len || p->types[t].fns.len;
    while (changed) {
        changed = false;
        for (uint16_t t = 0; t < s->n_types; t++)
            for (uint16_t i = 0; i < s->types[t].n_fields && !p->types[t].any; i++) {
                const struct schema_field *f = &s->fields[s->types[t].first_field + i];

                if (f->kind == SCHEMA_KIND_STRUCT && p->types[f->type].any)
                    p->types[t].any = changed = true;
            }
    }
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
    plan_any(&plan);
}

static void walk(struct arena *a, uint16_t type, char *data)
{
    const struct schema *s = plan.schema;
    const struct schema_type *t = &s->types[type];
    struct type_plan *p = &plan.types[type];

    for (size_t i = 0; i < p->rows.len; i++) {
        const struct planned_row *r = &p->rows.items[i];

        if (schema_walk_is_zero(r->field, data + r->offset))
            schema_walk_set_json(a, s, r->field, data + r->offset, r->json);
    }
    for (size_t i = 0; i < p->fns.len; i++)
        p->fns.items[i](a, data);
    for (uint16_t i = 0; i < t->n_fields; i++) {
        const struct schema_field *f = &s->fields[t->first_field + i];
        struct schema_walk_items items;

        if (f->kind != SCHEMA_KIND_STRUCT || !plan.types[f->type].any)
            continue;
        items = schema_walk_items(s, f, data + f->offset);
        for (uint32_t k = 0; k < items.len; k++)
            walk(a, f->type, items.first + k * items.stride);
    }
}

void object_default(struct arena *a, struct object o)
{
    (void)pthread_once(&plan_once, make_plan); /* cannot fail */
    if (o.schema != plan.schema || !o.data)
        return;
    if (plan.types[o.type - o.schema->types].any)
        walk(a, (uint16_t)(o.type - o.schema->types), o.data);
}

size_t defaults_unknown_rows(void)
{
    (void)pthread_once(&plan_once, make_plan); /* cannot fail */
    return plan.unknown;
}
