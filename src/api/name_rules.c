/* Matchers and texts of name rules. The lengths that the DNS rules state are called characters,
 * those of label keys and values bytes: so upstream words them. */
#include "api/name_rules.h"

#include <arpa/inet.h>

#include "api/field_error.h"

#define LABEL_RE     "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define SUBDOMAIN_RE LABEL_RE "(\\." LABEL_RE ")*"
#define KEY_RE       "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

#define SUBDOMAIN_TEXT                                                                             \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "   \
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "  \
    "for validation is '" SUBDOMAIN_RE "')"
#define LABEL_UNDERSCORE_RE "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
#define SUBDOMAIN_UNDERSCORE_TEXT                                                                  \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' " \
    "or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "    \
    "used for validation is '" LABEL_UNDERSCORE_RE "(\\." LABEL_UNDERSCORE_RE ")*')"
#define LABEL_TEXT                                                                                 \
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "   \
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "     \
    "used for validation is '" LABEL_RE "')"
#define DNS1035_TEXT                                                                               \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "   \
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "           \
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
#define WILDCARD_TEXT                                                                                 \
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "         \
    "which must consist of lower case alphanumeric characters, '-' or '.' and end with an "           \
    "alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\." SUBDOMAIN_RE \
    "')"
#define KEY_CHARS_TEXT                                                                             \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "    \
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "         \
    "validation is '" KEY_RE "')"
#define LABEL_VALUE_TEXT                                                                           \
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "    \
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "             \
    "'my_value',  or '12345', regex used for validation is '(" KEY_RE ")?')"
#define CONFIG_KEY_TEXT                                                                            \
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "           \
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "                    \
    "'[-._a-zA-Z0-9]+')"
#define C_IDENTIFIER_TEXT                                                                          \
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "   \
    "alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for " \
    "validation is '[A-Za-z_][A-Za-z0-9_]*')"
#define HTTP_HEADER_TEXT                                                                           \
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', "   \
    "regex used for validation is '[-A-Za-z0-9]+')"
#define ENV_NAME_TEXT                                                                              \
    "a valid environment variable name must consist only of printable ASCII characters other "     \
    "than '='"

enum {
    DNS_LABEL_MAX = 63,
    DNS_SUBDOMAIN_MAX = 253,
    KEY_NAME_MAX = 63,
    LABEL_VALUE_MAX = 63,
    PORT_NAME_MAX = 15,
};

/* Sets of characters, as bits, so that one loop serves every rule. */
enum char_class {
    LOWER = 1 << 0,
    UPPER = 1 << 1,
    DIGIT = 1 << 2,
    HYPHEN = 1 << 3,
    DOT = 1 << 4,
    UNDERSCORE = 1 << 5,
    ALNUM_LOWER = LOWER | DIGIT,
    ALNUM = LOWER | UPPER | DIGIT,
};

static const uint8_t classes[256] = {
    ['a' ... 'z'] = LOWER, ['A' ... 'Z'] = UPPER, ['0' ... '9'] = DIGIT,
    ['-'] = HYPHEN,        ['.'] = DOT,           ['_'] = UNDERSCORE,
};

static inline unsigned class_of(char c)
{
    return classes[(unsigned char)c];
}

/* At least one character; the first of `first`, the last of `last`, all of `middle`. */
static bool made_of(struct str s, unsigned first, unsigned middle, unsigned last)
{
    if (s.len == 0 || !(class_of(s.p[0]) & first) || !(class_of(s.p[s.len - 1]) & last))
        return false;
    for (size_t i = 1; i + 1 < s.len; i++)
        if (!(class_of(s.p[i]) & middle))
            return false;
    return true;
}

static bool is_dns_label(struct str s)
{
    return made_of(s, ALNUM_LOWER, ALNUM_LOWER | HYPHEN, ALNUM_LOWER);
}

