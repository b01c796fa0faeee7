#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"
#include "codec/base64.h"
#include "codec/time_text.h"

Test(time_text, rfc3339)
{
    static const struct {
        const char *text;
        const char *back; /* NULL: refused */
    } cases[] = {
        { "2008-01-01T01:01:01Z", "2008-01-01T01:01:01Z" },
        { "2026-11-24T10:00:00.999999999+02:00", "2026-11-24T08:00:00Z" },
        { "1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z" },
        { "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z" },
        { "2024-02-29T00:00:00-23:59", "2024-02-29T23:59:00Z" },
        { "2023-02-29T00:00:00Z", NULL },
        { "2023-13-01T00:00:00Z", NULL },
        { "2023-01-01T24:00:00Z", NULL },
        { "2023-01-01 00:00:00Z", NULL },
        { "2023-01-01T00:00:00", NULL },
        { "2023-01-01T00:00:00.Z", NULL },
        { "", NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        CLEANUP(buf_done) struct buf b = { 0 };
        int64_t sec;
        int32_t nsec;
        bool ok = time_text_parse(str_from_cstr(cases[i].text), &sec, &nsec);

        cr_expect_eq(ok, cases[i].back != NULL, "%s", cases[i].text);
        if (ok) {
            time_text_print(&b, sec);
            cr_expect_str_eq(buf_cstr(&b), cases[i].back);
        }
    }
}

Test(time_text, durations)
{
    static const struct {
        const char *text;
        const char *back;
    } cases[] = {
        { "1h0m0s", "1h0m0s" },
        { "90m", "1h30m0s" },
        { "500ms", "500ms" },
        { "1.5s", "1.5s" },
        { "-2us", "-2\xc2\xb5s" },
        { "0", "0s" },
        { "100ns", "100ns" },
        { ".5m", "30s" },
        { "1", NULL },
        { "h", NULL },
        { "", NULL },
        { "9999999999999h", NULL },
        { "-9223372036854775808ns", "-2562047h47m16.854775808s" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        CLEANUP(buf_done) struct buf b = { 0 };
        int64_t ns;
        bool ok = time_text_parse_duration(str_from_cstr(cases[i].text), &ns);

        cr_expect_eq(ok, cases[i].back != NULL, "%s", cases[i].text);
        if (ok) {
            time_text_print_duration(&b, ns);
            cr_expect_str_eq(buf_cstr(&b), cases[i].back);
        }
    }
}

Test(time_text, ages)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        { -5, "<invalid>" }, { -1, "0s" },       { 0, "0s" },           { 119, "119s" },
        { 120, "2m" },       { 200, "3m20s" },   { 600, "10m" },        { 10800, "3h" },
        { 11000, "3h3m" },   { 28800, "8h" },    { 172800, "2d" },      { 180000, "2d2h" },
        { 691200, "8d" },    { 63072000, "2y" }, { 70000000, "2y80d" }, { 252288000, "8y" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        CLEANUP(buf_done) struct buf b = { 0 };

        time_text_print_age(&b, cases[i].seconds);
        cr_expect_str_eq(buf_cstr(&b), cases[i].text);
    }
}

Test(base64, there_and_back)
{
    static const struct {
        const char *bytes;
        const char *text;
    } cases[] = { { "", "" },
                  { "f", "Zg==" },
                  { "fo", "Zm8=" },
                  { "foo", "Zm9v" },
                  { "foob", "Zm9vYg==" },
                  { "fooba", "Zm9vYmE=" },
                  { "foobar", "Zm9vYmFy" } };
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str got;
    size_t at;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        CLEANUP(buf_done) struct buf b = { 0 };

        base64_encode(&b, str_from_cstr(cases[i].bytes));
        cr_expect_str_eq(buf_cstr(&b), cases[i].text);
        cr_expect(base64_decode(&a, str_from_cstr(cases[i].text), &got, &at));
        cr_expect(str_eq(got, str_from_cstr(cases[i].bytes)));
    }
    cr_assert_not(base64_decode(&a, STR("Zg="), &got, &at));
    cr_assert_not(base64_decode(&a, STR("Zg==="), &got, &at));
    cr_assert_not(base64_decode(&a, STR("Z"), &got, &at));
    cr_assert_not(base64_decode(&a, STR("Zm9v!"), &got, &at));
    cr_assert_eq(at, 4);
    cr_assert(base64_decode(&a, STR("Zm\n9v\r\n"), &got, &at));
    cr_assert(base64_decode_url(&a, STR("-_8"), &got));
    cr_assert_not(base64_decode_url(&a, STR("-_8="), &got));
}
