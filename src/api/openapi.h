/* The OpenAPI documents of the built-in groups, printed from the schema's and the resources'
 * tables. They are printed once, when Pintle is built (tools/openapigen), compressed, and served as
 * they are. */
#pragma once

#include <stddef.h>

#include "base/str.h"

struct arena;
struct buf;

/* Version 2: one document for everything. */
void openapi_print_v2(struct buf *b, struct str git_version);

/* Version 3: one document per path of the index: "api", "apis", "version", "api/v1", "apis/apps",
 * "apis/apps/v1", ... Walk with i from 0 until the unset string comes. */
struct str openapi_v3_path(struct arena *a, size_t i);
void openapi_print_v3(struct buf *b, struct str path, struct str git_version);
