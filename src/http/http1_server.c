/* HTTP/1.1, the server's side of one connection, sans-I/O. llhttp parses; it pauses behind the
 * headers and at the end of each message, so that nothing of ours runs inside its callbacks, and
 * one request is open at a time: pipelined bytes wait in `in`. What llhttp lets pass although two
 * readers could read it differently (bare LF, folded lines, other codings than chunked) is refused
 * here. After http_upgrade() the core is a tunnel. */
#include <assert.h>
#include <llhttp.h>

#include "base/err.h"
#include "base/mem.h"
#include "http/http_internal.h"

enum {
    HTTP1_IN_MARK_BYTES = 64 * 1024,  /* no more is read while so much waits */
    HTTP1_DISCARD_BYTES = 256 * 1024, /* of a body nobody wants, rather than to close */
};

enum http1_state { HTTP1_IDLE, HTTP1_HEADERS, HTTP1_BODY, HTTP1_WHOLE };

struct http1 {
    struct http_core core;
    llhttp_t parser;
    enum http1_state state;
    struct buf in;
    struct http_request *req;
    struct buf url, field, value; /* being read */
    char last;                    /* the byte before, while in the headers */
    bool is_paused;               /* by our callbacks; resume before going on */
    bool is_too_large;
    bool wants_100; /* the client waits for "100 Continue" */
    bool is_http10;
    bool is_closing; /* after this answer */
    bool is_over;
    bool is_head_sent;    /* the answer's */
    bool is_chunked;      /* the answer */
    bool is_discarding;   /* the rest of the request's body */
    uint64_t answer_sent; /* body bytes */
    int64_t header_start_ms, idle_since_ms;
    struct buf early; /* interim answers and refusals */
    struct http_tunnel *tunnel;
};

static struct http1 *http1_of(struct http_core *core)
{
    return CONTAINER_OF(core, struct http1, core);
}

static int64_t now_ms(struct http1 *c)
{
    return c->core.env->now_ms(c->core.env);
}

/* Ends the connection with a refusal, unless an answer has begun. */
static void refuse(struct http1 *c, int status)
{
    if (!c->is_head_sent) {
        const char *text = http_status_text(status);

        buf_printf(&c->early,
                   "HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\n"
                   "connection: close\r\ncontent-length: %zu\r\n\r\n%d %s",
                   status, text, strlen(text) + 4, status, text);
    }
    c->is_over = true;
    buf_reset(&c->in);
    if (c->req)
        http_request_end(TAKE(c->req), ERR_PROTOCOL);
}

/* --- llhttp's callbacks --- */

static int on_message_begin(llhttp_t *p)
{
    struct http1 *c = p->data;

    c->state = HTTP1_HEADERS;
    c->req = http_request_new(&c->core, 1);
    c->is_head_sent = c->is_chunked = c->is_discarding = c->wants_100 = false;
    c->answer_sent = 0;
    buf_reset(&c->url);
    buf_reset(&c->field);
    buf_reset(&c->value);
    return 0;
}

static int gather(struct http1 *c, struct buf *b, const char *p, size_t len)
{
    const struct http_limits *limits = c->core.env->limits;

    if (len > limits->header_bytes ||
        c->req->header_bytes + c->url.len + c->field.len + c->value.len + len >
            limits->header_bytes) {
        c->is_too_large = true;
        return HPE_USER;
    }
    buf_append(b, p, len);
    return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
    struct http1 *c = p->data;

    return gather(c, &c->url, at, len);
}

static int on_header_field(llhttp_t *p, const char *at, size_t len)
{
    struct http1 *c = p->data;

    /* A trailer of a chunked body: it means nothing to us, but may not grow for ever. */
    return gather(c, &c->field, at, len);
}

static int on_header_value(llhttp_t *p, const char *at, size_t len)
{
    struct http1 *c = p->data;

    return gather(c, &c->value, at, len);
}

static int on_header_value_complete(llhttp_t *p)
{
    struct http1 *c = p->data;

    if (c->state != HTTP1_HEADERS) {
        c->req->header_bytes += c->field.len + c->value.len;
    } else if (http_request_add_header(c->req, buf_str(&c->field), str_trim(buf_str(&c->value))) <
               0) {
        c->is_too_large = true;
        return HPE_USER;
    }
    buf_reset(&c->field);
    buf_reset(&c->value);
    return 0;
}

static int on_headers_complete(llhttp_t *p)
{
    struct http1 *c = p->data;

    c->state = HTTP1_BODY;
    c->is_paused = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct http1 *c = p->data;

    if (c->req) {
        c->req->body_last_ms = now_ms(c);
        http_request_body_bytes(c->req, str_n(at, len));
    }
    return 0;
}

