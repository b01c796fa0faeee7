/* Small helpers of what walks objects by schema rows: finding types by a written name, telling
 * whether a field is unset, setting one from a JSON literal, and visiting the structs below a
 * field whatever its shape. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "api/schema.h"

struct arena;

/* "core/v1.Pod", "apps/v1.DeploymentSpec", "meta.k8s.io/v1.ObjectMeta"; NULL when there is none. */
const struct schema_type *schema_walk_type(const struct schema *s, const char *name);

/* at points to the field in its struct. Pointers: NULL. Texts: unset, or empty when the field is no
 * pointer. Lists and maps: no items. Numbers and booleans: zero. A struct by value is never zero.
 */
bool schema_walk_is_zero(const struct schema_field *f, const void *at);

/* The same, worked out beforehand: a field is unset when `size` bytes at `offset` (of its struct)
 * are zero. size 0: never. */
struct schema_walk_probe {
    uint32_t offset;
    uint32_t size;
};
/* field_offset: of the field in the struct that will be looked at. */
struct schema_walk_probe schema_walk_probe(const struct schema_field *f, uint32_t field_offset);
static inline bool schema_walk_probe_is_zero(struct schema_walk_probe p, const void *data)
{
    const char *at = (const char *)data + p.offset;
    uint64_t n = 1;

    if (p.size == sizeof(uint64_t)) {
        memcpy(&n, at, sizeof(uint64_t));
    } else if (p.size == sizeof(uint32_t)) {
        uint32_t half;

        memcpy(&half, at, sizeof(half));
        n = half;
    } else if (p.size == 1) {
        n = (unsigned char)*at;
    }
    return n == 0;
}

/* Literals: true, false, integers, "text" without escapes, {} for a pointer to a struct, [] or
 * ["a","b"] for lists of strings. Others are left alone (false). */
bool schema_walk_set_json(struct arena *a, const struct schema *s, const struct schema_field *f,
                          void *at, const char *json);

/* The elements of a field, as one run: a value or a set pointer is one element. For maps the
 * values are visited; the key of element k is at first - value_offset + k * stride. */
struct schema_walk_items {
    char *first;
    uint32_t len;
    size_t stride;
    size_t value_offset;
};
struct schema_walk_items schema_walk_items(const struct schema *s, const struct schema_field *f,
                                           void *at);

/* For whole walks: of each type the struct fields at or below which there is something to visit. */
struct schema_walk_child {
    const struct schema_field *field;
    struct str name;
    uint32_t offset;
    uint32_t stride;       /* of list items and map entries */
    uint32_t value_offset; /* in a map's entry; its key is at 0 */
    uint16_t type;
    uint8_t shape;
};
struct schema_walk_children {
    struct schema_walk_child *items;
    uint16_t len;
    bool any; /* something to visit at the type or below */
};
/* has_own[type]: there is something to visit at the type itself. One row a type; on the heap, for
 * as long as the process lives. */
struct schema_walk_children *schema_walk_plan(const struct schema *s, const bool *has_own);

/* How many structs the child of `data` has, and the first; the others follow at the stride. */
static inline uint32_t schema_walk_child_structs(const struct schema_walk_child *c, char *data,
                                                 char **ret_first)
{
    char *at = data + c->offset;
    struct schema_list list;

    switch ((enum schema_shape)c->shape) {
    case SCHEMA_ONE:
    case SCHEMA_INLINE:
        *ret_first = at;
        return 1;
    case SCHEMA_POINTER:
        memcpy(ret_first, at, sizeof(*ret_first));
        return *ret_first != NULL;
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        memcpy(&list, at, sizeof(list));
        *ret_first = list.len ? (char *)list.items + c->value_offset : NULL;
        return list.len;
    }
    return 0;
}
