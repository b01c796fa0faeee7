/* What the fuzz targets of both client cores share: bytes of a server, in pieces, to a core that
 * has calls open; the first byte is the size of the pieces, the second says what is asked. */
#include <stddef.h>
#include <stdint.h>

#include "http/http_client_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

enum { FUZZ_CALLS = 3 };

static size_t fuzz_open;

static int64_t fuzz_now_ms(struct http_client_env *env)
{
    (void)env;
    return 1;
}

static void fuzz_wake(struct http_client_env *env)
{
    (void)env;
}

static void fuzz_on_finish(struct http_client_env *env, struct http_call *c,
                           enum http_call_fate fate, int result, const char *text)
{
    (void)env, (void)fate, (void)result, (void)text;
    fuzz_open--;
    http_call_free(c);
}

static void fuzz_tunnel_read(struct http_tunnel *t, struct str bytes, void *arg)
{
    (void)arg;
    (void)http_tunnel_write(t, bytes);
}

static void fuzz_tunnel_end(struct http_tunnel *t, int result, void *arg)
{
    (void)t, (void)result, (void)arg;
}

static const struct http_tunnel_ops fuzz_tunnel = { .on_read = fuzz_tunnel_read,
                                                    .on_end = fuzz_tunnel_end };

static void fuzz_on_head(struct http_call *c, int status, const struct http_header *h, size_t n,
                         void *arg)
{
    struct http_tunnel *t;

    (void)status, (void)h, (void)n, (void)arg;
    (void)http_call_take_tunnel(c, &fuzz_tunnel, NULL, &t);
}

static void fuzz_on_body(struct http_call *c, struct str bytes, void *arg)
{
    (void)arg;
    if (bytes.p[0] == 'p')
        http_call_set_reading(c, false);
}

static const struct http_call_ops fuzz_ops = { .on_head = fuzz_on_head, .on_body = fuzz_on_body };

static struct http_call *fuzz_call(unsigned what)
{
    static const struct str methods[] = { STR_INIT("GET"), STR_INIT("HEAD"), STR_INIT("POST") };
    struct http_call_options o = { .method = methods[what % ARRAY_LEN(methods)],
                                   .path = STR("/"),
                                   .ops = &fuzz_ops };
    struct http_call *c = NULL;

    if (what & 64)
        o.upgrade = STR("echo");
    else if (what % ARRAY_LEN(methods) == 2)
        o.body = STR("a body");
    if (http_call_new(&o, &c) < 0)
        abort();
    fuzz_open++;
    return c;
}

static int fuzz_core(struct http_client_core *(*core_new)(struct http_client_env *env),
                     const uint8_t *p, size_t len)
{
    static const struct http_client_limits limits = {
        .header_bytes = 4000,
        .header_count = 20,
        .idle_timeout_ms = 10,
        .streams = 10,
        .ping_after_ms = 10,
        .ping_timeout_ms = 10,
    };
    struct http_client_env env = { .limits = &limits,
                                   .host = STR("a"),
                                   .now_ms = fuzz_now_ms,
                                   .wake = fuzz_wake,
                                   .on_finish = fuzz_on_finish };
    CLEANUP(buf_done) struct buf out = { 0 };
    struct http_client_core *c;
    struct err err;
    size_t step, n_calls = 0;

    if (len < 2)
        return 0;
    step = p[0] ? p[0] : len;
    c = core_new(&env);
    for (size_t i = 2; i < len; i += step) {
        for (; n_calls < FUZZ_CALLS && c->ops->room(c); n_calls++)
            c->ops->start(c, fuzz_call(p[1]));
        for (int k = 0; k < 100 && c->ops->produce(c, &out); k++)
            buf_reset(&out);
        buf_reset(&out);
        if (c->ops->feed(c, str_n((const char *)p + i, MIN(step, len - i)), &err) < 0 ||
            c->ops->is_over(c))
            break;
    }
    (void)c->ops->produce(c, &out);
    if (p[1] & 128)
        c->ops->on_eof(c);
    (void)c->ops->check_time(c, 1000, &err);
    c->ops->lost(c, ERR_CLOSED, NULL);
    c->ops->free(c);
    if (fuzz_open)
        abort(); /* a call that never ends */
    return 0;
}
