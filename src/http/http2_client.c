/* HTTP/2, the client's side of one connection, sans-I/O, over nghttp2: calls are streams. A paused
 * call's stream is held back by its own window; the connection's window is for all and stays open.
 * A peer that says nothing is pinged, and is gone when it stays silent. */
#include <nghttp2/nghttp2.h>

#include "base/mem.h"
#include "http/http_client_internal.h"

enum {
    HTTP2_CLIENT_STREAM_WINDOW_BYTES = 256 * 1024,
    HTTP2_CLIENT_CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024,
    HTTP2_CLIENT_FIRST_STREAMS = 100, /* until the server has said how many */
};

struct http2_client {
    struct http_client_core core;
    nghttp2_session *session;
    struct list calls;
    size_t n_calls;
    int64_t heard_ms;      /* when something came last */
    int64_t pinged_ms;     /* our question is unanswered since; 0: none is */
    int64_t idle_since_ms; /* without calls */
    bool has_settings;
    bool is_leaving;
    bool is_over;
    uint32_t failure; /* what the server did wrong, as we told it; 0: nothing */
};

static struct http2_client *http2_of(struct http_client_core *core)
{
    return CONTAINER_OF(core, struct http2_client, core);
}

static const struct http2_client *http2_const(const struct http_client_core *core)
{
    return CONTAINER_OF(core, const struct http2_client, core);
}

static int64_t now_ms(struct http2_client *c)
{
    return c->core.env->now_ms(c->core.env);
}

static void wake_env(struct http2_client *c)
{
    c->core.env->wake(c->core.env);
}

static struct http_call *call_of(struct http2_client *c, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(c->session, stream_id);
}

static void detach(struct http2_client *c, struct http_call *call)
{
    (void)nghttp2_session_set_stream_user_data(c->session, call->stream_id, NULL);
    c->n_calls--;
    if (c->n_calls == 0)
        c->idle_since_ms = now_ms(c);
}

static void finish(struct http2_client *c, struct http_call *call, enum http_call_fate fate,
                   int result, const char *text)
{
    detach(c, call);
    if (result == 0)
        c->core.was_used = true;
    http_call_finish(call, fate, result, text);
}

static void reset_stream(struct http2_client *c, int32_t id, uint32_t code)
{
    (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, code);
    wake_env(c);
}

static void fail(struct http2_client *c, struct http_call *call, uint32_t code, int result,
                 const char *text)
{
    reset_stream(c, call->stream_id, code);
    finish(c, call, HTTP_CALL_ENDED, result, text);
}

/* --- what comes in --- */

static int on_begin_headers(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct http2_client *c = arg;
    struct http_call *call = call_of(c, f->hd.stream_id);

    (void)s;
    if (call && !call->status)
        http_call_clear_headers(call); /* an interim head's */
    return 0;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct http2_client *c = arg;
    struct http_call *call = call_of(c, f->hd.stream_id);
    struct str n = str_n((const char *)name, name_len), v = str_n((const char *)value, value_len);
    uint64_t status;

    (void)s, (void)flags;
    if (f->hd.type != NGHTTP2_HEADERS || !call || call->is_head_shown)
        return 0; /* trailers are dropped; nghttp2 bounds them */
    if (str_eq(n, STR(":status"))) {
        call->status = str_to_u64(v, &status) && status >= 100 && status < 1000 ? (int)status : 0;
        return 0;
    }
    if (http_call_add_header(call, n, v) < 0)
        fail(c, call, NGHTTP2_CANCEL, ERR_TOO_LARGE, "the answer's head is too large");
    return 0;
}

