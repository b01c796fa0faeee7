#include "api/text_map.h"

#include "base/arena.h"

/* Where key is, or where it would be inserted. */
static uint32_t position(const void *map, struct str key, bool *ret_found)
{
    const struct schema_str_entry *items = text_map_items(map);
    uint32_t low = 0, high = text_map_len(map);

    *ret_found = false;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int c = str_cmp(key, items[mid].key);

        if (c == 0) {
            *ret_found = true;
            return mid;
        }
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

struct schema_str_entry *text_map_find(const void *map, struct str key)
{
    bool found;
    uint32_t at = position(map, key, &found);

    return found ? &text_map_items(map)[at] : NULL;
}

void text_map_put(struct arena *a, void *map, struct str key, struct str value)
{
    struct schema_list *list = map;
    struct schema_str_entry *old = list->items, *items;
    bool found;
    uint32_t at = position(map, key, &found);

    if (found) {
        old[at].value = value;
        return;
    }
    items = ARENA_NEW_ARRAY(a, struct schema_str_entry, (size_t)list->len + 1);
    if (at)
        memcpy(items, old, at * sizeof(*items));
    if (list->len > at)
        memcpy(items + at + 1, old + at, (list->len - at) * sizeof(*items));
    items[at] = (struct schema_str_entry){ .key = key, .value = value };
    list->items = items;
    list->len++;
}

void text_map_copy(struct arena *a, void *to, const void *from)
{
    struct schema_list *list = to;

    list->len = text_map_len(from);
    list->items = ARENA_NEW_ARRAY(a, struct schema_str_entry, list->len ? list->len : 1);
    if (list->len)
        memcpy(list->items, text_map_items(from), list->len * sizeof(struct schema_str_entry));
}
