/* The streams of exec and attach between a client and a process, whatever carries them: the
 * channels of a WebSocket (each message begins with the channel's number, a byte, or a digit in the
 * base64 protocols) or the streams of SPDY (each with its kind in a header). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct channels;
struct server_request;

enum channel {
    CHANNEL_STDIN,
    CHANNEL_STDOUT,
    CHANNEL_STDERR,
    CHANNEL_ERROR,
    CHANNEL_RESIZE,
    CHANNEL_COUNT
};

struct channels_events {
    void (*on_ready)(void *arg); /* all streams are there; see channels_is_ready() */
    void (*on_bytes)(enum channel channel, struct str bytes, void *arg);
    void (*on_finish)(enum channel channel, void *arg); /* the client sends no more there */
    void (*on_drain)(void *arg);                        /* after channels_send() said false */
    void (*on_end)(void *arg); /* exactly once, the last call; c ends when it returns */
};

/* Which streams the client asked for; that of errors is always there. */
struct channels_wanted {
    bool input, output, error, tty;
};

/* Answers the request; NULL when it could not be, after an answer that says why. Events begin after
 * return. */
struct channels *channels_accept(const struct server_request *r,
                                 const struct channels_wanted *wanted,
                                 const struct channels_events *events, void *arg);
/* With SPDY the client opens its streams one by one: until then on_ready is to come. */
bool channels_is_ready(const struct channels *c);
/* Is what the error channel says a Status, for success too? */
bool channels_has_status(const struct channels *c);
/* Copies. False: enough waits to be sent, stop until on_drain. */
bool channels_send(struct channels *c, enum channel channel, struct str bytes);
void channels_set_reading(struct channels *c, bool is_on);
/* Ends all streams, after what was sent; on_end follows, later. */
void channels_close(struct channels *c);
