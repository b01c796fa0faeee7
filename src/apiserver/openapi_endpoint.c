#include "apiserver/openapi_endpoint.h"

#include <string.h>

#include "apiserver/api_request.h"
#include "apiserver/extensions/openapi_publication.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/gzip.h"
#include "codec/json_writer.h"
#include "http/http_server.h"

static const struct openapi_document *find(struct str path)
{
    for (size_t i = 0; i < openapi_documents_len; i++) {
        if (str_eq(openapi_documents[i].path, path))
            return &openapi_documents[i];
    }
    return NULL;
}

static void print_entry(struct buf *b, bool *first, struct str path, struct str hash)
{
    if (!*first)
        buf_append_char(b, ',');
    *first = false;
    json_write_string(b, path);
    buf_printf(b, ":{\"serverRelativeURL\":\"/openapi/v3/%.*s?hash=%.*s\"}", STR_ARG(path),
               STR_ARG(hash));
}

/* The index of version 3: each document with an address that changes when it does, so that clients
 * may keep it for good. */
static void respond_index(struct api_request *r)
{
    struct buf b = { .arena = r->arena };
    const struct openapi_text *custom;
    bool first = true;
    size_t n;

    if (!openapi_publication_is_ready(r, OPENAPI_PART_V3, respond_index))
        return;

    buf_append_lit(&b, "{\"paths\":{");
    for (size_t i = 0; i < openapi_documents_len; i++)
        if (!str_has_prefix(openapi_documents[i].path, STR("v2")) &&
            !str_has_suffix(openapi_documents[i].path, STR(".pb")))
            print_entry(&b, &first, openapi_documents[i].path, openapi_documents[i].hash);
    custom = openapi_publication_of(r, OPENAPI_PART_V3, &n);
    for (size_t i = 0; i < n; i++)
        print_entry(&b, &first, custom[i].path, custom[i].hash);
    buf_append_lit(&b, "}}");
    /* Upstream names no type here, so that its HTTP library guesses one. */
    api_respond(r, 200, STR("text/plain; charset=utf-8"), buf_str(&b));
}

/* A document in one form. */
struct form {
    struct str hash;
    struct str type;
    struct str packed;
    struct str plain; /* unset: of packed, text_len long */
    size_t text_len;
};

static void respond_document(struct api_request *r, const struct form *f)
{
    struct str etag = arena_printf(r->arena, "\"%.*s\"", STR_ARG(f->hash)), text = f->plain;
    struct status s;

    api_request_header(r, STR("ETag"), etag);
    api_request_header(r, STR("Vary"), STR("Accept-Encoding, Accept"));
    if (str_eq(http_request_header(r->http, STR("if-none-match")), etag)) {
        api_respond(r, 304, STR_NULL, STR(""));
    } else if (f->packed.len &&
               negotiation_accepts_gzip(http_request_header(r->http, STR("accept-encoding")))) {
        api_request_header(r, STR("Content-Encoding"), STR("gzip"));
        api_respond_plain(r, 200, f->type, f->packed);
    } else if (text.p || gzip_expand(r->arena, f->packed, f->text_len, &text) == 0) {
        api_respond_plain(r, 200, f->type, text);
    } else {
        s = status_internal(r->arena, "an OpenAPI document of this program does not expand");
        api_respond_status(r, &s);
    }
}

static struct form of_builtin(const struct openapi_document *d, struct str type)
{
    return (struct form){
        .hash = d->hash,
        .type = type,
        .packed = str_n((const char *)d->gzip, d->gzip_len),
        .text_len = d->text_len,
    };
}

static struct form of_custom(const struct openapi_text *t, struct str type)
{
    return (struct form){ .hash = t->hash, .type = type, .packed = t->gzip, .plain = t->text };
}

static const struct openapi_text *find_custom(struct api_request *r, enum openapi_part part,
                                              struct str path)
{
    size_t n;
    const struct openapi_text *t = openapi_publication_of(r, part, &n);

    for (size_t i = 0; i < n; i++)
        if (str_eq(t[i].path, path))
            return &t[i];
    return NULL;
}

/* Each version has a protobuf form under two names; a client that wants it names it first, or
 * alone.
 */
static bool wants_protobuf(struct api_request *r, char version)
{
    static const struct str head = STR_INIT("application/com.github.proto-openapi.spec.v");
    struct str accept = http_request_header(r->http, STR("accept"));
    struct str rest = str_tail(accept, head.len);

    return str_has_prefix(accept, head) && rest.len && rest.p[0] == version &&
           (str_has_prefix(str_tail(rest, 1), STR("@v1.0+protobuf")) ||
            str_has_prefix(str_tail(rest, 1), STR(".v1.0+protobuf")));
}

