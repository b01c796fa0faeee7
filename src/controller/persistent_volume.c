/* Claims get volumes, and volumes that are let go are dealt with.
 *
 * A binding is two references and two phases, written in this order: the volume's claimRef, its
 * phase, the claim's volumeName, its phase. Whoever dies in between leaves a state from which the
 * next run goes on: each run writes the first half that is missing, and looks at everything anew
 * after it. One worker for claims: two of them never want one volume at once. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/quantity.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/storage_v1.h"
#include "api/text_map.h"
#include "api/volume_match.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/pod_state.h"
#include "controller/volume_state.h"

#define PROVISIONER     "volume.kubernetes.io/storage-provisioner"
#define OLD_PROVISIONER "volume.beta.kubernetes.io/storage-provisioner"
#define MIGRATED_TO     "pv.kubernetes.io/migrated-to"
#define IN_TREE         "kubernetes.io/"

extern const struct controller persistentvolume_controller, persistentvolumeclaim_controller;

typedef const struct core_v1_persistent_volume volume_t;
typedef const struct core_v1_persistent_volume_claim claim_t;

static const struct resource *volumes_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("persistentvolumes"));
}

static const struct resource *claims_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("persistentvolumeclaims"));
}

static const struct api_object *find_volume(struct reconcile *r, struct str name)
{
    return informer_get(controller_informer(r->manager, volumes_row()), name);
}

static const struct api_object *find_claim(struct reconcile *r, struct str namespace,
                                           struct str name)
{
    return informer_get(controller_informer(r->manager, claims_row()),
                        controller_key(r->arena, namespace, name));
}

static struct informer *classes(struct controller_manager *m)
{
    return controller_informer_of(m, "storage.k8s.io", "v1", "storageclasses");
}

static bool has_annotation(const struct api_object *o, const char *name)
{
    return text_map_find(&o->meta->annotations, str_from_cstr(name));
}

/* --- phases --- */

static bool set_claim_phase(struct reconcile *r, const struct api_object *claim, struct str phase,
                            const struct api_object *volume)
{
    struct object o = object_copy(r->arena, claim->o);
    struct core_v1_persistent_volume_claim *c = o.data;

    volume_state_claim_status(r->arena, c, phase, volume ? volume->o.data : NULL);
    if (object_equal(o, claim->o))
        return false;
    reconcile_update_status(r, claims_row(), o);
    return true;
}

static void lose_claim(struct reconcile *r, const struct api_object *claim, const char *reason,
                       const char *message)
{
    if (str_eq(API_OBJECT(claim, struct core_v1_persistent_volume_claim)->status.phase,
               STR("Lost")))
        return;
    if (set_claim_phase(r, claim, STR("Lost"), NULL))
        reconcile_event(r, claim, "Warning", reason, "%s", message);
}

static bool set_volume_phase(struct reconcile *r, const struct api_object *volume, struct str phase,
                             struct str message)
{
    struct object o = object_copy(r->arena, volume->o);
    struct core_v1_persistent_volume *v = o.data;

    if (str_eq(v->status.phase, phase))
        return false;
    v->status.phase = phase;
    v->status.message = message;
    reconcile_update_status(r, volumes_row(), o);
    return true;
}

/* --- binding --- */

/* True: a half that was missing is being written. */
static bool bind_volume(struct reconcile *r, const struct api_object *volume,
                        const struct api_object *claim)
{
    struct object o = object_copy(r->arena, volume->o);

    volume_state_refer(r->arena, o.data, claim->o.data);
    if (object_equal(o, volume->o))
        return false;
    reconcile_update(r, volumes_row(), o);
    return true;
}

