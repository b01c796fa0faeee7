/* Leases: a renewal that changes nothing but its time is not worth a sync of the disk. A holder's
 * change is: it must not be undone by a power cut. */
#include "api/coordination_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/registry/strategies.h"
#include "apiserver/registry/write.h"

/* The same but for the time, and for who manages it since when. */
static bool is_renewal(struct object current, struct object updated)
{
    const struct coordination_v1_lease *old = current.data;
    struct coordination_v1_lease probe = *(const struct coordination_v1_lease *)updated.data;

    probe.spec.renew_time = old->spec.renew_time;
    probe.metadata.managed_fields = old->metadata.managed_fields;
    probe.metadata.resource_version = old->metadata.resource_version;
    updated.data = &probe;
    return object_equal(current, updated);
}

static bool transact(struct write *w, struct status *ret)
{
    (void)ret;
    w->mutation.soft_if_same = w->decision == WRITE_PUT && w->current.data && w->updated.data &&
                               is_renewal(w->current, w->updated);
    return true;
}

const struct strategy lease_strategy = {
    .group = STR_INIT("coordination.k8s.io"),
    .resource = STR_INIT("leases"),
    .transact = transact,
};
