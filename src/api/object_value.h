/* A decoded object as a JSON value. */
#pragma once

#include "api/object.h"

struct arena;
struct err;
struct value;

/* Without its managedFields, of which no schema, column, selector or owner of fields speaks. */
int object_value(struct arena *a, struct object o, struct value *ret, struct err *err);
