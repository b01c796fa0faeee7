/* StatefulSets: numbered Pods with names and claims of their own. What is done next is decided in
 * stateful_set_plan.c. */
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/err.h"
#include "client/informer.h"
#include "controller/controller_history.h"
#include "controller/owned_objects.h"
#include "controller/pod_state.h"
#include "controller/stateful_set_internal.h"

static const struct resource *pods_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static const struct resource *claims_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("persistentvolumeclaims"));
}

static const struct resource *sets_row(void)
{
    return resource_find(STR("apps"), STR("v1"), STR("statefulsets"));
}

/* --- what there is --- */

struct looked {
    struct stateful_run run;
    struct history history;
    struct owned_objects pods;
};

static const struct api_object *find_claim(const struct stateful_run *s, struct str name)
{
    return informer_get(s->arg, controller_key(s->arena, s->object->meta->namespace, name));
}

static bool is_member(const struct api_object *pod, const struct api_object *set)
{
    return stateful_ordinal(set->meta->name, pod->meta->name) >= 0;
}

/* The revision that is being replaced, while it is remembered; else the template's own. */
static void find_current(struct reconcile *r, struct looked *l)
{
    struct stateful_run *s = &l->run;
    const struct core_v1_pod_template_spec *t = NULL;

    s->current = s->update = l->history.current->meta->name;
    s->current_template = &s->set->spec.template;
    for (size_t i = 0; i < l->history.len; i++) {
        const struct api_object *rev = l->history.items[i];

        if (rev == l->history.current || !str_eq(rev->meta->name, s->set->status.current_revision))
            continue;
        t = history_template(r->arena, rev);
        if (t) {
            s->current_template = t;
            s->current = rev->meta->name;
        }
    }
}

/* False: nothing to be done for it. */
static bool look(struct reconcile *r, struct looked *l)
{
    const struct api_object *set =
        informer_get(controller_informer(r->manager, sets_row()), r->key);
    const struct apps_v1_stateful_set *ss = set ? set->o.data : NULL;
    struct label_selector selector;
    struct err err;

    if (!set || label_selector_from_meta(r->arena, ss->spec.selector, &selector, &err) < 0)
        return false;
    *l = (struct looked){ .history = { .owner = set,
                                       .template = &ss->spec.template,
                                       .hash_label = STR("controller.kubernetes.io/hash") } };
    history_look(r, &selector, ss->status.collision_count, &l->history);
    owned_claim(r,
                &(struct owned_rules){
                    .row = pods_row(), .owner = set, .selector = &selector, .fits = is_member },
                &l->pods);
    l->run = (struct stateful_run){ .arena = r->arena,
                                    .object = set,
                                    .set = ss,
                                    .now_s = r->now_s,
                                    .find_claim = find_claim,
                                    .arg = controller_informer(r->manager, claims_row()) };
    if (!l->history.current)
        return true;
    find_current(r, l);
    stateful_gather(&l->run, l->pods.items, l->pods.len);
    return true;
}

/* --- acting --- */

struct verb {
    const char *word, *done, *failed;
};
static const struct verb creation = { "Create", "SuccessfulCreate", "FailedCreate" };
static const struct verb deletion = { "Delete", "SuccessfulDelete", "FailedDelete" };
static const struct verb repair = { "Update", "SuccessfulUpdate", "FailedUpdate" };

static void tell(struct reconcile *r, const struct stateful_run *s,
                 const struct stateful_slot *slot, const struct verb *verb)
{
    struct str text = arena_printf(r->arena, "%s Pod %.*s in StatefulSet %.*s", verb->word,
                                   STR_ARG(slot->name), STR_ARG(s->object->meta->name));

    reconcile_tell(r, s->object,
                   &(struct reconcile_tale){
                       .reason = verb->done,
                       .text = arena_printf(r->arena, "%.*s successful", STR_ARG(text)),
                       .failed_reason = verb->failed,
                       .failed_text = arena_printf(r->arena, "%.*s failed error: ", STR_ARG(text)),
                   });
}

static void create_claim(struct reconcile *r, const struct stateful_run *s,
                         const struct stateful_step *step)
{
    struct object o = stateful_claim(s, step->claim, step->slot->ordinal);
    struct str claim = object_meta(o)->name, set = s->object->meta->name;

    reconcile_create(r, claims_row(), r->namespace, o);
    reconcile_tell(
        r, s->object,
        &(struct reconcile_tale){
            .reason = creation.done,
            .text = arena_printf(r->arena, "Create Claim %.*s Pod %.*s in StatefulSet %.*s success",
                                 STR_ARG(claim), STR_ARG(step->slot->name), STR_ARG(set)),
            .failed_reason = creation.failed,
            .failed_text = arena_printf(
                r->arena, "Create Claim %.*s for Pod %.*s in StatefulSet %.*s failed error: ",
                STR_ARG(claim), STR_ARG(step->slot->name), STR_ARG(set)),
        });
}

static void own_claim(struct reconcile *r, const struct stateful_run *s,
                      const struct stateful_step *step)
{
    if (stateful_claim_is_contested(s, step->slot, step->object))
        reconcile_event(r, s->object, "Warning", "ConflictingController",
                        "PersistentVolumeClaim %.*s has a conflicting OwnerReference that acts as "
                        "a manging controller, the retention policy is ignored for this claim",
                        STR_ARG(step->object->meta->name));
    reconcile_update(r, claims_row(), stateful_owned_claim(s, step->slot, step->object));
}

