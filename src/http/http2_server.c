/* HTTP/2, the server's side of one connection, sans-I/O, over nghttp2: it frames and compresses, we
 * map streams to requests. Bodies are pulled while there is room in the output buffer; a stream
 * whose source waits is deferred. Request bodies are held back by flow control: the window of a
 * stream opens only as the handler wants its body. */
#include <nghttp2/nghttp2.h>

#include "base/err.h"
#include "base/mem.h"
#include "http/http2_memory.h"
#include "http/http_internal.h"

enum {
    HTTP2_STREAM_WINDOW_BYTES = 256 * 1024,
    HTTP2_CONNECTION_WINDOW_BYTES = 1024 * 1024,
    HTTP2_RESET_WINDOW_MS = 60 * 1000,
};

struct http2 {
    struct http_core core;
    nghttp2_session *session;
    struct http2_memory memory; /* of the session */
    struct list requests;
    size_t n_requests;
    int64_t idle_since_ms;
    int64_t header_start_ms; /* a header block has begun and not ended; 0: none */
    int64_t resets_since_ms;
    uint32_t resets;
    bool is_failed; /* end at once */
    bool is_leaving;
    bool was_fed;
    bool pulls_again; /* a source had nothing at the time: asked again in the next turn */
};

static struct http2 *http2_of(struct http_core *core)
{
    return CONTAINER_OF(core, struct http2, core);
}

static int64_t now_ms(struct http2 *c)
{
    return c->core.env->now_ms(c->core.env);
}

static void reset_stream(struct http2 *c, int32_t id, uint32_t code)
{
    (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, code);
    c->core.env->wake(c->core.env);
}

/* Takes the request off its stream. */
static void end_request(struct http2 *c, struct http_request *r, int result)
{
    (void)nghttp2_session_set_stream_user_data(c->session, r->stream_id, NULL);
    c->n_requests--;
    if (c->n_requests == 0)
        c->idle_since_ms = now_ms(c);
    http_request_end(r, result);
}

static struct http_request *request_of(struct http2 *c, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(c->session, stream_id);
}

/* --- what comes in --- */

static int on_begin_headers(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct http2 *c = arg;
    struct http_request *r;

    if (f->hd.type != NGHTTP2_HEADERS)
        return 0;
    c->header_start_ms = now_ms(c);
    if (f->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    r = http_request_new(&c->core, 2);
    r->stream_id = f->hd.stream_id;
    list_append(&c->requests, &r->link);
    c->n_requests++;
    (void)nghttp2_session_set_stream_user_data(s, r->stream_id, r);
    return 0;
}

static void take_pseudo(struct http_request *r, struct str name, struct str value)
{
    if (str_eq(name, STR(":method")))
        r->method = str_dup(&r->arena, value);
    else if (str_eq(name, STR(":path")))
        http_request_set_target(r, value);
    else if (str_eq(name, STR(":authority")) && http_request_add_header(r, STR("host"), value) < 0)
        r->is_bad = true;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct http2 *c = arg;
    struct http_request *r = request_of(c, f->hd.stream_id);
    struct str n = str_n((const char *)name, name_len), v = str_n((const char *)value, value_len);

    (void)s, (void)flags;
    if (!r || f->headers.cat != NGHTTP2_HCAT_REQUEST || r->is_bad)
        return 0; /* trailers mean nothing to us */
    if (n.len && n.p[0] == ':') {
        r->header_bytes += n.len + v.len;
        if (r->header_bytes > c->core.env->limits->header_bytes)
            r->is_bad = true;
        else
            take_pseudo(r, n, v);
        return 0;
    }
    if (str_eq(n, STR("host")) && http_request_header(r, STR("host")).p)
        return 0; /* :authority goes before it */
    if (http_request_add_header(r, n, v) < 0)
        r->is_bad = true;
    return 0;
}

static void open_request(struct http2 *c, struct http_request *r, bool is_whole)
{
    static const struct http_header text = { STR_INIT("content-type"),
                                             STR_INIT("text/plain; charset=utf-8") };
    struct str length = http_request_header(r, STR("content-length"));
    uint64_t n;

    if (length.p && str_to_u64(length, &n) && n <= INT64_MAX)
        r->body_expected = (int64_t)n;
    if (is_whole)
        r->body_expected = 0;
    r->is_body_whole = is_whole;
    if (r->is_bad)
        http_respond(r, 431, &text, 1, STR("431 Request Header Fields Too Large"));
    else if (str_eq(r->method, STR("CONNECT")))
        http_respond(r, 501, &text, 1, STR("501 Not Implemented"));
    else
        http_request_show(r);
    (void)c;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct http2 *c = arg;
    bool is_end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct http_request *r;

    (void)s;
    if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA)
        return 0;
    if (f->hd.type == NGHTTP2_HEADERS)
        c->header_start_ms = 0;
    r = request_of(c, f->hd.stream_id);
    if (!r)
        return 0;
    if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
        open_request(c, r, is_end);
    else if (is_end)
        http_request_body_end(r);
    return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t len,
                   void *arg)
{
    struct http2 *c = arg;
    struct http_request *r = request_of(c, id);

    (void)flags;
    /* The connection's window is for all streams: one that waits must not close it for others. */
    (void)nghttp2_session_consume_connection(s, len);
    if (!r || r->is_body_refused)
        return 0; /* its stream's window stays shut */
    http_request_body_bytes(r, str_n((const char *)p, len));
    r->body_last_ms = now_ms(c);
    if (r->is_body_wanted && !r->is_body_refused)
        (void)nghttp2_session_consume_stream(s, id, len);
    return 0;
}

