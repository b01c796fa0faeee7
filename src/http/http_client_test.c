/* The client against our own server: one loop, real sockets, a clock that stands still. */
#include "http/http_client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/x509.h"
#include "http/http_server.h"
#include "io/loop.h"
#include "io/tls.h"

static struct clock_fake now;
static struct loop *loop;
static struct http_server *server;
static struct http_client *client;
static struct tls_context *server_tls, *client_tls;
static struct arena arena;
static uint16_t port;

/* --- the server's side --- */

static size_t n_open, n_open_most, n_served, flood_pulled, n_source_done;
static struct http_request *later[64];
static size_t n_later;
static char last_identity[64];

static int pull_for_ever(struct http_source *s, struct buf *out, size_t hint)
{
    (void)s;
    memset(buf_reserve(out, hint), 'x', hint);
    out->len += hint;
    flood_pulled += hint;
    return HTTP_SOURCE_MORE;
}

static void count_done(struct http_source *s)
{
    (void)s;
    n_source_done++;
}

static struct http_source flood = { pull_for_ever, count_done };

static void echo_body(struct http_request *r, int result, struct str body, void *arg)
{
    (void)arg;
    if (result == 0) /* else the client has left */
        http_respond(r, 200, NULL, 0, body);
}

static void on_gone(struct http_request *r, void *arg)
{
    (void)r, (void)arg;
    n_open--;
}

static void tunnel_read(struct http_tunnel *t, struct str bytes, void *arg)
{
    (void)arg;
    (void)http_tunnel_write(t, bytes);
    if (str_contains(bytes, STR("bye")))
        http_tunnel_close(t);
}

static void tunnel_end(struct http_tunnel *t, int result, void *arg)
{
    (void)t, (void)result, (void)arg;
}

static const struct http_tunnel_ops echo_tunnel = { .on_read = tunnel_read, .on_end = tunnel_end };

static void upgrade(struct http_request *r)
{
    static const struct http_header h[] = { { STR_INIT("upgrade"), STR_INIT("echo") } };
    struct http_tunnel *t;

    if (http_upgrade(r, h, 1, &echo_tunnel, NULL, &t) < 0)
        http_respond(r, 400, NULL, 0, STR("no upgrade"));
}

static void answer_later(struct http_request *r)
{
    n_open++;
    n_open_most = MAX(n_open, n_open_most);
    http_request_ref(r);
    http_request_on_close(r, on_gone, NULL);
    later[n_later++ % ARRAY_LEN(later)] = r;
}

static void on_request(struct http_request *r, void *arg)
{
    struct str path = http_request_path(r);
    struct http_peer_identity id;

    (void)arg;
    n_served++;
    if (http_request_peer_identity(r, &id))
        (void)snprintf(last_identity, sizeof(last_identity), "%.*s", STR_ARG(id.common_name));
    if (str_eq(path, STR("/flood")))
        http_respond_source(r, 200, NULL, 0, -1, &flood);
    else if (str_eq(path, STR("/later")))
        answer_later(r);
    else if (str_eq(path, STR("/upgrade")))
        upgrade(r);
    else if (str_eq(path, STR("/header")))
        http_respond(r, 200, NULL, 0, http_request_header(r, STR("x-a")));
    else if (str_eq(path, STR("/host")))
        http_respond(r, 200, NULL, 0, http_request_header(r, STR("host")));
    else if (str_eq(http_request_method(r), STR("POST")))
        http_request_read_body(r, 16 << 20, echo_body, NULL);
    else
        http_respond(r, str_eq(path, STR("/404")) ? 404 : 200, NULL, 0, path);
}

static void answer_one(void)
{
    struct http_request *r = later[--n_later];

    n_open--;
    http_request_on_close(r, NULL, NULL);
    http_respond(r, 200, NULL, 0, STR("late"));
    http_request_unref(r);
}

/* --- both --- */

struct mode {
    const char *name;
    bool is_tls, is_h2;
};

static const struct mode modes[] = {
    { "HTTP/1.1", false, false },
    { "HTTP/2", false, true },
    { "HTTP/1.1 over TLS", true, false },
    { "HTTP/2 over TLS", true, true },
};

static struct x509_pair ca, server_pair, client_pair;

