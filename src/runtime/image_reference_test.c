#include "runtime/image_reference.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(image_reference, names_are_completed)
{
    static const struct {
        const char *text, *tagged, *digest; /* tagged NULL: refused */
    } cases[] = {
        { "busybox", "docker.io/library/busybox:latest", "" },
        { "busybox:1.36", "docker.io/library/busybox:1.36", "" },
        { "a/b", "docker.io/a/b:latest", "" },
        { "index.docker.io/a/b:c", "docker.io/a/b:c", "" },
        { "localhost:5000/hello:v1", "localhost:5000/hello:v1", "" },
        { "localhost/hello", "localhost/hello:latest", "" },
        { "registry.k8s.io/pause:3.9@" DIGEST, "registry.k8s.io/pause:3.9", DIGEST },
        { "busybox@" DIGEST, "docker.io/library/busybox:", DIGEST },
        { "", NULL, "" },
        { "Busybox", NULL, "" },
        { "busybox:", NULL, "" },
        { "busybox@sha256:12", NULL, "" },
        { "busybox@", NULL, "" },
        { "../etc/passwd", NULL, "" },
        { "a//b", NULL, "" },
        { "a/../b", NULL, "" },
        { "-x", NULL, "" },
        { "a b", NULL, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct image_reference r;
        struct err err;
        int code = image_reference_parse(&a, str_from_cstr(cases[i].text), &r, &err);

        cr_expect_eq(code, cases[i].tagged ? 0 : ERR_INVALID, "%s", cases[i].text);
        if (code < 0 || !cases[i].tagged)
            continue;
        cr_expect(str_eq(image_reference_tagged(&a, &r), str_from_cstr(cases[i].tagged)), "%s",
                  cases[i].text);
        cr_expect(str_eq(r.digest, str_from_cstr(cases[i].digest)), "%s", cases[i].text);
    }
}
