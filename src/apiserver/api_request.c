#include "apiserver/api_request.h"

#include <stdarg.h>

#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/resource.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/metrics.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "codec/gzip.h"
#include "codec/yaml.h"
#include "http/http_server.h"

enum {
    GZIP_MIN_BYTES = 131072,  /* as upstream */
    GZIP_MAX_BYTES = 4 << 20, /* more would hold the loop for too long */
    MAX_HEADERS = API_REQUEST_MAX_WARNINGS + 8,
    WARNINGS_MAX_BYTES = 4096,
    WARNING_CUT_BYTES = 256,
};

void api_request_hold(struct api_request *r)
{
    http_request_ref(r->http);
}

void api_request_release(struct api_request *r)
{
    http_request_unref(r->http);
}

void api_request_warn(struct api_request *r, const char *fmt, ...)
{
    struct str text;
    va_list ap;

    va_start(ap, fmt);
    text = arena_vprintf(r->arena, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < r->n_warnings; i++)
        if (str_eq(r->warnings[i], text))
            return;
    if (r->n_warnings < API_REQUEST_MAX_WARNINGS)
        r->warnings[r->n_warnings++] = text;
}

/* 299 - "text", control characters out, cut when there are many. */
static struct str warning_value(struct arena *a, struct str text, bool cut)
{
    struct buf b = { 0 };
    size_t n = cut ? MIN(text.len, (size_t)WARNING_CUT_BYTES) : text.len;

    buf_init_arena(&b, a, n + 16);
    buf_append_lit(&b, "299 - \"");
    for (size_t i = 0; i < n; i++) {
        char c = text.p[i];

        if (c == '"' || c == '\\')
            buf_append_char(&b, '\\');
        buf_append_char(&b, (unsigned char)c < ' ' || c == 0x7f ? ' ' : c);
    }
    buf_append_char(&b, '"');
    return buf_str(&b);
}

static size_t warning_headers(struct api_request *r, struct http_header *headers, size_t n)
{
    size_t total = 0, sent = 0;

    for (size_t i = 0; i < r->n_warnings; i++)
        total += r->warnings[i].len;
    for (size_t i = 0; i < r->n_warnings; i++) {
        struct str v = warning_value(r->arena, r->warnings[i], total > WARNINGS_MAX_BYTES);

        sent += v.len;
        if (sent > WARNINGS_MAX_BYTES)
            break;
        headers[n++] = (struct http_header){ STR("warning"), v };
    }
    return n;
}

static const char *verb_label(const struct request_info *info)
{
    static const char *const names[REQUEST_VERB_MAX] = {
        [REQUEST_VERB_OTHER] = "GET",
        [REQUEST_VERB_GET] = "GET",
        [REQUEST_VERB_LIST] = "LIST",
        [REQUEST_VERB_WATCH] = "WATCH",
        [REQUEST_VERB_CREATE] = "POST",
        [REQUEST_VERB_UPDATE] = "PUT",
        [REQUEST_VERB_PATCH] = "PATCH",
        [REQUEST_VERB_DELETE] = "DELETE",
        [REQUEST_VERB_DELETECOLLECTION] = "DELETECOLLECTION",
    };

    return names[info->verb];
}

/* Labels come from tables only, so that a client cannot make series. */
static void count(struct api_request *r)
{
    struct metrics_request m = {
        .verb = verb_label(&r->info),
        .scope = "",
        .code = r->code,
        .dry_run = r->dry_run,
        .duration_us = r->info.verb == REQUEST_VERB_WATCH
                           ? -1
                           : (r->server->clock->mono_ns(r->server->clock) - r->start_ns) / 1000,
    };

    if (r->resource) {
        m.group = r->resource->group;
        m.version = r->resource->version;
        m.resource = r->resource->name;
        m.scope = r->info.name.len ? "resource" : r->info.namespace.len ? "namespace" : "cluster";
    }
    if (r->subresource)
        m.subresource = r->subresource->name;
    metrics_count_request(r->server->metrics, &m);
    if (r->counted_in_flight)
        metrics_in_flight(r->server->metrics, r->info.verb >= REQUEST_VERB_CREATE, -1);
    r->counted_in_flight = false;
}

static size_t common_headers(struct api_request *r, struct str content_type,
                             struct http_header *headers)
{
    size_t n = 0;