static void make_certificates(void)
{
    static const struct str local = STR_INIT("127.0.0.1"), name = STR_INIT("api.test");
    struct x509_request s = { .common_name = STR("server"),
                              .dns_names = &name,
                              .n_dns_names = 1,
                              .addresses = &local,
                              .n_addresses = 1,
                              .is_server = true,
                              .days = 1 };
    struct x509_request u = { .common_name = STR("user"), .is_client = true, .days = 1 };
    struct err err;

    cr_assert_eq(x509_make_ca(&arena, STR("ca"), 1, &ca, &err), 0, "%s", err.text);
    cr_assert_eq(x509_make_signed(&arena, &ca, &s, &server_pair, &err), 0, "%s", err.text);
    cr_assert_eq(x509_make_signed(&arena, &ca, &u, &client_pair, &err), 0, "%s", err.text);
}

static void start_tls(bool is_h2)
{
    struct tls_options s = { .ca_pem = ca.certificate, .without_h2 = !is_h2 }, c;
    struct err err;

    if (!ca.key.p)
        make_certificates();
    s.ca_pem = ca.certificate;
    c = s;
    s.certificate_pem = server_pair.certificate;
    s.key_pem = server_pair.key;
    c.is_client = true;
    c.without_h2 = false;
    c.certificate_pem = client_pair.certificate;
    c.key_pem = client_pair.key;
    cr_assert_eq(tls_context_new(&s, &server_tls, &err), 0, "%s", err.text);
    cr_assert_eq(tls_context_new(&c, &client_tls, &err), 0, "%s", err.text);
}

static void start(const struct mode *m, const struct http_limits *sl,
                  const struct http_client_limits *cl)
{
    struct http_server_options so = { .loops = &loop, .n_loops = 1, .on_request = on_request };
    struct http_client_options co = { .address = STR("127.0.0.1"),
                                      .is_plain_h2 = m->is_h2 && !m->is_tls };
    struct err err;

    clock_fake_init(&now, 1700000000LL * 1000000000LL);
    clock_fake_advance(&now, 1000000000LL);
    loop = loop_new(&now.clock);
    if (m->is_tls)
        start_tls(m->is_h2);
    so.tls = server_tls;
    if (sl)
        so.limits = *sl;
    cr_assert_eq(http_server_new(&so, &server, &err), 0);
    cr_assert_eq(http_server_listen(server, "127.0.0.1", 0, &port, &err), 0, "%s", err.text);
    co.loop = loop;
    co.port = port;
    co.tls = client_tls;
    if (cl)
        co.limits = *cl;
    client = http_client_new(&co);
}

static void stop(void)
{
    http_client_free(TAKE(client));
    while (n_later)
        http_request_unref(later[--n_later]);
    http_server_free(TAKE(server));
    loop_free(TAKE(loop));
    tls_context_free(TAKE(server_tls));
    tls_context_free(TAKE(client_tls));
    n_open = n_open_most = n_served = flood_pulled = n_source_done = 0;
}

/* Connected TCP sockets of this process. */
static size_t count_sockets(void)
{
    size_t n = 0;

    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in a;
        socklen_t len = sizeof(a);

        n += getpeername(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET;
    }
    return n;
}

/* --- the caller's side --- */

struct reply {
    struct http_call *call; /* NULL once ended */
    int status, result, version, n_ends;
    size_t n_chunks;
    bool is_pausing; /* after each chunk */
    bool is_cancelling;
    struct buf body;
    char text[256];
    struct http_tunnel *tunnel;
    struct buf heard;
    int n_tunnel_ends;
};

static void heard(struct http_tunnel *t, struct str bytes, void *arg)
{
    struct reply *r = arg;

    (void)t;
    buf_append_str(&r->heard, bytes);
}

static void heard_end(struct http_tunnel *t, int result, void *arg)
{
    struct reply *r = arg;

    (void)t, (void)result;
    r->n_tunnel_ends++;
    r->tunnel = NULL;
}

static const struct http_tunnel_ops hearing = { .on_read = heard, .on_end = heard_end };

static void on_head(struct http_call *c, int status, const struct http_header *h, size_t n,
                    void *arg)
{
    struct reply *r = arg;

    (void)h, (void)n;
    cr_assert_eq(r->status, 0);
    r->status = status;
    r->version = http_call_version(c);
    if (status == 101)
        cr_assert_eq(http_call_take_tunnel(c, &hearing, r, &r->tunnel), 0);
    else
        cr_assert_eq(http_call_take_tunnel(c, &hearing, r, &r->tunnel), ERR_UNSUPPORTED);
}

