/* Rules of the small kinds: budgets, priorities, runtime classes, leases, quotas, limits. */
#include "api/coordination_v1.h"
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/node_v1.h"
#include "api/policy_v1.h"
#include "api/quantity.h"
#include "api/rules_internal.h"
#include "api/scheduling_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/map.h"

static void rule_budget_spec(const struct rule_context *c)
{
    const struct policy_v1_pod_disruption_budget_spec *s = c->data;
    struct field_path least = field_path_member(c->path, STR("minAvailable"));
    struct field_path most = field_path_member(c->path, STR("maxUnavailable"));

    if (s->min_available.type != INT_OR_STRING_UNSET &&
        s->max_unavailable.type != INT_OR_STRING_UNSET)
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID,
                             rule_print_internal(c->arena, "policy/v1.PodDisruptionBudgetSpec", s),
                             "minAvailable and maxUnavailable cannot be both set");
    rule_check_amount(c, &least, &s->min_available, true);
    rule_check_amount(c, &most, &s->max_unavailable, true);
}

enum { USER_PRIORITY_MAX = 1000000000 };

static const struct {
    struct str name;
    int32_t value;
} system_classes[] = {
    { STR_INIT("system-node-critical"), 2000001000 },
    { STR_INIT("system-cluster-critical"), 2000000000 },
};

/* Why a class may not bear a name of the system's; NULL: it is one of the system's classes. */
static const char *not_a_system_class(struct arena *a, const struct scheduling_v1_priority_class *p)
{
    for (size_t i = 0; i < ARRAY_LEN(system_classes); i++) {
        if (!str_eq(p->metadata.name, system_classes[i].name))
            continue;
        if (p->value != system_classes[i].value)
            return str_cstr(a, arena_printf(a, "value of %.*s PriorityClass must be %d",
                                            STR_ARG(p->metadata.name), system_classes[i].value));
        if (p->global_default)
            return str_cstr(a, arena_printf(a, "globalDefault of %.*s PriorityClass must be false",
                                            STR_ARG(p->metadata.name)));
        return NULL;
    }
    return str_cstr(
        a, arena_printf(a, "%.*s is not a known system priority class", STR_ARG(p->metadata.name)));
}

static void rule_priority_class(const struct rule_context *c)
{
    const struct scheduling_v1_priority_class *p = c->data;
    struct field_path meta = field_path_member(c->path, STR("metadata"));
    struct field_path name = field_path_member(&meta, STR("name"));
    const char *why;

    if (c->old)
        return;
    if (!str_has_prefix(p->metadata.name, STR("system-"))) {
        if (p->value > USER_PRIORITY_MAX)
            rule_forbidden(c, "value",
                           "maximum allowed value of a user defined priority is 1000000000");
        return;
    }
    why = not_a_system_class(c->arena, p);
    if (why)
        field_errors_add(c->errs, &name, FIELD_ERROR_FORBIDDEN,
                         "priority class names with 'system-' prefix are reserved for system use "
                         "only. error: %s",
                         why);
}

static void rule_scheduling(const struct rule_context *c)
{
    CLEANUP(map_done) struct map seen = { 0 };
    const struct node_v1_scheduling *s = c->data;
    struct field_path list = field_path_member(c->path, STR("tolerations"));

    for (uint32_t i = 0; i < s->tolerations.len; i++) {
        const struct core_v1_toleration *t = &s->tolerations.items[i];
        struct field_path item = field_path_index(&list, i);
        struct str key = arena_printf(c->arena, "%.*s %.*s %.*s %.*s", STR_ARG(t->key),
                                      STR_ARG(t->operator), STR_ARG(t->value), STR_ARG(t->effect));

        if (map_put(&seen, key, c->errs))
            field_errors_add_raw(c->errs, &item, FIELD_ERROR_DUPLICATE,
                                 rule_print_internal(c->arena, "core/v1.Toleration", t), "");
    }
}

static void rule_preemption(const struct rule_context *c)
{
    const struct scheduling_v1_priority_class *p = c->data;

    if (!c->old && p->preemption_policy.p && !p->preemption_policy.len)
        rule_required(c, "preemptionPolicy", "");
    else if (!c->old && p->preemption_policy.p &&
             !str_eq(p->preemption_policy, STR("PreemptLowerPriority")) &&
             !str_eq(p->preemption_policy, STR("Never")))
        rule_unsupported(c, "preemptionPolicy", p->preemption_policy, "PreemptLowerPriority|Never");
}