static int on_message_complete(llhttp_t *p)
{
    struct http1 *c = p->data;

    c->state = HTTP1_WHOLE;
    c->is_paused = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- requests --- */

/* 0, or the status to refuse with. */
static int check_headers(struct http1 *c)
{
    struct http_request *r = c->req;
    size_t n_host = 0, n_te = 0, n_cl = 0;

    VEC_FOREACH(struct http_header *, h, &r->headers) {
        if (str_eq(h->name, STR("host"))) {
            n_host++;
        } else if (str_eq(h->name, STR("content-length"))) {
            uint64_t n;

            n_cl++;
            if (!str_to_u64(h->value, &n) || n > INT64_MAX)
                return 400;
            r->body_expected = (int64_t)n;
        } else if (str_eq(h->name, STR("transfer-encoding"))) {
            n_te++;
            if (!str_eq_nocase(h->value, STR("chunked")))
                return 501;
        } else if (str_eq(h->name, STR("expect"))) {
            if (!str_eq_nocase(h->value, STR("100-continue")))
                return 417;
            c->wants_100 = !c->is_http10;
        }
    }
    if (n_cl > 1 || n_te > 1 || (n_cl && n_te) || (c->is_http10 && n_te))
        return 400;
    if (n_host > 1 || (n_host == 0 && !c->is_http10))
        return 400;
    if (c->parser.method == HTTP_CONNECT)
        return 501;
    if (c->parser.http_major != 1 || c->parser.http_minor > 1)
        return 505;
    if (n_te == 0 && r->body_expected < 0)
        r->body_expected = 0;
    r->is_upgradable = c->parser.upgrade && r->body_expected == 0;
    return 0;
}

/* "http://host/path" (as to a proxy) becomes "/path". */
static struct str origin_form(struct str url)
{
    ptrdiff_t at;

    if (url.len && url.p[0] == '/')
        return url;
    at = str_find_str(url, STR("://"));
    if (at < 0)
        return url; /* "*" */
    url = str_tail(url, (size_t)at + 3);
    at = str_find(url, '/');
    return at < 0 ? STR("/") : str_tail(url, (size_t)at);
}

static void open_request(struct http1 *c)
{
    struct http_request *r = c->req;
    int status;

    c->is_http10 = c->parser.http_major == 1 && c->parser.http_minor == 0;
    status = check_headers(c);
    if (status) {
        refuse(c, status);
        return;
    }
    r->method = str_from_cstr(llhttp_method_name((llhttp_method_t)c->parser.method));
    http_request_set_target(r, origin_form(buf_str(&c->url)));
    r->is_body_whole = r->body_expected == 0;
    if (!llhttp_should_keep_alive(&c->parser) && !r->is_upgradable)
        c->is_closing = true;
    buf_done(&c->url);
    buf_done(&c->field);
    buf_done(&c->value);
    http_request_show(r);
}

/* May the parser go on? It waits for a body to be wanted, and for an answer to end. */
static bool may_parse(struct http1 *c)
{
    if (c->is_over || c->tunnel)
        return false;
    if (c->state == HTTP1_WHOLE)
        return false;
    if (c->state == HTTP1_BODY)
        return c->req->body_expected == 0 || c->is_discarding ||
               (c->req->is_body_wanted && !c->req->is_body_refused);
    return true;
}

static void parse_failed(struct http1 *c)
{
    http_request_body_fail(c->req ? c->req : &(struct http_request){ 0 }, ERR_PROTOCOL);
    refuse(c, c->is_too_large ? 431 : 400);
}

/* One step of the parser over what waits. */
static void parse_step(struct http1 *c)
{
    enum http1_state before = c->state;
    llhttp_errno_t e;
    size_t used;

    if (c->is_paused) {
        if (llhttp_get_errno(&c->parser) == HPE_PAUSED)
            llhttp_resume(&c->parser);
        c->is_paused = false;
    }
    e = llhttp_execute(&c->parser, c->in.p, c->in.len);
    used = c->in.len;
    if (e != HPE_OK) {
        const char *at = llhttp_get_error_pos(&c->parser);

        used = at && c->in.p ? (size_t)(at - c->in.p) : 0;
    }
    if (e == HPE_PAUSED_UPGRADE)
        c->is_paused = true;
    else if (e != HPE_OK && e != HPE_PAUSED) {
        parse_failed(c);
        return;
    }
    if (before <= HTTP1_HEADERS && !http1_lines_are_clean(&c->last, str_n(c->in.p, used))) {
        refuse(c, 400);
        return;
    }
    buf_drop(&c->in, used);
    if (before <= HTTP1_HEADERS && c->state >= HTTP1_BODY)
        open_request(c);
    if (c->state == HTTP1_WHOLE && c->req && !c->req->is_body_whole)
        http_request_body_end(c->req);
}

static void process(struct http1 *c)
{
    while (may_parse(c) && (c->in.len || c->state == HTTP1_BODY)) {
        size_t len = c->in.len;
        enum http1_state state = c->state;

        if (c->state == HTTP1_IDLE && !c->header_start_ms)
            c->header_start_ms = now_ms(c);
        if (c->in.len == 0)
            (void)buf_reserve(&c->in, 1); /* memmove and llhttp want a pointer */
        parse_step(c);
        if (c->in.len == len && c->state == state)
            break; /* a body's bytes have yet to come */
    }
    if (c->in.len == 0 && c->in.cap)
        buf_done(&c->in);
}

/* --- answers --- */

static bool has_no_body(struct http1 *c)
{
    int status = c->req->answer.status;

    return status == 204 || status == 304 || http_request_method_is(c->req, STR("HEAD"));
}

static void append_status(struct http1 *c, struct buf *out)
{
    struct http_answer *a = &c->req->answer;
    struct str date = http_env_date(c->core.env);

    buf_append_lit(out, "HTTP/1.1 ");
    buf_append_u64(out, (unsigned long long)a->status);
    buf_append_char(out, ' ');
    buf_append_str(out, str_from_cstr(http_status_text(a->status)));
    buf_append_lit(out, "\r\n");
    for (size_t i = 0; i < a->n_headers; i++)
        if (a->status == 101 || !http_header_is_framing(a->headers[i].name))
            http1_append_header(out, a->headers[i].name, a->headers[i].value);
    if (date.p && !http_answer_has(a, STR("date")))
        http1_append_header(out, STR("date"), date);
}

/* The body that nobody reads: taken and dropped when that is cheap, else the connection ends. */
static void settle_request_body(struct http1 *c)
{
    struct http_request *r = c->req;

    if (c->state == HTTP1_WHOLE || r->is_body_whole || (r->is_body_wanted && !r->is_body_refused))
        return;
    if (c->wants_100 || r->body_expected < 0 || r->body_expected > HTTP1_DISCARD_BYTES) {
        c->is_closing = true;
        return;
    }
    r->is_body_refused = true;
    c->is_discarding = true;
}

static void append_head(struct http1 *c, struct buf *out)
{
    struct http_answer *a = &c->req->answer;

    settle_request_body(c);
    append_status(c, out);
    if (a->status != 204 && a->status != 304) {
        if (a->content_length >= 0) {
            buf_append_lit(out, "content-length: ");
            buf_append_u64(out, (unsigned long long)a->content_length);
            buf_append_lit(out, "\r\n");
        } else if (c->is_http10) {
            c->is_closing = true; /* the end is the end of the connection */
        } else {
            c->is_chunked = true;
            buf_append_lit(out, "transfer-encoding: chunked\r\n");
        }
    }
    if (c->is_closing)
        buf_append_lit(out, "connection: close\r\n");
    else if (c->is_http10)
        buf_append_lit(out, "connection: keep-alive\r\n");
    buf_append_lit(out, "\r\n");
    c->is_head_sent = true;
    if (has_no_body(c))
        c->req->is_answered = true;
}

static void append_bytes(struct http1 *c, struct buf *out)
{
    struct str rest = str_tail(c->req->answer.body, c->answer_sent);
    size_t room = out->len < HTTP_OUT_MARK_BYTES ? HTTP_OUT_MARK_BYTES - out->len : 0;

    rest.len = MIN(rest.len, room);
    buf_append_str(out, rest);
    c->answer_sent += rest.len;
    c->req->is_answered = c->answer_sent == c->req->answer.body.len;
}

static void abort_answer(struct http1 *c)
{
    c->is_over = true; /* a body cut short: the peer must see that it is */
    http_request_end(TAKE(c->req), ERR_CANCELED);
}

static void pull_once(struct http1 *c, struct buf *out)
{
    struct http_request *r = c->req;
    struct http_answer *a = &r->answer;
    size_t at = out->len, skip = c->is_chunked ? HTTP1_CHUNK_HEAD_BYTES : 0;
    size_t got;
    int what;

    (void)buf_reserve(out, skip);
    out->len += skip;
    what = a->source->pull(a->source, out, HTTP_PULL_HINT_BYTES);
    got = out->len - at - skip;
    if (what < 0 || got > HTTP1_CHUNK_MAX_BYTES ||
        (a->content_length >= 0 && got > (uint64_t)a->content_length - c->answer_sent)) {
        out->len = at;
        abort_answer(c);
        return;
    }
    c->answer_sent += got;
    if (c->is_chunked)
        http1_frame_chunk(out, at);
    if (what == HTTP_SOURCE_WAIT) {
        r->is_pull_waiting = true;
    } else if (what == HTTP_SOURCE_END) {
        if (a->content_length >= 0 && c->answer_sent != (uint64_t)a->content_length) {
            abort_answer(c);
            return;
        }
        if (c->is_chunked)
            buf_append_lit(out, "0\r\n\r\n");
        r->is_answered = true;
    }
}

static void end_exchange(struct http1 *c)
{
    bool is_whole = c->state == HTTP1_WHOLE;

    if (!is_whole && (c->is_discarding || c->req->is_body_whole) && !c->is_closing)
        return; /* when the rest of the body has come */
    http_request_end(TAKE(c->req), 0);
    c->state = HTTP1_IDLE;
    c->last = '\0';
    c->header_start_ms = 0;
    c->idle_since_ms = now_ms(c);
    if (c->is_closing || !is_whole) {
        c->is_over = true;
        return;
    }
    /* After an upgrade that was offered and not taken, llhttp stands behind the message. */
    if (llhttp_get_errno(&c->parser) == HPE_PAUSED_UPGRADE)
        llhttp_resume_after_upgrade(&c->parser);
    else if (llhttp_get_errno(&c->parser) == HPE_PAUSED)
        llhttp_resume(&c->parser);
    llhttp_init(&c->parser, HTTP_REQUEST, &settings);
    c->parser.data = c;
    c->is_paused = false;
}

/* --- tunnels --- */

static void tunnel_wake(void *owner)
{
    struct http1 *c = owner;

    c->core.env->wake(c->core.env);
}

static void tunnel_end(struct http1 *c, int result)
{
    if (c->tunnel)
        c->is_over = true;
    http_tunnel_end(TAKE(c->tunnel), result);
}

static bool tunnel_produce(struct http1 *c, struct buf *out)
{
    bool is_over = false, more;

    if (c->req)
        http_request_end(TAKE(c->req), 0);
    if (!c->tunnel->is_paused)
        http_tunnel_take(c->tunnel, &c->in);
    more = http_tunnel_produce(c->tunnel, out, &is_over);
    if (is_over)
        tunnel_end(c, 0);
    return more;
}

int http_upgrade(struct http_request *r, const struct http_header *headers, size_t n,
                 const struct http_tunnel_ops *ops, void *arg, struct http_tunnel **ret)
{
    struct http_tunnel *t;
    struct http1 *c;

    if (!r->core)
        return ERR_CLOSED;
    if (r->version != 1 || !r->is_upgradable || r->answer.status)
        return ERR_UNSUPPORTED;
    c = http1_of(r->core);
    t = http_tunnel_new(ops, arg, tunnel_wake, c);
    r->answer = (struct http_answer){ .status = 101 };
    r->answer.headers = ARENA_NEW_ARRAY(&r->arena, struct http_header, n);
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(headers[i].name, STR("connection")))
            continue;
        r->answer.headers[r->answer.n_headers++] = headers[i];
    }
    append_status(c, &t->out);
    buf_append_lit(&t->out, "connection: Upgrade\r\n\r\n");
    c->tunnel = t;
    c->is_head_sent = true;
    c->core.env->wake(c->core.env);
    *ret = t;
    return 0;
}

