/* Which fields of a resource a field selector may name, under which names, and what is said of
 * others. */
#pragma once

struct arena;
struct err;
struct field_selector;
struct resource;

/* Renames the selector's fields to those that are kept with stored objects. ERR_INVALID: names
 * another field; upstream's text, which depends on the kind. */
int selectable_fields_resolve(struct arena *a, const struct resource *row, struct field_selector *s,
                              struct err *err);
