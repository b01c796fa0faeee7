#include "io/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    TCP_BACKLOG = 4096,
    TCP_ACCEPTS_PER_TURN = 64,
    TCP_ACCEPT_PAUSE_MS = 100, /* when descriptors have run out */
    TCP_PEER_BYTES = INET6_ADDRSTRLEN + sizeof("[]:65535"),
};

union address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static socklen_t address_len(const union address *a)
{
    return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

static int address_parse(const char *text, uint16_t port, union address *ret, struct err *err)
{
    union address a = { 0 };

    if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1) {
        a.in.sin_family = AF_INET;
        a.in.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1) {
        a.in6.sin6_family = AF_INET6;
        a.in6.sin6_port = htons(port);
    } else {
        return err_set(err, ERR_INVALID, "'%s' is no IP address", text);
    }
    *ret = a;
    return 0;
}

static void address_format(const union address *a, char *ret, size_t size)
{
    char ip[INET6_ADDRSTRLEN] = "";

    if (a->sa.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &a->in.sin_addr, ip, sizeof(ip));
        (void)snprintf(ret, size, "%s:%u", ip, ntohs(a->in.sin_port));
    } else {
        (void)inet_ntop(AF_INET6, &a->in6.sin6_addr, ip, sizeof(ip));
        (void)snprintf(ret, size, "[%s]:%u", ip, ntohs(a->in6.sin6_port));
    }
}

/* --- streams --- */

static void on_stream_event(struct loop_watch *w, int events)
{
    struct tcp_stream *s = CONTAINER_OF(w, struct tcp_stream, watch);

    s->fn(s, events);
}

int tcp_stream_open(struct tcp_stream *s, struct loop *l, int fd, tcp_stream_fn *fn)
{
    int one = 1, r;

    *s = (struct tcp_stream){ .fn = fn, .fd = fd };
    /* Writes are gathered per turn already; waiting for more would only delay them. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    r = loop_watch_open(&s->watch, l, fd, on_stream_event);
    if (r < 0) {
        (void)close(fd);
        s->fd = -1;
    }
    return r;
}

int tcp_stream_connect(struct tcp_stream *s, struct loop *l, const char *address, uint16_t port,
                       tcp_stream_fn *fn, struct err *err)
{
    union address a;
    int fd, r = address_parse(address, port, &a, err);

    s->fd = -1;
    if (r < 0)
        return r;
    fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, errno, "socket");
    if (connect(fd, &a.sa, address_len(&a)) < 0 && errno != EINPROGRESS) {
        r = err_errno(err, errno, "connect to '%s' port %u", address, port);
        (void)close(fd);
        return r;
    }
    r = tcp_stream_open(s, l, fd, fn);
    if (r < 0)
        return err_errno(err, -r, "watch the connection to '%s' port %u", address, port);
    tcp_stream_want(s, LOOP_WRITABLE);
    return 0;
}

int tcp_stream_connected(struct tcp_stream *s)
{
    union address a;
    socklen_t len = sizeof(a);
    int e = 0;
    socklen_t e_len = sizeof(e);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &e_len) < 0)
        return -errno;
    if (e)
        return -e;
    if (getpeername(s->fd, &a.sa, &len) < 0)
        return errno == ENOTCONN ? -EINPROGRESS : -errno;
    return 0;
}

void tcp_stream_want(struct tcp_stream *s, int events)
{
    loop_watch_want(&s->watch, events);
}

ssize_t tcp_stream_read(struct tcp_stream *s, void *p, size_t size)
{
    ssize_t n;

    do
        n = recv(s->fd, p, size, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t tcp_stream_write(struct tcp_stream *s, const void *p, size_t len)
{
    ssize_t n;

    do
        n = send(s->fd, p, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    return n;
}

void tcp_stream_detect_death(struct tcp_stream *s, uint32_t after_ms, uint32_t probe_ms)
{
    int on = 1, probes = 3;
    int idle_s = (int)MIN(MAX(after_ms / 1000, 1U), 32767U); /* the most that Linux takes */
    int interval_s = (int)MIN(MAX(probe_ms / 1000 / (unsigned)probes, 1U), 32767U);
    unsigned user_ms = after_ms > UINT32_MAX - probe_ms ? UINT32_MAX : after_ms + probe_ms;
    const struct {
        int level, name;
        const void *value;
        socklen_t len;
    } rows[] = {
        { SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on) },
        { IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s) },
        { IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s) },
        { IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes) },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof(user_ms) },
    };

    /* A kernel that refuses one leaves its default, which only is slower. */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        (void)setsockopt(s->fd, rows[i].level, rows[i].name, rows[i].value, rows[i].len);
}

