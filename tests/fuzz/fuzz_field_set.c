/* FieldsV1: what is read is printed, read again, and is the same set; a set less itself is empty.
 */
#include <stdint.h>
#include <stdlib.h>

#include "api/field_set.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    struct field_set s, again, other;
    struct err err = { 0 };

    arena_init(&a, (size_t)16 << 20);
    if (field_set_parse(&a, str_n((const char *)data, size), &s, &err) < 0)
        return 0;
    field_set_print(&b, &s);
    if (field_set_parse(&a, buf_str(&b), &again, &err) < 0) {
        if (arena_is_over(&a))
            return 0;
        abort();
    }
    if (!field_set_equal(&s, &again))
        abort();
    other = field_set_union(&a, &s, &again);
    if (!field_set_equal(&s, &other))
        abort();
    other = field_set_intersection(&a, &s, &again);
    if (!field_set_equal(&s, &other))
        abort();
    other = field_set_difference(&a, &s, &again, false);
    if (!field_set_is_empty(&other))
        abort();
    return 0;
}
