/* JSON Merge Patch (RFC 7386) on value trees: members of the patch replace those of the document,
 * null removes, objects merge, everything else replaces. */
#pragma once

#include "base/str.h"
#include "codec/value.h"

struct arena;
struct err;

/* The patch must be an object (as an API object is): ERR_SYNTAX 'Invalid JSON Patch' or the
 * parser's text (400). */
int merge_patch_decode(struct arena *a, struct str json, struct value *ret, struct err *err);

/* Merges patch into *doc in place. Parts of the patch are copied, so it can be applied again.
 * ERR_TOO_LARGE when the arena is over its limit. Depth is bounded by the parser's. */
int merge_patch_apply(struct arena *a, struct value *doc, const struct value *patch,
                      struct err *err);
