/* Nothing that is in use goes: claims that Pods with a node use, volumes that are bound, classes of
 * attributes that claims or volumes name keep a finalizer. Admission puts it on; here it is put on
 * what is older, and taken off what nobody needs. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/volume_match.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/volume_state.h"

#define CLAIM_FINALIZER  "kubernetes.io/pvc-protection"
#define VOLUME_FINALIZER "kubernetes.io/pv-protection"
#define CLASS_FINALIZER  "kubernetes.io/vac-protection"

static const struct resource *claims_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("persistentvolumeclaims"));
}
static const struct resource *volumes_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("persistentvolumes"));
}
static const struct resource *classes_row(void)
{
    return resource_find(STR("storage.k8s.io"), STR("v1"), STR("volumeattributesclasses"));
}
static const struct resource *pods_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static void set_finalizer(struct reconcile *r, const struct resource *row,
                          const struct api_object *o, struct str name, bool is_wanted)
{
    struct object copy = object_copy(r->arena, o->o);

    volume_state_set_finalizer(r->arena, object_meta(copy), name, is_wanted);
    if (!object_equal(copy, o->o))
        reconcile_update(r, row, copy);
}

/* Only what does not say so already, or is to go, is worth a look. */
static bool is_of_interest(const struct api_object *o, struct str name)
{
    return volume_state_has_finalizer(o->meta, name) == o->meta->deletion_timestamp.set;
}

/* --- claims --- */

/* Ended for good: what was made for it may go before it does. */
static bool is_shut_down(const struct core_v1_pod *pod)
{
    return pod->metadata.deletion_timestamp.set && pod->metadata.deletion_grace_period_seconds &&
           *pod->metadata.deletion_grace_period_seconds == 0;
}

/* A Pod without a node does not count: the node would not start it with a claim that is leaving. */
static bool uses(struct arena *a, const struct core_v1_pod *pod,
                 const struct core_v1_persistent_volume_claim *claim)
{
    for (uint32_t i = 0; pod->spec.node_name.len && i < pod->spec.volumes.len; i++) {
        const struct core_v1_volume *v = &pod->spec.volumes.items[i];

        if (!str_eq(volume_claim_name(a, pod, v), claim->metadata.name))
            continue;
        if (!v->volume_source.ephemeral ||
            (!is_shut_down(pod) && volume_claim_is_of_pod(claim, pod)))
            return true;
    }
    return false;
}

static const struct api_object *claim_of(struct reconcile *r)
{
    return informer_get(controller_informer(r->manager, claims_row()), r->key);
}

/* The cache knows no user; does the server? */
static enum reconcile_result let_claim_go(struct reconcile *r)
{
    const struct reconcile_answer *answer = &r->answers.items[0];
    const struct api_object *claim = claim_of(r);
    const struct core_v1_pod_list *pods;
    struct object o;
    struct err err;

    if (!claim)
        return RECONCILE_DONE;
    if (answer->result != 0 || object_json_decode(r->arena, &schema_builtin, pods_row()->list_type,
                                                  answer->body, &o, NULL, &err) < 0)
        return RECONCILE_FAILED;
    pods = o.data;
    for (uint32_t i = 0; i < pods->items.len; i++)
        if (uses(r->arena, &pods->items.items[i], claim->o.data))
            return RECONCILE_DONE; /* its event, when it ends, comes to the cache as well */
    set_finalizer(r, claims_row(), claim, STR(CLAIM_FINALIZER), false);
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_claim(struct reconcile *r)
{
    const struct api_object *claim = claim_of(r), *const * pods;
    size_t n;

    if (!claim || !is_of_interest(claim, STR(CLAIM_FINALIZER)))
        return RECONCILE_DONE;
    if (!claim->meta->deletion_timestamp.set) {
        set_finalizer(r, claims_row(), claim, STR(CLAIM_FINALIZER), true);
        return RECONCILE_DONE;
    }
    n = controller_pods_of_claim(r->manager, r->key, &pods);
    for (size_t i = 0; i < n; i++)
        if (uses(r->arena, pods[i]->o.data, claim->o.data))
            return RECONCILE_DONE;
    reconcile_list(r, pods_row(), r->namespace);
    r->then = let_claim_go;
    return RECONCILE_DONE;
}

static void map_claim(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    (void)old;
    if (new &&is_of_interest(new, STR(CLAIM_FINALIZER)))
        controller_enqueue(m, c, new->key);
}

/* Claims of a Pod that is gone, ends, or was replaced under its name. */
static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    const struct informer *claims = controller_informer(m, claims_row());
    const struct core_v1_pod *pods[] = { old ? old->o.data : NULL, new ? new->o.data : NULL };
    CLEANUP(arena_done) struct arena a = { 0 };

