/* Built-in structs as upstream prints its own (unversioned) types in errors: JSON with the names
 * and the order of their members, the unset ones included. */
#pragma once

#include "base/str.h"

struct arena;
struct schema_field;
struct schema_type;

struct str internal_print(struct arena *a, const struct schema_type *t, const void *data);
struct str internal_print_field(struct arena *a, const struct schema_field *f, const void *at);
/* JSON over lines, one space a level. */
struct str internal_print_indented(struct arena *a, struct str json);
/* What changed, line by line, as a unified diff of three lines of context ("@@ -1,2 +1,3 @@" ...).
 */
struct str internal_print_diff(struct arena *a, struct str before, struct str after);
