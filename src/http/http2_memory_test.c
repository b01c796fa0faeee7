#include "http/http2_memory.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

static bool is_all(const char *p, char c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != c)
            return false;
    return true;
}

Test(http2_memory, gives_pages_to_the_first_large_buffer_alone)
{
    struct http2_memory m;
    char *frame, *other, *small;

    http2_memory_init(&m);
    small = m.mem.realloc(NULL, 100, &m);
    frame = m.mem.realloc(NULL, 16394, &m);
    other = m.mem.malloc(20000, &m);
    cr_assert_eq(m.frame, frame);
    memset(small, 's', 100);
    memset(frame, 'f', 16394);
    memset(other, 'o', 20000);
    small = m.mem.realloc(small, 17000, &m);
    other = m.mem.realloc(other, 40000, &m);
    cr_assert(is_all(small, 's', 100) && is_all(other, 'o', 20000) && is_all(frame, 'f', 16394));
    frame = m.mem.realloc(frame, 33000, &m);
    cr_assert_null(m.frame);
    cr_assert(is_all(frame, 'f', 16394));
    m.mem.free(frame, &m);
    frame = m.mem.malloc(16384, &m);
    cr_assert_eq(m.frame, frame, "another may follow");
    frame = m.mem.realloc(frame, 100, &m);
    cr_assert_null(m.frame);
    m.mem.free(frame, &m);
    m.mem.free(other, &m);
    m.mem.free(small, &m);
    m.mem.free(NULL, &m);
    frame = m.mem.malloc(16384, &m);
    m.mem.free(frame, &m);
    cr_assert_null(m.frame);
    cr_assert_null(m.mem.calloc((size_t)1 << 40, (size_t)1 << 40, &m));
    small = m.mem.calloc(10, 10, &m);
    cr_assert(is_all(small, 0, 100));
    m.mem.free(small, &m);
}
