/* A client's frames to a WebSocket, in pieces, with messages sent back: each is whole and in
 * bounds, and the end is told once, whatever the client does. The first byte is the size of the
 * pieces. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "http/http_internal.h"
#include "http/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static struct websocket *open_one;
static bool is_ended;

static void on_message(struct websocket *w, bool is_text, struct str bytes, void *arg)
{
    (void)arg;
    if (w != open_one || bytes.len > WEBSOCKET_MESSAGE_MAX_BYTES)
        abort();
    if (str_has_prefix(bytes, STR("bye")))
        websocket_close(w, 1000, STR("as you say"));
    else
        websocket_set_reading(w, websocket_send(w, is_text, bytes));
}

static void on_drain(struct websocket *w, void *arg)
{
    (void)arg;
    websocket_set_reading(w, true);
}

static void on_end(struct websocket *w, void *arg)
{
    (void)arg;
    if (w != open_one || is_ended)
        abort();
    is_ended = true;
}

static int64_t now_ms(struct http_env *env)
{
    (void)env;
    return 1;
}

static void wake(struct http_env *env)
{
    (void)env;
}

static void on_request(struct http_env *env, struct http_request *r)
{
    static const struct websocket_ops ops = { on_message, on_drain, on_end };

    (void)env;
    if (websocket_accept(r, (struct str){ 0 }, &ops, NULL, &open_one) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    static const char hello[] =
        "GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
    static const struct http_limits limits = {
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
    struct http_env env = {
        .limits = &limits, .now_ms = now_ms, .wake = wake, .on_request = on_request
    };
    CLEANUP(buf_done) struct buf out = { 0 };
    struct http_core *c = http1_core_new(&env);
    size_t step = len && p[0] ? p[0] : MAX(len, 1);

    open_one = NULL;
    is_ended = false;
    (void)c->ops->feed(c, str_from_cstr(hello));
    if (!open_one)
        abort();
    for (size_t i = 1; i < len && !c->ops->is_over(c); i += step) {
        (void)c->ops->feed(c, str_n((const char *)p + i, MIN(step, len - i)));
        for (int k = 0; k < 100 && c->ops->produce(c, &out); k++)
            buf_reset(&out);
        buf_reset(&out);
    }
    c->ops->free(c);
    if (!is_ended)
        abort();
    return 0;
}
