/* Strategic merge patch: a merge patch that knows the types. Lists whose field says so are merged
 * by key (or as sets of scalars), and directives in the patch say the rest:
 *   "$patch": "replace" | "delete"     in a map: take the patch's map | leave an empty map;
 *                                      as an item of a merged list: replace the whole list by the
 *                                      other items | delete the item with this merge key
 *   "$deleteFromPrimitiveList/F": [..] remove these scalars from list F
 *   "$setElementOrder/F": [..]         the order that list F shall have; what only the server
 *                                      knows keeps its place relative to its old neighbours
 *   "$retainKeys": [..]                clear every member that is not named here
 * Results and texts are those of upstream's apimachinery. */
#pragma once

#include "base/str.h"
#include "codec/value.h"

struct arena;
struct err;
struct schema;
struct schema_type;

/* The patch text to a tree; ERR_SYNTAX (400) when it is no JSON object. */
int strategic_merge_decode(struct arena *a, struct str json, struct value *ret, struct err *err);

/* Merges patch (left unchanged, so that it can be applied again) into *doc, an object of type t.
 * ERR_SYNTAX: malformed directive (400). ERR_INVALID: 422 with JSON_PATCH_FAILED_MESSAGE.
 * ERR_UNSUPPORTED: what upstream answers with a bare 500 and this text (a field that the type does
 * not have, an item without its merge key). ERR_TOO_DEEP, ERR_TOO_LARGE. */
int strategic_merge_apply(struct arena *a, const struct schema *s, const struct schema_type *t,
                          struct value *doc, const struct value *patch, struct err *err);
