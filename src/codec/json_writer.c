#include "codec/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __SSE2__
#    include <emmintrin.h>
#endif

#include "base/buf.h"

/* Bytes that cannot stand as they are; 0xe2 begins U+2028 and U+2029 among others. */
static bool is_special(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0xe2;
}

static const char *plain_end(const char *p, const char *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
        __m128i a = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                 _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        __m128i b = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('<')),
                                 _mm_cmpeq_epi8(v, _mm_set1_epi8('>')));
        __m128i c = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('&')),
                                 _mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xe2)));
        unsigned mask =
            (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, a), _mm_or_si128(b, c)));

        if (mask)
            return p + __builtin_ctz(mask);
    }
#endif
    while (p < end && !is_special((unsigned char)*p))
        p++;
    return p;
}

/* One special byte (or a whole U+2028/2029); returns how many were eaten. */
static size_t write_special(struct buf *b, const char *p, const char *end)
{
    unsigned char c = (unsigned char)*p;

    switch (c) {
    case '"':
    case '\\':
        buf_append_char(b, '\\');
        buf_append_char(b, (char)c);
        return 1;
    case '\n':
        buf_append_lit(b, "\\n");
        return 1;
    case '\r':
        buf_append_lit(b, "\\r");
        return 1;
    case '\t':
        buf_append_lit(b, "\\t");
        return 1;
    case '\b':
        buf_append_lit(b, "\\b");
        return 1;
    case '\f':
        buf_append_lit(b, "\\f");
        return 1;
    case 0xe2:
        if (end - p >= 3 && (unsigned char)p[1] == 0x80 && ((unsigned char)p[2] & 0xfe) == 0xa8) {
            buf_append_str(b, (unsigned char)p[2] == 0xa8 ? STR("\\u2028") : STR("\\u2029"));
            return 3;
        }
        buf_append_char(b, (char)c);
        return 1;
    default:
        buf_printf(b, "\\u%04x", c);
        return 1;
    }
}

void json_write_string(struct buf *b, struct str s)
{
    const char *p = s.len ? s.p : "", *end = p + s.len; /* of unset text p is NULL */

    (void)buf_reserve(b, s.len + 2);
    buf_append_char(b, '"');
    while (p < end) {
        const char *stop = plain_end(p, end);

        buf_append(b, p, (size_t)(stop - p));
        p = stop;
        if (p < end)
            p += write_special(b, p, end);
    }
    buf_append_char(b, '"');
}

/* Go writes exponents with at least two digits in %e, and takes the leading zero off for JSON. */
static void write_exponent_form(struct buf *b, const char *text)
{
    const char *e = strchr(text, 'e');

    buf_append(b, text, (size_t)(e - text) + 2);
    e += 2;
    while (*e == '0' && e[1])
        e++;
    buf_append_str(b, str_from_cstr(e));
}

void json_write_double(struct buf *b, double v)
{
    double size = fabs(v);
    bool exponent = size != 0 && (size < 1e-6 || size >= 1e21);
    char text[400];

    for (int precision = 1; precision <= 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision - 1, v);
        if (strtod(text, NULL) != v)
            continue;
        if (exponent) {
            write_exponent_form(b, text);
            return;
        }
        break;
    }
    /* the same digits without an exponent: as many decimals as the shortest form needs */
    for (int decimals = 0; decimals <= 24; decimals++) {
        (void)snprintf(text, sizeof(text), "%.*f", decimals, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_append_str(b, str_from_cstr(text));
}

void json_write_compact(struct buf *b, struct str json)
{
    bool in_string = false;

    (void)buf_reserve(b, json.len);
    for (size_t i = 0; i < json.len; i++) {
        char c = json.p[i];

        if (in_string && c == '\\' && i + 1 < json.len) {
            buf_append_char(b, c);
            c = json.p[++i];
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
            continue;
        }
        buf_append_char(b, c);
    }
}
