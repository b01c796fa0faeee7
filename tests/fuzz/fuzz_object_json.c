/* Objects from JSON, lax and strict: both agree on what is accepted, and it survives encoding. */
#include "fuzz_objects.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct object_json_strict strict = { 0 };
    struct object lax, o;
    struct str json;
    struct err err = { 0 };
    int r;

    if (size < 1)
        return 0;
    arena_init(&a, (size_t)32 << 20);
    json = str_n((const char *)data + 1, size - 1);
    r = object_json_decode(&a, &schema_builtin, fuzz_type(data[0]), json, &lax, NULL, &err);
    if ((object_json_decode(&a, &schema_builtin, fuzz_type(data[0]), json, &o, &strict, &err) <
         0) != (r < 0) &&
        !arena_is_over(&a))
        abort();
    if (r >= 0 && !arena_is_over(&a)) {
        if (!object_equal(lax, o) || !object_equal(object_copy(&a, o), o))
            abort();
        fuzz_turn(&a, o);
    }
    return 0;
}