/* --- the core --- */

static int feed(struct http_core *core, struct str bytes)
{
    struct http1 *c = http1_of(core);

    if (c->is_over)
        return 0;
    buf_append_str(&c->in, bytes);
    if (c->tunnel) {
        if (!c->tunnel->is_paused && !c->req)
            http_tunnel_take(c->tunnel, &c->in);
    } else {
        process(c);
    }
    return 0;
}

static bool produce(struct http_core *core, struct buf *out)
{
    struct http1 *c = http1_of(core);

    while (!c->is_over && out->len < HTTP_OUT_MARK_BYTES) {
        struct http_request *r;

        if (c->tunnel)
            return tunnel_produce(c, out);
        process(c);
        buf_append_str(out, buf_str(&c->early));
        buf_done(&c->early);
        r = c->req;
        if (!r || !r->answer.status || c->tunnel)
            return c->tunnel != NULL;
        if (r->is_answered) {
            enum http1_state before = c->state;

            end_exchange(c);
            if (c->req)
                return before != c->state;
            continue;
        }
        if (!c->is_head_sent)
            append_head(c, out);
        if (r->is_answered)
            continue;
        if (!r->answer.source)
            append_bytes(c, out);
        else if (r->is_pull_waiting)
            return false;
        else
            pull_once(c, out);
    }
    buf_append_str(out, buf_str(&c->early));
    buf_done(&c->early);
    return !c->is_over;
}

