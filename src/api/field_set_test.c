#include "api/field_set.h"

#include <criterion/criterion.h>

#include "api/field_type.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static struct field_set parse(struct arena *a, const char *json)
{
    struct field_set s = { 0 };
    struct err err = { 0 };

    cr_assert_eq(field_set_parse(a, str_from_cstr(json), &s, &err), 0, "%s: %s", json, err.text);
    return s;
}

static const char *text(struct arena *a, const struct field_set *s)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 64);
    field_set_print(&b, s);
    return buf_cstr(&b);
}

Test(field_set, reads_and_prints)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "{}", "{}" },
        { "{\"f:a\":{}}", "{\"f:a\":{}}" },
        { "{\"f:b\":{},\"f:a\":{\".\":{}}}", "{\"f:a\":{},\"f:b\":{}}" },
        { "{\"f:a\":{\"f:b\":{}}}", "{\"f:a\":{\"f:b\":{}}}" },
        { "{\"f:a\":{\"f:b\":{},\".\":{}}}", "{\"f:a\":{\".\":{},\"f:b\":{}}}" },
        { "{\"k:{\\\"b\\\": 1, \\\"a\\\":\\\"x\\\"}\":{}}",
          "{\"k:{\\\"a\\\":\\\"x\\\",\\\"b\\\":1}\":{}}" },
        { "{\"v:\\\"x\\\"\":{},\"v:1\":{}}", "{\"v:\\\"x\\\"\":{},\"v:1\":{}}" },
        { "{\"i:3\":{\"f:a\":{}}}", "{\"i:3\":{\"f:a\":{}}}" },
        { "{\"f:a\":{},\"f:a\":{\"f:b\":{}}}", "{\"f:a\":{\".\":{},\"f:b\":{}}}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_set s = parse(&a, cases[i].in);

        cr_expect_str_eq(text(&a, &s), cases[i].out);
    }
}

Test(field_set, refuses)
{
    static const struct {
        const char *in;
        int code;
    } cases[] = {
        { "", ERR_SYNTAX },
        { "[]", ERR_SYNTAX },
        { "{\"f:a\":1}", ERR_SYNTAX },
        { "{\"f:a\":{}} x", ERR_SYNTAX },
        { "{\"a\":{}}", ERR_INVALID },
        { "{\"x:a\":{}}", ERR_INVALID },
        { "{\"k:[1]\":{}}", ERR_INVALID },
        { "{\"k:{\":{}}", ERR_SYNTAX },
        { "{\"i:x\":{}}", ERR_INVALID },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_set s;
        struct err err = { 0 };

        cr_expect_eq(field_set_parse(&a, str_from_cstr(cases[i].in), &s, &err), cases[i].code, "%s",
                     cases[i].in);
    }
}

Test(field_set, refuses_what_is_too_deep)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    struct field_set s;
    struct err err = { 0 };

    for (int i = 0; i < FIELD_SET_MAX_DEPTH * 2; i++)
        buf_append_lit(&b, "{\"f:a\":");
    cr_expect_eq(field_set_parse(&a, buf_str(&b), &s, &err), ERR_TOO_DEEP);
}

