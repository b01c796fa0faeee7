#include "runtime/image/registry_auth.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"

static struct arena a;

static void done(void)
{
    arena_done(&a);
}

TestSuite(registry_auth, .fini = done);

static void challenge_is(const char *header, enum registry_scheme scheme, const char *realm,
                         const char *service, const char *scope)
{
    struct registry_challenge c = registry_auth_challenge(&a, str_from_cstr(header));

    cr_expect_eq(c.scheme, scheme, "%s", header);
    cr_expect(str_eq(c.realm, str_from_cstr(realm)), "%s", header);
    cr_expect(str_eq(c.service, str_from_cstr(service)), "%s", header);
    cr_expect(str_eq(c.scope, str_from_cstr(scope)), "%s", header);
}

Test(registry_auth, challenges)
{
    challenge_is("Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a/b:pull,push\"",
                 REGISTRY_AUTH_BEARER, "https://a/t", "s", "repository:a/b:pull,push");
    challenge_is("bearer  realm = \"a\\\"b\" , service=s", REGISTRY_AUTH_BEARER, "a\"b", "s", NULL);
    challenge_is("Basic realm=\"x\"", REGISTRY_AUTH_BASIC, "x", NULL, NULL);
    challenge_is("Basic", REGISTRY_AUTH_BASIC, NULL, NULL, NULL);
    challenge_is("Negotiate, Basic realm=x", REGISTRY_AUTH_BASIC, "x", NULL, NULL);
    challenge_is("Digest realm=\"d\", nonce=\"n\", Bearer realm=\"b\"", REGISTRY_AUTH_BEARER, "b",
                 NULL, NULL);
    challenge_is("Bearer service=\"no realm\"", REGISTRY_AUTH_NONE, NULL, NULL, NULL);
    challenge_is("", REGISTRY_AUTH_NONE, NULL, NULL, NULL);
    challenge_is("\"", REGISTRY_AUTH_NONE, NULL, NULL, NULL);
    challenge_is("Bearer realm=\"unended", REGISTRY_AUTH_BEARER, "unended", NULL, NULL);
}

Test(registry_auth, tokens)
{
    cr_expect(str_eq(registry_auth_token(&a, STR("{\"token\":\"a.b\"}")), STR("a.b")));
    cr_expect(str_eq(registry_auth_token(&a, STR("{\"access_token\":\"c\"}")), STR("c")));
    cr_expect_eq(registry_auth_token(&a, STR("{\"token\":\"a\\r\\nHost: b\"}")).len, 0);
    cr_expect_eq(registry_auth_token(&a, STR("{}")).len, 0);
    cr_expect_eq(registry_auth_token(&a, STR("<html>")).len, 0);
}

Test(registry_auth, errors)
{
    cr_expect(str_eq(registry_auth_error(&a, STR("{\"errors\":[{\"code\":\"X\",\"message\":"
                                                 "\"a\\nb\"}]}")),
                     STR("X: a?b")));
    cr_expect(str_eq(registry_auth_error(&a, STR("{\"details\":\"no\"}")), STR("no")));
    cr_expect_eq(registry_auth_error(&a, STR("[]")).len, 0);
}

Test(registry_auth, escape)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    registry_auth_escape(&b, STR("a b:c/d&e=~"));
    cr_expect(str_eq(buf_str(&b), STR("a%20b%3Ac%2Fd%26e%3D~")));
}
