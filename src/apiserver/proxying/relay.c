#include "apiserver/proxying/relay.h"

#include "apiserver/api_request.h"
#include "apiserver/authn/impersonation.h"
#include "apiserver/proxying/html_links.h"
#include "apiserver/proxying/proxy_rewrite.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "http/http_client.h"
#include "http/http_server.h"
#include "http/websocket.h"
#include "io/loop.h"

enum { MAX_HEADERS = 200, OWN_HEADERS = 2, ERROR_TEXT_BYTES = 16384, CONNECT_TIMEOUT_MS = 10000 };

struct relay {
    struct api_request *r;
    struct relay_target target;
    struct http_client *client;
    struct http_call *call;           /* NULL: not started, or ended */
    struct http_tunnel *front, *back; /* after an upgrade; NULL: none, or ended */
    struct websocket *messages;       /* the answer as messages; NULL: not so, or ended */
    bool is_base64;
    struct http_source source; /* the answer, pulled by the client's connection */
    bool is_source_live;
    bool is_ended, is_failed; /* the backend's answer */
    bool is_held;             /* the backend waits for the client */
    bool is_page;             /* links are rewritten as they pass */
    struct html_links links;
    int error_code; /* an error whose text is gathered in `pending` */
    struct buf pending;
    struct loop_task finish;
};

/* --- the end: when nothing can call back any more, from the loop's top --- */

static void on_finish(struct loop_task *t)
{
    struct relay *y = CONTAINER_OF(t, struct relay, finish);
    struct api_request *r = y->r;

    http_client_free(y->client);
    buf_done(&y->pending);
    html_links_done(&y->links);
    mem_free(y);
    api_request_release(r);
}

static void maybe_finish(struct relay *y)
{
    if (!y->call && !y->front && !y->back && !y->messages && !y->is_source_live)
        loop_task_post(y->r->loop, &y->finish);
}

static void on_gone(struct api_request *r, void *arg)
{
    struct relay *y = arg;

    (void)r;
    if (y->call)
        http_call_cancel(y->call);
}

/* --- an ordinary answer --- */

static int pull(struct http_source *s, struct buf *out, size_t hint_bytes)
{
    struct relay *y = CONTAINER_OF(s, struct relay, source);

    (void)hint_bytes;
    buf_append_str(out, buf_str(&y->pending));
    buf_reset(&y->pending);
    if (y->is_held && y->call) {
        y->is_held = false;
        http_call_set_reading(y->call, true);
    }
    if (y->is_failed)
        return ERR_CLOSED;
    return y->is_ended ? HTTP_SOURCE_END : HTTP_SOURCE_WAIT;
}

static void source_done(struct http_source *s)
{
    struct relay *y = CONTAINER_OF(s, struct relay, source);

    y->is_source_live = false;
    if (y->call)
        http_call_cancel(y->call);
    maybe_finish(y);
}

/* Headers of one connection do not go on to the next, nor do our credentials; who may read an
 * answer across origins is not a proxied server's to say. */
static bool is_passed(const struct relay *y, struct str name, bool to_backend)
{
    static const struct str cors = STR_INIT("access-control-allow-");
    static const struct str own[] = {
        STR_INIT("connection"),        STR_INIT("keep-alive"), STR_INIT("proxy-connection"),
        STR_INIT("transfer-encoding"), STR_INIT("te"),         STR_INIT("trailer"),
        STR_INIT("content-length"),    STR_INIT("upgrade"),    STR_INIT("host"),
        STR_INIT("authorization"),     STR_INIT("expect"),
    };

    if (to_backend && impersonation_is_header(name))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_eq_nocase(name, own[i]))
            return to_backend ? y->target.rewrite && str_eq(own[i], STR("host"))
                              : str_eq(own[i], STR("upgrade"));
    return to_backend || !y->target.rewrite || !str_eq_nocase(str_sub(name, 0, cors.len), cors);
}

static size_t pass_headers(const struct relay *y, const struct http_header *from, size_t n,
                           bool to_backend, struct http_header *to)
{
    size_t k = 0;

    for (size_t i = 0; i < n && k < MAX_HEADERS; i++)
        if (is_passed(y, from[i].name, to_backend))
            to[k++] = from[i];
    return k;
}

static int64_t length_of(const struct http_header *headers, size_t n)
{
    int64_t length = -1;

    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(headers[i].name, STR("content-length")) &&
            !str_to_i64(headers[i].value, &length))
            length = -1;
    return length;
}

