/* JSON values: what is read prints as text that prints as itself (1e3 becomes 1000, an integer). */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct buf b = { .arena = &a }, c = { .arena = &a };
    struct value v, again;
    struct str duplicate = STR_NULL;
    struct err err = { 0 };

    arena_init(&a, (size_t)16 << 20);
    if (value_parse(&a, str_n((const char *)data, size), &v, &duplicate, &err) < 0)
        return 0;
    value_print(&b, &v);
    if (value_parse(&a, buf_str(&b), &again, NULL, &err) < 0)
        abort();
    value_print(&c, &again);
    if (!str_eq(buf_str(&b), buf_str(&c)))
        abort();
    return 0;
}
