/* Between a decoded object and its stored form: JSON of the storage version, split at the text of
 * metadata.resourceVersion, with its labels and selectable fields beside it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/object.h"
#include "base/str.h"
#include "store/store.h"

struct arena;
struct buf;
struct err;
struct resource;

/* Goes up when defaulting changes, so that what was stored before is defaulted on read. */
enum { STORED_OBJECT_STAMP = 1 };

/* Fills what a PUT writes (head, tail, labels, fields, stamp) from an object of the row's type; its
 * resourceVersion is left out. ERR_UNSUPPORTED when it cannot be said in the storage version. */
int stored_object_encode(struct arena *a, const struct resource *row, struct object o,
                         struct store_mutation *m, struct err *err);
/* The whole JSON text in the arena, with the revision in its place. */
struct str stored_object_json(struct arena *a, struct str head, uint64_t revision, struct str tail);
void stored_object_append(struct buf *b, struct str head, uint64_t revision, struct str tail);
/* Decodes to the row's type: converted, defaulted where it is of an older stamp. Nothing points
 * into the store afterwards. */
int stored_object_decode(struct arena *a, const struct resource *row, const struct store_object *so,
                         struct object *ret, struct err *err);
/* Is the row's version the one that is stored? Then the stored bytes can be sent as they are. */
bool stored_object_is_storage_version(const struct resource *row);
/* And were these written as they would be now? */
bool stored_object_is_verbatim(const struct resource *row, const struct store_object *so);
/* A selectable field of the row, by what is stored beside the object or by the object itself where
 * that is older than the definition of a custom resource. a: the text's. */
struct str stored_object_field(struct arena *a, const struct resource *row,
                               const struct store_object *so, struct str name);
/* The part of a stored object's key. */
struct str stored_object_namespace(const struct store_object *so);
struct str stored_object_name(const struct store_object *so);

/* A field of an object by path ("spec.nodeName"), as text; STR("") when unset. */
struct str object_field_text(struct arena *a, struct object o, struct str path);
/* The place of a field; NULL when there is none on the way. *ret_field is its row. */
struct schema_field;
void *object_field_at(struct object o, struct str path, const struct schema_field **ret_field);
/* Bytes that a field takes in its struct. */
size_t object_field_size(const struct schema *s, const struct schema_field *f);