static void rewrite_link(void *arg, struct str url, struct buf *out)
{
    const struct relay *y = arg;

    proxy_rewrite_url(y->target.rewrite, url, out);
}

static struct str value_of(const struct http_header *headers, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(headers[i].name, name))
            return headers[i].value;
    return STR_NULL;
}

static bool is_page(const struct http_header *headers, size_t n)
{
    struct str type = value_of(headers, n, STR("content-type")), rest;

    if (!str_cut(type, ';', &type, &rest))
        type = value_of(headers, n, STR("content-type"));
    return str_eq(str_trim(type), STR("text/html")) &&
           !value_of(headers, n, STR("content-encoding")).len &&
           !value_of(headers, n, STR("location")).len;
}

static void rewrite_location(struct relay *y, struct http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(headers[i].name, STR("location"))) {
            struct buf b;

            buf_init_arena(&b, y->r->arena, 256);
            proxy_rewrite_url(y->target.rewrite, headers[i].value, &b);
            headers[i].value = buf_str(&b);
        }
}

static void answer(struct relay *y, int status, const struct http_header *headers, size_t n)
{
    struct http_header passed[MAX_HEADERS];
    size_t n_passed = pass_headers(y, headers, n, false, passed);
    int64_t length = str_eq(y->r->info.method, STR("HEAD")) ? 0 : length_of(headers, n);

    if (y->target.rewrite) {
        rewrite_location(y, passed, n_passed);
        y->is_page = is_page(headers, n) && !str_eq(y->r->info.method, STR("HEAD"));
        y->links = (struct html_links){ .rewrite = rewrite_link, .arg = y };
    }

    y->source = (struct http_source){ .pull = pull, .done = source_done };
    y->is_source_live = true;
    api_respond_passed(y->r, status, passed, n_passed, y->is_page ? -1 : length, &y->source);
}

/* --- an upgraded one --- */

static void on_front_read(struct http_tunnel *t, struct str bytes, void *arg)
{
    struct relay *y = arg;

    if (y->back && !http_tunnel_write(y->back, bytes))
        http_tunnel_set_reading(t, false);
}

static void on_front_drain(struct http_tunnel *t, void *arg)
{
    struct relay *y = arg;

    (void)t;
    if (y->back)
        http_tunnel_set_reading(y->back, true);
}

static void on_front_end(struct http_tunnel *t, int result, void *arg)
{
    struct relay *y = arg;

    (void)t;
    (void)result; /* either way there is nobody to tell but the other side */
    y->front = NULL;
    if (y->back)
        http_tunnel_close(y->back);
    maybe_finish(y);
}

static void on_back_read(struct http_tunnel *t, struct str bytes, void *arg)
{
    struct relay *y = arg;

    if (y->front && !http_tunnel_write(y->front, bytes))
        http_tunnel_set_reading(t, false);
}

static void on_back_drain(struct http_tunnel *t, void *arg)
{
    struct relay *y = arg;

    (void)t;
    if (y->front)
        http_tunnel_set_reading(y->front, true);
}

static void on_back_end(struct http_tunnel *t, int result, void *arg)
{
    struct relay *y = arg;

    (void)t;
    (void)result;
    y->back = NULL;
    if (y->front)
        http_tunnel_close(y->front);
    maybe_finish(y);
}

static const struct http_tunnel_ops front_ops = { on_front_read, on_front_drain, on_front_end };
static const struct http_tunnel_ops back_ops = { on_back_read, on_back_drain, on_back_end };

static void upgrade(struct relay *y, struct http_call *c, const struct http_header *headers,
                    size_t n)
{
    struct http_header passed[MAX_HEADERS];
    size_t k = pass_headers(y, headers, n, false, passed);
    int rc = http_upgrade(y->r->http, passed, k, &front_ops, y, &y->front);

    if (rc < 0) {
        struct status s =
            status_plain(y->r->arena, STATUS_BAD_REQUEST, "unable to upgrade: %s", err_name(rc));

        api_respond_status(y->r, &s);
        http_call_cancel(c);
        return;
    }
    api_respond_upgraded(y->r);
    if (str_eq_nocase(value_of(headers, n, STR("upgrade")), STR("websocket")))
        http_tunnel_keep_frames(y->front);
    if (http_call_take_tunnel(c, &back_ops, y, &y->back) < 0) {
        http_tunnel_close(y->front);
        http_call_cancel(c);
    }
}

