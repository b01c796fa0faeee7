#include "codec/yaml_scalar.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "codec/json_writer.h"

static const struct {
    struct str text;
    struct str json;
} words[] = {
    { STR_INIT(""), STR_INIT("null") },       { STR_INIT("~"), STR_INIT("null") },
    { STR_INIT("null"), STR_INIT("null") },   { STR_INIT("Null"), STR_INIT("null") },
    { STR_INIT("NULL"), STR_INIT("null") },   { STR_INIT("true"), STR_INIT("true") },
    { STR_INIT("True"), STR_INIT("true") },   { STR_INIT("TRUE"), STR_INIT("true") },
    { STR_INIT("yes"), STR_INIT("true") },    { STR_INIT("Yes"), STR_INIT("true") },
    { STR_INIT("YES"), STR_INIT("true") },    { STR_INIT("y"), STR_INIT("true") },
    { STR_INIT("Y"), STR_INIT("true") },      { STR_INIT("on"), STR_INIT("true") },
    { STR_INIT("On"), STR_INIT("true") },     { STR_INIT("ON"), STR_INIT("true") },
    { STR_INIT("false"), STR_INIT("false") }, { STR_INIT("False"), STR_INIT("false") },
    { STR_INIT("FALSE"), STR_INIT("false") }, { STR_INIT("no"), STR_INIT("false") },
    { STR_INIT("No"), STR_INIT("false") },    { STR_INIT("NO"), STR_INIT("false") },
    { STR_INIT("n"), STR_INIT("false") },     { STR_INIT("N"), STR_INIT("false") },
    { STR_INIT("off"), STR_INIT("false") },   { STR_INIT("Off"), STR_INIT("false") },
    { STR_INIT("OFF"), STR_INIT("false") },
};

/* Spellings of infinity and not-a-number. */
static const struct str no_numbers[] = {
    STR_INIT(".inf"),  STR_INIT(".Inf"),  STR_INIT(".INF"),  STR_INIT("+.inf"),
    STR_INIT("+.Inf"), STR_INIT("+.INF"), STR_INIT("-.inf"), STR_INIT("-.Inf"),
    STR_INIT("-.INF"), STR_INIT(".nan"),  STR_INIT(".NaN"),  STR_INIT(".NAN"),
};

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* 12, -7, 1_000, 0x1f, 0b101, 0o17, 017: base by prefix, underscores passed over. */
static bool parse_integer(struct str s, bool *ret_negative, uint64_t *ret)
{
    uint64_t v = 0;
    unsigned base = 10;
    bool any = false;

    *ret_negative = s.len && s.p[0] == '-';
    if (s.len && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_tail(s, 1);
    if (s.len > 2 && s.p[0] == '0' && strchr("xXbBoO", s.p[1])) {
        base = s.p[1] == 'x' || s.p[1] == 'X' ? 16 : s.p[1] == 'b' || s.p[1] == 'B' ? 2 : 8;
        s = str_tail(s, 2);
    } else if (s.len > 1 && s.p[0] == '0') {
        base = 8;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '_' && any)
            continue;
        if (digit_of(s.p[i]) >= (int)base || __builtin_mul_overflow(v, base, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit_of(s.p[i]), &v))
            return false;
        any = true;
    }
    *ret = v;
    return any && (!*ret_negative || v <= (uint64_t)INT64_MAX + 1);
}

/* [-+]digits[.digits][e[-+]digits], or .digits; at least one digit. */
static bool looks_like_float(struct str s)
{
    size_t i = 0, digits = 0;

    i += s.len && (s.p[0] == '-' || s.p[0] == '+');
    for (; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        digits++;
    if (i < s.len && s.p[i] == '.')
        i++;
    for (; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        digits++;
    if (!digits)
        return false;
    if (i < s.len && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.len && (s.p[i] == '-' || s.p[i] == '+');
        if (i == s.len)
            return false;
        for (; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            continue;
    }
    return i == s.len;
}

static bool parse_float(struct str s, double *ret)
{
    char copy[128];

    if (s.len >= sizeof(copy) || !looks_like_float(s))
        return false;
    memcpy(copy, s.p, s.len);
    copy[s.len] = '\0';
    *ret = strtod(copy, NULL);
    return true;
}

bool yaml_scalar_write(struct buf *b, struct str s)
{
    bool negative;
    uint64_t v;
    double d;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(s, words[i].text)) {
            buf_append_str(b, words[i].json);
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(no_numbers); i++) {
        if (str_eq(s, no_numbers[i]))
            return false;
    }
    if (parse_integer(s, &negative, &v)) {
        if (negative && v)
            buf_append_char(b, '-');
        buf_append_u64(b, v);
    } else if (parse_float(s, &d)) {
        if (!isfinite(d))
            return false;
        json_write_double(b, d);
    } else {
        json_write_string(b, s);
    }
    return true;
}

bool yaml_scalar_is_string(struct str s)
{
    bool negative;
    uint64_t v;
    double d;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(s, words[i].text))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(no_numbers); i++) {
        if (str_eq(s, no_numbers[i]))
            return false;
    }
    return !parse_integer(s, &negative, &v) && !parse_float(s, &d);
}
