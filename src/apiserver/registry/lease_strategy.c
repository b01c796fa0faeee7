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

/* Coordinated election is off, as in upstream's 1.36: its fields stay where they are already. */
static void prepare_create(struct api_request *r, struct object o)
{
    struct coordination_v1_lease *l = o.data;

    (void)r;
    l->spec.strategy = STR_NULL;
    l->spec.preferred_holder = STR_NULL;
}

static void prepare_update(struct api_request *r, struct object o, struct object old_object)
{
    struct coordination_v1_lease *l = o.data;
    const struct coordination_v1_lease *old = old_object.data;

    (void)r;
    if (!old->spec.strategy.p)
        l->spec.strategy = STR_NULL;
    if (!old->spec.preferred_holder.p)
        l->spec.preferred_holder = STR_NULL;
}

const struct strategy lease_strategy = {
    .group = STR_INIT("coordination.k8s.io"),
    .resource = STR_INIT("leases"),
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .transact = transact,
};
