#include <criterion/criterion.h>
#include <stdio.h>

#include "api/quantity.h"
#include "base/arena.h"

Test(quantity, canonical)
{
    static const struct {
        const char *text;
        const char *canonical; /* NULL: refused */
    } cases[] = {
        { "0", "0" },
        { "0.0", "0" },
        { "1", "1" },
        { "100", "100" },
        { "1000", "1k" },
        { "1500", "1500" },
        { "0.5", "500m" },
        { "1000m", "1" },
        { "250m", "250m" },
        { "1.5", "1500m" },
        { "100000000000000000000", "9223372036854775807" },
        { "1e3", "1e3" },
        { "1E3", "1e3" },
        { "1.5e3", "1500" },
        { "12e-3", "12e-3" },
        { "1e0", "1" },
        { "64Mi", "64Mi" },
        { "1024Mi", "1Gi" },
        { "1.5Gi", "1536Mi" },
        { "1Ki", "1Ki" },
        { "0.5Ki", "512" },
        { "1000Ki", "1000Ki" },
        { "0.1Gi", "107374183" },
        { "1n", "1n" },
        { "0.1n", "1n" },
        { "1.0000000001", "1000000001n" },
        { "-1.5Gi", "-1536Mi" },
        { "+5", "5" },
        { ".5", "500m" },
        { "5.", "5" },
        { "1k", "1k" },
        { "1E", "1E" },
        { "10E", "9223372036854775807" },
        { "", NULL },
        { "-", NULL },
        { ".", NULL },
        { "1x", NULL },
        { "1 ", NULL },
        { "1.2.3", NULL },
        { "1KI", NULL },
        { "1e", NULL },
        { "1ee3", NULL },
        { "e3", NULL },
        { "1K", NULL },
        { "0x10", NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct str got = STR("(untouched)");
        bool ok = quantity_canonical(&a, str_from_cstr(cases[i].text), &got);

        cr_expect_eq(ok, cases[i].canonical != NULL, "%s", cases[i].text);
        if (ok)
            cr_expect(str_eq(got, str_from_cstr(cases[i].canonical)), "%s: %.*s", cases[i].text,
                      STR_ARG(got));
    }
}

Test(quantity, values)
{
    struct quantity a, b;

    cr_assert(quantity_parse(STR("1500m"), &a) && quantity_parse(STR("1.5"), &b));
    cr_assert_eq(quantity_compare(a, b), 0);
    cr_assert_eq(quantity_value(a), 2);
    cr_assert_eq(quantity_milli_value(a), 1500);
    cr_assert(quantity_parse(STR("-1500m"), &a));
    cr_assert_eq(quantity_value(a), -2);
    cr_assert_lt(quantity_compare(a, b), 0);
    cr_assert_eq(quantity_milli_value(quantity_add(a, b)), 0);
    cr_assert(quantity_parse(STR("9E"), &a));
    cr_assert_eq(quantity_milli_value(a), INT64_MAX);
    cr_assert_eq(quantity_value(quantity_add(a, a)), INT64_MAX);
    cr_assert(quantity_parse(STR("100u"), &a));
    cr_assert_eq(quantity_milli_value(quantity_round_milli(a)), 1);
}

/* A sign keeps a text from the short way. */
static void expect_same_with_sign(const char *text)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str plain = str_from_cstr(text), with_sign = arena_printf(&a, "+%s", text), got, want;
    struct quantity x, y;
    bool ok = quantity_parse(with_sign, &y);

    cr_expect_eq(quantity_parse(plain, &x), ok, "%s", text);
    cr_expect_eq(quantity_canonical(&a, plain, &got), ok, "%s", text);
    if (!ok)
        return;
    cr_expect(x.nano == y.nano && x.format == y.format, "%s", text);
    cr_expect(quantity_canonical(&a, with_sign, &want), "%s", text);
    cr_expect(str_eq(got, want), "%s: %.*s, not %.*s", text, STR_ARG(got), STR_ARG(want));
}

Test(quantity, short_texts_are_read_as_long_ones)
{
    static const char *const suffixes[] = { "",  "n",  "u",  "m",  "k",  "M",  "G",   "T",
                                            "P", "E",  "Ki", "Mi", "Gi", "Ti", "Pi",  "Ei",
                                            "K", "ki", "mi", "g",  "e3", "i",  "Mii", "MiB" };
    static const char *const numbers[] = { "",       "0",      "00",      "007",     "1",
                                           "9",      "10",     "250",     "999",     "1000",
                                           "1001",   "1023",   "1024",    "1025",    "2048",
                                           "4000",   "12000",  "65536",   "9999",    "99999",
                                           "100000", "524288", "1000000", "1048576", "1.5",
                                           "1.",     ".5",     "999999",  "9999999", "1 " };

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
        for (size_t k = 0; k < sizeof(numbers) / sizeof(*numbers); k++) {
            char text[32];

            (void)snprintf(text, sizeof(text), "%s%s", numbers[k], suffixes[i]);
            expect_same_with_sign(text);
        }
}
