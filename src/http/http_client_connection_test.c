/* The client against a scripted peer that says what no proper server would. The peer is a blocking
 * socket of this same thread, the clock stands still. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/x509.h"
#include "http/http_client.h"
#include "io/loop.h"
#include "io/tls.h"

static struct clock_fake now;
static struct loop *loop;
static struct http_client *client;
static struct tls_context *tls;
static int listener = -1, peer = -1;
static uint16_t port;

static void start(bool is_h2, const struct http_client_limits *limits)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t len = sizeof(a);
    struct http_client_options o = { .address = STR("127.0.0.1"), .is_plain_h2 = is_h2 };

    clock_fake_init(&now, 1700000000LL * 1000000000LL);
    clock_fake_advance(&now, 1000000000LL);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(listen(listener, 16), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    port = ntohs(a.sin_port);
    loop = loop_new(&now.clock);
    o.loop = loop;
    o.port = port;
    o.tls = tls;
    if (limits)
        o.limits = *limits;
    client = http_client_new(&o);
}

static void hang_up(void)
{
    if (peer >= 0)
        close(peer);
    peer = -1;
}

static void stop(void)
{
    http_client_free(TAKE(client));
    loop_free(TAKE(loop));
    tls_context_free(TAKE(tls));
    hang_up();
    close(listener);
}

static void advance_ms(int64_t ms)
{
    clock_fake_advance(&now, ms * 1000000);
}

/* cond is asked once a turn, and never again once it held. */
#define UNTIL(cond)                                                                                \
    do {                                                                                           \
        bool held_ = false;                                                                        \
        for (int turns_ = 0; !(held_ = (cond)) && turns_ < 5000; turns_++) {                       \
            loop_turn(loop);                                                                       \
            if (turns_ > 100)                                                                      \
                (void)poll(NULL, 0, 1);                                                            \
        }                                                                                          \
        cr_assert(held_, "%s", #cond);                                                             \
    } while (0)

static void some_turns(void)
{
    for (int i = 0; i < 100; i++)
        loop_turn(loop);
}

/* --- the peer --- */

static void take_connection(void)
{
    hang_up();
    UNTIL((peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
}

static bool has_connection(void)
{
    struct pollfd p = { .fd = listener, .events = POLLIN };

    some_turns();
    return poll(&p, 1, 0) == 1;
}

static void say(struct str s)
{
    cr_assert_eq(send(peer, s.p, s.len, MSG_NOSIGNAL), (ssize_t)s.len);
}

/* What the client has sent by now, appended; false: it has closed. */
static bool listen_in(struct buf *b)
{
    ssize_t n;

    loop_turn(loop);
    while ((n = recv(peer, buf_reserve(b, 65536), 65536, 0)) > 0)
        b->len += (size_t)n;
    return n < 0 && errno == EAGAIN;
}

static bool has_closed(void)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    return !listen_in(&b);
}

static void hear(const char *text)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    UNTIL(!listen_in(&b) || str_contains(buf_str(&b), str_from_cstr(text)));
    cr_assert(str_contains(buf_str(&b), str_from_cstr(text)), "no '%s'", text);
}

/* --- the caller --- */

struct reply {
    struct http_call *call;
    int status, result, n_ends;
    size_t n_headers;
    struct buf body;
    char text[256];
};

static void on_head(struct http_call *c, int status, const struct http_header *h, size_t n,
                    void *arg)
{
    struct reply *r = arg;

    (void)c, (void)h;
    r->status = status;
    r->n_headers = n;
}

static void on_body(struct http_call *c, struct str bytes, void *arg)
{
    (void)c;
    buf_append_str(&((struct reply *)arg)->body, bytes);
}

static void on_end(struct http_call *c, int result, const char *text, void *arg)
{
    struct reply *r = arg;

    (void)c;
    r->n_ends++;
    r->result = result;
    (void)snprintf(r->text, sizeof(r->text), "%s", text);
}

static const struct http_call_ops recording = { .on_head = on_head,
                                                .on_body = on_body,
                                                .on_end = on_end };

static void reply_done(struct reply *r)
{
    buf_done(&r->body);
    *r = (struct reply){ 0 };
}
DEFINE_CLEANUP_VALUE(struct reply, reply_done);

static void ask(struct reply *r, const char *method, struct str upgrade)
{
    struct http_call_options o = { .method = str_from_cstr(method),
                                   .path = STR("/x"),
                                   .upgrade = upgrade,
                                   .ops = &recording,
                                   .arg = r };

    reply_done(r);
    cr_assert_eq(http_call_start(client, &o, &r->call), 0);
}

static void expect(struct reply *r, int status, const char *body)
{
    UNTIL(r->n_ends);
    cr_assert_eq(r->result, 0, "%d %s", r->result, r->text);
    cr_assert_eq(r->status, status);
    cr_assert(str_eq(buf_str(&r->body), str_from_cstr(body)), "%s", buf_cstr(&r->body));
}

/* --- HTTP/1.1 --- */

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *method, *answer;
    bool is_closing; /* the peer, behind it */
    int result, status;
    const char *body;
} answers[] = {
    { "GET", OK "Content-Length: 2\r\n\r\nab", false, 0, 200, "ab" },
    { "GET", OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\nT: x\r\n\r\n", false, 0,
      200, "ab" },
    { "GET", OK "\r\nab", true, 0, 200, "ab" },
    { "GET", "HTTP/1.0 200 OK\r\n\r\nab", true, 0, 200, "ab" },
    { "GET",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n" OK
      "Content-Length: 2\r\n\r\nab",
      false, 0, 200, "ab" },
    { "GET", "HTTP/1.1 204 No\r\n\r\n", false, 0, 204, "" },
    { "GET", "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", false, 0, 304, "" },
    { "HEAD", OK "Content-Length: 5\r\n\r\n", false, 0, 200, "" },
    { "GET", OK "Content-Length: 2\r\n\r\nabc", false, 0, 200, "ab" },
    /* cut short */
    { "GET", "", true, ERR_CLOSED, 0, "" },
    { "GET", "HTTP/1.1 20", true, ERR_CLOSED, 0, "" },
    { "GET", OK "Content-Le", true, ERR_CLOSED, 0, "" },
    { "GET", OK "Content-Length: 3\r\n\r\nab", true, ERR_CLOSED, 200, "ab" },
    { "GET", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nab", true, ERR_CLOSED, 200, "ab" },
    { "GET", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", true, ERR_CLOSED, 200, "ab" },
    /* broken or ambiguous */
    { "GET", "\x16\x03\x01 no HTTP", false, ERR_PROTOCOL, 0, "" },
    { "GET", "HTTP/2.0 200 OK\r\n\r\n", false, ERR_PROTOCOL, 0, "" },
    { "GET", OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\nab", false, ERR_PROTOCOL, 0, "" },
    { "GET", OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false,
      ERR_PROTOCOL, 0, "" },
    { "GET", OK "Content-Length: -1\r\n\r\n", false, ERR_PROTOCOL, 0, "" },
    { "GET", OK "Content-Length: 99999999999999999999\r\n\r\n", false, ERR_PROTOCOL, 0, "" },
    { "GET", OK "Transfer-Encoding: gzip\r\n\r\n", false, ERR_PROTOCOL, 0, "" },
    { "GET", OK "A: b\nB: c\r\n\r\n", false, ERR_PROTOCOL, 0, "" },
    { "GET", OK "A: b\r\n c\r\n\r\n", false, ERR_PROTOCOL, 0, "" },
    { "GET", OK "A : b\r\n\r\n", false, ERR_PROTOCOL, 0, "" },
    { "GET", OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, ERR_PROTOCOL, 200, "" },
    { "GET", "HTTP/1.1 101 Switch\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n", false,
      ERR_PROTOCOL, 0, "" },
    { "GET", "HTTP/1.1 101 Switch\r\n\r\n", false, ERR_PROTOCOL, 0, "" },
};

Test(http_client_connection, reads_answers_of_every_sort)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        for (size_t step = 1; step < 1000; step += 499) {
            CLEANUP(reply_done) struct reply r = { 0 };
            size_t len = strlen(answers[i].answer);

            start(false, NULL);
            ask(&r, answers[i].method, STR_NULL);
            take_connection();
            hear("\r\n\r\n");
            for (size_t k = 0; k < len && !r.n_ends; k += step) {
                say(str_n(answers[i].answer + k, MIN(step, len - k)));
                some_turns();
            }
            if (answers[i].is_closing)
                hang_up();
            UNTIL(r.n_ends);
            cr_assert_eq(r.result, answers[i].result, "%zu: %d %s", i, r.result, r.text);
            cr_assert_eq(r.status, answers[i].status, "%zu: %d", i, r.status);
            cr_assert(str_eq(buf_str(&r.body), str_from_cstr(answers[i].body)), "%zu", i);
            stop();
            cr_assert_eq(r.n_ends, 1);
        }
    }
}

Test(http_client_connection, refuses_huge_heads)
{
    CLEANUP(reply_done) struct reply r = { 0 };
    CLEANUP(buf_done) struct buf big = { 0 };

    for (int i = 0; i < 4; i++) {
        start(false, &(struct http_client_limits){ .header_bytes = 1000, .header_count = 10 });
        ask(&r, "GET", STR_NULL);
        take_connection();
        hear("\r\n\r\n");
        buf_reset(&big);
        if (i == 0)
            buf_printf(&big, OK "A: %01000d", 0);
        else if (i == 1)
            buf_printf(&big, OK "%01000d", 0);
        else if (i == 2)
            buf_printf(&big, OK
                       "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\ni:\r\nj:\r\nk:\r\nl:\r\n");
        else
            for (int k = 0; k < 10; k++)
                buf_append_lit(&big, "HTTP/1.1 100 Continue\r\n\r\n");
        say(buf_str(&big));
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, ERR_TOO_LARGE, "%d: %d %s", i, r.result, r.text);
        UNTIL(has_closed());
        stop();
    }
}

