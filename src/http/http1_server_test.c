#include <criterion/criterion.h>

#include "base/err.h"
#include "base/mem.h"
#include "http/http_internal.h"

static int64_t now = 1000;
static int n_shown;
static struct http_request *last;

static int64_t env_now(struct http_env *env)
{
    (void)env;
    return now;
}

static void env_wake(struct http_env *env)
{
    (void)env;
}

static void on_body(struct http_request *r, int result, struct str body, void *arg)
{
    (void)arg;
    http_respond(r, result == 0 ? 200 : 413, NULL, 0, result == 0 ? body : STR("no"));
}

static void echo(struct http_env *env, struct http_request *r)
{
    (void)env;
    n_shown++;
    if (str_eq(http_request_path(r), STR("/later")))
        last = r;
    else if (str_eq(http_request_method(r), STR("GET")))
        http_respond(r, 200, NULL, 0, http_request_path(r));
    else
        http_request_read_body(r, 100, on_body, NULL);
}

static struct http_limits limits = {
    .header_bytes = 1000,
    .header_count = 10,
    .header_timeout_ms = 10,
    .idle_timeout_ms = 100,
    .body_timeout_ms = 20,
    .write_timeout_ms = 30,
    .streams = 10,
    .resets_per_minute = 5,
    .connections = 10,
    .request_arena_bytes = 1 << 20,
};
static struct http_env env = {
    .limits = &limits, .now_ms = env_now, .wake = env_wake, .on_request = echo
};

/* Feeds in pieces of `step` bytes; the answers so far. */
static struct buf talk(struct http_core *c, const char *in, size_t step)
{
    struct buf out = { 0 };
    size_t len = strlen(in);

    for (size_t i = 0; i < len; i += step) {
        (void)c->ops->feed(c, str_n(in + i, MIN(step, len - i)));
        for (int k = 0; k < 100 && c->ops->produce(c, &out); k++)
            ;
    }
    (void)buf_cstr(&out);
    return out;
}

#define HOST "Host: a\r\n"

static const struct {
    const char *in;
    const char *want; /* the beginning of the answer */
    bool is_over;
} cases[] = {
    { "GET /x?y HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n/x",
      false },
    { "GET /x HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n/x", true },
    { "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n/aHTTP/1.1 200 OK\r\ncontent-length: "
      "2\r\n\r\n/b",
      false },
    { "PUT / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", false },
    { "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", false },
    { "PUT / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n", "HTTP/1.1 413 ", true },
    { "HEAD /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n", false },
    { "GET / HTTP/1.1\r\n" HOST "Expect: cake\r\n\r\n", "HTTP/1.1 417 ", true },
    { "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", true },
    { "GET / HTTP/1.1\r\n" HOST HOST "\r\n", "HTTP/1.1 400 ", true },
    { "PUT / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 400 ", true },
    { "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
      "HTTP/1.1 400 ", true },
    { "PUT / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 400 ", true },
    { "PUT / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc", "HTTP/1.1 400 ", true },
    { "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", "HTTP/1.1 501 ", true },
    { "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", "HTTP/1.1 ", true },
    { "PUT / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 ", true },
    { "GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", "HTTP/1.1 400 ", true },
    { "GET / HTTP/1.1\nHost: a\r\n\r\n", "HTTP/1.1 400 ", true },
    { "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", "HTTP/1.1 400 ", true },
    { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "HTTP/1.1 400 ", true },
    { "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n",
      "HTTP/1.1 400 ", true },
    { "\x16\x03\x01", "HTTP/1.1 400 ", true },
    { "GET / HTTP/1.1\r\n" HOST "1: \r\n2: \r\n3: \r\n4: \r\n5: \r\n6: \r\n7: \r\n8: \r\n9: \r\n"
      "10: \r\n\r\n",
      "HTTP/1.1 431 ", true },
    { "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 501 ", true },
};

Test(http1_server, answers_and_refuses)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step < 1000; step += 332) {
            struct http_core *c = http1_core_new(&env);
            CLEANUP(buf_done) struct buf out = talk(c, cases[i].in, step);

            cr_assert(str_has_prefix(buf_str(&out), str_from_cstr(cases[i].want)),
                      "case %zu step %zu: %s", i, step, buf_cstr(&out));
            cr_assert_eq(c->ops->is_over(c), cases[i].is_over, "case %zu step %zu", i, step);
            c->ops->free(c);
        }
    }
}

