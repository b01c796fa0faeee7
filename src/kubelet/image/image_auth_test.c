#include "kubelet/image/image_auth.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/macros.h"

/* "user:password user:password" of what fits the image. */
static const char *found(struct arena *a, const char *json, bool is_legacy, const char *image)
{
    struct image_auth_config c = { str_from_cstr(json), is_legacy };
    struct runtime_auth auths[4];
    size_t n = image_auth_find(a, &c, 1, str_from_cstr(image), auths, 4);
    const char *text = "";

    for (size_t i = 0; i < n; i++)
        text = arena_printf(a, "%s%s%.*s:%.*s%.*s", text, i ? " " : "", STR_ARG(auths[i].username),
                            STR_ARG(auths[i].password), STR_ARG(auths[i].identity_token))
                   .p;
    return text;
}

Test(image_auth, the_registry_decides)
{
    static const struct {
        const char *key, *image;
        bool fits;
    } cases[] = {
        { "quay.io", "quay.io/a/b:c", true },
        { "https://quay.io/v1/", "quay.io/a/b", true },
        { "quay.io", "quay.io.evil.example/a", false },
        { "quay.io/a", "quay.io/a/b", true },
        { "quay.io/a", "quay.io/ab/c", false },
        { "https://index.docker.io/v1/", "busybox", true },
        { "docker.io", "docker.io/library/busybox:1", true },
        { "*.example.com", "r.example.com/x", true },
        { "*.example.com", "a.r.example.com/x", false },
        { "*", "localhost/x", true },
        { "localhost:5000", "localhost:5000/x", true },
        { "localhost", "localhost:5000/x", false },
        { "localhost:5000", "localhost/x", false },
        { "r*y.io", "registry.io/x", true },
        { "", "quay.io/x", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        const char *json =
            arena_printf(&a, "{\"auths\":{\"%s\":{\"username\":\"u\",\"password\":\"p\"}}}",
                         cases[i].key)
                .p;

        cr_expect_str_eq(found(&a, json, false, cases[i].image), cases[i].fits ? "u:p" : "",
                         "'%s' for %s", cases[i].key, cases[i].image);
    }
}

Test(image_auth, the_most_particular_first)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    cr_expect_str_eq(found(&a,
                           "{\"quay.io\":{\"auth\":\"YTox\"},\"quay.io/team\":{\"auth\":\"Yjoy\"},"
                           "\"other.io\":{\"auth\":\"Yzoz\"}}",
                           true, "quay.io/team/x"),
                     "b:2 a:1");
}

Test(image_auth, what_cannot_be_read_has_none)
{
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{",
        "{\"auths\":[]}",
        "{\"auths\":{\"quay.io\":3}}",
        "{\"auths\":{\"quay.io\":{\"auth\":\"%%%\"}}}",
        "{\"auths\":{\"quay.io\":{}}}",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };

        cr_expect_str_empty(found(&a, texts[i], false, "quay.io/x"), "%s", texts[i]);
    }
}

Test(image_auth, tokens)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    cr_expect_str_eq(
        found(&a, "{\"auths\":{\"quay.io\":{\"identitytoken\":\"t\"}}}", false, "quay.io/x"), ":t");
}
