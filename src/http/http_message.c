#include "http/http_message.h"

#include "base/arena.h"
#include "base/macros.h"
#include "base/mem.h"
#include "http/http_message_internal.h"

/* --- headers --- */

bool http_header_is_framing(struct str name)
{
    static const struct str names[] = {
        STR_INIT("connection"),        STR_INIT("content-length"), STR_INIT("keep-alive"),
        STR_INIT("transfer-encoding"), STR_INIT("upgrade"),        STR_INIT("proxy-connection"),
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(name, names[i]))
            return true;
    return false;
}

struct str http_header_clean_value(struct arena *a, struct str v)
{
    char *p = arena_dup(a, v.p, v.len);

    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)p[i] < 0x20 && p[i] != '\t')
            p[i] = ' ';
    return str_n(p, v.len);
}

struct str http_header_lower_name(struct arena *a, struct str name)
{
    char *p = arena_alloc(a, name.len + 1, 1);

    for (size_t i = 0; i < name.len; i++)
        p[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    p[name.len] = '\0';
    return str_n(p, name.len);
}

/* --- HTTP/1.1's text --- */

bool http1_lines_are_clean(char *last, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.p[i];

        if (c == '\n' && *last != '\r')
            return false;
        if ((c == ' ' || c == '\t') && *last == '\n')
            return false;
        *last = c;
    }
    return true;
}

void http1_append_header(struct buf *out, struct str name, struct str value)
{
    buf_append_str(out, name);
    buf_append_lit(out, ": ");
    buf_append_str(out, value);
    buf_append_lit(out, "\r\n");
}

void http1_frame_chunk(struct buf *out, size_t at)
{
    size_t body = out->len - at - HTTP1_CHUNK_HEAD_BYTES;
    char head[HTTP1_CHUNK_HEAD_BYTES + 1];
    size_t n;

    if (body == 0) { /* would be the end */
        out->len = at;
        return;
    }
    n = (size_t)snprintf(head, sizeof(head), "%x\r\n", (unsigned)body);
    memmove(out->p + at + n, out->p + at + HTTP1_CHUNK_HEAD_BYTES, body);
    memcpy(out->p + at, head, n);
    out->len = at + n + body;
    buf_append_lit(out, "\r\n");
}

/* --- tunnels --- */

struct http_tunnel *http_tunnel_new(const struct http_tunnel_ops *ops, void *arg,
                                    void (*wake)(void *owner), void *owner)
{
    struct http_tunnel *t = NEW(struct http_tunnel);

    t->ops = ops;
    t->arg = arg;
    t->wake = wake;
    t->owner = owner;
    return t;
}

void http_tunnel_take(struct http_tunnel *t, struct buf *in)
{
    CLEANUP(buf_done) struct buf now = *in;

    *in = (struct buf){ 0 };
    if (now.len && !t->is_closing)
        t->ops->on_read(t, buf_str(&now), t->arg);
}

/* Length of the WebSocket frame that begins here (RFC 6455, 5.2); 0: that is not all there. */
static size_t frame_bytes(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n_more = 0, len;

    if (s.len < 2)
        return 0;
    len = p[1] & 0x7f;
    if (len > 125)
        n_more = len == 126 ? 2 : 8;
    if (s.len < 2 + n_more)
        return 0;
    for (size_t i = 0; i < n_more; i++)
        len = (i ? len << 8 : 0) | p[2 + i];
    return 2 + n_more + (p[1] & 0x80 ? 4 : 0) + MIN(len, SIZE_MAX / 2);
}

static size_t next_piece(struct http_tunnel *t)
{
    size_t n = MIN(t->out.len, (size_t)HTTP_OUT_MARK_BYTES);

    if (!t->keeps_frames)
        return n;
    if (!t->frame_left)
        t->frame_left = frame_bytes(buf_str(&t->out));
    if (!t->frame_left)
        return t->is_closing ? n : 0; /* the rest of its head is on the way */
    n = MIN(n, t->frame_left);
    t->frame_left -= n;
    return n;
}

bool http_tunnel_produce(struct http_tunnel *t, struct buf *out, bool *ret_is_over)
{
    size_t n = next_piece(t), left;

    buf_append(out, t->out.p, n);
    buf_drop(&t->out, n);
    left = t->out.len;
    if (n && left)
        return true;
    if (!left)
        buf_done(&t->out);
    if (t->is_closing) {
        *ret_is_over = true;
    } else if (t->is_full) {
        t->is_full = false;
        if (t->ops->on_drain)
            t->ops->on_drain(t, t->arg);
    }
    return t->out.len != left;
}

void http_tunnel_end(struct http_tunnel *t, int result)
{
    if (!t)
        return;
    t->owner = NULL;
    t->ops->on_end(t, result, t->arg);
    buf_done(&t->out);
    mem_free(t);
}

static void wake(struct http_tunnel *t)
{
    if (t->owner)
        t->wake(t->owner);
}

bool http_tunnel_write(struct http_tunnel *t, struct str bytes)
{
    if (t->is_closing || !t->owner)
        return true;
    buf_append_str(&t->out, bytes);
    wake(t);
    if (t->out.len > HTTP_TUNNEL_MARK_BYTES)
        t->is_full = true;
    return !t->is_full;
}

void http_tunnel_set_reading(struct http_tunnel *t, bool is_on)
{
    t->is_paused = !is_on;
    wake(t);
}

void http_tunnel_keep_frames(struct http_tunnel *t)
{
    t->keeps_frames = true;
    t->frame_left = t->out.len; /* the answer's head */
}

void http_tunnel_close(struct http_tunnel *t)
{
    t->is_closing = true;
    wake(t);
}
