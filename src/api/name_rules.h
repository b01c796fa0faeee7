/* Rules for names, keys and values, with upstream's texts. A rule takes a text and leaves up to
 * NAME_RULE_MAX_MESSAGES messages ("must be no more than 63 bytes"); none means that it is fine.
 * Hand-written matchers, linear in the text, where upstream uses regular expressions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct field_errors;
struct field_path;

enum { NAME_RULE_MAX_MESSAGES = 4 };

struct name_messages {
    struct str items[NAME_RULE_MAX_MESSAGES]; /* constant texts */
    size_t len;
};

/* X(name): what a rule is asked by in tables. */
#define NAME_RULES(X)                                                                              \
    X(DNS1123_LABEL)                /* max 63 */                                                   \
    X(DNS1123_SUBDOMAIN)            /* max 253 */                                                  \
    X(DNS1123_SUBDOMAIN_CASELESS)   /* the same, any case */                                       \
    X(DNS1123_SUBDOMAIN_UNDERSCORE) /* the same, "_" inside, too */                                \
    X(DNS1035_LABEL)                /* max 63 */                                                   \
    X(PATH_SEGMENT)                 /* not "." or "..", no "/" or "%" */                           \
    X(QUALIFIED_NAME)               /* [prefix/]name: label and annotation keys */                 \
    X(LABEL_VALUE)                                                                                 \
    X(CONFIG_KEY) /* keys of ConfigMap and Secret data */                                          \
    X(PORT_NAME)  /* IANA_SVC_NAME, max 15 */                                                      \
    X(ENV_NAME)   /* printable ASCII but '=' */                                                    \
    X(C_IDENTIFIER)                                                                                \
    X(IP)                                                                                          \
    X(CIDR)                                                                                        \
    X(HTTP_HEADER_NAME)                                                                            \
    X(WILDCARD_DNS1123_SUBDOMAIN)                                                                  \
    X(ANY) /* everything goes */

enum name_rule {
#define X(name) NAME_RULE_##name,
    NAME_RULES(X)
#undef X
        NAME_RULE_MAX,
};

void name_rule_check(enum name_rule rule, struct str text, struct name_messages *ret);
static inline bool name_rule_holds(enum name_rule rule, struct str text)
{
    struct name_messages m = { .len = 0 };

    name_rule_check(rule, text, &m);
    return m.len == 0;
}
/* For generateName: the prefix is checked as if something followed it (a trailing '-' is fine). */
void name_rule_check_prefix(enum name_rule rule, struct str prefix, struct name_messages *ret);
/* Adds one INVALID error with the text as value per message; true when there was none. */
bool name_rule_report(struct field_errors *errs, const struct field_path *path, enum name_rule rule,
                      struct str text);

/* Parsed addresses: family 4 or 6, 0 when the text is none. Upstream's strict form: no leading
 * zeros, no IPv4-mapped IPv6. */
struct name_ip {
    int family;
    uint8_t bytes[16];
};
bool name_ip_parse(struct str text, struct name_ip *ret);
bool name_cidr_parse(struct str text, struct name_ip *ret, int *ret_prefix_len);
