/* The small readers of texts from outside; the first byte chooses. What has a canonical form keeps
 * it. */
#include <stdint.h>
#include <stdlib.h>

#include "api/name_rules.h"
#include "api/quantity.h"
#include "apiserver/negotiation.h"
#include "apiserver/registry/continue_token.h"
#include "apiserver/request_info.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/base64.h"
#include "codec/time_text.h"
#include "codec/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_quantity(struct arena *a, struct str text)
{
    struct str once, twice;

    if (quantity_canonical(a, text, &once) &&
        (!quantity_canonical(a, once, &twice) || !str_eq(once, twice)))
        abort();
}

static void read_time(struct arena *a, struct str text)
{
    struct buf b = { .arena = a };
    int64_t sec, again;
    int32_t nsec;

    if (!time_text_parse(text, &sec, &nsec))
        return;
    time_text_print(&b, sec);
    if (!time_text_parse(buf_str(&b), &again, &nsec) || again != sec)
        abort();
}

static void read_duration(struct arena *a, struct str text)
{
    struct buf b = { .arena = a };
    int64_t ns, again;

    if (!time_text_parse_duration(text, &ns))
        return;
    time_text_print_duration(&b, ns);
    if (!time_text_parse_duration(buf_str(&b), &again) || again != ns)
        abort();
}

static void read_base64(struct arena *a, struct str text)
{
    struct buf b = { .arena = a };
    struct str bytes, again;
    size_t bad_at;

    if (!base64_decode(a, text, &bytes, &bad_at)) {
        if (bad_at > text.len)
            abort();
        return;
    }
    base64_encode(&b, bytes);
    if (!base64_decode(a, buf_str(&b), &again, &bad_at) || !str_eq(bytes, again))
        abort();
}

static void read_token(struct arena *a, struct str text)
{
    struct continue_token t, again;
    struct err err = { 0 };

    if (continue_token_parse(a, text, &t, &err) < 0)
        return;
    if (continue_token_parse(a, continue_token_print(a, &t), &again, &err) < 0 ||
        again.revision != t.revision || !str_eq(again.after, t.after))
        abort();
}

static void read_request(struct arena *a, struct str text)
{
    struct str path, query;
    struct request_info info;
    struct err err = { 0 };

    (void)str_cut(text, '?', &path, &query);
    (void)request_info_parse(a, STR("GET"), path, query, &info, &err);
}

static void read_accept(struct arena *a, struct str text)
{
    static const struct negotiation_offer offer = {
        .media = MEDIA_OBJECTS,
        .as = MEDIA_AS_BIT(MEDIA_AS_TABLE) | MEDIA_AS_BIT(MEDIA_AS_PARTIAL_METADATA),
        .stream = true,
    };
    struct negotiation n;
    enum media m;

    (void)a;
    (void)negotiation_output(text, &offer, &n);
    (void)negotiation_input(text, MEDIA_OBJECTS, &m);
    (void)negotiation_accepts_gzip(text);
}

static void read_names(struct arena *a, struct str text)
{
    struct name_ip ip;
    int prefix_len;

    (void)a;
    for (int rule = 0; rule < NAME_RULE_MAX; rule++)
        (void)name_rule_holds((enum name_rule)rule, text);
    (void)name_ip_parse(text, &ip);
    (void)name_cidr_parse(text, &ip, &prefix_len);
}

static void read_certificate(struct arena *a, struct str text)
{
    struct x509_info info;
    struct str key;
    struct err err = { 0 };

    (void)x509_read(text, &info, &err);
    (void)x509_public_key(a, text, &key, &err);
    (void)x509_is_for(text, STR("localhost"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct arena * a, struct str text) = {
        read_quantity, read_time,   read_duration, read_base64,      read_token,
        read_request,  read_accept, read_names,    read_certificate,
    };
    CLEANUP(arena_done) struct arena a = { 0 };

    if (size < 1)
        return 0;
    arena_init(&a, (size_t)16 << 20);
    readers[data[0] % ARRAY_LEN(readers)](&a, str_n((const char *)data + 1, size - 1));
    return 0;
}
