/* An HTTP/2 load generator over TLS with client certificates (which h2load lacks): the one client
 * of all API benches, so that floors and ours meet the same one. One thread, epoll, nghttp2,
 * OpenSSL.
 *
 *   http_load --port P --cert C --key K -c CONNS -m STREAMS -n REQUESTS --path /x [--method POST
 * --body-file F]
 *
 * With a body, every "@@@@@@@@" in it and in the path becomes the request's number in eight digits,
 * and every "%%%%%%%%" what --modulo M leaves of it.
 * Prints one line: requests per second, body bytes per second, latency percentiles in microseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/str.h"

enum { READ_BYTES = 1 << 16, MARK_LEN = 8 };

struct options {
    uint16_t port;
    const char *cert, *key, *path, *method, *accept, *content_type;
    struct str body;
    size_t connections, streams, requests, warmup, modulo;
    long first; /* number of the first request */
};

struct load {
    const struct options *o;
    size_t started, finished, failed;
    uint64_t body_bytes;
    int64_t begin_ns, end_ns;
    uint32_t *latency_us;
    size_t n_latency;
    int last_status;
};

struct stream {
    int64_t start_ns;
    struct str body; /* owned */
    size_t sent;
    int status;
};

struct conn {
    struct load *load;
    int fd;
    SSL *ssl;
    nghttp2_session *h2;
    struct buf out;
    size_t out_sent;
    size_t open;
};

__attribute__((noreturn)) static void die(const char *what)
{
    (void)fprintf(stderr, "http_load: %s\n", what);
    exit(1);
}

/* --- requests --- */

static void write_number(char *copy, size_t len, struct str mark, size_t number)
{
    char digits[MARK_LEN + 1];
    ptrdiff_t at;
    struct str rest = str_n(copy, len);

    (void)snprintf(digits, sizeof(digits), "%08zu", number % 100000000);
    while ((at = str_find_str(rest, mark)) >= 0) {
        memcpy(copy + (rest.p - copy) + at, digits, MARK_LEN);
        rest = str_tail(rest, (size_t)at + MARK_LEN);
    }
}

static struct str numbered(const struct options *o, struct str pattern, size_t number)
{
    char *copy = str_heap_cstr(pattern);

    write_number(copy, pattern.len, STR("@@@@@@@@"), number);
    if (o->modulo)
        write_number(copy, pattern.len, STR("%%%%%%%%"), number % o->modulo);
    return str_n(copy, pattern.len);
}

static ssize_t read_body(nghttp2_session *h2, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct stream *s = source->ptr;
    size_t n = MIN(room, s->body.len - s->sent);

    (void)h2, (void)id, (void)arg;
    memcpy(to, s->body.p + s->sent, n);
    s->sent += n;
    if (s->sent == s->body.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv header(const char *name, struct str value)
{
    return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
                         .value = (uint8_t *)(uintptr_t)value.p,
                         .namelen = strlen(name),
                         .valuelen = value.len };
}

static void start_request(struct conn *c)
{
    struct load *l = c->load;
    const struct options *o = l->o;
    struct stream *s = NEW(struct stream);
    size_t number = (size_t)o->first + l->started++;
    struct str path = numbered(o, str_from_cstr(o->path), number);
    nghttp2_nv nv[] = {
        header(":method", str_from_cstr(o->method)),
        header(":scheme", STR("https")),
        header(":authority", STR("127.0.0.1")),
        header(":path", path),
        header("accept", str_from_cstr(o->accept)),
        header("content-type", str_from_cstr(o->content_type)),
    };
    nghttp2_data_provider body = { .source.ptr = s, .read_callback = read_body };

    s->start_ns = clock_system.mono_ns(&clock_system);
    if (o->body.len)
        s->body = numbered(o, o->body, number);
    if (nghttp2_submit_request(c->h2, NULL, nv, ARRAY_LEN(nv) - (o->body.len ? 0 : 1),
                               o->body.len ? &body : NULL, s) < 0)
        die("cannot submit a request");
    c->open++;
    mem_free((char *)(uintptr_t)path.p);
}

static void fill(struct conn *c)
{
    const struct options *o = c->load->o;

    while (c->open < o->streams && c->load->started < o->requests)
        start_request(c);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *f, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct stream *s = nghttp2_session_get_stream_user_data(h2, f->hd.stream_id);
    uint64_t status;

    (void)flags, (void)arg;
    if (s && name_len == 7 && memcmp(name, ":status", 7) == 0 &&
        str_to_u64(str_n((const char *)value, value_len), &status))
        s->status = (int)status;
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t len,
                   void *arg)
{
    struct conn *c = arg;

    (void)h2, (void)flags, (void)id, (void)p;
    c->load->body_bytes += len;
    return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t error, void *arg)
{
    struct conn *c = arg;
    struct load *l = c->load;
    struct stream *s = nghttp2_session_get_stream_user_data(h2, id);
    int64_t now = clock_system.mono_ns(&clock_system);

    if (!s)
        return 0;
    if (error || s->status < 200 || s->status > 299)
        l->failed++;
    l->last_status = s->status;
    if (l->finished == l->o->warmup) {
        l->begin_ns = now;
        l->body_bytes = 0;
    }
    if (l->finished++ >= l->o->warmup)
        l->latency_us[l->n_latency++] = (uint32_t)((now - s->start_ns) / 1000);
    l->end_ns = now;
    c->open--;
    mem_free((char *)(uintptr_t)s->body.p);
    mem_free(s);
    fill(c);
    return 0;
}

/* --- connections --- */

static SSL_CTX *make_context(const struct options *o)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx)
        die("no TLS context");
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    (void)SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
    (void)SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2", 3);
    if (o->cert && (SSL_CTX_use_certificate_chain_file(ctx, o->cert) != 1 ||
                    SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) != 1))
        die("cannot read the client certificate");
    return ctx;
}

