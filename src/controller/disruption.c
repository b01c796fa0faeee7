/* PodDisruptionBudgets: how many of their Pods may go now. Evictions (apiserver) count the number
 * down, here it is counted anew.
 *
 * How many Pods should be there is asked of their controllers: those that the caches know, else by
 * GET .../scale, whose answers a second stage of the run reads. */
#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/policy_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/disruption_budget.h"
#include "controller/owned_objects.h"
#include "controller/pod_state.h"
#include "controller/scale_target.h"

typedef const struct meta_v1_owner_reference owner_ref;

static const struct resource *budgets_row(void)
{
    return resource_find(STR("policy"), STR("v1"), STR("poddisruptionbudgets"));
}

static const struct resource *pods_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static bool selects(struct arena *a, const struct api_object *budget, const struct api_object *pod)
{
    const struct policy_v1_pod_disruption_budget *pdb = budget->o.data;
    struct label_selector selector;
    struct err err;

    return label_selector_from_meta(a, pdb->spec.selector, &selector, &err) >= 0 &&
           owned_selects(&selector, pod);
}

/* --- a run --- */

struct scale {
    struct str uid; /* of the controller that a Pod names */
    /* Where the cache does not know it: */
    const struct resource *row;
    size_t answer;
};

struct budget_run {
    struct VEC(struct scale) asked;
};

struct counted {
    struct str uid;
    int64_t replicas;
};

struct look {
    struct reconcile *r;
    struct disruption_pods pods;
    struct counted *counted; /* each controller once */
    size_t n_counted, n_unmanaged;
    struct str failure; /* why it cannot be known */
    bool must_wait;     /* questions have been put */
};

static void count(struct look *l, struct str uid, int64_t replicas)
{
    for (size_t i = 0; i < l->n_counted; i++)
        if (str_eq(l->counted[i].uid, uid))
            return;
    l->counted[l->n_counted++] = (struct counted){ uid, replicas };
}

/* --- controllers that the caches know --- */

static int64_t replicas_of(const int32_t *replicas)
{
    return replicas ? *replicas : 0;
}

static int64_t set_replicas(const struct api_object *o)
{
    return replicas_of(API_OBJECT(o, struct apps_v1_replica_set)->spec.replicas);
}
static int64_t deployment_replicas(const struct api_object *o)
{
    return replicas_of(API_OBJECT(o, struct apps_v1_deployment)->spec.replicas);
}
static int64_t stateful_replicas(const struct api_object *o)
{
    return replicas_of(API_OBJECT(o, struct apps_v1_stateful_set)->spec.replicas);
}
static int64_t controller_replicas(const struct api_object *o)
{
    return replicas_of(API_OBJECT(o, struct core_v1_replication_controller)->spec.replicas);
}

static const struct known {
    const char *group, *resource, *kind;
    int64_t (*replicas)(const struct api_object *o);
} known[] = {
    { "apps", "replicasets", "ReplicaSet", set_replicas },
    { "apps", "deployments", "Deployment", deployment_replicas },
    { "apps", "statefulsets", "StatefulSet", stateful_replicas },
    { "", "replicationcontrollers", "ReplicationController", controller_replicas },
};

static const struct api_object *find_known(const struct look *l, struct str namespace,
                                           owner_ref *ref, const struct known **ret)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const struct api_object *o;

        if (!str_eq(ref->kind, str_from_cstr(known[i].kind)) ||
            !str_eq(scale_target_group(ref->api_version), str_from_cstr(known[i].group)))
            continue;
        o = informer_get(
            controller_informer_of(l->r->manager, known[i].group, "v1", known[i].resource),
            controller_key(l->r->arena, namespace, ref->name));
        *ret = &known[i];
        return o && str_eq(o->meta->uid, ref->uid) ? o : NULL;
    }
    return NULL;
}

/* A ReplicaSet of a Deployment counts as the Deployment. */
static bool count_known(struct look *l, struct str namespace, owner_ref *ref)
{
    const struct known *k = NULL, *above = NULL;
    const struct api_object *o = find_known(l, namespace, ref, &k), *deployment;
    owner_ref *up;

    if (!o)
        return false;
    up = owned_by(o);
    if (k->replicas == set_replicas && up && str_eq(up->kind, STR("Deployment"))) {
        deployment = find_known(l, namespace, up, &above);
        if (!deployment)
            return false;
        count(l, deployment->meta->uid, above->replicas(deployment));
        return true;
    }
    count(l, o->meta->uid, k->replicas(o));
    return true;
}

