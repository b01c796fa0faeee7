/* JSON Merge Patch: the input is "document NUL patch". Applying a patch twice changes nothing
 * more. */
#include <stdint.h>
#include <stdlib.h>

#include "api/merge_patch.h"
#include "base/arena.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str doc_text, patch_text;
    struct value doc, once, patch;
    struct err err = { 0 };

    arena_init(&a, (size_t)16 << 20);
    if (!str_cut(str_n((const char *)data, size), 0, &doc_text, &patch_text) ||
        value_parse(&a, doc_text, &doc, NULL, &err) < 0 ||
        merge_patch_decode(&a, patch_text, &patch, &err) < 0 ||
        merge_patch_apply(&a, &doc, &patch, &err) < 0)
        return 0;
    once = value_copy(&a, &doc);
    if (merge_patch_apply(&a, &doc, &patch, &err) >= 0 && !value_equal(&doc, &once))
        abort();
    return 0;
}
