/* Small helpers of what walks objects by schema rows: finding types by a written name, telling
 * whether a field is unset, setting one from a JSON literal, and visiting the structs below a
 * field whatever its shape. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/schema.h"

struct arena;

/* "core/v1.Pod", "apps/v1.DeploymentSpec", "meta.k8s.io/v1.ObjectMeta"; NULL when there is none. */
const struct schema_type *schema_walk_type(const struct schema *s, const char *name);

/* at points to the field in its struct. Pointers: NULL. Texts: unset, or empty when the field is no
 * pointer. Lists and maps: no items. Numbers and booleans: zero. A struct by value is never zero.
 */
bool schema_walk_is_zero(const struct schema_field *f, const void *at);

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
