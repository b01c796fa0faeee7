/* DefaultPreemption: which Pods of lower priority must go from which node so that this one fits:
 * as few and as unimportant as can be, and none that a PodDisruptionBudget protects unless there
 * is no other way. Decides; the caller evicts. */
#include <stdlib.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/policy_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

enum { MIN_CANDIDATES = 100, MIN_PERCENT = 10 };

struct candidate {
    size_t row;
    struct sched_pod **victims; /* by importance */
    size_t n;
    int64_t violations, sum;
    int32_t highest;
    int64_t started; /* the earliest start of those of the highest priority */
};

static int64_t start_of(const struct sched_pod *p)
{
    const struct core_v1_pod_status *s = &API_OBJECT(p->object, struct core_v1_pod)->status;

    return s->start_time.set ? s->start_time.sec : INT64_MAX; /* not yet: the latest of all */
}

/* More important first: higher priority, then the longer runner. */
static int by_importance(const void *a, const void *b)
{
    const struct sched_pod *x = *(struct sched_pod *const *)a, *y = *(struct sched_pod *const *)b;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (start_of(x) != start_of(y))
        return start_of(x) < start_of(y) ? -1 : 1;
    return str_cmp(x->object->meta->uid, y->object->meta->uid);
}

/* --- budgets --- */

struct budget {
    const struct api_object *object;
    struct label_selector selector;
    int64_t left;
};

struct budgets {
    struct str namespace;
    struct budget *items;
    size_t n;
    struct budgets *next;
};

static struct budgets *budgets_of(struct sched_cycle *c, struct budgets **known,
                                  struct str namespace)
{
    const struct api_object *const *objects;
    struct budgets *b;

    for (b = *known; b; b = b->next)
        if (str_eq(b->namespace, namespace))
            return b;
    b = ARENA_NEW(c->arena, struct budgets);
    b->namespace = namespace;
    b->next = *known;
    *known = b;
    if (!c->lister)
        return b;
    b->n = c->lister->list(c->lister->arg, SCHED_DISRUPTION_BUDGETS, namespace, &objects);
    b->items = ARENA_NEW_ARRAY(c->arena, struct budget, b->n);
    for (size_t i = 0; i < b->n; i++) {
        const struct policy_v1_pod_disruption_budget *o =
            API_OBJECT(objects[i], struct policy_v1_pod_disruption_budget);

        b->items[i].object = objects[i];
        if (!sched_selector_of(c->arena, o->spec.selector, NULL, NULL, &b->items[i].selector) ||
            label_selector_is_empty(&b->items[i].selector))
            b->items[i].selector = (struct label_selector){ .nothing = true };
    }
    return b;
}

static bool is_disrupted_already(const struct policy_v1_pod_disruption_budget *b, struct str name)
{
    for (uint32_t i = 0; i < b->status.disrupted_pods.len; i++)
        if (str_eq(b->status.disrupted_pods.items[i].key, name))
            return true;
    return false;
}

static bool violates(struct sched_cycle *c, struct budgets **known, const struct sched_pod *p)
{
    struct budgets *b = budgets_of(c, known, p->object->meta->namespace);
    bool does = false;

    for (size_t i = 0; i < b->n && p->object->meta->labels.len; i++) {
        const struct policy_v1_pod_disruption_budget *o =
            API_OBJECT(b->items[i].object, struct policy_v1_pod_disruption_budget);

        if (!pod_class_selected(&b->items[i].selector, p->class) ||
            is_disrupted_already(o, p->object->meta->name))
            continue;
        does |= --b->items[i].left < 0;
    }
    return does;
}

/* What each budget still allows, anew for each node. */
static void refill(struct budgets *known)
{
    for (; known; known = known->next)
        for (size_t i = 0; i < known->n; i++)
            known->items[i].left =
                API_OBJECT(known->items[i].object, struct policy_v1_pod_disruption_budget)
                    ->status.disruptions_allowed;
}

/* --- one node --- */

static bool fits(struct sched_cycle *c, size_t row, struct sched_reasons *why)
{
    const struct sched_plugin *by;

    why->n = 0;
    why->is_unresolvable = false;
    return framework_fits(c, row, why, &by);
}

static size_t lower_ones(struct sched_cycle *c, size_t row, struct sched_pod ***ret)
{
    const struct sched_node *n = scheduler_cache_node(c->cache, row);
    size_t found = 0;

    *ret = ARENA_NEW_ARRAY(c->arena, struct sched_pod *, n->pods.len);
    for (size_t i = 0; i < n->pods.len; i++)
        if (n->pods.items[i]->priority < c->priority)
            (*ret)[found++] = n->pods.items[i];
    return found;
}

static bool may_stay(struct sched_cycle *c, size_t row, struct sched_pod *p)
{
    struct sched_reasons why;

    framework_try(c, p, true);
    if (fits(c, row, &why))
        return true;
    framework_try(c, p, false);
    return false;
}

/* Two turns: first those whose budget would be violated are let stay, then the others. */
static void let_stay(struct sched_cycle *c, struct candidate *k, struct sched_pod **pods, size_t n,
                     struct budgets **known)
{
    bool *violating = ARENA_NEW_ARRAY(c->arena, bool, n);

    refill(*known);
    for (size_t i = 0; i < n; i++)
        (void)budgets_of(c, known, pods[i]->object->meta->namespace);
    refill(*known);
    for (size_t i = 0; i < n; i++)
        violating[i] = violates(c, known, pods[i]);
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < n; i++)
            if (violating[i] == (turn == 0) && !may_stay(c, k->row, pods[i])) {
                k->victims[k->n++] = pods[i];
                k->violations += violating[i];
            }
    if (k->n > 1)
        qsort(k->victims, k->n, sizeof(struct sched_pod *), by_importance);
}

