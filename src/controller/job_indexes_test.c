#include "controller/job_indexes.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/macros.h"

static struct arena arena;

static struct job_indexes parse(const char *text)
{
    return job_indexes_parse(&arena, str_from_cstr(text), 100);
}

static void expect(const struct job_indexes *s, const char *want)
{
    struct str got = job_indexes_print(&arena, s);

    cr_expect(str_eq(got, str_from_cstr(want)), "'%.*s', not '%s'", STR_ARG(got), want);
}

Test(job_indexes, text_and_back)
{
    static const struct {
        const char *text;
        int32_t completions;
        const char *want;
        int32_t count;
    } rows[] = {
        { "", 100, "", 0 },
        { "0", 100, "0", 1 },
        { "0,1", 100, "0,1", 2 },
        { "0-1", 100, "0,1", 2 },
        { "0,1,2", 100, "0-2", 3 },
        { "1,3-5,7,9-10", 100, "1,3-5,7,9,10", 7 },
        { "1-3,4-6", 100, "1-6", 6 }, /* they touch */
        { "1-3,6-9", 8, "1-3,6,7", 5 },
        { "1-3,6-9", 6, "1-3", 3 },
        { "0-2", 0, "", 0 }, /* none is wanted any more */
        { "x,2,3-y,5-4,-1,7", 100, "2,7", 2 },
        { "0-2147483647", INT32_MAX, "0-2147483646", INT32_MAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct job_indexes s =
            job_indexes_parse(&arena, str_from_cstr(rows[i].text), rows[i].completions);

        expect(&s, rows[i].want);
        cr_expect_eq(job_indexes_count(&s), rows[i].count, "%s", rows[i].text);
    }
    arena_done(&arena);
}

Test(job_indexes, sets)
{
    static const int32_t values[] = { 5, 3, 4, 9, 3 };
    struct job_indexes x = parse("1-3,7"), y = parse("2-5,8,20"), none = { 0 }, s;

    s = job_indexes_union(&arena, &x, &y);
    expect(&s, "1-5,7,8,20");
    s = job_indexes_union(&arena, &none, &y);
    expect(&s, "2-5,8,20");
    s = job_indexes_of(&arena, values, ARRAY_LEN(values));
    expect(&s, "3-5,9");
    cr_expect_eq(job_indexes_shared(&x, &y), 2);
    cr_expect_eq(job_indexes_shared(&x, &x), 4);
    cr_expect_eq(job_indexes_shared(&x, &none), 0);
    for (int32_t i = 0; i < 10; i++)
        cr_expect_eq(job_indexes_has(&x, i), (i >= 1 && i <= 3) || i == 7, "%d", i);
    cr_expect_not(job_indexes_has(&none, 0));
    arena_done(&arena);
}

Test(job_indexes, what_is_missing)
{
    static const struct {
        const char *have;
        int32_t completions;
        size_t n;
        const char *want;
    } rows[] = {
        { "", 3, 10, "0-2" },     { "", 10, 2, "0,1" },     { "0-2", 5, 10, "3,4" },
        { "1,3", 5, 2, "0,2" },   { "1,3", 5, 9, "0,2,4" }, { "0-9", 10, 5, "" },
        { "20-30", 4, 9, "0-3" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct job_indexes have = parse(rows[i].have), s;
        int32_t got[10];
        size_t n = job_indexes_missing(&have, rows[i].completions, got, rows[i].n);

        s = job_indexes_of(&arena, got, n);
        expect(&s, rows[i].want);
    }
    arena_done(&arena);
}