Test(http1_server, refuses_headers_too_large)
{
    struct http_core *c = http1_core_new(&env);
    CLEANUP(buf_done) struct buf in = { 0 };
    struct buf out;

    buf_printf(&in, "GET / HTTP/1.1\r\nHost: a\r\nX: %01000d\r\n\r\n", 0);
    out = talk(c, buf_cstr(&in), 7);
    cr_assert(str_has_prefix(buf_str(&out), STR("HTTP/1.1 431 ")));
    buf_done(&out);
    c->ops->free(c);
}

static void note_close(struct http_request *r, void *arg)
{
    (void)r;
    (*(int *)arg)++;
}

Test(http1_server, tells_when_the_peer_leaves)
{
    struct http_core *c = http1_core_new(&env);
    struct buf out = talk(c, "GET /later HTTP/1.1\r\n" HOST "\r\n", 1000);
    int n = 0;

    cr_assert_eq(out.len, 0);
    http_request_ref(last);
    http_request_on_close(last, note_close, &n);
    c->ops->on_eof(c);
    cr_assert_eq(n, 1);
    http_respond(last, 200, NULL, 0, STR("nobody hears"));
    http_request_unref(last);
    cr_assert(c->ops->is_over(c));
    buf_done(&out);
    c->ops->free(c);
}

Test(http1_server, is_late_with_slow_headers_bodies_and_idleness)
{
    struct http_core *c = http1_core_new(&env);
    struct buf out = talk(c, "GET / HT", 1);

    cr_assert_eq(c->ops->check_time(c, now), 1010);
    cr_assert_not(c->ops->is_over(c));
    now += 10;
    (void)c->ops->check_time(c, now);
    (void)c->ops->produce(c, &out);
    cr_assert(str_has_prefix(buf_str(&out), STR("HTTP/1.1 408 ")));
    cr_assert(c->ops->is_over(c));
    c->ops->free(c);
    buf_done(&out);

    c = http1_core_new(&env);
    out = talk(c, "PUT / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\na", 1000);
    now += 20;
    (void)c->ops->check_time(c, now);
    (void)c->ops->produce(c, &out);
    cr_assert(str_has_prefix(buf_str(&out), STR("HTTP/1.1 413 "))); /* as on_body() says it */
    c->ops->free(c);
    buf_done(&out);

    c = http1_core_new(&env);
    now += 100;
    (void)c->ops->check_time(c, now);
    cr_assert(c->ops->is_over(c));
    c->ops->free(c);
}

static void tunnel_read(struct http_tunnel *t, struct str bytes, void *arg)
{
    (void)arg;
    (void)http_tunnel_write(t, bytes);
    if (str_contains(bytes, STR("!")))
        http_tunnel_close(t);
}

static void tunnel_end(struct http_tunnel *t, int result, void *arg)
{
    (void)t;
    cr_assert_eq(result, 0);
    (*(int *)arg)++;
}

static const struct http_tunnel_ops tunnel_ops = { .on_read = tunnel_read, .on_end = tunnel_end };
static int n_ended;

static void upgrade(struct http_env *e, struct http_request *r)
{
    static const struct http_header h[] = { { STR_INIT("upgrade"), STR_INIT("echo") } };
    struct http_tunnel *t;

    (void)e;
    cr_assert_eq(http_upgrade(r, h, 1, &tunnel_ops, &n_ended, &t), 0);
}

Test(http1_server, turns_into_a_tunnel)
{
    for (size_t step = 1; step < 200; step += 66) {
        struct http_env e = env;
        struct http_core *c;
        struct buf out;

        n_ended = 0;
        e.on_request = upgrade;
        c = http1_core_new(&e);
        out =
            talk(c, "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: echo\r\n\r\nhello !",
                 step);
        for (int k = 0; k < 10 && c->ops->produce(c, &out); k++)
            ;
        cr_assert(str_has_prefix(buf_str(&out), STR("HTTP/1.1 101 ")));
        cr_assert(str_contains(buf_str(&out), STR("\r\n\r\nhello")), "%s", buf_cstr(&out));
        c->ops->free(c);
        cr_assert_eq(n_ended, 1);
        buf_done(&out);
    }
}
