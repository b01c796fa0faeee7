/* Label selectors: what parses prints to a text that parses to the same. */
#include <stdint.h>
#include <stdlib.h>

#include "api/label_selector.h"
#include "base/arena.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lookup(void *arg, struct str key, struct str *ret_value)
{
    (void)arg;
    if (!str_eq(key, STR("a")))
        return false;
    *ret_value = STR("5");
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct label_selector s, again;
    struct str text;
    struct err err = { 0 };

    if (label_selector_parse(&a, str_n((const char *)data, size), &s, &err) < 0)
        return 0;
    text = label_selector_print(&a, &s);
    if (text.len > LABEL_SELECTOR_MAX_BYTES)
        return 0;
    if (label_selector_parse(&a, text, &again, &err) < 0 ||
        !str_eq(text, label_selector_print(&a, &again)) ||
        label_selector_match(&s, lookup, NULL) != label_selector_match(&again, lookup, NULL))
        abort();
    return 0;
}
