/* Typed growable arrays: struct VEC(int) v = { 0 }; VEC_PUSH(&v, 3); v.items[0]; VEC_DONE(&v). Heap
 * memory, zeroed struct is empty, elements move when it grows. */
#pragma once

#include <stddef.h>

#include "base/mem.h"

#define VEC(T)                                                                                     \
    {                                                                                              \
        T *items;                                                                                  \
        size_t len;                                                                                \
        size_t cap;                                                                                \
    }

void *vec_grow_(void *items, size_t *cap, size_t need, size_t elem_size);

#define VEC_RESERVE(v, more)                                                                       \
    ((void)((v)->cap - (v)->len >= (size_t)(more)                                                  \
                ? 0                                                                                \
                : ((v)->items = vec_grow_((v)->items, &(v)->cap, (v)->len + (size_t)(more),        \
                                          sizeof(*(v)->items)),                                    \
                   0)))
#define VEC_PUSH(v, ...) (VEC_RESERVE((v), 1), (void)((v)->items[(v)->len++] = (__VA_ARGS__)))
#define VEC_POP(v)       ((v)->items[--(v)->len])
#define VEC_LAST(v)      ((v)->items[(v)->len - 1])
#define VEC_CLEAR(v)     ((void)((v)->len = 0))
#define VEC_DONE(v)      (mem_free((v)->items), (void)((v)->items = NULL, (v)->len = 0, (v)->cap = 0))
/* VEC_FOREACH (int *, p, &v) */
#define VEC_FOREACH(ptr_type, p, v)                                                                \
    for (ptr_type p = (v)->items; p && p < (v)->items + (v)->len; p++)
