/* Objects of every kind, defaulted and checked by the rule rows: as new ones, as updates of
 * themselves and of an empty object, and through the status' endpoint. The first line names the
 * type ("apps/v1.Deployment"), JSON follows. Schedules of CronJobs, too: every text is tried as
 * one. */
#include <stdint.h>
#include <stdlib.h>

#include "api/cron_schedule.h"
#include "api/defaults.h"
#include "api/field_error.h"
#include "api/meta_validation.h"
#include "api/object.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/validation.h"
#include "base/arena.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct resource *row_of(struct str name)
{
    for (size_t i = 0; i < resource_table_len; i++) {
        const struct resource *r = &resource_table[i];
        CLEANUP(arena_done) struct arena a = { 0 };
        struct str own = arena_printf(&a, "%.*s/%.*s.%.*s", STR_ARG(r->group), STR_ARG(r->version),
                                      STR_ARG(r->kind));

        if (str_eq(own, name))
            return r;
    }
    return NULL;
}

static struct object read_object(struct arena *a, const struct resource *row, struct str json)
{
    struct object o = { 0 };
    struct err err = { 0 };

    if (object_json_decode(a, &schema_builtin, row->type, json, &o, NULL, &err) < 0)
        return (struct object){ 0 };
    object_default(a, o);
    return o;
}

static void check(struct arena *a, const struct resource *row, struct object o, struct object old,
                  enum validation_part part)
{
    const struct meta_rules meta = { .namespaced = resource_is_namespaced(row),
                                     .name_rule = row->name_rule };
    const struct validation_request req = { .object = o, .old = old, .meta = &meta, .part = part };
    struct field_errors errs;

    field_errors_init(&errs, a);
    validation_run(&req, &errs);
    for (size_t i = 0; i < errs.len; i++)
        if (!errs.items[i].message.len)
            abort(); /* every error says something */
    (void)field_errors_print(a, &errs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str text = str_n((const char *)data, size), name, json;
    struct cron_schedule schedule;
    const struct resource *row;
    struct object o, none;
    struct err err = { 0 };

    (void)cron_schedule_parse(text, &schedule, &err);
    arena_init(&a, (size_t)64 << 20);
    if (!str_cut(text, '\n', &name, &json))
        return 0;
    row = row_of(name);
    o = row ? read_object(&a, row, json) : (struct object){ 0 };
    if (!o.data || !object_meta(o) || arena_is_over(&a))
        return 0;
    none = object_new(&a, &schema_builtin, row->type);
    object_default(&a, none);
    check(&a, row, o, (struct object){ 0 }, VALIDATION_MAIN);
    check(&a, row, o, o, VALIDATION_MAIN);
    check(&a, row, o, none, VALIDATION_MAIN);
    check(&a, row, none, o, VALIDATION_MAIN);
    check(&a, row, o, none, VALIDATION_STATUS);
    check(&a, row, o, none, VALIDATION_OTHER);
    return 0;
}
