/* Between versions of a kind. Versions that differ only in name share their fields by name; what
 * moves or is renamed is a row of a table; autoscaling/v1 has functions of its own. */
#pragma once

#include "api/object.h"

struct arena;
struct err;
struct schema_type;

/* A new object of type `to`; texts may be shared. ERR_UNSUPPORTED when no rule is known for the
 * pair of kinds. */
int conversion_convert(struct arena *a, struct object from, const struct schema_type *to,
                       struct object *ret, struct err *err);
