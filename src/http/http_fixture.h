/* For tests: a server on the test's own loop and one client, a raw socket; everything is driven by
 * http_fixture_until(), on one thread. */
#pragma once

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/http_server.h"
#include "io/loop.h"

struct http_fixture {
    struct loop *loop;
    struct http_server *server;
    uint16_t port;
    int fd;         /* the client */
    struct buf got; /* what it has read */
    bool is_over;   /* the server has closed */
};

static inline void http_fixture_connect(struct http_fixture *f)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(f->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(f->fd, (struct sockaddr *)&to, sizeof(to)), 0);
    f->is_over = false;
    buf_reset(&f->got);
}

static inline void http_fixture_start(struct http_fixture *f,
                                      void (*on_request)(struct http_request *, void *), void *arg)
{
    struct err err;

    *f = (struct http_fixture){ .loop = loop_new(&clock_system) };
    cr_assert_eq(http_server_new(
                     &(struct http_server_options){
                         .loops = &f->loop, .n_loops = 1, .on_request = on_request, .arg = arg },
                     &f->server, &err),
                 0);
    cr_assert_eq(http_server_listen(f->server, "127.0.0.1", 0, &f->port, &err), 0, "%s", err.text);
    http_fixture_connect(f);
}

static inline void http_fixture_say(struct http_fixture *f, const void *p, size_t n)
{
    cr_assert_eq(send(f->fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

static inline void http_fixture_read(struct http_fixture *f)
{
    ssize_t n = recv(f->fd, buf_reserve(&f->got, 65536), 65536, MSG_DONTWAIT);

    if (n > 0)
        f->got.len += (size_t)n;
    f->is_over |= n == 0;
}

/* Turns the loop until it holds; the test's own limit of time ends it otherwise. */
static inline void http_fixture_until(struct http_fixture *f, bool (*holds)(const void *arg),
                                      const void *arg)
{
    while (!holds(arg)) {
        (void)poll(&(struct pollfd){ .fd = f->fd, .events = POLLIN }, 1, 1);
        loop_turn(f->loop);
        http_fixture_read(f);
    }
}

static inline void http_fixture_stop(struct http_fixture *f)
{
    (void)close(f->fd);
    http_server_stop(f->server, 0, NULL, NULL);
    for (int i = 0; i < 10; i++)
        loop_turn(f->loop);
    http_server_free(f->server);
    loop_free(f->loop);
    buf_done(&f->got);
}
