/* Fields of decoded objects by dotted path ("spec.nodeName", "status.podIPs"), as rows and tables
 * name them. No indexes and no map keys: a path ends at a list or map at the latest. */
#pragma once

#include "api/object.h"
#include "base/str.h"

struct arena;
struct buf;
struct schema_field;

/* Where the field lies in its struct (a POINTER's own place, not what it points to), and its row.
 * NULL when there is no such field or a struct on the way is unset. A leading '.' is passed over.
 */
void *object_path_at(struct object o, struct str path, const struct schema_field **ret_field);
/* The value of a POINTER or ONE field: what a pointer points to; NULL when it is unset. */
const void *object_path_value(const struct schema_field *f, const void *at);
/* Appends the text of a scalar, text, time, quantity or int-or-string; false when it is unset, or
 * not of such a kind. Zero numbers are set. */
bool object_path_print(struct buf *b, struct object o, struct str path);
