#include "cmd/flags.h"

#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

static const struct flag *find(const struct flag *flags, struct str name)
{
    for (; flags->name; flags++) {
        if (str_eq(str_from_cstr(flags->name), name))
            return flags;
    }
    return NULL;
}

static int set_bool(const struct flag *f, const char *text, struct err *err)
{
    struct str s = str_from_cstr(text ? text : "true");

    if (!str_eq(s, STR("true")) && !str_eq(s, STR("false")))
        return err_set(err, ERR_INVALID, "--%s takes true or false", f->name);
    *(bool *)f->value = str_eq(s, STR("true"));
    return 0;
}

static int set_number(const struct flag *f, const char *text, struct err *err)
{
    uint64_t v, max = f->type == FLAG_PORT ? UINT16_MAX : UINT32_MAX;

    if (!str_to_u64(str_from_cstr(text), &v) || v > max)
        return err_set(err, ERR_INVALID, "--%s takes a number up to %llu, not '%s'", f->name,
                       (unsigned long long)max, text);
    if (f->type == FLAG_PORT)
        *(uint16_t *)f->value = (uint16_t)v;
    else
        *(uint32_t *)f->value = (uint32_t)v;
    return 0;
}

static int set(const struct flag *f, const char *text, struct err *err)
{
    switch (f->type) {
    case FLAG_STRING:
        *(const char **)f->value = text;
        return 0;
    case FLAG_BOOL:
        return set_bool(f, text, err);
    case FLAG_UINT:
    case FLAG_PORT:
        return set_number(f, text, err);
    }
    return 0;
}

static void print_default(const struct flag *f)
{
    switch (f->type) {
    case FLAG_STRING:
        if (*(const char **)f->value)
            printf(" (default %s)", *(const char **)f->value);
        break;
    case FLAG_BOOL:
        break;
    case FLAG_UINT:
        if (*(uint32_t *)f->value)
            printf(" (default %u)", *(uint32_t *)f->value);
        break;
    case FLAG_PORT:
        if (*(uint16_t *)f->value)
            printf(" (default %u)", *(uint16_t *)f->value);
        break;
    }
}

static void print_help(const struct flag *flags, const char *usage)
{
    printf("usage: %s\n\n", usage);
    for (; flags->name; flags++) {
        printf("  --%-28s %s", flags->name, flags->help);
        print_default(flags);
        printf("\n");
    }
}

/* One flag at argv[i]; returns how many words were eaten. */
static int parse_one(const struct flag *flags, int left, char **argv, struct err *err)
{
    struct str word = str_from_cstr(argv[0] + 2), name, value;
    bool has_value = str_cut(word, '=', &name, &value);
    const struct flag *f = find(flags, name);
    int r;

    if (!f)
        return err_set(err, ERR_INVALID, "unknown flag '--%.*s'", STR_ARG(name));
    if (has_value || f->type == FLAG_BOOL) {
        r = set(f, has_value ? value.p : NULL, err);
        return r < 0 ? r : 1;
    }
    if (left < 2)
        return err_set(err, ERR_INVALID, "--%s needs a value", f->name);
    r = set(f, argv[1], err);
    return r < 0 ? r : 2;
}

int flags_parse(const struct flag *flags, int argc, char **argv, const char **rest,
                size_t *ret_rest, const char *usage, struct err *err)
{
    size_t n = 0;
    bool only_words = false;

    for (int i = 1; i < argc;) {
        struct str word = str_from_cstr(argv[i]);
        int r = 1;

        if (only_words || !str_has_prefix(word, STR("-"))) {
            rest[n++] = argv[i];
        } else if (str_eq(word, STR("--"))) {
            only_words = true;
        } else if (str_eq(word, STR("--help")) || str_eq(word, STR("-h"))) {
            print_help(flags, usage);
            return 1;
        } else if (!str_has_prefix(word, STR("--"))) {
            return err_set(err, ERR_INVALID, "unknown flag '%s'", argv[i]);
        } else {
            r = parse_one(flags, argc - i, argv + i, err);
        }
        if (r < 0)
            return r;
        i += r;
    }
    *ret_rest = n;
    return 0;
}

int flags_parse_only(const struct flag *flags, int argc, char **argv, const char *usage,
                     struct err *err)
{
    CLEANUP(mem_free) void *words = mem_alloc((size_t)argc * sizeof(const char *));
    size_t n;
    int r = flags_parse(flags, argc, argv, words, &n, usage, err);

    return r == 0 && n ? err_set(err, ERR_INVALID, "takes no words, only flags") : r;
}
