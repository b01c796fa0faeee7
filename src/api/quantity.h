/* resource.Quantity: exact decimal numbers with SI, binary or exponent suffixes. Values are whole
 * billionths (10^-9, rounded away from zero) between -(2^63-1) and 2^63-1, as upstream bounds them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;

enum quantity_format { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };

struct quantity {
    __int128 nano; /* the value times 10^9 */
    enum quantity_format format;
};

#define QUANTITY_FORMAT_ERROR                                                                      \
    "quantities must match the regular expression "                                                \
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

bool quantity_parse(struct str text, struct quantity *ret);
/* The canonical text: same family of suffixes, the largest one that needs no fraction. */
struct str quantity_print(struct arena *a, struct quantity q);
/* Canonical form of a text, the text itself where it is canonical already; false: no quantity. */
bool quantity_canonical(struct arena *a, struct str text, struct str *ret);

int quantity_compare(struct quantity a, struct quantity b); /* <0, 0, >0 */
struct quantity quantity_add(struct quantity a,
                             struct quantity b); /* bounded; the format of a, unless that is 0 */
int64_t quantity_value(struct quantity q);       /* whole units, rounded up */
int64_t quantity_milli_value(struct quantity q); /* thousandths, rounded up, bounded */
/* Rounded away from zero to thousandths, as ResourceList amounts are stored. */
struct quantity quantity_round_milli(struct quantity q);