/* --- all others, by their scale --- */

static void ask(struct look *l, struct str namespace, owner_ref *ref)
{
    struct budget_run *run = l->r->state;
    const struct resource *row = scale_target_find(l->r->manager, ref->api_version, ref->kind);

    if (!row) {
        l->failure = arena_printf(l->r->arena, "no matches for kind \"%.*s\" in version \"%.*s\"",
                                  STR_ARG(ref->kind), STR_ARG(ref->api_version));
    } else if (!scale_target_has_scale(l->r->manager, row)) {
        l->failure =
            arena_printf(l->r->arena, "%.*s%s%.*s does not implement the scale subresource",
                         STR_ARG(row->name), row->group.len ? "." : "", STR_ARG(row->group));
    } else {
        VEC_PUSH(&run->asked, (struct scale){ .uid = str_dup(l->r->arena, ref->uid),
                                              .row = row,
                                              .answer = l->r->answers.len });
        reconcile_get_sub(l->r, row, namespace, ref->name, STR("scale"));
        l->must_wait = true;
    }
}

/* False: the controller is gone, or it is another one by now. */
static bool count_answer(struct look *l, const struct scale *s)
{
    const struct reconcile_answer *answer = &l->r->answers.items[s->answer];
    struct scale_target t;

    if (answer->result != 0 || !scale_target_read(l->r->arena, answer->body, &t) ||
        !str_eq(t.uid, s->uid))
        return false;
    count(l, s->uid, t.wanted);
    return true;
}

static void count_controller(struct look *l, const struct api_object *pod)
{
    struct budget_run *run = l->r->state;
    owner_ref *ref = owned_by(pod);

    if (!ref) {
        l->n_unmanaged++;
        return;
    }
    if (count_known(l, pod->meta->namespace, ref))
        return;
    for (size_t i = 0; i < run->asked.len; i++) {
        const struct scale *s = &run->asked.items[i];

        if (!str_eq(s->uid, ref->uid))
            continue;
        if (l->r->answers.items[s->answer].result != ERR_CANCELED && !count_answer(l, s))
            l->failure = arena_printf(l->r->arena, "found no controllers for pod \"%.*s\"",
                                      STR_ARG(pod->meta->name));
        return;
    }
    ask(l, pod->meta->namespace, ref);
}

/* --- reconcile --- */

static void find_pods(struct look *l, const struct api_object *budget)
{
    const struct policy_v1_pod_disruption_budget *pdb = budget->o.data;
    const struct api_object **found, *const *all;
    struct label_selector selector;
    struct err err;
    size_t n = controller_in_namespace(controller_informer(l->r->manager, pods_row()),
                                       budget->meta->namespace, &all);

    if (label_selector_from_meta(l->r->arena, pdb->spec.selector, &selector, &err) < 0) {
        l->failure = str_dup(l->r->arena, str_from_cstr(err.text));
        return;
    }
    found = ARENA_NEW_ARRAY(l->r->arena, const struct api_object *, n);
    for (size_t i = 0; i < n; i++)
        if (owned_selects(&selector, all[i]))
            found[l->pods.len++] = all[i];
    l->pods.items = found;
}

/* Of two budgets for one Pod neither is asked: evictions of it fail. */
static void event_shared(struct reconcile *r, const struct api_object *budget,
                         const struct disruption_pods *pods)
{
    const struct api_object *const *all;
    size_t n = controller_in_namespace(controller_informer(r->manager, budgets_row()),
                                       budget->meta->namespace, &all);

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; all[i] != budget && k < pods->len; k++)
            if (selects(r->arena, all[i], pods->items[k]))
                reconcile_event(r, pods->items[k], "Warning", "MultiplePodDisruptionBudgets",
                                "Pod \"%.*s\"/\"%.*s\" matches multiple PodDisruptionBudgets.  "
                                "Chose \"%.*s\" arbitrarily.",
                                STR_ARG(pods->items[k]->meta->namespace),
                                STR_ARG(pods->items[k]->meta->name), STR_ARG(budget->meta->name));
}