Test(field_set, operations)
{
    static const struct {
        const char *x, *y, *united, *common, *less, *less_below;
    } cases[] = {
        { "{\"f:a\":{}}", "{\"f:b\":{}}", "{\"f:a\":{},\"f:b\":{}}", "{}", "{\"f:a\":{}}",
          "{\"f:a\":{}}" },
        { "{\"f:a\":{}}", "{\"f:a\":{}}", "{\"f:a\":{}}", "{\"f:a\":{}}", "{}", "{}" },
        { "{\"f:a\":{\".\":{},\"f:b\":{}}}", "{\"f:a\":{}}", "{\"f:a\":{\".\":{},\"f:b\":{}}}",
          "{\"f:a\":{}}", "{\"f:a\":{\"f:b\":{}}}", "{}" },
        { "{\"f:a\":{\"f:b\":{},\"f:c\":{}}}", "{\"f:a\":{\"f:c\":{},\"f:d\":{}}}",
          "{\"f:a\":{\"f:b\":{},\"f:c\":{},\"f:d\":{}}}", "{\"f:a\":{\"f:c\":{}}}",
          "{\"f:a\":{\"f:b\":{}}}", "{\"f:a\":{\"f:b\":{}}}" },
        { "{}", "{\"f:a\":{}}", "{\"f:a\":{}}", "{}", "{}", "{}" },
        { "{\"f:a\":{}}", "{\"f:a\":{\"f:b\":{}}}", "{\"f:a\":{\".\":{},\"f:b\":{}}}", "{}",
          "{\"f:a\":{}}", "{\"f:a\":{}}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_set x = parse(&a, cases[i].x), y = parse(&a, cases[i].y), s;

        s = field_set_union(&a, &x, &y);
        cr_expect_str_eq(text(&a, &s), cases[i].united, "%zu: union", i);
        s = field_set_intersection(&a, &x, &y);
        cr_expect_str_eq(text(&a, &s), cases[i].common, "%zu: intersection", i);
        s = field_set_difference(&a, &x, &y, false);
        cr_expect_str_eq(text(&a, &s), cases[i].less, "%zu: difference", i);
        s = field_set_difference(&a, &x, &y, true);
        cr_expect_str_eq(text(&a, &s), cases[i].less_below, "%zu: difference below", i);
        cr_expect(field_set_equal(&x, &x));
        cr_expect_eq(field_set_equal(&x, &y), !strcmp(cases[i].x, cases[i].y));
    }
}

Test(field_set, dotted_names)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct field_set s = { 0 };

    field_set_add_names(&a, &s, STR("status spec.replicas spec.a"));
    cr_expect_str_eq(text(&a, &s), "{\"f:spec\":{\"f:a\":{},\"f:replicas\":{}},\"f:status\":{}}");
    cr_expect_not_null(field_set_find(&s, STR("f:status")));
    cr_expect_null(field_set_find(&s, STR("f:stat")));
}

Test(field_set, named_members_stand_for_what_is_below_them)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct schema_type *pod =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("Pod"));
    struct field_type t = field_type_builtin(&schema_builtin, pod);
    struct field_set s = parse(&a, "{\"f:metadata\":{\"f:labels\":{\"f:app\":{}}},\"f:spec\":{"
                                   "\"f:containers\":{\"k:{\\\"name\\\":\\\"a\\\"}\":{"
                                   "\"f:resources\":{\"f:limits\":{\"f:cpu\":{}}}}}}}");

    s = field_set_with_named(&a, &s, &t);
    cr_expect_str_eq(
        text(&a, &s),
        "{\"f:metadata\":{\".\":{},\"f:labels\":{\".\":{},\"f:app\":{}}},\"f:spec\":{\".\":{},"
        "\"f:containers\":{\".\":{},\"k:{\\\"name\\\":\\\"a\\\"}\":{\"f:resources\":{\".\":{},"
        "\"f:limits\":{\".\":{},\"f:cpu\":{}}}}}}}");
}

static void gather(struct str path, void *arg)
{
    buf_append_str(arg, path);
    buf_append_char(arg, '|');
}

Test(field_set, paths_as_messages_show_them)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    struct field_set s =
        parse(&a, "{\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":80,\\\"protocol\\\":"
                  "\\\"TCP\\\"}\":{\".\":{},\"f:name\":{}}},\"f:l\":{\"v:\\\"x\\\"\":"
                  "{},\"i:2\":{}}}}");

    field_set_each(&s, gather, &b);
    cr_expect_str_eq(buf_cstr(&b),
                     ".spec.l[2]|.spec.l[=\"x\"]|.spec.ports[port=80,protocol=\"TCP\"]|"
                     ".spec.ports[port=80,protocol=\"TCP\"].name|");
}
