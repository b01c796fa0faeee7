/* HTTP/1.1, the client's side of one connection, sans-I/O: one call at a time. llhttp parses; it
 * pauses at the end of each answer, because what follows unasked makes the connection useless. What
 * it lets pass although two readers could read it differently (bare LF, folded lines, a length said
 * twice, other codings than chunked) is refused here. After a "101" that the call took the core is
 * a tunnel. */
#include <llhttp.h>

#include "base/mem.h"
#include "http/http_client_internal.h"

struct http1_client {
    struct http_client_core core;
    llhttp_t parser;
    struct http_call *call; /* being sent or answered */
    struct buf field, value;
    char last; /* the byte before, while in a head */
    bool is_in_head;
    bool is_head_sent; /* the request's */
    bool has_byte;     /* of this answer */
    bool is_paused;    /* the parser; it goes on without new bytes */
    bool is_head_new;  /* a head is in, not yet looked at */
    bool is_message_over;
    bool is_over;
    bool is_leaving; /* no further call */
    int failure;     /* why a callback stopped the parser */
    const char *failure_text;
    int64_t idle_since_ms;
    struct http_tunnel *tunnel;
    bool is_tunnel_open; /* its user's call has ended: callbacks may begin */
    struct buf early;    /* came for the tunnel */
};

static struct http1_client *http1_of(struct http_client_core *core)
{
    return CONTAINER_OF(core, struct http1_client, core);
}

static const struct http1_client *http1_const(const struct http_client_core *core)
{
    return CONTAINER_OF(core, const struct http1_client, core);
}

static int64_t now_ms(struct http1_client *c)
{
    return c->core.env->now_ms(c->core.env);
}

static int stop(struct http1_client *c, int failure, const char *text)
{
    c->failure = failure;
    c->failure_text = text;
    return HPE_USER;
}

/* --- llhttp's callbacks --- */

static int on_message_begin(llhttp_t *p)
{
    struct http1_client *c = p->data;

    buf_reset(&c->field);
    buf_reset(&c->value);
    return 0;
}

static int gather(struct http1_client *c, struct buf *b, const char *p, size_t len)
{
    uint32_t limit = c->core.env->limits->header_bytes;

    if (len > limit || c->call->answer_header_bytes + c->field.len + c->value.len + len > limit)
        return stop(c, ERR_TOO_LARGE, "the answer's head is too large");
    buf_append(b, p, len);
    return 0;
}

static int on_status(llhttp_t *p, const char *at, size_t len)
{
    struct http1_client *c = p->data;

    (void)at;
    c->call->answer_header_bytes += len;
    return gather(c, &c->value, at, 0);
}

static int on_header_field(llhttp_t *p, const char *at, size_t len)
{
    struct http1_client *c = p->data;

    return gather(c, &c->field, at, len);
}

static int on_header_value(llhttp_t *p, const char *at, size_t len)
{
    struct http1_client *c = p->data;

    return gather(c, &c->value, at, len);
}

static int on_header_value_complete(llhttp_t *p)
{
    struct http1_client *c = p->data;

    if (!c->is_in_head) /* a trailer: dropped, and counted */
        c->call->answer_header_bytes += c->field.len + c->value.len;
    else if (http_call_add_header(c->call, buf_str(&c->field), str_trim(buf_str(&c->value))) < 0)
        return stop(c, ERR_TOO_LARGE, "the answer's head is too large");
    buf_reset(&c->field);
    buf_reset(&c->value);
    return 0;
}

/* NULL, or what makes the head ambiguous. */
static const char *check_head(struct http1_client *c)
{
    size_t n_te = 0, n_cl = 0;

    VEC_FOREACH(struct http_header *, h, &c->call->answer_headers) {
        if (str_eq(h->name, STR("content-length"))) {
            uint64_t n;

            n_cl++;
            if (!str_to_u64(h->value, &n))
                return "the answer's content-length is no number";
        } else if (str_eq(h->name, STR("transfer-encoding"))) {
            n_te++;
            if (!str_eq_nocase(h->value, STR("chunked")))
                return "the answer's transfer coding is not supported";
        }
    }
    if (n_cl > 1 || n_te > 1 || (n_cl && n_te))
        return "the answer's length is said more than once";
    if (c->parser.http_major != 1 || c->parser.http_minor > 1)
        return "the answer's HTTP version is not supported";
    return NULL;
}