/* A kept-alive connection turns out closed: only what may be sent twice is. */
Test(http_client_connection, sends_again_when_a_kept_connection_was_closed)
{
    static const struct {
        const char *method;
        const char *last_words;
        bool is_resent;
    } cases[] = { { "GET", "", true },
                  { "HEAD", "", true },
                  { "POST", "", false },
                  { "DELETE", "", false },
                  { "GET", "H", false } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };

        start(false, NULL);
        ask(&r, "GET", STR_NULL);
        take_connection();
        hear("GET /x HTTP/1.1\r\n");
        say(STR(OK "Content-Length: 1\r\n\r\na"));
        expect(&r, 200, "a");
        cr_assert_not(has_connection());
        ask(&r, cases[i].method, STR_NULL);
        hear(cases[i].method);
        say(str_from_cstr(cases[i].last_words));
        hang_up();
        if (cases[i].is_resent) {
            take_connection();
            hear(cases[i].method);
            cr_assert_eq(r.n_ends, 0);
            hang_up(); /* and once is enough */
        }
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, ERR_CLOSED, "%zu: %d %s", i, r.result, r.text);
        cr_assert_not(has_connection());
        stop();
    }
}

Test(http_client_connection, dials_anew_after_a_goodbye)
{
    static const char *goodbyes[] = {
        "Connection: close\r\nContent-Length: 1\r\n\r\na",
        "Content-Length: 1\r\n\r\naHTTP/1.1 408 Late\r\n\r\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(goodbyes); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };

        start(false, NULL);
        ask(&r, "GET", STR_NULL);
        take_connection();
        hear("\r\n\r\n");
        say(STR(OK));
        say(str_from_cstr(goodbyes[i]));
        expect(&r, 200, "a");
        UNTIL(has_closed());
        ask(&r, "GET", STR_NULL);
        take_connection();
        hear("\r\n\r\n");
        say(STR(OK "Content-Length: 1\r\n\r\nb"));
        expect(&r, 200, "b");
        advance_ms(90 * 1000); /* kept for so long */
        UNTIL(has_closed());
        stop();
    }
}

