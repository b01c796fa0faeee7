/* What carries channels: a WebSocket or SPDY. */
#pragma once

#include "io/loop.h"
#include "kubelet/server/channels.h"

struct channels_carrier {
    bool (*send)(struct channels *c, enum channel channel, struct str bytes);
    void (*set_reading)(struct channels *c, bool is_on);
    void (*close)(struct channels *c);
};

struct channels { /* embedded first by the carriers */
    const struct channels_carrier *carrier;
    const struct channels_events *events;
    void *arg;
    bool is_ready, has_status;
};

struct channels *channels_accept_websocket(const struct server_request *r,
                                           const struct channels_wanted *wanted,
                                           const struct channels_events *events, void *arg);
struct channels *channels_accept_spdy(const struct server_request *r,
                                      const struct channels_wanted *wanted,
                                      const struct channels_events *events, void *arg);