static int on_headers_complete(llhttp_t *p)
{
    struct http1_client *c = p->data;

    c->is_in_head = false;
    c->is_head_new = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct http1_client *c = p->data;

    (void)http_call_body(c->call, str_n(at, len));
    return 0;
}

static int on_message_complete(llhttp_t *p)
{
    struct http1_client *c = p->data;

    c->is_message_over = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_status = on_status,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- answers --- */

static void finish(struct http1_client *c, int result, const char *text)
{
    bool is_silent = result < 0 && c->core.was_used && !c->has_byte;

    if (!c->call)
        return;
    c->idle_since_ms = now_ms(c);
    if (result == 0)
        c->core.was_used = true;
    http_call_finish(TAKE(c->call), is_silent ? HTTP_CALL_SILENT : HTTP_CALL_ENDED, result, text);
}

/* The answer is whole: the connection is free for the next call, or done. */
static void end_exchange(struct http1_client *c, size_t n_left)
{
    if (n_left || !c->call->is_sent || !llhttp_should_keep_alive(&c->parser))
        c->is_over = true;
    buf_done(&c->field);
    buf_done(&c->value);
    finish(c, 0, NULL);
    if (c->is_leaving)
        c->is_over = true;
}

static void wake_tunnel(void *owner)
{
    struct http1_client *c = owner;

    c->core.env->wake(c->core.env);
}

static void open_tunnel(struct http1_client *c, struct str rest)
{
    c->tunnel = TAKE(c->call->tunnel);
    c->tunnel->wake = wake_tunnel;
    c->tunnel->owner = c;
    buf_append_str(&c->early, rest);
    finish(c, 0, NULL);
    c->core.env->wake(c->core.env);
}

static int broken(struct http1_client *c, struct err *err)
{
    c->is_over = true;
    if (c->failure)
        return err_set(err, c->failure, "%s", c->failure_text);
    return err_set(err, ERR_PROTOCOL, "the answer is no HTTP/1.1: %s",
                   llhttp_get_error_reason(&c->parser));
}

/* A head is in, and paused behind. */
static int take_head(struct http1_client *c, struct err *err)
{
    struct http_call *call = c->call;
    int status = c->parser.status_code;
    const char *wrong = check_head(c);

    if (wrong)
        return err_set(err, ERR_PROTOCOL, "%s", wrong);
    if (status < 200 && status != 101) {
        http_call_clear_headers(call);
        c->parser.flags |= F_SKIPBODY;
        return 0;
    }
    if (status == 101 && (!call->upgrade.len || !c->parser.upgrade))
        return err_set(err, ERR_PROTOCOL, "the server switches protocols unasked");
    if (status == 101 || status == 204 || status == 304 || str_eq(call->method, STR("HEAD")))
        c->parser.flags |= F_SKIPBODY; /* whatever the head says of a body */
    call->status = status;
    call->may_take_tunnel = status == 101;
    http_call_show_head(call, 1);
    call->may_take_tunnel = false;
    if (status == 101 && !call->tunnel)
        return err_set(err, ERR_PROTOCOL, "the server switches protocols, to no use");
    return 0;
}

/* One step of the parser: to the next pause or through all bytes. */
static int parse(struct http1_client *c, struct str *bytes, struct err *err)
{
    bool was_in_head = c->is_in_head;
    size_t used = bytes->len;
    llhttp_errno_t e;

    c->is_paused = c->is_head_new = c->is_message_over = false;
    if (llhttp_get_errno(&c->parser) == HPE_PAUSED)
        llhttp_resume(&c->parser);
    e = llhttp_execute(&c->parser, bytes->p, bytes->len);
    if (e != HPE_OK) {
        const char *at = llhttp_get_error_pos(&c->parser);

        used = at && at >= bytes->p && at <= bytes->p + bytes->len ? (size_t)(at - bytes->p) : 0;
    }
    if (e != HPE_OK && e != HPE_PAUSED && e != HPE_PAUSED_UPGRADE)
        return broken(c, err);
    if (was_in_head && !http1_lines_are_clean(&c->last, str_n(bytes->p, used)))
        return err_set(err, ERR_PROTOCOL, "a line of the answer's head ends wrongly");
    *bytes = str_tail(*bytes, used);
    c->is_paused = e == HPE_PAUSED;
    if (c->is_head_new)
        return take_head(c, err);
    if (c->call->tunnel && (c->is_message_over || e == HPE_PAUSED_UPGRADE)) {
        open_tunnel(c, *bytes);
    } else if (c->is_message_over) {
        c->is_in_head = true; /* of what follows an interim answer */
        c->last = '\0';
        if (c->call->status)
            end_exchange(c, bytes->len);
    }
    return 0;
}

static int feed(struct http_client_core *core, struct str bytes, struct err *err)
{
    struct http1_client *c = http1_of(core);
    int r = 0;

    if (c->tunnel) {
        buf_append_str(&c->early, bytes);
        if (!c->tunnel->is_paused && c->is_tunnel_open)
            http_tunnel_take(c->tunnel, &c->early);
        return 0;
    }
    if (c->is_over)
        return 0;
    if (!c->call) {
        c->is_over = true; /* words unasked: a goodbye, or an answer to nothing */
        return 0;
    }
    c->has_byte = true;
    do
        r = parse(c, &bytes, err);
    while (r == 0 && c->call && (bytes.len || c->is_paused));
    if (r < 0)
        c->is_over = true;
    return r;
}

static void on_eof(struct http_client_core *core)
{
    struct http1_client *c = http1_of(core);

    c->is_over = true;
    if (c->tunnel) {
        http_tunnel_take(c->tunnel, &c->early);
        http_tunnel_end(TAKE(c->tunnel), 0);
    } else if (c->call && c->call->status && llhttp_finish(&c->parser) == HPE_PAUSED &&
               c->is_message_over) {
        end_exchange(c, 0); /* a body whose end is the connection's */
    }
}

/* --- requests --- */

static void append_request_head(struct http1_client *c, struct buf *out)
{
    struct http_call *call = c->call;

    buf_append_str(out, call->method);
    buf_append_char(out, ' ');
    buf_append_str(out, call->path);
    buf_append_lit(out, " HTTP/1.1\r\n");
    http1_append_header(out, STR("host"), call->host.p ? call->host : c->core.env->host);
    for (size_t i = 0; i < call->n_headers; i++)
        http1_append_header(out, call->headers[i].name, call->headers[i].value);
    if (call->upgrade.len) {
        http1_append_header(out, STR("connection"), STR("Upgrade"));
        http1_append_header(out, STR("upgrade"), call->upgrade);
    } else if (call->content_length < 0) {
        http1_append_header(out, STR("transfer-encoding"), STR("chunked"));
    } else if (call->content_length > 0 || !http_call_is_repeatable(call)) {
        buf_append_lit(out, "content-length: ");
        buf_append_u64(out, (unsigned long long)call->content_length);
        buf_append_lit(out, "\r\n");
    }
    buf_append_lit(out, "\r\n");
    c->is_head_sent = true;
    call->is_sent = !call->source && call->body.len == 0;
}

/* True: ask again. */
static bool append_body(struct http1_client *c, struct buf *out)
{
    struct http_call *call = c->call;
    bool is_chunked = call->content_length < 0;
    size_t at = out->len, skip = is_chunked ? HTTP1_CHUNK_HEAD_BYTES : 0;
    int what;

    (void)buf_reserve(out, skip);
    out->len += skip;
    what = http_call_pull(call, out, HTTP_PULL_HINT_BYTES);
    if (what < 0) {
        out->len = at;
        c->is_over = true;
        finish(c, ERR_CANCELED, "the request's body failed");
        return false;
    }
    if (is_chunked)
        http1_frame_chunk(out, at);
    if (what == HTTP_SOURCE_END) {
        if (is_chunked)
            buf_append_lit(out, "0\r\n\r\n");
        call->is_sent = true;
    }
    return what == HTTP_SOURCE_MORE;
}

static bool produce_tunnel(struct http1_client *c, struct buf *out)
{
    bool is_closed = false, more;

    c->is_tunnel_open = true;
    if (!c->tunnel->is_paused)
        http_tunnel_take(c->tunnel, &c->early);
    more = http_tunnel_produce(c->tunnel, out, &is_closed);
    if (is_closed) {
        c->is_over = true;
        http_tunnel_end(TAKE(c->tunnel), 0);
    }
    return more;
}

static bool produce(struct http_client_core *core, struct buf *out)
{
    struct http1_client *c = http1_of(core);

    if (c->tunnel)
        return produce_tunnel(c, out);
    if (!c->call || c->is_over)
        return false;
    if (!c->is_head_sent)
        append_request_head(c, out);
    while (out->len < HTTP_OUT_MARK_BYTES) {
        if (c->call->is_sent || c->call->is_pull_waiting)
            return false;
        if (!append_body(c, out))
            return false;
    }
    return true;
}

/* --- the core --- */

static bool wants_read(const struct http_client_core *core)
{
    const struct http1_client *c = http1_const(core);

    if (c->tunnel)
        return !c->tunnel->is_paused;
    return !c->call || !c->call->is_head_shown || !(c->call->is_paused || c->call->held.len);
}

static bool is_over(const struct http_client_core *core)
{
    return http1_const(core)->is_over;
}

static bool is_idle(const struct http_client_core *core)
{
    return !http1_const(core)->call && !http1_const(core)->tunnel;
}

static bool is_leaving(const struct http_client_core *core)
{
    const struct http1_client *c = http1_const(core);

    return c->is_over || c->is_leaving || c->tunnel;
}

static bool is_tunnel(const struct http_client_core *core)
{
    return http1_const(core)->tunnel != NULL;
}

static size_t room(const struct http_client_core *core)
{
    const struct http1_client *c = http1_const(core);

    return c->call || is_leaving(core) ? 0 : 1;
}

static void start(struct http_client_core *core, struct http_call *call)
{
    struct http1_client *c = http1_of(core);

    call->core = core;
    c->call = call;
    c->is_head_sent = c->has_byte = c->is_paused = false;
    c->is_in_head = true;
    c->last = '\0';
    c->failure = 0;
    llhttp_init(&c->parser, HTTP_RESPONSE, &settings);
    c->parser.data = c;
    core->env->wake(core->env);
}

static void goodbye(struct http_client_core *core)
{
    struct http1_client *c = http1_of(core);

    c->is_leaving = true;
    if (is_idle(core))
        c->is_over = true;
    core->env->wake(core->env);
}

static int64_t check_time(struct http_client_core *core, int64_t now, struct err *err)
{
    struct http1_client *c = http1_of(core);
    int64_t due;

    (void)err;
    if (c->is_over || !is_idle(core))
        return INT64_MAX;
    due = c->idle_since_ms + core->env->limits->idle_timeout_ms;
    if (due > now)
        return due;
    c->is_over = true;
    core->env->wake(core->env);
    return INT64_MAX;
}

static void lost(struct http_client_core *core, int result, const char *text)
{
    struct http1_client *c = http1_of(core);

    c->is_over = true;
    if (c->tunnel)
        http_tunnel_end(TAKE(c->tunnel), result);
    finish(c, result, text);
}

static void core_free(struct http_client_core *core)
{
    struct http1_client *c = http1_of(core);

    buf_done(&c->field);
    buf_done(&c->value);
    buf_done(&c->early);
    mem_free(c);
}

/* An exchange cut short leaves the connection of no use. */
static void cancel(struct http_client_core *core, struct http_call *call)
{
    struct http1_client *c = http1_of(core);

    call->core = NULL;
    c->call = NULL;
    c->is_over = true;
    core->env->wake(core->env);
}

static void wake(struct http_client_core *core, struct http_call *call)
{
    (void)call;
    core->env->wake(core->env);
}

static void took(struct http_client_core *core, struct http_call *call, size_t n)
{
    (void)call, (void)n;
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

struct http_client_core *http1_client_new(struct http_client_env *env)
{
    struct http1_client *c = NEW(struct http1_client);

    c->core = (struct http_client_core){ .ops = &ops, .env = env };
    c->idle_since_ms = now_ms(c);
    return &c->core;
}