static void conn_start(struct conn *c, struct load *l, SSL_CTX *ctx)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(l->o->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    nghttp2_session_callbacks *cb;
    nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24 } };
    int one = 1;

    c->load = l;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("cannot connect");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->ssl = SSL_new(ctx);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
        die("TLS handshake failed");
    (void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
    (void)SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (nghttp2_session_callbacks_new(&cb))
        die("no memory");
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    if (nghttp2_session_client_new(&c->h2, cb, c))
        die("no HTTP/2 session");
    nghttp2_session_callbacks_del(cb);
    (void)nghttp2_submit_settings(c->h2, 0, settings, 1);
    (void)nghttp2_session_set_local_window_size(c->h2, 0, 0, 1 << 26);
    fill(c);
}

static void conn_read(struct conn *c)
{
    uint8_t in[READ_BYTES];

    for (;;) {
        int n = SSL_read(c->ssl, in, sizeof(in));

        if (n <= 0) {
            if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
                die("connection closed by the server");
            return;
        }
        if (nghttp2_session_mem_recv(c->h2, in, (size_t)n) < 0)
            die("HTTP/2 error");
    }
}

/* True when everything went out. */
static bool conn_write(struct conn *c)
{
    const uint8_t *p;
    ssize_t n;

    while (c->out.len < READ_BYTES && (n = nghttp2_session_mem_send(c->h2, &p)) > 0)
        buf_append(&c->out, p, (size_t)n);
    while (c->out_sent < c->out.len) {
        int w = SSL_write(c->ssl, c->out.p + c->out_sent, (int)(c->out.len - c->out_sent));

        if (w <= 0)
            return false;
        c->out_sent += (size_t)w;
    }
    buf_reset(&c->out);
    c->out_sent = 0;
    return !nghttp2_session_want_write(c->h2);
}

static void conn_turn(struct conn *c, int epoll)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

    conn_read(c);
    while (!conn_write(c)) {
        if (c->out.len > c->out_sent) {
            ev.events |= EPOLLOUT;
            break;
        }
    }
    (void)epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

