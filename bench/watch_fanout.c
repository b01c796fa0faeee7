/* One change to many watchers, over HTTP/1.1 and TLS with one connection a watcher.
 *
 *   watch_fanout clients --port P --cert C --key K --path /x --watchers N --events E --server-pid
 * PID opens N watches, then writes a line "open" and reads until each has got E frames that end in
 *       "}\n". Prints frames a second of the server's processor time, and the server's memory a
 * watcher. watch_fanout floor --port P --cert C --key K --watchers N --events E --bytes B the
 * floor: a server that answers N requests and, at a line on standard input, writes E chunks of B
 * bytes to each, one SSL_write a chunk. */
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"

enum { READ_BYTES = 1 << 16, BATCH = 256 };

struct options {
    uint16_t port;
    const char *cert, *key, *path;
    size_t watchers, events, bytes;
    int server_pid;
};

struct client {
    SSL *ssl;
    size_t frames;
    char last; /* byte: frames end in two, which may come apart */
};

__attribute__((noreturn)) static void die(const char *what)
{
    (void)fprintf(stderr, "watch_fanout: %s\n", what);
    exit(1);
}

static SSL_CTX *make_context(const struct options *o, const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (SSL_CTX_use_certificate_chain_file(ctx, o->cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) != 1)
        die("certificate or key");
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    (void)SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

static int64_t now_ns(void)
{
    return clock_system.mono_ns(&clock_system);
}

/* --- what the kernel says of the server --- */

static double cpu_s(int pid)
{
    char path[64], line[1024];
    unsigned long user, kernel;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "re");
    if (!f || !fgets(line, sizeof(line), f) ||
        sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &kernel) != 2)
        die("cannot read the server's times");
    (void)fclose(f);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static long rss_kb(int pid)
{
    char path[64];
    long pages;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    f = fopen(path, "re");
    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        die("cannot read the server's memory");
    (void)fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* --- the watchers --- */

static SSL *dial(SSL_CTX *ctx, const struct options *o, const char *hello, int hello_len)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(o->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL *ssl = SSL_new(ctx);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || SSL_set_fd(ssl, fd) != 1 ||
        SSL_connect(ssl) != 1)
        die("cannot connect");
    if (SSL_write(ssl, hello, hello_len) != hello_len)
        die("cannot ask");
    return ssl;
}

/* The answer's head has come: the watch stands. */
static void await_head(struct client *c)
{
    char b[4096];
    int n = SSL_read(c->ssl, b, sizeof(b) - 1);

    if (n <= 0 || strncmp(b, "HTTP/1.1 200", 12) != 0)
        die("a watch was refused");
}

static bool take(struct client *c)
{
    static char b[READ_BYTES];
    int n;

    while ((n = SSL_read(c->ssl, b, sizeof(b))) > 0)
        for (int i = 0; i < n; i++) {
            c->frames += c->last == '}' && b[i] == '\n';
            c->last = b[i];
        }
    return SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ;
}

static void receive(struct client *clients, const struct options *o)
{
    struct epoll_event events[BATCH];
    size_t done = 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (size_t i = 0; i < o->watchers; i++) {
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = &clients[i] };

        BIO_set_nbio(SSL_get_rbio(clients[i].ssl), 1);
        (void)BIO_socket_nbio(SSL_get_fd(clients[i].ssl), 1);
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, SSL_get_fd(clients[i].ssl), &e);
    }
    printf("open\n");
    (void)fflush(stdout);
    while (done < o->watchers) {
        int n = epoll_wait(epoll, events, BATCH, 30000);

        if (n <= 0)
            die("30 s without a frame");
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            size_t before = c->frames;

            if (!take(c))
                die("a watch ended");
            done += before < o->events && c->frames >= o->events;
        }
    }
    (void)close(epoll);
}

static int run_clients(const struct options *o)
{
    struct client *clients = calloc(o->watchers, sizeof(*clients));
    SSL_CTX *ctx = make_context(o, TLS_client_method());
    long before_kb = rss_kb(o->server_pid);
    double cpu, wall, frames = (double)(o->watchers * o->events);
    long after_kb;
    int64_t start;
    char request[512];
    int n =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", o->path);

    for (size_t i = 0; i < o->watchers; i++)
        clients[i].ssl = dial(ctx, o, request, n);
    for (size_t i = 0; i < o->watchers; i++)
        await_head(&clients[i]);
    after_kb = rss_kb(o->server_pid);
    cpu = cpu_s(o->server_pid);
    start = now_ns();
    receive(clients, o);
    wall = (double)(now_ns() - start) / 1e9;
    cpu = cpu_s(o->server_pid) - cpu;
    printf("frames_per_cpu_s=%.0f frames_per_s=%.0f cpu_s=%.2f kb_per_watcher=%.1f\n", frames / cpu,
           frames / wall, cpu, (double)(after_kb - before_kb) / (double)o->watchers);
    return 0;
}