static void take_head(struct http2_client *c, struct http_call *call)
{
    if (call->status >= 100 && call->status < 200 && call->status != 101) {
        call->status = 0;
        return;
    }
    if (call->status < 200)
        fail(c, call, NGHTTP2_PROTOCOL_ERROR, ERR_PROTOCOL, "the answer has no proper status");
    else
        http_call_show_head(call, 2);
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct http2_client *c = arg;
    struct http_call *call;

    (void)s;
    if (f->hd.type == NGHTTP2_GOAWAY) {
        c->is_leaving = true; /* nghttp2 closes the streams that were refused */
        wake_env(c);
    } else if (f->hd.type == NGHTTP2_SETTINGS && !(f->hd.flags & NGHTTP2_FLAG_ACK)) {
        c->has_settings = true;
        wake_env(c);
    }
    if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA)
        return 0;
    call = call_of(c, f->hd.stream_id);
    if (call && f->hd.type == NGHTTP2_HEADERS && !call->is_head_shown) {
        take_head(c, call);
        call = call_of(c, f->hd.stream_id);
    }
    if (!call || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM) || !call->is_head_shown)
        return 0;
    if (!call->is_sent) /* the rest of our body is of no interest */
        reset_stream(c, call->stream_id, NGHTTP2_NO_ERROR);
    finish(c, call, HTTP_CALL_ENDED, 0, NULL);
    return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t len,
                   void *arg)
{
    struct http2_client *c = arg;
    struct http_call *call = call_of(c, id);

    (void)flags;
    (void)nghttp2_session_consume_connection(s, len);
    if (call && http_call_body(call, str_n((const char *)p, len)))
        (void)nghttp2_session_consume_stream(s, id, len);
    return 0;
}

static int on_stream_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
    struct http2_client *c = arg;
    struct http_call *call = call_of(c, id);
    char text[96];

    (void)s;
    wake_env(c); /* there is room for a call */
    if (!call)
        return 0;
    (void)snprintf(text, sizeof(text), "the server ended the stream: %s",
                   nghttp2_http2_strerror(code));
    finish(c, call, code == NGHTTP2_REFUSED_STREAM ? HTTP_CALL_REFUSED : HTTP_CALL_ENDED,
           code == NGHTTP2_NO_ERROR || code == NGHTTP2_CANCEL ? ERR_CLOSED : ERR_PROTOCOL, text);
    return 0;
}

/* The head of a call could not be sent: a GOAWAY came first, or stream ids have run out. */
static int on_frame_not_sent(nghttp2_session *s, const nghttp2_frame *f, int code, void *arg)
{
    struct http2_client *c = arg;

    (void)s;
    if (f->hd.type != NGHTTP2_HEADERS)
        return 0;
    LIST_FOREACH_SAFE(n, &c->calls) {
        struct http_call *call = CONTAINER_OF(n, struct http_call, link);

        if (call->stream_id == f->hd.stream_id) {
            finish(c, call, HTTP_CALL_REFUSED, ERR_CLOSED, nghttp2_strerror(code));
            break;
        }
    }
    return 0;
}

/* nghttp2 ends a session that breaks the rules with a GOAWAY that says why. */
static int on_frame_sent(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct http2_client *c = arg;

    (void)s;
    if (f->hd.type == NGHTTP2_GOAWAY)
        c->failure = f->goaway.error_code;
    return 0;
}

/* --- what goes out --- */