static void on_eof(struct http_core *core)
{
    struct http1 *c = http1_of(core);

    c->is_over = true;
    if (c->tunnel) {
        http_tunnel_take(c->tunnel, &c->in);
        tunnel_end(c, 0);
    }
    if (c->req)
        http_request_end(TAKE(c->req), ERR_CLOSED);
}

static bool wants_read(const struct http_core *core)
{
    const struct http1 *c = CONTAINER_OF(core, const struct http1, core);

    if (c->tunnel && c->tunnel->is_paused)
        return false;
    return !c->is_over && c->in.len < HTTP1_IN_MARK_BYTES;
}

static bool is_over(const struct http_core *core)
{
    return CONTAINER_OF(core, const struct http1, core)->is_over;
}

static bool is_idle(const struct http_core *core)
{
    const struct http1 *c = CONTAINER_OF(core, const struct http1, core);

    return c->state == HTTP1_IDLE && !c->header_start_ms && !c->tunnel;
}

static void goodbye(struct http_core *core)
{
    struct http1 *c = http1_of(core);

    c->is_closing = true;
    if (c->tunnel)
        http_tunnel_close(c->tunnel);
    else if (c->state == HTTP1_IDLE)
        c->is_over = true;
    else if (c->req)
        http_source_wake(c->req);
    c->core.env->wake(c->core.env);
}