static void on_body(struct http_call *c, struct str bytes, void *arg)
{
    struct reply *r = arg;

    r->n_chunks++;
    buf_append_str(&r->body, bytes);
    if (r->is_pausing)
        http_call_set_reading(c, false);
    if (r->is_cancelling)
        http_call_cancel(c);
}

static void on_end(struct http_call *c, int result, const char *text, void *arg)
{
    struct reply *r = arg;

    r->n_ends++;
    r->result = result;
    r->call = NULL;
    (void)snprintf(r->text, sizeof(r->text), "%s", text);
    http_call_cancel(c); /* too late, and harmless */
}

static const struct http_call_ops recording = { .on_head = on_head,
                                                .on_body = on_body,
                                                .on_end = on_end };

static void reply_done(struct reply *r)
{
    buf_done(&r->body);
    buf_done(&r->heard);
    *r = (struct reply){ 0 };
}
DEFINE_CLEANUP_VALUE(struct reply, reply_done);

static void ask(struct reply *r, const char *method, const char *path, struct http_call_options o)
{
    o.method = str_from_cstr(method);
    o.path = str_from_cstr(path);
    o.ops = &recording;
    o.arg = r;
    cr_assert_eq(http_call_start(client, &o, &r->call), 0);
}

static void get(struct reply *r, const char *path)
{
    ask(r, "GET", path, (struct http_call_options){ 0 });
}

static void turn(void)
{
    loop_turn(loop);
    (void)poll(NULL, 0, 0);
}

/* Turns until cond, for a while. */
#define UNTIL(cond)                                                                                \
    do {                                                                                           \
        for (int turns_ = 0; !(cond) && turns_ < 20000; turns_++) {                                \
            turn();                                                                                \
            if (turns_ > 1000)                                                                     \
                (void)poll(NULL, 0, 1);                                                            \
        }                                                                                          \
        cr_assert(cond, "%s", #cond);                                                              \
    } while (0)

static void some_turns(void)
{
    for (int i = 0; i < 200; i++)
        turn();
}

static void expect(struct reply *r, int status, const char *body)
{
    UNTIL(r->n_ends);
    cr_assert_eq(r->result, 0, "%d %s", r->result, r->text);
    cr_assert_eq(r->status, status);
    cr_assert(str_eq(buf_str(&r->body), str_from_cstr(body)), "%s", buf_cstr(&r->body));
    cr_assert_eq(r->n_ends, 1);
}

/* --- on every protocol --- */

Test(http_client, asks_and_is_answered)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };
        struct http_header h = { STR("X-A"), STR("one\r\ntwo: three") };
        char host[64];

        start(&modes[i], NULL, NULL);
        get(&r, "/hello?x=y");
        expect(&r, 200, "/hello");
        cr_assert_eq(r.version, modes[i].is_h2 ? 2 : 1, "%s", modes[i].name);
        cr_assert(!modes[i].is_tls || strcmp(last_identity, "user") == 0);
        reply_done(&r);
        get(&r, "/404");
        expect(&r, 404, "/404");
        reply_done(&r);
        ask(&r, "HEAD", "/hello", (struct http_call_options){ 0 });
        expect(&r, 200, "");
        reply_done(&r);
        ask(&r, "GET", "/header", (struct http_call_options){ .headers = &h, .n_headers = 1 });
        expect(&r, 200, "one  two: three");
        reply_done(&r);
        ask(&r, "POST", "/", (struct http_call_options){ .body = STR("") });
        expect(&r, 200, "");
        reply_done(&r);
        get(&r, "/host");
        (void)snprintf(host, sizeof(host), "127.0.0.1:%u", port);
        expect(&r, 200, host);
        stop();
    }
}

Test(http_client, asks_much_at_once)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        static struct reply r[200];

        start(&modes[i], NULL, &(struct http_client_limits){ .connections = 5 });
        for (size_t k = 0; k < ARRAY_LEN(r); k++)
            get(&r[k], k % 2 ? "/a" : "/b");
        for (size_t k = 0; k < ARRAY_LEN(r); k++) {
            expect(&r[k], 200, k % 2 ? "/a" : "/b");
            reply_done(&r[k]);
        }
        cr_assert_eq(n_served, ARRAY_LEN(r));
        stop();
    }
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

