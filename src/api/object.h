/* Decoded API objects: a C struct laid out by a schema_type, in an arena, and what can be done with
 * any of them. Decoders and encoders are in object_json.h and object_pb.h. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct meta_v1_list_meta;
struct meta_v1_object_meta;
struct schema;
struct schema_type;

/* A typed reference to a decoded struct; copying it copies no data. */
struct object {
    const struct schema *schema;
    const struct schema_type *type;
    void *data;
};

struct object object_new(struct arena *a, const struct schema *s,
                         const struct schema_type *t);       /* all unset */
struct object object_copy(struct arena *a, struct object o); /* deep, strings too */
bool object_equal(struct object a,
                  struct object b); /* same type; null and empty lists and maps are equal */

/* NULL when the type has none (SCHEMA_TYPE_OBJECT, SCHEMA_TYPE_LIST). Shared, not copied. */
struct meta_v1_object_meta *object_meta(struct object o);
struct meta_v1_list_meta *object_list_meta(struct object o);
/* apiVersion and kind members of a SCHEMA_TYPE_TOP. */
void object_set_gvk(struct object o, struct str api_version, struct str kind);
struct str object_kind(struct object o);
struct str object_api_version(struct object o);
