/* What the protocol cores of both sides share. Included by http/'s own files alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "http/http_message.h"

struct arena;

enum {
    HTTP_OUT_MARK_BYTES = 64 * 1024, /* produce() stops about here */
    HTTP_PULL_HINT_BYTES = 16 * 1024,
    HTTP1_CHUNK_HEAD_BYTES = 8 + 2, /* "ffffffff\r\n" */
    HTTP1_CHUNK_MAX_BYTES = 1 << 30,
};

bool http_header_is_framing(struct str name); /* what only the side that sends may say */
/* A copy in which line breaks, which would let the value's author write headers, are spaces. */
struct str http_header_clean_value(struct arena *a, struct str v);
struct str http_header_lower_name(struct arena *a, struct str name); /* a copy */

/* HTTP/1.1: false when the bytes, part of a message's head, hold a bare LF or a folded line, which
 * two readers could read differently. *last is the byte before, '\0' at the message's start. */
bool http1_lines_are_clean(char *last, struct str bytes);
void http1_append_header(struct buf *out, struct str name, struct str value);
/* Makes a chunk of what stands behind out + at + HTTP1_CHUNK_HEAD_BYTES; of nothing, nothing. */
void http1_frame_chunk(struct buf *out, size_t at);

/* --- tunnels, for the HTTP/1.1 cores --- */
struct http_tunnel {
    const struct http_tunnel_ops *ops;
    void *arg;
    void (*wake)(void *owner); /* produce soon, look at is_paused */
    void *owner;               /* NULL: the connection is gone */
    struct buf out;
    bool is_paused; /* set_reading(false) */
    bool is_full;   /* owes an on_drain */
    bool is_closing;
    bool keeps_frames;
    size_t frame_left; /* bytes of `out` until the next frame begins */
};
struct http_tunnel *http_tunnel_new(const struct http_tunnel_ops *ops, void *arg,
                                    void (*wake)(void *owner), void *owner);
/* Hands what is in `in` to the reader, leaving it empty. */
void http_tunnel_take(struct http_tunnel *t, struct buf *in);
/* Moves written bytes to out, at most one frame's where they are kept apart; true: there is more.
 * *ret_is_over: closed, and all is written. */
bool http_tunnel_produce(struct http_tunnel *t, struct buf *out, bool *ret_is_over);
void http_tunnel_end(struct http_tunnel *t, int result); /* tells and frees; accepts NULL */
