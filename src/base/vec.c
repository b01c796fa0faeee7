#include "base/vec.h"

void *vec_grow_(void *items, size_t *cap, size_t need, size_t elem_size)
{
    size_t n = MAX(MAX(*cap * 2, need), (size_t)8);

    items = mem_realloc_array(items, n, elem_size);
    *cap = n;
    return items;
}
