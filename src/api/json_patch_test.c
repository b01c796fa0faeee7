#include "api/json_patch.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static int run(struct arena *a, const char *doc_text, const char *patch_text, struct value *ret,
               struct err *err)
{
    struct json_patch p;
    int r;

    cr_assert_eq(value_parse(a, str_from_cstr(doc_text), ret, NULL, err), 0);
    r = json_patch_decode(a, str_from_cstr(patch_text), &p, err);
    return r < 0 ? r : json_patch_apply(a, &p, ret, err);
}

Test(json_patch, applies)
{
    static const struct {
        const char *doc, *patch, *want;
    } cases[] = {
        { "{\"a\":1}", "[]", "{\"a\":1}" },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":[1]}]", "{\"a\":1,\"b\":[1]}" },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}" },
        { "{\"a\":[1,3]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":2}]", "{\"a\":[1,2,3]}" },
        { "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":2}]", "{\"a\":[1,2]}" },
        { "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/-1\",\"value\":2}]", "{\"a\":[1,2]}" },
        { "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":null}]",
          "{\"a\":[1,null]}" },
        { "{\"a\":1,\"b\":2}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{\"b\":2}" },
        { "{\"a\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/a/-1\"}]", "{\"a\":[1,2]}" },
        { "{\"a\":{\"b\":1}}", "[{\"op\":\"replace\",\"path\":\"/a/b\",\"value\":\"x\"}]",
          "{\"a\":{\"b\":\"x\"}}" },
        { "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"z\":1}}]", "{\"z\":1}" },
        { "{\"a\":{\"b\":1},\"c\":{}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/c/d\"}]",
          "{\"a\":{},\"c\":{\"d\":1}}" },
        { "{\"a\":[1,2,3]}", "[{\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/a/2\"}]",
          "{\"a\":[2,3,1]}" },
        { "{\"a\":{\"b\":[1]}}",
          "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/c\"},"
          "{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":2}]",
          "{\"a\":{\"b\":[1,2],\"c\":{\"b\":[1]}}}" },
        { "{\"a/b\":1,\"m~n\":2}",
          "[{\"op\":\"test\",\"path\":\"/a~1b\",\"value\":1},"
          "{\"op\":\"remove\",\"path\":\"/m~0n\"}]",
          "{\"a/b\":1}" },
        { "{\"a\":{\"x\":1,\"y\":[]}}",
          "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"y\":[],\"x\":1}}]",
          "{\"a\":{\"x\":1,\"y\":[]}}" },
        { "{}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]", "{}" },
        { "{\"\":1}", "[{\"op\":\"remove\",\"path\":\"/\"}]", "{}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        CLEANUP(buf_done) struct buf b = { 0 };
        struct value doc, want;
        struct err err = { 0 };

        cr_expect_eq(run(&a, cases[i].doc, cases[i].patch, &doc, &err), 0, "%zu: %s", i, err.text);
        cr_assert_eq(value_parse(&a, str_from_cstr(cases[i].want), &want, NULL, &err), 0);
        value_print(&b, &doc);
        cr_expect(value_equal(&doc, &want), "%zu: %s", i, buf_cstr(&b));
    }
}

