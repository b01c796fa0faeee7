/* Shared by the files that print OpenAPI documents; included nowhere else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/schema.h"
#include "base/str.h"

struct buf;

enum openapi_version { OPENAPI_V2, OPENAPI_V3 };

/* One document being printed: which definitions it needs is found while its paths are printed. */
struct openapi_doc {
    struct buf *b;
    const struct schema *schema;
    enum openapi_version version;
    bool *types;                 /* by type index: is referred to */
    bool kinds[SCHEMA_KIND_MAX]; /* value kinds with a definition of their own: are referred to */
    bool patch;                  /* meta.v1.Patch is referred to */
    bool code_version;           /* the answer of /version is referred to */
    struct str git_version;      /* "v1.36.0" */
    struct str group, group_version; /* of a version 3 document; unset: of none */
};

/* The place that definitions are referred to by: "#/definitions/" or "#/components/schemas/". */
struct str openapi_ref_prefix(const struct openapi_doc *d);

/* {"$ref": ...} of a type, which is noted as referred to. */
void openapi_ref_type(struct openapi_doc *d, const struct schema_type *t);
void openapi_ref_patch(struct openapi_doc *d);
void openapi_ref_code_version(struct openapi_doc *d);

/* The members of "definitions" / "schemas": every definition noted so far and, through them, all
 * that those need; in order of name. */
void openapi_print_definitions(struct openapi_doc *d);

/* `"key":"text"` with a comma before it unless *first, which is then false. */
void openapi_member(struct openapi_doc *d, bool *first, const char *key, struct str text);
void openapi_comma(struct openapi_doc *d, bool *first);
