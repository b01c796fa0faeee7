#include "http/http2_memory.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"

static void *take_frame(struct http2_memory *m, size_t size)
{
    m->frame_size = size;
    m->frame = mem_pages_alloc(size);
    return m->frame;
}

static void free_frame(struct http2_memory *m)
{
    mem_pages_free(TAKE(m->frame), m->frame_size);
}

static void *on_malloc(size_t size, void *arg)
{
    struct http2_memory *m = arg;

    return size >= HTTP2_MEMORY_FRAME_BYTES && !m->frame ? take_frame(m, size) : mem_alloc(size);
}

static void on_free(void *p, void *arg)
{
    struct http2_memory *m = arg;

    if (p && p == m->frame)
        free_frame(m);
    else
        mem_free(p);
}

static void *on_calloc(size_t count, size_t size, void *arg)
{
    (void)arg;
    return __builtin_mul_overflow(count, size, &size) ? NULL : mem_zalloc(size);
}

static void *on_realloc(void *p, size_t size, void *arg)
{
    struct http2_memory *m = arg;
    void *moved;

    if (!p)
        return on_malloc(size, arg);
    if (p != m->frame)
        return mem_realloc(p, size);
    moved = mem_alloc(size);
    memcpy(moved, p, MIN(size, m->frame_size));
    free_frame(m);
    return moved;
}

void http2_memory_init(struct http2_memory *m)
{
    *m = (struct http2_memory){ .mem = { .mem_user_data = m,
                                         .malloc = on_malloc,
                                         .free = on_free,
                                         .calloc = on_calloc,
                                         .realloc = on_realloc } };
}
