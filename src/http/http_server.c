/* Connections: accepted on the first loop, handed to the loop with the fewest, then theirs for
 * good. A connection moves bytes between socket, TLS and a protocol core. Everything it writes is
 * gathered in one task at the end of a turn, through buffers that its worker (one per loop) lends,
 * so that only what the socket refused stays with the connection. It is freed in that task alone,
 * never under a callback's feet. */
#include "http/http_server.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/refcount.h"
#include "http/http_internal.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "io/tcp.h"
#include "io/tls.h"

enum {
    CONNECTION_READS_PER_TURN = 4,
    CONNECTION_WRITES_PER_TURN = 4,
    CONNECTION_PIECES = 64,      /* encrypted apart, written at once */
    CONNECTION_LINGER_MS = 1000, /* for the peer to read our last words before a reset */
    CONNECTION_PEER_BYTES = 64,
    CONNECTION_KEPT_BYTES = 256 * 1024, /* a worker's buffer that grew beyond is given back */
};

struct http_worker {
    struct http_server *server;
    struct loop *loop;
    atomic_uint load; /* connections; also those under way to it */
    struct list connections;
    struct buf plain, cipher; /* lent to the connection at work */
    bool is_leaving;
};

struct http_server {
    struct refcount refs; /* by its owner and by messages under way */
    struct http_server_options options;
    struct http_worker *workers;
    struct VEC(struct tcp_listener *) listeners;
    atomic_uint n_connections;
    atomic_uint n_messages; /* goodbyes under way */
    atomic_bool is_stopping;
    atomic_bool is_freed;
    struct loop_timer grace;
    void (*done)(void *arg);
    void *done_arg;
};

struct http_connection {
    struct http_env env;
    struct http_worker *worker;
    struct list link;
    struct tcp_stream tcp;
    struct tls_session *tls; /* NULL: plain */
    struct http_core *core;  /* NULL: not known yet which */
    struct buf out;          /* what the socket did not take */
    struct loop_task work;
    struct loop_timer timer;
    int64_t start_ms, write_ms;
    bool was_read;  /* something has come */
    bool is_dead;   /* free without a word */
    bool is_ending; /* close once out is empty */
    bool is_lingering;
    char peer[CONNECTION_PEER_BYTES];
};

/* --- messages between loops --- */

enum worker_news { NEWS_ACCEPTED, NEWS_GOODBYE, NEWS_KILL, NEWS_GONE };

struct worker_message {
    struct mailbox_message msg;
    struct http_worker *worker;
    enum worker_news news;
    int fd;
    char peer[CONNECTION_PEER_BYTES];
};

static void on_message(struct mailbox_message *m);

static void server_unref(struct http_server *s)
{
    if (!refcount_unref(&s->refs))
        return;
    mem_free(s->workers);
    mem_free(s);
}

static void tell(struct http_worker *w, enum worker_news news, int fd, const char *peer)
{
    struct worker_message *m = NEW(struct worker_message);

    refcount_ref(&w->server->refs);
    m->msg.fn = on_message;
    m->worker = w;
    m->news = news;
    m->fd = fd;
    (void)snprintf(m->peer, sizeof(m->peer), "%s", peer);
    mailbox_post(loop_mailbox(w->loop), &m->msg);
}

/* --- a connection's end --- */

static void connection_free(struct http_connection *c)
{
    struct http_worker *w = c->worker;
    struct http_server *s = w->server;

    loop_timer_stop(&c->timer);
    loop_task_cancel(&c->work);
    if (c->core)
        c->core->ops->free(c->core);
    loop_task_cancel(&c->work); /* ending requests may have woken it */
    loop_timer_stop(&c->timer);
    tcp_stream_close(&c->tcp);
    tls_session_free(c->tls);
    buf_done(&c->out);
    list_remove(&c->link);
    mem_free(c);
    (void)atomic_fetch_sub(&w->load, 1);
    if (atomic_fetch_sub(&s->n_connections, 1) == 1 && atomic_load(&s->is_stopping) &&
        !atomic_load(&s->is_freed))
        tell(&s->workers[0], NEWS_GONE, -1, "");
}

static void post_work(struct http_connection *c)
{
    loop_task_post(c->worker->loop, &c->work);
}

static void kill_connection(struct http_connection *c)
{
    c->is_dead = true;
    post_work(c);
}

/* --- what a core needs --- */

