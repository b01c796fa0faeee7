/* A JSON value as a tree in an arena: what patches, managed fields and custom resources work on,
 * where no C struct fits. Numbers keep their spelling class (integer or double) as upstream's
 * decoder does: an integer that fits int64 is VALUE_INT, everything else VALUE_DOUBLE. Objects keep
 * member order; equality of objects ignores it. Trees are changed in place by their owner; sharing
 * needs a copy. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct buf;
struct err;

enum value_type {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_DOUBLE,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_OBJECT,
};

struct value_member;

struct value {
    enum value_type type;
    uint32_t len; /* ARRAY, OBJECT: how many */
    uint32_t cap; /* ARRAY, OBJECT: room in items/members */
    union {
        bool b;
        int64_t i;
        double d;
        struct str s;
        struct value *items;          /* ARRAY: elements by value */
        struct value_member *members; /* OBJECT: in order */
    };
};

struct value_member {
    struct str key;
    struct value v;
};

enum { VALUE_MAX_DEPTH = 256 };

/* Parses one JSON text (whole input, UTF-8 checked, depth at most VALUE_MAX_DEPTH). A duplicate
 * member keeps the last; the first duplicate's path is left in *ret_duplicate when that is not
 * NULL. Strings without escapes point into json, which must live as long as the tree. ERR_SYNTAX,
 * ERR_TOO_DEEP, ERR_TOO_LARGE (arena over its limit). */
int value_parse(struct arena *a, struct str json, struct value *ret, struct str *ret_duplicate,
                struct err *err);
/* Appends compact JSON: < > & as \u003c \u003e \u0026, as Go's encoder writes it. */
void value_print(struct buf *b, const struct value *v);

/* By name, as Go's encoder writes maps. */
void value_sort_members(struct value *v);
/* "object", "array", "string", "number", "bool", "null": as Go's decoder calls them. */
const char *value_type_name(const struct value *v);
/* Appends it as Go's %v shows a decoded document: map[a:1 b:[x y]], members in order of name. */
void value_print_go(struct buf *b, const struct value *v);

bool value_equal(const struct value *a,
                 const struct value *b); /* 1 and 1.0 differ, order of members not */
struct value value_copy(struct arena *a, const struct value *v); /* deep, strings shared */

struct value value_string(struct str s);
struct value value_int(int64_t i);
struct value value_bool(bool b);
struct value value_object(void);
struct value value_array(void);

/* OBJECT: the member's value or NULL (also when v is no object). */
struct value *value_get(const struct value *v, struct str key);
struct str value_get_str(const struct value *v,
                         struct str key); /* unset when absent or no string */
/* OBJECT: sets or appends; returns the place. */
struct value *value_set(struct arena *a, struct value *v, struct str key, struct value x);
bool value_remove(struct value *v, struct str key); /* OBJECT, keeps order; false: was not there */
/* ARRAY */
struct value *value_push(struct arena *a, struct value *v, struct value x);
void value_insert(struct arena *a, struct value *v, size_t at, struct value x); /* at <= len */
void value_remove_at(struct value *v, size_t at);                               /* at < len */