/* --- HTTP/2 --- */

static void frame(struct buf *b, int type, int flags, uint32_t stream, struct str payload)
{
    char head[9] = { (char)(payload.len >> 16),
                     (char)(payload.len >> 8),
                     (char)payload.len,
                     (char)type,
                     (char)flags,
                     (char)(stream >> 24),
                     (char)(stream >> 16),
                     (char)(stream >> 8),
                     (char)stream };

    buf_append(b, head, sizeof(head));
    buf_append_str(b, payload);
}

static void say_frame(int type, int flags, uint32_t stream, struct str payload)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    frame(&b, type, flags, stream, payload);
    say(buf_str(&b));
}

enum {
    F_DATA = 0,
    F_HEADERS = 1,
    F_RST = 3,
    F_SETTINGS = 4,
    F_PING = 6,
    F_GOAWAY = 7,
    F_WINDOW_UPDATE = 8,
    END_STREAM = 1,
    ACK = 1,
    END_HEADERS = 4
};

/* Frames of this type, not acknowledgements, among all that the client has sent (b). */
static int count_frames(const struct buf *b, int type)
{
    size_t at = 24; /* the preface */
    int n = 0;

    while (at + 9 <= b->len) {
        const unsigned char *p = (const unsigned char *)b->p + at;

        if (p[3] == type && !(type == F_PING && p[4] & ACK) && !(type == F_SETTINGS && p[4] & ACK))
            n++;
        at += 9 + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
    }
    return n;
}