static bool bind_claim(struct reconcile *r, const struct api_object *claim,
                       const struct api_object *volume)
{
    struct object o = object_copy(r->arena, claim->o);
    struct core_v1_persistent_volume_claim *c = o.data;

    if (!str_eq(c->spec.volume_name, volume->meta->name)) {
        c->spec.volume_name = volume->meta->name;
        text_map_put(r->arena, &c->metadata.annotations, STR(VOLUME_BOUND_BY_CONTROLLER),
                     STR("yes"));
    }
    if (!has_annotation(claim, VOLUME_BIND_COMPLETED))
        text_map_put(r->arena, &c->metadata.annotations, STR(VOLUME_BIND_COMPLETED), STR("yes"));
    if (object_equal(o, claim->o))
        return false;
    reconcile_update(r, claims_row(), o);
    return true;
}

static enum reconcile_result reconcile_claim(struct reconcile *r);

static enum reconcile_result bind(struct reconcile *r, const struct api_object *volume,
                                  const struct api_object *claim)
{
    bool goes_on = bind_volume(r, volume, claim);

    if (!goes_on) {
        goes_on = set_volume_phase(r, volume, STR("Bound"), STR(""));
        goes_on |= bind_claim(r, claim, volume);
    }
    if (goes_on)
        r->then = reconcile_claim;
    else
        (void)set_claim_phase(r, claim, STR("Bound"), volume);
    return RECONCILE_DONE;
}

/* --- claims without a volume --- */

static const struct storage_v1_storage_class *class_of(struct reconcile *r, struct str name)
{
    const struct api_object *o = name.len ? informer_get(classes(r->manager), name) : NULL;

    return o ? o->o.data : NULL;
}

static bool waits_for_consumer(const struct storage_v1_storage_class *class)
{
    return str_eq(class->volume_binding_mode, STR("WaitForFirstConsumer"));
}

static bool is_delayed(struct reconcile *r, claim_t *claim)
{
    const struct storage_v1_storage_class *class = class_of(r, volume_class_of_claim(claim));

    return class && waits_for_consumer(class);
}

/* The newest that is marked as the default; of these the first by name. */
static const struct api_object *default_class(struct controller_manager *m)
{
    static const char *const marks[] = { "storageclass.kubernetes.io/is-default-class",
                                         "storageclass.beta.kubernetes.io/is-default-class" };
    const struct api_object *o, *best = NULL;
    size_t cursor = 0;

    while ((o = informer_next(classes(m), &cursor)) != NULL)
        for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
            const struct schema_str_entry *e =
                text_map_find(&o->meta->annotations, str_from_cstr(marks[i]));
            int64_t age =
                best ? o->meta->creation_timestamp.sec - best->meta->creation_timestamp.sec : 1;

            if (e && str_eq(e->value, STR("true")) &&
                (age > 0 || (age == 0 && str_cmp(o->meta->name, best->meta->name) < 0)))
                best = o;
        }
    return best;
}

static bool give_default_class(struct reconcile *r, const struct api_object *claim)
{
    const struct api_object *class = default_class(r->manager);
    struct object o;

    if (!class || volume_claim_has_class(claim->o.data))
        return false;
    o = object_copy(r->arena, claim->o);
    ((struct core_v1_persistent_volume_claim *)o.data)->spec.storage_class_name = class->meta->name;
    reconcile_update(r, claims_row(), o);
    return true;
}

/* The names of Pods that use the claim and have no node yet, by commas. */
static struct str waiting_pods(struct reconcile *r, size_t *ret_n)
{
    const struct api_object *const *pods;
    size_t n = controller_pods_of_claim(r->manager, r->key, &pods);
    struct str names = STR("");

    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct core_v1_pod *pod = pods[i]->o.data;

        if (pod->spec.node_name.len || pod_is_finished(pod))
            continue;
        names = arena_printf(r->arena, "%.*s%s%.*s", STR_ARG(names), *ret_n ? "," : "",
                             STR_ARG(pods[i]->meta->name));
        ++*ret_n;
    }
    return names;
}

static void event_delayed(struct reconcile *r, const struct api_object *claim)
{
    size_t n;
    struct str names = waiting_pods(r, &n);

    if (n)
        reconcile_event(r, claim, "Normal", "WaitForPodScheduled",
                        "waiting for pod%s %.*s to be scheduled", n > 1 ? "s" : "", STR_ARG(names));
    else
        reconcile_event(r, claim, "Normal", "WaitForFirstConsumer",
                        "waiting for first consumer to be created before binding");
}