static int64_t env_now_ms(struct http_env *env)
{
    return loop_now_ms(env->loop);
}

static void env_wake(struct http_env *env)
{
    post_work(CONTAINER_OF(env, struct http_connection, env));
}

static void env_on_request(struct http_env *env, struct http_request *r)
{
    struct http_connection *c = CONTAINER_OF(env, struct http_connection, env);
    const struct http_server_options *o = &c->worker->server->options;

    o->on_request(r, o->arg);
}

static bool env_identity(struct http_env *env, struct http_peer_identity *ret)
{
    struct http_connection *c = CONTAINER_OF(env, struct http_connection, env);
    struct tls_peer peer;

    *ret = (struct http_peer_identity){ .is_stranger =
                                            c->tls && tls_session_peer_is_stranger(c->tls) };
    if (!c->tls || !tls_session_peer(c->tls, &peer))
        return false;
    *ret = (struct http_peer_identity){
        .common_name = peer.common_name,
        .organizations = peer.organizations,
        .n_organizations = peer.n_organizations,
        .der = peer.der,
    };
    return true;
}

/* --- writing --- */

/* Sends what it can; the rest stays in c->out. False: the connection is dead. */
static bool send_bytes(struct http_connection *c, const char *p, size_t len)
{
    ssize_t n = 0;

    if (len == 0)
        return true;
    if (c->out.len == 0)
        n = tcp_stream_write(&c->tcp, p, len);
    if (n < 0) {
        c->is_dead = true;
        return false;
    }
    if (n > 0 || c->out.len == 0)
        c->write_ms = loop_now_ms(c->worker->loop);
    buf_append(&c->out, p + n, len - (size_t)n);
    return true;
}

static bool send_waiting(struct http_connection *c)
{
    ssize_t n;

    if (c->out.len == 0)
        return true;
    n = tcp_stream_write(&c->tcp, c->out.p, c->out.len);
    if (n < 0) {
        c->is_dead = true;
        return false;
    }
    if (n > 0)
        c->write_ms = loop_now_ms(c->worker->loop);
    buf_drop(&c->out, (size_t)n);
    if (!c->out.len)
        buf_done(&c->out);
    return true;
}

/* Takes from the core what one write may carry, encrypted piece by piece. True: there is more. */
static bool gather(struct http_connection *c, struct buf *out)
{
    struct buf *plain = &c->worker->plain;
    struct err err;
    bool more = true;

    for (int i = 0; i < CONNECTION_PIECES && more && out->len < HTTP_OUT_MARK_BYTES; i++) {
        if (!c->tls) {
            more = c->core->ops->produce(c->core, out);
            continue;
        }
        buf_reset(plain);
        more = c->core->ops->produce(c->core, plain);
        if (tls_session_write(c->tls, buf_str(plain), out, &err) < 0)
            c->is_dead = true;
        if (plain->cap > CONNECTION_KEPT_BYTES)
            buf_done(plain);
        if (c->is_dead)
            return false;
    }
    return more;
}

/* True: there is more to do at once. */
static bool write_some(struct http_connection *c)
{
    struct buf *out = &c->worker->cipher;
    bool more = true;

    for (int i = 0; i < CONNECTION_WRITES_PER_TURN && more; i++) {
        if (!send_waiting(c) || c->out.len || !c->core)
            return false;
        buf_reset(out);
        more = gather(c, out);
        if (c->is_dead || !send_bytes(c, out->p, out->len))
            return false;
        if (out->cap > CONNECTION_KEPT_BYTES)
            buf_done(out);
    }
    return more && !c->out.len;
}

/* Our last words are said: wait for the peer to read them. */
static void linger(struct http_connection *c)
{
    CLEANUP(buf_done) struct buf bye = { 0 };

    c->is_lingering = true;
    if (c->tls)
        tls_session_end(c->tls, &bye);
    if (bye.len && !send_bytes(c, bye.p, bye.len))
        return;
    buf_done(&c->out); /* a goodbye that finds no room goes unsaid */
    tcp_stream_shutdown(&c->tcp);
    loop_timer_start(&c->timer, CONNECTION_LINGER_MS);
}

static int64_t shortest_ms(const struct http_limits *l)
{
    return MIN(MIN(l->header_timeout_ms, l->idle_timeout_ms),
               MIN(l->body_timeout_ms, l->write_timeout_ms));
}