static void hear_frames(struct buf *b, int type, int n)
{
    UNTIL(!listen_in(b) || count_frames(b, type) >= n);
    cr_assert_eq(count_frames(b, type), n);
}

#define STATUS_200 STR("\x88")

Test(http_client_connection, sends_refused_streams_again_after_goaway)
{
    CLEANUP(reply_done) struct reply a = { 0 }, p = { 0 }, late = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };

    start(true, NULL);
    ask(&a, "GET", STR_NULL);
    ask(&p, "POST", STR_NULL); /* not processed is not processed: sent again too */
    take_connection();
    say_frame(F_SETTINGS, 0, 0, STR(""));
    hear_frames(&b, F_HEADERS, 2);
    say_frame(F_GOAWAY, 0, 0, STR("\0\0\0\1\0\0\0\0")); /* stream 3 was not */
    int old = peer;

    peer = -1;
    take_connection();
    buf_reset(&b);
    say_frame(F_SETTINGS, 0, 0, STR(""));
    hear_frames(&b, F_HEADERS, 1);
    ask(&late, "GET", STR_NULL); /* goes to the new connection alone */
    hear_frames(&b, F_HEADERS, 2);
    cr_assert_eq(a.n_ends + p.n_ends, 0);
    say_frame(F_HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200);
    expect(&p, 200, "");
    say_frame(F_HEADERS, END_HEADERS | END_STREAM, 3, STATUS_200);
    expect(&late, 200, "");
    hang_up();
    peer = old;
    say_frame(F_HEADERS, END_HEADERS, 1, STATUS_200); /* stream 1 ends where it began */
    say_frame(F_DATA, END_STREAM, 1, STR("hi"));
    expect(&a, 200, "hi");
    UNTIL(has_closed());
    stop();
}

Test(http_client_connection, gives_up_on_a_server_that_refuses_again_and_again)
{
    CLEANUP(reply_done) struct reply r = { 0 };

    start(true, NULL);
    ask(&r, "GET", STR_NULL);
    for (int i = 0; i < 3; i++) {
        CLEANUP(buf_done) struct buf b = { 0 };

        cr_assert_eq(r.n_ends, 0);
        take_connection();
        say_frame(F_SETTINGS, 0, 0, STR(""));
        hear_frames(&b, F_HEADERS, 1);
        say_frame(F_GOAWAY, 0, 0, STR("\0\0\0\0\0\0\0\0"));
    }
    UNTIL(r.n_ends);
    cr_assert_lt(r.result, 0);
    cr_assert_not(has_connection());
    stop();
}

/* A peer that stalls: asked after 30 s, given up after 15 more. */
Test(http_client_connection, notices_a_silent_peer)
{
    CLEANUP(reply_done) struct reply r = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };

    start(true, NULL);
    ask(&r, "GET", STR_NULL);
    take_connection();
    say_frame(F_SETTINGS, 0, 0, STR(""));
    hear_frames(&b, F_HEADERS, 1);
    some_turns();
    advance_ms(29999);
    some_turns();
    (void)listen_in(&b);
    cr_assert_eq(count_frames(&b, F_PING), 0);
    advance_ms(1);
    hear_frames(&b, F_PING, 1);
    advance_ms(14999);
    some_turns();
    say_frame(F_PING, ACK, 0, STR("\0\0\0\0\0\0\0\0")); /* it lives after all */
    some_turns();
    advance_ms(20000);
    some_turns();
    cr_assert_eq(r.n_ends, 0);
    advance_ms(10000);
    hear_frames(&b, F_PING, 2);
    advance_ms(15000);
    UNTIL(r.n_ends);
    cr_assert_eq(r.result, ERR_TIMEOUT, "%d %s", r.result, r.text);
    cr_assert(strstr(r.text, "ping"), "%s", r.text);
    UNTIL(has_closed());
    stop();
}