/* A source's bytes that no frame has taken yet stay in call->unsent. */
static ssize_t read_source(struct http_call *call, uint8_t *p, size_t size, uint32_t *flags)
{
    int what = HTTP_SOURCE_MORE;
    size_t n;

    while (what == HTTP_SOURCE_MORE && !call->is_pulled_whole && call->unsent.len < size) {
        what = http_call_pull(call, &call->unsent, size - call->unsent.len);
        if (what < 0)
            return what;
    }
    n = MIN(call->unsent.len, size);
    if (n) {
        memcpy(p, call->unsent.p, n);
        buf_drop(&call->unsent, n);
    }
    if (call->is_pulled_whole && call->unsent.len == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        call->is_sent = true;
        buf_done(&call->unsent);
    } else if (n == 0) {
        call->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

static ssize_t read_bytes(struct http_call *call, uint8_t *p, size_t size, uint32_t *flags)
{
    struct str rest = str_tail(call->body, call->sent);
    size_t n = MIN(rest.len, size);

    memcpy(p, rest.p, n);
    call->sent += n;
    if (call->sent == call->body.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        call->is_sent = true;
    }
    return (ssize_t)n;
}

static ssize_t on_read(nghttp2_session *s, int32_t id, uint8_t *p, size_t size, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    struct http2_client *c = arg;
    struct http_call *call = call_of(c, id);
    ssize_t n;

    (void)s, (void)source;
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    n = call->source ? read_source(call, p, size, flags) : read_bytes(call, p, size, flags);
    if (n >= 0 || n == NGHTTP2_ERR_DEFERRED)
        return n;
    finish(c, call, HTTP_CALL_ENDED, ERR_CANCELED, "the request's body failed");
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
}

static nghttp2_nv nv_of(struct str name, struct str value)
{
    /* nghttp2 copies both, and its type is not const. */
    return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p,
                         .namelen = name.len,
                         .value = (uint8_t *)(uintptr_t)value.p,
                         .valuelen = value.len };
}

static void start(struct http_client_core *core, struct http_call *call)
{
    struct http2_client *c = http2_of(core);
    struct http_client_env *env = core->env;
    nghttp2_nv *nv = mem_zalloc((call->n_headers + 5) * sizeof(*nv));
    nghttp2_data_provider body = { .read_callback = on_read };
    bool has_body = call->source || call->body.len;
    char length[24];
    size_t n = 0;

    nv[n++] = nv_of(STR(":method"), call->method);
    nv[n++] = nv_of(STR(":scheme"), env->is_tls ? STR("https") : STR("http"));
    nv[n++] = nv_of(STR(":authority"), call->host.p ? call->host : env->host);
    nv[n++] = nv_of(STR(":path"), call->path);
    for (size_t i = 0; i < call->n_headers; i++)
        nv[n++] = nv_of(call->headers[i].name, call->headers[i].value);
    if (has_body && call->content_length >= 0) {
        (void)snprintf(length, sizeof(length), "%lld", (long long)call->content_length);
        nv[n++] = nv_of(STR("content-length"), str_from_cstr(length));
    }
    call->core = core;
    call->is_sent = !has_body;
    call->stream_id =
        nghttp2_submit_request(c->session, NULL, nv, n, has_body ? &body : NULL, call);
    mem_free(nv);
    list_append(&c->calls, &call->link);
    c->n_calls++;
    if (call->stream_id < 0) { /* no ids are left: a new connection has them */
        c->is_leaving = true;
        finish(c, call, HTTP_CALL_REFUSED, ERR_CLOSED, nghttp2_strerror(call->stream_id));
    }
    wake_env(c);
}

/* --- the core --- */

static int feed(struct http_client_core *core, struct str bytes, struct err *err)
{
    struct http2_client *c = http2_of(core);
    ssize_t n;

    if (c->is_over)
        return 0;
    c->heard_ms = now_ms(c);
    c->pinged_ms = 0;
    n = nghttp2_session_mem_recv(c->session, (const uint8_t *)bytes.p, bytes.len);
    if (n >= 0 && (size_t)n == bytes.len)
        return 0;
    c->is_over = true;
    return err_set(err, ERR_PROTOCOL, "the server speaks no proper HTTP/2: %s",
                   n < 0 ? nghttp2_strerror((int)n) : "it goes on after the end");
}

static void on_eof(struct http_client_core *core)
{
    http2_of(core)->is_over = true;
}

static bool produce(struct http_client_core *core, struct buf *out)
{
    struct http2_client *c = http2_of(core);

    while (out->len < HTTP_OUT_MARK_BYTES) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(c->session, &p);

        if (n < 0) {
            c->is_over = true;
            return false;
        }
        if (n == 0)
            break;
        buf_append(out, p, (size_t)n);
    }
    return out->len >= HTTP_OUT_MARK_BYTES && nghttp2_session_want_write(c->session);
}

static bool wants_read(const struct http_client_core *core)
{
    return !http2_const(core)->is_over;
}

static bool is_over(const struct http_client_core *core)
{
    const struct http2_client *c = http2_const(core);

    if (c->is_over ||
        (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session)))
        return true;
    return c->is_leaving && c->n_calls == 0 && !nghttp2_session_want_write(c->session);
}

static bool is_idle(const struct http_client_core *core)
{
    return http2_const(core)->n_calls == 0;
}

static bool is_leaving(const struct http_client_core *core)
{
    const struct http2_client *c = http2_const(core);

    return c->is_over || c->is_leaving || !nghttp2_session_check_request_allowed(c->session);
}

static bool is_tunnel(const struct http_client_core *core)
{
    (void)core;
    return false;
}

