/* Events of both groups: they expire. */
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/strategies.h"

static int64_t expires_s(struct api_request *r, struct object o)
{
    (void)o;
    return r->server->registry.event_ttl_s;
}

const struct strategy event_strategy = {
    .group = STR_INIT(""),
    .resource = STR_INIT("events"),
    .expires_s = expires_s,
};

const struct strategy events_event_strategy = {
    .group = STR_INIT("events.k8s.io"),
    .resource = STR_INIT("events"),
    .is_of_core = true,
    .expires_s = expires_s,
};
