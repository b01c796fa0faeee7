/* VolumeBinding, as far as it goes: a Pod waits until its claims are there and bound. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

/* The claim that a volume names; of an ephemeral one the claim made for it. */
static struct str claim_name(struct sched_cycle *c, const struct core_v1_volume *v)
{
    if (v->volume_source.persistent_volume_claim)
        return v->volume_source.persistent_volume_claim->claim_name;
    if (v->volume_source.ephemeral)
        return arena_printf(c->arena, "%.*s-%.*s", STR_ARG(c->object->meta->name),
                            STR_ARG(v->name));
    return STR_NULL;
}

static struct str objection(struct sched_cycle *c, struct str name)
{
    const struct api_object *o =
        c->lister ? c->lister->get(c->lister->arg, SCHED_CLAIMS, c->object->meta->namespace, name)
                  : NULL;

    if (!o)
        return arena_printf(c->arena, "persistentvolumeclaim \"%.*s\" not found", STR_ARG(name));
    if (o->meta->deletion_timestamp.set)
        return arena_printf(c->arena, "persistentvolumeclaim \"%.*s\" is being deleted",
                            STR_ARG(name));
    if (!API_OBJECT(o, struct core_v1_persistent_volume_claim)->spec.volume_name.len)
        return STR("pod has unbound immediate PersistentVolumeClaims");
    return STR_NULL;
}

static bool pre_filter(struct sched_cycle *c)
{
    for (uint32_t i = 0; i < c->pod->spec.volumes.len && !c->rejection.len; i++) {
        struct str name = claim_name(c, &c->pod->spec.volumes.items[i]);

        if (name.len)
            c->rejection = objection(c, name);
    }
    return false;
}

const struct sched_plugin volume_binding_plugin = {
    .name = "VolumeBinding",
    .events = SCHED_CLAIM_CHANGED,
    .pre_filter = pre_filter,
};
