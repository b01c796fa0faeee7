/* What is particular about a resource, beyond its row: hooks around the generic create, update and
 * delete. Every hook may be NULL. Objects are of the row's type, private to the request and may be
 * changed in place; texts come from the arena. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/object.h"
#include "base/str.h"

struct api_request;
struct field_errors;
struct meta_v1_delete_options;
struct resource;
struct status;
struct write;

struct strategy {
    struct str group, resource; /* every version of it */
    bool is_of_core;            /* answers name the core group: another view of one of its kinds */
    void (*prepare_create)(struct api_request *r, struct object o);
    /* After the generic part: fields reset by the row, metadata kept. */
    void (*prepare_update)(struct api_request *r, struct object o, struct object old);
    void (*validate)(struct api_request *r, struct object o, struct object old,
                     struct field_errors *errs);
    /* Seconds of grace that a deletion leaves, by the options; unset hook: 0 for all. -1: none. */
    int64_t (*grace_s)(const struct meta_v1_delete_options *opts, struct object o);
    /* Something other than metadata.finalizers that keeps the object; the deletion marks it. */
    bool (*is_kept)(struct object o);
    /* The object is being marked as going. */
    void (*mark_deleted)(struct api_request *r, struct object o);
    /* The decision stands: w->updated is to be stored, or w->current to go. Adds what must be
     * written with it (write_add), and may change w->updated. False: *ret says why not. */
    bool (*transact)(struct write *w, struct status *ret);
    /* Seconds until the object expires; 0: never. */
    int64_t (*expires_s)(struct api_request *r, struct object o);
};

/* Never NULL: the one without hooks stands for all that have none. */
const struct strategy *strategy_of(const struct resource *row);

/* The generic parts, by the row. */
/* Fields that a client cannot set at create are cleared, generation set. */
void strategy_prepare_create(struct api_request *r, struct object o);
/* Fields that the endpoint cannot change are put back, generation goes up where the row says. */
void strategy_prepare_update(struct api_request *r, struct object o, struct object old);
/* The paths that the request's endpoint leaves alone, separated by spaces. */
struct str strategy_resets(const struct api_request *r);
/* Metadata, rows of the type, then the strategy. False: *ret is 422. old.data NULL: create. */
bool strategy_validate(struct api_request *r, struct object o, struct object old,
                       struct status *ret);
