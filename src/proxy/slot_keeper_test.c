#include "proxy/slot_keeper.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Slots of a place from `base` on, each to the endpoint that its letter names. */
static void add(struct proxy_elements *list, uint16_t port, unsigned base, const char *letters)
{
    for (unsigned i = 0; letters[i]; i++) {
        struct proxy_element e = {
            .set = PROXY_EPS, .family = AF_INET, .protocol = IPPROTO_TCP, .port = port
        };

        e.slot = base + i;
        e.to = (struct ip){ AF_INET, { 10, 0, 0, (uint8_t)letters[i] } };
        VEC_PUSH(list, e);
    }
}

static const char *print(const struct proxy_elements *list, char *ret)
{
    for (size_t i = 0; i < list->len; i++)
        ret[i] = (char)list->items[i].to.bytes[3];
    ret[list->len] = '\0';
    return ret;
}

Test(slot_keeper, as_few_as_can_be_move)
{
    static const struct {
        const char *was, *is, *settled;
    } cases[] = {
        { "abc", "abc", "abc" },
        { "abcd", "acd", "adc" },
        { "abc", "abcd", "abcd" },
        { "abc", "dabc", "abcd" },
        { "abc", "xyz", "xyz" },
        { "", "ab", "ab" },
        { "ab", "", "" },
        { "abcabcab", "acacacac", "aacaccac" },
        { "abcabc", "bcabca", "abcabc" },
        { "aabb", "aaab", "aaba" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proxy_elements was = { 0 }, is = { 0 };
        char text[32];

        add(&was, 80, 0, cases[i].was);
        add(&is, 80, 0, cases[i].is);
        slot_keeper_settle(&was, &is);
        cr_expect_str_eq(print(&is, text), cases[i].settled, "%s to %s: %s", cases[i].was,
                         cases[i].is, text);
        for (size_t k = 0; k < is.len; k++)
            cr_expect_eq(is.items[k].slot, k);
        VEC_DONE(&was);
        VEC_DONE(&is);
    }
}

Test(slot_keeper, places_are_told_apart)
{
    struct proxy_elements was = { 0 }, is = { 0 };
    char text[32];

    add(&was, 80, 0, "ab");
    add(&was, 80, PROXY_NEAR_SLOTS, "abc");
    add(&was, 81, 0, "xy");
    add(&is, 81, 0, "yz");
    add(&is, 80, 0, "ba");
    add(&is, 80, PROXY_NEAR_SLOTS, "bc");
    slot_keeper_settle(&was, &is);
    cr_expect_str_eq(print(&is, text), "zyabcb");
    VEC_DONE(&was);
    VEC_DONE(&is);
}
