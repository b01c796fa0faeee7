/* A set of field paths: what one manager owns. A tree of path elements, each spelled as FieldsV1
 * spells it ("f:spec", "k:{\"name\":\"a\"}", "v:\"x\"", "i:0"), sorted bytewise below each node.
 * Sets are values in an arena; operations share what they can of their inputs, so nothing is
 * changed once made. A zeroed set is empty. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct buf;
struct err;
struct field_type;

struct field_set_node;

struct field_set {
    struct field_set_node *items;
    uint32_t len;
    uint32_t cap;
};

struct field_set_node {
    struct str element;
    struct field_set below; /* paths through this one */
    bool member;            /* this path is in the set */
};

enum { FIELD_SET_MAX_DEPTH = 128 };

static inline bool field_set_is_empty(const struct field_set *s)
{
    return !s->len;
}

/* FieldsV1 JSON. ERR_SYNTAX, ERR_INVALID (no path element), ERR_TOO_DEEP, ERR_TOO_LARGE. Elements
 * may point into json. */
int field_set_parse(struct arena *a, struct str json, struct field_set *ret, struct err *err);
void field_set_print(struct buf *b, const struct field_set *s);

/* While a set is made: a node at the end, which is left out when it is no member and has nothing
 * below; then, when all are there, field_set_sort(), which joins equal elements. */
void field_set_append(struct arena *a, struct field_set *s, struct field_set_node node);
void field_set_sort(struct arena *a, struct field_set *s);
/* Adds the paths of dotted names, separated by spaces ("spec status.conditions"). */
void field_set_add_names(struct arena *a, struct field_set *s, struct str paths);

bool field_set_equal(const struct field_set *a, const struct field_set *b);
const struct field_set_node *field_set_find(const struct field_set *s, struct str element);
struct field_set field_set_union(struct arena *a, const struct field_set *x,
                                 const struct field_set *y);
struct field_set field_set_intersection(struct arena *a, const struct field_set *x,
                                        const struct field_set *y);
/* x without the paths of y. With `below` also without what lies below them. */
struct field_set field_set_difference(struct arena *a, const struct field_set *x,
                                      const struct field_set *y, bool below);
/* With every member that the type declares and that has something below it a member itself. */
struct field_set field_set_with_named(struct arena *a, const struct field_set *s,
                                      const struct field_type *t);

/* Each path of the set in order, as messages show it: '.spec.ports[port=80,protocol="TCP"].name'.
 */
typedef void field_set_path_fn(struct str path, void *arg);
void field_set_each(const struct field_set *s, field_set_path_fn *fn, void *arg);