/* Cancelling is cheap for the peer and dear for us: so it is counted. */
static void count_reset(struct http2 *c)
{
    int64_t now = now_ms(c);

    if (now - c->resets_since_ms >= HTTP2_RESET_WINDOW_MS) {
        c->resets_since_ms = now;
        c->resets = 0;
    }
    if (++c->resets > c->core.env->limits->resets_per_minute && !c->is_failed) {
        c->is_failed = true;
        (void)nghttp2_session_terminate_session(c->session, NGHTTP2_ENHANCE_YOUR_CALM);
    }
}

static int on_stream_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
    struct http2 *c = arg;
    struct http_request *r = request_of(c, id);

    (void)s;
    if (!r)
        return 0;
    if (!r->is_answered && code != NGHTTP2_NO_ERROR)
        count_reset(c);
    end_request(c, r, r->is_answered ? 0 : ERR_CLOSED);
    return 0;
}

/* A header block or frame that nghttp2 refused also costs us work. */
static int on_invalid_frame(nghttp2_session *s, const nghttp2_frame *f, int code, void *arg)
{
    struct http2 *c = arg;

    (void)s, (void)f, (void)code;
    c->header_start_ms = 0;
    count_reset(c);
    return 0;
}

/* --- what goes out --- */

static ssize_t read_bytes(struct http_request *r, uint8_t *p, size_t size, uint32_t *flags)
{
    struct str rest = str_tail(r->answer.body, r->answer_sent);

    rest.len = MIN(rest.len, size);
    if (rest.len)
        memcpy(p, rest.p, rest.len);
    r->answer_sent += rest.len;
    if (r->answer_sent == r->answer.body.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        r->is_answered = true;
    }
    return (ssize_t)rest.len;
}

