/* Objects within objects (x-kubernetes-embedded-resource): their apiVersion, kind and metadata are
 * as those of every object. */
#pragma once

#include "api/structural/structural.h"

struct arena;
struct field_errors;
struct field_path;
struct value;

/* Metadata of embedded objects loses what metadata does not have; fn (may be NULL) hears of each.
 */
void structural_embedded_settle(struct arena *a, struct value *v, const struct structural *s,
                                structural_unknown_fn *fn, void *arg);
void structural_embedded_validate(struct value *v, const struct structural *s,
                                  const struct field_path *path, struct field_errors *errs);