Test(json_patch, refuses)
{
    static const struct {
        const char *patch;
        int code;
        const char *text; /* beginning */
    } cases[] = {
        { "{}", ERR_SYNTAX,
          "error decoding patch: json: cannot unmarshal object into Go value of type "
          "[]handlers.jsonPatchOp" },
        { "[1]", ERR_SYNTAX, "error decoding patch: json: cannot unmarshal number" },
        { "[{\"op\":\"fly\",\"path\":\"/a\"}]", ERR_INVALID, "Unexpected kind: fly" },
        { "[{\"path\":\"/a\"}]", ERR_INVALID, "Unexpected kind: unknown" },
        { "[{\"op\":\"add\",\"value\":1}]", ERR_INVALID, "add operation does not apply" },
        { "[{\"op\":\"add\",\"path\":\"/a\"}]", ERR_INVALID, "add operation does not apply" },
        { "[{\"op\":\"add\",\"path\":\"/x/y\",\"value\":1}]", ERR_INVALID, "add operation" },
        { "[{\"op\":\"add\",\"path\":\"/l/3\",\"value\":1}]", ERR_INVALID, "add operation" },
        { "[{\"op\":\"add\",\"path\":\"/l/-4\",\"value\":1}]", ERR_INVALID, "add operation" },
        { "[{\"op\":\"add\",\"path\":\"/l/x\",\"value\":1}]", ERR_INVALID, "add operation" },
        { "[{\"op\":\"add\",\"path\":\"/s/x\",\"value\":1}]", ERR_INVALID, "add operation" },
        { "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", ERR_INVALID, "add operation" },
        { "[{\"op\":\"remove\",\"path\":\"/x\"}]", ERR_INVALID, "remove operation" },
        { "[{\"op\":\"remove\",\"path\":\"\"}]", ERR_INVALID, "remove operation" },
        { "[{\"op\":\"remove\",\"path\":\"/l/2\"}]", ERR_INVALID, "remove operation" },
        { "[{\"op\":\"replace\",\"path\":\"/x/y\",\"value\":1}]", ERR_INVALID,
          "replace operation" },
        { "[{\"op\":\"replace\",\"path\":\"/l/2\",\"value\":1}]", ERR_INVALID,
          "replace operation" },
        { "[{\"op\":\"move\",\"path\":\"/x\"}]", ERR_INVALID, "move operation" },
        { "[{\"op\":\"move\",\"from\":\"/o\",\"path\":\"/o/i\"}]", ERR_INVALID, "move operation" },
        { "[{\"op\":\"copy\",\"from\":\"/x/y\",\"path\":\"/o\"}]", ERR_INVALID, "copy operation" },
        { "[{\"op\":\"test\",\"path\":\"/s\",\"value\":\"u\"}]", ERR_INVALID, "test operation" },
        { "[{\"op\":\"test\",\"path\":\"/l/7\",\"value\":null}]", ERR_INVALID, "test operation" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct value doc;
        struct err err = { 0 };

        cr_expect_eq(run(&a, "{\"l\":[1,2],\"o\":{},\"s\":\"t\"}", cases[i].patch, &doc, &err),
                     cases[i].code, "%s", cases[i].patch);
        cr_expect(str_has_prefix(str_from_cstr(err.text), str_from_cstr(cases[i].text)), "%s: %s",
                  cases[i].patch, err.text);
    }
}

Test(json_patch, counts_operations)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    struct json_patch p;
    struct err err = { 0 };

    buf_append_char(&b, '[');
    for (int i = 0; i < JSON_PATCH_MAX_OPS; i++)
        buf_printf(&b, "%s{\"op\":\"test\",\"path\":\"/a\",\"value\":1}", i ? "," : "");
    buf_append_char(&b, ']');
    cr_expect_eq(json_patch_decode(&a, buf_str(&b), &p, &err), 0);
    b.len--;
    buf_append_lit(&b, ",{}]");
    cr_expect_eq(json_patch_decode(&a, buf_str(&b), &p, &err), ERR_TOO_LARGE);
    cr_expect_str_eq(err.text,
                     "The allowed maximum operations in a JSON patch is 10000, got 10001");
}

Test(json_patch, bounds_what_copy_adds)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    struct value doc;
    struct err err = { 0 };

    /* Each step doubles the document: 2^40 bytes if nobody counted. */
    buf_append_char(&b, '[');
    for (int i = 0; i < 40; i++)
        buf_printf(&b, "%s{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/%d\"}", i ? "," : "", i);
    buf_append_char(&b, ']');
    cr_expect_eq(run(&a, "{\"a\":{\"x\":\"some text\"}}", buf_cstr(&b), &doc, &err), ERR_INVALID);
    cr_expect(strstr(err.text, "accumulated size increase of copy"), "%s", err.text);
    cr_expect_lt(a.used, (size_t)64 * 1024 * 1024);
}

Test(json_patch, bounds_work_on_wide_objects)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf doc_text = { 0 }, patch = { 0 };
    struct value doc;
    struct err err = { 0 };

    buf_append_char(&doc_text, '{');
    for (int i = 0; i < 19000; i++)
        buf_printf(&doc_text, "\"k%d\":1,", i);
    buf_append_lit(&doc_text, "\"last\":1}");
    buf_append_char(&patch, '[');
    for (int i = 0; i < JSON_PATCH_MAX_OPS; i++)
        buf_printf(&patch, "%s{\"op\":\"test\",\"path\":\"/last\",\"value\":1}", i ? "," : "");
    buf_append_char(&patch, ']');
    cr_expect_eq(run(&a, buf_cstr(&doc_text), buf_cstr(&patch), &doc, &err), ERR_INVALID);
    cr_expect(strstr(err.text, "steps"), "%s", err.text);
}

Test(json_patch, leaves_the_patch_as_it_was)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct json_patch p;
    struct value doc, again, want;
    struct err err = { 0 };

    cr_assert_eq(json_patch_decode(&a,
                                   STR("[{\"op\":\"add\",\"path\":\"/o\",\"value\":{\"l\":[]}},"
                                       "{\"op\":\"add\",\"path\":\"/o/l/-\",\"value\":1}]"),
                                   &p, &err),
                 0);
    cr_assert_eq(value_parse(&a, STR("{}"), &doc, NULL, &err), 0);
    cr_assert_eq(value_parse(&a, STR("{}"), &again, NULL, &err), 0);
    cr_assert_eq(value_parse(&a, STR("{\"o\":{\"l\":[1]}}"), &want, NULL, &err), 0);
    cr_expect_eq(json_patch_apply(&a, &p, &doc, &err), 0);
    cr_expect_eq(json_patch_apply(&a, &p, &again, &err), 0);
    cr_expect(value_equal(&doc, &want));
    cr_expect(value_equal(&again, &want));
}
