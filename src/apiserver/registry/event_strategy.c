/* Events of both groups: they expire. CertificateSigningRequests: the spec is who asked. */
#include "api/certificates_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"

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
    .expires_s = expires_s,
};

static void request_prepare_create(struct api_request *r, struct object o)
{
    struct certificates_v1_certificate_signing_request *csr = o.data;
    struct str *groups = ARENA_NEW_ARRAY(r->arena, struct str, r->user.n_groups);

    for (size_t i = 0; i < r->user.n_groups; i++)
        groups[i] = r->user.groups[i];
    csr->spec.username = r->user.name;
    csr->spec.uid = r->user.uid;
    csr->spec.groups.items = groups;
    csr->spec.groups.len = (uint32_t)r->user.n_groups;
    csr->spec.extra.items = NULL;
    csr->spec.extra.len = 0;
}

const struct strategy certificate_request_strategy = {
    .group = STR_INIT("certificates.k8s.io"),
    .resource = STR_INIT("certificatesigningrequests"),
    .prepare_create = request_prepare_create,
};
