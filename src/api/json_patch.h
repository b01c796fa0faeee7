/* JSON Patch (RFC 6902) on value trees. Decoding is apart from applying, because a lost write race
 * applies the same patch again to a newer object. As upstream's library, array indexes may be
 * negative (-1 is the last element; in "add" the place after it) and a "test" for null holds on a
 * member that is absent. Work is bounded: operations are counted, and the bytes that "copy" adds
 * are added up (security class 6: a few operations that double a document). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "codec/value.h"

struct arena;
struct err;

enum {
    JSON_PATCH_MAX_OPS = 10000,
    JSON_PATCH_MAX_COPY_BYTES = 3 * 1024 * 1024,
    JSON_PATCH_MAX_WORK = 100 * 1000 * 1000, /* members and elements passed over */
};

enum json_patch_op_type {
    JSON_PATCH_ADD,
    JSON_PATCH_REMOVE,
    JSON_PATCH_REPLACE,
    JSON_PATCH_MOVE,
    JSON_PATCH_COPY,
    JSON_PATCH_TEST,
    JSON_PATCH_UNKNOWN, /* refused when it is applied, as upstream does */
};

struct json_patch_op {
    enum json_patch_op_type type;
    bool has_path;
    bool has_from;
    bool has_value;
    struct str name; /* of "op", as given */
    struct str path;
    struct str from;
    struct value value;
};

struct json_patch {
    struct json_patch_op *ops;
    size_t len;
};

/* Shares strings with json. ERR_SYNTAX: not a list of operations (400, the text is
 * the message). ERR_TOO_LARGE: too many operations (413: 'The allowed maximum operations in a JSON
 * patch is 10000, got N'). */
int json_patch_decode(struct arena *a, struct str json, struct json_patch *ret, struct err *err);

/* Applies to *doc in place; on failure *doc is in an undefined state (but a valid tree).
 * ERR_INVALID: it does not apply (a path that is missing, a test that fails, too much copied). To
 * clients upstream answers each of these 422 Invalid with the one text JSON_PATCH_FAILED_MESSAGE;
 * err holds the reason in words. */
int json_patch_apply(struct arena *a, const struct json_patch *p, struct value *doc,
                     struct err *err);

#define JSON_PATCH_FAILED_MESSAGE "the server rejected our request due to an error in our request"
