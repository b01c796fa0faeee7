/* What is allowed in an object, but not wise: upstream's texts for its Warning headers. Asked of
 * objects that have passed validation. */
#pragma once

#include "api/object.h"
#include "base/str.h"

struct arena;

typedef void (*warnings_fn)(void *arg, struct str text);
/* old.data NULL: create. Of an update only what changes the spec is told of. */
void warnings_of(struct arena *a, struct object o, struct object old, warnings_fn fn, void *arg);
