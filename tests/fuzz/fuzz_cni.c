/* Configurations of networks from a directory, and what plugins print. What we print of a result
 * is read again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "cni/cni_conflist.h"
#include "cni/cni_result.h"
#include "codec/json_reader.h"
#include "codec/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_result(struct arena *a, struct str text)
{
    struct buf b = { .arena = a }, again = { .arena = a };
    struct cni_result r;
    struct value v;
    struct err err = { 0 };

    if (value_parse(a, text, &v, NULL, &err) < 0 || cni_result_read(&v, &r, &err) < 0)
        return;
    cni_result_print(&b, &r, STR("1.0.0"));
    if (value_parse(a, buf_str(&b), &v, NULL, &err) < 0 || cni_result_read(&v, &r, &err) < 0)
        abort();
    cni_result_print(&again, &r, STR("1.0.0"));
    if (!str_eq(buf_str(&b), buf_str(&again)))
        abort();
}

static void read_list(struct arena *a, struct str text)
{
    struct cni_conflist list;
    struct err err = { 0 };

    if (cni_conflist_parse(a, text, &list, &err) < 0)
        return;
    for (size_t i = 0; i < list.n_plugins; i++) {
        struct buf b = { .arena = a };
        struct value v;

        cni_conflist_print(a, &list, i, STR("{}"), STR("[]"), &b);
        if (value_parse(a, buf_str(&b), &v, NULL, &err) < 0 ||
            memchr(list.plugins[i].type.p, '/', list.plugins[i].type.len))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str text = str_n((const char *)data, size);

    read_result(&a, text);
    read_list(&a, text);
    return 0;
}
