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

#ifdef __SSE2__
#    include <emmintrin.h>
#endif

#include "base/macros.h"
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
    while (r->p < r->end && (unsigned char)*r->p <= ' ' &&
           (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
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

/* The three below have a short way for the commonest texts, which eats nothing when it is not one;
 * the long way behind it does everything, and has the words for what is wrong. */
int json_object_next_slow_(struct json_reader *r, bool first, struct str *ret_key);
int json_array_next_slow_(struct json_reader *r, bool first);
int json_string_slow_(struct json_reader *r, struct str *ret);

enum { JSON_SHORT_STRING = 16 }; /* bytes, quotes not counted, of strings for the short way */

/* p stands behind a quote: the closing quote, when it comes within JSON_SHORT_STRING bytes of plain
 * ASCII and that many can be read; else NULL. */
static inline const char *json_short_string_end_(const char *p, const char *end)
{
    if (end - p <= JSON_SHORT_STRING)
        return NULL;
#ifdef __SSE2__
    {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                                 _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
                                    _mm_cmplt_epi8(v, _mm_set1_epi8(' '))); /* and above 0x7f */
        unsigned mask = (unsigned)_mm_movemask_epi8(stop) | 1U << JSON_SHORT_STRING;

        p += __builtin_ctz(mask);
    }
#else
    for (int i = 0; i < JSON_SHORT_STRING && (signed char)*p >= ' ' && *p != '"' && *p != '\\'; i++)
        p++;
#endif
    return *p == '"' ? p : NULL;
}

/* '{' was eaten (or a member): 1 and the next key with its ':' eaten; 0 when '}' was eaten. first
 * says which. */
static inline int json_object_next(struct json_reader *r, bool first, struct str *ret_key)
{
    const char *p = r->p, *close;

    if (r->end - p > 3 && (first || *p == ',')) {
        p += !first;
        p += *p == ' ';
        if (*p == '"' && (close = json_short_string_end_(p + 1, r->end)) && close + 1 < r->end &&
            close[1] == ':') {
            *ret_key = str_n(p + 1, (size_t)(close - p - 1));
            r->p = close + 2;
            return 1;
        }
    }
    return json_object_next_slow_(r, first, ret_key);
}

/* '[' was eaten (or an element): 1 when an element stands next, 0 when ']' was eaten. */
static inline int json_array_next(struct json_reader *r, bool first)
{
    if (LIKELY(r->p < r->end)) {
        if (*r->p == ']') {
            r->p++;
            return 0;
        }
        if (first && (unsigned char)*r->p > ' ')
            return 1;
    }
    return json_array_next_slow_(r, first);
}

/* Borrowed from the text or, when it holds escapes, the arena. */
static inline int json_string(struct json_reader *r, struct str *ret)
{
    const char *p = r->p, *close;

    if (LIKELY(p < r->end && *p == '"' && (close = json_short_string_end_(p + 1, r->end)))) {
        *ret = str_n(p + 1, (size_t)(close - p - 1));
        r->p = close + 1;
        return 0;
    }
    return json_string_slow_(r, ret);
}

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
