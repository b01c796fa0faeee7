#include "dns/dns_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/tcp.h"

enum {
    BATCH = 64, /* datagrams of one turn */
    MAX_STREAMS = 200,
    STREAM_TIMEOUT_MS = 10000,
    MAX_ASKERS = 5000,
};

struct stream {
    struct list link;
    struct dns_listener *listener;
    struct tcp_stream tcp;
    struct loop_timer timer;
    struct buf in, out;
    size_t asked; /* without an answer yet */
    bool is_closed;
};

struct dns_asker {
    struct list link;
    struct dns_listener *listener;
    struct stream *stream; /* NULL: a datagram's */
    struct sockaddr_storage from;
    socklen_t from_len;
};

struct dns_listener {
    struct loop *loop;
    dns_listener_fn *fn;
    void *arg;
    int fd;
    struct loop_watch watch;
    struct tcp_listener *tcp;
    struct list streams, askers;
    size_t n_streams, n_askers;
};

static struct dns_asker *asker_new(struct dns_listener *l, struct stream *s)
{
    struct dns_asker *k;

    if (l->n_askers >= MAX_ASKERS)
        return NULL;
    k = NEW(struct dns_asker);
    k->listener = l;
    k->stream = s;
    list_init(&k->link);
    list_append(&l->askers, &k->link);
    l->n_askers++;
    return k;
}

static void asker_free(struct dns_asker *k)
{
    list_remove(&k->link);
    k->listener->n_askers--;
    mem_free(k);
}

/* --- datagrams --- */

static void on_datagram(struct loop_watch *w, int events)
{
    struct dns_listener *l = CONTAINER_OF(w, struct dns_listener, watch);
    char *p = loop_scratch(l->loop);

    (void)events;
    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(l->fd, p, 4096, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
        struct dns_asker *k;

        if (n < 0)
            return;
        k = asker_new(l, NULL);
        if (!k)
            continue;
        k->from = from;
        k->from_len = len;
        l->fn(k, str_n(p, (size_t)n), false, l->arg);
    }
}

/* --- streams --- */

static void stream_free(struct stream *s)
{
    tcp_stream_close(&s->tcp);
    loop_timer_stop(&s->timer);
    list_remove(&s->link);
    s->listener->n_streams--;
    buf_done(&s->in);
    buf_done(&s->out);
    mem_free(s);
}

/* A stream goes when nobody waits for an answer on it. */
static void stream_end(struct stream *s)
{
    s->is_closed = true;
    tcp_stream_want(&s->tcp, 0);
    if (!s->asked)
        stream_free(s);
}

static bool flush(struct stream *s)
{
    while (s->out.len) {
        ssize_t n = tcp_stream_write(&s->tcp, s->out.p, s->out.len);

        if (n < 0)
            return false;
        if (n == 0)
            break;
        buf_drop(&s->out, (size_t)n);
    }
    tcp_stream_want(&s->tcp, LOOP_READABLE | (s->out.len ? LOOP_WRITABLE : 0));
    return true;
}

static void read_messages(struct stream *s)
{
    size_t at = 0;

    while (s->in.len - at >= 2) {
        size_t n = (size_t)((unsigned char)s->in.p[at] << 8 | (unsigned char)s->in.p[at + 1]);
        struct dns_asker *k;

        if (s->in.len - at < n + 2)
            break;
        k = asker_new(s->listener, s);
        if (!k)
            break;
        s->asked++;
        s->listener->fn(k, str_n(s->in.p + at + 2, n), true, s->listener->arg);
        at += n + 2;
    }
    buf_drop(&s->in, at);
}

static void on_stream(struct tcp_stream *tcp, int events)
{
    struct stream *s = CONTAINER_OF(tcp, struct stream, tcp);
    ssize_t n;

    if ((events & LOOP_WRITABLE) && !flush(s)) {
        stream_end(s);
        return;
    }
    if (!(events & LOOP_READABLE))
        return;
    n = tcp_stream_read(tcp, buf_reserve(&s->in, 4096), 4096);
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        stream_end(s);
        return;
    }
    s->in.len += (size_t)n;
    loop_timer_start(&s->timer, STREAM_TIMEOUT_MS);
    read_messages(s);
}

static void on_idle(struct loop_timer *t)
{
    stream_end(CONTAINER_OF(t, struct stream, timer));
}

static void on_accept(int fd, const char *peer, void *arg)
{
    struct dns_listener *l = arg;
    struct stream *s;

    (void)peer;
    if (l->n_streams >= MAX_STREAMS) {
        (void)close(fd);
        return;
    }
    s = NEW(struct stream);
    s->listener = l;
    list_init(&s->link);
    list_append(&l->streams, &s->link);
    l->n_streams++;
    loop_timer_init(&s->timer, l->loop, on_idle);
    if (tcp_stream_open(&s->tcp, l->loop, fd, on_stream) < 0) {
        stream_free(s);
        return;
    }
    tcp_stream_want(&s->tcp, LOOP_READABLE);
    loop_timer_start(&s->timer, STREAM_TIMEOUT_MS);
}

static void answer_stream(struct stream *s, struct str message)
{
    s->asked--;
    if (!s->is_closed && message.len) {
        buf_append_char(&s->out, (char)(message.len >> 8));
        buf_append_char(&s->out, (char)message.len);
        buf_append_str(&s->out, message);
        if (!flush(s))
            s->is_closed = true;
    }
    if (s->is_closed && !s->asked)
        stream_free(s);
}

void dns_asker_answer(struct dns_asker *k, struct str message)
{
    if (k->stream)
        answer_stream(k->stream, message);
    else if (message.len) /* what does not fit the socket's buffer is lost, as datagrams are */
        (void)!sendto(k->listener->fd, message.p, message.len, MSG_DONTWAIT | MSG_NOSIGNAL,
                      (const struct sockaddr *)&k->from, k->from_len);
    asker_free(k);
}

/* --- life --- */

static int open_datagrams(struct dns_listener *l, const char *address, uint16_t port,
                          struct err *err)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;

    if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return err_set(err, ERR_INVALID, "'%s' is no address", address);
    l->fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0 ||
        bind(l->fd, is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
             is_v4 ? sizeof(v4) : sizeof(v6)) < 0)
        return err_errno(err, errno, "listen on %s:%u/udp", address, port);
    return loop_watch_open(&l->watch, l->loop, l->fd, on_datagram);
}

int dns_listener_new(struct loop *loop, const char *address, uint16_t port, dns_listener_fn *fn,
                     void *arg, struct dns_listener **ret, struct err *err)
{
    struct dns_listener *l = NEW(struct dns_listener);
    int r;

    l->loop = loop;
    l->fn = fn;
    l->arg = arg;
    l->fd = -1;
    list_init(&l->streams);
    list_init(&l->askers);
    r = open_datagrams(l, address, port, err);
    if (r >= 0)
        r = tcp_listen(loop, address, port, on_accept, l, &l->tcp, NULL, err);
    if (r < 0) {
        dns_listener_free(l);
        return r;
    }
    loop_watch_want(&l->watch, LOOP_READABLE);
    *ret = l;
    return 0;
}

void dns_listener_free(struct dns_listener *l)
{
    struct list *n;

    if (!l)
        return;
    tcp_listener_free(l->tcp);
    while ((n = list_first(&l->askers)))
        asker_free(CONTAINER_OF(n, struct dns_asker, link));
    while ((n = list_first(&l->streams)))
        stream_free(CONTAINER_OF(n, struct stream, link));
    loop_watch_close(&l->watch);
    if (l->fd >= 0)
        (void)close(l->fd);
    mem_free(l);
}