static bool is_dns_subdomain(struct str s)
{
    unsigned before = DOT, now;

    for (size_t i = 0; i < s.len; i++, before = now) {
        now = class_of(s.p[i]);
        if (!(now & (ALNUM_LOWER | HYPHEN | DOT)) || (before == DOT && !(now & ALNUM_LOWER)) ||
            (now == DOT && !(before & ALNUM_LOWER)))
            return false;
    }
    return (before & ALNUM_LOWER) != 0;
}

static bool is_dns_subdomain_caseless(struct str s)
{
    struct str part;

    if (s.len == 0)
        return false;
    while (str_next(&s, '.', &part))
        if (!made_of(part, ALNUM, ALNUM | HYPHEN, ALNUM))
            return false;
    return true;
}

static bool is_dns_subdomain_underscore(struct str s)
{
    struct str part;

    if (s.len == 0)
        return false;
    while (str_next(&s, '.', &part)) {
        if (part.len && part.p[0] == '_')
            part = str_tail(part, 1);
        if (!made_of(part, ALNUM_LOWER, ALNUM_LOWER | HYPHEN | UNDERSCORE, ALNUM_LOWER))
            return false;
    }
    return true;
}

static bool is_key_name(struct str s)
{
    return made_of(s, ALNUM, ALNUM | HYPHEN | UNDERSCORE | DOT, ALNUM);
}

static void say(struct name_messages *m, struct str text)
{
    if (m->len < NAME_RULE_MAX_MESSAGES)
        m->items[m->len++] = text;
}
#define SAY(m, lit) say((m), STR(lit))

static void check_dns1123_label(struct str s, struct name_messages *m)
{
    if (s.len > DNS_LABEL_MAX)
        SAY(m, "must be no more than 63 characters");
    if (is_dns_label(s))
        return;
    if (is_dns_subdomain(s))
        SAY(m, "must not contain dots");
    else
        SAY(m, LABEL_TEXT);
}

static void check_dns1123_subdomain(struct str s, struct name_messages *m)
{
    if (s.len > DNS_SUBDOMAIN_MAX)
        SAY(m, "must be no more than 253 characters");
    if (!is_dns_subdomain(s))
        SAY(m, SUBDOMAIN_TEXT);
}

static void check_dns1123_caseless(struct str s, struct name_messages *m)
{
    if (s.len > DNS_SUBDOMAIN_MAX)
        SAY(m, "must be no more than 253 characters");
    if (!is_dns_subdomain_caseless(s))
        SAY(m, SUBDOMAIN_TEXT);
}

static void check_dns1123_underscore(struct str s, struct name_messages *m)
{
    if (s.len > DNS_SUBDOMAIN_MAX)
        SAY(m, "must be no more than 253 characters");
    if (!is_dns_subdomain_underscore(s))
        SAY(m, SUBDOMAIN_UNDERSCORE_TEXT);
}

static void check_dns1035_label(struct str s, struct name_messages *m)
{
    if (s.len > DNS_LABEL_MAX)
        SAY(m, "must be no more than 63 characters");
    if (!made_of(s, LOWER, ALNUM_LOWER | HYPHEN, ALNUM_LOWER))
        SAY(m, DNS1035_TEXT);
}

static void check_wildcard(struct str s, struct name_messages *m)
{
    if (s.len > DNS_SUBDOMAIN_MAX)
        SAY(m, "must be no more than 253 characters");
    if (!str_has_prefix(s, STR("*.")) || !is_dns_subdomain(str_tail(s, 2)))
        SAY(m, WILDCARD_TEXT);
}

static void check_path_content(struct str s, struct name_messages *m)
{
    if (str_find(s, '/') >= 0)
        SAY(m, "may not contain '/'");
    if (str_find(s, '%') >= 0)
        SAY(m, "may not contain '%'");
}

static void check_path_segment(struct str s, struct name_messages *m)
{
    if (str_eq(s, STR(".")))
        SAY(m, "may not be '.'");
    else if (str_eq(s, STR("..")))
        SAY(m, "may not be '..'");
    else
        check_path_content(s, m);
}

