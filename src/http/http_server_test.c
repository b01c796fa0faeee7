#include "http/http_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/macros.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "io/thread.h"

/* A server on two loops, each on a thread of its own; the test is a blocking client. */
static struct loop *loops[2];
static struct thread *threads[2];
static struct http_server *server;
static uint16_t port;
static atomic_int n_closed, n_pulled;

static void run(void *l)
{
    loop_run(l);
}

static int pull_for_ever(struct http_source *s, struct buf *out, size_t hint)
{
    (void)s;
    memset(buf_reserve(out, hint), 'x', hint);
    out->len += hint;
    (void)atomic_fetch_add(&n_pulled, (int)hint);
    return HTTP_SOURCE_MORE;
}

static void source_done(struct http_source *s)
{
    (void)s;
}

static int pull_nothing(struct http_source *s, struct buf *out, size_t hint)
{
    (void)s, (void)out, (void)hint;
    return HTTP_SOURCE_WAIT;
}

static struct http_source flood = { pull_for_ever, source_done };
static struct http_source quiet = { pull_nothing, source_done };

static void on_close(struct http_request *r, void *arg)
{
    (void)r, (void)arg;
    (void)atomic_fetch_add(&n_closed, 1);
}

static void on_request(struct http_request *r, void *arg)
{
    struct str path = http_request_path(r);

    (void)arg;
    http_request_on_close(r, on_close, NULL);
    if (str_eq(path, STR("/flood")))
        http_respond_source(r, 200, NULL, 0, -1, &flood);
    else if (str_eq(path, STR("/quiet")))
        http_respond_source(r, 200, NULL, 0, -1, &quiet);
    else
        http_respond(r, 200, NULL, 0, path);
}

static void start(const struct http_limits *limits)
{
    struct http_server_options o = {
        .loops = loops, .n_loops = 2, .limits = *limits, .on_request = on_request
    };
    struct err err;

    for (int i = 0; i < 2; i++)
        loops[i] = loop_new(&clock_system);
    cr_assert_eq(http_server_new(&o, &server, &err), 0);
    cr_assert_eq(http_server_listen(server, "127.0.0.1", 0, &port, &err), 0, "%s", err.text);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start("http", run, loops[i]);
}

static void stop_loop(struct mailbox_message *m);
static struct mailbox_message stop_second = { .fn = stop_loop };

static void stop_loop(struct mailbox_message *m)
{
    (void)m;
    loop_stop(loops[1]);
}

static void all_gone(void *arg)
{
    (void)arg;
    mailbox_post(loop_mailbox(loops[1]), &stop_second);
    loop_stop(loops[0]);
}

static void begin_stop(struct mailbox_message *m)
{
    (void)m;
    http_server_stop(server, 50, all_gone, NULL);
}

static void stop(void)
{
    static struct mailbox_message m = { .fn = begin_stop };

    mailbox_post(loop_mailbox(loops[0]), &m);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    http_server_free(server);
    for (int i = 0; i < 2; i++)
        loop_free(loops[i]);
}

static int dial(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct timeval limit = { .tv_sec = 10 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

static void say(int fd, const char *text)
{
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until the text has come, or the end. */
static bool hears(int fd, const char *text)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    ssize_t n;

    while ((n = recv(fd, buf_reserve(&b, 4096), 4096, 0)) > 0) {
        b.len += (size_t)n;
        if (str_contains(buf_str(&b), str_from_cstr(text)))
            return true;
    }
    return false;
}

static bool hears_end(int fd)
{
    char p[4096];
    ssize_t n;

    while ((n = recv(fd, p, sizeof(p), 0)) > 0)
        ;
    return n == 0 || errno == ECONNRESET;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

Test(http_server, serves_many_connections_on_two_loops)
{
    int fds[20];

    start(&(struct http_limits){ 0 });
    for (int i = 0; i < 20; i++)
        fds[i] = dial();
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 20; i++)
            say(fds[i], GET("/hello"));
        for (int i = 0; i < 20; i++)
            cr_assert(hears(fds[i], "/hello"));
    }
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    stop();
}

Test(http_server, survives_rude_clients)
{
    int fd;

    start(&(struct http_limits){ 0 });
    fd = dial();
    say(fd, "\x16\x03\x01garbage\r\n\r\n");
    cr_assert(hears_end(fd));
    close(fd);
    fd = dial();
    say(fd, GET("/quiet"));
    cr_assert(hears(fd, "200 OK"));
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
                     sizeof(struct linger)); /* close() resets */
    close(fd);
    fd = dial();
    say(fd, "GET /half");
    close(fd);
    fd = dial();
    say(fd, GET("/x"));
    cr_assert(hears(fd, "/x"));
    close(fd);
    stop();
    cr_assert_eq(atomic_load(&n_closed), 1);
}

Test(http_server, pulls_no_more_than_the_peer_takes)
{
    int fd;

    start(&(struct http_limits){ .write_timeout_ms = 300 });
    fd = dial();
    say(fd, GET("/flood"));
    for (int i = 0; i < 50 && atomic_load(&n_closed) == 0; i++)
        (void)poll(NULL, 0, 100); /* read nothing until the write timeout has ended it */
    cr_assert_eq(atomic_load(&n_closed), 1);
    /* What the kernel's two buffers hold, and one round of ours. */
    cr_assert_lt(atomic_load(&n_pulled), 16 << 20);
    close(fd);
    stop();
}

Test(http_server, cuts_slow_headers_off)
{
    int fd;

    start(&(struct http_limits){ .header_timeout_ms = 100 });
    fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost");
    cr_assert(hears(fd, "408"));
    cr_assert(hears_end(fd));
    close(fd);
    stop();
}

Test(http_server, stops_with_open_streams)
{
    int fd, idle;

    start(&(struct http_limits){ 0 });
    fd = dial();
    idle = dial();
    say(idle, GET("/x"));
    cr_assert(hears(idle, "/x"));
    say(fd, GET("/quiet"));
    cr_assert(hears(fd, "200 OK"));
    stop();
    cr_assert(hears_end(fd));
    cr_assert(hears_end(idle));
    cr_assert_eq(atomic_load(&n_closed), 1);
    close(fd);
    close(idle);
}

Test(http_server, names_a_port_in_use)
{
    struct http_server_options o = { .loops = loops, .n_loops = 1, .on_request = on_request };
    struct http_server *a, *b;
    struct err err;
    uint16_t p;

    loops[0] = loop_new(&clock_system);
    cr_assert_eq(http_server_new(&o, &a, &err), 0);
    cr_assert_eq(http_server_new(&o, &b, &err), 0);
    cr_assert_eq(http_server_listen(a, "127.0.0.1", 0, &p, &err), 0);
    cr_assert_eq(http_server_listen(b, "127.0.0.1", p, NULL, &err), -EADDRINUSE);
    cr_assert(strstr(err.text, "127.0.0.1"));
    http_server_free(a);
    http_server_free(b);
    loop_free(loops[0]);
}
