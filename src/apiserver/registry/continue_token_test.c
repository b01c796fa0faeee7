#include "apiserver/registry/continue_token.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/base64.h"

Test(continue_token, reads_what_it_prints)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct continue_token in = { .revision = 42, .after = STR("ns/na\"me") }, out;
    struct err err;

    cr_assert_eq(continue_token_parse(&a, continue_token_print(&a, &in), &out, &err), 0);
    cr_assert_eq(out.revision, 42);
    cr_assert(str_eq(out.after, in.after));
}

Test(continue_token, has_upstreams_form)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct continue_token in = { .revision = -1, .after = STR("x") };
    struct str json;

    cr_assert(base64_decode_url(&a, continue_token_print(&a, &in), &json));
    cr_assert(str_eq(json, STR("{\"v\":\"meta.k8s.io/v1\",\"rv\":-1,\"start\":\"x\\u0000\"}")),
              "%.*s", STR_ARG(json));
}

Test(continue_token, forged_ones_are_refused)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{\"v\":\"v2\",\"rv\":1,\"start\":\"a\"}",
        "{\"v\":\"meta.k8s.io/v1\",\"rv\":0,\"start\":\"a\"}",
        "{\"v\":\"meta.k8s.io/v1\",\"rv\":-2,\"start\":\"a\"}",
        "{\"v\":\"meta.k8s.io/v1\",\"rv\":\"1\",\"start\":\"a\"}",
        "{\"v\":\"meta.k8s.io/v1\",\"rv\":1,\"start\":\"\"}",
        "{\"v\":\"meta.k8s.io/v1\",\"rv\":1}",
        "{\"v\":\"meta.k8s.io/v1\",\"rv\":1,\"start\":\"a\\u0000b\"}",
    };
    CLEANUP(arena_done) struct arena a = { 0 };
    struct continue_token out;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf b = { .arena = &a };

        base64_encode_url(&b, str_from_cstr(bad[i]));
        cr_assert_eq(continue_token_parse(&a, buf_str(&b), &out, &err), ERR_INVALID, "%s", bad[i]);
    }
    cr_assert_eq(continue_token_parse(&a, STR("!!"), &out, &err), ERR_INVALID);
}