Test(http_client_connection, notices_a_silent_peer_early_when_told_so)
{
    CLEANUP(reply_done) struct reply r = { 0 };

    start(true, &(struct http_client_limits){ .ping_after_ms = 100, .ping_timeout_ms = 50 });
    ask(&r, "GET", STR_NULL);
    take_connection();
    say_frame(F_SETTINGS, 0, 0, STR(""));
    some_turns();
    advance_ms(100);
    some_turns();
    cr_assert_eq(r.n_ends, 0);
    advance_ms(50);
    UNTIL(r.n_ends);
    cr_assert_eq(r.result, ERR_TIMEOUT);
    stop();
}

static const struct {
    const char *name;
    int type, flags;
    uint32_t stream;
    struct str payload;
    int result;
} bad_frames[] = {
    { "reset", F_RST, 0, 1, STR_INIT("\0\0\0\x08"), ERR_CLOSED },
    { "reset with an error", F_RST, 0, 1, STR_INIT("\0\0\0\x02"), ERR_PROTOCOL },
    { "no status", F_HEADERS, END_HEADERS | END_STREAM, 1,
      STR_INIT("\x0f\x0d\x01"
               "0"),
      ERR_PROTOCOL },
    { "data before the head", F_DATA, 0, 1, STR_INIT("x"), ERR_PROTOCOL },
    { "garbage compressed", F_HEADERS, END_HEADERS, 1, STR_INIT("\xff\xff\xff\xff\xff\xff\xff"),
      ERR_PROTOCOL },
    { "a stream of nobody", F_DATA, 0, 7, STR_INIT("x"), ERR_PROTOCOL },
    { "a length that lies", F_HEADERS, END_HEADERS | END_STREAM, 1,
      STR_INIT("\x88\x0f\x0d\x01"
               "5"),
      ERR_PROTOCOL },
};

Test(http_client_connection, fails_calls_of_broken_streams)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_frames); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };
        CLEANUP(buf_done) struct buf b = { 0 };

        start(true, NULL);
        ask(&r, "GET", STR_NULL);
        take_connection();
        say_frame(F_SETTINGS, 0, 0, STR(""));
        hear_frames(&b, F_HEADERS, 1);
        say_frame(bad_frames[i].type, bad_frames[i].flags, bad_frames[i].stream,
                  bad_frames[i].payload);
        UNTIL(r.n_ends);
        cr_assert_eq(r.result, bad_frames[i].result, "%s: %d %s", bad_frames[i].name, r.result,
                     r.text);
        stop();
    }
}

Test(http_client_connection, fails_calls_of_broken_connections)
{
    for (int i = 0; i < 3; i++) {
        CLEANUP(reply_done) struct reply r = { 0 };

        start(true, NULL);
        ask(&r, "POST", STR_NULL);
        take_connection();
        if (i == 0)
            say(STR("HTTP/1.1 400 Bad Request\r\n\r\n"));
        else if (i == 1)
            say_frame(F_SETTINGS, 0, 0, STR(""));
        if (i == 2)
            (void)setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
                             sizeof(struct linger)); /* hanging up resets */
        some_turns();
        if (i == 1)
            cr_assert_not(has_closed()); /* and reads all: closing is an end then, no reset */
        hang_up();
        UNTIL(r.n_ends);
        cr_assert_eq(r.result,
                     i == 0   ? ERR_PROTOCOL
                     : i == 1 ? ERR_CLOSED
                              : -ECONNRESET,
                     "%d: %d %s", i, r.result, r.text);
        stop();
    }
}

Test(http_client_connection, refuses_huge_heads_of_streams)
{
    CLEANUP(reply_done) struct reply r = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 }, head = { 0 };

    start(true, &(struct http_client_limits){ .header_bytes = 1000, .header_count = 10 });
    ask(&r, "GET", STR_NULL);
    take_connection();
    say_frame(F_SETTINGS, 0, 0, STR(""));
    hear_frames(&b, F_HEADERS, 1);
    buf_append_lit(&head, "\x88");
    for (int i = 0; i < 11; i++)
        buf_append_lit(&head, "\0\1a\1b");
    say_frame(F_HEADERS, END_HEADERS, 1, buf_str(&head));
    UNTIL(r.n_ends);
    cr_assert_eq(r.result, ERR_TOO_LARGE, "%d %s", r.result, r.text);
    hear_frames(&b, F_RST, 1);
    ask(&r, "GET", STR_NULL); /* the connection is none the worse */
    hear_frames(&b, F_HEADERS, 2);
    say_frame(F_HEADERS, END_HEADERS | END_STREAM, 3, STATUS_200);
    expect(&r, 200, "");
    stop();
}

