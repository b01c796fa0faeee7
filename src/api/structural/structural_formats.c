/* Formats of strings, as rows: what upstream's registry of formats knows. */
#include <ctype.h>

#include "api/name_rules.h"
#include "api/structural/structural_internal.h"
#include "base/arena.h"
#include "base/macros.h"
#include "codec/base64.h"
#include "codec/time_text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool all_of(struct str s, bool (*fn)(char c))
{
    for (size_t i = 0; i < s.len; i++) {
        if (!fn(s.p[i]))
            return false;
    }
    return true;
}

static bool is_anything(struct str s)
{
    (void)s;
    return true;
}

static bool is_object_id(struct str s)
{
    return s.len == 24 && all_of(s, is_hex);
}

static bool is_ipv4(struct str s)
{
    struct name_ip ip;

    return name_ip_parse(s, &ip) && ip.family == 4;
}

static bool is_ipv6(struct str s)
{
    struct name_ip ip;

    return name_ip_parse(s, &ip) && ip.family == 6;
}

static bool is_cidr(struct str s)
{
    struct name_ip ip;
    int len;

    return name_cidr_parse(s, &ip, &len);
}

/* Six, eight or twenty octets, by ':' or '-', or in fours by '.'. */
static bool is_mac(struct str s)
{
    char sep = s.len > 4 ? s.p[s.p[2] == ':' || s.p[2] == '-' ? 2 : 4] : '\0';
    size_t group = sep == '.' ? 4 : 2, digits = 0;

    if (sep != ':' && sep != '-' && sep != '.')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool at_sep = i % (group + 1) == group;

        if (at_sep ? s.p[i] != sep : !is_hex(s.p[i]))
            return false;
        digits += !at_sep;
    }
    return s.len % (group + 1) == group && (digits == 12 || digits == 16 || digits == 40);
}

/* 8-4-4-4-12 hexadecimal digits, any of the dashes may be left out; the version stands first in the
 * third group. */
static bool is_uuid_of(struct str s, char version, bool has_variant)
{
    char digits[33];
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '-' && (n == 8 || n == 12 || n == 16 || n == 20) && s.p[i - 1] != '-')
            continue;
        if (!is_hex(s.p[i]) || n == 32)
            return false;
        digits[n++] = (char)tolower((unsigned char)s.p[i]);
    }
    return n == 32 && (!version || digits[12] == version) &&
           (!has_variant || digits[16] == '8' || digits[16] == '9' || digits[16] == 'a' ||
            digits[16] == 'b');
}

static bool is_uuid(struct str s)
{
    return is_uuid_of(s, '\0', false);
}
static bool is_uuid3(struct str s)
{
    return is_uuid_of(s, '3', false);
}
static bool is_uuid4(struct str s)
{
    return is_uuid_of(s, '4', true);
}
static bool is_uuid5(struct str s)
{
    return is_uuid_of(s, '5', true);
}

static bool is_date(struct str s)
{
    char text[32];
    int64_t sec;
    int32_t nsec;

    if (s.len != 10)
        return false;
    memcpy(text, s.p, 10);
    memcpy(text + 10, "T00:00:00Z", 10);
    return time_text_parse(str_n(text, 20), &sec, &nsec);
}

static bool is_date_time(struct str s)
{
    char text[40];
    int64_t sec;
    int32_t nsec;

    if (s.len < 20 || s.len > sizeof(text))
        return false;
    memcpy(text, s.p, s.len);
    text[10] = text[10] == 't' ? 'T' : text[10];
    text[s.len - 1] = text[s.len - 1] == 'z' ? 'Z' : text[s.len - 1];
    return time_text_parse(str_n(text, s.len), &sec, &nsec);
}

/* Go's, or a number and a unit in words ("3 hours"). */
static bool is_duration(struct str s)
{
    static const struct str units[] = {
        STR_INIT("ns"), STR_INIT("nano"),  STR_INIT("us"), STR_INIT("micro"),
        STR_INIT("ms"), STR_INIT("milli"), STR_INIT("s"),  STR_INIT("m"),
        STR_INIT("h"),  STR_INIT("d"),     STR_INIT("w"),
    };
    size_t i = 0;
    int64_t ns;

    if (time_text_parse_duration(s, &ns))
        return true;
    while (i < s.len && is_digit(s.p[i]))
        i++;
    if (!i)
        return false;
    s = str_trim(str_tail(s, i));
    for (i = 0; i < ARRAY_LEN(units); i++) {
        if (s.len >= units[i].len && str_eq_nocase(str_sub(s, 0, units[i].len), units[i]))
            return true;
    }
    return false;
}

