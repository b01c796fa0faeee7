#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    ARENA_FIRST_CHUNK_BYTES = 4096,
    ARENA_MAX_CHUNK_BYTES = 1 << 20,
};

struct arena_chunk {
    struct arena_chunk *next; /* older */
    size_t size;              /* of data[] */
    _Alignas(max_align_t) char data[];
};

struct arena_deferred {
    struct arena_deferred *next; /* registered earlier */
    void (*fn)(void *arg);
    void *arg;
};

void arena_init(struct arena *a, size_t limit_bytes)
{
    *a = (struct arena){ .limit = limit_bytes };
}

static void run_deferred(struct arena *a)
{
    while (a->deferred) {
        struct arena_deferred *d = a->deferred;

        a->deferred = d->next;
        d->fn(d->arg);
    }
}

static void free_chunks(struct arena_chunk *c)
{
    while (c) {
        struct arena_chunk *next = c->next;

        mem_free(c);
        c = next;
    }
}

void arena_done(struct arena *a)
{
    run_deferred(a);
    free_chunks(a->chunks);
    *a = (struct arena){ .limit = a->limit };
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep;

    run_deferred(a);
    keep = a->chunks;
    if (!keep)
        return;
    if (a->limit && keep->size > a->limit) { /* it would be over at once */
        arena_init(a, a->limit);
        free_chunks(keep);
        return;
    }
    free_chunks(keep->next);
    keep->next = NULL;
    a->at = keep->data;
    a->end = keep->data + keep->size;
    a->used = keep->size;
}

static struct arena_chunk *chunk_new(size_t size)
{
    struct arena_chunk *c = mem_alloc(sizeof(*c) + size);

    c->size = size;
    return c;
}

static void add_chunk(struct arena *a, size_t size)
{
    struct arena_chunk *c = chunk_new(size);

    c->next = a->chunks;
    a->chunks = c;
    a->at = c->data;
    a->end = c->data + c->size;
    a->used += c->size;
}

void arena_init_sized(struct arena *a, size_t bytes)
{
    arena_init(a, 0);
    add_chunk(a, bytes);
}

/* A big block gets a chunk of its own behind the newest, so that what is left of that stays in use.
 */
static void *alloc_aside(struct arena *a, size_t size)
{
    struct arena_chunk *c = chunk_new(size);

    c->next = a->chunks->next;
    a->chunks->next = c;
    a->used += size;
    return c->data;
}

void *arena_alloc_slow_(struct arena *a, size_t size, size_t align)
{
    size_t want = a->chunks ? MIN(a->chunks->size * 2, (size_t)ARENA_MAX_CHUNK_BYTES)
                            : (size_t)ARENA_FIRST_CHUNK_BYTES;

    if (size > SIZE_MAX / 2)
        return mem_alloc(SIZE_MAX); /* aborts */
    if (a->chunks && size > want / 4 && align <= _Alignof(max_align_t))
        return alloc_aside(a, size);
    add_chunk(a, MAX(want, size + align));
    return arena_alloc(a, size, align);
}

void *arena_zalloc(struct arena *a, size_t size, size_t align)
{
    return memset(arena_alloc(a, size, align), 0, size);
}

void *arena_zalloc_array_(struct arena *a, size_t count, size_t elem_size, size_t align)
{
    size_t size;

    if (__builtin_mul_overflow(count, elem_size, &size))
        size = SIZE_MAX;
    return arena_zalloc(a, size, align);
}

void *arena_dup(struct arena *a, const void *p, size_t size)
{
    void *copy = arena_alloc(a, size, _Alignof(max_align_t));

    if (size)
        memcpy(copy, p, size);
    return copy;
}

struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;
    char *p;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        return STR("");
    p = arena_alloc(a, (size_t)n + 1, 1);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
    return str_n(p, (size_t)n);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    struct str s;
    va_list ap;

    va_start(ap, fmt);
    s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

void arena_defer(struct arena *a, void (*fn)(void *arg), void *arg)
{
    struct arena_deferred *d = ARENA_NEW(a, struct arena_deferred);

    d->next = a->deferred;
    d->fn = fn;
    d->arg = arg;
    a->deferred = d;
}
