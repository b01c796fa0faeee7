/* What both sides of HTTP share: headers, pulled bodies, and the raw bytes behind an upgrade. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct buf;

struct http_header {
    struct str name;  /* any case in, lower case out */
    struct str value; /* one line; repeated headers stay apart */
};

/* A pulled body: pull() is called whenever the connection can take more. It appends to out (a hint
 * of how much is welcome) and returns HTTP_SOURCE_MORE (call again when that is written),
 * HTTP_SOURCE_WAIT (nothing now: wake it later) or HTTP_SOURCE_END; negative aborts the message.
 * done runs exactly once, when the source is no longer needed. */
enum { HTTP_SOURCE_END, HTTP_SOURCE_MORE, HTTP_SOURCE_WAIT };
struct http_source {
    int (*pull)(struct http_source *s, struct buf *out, size_t hint_bytes);
    void (*done)(struct http_source *s);
};

/* --- an upgraded connection (HTTP/1.1): raw bytes both ways after "101 Switching Protocols" --- */
struct http_tunnel;
struct http_tunnel_ops {
    /* bytes are valid within the call. */
    void (*on_read)(struct http_tunnel *t, struct str bytes, void *arg);
    /* After http_tunnel_write() said false: there is room again. May be NULL. */
    void (*on_drain)(struct http_tunnel *t, void *arg);
    /* Exactly once, the last call: the connection is gone; t ends when it returns. result: 0 (the
     * peer's end, or http_tunnel_close()) or a failure. */
    void (*on_end)(struct http_tunnel *t, int result, void *arg);
};
/* Copies all of bytes. False: more than HTTP_TUNNEL_MARK_BYTES wait now; stop until on_drain. */
enum { HTTP_TUNNEL_MARK_BYTES = 128 * 1024 };
bool http_tunnel_write(struct http_tunnel *t, struct str bytes);
void http_tunnel_set_reading(struct http_tunnel *t, bool is_on); /* on at first; back-pressure */
/* What is written from now on are WebSocket frames: no TLS record of a server holds parts of two.
 * Some clients wait for their socket although their TLS layer holds the next message. */
void http_tunnel_keep_frames(struct http_tunnel *t);
void http_tunnel_close(struct http_tunnel *t); /* after what was written; on_end follows, later */
