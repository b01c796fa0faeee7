#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/yaml.h"

Test(yaml, to_json)
{
    static const struct {
        const char *yaml;
        const char *json; /* NULL: refused */
    } cases[] = {
        { "", "null" },
        { "a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"]}" },
        { "a: yes\nb: off\nc: 'yes'\nd: ~\ne:\n",
          "{\"a\":true,\"b\":false,\"c\":\"yes\",\"d\":null,\"e\":null}" },
        { "mode: 0644\nhex: 0x1f\nbin: 0b11\nbig: 18446744073709551615\nneg: -5\nplus: +7\n",
          "{\"mode\":420,\"hex\":31,\"bin\":3,\"big\":18446744073709551615,\"neg\":-5,\"plus\":7}" },
        { "f: 1.50\ng: 1e3\nh: .5\nv: 1.2.3\ni: 1_000\n",
          "{\"f\":1.5,\"g\":1000,\"h\":0.5,\"v\":\"1.2.3\",\"i\":1000}" },
        { "t: 2001-01-01T00:00:00Z\n", "{\"t\":\"2001-01-01T00:00:00Z\"}" },
        { "1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}" },
        { "text: |\n  a\n  b\n", "{\"text\":\"a\\nb\\n\"}" },
        { "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n",
          "{\"base\":{\"x\":1,\"true\":2},\"use\":{\"true\":3,\"x\":1}}" },
        { "a: 1\na: 2\n", "{\"a\":2}" },
        { "{\"a\": [1, {\"b\": null}]}", "{\"a\":[1,{\"b\":null}]}" },
        { "a: .inf\n", NULL },
        { "a: [1, 2\n", NULL },
        { "a: b: c\n", NULL },
        { "? [x]\n: y\n", NULL },
        { "\ta: 1\n", NULL },
        { "a: *nowhere\n", NULL },
        { "a: \"\xff\"\n", NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct err err = { 0 };
        struct str json = STR("");
        int r = yaml_to_json(&a, str_from_cstr(cases[i].yaml), false, 1 << 20, &json, &err);

        cr_expect_eq(r == 0, cases[i].json != NULL, "%s: %d %s", cases[i].yaml, r, err.text);
        if (r == 0 && cases[i].json)
            cr_expect(str_eq(json, str_from_cstr(cases[i].json)), "%s: %.*s", cases[i].yaml,
                      STR_ARG(json));
    }
}

Test(yaml, strict_names_the_line)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct err err;
    struct str json;

    cr_assert_eq(yaml_to_json(&a, STR("x: 1\ny1:\n  k: 1\n  k: 2\n"), true, 1 << 20, &json, &err),
                 ERR_INVALID);
    cr_expect_str_eq(err.text, "yaml: unmarshal errors:\n  line 4: key \"k\" already set in map");
    cr_assert_eq(yaml_to_json(&a, STR("a: 1\nb: [\n"), true, 1 << 20, &json, &err), ERR_SYNTAX);
    cr_expect(str_has_prefix(str_from_cstr(err.text), STR("yaml: line 3: ")), "%s", err.text);
}

Test(yaml, alias_bombs_and_depth_are_bounded)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct buf b = { 0 };
    struct err err;
    struct str json;

    arena_init(&a, 16 << 20);
    buf_append_lit(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 10; i++) {
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            buf_printf(&b, "%s*a%d", k ? ", " : "", i - 1);
        buf_append_lit(&b, "]\n");
    }
    cr_assert_eq(yaml_to_json(&a, buf_str(&b), false, 3 << 20, &json, &err), ERR_TOO_LARGE);
    buf_reset(&b);
    for (int i = 0; i < 900; i++)
        buf_append_char(&b, '[');
    cr_assert_lt(yaml_to_json(&a, buf_str(&b), false, 3 << 20, &json, &err), 0);
    buf_reset(&b);
    buf_append_lit(&b, "a: &a {<<: *a}\n");
    cr_assert_lt(yaml_to_json(&a, buf_str(&b), false, 3 << 20, &json, &err), 0);
    buf_done(&b);
}

Test(yaml, from_json)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct err err = { 0 };
    struct str yaml;

    cr_assert_eq(
        yaml_from_json(
            &a,
            STR("{\"kind\":\"X\",\"b\":[1,\"2\",\"true\",null],\"a\":{},\"t\":\"l1\\nl2\\n\","
                "\"d\":\"2001-01-01T00:00:00Z\",\"e\":[]}"),
            &yaml, &err),
        0);
    cr_expect(str_eq(yaml, STR("a: {}\nb:\n- 1\n- \"2\"\n- \"true\"\n- null\n"
                               "d: \"2001-01-01T00:00:00Z\"\ne: []\nkind: X\nt: |\n  l1\n  l2\n")),
              "%.*s", STR_ARG(yaml));
}

Test(yaml, a_quoted_merge_key_is_a_key_both_ways)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str json, yaml;
    struct err err;

    cr_assert_eq(yaml_to_json(&a, STR("\"<<\": [x]\nee: 1\n"), false, 1 << 20, &json, &err), 0);
    cr_assert_eq(yaml_from_json(&a, json, &yaml, &err), 0);
    cr_assert_eq(yaml_to_json(&a, yaml, false, 1 << 20, &json, &err), 0);
    cr_expect(str_eq(json, STR("{\"\\u003c\\u003c\":[\"x\"],\"ee\":1}")), "%.*s from %.*s",
              STR_ARG(json), STR_ARG(yaml));
}
