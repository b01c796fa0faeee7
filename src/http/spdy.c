/* Frames. A control frame is gathered whole, data is handed on as it comes. */
#include "http/spdy.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/vec.h"
#include "http/http_server.h"
#include "http/spdy_header_block.h"
#include "http/websocket.h"

enum {
    HEAD_BYTES = 8,
    VERSION = 3,
    WINDOW_STEP_BYTES = 32768, /* windows begin with twice as much */
    REPLIES_MAX = 1000,        /* that the peer asks for and does not read */
    NORMAL = 1000,             /* a WebSocket's code */
};
enum frame_type {
    SYN_STREAM = 1,
    SYN_REPLY,
    RST_STREAM,
    SETTINGS,
    PING = 6,
    GOAWAY,
    HEADERS,
    WINDOW_UPDATE,
};
enum { FLAG_FIN = 1 };
enum { STATUS_REFUSED = 3, STATUS_CANCEL = 5 };      /* of RST_STREAM */
enum { GOODBYE_OK = 0, GOODBYE_PROTOCOL_ERROR = 1 }; /* of GOAWAY */

struct spdy_stream {
    uint32_t id;
    void *tag;
    uint32_t taken; /* since the window was opened last */
    bool is_in_over, is_out_over;
};

struct spdy {
    const struct spdy_ops *ops;
    void *arg;
    bool (*write)(void *to, struct str bytes);
    void *to;
    struct http_tunnel *tunnel; /* one of these, or neither */
    struct websocket *websocket;
    struct spdy_header_block *blocks;
    struct buf in; /* a frame's head, a control frame's rest, as far as they are there */
    uint32_t data_id, data_left;
    bool is_data, is_last_data;
    struct VEC(struct spdy_stream) streams; /* by id */
    uint32_t last_id, taken, replies;
    bool is_full, is_closing;
};

/* --- bytes --- */

