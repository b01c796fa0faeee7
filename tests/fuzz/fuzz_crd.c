/* A CustomResourceDefinition and an object of it: "definition NUL object". Whatever compiles must
 * prune, default, check and print any object; settling twice changes nothing more. */
#include <stdint.h>
#include <stdlib.h>

#include "api/field_error.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "api/structural/custom_table.h"
#include "api/structural/definition_rules.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct arena *a, const struct custom_resource *c, struct str json)
{
    struct custom_field fields[CUSTOM_SELECTABLE_MAX];
    struct field_errors errs;
    struct object o, again;
    struct buf b = { 0 };
    struct err err;

    if (object_json_decode(a, &schema_builtin, c->row.type, json, &o, NULL, &err) < 0 ||
        custom_object_settle(a, c, o, NULL, NULL, NULL, &err) < 0)
        return;
    again = object_copy(a, o);
    if (custom_object_settle(a, c, again, NULL, NULL, NULL, &err) < 0)
        return;
    if (!arena_is_over(a) && !object_equal(o, again))
        abort();
    field_errors_init(&errs, a);
    custom_object_validate(a, c, o, (struct object){ 0 }, false, &errs);
    field_errors_init(&errs, a);
    custom_object_validate(a, c, o, again, false, &errs);
    if (errs.len && !c->has_scale && !arena_is_over(a))
        abort(); /* what stays as it was is no error */
    buf_init_arena(&b, a, 256);
    custom_table_print_cells(a, &b, c, o, 0);
    (void)custom_object_fields(a, c->definition, o, fields, CUSTOM_SELECTABLE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct schema_type *t = schema_find_type(&schema_builtin, STR("apiextensions.k8s.io"),
                                                   STR("v1"), STR("CustomResourceDefinition"));
    CLEANUP(arena_done) struct arena a = { 0 };
    struct custom_definition *d;
    struct field_errors errs;
    struct str crd, object;
    struct object o;
    struct err err = { 0 };

    arena_init(&a, (size_t)16 << 20);
    if (!str_cut(str_n((const char *)data, size), 0, &crd, &object) ||
        object_json_decode(&a, &schema_builtin, t, crd, &o, NULL, &err) < 0)
        return 0;
    field_errors_init(&errs, &a);
    definition_rules_check(o, (struct object){ 0 }, false, &errs);
    if (custom_definition_new(o, &d, &err) < 0) {
        if (!errs.len && err.code == ERR_INVALID)
            abort(); /* what the rules let through compiles */
        return 0;
    }
    for (size_t i = 0; i < d->n_versions; i++)
        use(&a, &d->versions[i], object);
    custom_definition_unref(d);
    return 0;
}