static bool is_byte(struct str s)
{
    struct arena a = { 0 };
    struct str bytes;
    size_t bad;
    bool is_valid = s.len && base64_decode(&a, s, &bytes, &bad);

    arena_done(&a);
    return is_valid;
}

/* scheme:rest without spaces or control characters, or an absolute path. */
static bool is_uri(struct str s)
{
    ptrdiff_t colon = str_find(s, ':');

    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    }
    if (s.len && s.p[0] == '/')
        return true;
    if (colon <= 0 || !isalpha((unsigned char)s.p[0]))
        return false;
    for (ptrdiff_t i = 0; i < colon; i++) {
        if (!isalnum((unsigned char)s.p[i]) && !memchr("+-.", s.p[i], 3))
            return false;
    }
    return true;
}

/* ADDRESS, or NAME <ADDRESS>; the address has one '@' with something on both sides. */
static bool is_email(struct str s)
{
    ptrdiff_t open = str_find(s, '<'), at;

    if (open >= 0) {
        if (s.p[s.len - 1] != '>')
            return false;
        s = str_sub(s, (size_t)open + 1, s.len - 1);
    }
    at = str_find(s, '@');
    if (at <= 0 || (size_t)at + 1 >= s.len || at != str_rfind(s, '@'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.p[i] <= ' ' || memchr("<>(),;:\\\"[]", s.p[i], 11))
            return false;
    }
    return s.p[0] != '.' && s.p[at - 1] != '.' && s.p[at + 1] != '.' && s.p[s.len - 1] != '.' &&
           str_find_str(s, STR("..")) < 0;
}

/* Labels of letters (any that are not ASCII, too), digits and inner dashes; a top level without
 * digits where there are several. */
static bool is_hostname(struct str s)
{
    struct str rest = s, label = STR_NULL;
    size_t n = 0;

    if (!s.len || s.len > 255)
        return false;
    while (str_next(&rest, '.', &label)) {
        if (!label.len || label.len > 63 || label.p[0] == '-' || label.p[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++) {
            unsigned char c = (unsigned char)label.p[i];

            if (c < 0x80 && !isalnum(c) && c != '-')
                return false;
        }
        n++;
    }
    if (n == 1)
        return true;
    for (size_t i = 0; i < label.len; i++) {
        if (is_digit(label.p[i]) || label.p[i] == '-')
            return false;
    }
    return label.len >= 2;
}

static size_t digits_of(struct str s, char *to, size_t max, const char *skip)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (strchr(skip, s.p[i]) && s.p[i])
            continue;
        if (n == max)
            return 0;
        to[n++] = s.p[i];
    }
    return n;
}

static bool is_isbn10(struct str s)
{
    char d[10];
    int sum = 0;

    if (digits_of(s, d, 10, " -") != 10)
        return false;
    for (int i = 0; i < 10; i++) {
        if (!is_digit(d[i]) && !(i == 9 && d[i] == 'X'))
            return false;
        sum += (i + 1) * (d[i] == 'X' ? 10 : d[i] - '0');
    }
    return sum % 11 == 0;
}

static bool is_isbn13(struct str s)
{
    char d[13];
    int sum = 0;

    if (digits_of(s, d, 13, " -") != 13 || !all_of(str_n(d, 13), is_digit))
        return false;
    for (int i = 0; i < 13; i++)
        sum += (i % 2 ? 3 : 1) * (d[i] - '0');
    return sum % 10 == 0;
}

static bool is_isbn(struct str s)
{
    return is_isbn10(s) || is_isbn13(s);
}

