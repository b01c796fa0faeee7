#include "codec/value.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

static struct str print(struct arena *a, const struct value *v)
{
    struct buf b = { .arena = a };

    value_print(&b, v);
    return buf_str(&b);
}

Test(value, reads_and_prints)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "{}", "{}" },
        { " [ 1 , 2.5 , -0 , 1e3 ] ", "[1,2.5,0,1000]" },
        { "{\"a\":null,\"b\":[true,false],\"c\":{\"d\":\"<&>\"}}",
          "{\"a\":null,\"b\":[true,false],\"c\":{\"d\":\"\\u003c\\u0026\\u003e\"}}" },
        { "9223372036854775807", "9223372036854775807" },
        { "9223372036854775808", "9223372036854775808" },
        { "\"\\u00e9\\ud83d\\ude00\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
        { "{\"a\":1,\"a\":2}", "{\"a\":2}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct value v;
        struct err err;
        struct str out;

        cr_assert_eq(value_parse(&a, str_from_cstr(rows[i].in), &v, NULL, &err), 0, "%s: %s",
                     rows[i].in, err.text);
        out = print(&a, &v);
        cr_expect(str_eq(out, str_from_cstr(rows[i].out)), "%s: %.*s", rows[i].in, STR_ARG(out));
    }
}

Test(value, refuses_what_is_no_json)
{
    static const char *const rows[] = {
        "",        "{",     "[1,]",     "{\"a\"}",   "{\"a\":}", "{a:1}", "\"\\ud800\x01\"",
        "01",      "+1",    "1.",       ".5",        "1e",       "nul",   "\"\n\"",
        "\"\\x\"", "[1] 2", "\"\xff\"", "\"\\u12\"", "1e999",    "[1 2]", "{\"a\":1 \"b\":2}",
        "'a'",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct value v;
        struct err err = { 0 };

        cr_expect_eq(value_parse(&a, str_from_cstr(rows[i]), &v, NULL, &err), ERR_SYNTAX, "%s",
                     rows[i]);
        cr_expect(err.text[0], "%s without a reason", rows[i]);
    }
}

Test(value, tells_the_first_duplicate)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str duplicate = STR_NULL;
    struct value v;
    struct err err;

    cr_assert_eq(
        value_parse(&a, STR("{\"a\":1,\"b\":{\"c\":1,\"c\":2},\"a\":3}"), &v, &duplicate, &err), 0);
    cr_assert(str_eq(duplicate, STR("b.c")));
    cr_assert_eq(value_parse(&a, STR("[{},{\"a\":[{\"b\":1,\"b\":2}]}]"), &v, &duplicate, &err), 0);
    cr_assert(str_eq(duplicate, STR("[1].a[0].b")));
}

Test(value, prints_as_go_shows_documents)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    struct value v;
    struct err err;

    cr_assert_eq(value_parse(&a, STR("{\"b\":[1,\"x\",null],\"a\":{\"c\":true}}"), &v, NULL, &err),
                 0);
    value_print_go(&b, &v);
    cr_assert_str_eq(buf_cstr(&b), "map[a:map[c:true] b:[1 x <nil>]]");
}

static struct str nested(struct arena *a, int depth)
{
    struct buf b = { .arena = a };

    for (int i = 0; i < depth; i++)
        buf_append_char(&b, '[');
    for (int i = 0; i < depth; i++)
        buf_append_char(&b, ']');
    return buf_str(&b);
}

Test(value, bounds_depth)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct value v;
    struct err err;

    cr_assert_eq(value_parse(&a, nested(&a, VALUE_MAX_DEPTH), &v, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(value_parse(&a, nested(&a, VALUE_MAX_DEPTH + 1), &v, NULL, &err), ERR_TOO_DEEP);
    cr_assert_eq(value_parse(&a, nested(&a, 1000000), &v, NULL, &err), ERR_TOO_DEEP);
}

static struct str wide(struct arena *a, int members)
{
    struct buf b = { .arena = a };

    buf_append_char(&b, '{');
    for (int i = 0; i < members; i++)
        buf_printf(&b, "%s\"key-%06d\":%d", i ? "," : "", i % 19000, i);
    buf_append_char(&b, '}');
    return buf_str(&b);
}

Test(value, finds_duplicates_among_many_members_in_linear_time)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str duplicate = STR_NULL;
    int64_t start = clock_system.mono_ns(&clock_system);
    struct value v;
    struct err err;

    /* 190,000 members of 19,000 names: by scanning this takes a minute */
    cr_assert_eq(value_parse(&a, wide(&a, 190000), &v, &duplicate, &err), 0, "%s", err.text);
    cr_assert_eq(v.len, 19000);
    cr_assert(str_eq(duplicate, STR("key-000000")));
    cr_assert_eq(value_get(&v, STR("key-018999"))->i, 189999);
    cr_assert_lt(clock_system.mono_ns(&clock_system) - start, 5000000000);
}

Test(value, refuses_too_many_members_and_full_arenas)
{
    CLEANUP(arena_done) struct arena a = { 0 }, small = { 0 };
    struct buf b = { .arena = &a };
    struct value v;
    struct err err;

    buf_append_char(&b, '{');
    for (int i = 0; i < 20001; i++)
        buf_printf(&b, "%s\"%d\":0", i ? "," : "", i);
    buf_append_char(&b, '}');
    cr_assert_eq(value_parse(&a, buf_str(&b), &v, NULL, &err), ERR_TOO_LARGE);
    arena_init(&small, 100000);
    cr_assert_eq(value_parse(&small, wide(&a, 19000), &v, NULL, &err), ERR_TOO_LARGE);
}

Test(value, equality_ignores_the_order_of_members)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct value x, y, z;
    struct err err;

    cr_assert_eq(value_parse(&a, STR("{\"a\":1,\"b\":[1,{\"c\":2}]}"), &x, NULL, &err), 0);
    cr_assert_eq(value_parse(&a, STR("{\"b\":[1,{\"c\":2}],\"a\":1}"), &y, NULL, &err), 0);
    cr_assert_eq(value_parse(&a, STR("{\"b\":[{\"c\":2},1],\"a\":1}"), &z, NULL, &err), 0);
    cr_assert(value_equal(&x, &y));
    cr_assert_not(value_equal(&x, &z));
}

Test(value, a_copy_is_its_own)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct value x, y;
    struct err err;

    cr_assert_eq(value_parse(&a, STR("{\"a\":[1,2],\"b\":{\"c\":3}}"), &x, NULL, &err), 0);
    y = value_copy(&a, &x);
    value_remove_at(value_get(&y, STR("a")), 0);
    value_insert(&a, value_get(&y, STR("a")), 1, value_int(9));
    cr_assert(value_remove(value_get(&y, STR("b")), STR("c")));
    cr_assert_not(value_remove(value_get(&y, STR("b")), STR("c")));
    (void)value_set(&a, &y, STR("d"), value_string(STR("e")));
    cr_assert(str_eq(print(&a, &x), STR("{\"a\":[1,2],\"b\":{\"c\":3}}")));
    cr_assert(str_eq(print(&a, &y), STR("{\"a\":[2,9],\"b\":{},\"d\":\"e\"}")));
    cr_assert(str_eq(value_get_str(&y, STR("d")), STR("e")));
    cr_assert_not(value_get_str(&y, STR("a")).p);
}
