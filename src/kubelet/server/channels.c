#include "kubelet/server/channels_internal.h"

#include "http/spdy.h"
#include "http/websocket.h"
#include "kubelet/server/server_internal.h"

struct channels *channels_accept(const struct server_request *r,
                                 const struct channels_wanted *wanted,
                                 const struct channels_events *events, void *arg)
{
    if (websocket_is_asked_for(r->http))
        return channels_accept_websocket(r, wanted, events, arg);
    if (spdy_is_asked_for(r->http))
        return channels_accept_spdy(r, wanted, events, arg);
    server_answer_text(r, 400, STR("unable to upgrade: missing upgrade headers in request\n"));
    return NULL;
}

bool channels_is_ready(const struct channels *c)
{
    return c->is_ready;
}

bool channels_has_status(const struct channels *c)
{
    return c->has_status;
}

bool channels_send(struct channels *c, enum channel channel, struct str bytes)
{
    return c->carrier->send(c, channel, bytes);
}

void channels_set_reading(struct channels *c, bool is_on)
{
    c->carrier->set_reading(c, is_on);
}

void channels_close(struct channels *c)
{
    c->carrier->close(c);
}
