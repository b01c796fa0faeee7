/* The short ways of the reader against the long ones, at the very ends of their texts. */
#include "codec/json_reader.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"

/* A copy that ends where its memory ends, so that a sanitizer sees a byte too many. */
struct tight {
    char *memory;
    struct str text;
};

static struct tight tight(const char *p, size_t len, size_t shift)
{
    struct tight t = { .memory = malloc(shift + len + !(shift + len)) };

    memcpy(t.memory + shift, p, len);
    t.text = str_n(t.memory + shift, len);
    return t;
}

struct outcome {
    int x;
    struct str got;
    ptrdiff_t eaten;
    struct err err;
};

enum entry { STRING, KEY, FIRST_KEY, ELEMENT, FIRST_ELEMENT, ENTRIES };

static struct outcome read_one(struct arena *a, struct str text, enum entry entry, bool slow)
{
    struct outcome o = { 0 };
    struct json_reader r;
    bool first = entry == FIRST_KEY || entry == FIRST_ELEMENT;

    json_reader_init(&r, a, text, &o.err);
    if (entry == STRING)
        o.x = slow ? json_string_slow_(&r, &o.got) : json_string(&r, &o.got);
    else if (entry == KEY || entry == FIRST_KEY)
        o.x =
            slow ? json_object_next_slow_(&r, first, &o.got) : json_object_next(&r, first, &o.got);
    else
        o.x = slow ? json_array_next_slow_(&r, first) : json_array_next(&r, first);
    o.eaten = r.p - r.begin;
    return o;
}

static void expect_same(struct str text)
{
    for (int entry = 0; entry < ENTRIES; entry++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct outcome fast = read_one(&a, text, entry, false);
        struct outcome slow = read_one(&a, text, entry, true);

        cr_expect_eq(fast.x, slow.x, "%.*s (%d)", STR_ARG(text), entry);
        cr_expect(str_eq(fast.got, slow.got), "%.*s (%d)", STR_ARG(text), entry);
        cr_expect_eq(fast.eaten, slow.eaten, "%.*s (%d)", STR_ARG(text), entry);
        cr_expect_str_eq(fast.err.text, slow.err.text);
    }
}

/* All beginnings of the text, at odd addresses, too. */
static void expect_same_cut_anywhere(const char *p, size_t len)
{
    for (size_t cut = 0; cut <= len; cut++) {
        struct tight t = tight(p, cut, cut % 5);

        expect_same(t.text);
        free(t.memory);
    }
}

Test(json_reader, strings_of_all_lengths_up_to_the_end_of_the_text)
{
    char text[64];

    for (size_t n = 0; n < 40; n++) {
        memset(text, 'x', sizeof(text));
        text[0] = '"';
        text[n + 1] = '"';
        text[n + 2] = ':';
        expect_same_cut_anywhere(text, n + 5);
    }
}

Test(json_reader, anything_in_the_middle_of_a_string)
{
    static const char *const middles[] = {
        "\\\"", "\\u0041", "\\ud83d\\ude00", "\\x",          "\\",
        "\"",   "\x1f",    "\x01",           "\x7f",         "\xc3\xa9",
        "\xc3", "\x80",    "\xff",           "\xe2\x82\xac", "\xed\xa0\x80",
    };
    char text[64];

    for (size_t i = 0; i < sizeof(middles) / sizeof(*middles); i++)
        for (size_t at = 1; at < 20; at++) {
            size_t n = strlen(middles[i]);

            memset(text, 'y', sizeof(text));
            text[0] = '"';
            memcpy(text + at, middles[i], n);
            text[24 + n] = '"';
            text[25 + n] = ':';
            expect_same_cut_anywhere(text, 28 + n);
        }
}

Test(json_reader, every_byte_at_every_place_of_a_member)
{
    static const char model[] = ", \"name\": \"value\", [1]";

    for (size_t at = 0; at < sizeof(model) - 1; at++)
        for (int c = 0; c < 256; c++) {
            char text[sizeof(model)];
            struct tight t;

            memcpy(text, model, sizeof(text));
            text[at] = (char)c;
            for (size_t from = 0; from < 3; from++) {
                t = tight(text + from, sizeof(model) - 1 - from, from);
                expect_same(t.text);
                free(t.memory);
            }
        }
}

Test(json_reader, elements)
{
    static const char *const texts[] = { "]",   " ]", "1]", " 1]", ",1]", ", 1]", ",]",
                                         ", ]", ",",  "",   " ",   "}",   "x" };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        expect_same_cut_anywhere(texts[i], strlen(texts[i]));
}
