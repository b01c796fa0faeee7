#include "api/quantity.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"

#define NANO     ((__int128)1000000000)
#define MAX_NANO ((__int128)INT64_MAX * NANO)
#define TOO_MUCH (MAX_NANO * 16) /* stop multiplying beyond; no overflow can come of it */

static const struct {
    struct str text;
    int exponent; /* of 10, or of 1024 */
    enum quantity_format format;
} suffixes[] = {
    { STR_INIT("n"), -9, QUANTITY_DECIMAL_SI }, { STR_INIT("u"), -6, QUANTITY_DECIMAL_SI },
    { STR_INIT("m"), -3, QUANTITY_DECIMAL_SI }, { STR_INIT(""), 0, QUANTITY_DECIMAL_SI },
    { STR_INIT("k"), 3, QUANTITY_DECIMAL_SI },  { STR_INIT("M"), 6, QUANTITY_DECIMAL_SI },
    { STR_INIT("G"), 9, QUANTITY_DECIMAL_SI },  { STR_INIT("T"), 12, QUANTITY_DECIMAL_SI },
    { STR_INIT("P"), 15, QUANTITY_DECIMAL_SI }, { STR_INIT("E"), 18, QUANTITY_DECIMAL_SI },
    { STR_INIT("Ki"), 1, QUANTITY_BINARY_SI },  { STR_INIT("Mi"), 2, QUANTITY_BINARY_SI },
    { STR_INIT("Gi"), 3, QUANTITY_BINARY_SI },  { STR_INIT("Ti"), 4, QUANTITY_BINARY_SI },
    { STR_INIT("Pi"), 5, QUANTITY_BINARY_SI },  { STR_INIT("Ei"), 6, QUANTITY_BINARY_SI },
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- parsing --- */

/* Digits with at most one point, as a whole number and how many of its digits stand after the
 * point. Digits that can no longer matter (beyond 10^-40 or after saturation) only count for
 * rounding. */
struct digits {
    __int128 value;
    int decimals;
    bool rest; /* something non-zero was left out at the end */
    bool huge; /* too large for anything */
};

static bool take_digits(struct str *s, struct digits *d)
{
    bool point = false, any = false;

    *d = (struct digits){ 0 };
    for (; s->len && (is_digit(s->p[0]) || (s->p[0] == '.' && !point)); *s = str_tail(*s, 1)) {
        if (s->p[0] == '.') {
            point = true;
            continue;
        }
        any = true;
        if (d->value >= TOO_MUCH) {
            d->rest |= s->p[0] != '0';
            d->huge |= !point;
            continue;
        }
        d->value = d->value * 10 + (s->p[0] - '0');
        d->decimals += point;
    }
    return any;
}

/* "e3", "E-6" */
static bool exponent_suffix(struct str s, int *ret)
{
    int64_t v;

    if (s.len < 2 || (s.p[0] != 'e' && s.p[0] != 'E'))
        return false;
    s = str_tail(s, s.p[1] == '+' ? 2 : 1);
    if (!str_to_i64(s, &v) || v > 100 || v < -100)
        return false;
    *ret = (int)v;
    return true;
}

static bool find_suffix(struct str s, int *ret_exponent, enum quantity_format *ret_format)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (str_eq(s, suffixes[i].text)) {
            *ret_exponent = suffixes[i].exponent;
            *ret_format = suffixes[i].format;
            return true;
        }
    }
    *ret_format = QUANTITY_DECIMAL_EXPONENT;
    return exponent_suffix(s, ret_exponent);
}

/* d times 10^exponent (and 1024^binary) in billionths, rounded up, bounded. */
static __int128 scale(struct digits d, int exponent, int binary)
{
    __int128 v = d.value;
    bool rest = d.rest;

    if (!v)
        return rest ? 1 : 0;
    for (int i = 0; i < binary && v < TOO_MUCH; i++)
        v *= 1024;
    exponent += 9 - d.decimals;
    for (; exponent > 0 && v < TOO_MUCH; exponent--)
        v *= 10;
    for (; exponent < 0 && v; exponent++) {
        rest |= v % 10 != 0;
        v /= 10;
    }
    if (d.huge || v > MAX_NANO)
        return MAX_NANO;
    return v + rest;
}

/* The commonest texts are a few digits and one of these: read without division of 128 bits. */
enum { SHORT_DIGITS = 6 };

static const struct short_suffix {
    char text[2];
    uint8_t len;
    uint16_t step; /* from this suffix to the next larger one */
    uint64_t units;
    uint32_t nano; /* in a unit; the suffix stands for units * nano */
    enum quantity_format format;
} short_suffixes[] = {
    { "Mi", 2, 1024, 1UL << 20, 1000000000, QUANTITY_BINARY_SI },
    { "m", 1, 1000, 1, 1000000, QUANTITY_DECIMAL_SI },
    { "Gi", 2, 1024, 1UL << 30, 1000000000, QUANTITY_BINARY_SI },
    { "", 0, 1000, 1, 1000000000, QUANTITY_DECIMAL_SI },
    { "Ki", 2, 1024, 1UL << 10, 1000000000, QUANTITY_BINARY_SI },
    { "Ti", 2, 1024, 1UL << 40, 1000000000, QUANTITY_BINARY_SI },
    { "k", 1, 1000, 1000, 1000000000, QUANTITY_DECIMAL_SI },
    { "M", 1, 1000, 1000000, 1000000000, QUANTITY_DECIMAL_SI },
    { "G", 1, 1000, 1000000000, 1000000000, QUANTITY_DECIMAL_SI },
};

