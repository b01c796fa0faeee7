/* One connection of a client: dialled, TLS shaken hands, then bytes between its socket and its
 * core. What it writes is gathered in one task at the end of a turn; it is freed in that task or
 * with the client, never under a callback's feet. */
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/http_client_internal.h"
#include "io/tls.h"

enum {
    CONNECTION_READS_PER_TURN = 4,
    CONNECTION_WRITES_PER_TURN = 4,
    CONNECTION_KEPT_BYTES = 256 * 1024, /* the client's buffer that grew beyond is given back */
};

void http_client_connection_work_soon(struct http_client_connection *n)
{
    if (!n->client->is_freed)
        loop_task_post(n->client->loop, &n->work);
}

/* The connection is gone; its first reason stands. */
static void die(struct http_client_connection *n, int result, const char *text)
{
    if (!n->is_dead) {
        n->is_dead = true;
        (void)err_set(&n->err, result, "%s:%u: %s", n->client->address, n->client->port,
                      text && text[0] ? text : err_name(result));
    }
    http_client_connection_work_soon(n);
}

void http_client_connection_free(struct http_client_connection *n, int result, const char *text)
{
    list_remove(&n->link);
    if (n->core) {
        n->core->ops->lost(n->core, result, text);
        n->core->ops->free(n->core);
    }
    loop_timer_stop(&n->timer);
    loop_task_cancel(&n->work); /* ending calls may have woken it */
    tcp_stream_close(&n->tcp);
    tls_session_free(n->tls);
    buf_done(&n->out);
    mem_free(n);
}

/* --- what a core needs --- */

static int64_t env_now_ms(struct http_client_env *env)
{
    return loop_now_ms(CONTAINER_OF(env, struct http_client_connection, env)->client->loop);
}

static void env_wake(struct http_client_env *env)
{
    http_client_connection_work_soon(CONTAINER_OF(env, struct http_client_connection, env));
}

static void env_on_finish(struct http_client_env *env, struct http_call *call,
                          enum http_call_fate fate, int result, const char *text)
{
    struct http_client_connection *n = CONTAINER_OF(env, struct http_client_connection, env);

    http_client_connection_work_soon(n);
    http_client_work_soon(n->client); /* there is room, or one connection too many */
    http_client_finish(n->client, call, fate, result, text);
}

/* --- writing --- */

static bool send_bytes(struct http_client_connection *n, const char *p, size_t len)
{
    ssize_t sent = 0;

    if (len == 0)
        return true;
    if (n->out.len == 0)
        sent = tcp_stream_write(&n->tcp, p, len);
    if (sent < 0) {
        die(n, (int)sent, NULL);
        return false;
    }
    buf_append(&n->out, p + sent, len - (size_t)sent);
    return true;
}

static bool send_waiting(struct http_client_connection *n)
{
    CLEANUP(buf_done) struct buf out = n->out;

    n->out = (struct buf){ 0 };
    return send_bytes(n, out.p, out.len);
}

static bool send_plain(struct http_client_connection *n, struct str plain)
{
    struct buf *cipher = &n->client->cipher;
    struct err err;
    bool ok;

    if (!n->tls)
        return send_bytes(n, plain.p, plain.len);
    buf_reset(cipher);
    if (tls_session_write(n->tls, plain, cipher, &err) < 0) {
        die(n, ERR_PROTOCOL, err.text);
        return false;
    }
    ok = send_bytes(n, cipher->p, cipher->len);
    if (cipher->cap > CONNECTION_KEPT_BYTES)
        buf_done(cipher);
    return ok;
}

/* True: there is more to do at once. */
static bool write_some(struct http_client_connection *n)
{
    struct buf *plain = &n->client->plain;
    bool more = true;

    for (int i = 0; i < CONNECTION_WRITES_PER_TURN && more; i++) {
        if (!send_waiting(n) || n->out.len || !n->core)
            return false;
        buf_reset(plain);
        more = n->core->ops->produce(n->core, plain);
        if (!send_plain(n, buf_str(plain)))
            return false;
        if (plain->cap > CONNECTION_KEPT_BYTES)
            buf_done(plain);
    }
    return more && !n->out.len;
}

/* --- its beginning --- */

static void open_core(struct http_client_connection *n)
{
    struct http_client *c = n->client;
    bool is_h2 = n->tls ? str_eq(tls_session_alpn(n->tls), STR("h2")) : c->is_plain_h2;

    if (n->is_h1_only)
        is_h2 = false;
    n->version = is_h2 ? 2 : 1;
    if (!n->is_h1_only)
        c->version = n->version;
    n->core = is_h2 ? http2_client_new(&n->env) : http1_client_new(&n->env);
    if (n->is_retired)
        n->core->ops->goodbye(n->core);
    http_client_work_soon(c);
}

static void take_tls(struct http_client_connection *n, struct str bytes);

static void on_connected(struct http_client_connection *n)
{
    const struct http_client_limits *l = &n->client->limits;
    int r = tcp_stream_connected(&n->tcp);

    if (r == -EINPROGRESS)
        return;
    if (r < 0) {
        die(n, r, NULL);
        return;
    }
    n->is_connected = true;
    tcp_stream_detect_death(&n->tcp, l->ping_after_ms, l->ping_timeout_ms);
    if (!n->client->tls) {
        open_core(n);
        return;
    }
    n->tls = tls_session_new(n->client->tls, n->client->server_name);
    if (n->is_h1_only)
        tls_session_without_h2(n->tls);
    take_tls(n, STR("")); /* the first word is ours */
}

/* --- reading --- */

