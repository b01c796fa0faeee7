/* YAML in: what becomes JSON is JSON, and as YAML of ours it reads as the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"
#include "codec/yaml.h"

enum { LIMIT_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As it is after a turn through text, where 1e3 becomes 1000, an integer. */
static struct value *printed(struct arena *a, const struct value *v)
{
    struct value *ret = ARENA_NEW(a, struct value);
    struct buf b = { .arena = a };
    struct err err = { 0 };

    value_print(&b, v);
    if (value_parse(a, buf_str(&b), ret, NULL, &err) < 0)
        abort();
    return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str json, yaml, again;
    struct value v, w;
    struct err err = { 0 };
    int r;

    arena_init(&a, (size_t)64 << 20);
    if (yaml_to_json(&a, str_n((const char *)data, size), false, LIMIT_BYTES, &json, &err) < 0)
        return 0;
    if (json.len > LIMIT_BYTES)
        abort();
    r = value_parse(&a, json, &v, NULL, &err);
    if (r == ERR_TOO_DEEP || r == ERR_TOO_LARGE)
        return 0;
    if (r < 0)
        abort();
    if (yaml_from_json(&a, json, &yaml, &err) < 0 ||
        yaml_to_json(&a, yaml, true, (size_t)LIMIT_BYTES * 16, &again, &err) < 0)
        return 0; /* deeper than YAML is read, or with keys that only differ in their type */
    if (value_parse(&a, again, &w, NULL, &err) < 0)
        abort();
    if (!value_equal(printed(&a, printed(&a, &v)), printed(&a, printed(&a, &w))))
        abort();
    return 0;
}