void tcp_stream_shutdown(struct tcp_stream *s)
{
    if (s->fd >= 0)
        (void)shutdown(s->fd, SHUT_WR); /* a peer that is gone shows at the next read */
}

void tcp_stream_close(struct tcp_stream *s)
{
    loop_watch_close(&s->watch);
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

/* --- listening --- */

struct tcp_listener {
    struct loop_watch watch;
    struct loop_timer pause;
    tcp_accept_fn *fn;
    void *arg;
    int fd;
};

static void on_pause_over(struct loop_timer *timer)
{
    struct tcp_listener *t = CONTAINER_OF(timer, struct tcp_listener, pause);

    loop_watch_want(&t->watch, LOOP_READABLE);
}

static void on_acceptable(struct loop_watch *w, int events)
{
    struct tcp_listener *t = CONTAINER_OF(w, struct tcp_listener, watch);

    (void)events;
    for (int i = 0; i < TCP_ACCEPTS_PER_TURN; i++) {
        union address a = { 0 };
        socklen_t len = sizeof(a);
        char peer[TCP_PEER_BYTES];
        int fd = accept4(t->fd, &a.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            address_format(&a, peer, sizeof(peer));
            t->fn(fd, peer, t->arg);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            /* The waiting connection would wake us at once, again and again. */
            LOG_DEBUG("accepting pauses", KV("error", err_name(-errno)));
            loop_watch_want(&t->watch, 0);
            loop_timer_start(&t->pause, TCP_ACCEPT_PAUSE_MS);
            return;
        }
    }
}

static int listen_on(int fd, const union address *a, struct err *err, const char *text,
                     uint16_t port)
{
    int one = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (a->sa.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, &a->sa, address_len(a)) < 0)
        return err_errno(err, errno, "listen on '%s' port %u", text, port);
    if (listen(fd, TCP_BACKLOG) < 0)
        return err_errno(err, errno, "listen on '%s' port %u", text, port);
    return 0;
}

int tcp_listen(struct loop *l, const char *address, uint16_t port, tcp_accept_fn *fn, void *arg,
               struct tcp_listener **ret, uint16_t *ret_port, struct err *err)
{
    struct tcp_listener *t;
    union address a;
    socklen_t len = sizeof(a);
    int fd, r = address_parse(address, port, &a, err);

    if (r < 0)
        return r;
    fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, errno, "socket");
    r = listen_on(fd, &a, err, address, port);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    t = NEW(struct tcp_listener);
    t->fd = fd;
    t->fn = fn;
    t->arg = arg;
    loop_timer_init(&t->pause, l, on_pause_over);
    r = loop_watch_open(&t->watch, l, fd, on_acceptable);
    if (r < 0) {
        tcp_listener_free(t);
        return err_errno(err, -r, "watch '%s' port %u", address, port);
    }
    loop_watch_want(&t->watch, LOOP_READABLE);
    if (ret_port && getsockname(fd, &a.sa, &len) == 0)
        *ret_port = ntohs(a.sa.sa_family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
    *ret = t;
    return 0;
}

void tcp_listener_free(struct tcp_listener *t)
{
    if (!t)
        return;
    loop_timer_stop(&t->pause);
    loop_watch_close(&t->watch);
    (void)close(t->fd);
    mem_free(t);
}