Test(http_client, sends_large_bodies)
{
    enum { SIZE = 3 << 20 };

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(buf_done) struct buf body = { 0 };
        CLEANUP(reply_done) struct reply r = { 0 };

        for (size_t k = 0; k < SIZE; k++)
            buf_append_char(&body, letters[k * 7 % 26]);
        start(&modes[i], NULL, NULL);
        ask(&r, "POST", "/", (struct http_call_options){ .body = buf_str(&body) });
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, 0, "%s: %s", modes[i].name, r.text);
        cr_assert(str_eq(buf_str(&r.body), buf_str(&body)));
        stop();
    }
}

Test(http_client, is_answered_before_it_has_sent_all)
{
    CLEANUP(buf_done) struct buf body = { 0 };

    memset(buf_reserve(&body, 3 << 20), 'x', 3 << 20);
    body.len = 3 << 20;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };

        start(&modes[i], NULL, NULL);
        ask(&r, "PUT", "/404", (struct http_call_options){ .body = buf_str(&body) });
        expect(&r, 404, "/404"); /* the server does not read it */
        reply_done(&r);
        get(&r, "/x");
        expect(&r, 200, "/x");
        stop();
    }
}

/* A source of n pieces that waits before each until it is woken. */
struct slow_source {
    struct http_source s;
    int n_left, n_done;
    bool may;
};

static int slow_pull(struct http_source *s, struct buf *out, size_t hint)
{
    struct slow_source *w = CONTAINER_OF(s, struct slow_source, s);

    (void)hint;
    if (w->n_left == 0)
        return HTTP_SOURCE_END;
    if (!w->may)
        return HTTP_SOURCE_WAIT;
    w->may = false;
    w->n_left--;
    buf_append_lit(out, "piece ");
    return w->n_left ? HTTP_SOURCE_MORE : HTTP_SOURCE_END;
}

static void slow_done(struct http_source *s)
{
    CONTAINER_OF(s, struct slow_source, s)->n_done++;
}

Test(http_client, sends_from_a_source)
{
    for (size_t i = 0; i < 2 * ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };
        struct slow_source s = { .s = { slow_pull, slow_done }, .n_left = 3 };

        start(&modes[i / 2], NULL, NULL);
        ask(&r, "POST", "/",
            (struct http_call_options){ .source = &s.s, .content_length = i % 2 ? -1 : 18 });
        for (int k = 0; k < 3; k++) {
            some_turns();
            s.may = true;
            http_call_wake(r.call);
        }
        expect(&r, 200, "piece piece piece ");
        cr_assert_eq(s.n_done, 1);
        stop();
    }
}

Test(http_client, ends_a_call_whose_source_lies)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };
        struct slow_source s = { .s = { slow_pull, slow_done }, .n_left = 1, .may = true };

        start(&modes[i], NULL, NULL);
        ask(&r, "POST", "/", (struct http_call_options){ .source = &s.s, .content_length = 5 });
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, ERR_CANCELED);
        cr_assert_eq(s.n_done, 1);
        reply_done(&r);
        get(&r, "/again");
        expect(&r, 200, "/again");
        stop();
    }
}

/* --- back-pressure --- */

Test(http_client, holds_the_server_back)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { .is_pausing = true }, other = { 0 };
        size_t before;

        start(&modes[i], NULL, NULL);
        get(&r, "/flood");
        UNTIL(r.n_chunks == 1);
        for (int k = 0; k < 5; k++)
            some_turns();
        cr_assert_eq(r.n_chunks, 1);
        before = flood_pulled;
        for (int k = 0; k < 5; k++)
            some_turns();
        cr_assert_eq(flood_pulled, before, "%s: it goes on", modes[i].name);
        if (modes[i].is_h2)
            cr_assert_lt(before, 1 << 20);
        get(&other, "/x"); /* not held back with it */
        expect(&other, 200, "/x");
        http_call_set_reading(r.call, true);
        UNTIL(r.n_chunks == 2);
        r.is_pausing = false;
        http_call_set_reading(r.call, true);
        UNTIL(flood_pulled > before + (8 << 20));
        cr_assert_eq(r.n_ends, 0);
        http_call_cancel(r.call);
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, ERR_CANCELED);
        UNTIL(n_source_done);
        stop();
    }
}