static int64_t check_time(struct http_core *core, int64_t now)
{
    struct http1 *c = http1_of(core);
    const struct http_limits *limits = core->env->limits;
    int64_t due = INT64_MAX;

    if (c->is_over || c->tunnel)
        return INT64_MAX;
    if (c->header_start_ms && c->state <= HTTP1_HEADERS) {
        due = c->header_start_ms + limits->header_timeout_ms;
        if (due <= now)
            refuse(c, 408);
    } else if (c->state == HTTP1_IDLE) {
        due = c->idle_since_ms + limits->idle_timeout_ms;
        if (due <= now)
            c->is_over = true;
    } else if (c->state == HTTP1_BODY && may_parse(c) && c->req->body_expected != 0) {
        due = c->req->body_last_ms + limits->body_timeout_ms;
        if (due <= now) {
            c->is_closing = true;
            c->req->is_body_refused = true;
            http_request_body_fail(c->req, ERR_TIMEOUT);
            if (c->is_discarding)
                c->is_over = true;
        }
    }
    return c->is_over || due <= now ? INT64_MAX : due;
}

static void core_free(struct http_core *core)
{
    struct http1 *c = http1_of(core);

    tunnel_end(c, ERR_CLOSED);
    if (c->req)
        http_request_end(TAKE(c->req), ERR_CLOSED);
    buf_done(&c->in);
    buf_done(&c->url);
    buf_done(&c->field);
    buf_done(&c->value);
    buf_done(&c->early);
    mem_free(c);
}

static void respond(struct http_core *core, struct http_request *r)
{
    (void)r;
    core->env->wake(core->env);
}

static void want_body(struct http_core *core, struct http_request *r)
{
    struct http1 *c = http1_of(core);

    (void)r;
    if (c->wants_100 && !c->is_head_sent)
        buf_append_lit(&c->early, "HTTP/1.1 100 Continue\r\n\r\n");
    c->wants_100 = false;
    core->env->wake(core->env);
}

static void refuse_body(struct http_core *core, struct http_request *r)
{
    struct http1 *c = http1_of(core);

    (void)r;
    c->is_closing = true;
}

static void wake(struct http_core *core, struct http_request *r)
{
    (void)r;
    core->env->wake(core->env);
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

struct http_core *http1_core_new(struct http_env *env)
{
    struct http1 *c = NEW(struct http1);

    c->core = (struct http_core){ .ops = &ops, .env = env };
    llhttp_init(&c->parser, HTTP_REQUEST, &settings);
    c->parser.data = c;
    c->idle_since_ms = now_ms(c);
    return &c->core;
}