/* --- an answer in messages --- */

static void on_message(struct websocket *w, bool is_text, struct str bytes, void *arg)
{
    (void)w, (void)is_text, (void)bytes, (void)arg; /* the client has nothing to say */
}

static void on_messages_drain(struct websocket *w, void *arg)
{
    struct relay *y = arg;

    (void)w;
    if (y->call)
        http_call_set_reading(y->call, true);
}

static void on_messages_end(struct websocket *w, void *arg)
{
    struct relay *y = arg;

    (void)w;
    y->messages = NULL;
    if (y->call)
        http_call_cancel(y->call);
    maybe_finish(y);
}

static const struct websocket_ops message_ops = { on_message, on_messages_drain, on_messages_end };

static bool wants_messages(const struct relay *y)
{
    return y->target.speaks_messages && websocket_is_asked_for(y->r->http);
}

static void send_message(struct relay *y, struct http_call *c, struct str bytes)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    if (y->is_base64) {
        base64_encode(&b, bytes);
        bytes = buf_str(&b);
    }
    if (!websocket_send(y->messages, y->is_base64, bytes) && c)
        http_call_set_reading(c, false);
}

static void begin_messages(struct relay *y, struct http_call *c)
{
    static const struct str protocols[] = { STR_INIT("binary.k8s.io"),
                                            STR_INIT("base64.binary.k8s.io") };
    bool names_any;
    struct str protocol = websocket_choose(y->r->http, protocols, ARRAY_LEN(protocols), &names_any);
    struct status s;

    y->is_base64 = str_eq(protocol, protocols[1]);
    if ((protocol.len || !names_any) &&
        websocket_accept(y->r->http, protocol, &message_ops, y, &y->messages) >= 0) {
        api_respond_upgraded(y->r);
        send_message(y, c, STR("")); /* tells the client that this stands */
        return;
    }
    s = status_plain(y->r->arena, STATUS_BAD_REQUEST,
                     "unable to upgrade: no WebSocket of version 13, or of a subprotocol that is "
                     "not spoken here");
    api_respond_status(y->r, &s);
    http_call_cancel(c);
}

/* --- the backend's answer --- */

static void on_head(struct http_call *c, int status, const struct http_header *headers, size_t n,
                    void *arg)
{
    struct relay *y = arg;

    if (y->r->gone)
        return;
    if (status == 101)
        upgrade(y, c, headers, n);
    else if (y->target.errors == RELAY_ERRORS_AS_STATUS && status >= 300)
        y->error_code = status;
    else if (wants_messages(y))
        begin_messages(y, c);
    else
        answer(y, status, headers, n);
}

static void on_body(struct http_call *c, struct str bytes, void *arg)
{
    struct relay *y = arg;

    if (y->error_code) {
        buf_append_str(
            &y->pending,
            str_sub(bytes, 0, ERROR_TEXT_BYTES - MIN(y->pending.len, (size_t)ERROR_TEXT_BYTES)));
        return;
    }
    if (y->messages)
        send_message(y, c, bytes);
    if (!y->is_source_live)
        return;
    if (y->is_page)
        html_links_feed(&y->links, bytes, &y->pending);
    else
        buf_append_str(&y->pending, bytes);
    if (y->pending.len > RELAY_PENDING_BYTES) {
        y->is_held = true;
        http_call_set_reading(c, false);
    }
    http_source_wake(y->r->http);
}

static void respond_error_text(struct relay *y)
{
    struct arena *a = y->r->arena;
    struct str text = str_trim(buf_str(&y->pending));
    struct status s;

    switch (y->error_code) {
    case 400:
        s = status_plain(a, STATUS_BAD_REQUEST, "%.*s", STR_ARG(text));
        break;
    case 404:
        s = status_plain(a, STATUS_NOT_FOUND,
                         "the server could not find the requested resource (%.*s)", STR_ARG(text));
        break;
    default:
        s = status_internal(a, "%.*s", STR_ARG(text));
        break;
    }
    api_respond_status(y->r, &s);
}

