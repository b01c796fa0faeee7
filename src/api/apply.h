/* Server-side apply and the keeping of managedFields, for any kind of object: trees of values seen
 * through a field_type. Nothing here knows about storage, requests or built-in types. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/field_type.h"
#include "api/managed_fields.h"
#include "base/str.h"
#include "codec/value.h"

struct arena;
struct err;

/* The object in another version, where ownership was recorded in that. ERR_NOT_FOUND: there is no
 * such version (any more). */
typedef int apply_convert_fn(void *arg, struct arena *a, const struct value *v, struct str from,
                             struct str to, struct value *ret, struct field_type *ret_type,
                             struct err *err);

struct apply_call {
    struct arena *arena;
    struct field_type type;     /* of the objects */
    struct managed_manager who; /* api_version: of the objects */
    struct field_set ignored;   /* paths that this endpoint does not write, with all below */
    int64_t now_s;
    apply_convert_fn *convert; /* NULL: other versions are unknown */
    void *convert_arg;
};

/* One manager's field that another wanted otherwise. */
struct apply_conflict {
    struct managed_entry owner;
    struct str path;
};

struct apply_conflicts {
    struct apply_conflict *items;
    size_t len, cap;
};

/* The manager has made `live` into `updated`: m (live's) becomes what it is after that. On failure
 * m is as it was. */
int apply_update(const struct apply_call *call, const struct value *live,
                 const struct value *updated, struct managed_fields *m, struct err *err);

/* The manager wants what `config` says: *ret is live with that, less what it said before, says no
 * more and nobody else owns. `empty` is a new object of the type, before anything is set.
 * *ret_changed: the object or who owns it changed. ERR_CONFLICT: conflicts are listed, in the order
 * of managers and paths. ERR_INVALID, ERR_TOO_LARGE. */
int apply_config(const struct apply_call *call, const struct value *live, const struct value *empty,
                 const struct value *config, bool force, struct managed_fields *m,
                 struct value *ret, bool *ret_changed, struct apply_conflicts *ret_conflicts,
                 struct err *err);

/* In upstream's words: 'conflict with "kubectl" using apps/v1'. */
struct str apply_conflict_text(struct arena *a, const struct apply_conflict *c);
struct str apply_conflicts_message(struct arena *a, const struct apply_conflicts *c);