static void event_odd_pods(struct look *l, const struct api_object *budget)
{
    const struct policy_v1_pod_disruption_budget *pdb = budget->o.data;
    struct label_selector selector;
    struct err err;

    event_shared(l->r, budget, &l->pods);
    if (!l->pods.len && !l->failure.len)
        reconcile_event(l->r, budget, "Normal", "NoPods", "No matching pods found");
    if (l->n_unmanaged &&
        label_selector_from_meta(l->r->arena, pdb->spec.selector, &selector, &err) >= 0)
        reconcile_event(
            l->r, budget, "Warning", "UnmanagedPods",
            "Pods selected by this PodDisruptionBudget (selector: %.*s) were found to be "
            "unmanaged. As a result, the status of the PDB cannot be calculated correctly, which "
            "may result in undefined behavior. To account for these pods please set "
            "\".spec.minAvailable\" field of the PDB to an integer value.",
            STR_ARG(label_selector_print(l->r->arena, &selector)));
}

static void event_not_deleted(struct look *l, const struct api_object *budget,
                              const struct policy_v1_pod_disruption_budget_status *after)
{
    const struct policy_v1_pod_disruption_budget *pdb = budget->o.data;

    for (uint32_t i = 0; i < pdb->status.disrupted_pods.len; i++) {
        struct str name = pdb->status.disrupted_pods.items[i].key;
        bool is_kept = false;

        for (uint32_t k = 0; k < after->disrupted_pods.len; k++)
            is_kept |= str_eq(after->disrupted_pods.items[k].key, name);
        for (size_t k = 0; !is_kept && k < l->pods.len; k++)
            if (str_eq(l->pods.items[k]->meta->name, name) &&
                !l->pods.items[k]->meta->deletion_timestamp.set)
                reconcile_event(l->r, l->pods.items[k], "Warning", "NotDeleted",
                                "Pod was expected by PDB %.*s/%.*s to be deleted but it wasn't",
                                STR_ARG(budget->meta->namespace), STR_ARG(budget->meta->name));
    }
}

static void write_status(struct look *l, const struct api_object *budget, int64_t scale)
{
    struct reconcile *r = l->r;
    struct object o = object_copy(r->arena, budget->o);
    struct policy_v1_pod_disruption_budget *pdb = o.data;
    int32_t expected = 0, desired = 0;

    if (!l->failure.len && !disruption_desire(pdb, scale, l->pods.len, &expected, &desired))
        l->failure = STR("invalid value for IntOrString: invalid type: string is not a percentage");
    if (l->failure.len) {
        disruption_fail(r->arena, l->failure, r->now_s, &pdb->status);
    } else {
        pdb->status.expected_pods = expected;
        pdb->status.desired_healthy = desired;
        r->again_after_ms =
            disruption_count(r->arena, pdb, &l->pods, r->now_s, &pdb->status) * 1000;
    }
    if (object_equal(o, budget->o))
        return;
    reconcile_update_status(r, budgets_row(), o);
    if (l->failure.len)
        reconcile_event(r, budget, "Warning", "CalculateExpectedPodCountFailed",
                        "Failed to calculate the number of expected pods: %.*s",
                        STR_ARG(l->failure));
    else
        event_not_deleted(l, budget, &pdb->status);
    event_odd_pods(l, budget);
}

static const struct api_object *budget_of(struct reconcile *r)
{
    return informer_get(controller_informer(r->manager, budgets_row()), r->key);
}

static enum reconcile_result say_failed(struct reconcile *r)
{
    const struct api_object *budget = budget_of(r);
    struct look l = { .r = r, .failure = r->failure };

    if (budget)
        write_status(&l, budget, 0);
    return RECONCILE_DONE;
}

static enum reconcile_result count_budget(struct reconcile *r)
{
    const struct api_object *budget = budget_of(r);
    struct look l = { .r = r };
    int64_t scale = 0;