static void act(struct reconcile *r, const struct stateful_run *s, const struct stateful_step *step)
{
    const struct stateful_slot *slot = step->slot;

    switch (step->action) {
    case STATEFUL_CREATE:
        reconcile_create(r, pods_row(), r->namespace, stateful_pod(s, slot));
        tell(r, s, slot, &creation);
        return;
    case STATEFUL_DELETE:
        reconcile_delete(r, pods_row(), r->namespace, slot->name, slot->pod->meta->uid, STR_NULL);
        tell(r, s, slot, &deletion);
        return;
    case STATEFUL_REPAIR:
        reconcile_update(r, pods_row(), stateful_repaired(s, slot));
        tell(r, s, slot, &repair);
        return;
    case STATEFUL_CREATE_CLAIM:
        create_claim(r, s, step);
        return;
    case STATEFUL_OWN_CLAIM:
        own_claim(r, s, step);
        return;
    }
}

/* --- status --- */

static void update_status(struct reconcile *r, const struct looked *l)
{
    struct object o = object_copy(r->arena, l->run.object->o);
    struct apps_v1_stateful_set_status *s = &((struct apps_v1_stateful_set *)o.data)->status;
    int64_t wait_s;

    stateful_status(&l->run, s, &wait_s);
    s->collision_count = arena_dup(r->arena, &l->history.collisions, sizeof(int32_t));
    if (wait_s)
        r->again_after_ms = wait_s * 1000;
    if (!object_equal(o, l->run.object->o))
        reconcile_update_status(r, sets_row(), o);
}

/* The next hash begins from there: it is no use to find the same names taken again. */
static void note_collisions(struct reconcile *r, const struct looked *l)
{
    struct object o = object_copy(r->arena, l->run.object->o);
    struct apps_v1_stateful_set_status *s = &((struct apps_v1_stateful_set *)o.data)->status;

    if (l->history.collisions == (s->collision_count ? *s->collision_count : 0))
        return;
    s->collision_count = arena_dup(r->arena, &l->history.collisions, sizeof(int32_t));
    reconcile_update_status(r, sets_row(), o);
}

static enum reconcile_result report(struct reconcile *r)
{
    struct looked l;
    bool is_there = look(r, &l);

    VEC_CLEAR(&r->changes); /* what there is to claim waits for the next run */
    if (is_there && l.history.current)
        update_status(r, &l);
    return RECONCILE_DONE;
}

/* --- reconcile --- */

static bool is_used(const struct api_object *revision, const void *arg)
{
    const struct looked *l = arg;

    if (str_eq(revision->meta->name, l->run.current))
        return true;
    for (size_t i = 0; i < l->pods.len; i++)
        if (str_eq(stateful_revision_of(l->pods.items[i]), revision->meta->name))
            return true;
    return false;
}

/* A Pod cannot be made while an earlier claim of the name is on its way out. */
static enum reconcile_result refuse(struct reconcile *r, const struct looked *l)
{
    if (l->run.refused)
        reconcile_event(r, l->run.object, "Warning", creation.failed,
                        "Create Pod %.*s in StatefulSet %.*s failed error: pvc %.*s is being "
                        "deleted",
                        STR_ARG(l->run.refused->name), STR_ARG(l->run.object->meta->name),
                        STR_ARG(l->run.leaving_claim));
    update_status(r, l);
    return RECONCILE_FAILED;
}

static enum reconcile_result reconcile_set(struct reconcile *r)
{
    struct looked l;

    if (!look(r, &l))
        return RECONCILE_DONE;
    if (l.history.is_changing || l.pods.some_change) {
        note_collisions(r, &l);
        r->then = reconcile_set;
        return RECONCILE_DONE;
    }
    if (!l.history.current) /* of one that leaves, or every name is taken */
        return l.run.object->meta->deletion_timestamp.set ? RECONCILE_DONE : RECONCILE_FAILED;
    stateful_plan(&l.run);
    for (size_t i = 0; i < l.run.n_steps; i++)
        act(r, &l.run, &l.run.steps[i]);
    if (l.run.needs_claims && l.run.n_steps) {
        r->then = reconcile_set;
        r->otherwise = report;
        return RECONCILE_DONE;
    }
    if (!l.run.object->meta->deletion_timestamp.set)
        history_trim(r, &l.history,
                     &(struct history_limit){ .limit = l.run.set->spec.revision_history_limit
                                                           ? *l.run.set->spec.revision_history_limit
                                                           : 10,
                                              .is_used = is_used,
                                              .arg = &l });
    if (r->changes.len)
        r->then = r->otherwise = report;
    else if (l.run.leaving_claim.len)
        return refuse(r, &l);
    else
        update_status(r, &l);
    return RECONCILE_DONE;
}

/* --- events --- */

static const struct meta_v1_label_selector *selector_of(struct arena *a,
                                                        const struct api_object *set)
{
    (void)a;
    return API_OBJECT(set, struct apps_v1_stateful_set)->spec.selector;
}

static void map_owned(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    owned_map(m, c, sets_row(), selector_of, old, new);
}

/* Claims bear the selector's labels, whoever owns them. */
static void map_claim(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    const struct api_object *claim = new ? new : old, *const *sets;
    size_t n =
        controller_in_namespace(controller_informer(m, sets_row()), claim->meta->namespace, &sets);

    for (size_t i = 0; i < n; i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct label_selector selector;
        struct err err;

        if (label_selector_from_meta(&a, selector_of(&a, sets[i]), &selector, &err) >= 0 &&
            owned_selects(&selector, claim))
            controller_enqueue(m, c, sets[i]->key);
    }
}

static const struct controller_watch watches[] = {
    { "apps", "v1", "statefulsets", controller_map_self },
    { "apps", "v1", "controllerrevisions", map_owned },
    { "", "v1", "pods", map_owned },
    { "", "v1", "persistentvolumeclaims", map_claim },
    { 0 },
};

const struct controller statefulset_controller = {
    .name = "statefulset",
    .watches = watches,
    .reconcile = reconcile_set,
};