Test(http_client, ends_behind_bytes_held)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };

        start(&modes[i], NULL, NULL);
        get(&r, "/hello");
        http_call_set_reading(r.call, false);
        UNTIL(r.status);
        some_turns();
        cr_assert_eq(r.n_ends, 0);
        cr_assert_eq(r.n_chunks, 0);
        http_call_set_reading(r.call, true);
        expect(&r, 200, "/hello");
        reply_done(&r);
        get(&r, "/hello");
        http_call_set_reading(r.call, false);
        UNTIL(r.status);
        some_turns();
        http_call_cancel(r.call); /* while only its bytes are left */
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, ERR_CANCELED);
        cr_assert_eq(r.n_chunks, 0);
        stop();
    }
}

/* --- ends --- */

Test(http_client, cancels_in_each_state)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct reply r[5] = { 0 };

        start(&modes[i], NULL, NULL);
        get(&r[0], "/later");
        http_call_cancel(r[0].call); /* before anything */
        http_call_cancel(r[0].call);
        UNTIL(r[0].n_ends);
        cr_assert_eq(n_served, 0);
        get(&r[1], "/later");
        turn();
        http_call_cancel(r[1].call); /* while it dials */
        UNTIL(r[1].n_ends);
        get(&r[2], "/later");
        UNTIL(n_open == 1);
        http_call_cancel(r[2].call); /* while the server thinks */
        UNTIL(r[2].n_ends && n_open == 0);
        r[3].is_cancelling = true;
        get(&r[3], "/flood"); /* within its on_body */
        UNTIL(r[3].n_ends && n_source_done);
        cr_assert_eq(r[3].n_chunks, 1);
        get(&r[4], "/x");
        expect(&r[4], 200, "/x");
        for (int k = 0; k < 4; k++) {
            cr_assert_eq(r[k].result, ERR_CANCELED, "%s: %d: %d", modes[i].name, k, r[k].result);
            cr_assert_eq(r[k].n_ends, 1);
        }
        for (int k = 0; k < 5; k++)
            reply_done(&r[k]);
        stop();
    }
}

Test(http_client, keeps_deadlines)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 }, s = { 0 };

        start(&modes[i], NULL, NULL);
        ask(&r, "GET", "/later", (struct http_call_options){ .timeout_ms = 1000 });
        ask(&s, "GET", "/x", (struct http_call_options){ .timeout_ms = 1000 });
        UNTIL(n_open == 1 && s.n_ends);
        clock_fake_advance(&now, 999 * 1000000LL);
        some_turns();
        cr_assert_eq(r.n_ends, 0);
        clock_fake_advance(&now, 1000000LL);
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, ERR_TIMEOUT);
        cr_assert_eq(s.result, 0);
        UNTIL(n_open == 0); /* the server hears of it */
        stop();
    }
}

Test(http_client, ends_every_call_when_it_is_freed)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct reply r[3] = { 0 };

        start(&modes[i], NULL, &(struct http_client_limits){ .connections = 1, .streams = 1 });
        get(&r[0], "/hello");
        http_call_set_reading(r[0].call, false);
        UNTIL(r[0].status);
        some_turns(); /* its last bytes are held */
        get(&r[1], "/later");
        UNTIL(n_open == 1);
        get(&r[2], "/later"); /* waits */
        some_turns();
        http_client_free(TAKE(client));
        for (int k = 0; k < 3; k++) {
            cr_assert_eq(r[k].n_ends, 1, "%s %d", modes[i].name, k);
            cr_assert_eq(r[k].result, ERR_CANCELED);
            reply_done(&r[k]);
        }
        stop();
    }
}

Test(http_client, queues_for_streams_and_connections)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        static struct reply r[9];
        struct http_limits sl = { .streams = 3 };
        size_t n = ARRAY_LEN(r) - 1;

        start(&modes[i], &sl, &(struct http_client_limits){ .connections = 3, .waiting = 10 });
        get(&r[n], "/x"); /* the server's settings are known then */
        expect(&r[n], 200, "/x");
        for (size_t k = 0; k < n; k++)
            get(&r[k], "/later");
        for (size_t k = 0; k < n; k++) {
            UNTIL(n_open == MIN(3, n - k));
            some_turns();
            answer_one();
        }
        for (size_t k = 0; k < n; k++)
            expect(&r[k], 200, "late");
        cr_assert_eq(n_open_most, 3);
        for (size_t k = 0; k <= n; k++)
            reply_done(&r[k]);
        stop();
    }
}

