#include "dns/dns_forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/random.h"
#include "dns/dns_message.h"
#include "io/loop.h"

enum { TIMEOUT_MS = 2000, TRIES = 3 };

struct asked {
    struct list link;
    struct dns_forward *forward;
    struct loop_watch watch;
    struct loop_timer timer;
    int fd;
    bool is_tcp;
    unsigned tries;
    unsigned char own_id[2], sent_id[2];
    struct buf message; /* TCP: with its length before it */
    size_t sent;
    struct buf answer; /* TCP: gathered */
    dns_forward_fn *fn;
    void *arg;
};

struct dns_forward {
    struct loop *loop;
    struct dns_server_address servers[DNS_FORWARD_MAX_SERVERS];
    size_t n;
    struct list asked;
    size_t pending;
};

static void close_socket(struct asked *a)
{
    loop_watch_close(&a->watch);
    if (a->fd >= 0)
        (void)close(a->fd);
    a->fd = -1;
}

static void asked_free(struct asked *a)
{
    close_socket(a);
    loop_timer_stop(&a->timer);
    list_remove(&a->link);
    a->forward->pending--;
    buf_done(&a->message);
    buf_done(&a->answer);
    mem_free(a);
}

static void end(struct asked *a, struct str answer)
{
    a->fn(answer, a->arg);
    asked_free(a);
}

static void try_next(struct asked *a);

/* The question that it answers, and nobody else's guess: the identity and the question agree. */
static bool is_answer(const struct asked *a, struct str answer)
{
    size_t at = a->is_tcp ? 2 : 0;
    struct str question = str_tail(buf_str(&a->message), at);

    if (answer.len < 12 || memcmp(answer.p, a->sent_id, 2) != 0 || !(answer.p[2] & 0x80))
        return false;
    for (size_t i = 12; i < question.len && i < answer.len; i++) {
        if (i >= 12 + 5 && question.p[i - 5] == 0)
            break; /* behind the name, type and class */
        if ((question.p[i] | 0x20) != (answer.p[i] | 0x20))
            return false;
    }
    return true;
}

static void take(struct asked *a, char *answer, size_t len)
{
    if (!is_answer(a, str_n(answer, len)))
        return; /* somebody's guess: the real one may still come */
    memcpy(answer, a->own_id, 2);
    end(a, str_n(answer, len));
}

static void on_udp(struct loop_watch *w, int events)
{
    struct asked *a = CONTAINER_OF(w, struct asked, watch);
    char *p = loop_scratch(a->forward->loop);
    ssize_t n = recv(a->fd, p, LOOP_SCRATCH_BYTES, MSG_DONTWAIT);

    (void)events;
    if (n > 0)
        take(a, p, (size_t)n);
    else if (n < 0 && errno != EAGAIN)
        try_next(a); /* refused */
}

static bool send_tcp(struct asked *a)
{
    while (a->sent < a->message.len) {
        ssize_t n = send(a->fd, a->message.p + a->sent, a->message.len - a->sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN;
        a->sent += (size_t)n;
    }
    loop_watch_want(&a->watch, LOOP_READABLE);
    return true;
}

static void on_tcp(struct loop_watch *w, int events)
{
    struct asked *a = CONTAINER_OF(w, struct asked, watch);
    size_t wanted;
    ssize_t n;

    if ((events & LOOP_WRITABLE) && a->sent < a->message.len) {
        if (!send_tcp(a))
            try_next(a);
        return;
    }
    n = recv(a->fd, buf_reserve(&a->answer, 4096), 4096, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        try_next(a);
        return;
    }
    a->answer.len += (size_t)n;
    if (a->answer.len < 2)
        return;
    wanted = (size_t)((unsigned char)a->answer.p[0] << 8 | (unsigned char)a->answer.p[1]);
    if (a->answer.len >= wanted + 2)
        take(a, a->answer.p + 2, wanted);
}

static int connect_to(const struct dns_server_address *s, bool is_tcp)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(s->port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(s->port) };
    bool is_v4 = inet_pton(AF_INET, s->text, &v4.sin_addr) == 1;
    int fd, r;

    if (!is_v4 && inet_pton(AF_INET6, s->text, &v6.sin6_addr) != 1)
        return -1;
    fd = socket(is_v4 ? AF_INET : AF_INET6,
                (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    r = connect(fd, is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6,
                is_v4 ? sizeof(v4) : sizeof(v6));
    if (r < 0 && errno != EINPROGRESS) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void set_id(struct asked *a)
{
    random_bytes(a->sent_id, 2);
    memcpy(a->message.p + (a->is_tcp ? 2 : 0), a->sent_id, 2);
}

/* Another server, with another identity and port. */
static void try_next(struct asked *a)
{
    const struct dns_forward *f = a->forward;

    close_socket(a);
    while (a->tries < TRIES) {
        const struct dns_server_address *s = &f->servers[a->tries++ % f->n];

        a->fd = connect_to(s, a->is_tcp);
        if (a->fd < 0)
            continue;
        set_id(a);
        a->sent = 0;
        buf_reset(&a->answer);
        if (loop_watch_open(&a->watch, f->loop, a->fd, a->is_tcp ? on_tcp : on_udp) < 0) {
            close_socket(a);
            continue;
        }
        loop_watch_want(&a->watch, a->is_tcp ? LOOP_WRITABLE : LOOP_READABLE);
        if (!a->is_tcp && send(a->fd, a->message.p, a->message.len, MSG_NOSIGNAL) < 0) {
            close_socket(a);
            continue;
        }
        loop_timer_start(&a->timer, TIMEOUT_MS);
        return;
    }
    end(a, STR_NULL);
}

static void on_timeout(struct loop_timer *t)
{
    try_next(CONTAINER_OF(t, struct asked, timer));
}

/* From a task's turn, so that fn never runs from within the asking. */
static void on_begin(struct loop_timer *t)
{
    struct asked *a = CONTAINER_OF(t, struct asked, timer);

    loop_timer_init(&a->timer, a->forward->loop, on_timeout);
    try_next(a);
}

bool dns_forward_ask(struct dns_forward *f, struct str message, bool is_tcp, dns_forward_fn *fn,
                     void *arg)
{
    struct asked *a;

    if (!f->n || f->pending >= DNS_FORWARD_MAX_PENDING || message.len < 12)
        return false;
    a = NEW(struct asked);
    a->forward = f;
    a->fd = -1;
    a->is_tcp = is_tcp;
    a->fn = fn;
    a->arg = arg;
    memcpy(a->own_id, message.p, 2);
    if (is_tcp) {
        buf_append_char(&a->message, (char)(message.len >> 8));
        buf_append_char(&a->message, (char)message.len);
    }
    buf_append_str(&a->message, message);
    list_init(&a->link);
    list_append(&f->asked, &a->link);
    f->pending++;
    loop_timer_init(&a->timer, f->loop, on_begin);
    loop_timer_start(&a->timer, 0);
    return true;
}

struct dns_forward *dns_forward_new(struct loop *l, const struct dns_server_address *servers,
                                    size_t n)
{
    struct dns_forward *f = NEW(struct dns_forward);

    f->loop = l;
    f->n = MIN(n, (size_t)DNS_FORWARD_MAX_SERVERS);
    for (size_t i = 0; i < f->n; i++)
        f->servers[i] = servers[i];
    list_init(&f->asked);
    return f;
}

void dns_forward_free(struct dns_forward *f)
{
    struct list *n;

    if (!f)
        return;
    while ((n = list_first(&f->asked)))
        asked_free(CONTAINER_OF(n, struct asked, link));
    mem_free(f);
}
