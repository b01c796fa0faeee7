/* Strategic merge patches of a Pod: the input is "document NUL patch". The patch must come out
 * unchanged, and do the same to a copy of the document. */
#include <stdint.h>
#include <stdlib.h>

#include "api/schema.h"
#include "api/strategic_merge.h"
#include "base/arena.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct schema_type *pod =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("Pod"));
    struct str doc_text, patch_text;
    struct value doc, again, patch, before;
    struct err err = { 0 };
    int r;

    arena_init(&a, (size_t)16 << 20);
    if (!str_cut(str_n((const char *)data, size), 0, &doc_text, &patch_text) ||
        value_parse(&a, doc_text, &doc, NULL, &err) < 0 ||
        strategic_merge_decode(&a, patch_text, &patch, &err) < 0)
        return 0;
    again = value_copy(&a, &doc);
    before = value_copy(&a, &patch);
    r = strategic_merge_apply(&a, &schema_builtin, pod, &doc, &patch, &err);
    if (!value_equal(&patch, &before))
        abort();
    if (arena_is_over(&a))
        return 0;
    if (r != strategic_merge_apply(&a, &schema_builtin, pod, &again, &patch, &err) &&
        !arena_is_over(&a))
        abort();
    if (r >= 0 && !arena_is_over(&a) && !value_equal(&doc, &again))
        abort();
    return 0;
}