static void on_work(struct loop_task *t)
{
    struct http_connection *c = CONTAINER_OF(t, struct http_connection, work);
    int64_t soon;
    bool more;

    if (c->is_dead) {
        connection_free(c);
        return;
    }
    if (c->is_lingering)
        return;
    more = write_some(c);
    if (!c->is_dead && c->core && c->core->ops->is_over(c->core))
        c->is_ending = true;
    if (!c->is_dead && c->is_ending && c->out.len == 0)
        linger(c);
    if (c->is_dead) {
        connection_free(c);
        return;
    }
    tcp_stream_want(
        &c->tcp,
        (c->out.len ? LOOP_WRITABLE : 0) |
            (c->is_lingering || !c->core || c->core->ops->wants_read(c->core) ? LOOP_READABLE : 0));
    if (c->is_lingering)
        return;
    if (more)
        post_work(c);
    /* The timer is set to the soonest that may be late, and looks then what really is. */
    soon = shortest_ms(c->env.limits);
    if (!c->timer.node.place || c->timer.due_ms > loop_now_ms(c->worker->loop) + soon)
        loop_timer_start(&c->timer, soon);
}

static void on_timer(struct loop_timer *t)
{
    struct http_connection *c = CONTAINER_OF(t, struct http_connection, timer);
    int64_t now = loop_now_ms(c->worker->loop), due = INT64_MAX;
    bool was_over;

    if (c->is_lingering) {
        kill_connection(c);
        return;
    }
    if (!c->core) {
        due = c->start_ms + c->env.limits->header_timeout_ms;
    } else {
        was_over = c->core->ops->is_over(c->core);
        due = c->core->ops->check_time(c->core, now);
        if (!was_over && c->core->ops->is_over(c->core)) {
            post_work(c);
            return;
        }
    }
    if (c->out.len)
        due = MIN(due, c->write_ms + (int64_t)c->env.limits->write_timeout_ms);
    if (due <= now)
        kill_connection(c);
    else if (due != INT64_MAX)
        loop_timer_start(t, due - now);
}

/* --- reading --- */

static void feed(struct http_connection *c, struct str bytes)
{
    if (!c->core) {
        bool is_h2 = c->tls ? str_eq(tls_session_alpn(c->tls), STR("h2"))
                            : str_has_prefix(bytes, STR("PRI "));

        c->core = is_h2 ? http2_core_new(&c->env) : http1_core_new(&c->env);
        if (c->worker->is_leaving)
            c->core->ops->goodbye(c->core);
    }
    if (bytes.len && c->core->ops->feed(c->core, bytes) < 0)
        c->is_ending = true;
}

/* Upstream's words for a client that took the TLS port for a plain one. */
static bool refuse_plain(struct http_connection *c, struct str bytes)
{
    static const struct str methods[] = {
        STR_INIT("GET "),   STR_INIT("HEAD "),  STR_INIT("POST "),    STR_INIT("PUT "),
        STR_INIT("PATCH "), STR_INIT("DELETE"), STR_INIT("OPTIONS "),
    };
    static const struct str answer = STR_INIT("HTTP/1.0 400 Bad Request\r\n\r\n"
                                              "Client sent an HTTP request to an HTTPS server.\n");

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (str_has_prefix(bytes, methods[i])) {
            (void)send_bytes(c, answer.p, answer.len);
            tls_session_free(TAKE(c->tls)); /* so that nothing more is said in TLS */
            c->is_ending = true;
            return true;
        }
    }
    return false;
}

static void take_tls(struct http_connection *c, struct str bytes)
{
    struct buf *plain = &c->worker->plain, *cipher = &c->worker->cipher;
    struct err err;
    int r;

    if (!c->was_read && refuse_plain(c, bytes))
        return;
    buf_reset(plain);
    buf_reset(cipher);
    r = tls_session_read(c->tls, bytes, plain, cipher, &err);
    if (!send_bytes(c, cipher->p, cipher->len))
        return;
    if (tls_session_is_open(c->tls) && (plain->len || !c->core))
        feed(c, buf_str(plain));
    if (r == ERR_CLOSED) {
        if (c->core)
            c->core->ops->on_eof(c->core);
        c->is_ending = true;
    } else if (r < 0) {
        LOG_DEBUG("TLS connection ends", KV("peer", c->peer), KV("error", err.text));
        c->is_ending = true;
        if (c->core) /* the stream is broken: nothing that follows would be believed */
            c->is_dead = true;
    }
}

