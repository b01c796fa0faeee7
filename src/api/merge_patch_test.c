#include "api/merge_patch.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* The cases of RFC 7386, appendix A, whose patch is an object. */
Test(merge_patch, applies)
{
    static const struct {
        const char *doc, *patch, *want;
    } cases[] = {
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
        { "{\"a\":1}", "{}", "{\"a\":1}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        CLEANUP(buf_done) struct buf b = { 0 };
        struct value doc, patch, want;
        struct err err = { 0 };

        cr_assert_eq(value_parse(&a, str_from_cstr(cases[i].doc), &doc, NULL, &err), 0);
        cr_assert_eq(value_parse(&a, str_from_cstr(cases[i].want), &want, NULL, &err), 0);
        cr_assert_eq(merge_patch_decode(&a, str_from_cstr(cases[i].patch), &patch, &err), 0);
        cr_expect_eq(merge_patch_apply(&a, &doc, &patch, &err), 0);
        value_print(&b, &doc);
        cr_expect(value_equal(&doc, &want), "%zu: %s", i, buf_cstr(&b));
    }
}

Test(merge_patch, must_be_an_object)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct value v;
    struct err err = { 0 };

    cr_expect_eq(merge_patch_decode(&a, STR("[1]"), &v, &err), ERR_SYNTAX);
    cr_expect_str_eq(err.text,
                     "error decoding patch: json: cannot unmarshal array into Go value of type "
                     "map[string]interface {}");
    cr_expect_eq(merge_patch_decode(&a, STR("{"), &v, &err), ERR_SYNTAX);
}

Test(merge_patch, merges_wide_objects_in_linear_time)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf text = { 0 };
    struct value doc, patch;
    struct err err = { 0 };

    buf_append_char(&text, '{');
    for (int i = 0; i < 19000; i++)
        buf_printf(&text, "%s\"k%d\":%d", i ? "," : "", i, i);
    buf_append_char(&text, '}');
    cr_assert_eq(value_parse(&a, buf_str(&text), &doc, NULL, &err), 0);
    cr_assert_eq(merge_patch_decode(&a, buf_str(&text), &patch, &err), 0);
    cr_expect_eq(merge_patch_apply(&a, &doc, &patch, &err), 0);
    cr_expect_eq(doc.len, 19000);
}

Test(merge_patch, respects_the_arena_limit)
{
    CLEANUP(arena_done) struct arena a = { 0 }, small = { 0 };
    struct value doc, patch;
    struct err err = { 0 };

    arena_init(&small, 1);
    cr_assert_eq(value_parse(&a, STR("{\"a\":1}"), &doc, NULL, &err), 0);
    cr_assert_eq(merge_patch_decode(&a, STR("{\"a\":{\"b\":[1,2,3]}}"), &patch, &err), 0);
    cr_expect_eq(merge_patch_apply(&small, &doc, &patch, &err), ERR_TOO_LARGE);
}
