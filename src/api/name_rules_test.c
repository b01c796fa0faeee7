#include "api/name_rules.h"

#include <criterion/criterion.h>

#include "api/field_error.h"
#include "base/arena.h"

static struct str repeat(struct arena *a, char c, size_t n)
{
    char *p = arena_alloc(a, n, 1);

    memset(p, c, n);
    return str_n(p, n);
}

Test(name_rules, accept_and_refuse)
{
    static const struct {
        enum name_rule rule;
        const char *text;
        const char *says; /* beginning of the first message; NULL: accepted */
    } cases[] = {
        { NAME_RULE_DNS1123_LABEL, "a", NULL },
        { NAME_RULE_DNS1123_LABEL, "a-1", NULL },
        { NAME_RULE_DNS1123_LABEL, "1", NULL },
        { NAME_RULE_DNS1123_LABEL, "a.b", "must not contain dots" },
        { NAME_RULE_DNS1123_LABEL, "A", "a lowercase RFC 1123 label must consist" },
        { NAME_RULE_DNS1123_LABEL, "-a", "a lowercase RFC 1123 label must consist" },
        { NAME_RULE_DNS1123_LABEL, "a-", "a lowercase RFC 1123 label must consist" },
        { NAME_RULE_DNS1123_LABEL, "", "a lowercase RFC 1123 label must consist" },
        { NAME_RULE_DNS1123_SUBDOMAIN, "a.b-c.1", NULL },
        { NAME_RULE_DNS1123_SUBDOMAIN, "a..b", "a lowercase RFC 1123 subdomain must" },
        { NAME_RULE_DNS1123_SUBDOMAIN, "a_b", "a lowercase RFC 1123 subdomain must" },
        { NAME_RULE_DNS1123_SUBDOMAIN, ".a", "a lowercase RFC 1123 subdomain must" },
        { NAME_RULE_DNS1035_LABEL, "web-1", NULL },
        { NAME_RULE_DNS1035_LABEL, "1web", "a DNS-1035 label must consist" },
        { NAME_RULE_PATH_SEGMENT, "system:node:A b", NULL },
        { NAME_RULE_PATH_SEGMENT, ".", "may not be '.'" },
        { NAME_RULE_PATH_SEGMENT, "..", "may not be '..'" },
        { NAME_RULE_PATH_SEGMENT, "a/b", "may not contain '/'" },
        { NAME_RULE_PATH_SEGMENT, "a%b", "may not contain '%'" },
        { NAME_RULE_QUALIFIED_NAME, "app", NULL },
        { NAME_RULE_QUALIFIED_NAME, "example.com/App_1.x", NULL },
        { NAME_RULE_QUALIFIED_NAME, "/a", "prefix part must be non-empty" },
        { NAME_RULE_QUALIFIED_NAME, "a/", "name part must be non-empty" },
        { NAME_RULE_QUALIFIED_NAME, "A/b", "prefix part a lowercase RFC 1123 subdomain" },
        { NAME_RULE_QUALIFIED_NAME, "a/b/c", "a valid label key must consist" },
        { NAME_RULE_QUALIFIED_NAME, "-a", "name part must consist of" },
        { NAME_RULE_LABEL_VALUE, "", NULL },
        { NAME_RULE_LABEL_VALUE, "A.b_c-1", NULL },
        { NAME_RULE_LABEL_VALUE, "a b", "a valid label must be an empty string or" },
        { NAME_RULE_CONFIG_KEY, "tls.crt", NULL },
        { NAME_RULE_CONFIG_KEY, ".hidden", NULL },
        { NAME_RULE_CONFIG_KEY, "a/b", "a valid config key must consist" },
        { NAME_RULE_CONFIG_KEY, "..", "must not be '..'" },
        { NAME_RULE_CONFIG_KEY, "..a", "must not start with '..'" },
        { NAME_RULE_PORT_NAME, "http-2", NULL },
        { NAME_RULE_PORT_NAME, "1", "must contain at least one letter (a-z)" },
        { NAME_RULE_PORT_NAME, "a--b", "must not contain consecutive hyphens" },
        { NAME_RULE_PORT_NAME, "-a", "must not begin or end with a hyphen" },
        { NAME_RULE_PORT_NAME, "sixteen-letters-", "must be no more than 15 characters" },
        { NAME_RULE_PORT_NAME, "Http", "must contain only alpha-numeric characters" },
        { NAME_RULE_ENV_NAME, "A b", NULL },
        { NAME_RULE_ENV_NAME, "A=b", "a valid environment variable name must consist only" },
        { NAME_RULE_ENV_NAME, "", "environment variable name must be non-empty" },
        { NAME_RULE_C_IDENTIFIER, "_a1", NULL },
        { NAME_RULE_C_IDENTIFIER, "1a", "a valid C identifier" },
        { NAME_RULE_IP, "10.1.2.3", NULL },
        { NAME_RULE_IP, "fd00::1", NULL },
        { NAME_RULE_IP, "10.1.2.03", "must be a valid IP address" },
        { NAME_RULE_IP, "::ffff:1.2.3.4", "must be a valid IP address" },
        { NAME_RULE_IP, "10.1.2", "must be a valid IP address" },
        { NAME_RULE_CIDR, "10.0.0.0/8", NULL },
        { NAME_RULE_CIDR, "fd00::/64", NULL },
        { NAME_RULE_CIDR, "10.0.0.0/33", "must be a valid CIDR value" },
        { NAME_RULE_CIDR, "10.0.0.0/08", "must be a valid CIDR value" },
        { NAME_RULE_CIDR, "10.0.0.0", "must be a valid CIDR value" },
        { NAME_RULE_HTTP_HEADER_NAME, "X-A", NULL },
        { NAME_RULE_HTTP_HEADER_NAME, "X A", "a valid HTTP header must" },
        { NAME_RULE_WILDCARD_DNS1123_SUBDOMAIN, "*.a.b", NULL },
        { NAME_RULE_WILDCARD_DNS1123_SUBDOMAIN, "a.b", "a wildcard DNS-1123 subdomain" },
        { NAME_RULE_ANY, "\x01/%", NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct name_messages m;

        name_rule_check(cases[i].rule, str_from_cstr(cases[i].text), &m);
        cr_expect_eq(m.len > 0, cases[i].says != NULL, "case %zu '%s'", i, cases[i].text);
        if (m.len && cases[i].says)
            cr_expect(str_has_prefix(m.items[0], str_from_cstr(cases[i].says)), "case %zu: '%.*s'",
                      i, STR_ARG(m.items[0]));
    }
}

Test(name_rules, lengths)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    static const struct {
        enum name_rule rule;
        size_t max;
        const char *says;
    } cases[] = {
        { NAME_RULE_DNS1123_LABEL, 63, "must be no more than 63 characters" },
        { NAME_RULE_DNS1123_SUBDOMAIN, 253, "must be no more than 253 characters" },
        { NAME_RULE_DNS1035_LABEL, 63, "must be no more than 63 characters" },
        { NAME_RULE_LABEL_VALUE, 63, "must be no more than 63 bytes" },
        { NAME_RULE_QUALIFIED_NAME, 63, "name part must be no more than 63 bytes" },
        { NAME_RULE_CONFIG_KEY, 253, "must be no more than 253 characters" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct name_messages m;

        name_rule_check(cases[i].rule, repeat(&a, 'a', cases[i].max), &m);
        cr_expect_eq(m.len, 0, "case %zu", i);
        name_rule_check(cases[i].rule, repeat(&a, 'a', cases[i].max + 1), &m);
        cr_assert_eq(m.len, 1, "case %zu", i);
        cr_expect(str_eq(m.items[0], str_from_cstr(cases[i].says)));
    }
}

Test(name_rules, prefix_may_end_with_hyphen)
{
    struct name_messages m;

    name_rule_check_prefix(NAME_RULE_DNS1123_SUBDOMAIN, STR("web-"), &m);
    cr_expect_eq(m.len, 0);
    name_rule_check_prefix(NAME_RULE_DNS1123_SUBDOMAIN, STR("web_"), &m);
    cr_expect_eq(m.len, 1);
    name_rule_check_prefix(NAME_RULE_DNS1123_SUBDOMAIN, STR("-"), &m);
    cr_expect_eq(m.len, 1);
    name_rule_check_prefix(NAME_RULE_PATH_SEGMENT, STR("."), &m);
    cr_expect_eq(m.len, 0);
}

Test(name_rules, full_text_of_subdomain)
{
    struct name_messages m;

    name_rule_check(NAME_RULE_DNS1123_SUBDOMAIN, STR("A"), &m);
    cr_expect(str_eq(
        m.items[0],
        STR("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character (e.g. "
            "'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')")));
}

/* Every text of up to six of these letters, against the rule as it is worded. */
Test(name_rules, subdomains_are_labels_between_dots)
{
    static const char letters[] = "a1-.A";
    char text[6];

    for (size_t n = 0; n <= sizeof(text); n++) {
        size_t count = 1;

        for (size_t i = 0; i < n; i++)
            count *= sizeof(letters) - 1;
        for (size_t k = 0; k < count; k++) {
            struct str rest = str_n(text, n), label;
            bool want = n > 0;

            for (size_t i = 0, left = k; i < n; i++, left /= sizeof(letters) - 1)
                text[i] = letters[left % (sizeof(letters) - 1)];
            while (str_next(&rest, '.', &label))
                want &= name_rule_holds(NAME_RULE_DNS1123_LABEL, label);
            cr_expect_eq(name_rule_holds(NAME_RULE_DNS1123_SUBDOMAIN, str_n(text, n)), want, "%.*s",
                         (int)n, text);
        }
    }
}