static void rule_lease_spec(const struct rule_context *c)
{
    const struct coordination_v1_lease_spec *s = c->data;
    struct field_path strategy = field_path_member(c->path, STR("strategy"));
    struct field_path twice = field_path_member(&strategy, STR("strategy"));

    if (s->preferred_holder.len && !s->strategy.len)
        rule_forbidden(c, "preferredHolder", "may only be specified if `strategy` is defined");
    if (!s->strategy.p || str_eq(s->strategy, STR("OldestEmulationVersion")))
        return;
    if (str_find(s->strategy, '/') >= 0)
        (void)name_rule_report(c->errs, &twice, NAME_RULE_QUALIFIED_NAME, s->strategy);
    else
        field_errors_add_unsupported(c->errs, &twice, s->strategy,
                                     (const struct str[]){ STR("OldestEmulationVersion") }, 1);
}

/* --- ResourceQuota --- */

static bool is_listed(const char *words, struct str word)
{
    struct str rest = str_from_cstr(words), part;

    while (str_next(&rest, ' ', &part))
        if (str_eq(part, word))
            return true;
    return false;
}

#define COMPUTE "cpu memory limits.cpu limits.memory requests.cpu requests.memory"
#define COUNTED                                                                                    \
    "pods resourcequotas services replicationcontrollers secrets configmaps "                      \
    "persistentvolumeclaims services.nodeports services.loadbalancers"

static bool is_quota_name(struct str name)
{
    return is_listed(COMPUTE " " COUNTED " ephemeral-storage requests.storage "
                             "requests.ephemeral-storage limits.ephemeral-storage",
                     name) ||
           str_has_prefix(name, STR("hugepages-")) ||
           str_has_prefix(name, STR("requests.hugepages-"));
}

static void check_amounts(const struct rule_context *c, const char *member, const void *map)
{
    const struct schema_str_entry *e = text_map_items(map);
    struct field_path list = field_path_member(c->path, str_from_cstr(member));

    for (uint32_t i = 0; i < text_map_len(map); i++) {
        struct field_path at = field_path_key(&list, e[i].key);

        (void)rule_check_resource_name(c, &at, e[i].key);
        if (str_find(e[i].key, '/') < 0 && !is_quota_name(e[i].key) &&
            !str_has_prefix(e[i].key, STR("count/")))
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, e[i].key,
                                  "must be a standard resource for quota");
        rule_check_amount_value(c, &at, e[i].key, e[i].value);
    }
}

#define SCOPES                                                                                     \
    "Terminating NotTerminating BestEffort NotBestEffort PriorityClass "                           \
    "CrossNamespacePodAffinity VolumeAttributesClass"

static bool scope_fits(struct str scope, struct str resource)
{
    if (!is_quota_name(resource))
        return true;
    if (str_eq(scope, STR("BestEffort")))
        return str_eq(resource, STR("pods"));
    if (str_eq(scope, STR("VolumeAttributesClass")))
        return is_listed("persistentvolumeclaims requests.storage", resource);
    return !is_listed(SCOPES, scope) || is_listed("pods " COMPUTE, resource);
}

static bool has_both(const struct str *scopes, uint32_t n, struct str a, struct str b)
{
    bool x = false, y = false;

    for (uint32_t i = 0; i < n; i++) {
        x |= str_eq(scopes[i], a);
        y |= str_eq(scopes[i], b);
    }
    return x && y;
}

static void check_scopes(const struct rule_context *c, const struct core_v1_resource_quota_spec *s)
{
    struct field_path at = field_path_member(c->path, STR("scopes"));
    struct str printed = rule_print_texts(c->arena, s->scopes.items, s->scopes.len);

    for (uint32_t i = 0; i < s->scopes.len; i++) {
        if (!is_listed(SCOPES, s->scopes.items[i]))
            field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed, "unsupported scope");
        for (uint32_t j = 0; j < s->hard.len; j++)
            if (!scope_fits(s->scopes.items[i], s->hard.items[j].key))
                field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed,
                                     "unsupported scope applied to resource");
    }
    if (has_both(s->scopes.items, s->scopes.len, STR("BestEffort"), STR("NotBestEffort")) ||
        has_both(s->scopes.items, s->scopes.len, STR("Terminating"), STR("NotTerminating")))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed, "conflicting scopes");
}

static void check_scopes_kept(const struct rule_context *c,
                              const struct core_v1_resource_quota_spec *s,
                              const struct core_v1_resource_quota_spec *old)
{
    struct field_path at = field_path_member(c->path, STR("scopes"));
    bool same = true;

    for (uint32_t i = 0; i < s->scopes.len || i < old->scopes.len; i++) {
        if (i < s->scopes.len)
            same &= has_both(old->scopes.items, old->scopes.len, s->scopes.items[i],
                             s->scopes.items[i]);
        if (i < old->scopes.len)
            same &= has_both(s->scopes.items, s->scopes.len, old->scopes.items[i],
                             old->scopes.items[i]);
    }
    if (!same)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             rule_print_texts(c->arena, s->scopes.items, s->scopes.len),
                             "field is immutable");
}

