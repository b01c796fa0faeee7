#include <criterion/criterion.h>

#include "base/err.h"
#include "http/http_internal.h"

static int n_shown, n_closed;

static int64_t env_now(struct http_env *env)
{
    (void)env;
    return 1000;
}

static void env_wake(struct http_env *env)
{
    (void)env;
}

static void on_close(struct http_request *r, void *arg)
{
    (void)r, (void)arg;
    n_closed++;
}

static int n_pulls;

/* Looks through much without a find, then has something. */
static int pull_late(struct http_source *s, struct buf *out, size_t hint)
{
    (void)s, (void)hint;
    if (++n_pulls < 5)
        return HTTP_SOURCE_MORE;
    if (n_pulls == 5)
        buf_append_lit(out, "found");
    return HTTP_SOURCE_WAIT;
}

static void source_done(struct http_source *s)
{
    (void)s;
}

static struct http_source late = { pull_late, source_done };

static void on_request(struct http_env *env, struct http_request *r)
{
    (void)env;
    n_shown++;
    http_request_on_close(r, on_close, NULL);
    if (str_eq(http_request_path(r), STR("/")))
        http_respond(r, 200, NULL, 0, STR("hello"));
    else if (str_eq(http_request_path(r), STR("/s")))
        http_respond_source(r, 200, NULL, 0, -1, &late);
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
    .limits = &limits, .now_ms = env_now, .wake = env_wake, .on_request = on_request
};

static void frame(struct buf *b, int type, int flags, int stream, struct str payload)
{
    char head[9] = { 0, 0, (char)payload.len, (char)type, (char)flags, 0, 0, 0, (char)stream };

    buf_append(b, head, sizeof(head));
    buf_append_str(b, payload);
}

static void preface(struct buf *b)
{
    buf_append_lit(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    frame(b, 4, 0, 0, STR(""));
}

static const struct str get_root = STR_INIT("\x82\x87\x84\x41\x01"
                                            "a");
static const struct str get_wait = STR_INIT("\x82\x87\x04\x02/w\x41\x01"
                                            "a");

Test(http2_server, answers)
{
    struct http_core *c = http2_core_new(&env);
    CLEANUP(buf_done) struct buf in = { 0 }, out = { 0 };

    preface(&in);
    frame(&in, 1, 5, 1, get_root);
    cr_assert_eq(c->ops->feed(c, buf_str(&in)), 0);
    (void)c->ops->produce(c, &out);
    cr_assert_eq(n_shown, 1);
    cr_assert_eq(n_closed, 0);
    cr_assert(str_contains(buf_str(&out), STR("hello")));
    cr_assert_not(c->ops->is_over(c));
    c->ops->goodbye(c);
    (void)c->ops->produce(c, &out);
    cr_assert(c->ops->is_over(c));
    c->ops->free(c);
}

Test(http2_server, asks_a_source_again_that_had_nothing_yet)
{
    static const struct str get_source = STR_INIT("\x82\x87\x04\x02/s\x41\x01"
                                                  "a");
    struct http_core *c = http2_core_new(&env);
    CLEANUP(buf_done) struct buf in = { 0 }, out = { 0 };
    int turns = 0;

    preface(&in);
    frame(&in, 1, 5, 1, get_source);
    cr_assert_eq(c->ops->feed(c, buf_str(&in)), 0);
    while (c->ops->produce(c, &out))
        cr_assert_lt(++turns, 10);
    cr_assert(str_contains(buf_str(&out), STR("found")));
    turns = n_pulls;
    cr_assert_not(c->ops->produce(c, &out));
    cr_assert_eq(n_pulls, turns); /* it waits to be woken */
    c->ops->free(c);
}

Test(http2_server, cuts_rapid_resets_off)
{
    struct http_core *c = http2_core_new(&env);
    CLEANUP(buf_done) struct buf in = { 0 }, out = { 0 };

    preface(&in);
    for (int i = 0; i < 20; i++) {
        frame(&in, 1, 5, 2 * i + 1, get_wait);
        frame(&in, 3, 0, 2 * i + 1, STR("\0\0\0\x08"));
    }
    (void)c->ops->feed(c, buf_str(&in));
    (void)c->ops->produce(c, &out);
    cr_assert(c->ops->is_over(c));
    cr_assert_leq(n_shown, 7);
    cr_assert_eq(n_closed, n_shown);
    c->ops->free(c);
}

Test(http2_server, fails_on_garbage_and_drops_what_is_open)
{
    struct http_core *c = http2_core_new(&env);
    CLEANUP(buf_done) struct buf in = { 0 };

    preface(&in);
    frame(&in, 1, 5, 1, get_wait);
    (void)c->ops->feed(c, buf_str(&in));
    cr_assert_eq(n_shown, 1);
    c->ops->free(c);
    cr_assert_eq(n_closed, 1);
    c = http2_core_new(&env);
    cr_assert_lt(c->ops->feed(c, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), 0);
    c->ops->free(c);
}
