/* Who belongs to whom: the controlling owner reference, and taking and letting go of objects by a
 * selector. Changes become changes of the run. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct api_object;
struct arena;
struct controller;
struct controller_manager;
struct label_selector;
struct meta_v1_label_selector;
struct meta_v1_owner_reference;
struct reconcile;
struct resource;

bool owned_selects(const struct label_selector *s, const struct api_object *o);
/* The reference to the controlling owner; NULL: it has none. */
const struct meta_v1_owner_reference *owned_by(const struct api_object *o);

struct owned_rules {
    const struct resource *row; /* of the objects */
    const struct api_object *owner;
    const struct label_selector *selector;
    /* Beside the selector: does it belong to this owner. NULL: all do. */
    bool (*fits)(const struct api_object *o, const struct api_object *owner);
    /* Of those that belong to nobody, which are taken; NULL: all that are not being deleted. */
    bool (*may_take)(const struct api_object *o);
    struct str finalizer; /* put on what is taken, off what is let go; unset: none */
};

struct owned_objects {
    const struct api_object **items; /* in the run's arena */
    size_t len;
    bool some_change; /* objects are being taken or let go */
};
/* The owner's objects as the cache has them: owned and fitting. Those that fit and belong to nobody
 * are taken, those that do not fit any more let go; neither when the owner is being deleted. */
void owned_claim(struct reconcile *r, const struct owned_rules *rules, struct owned_objects *ret);
void owned_take(struct reconcile *r, const struct owned_rules *rules, const struct api_object *o);
void owned_let_go(struct reconcile *r, const struct owned_rules *rules, const struct api_object *o);

/* For maps: an object concerns its owner of the row's kind, before and after; belonging to nobody,
 * everyone of the row in its namespace whose selector matches. selector_of may use the arena and
 * return NULL. */
typedef const struct meta_v1_label_selector *owned_selector_fn(struct arena *a,
                                                               const struct api_object *owner);
void owned_map(struct controller_manager *m, const struct controller *c,
               const struct resource *owners, owned_selector_fn *selector_of,
               const struct api_object *old, const struct api_object *new);
