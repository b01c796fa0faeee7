#include "apiserver/openapi_endpoint.h"

#include "api/openapi_pb.h"
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

    buf_append_lit(&b, "{\"paths\":{");
    for (size_t i = 0; i < openapi_documents_len; i++)
        if (!str_has_prefix(openapi_documents[i].path, STR("v2")))
            print_entry(&b, &first, openapi_documents[i].path, openapi_documents[i].hash);
    custom = openapi_publication_v3(r, &n);
    for (size_t i = 0; i < n; i++)
        print_entry(&b, &first, custom[i].path, custom[i].hash);
    buf_append_lit(&b, "}}");
    /* Upstream names no type here, so that its HTTP library guesses one. */
    api_respond(r, 200, STR("text/plain; charset=utf-8"), buf_str(&b));
}

/* d->gzip NULL: the text is there as it is. */
static void respond_document(struct api_request *r, const struct openapi_document *d,
                             struct str type, struct str plain)
{
    struct str packed = str_n((const char *)d->gzip, d->gzip_len), text;
    struct str etag = arena_printf(r->arena, "\"%.*s\"", STR_ARG(d->hash));
    struct status s;

    api_request_header(r, STR("ETag"), etag);
    api_request_header(r, STR("Vary"), STR("Accept-Encoding, Accept"));
    if (str_eq(http_request_header(r->http, STR("if-none-match")), etag)) {
        api_respond(r, 304, STR_NULL, STR(""));
    } else if (plain.p) {
        api_respond(r, 200, type, plain);
    } else if (negotiation_accepts_gzip(http_request_header(r->http, STR("accept-encoding")))) {
        api_request_header(r, STR("Content-Encoding"), STR("gzip"));
        api_respond_plain(r, 200, type, packed);
    } else if (gzip_expand(r->arena, packed, d->text_len, &text) == 0) {
        api_respond_plain(r, 200, type, text);
    } else {
        s = status_internal(r->arena, "an OpenAPI document of this program does not expand");
        api_respond_status(r, &s);
    }
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

/* Made anew for each client that wants it: hardly any does. */
static void respond_v3_protobuf(struct api_request *r, const struct openapi_document *d,
                                struct str plain)
{
    struct str packed = str_n((const char *)d->gzip, d->gzip_len);
    struct openapi_document own = { .path = d->path };
    struct buf b = { .arena = r->arena };
    struct err err = { 0 };
    struct status s;

    if ((plain.p || gzip_expand(r->arena, packed, d->text_len, &plain) == 0) &&
        openapi_print_v3_protobuf(r->arena, &b, plain, &err) == 0) {
        own.hash = arena_printf(r->arena, "%.*s.pb", STR_ARG(d->hash));
        respond_document(r, &own, STR("application/com.github.proto-openapi.spec.v3.v1.0+protobuf"),
                         buf_str(&b));
        return;
    }
    s = status_internal(r->arena, "an OpenAPI document of this program has no form in protobuf");
    api_respond_status(r, &s);
}

/* A hash that is not the newest is sent to the one that is. */
static void respond_v3(struct api_request *r, const struct openapi_document *d, struct str plain)
{
    struct str hash = request_info_param(&r->info, STR("hash"));

    if (hash.p && !str_eq(hash, d->hash)) {
        api_request_header(r, STR("Location"),
                           arena_printf(r->arena, "/openapi/v3/%.*s?hash=%.*s", STR_ARG(d->path),
                                        STR_ARG(d->hash)));
        api_respond(r, 301, STR_NULL, STR(""));
        return;
    }
    if (hash.p) { /* what this URL names never changes */
        r->cacheable = true;
        api_request_header(r, STR("Cache-Control"), STR("public, immutable, max-age=31536000"));
    }
    if (wants_protobuf(r, '3'))
        respond_v3_protobuf(r, d, plain);
    else if (accepts_json(r))
        respond_document(r, d, STR("application/json"), plain);
}

/* Version 2 in one of its forms: with custom resources where there are some. */
static bool respond_v2(struct api_request *r, struct str path, struct str type)
{
    const struct openapi_text *t = openapi_publication_v2(r, path);
    const struct openapi_document *d = find(path);
    struct openapi_document own = { .path = path };

    if (!t && d)
        respond_document(r, d, type, STR_NULL);
    if (!t)
        return d != NULL;
    own.hash = t->hash;
    respond_document(r, &own, type, t->text);
    return true;
}

static bool respond_custom_v3(struct api_request *r, struct str path)
{
    struct openapi_document own = { .path = path };
    size_t n;
    const struct openapi_text *t = openapi_publication_v3(r, &n);

    for (size_t i = 0; i < n; i++) {
        if (!str_eq(t[i].path, path))
            continue;
        own.hash = t[i].hash;
        respond_v3(r, &own, t[i].text);
        return true;
    }
    return false;
}

bool openapi_handle(struct api_request *r)
{
    struct str path = r->info.path;
    const struct openapi_document *d;

    if (str_eq(path, STR("/openapi/v2"))) {
        if (wants_protobuf(r, '2'))
            return respond_v2(r, STR("v2.pb"),
                              STR("application/com.github.proto-openapi.spec.v2.v1.0+protobuf"));
        return !accepts_json(r) || respond_v2(r, STR("v2"), STR("application/json"));
    }
    if (str_eq(path, STR("/openapi/v3")) || str_eq(path, STR("/openapi/v3/"))) {
        respond_index(r);
        return true;
    }
    if (!str_has_prefix(path, STR("/openapi/v3/")))
        return false;
    d = find(str_tail(path, 12));
    if (!d)
        return respond_custom_v3(r, str_tail(path, 12));
    respond_v3(r, d, STR_NULL);
    return true;
}
