/* Claims for the ephemeral volumes of Pods: named after both, owned by the Pod, so that they go
 * with it. One that is deleted while its Pod lives is made again. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/volume_match.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/pod_state.h"

static const struct resource *claims_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("persistentvolumeclaims"));
}

static void make_claim(struct reconcile *r, const struct api_object *pod,
                       const struct core_v1_volume *v, struct str name)
{
    const struct core_v1_persistent_volume_claim_template *t =
        v->volume_source.ephemeral->volume_claim_template;
    struct object o = object_new(r->arena, &schema_builtin, claims_row()->type);
    struct core_v1_persistent_volume_claim *claim = o.data;
    struct meta_v1_object_meta *m = &claim->metadata;

    m->name = name;
    m->namespace = pod->meta->namespace;
    m->labels.items = t->metadata.labels.items;
    m->labels.len = t->metadata.labels.len;
    m->annotations.items = t->metadata.annotations.items;
    m->annotations.len = t->metadata.annotations.len;
    m->owner_references.items = ARENA_NEW(r->arena, struct meta_v1_owner_reference);
    m->owner_references.items[0] = owner_reference_to(r->arena, pod);
    m->owner_references.len = 1;
    claim->spec = t->spec;
    reconcile_create(r, claims_row(), pod->meta->namespace, o);
    reconcile_tell(r, pod,
                   &(struct reconcile_tale){
                       .failed_reason = "FailedBinding",
                       .failed_text = arena_printf(
                           r->arena, "ephemeral volume %.*s: create PVC %.*s: ", STR_ARG(v->name),
                           STR_ARG(name)) });
}

/* False: somebody else's claim has the name. */
static bool handle(struct reconcile *r, const struct api_object *pod,
                   const struct core_v1_volume *v)
{
    struct str name = volume_claim_name(r->arena, pod->o.data, v);
    const struct api_object *claim =
        informer_get(controller_informer(r->manager, claims_row()),
                     controller_key(r->arena, pod->meta->namespace, name));

    if (!claim) {
        make_claim(r, pod, v, name);
        return true;
    }
    if (volume_claim_is_of_pod(claim->o.data, pod->o.data))
        return true;
    reconcile_event(r, pod, "Warning", "FailedBinding",
                    "ephemeral volume %.*s: PVC %.*s/%.*s was not created for pod %.*s/%.*s (pod "
                    "is not owner)",
                    STR_ARG(v->name), STR_ARG(pod->meta->namespace), STR_ARG(name),
                    STR_ARG(pod->meta->namespace), STR_ARG(pod->meta->name));
    return false;
}

static enum reconcile_result reconcile_pod(struct reconcile *r)
{
    const struct api_object *pod =
        informer_get(controller_informer_of(r->manager, "", "v1", "pods"), r->key);
    const struct core_v1_pod *p = pod ? pod->o.data : NULL;

    if (!p || pod->meta->deletion_timestamp.set)
        return RECONCILE_DONE;
    for (uint32_t i = 0; i < p->spec.volumes.len; i++)
        if (p->spec.volumes.items[i].volume_source.ephemeral &&
            p->spec.volumes.items[i].volume_source.ephemeral->volume_claim_template &&
            !handle(r, pod, &p->spec.volumes.items[i]))
            return RECONCILE_FAILED;
    return RECONCILE_DONE;
}

static bool has_ephemeral(const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++)
        if (pod->spec.volumes.items[i].volume_source.ephemeral)
            return true;
    return false;
}

static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    if (!old && has_ephemeral(new->o.data))
        controller_enqueue(m, c, new->key);
}

static void map_claim(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    const struct api_object *const *pods;
    size_t n = new ? 0 : controller_pods_of_claim(m, old->key, &pods);

    for (size_t i = 0; i < n; i++)
        if (has_ephemeral(pods[i]->o.data))
            controller_enqueue(m, c, pods[i]->key);
}

static const struct controller_watch watches[] = {
    { "", "v1", "pods", map_pod },
    { "", "v1", "persistentvolumeclaims", map_claim },
    { 0 },
};

const struct controller ephemeral_volume_controller = {
    .name = "ephemeral-volume",
    .watches = watches,
    .reconcile = reconcile_pod,
};