    if (!budget)
        return RECONCILE_DONE;
    find_pods(&l, budget);
    l.counted = ARENA_NEW_ARRAY(r->arena, struct counted, l.pods.len);
    if (disruption_needs_scale(budget->o.data))
        for (size_t i = 0; i < l.pods.len && !l.failure.len; i++)
            count_controller(&l, l.pods.items[i]);
    if (l.must_wait && !l.failure.len) {
        r->then = count_budget;
        r->otherwise = say_failed;
        return RECONCILE_DONE;
    }
    VEC_CLEAR(&r->changes);
    for (size_t i = 0; i < l.n_counted; i++)
        scale += l.counted[i].replicas;
    write_status(&l, budget, scale);
    return RECONCILE_DONE;
}

static void done_asking(void *arg)
{
    struct budget_run *run = arg;

    VEC_DONE(&run->asked);
}

static enum reconcile_result reconcile_budget(struct reconcile *r)
{
    struct budget_run *run = ARENA_NEW(r->arena, struct budget_run);

    arena_defer(r->arena, done_asking, run);
    r->state = run;
    return count_budget(r);
}

/* --- what concerns a budget --- */

static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct api_object *const *budgets;
    size_t n = controller_in_namespace(controller_informer(m, budgets_row()),
                                       (new ? new : old)->meta->namespace, &budgets);

    for (size_t i = 0; i < n; i++)
        if ((new &&selects(&a, budgets[i], new)) || (old && selects(&a, budgets[i], old)))
            controller_enqueue(m, c, budgets[i]->key);
}

/* Another size of a controller: few namespaces have budgets, so all of them look. */
static void map_workload(struct controller_manager *m, const struct controller *c,
                         const struct api_object *old, const struct api_object *new)
{
    const struct api_object *const *budgets, *o = new ? new : old;
    size_t n;

    if (!o || (old && new && old->meta->generation == new->meta->generation))
        return;
    n = controller_in_namespace(controller_informer(m, budgets_row()), o->meta->namespace,
                                &budgets);
    for (size_t i = 0; i < n; i++)
        if (disruption_needs_scale(budgets[i]->o.data))
            controller_enqueue(m, c, budgets[i]->key);
}

static const struct controller_watch watches[] = {
    { "policy", "v1", "poddisruptionbudgets", controller_map_self },
    { "", "v1", "pods", map_pod },
    { "apps", "v1", "replicasets", map_workload },
    { "apps", "v1", "deployments", map_workload },
    { "apps", "v1", "statefulsets", map_workload },
    { "", "v1", "replicationcontrollers", map_workload },
    { 0 },
};

const struct controller disruption_controller = {
    .name = "disruption",
    .watches = watches,
    .reconcile = reconcile_budget,
};

/* --- Pods that were to go and are still here --- */

static enum reconcile_result reconcile_stale(struct reconcile *r)
{
    const struct api_object *pod =
        informer_get(controller_informer(r->manager, pods_row()), r->key);
    struct core_v1_pod_condition *c;
    struct core_v1_pod *copy;
    struct object o;
    int64_t wait;

    if (!pod || !disruption_is_pending(pod, r->now_s, &wait))
        return RECONCILE_DONE;
    if (wait) {
        r->again_after_ms = wait * 1000;
        return RECONCILE_DONE;
    }
    o = object_copy(r->arena, pod->o);
    copy = o.data;
    c = (struct core_v1_pod_condition *)(uintptr_t)pod_condition(copy, STR("DisruptionTarget"));
    *c = (struct core_v1_pod_condition){
        .type = c->type,
        .status = STR("False"),
        .last_transition_time = { .sec = r->now_s, .set = true },
        .observed_generation = copy->status.observed_generation || c->observed_generation
                                   ? copy->metadata.generation
                                   : 0,
    };
    reconcile_update_status(r, pods_row(), o);
    return RECONCILE_DONE;
}

static void map_target(struct controller_manager *m, const struct controller *c,
                       const struct api_object *old, const struct api_object *new)
{
    int64_t wait;

    (void)old;
    if (new &&disruption_is_pending(new, controller_now_s(m), &wait))
        controller_enqueue(m, c, new->key);
}

static const struct controller_watch stale_watches[] = {
    { "", "v1", "pods", map_target },
    { 0 },
};

const struct controller stale_disruption_controller = {
    .name = "stale-pod-disruption",
    .watches = stale_watches,
    .reconcile = reconcile_stale,
};
