#include "net/ip_prefix.h"

#include <criterion/criterion.h>

#include "base/macros.h"

Test(ip_prefix, parses_and_prints)
{
    static const struct {
        const char *text;
        bool ok;
        const char *printed;
    } cases[] = {
        { "10.0.0.1/24", true, "10.0.0.1/24" },
        { "10.0.0.1/33", false, NULL },
        { "10.0.0.1", false, NULL },
        { "10.0.0.256/8", false, NULL },
        { "fd00::1/64", true, "fd00::1/64" },
        { "fd00::1/129", false, NULL },
        { "/8", false, NULL },
        { "0.0.0.0/0", true, "0.0.0.0/0" },
        { "10.0.0.1/-1", false, NULL },
        { "10.0.0.1/", false, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip_prefix p;
        char text[IP_PREFIX_TEXT_BYTES];
        bool ok = ip_prefix_parse(str_from_cstr(cases[i].text), &p);

        cr_expect_eq(ok, cases[i].ok, "%s", cases[i].text);
        if (ok && cases[i].ok)
            cr_expect_str_eq(ip_prefix_print(&p, text), cases[i].printed);
    }
}

Test(ip_prefix, counts_addresses)
{
    static const struct {
        const char *prefix;
        uint64_t n;
        const char *address; /* NULL: beyond */
    } cases[] = {
        { "10.1.2.3/24", 0, "10.1.2.0" },    { "10.1.2.3/24", 255, "10.1.2.255" },
        { "10.1.2.3/24", 256, NULL },        { "10.1.255.0/16", 256, "10.1.1.0" },
        { "fd00::/64", 65536, "fd00::1:0" }, { "fd00::/120", 256, NULL },
        { "10.0.0.7/32", 0, "10.0.0.7" },    { "10.0.0.7/32", 1, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip_prefix p;
        struct ip ip;
        char text[IP_TEXT_BYTES];

        cr_assert(ip_prefix_parse(str_from_cstr(cases[i].prefix), &p));
        cr_expect_eq(ip_prefix_nth(&p, cases[i].n, &ip), cases[i].address != NULL);
        if (!cases[i].address)
            continue;
        cr_expect_str_eq(ip_print(&ip, text), cases[i].address);
        cr_expect(ip_prefix_contains(&p, &ip));
        cr_expect_eq(ip_prefix_index(&p, &ip), cases[i].n);
    }
}
