/* Entries of a MAP field while an object is decoded: gathered in order of appearance, each
 * beginning with its key (struct str), then put into the order that the schema promises. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;

/* Sorts by key; of equal keys the last stays, and on_duplicate (may be NULL) is told of each
 * dropped one. Returns how many are left. */
uint32_t object_map_sort(struct arena *a, void *items, uint32_t len, size_t entry_size,
                         void (*on_duplicate)(void *arg, struct str key), void *arg);