/* Elsewhere JSON is all there is: protobuf alone is refused. */
static bool accepts_json(struct api_request *r)
{
    struct negotiation_offer offer = { .media = MEDIA_BIT(JSON) };
    struct negotiation got;
    struct status s;

    if (negotiation_output(http_request_header(r->http, STR("accept")), &offer, &got) == 0)
        return true;
    s = status_plain(r->arena, STATUS_NOT_ACCEPTABLE,
                     "only the following media types are accepted: application/json");
    api_respond_status(r, &s);
    return false;
}

#define V2_PROTOBUF "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
#define V3_PROTOBUF "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"

/* A hash that is not the newest is sent to the one that is. False: that was it. */
static bool check_hash(struct api_request *r, struct str path, struct str newest)
{
    struct str hash = request_info_param(&r->info, STR("hash"));

    if (hash.p && !str_eq(hash, newest)) {
        api_request_header(
            r, STR("Location"),
            arena_printf(r->arena, "/openapi/v3/%.*s?hash=%.*s", STR_ARG(path), STR_ARG(newest)));
        api_respond(r, 301, STR_NULL, STR(""));
        return false;
    }
    if (hash.p) { /* what this URL names never changes */
        r->cacheable = true;
        api_request_header(r, STR("Cache-Control"), STR("public, immutable, max-age=31536000"));
    }
    return true;
}

static void respond_v3(struct api_request *r, const struct openapi_document *d)
{
    struct str path = arena_printf(r->arena, "%.*s.pb", STR_ARG(d->path));
    bool protobuf = wants_protobuf(r, '3');
    const struct openapi_document *form = protobuf ? find(path) : d;
    struct form f =
        of_builtin(form ? form : d, protobuf && form ? STR(V3_PROTOBUF) : STR("application/json"));

    if (check_hash(r, d->path, d->hash) && (protobuf || accepts_json(r)))
        respond_document(r, &f);
}

static void respond_custom_v3(struct api_request *r)
{
    struct str path = str_tail(r->info.path, strlen("/openapi/v3/"));
    bool protobuf = wants_protobuf(r, '3');
    const struct openapi_text *json, *t;
    struct form f;

    if (!openapi_publication_is_ready(r, OPENAPI_PART_V3, respond_custom_v3) ||
        (protobuf && !openapi_publication_is_ready(r, OPENAPI_PART_V3_PB, respond_custom_v3)))
        return;
    json = find_custom(r, OPENAPI_PART_V3, path);
    t = protobuf ? find_custom(r, OPENAPI_PART_V3_PB, path) : json;
    if (!json || !t) {
        api_respond_no_page(r);
        return;
    }
    f = of_custom(t, protobuf ? STR(V3_PROTOBUF) : STR("application/json"));
    if (check_hash(r, path, json->hash) && (protobuf || accepts_json(r)))
        respond_document(r, &f);
}

/* Version 2 in one of its forms: with custom resources where there are some. */
static void respond_v2(struct api_request *r)
{
    bool protobuf = wants_protobuf(r, '2');
    struct str path = protobuf ? STR("v2.pb") : STR("v2");
    struct str type = protobuf ? STR(V2_PROTOBUF) : STR("application/json");
    const struct openapi_text *t;
    struct form f;

    if ((!protobuf && !accepts_json(r)) ||
        !openapi_publication_is_ready(r, OPENAPI_PART_V2, respond_v2))
        return;
    t = find_custom(r, OPENAPI_PART_V2, path);
    f = t ? of_custom(t, type) : of_builtin(find(path), type);
    respond_document(r, &f);
}

bool openapi_handle(struct api_request *r)
{
    struct str path = r->info.path;
    const struct openapi_document *d;

    if (str_eq(path, STR("/openapi/v2"))) {
        respond_v2(r);
    } else if (str_eq(path, STR("/openapi/v3")) || str_eq(path, STR("/openapi/v3/"))) {
        respond_index(r);
    } else if (str_has_prefix(path, STR("/openapi/v3/")) && !str_has_suffix(path, STR(".pb"))) {
        d = find(str_tail(path, strlen("/openapi/v3/")));
        if (d)
            respond_v3(r, d);
        else
            respond_custom_v3(r);
    } else {
        return false;
    }
    return true;
}
