/* PersistentVolumes and claims: they begin as Pending, whatever the client said. */
#include "api/core_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/strategies.h"
#include "base/clock.h"

static void prepare_create_volume(struct api_request *r, struct object o)
{
    struct core_v1_persistent_volume_status *s =
        &((struct core_v1_persistent_volume *)o.data)->status;

    s->phase = STR("Pending");
    s->last_phase_transition_time =
        (struct ktime){ .sec = clock_wall_s(r->server->clock), .set = true };
}

/* The time of the phase is the server's unless the client tells one with the change. */
static void prepare_update_volume(struct api_request *r, struct object o, struct object old)
{
    struct core_v1_persistent_volume_status *s =
        &((struct core_v1_persistent_volume *)o.data)->status;
    const struct core_v1_persistent_volume_status *was =
        &((const struct core_v1_persistent_volume *)old.data)->status;

    if (!str_eq(s->phase, was->phase) &&
        (!s->last_phase_transition_time.set ||
         s->last_phase_transition_time.sec == was->last_phase_transition_time.sec))
        s->last_phase_transition_time =
            (struct ktime){ .sec = clock_wall_s(r->server->clock), .set = true };
}

static void prepare_create_claim(struct api_request *r, struct object o)
{
    (void)r;
    ((struct core_v1_persistent_volume_claim *)o.data)->status.phase = STR("Pending");
}

const struct strategy volume_strategy = {
    .group = STR_INIT(""),
    .resource = STR_INIT("persistentvolumes"),
    .prepare_create = prepare_create_volume,
    .prepare_update = prepare_update_volume,
};

const struct strategy volume_claim_strategy = {
    .group = STR_INIT(""),
    .resource = STR_INIT("persistentvolumeclaims"),
    .prepare_create = prepare_create_claim,
};
