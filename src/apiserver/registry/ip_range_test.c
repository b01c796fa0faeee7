#include "apiserver/registry/ip_range.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/macros.h"

Test(ip_range, reads_ranges_and_counts_them)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t size;
        const char *base, *first;
    } cases[] = {
        { "10.96.0.0/12", true, 1 << 20, "10.96.0.0/12", "10.96.0.1" },
        { "10.111.1.7/24", true, 256, "10.111.1.0/24", "10.111.1.1" },
        { "fd00::5/112", true, 65536, "fd00::/112", "fd00::1" },
        { "fd00::/64", true, (uint64_t)1 << 32, "fd00::/64", "fd00::1" },
        { "10.0.0.0/31", false, 0, "", "" },
        { "10.0.0.0", false, 0, "", "" },
        { "10.0.0/8", false, 0, "", "" },
        { "fd00::/129", false, 0, "", "" },
        { "", false, 0, "", "" },
    };
    CLEANUP(arena_done) struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip_range r;

        cr_assert_eq(ip_range_parse(str_from_cstr(cases[i].text), &r), cases[i].ok, "%s",
                     cases[i].text);
        if (!cases[i].ok)
            continue;
        cr_assert_eq(ip_range_size(&r), cases[i].size);
        cr_assert(str_eq(ip_range_print(&a, &r), str_from_cstr(cases[i].base)));
        cr_assert(str_eq(ip_range_nth(&a, &r, 1), str_from_cstr(cases[i].first)));
    }
}

Test(ip_range, ends_are_not_handed_out)
{
    struct ip_range r, six;

    cr_assert(ip_range_parse(STR("10.1.2.0/24"), &r) && ip_range_parse(STR("fd00::/112"), &six));
    cr_assert(ip_range_contains(&r, STR("10.1.2.1")));
    cr_assert(ip_range_contains(&r, STR("10.1.2.254")));
    cr_assert_not(ip_range_contains(&r, STR("10.1.2.0")));
    cr_assert_not(ip_range_contains(&r, STR("10.1.2.255")));
    cr_assert_not(ip_range_contains(&r, STR("10.1.3.1")));
    cr_assert_not(ip_range_contains(&r, STR("fd00::1")));
    cr_assert(ip_range_contains(&six, STR("fd00::ffff")));
    cr_assert_not(ip_range_contains(&six, STR("fd00::")));
}

Test(ip_range, texts_become_canonical)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    cr_assert(str_eq(ip_range_canonical(&a, STR("fd00:0:0::1")), STR("fd00::1")));
    cr_assert_null(ip_range_canonical(&a, STR("10.0.0.256")).p);
    cr_assert(str_eq(ip_range_family_of(STR("::1")), STR("IPv6")));
    cr_assert_null(ip_range_family_of(STR("None")).p);
}
