/* Hash map from strings to pointers; keys are copied. Open addressing, keyed hash (peers cannot
 * choose collisions). Order of iteration is unspecified; removing the entry that iteration stands
 * on is allowed, adding during iteration is not. A zeroed struct is an empty map. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct map_entry {
    struct str key; /* owned by the map; p == NULL: free, p == MAP_TOMB: removed */
    uint64_t hash;
    void *value;
};

struct map {
    struct map_entry *entries;
    size_t cap;  /* power of two or 0 */
    size_t len;  /* live entries */
    size_t used; /* live and removed */
};

void map_done(struct map *m);                       /* values are the caller's */
void *map_get(const struct map *m, struct str key); /* NULL when absent */
bool map_has(const struct map *m, struct str key);
void *map_put(struct map *m, struct str key, void *value); /* returns the value replaced, or NULL */
void *map_remove(struct map *m, struct str key);           /* returns the value removed, or NULL */
/* The next live entry after *cursor (start with 0), or NULL. */
struct map_entry *map_next(const struct map *m, size_t *cursor);

#define MAP_FOREACH(e, m)                                                                          \
    for (size_t e##_cursor = 0, e##_once = 1; e##_once; e##_once = 0)                              \
        for (struct map_entry * e; (e = map_next((m), &e##_cursor));)

DEFINE_CLEANUP_VALUE(struct map, map_done);