static size_t room(const struct http_client_core *core)
{
    const struct http2_client *c = http2_const(core);
    uint32_t most = c->has_settings ? nghttp2_session_get_remote_settings(
                                          c->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
                                    : HTTP2_CLIENT_FIRST_STREAMS;

    most = MIN(most, core->env->limits->streams);
    if (is_leaving(core))
        return 0;
    return most > c->n_calls ? most - c->n_calls : 0;
}

static void goodbye(struct http_client_core *core)
{
    http2_of(core)->is_leaving = true;
    core->env->wake(core->env);
}

static int64_t check_time(struct http_client_core *core, int64_t now, struct err *err)
{
    struct http2_client *c = http2_of(core);
    const struct http_client_limits *limits = core->env->limits;
    int64_t idle = c->n_calls ? INT64_MAX : c->idle_since_ms + limits->idle_timeout_ms;
    int64_t due;

    if (c->is_over)
        return INT64_MAX;
    if (idle <= now) {
        (void)nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
        core->env->wake(core->env);
        return INT64_MAX;
    }
    if (!c->pinged_ms && c->heard_ms + limits->ping_after_ms <= now) {
        (void)nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
        c->pinged_ms = now;
        core->env->wake(core->env);
    }
    due =
        c->pinged_ms ? c->pinged_ms + limits->ping_timeout_ms : c->heard_ms + limits->ping_after_ms;
    if (due <= now) {
        c->is_over = true;
        return err_set(err, ERR_TIMEOUT, "the server does not answer a ping");
    }
    return MIN(due, idle);
}

static void lost(struct http_client_core *core, int result, const char *text)
{
    struct http2_client *c = http2_of(core);
    bool was_used = core->was_used;
    char why[96];
    struct list *n;

    c->is_over = true;
    if (c->failure) {
        (void)snprintf(why, sizeof(why), "the server speaks no proper HTTP/2: %s",
                       nghttp2_http2_strerror(c->failure));
        result = ERR_PROTOCOL;
        text = why;
    }
    while ((n = list_first(&c->calls))) {
        struct http_call *call = CONTAINER_OF(n, struct http_call, link);
        bool is_silent = !call->status && was_used && !c->failure;

        finish(c, call, is_silent ? HTTP_CALL_SILENT : HTTP_CALL_ENDED, result, text);
    }
}

static void core_free(struct http_client_core *core)
{
    struct http2_client *c = http2_of(core);

    nghttp2_session_del(c->session);
    mem_free(c);
}

static void cancel(struct http_client_core *core, struct http_call *call)
{
    struct http2_client *c = http2_of(core);

    reset_stream(c, call->stream_id, NGHTTP2_CANCEL);
    detach(c, call);
    call->core = NULL;
    list_remove(&call->link);
}

static void wake(struct http_client_core *core, struct http_call *call)
{
    if (call->is_deferred) {
        call->is_deferred = false;
        (void)nghttp2_session_resume_data(http2_of(core)->session, call->stream_id);
    }
    core->env->wake(core->env);
}

static void took(struct http_client_core *core, struct http_call *call, size_t n)
{
    if (n)
        (void)nghttp2_session_consume_stream(http2_of(core)->session, call->stream_id, n);
    core->env->wake(core->env);
}

static const struct http_client_core_ops ops = {
    .feed = feed,
    .on_eof = on_eof,
    .produce = produce,
    .wants_read = wants_read,
    .is_over = is_over,
    .is_idle = is_idle,
    .is_leaving = is_leaving,
    .is_tunnel = is_tunnel,
    .room = room,
    .start = start,
    .goodbye = goodbye,
    .check_time = check_time,
    .lost = lost,
    .free = core_free,
    .cancel = cancel,
    .wake = wake,
    .took = took,
};

static nghttp2_session *session_new(struct http2_client *c)
{
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;
    nghttp2_session *s;

    if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&option) != 0)
        abort(); /* out of memory */
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_sent);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, 256 * 1024);
    if (nghttp2_session_client_new2(&s, cb, c, option) != 0)
        abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    return s;
}

struct http_client_core *http2_client_new(struct http_client_env *env)
{
    struct http2_client *c = NEW(struct http2_client);
    nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_CLIENT_STREAM_WINDOW_BYTES },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, env->limits->header_bytes },
    };

    c->core = (struct http_client_core){ .ops = &ops, .env = env };
    list_init(&c->calls);
    c->heard_ms = c->idle_since_ms = now_ms(c);
    c->session = session_new(c);
    (void)nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    (void)nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
                                                HTTP2_CLIENT_CONNECTION_WINDOW_BYTES);
    return &c->core;
}