/* Whoever provisions watches for its name on claims. */
static void call_provisioner(struct reconcile *r, const struct api_object *claim)
{
    struct str name = volume_class_of_claim(claim->o.data);
    const struct storage_v1_storage_class *class = class_of(r, name);
    struct object o;

    if (!class) {
        reconcile_event(r, claim, "Warning", "ProvisioningFailed",
                        "storageclass.storage.k8s.io \"%.*s\" not found", STR_ARG(name));
        return;
    }
    if (str_has_prefix(class->provisioner, STR(IN_TREE))) {
        reconcile_event(r, claim, "Warning", "ProvisioningFailed",
                        "no volume plugin matched name: %.*s", STR_ARG(class->provisioner));
        return;
    }
    o = object_copy(r->arena, claim->o);
    text_map_put(r->arena, &object_meta(o)->annotations, STR(OLD_PROVISIONER), class->provisioner);
    text_map_put(r->arena, &object_meta(o)->annotations, STR(PROVISIONER), class->provisioner);
    if (object_equal(o, claim->o))
        return;
    reconcile_update(r, claims_row(), o);
    reconcile_event(r, claim, "Normal", "ExternalProvisioning",
                    "Waiting for a volume to be created either by the external provisioner '%.*s' "
                    "or manually by the system administrator. If volume creation is delayed, "
                    "please verify that the provisioner is running and correctly registered.",
                    STR_ARG(class->provisioner));
}

static enum reconcile_result wait_for_volume(struct reconcile *r, const struct api_object *claim,
                                             bool is_waiting_for_pod)
{
    if (give_default_class(r, claim))
        return RECONCILE_DONE;
    if (is_waiting_for_pod && !has_annotation(claim, VOLUME_SELECTED_NODE)) {
        event_delayed(r, claim);
    } else if (volume_class_of_claim(claim->o.data).len) {
        call_provisioner(r, claim);
        return RECONCILE_DONE;
    } else {
        reconcile_event(
            r, claim, "Normal", "FailedBinding",
            "no persistent volumes available for this claim and no storage class is set");
    }
    (void)set_claim_phase(r, claim, STR("Pending"), NULL);
    return RECONCILE_DONE;
}

static enum reconcile_result choose_volume(struct reconcile *r, const struct api_object *claim)
{
    const struct informer *volumes = controller_informer(r->manager, volumes_row());
    bool delayed = is_delayed(r, claim->o.data);
    const struct api_object *o;
    struct volume_search s;
    size_t cursor = 0;
    struct err err;

    if (volume_search_init(r->arena, &s, claim->o.data, &err) < 0)
        return RECONCILE_FAILED;
    s.is_delayed = delayed;
    while ((o = informer_next(volumes, &cursor)) != NULL)
        volume_search_offer(&s, o->o.data);
    if (!s.best)
        return wait_for_volume(r, claim, delayed);
    return bind(r, find_volume(r, s.best->metadata.name), claim);
}

/* The claim names its volume. */
static enum reconcile_result take_volume(struct reconcile *r, const struct api_object *claim)
{
    claim_t *c = claim->o.data;
    const struct api_object *volume = find_volume(r, c->spec.volume_name);
    volume_t *v = volume ? volume->o.data : NULL;
    struct str objection = STR_NULL;

    if (v && volume_is_for(v, c))
        return bind(r, volume, claim);
    if (v && !v->spec.claim_ref) {
        objection = volume_objection(r->arena, v, c);
        if (!objection.len)
            return bind(r, volume, claim);
        reconcile_event(r, claim, "Warning", "VolumeMismatch",
                        "Cannot bind to requested volume \"%.*s\": %.*s",
                        STR_ARG(volume->meta->name), STR_ARG(objection));
    } else if (v) {
        reconcile_event(r, claim, "Warning", "FailedBinding",
                        "volume \"%.*s\" already bound to a different claim.",
                        STR_ARG(volume->meta->name));
        if (has_annotation(claim, VOLUME_BOUND_BY_CONTROLLER))
            return RECONCILE_FAILED;
    }
    (void)set_claim_phase(r, claim, STR("Pending"), NULL);
    return RECONCILE_DONE;
}

