#include "api/field_selector.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/err.h"

static struct str lookup(void *arg, struct str field)
{
    (void)arg;
    if (str_eq(field, STR("metadata.name")))
        return STR("web");
    if (str_eq(field, STR("spec.nodeName")))
        return STR("a,b=c\\");
    return STR("");
}

Test(field_selector, matches)
{
    static const struct {
        const char *text;
        bool want;
        const char *canonical;
    } cases[] = {
        { "", true, "" },
        { ",", true, "" },
        { "=", true, "" },
        { "metadata.name=web", true, "metadata.name=web" },
        { "metadata.name==web", true, "metadata.name=web" },
        { "metadata.name!=web", false, "metadata.name!=web" },
        { "metadata.name!=db,status.phase=", true, "metadata.name!=db,status.phase=" },
        { "z=,metadata.name=web", true, "metadata.name=web,z=" },
        { "spec.nodeName=a\\,b\\=c\\\\", true, "spec.nodeName=a\\,b\\=c\\\\" },
        { "metadata.name=", false, "metadata.name=" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_selector s = { 0 };
        struct err err = { 0 };

        cr_expect_eq(field_selector_parse(&a, str_from_cstr(cases[i].text), &s, &err), 0);
        cr_expect_eq(field_selector_match(&s, lookup, NULL), cases[i].want, "'%s'", cases[i].text);
        cr_expect(str_eq(field_selector_print(&a, &s), str_from_cstr(cases[i].canonical)),
                  "'%s': '%.*s'", cases[i].text, STR_ARG(field_selector_print(&a, &s)));
    }
}

Test(field_selector, refuses_in_upstream_words)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "a", "invalid selector: 'a'; can't understand 'a'" },
        { "a=b,c", "invalid selector: 'a=b,c'; can't understand 'c'" },
        { "a=b=c", "invalid field selector: unescaped character in value: 61" },
        { "a=b\\x", "invalid field selector: invalid escape sequence: \\x" },
        { "a=b\\", "invalid field selector: invalid escape sequence: \\" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_selector s = { 0 };
        struct err err = { 0 };

        cr_expect_eq(field_selector_parse(&a, str_from_cstr(cases[i].text), &s, &err), ERR_INVALID);
        cr_expect_str_eq(err.text, cases[i].want);
    }
}

Test(field_selector, is_checked_against_the_resource)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    static const struct str all[] = { STR_INIT("spec.nodeName"), STR_INIT("metadata.name") };
    struct field_selector s = { 0 };
    struct str value;
    struct err err = { 0 };

    cr_assert_eq(field_selector_parse(&a, STR("spec.nodeName=n,metadata.name!=x"), &s, &err), 0);
    cr_expect_null(field_selector_first_other(&s, all, 2).p);
    cr_expect(str_eq(field_selector_first_other(&s, all, 1), STR("metadata.name")));
    cr_expect(str_eq(field_selector_first_other(&s, all + 1, 1), STR("spec.nodeName")));
    cr_expect(field_selector_requires(&s, STR("spec.nodeName"), &value));
    cr_expect(str_eq(value, STR("n")));
    cr_expect_not(field_selector_requires(&s, STR("metadata.name"), &value));
}
