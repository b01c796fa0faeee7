#include "dns/dns_forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "dns/dns_cache.h"
#include "dns/dns_message.h"
#include "dns/dns_reply.h"
#include "io/loop.h"

enum { TIMEOUT_MS = 2000, TRIES = 3, PREFIX = 2 /* a message's length, over TCP */ };

struct waiter {
    struct list link;
    dns_forward_fn *fn;
    void *arg;
};

/* A question under way, at one server at a time. */
struct asked {
    struct list link;
    struct dns_forward *forward;
    struct list waiters;
    struct loop_watch watch;
    struct loop_timer timer;
    int fd;
    bool is_tcp;
    size_t start, tries, server;
    struct buf key;
    struct buf message; /* with its length before it */
    size_t question_bytes;
    size_t sent;
    struct buf answer; /* TCP: gathered */
};

struct dns_forward {
    struct loop *loop;
    struct dns_server_address servers[DNS_FORWARD_MAX_SERVERS];
    size_t n;
    size_t first; /* the server that answered last */
    struct dns_cache *cache;
    struct list asked;
    struct map by_key;
    size_t pending; /* waiters */
    struct dns_forward_stats stats;
};

/* All that an answer depends on. */
static void print_key(struct buf *b, const struct dns_query *q)
{
    unsigned char head[5] = { (unsigned char)(q->type >> 8), (unsigned char)q->type,
                              (unsigned char)(q->klass >> 8), (unsigned char)q->klass };

    head[4] = (unsigned char)(q->has_edns | q->dnssec_ok << 1 | q->checking_disabled << 2 |
                              q->authentic_data << 3);
    buf_append(b, head, sizeof(head));
    buf_append_str(b, str_from_cstr(q->name));
}

static void close_socket(struct asked *a)
{
    loop_watch_close(&a->watch);
    if (a->fd >= 0)
        (void)close(a->fd);
    a->fd = -1;
}

static void asked_free(struct asked *a)
{
    struct list *n;

    close_socket(a);
    loop_timer_stop(&a->timer);
    list_remove(&a->link);
    if (map_get(&a->forward->by_key, buf_str(&a->key)) == a)
        (void)map_remove(&a->forward->by_key, buf_str(&a->key));
    while ((n = list_first(&a->waiters))) {
        list_remove(n);
        a->forward->pending--;
        mem_free(CONTAINER_OF(n, struct waiter, link));
    }
    buf_done(&a->key);
    buf_done(&a->message);
    buf_done(&a->answer);
    mem_free(a);
}

/* All who asked are told; reply is NULL where nobody answered. */
static void end(struct asked *a, struct dns_reply *take_reply)
{
    struct dns_forward *f = a->forward;

    (void)map_remove(&f->by_key, buf_str(&a->key)); /* who asks from now on asks anew */
    LIST_FOREACH(n, &a->waiters) {
        const struct waiter *w = CONTAINER_OF(n, struct waiter, link);

        w->fn(take_reply, w->arg);
    }
    if (take_reply)
        dns_cache_put(f->cache, buf_str(&a->key), take_reply);
    asked_free(a);
}

static void try_next(struct asked *a);
static bool open_at_server(struct asked *a);

/* The answer to this question, and nobody's guess: the identity and the question agree. */
static bool is_answer(const struct asked *a, struct str answer)
{
    struct str q = str_tail(buf_str(&a->message), PREFIX);
    size_t name_end = 12 + a->question_bytes - 4, end = name_end + 4;

    return answer.len >= end && memcmp(answer.p, q.p, 2) == 0 && (answer.p[2] & 0x80) &&
           str_eq_nocase(str_sub(answer, 12, name_end), str_sub(q, 12, name_end)) &&
           memcmp(answer.p + name_end, q.p + name_end, 4) == 0;
}

static void take(struct asked *a, struct str answer)
{
    struct dns_forward *f = a->forward;
    struct dns_reply *r;

    if (!is_answer(a, answer))
        return; /* somebody's guess: the real one may still come */
    if ((answer.p[2] & 2) && !a->is_tcp) {
        a->is_tcp = true;
        if (!open_at_server(a))
            try_next(a);
        return;
    }
    r = dns_reply_parse(answer);
    /* What one cannot or will not answer, another may. */
    if (!r || ((r->rcode == DNS_SERVFAIL || r->rcode == DNS_REFUSED) && a->tries < f->n)) {
        mem_free(r);
        try_next(a);
        return;
    }
    f->first = a->server;
    end(a, r);
}

