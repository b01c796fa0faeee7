/* Finding members of an object by key many times: a hash index when the object is wide and there
 * will be many look-ups, else a plain search. What keeps merges of wide objects linear. The object
 * must not change while it is indexed. */
#pragma once

#include <stddef.h>

#include "base/map.h"
#include "codec/value.h"

struct value_index {
    const struct value *object;
    struct map map; /* key -> &members[i]; unused when empty */
};

static inline void value_index_init(struct value_index *ix, const struct value *object,
                                    size_t n_lookups)
{
    *ix = (struct value_index){ .object = object };
    if (object->type != VALUE_OBJECT || object->len < 32 || n_lookups < 32)
        return;
    for (uint32_t i = 0; i < object->len; i++)
        (void)map_put(&ix->map, object->members[i].key, &object->members[i]); /* keys are unique */
}

static inline void value_index_done(struct value_index *ix)
{
    map_done(&ix->map);
}

/* The member or NULL. */
static inline struct value_member *value_index_find(const struct value_index *ix, struct str key)
{
    if (ix->map.len)
        return map_get(&ix->map, key);
    if (ix->object->type != VALUE_OBJECT)
        return NULL;
    for (uint32_t i = 0; i < ix->object->len; i++)
        if (str_eq(ix->object->members[i].key, key))
            return &ix->object->members[i];
    return NULL;
}

DEFINE_CLEANUP_VALUE(struct value_index, value_index_done);
