#include "api/field_error.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"

Test(field_error, paths)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct field_path spec = field_path_member(NULL, STR("spec"));
    struct field_path list = field_path_member(&spec, STR("containers"));
    struct field_path item = field_path_index(&list, 2);
    struct field_path map = field_path_member(&item, STR("limits"));
    struct field_path key = field_path_key(&map, STR("cpu"));

    cr_expect(str_eq(field_path_print(&a, &key), STR("spec.containers[2].limits[cpu]")));
    cr_expect(str_eq(field_path_print(&a, &spec), STR("spec")));
    cr_expect(str_eq(field_path_print(&a, NULL), STR("<nil>")));
}

Test(field_error, messages)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct field_path p = field_path_member(NULL, STR("x"));
    static const struct str names[] = { STR_INIT("A"), STR_INIT("B") };
    struct field_errors e;

    field_errors_init(&e, &a);
    cr_expect(str_eq(field_errors_print(&a, &e), STR("")));
    field_errors_add_text(&e, &p, FIELD_ERROR_INVALID, STR("a\"b\n"), "must %s", "fit");
    cr_expect(str_eq(e.items[0].message, STR("Invalid value: \"a\\\"b\\n\": must fit")));
    cr_expect(str_eq(field_errors_print(&a, &e), STR("x: Invalid value: \"a\\\"b\\n\": must fit")));
    field_errors_add(&e, &p, FIELD_ERROR_REQUIRED, "");
    field_errors_add_raw(&e, &p, FIELD_ERROR_INVALID, STR("-1"), "must be more");
    field_errors_add_unsupported(&e, &p, STR("C"), names, 2);
    cr_expect(str_eq(e.items[3].message,
                     STR("Unsupported value: \"C\": supported values: \"A\", \"B\"")));
    field_errors_add(&e, &p, FIELD_ERROR_REQUIRED, "");
    cr_expect_eq(e.len, 5);
    cr_expect(str_eq(field_errors_print(&a, &e),
                     STR("[x: Invalid value: \"a\\\"b\\n\": must fit, x: Required value, x: "
                         "Invalid value: -1: must be more, x: Unsupported value: \"C\": "
                         "supported values: \"A\", \"B\"]")));
    cr_expect_str_eq(field_error_reason(FIELD_ERROR_TOO_MANY), "FieldValueTooMany");
}

Test(field_error, quotes_as_go)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "\"\"" },
        { "a\\b\t", "\"a\\\\b\\t\"" },
        { "\x01\x7f", "\"\\x01\\x7f\"" },
        { "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"" },
        { "\xff\xc3", "\"\\xff\\xc3\"" },
        { "\xe2\x80\x8b", "\"\\u200b\"" },
        { "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"" },
        { "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(buf_done) struct buf b = { 0 };

        field_error_quote(&b, str_from_cstr(cases[i].text));
        cr_expect_str_eq(buf_cstr(&b), cases[i].want);
    }
}
