/* Growable bytes. On the heap by default (buf_done() frees); with an arena set by buf_init_arena()
 * growth copies inside the arena and buf_done() is a no-op. A zeroed struct is an empty heap
 * buffer. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;

struct buf {
    char *p;
    size_t len;
    size_t cap;
    struct arena *arena; /* NULL: heap */
};

void buf_init_arena(struct buf *b, struct arena *a, size_t size_hint);
void buf_done(struct buf *b);
void buf_grow_(struct buf *b, size_t more);

static inline void buf_reset(struct buf *b) /* empty, keeps memory */
{
    b->len = 0;
}

/* Room for `more` bytes after p + len; the pointer is good until the next change. */
static inline char *buf_reserve(struct buf *b, size_t more)
{
    if (UNLIKELY(b->cap - b->len < more))
        buf_grow_(b, more);
    return b->p + b->len;
}

static inline void buf_append(struct buf *b, const void *p, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(b, len), p, len);
    b->len += len;
}

static inline void buf_append_str(struct buf *b, struct str s)
{
    buf_append(b, s.p, s.len);
}

static inline void buf_append_char(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->len++;
}

/* Drops the first n bytes; the rest moves to the front. */
static inline void buf_drop(struct buf *b, size_t n)
{
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->p, b->p + n, b->len);
}

#define buf_append_lit(b, lit) buf_append((b), "" lit, sizeof(lit) - 1)

void buf_append_u64(struct buf *b, unsigned long long v); /* decimal */
void buf_append_i64(struct buf *b, long long v);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *buf_cstr(struct buf *b); /* NUL after the end, not counted in len */

static inline struct str buf_str(const struct buf *b)
{
    return str_n(b->p ? b->p : "", b->len);
}

DEFINE_CLEANUP_VALUE(struct buf, buf_done);