Test(http_client, bounds_its_queue_and_refuses_unsound_calls)
{
    static const struct {
        const char *method, *path, *header;
    } bad[] = {
        { "G ET", "/", "a" },    { "", "/", "a" },      { "GET", "", "a" },
        { "GET", "x", "a" },     { "GET", "/ x", "a" }, { "GET", "/\r\nx: y", "a" },
        { "GET", "/", "" },      { "GET", "/", "a:" },  { "GET", "/", "a\r\nb" },
        { "CONNECT", "/", "a" }, { "GET", "/#x", "a" },
    };
    struct reply r[3] = { 0 };
    struct http_call_options o = { .ops = &recording, .n_headers = 1 };
    struct http_call *c;

    start(&modes[0], NULL, &(struct http_client_limits){ .waiting = 2 });
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_header h = { str_from_cstr(bad[i].header), STR("v") };

        o.method = str_from_cstr(bad[i].method);
        o.path = str_from_cstr(bad[i].path);
        o.headers = &h;
        cr_assert_eq(http_call_start(client, &o, &c), ERR_INVALID, "%zu", i);
    }
    get(&r[0], "/a");
    get(&r[1], "/b");
    o = (struct http_call_options){ .ops = &recording, .method = STR("GET"), .path = STR("/") };
    cr_assert_eq(http_call_start(client, &o, &c), ERR_OVERFLOW);
    expect(&r[0], 200, "/a");
    expect(&r[1], 200, "/b");
    for (int k = 0; k < 2; k++)
        reply_done(&r[k]);
    stop();
}

Test(http_client, upgrades_to_a_tunnel)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 }, s = { 0 };

        start(&modes[i], NULL, NULL);
        get(&s, "/x");
        expect(&s, 200, "/x");
        ask(&r, "GET", "/upgrade", (struct http_call_options){ .upgrade = STR("echo") });
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, 0, "%s", r.text);
        cr_assert_eq(r.status, 101);
        cr_assert_eq(r.version, 1);
        cr_assert(r.tunnel, "%s: %d", modes[i].name, r.n_tunnel_ends);
        (void)http_tunnel_write(r.tunnel, STR("hello"));
        UNTIL(str_eq(buf_str(&r.heard), STR("hello")));
        (void)http_tunnel_write(r.tunnel, STR(" bye"));
        UNTIL(r.n_tunnel_ends);
        cr_assert(str_eq(buf_str(&r.heard), STR("hello bye")));
        reply_done(&r);
        ask(&r, "GET", "/upgrade", (struct http_call_options){ .upgrade = STR("echo") });
        UNTIL(r.tunnel);
        http_tunnel_close(r.tunnel);
        UNTIL(r.n_tunnel_ends);
        reply_done(&r);
        ask(&r, "GET", "/plain", (struct http_call_options){ .upgrade = STR("echo") });
        expect(&r, 200, "/plain"); /* not taken up */
        reply_done(&r);
        ask(&r, "GET", "/upgrade", (struct http_call_options){ .upgrade = STR("echo") });
        UNTIL(r.tunnel);
        stop(); /* ends the tunnel too */
        cr_assert_eq(r.n_tunnel_ends, 1);
    }
}

/* --- TLS --- */

static void expect_tls_failure(struct str server_name, struct str ca_pem, const char *text)
{
    CLEANUP(reply_done) struct reply r = { 0 };
    struct tls_options o = { .is_client = true, .ca_pem = ca_pem };
    struct http_client_options co = {
        .loop = loop, .address = STR("127.0.0.1"), .port = port, .server_name = server_name
    };
    struct http_client *mine = client;
    struct err err;

    cr_assert_eq(tls_context_new(&o, &co.tls, &err), 0, "%s", err.text);
    client = http_client_new(&co);
    get(&r, "/x");
    UNTIL(r.n_ends);
    if (text) {
        cr_assert_eq(r.result, ERR_PROTOCOL);
        cr_assert(strstr(r.text, text), "%s", r.text);
    } else {
        cr_assert_eq(r.result, 0, "%s", r.text);
    }
    http_client_free(client);
    tls_context_free(co.tls);
    client = mine;
}

Test(http_client, trusts_only_whom_it_should)
{
    struct x509_pair other;
    struct err err;

    start(&modes[3], NULL, NULL);
    cr_assert_eq(x509_make_ca(&arena, STR("other"), 1, &other, &err), 0);
    expect_tls_failure(STR_NULL, ca.certificate, NULL);
    expect_tls_failure(STR("api.test"), ca.certificate, NULL);
    expect_tls_failure(STR("wrong.test"), ca.certificate, "mismatch");
    expect_tls_failure(STR("127.0.0.2"), ca.certificate, "mismatch");
    expect_tls_failure(STR_NULL, other.certificate, "certificate");
    expect_tls_failure(STR_NULL, STR_NULL, "certificate");
    cr_assert_eq(n_served, 2);
    stop();
}

