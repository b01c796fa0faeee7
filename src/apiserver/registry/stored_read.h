/* Other objects than the one a request is for, out of its snapshot, decoded: what admission,
 * authentication and strategies look up; and writing them in the same transaction. */
#pragma once

#include <stdint.h>

#include "api/object.h"
#include "base/str.h"

struct arena;
struct err;
struct registry;
struct resource;
struct store_mutation;
struct store_snapshot;

/* Where to read. */
struct stored_reader {
    const struct registry *registry;
    struct store_snapshot *snapshot;
    struct arena *arena;
};

/* The row of a built-in resource in its version v1 of a group; never NULL for the names used. */
const struct resource *stored_read_row(struct str group, struct str resource);
/* ERR_NOT_FOUND, ERR_CORRUPT ... The object's metadata has its resourceVersion. */
int stored_read_get(const struct stored_reader *s, const struct resource *row, struct str namespace,
                    struct str name, struct object *ret, struct err *err);
/* Every object of a namespace ("" for all); stops and returns what fn returns when that is not 0.
 * ERR_TOO_LARGE when they do not fit the arena's limit. */
typedef int stored_read_fn(struct object o, void *arg);
int stored_read_each(const struct stored_reader *s, const struct resource *row,
                     struct str namespace, stored_read_fn *fn, void *arg, struct err *err);
/* A PUT of o, encoded, over the revision that o says it is of; without one o must be new. */
int stored_read_put(const struct stored_reader *s, const struct resource *row, struct object o,
                    struct store_mutation *ret, struct err *err);
