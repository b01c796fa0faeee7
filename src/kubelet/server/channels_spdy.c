#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"
#include "http/spdy.h"
#include "kubelet/server/channels_internal.h"
#include "kubelet/server/server_internal.h"

enum { STREAMS_TIMEOUT_MS = 30000 };

struct protocol {
    struct str name;
    bool has_status, has_resize;
};
static const struct protocol protocols[] = {
    { STR_INIT("v4.channel.k8s.io"), true, true },
    { STR_INIT("v3.channel.k8s.io"), false, true },
    { STR_INIT("v2.channel.k8s.io"), false, false },
    { STR_INIT("channel.k8s.io"), false, false },
};

/* A stream's kind: its header's value, and the tag that the stream goes by. */
static const struct kind {
    struct str name;
    enum channel channel;
} kinds[] = {
    { STR_INIT("stdin"), CHANNEL_STDIN },   { STR_INIT("stdout"), CHANNEL_STDOUT },
    { STR_INIT("stderr"), CHANNEL_STDERR }, { STR_INIT("error"), CHANNEL_ERROR },
    { STR_INIT("resize"), CHANNEL_RESIZE },
};

struct spdy_channels {
    struct channels c;
    struct spdy *spdy;
    uint32_t ids[CHANNEL_COUNT]; /* 0: not there */
    bool wanted[CHANNEL_COUNT];
    struct loop_timer timer; /* until all are there */
};

static bool send_bytes(struct channels *c, enum channel channel, struct str bytes)
{
    struct spdy_channels *s = CONTAINER_OF(c, struct spdy_channels, c);

    return spdy_send(s->spdy, s->ids[channel], bytes);
}

static void set_reading(struct channels *c, bool is_on)
{
    spdy_set_reading(CONTAINER_OF(c, struct spdy_channels, c)->spdy, is_on);
}

static void close_all(struct channels *c)
{
    struct spdy_channels *s = CONTAINER_OF(c, struct spdy_channels, c);

    for (size_t i = 0; i < CHANNEL_COUNT; i++)
        spdy_finish(s->spdy, s->ids[i]);
    spdy_close(s->spdy);
}

static const struct channels_carrier carrier = { send_bytes, set_reading, close_all };

static void check_ready(struct spdy_channels *s)
{
    for (size_t i = 0; i < CHANNEL_COUNT; i++)
        if (s->wanted[i] && !s->ids[i])
            return;
    if (s->c.is_ready)
        return;
    s->c.is_ready = true;
    loop_timer_stop(&s->timer);
    s->c.events->on_ready(s->c.arg);
}

static void on_timeout(struct loop_timer *t)
{
    spdy_close(CONTAINER_OF(t, struct spdy_channels, timer)->spdy);
}

static void *on_stream(struct spdy *spdy, uint32_t id, const struct http_header *headers, size_t n,
                       void *arg)
{
    struct spdy_channels *s = arg;
    struct str name = STR_NULL;

    (void)spdy;
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(headers[i].name, STR("streamtype")))
            name = headers[i].value;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_eq(kinds[i].name, name) || s->ids[kinds[i].channel])
            continue;
        s->ids[kinds[i].channel] = id;
        check_ready(s);
        return (void *)(uintptr_t)&kinds[i];
    }
    return NULL;
}

static void on_data(struct spdy *spdy, void *stream, struct str bytes, void *arg)
{
    struct spdy_channels *s = arg;
    const struct kind *k = stream;

    (void)spdy;
    s->c.events->on_bytes(k->channel, bytes, s->c.arg);
}

static void on_finish(struct spdy *spdy, void *stream, void *arg)
{
    struct spdy_channels *s = arg;
    const struct kind *k = stream;

    (void)spdy;
    s->c.events->on_finish(k->channel, s->c.arg);
}

static void on_drain(struct spdy *spdy, void *arg)
{
    struct spdy_channels *s = arg;

    (void)spdy;
    s->c.events->on_drain(s->c.arg);
}

static void on_end(struct spdy *spdy, void *arg)
{
    struct spdy_channels *s = arg;

    (void)spdy;
    loop_timer_stop(&s->timer);
    s->c.events->on_end(s->c.arg);
    mem_free(s);
}

/* NULL: answered. A client that names none is older than the question. */
static const struct protocol *choose(const struct server_request *r)
{
    static const struct protocol oldest = { STR_INIT(""), false, false };
    struct str names[ARRAY_LEN(protocols)], chosen;

    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        names[i] = protocols[i].name;
    if (!server_choose_stream_protocol(r, names, ARRAY_LEN(protocols), &chosen))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        if (str_eq(protocols[i].name, chosen))
            return &protocols[i];
    return &oldest;
}

struct channels *channels_accept_spdy(const struct server_request *r,
                                      const struct channels_wanted *wanted,
                                      const struct channels_events *events, void *arg)
{
    static const struct spdy_ops ops = {
        on_stream, on_data, on_finish, on_finish, on_drain, on_end
    };
    const struct protocol *p = choose(r);
    struct http_header header;
    struct spdy_channels *s;

    if (!p)
        return NULL;
    header = (struct http_header){ STR("x-stream-protocol-version"), p->name };
    s = NEW(struct spdy_channels);
    s->c = (struct channels){
        .carrier = &carrier, .events = events, .arg = arg, .has_status = p->has_status
    };
    s->wanted[CHANNEL_STDIN] = wanted->input;
    s->wanted[CHANNEL_STDOUT] = wanted->output;
    s->wanted[CHANNEL_STDERR] = wanted->error && !wanted->tty;
    s->wanted[CHANNEL_ERROR] = true;
    s->wanted[CHANNEL_RESIZE] = wanted->tty && p->has_resize;
    if (spdy_accept(r->http, &header, p->name.len ? 1 : 0, &ops, s, &s->spdy) < 0) {
        mem_free(s);
        server_answer_text(r, 400, STR("unable to upgrade: missing upgrade headers in request\n"));
        return NULL;
    }
    loop_timer_init(&s->timer, r->server->o.loop, on_timeout);
    loop_timer_start(&s->timer, STREAMS_TIMEOUT_MS);
    return &s->c;
}
