#include "codec/json_reader.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

void json_reader_init(struct json_reader *r, struct arena *a, struct str json, struct err *err)
{
    if (!json.p)
        json = STR(""); /* an unset text is an empty one */
    *r = (struct json_reader){
        .p = json.p, .begin = json.p, .end = json.p + json.len, .arena = a, .err = err
    };
}

const char *json_kind_name(char first)
{
    switch (first) {
    case '"':
        return "string";
    case '{':
        return "object";
    case '[':
        return "array";
    case 't':
    case 'f':
        return "bool";
    case 'n':
        return "null";
    default:
        return "number";
    }
}

/* A character as Go quotes it in messages. */
static void print_char(char *to, size_t size, unsigned char c)
{
    if (c == '\'')
        (void)snprintf(to, size, "'\\''");
    else if (c == '\n' || c == '\r' || c == '\t')
        (void)snprintf(to, size, "'\\%c'", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else if (c < 0x20 || c == 0x7f)
        (void)snprintf(to, size, "'\\x%02x'", c);
    else if (c < 0x80)
        (void)snprintf(to, size, "'%c'", c);
    else if (c < 0xa1 || c == 0xad)
        (void)snprintf(to, size, "'\\u%04x'", c);
    else /* a byte is taken for the character of that number */
        (void)snprintf(to, size, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
}

int json_unexpected(struct json_reader *r, const char *wanted)
{
    char shown[16];

    if (r->p >= r->end)
        return err_set(r->err, ERR_SYNTAX, "unexpected end of JSON input");
    print_char(shown, sizeof(shown), (unsigned char)*r->p);
    return err_set(r->err, ERR_SYNTAX, "invalid character %s %s", shown, wanted);
}

static int in_literal(struct json_reader *r, struct str word, size_t at)
{
    char wanted[48];

    (void)snprintf(wanted, sizeof(wanted), "in literal %.*s (expecting '%c')", STR_ARG(word),
                   word.p[at]);
    return json_unexpected(r, wanted);
}

int json_literal(struct json_reader *r, struct str word)
{
    (void)json_peek(r); /* over white space */
    for (size_t i = 0; i < word.len; i++, r->p++) {
        if (r->p >= r->end || *r->p != word.p[i])
            return in_literal(r, word, i);
    }
    return 0;
}

/* --- strings --- */

/* The length of the valid UTF-8 sequence at p, 0 when there is none (RFC 3629: no overlong forms,
 * no surrogates, nothing above U+10FFFF). */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0], low = 0x80, high = 0xbf;
    size_t n;

    if (lead >= 0xc2 && lead <= 0xdf)
        n = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        n = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        n = 4;
    else
        return 0;
    if (left < n)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

bool json_utf8_valid(const char *p, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = 1;

        if ((unsigned char)p[i] >= 0x80)
            n = utf8_sequence((const unsigned char *)p + i, len - i);
        if (!n)
            return false;
        i += n;
    }
    return true;
}

/* The first byte from p on that is a quote, a backslash, a control character or above 0x7f. */
static const char *plain_end(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                  space = _mm_set1_epi8(' ');

    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* signed: bytes above 0x7f are below ' ' too */
        __m128i stop =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
                         _mm_cmplt_epi8(v, space));
        unsigned mask = (unsigned)_mm_movemask_epi8(stop);

        if (mask)
            return p + __builtin_ctz(mask);
    }
#endif
    while (p < end && (signed char)*p >= ' ' && *p != '"' && *p != '\\')
        p++;
    return p;
}

static int hex4(struct json_reader *r, unsigned *ret)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++, r->p++) {
        char c = r->p < r->end ? *r->p : '\0';

        if (c >= '0' && c <= '9')
            v = v * 16 + (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v * 16 + (unsigned)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            v = v * 16 + (unsigned)(c - 'A' + 10);
        else
            return json_unexpected(r, "in \\u hexadecimal character escape");
    }
    *ret = v;
    return 0;
}

