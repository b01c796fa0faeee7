#include <criterion/criterion.h>

#include <stdlib.h>

#include "base/str.h"

Test(str, next_walks_all_parts)
{
    struct str rest = STR("a,,b,"), part;
    const char *want[] = { "a", "", "b", "" };
    size_t n = 0;

    while (str_next(&rest, ',', &part)) {
        cr_assert_lt(n, 4);
        cr_assert(str_eq(part, str_from_cstr(want[n])));
        n++;
    }
    cr_assert_eq(n, 4);
    rest = STR_NULL;
    cr_assert_not(str_next(&rest, ',', &part));
    rest = STR("");
    cr_assert(str_next(&rest, ',', &part));
    cr_assert_not(str_next(&rest, ',', &part));
}

Test(str, numbers_refuse_what_does_not_fit)
{
    uint64_t u;
    int64_t i;

    cr_assert(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    cr_assert_not(str_to_u64(STR("18446744073709551616"), &u));
    cr_assert_not(str_to_u64(STR("-1"), &u));
    cr_assert_not(str_to_u64(STR(""), &u));
    cr_assert(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    cr_assert_not(str_to_i64(STR("9223372036854775808"), &i));
    cr_assert_not(str_to_i64(STR("-"), &i));
}

Test(str, same_bytes_sees_every_byte_and_none_beyond)
{
    for (size_t n = 0; n < 40; n++) {
        char *a = malloc(n + 1), *b = malloc(n + 1); /* the ends of both are their memory's */

        memset(a, 'x', n + 1);
        memset(b, 'x', n + 1);
        cr_expect(str_same_bytes(a + 1, b + 1, n), "%zu", n);
        for (size_t i = 0; i < n; i++) {
            b[i + 1] = 'y';
            cr_expect_not(str_same_bytes(a + 1, b + 1, n), "%zu of %zu", i, n);
            b[i + 1] = 'x';
        }
        free(a);
        free(b);
    }
}

Test(str, is_listed_as_next_has_the_parts)
{
    static const char *const lists[] = { "",   "a",  "a|b",  "ab|a",     "|",
                                         "a|", "|a", "a||b", "ba|ab|abc" };
    static const char *const words[] = {
        "", "a", "b", "ab", "abc", "a|b", "|", "a|", "ba|ab", "c"
    };

    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++) {
            struct str rest = str_from_cstr(lists[i]), part;
            struct str word = str_from_cstr(words[k]);
            bool want = false;

            while (str_next(&rest, '|', &part))
                want |= str_eq(part, word);
            cr_expect_eq(str_is_listed(str_from_cstr(lists[i]), '|', word), want, "'%s' in '%s'",
                         words[k], lists[i]);
        }
    cr_expect_not(str_is_listed(STR_NULL, '|', STR("")), "the unset string has no part");
}
