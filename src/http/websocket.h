/* WebSockets (RFC 6455), a server's side, over an upgraded connection: messages in, messages out,
 * pings answered. The framing is wslay's. One loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct http_request;
struct websocket;

enum { WEBSOCKET_MESSAGE_MAX_BYTES = 1 << 20 }; /* that is taken; a longer one ends it */

struct websocket_ops {
    /* A whole message; bytes are valid within the call. */
    void (*on_message)(struct websocket *w, bool is_text, struct str bytes, void *arg);
    /* After websocket_send() said false: there is room again. */
    void (*on_drain)(struct websocket *w, void *arg);
    /* Exactly once, the last call; w ends when it returns. */
    void (*on_end)(struct websocket *w, void *arg);
};

/* Does the request ask for one? */
bool websocket_is_asked_for(const struct http_request *r);
/* The first of the client's subprotocols that is among ours, in the client's order; unset: none.
 * *ret_any: did it name any at all? */
struct str websocket_choose(const struct http_request *r, const struct str *ours, size_t n,
                            bool *ret_any);
/* Answers 101. ERR_INVALID: no key, another version (then answer otherwise). subprotocol unset:
 * none is named. ops stays valid; callbacks begin after return. */
int websocket_accept(struct http_request *r, struct str subprotocol,
                     const struct websocket_ops *ops, void *arg, struct websocket **ret);

/* Copies. False: enough waits to be sent, stop until on_drain. */
bool websocket_send(struct websocket *w, bool is_text, struct str bytes);
void websocket_set_reading(struct websocket *w, bool is_on);
/* Says goodbye; on_end follows when the peer has gone, at once when it was going. */
void websocket_close(struct websocket *w, uint16_t code, struct str reason);
