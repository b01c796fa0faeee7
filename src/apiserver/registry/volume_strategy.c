/* PersistentVolumes and claims: they begin as Pending, whatever the client said. */
#include "api/core_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"
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

/* dataSource and dataSourceRef say the same: each is filled in from the other. */
static void join_data_sources(struct arena *a, struct core_v1_persistent_volume_claim_spec *s)
{
    struct core_v1_typed_local_object_reference *local = s->data_source;
    struct core_v1_typed_object_reference *ref = s->data_source_ref;

    if (local && !ref &&
        !(str_eq(local->kind, STR("PersistentVolumeClaim")) && !local->api_group.len) &&
        !(str_eq(local->kind, STR("VolumeSnapshot")) &&
          str_eq(local->api_group, STR("snapshot.storage.k8s.io"))))
        local = s->data_source = NULL;
    if (local && !ref) {
        ref = s->data_source_ref = ARENA_NEW(a, struct core_v1_typed_object_reference);
        ref->kind = local->kind;
        ref->name = local->name;
        ref->api_group = local->api_group;
    } else if (ref && !local && !ref->namespace.len) {
        local = s->data_source = ARENA_NEW(a, struct core_v1_typed_local_object_reference);
        local->kind = ref->kind;
        local->name = ref->name;
        local->api_group = ref->api_group;
    }
}

/* A source in another namespace is a feature that is off. */
static void drop_foreign_source(struct core_v1_persistent_volume_claim_spec *s,
                                const struct core_v1_persistent_volume_claim_spec *old)
{
    if (s->data_source_ref && s->data_source_ref->namespace.len && !(old && old->data_source_ref))
        s->data_source_ref = NULL;
}

static void prepare_create_claim(struct api_request *r, struct object o)
{
    struct core_v1_persistent_volume_claim *c = o.data;

    c->status.phase = STR("Pending");
    drop_foreign_source(&c->spec, NULL);
    join_data_sources(r->arena, &c->spec);
}

static void prepare_update_claim(struct api_request *r, struct object o, struct object old)
{
    struct core_v1_persistent_volume_claim *c = o.data;
    const struct core_v1_persistent_volume_claim *was = old.data;

    drop_foreign_source(&c->spec, &was->spec);
    join_data_sources(r->arena, &c->spec);
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
    .prepare_update = prepare_update_claim,
};