/* --- the server goes --- */

static void server_gone(void *arg)
{
    *(bool *)arg = true;
}

Test(http_client, outlives_its_server)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 }, s = { 0 };
        bool is_gone = false;

        start(&modes[i], NULL, NULL);
        get(&r, "/later");
        get(&s, "/x");
        UNTIL(n_open == 1 && s.n_ends);
        http_server_stop(server, 1000, server_gone, &is_gone);
        some_turns();
        answer_one(); /* what is open is served to its end */
        expect(&r, 200, "late");
        some_turns();
        clock_fake_advance(&now, 2000 * 1000000LL);
        UNTIL(is_gone);
        reply_done(&r);
        get(&r, "/x");
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, -ECONNREFUSED, "%s: %d %s", modes[i].name, r.result, r.text);
        stop();
    }
}

Test(http_client, dials_anew_when_it_is_told)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 }, s = { 0 };

        start(&modes[i], NULL, NULL);
        get(&r, "/later");
        UNTIL(n_open == 1);
        http_client_renew(client);
        get(&s, "/x");
        expect(&s, 200, "/x");
        answer_one();
        expect(&r, 200, "late");
        stop();
    }
}

Test(http_client, keeps_no_more_connections_than_it_may)
{
    static struct reply r[8];
    struct http_client_limits limits = { .connections = 6, .idle_connections = 2 };
    size_t n = ARRAY_LEN(r);

    start(&modes[0], NULL, &limits);
    for (size_t k = 0; k < n; k++)
        get(&r[k], "/later");
    UNTIL(n_open == 6);
    some_turns();
    cr_assert_eq(n_open, 6);
    for (size_t k = 0; k < n; k++) {
        UNTIL(n_open);
        answer_one();
    }
    for (size_t k = 0; k < n; k++) {
        expect(&r[k], 200, "late");
        reply_done(&r[k]);
    }
    some_turns();
    clock_fake_advance(&now, 2000 * 1000000LL); /* the server lets go of what was closed */
    some_turns();
    cr_assert_eq(count_sockets(), 2 + 2, "%zu", count_sockets()); /* both ends are ours */
    stop();
}

Test(http_client, dials_again_when_told_so_while_it_dials)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };

        start(&modes[i], NULL, NULL);
        get(&r, "/x");
        turn();
        http_client_renew(client);
        expect(&r, 200, "/x");
        stop();
    }
}

/* Whatever the call and its connection are doing at the time. */
Test(http_client, cancels_after_any_number_of_turns)
{
    static char body[200000];

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        for (int turns = 0; turns < 40; turns++) {
            CLEANUP(reply_done) struct reply r = { 0 }, s = { 0 };

            start(&modes[i], NULL, NULL);
            ask(&r, "POST", "/", (struct http_call_options){ .body = str_n(body, sizeof(body)) });
            get(&s, "/s"); /* goes on beside it */
            for (int k = 0; k < turns; k++)
                turn();
            if (r.call)
                http_call_cancel(r.call);
            expect(&s, 200, "/s");
            UNTIL(r.n_ends);
            cr_assert(r.result == ERR_CANCELED || r.result == 0, "%s after %d: %d %s",
                      modes[i].name, turns, r.result, r.text);
            some_turns();
            cr_assert_eq(r.n_ends, 1);
            reply_done(&s);
            get(&s, "/t");
            expect(&s, 200, "/t");
            stop();
        }
    }
}

Test(http_client, may_be_freed_after_any_number_of_turns)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        for (int turns = 0; turns < 40; turns++) {
            CLEANUP(reply_done) struct reply r = { 0 }, t = { 0 };

            start(&modes[i], NULL, NULL);
            get(&r, "/flood");
            ask(&t, "GET", "/upgrade", (struct http_call_options){ .upgrade = STR("echo") });
            for (int k = 0; k < turns; k++)
                turn();
            http_client_free(TAKE(client));
            cr_assert_eq(r.n_ends, 1);
            cr_assert_eq(r.result, ERR_CANCELED);
            cr_assert_eq(t.n_ends, 1);
            cr_assert_eq(t.n_tunnel_ends, t.result == 0);
            stop();
        }
    }
}