static void feed(struct http_client_connection *n, struct str bytes)
{
    struct err err = { 0 };

    if (!n->core)
        open_core(n);
    if (bytes.len && n->core->ops->feed(n->core, bytes, &err) < 0)
        die(n, err.code, err.text);
}

static void take_tls(struct http_client_connection *n, struct str bytes)
{
    CLEANUP(buf_done) struct buf plain = { 0 }, cipher = { 0 };
    struct err err = { 0 };
    int r = tls_session_read(n->tls, bytes, &plain, &cipher, &err);

    if (!send_bytes(n, cipher.p, cipher.len))
        return;
    if (tls_session_is_open(n->tls) && (plain.len || !n->core))
        feed(n, buf_str(&plain));
    if (r == ERR_CLOSED && n->core)
        n->core->ops->on_eof(n->core);
    if (r < 0)
        die(n, r, r == ERR_CLOSED ? NULL : err.text);
}

static void read_some(struct http_client_connection *n)
{
    char *scratch = loop_scratch(n->client->loop);

    for (int i = 0; i < CONNECTION_READS_PER_TURN && !n->is_dead; i++) {
        ssize_t got = tcp_stream_read(&n->tcp, scratch, LOOP_SCRATCH_BYTES);

        if (got == -EAGAIN)
            return;
        if (got < 0) {
            die(n, (int)got, NULL);
        } else if (got == 0) {
            if (!n->tls && n->core)
                n->core->ops->on_eof(n->core);
            die(n, ERR_CLOSED, NULL);
        } else if (n->tls) {
            take_tls(n, str_n(scratch, (size_t)got));
        } else {
            feed(n, str_n(scratch, (size_t)got));
        }
        if (got < LOOP_SCRATCH_BYTES || (n->core && !n->core->ops->wants_read(n->core)))
            return;
    }
}

static void on_event(struct tcp_stream *s, int events)
{
    struct http_client_connection *n = CONTAINER_OF(s, struct http_client_connection, tcp);

    if (!n->is_connected)
        on_connected(n);
    else if (events & LOOP_READABLE)
        read_some(n);
    http_client_connection_work_soon(n);
}

/* --- work --- */

/* Frees it. */
static void end_connection(struct http_client_connection *n)
{
    struct http_client *c = n->client;

    LOG_DEBUG("HTTP connection ends", KV("error", n->err.text));
    list_remove(&n->link); /* calls that its end sends elsewhere must not find it */
    if (!n->core)
        http_client_dial_failed(n);
    http_client_connection_free(n, n->err.code, n->err.text);
    http_client_work_soon(c);
}

static void say_goodbye(struct http_client_connection *n)
{
    CLEANUP(buf_done) struct buf bye = { 0 };

    if (n->tls)
        tls_session_end(n->tls, &bye);
    (void)send_bytes(n, bye.p, bye.len);
    die(n, ERR_CLOSED, NULL);
}

static void arm(struct http_client_connection *n)
{
    int64_t now = loop_now_ms(n->client->loop), due;
    struct err err = { 0 };

    if (!n->core)
        due = n->start_ms + n->client->limits.connect_timeout_ms;
    else
        due = n->core->ops->check_time(n->core, now, &err);
    if (due < 0)
        die(n, err.code, err.text);
    else if (!n->core && due <= now)
        die(n, ERR_TIMEOUT,
            n->is_connected ? "the TLS handshake takes too long"
                            : "the connection is not answered");
    else if (due == INT64_MAX)
        loop_timer_stop(&n->timer);
    else
        loop_timer_start(&n->timer, due - now);
}

static void on_work(struct loop_task *t)
{
    struct http_client_connection *n = CONTAINER_OF(t, struct http_client_connection, work);
    int want = 0;
    bool more = false;

    if (!n->is_dead && n->is_connected)
        more = write_some(n);
    if (!n->is_dead && n->core && n->core->ops->is_over(n->core) && n->out.len == 0)
        say_goodbye(n);
    if (!n->is_dead)
        arm(n);
    if (n->is_dead) {
        end_connection(n);
        return;
    }
    if (!n->is_connected || n->out.len)
        want |= LOOP_WRITABLE;
    if (n->is_connected && (!n->core || n->core->ops->wants_read(n->core)))
        want |= LOOP_READABLE;
    tcp_stream_want(&n->tcp, want);
    if (more)
        http_client_connection_work_soon(n);
    if (n->core && n->core->ops->room(n->core) && http_client_has_waiting(n->client))
        http_client_work_soon(n->client);
}

static void on_timer(struct loop_timer *t)
{
    http_client_connection_work_soon(CONTAINER_OF(t, struct http_client_connection, timer));
}

void http_client_connection_new(struct http_client *c, bool is_h1_only)
{
    struct http_client_connection *n = NEW(struct http_client_connection);
    struct err err = { 0 };

    n->client = c;
    n->is_h1_only = is_h1_only;
    n->start_ms = loop_now_ms(c->loop);
    n->env = (struct http_client_env){
        .limits = &c->limits,
        .host = c->host,
        .is_tls = c->tls != NULL,
        .now_ms = env_now_ms,
        .wake = env_wake,
        .on_finish = env_on_finish,
    };
    list_init(&n->link);
    list_append(&c->connections, &n->link);
    loop_task_init(&n->work, on_work);
    loop_timer_init(&n->timer, c->loop, on_timer);
    if (tcp_stream_connect(&n->tcp, c->loop, c->address, c->port, on_event, &err) < 0)
        die(n, err.code, err.text);
    http_client_connection_work_soon(n);
}
