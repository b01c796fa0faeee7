#include "api/object_map.h"

#include <stdbool.h>

#include "base/arena.h"
#include "base/macros.h"

static struct str key_of(const char *entry)
{
    return *(const struct str *)(const void *)entry;
}

static int compare(const char *a, const char *b)
{
    return str_cmp(key_of(a), key_of(b));
}

static bool is_sorted(const char *items, uint32_t len, size_t size)
{
    for (uint32_t i = 1; i < len; i++) {
        if (compare(items + (i - 1) * size, items + i * size) >= 0)
            return false;
    }
    return true;
}

/* Merges the sorted runs [i, mid) and [mid, end) of from into to; stable. */
static void merge(const char *from, char *to, uint32_t i, uint32_t mid, uint32_t end, size_t size)
{
    uint32_t l = i, r = mid;

    for (uint32_t k = i; k < end; k++) {
        bool left = r >= end || (l < mid && compare(from + l * size, from + r * size) <= 0);

        memcpy(to + k * size, from + (left ? l++ : r++) * size, size);
    }
}

static void sort(struct arena *a, char *items, uint32_t len, size_t size)
{
    char *from = items, *to = arena_alloc(a, len * size, _Alignof(max_align_t));

    for (uint32_t width = 1; width < len; width *= 2) {
        char *swap = from;

        for (uint32_t i = 0; i < len; i += 2 * width)
            merge(from, to, i, MIN(i + width, len), MIN(i + 2 * width, len), size);
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, len * size);
}

uint32_t object_map_sort(struct arena *a, void *entries, uint32_t len, size_t size,
                         void (*on_duplicate)(void *arg, struct str key), void *arg)
{
    char *items = entries;
    uint32_t n = 0;

    if (is_sorted(items, len, size))
        return len;
    sort(a, items, len, size);
    for (uint32_t i = 0; i < len; i++) {
        if (i + 1 < len && compare(items + i * size, items + (i + 1) * size) == 0) {
            if (on_duplicate)
                on_duplicate(arg, key_of(items + i * size));
            continue;
        }
        memmove(items + n++ * size, items + i * size, size);
    }
    return n;
}
