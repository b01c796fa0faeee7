/* Label selectors: parsed from query text ("app=web,tier in (a,b),!canary") or built from a
 * meta/v1 LabelSelector, then matched through a lookup function, so that they run on labels in
 * whatever form these lie (packed in the store's records, decoded in a struct).
 *
 * Requirements are sorted by key. A selector without requirements matches everything, one with
 * `nothing` set matches nothing (a LabelSelector that is absent). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;
struct meta_v1_label_selector;

enum {
    LABEL_SELECTOR_MAX_BYTES = 64 * 1024,   /* of query text */
    LABEL_SELECTOR_MAX_REQUIREMENTS = 1024, /* of one selector */
};

enum label_op {
    LABEL_OP_EQUALS,     /* = and ==: the key has the one value */
    LABEL_OP_NOT_EQUALS, /* no such key, or another value */
    LABEL_OP_IN,
    LABEL_OP_NOT_IN,
    LABEL_OP_EXISTS,
    LABEL_OP_NOT_EXISTS,
    LABEL_OP_GREATER, /* the label's value is an integer above `number` */
    LABEL_OP_LESS,
};

struct label_requirement {
    struct str key;
    enum label_op op;
    struct str *values; /* sorted, unique */
    uint32_t n_values;
    int64_t number; /* GREATER, LESS */
};

struct label_selector {
    struct label_requirement *items;
    uint32_t len;
    bool nothing;
};

/* The value of one label of the object at hand: false when it has none of that key. */
typedef bool (*label_lookup_fn)(void *arg, struct str key, struct str *ret_value);

/* Parts point into text, which must live as long as the selector. ERR_INVALID with upstream's text
 * (a 400's message as it is), ERR_TOO_LARGE beyond the bounds above. */
int label_selector_parse(struct arena *a, struct str text, struct label_selector *ret,
                         struct err *err);
/* sel may be NULL (matches nothing); empty matches everything. Texts are shared with sel. */
int label_selector_from_meta(struct arena *a, const struct meta_v1_label_selector *sel,
                             struct label_selector *ret, struct err *err);
/* From requirements that the caller made; keeps and sorts reqs. ERR_INVALID, ERR_TOO_LARGE. */
int label_selector_from_requirements(struct arena *a, struct label_requirement *reqs, size_t n,
                                     struct label_selector *ret, struct err *err);
bool label_selector_match(const struct label_selector *s, label_lookup_fn lookup, void *arg);
static inline bool label_selector_is_empty(const struct label_selector *s) /* matches everything */
{
    return s->len == 0 && !s->nothing;
}
/* Canonical text: "a=b,c in (x,y)"; for continue tokens, logs and cache keys. */
struct str label_selector_print(struct arena *a, const struct label_selector *s);
