/* A path and a document: "path NUL document". What parses finds the same twice, and the first of
 * what it finds when it is asked for one. */
#include <stdint.h>
#include <stdlib.h>

#include "api/structural/json_path.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct found {
    const struct value *first;
    size_t n;
};

static void count(const struct value *v, void *arg)
{
    struct found *f = arg;

    f->first = f->n++ ? f->first : v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct json_path *p = NULL;
    struct found one = { 0 }, two = { 0 };
    struct str path, document;
    struct value v;
    struct err err;

    arena_init(&a, (size_t)16 << 20);
    if (!str_cut(str_n((const char *)data, size), 0, &path, &document) ||
        json_path_parse(&a, path, &p, &err) < 0 || value_parse(&a, document, &v, NULL, &err) < 0)
        return 0;
    if (json_path_find(p, &v, count, &one) != one.n ||
        json_path_find(p, &v, count, &two) != one.n || one.first != two.first ||
        json_path_first(p, &v) != one.first)
        abort();
    return 0;
}
