/* VolumeRestrictions: a claim of ReadWriteOncePod has one Pod. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

static bool is_exclusive(const struct core_v1_persistent_volume_claim *claim)
{
    for (uint32_t i = 0; i < claim->spec.access_modes.len; i++)
        if (str_eq(claim->spec.access_modes.items[i], STR("ReadWriteOncePod")))
            return true;
    return false;
}

/* How many of the cycle's exclusive claims this Pod uses. */
static size_t count_shared(const struct sched_cycle *c, const struct api_object *other)
{
    const struct core_v1_pod *pod = other->o.data;
    size_t n = 0;

    if (!str_eq(other->meta->namespace, c->object->meta->namespace))
        return 0;
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++)
        for (size_t k = 0;
             pod->spec.volumes.items[i].volume_source.persistent_volume_claim && k < c->n_exclusive;
             k++)
            n +=
                str_eq(pod->spec.volumes.items[i].volume_source.persistent_volume_claim->claim_name,
                       c->exclusive[k]);
    return n;
}

static bool restrictions_pre_filter(struct sched_cycle *c)
{
    for (uint32_t i = 0; i < c->pod->spec.volumes.len; i++) {
        const struct core_v1_persistent_volume_claim_volume_source *s =
            c->pod->spec.volumes.items[i].volume_source.persistent_volume_claim;
        const struct api_object *o = s && c->lister
                                         ? c->lister->get(c->lister->arg, SCHED_CLAIMS,
                                                          c->object->meta->namespace, s->claim_name)
                                         : NULL;

        if (!o || !is_exclusive(o->o.data))
            continue;
        if (!c->exclusive)
            c->exclusive = ARENA_NEW_ARRAY(c->arena, struct str, c->pod->spec.volumes.len);
        c->exclusive[c->n_exclusive++] = s->claim_name;
    }
    if (!c->n_exclusive)
        return false;
    MAP_FOREACH(e, &c->cache->pods) {
        const struct sched_pod *p = e->value;

        c->n_sharing += count_shared(c, p->object);
    }
    return true;
}

static void restrictions_filter(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                                struct sched_reasons *why)
{
    (void)n;
    (void)row;
    if (c->n_sharing)
        sched_reason(why, STR("node has pod using PersistentVolumeClaim with the same name and "
                              "ReadWriteOncePod access mode"));
}

static void restrictions_try(struct sched_cycle *c, const struct sched_pod *p, bool is_there)
{
    size_t n = count_shared(c, p->object);

    c->n_sharing = is_there ? c->n_sharing + n : c->n_sharing - MIN(n, c->n_sharing);
}

const struct sched_plugin volume_restrictions_plugin = {
    .name = "VolumeRestrictions",
    .events = SCHED_CLAIM_CHANGED | SCHED_POD_DELETED | SCHED_NODE_ADDED,
    .pre_filter = restrictions_pre_filter,
    .filter = restrictions_filter,
    .try_pod = restrictions_try,
};