static void weigh(struct candidate *k)
{
    k->highest = k->n ? k->victims[0]->priority : INT32_MIN;
    k->started = INT64_MAX;
    for (size_t i = 0; i < k->n; i++) {
        /* Shifted above zero, so that few of a negative priority beat many. */
        k->sum += (int64_t)k->victims[i]->priority + INT32_MAX + 1;
        if (k->victims[i]->priority == k->highest)
            k->started = MIN(k->started, start_of(k->victims[i]));
    }
}

/* All of lower priority are taken away, and let back as long as the Pod fits. The node is left as
 * it was. */
static bool try_node(struct sched_cycle *c, size_t row, struct budgets **known,
                     struct candidate *ret, struct sched_reasons *why)
{
    struct sched_pod **pods;
    size_t n = lower_ones(c, row, &pods);
    bool does;

    why->n = 0;
    if (!n) {
        sched_reason(why, STR("No preemption victims found for incoming pod"));
        return false;
    }
    qsort(pods, n, sizeof(*pods), by_importance);
    for (size_t i = 0; i < n; i++)
        framework_try(c, pods[i], false);
    does = fits(c, row, why);
    *ret = (struct candidate){ .row = row };
    if (does) {
        ret->victims = ARENA_NEW_ARRAY(c->arena, struct sched_pod *, n);
        let_stay(c, ret, pods, n, known);
        for (size_t i = 0; i < ret->n; i++)
            framework_try(c, ret->victims[i], true);
        weigh(ret);
        does = ret->n > 0;
    } else {
        for (size_t i = 0; i < n; i++)
            framework_try(c, pods[i], true);
    }
    return does;
}

/* --- all nodes --- */

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    if (a->violations != b->violations)
        return a->violations < b->violations;
    if (a->highest != b->highest)
        return a->highest < b->highest;
    if (a->sum != b->sum)
        return a->sum < b->sum;
    if (a->n != b->n)
        return a->n < b->n;
    return a->started > b->started;
}

/* A victim of the last time is still on its way out. */
static bool waits_for_victims(const struct sched_cycle *c, size_t row)
{
    const struct sched_node *n = scheduler_cache_node(c->cache, row);

    for (size_t i = 0; i < n->pods.len; i++) {
        const struct sched_pod *p = n->pods.items[i];
        const struct core_v1_pod_status *s = &API_OBJECT(p->object, struct core_v1_pod)->status;

        if (p->priority >= c->priority || !p->object->meta->deletion_timestamp.set)
            continue;
        for (uint32_t k = 0; k < s->conditions.len; k++)
            if (str_eq(s->conditions.items[k].type, STR("DisruptionTarget")) &&
                str_eq(s->conditions.items[k].status, STR("True")) &&
                str_eq(s->conditions.items[k].reason, STR("PreemptionByScheduler")))
                return true;
    }
    return false;
}

static bool is_eligible(const struct sched_cycle *c, struct str *ret_why)
{
    struct str nominated = c->pod->status.nominated_node_name;
    size_t row;

    if (str_eq(c->pod->spec.preemption_policy, STR("Never"))) {
        *ret_why = STR("not eligible due to preemptionPolicy=Never.");
        return false;
    }
    if (nominated.len && scheduler_cache_find_node(c->cache, nominated, &row) &&
        !c->rejection.len && c->fits[row] != SCHED_UNRESOLVABLE && waits_for_victims(c, row)) {
        *ret_why = STR("not eligible due to a terminating pod on the nominated node.");
        return false;
    }
    return true;
}

struct str default_preemption(struct sched_cycle *c, struct sched_result *r)
{
    struct sched_tally *t = ARENA_NEW(c->arena, struct sched_tally);
    size_t all = c->cache->nodes.len, potential = 0, found = 0, wanted, counted = 0;
    struct budgets *known = NULL;
    struct candidate best = { .n = 0 }, k;
    struct sched_reasons why;
    struct str not_eligible;

    if (!is_eligible(c, &not_eligible))
        return not_eligible;
    for (size_t row = 0; row < all && !c->rejection.len; row++)
        potential += c->fits[row] == SCHED_UNSCHEDULABLE;
    wanted = MAX(potential * MIN_PERCENT / 100, (size_t)MIN_CANDIDATES);
    for (size_t i = 0; i < all && potential && found < wanted; i++) {
        size_t row = (i + (size_t)(c->random % all)) % all;

        if (c->fits[row] != SCHED_UNSCHEDULABLE)
            continue;
        counted++;
        if (try_node(c, row, &known, &k, &why)) {
            if (!found++ || is_better(&k, &best))
                best = k;
            continue;
        }
        for (size_t m = 0; m < why.n; m++)
            sched_tally_add(t, why.items[m], 1);
    }
    if (!found) {
        r->clears_nomination = true;
        if (c->cache->n_nodes > counted)
            sched_tally_add(t, STR("Preemption is not helpful for scheduling"),
                            (uint32_t)(c->cache->n_nodes - counted));
        return sched_tally_text(c->arena, t, c->cache->n_nodes);
    }
    r->nominated_row = best.row;
    r->n_victims = best.n;
    r->victims = ARENA_NEW_ARRAY(c->arena, const struct sched_pod *, best.n);
    for (size_t i = 0; i < best.n; i++)
        r->victims[i] = best.victims[i];
    r->is_nominated = true;
    return STR_NULL;
}