static void take_eof(struct http_connection *c)
{
    if (!c->core || !c->tls) {
        if (c->core)
            c->core->ops->on_eof(c->core);
        c->is_ending = true;
        if (!c->core || c->out.len == 0)
            c->is_dead = !c->core;
        return;
    }
    c->is_dead = true; /* cut off without TLS's goodbye */
}

static void read_some(struct http_connection *c)
{
    char *scratch = loop_scratch(c->worker->loop);

    for (int i = 0; i < CONNECTION_READS_PER_TURN && !c->is_dead; i++) {
        ssize_t n = tcp_stream_read(&c->tcp, scratch, LOOP_SCRATCH_BYTES);

        if (n == -EAGAIN)
            return;
        if (n < 0 || (n == 0 && c->is_lingering)) {
            c->is_dead = true;
            return;
        }
        if (n == 0) {
            take_eof(c);
            tcp_stream_want(&c->tcp, 0);
            return;
        }
        if (c->is_ending || c->is_lingering)
            continue; /* read and dropped */
        if (c->tls)
            take_tls(c, str_n(scratch, (size_t)n));
        else
            feed(c, str_n(scratch, (size_t)n));
        c->was_read = true;
        if ((size_t)n < LOOP_SCRATCH_BYTES || !c->core || !c->core->ops->wants_read(c->core))
            return;
    }
}

static void on_event(struct tcp_stream *s, int events)
{
    struct http_connection *c = CONTAINER_OF(s, struct http_connection, tcp);

    if (events & LOOP_READABLE)
        read_some(c);
    post_work(c);
}

/* --- a connection's beginning --- */

static void connection_new(struct http_worker *w, int fd, const char *peer)
{
    struct http_server *s = w->server;
    struct http_connection *c = NEW(struct http_connection);

    c->worker = w;
    list_init(&c->link);
    list_append(&w->connections, &c->link);
    loop_task_init(&c->work, on_work);
    loop_timer_init(&c->timer, w->loop, on_timer);
    (void)snprintf(c->peer, sizeof(c->peer), "%s", peer);
    c->env = (struct http_env){
        .limits = &s->options.limits,
        .loop = w->loop,
        .peer = str_from_cstr(c->peer),
        .now_ms = env_now_ms,
        .wake = env_wake,
        .on_request = env_on_request,
        .identity = env_identity,
    };
    c->start_ms = c->write_ms = loop_now_ms(w->loop);
    if (s->options.tls)
        c->tls = tls_session_new(s->options.tls, STR_NULL);
    if (tcp_stream_open(&c->tcp, w->loop, fd, on_event) < 0 || w->is_leaving) {
        kill_connection(c);
        return;
    }
    tcp_stream_want(&c->tcp, LOOP_READABLE);
    loop_timer_start(&c->timer, s->options.limits.header_timeout_ms);
}

static void on_accept(int fd, const char *peer, void *arg)
{
    struct http_server *s = arg;
    struct http_worker *w = &s->workers[0];

    if (atomic_load(&s->n_connections) >= s->options.limits.connections) {
        LOG_DEBUG("too many connections", KV("peer", peer));
        (void)close(fd);
        return;
    }
    for (size_t i = 1; i < s->options.n_loops; i++)
        if (atomic_load(&s->workers[i].load) < atomic_load(&w->load))
            w = &s->workers[i];
    (void)atomic_fetch_add(&s->n_connections, 1);
    (void)atomic_fetch_add(&w->load, 1);
    if (w == &s->workers[0])
        connection_new(w, fd, peer);
    else
        tell(w, NEWS_ACCEPTED, fd, peer);
}

/* --- the server --- */

static void maybe_done(struct http_server *s)
{
    void (*done)(void *arg) = s->done;

    if (!done || atomic_load(&s->n_connections) || atomic_load(&s->n_messages))
        return;
    s->done = NULL;
    loop_timer_stop(&s->grace);
    done(s->done_arg);
}

static void say_goodbye(struct http_worker *w)
{
    w->is_leaving = true;
    LIST_FOREACH_SAFE(n, &w->connections) {
        struct http_connection *c = CONTAINER_OF(n, struct http_connection, link);

        if (c->core)
            c->core->ops->goodbye(c->core);
        else
            kill_connection(c);
        post_work(c);
    }
}

static void kill_all(struct http_worker *w)
{
    LIST_FOREACH_SAFE(n, &w->connections)
        kill_connection(CONTAINER_OF(n, struct http_connection, link));
}