static void rule_quota_spec(const struct rule_context *c)
{
    const struct core_v1_resource_quota_spec *s = c->data;

    check_amounts(c, "hard", &s->hard);
    check_scopes(c, s);
    if (c->old)
        check_scopes_kept(c, s, c->old);
}

static void rule_quota_status(const struct rule_context *c)
{
    const struct core_v1_resource_quota_status *s = c->data;

    check_amounts(c, "hard", &s->hard);
    check_amounts(c, "used", &s->used);
}

/* The list's own path, as upstream: no index. */
static void rule_scope_selector(const struct rule_context *c)
{
    const struct core_v1_scope_selector *s = c->data;
    struct field_path list = field_path_member(c->path, STR("matchExpressions"));
    struct rule_context at = *c;

    at.path = &list;
    for (uint32_t i = 0; i < s->match_expressions.len; i++) {
        const struct core_v1_scoped_resource_selector_requirement *r =
            &s->match_expressions.items[i];
        bool some = str_eq(r->operator, STR("In")) || str_eq(r->operator, STR("NotIn"));
        bool none = str_eq(r->operator, STR("Exists")) || str_eq(r->operator, STR("DoesNotExist"));

        if (!is_listed(SCOPES, r->scope_name))
            rule_invalid(&at, "scopeName", r->scope_name, "unsupported scope");
        else if (!is_listed("PriorityClass VolumeAttributesClass", r->scope_name) &&
                 !str_eq(r->operator, STR("Exists")))
            rule_invalid(&at, "operator", r->operator,
                         "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                         "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                         "ResourceQuotaScopeNotBestEffort or "
                         "ResourceQuotaScopeCrossNamespacePodAffinity");
        if (some && !r->values.len)
            rule_required(&at, "values",
                          "must be at least one value when `operator` is 'In' or 'NotIn' for scope "
                          "selector");
        if (none && r->values.len) {
            struct field_path values = field_path_member(&list, STR("values"));

            field_errors_add_raw(c->errs, &values, FIELD_ERROR_INVALID,
                                 rule_print_texts(c->arena, r->values.items, r->values.len),
                                 "must be no value when `operator` is 'Exist' or 'DoesNotExist' "
                                 "for scope selector");
        }
        if (!some && !none)
            rule_invalid(&at, "operator", r->operator, "not a valid selector operator");
    }
}

#define DISRUPTION "policy/v1.PodDisruptionBudget"
#define PRIORITY   "scheduling.k8s.io/v1.PriorityClass"
#define RUNTIME    "node.k8s.io/v1.RuntimeClass"
#define LEASE      "coordination.k8s.io/v1.LeaseSpec"

const struct rule rules_cluster[] = {
    { .type = DISRUPTION "Spec", .check = RULE_FN, .fn = rule_budget_spec },
    { DISRUPTION "Spec", "unhealthyPodEvictionPolicy", RULE_ENUM,
      .text = "AlwaysAllow|IfHealthyBudget" },
    { DISRUPTION "Status", "disruptionsAllowed", RULE_MIN, .min = 0 },
    { DISRUPTION "Status", "currentHealthy", RULE_MIN, .min = 0 },
    { DISRUPTION "Status", "desiredHealthy", RULE_MIN, .min = 0 },
    { DISRUPTION "Status", "expectedPods", RULE_MIN, .min = 0 },
    { .type = PRIORITY, .check = RULE_FN, .fn = rule_priority_class },
    { .type = PRIORITY, .check = RULE_FN, .fn = rule_preemption },
    { PRIORITY, "value", RULE_LOCKED, .text = "may not be changed in an update." },
    { PRIORITY, "preemptionPolicy", RULE_IMMUTABLE },
    { RUNTIME, "handler", RULE_REQUIRED },
    { RUNTIME, "handler", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },
    { RUNTIME, "handler", RULE_IMMUTABLE },
    { "node.k8s.io/v1.Scheduling", "nodeSelector", RULE_LABELS },
    { .type = "node.k8s.io/v1.Scheduling", .check = RULE_FN, .fn = rule_scheduling },
    { LEASE, "leaseDurationSeconds", RULE_NUMBER, .min = 1, .max = INT32_MAX,
      .text = "must be greater than 0" },
    { LEASE, "leaseTransitions", RULE_MIN, .min = 0 },
    { .type = LEASE, .check = RULE_FN, .fn = rule_lease_spec },
    { .type = "core/v1.ResourceQuotaSpec", .check = RULE_FN, .fn = rule_quota_spec },
    { .type = "core/v1.ResourceQuotaStatus", .check = RULE_FN, .fn = rule_quota_status },
    { .type = "core/v1.ScopeSelector", .check = RULE_FN, .fn = rule_scope_selector },
    { .type = "core/v1.LimitRange", .check = RULE_FN, .fn = rule_limit_range },
    { .type = "core/v1.LimitRangeItem", .check = RULE_FN, .fn = rule_limit_range_item },
    { 0 },
};
