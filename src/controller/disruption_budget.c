#include "controller/disruption_budget.h"

#include "api/core_v1.h"
#include "api/policy_v1.h"
#include "api/schema.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "controller/pod_state.h"

#define CONDITION "DisruptionAllowed"

bool disruption_needs_scale(const struct policy_v1_pod_disruption_budget *pdb)
{
    return pdb->spec.max_unavailable.type != INT_OR_STRING_UNSET ||
           pdb->spec.min_available.type == INT_OR_STRING_STRING;
}

/* A number as it is, a percentage of n rounded up. */
static bool resolve(const struct int_or_string *v, int64_t n, int64_t *ret)
{
    int64_t percent;

    *ret = v->i;
    if (v->type != INT_OR_STRING_STRING)
        return true;
    if (!str_has_suffix(v->s, STR("%")) || !str_to_i64(str_sub(v->s, 0, v->s.len - 1), &percent) ||
        percent < 0 || percent > INT32_MAX)
        return false;
    *ret = (percent * n + 99) / 100;
    return true;
}

bool disruption_desire(const struct policy_v1_pod_disruption_budget *pdb, int64_t scale,
                       size_t n_pods, int32_t *ret_expected, int32_t *ret_desired)
{
    const struct int_or_string *most = &pdb->spec.max_unavailable,
                               *least = &pdb->spec.min_available;
    int64_t expected, amount, desired;

    scale = MIN(MAX(scale, 0), INT32_MAX);
    expected = disruption_needs_scale(pdb) ? scale : (int64_t)n_pods;
    if (least->type == INT_OR_STRING_UNSET && most->type == INT_OR_STRING_UNSET)
        expected = 0;
    if (!resolve(most->type != INT_OR_STRING_UNSET ? most : least, expected, &amount))
        return false;
    desired = most->type != INT_OR_STRING_UNSET ? MAX(expected - amount, 0) : amount;
    *ret_expected = (int32_t)expected;
    *ret_desired = (int32_t)MIN(desired, INT32_MAX);
    return true;
}

static const struct schema_time_entry *
find_disrupted(const struct policy_v1_pod_disruption_budget_status *s, struct str name)
{
    for (uint32_t i = 0; i < s->disrupted_pods.len; i++)
        if (str_eq(s->disrupted_pods.items[i].key, name))
            return &s->disrupted_pods.items[i];
    return NULL;
}

static const struct api_object *find_pod(const struct disruption_pods *pods, struct str name)
{
    for (size_t i = 0; i < pods->len; i++)
        if (str_eq(pods->items[i]->meta->name, name))
            return pods->items[i];
    return NULL;
}

/* Granted evictions of Pods that are neither gone nor going, for as long as they may take. */
static int64_t keep_disrupted(struct arena *a, const struct disruption_pods *pods, int64_t now_s,
                              struct policy_v1_pod_disruption_budget_status *s)
{
    struct schema_time_entry *kept =
        ARENA_NEW_ARRAY(a, struct schema_time_entry, s->disrupted_pods.len);
    int64_t soonest = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->disrupted_pods.len; i++) {
        const struct schema_time_entry *e = &s->disrupted_pods.items[i];
        const struct api_object *pod = find_pod(pods, e->key);
        int64_t left = e->value.sec + DISRUPTION_TIMEOUT_S - now_s;

        if (!pod || pod->meta->deletion_timestamp.set || left < 0)
            continue;
        kept[n++] = *e;
        if (!soonest || left + 1 < soonest)
            soonest = left + 1;
    }
    s->disrupted_pods.items = kept;
    s->disrupted_pods.len = n;
    return soonest;
}

static int32_t count_healthy(const struct disruption_pods *pods, int64_t now_s,
                             const struct policy_v1_pod_disruption_budget_status *s)
{
    int32_t n = 0;

    for (size_t i = 0; i < pods->len; i++) {
        const struct api_object *pod = pods->items[i];
        const struct schema_time_entry *e = find_disrupted(s, pod->meta->name);
        bool is_awaited = e && e->value.sec + DISRUPTION_TIMEOUT_S > now_s;

        n += !pod->meta->deletion_timestamp.set && !is_awaited && pod_is_ready(pod->o.data);
    }
    return n;
}

/* The time stays where the condition's status does. */
static void set_condition(struct arena *a, const struct meta_v1_condition *wanted, int64_t now_s,
                          struct policy_v1_pod_disruption_budget_status *s)
{
    uint32_t n = s->conditions.len, at = 0;
    struct meta_v1_condition *items = ARENA_NEW_ARRAY(a, struct meta_v1_condition, n + 1);
    struct meta_v1_condition was = { 0 };

    for (uint32_t i = 0; i < n; i++)
        items[i] = s->conditions.items[i];
    while (at < n && !str_eq(items[at].type, wanted->type))
        at++;
    was = items[at];
    items[at] = *wanted;
    items[at].last_transition_time = str_eq(was.status, wanted->status)
                                         ? was.last_transition_time
                                         : (struct ktime){ .sec = now_s, .set = true };
    s->conditions.items = items;
    s->conditions.len = MAX(n, at + 1);
}

int64_t disruption_count(struct arena *a, const struct policy_v1_pod_disruption_budget *pdb,
                         const struct disruption_pods *pods, int64_t now_s,
                         struct policy_v1_pod_disruption_budget_status *s)
{
    int64_t soonest = keep_disrupted(a, pods, now_s, s);
    bool is_allowed;

    s->current_healthy = count_healthy(pods, now_s, s);
    /* Without Pods nothing is allowed: the first ones may be there before they are counted. */
    s->disruptions_allowed =
        s->expected_pods > 0 ? MAX(s->current_healthy - s->desired_healthy, 0) : 0;
    s->observed_generation = pdb->metadata.generation;
    is_allowed = s->disruptions_allowed > 0;
    set_condition(a,
                  &(struct meta_v1_condition){ .type = STR(CONDITION),
                                               .status = is_allowed ? STR("True") : STR("False"),
                                               .reason = is_allowed ? STR("SufficientPods")
                                                                    : STR("InsufficientPods"),
                                               .message = STR(""),
                                               .observed_generation = s->observed_generation },
                  now_s, s);
    return soonest;
}

void disruption_fail(struct arena *a, struct str message, int64_t now_s,
                     struct policy_v1_pod_disruption_budget_status *s)
{
    s->disruptions_allowed = 0;
    set_condition(a,
                  &(struct meta_v1_condition){ .type = STR(CONDITION),
                                               .status = STR("False"),
                                               .reason = STR("SyncFailed"),
                                               .message = message,
                                               .observed_generation = s->observed_generation },
                  now_s, s);
}

bool disruption_is_pending(const struct api_object *pod, int64_t now_s, int64_t *ret_wait_s)
{
    const struct core_v1_pod_condition *c = pod_condition(pod->o.data, STR("DisruptionTarget"));

    /* What the kubelet has begun to end may take as long as it takes. */
    if (!c || !str_eq(c->status, STR("True")) || str_eq(c->reason, STR("TerminationByKubelet")) ||
        pod->meta->deletion_timestamp.set || pod_is_finished(pod->o.data))
        return false;
    *ret_wait_s = MAX(c->last_transition_time.sec + DISRUPTION_TIMEOUT_S - now_s, 0);
    return true;
}
