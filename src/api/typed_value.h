/* Structured values: a JSON tree seen through a field_type. What server-side apply is made of:
 * which fields a value has, what differs between two, one merged into another, fields taken out.
 * Inputs are never changed; results share parts of them. */
#pragma once

#include "api/field_set.h"
#include "api/field_type.h"
#include "codec/value.h"

struct arena;
struct buf;
struct err;

/* The path element of a list's item ("k:{...}", "v:..."). ERR_INVALID: it has none. */
int typed_value_element(struct arena *a, const struct field_type *list, const struct value *item,
                        struct str *ret, struct err *err);

/* Checks what a client gave against the type: undeclared members, kinds of values, items that occur
 * twice. Appends upstream's text for all of it to b; nothing is appended when all is well. */
void typed_value_validate(struct arena *a, const struct field_type *t, const struct value *v,
                          struct buf *b);

/* The paths of all leaves, and of items and members that clients name. */
int typed_value_fields(struct arena *a, const struct field_type *t, const struct value *v,
                       struct field_set *ret, struct err *err);

struct typed_comparison {
    struct field_set added, removed, modified;
};

int typed_value_compare(struct arena *a, const struct field_type *t, const struct value *left,
                        const struct value *right, struct typed_comparison *ret, struct err *err);

/* left with what right says; items keep the order of right, those of left alone their place. */
int typed_value_merge(struct arena *a, const struct field_type *t, const struct value *left,
                      const struct value *right, struct value *ret, struct err *err);

/* v without the set's paths; what is left empty by that becomes null. */
int typed_value_remove(struct arena *a, const struct field_type *t, const struct value *v,
                       const struct field_set *set, struct value *ret, struct err *err);

/* --- the items of a list by their elements, for the above --- */

struct typed_items {
    const struct value *list; /* an ARRAY, or NULL: none */
    struct str *elements;
    uint32_t *next;  /* the next item of the same element + 1, 0: none */
    uint32_t *first; /* hash slots: item + 1 */
    uint32_t len, n_slots;
};

int typed_items_init(struct arena *a, const struct field_type *t, const struct value *v,
                     struct typed_items *ret, struct err *err);
/* The first item of that element, or -1. */
int64_t typed_items_find(const struct typed_items *items, struct str element);
