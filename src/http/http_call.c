/* A call as its user sees it, and as the protocol cores feed it. */
#include "base/mem.h"
#include "http/http_client_internal.h"

enum {
    HTTP_CALL_METHOD_BYTES = 32,
    HTTP_CALL_PATH_BYTES = 64 * 1024,
    HTTP_CALL_INTERIM_BYTES = 256,
};

/* --- its making --- */

/* RFC 9110's token. */
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
            (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.len != 0;
}

static bool is_target(struct str s)
{
    if (s.len == 0 || s.len > HTTP_CALL_PATH_BYTES || s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '#')
            return false;
    return true;
}

static bool is_sound(const struct http_call_options *o)
{
    if (!is_token(o->method) || o->method.len > HTTP_CALL_METHOD_BYTES || !is_target(o->path) ||
        str_eq(o->method, STR("CONNECT")))
        return false;
    for (size_t i = 0; i < o->n_headers; i++)
        if (!is_token(o->headers[i].name))
            return false;
    if (o->upgrade.len && (o->body.len || o->source))
        return false;
    for (size_t i = 0; i < o->upgrade.len; i++)
        if ((unsigned char)o->upgrade.p[i] < ' ')
            return false;
    return !(o->body.len && o->source);
}

static void copy_headers(struct http_call *c, const struct http_call_options *o)
{
    c->headers = ARENA_NEW_ARRAY(&c->arena, struct http_header, o->n_headers);
    for (size_t i = 0; i < o->n_headers; i++) {
        const struct http_header *h = &o->headers[i];
        struct str value = http_header_clean_value(&c->arena, str_trim(h->value));

        if (str_eq_nocase(h->name, STR("host")))
            c->host = value;
        else if (!http_header_is_framing(h->name) && !str_eq_nocase(h->name, STR("te")))
            c->headers[c->n_headers++] =
                (struct http_header){ .name = http_header_lower_name(&c->arena, h->name),
                                      .value = value };
    }
}

static void on_resume(struct loop_task *t);

int http_call_new(const struct http_call_options *o, struct http_call **ret)
{
    struct http_call *c;

    if (!is_sound(o))
        return ERR_INVALID;
    c = NEW(struct http_call);
    arena_init(&c->arena, 0); /* what the peer adds to it is bounded by its header limits */
    list_init(&c->link);
    list_init(&c->abort_link);
    loop_task_init(&c->resume, on_resume);
    c->ops = o->ops;
    c->arg = o->arg;
    c->method = str_dup(&c->arena, o->method);
    c->path = str_dup(&c->arena, o->path);
    c->upgrade = str_dup(&c->arena, o->upgrade);
    c->body = str_dup(&c->arena, o->body);
    c->source = o->source;
    c->content_length = o->source ? MAX(o->content_length, -1) : (int64_t)o->body.len;
    copy_headers(c, o);
    *ret = c;
    return 0;
}

static void drop_source(struct http_call *c)
{
    struct http_source *s = TAKE(c->source);

    if (s)
        s->done(s);
}

void http_call_free(struct http_call *c)
{
    if (!c)
        return;
    list_remove(&c->link);
    list_remove(&c->abort_link);
    loop_task_cancel(&c->resume);
    if (c->deadline.loop)
        loop_timer_stop(&c->deadline);
    drop_source(c);
    http_tunnel_end(TAKE(c->tunnel), ERR_CLOSED);
    VEC_DONE(&c->answer_headers);
    buf_done(&c->unsent);
    buf_done(&c->held);
    arena_done(&c->arena);
    mem_free(c);
}

/* --- sending it again --- */

bool http_call_is_repeatable(const struct http_call *c)
{
    static const struct str methods[] = { STR_INIT("GET"), STR_INIT("HEAD"), STR_INIT("OPTIONS"),
                                          STR_INIT("TRACE") };

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (str_eq(c->method, methods[i]))
            return true;
    return false;
}

bool http_call_may_resend(const struct http_call *c)
{
    return !c->was_pulled && !c->is_head_shown;
}

void http_call_reset(struct http_call *c)
{
    c->stream_id = 0;
    c->sent = 0;
    c->pulled = 0;
    c->is_pull_waiting = c->is_pulled_whole = c->is_deferred = c->is_sent = false;
    c->status = c->version = 0;
    buf_done(&c->unsent);
    VEC_CLEAR(&c->answer_headers);
    c->answer_header_bytes = 0;
}

