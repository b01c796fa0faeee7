/* Defaulting: what the server fills in on decode and on read of older stored objects. One walk per
 * object: declared defaults come from the schema's rows, conditional ones from a table of
 * {type, function}; a type's function runs wherever the type occurs, before its members are
 * visited. Types that have nothing to fill in, at any depth, are skipped by a bit that is worked
 * out once per process. */
#pragma once

#include <stddef.h>

#include "api/object.h"

struct arena;

/* Fills in *o's unset fields; new texts and structs come from a. Running it twice changes nothing
 * more. The object must be private to the caller. */
void object_default(struct arena *a, struct object o);
/* Rows and functions whose type or field the schema lacks; a test wants 0. */
size_t defaults_unknown_rows(void);