static void append_utf8(struct buf *b, unsigned c)
{
    if (c < 0x80) {
        buf_append_char(b, (char)c);
    } else if (c < 0x800) {
        buf_append_char(b, (char)(0xc0 | c >> 6));
        buf_append_char(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_append_char(b, (char)(0xe0 | c >> 12));
        buf_append_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_append_char(b, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_append_char(b, (char)(0xf0 | c >> 18));
        buf_append_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_append_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_append_char(b, (char)(0x80 | (c & 0x3f)));
    }
}

/* After "\u". A lone surrogate becomes U+FFFD, as Go's decoder has it. */
static int unicode_escape(struct json_reader *r, struct buf *b)
{
    unsigned c, low;
    int x = hex4(r, &c);

    if (x < 0)
        return x;
    if (c >= 0xd800 && c <= 0xdbff && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u') {
        const char *back = r->p;

        r->p += 2;
        x = hex4(r, &low);
        if (x < 0)
            return x;
        if (low >= 0xdc00 && low <= 0xdfff)
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        else
            r->p = back;
    }
    append_utf8(b, c >= 0xd800 && c <= 0xdfff ? 0xfffd : c);
    return 0;
}

static int escape(struct json_reader *r, struct buf *b)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at;

    r->p++;
    if (r->p < r->end && *r->p == 'u') {
        r->p++;
        return unicode_escape(r, b);
    }
    at = r->p < r->end && *r->p ? strchr(from, *r->p) : NULL;
    if (!at)
        return json_unexpected(r, "in string escape code");
    buf_append_char(b, to[at - from]);
    r->p++;
    return 0;
}

/* Over a run of bytes that need no change, multi-byte characters checked. Ends at a quote, a
 * backslash, or with an error. */
static int run(struct json_reader *r)
{
    for (;;) {
        size_t n;

        r->p = plain_end(r->p, r->end);
        if (r->p >= r->end || *r->p == '"' || *r->p == '\\')
            return 0;
        if ((unsigned char)*r->p < 0x80)
            return json_unexpected(r, "in string literal");
        n = utf8_sequence((const unsigned char *)r->p, (size_t)(r->end - r->p));
        if (!n)
            return err_set(r->err, ERR_SYNTAX, "invalid UTF-8 in string (offset %td)",
                           r->p - r->begin);
        r->p += n;
    }
}

/* From the first backslash on: what stood before it is in [begin, r->p). */
static int escaped_string(struct json_reader *r, const char *begin, struct str *ret)
{
    struct buf b;
    int x;

    buf_init_arena(&b, r->arena, (size_t)(r->p - begin) + 64);
    while (r->p < r->end && *r->p != '"') {
        buf_append(&b, begin, (size_t)(r->p - begin));
        x = escape(r, &b);
        if (x < 0)
            return x;
        begin = r->p;
        x = run(r);
        if (x < 0)
            return x;
    }
    if (r->p >= r->end)
        return json_unexpected(r, "");
    buf_append(&b, begin, (size_t)(r->p - begin));
    r->p++;
    *ret = buf_str(&b);
    return 0;
}

int json_string_slow_(struct json_reader *r, struct str *ret)
{
    const char *begin;
    int x;

    if (json_peek(r) != '"')
        return json_unexpected(r, "looking for beginning of object key string");
    begin = ++r->p;
    x = run(r);
    if (x < 0)
        return x;
    if (r->p >= r->end)
        return json_unexpected(r, "");
    if (*r->p == '\\')
        return escaped_string(r, begin, ret);
    *ret = str_n(begin, (size_t)(r->p - begin));
    r->p++;
    return 0;
}

/* --- numbers --- */

static bool digits(struct json_reader *r)
{
    const char *begin = r->p;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return r->p > begin;
}

int json_number(struct json_reader *r, struct str *ret, bool *ret_integer)
{
    const char *begin;

    (void)json_peek(r); /* over white space */
    begin = r->p;
    if (r->p < r->end && *r->p == '-')
        r->p++;
    if (r->p < r->end && *r->p == '0')
        r->p++;
    else if (!digits(r))
        return json_unexpected(r, r->p > begin ? "in numeric literal"
                                               : "looking for beginning of value");
    *ret_integer = true;
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        *ret_integer = false;
        if (!digits(r))
            return json_unexpected(r, "after decimal point in numeric literal");
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        *ret_integer = false;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        if (!digits(r))
            return json_unexpected(r, "in exponent of numeric literal");
    }
    *ret = str_n(begin, (size_t)(r->p - begin));
    return 0;
}

/* --- structure --- */

int json_object_next_slow_(struct json_reader *r, bool first, struct str *ret_key)
{
    char c = json_peek(r);
    int x;

    if (c == '}') {
        r->p++;
        return 0;
    }
    if (!first) {
        if (c != ',')
            return json_unexpected(r, "after object key:value pair");
        r->p++;
    }
    x = json_string(r, ret_key);
    if (x < 0)
        return x;
    if (json_peek(r) != ':')
        return json_unexpected(r, "after object key");
    r->p++;
    return 1;
}

int json_array_next_slow_(struct json_reader *r, bool first)
{
    char c = json_peek(r);

    if (c == ']') {
        r->p++;
        return 0;
    }
    if (first)
        return 1;
    if (c != ',')
        return json_unexpected(r, "after array element");
    r->p++;
    if (json_peek(r) == ']')
        return json_unexpected(r, "looking for beginning of value");
    return 1;
}

static int scalar(struct json_reader *r, char c)
{
    struct str ignored;
    bool integer;

    switch (c) {
    case '"':
        return json_string(r, &ignored);
    case 't':
        return json_literal(r, STR("true"));
    case 'f':
        return json_literal(r, STR("false"));
    case 'n':
        return json_literal(r, STR("null"));
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return json_number(r, &ignored, &integer);
        return json_unexpected(r, "looking for beginning of value");
    }
}

/* Steps to the next value inside the innermost open bracket, closing those that end here. Returns 1
 * with the reader before a value, 0 when all are closed. */
static int next_value(struct json_reader *r, const char *open, int *depth, bool first)
{
    while (*depth) {
        struct str key;
        int x =
            open[*depth - 1] == '{' ? json_object_next(r, first, &key) : json_array_next(r, first);

        if (x != 0)
            return x;
        (*depth)--;
        first = false;
    }
    return 0;
}

int json_skip(struct json_reader *r, struct str *ret)
{
    char open[JSON_MAX_DEPTH], c = json_peek(r);
    const char *begin = r->p;
    int depth = 0, x;

    do {
        c = json_peek(r);
        if (c == '{' || c == '[') {
            if (depth == JSON_MAX_DEPTH)
                return err_set(r->err, ERR_TOO_DEEP, "exceeded max depth of %d", JSON_MAX_DEPTH);
            open[depth++] = c;
            r->p++;
            x = next_value(r, open, &depth, true);
        } else {
            x = scalar(r, c);
            if (x >= 0)
                x = next_value(r, open, &depth, false);
        }
        if (x < 0)
            return x;
    } while (x);
    if (ret)
        *ret = str_n(begin, (size_t)(r->p - begin));
    return 0;
}

int json_end(struct json_reader *r)
{
    json_space(r);
    if (r->p < r->end)
        return json_unexpected(r, "after top-level value");
    return 0;
}
