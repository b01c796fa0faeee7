/* A pull reader of one JSON text (RFC 8259) that lies whole in memory: no tree, no callbacks, no
 * copies but of strings that hold escapes. UTF-8 is checked. Errors are in the words of Go's
 * encoding/json, which clients know, with the offset where that says more.
 *
 * A reader stands before a value; each call eats what it names, white space before it included.
 * Nesting is the caller's recursion, who bounds it; json_skip() goes by itself and bounds it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;

enum { JSON_MAX_DEPTH = 512 };

struct json_reader {
    const char *p;
    const char *end;
    const char *begin;
    struct arena *arena; /* for strings with escapes */
    struct err *err;
};

void json_reader_init(struct json_reader *r, struct arena *a, struct str json, struct err *err);

static inline void json_space(struct json_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
}

/* The first byte of the next token, 0 at the end of the text. */
static inline char json_peek(struct json_reader *r)
{
    if (r->p < r->end && (unsigned char)*r->p > ' ')
        return *r->p;
    json_space(r);
    return r->p < r->end ? *r->p : '\0';
}

/* Fill err with Go's words for what stands here where `wanted` was looked for ("looking for
 * beginning of value"); ERR_SYNTAX. */
int json_unexpected(struct json_reader *r, const char *wanted);

/* '{' was eaten (or ','): 1 and the next key with its ':' eaten; 0 when '}' was eaten. first says
 * which. */
int json_object_next(struct json_reader *r, bool first, struct str *ret_key);
/* '[' was eaten (or an element): 1 when an element stands next, 0 when ']' was eaten. */
int json_array_next(struct json_reader *r, bool first);

int json_string(struct json_reader *r, struct str *ret); /* borrowed from the text or the arena */
/* A number's text, checked; *ret_integer: without fraction and exponent. */
int json_number(struct json_reader *r, struct str *ret, bool *ret_integer);
int json_literal(struct json_reader *r, struct str word); /* true, false, null */
/* Eats one value of any kind, checking it; *ret (may be NULL) is its text. ERR_TOO_DEEP. */
int json_skip(struct json_reader *r, struct str *ret);
/* Only white space is left; ERR_SYNTAX otherwise. */
int json_end(struct json_reader *r);

/* "string", "number", "object", "array", "bool", "null" by first byte. */
const char *json_kind_name(char first);
bool json_utf8_valid(const char *p, size_t len);
