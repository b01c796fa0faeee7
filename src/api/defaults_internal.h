/* What defaulting is made of: rows with constants (defaults_rows.c) and functions for what depends
 * on other fields (defaults_core.c, defaults_workloads.c, defaults_other.c). */
#pragma once

#include <stddef.h>

struct arena;

/* Field `field` of type `type` gets the JSON literal when it is unset (a list: empty; a value
 * without an unset state: zero). */
struct default_row {
    const char *type; /* "group/version.Type", "core" for the core group */
    const char *field;
    const char *json; /* NULL: the field is of a feature that is off: it is dropped */
};

/* Runs on each occurrence of the type, after the type's rows and before its members. data is the
 * type's generated struct; texts and structs that it makes come from a. */
typedef void (*default_apply_fn)(struct arena *a, void *data);

struct default_fn {
    const char *type;
    default_apply_fn fn;
};

extern const struct default_row default_rows[]; /* both end with a row without type */
extern const struct default_fn default_fns_core[];
extern const struct default_fn default_fns_workloads[];
extern const struct default_fn default_fns_other[];
