/* Field selectors: what parses prints to a text that parses to the same. */
#include <stdint.h>
#include <stdlib.h>

#include "api/field_selector.h"
#include "base/arena.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str lookup(void *arg, struct str field)
{
    (void)arg;
    return str_eq(field, STR("metadata.name")) ? STR("a") : STR("");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct field_selector s, again;
    struct str text;
    struct err err = { 0 };

    if (field_selector_parse(&a, str_n((const char *)data, size), &s, &err) < 0)
        return 0;
    text = field_selector_print(&a, &s);
    if (text.len > FIELD_SELECTOR_MAX_BYTES)
        return 0;
    if (field_selector_parse(&a, text, &again, &err) < 0 || again.len != s.len ||
        field_selector_match(&s, lookup, NULL) != field_selector_match(&again, lookup, NULL))
        abort();
    return 0;
}
