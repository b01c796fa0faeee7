#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

__attribute__((noreturn, cold)) static void mem_abort(size_t size)
{
    (void)fprintf(stderr, "out of memory: %zu bytes\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (UNLIKELY(!p))
        mem_abort(size);
    return p;
}

void *mem_zalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (UNLIKELY(!p))
        mem_abort(size);
    return p;
}

void *mem_realloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (UNLIKELY(!p))
        mem_abort(size);
    return p;
}

void *mem_realloc_array(void *p, size_t count, size_t elem_size)
{
    size_t size;

    if (UNLIKELY(__builtin_mul_overflow(count, elem_size, &size)))
        mem_abort(SIZE_MAX);
    return mem_realloc(p, size);
}

void *mem_dup(const void *p, size_t size)
{
    void *copy = mem_alloc(size);

    if (size)
        memcpy(copy, p, size);
    return copy;
}

void mem_free(void *p)
{
    free(p);
}

void *mem_pages_alloc(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (UNLIKELY(p == MAP_FAILED))
        mem_abort(size);
    return p;
}

void mem_pages_free(void *p, size_t size)
{
    if (p)
        (void)munmap(p, size); /* fails only on what is none */
}