static int run_idle(const struct options *o)
{
    /* RFC 9113, 3.4: preface, SETTINGS, and the acknowledgement of the server's. */
    static const char hello[] =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";
    static const unsigned char alpn[] = "\2h2";
    SSL_CTX *ctx = make_context(o, TLS_client_method());
    long before_kb = rss_kb(o->server_pid);
    SSL **peers = calloc(o->watchers, sizeof(SSL *));
    char b[4096];

    (void)SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1);
    for (size_t i = 0; i < o->watchers; i++)
        peers[i] = dial(ctx, o, hello, sizeof(hello) - 1);
    for (size_t i = 0; i < o->watchers; i++)
        if (SSL_read(peers[i], b, sizeof(b)) <= 0) /* its SETTINGS */
            die("a connection was refused");
    printf("kb_per_connection=%.1f\n",
           (double)(rss_kb(o->server_pid) - before_kb) / (double)o->watchers);
    return 0;
}

/* --- the floor --- */

static int run_floor(const struct options *o)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(o->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    SSL_CTX *ctx = make_context(o, TLS_server_method());
    SSL **peers = calloc(o->watchers, sizeof(SSL *));
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char *chunk = malloc(o->bytes + 64), b[4096], line[16];
    int head;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1024) < 0)
        die("cannot listen");
    head = snprintf(chunk, 32, "%zx\r\n", o->bytes);
    memset(chunk + head, 'x', o->bytes);
    memcpy(chunk + head + o->bytes - 2, "}\n\r\n", 4);
    for (size_t i = 0; i < o->watchers; i++) {
        static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        (void)setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        peers[i] = SSL_new(ctx);
        if (SSL_set_fd(peers[i], peer) != 1 || SSL_accept(peers[i]) != 1 ||
            SSL_read(peers[i], b, sizeof(b)) <= 0 ||
            SSL_write(peers[i], answer, sizeof(answer) - 1) <= 0)
            die("a client failed");
    }
    if (!fgets(line, sizeof(line), stdin))
        die("no word to begin");
    for (size_t e = 0; e < o->events; e++)
        for (size_t i = 0; i < o->watchers; i++)
            if (SSL_write(peers[i], chunk, head + (int)o->bytes + 2) <= 0)
                die("a client left");
    while (fgets(line, sizeof(line), stdin)) /* until the bench has read our times */
        ;
    return 0;
}

static struct options parse(int argc, char **argv)
{
    static const struct option longs[] = {
        { "port", 1, 0, 'p' },  { "cert", 1, 0, 'c' },       { "key", 1, 0, 'k' },
        { "path", 1, 0, 'P' },  { "watchers", 1, 0, 'w' },   { "events", 1, 0, 'e' },
        { "bytes", 1, 0, 'b' }, { "server-pid", 1, 0, 's' }, { 0 },
    };
    struct options o = { .watchers = 1000, .events = 100, .bytes = 2600, .path = "/" };
    int opt;

    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (opt) {
        case 'p':
            o.port = (uint16_t)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            o.cert = optarg;
            break;
        case 'k':
            o.key = optarg;
            break;
        case 'P':
            o.path = optarg;
            break;
        case 'w':
            o.watchers = strtoul(optarg, NULL, 10);
            break;
        case 'e':
            o.events = strtoul(optarg, NULL, 10);
            break;
        case 'b':
            o.bytes = strtoul(optarg, NULL, 10);
            break;
        case 's':
            o.server_pid = (int)strtol(optarg, NULL, 10);
            break;
        default:
            die("unknown flag");
        }
    }
    return o;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "clients") == 0) {
        struct options o = parse(argc - 1, argv + 1);

        return run_clients(&o);
    }
    if (argc > 1 && strcmp(argv[1], "idle") == 0) {
        struct options o = parse(argc - 1, argv + 1);

        return run_idle(&o);
    }
    if (argc > 1 && strcmp(argv[1], "floor") == 0) {
        struct options o = parse(argc - 1, argv + 1);

        return run_floor(&o);
    }
    die("clients or floor?");
}