/* --- dialling --- */

Test(http_client_connection, says_why_it_cannot_connect)
{
    CLEANUP(reply_done) struct reply r = { 0 };

    start(false, NULL);
    (void)shutdown(listener, SHUT_RDWR);
    close(listener);
    ask(&r, "GET", STR_NULL);
    UNTIL(r.n_ends);
    cr_assert_eq(r.result, -ECONNREFUSED, "%d %s", r.result, r.text);
    cr_assert(strstr(r.text, "127.0.0.1"), "%s", r.text);
    listener = -1;
    stop();
}

Test(http_client_connection, gives_a_handshake_its_time)
{
    for (int i = 0; i < 3; i++) {
        CLEANUP(reply_done) struct reply r = { 0 };
        struct tls_options o = { .is_client = true };
        struct err err;

        cr_assert_eq(tls_context_new(&o, &tls, &err), 0);
        start(false, NULL);
        ask(&r, "GET", STR_NULL);
        take_connection();
        hear("\x16\x03");
        if (i == 1)
            say(STR(OK "\r\n")); /* a plain server on a TLS port */
        if (i == 2)
            hang_up();
        some_turns();
        if (i == 0) {
            advance_ms(29999);
            some_turns();
            cr_assert_eq(r.n_ends, 0);
            advance_ms(1);
        }
        UNTIL(r.n_ends);
        cr_assert_eq(r.result,
                     i == 0   ? ERR_TIMEOUT
                     : i == 1 ? ERR_PROTOCOL
                              : ERR_CLOSED,
                     "%d: %d %s", i, r.result, r.text);
        stop();
    }
}

/* --- upgrades --- */

static int n_tunnel_ends;
static struct buf tunnel_heard;

static void tunnel_read(struct http_tunnel *t, struct str bytes, void *arg)
{
    (void)t, (void)arg;
    buf_append_str(&tunnel_heard, bytes);
}

static void tunnel_end(struct http_tunnel *t, int result, void *arg)
{
    (void)t, (void)arg;
    cr_assert_eq(result, 0);
    n_tunnel_ends++;
}

static const struct http_tunnel_ops tunnel_ops = { .on_read = tunnel_read, .on_end = tunnel_end };
static struct http_tunnel *tunnel;

static void on_upgrade_head(struct http_call *c, int status, const struct http_header *h, size_t n,
                            void *arg)
{
    (void)h, (void)n, (void)arg;
    if (status == 101)
        cr_assert_eq(http_call_take_tunnel(c, &tunnel_ops, NULL, &tunnel), 0);
}

static const struct http_call_ops upgrading = { .on_head = on_upgrade_head,
                                                .on_body = on_body,
                                                .on_end = on_end };

Test(http_client_connection, keeps_what_comes_right_behind_an_upgrade)
{
    CLEANUP(reply_done) struct reply r = { 0 };
    struct http_call_options o = { .method = STR("GET"),
                                   .path = STR("/x"),
                                   .upgrade = STR("SPDY/3.1"),
                                   .ops = &upgrading,
                                   .arg = &r };

    start(false, NULL);
    cr_assert_eq(http_call_start(client, &o, &r.call), 0);
    take_connection();
    hear("connection: Upgrade\r\nupgrade: SPDY/3.1\r\n");
    say(STR("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nfirst"));
    UNTIL(r.n_ends && tunnel_heard.len);
    cr_assert_eq(r.result, 0);
    cr_assert(str_eq(buf_str(&tunnel_heard), STR("first")));
    http_tunnel_set_reading(tunnel, false);
    some_turns();
    say(STR(" second"));
    some_turns();
    cr_assert(str_eq(buf_str(&tunnel_heard), STR("first")));
    http_tunnel_set_reading(tunnel, true);
    UNTIL(str_eq(buf_str(&tunnel_heard), STR("first second")));
    (void)http_tunnel_write(tunnel, STR("third"));
    hear("third");
    hang_up();
    UNTIL(n_tunnel_ends == 1);
    buf_done(&tunnel_heard);
    stop();
}