static void on_udp(struct loop_watch *w, int events)
{
    struct asked *a = CONTAINER_OF(w, struct asked, watch);
    char *p = loop_scratch(a->forward->loop);
    ssize_t n = recv(a->fd, p, LOOP_SCRATCH_BYTES, MSG_DONTWAIT);

    (void)events;
    if (n > 0)
        take(a, str_n(p, (size_t)n));
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
    if (a->answer.len < PREFIX)
        return;
    wanted = (size_t)((unsigned char)a->answer.p[0] << 8 | (unsigned char)a->answer.p[1]);
    if (a->answer.len < wanted + PREFIX)
        return;
    if (is_answer(a, str_n(a->answer.p + PREFIX, wanted)))
        take(a, str_n(a->answer.p + PREFIX, wanted));
    else
        try_next(a);
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

/* Another identity each time. */
static bool open_at_server(struct asked *a)
{
    struct dns_forward *f = a->forward;

    close_socket(a);
    a->fd = connect_to(&f->servers[a->server], a->is_tcp);
    if (a->fd < 0)
        return false;
    random_bytes(a->message.p + PREFIX, 2);
    a->sent = 0;
    buf_reset(&a->answer);
    if (loop_watch_open(&a->watch, f->loop, a->fd, a->is_tcp ? on_tcp : on_udp) < 0)
        return false;
    loop_watch_want(&a->watch, a->is_tcp ? LOOP_WRITABLE : LOOP_READABLE);
    if (!a->is_tcp && send(a->fd, a->message.p + PREFIX, a->message.len - PREFIX, MSG_NOSIGNAL) < 0)
        return false;
    *(a->is_tcp ? &f->stats.sent_tcp : &f->stats.sent_udp) += 1;
    loop_timer_start(&a->timer, TIMEOUT_MS);
    return true;
}

static void try_next(struct asked *a)
{
    const struct dns_forward *f = a->forward;

    a->is_tcp = false;
    while (a->tries < TRIES) {
        a->server = (a->start + a->tries++) % f->n;
        if (open_at_server(a))
            return;
    }
    end(a, NULL);
}

static void on_timeout(struct loop_timer *t)
{
    struct asked *a = CONTAINER_OF(t, struct asked, timer);
    struct dns_forward *f = a->forward;

    f->stats.timeouts++;
    if (f->first == a->server)
        f->first = (f->first + 1) % f->n; /* who is silent is not asked first again */
    try_next(a);
}

/* From a turn of its own, so that fn never runs from within the asking. */
static void on_begin(struct loop_timer *t)
{
    struct asked *a = CONTAINER_OF(t, struct asked, timer);

    loop_timer_init(&a->timer, a->forward->loop, on_timeout);
    try_next(a);
}

static struct asked *asked_new(struct dns_forward *f, const struct dns_query *q, struct str key)
{
    struct asked *a = NEW(struct asked);

    a->forward = f;
    a->fd = -1;
    a->start = f->first;
    list_init(&a->waiters);
    buf_append_str(&a->key, key);
    buf_append(&a->message, "\0", PREFIX);
    dns_question_print(&a->message, q);
    a->message.p[0] = (char)((a->message.len - PREFIX) >> 8);
    a->message.p[1] = (char)(a->message.len - PREFIX);
    a->question_bytes = strlen(q->name) + (q->name[0] ? 2 : 1) + 4;
    list_init(&a->link);
    list_append(&f->asked, &a->link);
    (void)map_put(&f->by_key, key, a);
    loop_timer_init(&a->timer, f->loop, on_begin);
    loop_timer_start(&a->timer, 0);
    return a;
}

const struct dns_reply *dns_forward_known(struct dns_forward *f, const struct dns_query *q,
                                          uint32_t *ret_age_s)
{
    CLEANUP(buf_done) struct buf key = { 0 };

    print_key(&key, q);
    return dns_cache_get(f->cache, buf_str(&key), ret_age_s);
}

bool dns_forward_ask(struct dns_forward *f, const struct dns_query *q, dns_forward_fn *fn,
                     void *arg)
{
    CLEANUP(buf_done) struct buf key = { 0 };
    struct asked *a;
    struct waiter *w;

    if (!f->n || f->pending >= DNS_FORWARD_MAX_PENDING) {
        f->stats.rejected++;
        return false;
    }
    print_key(&key, q);
    a = map_get(&f->by_key, buf_str(&key));
    if (!a)
        a = asked_new(f, q, buf_str(&key));
    w = NEW(struct waiter);
    w->fn = fn;
    w->arg = arg;
    list_init(&w->link);
    list_append(&a->waiters, &w->link);
    f->pending++;
    return true;
}

struct dns_forward_stats dns_forward_stats(const struct dns_forward *f)
{
    return f->stats;
}

struct dns_cache_stats dns_forward_cache_stats(const struct dns_forward *f)
{
    return dns_cache_stats(f->cache);
}

struct dns_forward *dns_forward_new(struct loop *l, const struct dns_server_address *servers,
                                    size_t n, size_t cache_entries)
{
    struct dns_forward *f = NEW(struct dns_forward);

    f->loop = l;
    f->n = MIN(n, (size_t)DNS_FORWARD_MAX_SERVERS);
    for (size_t i = 0; i < f->n; i++)
        f->servers[i] = servers[i];
    f->cache = dns_cache_new(loop_clock(l), cache_entries);
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
    map_done(&f->by_key);
    dns_cache_free(f->cache);
    mem_free(f);
}