static void run(struct load *l)
{
    struct conn *conns = mem_zalloc(l->o->connections * sizeof(*conns));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    SSL_CTX *ctx = make_context(l->o);

    for (size_t i = 0; i < l->o->connections; i++) {
        struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &conns[i] };

        conn_start(&conns[i], l, ctx);
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, conns[i].fd, &ev);
    }
    l->begin_ns = clock_system.mono_ns(&clock_system);
    for (size_t i = 0; i < l->o->connections; i++)
        conn_turn(&conns[i], epoll);
    while (l->finished < l->o->requests) {
        struct epoll_event evs[64];
        int n = epoll_wait(epoll, evs, ARRAY_LEN(evs), 30000);

        if (n == 0)
            die("no answer for 30 s");
        for (int i = 0; i < n; i++)
            conn_turn(evs[i].data.ptr, epoll);
    }
    for (size_t i = 0; i < l->o->connections; i++) {
        nghttp2_session_del(conns[i].h2);
        SSL_free(conns[i].ssl);
        (void)close(conns[i].fd);
        buf_done(&conns[i].out);
    }
    SSL_CTX_free(ctx);
    (void)close(epoll);
    mem_free(conns);
}

/* --- the program --- */

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void report(struct load *l)
{
    double seconds = (double)(l->end_ns - l->begin_ns) / 1e9;
    size_t n = l->n_latency;

    qsort(l->latency_us, n, sizeof(*l->latency_us), by_value);
    printf("requests_per_s=%.0f bytes_per_s=%.0f p50_us=%u p99_us=%u failed=%zu last_status=%d\n",
           (double)n / seconds, (double)l->body_bytes / seconds, n ? l->latency_us[n / 2] : 0,
           n ? l->latency_us[n * 99 / 100] : 0, l->failed, l->last_status);
}

static struct str read_file(const char *path)
{
    struct buf b = { 0 };
    FILE *f = fopen(path, "re");
    size_t n;

    if (!f)
        die("cannot read the body file");
    while ((n = fread(buf_reserve(&b, 4096), 1, 4096, f)) > 0)
        b.len += n;
    (void)fclose(f); /* only read */
    return buf_str(&b);
}

static size_t number(const char *s)
{
    uint64_t v;

    if (!str_to_u64(str_from_cstr(s), &v))
        die("a number was expected");
    return v;
}

static void parse_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        { "port", 1, NULL, 'p' },   { "cert", 1, NULL, 'C' },         { "key", 1, NULL, 'K' },
        { "path", 1, NULL, 'P' },   { "method", 1, NULL, 'X' },       { "body-file", 1, NULL, 'B' },
        { "accept", 1, NULL, 'A' }, { "first", 1, NULL, 'F' },        { "warmup", 1, NULL, 'W' },
        { "modulo", 1, NULL, 'M' }, { "content-type", 1, NULL, 'T' }, { 0 },
    };

    for (int c; (c = getopt_long(argc, argv, "c:m:n:", longs, NULL)) != -1;) {
        switch (c) {
        case 'p':
            o->port = (uint16_t)number(optarg);
            break;
        case 'C':
            o->cert = optarg;
            break;
        case 'K':
            o->key = optarg;
            break;
        case 'P':
            o->path = optarg;
            break;
        case 'X':
            o->method = optarg;
            break;
        case 'B':
            o->body = read_file(optarg);
            break;
        case 'A':
            o->accept = optarg;
            break;
        case 'T':
            o->content_type = optarg;
            break;
        case 'F':
            o->first = (long)number(optarg);
            break;
        case 'W':
            o->warmup = number(optarg);
            break;
        case 'M':
            o->modulo = number(optarg);
            break;
        case 'c':
            o->connections = number(optarg);
            break;
        case 'm':
            o->streams = number(optarg);
            break;
        case 'n':
            o->requests = number(optarg);
            break;
        default:
            die("unknown option");
        }
    }
    o->requests += o->warmup;
    if (!o->port || !o->connections || !o->streams || o->requests == o->warmup)
        die("--port, -c, -m and -n are needed");
}

int main(int argc, char **argv)
{
    struct options o = { .path = "/",
                         .method = "GET",
                         .accept = "application/json",
                         .content_type = "application/json",
                         .connections = 1,
                         .streams = 1 };
    struct load l = { .o = &o };

    parse_options(argc, argv, &o);
    l.latency_us = mem_realloc_array(NULL, o.requests, sizeof(*l.latency_us));
    run(&l);
    report(&l);
    mem_free(l.latency_us);
    return l.failed ? 1 : 0;
}
