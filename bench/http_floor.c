/* What the bare server can do: answers every GET with one body of 2.5 KB over TLS. Prints its port
 * and runs until SIGTERM; bench/http-floor drives it with h2load beside nghttpd.
 *     bench-http CERTIFICATE KEY [PORT] [CLIENT_CA] */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/http_server.h"
#include "io/loop.h"
#include "io/tls.h"

enum { BODY_BYTES = 2560, FILE_BYTES = 64 * 1024 };

static char body[BODY_BYTES];

static void read_file(const char *path, struct buf *ret)
{
    FILE *f = fopen(path, "re");

    if (!f) {
        perror(path);
        exit(1);
    }
    ret->len = fread(buf_reserve(ret, FILE_BYTES), 1, FILE_BYTES, f);
    (void)fclose(f);
}

static void on_body(struct http_request *r, int result, struct str got, void *arg)
{
    (void)arg;
    if (result == 0)
        http_respond(r, 200, NULL, 0, got);
    else
        http_respond(r, result == ERR_TOO_LARGE ? 413 : 400, NULL, 0, STR(""));
}

static void on_request(struct http_request *r, void *arg)
{
    static const struct http_header type[] = { { STR_INIT("content-type"),
                                                 STR_INIT("application/json") } };

    (void)arg;
    if (str_eq(http_request_method(r), STR("GET")))
        http_respond(r, 200, type, 1, str_n(body, sizeof(body)));
    else
        http_request_read_body(r, 1 << 20, on_body, NULL);
}

static void on_signal(int signum, void *arg)
{
    (void)signum;
    loop_stop(arg);
}

int main(int argc, char **argv)
{
    struct loop *loop = loop_new(&clock_system);
    struct buf certificate = { 0 }, key = { 0 };
    struct http_server_options o = { .loops = &loop, .n_loops = 1, .on_request = on_request };
    struct http_server *server;
    struct err err = { 0 };
    uint64_t wanted = 0;
    uint16_t port = 0;

    if (argc < 3)
        return 2;
    memset(body, 'x', sizeof(body));
    read_file(argv[1], &certificate);
    read_file(argv[2], &key);
    if (argc > 3)
        (void)str_to_u64(str_from_cstr(argv[3]), &wanted);
    struct tls_options tls = { .certificate_pem = buf_str(&certificate), .key_pem = buf_str(&key) };
    if (tls_context_new(&tls, &o.tls, &err) < 0 || http_server_new(&o, &server, &err) < 0 ||
        http_server_listen(server, "127.0.0.1", (uint16_t)wanted, &port, &err) < 0 ||
        loop_on_signal(loop, SIGTERM, on_signal, loop, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    (void)printf("%u\n", port);
    (void)fflush(stdout);
    loop_run(loop);
    http_server_free(server);
    tls_context_free(o.tls);
    loop_free(loop);
    buf_done(&certificate);
    buf_done(&key);
    return 0;
}
