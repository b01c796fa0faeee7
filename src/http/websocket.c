/* What the tunnel reads is handed to wslay, which asks for it; what wslay wants sent goes to the
 * tunnel, which takes all. */
#include "http/websocket.h"

#include <stdlib.h>
#include <wslay/wslay.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/digest.h"
#include "http/http_server.h"

enum { MAX_UNREAD_PONGS = 1000 };

struct websocket {
    struct http_tunnel *tunnel;
    wslay_event_context_ptr wslay;
    const struct websocket_ops *ops;
    void *arg;
    struct buf in; /* read and not yet taken by wslay */
    size_t at;
    unsigned unread_pongs; /* of a peer that takes nothing */
    bool is_full, is_closing;
};

/* --- wslay's questions --- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *to, size_t len, int flags, void *arg)
{
    struct websocket *w = arg;
    size_t n = MIN(len, w->in.len - w->at);

    (void)flags;
    if (!n) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(to, w->in.p + w->at, n);
    w->at += n;
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                       void *arg)
{
    struct websocket *w = arg;

    (void)ctx;
    (void)flags;
    if (w->tunnel && !http_tunnel_write(w->tunnel, str_n((const char *)data, len)))
        w->is_full = true;
    return (ssize_t)len;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m,
                       void *arg)
{
    struct websocket *w = arg;

    (void)ctx;
    if (m->opcode == WSLAY_PING && w->is_full)
        w->unread_pongs++;
    if (m->opcode == WSLAY_CONNECTION_CLOSE)
        w->is_closing = true;
    else if (!wslay_is_ctrl_frame(m->opcode) && !w->is_closing)
        w->ops->on_message(w, m->opcode == WSLAY_TEXT_FRAME,
                           str_n((const char *)m->msg, m->msg_length), w->arg);
}

/* --- the tunnel --- */

static void flush(struct websocket *w)
{
    if (wslay_event_send(w->wslay) < 0 || wslay_event_get_close_sent(w->wslay))
        http_tunnel_close(w->tunnel);
}

static void on_read(struct http_tunnel *t, struct str bytes, void *arg)
{
    struct websocket *w = arg;

    (void)t;
    buf_append_str(&w->in, bytes);
    if (wslay_event_recv(w->wslay) < 0 || w->unread_pongs > MAX_UNREAD_PONGS)
        http_tunnel_close(w->tunnel);
    else
        flush(w);
    /* wslay stops where a frame ends; what is left stays for the next time. */
    buf_drop(&w->in, w->at);
    w->at = 0;
}

static void on_drain(struct http_tunnel *t, void *arg)
{
    struct websocket *w = arg;

    (void)t;
    if (!w->is_full)
        return;
    w->is_full = false;
    w->unread_pongs = 0;
    w->ops->on_drain(w, w->arg);
}

static void on_end(struct http_tunnel *t, int result, void *arg)
{
    struct websocket *w = arg;

    (void)t;
    (void)result; /* either way nobody is there any more */
    w->tunnel = NULL;
    w->ops->on_end(w, w->arg);
    wslay_event_context_free(w->wslay);
    buf_done(&w->in);
    mem_free(w);
}

/* --- the handshake --- */

bool websocket_is_asked_for(const struct http_request *r)
{
    return str_eq_nocase(http_request_header(r, STR("upgrade")), STR("websocket"));
}

struct str websocket_choose(const struct http_request *r, const struct str *ours, size_t n,
                            bool *ret_any)
{
    const struct http_header *headers;
    size_t n_headers = http_request_headers(r, &headers);
    struct str part;

    *ret_any = false;
    for (size_t h = 0; h < n_headers; h++) {
        struct str rest = headers[h].value;

        if (!str_eq_nocase(headers[h].name, STR("sec-websocket-protocol")))
            continue;
        while (str_next(&rest, ',', &part)) {
            *ret_any = true;
            for (size_t i = 0; i < n; i++)
                if (str_eq(str_trim(part), ours[i]))
                    return ours[i];
        }
    }
    return STR_NULL;
}

static struct str accept_of(struct arena *a, struct str key)
{
    unsigned char digest[DIGEST_SHA1_BYTES];
    struct buf b;

    digest_sha1(arena_printf(a, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", STR_ARG(key)), digest);
    buf_init_arena(&b, a, 32);
    base64_encode(&b, str_n((const char *)digest, sizeof(digest)));
    return buf_str(&b);
}

int websocket_accept(struct http_request *r, struct str subprotocol,
                     const struct websocket_ops *ops, void *arg, struct websocket **ret)
{
    static const struct wslay_event_callbacks callbacks = { .recv_callback = on_recv,
                                                            .send_callback = on_send,
                                                            .on_msg_recv_callback = on_message };
    static const struct http_tunnel_ops tunnel_ops = { on_read, on_drain, on_end };
    struct str key = http_request_header(r, STR("sec-websocket-key"));
    struct http_header headers[3] = { { STR("upgrade"), STR("websocket") } };
    size_t n = 1;
    struct websocket *w;
    int rc;

    if (!key.len || key.len > 100 ||
        !str_eq(http_request_header(r, STR("sec-websocket-version")), STR("13")))
        return ERR_INVALID;
    headers[n++] =
        (struct http_header){ STR("sec-websocket-accept"), accept_of(http_request_arena(r), key) };
    if (subprotocol.len)
        headers[n++] = (struct http_header){ STR("sec-websocket-protocol"), subprotocol };
    w = NEW(struct websocket);
    w->ops = ops;
    w->arg = arg;
    if (wslay_event_context_server_init(&w->wslay, &callbacks, w) != 0)
        abort(); /* out of memory */
    wslay_event_config_set_max_recv_msg_length(w->wslay, WEBSOCKET_MESSAGE_MAX_BYTES);
    rc = http_upgrade(r, headers, n, &tunnel_ops, w, &w->tunnel);
    if (rc < 0) {
        wslay_event_context_free(w->wslay);
        mem_free(w);
        return rc;
    }
    http_tunnel_keep_frames(w->tunnel);
    *ret = w;
    return 0;
}

/* --- sending --- */

bool websocket_send(struct websocket *w, bool is_text, struct str bytes)
{
    struct wslay_event_msg m = { .opcode = is_text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
                                 .msg = (const uint8_t *)(bytes.p ? bytes.p : ""),
                                 .msg_length = bytes.len };

    if (!w->tunnel || w->is_closing)
        return true; /* nobody to hold back for */
    if (wslay_event_queue_msg(w->wslay, &m) == 0)
        flush(w);
    return !w->is_full;
}

void websocket_set_reading(struct websocket *w, bool is_on)
{
    if (w->tunnel)
        http_tunnel_set_reading(w->tunnel, is_on);
}

void websocket_close(struct websocket *w, uint16_t code, struct str reason)
{
    if (!w->tunnel || w->is_closing)
        return;
    w->is_closing = true;
    (void)wslay_event_queue_close(w->wslay, code, (const uint8_t *)reason.p,
                                  MIN(reason.len, (size_t)120));
    flush(w);
}