static void on_end(struct http_call *c, int result, const char *text, void *arg)
{
    struct relay *y = arg;
    struct status s;

    (void)c;
    y->call = NULL;
    y->is_ended = true;
    y->is_failed = result < 0;
    if (y->error_code && !y->r->answered && !y->r->gone) {
        respond_error_text(y);
    } else if (!y->r->answered && !y->r->gone) {
        s = status_plain(y->r->arena,
                         y->target.is_unavailable ? STATUS_UNAVAILABLE : STATUS_UNKNOWN, "%s: %s",
                         y->target.unreachable, text);
        api_respond_status(y->r, &s);
    } else if (y->messages) {
        websocket_close(y->messages, result < 0 ? 1011 : 1000, STR(""));
    } else if (y->is_source_live) {
        html_links_end(&y->links, &y->pending);
        http_source_wake(y->r->http);
    }
    maybe_finish(y);
}

static const struct http_call_ops call_ops = { on_head, on_body, on_end };

/* --- the start --- */

/* "10.0.0.1" of "10.0.0.1:4711", "::1" of "[::1]:4711". */
static struct str address_of(struct str peer)
{
    ptrdiff_t colon = str_rfind(peer, ':');

    if (colon < 0)
        return peer;
    if (str_has_prefix(peer, STR("[")) && colon > 1)
        return str_sub(peer, 1, (size_t)colon - 1);
    return str_sub(peer, 0, (size_t)colon);
}

/* A page whose links are rewritten is asked for as it is; its server hears where the request came
 * from. There is place for OWN_HEADERS more. */
static size_t add_proxy_headers(const struct relay *y, struct http_header *headers, size_t n)
{
    struct arena *a = y->r->arena;
    struct str peer = address_of(http_request_peer(y->r->http));
    struct str before = value_of(headers, n, STR("x-forwarded-for"));
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (!str_eq_nocase(headers[i].name, STR("accept-encoding")) &&
            !str_eq_nocase(headers[i].name, STR("x-forwarded-for")) &&
            !str_eq_nocase(headers[i].name, STR("x-forwarded-uri")))
            headers[k++] = headers[i];
    headers[k++] = (struct http_header){
        STR("X-Forwarded-For"),
        before.len ? arena_printf(a, "%.*s, %.*s", STR_ARG(before), STR_ARG(peer)) : peer,
    };
    headers[k++] = (struct http_header){ STR("X-Forwarded-Uri"), http_request_path(y->r->http) };
    return k;
}

static void send(struct relay *y)
{
    struct api_request *r = y->r;
    struct http_header passed[MAX_HEADERS + OWN_HEADERS];
    const struct http_header *headers;
    size_t n = http_request_headers(r->http, &headers);
    struct http_client_options co = {
        .loop = r->loop,
        .address = y->target.address,
        .port = y->target.port,
        .tls = y->target.tls,
        .limits = { .connect_timeout_ms = CONNECT_TIMEOUT_MS },
    };
    struct http_call_options o = {
        .method = r->info.method,
        .path = y->target.path,
        .headers = passed,
        .n_headers = pass_headers(y, headers, n, true, passed),
        .body = r->body,
        .upgrade = wants_messages(y) ? STR_NULL : http_request_header(r->http, STR("upgrade")),
        .ops = &call_ops,
        .arg = y,
    };
    int rc;

    if (y->target.rewrite)
        o.n_headers = add_proxy_headers(y, passed, o.n_headers);
    y->client = http_client_new(&co);
    r->on_gone = on_gone;
    r->on_gone_arg = y;
    rc = http_call_start(y->client, &o, &y->call);
    if (rc < 0) {
        y->call = NULL;
        on_end(NULL, rc, err_name(rc), y);
    }
}

static void on_request_body(struct http_request *http, int result, struct str body, void *arg)
{
    struct relay *y = arg;
    struct status s;

    (void)http;
    if (result == 0) {
        y->r->body = body;
        send(y);
        return;
    }
    s = status_plain(y->r->arena, result == ERR_TOO_LARGE ? STATUS_TOO_LARGE : STATUS_BAD_REQUEST,
                     "the request's body could not be read: %s", err_name(result));
    api_respond_status(y->r, &s);
    maybe_finish(y);
}

void relay_start(struct api_request *r, const struct relay_target *t)
{
    struct relay *y = NEW(struct relay);

    api_request_hold(r);
    y->r = r;
    y->target = *t;
    loop_task_init(&y->finish, on_finish);
    if (http_request_header(r->http, STR("upgrade")).len)
        send(y);
    else
        http_request_read_body(r->http, RELAY_BODY_LIMIT, on_request_body, y);
}
