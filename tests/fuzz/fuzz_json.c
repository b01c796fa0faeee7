/* JSON values: what is read prints as text that can be read, and after two turns (-0e1, -0, 0)
 * nothing changes any more. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    struct value v, *once, *twice;
    struct str duplicate = STR_NULL;
    struct err err = { 0 };

    arena_init(&a, (size_t)16 << 20);
    if (value_parse(&a, str_n((const char *)data, size), &v, &duplicate, &err) < 0)
        return 0;
    once = printed(&a, &v);
    twice = printed(&a, once);
    if (!value_equal(twice, printed(&a, twice)))
        abort();
    return 0;
}