    for (size_t p = 0; p < ARRAY_LEN(pods); p++)
        for (uint32_t i = 0; pods[p] && i < pods[p]->spec.volumes.len; i++) {
            struct str name = volume_claim_name(&a, pods[p], &pods[p]->spec.volumes.items[i]);
            const struct api_object *claim =
                name.len
                    ? informer_get(claims, controller_key(&a, pods[p]->metadata.namespace, name))
                    : NULL;

            if (claim && claim->meta->deletion_timestamp.set)
                controller_enqueue(m, c, claim->key);
        }
}

static const struct controller_watch claim_watches[] = {
    { "", "v1", "persistentvolumeclaims", map_claim },
    { "", "v1", "pods", map_pod },
    { 0 },
};

const struct controller pvc_protection_controller = {
    .name = "pvc-protection",
    .watches = claim_watches,
    .reconcile = reconcile_claim,
};

/* --- volumes --- */

static enum reconcile_result reconcile_volume(struct reconcile *r)
{
    const struct api_object *o =
        informer_get(controller_informer(r->manager, volumes_row()), r->key);
    const struct core_v1_persistent_volume *v = o ? o->o.data : NULL;

    if (!o || !is_of_interest(o, STR(VOLUME_FINALIZER)) ||
        (o->meta->deletion_timestamp.set && str_eq(v->status.phase, STR("Bound"))))
        return RECONCILE_DONE;
    set_finalizer(r, volumes_row(), o, STR(VOLUME_FINALIZER), !o->meta->deletion_timestamp.set);
    return RECONCILE_DONE;
}

static void map_volume(struct controller_manager *m, const struct controller *c,
                       const struct api_object *old, const struct api_object *new)
{
    (void)old;
    if (new &&is_of_interest(new, STR(VOLUME_FINALIZER)))
        controller_enqueue(m, c, new->key);
}

static const struct controller_watch volume_watches[] = {
    { "", "v1", "persistentvolumes", map_volume },
    { 0 },
};

const struct controller pv_protection_controller = {
    .name = "pv-protection",
    .watches = volume_watches,
    .reconcile = reconcile_volume,
};

/* --- classes of attributes --- */

static bool claim_names(const struct core_v1_persistent_volume_claim *c, struct str class)
{
    const struct core_v1_modify_volume_status *s = c->status.modify_volume_status;

    return str_eq(c->spec.volume_attributes_class_name, class) ||
           str_eq(c->status.current_volume_attributes_class_name, class) ||
           (s && str_eq(s->target_volume_attributes_class_name, class));
}

static bool is_named(struct controller_manager *m, struct str class)
{
    const struct informer *claims = controller_informer(m, claims_row()),
                          *volumes = controller_informer(m, volumes_row());
    const struct api_object *o;
    size_t cursor = 0;

    while ((o = informer_next(claims, &cursor)) != NULL)
        if (claim_names(o->o.data, class))
            return true;
    cursor = 0;
    while ((o = informer_next(volumes, &cursor)) != NULL)
        if (str_eq(
                API_OBJECT(o, struct core_v1_persistent_volume)->spec.volume_attributes_class_name,
                class))
            return true;
    return false;
}

static enum reconcile_result reconcile_class(struct reconcile *r)
{
    const struct api_object *o =
        informer_get(controller_informer(r->manager, classes_row()), r->key);

    if (!o || !is_of_interest(o, STR(CLASS_FINALIZER)) ||
        (o->meta->deletion_timestamp.set && is_named(r->manager, r->key)))
        return RECONCILE_DONE;
    set_finalizer(r, classes_row(), o, STR(CLASS_FINALIZER), !o->meta->deletion_timestamp.set);
    return RECONCILE_DONE;
}

static void map_class(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    (void)old;
    if (new &&is_of_interest(new, STR(CLASS_FINALIZER)))
        controller_enqueue(m, c, new->key);
}

/* There are few classes, and fewer that are leaving. */
static void map_user(struct controller_manager *m, const struct controller *c,
                     const struct api_object *old, const struct api_object *new)
{
    const struct informer *classes = controller_informer(m, classes_row());
    const struct api_object *o;
    size_t cursor = 0;

    (void)new;
    while (old && (o = informer_next(classes, &cursor)) != NULL)
        if (o->meta->deletion_timestamp.set)
            controller_enqueue(m, c, o->key);
}

static const struct controller_watch class_watches[] = {
    { "storage.k8s.io", "v1", "volumeattributesclasses", map_class },
    { "", "v1", "persistentvolumeclaims", map_user },
    { "", "v1", "persistentvolumes", map_user },
    { 0 },
};

const struct controller vac_protection_controller = {
    .name = "volumeattributesclass-protection",
    .watches = class_watches,
    .reconcile = reconcile_class,
};
