/* One state of one API object, shared and immutable: what caches hold, handlers get, and writes
 * answer with. Changing it means copying (object_copy) into an arena of one's own. */
#pragma once

#include <stdint.h>

#include "api/object.h"
#include "base/arena.h"
#include "base/refcount.h"
#include "base/str.h"

struct err;
struct meta_v1_object_meta;
struct resource;

struct api_object {
    struct refcount refs;
    struct arena arena; /* of everything below; nothing is added to it */
    struct object o;
    const struct meta_v1_object_meta *meta;
    struct str key;    /* "namespace/name" or "name" */
    uint64_t revision; /* resourceVersion as the number that it is */
};

/* Sets fields of a decoded object, that nobody of this cache reads, to nothing. */
typedef void api_object_trim_fn(struct object o);

/* Decodes JSON of one object of the row's type; lax. What it keeps is a copy, as small as can be,
 * and without managedFields. trim may be NULL. *ret has one reference. */
int api_object_decode_trimmed(const struct resource *row, struct str json, api_object_trim_fn *trim,
                              struct api_object **ret, struct err *err);
int api_object_decode(const struct resource *row, struct str json, struct api_object **ret,
                      struct err *err);
struct api_object *api_object_ref(const struct api_object *o);
void api_object_unref(const struct api_object *o); /* accepts NULL */

DEFINE_CLEANUP(const struct api_object *, api_object_unref);

/* The C struct, as the row's type says: API_OBJECT(o, struct core_v1_pod)->spec */
#define API_OBJECT(object, type) ((const type *)(object)->o.data)
