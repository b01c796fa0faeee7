#include "api/label_selector.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/err.h"

static bool lookup(void *arg, struct str key, struct str *ret)
{
    const char *const *pairs = arg;

    for (; pairs[0]; pairs += 2)
        if (str_eq(key, str_from_cstr(pairs[0]))) {
            *ret = str_from_cstr(pairs[1]);
            return true;
        }
    return false;
}

Test(label_selector, matches)
{
    static const char *const labels[] = { "app", "web", "tier", "front", "n", "5", "e", "", NULL };
    static const struct {
        const char *text;
        bool want;
        const char *canonical;
    } cases[] = {
        { "", true, "" },
        { "app=web", true, "app=web" },
        { "app==web", true, "app=web" },
        { "app = web , tier in ( front,back )", true, "app=web,tier in (back,front)" },
        { "app=db", false, "app=db" },
        { "app!=db", true, "app!=db" },
        { "none!=db", true, "none!=db" },
        { "app", true, "app" },
        { "!app", false, "!app" },
        { "! none", true, "!none" },
        { "app in (web)", true, "app in (web)" },
        { "app notin (web,db)", false, "app notin (db,web)" },
        { "none notin (web)", true, "none notin (web)" },
        { "none in (web)", false, "none in (web)" },
        { "n>4", true, "n>4" },
        { "n>5", false, "n>5" },
        { "n<6", true, "n<6" },
        { "app>1", false, "app>1" },
        { "e=", true, "e=" },
        { "e in (,)", true, "e in (,)" },
        { "e in (a,,b)", true, "e in (,a,b)" },
        { "e in (a,)", true, "e in (,a)" },
        { "in in (in,notin)", false, "in in (in,notin)" },
        { "z,a", false, "a,z" },
        { "app=web,app!=db", true, "app=web,app!=db" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct label_selector s = { 0 };
        struct err err = { 0 };

        cr_expect_eq(label_selector_parse(&a, str_from_cstr(cases[i].text), &s, &err), 0,
                     "'%s': %s", cases[i].text, err.text);
        cr_expect_eq(label_selector_match(&s, lookup, (void *)(uintptr_t)labels), cases[i].want,
                     "'%s'", cases[i].text);
        cr_expect(str_eq(label_selector_print(&a, &s), str_from_cstr(cases[i].canonical)),
                  "'%s': '%.*s'", cases[i].text, STR_ARG(label_selector_print(&a, &s)));
    }
}

Test(label_selector, refuses_in_upstream_words)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt" },
        { "a,", "found '', expected: identifier after ','" },
        { ",a", "found ',', expected: !, identifier, or 'end of string'" },
        { "a=b c", "found 'c', expected: ',' or 'end of string'" },
        { "!a=b", "found '=', expected: ',' or 'end of string'" },
        { "a=(b)", "unable to parse requirement: found '(', expected: identifier" },
        { "a in b", "unable to parse requirement: found 'b' expected: '('" },
        { "a in (b", "unable to parse requirement: found '', expected: ',' or ')'" },
        { "a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'" },
        { "a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier" },
        { "a in (b,,)", "unable to parse requirement: found ')', expected: ',', or identifier" },
        { "a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' "
                 "operators, the value must be an integer" },
        { "-a", "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist "
                "of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used "
                "for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')" },
        { "a=-", "unable to parse requirement: values[0][a]: Invalid value: \"-\": a valid label "
                 "must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
                 "and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
                 "'my_value',  or '12345', regex used for validation is "
                 "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct label_selector s = { 0 };
        struct err err = { 0 };

        cr_expect_eq(label_selector_parse(&a, str_from_cstr(cases[i].text), &s, &err), ERR_INVALID,
                     "'%s'", cases[i].text);
        cr_expect_str_eq(err.text, cases[i].want);
    }
}

Test(label_selector, is_bounded)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    char text[2 * (LABEL_SELECTOR_MAX_REQUIREMENTS + 1)];
    struct label_selector s = { 0 };
    struct err err = { 0 };

    for (size_t i = 0; i < sizeof(text); i += 2) {
        text[i] = 'a';
        text[i + 1] = ',';
    }
    cr_expect_eq(label_selector_parse(&a, str_n(text, sizeof(text) - 1), &s, &err), ERR_TOO_LARGE);
    cr_expect_eq(label_selector_parse(&a, str_n(text, sizeof(text) - 3), &s, &err), 0);
    cr_expect_eq(s.len, LABEL_SELECTOR_MAX_REQUIREMENTS);
    cr_expect_eq(label_selector_parse(&a, str_n(text, LABEL_SELECTOR_MAX_BYTES + 1), &s, &err),
                 ERR_TOO_LARGE);
}

Test(label_selector, nothing_matches_nothing)
{
    struct label_selector s = { .nothing = true };

    cr_expect_not(label_selector_match(&s, lookup, NULL));
    cr_expect_not(label_selector_is_empty(&s));
}
