/* Two managers apply to a Pod: the input is "config NUL config". What one applied twice changes
 * nothing more. */
#include <stdint.h>
#include <stdlib.h>

#include "api/apply.h"
#include "api/schema.h"
#include "api/typed_value.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int apply(struct arena *a, const char *manager, const struct value *config,
                 struct value *live, struct managed_fields *m, bool *ret_changed)
{
    const struct schema_type *pod =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("Pod"));
    struct apply_call call = {
        .arena = a,
        .type = field_type_builtin(&schema_builtin, pod),
        .who = { str_from_cstr(manager), STR("v1"), STR_NULL, true },
    };
    struct apply_conflicts conflicts = { 0 };
    struct value empty = value_object();
    struct err err = { 0 };

    return apply_config(&call, live, &empty, config, true, m, live, ret_changed, &conflicts, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct schema_type *pod =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("Pod"));
    struct field_type t = field_type_builtin(&schema_builtin, pod);
    struct value live = value_object(), configs[2];
    struct managed_fields m = { 0 };
    struct err err = { 0 };
    struct str texts[2];
    bool changed = false;

    arena_init(&a, (size_t)16 << 20);
    if (!str_cut(str_n((const char *)data, size), 0, &texts[0], &texts[1]))
        return 0;
    for (int i = 0; i < 2; i++) {
        struct buf b = { 0 };

        if (value_parse(&a, texts[i], &configs[i], NULL, &err) < 0 ||
            configs[i].type != VALUE_OBJECT)
            return 0;
        buf_init_arena(&b, &a, 64);
        typed_value_validate(&a, &t, &configs[i], &b);
        if (b.len)
            return 0;
    }
    for (int i = 0; i < 2; i++)
        if (apply(&a, i ? "b" : "a", &configs[i], &live, &m, &changed) < 0)
            return 0;
    if (apply(&a, "b", &configs[1], &live, &m, &changed) >= 0 && changed && !arena_is_over(&a))
        abort();
    return 0;
}