static const struct short_suffix *find_short_suffix(const char *p, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(short_suffixes); i++) {
        const struct short_suffix *x = &short_suffixes[i];

        if (x->len == len && (len < 1 || p[0] == x->text[0]) && (len < 2 || p[1] == x->text[1]))
            return x;
    }
    return NULL;
}

/* False when s is none of the short texts. A canonical one has no digit too many and could not
 * have a larger suffix. */
static bool read_short(struct str s, struct quantity *ret, bool *ret_canonical)
{
    const struct short_suffix *suffix;
    uint32_t v = 0;
    size_t n = 0;

    for (; n < s.len && n < SHORT_DIGITS && is_digit(s.p[n]); n++)
        v = v * 10 + (uint32_t)(s.p[n] - '0');
    suffix = n && s.len - n <= 2 ? find_short_suffix(s.p + n, s.len - n) : NULL;
    if (!suffix)
        return false;
    ret->nano = (__int128)(v * suffix->units) * suffix->nano;
    ret->format = suffix->format;
    *ret_canonical = s.p[0] != '0' && v % suffix->step != 0;
    return true;
}

bool quantity_parse(struct str s, struct quantity *ret)
{
    struct digits d;
    bool negative, canonical;
    int exponent;

    if (read_short(s, ret, &canonical))
        return true;
    negative = s.len && s.p[0] == '-';
    if (s.len && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_tail(s, 1);
    if (!take_digits(&s, &d) || !find_suffix(s, &exponent, &ret->format))
        return false;
    if (ret->format == QUANTITY_BINARY_SI)
        ret->nano = scale(d, 0, exponent);
    else
        ret->nano = scale(d, exponent, 0);
    if (negative)
        ret->nano = -ret->nano;
    return true;
}

/* --- printing --- */

static void append_number(struct buf *b, __int128 v)
{
    char text[48];
    size_t at = sizeof(text);
    unsigned __int128 u = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;

    do {
        text[--at] = (char)('0' + (int)(u % 10));
        u /= 10;
    } while (u);
    if (v < 0)
        text[--at] = '-';
    buf_append(b, text + at, sizeof(text) - at);
}

static void print_decimal(struct buf *b, __int128 nano, bool as_exponent)
{
    int exponent = -9;

    while (exponent < 18 && nano % 1000 == 0) {
        nano /= 1000;
        exponent += 3;
    }
    append_number(b, nano);
    if (as_exponent) {
        if (exponent)
            buf_printf(b, "e%d", exponent);
        return;
    }
    buf_append_str(b, suffixes[exponent / 3 + 3].text);
}

static __int128 round_up_to(__int128 nano, __int128 unit)
{
    __int128 whole = nano / unit;

    if (nano % unit)
        whole += nano < 0 ? -1 : 1;
    return whole;
}

static void print_binary(struct buf *b, __int128 nano)
{
    __int128 v = round_up_to(nano, NANO);
    size_t power = 0;

    while (power < 6 && v % 1024 == 0) {
        v /= 1024;
        power++;
    }
    append_number(b, v);
    if (power)
        buf_append_str(b, suffixes[9 + power].text);
}

struct str quantity_print(struct arena *a, struct quantity q)
{
    struct buf b;

    buf_init_arena(&b, a, 32);
    if (q.nano == 0)
        buf_append_char(&b, '0');
    else if (q.format == QUANTITY_BINARY_SI && (q.nano >= 1024 * NANO || q.nano <= -1024 * NANO))
        print_binary(&b, q.nano);
    else
        print_decimal(&b, q.nano, q.format == QUANTITY_DECIMAL_EXPONENT);
    return buf_str(&b);
}

/* Texts that need no work: a plain number that no suffix could shorten ("1", "100", "250"). */
static bool is_plain(struct str s)
{
    if (!s.len || s.len > 15 || s.p[0] < '1')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.p[i]))
            return false;
    }
    return s.len < 4 || !str_has_suffix(s, STR("000"));
}

bool quantity_canonical(struct arena *a, struct str text, struct str *ret)
{
    struct quantity q;
    struct str printed;
    bool canonical = is_plain(text);

    if (!canonical && !read_short(text, &q, &canonical) && !quantity_parse(text, &q))
        return false;
    if (canonical) {
        *ret = text;
        return true;
    }
    printed = quantity_print(a, q);
    *ret = str_eq(printed, text) ? text : printed;
    return true;
}

/* --- arithmetic --- */

int quantity_compare(struct quantity a, struct quantity b)
{
    return (a.nano > b.nano) - (a.nano < b.nano);
}

struct quantity quantity_add(struct quantity a, struct quantity b)
{
    if (a.nano == 0)
        a.format = b.format;
    a.nano = MAX(MIN(a.nano + b.nano, MAX_NANO), -MAX_NANO);
    return a;
}

int64_t quantity_value(struct quantity q)
{
    return (int64_t)round_up_to(q.nano, NANO);
}

int64_t quantity_milli_value(struct quantity q)
{
    __int128 v = round_up_to(q.nano, NANO / 1000);

    return (int64_t)MAX(MIN(v, (__int128)INT64_MAX), (__int128)INT64_MIN);
}

struct quantity quantity_round_milli(struct quantity q)
{
    q.nano = MAX(MIN(round_up_to(q.nano, NANO / 1000) * (NANO / 1000), MAX_NANO), -MAX_NANO);
    return q;
}
