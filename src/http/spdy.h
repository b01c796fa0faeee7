/* SPDY/3.1, a server's side: many streams over one upgraded connection, or over the binary messages
 * of a WebSocket. As Kubernetes' clients speak it: they neither wait for windows nor open them, so
 * what is sent is held back by the connection alone; windows are opened for those who do wait. One
 * loop.
 *
 * A stream is known by its number; calls with the number of one that is over do nothing. What
 * on_stream returned stands for it in the calls back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct http_header;
struct http_request;
struct spdy;

enum { SPDY_STREAMS_MAX = 1000, SPDY_HEADERS_MAX_BYTES = 16384, SPDY_CONTROL_MAX_BYTES = 65536 };

struct spdy_ops {
    /* The client opened a stream; headers are valid within the call, and nothing may be sent on it
     * yet. NULL refuses it. */
    void *(*on_stream)(struct spdy *s, uint32_t id, const struct http_header *headers, size_t n,
                       void *arg);
    void (*on_data)(struct spdy *s, void *stream, struct str bytes, void *arg);
    void (*on_finish)(struct spdy *s, void *stream, void *arg); /* it sends no more there */
    void (*on_reset)(struct spdy *s, void *stream, void *arg);  /* the stream is over */
    void (*on_drain)(struct spdy *s, void *arg);                /* after spdy_send() said false */
    /* Exactly once, the last call; all streams are over, s ends when it returns. */
    void (*on_end)(struct spdy *s, void *arg);
};

/* Does the request ask for one, without a WebSocket around it? */
bool spdy_is_asked_for(const struct http_request *r);
/* Answers 101 with headers besides. ERR_UNSUPPORTED, ERR_INVALID: answer otherwise. ops stays
 * valid; callbacks begin after return. */
int spdy_accept(struct http_request *r, const struct http_header *headers, size_t n,
                const struct spdy_ops *ops, void *arg, struct spdy **ret);
int spdy_accept_websocket(struct http_request *r, struct str subprotocol,
                          const struct spdy_ops *ops, void *arg, struct spdy **ret);

/* Copies. False: enough waits to be sent, stop until on_drain. */
bool spdy_send(struct spdy *s, uint32_t id, struct str bytes);
void spdy_finish(struct spdy *s, uint32_t id); /* no more from us there */
void spdy_reset(struct spdy *s, uint32_t id);  /* no on_reset follows */
void spdy_set_reading(struct spdy *s, bool is_on);
void spdy_close(struct spdy *s); /* after what was sent; on_end follows, later */

/* --- without a connection, for tests --- */
/* write gets what is to be sent, and says whether more is welcome. */
struct spdy *spdy_new(const struct spdy_ops *ops, void *arg,
                      bool (*write)(void *to, struct str bytes), void *to);
void spdy_feed(struct spdy *s, struct str bytes);
bool spdy_is_closing(const struct spdy *s);
void spdy_drained(struct spdy *s);
void spdy_end(struct spdy *s); /* the connection is gone */
