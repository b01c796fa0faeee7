#include "api/text_map.h"

#include <criterion/criterion.h>

#include "base/arena.h"

struct texts {
    struct schema_str_entry *items;
    uint32_t len;
};

Test(text_map, keeps_keys_sorted_and_unique)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    static const char *const keys[] = { "m", "a", "z", "m", "b" };
    static const char *const sorted[] = { "a", "b", "m", "z" };
    struct texts m = { 0 };

    for (size_t i = 0; i < 5; i++)
        text_map_put(&a, &m, str_from_cstr(keys[i]), str_from_cstr(keys[i]));
    cr_assert_eq(m.len, 4);
    for (size_t i = 0; i < 4; i++)
        cr_expect(str_eq(text_map_items(&m)[i].key, str_from_cstr(sorted[i])));
    cr_expect(text_map_find(&m, STR("b")));
    cr_expect_not(text_map_find(&m, STR("c")));
}

Test(text_map, a_copy_is_apart)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct texts m = { 0 }, copy = { 0 }, empty = { 0 };

    text_map_put(&a, &m, STR("a"), STR("1"));
    text_map_copy(&a, &copy, &m);
    text_map_put(&a, &m, STR("a"), STR("2"));
    cr_expect(str_eq(text_map_find(&copy, STR("a"))->value, STR("1")));
    text_map_copy(&a, &copy, &empty);
    cr_expect_eq(text_map_len(&copy), 0);
    cr_expect(text_map_items(&copy));
}