static uint32_t u32_at(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void append_u32(struct buf *b, uint32_t v)
{
    const char bytes[4] = { (char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v };

    buf_append(b, bytes, sizeof(bytes));
}

static void begin_control(struct buf *b, enum frame_type type, size_t len)
{
    append_u32(b, 0x80000000U | VERSION << 16 | (uint32_t)type);
    append_u32(b, (uint32_t)len);
}

static void put(struct spdy *s, struct buf *b)
{
    if (!s->write(s->to, buf_str(b)))
        s->is_full = true;
    buf_done(b);
}

static void put_two(struct spdy *s, enum frame_type type, uint32_t first, uint32_t second)
{
    struct buf b = { 0 };

    begin_control(&b, type, 8);
    append_u32(&b, first);
    append_u32(&b, second);
    put(s, &b);
}

static void put_data(struct spdy *s, uint32_t id, int flags, struct str bytes)
{
    struct buf b = { 0 };

    append_u32(&b, id);
    append_u32(&b, (uint32_t)flags << 24 | (uint32_t)bytes.len);
    buf_append_str(&b, bytes);
    put(s, &b);
}

static void say_goodbye(struct spdy *s, uint32_t status)
{
    if (s->is_closing)
        return;
    put_two(s, GOAWAY, s->last_id, status);
    s->is_closing = true;
    if (s->tunnel)
        http_tunnel_close(s->tunnel);
    if (s->websocket)
        websocket_close(s->websocket, NORMAL, STR(""));
}

/* --- streams --- */

/* Its place, or that where it would be. */
static size_t place_of(const struct spdy *s, uint32_t id)
{
    size_t low = 0, high = s->streams.len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->streams.items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct spdy_stream *find(const struct spdy *s, uint32_t id)
{
    size_t i = place_of(s, id);

    return i < s->streams.len && s->streams.items[i].id == id ? &s->streams.items[i] : NULL;
}

static void drop(struct spdy *s, struct spdy_stream *t)
{
    size_t i = (size_t)(t - s->streams.items);

    memmove(t, t + 1, (s->streams.len - i - 1) * sizeof(*t));
    s->streams.len--;
}

static void input_is_over(struct spdy *s, uint32_t id)
{
    struct spdy_stream *t = find(s, id);
    void *tag;

    if (!t || t->is_in_over)
        return;
    tag = t->tag;
    t->is_in_over = true;
    if (t->is_out_over)
        drop(s, t);
    s->ops->on_finish(s, tag, s->arg);
}

bool spdy_send(struct spdy *s, uint32_t id, struct str bytes)
{
    const struct spdy_stream *t = find(s, id);

    if (!t || t->is_out_over || s->is_closing)
        return true; /* nobody to hold back for */
    if (bytes.len)
        put_data(s, id, 0, bytes);
    return !s->is_full;
}

void spdy_finish(struct spdy *s, uint32_t id)
{
    struct spdy_stream *t = find(s, id);

    if (!t || t->is_out_over || s->is_closing)
        return;
    put_data(s, id, FLAG_FIN, STR(""));
    t->is_out_over = true;
    if (t->is_in_over)
        drop(s, t);
}

void spdy_reset(struct spdy *s, uint32_t id)
{
    struct spdy_stream *t = find(s, id);

    if (!t || s->is_closing)
        return;
    put_two(s, RST_STREAM, id, STATUS_CANCEL);
    drop(s, t);
}

/* --- control frames: body is what stands behind the head --- */

static int read_block(struct spdy *s, struct arena *a, struct str block,
                      const struct http_header **ret, size_t *ret_n)
{
    arena_init(a, 0);
    return spdy_header_block_read(s->blocks, a, block, SPDY_HEADERS_MAX_BYTES, ret, ret_n);
}

static void reply(struct spdy *s, uint32_t id)
{
    struct buf b = { 0 }, block = { 0 };

    spdy_header_block_write(s->blocks, &block, NULL, 0);
    begin_control(&b, SYN_REPLY, 4 + block.len);
    append_u32(&b, id);
    buf_append_str(&b, buf_str(&block));
    buf_done(&block);
    put(s, &b);
}

static int take_syn_stream(struct spdy *s, int flags, struct str body)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    uint32_t id = u32_at(body.p) & 0x7fffffffU;
    const struct http_header *headers;
    struct spdy_stream *t;
    size_t n;
    void *tag;

    if (id % 2 == 0 || id <= s->last_id)
        return ERR_PROTOCOL;
    s->last_id = id;
    if (read_block(s, &a, str_tail(body, 10), &headers, &n) < 0)
        return ERR_PROTOCOL;
    if (s->streams.len >= SPDY_STREAMS_MAX) {
        put_two(s, RST_STREAM, id, STATUS_REFUSED);
        return ++s->replies > REPLIES_MAX && s->is_full ? ERR_OVERFLOW : 0;
    }
    VEC_PUSH(&s->streams, (struct spdy_stream){ .id = id });
    tag = s->ops->on_stream(s, id, headers, n, s->arg);
    t = find(s, id);
    if (!t)
        return 0;
    if (!tag) {
        spdy_reset(s, id);
        return 0;
    }
    t->tag = tag;
    reply(s, id);
    if (flags & FLAG_FIN)
        input_is_over(s, id);
    return 0;
}

/* We open no streams; but the compression runs on through all headers. */
static int take_headers(struct spdy *s, int flags, struct str body)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct http_header *headers;
    size_t n;

    if (read_block(s, &a, str_tail(body, 4), &headers, &n) < 0)
        return ERR_PROTOCOL;
    if (flags & FLAG_FIN)
        input_is_over(s, u32_at(body.p) & 0x7fffffffU);
    return 0;
}

static int take_reset(struct spdy *s, int flags, struct str body)
{
    struct spdy_stream *t = find(s, u32_at(body.p) & 0x7fffffffU);
    void *tag;

    (void)flags;
    if (!t)
        return 0;
    tag = t->tag;
    drop(s, t);
    s->ops->on_reset(s, tag, s->arg);
    return 0;
}

static int take_ping(struct spdy *s, int flags, struct str body)
{
    struct buf b = { 0 };

    (void)flags;
    if (u32_at(body.p) % 2 == 0)
        return 0; /* an answer; we did not ask */
    if (s->is_full && ++s->replies > REPLIES_MAX)
        return ERR_OVERFLOW;
    begin_control(&b, PING, 4);
    buf_append_str(&b, str_sub(body, 0, 4));
    put(s, &b);
    return 0;
}

static int take_nothing(struct spdy *s, int flags, struct str body)
{
    (void)s;
    (void)flags;
    (void)body;
    return 0;
}

static int take_control(struct spdy *s)
{
    static const struct {
        enum frame_type type;
        size_t min_bytes;
        int (*take)(struct spdy *s, int flags, struct str body);
    } types[] = {
        { SYN_STREAM, 10, take_syn_stream },
        { SYN_REPLY, 4, take_headers },
        { RST_STREAM, 8, take_reset },
        { SETTINGS, 4, take_nothing },
        { PING, 4, take_ping },
        { GOAWAY, 8, take_nothing },
        { HEADERS, 4, take_headers },
        { WINDOW_UPDATE, 8, take_nothing },
    };
    uint32_t head = u32_at(s->in.p);
    struct str body = str_tail(buf_str(&s->in), HEAD_BYTES);

    if ((head >> 16 & 0x7fff) != VERSION)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if ((head & 0xffff) == types[i].type)
            return body.len < types[i].min_bytes
                       ? ERR_PROTOCOL
                       : types[i].take(s, (unsigned char)s->in.p[4], body);
    return 0; /* of a kind that may be ignored */
}

/* --- data --- */

static void open_window(struct spdy *s, uint32_t id, uint32_t *taken, size_t n)
{
    *taken += (uint32_t)n;
    if (*taken < WINDOW_STEP_BYTES)
        return;
    put_two(s, WINDOW_UPDATE, id, *taken);
    *taken = 0;
}

static void take_data(struct spdy *s, struct str bytes)
{
    struct spdy_stream *t = find(s, s->data_id);

    open_window(s, 0, &s->taken, bytes.len);
    if (!t || t->is_in_over || !bytes.len)
        return; /* it was reset meanwhile */
    open_window(s, t->id, &t->taken, bytes.len);
    s->ops->on_data(s, t->tag, bytes, s->arg);
}

static void end_data(struct spdy *s)
{
    s->is_data = false;
    if (s->is_last_data)
        input_is_over(s, s->data_id);
}

static int begin_data(struct spdy *s)
{
    uint32_t length = u32_at(s->in.p + 4);

    s->data_id = u32_at(s->in.p);
    if (s->data_id > s->last_id || s->data_id % 2 == 0)
        return ERR_PROTOCOL;
    s->data_left = length & 0xffffff;
    s->is_last_data = (length >> 24 & FLAG_FIN) != 0;
    s->is_data = true;
    buf_done(&s->in);
    if (!s->data_left)
        end_data(s);
    return 0;
}

/* More of a head or of a control frame. */
static int take_part(struct spdy *s, struct str *bytes)
{
    size_t need = HEAD_BYTES, n;
    int r;

    if (s->in.len >= HEAD_BYTES)
        need += u32_at(s->in.p + 4) & 0xffffff;
    n = MIN(need - s->in.len, bytes->len);
    buf_append_str(&s->in, str_sub(*bytes, 0, n));
    *bytes = str_tail(*bytes, n);
    if (s->in.len < HEAD_BYTES)
        return 0;
    if (!(s->in.p[0] & 0x80))
        return begin_data(s);
    need = HEAD_BYTES + (u32_at(s->in.p + 4) & 0xffffff);
    if (need > SPDY_CONTROL_MAX_BYTES)
        return ERR_TOO_LARGE;
    if (s->in.len < need)
        return 0;
    r = take_control(s);
    buf_done(&s->in);
    return r;
}

void spdy_feed(struct spdy *s, struct str bytes)
{
    while (bytes.len && !s->is_closing) {
        size_t n = MIN((size_t)s->data_left, bytes.len);

        if (!s->is_data) {
            if (take_part(s, &bytes) < 0)
                say_goodbye(s, GOODBYE_PROTOCOL_ERROR);
            continue;
        }
        s->data_left -= (uint32_t)n;
        take_data(s, str_sub(bytes, 0, n));
        bytes = str_tail(bytes, n);
        if (!s->data_left)
            end_data(s);
    }
}

/* --- life --- */

struct spdy *spdy_new(const struct spdy_ops *ops, void *arg,
                      bool (*write)(void *to, struct str bytes), void *to)
{
    struct spdy *s = NEW(struct spdy);

    s->ops = ops;
    s->arg = arg;
    s->write = write;
    s->to = to;
    s->blocks = spdy_header_block_new();
    return s;
}

static void discard(struct spdy *s)
{
    spdy_header_block_free(s->blocks);
    VEC_DONE(&s->streams);
    buf_done(&s->in);
    mem_free(s);
}

void spdy_end(struct spdy *s)
{
    s->is_closing = true;
    s->tunnel = NULL;
    s->websocket = NULL;
    VEC_CLEAR(&s->streams);
    s->ops->on_end(s, s->arg);
    discard(s);
}

void spdy_drained(struct spdy *s)
{
    s->replies = 0;
    if (!s->is_full)
        return;
    s->is_full = false;
    if (!s->is_closing)
        s->ops->on_drain(s, s->arg);
}

bool spdy_is_closing(const struct spdy *s)
{
    return s->is_closing;
}

void spdy_set_reading(struct spdy *s, bool is_on)
{
    if (s->tunnel)
        http_tunnel_set_reading(s->tunnel, is_on);
    if (s->websocket)
        websocket_set_reading(s->websocket, is_on);
}

void spdy_close(struct spdy *s)
{
    say_goodbye(s, GOODBYE_OK);
}

/* --- on an upgraded connection --- */

static bool write_tunnel(void *to, struct str bytes)
{
    const struct spdy *s = to;

    return !s->tunnel || http_tunnel_write(s->tunnel, bytes);
}

static void on_tunnel_read(struct http_tunnel *t, struct str bytes, void *arg)
{
    (void)t;
    spdy_feed(arg, bytes);
}

static void on_tunnel_drain(struct http_tunnel *t, void *arg)
{
    (void)t;
    spdy_drained(arg);
}

static void on_tunnel_end(struct http_tunnel *t, int result, void *arg)
{
    (void)t;
    (void)result; /* either way nobody is there any more */
    spdy_end(arg);
}

bool spdy_is_asked_for(const struct http_request *r)
{
    return str_eq_nocase(http_request_header(r, STR("upgrade")), STR("SPDY/3.1"));
}

int spdy_accept(struct http_request *r, const struct http_header *headers, size_t n,
                const struct spdy_ops *ops, void *arg, struct spdy **ret)
{
    static const struct http_tunnel_ops tunnel_ops = { on_tunnel_read, on_tunnel_drain,
                                                       on_tunnel_end };
    struct http_header all[4] = { { STR("upgrade"), STR("SPDY/3.1") } };
    struct spdy *s;
    int rc;

    if (n > ARRAY_LEN(all) - 1)
        return ERR_INVALID;
    for (size_t i = 0; i < n; i++)
        all[1 + i] = headers[i];
    s = spdy_new(ops, arg, write_tunnel, NULL);
    s->to = s;
    rc = http_upgrade(r, all, n + 1, &tunnel_ops, s, &s->tunnel);
    if (rc < 0)
        discard(s);
    else
        *ret = s;
    return rc;
}

/* --- within a WebSocket --- */

static bool write_websocket(void *to, struct str bytes)
{
    const struct spdy *s = to;

    return !s->websocket || websocket_send(s->websocket, false, bytes);
}

static void on_websocket_message(struct websocket *w, bool is_text, struct str bytes, void *arg)
{
    struct spdy *s = arg;

    (void)w;
    if (is_text)
        say_goodbye(s, GOODBYE_PROTOCOL_ERROR);
    else
        spdy_feed(s, bytes);
}

static void on_websocket_drain(struct websocket *w, void *arg)
{
    (void)w;
    spdy_drained(arg);
}

static void on_websocket_end(struct websocket *w, void *arg)
{
    (void)w;
    spdy_end(arg);
}

int spdy_accept_websocket(struct http_request *r, struct str subprotocol,
                          const struct spdy_ops *ops, void *arg, struct spdy **ret)
{
    static const struct websocket_ops websocket_ops = { on_websocket_message, on_websocket_drain,
                                                        on_websocket_end };
    struct spdy *s = spdy_new(ops, arg, write_websocket, NULL);
    int rc;

    s->to = s;
    rc = websocket_accept(r, subprotocol, &websocket_ops, s, &s->websocket);
    if (rc < 0)
        discard(s);
    else
        *ret = s;
    return rc;
}