static bool is_credit_card(struct str s)
{
    char d[19];
    size_t n = digits_of(s, d, sizeof(d), " -");
    int sum = 0;

    if (n < 13 || !all_of(str_n(d, n), is_digit))
        return false;
    for (size_t i = 0; i < n; i++) {
        int v = (d[n - 1 - i] - '0') << (i % 2);

        sum += v > 9 ? v - 9 : v;
    }
    return sum % 10 == 0;
}

static bool is_ssn(struct str s)
{
    char d[9];

    return digits_of(s, d, 9, "- ") == 9 && all_of(str_n(d, 9), is_digit) && s.len >= 9 &&
           is_digit(s.p[0]) && is_digit(s.p[s.len - 1]) && s.len <= 11;
}

static bool is_hex_color(struct str s)
{
    if (s.len && s.p[0] == '#')
        s = str_tail(s, 1);
    return (s.len == 3 || s.len == 6) && all_of(s, is_hex);
}

static bool is_rgb_color(struct str s)
{
    struct str part;
    uint64_t v;
    int n = 0;

    if (!str_has_prefix(s, STR("rgb(")) || !str_has_suffix(s, STR(")")))
        return false;
    s = str_sub(s, 4, s.len - 1);
    while (str_next(&s, ',', &part)) {
        if (!str_to_u64(str_trim(part), &v) || v > 255)
            return false;
        n++;
    }
    return n == 3;
}

static bool is_short_name(struct str s)
{
    return name_rule_holds(NAME_RULE_DNS1123_LABEL, s);
}

static bool is_long_name(struct str s)
{
    return name_rule_holds(NAME_RULE_DNS1123_SUBDOMAIN, s);
}

static const struct format {
    struct str name; /* dashes left out */
    bool (*holds)(struct str text);
} formats[] = {
    { STR_INIT("bsonobjectid"), is_object_id },
    { STR_INIT("uri"), is_uri },
    { STR_INIT("email"), is_email },
    { STR_INIT("hostname"), is_hostname },
    { STR_INIT("ipv4"), is_ipv4 },
    { STR_INIT("ipv6"), is_ipv6 },
    { STR_INIT("cidr"), is_cidr },
    { STR_INIT("mac"), is_mac },
    { STR_INIT("uuid"), is_uuid },
    { STR_INIT("uuid3"), is_uuid3 },
    { STR_INIT("uuid4"), is_uuid4 },
    { STR_INIT("uuid5"), is_uuid5 },
    { STR_INIT("isbn"), is_isbn },
    { STR_INIT("isbn10"), is_isbn10 },
    { STR_INIT("isbn13"), is_isbn13 },
    { STR_INIT("creditcard"), is_credit_card },
    { STR_INIT("ssn"), is_ssn },
    { STR_INIT("hexcolor"), is_hex_color },
    { STR_INIT("rgbcolor"), is_rgb_color },
    { STR_INIT("byte"), is_byte },
    { STR_INIT("password"), is_anything },
    { STR_INIT("date"), is_date },
    { STR_INIT("duration"), is_duration },
    { STR_INIT("datetime"), is_date_time },
    { STR_INIT("k8sshortname"), is_short_name },
    { STR_INIT("k8slongname"), is_long_name },
};

static const struct format *find(struct str name)
{
    char plain[16];
    size_t n = digits_of(name, plain, sizeof(plain), "-");

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (str_eq(formats[i].name, str_n(plain, n)))
            return &formats[i];
    }
    return NULL;
}

struct str structural_format_known(enum structural_type t, struct str format)
{
    static const struct str numbers[] = { STR_INIT("int32"), STR_INIT("int64"), STR_INIT("float"),
                                          STR_INIT("double") };
    const struct format *f;

    if (t == STRUCTURAL_INTEGER || t == STRUCTURAL_NUMBER) {
        size_t from = t == STRUCTURAL_NUMBER ? 2 : 0;

        for (size_t i = from; i < from + 2; i++) {
            if (str_eq(format, numbers[i]))
                return numbers[i];
        }
        return STR_NULL;
    }
    if (!format.len || (t != STRUCTURAL_STRING && t != STRUCTURAL_ANY))
        return STR_NULL;
    f = find(format);
    return f ? f->name : STR_NULL;
}

bool structural_format_holds(struct str format, struct str text)
{
    const struct format *f = find(format);

    return !f || f->holds(text);
}
