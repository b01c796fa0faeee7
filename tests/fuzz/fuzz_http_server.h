/* What the fuzz targets of both HTTP servers share: an environment in which every request is
 * answered and bodies are read, and the bytes of a client in pieces. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static int64_t now_ms(struct http_env *env)
{
    (void)env;
    return 1;
}

static void wake(struct http_env *env)
{
    (void)env;
}

static void on_body(struct http_request *r, int result, struct str body, void *arg)
{
    (void)arg;
    http_respond(r, result == 0 ? 200 : 400, NULL, 0, body);
}

static void on_request(struct http_env *env, struct http_request *r)
{
    (void)env;
    if (http_request_query(r).p)
        http_respond(r, 200, NULL, 0, http_request_path(r));
    else
        http_request_read_body(r, 1000, on_body, NULL);
}

static struct http_limits limits = {
    .header_bytes = 4000,
    .header_count = 20,
    .header_timeout_ms = 10,
    .idle_timeout_ms = 10,
    .body_timeout_ms = 10,
    .write_timeout_ms = 10,
    .streams = 10,
    .resets_per_minute = 10,
    .connections = 1,
    .request_arena_bytes = 1 << 20,
};

/* The first byte is the size of the pieces. */
static int fuzz_http_server(struct http_core *(*core_new)(struct http_env *env), const uint8_t *p,
                            size_t len)
{
    struct http_env env = {
        .limits = &limits, .now_ms = now_ms, .wake = wake, .on_request = on_request
    };
    CLEANUP(buf_done) struct buf out = { 0 };
    struct http_core *c;
    size_t step;

    if (len < 1)
        return 0;
    step = p[0] ? p[0] : len;
    c = core_new(&env);
    for (size_t i = 1; i < len && !c->ops->is_over(c); i += step) {
        (void)c->ops->feed(c, str_n((const char *)p + i, MIN(step, len - i)));
        for (int k = 0; k < 100 && c->ops->produce(c, &out); k++)
            buf_reset(&out);
        buf_reset(&out);
    }
    (void)c->ops->check_time(c, 1000);
    (void)c->ops->produce(c, &out);
    c->ops->free(c);
    return 0;
}
