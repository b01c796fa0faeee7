/* The OpenAPI documents of the built-in groups, printed from the schema's and the resources'
 * tables. They are printed once, when Pintle is built (tools/openapigen), compressed, and served as
 * they are. */
#pragma once

#include <stddef.h>

#include "base/str.h"

struct arena;
struct buf;
struct resource;

/* Version 2: one document for everything. */
void openapi_print_v2(struct buf *b, struct str git_version);

/* What definitions of custom resources add: their rows, grouped by group version, and their
 * definitions (structural/custom_openapi.h), as members. */
struct openapi_custom {
    const struct resource *const *rows;
    size_t n;
    struct str definitions;
};
/* The document of one group version. */
void openapi_print_custom_v3(struct buf *b, const struct openapi_custom *c, struct str git_version);
/* The members of "paths"; the definitions that these refer to beside their own are those that the
 * built-in document has. */
void openapi_print_custom_v2_paths(struct buf *b, const struct openapi_custom *c);

/* Version 3: one document per path of the index: "api", "apis", "version", "api/v1", "apis/apps",
 * "apis/apps/v1", ... Walk with i from 0 until the unset string comes. */
struct str openapi_v3_path(struct arena *a, size_t i);
void openapi_print_v3(struct buf *b, struct str path, struct str git_version);