static void check_key_prefix(struct str prefix, struct name_messages *m)
{
    if (prefix.len == 0) {
        SAY(m, "prefix part must be non-empty");
        return;
    }
    if (prefix.len > DNS_SUBDOMAIN_MAX)
        SAY(m, "prefix part must be no more than 253 bytes");
    if (!is_dns_subdomain(prefix))
        SAY(m, "prefix part " SUBDOMAIN_TEXT);
}

static void check_qualified_name(struct str s, struct name_messages *m)
{
    struct str prefix, name;

    if (str_cut(s, '/', &prefix, &name)) {
        if (str_find(name, '/') >= 0) {
            SAY(m, "a valid label key " KEY_CHARS_TEXT
                   " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
            return;
        }
        check_key_prefix(prefix, m);
    } else {
        name = s;
    }
    if (name.len == 0)
        SAY(m, "name part must be non-empty");
    else if (name.len > KEY_NAME_MAX)
        SAY(m, "name part must be no more than 63 bytes");
    if (!is_key_name(name))
        SAY(m, "name part " KEY_CHARS_TEXT);
}

static void check_label_value(struct str s, struct name_messages *m)
{
    if (s.len > LABEL_VALUE_MAX)
        SAY(m, "must be no more than 63 bytes");
    if (s.len && !is_key_name(s))
        SAY(m, LABEL_VALUE_TEXT);
}

static void check_config_key(struct str s, struct name_messages *m)
{
    unsigned all = ALNUM | HYPHEN | UNDERSCORE | DOT;

    if (s.len > DNS_SUBDOMAIN_MAX)
        SAY(m, "must be no more than 253 characters");
    if (!made_of(s, all, all, all))
        SAY(m, CONFIG_KEY_TEXT);
    if (str_eq(s, STR(".")))
        SAY(m, "must not be '.'");
    else if (str_eq(s, STR("..")))
        SAY(m, "must not be '..'");
    else if (str_has_prefix(s, STR("..")))
        SAY(m, "must not start with '..'");
}

static void check_port_name(struct str s, struct name_messages *m)
{
    unsigned all = ALNUM_LOWER | HYPHEN;
    bool letter = false;

    for (size_t i = 0; i < s.len; i++)
        letter |= class_of(s.p[i]) == LOWER;
    if (s.len > PORT_NAME_MAX)
        SAY(m, "must be no more than 15 characters");
    if (!made_of(s, all, all, all))
        SAY(m, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    if (!letter)
        SAY(m, "must contain at least one letter (a-z)");
    if (str_contains(s, STR("--")))
        SAY(m, "must not contain consecutive hyphens");
    if (s.len && (s.p[0] == '-' || s.p[s.len - 1] == '-'))
        SAY(m, "must not begin or end with a hyphen");
}

static void check_env_name(struct str s, struct name_messages *m)
{
    if (s.len == 0)
        SAY(m, "environment variable name must be non-empty");
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e || s.p[i] == '=') {
            SAY(m, ENV_NAME_TEXT);
            return;
        }
}

static void check_c_identifier(struct str s, struct name_messages *m)
{
    unsigned all = ALNUM | UNDERSCORE;

    if (!made_of(s, all & ~(unsigned)DIGIT, all, all))
        SAY(m, C_IDENTIFIER_TEXT);
}

static void check_http_header(struct str s, struct name_messages *m)
{
    unsigned all = ALNUM | HYPHEN;

    if (!made_of(s, all, all, all))
        SAY(m, HTTP_HEADER_TEXT);
}

static void check_ip(struct str s, struct name_messages *m)
{
    struct name_ip ip;

    if (!name_ip_parse(s, &ip))
        SAY(m, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

static void check_cidr(struct str s, struct name_messages *m)
{
    struct name_ip ip;
    int prefix_len;

    if (!name_cidr_parse(s, &ip, &prefix_len))
        SAY(m, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

static void check_any(struct str s, struct name_messages *m)
{
    (void)s;
    (void)m;
}

typedef void (*check_fn)(struct str s, struct name_messages *m);

static const check_fn checks[NAME_RULE_MAX] = {
    [NAME_RULE_DNS1123_LABEL] = check_dns1123_label,
    [NAME_RULE_DNS1123_SUBDOMAIN] = check_dns1123_subdomain,
    [NAME_RULE_DNS1123_SUBDOMAIN_CASELESS] = check_dns1123_caseless,
    [NAME_RULE_DNS1123_SUBDOMAIN_UNDERSCORE] = check_dns1123_underscore,
    [NAME_RULE_DNS1035_LABEL] = check_dns1035_label,
    [NAME_RULE_PATH_SEGMENT] = check_path_segment,
    [NAME_RULE_QUALIFIED_NAME] = check_qualified_name,
    [NAME_RULE_LABEL_VALUE] = check_label_value,
    [NAME_RULE_CONFIG_KEY] = check_config_key,
    [NAME_RULE_PORT_NAME] = check_port_name,
    [NAME_RULE_ENV_NAME] = check_env_name,
    [NAME_RULE_C_IDENTIFIER] = check_c_identifier,
    [NAME_RULE_IP] = check_ip,
    [NAME_RULE_CIDR] = check_cidr,
    [NAME_RULE_HTTP_HEADER_NAME] = check_http_header,
    [NAME_RULE_WILDCARD_DNS1123_SUBDOMAIN] = check_wildcard,
    [NAME_RULE_ANY] = check_any,
};

void name_rule_check(enum name_rule rule, struct str text, struct name_messages *ret)
{
    ret->len = 0;
    checks[rule](text, ret);
}

void name_rule_check_prefix(enum name_rule rule, struct str prefix, struct name_messages *ret)
{
    ret->len = 0;
    if (rule == NAME_RULE_PATH_SEGMENT) {
        check_path_content(prefix, ret);
        return;
    }
    /* What follows makes a final hyphen inner: as upstream, the last two characters are looked at
     * as if they were one letter. */
    if (prefix.len > 1 && prefix.p[prefix.len - 1] == '-') {
        char masked[DNS_SUBDOMAIN_MAX + 2];
        size_t n = prefix.len - 1;

        if (n < sizeof(masked)) {
            memcpy(masked, prefix.p, n - 1);
            masked[n - 1] = 'a';
            checks[rule](str_n(masked, n), ret);
            return;
        }
    }
    checks[rule](prefix, ret);
}

bool name_rule_report(struct field_errors *errs, const struct field_path *path, enum name_rule rule,
                      struct str text)
{
    struct name_messages m;

    name_rule_check(rule, text, &m);
    for (size_t i = 0; i < m.len; i++)
        field_errors_add_text(errs, path, FIELD_ERROR_INVALID, text, "%s", m.items[i].p);
    return m.len == 0;
}

bool name_ip_parse(struct str text, struct name_ip *ret)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    char buf[INET6_ADDRSTRLEN];
    struct name_ip ip = { 0 };

    if (text.len == 0 || text.len >= sizeof(buf) || memchr(text.p, 0, text.len))
        return false;
    memcpy(buf, text.p, text.len);
    buf[text.len] = 0;
    if (inet_pton(AF_INET, buf, ip.bytes) == 1)
        ip.family = 4;
    else if (inet_pton(AF_INET6, buf, ip.bytes) == 1 &&
             memcmp(ip.bytes, mapped, sizeof(mapped)) != 0)
        ip.family = 6;
    else
        return false;
    *ret = ip;
    return true;
}

bool name_cidr_parse(struct str text, struct name_ip *ret, int *ret_prefix_len)
{
    struct str addr, len_text;
    struct name_ip ip;
    uint64_t len;

    if (!str_cut(text, '/', &addr, &len_text) || !name_ip_parse(addr, &ip) ||
        !str_to_u64(len_text, &len))
        return false;
    if (len > (ip.family == 4 ? 32 : 128) || (len_text.len > 1 && len_text.p[0] == '0'))
        return false;
    *ret = ip;
    *ret_prefix_len = (int)len;
    return true;
}