static void on_message(struct mailbox_message *msg)
{
    struct worker_message *m = CONTAINER_OF(msg, struct worker_message, msg);
    struct http_worker *w = m->worker;
    struct http_server *s = w->server;

    if (atomic_load(&s->is_freed)) {
        if (m->fd >= 0)
            (void)close(m->fd);
    } else {
        switch (m->news) {
        case NEWS_ACCEPTED:
            connection_new(w, m->fd, m->peer);
            break;
        case NEWS_GOODBYE:
            say_goodbye(w);
            if (atomic_fetch_sub(&s->n_messages, 1) == 1)
                tell(&s->workers[0], NEWS_GONE, -1, "");
            break;
        case NEWS_KILL:
            kill_all(w);
            break;
        case NEWS_GONE:
            maybe_done(s);
            break;
        }
    }
    mem_free(m);
    server_unref(s);
}

static void on_grace_over(struct loop_timer *t)
{
    struct http_server *s = CONTAINER_OF(t, struct http_server, grace);

    for (size_t i = 0; i < s->options.n_loops; i++)
        tell(&s->workers[i], NEWS_KILL, -1, "");
}

void http_server_stop(struct http_server *s, uint32_t grace_ms, void (*done)(void *arg), void *arg)
{
    VEC_FOREACH(struct tcp_listener **, t, &s->listeners)
        tcp_listener_free(*t);
    VEC_CLEAR(&s->listeners);
    s->done = done;
    s->done_arg = arg;
    atomic_store(&s->is_stopping, true);
    loop_timer_start(&s->grace, grace_ms);
    (void)atomic_fetch_add(&s->n_messages, (unsigned)s->options.n_loops);
    for (size_t i = 0; i < s->options.n_loops; i++)
        tell(&s->workers[i], NEWS_GOODBYE, -1, "");
}

static void set_defaults(struct http_limits *l)
{
    const struct {
        uint32_t *value, by_default;
    } rows[] = {
        { &l->header_bytes, 64 * 1024 },
        { &l->header_count, 200 },
        { &l->header_timeout_ms, 10 * 1000 },
        { &l->idle_timeout_ms, 180 * 1000 },
        { &l->body_timeout_ms, 30 * 1000 },
        { &l->write_timeout_ms, 30 * 1000 },
        { &l->streams, 250 },
        { &l->resets_per_minute, 1000 },
        { &l->connections, 10000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (*rows[i].value == 0)
            *rows[i].value = rows[i].by_default;
    if (l->request_arena_bytes == 0)
        l->request_arena_bytes = 64 * 1024 * 1024;
}

int http_server_new(const struct http_server_options *o, struct http_server **ret, struct err *err)
{
    struct http_server *s;

    if (o->n_loops == 0)
        return err_set(err, ERR_INVALID, "an HTTP server needs a loop");
    s = NEW(struct http_server);
    refcount_init(&s->refs);
    s->options = *o;
    set_defaults(&s->options.limits);
    s->workers = mem_zalloc(o->n_loops * sizeof(*s->workers));
    for (size_t i = 0; i < o->n_loops; i++) {
        s->workers[i].server = s;
        s->workers[i].loop = o->loops[i];
        list_init(&s->workers[i].connections);
    }
    s->options.loops = NULL; /* the caller's array may go */
    loop_timer_init(&s->grace, s->workers[0].loop, on_grace_over);
    *ret = s;
    return 0;
}

int http_server_listen(struct http_server *s, const char *address, uint16_t port,
                       uint16_t *ret_port, struct err *err)
{
    struct tcp_listener *t;
    int r = tcp_listen(s->workers[0].loop, address, port, on_accept, s, &t, ret_port, err);

    if (r < 0)
        return r;
    VEC_PUSH(&s->listeners, t);
    return 0;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    atomic_store(&s->is_freed, true);
    loop_timer_stop(&s->grace);
    VEC_FOREACH(struct tcp_listener **, t, &s->listeners)
        tcp_listener_free(*t);
    VEC_DONE(&s->listeners);
    for (size_t i = 0; i < s->options.n_loops; i++) {
        struct http_worker *w = &s->workers[i];
        struct list *n;

        while ((n = list_first(&w->connections)))
            connection_free(CONTAINER_OF(n, struct http_connection, link));
        buf_done(&w->plain);
        buf_done(&w->cipher);
    }
    server_unref(s);
}