/* --- claims that had one --- */

static enum reconcile_result keep_volume(struct reconcile *r, const struct api_object *claim)
{
    claim_t *c = claim->o.data;
    const struct api_object *volume = find_volume(r, c->spec.volume_name);
    volume_t *v = volume ? volume->o.data : NULL;

    if (!c->spec.volume_name.len)
        lose_claim(
            r, claim, "ClaimLost",
            "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
    else if (!v)
        lose_claim(r, claim, "ClaimLost",
                   "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
    else if (!v->spec.claim_ref || str_eq(v->spec.claim_ref->uid, c->metadata.uid))
        return bind(r, volume, claim);
    else
        lose_claim(r, claim, "ClaimMisbound",
                   "Two claims are bound to the same volume, this one is bound incorrectly");
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_claim(struct reconcile *r)
{
    const struct api_object *claim =
        informer_get(controller_informer(r->manager, claims_row()), r->key);

    if (!claim)
        return RECONCILE_DONE;
    if (has_annotation(claim, VOLUME_BIND_COMPLETED))
        return keep_volume(r, claim);
    if (API_OBJECT(claim, struct core_v1_persistent_volume_claim)->spec.volume_name.len)
        return take_volume(r, claim);
    return choose_volume(r, claim);
}

/* --- volumes that are let go --- */

static void fail_volume(struct reconcile *r, const struct api_object *volume, const char *reason,
                        struct str message)
{
    if (set_volume_phase(r, volume, STR("Failed"), message))
        reconcile_event(r, volume, "Warning", reason, "%.*s", STR_ARG(message));
}

static void reclaim(struct reconcile *r, const struct api_object *volume)
{
    volume_t *v = volume->o.data;
    struct str policy = v->spec.persistent_volume_reclaim_policy, objection;

    if (has_annotation(volume, MIGRATED_TO) || str_eq(policy, STR("Retain")))
        return;
    if (str_eq(policy, STR("Recycle"))) {
        fail_volume(r, volume, "VolumeFailedRecycle",
                    STR("No recycler plugin found for the volume!"));
        return;
    }
    objection = volume_state_deleter(r->arena, v);
    if (objection.len)
        fail_volume(r, volume, "VolumeFailedDelete", objection);
}

static enum reconcile_result reconcile_volume(struct reconcile *r);

/* What a run needs twice: Released is written before anything is done about it. */
static enum reconcile_result release(struct reconcile *r, const struct api_object *volume)
{
    struct str phase = API_OBJECT(volume, struct core_v1_persistent_volume)->status.phase;

    if (str_eq(phase, STR("Released")) || str_eq(phase, STR("Failed")))
        reclaim(r, volume);
    else if (set_volume_phase(r, volume, STR("Released"), STR("")))
        r->then = reconcile_volume;
    return RECONCILE_DONE;
}

/* The cache does not know the claim; what does the server say? */
static enum reconcile_result release_if_gone(struct reconcile *r)
{
    const struct api_object *volume = find_volume(r, r->key);
    const struct reconcile_answer *a = &r->answers.items[r->answers.len - 1];
    volume_t *v = volume ? volume->o.data : NULL;

    if (!v || !v->spec.claim_ref || (a->result == 0 && str_eq(a->uid, v->spec.claim_ref->uid)))
        return RECONCILE_DONE; /* the claim's event brings the key back */
    return release(r, volume);
}

/* The claim has, or takes, another one. */
static enum reconcile_result unbind(struct reconcile *r, const struct api_object *volume)
{
    struct object o = object_copy(r->arena, volume->o);

    volume_state_let_go(r->arena, o.data);
    if (object_equal(o, volume->o))
        return RECONCILE_DONE;
    reconcile_update(r, volumes_row(), o);
    r->then = reconcile_volume; /* Available */
    return RECONCILE_DONE;
}

static enum reconcile_result follow_claim(struct reconcile *r, const struct api_object *volume,
                                          const struct api_object *claim)
{
    volume_t *v = volume->o.data;
    claim_t *c = claim->o.data;

    if (!c->spec.volume_name.len) {
        if (volume_modes_differ(v, c)) {
            reconcile_event(r, volume, "Warning", "VolumeMismatch",
                            "Cannot bind PersistentVolume to requested PersistentVolumeClaim "
                            "\"%.*s\" due to incompatible volumeMode.",
                            STR_ARG(claim->meta->name));
            reconcile_event(r, claim, "Warning", "VolumeMismatch",
                            "Cannot bind PersistentVolume \"%.*s\" to requested "
                            "PersistentVolumeClaim due to incompatible volumeMode.",
                            STR_ARG(volume->meta->name));
            return RECONCILE_DONE;
        }
        controller_enqueue(r->manager, &persistentvolumeclaim_controller, claim->key);
        return RECONCILE_DONE;
    }
    if (str_eq(c->spec.volume_name, volume->meta->name)) {
        (void)set_volume_phase(r, volume, STR("Bound"), STR(""));
        return RECONCILE_DONE;
    }
    if (has_annotation(volume, VOLUME_PROVISIONED_BY) &&
        str_eq(v->spec.persistent_volume_reclaim_policy, STR("Delete")))
        return release(r, volume); /* made for this claim, which has another one */
    return unbind(r, volume);
}

/* Volumes that a plugin of upstream's would have to remove go only when that is done. */
static bool protect_in_tree(struct reconcile *r, const struct api_object *volume)
{
    struct object o = object_copy(r->arena, volume->o);

    volume_state_protect(r->arena, o.data);
    if (object_equal(o, volume->o))
        return false;
    reconcile_update(r, volumes_row(), o);
    r->then = reconcile_volume;
    return true;
}

static enum reconcile_result reconcile_volume(struct reconcile *r)
{
    const struct api_object *volume = find_volume(r, r->key), *claim;
    volume_t *v = volume ? volume->o.data : NULL;
    const struct core_v1_object_reference *ref = v ? v->spec.claim_ref : NULL;

    if (!v || protect_in_tree(r, volume))
        return RECONCILE_DONE;
    if (!ref || !ref->uid.len) {
        (void)set_volume_phase(r, volume, STR("Available"), STR(""));
        return RECONCILE_DONE;
    }
    claim = find_claim(r, ref->namespace, ref->name);
    if (claim && str_eq(claim->meta->uid, ref->uid))
        return follow_claim(r, volume, claim);
    if (!claim &&
        (str_eq(v->status.phase, STR("Released")) || str_eq(v->status.phase, STR("Failed"))))
        return release(r, volume);
    reconcile_get(r, claims_row(), ref->namespace, ref->name);
    r->then = release_if_gone;
    return RECONCILE_DONE;
}

/* --- who concerns whom --- */

static struct str ref_key(struct arena *a, const struct api_object *volume)
{
    const struct core_v1_object_reference *ref =
        API_OBJECT(volume, struct core_v1_persistent_volume)->spec.claim_ref;

    return ref ? controller_key(a, ref->namespace, ref->name) : STR_NULL;
}

static void index_claim(const struct api_object *volume, informer_emit_fn *emit, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str key = ref_key(&a, volume);

    if (key.len)
        emit(key, arg);
}

/* A claim concerns its volume, and every one that says it is its own. */
static void map_claim_to_volumes(struct controller_manager *m, const struct controller *c,
                                 const struct api_object *old, const struct api_object *new)
{
    const int *index = controller_state(m, c);
    const struct api_object *claim = new ? new : old, *const *volumes;
    struct str name = API_OBJECT(claim, struct core_v1_persistent_volume_claim)->spec.volume_name;
    size_t n =
        informer_by_index(controller_informer(m, volumes_row()), *index, claim->key, &volumes);

    for (size_t i = 0; i < n; i++)
        controller_enqueue(m, c, volumes[i]->key);
    if (name.len)
        controller_enqueue(m, c, name);
}

static bool may_have(struct controller_manager *m, const struct api_object *claim,
                     const struct api_object *volume)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str name = volume_class_of_claim(claim->o.data);
    const struct api_object *class = name.len ? informer_get(classes(m), name) : NULL;
    struct volume_search s;
    struct err err;

    if (!str_eq(name, volume_class(volume->o.data)) ||
        (class && waits_for_consumer(class->o.data)) ||
        volume_search_init(&a, &s, claim->o.data, &err) < 0)
        return false;
    volume_search_offer(&s, volume->o.data);
    return s.best;
}

/* Unbound claims that name the volume, or may have it: all others need not hear of it. */
static void enqueue_suitors(struct controller_manager *m, const struct controller *c,
                            const struct api_object *volume)
{
    const struct informer *claims = controller_informer(m, claims_row());
    const struct api_object *o;
    size_t cursor = 0;

    while ((o = informer_next(claims, &cursor)) != NULL) {
        claim_t *claim = o->o.data;

        if (str_eq(claim->spec.volume_name, volume->meta->name) ||
            (!claim->spec.volume_name.len && may_have(m, o, volume)))
            controller_enqueue(m, c, o->key);
    }
}

static void map_volume_to_claims(struct controller_manager *m, const struct controller *c,
                                 const struct api_object *old, const struct api_object *new)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str was = old ? ref_key(&a, old) : STR_NULL, is = new ? ref_key(&a, new) : STR_NULL;

    if (was.len)
        controller_enqueue(m, c, was);
    if (is.len && !str_eq(was, is))
        controller_enqueue(m, c, is);
    if (new && !is.len)
        enqueue_suitors(m, c, new);
}

static void map_class(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    const struct informer *claims = controller_informer(m, claims_row());
    const struct api_object *o;
    size_t cursor = 0;

    (void)old;
    while (new && (o = informer_next(claims, &cursor)) != NULL)
        if (!volume_claim_is_bound(o->o.data))
            controller_enqueue(m, c, o->key);
}

/* The first Pod that uses a claim is news to whoever waits for one. */
static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_pod *pod = new ? new->o.data : NULL;