/* --- what cores do with it --- */

int http_call_add_header(struct http_call *c, struct str name, struct str value)
{
    const struct http_client_limits *limits = c->core->env->limits;

    c->answer_header_bytes += name.len + value.len;
    if (c->answer_header_bytes > limits->header_bytes ||
        c->answer_headers.len >= limits->header_count)
        return ERR_TOO_LARGE;
    VEC_PUSH(&c->answer_headers,
             (struct http_header){ .name = http_header_lower_name(&c->arena, name),
                                   .value = str_dup(&c->arena, value) });
    return 0;
}

/* Their bytes still count, and each costs some: interim answers must not go on without end. */
void http_call_clear_headers(struct http_call *c)
{
    VEC_CLEAR(&c->answer_headers);
    c->answer_header_bytes += HTTP_CALL_INTERIM_BYTES;
}

static int pull_source(struct http_call *c, struct buf *out, size_t room)
{
    size_t before = out->len, got;
    int what;

    c->was_pulled = true;
    what = c->source->pull(c->source, out, room);
    if (what < 0)
        return what;
    got = out->len - before;
    c->pulled += got;
    if (got > HTTP1_CHUNK_MAX_BYTES ||
        (c->content_length >= 0 && c->pulled > (uint64_t)c->content_length))
        return ERR_INVALID;
    if (what == HTTP_SOURCE_END) {
        if (c->content_length >= 0 && c->pulled != (uint64_t)c->content_length)
            return ERR_INVALID;
        c->is_pulled_whole = true;
    }
    if (what == HTTP_SOURCE_MORE && got == 0)
        what = HTTP_SOURCE_WAIT; /* it had nothing after all */
    c->is_pull_waiting = what == HTTP_SOURCE_WAIT;
    return what;
}

int http_call_pull(struct http_call *c, struct buf *out, size_t room)
{
    struct str rest;

    if (c->source)
        return pull_source(c, out, room);
    rest = str_tail(c->body, c->sent);
    rest.len = MIN(rest.len, room);
    buf_append_str(out, rest);
    c->sent += rest.len;
    return c->sent == c->body.len ? HTTP_SOURCE_END : HTTP_SOURCE_MORE;
}

void http_call_show_head(struct http_call *c, int version)
{
    c->version = version;
    c->is_head_shown = true;
    if (c->abort)
        return;
    c->ops->on_head(c, c->status, c->answer_headers.items, c->answer_headers.len, c->arg);
}

bool http_call_body(struct http_call *c, struct str bytes)
{
    if (c->abort || bytes.len == 0)
        return true;
    if (c->is_paused || c->held.len) {
        buf_append_str(&c->held, bytes);
        return false;
    }
    c->ops->on_body(c, bytes, c->arg);
    return true;
}

void http_call_finish(struct http_call *c, enum http_call_fate fate, int result, const char *text)
{
    struct http_client_env *env = c->core->env;

    c->core = NULL;
    list_remove(&c->link);
    env->on_finish(env, c, fate, result, text ? text : err_name(result));
}

/* --- what its user does with it --- */

static void on_resume(struct loop_task *t)
{
    struct http_call *c = CONTAINER_OF(t, struct http_call, resume);
    struct buf held = c->held;

    if (c->is_paused || c->abort)
        return;
    c->held = (struct buf){ 0 };
    if (held.len)
        c->ops->on_body(c, buf_str(&held), c->arg);
    if (c->core)
        c->core->ops->took(c->core, c, held.len);
    else if (c->is_ending)
        http_client_end_call(c, c->result, "");
    buf_done(&held);
}

void http_call_set_reading(struct http_call *c, bool is_on)
{
    c->is_paused = !is_on;
    if (is_on && c->client)
        loop_task_post(c->client->loop, &c->resume);
}

void http_call_wake(struct http_call *c)
{
    if (!c->core || !c->is_pull_waiting)
        return;
    c->is_pull_waiting = false;
    c->core->ops->wake(c->core, c);
}

int http_call_version(const struct http_call *c)
{
    return c->version;
}

int http_call_take_tunnel(struct http_call *c, const struct http_tunnel_ops *ops, void *arg,
                          struct http_tunnel **ret)
{
    if (!c->may_take_tunnel || c->tunnel)
        return ERR_UNSUPPORTED;
    c->tunnel = http_tunnel_new(ops, arg, NULL, NULL); /* the core, its owner, is told on return */
    *ret = c->tunnel;
    return 0;
}
