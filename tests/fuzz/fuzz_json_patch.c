/* JSON Patch: the input is "document NUL patch". Applying twice from the same start must agree. */
#include <stdint.h>
#include <stdlib.h>

#include "api/json_patch.h"
#include "base/arena.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str doc_text, patch_text;
    struct value doc, again;
    struct json_patch p;
    struct err err = { 0 };
    int r;

    arena_init(&a, (size_t)16 << 20);
    if (!str_cut(str_n((const char *)data, size), 0, &doc_text, &patch_text) ||
        value_parse(&a, doc_text, &doc, NULL, &err) < 0 ||
        json_patch_decode(&a, patch_text, &p, &err) < 0)
        return 0;
    again = value_copy(&a, &doc);
    r = json_patch_apply(&a, &p, &doc, &err);
    if (r != json_patch_apply(&a, &p, &again, &err) && !arena_is_over(&a))
        abort();
    if (r >= 0 && !arena_is_over(&a) && !value_equal(&doc, &again))
        abort();
    return 0;
}