/* What the source gave and no frame has taken yet stays in r->pulled. */
static ssize_t read_source(struct http2 *c, struct http_request *r, uint8_t *p, size_t size,
                           uint32_t *flags)
{
    struct http_answer *a = &r->answer;
    int what = HTTP_SOURCE_MORE;
    size_t n;

    while (what == HTTP_SOURCE_MORE && !r->is_pulled_whole && r->pulled.len < size) {
        size_t before = r->pulled.len;

        what = a->source->pull(a->source, &r->pulled, size - before);
        if (what < 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        if (what == HTTP_SOURCE_END)
            r->is_pulled_whole = true;
        r->answer_pulled += r->pulled.len - before;
        if (what == HTTP_SOURCE_MORE && r->pulled.len == before)
            break; /* it had nothing after all */
    }
    if (a->content_length >= 0 &&
        (r->answer_pulled > (uint64_t)a->content_length ||
         (r->is_pulled_whole && r->answer_pulled != (uint64_t)a->content_length)))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    n = MIN(r->pulled.len, size);
    if (n) {
        memcpy(p, r->pulled.p, n);
        buf_drop(&r->pulled, n);
    }
    if (r->pulled.len == 0)
        buf_done(&r->pulled);
    if (r->is_pulled_whole && r->pulled.len == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        r->is_answered = true;
    } else if (n == 0) {
        r->is_pull_waiting = what == HTTP_SOURCE_WAIT;
        r->is_deferred = true;
        c->pulls_again |= what == HTTP_SOURCE_MORE;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

static ssize_t on_read(nghttp2_session *s, int32_t id, uint8_t *p, size_t size, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    struct http2 *c = arg;
    struct http_request *r = request_of(c, id);

    (void)s, (void)source;
    if (!r)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    r->answer_last_ms = now_ms(c);
    return r->answer.source ? read_source(c, r, p, size, flags) : read_bytes(r, p, size, flags);
}

/* After the last frame of an answer whose request still goes on: the rest is not wanted. */
static int on_frame_sent(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
    struct http2 *c = arg;
    struct http_request *r;

    (void)s;
    if ((f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) ||
        !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    r = request_of(c, f->hd.stream_id);
    if (r && !r->is_body_whole)
        reset_stream(c, r->stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static nghttp2_nv nv_of(struct str name, struct str value)
{
    /* nghttp2 copies both, and its type is not const. */
    return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p,
                         .namelen = name.len,
                         .value = (uint8_t *)(uintptr_t)value.p,
                         .valuelen = value.len };
}

static int submit_answer(struct http2 *c, struct http_request *r)
{
    struct http_answer *a = &r->answer;
    nghttp2_nv *nv = ARENA_NEW_ARRAY(&r->arena, nghttp2_nv, a->n_headers + 3);
    nghttp2_data_provider body = { .read_callback = on_read };
    bool has_body = a->status != 204 && a->status != 304 && !str_eq(r->method, STR("HEAD")) &&
                    (a->source || a->body.len);
    struct str date = http_env_date(c->core.env);
    char status[16], length[24];
    size_t n = 0;

    (void)snprintf(status, sizeof(status), "%d", a->status);
    nv[n++] = nv_of(STR(":status"), str_from_cstr(status));
    for (size_t i = 0; i < a->n_headers; i++)
        if (!http_header_is_framing(a->headers[i].name))
            nv[n++] = nv_of(a->headers[i].name, a->headers[i].value);
    if (date.p && !http_answer_has(a, STR("date")))
        nv[n++] = nv_of(STR("date"), date);
    if (a->content_length >= 0 && a->status != 204 && a->status != 304) {
        (void)snprintf(length, sizeof(length), "%lld", (long long)a->content_length);
        nv[n++] = nv_of(STR("content-length"), str_from_cstr(length));
    }
    if (!has_body)
        r->is_answered = true;
    return nghttp2_submit_response(c->session, r->stream_id, nv, n, has_body ? &body : NULL);
}

static void respond(struct http_core *core, struct http_request *r)
{
    struct http2 *c = http2_of(core);

    if (submit_answer(c, r) != 0)
        reset_stream(c, r->stream_id, NGHTTP2_INTERNAL_ERROR);
    core->env->wake(core->env);
}

static void wake(struct http_core *core, struct http_request *r)
{
    struct http2 *c = http2_of(core);

    if (r->is_deferred) {
        r->is_deferred = false;
        (void)nghttp2_session_resume_data(c->session, r->stream_id);
    }
    core->env->wake(core->env);
}

static void want_body(struct http_core *core, struct http_request *r)
{
    struct http2 *c = http2_of(core);

    if (r->body.len)
        (void)nghttp2_session_consume_stream(c->session, r->stream_id, r->body.len);
    core->env->wake(core->env);
}

static void refuse_body(struct http_core *core, struct http_request *r)
{
    (void)core, (void)r; /* its window stays shut; the stream is reset behind the answer */
}

/* --- the core --- */

static int feed(struct http_core *core, struct str bytes)
{
    struct http2 *c = http2_of(core);
    ssize_t n;

    if (c->is_failed)
        return ERR_PROTOCOL;
    c->was_fed = true;
    n = nghttp2_session_mem_recv(c->session, (const uint8_t *)bytes.p, bytes.len);
    if (n < 0 || (size_t)n != bytes.len) {
        c->is_failed = true;
        return ERR_PROTOCOL;
    }
    return 0;
}

/* True: there are some. */
static bool resume_pulls(struct http2 *c)
{
    if (!c->pulls_again)
        return false;
    c->pulls_again = false;
    LIST_FOREACH(n, &c->requests) {
        struct http_request *r = CONTAINER_OF(n, struct http_request, link);

        if (r->is_deferred && !r->is_pull_waiting) {
            r->is_deferred = false;
            (void)nghttp2_session_resume_data(c->session, r->stream_id);
        }
    }
    return true;
}

static bool produce(struct http_core *core, struct buf *out)
{
    struct http2 *c = http2_of(core);
    bool again;

    while (out->len < HTTP_OUT_MARK_BYTES) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(c->session, &p);

        if (n < 0) {
            c->is_failed = true;
            return false;
        }
        if (n == 0)
            break;
        buf_append(out, p, (size_t)n);
    }
    again = resume_pulls(c);
    return again || (nghttp2_session_want_write(c->session) && out->len >= HTTP_OUT_MARK_BYTES);
}

static void on_eof(struct http_core *core)
{
    http2_of(core)->is_failed = true;
}

static bool wants_read(const struct http_core *core)
{
    return !CONTAINER_OF(core, const struct http2, core)->is_failed;
}

static bool is_over(const struct http_core *core)
{
    const struct http2 *c = CONTAINER_OF(core, const struct http2, core);

    if (c->is_failed ||
        (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session)))
        return true;
    return c->is_leaving && c->n_requests == 0 && !nghttp2_session_want_write(c->session);
}

static bool is_idle(const struct http_core *core)
{
    return CONTAINER_OF(core, const struct http2, core)->n_requests == 0;
}

static void goodbye(struct http_core *core)
{
    struct http2 *c = http2_of(core);
    int32_t last = nghttp2_session_get_last_proc_stream_id(c->session);

    if (c->is_leaving)
        return;
    c->is_leaving = true;
    (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    LIST_FOREACH_SAFE(n, &c->requests)
        http_source_wake(CONTAINER_OF(n, struct http_request, link));
    core->env->wake(core->env);
}

/* When is this stream late? What it waits for must be the peer's doing. */
static int64_t stream_due(struct http2 *c, struct http_request *r)
{
    const struct http_limits *limits = c->core.env->limits;

    if (r->is_body_wanted && !r->is_body_done)
        return r->body_last_ms + limits->body_timeout_ms;
    if (r->answer.status && !r->is_answered && !r->is_deferred)
        return r->answer_last_ms + limits->write_timeout_ms; /* its window is shut */
    return INT64_MAX;
}

static int64_t check_time(struct http_core *core, int64_t now)
{
    struct http2 *c = http2_of(core);
    const struct http_limits *limits = core->env->limits;
    int64_t due = INT64_MAX;

    if (c->header_start_ms)
        due = c->header_start_ms + limits->header_timeout_ms;
    else if (c->n_requests == 0)
        due = c->idle_since_ms + (c->was_fed ? limits->idle_timeout_ms : limits->header_timeout_ms);
    if (due <= now) {
        (void)nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
        core->env->wake(core->env);
        return INT64_MAX;
    }
    LIST_FOREACH_SAFE(n, &c->requests) {
        struct http_request *r = CONTAINER_OF(n, struct http_request, link);
        int64_t stream = stream_due(c, r);

        if (stream > now) {
            due = MIN(due, stream);
        } else if (r->is_body_wanted && !r->is_body_done) {
            r->is_body_refused = true;
            http_request_body_fail(r, ERR_TIMEOUT);
        } else {
            reset_stream(c, r->stream_id, NGHTTP2_CANCEL);
        }
    }
    return due;
}

static void core_free(struct http_core *core)
{
    struct http2 *c = http2_of(core);
    struct list *n;

    c->is_failed = true;
    while ((n = list_first(&c->requests)))
        end_request(c, CONTAINER_OF(n, struct http_request, link), ERR_CLOSED);
    nghttp2_session_del(c->session);
    mem_free(c);
}

static const struct http_core_ops ops = {
    .feed = feed,
    .on_eof = on_eof,
    .produce = produce,
    .wants_read = wants_read,
    .is_over = is_over,
    .is_idle = is_idle,
    .goodbye = goodbye,
    .check_time = check_time,
    .free = core_free,
    .respond = respond,
    .wake = wake,
    .want_body = want_body,
    .refuse_body = refuse_body,
};

static nghttp2_session *session_new(struct http2 *c)
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
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, 64 * 1024);
    if (nghttp2_session_server_new3(&s, cb, c, option, &c->memory.mem) != 0)
        abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    return s;
}

struct http_core *http2_core_new(struct http_env *env)
{
    struct http2 *c = NEW(struct http2);
    nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, env->limits->streams },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_STREAM_WINDOW_BYTES },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, env->limits->header_bytes },
    };

    c->core = (struct http_core){ .ops = &ops, .env = env };
    list_init(&c->requests);
    c->idle_since_ms = c->resets_since_ms = now_ms(c);
    http2_memory_init(&c->memory);
    c->session = session_new(c);
    (void)nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    (void)nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
                                                HTTP2_CONNECTION_WINDOW_BYTES);
    return &c->core;
}
