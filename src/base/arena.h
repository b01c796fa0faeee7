/* Bump allocation for everything with one common end: a request, a reconcile, a decode. Memory
 * comes in growing chunks; nothing is freed singly; arena_done() releases all and runs the deferred
 * closes, newest first. Not for sharing between threads.
 *
 * The limit is how a request's size is bounded without a check at each allocation: allocating past
 * it still succeeds, and arena_is_over() turns true. Whatever loops over input that a peer controls
 * asks arena_is_over() once per item and gives up with ERR_TOO_LARGE, so one step's overshoot is
 * all. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena_chunk;
struct arena_deferred;

struct arena {
    char *at;  /* next free byte of the newest chunk */
    char *end; /* its end */
    struct arena_chunk *chunks;
    struct arena_deferred *deferred;
    size_t used;  /* bytes in chunks */
    size_t limit; /* 0: none */
};

void arena_init(struct arena *a, size_t limit_bytes); /* allocates nothing yet; limit 0 is none */
/* For what is known to be small, or how large: with a first chunk of that many bytes. */
void arena_init_sized(struct arena *a, size_t bytes);
void arena_done(struct arena *a);  /* also fine on a zeroed or finished arena */
void arena_reset(struct arena *a); /* empty again, keeps one chunk and the limit */

/* What a copy of everything in it takes: exact while there is one chunk, else no less. */
static inline size_t arena_filled(const struct arena *a)
{
    return a->used - (size_t)(a->end - a->at);
}

static inline bool arena_is_over(const struct arena *a)
{
    return UNLIKELY(a->limit && a->used > a->limit);
}

void *arena_alloc_slow_(struct arena *a, size_t size, size_t align);

/* Uninitialised memory; align is a power of two. */
static inline void *arena_alloc(struct arena *a, size_t size, size_t align)
{
    size_t pad = (size_t)(-(__UINTPTR_TYPE__)a->at & (align - 1));

    if (LIKELY(a->at && size <= (size_t)(a->end - a->at) &&
               pad <= (size_t)(a->end - a->at) - size)) {
        char *p = a->at + pad;

        a->at = p + size;
        return p;
    }
    return arena_alloc_slow_(a, size, align);
}

void *arena_zalloc(struct arena *a, size_t size, size_t align);
void *arena_dup(struct arena *a, const void *p, size_t size);
struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
struct str arena_printf(struct arena *a, const char *fmt, ...)
    PRINTF_LIKE(2, 3); /* NUL-terminated */

/* fn(arg) runs when the arena ends (or is reset). */
void arena_defer(struct arena *a, void (*fn)(void *arg), void *arg);

#define ARENA_NEW(a, T)          ((T *)arena_zalloc((a), sizeof(T), _Alignof(T)))
#define ARENA_NEW_ARRAY(a, T, n) ((T *)arena_zalloc_array_((a), (n), sizeof(T), _Alignof(T)))
void *arena_zalloc_array_(struct arena *a, size_t count, size_t elem_size, size_t align);

DEFINE_CLEANUP_VALUE(struct arena, arena_done);
