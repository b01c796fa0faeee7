#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "http/websocket.h"
#include "kubelet/server/channels_internal.h"
#include "kubelet/server/server_internal.h"

enum { CLOSE_SIGNAL = 255, NORMAL = 1000 };

struct protocol {
    struct str name;
    bool is_base64;
    bool has_status;
    bool closes_streams; /* a message 255, N ends channel N */
};
static const struct protocol protocols[] = {
    { STR_INIT("v5.channel.k8s.io"), false, true, true },
    { STR_INIT("v4.channel.k8s.io"), false, true, false },
    { STR_INIT("v4.base64.channel.k8s.io"), true, true, false },
    { STR_INIT("v3.channel.k8s.io"), false, false, false },
    { STR_INIT("v2.channel.k8s.io"), false, false, false },
    { STR_INIT("channel.k8s.io"), false, false, false },
    { STR_INIT("base64.channel.k8s.io"), true, false, false },
    { STR_INIT(""), false, false, false }, /* none named: as channel.k8s.io */
};

struct websocket_channels {
    struct channels c;
    const struct protocol *protocol;
    struct websocket *websocket;
};

static bool send_bytes(struct channels *c, enum channel channel, struct str bytes)
{
    struct websocket_channels *w = CONTAINER_OF(c, struct websocket_channels, c);
    CLEANUP(buf_done) struct buf b = { 0 };

    if (w->protocol->is_base64) {
        buf_append_char(&b, (char)('0' + channel));
        base64_encode(&b, bytes);
    } else {
        buf_append_char(&b, (char)channel);
        buf_append_str(&b, bytes);
    }
    return websocket_send(w->websocket, w->protocol->is_base64, buf_str(&b));
}

static void set_reading(struct channels *c, bool is_on)
{
    websocket_set_reading(CONTAINER_OF(c, struct websocket_channels, c)->websocket, is_on);
}

static void close_all(struct channels *c)
{
    websocket_close(CONTAINER_OF(c, struct websocket_channels, c)->websocket, NORMAL, STR(""));
}

static const struct channels_carrier carrier = { send_bytes, set_reading, close_all };

static void take(struct websocket_channels *w, unsigned channel, struct str bytes)
{
    if (channel == CLOSE_SIGNAL && w->protocol->closes_streams && bytes.len &&
        (unsigned char)bytes.p[0] < CHANNEL_COUNT)
        w->c.events->on_finish((enum channel)bytes.p[0], w->c.arg);
    else if (channel < CHANNEL_COUNT)
        w->c.events->on_bytes((enum channel)channel, bytes, w->c.arg);
}

static void on_message(struct websocket *socket, bool is_text, struct str bytes, void *arg)
{
    struct websocket_channels *w = arg;
    struct arena a = { 0 };
    struct str plain = str_tail(bytes, 1);
    size_t bad;

    (void)socket;
    (void)is_text;
    if (!bytes.len)
        return;
    if (!w->protocol->is_base64)
        take(w, (unsigned char)bytes.p[0], plain);
    else if (base64_decode(&a, plain, &plain, &bad))
        take(w, (unsigned)bytes.p[0] - '0', plain);
    arena_done(&a);
}

static void on_drain(struct websocket *socket, void *arg)
{
    struct websocket_channels *w = arg;

    (void)socket;
    w->c.events->on_drain(w->c.arg);
}

static void on_end(struct websocket *socket, void *arg)
{
    struct websocket_channels *w = arg;

    (void)socket;
    w->c.events->on_end(w->c.arg);
    mem_free(w);
}

static const struct protocol *choose(const struct http_request *http)
{
    struct str names[ARRAY_LEN(protocols)], chosen;
    bool any;

    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        names[i] = protocols[i].name;
    chosen = websocket_choose(http, names, ARRAY_LEN(protocols) - 1, &any);
    if (any && !chosen.len)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        if (str_eq(protocols[i].name, chosen))
            return &protocols[i];
    return NULL;
}

struct channels *channels_accept_websocket(const struct server_request *r,
                                           const struct channels_wanted *wanted,
                                           const struct channels_events *events, void *arg)
{
    static const struct websocket_ops ops = { on_message, on_drain, on_end };
    const struct protocol *p = choose(r->http);
    struct websocket_channels *w;

    if (!p) {
        server_answer_text(r, 403,
                           STR("unable to upgrade: none of the WebSocket's subprotocols is "
                               "spoken here\n"));
        return NULL;
    }
    w = NEW(struct websocket_channels);
    w->c = (struct channels){ .carrier = &carrier,
                              .events = events,
                              .arg = arg,
                              .is_ready = true,
                              .has_status = p->has_status };
    w->protocol = p;
    if (websocket_accept(r->http, p->name, &ops, w, &w->websocket) < 0) {
        mem_free(w);
        server_answer_text(r, 400, STR("unable to upgrade: not a WebSocket request\n"));
        return NULL;
    }
    /* An empty message tells the client that this stands. */
    (void)channels_send(&w->c, wanted->output ? CHANNEL_STDOUT : CHANNEL_ERROR, STR(""));
    return &w->c;
}
