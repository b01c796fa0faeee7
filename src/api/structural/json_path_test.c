#include "api/structural/json_path.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

static void add(const struct value *v, void *arg)
{
    struct buf *b = arg;

    if (b->len)
        buf_append_char(b, ' ');
    value_print(b, v);
}

static const char *found(struct arena *a, const char *path, const char *json)
{
    const struct json_path *p = NULL;
    struct buf b = { .arena = a };
    struct err err = { 0 };
    struct value v;

    cr_assert_eq(json_path_parse(a, str_from_cstr(path), &p, &err), 0, "%s: %s", path, err.text);
    cr_assert_eq(value_parse(a, str_from_cstr(json), &v, NULL, &err), 0);
    json_path_find(p, &v, add, &b);
    return buf_cstr(&b);
}

#define LIST "{\"l\":[{\"t\":\"a\",\"n\":1},{\"t\":\"b\",\"n\":2},{\"t\":\"c\",\"n\":3}]}"

Test(json_path, finds)
{
    static const struct {
        const char *path, *json, *want;
    } cases[] = {
        { ".a.b", "{\"a\":{\"b\":1}}", "1" },
        { ".a.c", "{\"a\":{\"b\":1}}", "" },
        { ".a.b.c", "{\"a\":{\"b\":1}}", "" },
        { ".", "{\"a\":1}", "{\"a\":1}" },
        { ".a\\.b", "{\"a.b\":1}", "1" },
        { ".m['a.b']", "{\"m\":{\"a.b\":1}}", "1" },
        { ".l[0].n", LIST, "1" },
        { ".l[-1].n", LIST, "3" },
        { ".l[-5].n", LIST, "" },
        { ".l[7].n", LIST, "" },
        { ".l[*].n", LIST, "1 2 3" },
        { ".l[1:].n", LIST, "2 3" },
        { ".l[0:3:2].n", LIST, "1 3" },
        { ".l[:-1].n", LIST, "1 2" },
        { ".l[?(@.t==\"b\")].n", LIST, "2" },
        { ".l[?(@.t=='b')].n", LIST, "2" },
        { ".l[?(@.n>=2)].t", LIST, "\"b\" \"c\"" },
        { ".l[?(@.n != 2)].t", LIST, "\"a\" \"c\"" },
        { ".l[?(@.n)].t", LIST, "\"a\" \"b\" \"c\"" },
        { ".l[?(@.x)].t", LIST, "" },
        { ".m['a','b']", "{\"m\":{\"a\":1,\"b\":2,\"c\":3}}", "1 2" },
        { "..n", LIST, "1 2 3" },
        { ".m.*", "{\"m\":{\"a\":1,\"b\":2}}", "1 2" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };

        cr_expect_str_eq(found(&a, cases[i].path, cases[i].json), cases[i].want, "%s",
                         cases[i].path);
    }
}

Test(json_path, refuses)
{
    static const char *const bad[] = { "a",      ".l[",       ".l[x]", ".l[?(@.a]",
                                       ".l['a]", ".l[0:1:0]", ".a\\",  ".l[?(@.a==)]" };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        const struct json_path *p;
        struct err err;

        cr_expect_eq(json_path_parse(&a, str_from_cstr(bad[i]), &p, &err), ERR_INVALID, "%s",
                     bad[i]);
    }
}

Test(json_path, is_simple)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct json_path *p = NULL;
    struct err err;

    cr_assert_eq(json_path_parse(&a, STR(".spec.replicas"), &p, &err), 0);
    cr_expect(json_path_is_simple(p));
    cr_assert_eq(json_path_parse(&a, STR(".spec[0]"), &p, &err), 0);
    cr_expect_not(json_path_is_simple(p));
}
