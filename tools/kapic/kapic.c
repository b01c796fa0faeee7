/* The schema compiler: kapic -o DIR FILE.kapi ... writes DIR/api/GROUP_VERSION.h, DIR/api_tables.c
 * and DIR/api_resources.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "kapi.h"

static int read_file(struct arena *a, const char *path, struct str *ret, struct err *err)
{
    struct buf b = { .arena = a };
    FILE *f = fopen(path, "re");
    size_t n;

    if (!f)
        return err_errno(err, errno, "open '%s'", path);
    while ((n = fread(buf_reserve(&b, 65536), 1, 65536, f)) > 0)
        b.len += n;
    (void)fclose(f); /* only read */
    *ret = buf_str(&b);
    return 0;
}

/* Leaves a file alone that would not change, so that nothing is compiled again for it. */
static bool is_same(struct arena *a, const char *path, struct str text)
{
    struct err err;
    struct str old;

    return read_file(a, path, &old, &err) == 0 && str_eq(old, text);
}

static int write_file(struct arena *a, const char *path, struct str text, struct err *err)
{
    FILE *f;

    if (is_same(a, path, text))
        return 0;
    f = fopen(path, "we");
    if (!f)
        return err_errno(err, errno, "create '%s'", path);
    if (fwrite(text.p, 1, text.len, f) != text.len || fclose(f) != 0)
        return err_errno(err, errno, "write '%s'", path);
    return 0;
}

static int emit(struct kapi *k, const char *dir, struct err *err)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct arena *a = k->arena;
    int r;

    (void)mkdir(arena_printf(a, "%s/api", dir).p, 0777); /* writing says when it is not there */
    VEC_FOREACH(struct kapi_group **, g, &k->groups) {
        buf_reset(&b);
        kapi_emit_header(k, *g, &b);
        r = write_file(
            a,
            arena_printf(a, "%s/api/%.*s_%.*s.h", dir, STR_ARG((*g)->label), STR_ARG((*g)->version))
                .p,
            buf_str(&b), err);
        if (r < 0)
            return r;
    }
    buf_reset(&b);
    kapi_emit_resources(k, &b);
    r = write_file(a, arena_printf(a, "%s/api_resources.c", dir).p, buf_str(&b), err);
    if (r < 0)
        return r;
    buf_reset(&b);
    kapi_emit_tables(k, &b);
    return write_file(a, arena_printf(a, "%s/api_tables.c", dir).p, buf_str(&b), err);
}

static int compile(struct kapi *k, const char *dir, char **files, int n, struct err *err)
{
    for (int i = 0; i < n; i++) {
        struct str text;
        int r = read_file(k->arena, files[i], &text, err);

        if (r >= 0)
            r = kapi_parse(k, files[i], text, err);
        if (r < 0)
            return r;
    }
    if (kapi_resolve(k, err) < 0 || kapi_describe(k, err) < 0)
        return err->code;
    return emit(k, dir, err);
}

int main(int argc, char **argv)
{
    struct arena arena = { 0 };
    struct kapi k = { .arena = &arena };
    struct err err;

    if (argc < 4 || !str_eq(str_from_cstr(argv[1]), STR("-o"))) {
        (void)fprintf(stderr, "usage: kapic -o DIR FILE.kapi ...\n");
        return 2;
    }
    if (compile(&k, argv[2], argv + 3, argc - 3, &err) < 0) {
        (void)fprintf(stderr, "kapic: %s\n", err.text);
        return 1;
    }
    return 0;
}