    for (uint32_t i = 0; !old && pod && i < pod->spec.volumes.len; i++) {
        struct str name = volume_claim_name(&a, pod, &pod->spec.volumes.items[i]);
        const struct api_object *claim =
            name.len ? informer_get(controller_informer(m, claims_row()),
                                    controller_key(&a, pod->metadata.namespace, name))
                     : NULL;

        if (claim && !volume_claim_is_bound(claim->o.data))
            controller_enqueue(m, c, claim->key);
    }
}

static void prepare(struct controller_manager *m)
{
    int *index = ARENA_NEW(controller_arena(m), int);

    *index = informer_add_index(controller_informer(m, volumes_row()), index_claim);
    controller_set_state(m, &persistentvolume_controller, index);
}

static const struct controller_watch claim_watches[] = {
    { "", "v1", "persistentvolumeclaims", controller_map_self },
    { "", "v1", "persistentvolumes", map_volume_to_claims },
    { "storage.k8s.io", "v1", "storageclasses", map_class },
    { "", "v1", "pods", map_pod },
    { 0 },
};

const struct controller persistentvolumeclaim_controller = {
    .name = "persistentvolume",
    .watches = claim_watches,
    .reconcile = reconcile_claim,
    .workers = 1,
};

static const struct controller_watch volume_watches[] = {
    { "", "v1", "persistentvolumes", controller_map_self },
    { "", "v1", "persistentvolumeclaims", map_claim_to_volumes },
    { 0 },
};

const struct controller persistentvolume_controller = {
    .name = "persistentvolume",
    .watches = volume_watches,
    .reconcile = reconcile_volume,
    .prepare = prepare,
};
