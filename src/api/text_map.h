/* The generic form of generated map[string]string and map[string]quantity fields: entries of two
 * texts, sorted by key. Reached through struct schema_list, whose void pointer may alias the
 * generated one. */
#pragma once

#include <stdbool.h>

#include "api/schema.h"
#include "base/str.h"

struct arena;

static inline struct schema_str_entry *text_map_items(const void *map)
{
    return ((const struct schema_list *)map)->items;
}

static inline uint32_t text_map_len(const void *map)
{
    return ((const struct schema_list *)map)->len;
}

struct schema_str_entry *text_map_find(const void *map, struct str key); /* NULL: absent */
/* Sets or inserts; the entries are copied when one is inserted (other holders keep theirs). */
void text_map_put(struct arena *a, void *map, struct str key, struct str value);
void text_map_copy(struct arena *a, void *to, const void *from); /* texts shared */
