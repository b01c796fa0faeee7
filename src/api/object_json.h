/* Objects to and from JSON, by the schema's rows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/object.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

/* What a lax reader drops and a strict one reports: texts in upstream's words, in order of
 * appearance, 'unknown field "spec.x"', 'duplicate field "metadata.name"'; paths in upstream's form
 * (spec.containers[0].image). At most OBJECT_JSON_MAX_STRICT are kept. */
enum { OBJECT_JSON_MAX_STRICT = 100, OBJECT_JSON_MAX_DEPTH = 128 };

struct object_json_strict {
    struct str *items;
    size_t len;
};

/* Decodes the whole of json into *ret (allocated in a). Text without escapes points into json,
 * which must live as long as the object. ret_strict may be NULL: then unknown and duplicate members
 * are dropped unseen. Failures: ERR_SYNTAX (position in the text: upstream's words where it has
 * some), ERR_INVALID (type mismatch: 'json: cannot unmarshal string into Go struct field
 * PodSpec.spec.replicas of type int32'), ERR_TOO_DEEP, ERR_TOO_LARGE. Depth, width and size are
 * bounded by OBJECT_JSON_MAX_DEPTH and the arena's limit. */
int object_json_decode(struct arena *a, const struct schema *s, const struct schema_type *t,
                       struct str json, struct object *ret, struct object_json_strict *ret_strict,
                       struct err *err);

/* kind and apiVersion of a JSON object without decoding the rest; unset where absent. Reads no
 * further than it must, so that the text may still be broken behind. ERR_SYNTAX. */
int object_json_peek_gvk(struct arena *a, struct str json, struct str *ret_api_version,
                         struct str *ret_kind, struct err *err);

struct object_json_options {
    bool without_gvk; /* leave out kind and apiVersion at the top (items of lists) */
    /* Where to leave the place of metadata.resourceVersion's text (between its quotes) inside what
     * was appended; with it, a resourceVersion member is written even when unset. For the stored
     * form. */
    size_t *ret_resource_version_at;
};

/* Appends compact JSON: members in declaration order, map keys sorted, omission rules of the rows,
 * < > & escaped, no trailing newline. opts may be NULL. */
void object_json_encode(struct buf *b, struct object o, const struct object_json_options *opts);
/* The same with pretty-printing by two spaces applied to any JSON text (for ?pretty=1). */
void object_json_indent(struct buf *b, struct str compact);
