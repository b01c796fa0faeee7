/* Field selectors: "metadata.name=a,spec.nodeName!=b". Which fields a resource offers is its row's
 * business; here a selector is parsed, checked against that list, and matched through a lookup
 * function (a field that is unset reads as the empty string). In values, "\," "\=" and "\\" stand
 * for the character. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;

enum {
    FIELD_SELECTOR_MAX_BYTES = 64 * 1024,
    FIELD_SELECTOR_MAX_TERMS = 256,
};

struct field_term {
    struct str field;
    struct str value;
    bool not_equal;
};

struct field_selector {
    struct field_term *items; /* sorted by text, as upstream does */
    uint32_t len;
};

/* The text of one field of the object at hand; STR("") when unset. */
typedef struct str (*field_lookup_fn)(void *arg, struct str field);

/* Empty text is the selector that matches everything. ERR_INVALID with upstream's text (a 400's
 * message as it is), ERR_TOO_LARGE. */
int field_selector_parse(struct arena *a, struct str text, struct field_selector *ret,
                         struct err *err);
/* The first field that is not among `allowed`; unset when all are. */
struct str field_selector_first_other(const struct field_selector *s, const struct str *allowed,
                                      size_t n_allowed);
bool field_selector_match(const struct field_selector *s, field_lookup_fn lookup, void *arg);
/* The value that an equality term demands of `field`: false when there is none. What a list or
 * watch narrows its reads by (one name, one namespace, one node). */
bool field_selector_requires(const struct field_selector *s, struct str field,
                             struct str *ret_value);
static inline bool field_selector_is_empty(const struct field_selector *s)
{
    return s->len == 0;
}
struct str field_selector_print(struct arena *a, const struct field_selector *s);