/* --- more of HTTP/2 --- */

Test(http_client_connection, sends_a_refused_stream_again_on_its_connection)
{
    CLEANUP(reply_done) struct reply r = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };

    start(true, NULL);
    ask(&r, "POST", STR_NULL);
    take_connection();
    say_frame(F_SETTINGS, 0, 0, STR(""));
    hear_frames(&b, F_HEADERS, 1);
    say_frame(F_RST, 0, 1, STR("\0\0\0\7"));
    hear_frames(&b, F_HEADERS, 2);
    say_frame(F_HEADERS, END_HEADERS | END_STREAM, 3, STATUS_200);
    expect(&r, 200, "");
    cr_assert_not(has_connection());
    stop();
}

/* Only what may be sent twice is, and only where the connection had been of use. */
Test(http_client_connection, sends_again_when_a_used_connection_is_lost)
{
    static const struct {
        const char *method;
        bool is_resent;
    } cases[] = { { "GET", true }, { "POST", false } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(reply_done) struct reply r = { 0 };
        CLEANUP(buf_done) struct buf b = { 0 };

        start(true, NULL);
        ask(&r, "GET", STR_NULL);
        take_connection();
        say_frame(F_SETTINGS, 0, 0, STR(""));
        hear_frames(&b, F_HEADERS, 1);
        say_frame(F_HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200);
        expect(&r, 200, "");
        ask(&r, cases[i].method, STR_NULL);
        hear_frames(&b, F_HEADERS, 2);
        hang_up();
        if (cases[i].is_resent) {
            buf_reset(&b);
            take_connection();
            say_frame(F_SETTINGS, 0, 0, STR(""));
            hear_frames(&b, F_HEADERS, 1);
            say_frame(F_HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200);
            expect(&r, 200, "");
        } else {
            UNTIL(r.n_ends);
            cr_assert_eq(r.result, ERR_CLOSED, "%d %s", r.result, r.text);
        }
        cr_assert_not(has_connection());
        stop();
    }
}

Test(http_client_connection, passes_interim_heads_and_trailers_over)
{
    CLEANUP(reply_done) struct reply r = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };

    start(true, NULL);
    ask(&r, "GET", STR_NULL);
    take_connection();
    say_frame(F_SETTINGS, 0, 0, STR(""));
    hear_frames(&b, F_HEADERS, 1);
    say_frame(F_HEADERS, END_HEADERS, 1,
              STR("\x08\x03"
                  "103"
                  "\0\1a\1b"));
    some_turns();
    cr_assert_eq(r.status, 0);
    say_frame(F_HEADERS, END_HEADERS, 1, STR("\x88\0\1c\1d"));
    say_frame(F_DATA, 0, 1, STR("body"));
    say_frame(F_HEADERS, END_HEADERS | END_STREAM, 1, STR("\0\1t\1u"));
    expect(&r, 200, "body");
    cr_assert_eq(r.n_headers, 1);
    stop();
}

Test(http_client_connection, bounds_what_a_paused_call_holds)
{
    CLEANUP(reply_done) struct reply r = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    static const char zeros[16000];
    int n_updates;

    start(true, NULL);
    ask(&r, "GET", STR_NULL);
    take_connection();
    say_frame(F_SETTINGS, 0, 0, STR(""));
    hear_frames(&b, F_HEADERS, 1);
    http_call_set_reading(r.call, false);
    say_frame(F_HEADERS, END_HEADERS, 1, STATUS_200);
    some_turns();
    (void)listen_in(&b);
    n_updates = count_frames(&b, F_WINDOW_UPDATE);
    for (int i = 0; i < 16; i++) { /* all that the stream's window takes */
        say_frame(F_DATA, 0, 1, str_n(zeros, sizeof(zeros)));
        some_turns();
    }
    (void)listen_in(&b);
    cr_assert_eq(count_frames(&b, F_WINDOW_UPDATE), n_updates); /* the connection's has room yet */
    say_frame(F_DATA, 0, 1, str_n(zeros, sizeof(zeros)));       /* and more than it takes */
    UNTIL(r.n_ends);
    cr_assert_eq(r.result, ERR_PROTOCOL, "%d %s", r.result, r.text);
    stop();
}