    if (content_type.len)
        headers[n++] = (struct http_header){ STR("content-type"), content_type };
    if (!r->cacheable)
        headers[n++] = (struct http_header){ STR("cache-control"), STR("no-cache, private") };
    for (size_t i = 0; i < r->n_headers; i++)
        headers[n++] = (struct http_header){ r->headers[i].name, r->headers[i].value };
    return warning_headers(r, headers, n);
}

void api_request_header(struct api_request *r, struct str name, struct str value)
{
    if (r->n_headers == API_REQUEST_MAX_HEADERS)
        return;
    r->headers[r->n_headers].name = name;
    r->headers[r->n_headers++].value = value;
}

void api_respond_plain(struct api_request *r, int code, struct str content_type, struct str body)
{
    struct http_header headers[MAX_HEADERS];
    size_t n;

    if (r->answered)
        return;
    r->answered = true;
    r->code = code;
    n = common_headers(r, content_type, headers);
    count(r);
    http_respond(r->http, code, headers, n, body);
}

void api_respond(struct api_request *r, int code, struct str content_type, struct str body)
{
    struct buf packed = { .arena = r->arena };

    if (!r->answered && body.len >= GZIP_MIN_BYTES && body.len <= GZIP_MAX_BYTES &&
        negotiation_accepts_gzip(http_request_header(r->http, STR("accept-encoding"))) &&
        gzip_compress(&packed, body, 1) == 0) {
        body = buf_str(&packed);
        api_request_header(r, STR("content-encoding"), STR("gzip"));
        api_request_header(r, STR("vary"), STR("Accept-Encoding"));
    }
    api_respond_plain(r, code, content_type, body);
}

void api_respond_media(struct api_request *r, int code, enum media media, struct str body)
{
    api_respond(r, code, media_text(media), body);
}

void api_respond_text(struct api_request *r, int code, struct str body)
{
    api_request_header(r, STR("x-content-type-options"), STR("nosniff"));
    api_respond(r, code, STR("text/plain; charset=utf-8"), body);
}

void api_respond_no_page(struct api_request *r)
{
    api_respond_text(r, 404, STR("404 page not found\n"));
}

void api_respond_status(struct api_request *r, const struct status *s)
{
    api_respond_status_code(r, status_code(s->reason), s);
}

void api_respond_status_code(struct api_request *r, int code, const struct status *s)
{
    struct object o = status_object(r->arena, s);
    struct buf b = { 0 };

    if (s->retry_after_s)
        api_request_header(r, STR("retry-after"), arena_printf(r->arena, "%d", s->retry_after_s));
    buf_init_arena(&b, r->arena, 512);
    if (r->accept.media == MEDIA_PROTOBUF)
        object_pb_encode_enveloped(&b, o, STR("v1"), STR("Status"));
    else
        object_json_encode(&b, o, NULL);
    api_respond_printed(r, code, &b);
}

/* The JSON as YAML; JSON it stays when it cannot be that. */
static bool print_yaml(struct api_request *r, struct buf *b)
{
    struct str yaml;
    struct err err;

    if (yaml_from_json(r->arena, buf_str(b), &yaml, &err) < 0) {
        LOG_WARNING("answer is not YAML", KV("reason", (const char *)err.text));
        return false;
    }
    buf_init_arena(b, r->arena, yaml.len);
    buf_append_str(b, yaml);
    return true;
}

void api_respond_printed(struct api_request *r, int code, struct buf *b)
{
    enum media media = r->accept.media;
    struct buf pretty = { 0 };

    if (media == MEDIA_YAML && !print_yaml(r, b))
        media = MEDIA_JSON;
    if (media == MEDIA_JSON && r->pretty) {
        buf_init_arena(&pretty, r->arena, b->len * 2);
        object_json_indent(&pretty, buf_str(b));
        b = &pretty;
    } else if (media == MEDIA_JSON) {
        buf_append_char(b, '\n');
    }
    api_respond_media(r, code, media, buf_str(b));
}

void api_respond_source(struct api_request *r, int code, struct str content_type,
                        struct http_source *source)
{
    struct http_header headers[MAX_HEADERS];
    size_t n;

    r->answered = true;
    r->code = code;
    n = common_headers(r, content_type, headers);
    count(r);
    http_respond_source(r->http, code, headers, n, -1, source);
}

void api_respond_passed(struct api_request *r, int code, const struct http_header *headers,
                        size_t n, int64_t content_length, struct http_source *source)
{
    r->answered = true;
    r->code = code;
    count(r);
    http_respond_source(r->http, code, headers, n, content_length, source);
}

void api_respond_upgraded(struct api_request *r)
{
    r->answered = true;
    r->code = 101;
    count(r);
}
