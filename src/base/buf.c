#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"

void buf_init_arena(struct buf *b, struct arena *a, size_t size_hint)
{
    *b = (struct buf){ .arena = a };
    if (size_hint)
        buf_grow_(b, size_hint);
}

void buf_done(struct buf *b)
{
    if (!b->arena)
        mem_free(b->p);
    *b = (struct buf){ .arena = b->arena };
}

void buf_grow_(struct buf *b, size_t more)
{
    size_t need, cap;

    if (__builtin_add_overflow(b->len, more, &need))
        need = SIZE_MAX;
    cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
    cap = MAX(MAX(cap, need), (size_t)64);
    if (b->arena) {
        char *p = arena_alloc(b->arena, cap, 1);

        if (b->len)
            memcpy(p, b->p, b->len);
        b->p = p;
    } else {
        b->p = mem_realloc(b->p, cap);
    }
    b->cap = cap;
}

void buf_append_u64(struct buf *b, unsigned long long v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_append_i64(struct buf *b, long long v)
{
    if (v < 0)
        buf_append_char(b, '-');
    buf_append_u64(b, v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        return;
    (void)vsnprintf(buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt, ap);
    b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

const char *buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->p;
}
