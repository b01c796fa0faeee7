/* What an update of a Pod may change: images, activeDeadlineSeconds (down, or set), additions to
 * tolerations, removal of scheduling gates, and a negative grace period to 1. Everything else of
 * the new spec must equal the old one: the allowed fields of a shallow copy are set back, and the
 * rest is compared. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/object.h"
#include "api/rules_internal.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "api/validation.h"
#include "base/arena.h"

#define CHANGED_TEXT                                                                               \
    "pod updates may not change fields other than "                                                \
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"      \
    "`spec.tolerations` (only additions to existing tolerations),"                                 \
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

static struct core_v1_container *with_old_images(struct arena *a,
                                                 const struct core_v1_container *updated,
                                                 const struct core_v1_container *old, uint32_t n)
{
    struct core_v1_container *copy = n ? arena_dup(a, updated, n * sizeof(*copy)) : NULL;

    for (uint32_t i = 0; i < n; i++)
        copy[i].image = old[i].image;
    return copy;
}

static bool check_deadline(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                           const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    struct field_path p = field_path_member(spec, STR("activeDeadlineSeconds"));
    const int64_t *now = updated->active_deadline_seconds, *was = old->active_deadline_seconds;
    const char *why = NULL;

    if (was && !now)
        field_errors_add_raw(c->errs, &p, FIELD_ERROR_INVALID, STR("null"),
                             "must not update from a positive integer to nil value");
    if (!now)
        return true;
    if (*now < 0 || *now > INT32_MAX)
        why = "must be between 0 and 2147483647, inclusive";
    else if (was && *now > *was)
        why = "must be less than or equal to previous value";
    if (why)
        field_errors_add_raw(c->errs, &p, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "%lld", (long long)*now), "%s", why);
    return !why;
}

/* All but the seconds, which may change. */
static bool is_same_toleration(const struct core_v1_toleration *a,
                               const struct core_v1_toleration *b)
{
    return str_eq(a->key, b->key) && str_eq(a->operator, b->operator) &&
           str_eq(a->value, b->value) && str_eq(a->effect, b->effect);
}

/* Those that stay what they were are checked once more, as upstream does. */
static void check_tolerations(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                              const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    struct field_path p = field_path_member(spec, STR("tolerations"));
    struct rule_context at = *c;

    for (uint32_t i = 0; i < old->tolerations.len; i++) {
        bool kept = false;

        for (uint32_t k = 0; k < updated->tolerations.len && !kept; k++)
            kept = is_same_toleration(&old->tolerations.items[i], &updated->tolerations.items[k]);
        if (!kept) {
            field_errors_add(c->errs, &p, FIELD_ERROR_FORBIDDEN,
                             "existing toleration can not be modified except its "
                             "tolerationSeconds");
            return;
        }
    }
    for (uint32_t i = 0; i < updated->tolerations.len; i++) {
        struct field_path item = field_path_index(&p, i);

        at.path = &item;
        at.data = &updated->tolerations.items[i];
        rule_toleration(&at);
    }
}

static void check_gates(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                        const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    struct field_path p = field_path_member(spec, STR("schedulingGates"));

    for (uint32_t i = 0; i < updated->scheduling_gates.len; i++) {
        struct str name = updated->scheduling_gates.items[i].name;
        struct field_path item = field_path_index(&p, i),
                          at = field_path_member(&item, STR("name"));
        bool known = false;

        for (uint32_t k = 0; k < old->scheduling_gates.len && !known; k++)
            known = str_eq(name, old->scheduling_gates.items[k].name);
        if (!known)
            field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN,
                             "only deletion is allowed, but found new scheduling gate '%.*s'",
                             STR_ARG(name));
    }
}

static bool check_count(const struct rule_context *c, const char *list, uint32_t now, uint32_t was,
                        const struct field_path *spec)
{
    struct field_path at = field_path_member(spec, str_from_cstr(list));

    if (now != was)
        field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN,
                         "pod updates may not add or remove containers");
    return now == was;
}

static void check_images(const struct rule_context *c, const char *list,
                         const struct core_v1_container *items, uint32_t n,
                         const struct field_path *spec)
{
    struct field_path all = field_path_member(spec, str_from_cstr(list));

    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&all, i);
        struct field_path at = field_path_member(&item, STR("image"));

        if (items[i].image.len == 0)
            field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
        if (str_trim(items[i].image).len != items[i].image.len)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, items[i].image,
                                  "must not have leading or trailing whitespace");
    }
}

static void check_selector(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                           const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    struct field_path at = field_path_member(spec, STR("nodeSelector"));

    for (uint32_t i = 0; i < old->node_selector.len; i++) {
        const struct schema_str_entry *was = &old->node_selector.items[i];
        const struct schema_str_entry *now = text_map_find(&updated->node_selector, was->key);

        if (now && str_eq(now->value, was->value))
            continue;
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             rule_print_map(c->arena, &updated->node_selector),
                             "only additions to spec.nodeSelector are allowed (no mutations or "
                             "deletions)");
        return;
    }
}

static bool structs_equal(const char *type, const void *a, const void *b)
{
    struct object x = { .schema = &schema_builtin,
                        .type = schema_walk_type(&schema_builtin, type),
                        .data = (void *)(uintptr_t)a }; /* read only */
    struct object y = x;

    y.data = (void *)(uintptr_t)b;
    return !a || !b ? a == b : object_equal(x, y);
}

#define REQUIREMENT "core/v1.NodeSelectorRequirement"

/* Requirements are kept in their places; others may follow. */
static bool only_adds(const struct core_v1_node_selector_term *now,
                      const struct core_v1_node_selector_term *was)
{
    if (was->match_expressions.len == 0 && was->match_fields.len == 0)
        return now->match_expressions.len == 0 && now->match_fields.len == 0;
    if (now->match_expressions.len < was->match_expressions.len ||
        now->match_fields.len < was->match_fields.len)
        return false;
    for (uint32_t i = 0; i < was->match_expressions.len; i++)
        if (!structs_equal(REQUIREMENT, &now->match_expressions.items[i],
                           &was->match_expressions.items[i]))
            return false;
    for (uint32_t i = 0; i < was->match_fields.len; i++)
        if (!structs_equal(REQUIREMENT, &now->match_fields.items[i], &was->match_fields.items[i]))
            return false;
    return true;
}

static const struct core_v1_node_affinity *affinity_of(const struct core_v1_pod_spec *s)
{
    return s->affinity ? s->affinity->node_affinity : NULL;
}

static void check_affinity(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                           const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    static const struct core_v1_node_selector none;
    struct field_path affinity = field_path_member(spec, STR("affinity"));
    struct field_path node = field_path_member(&affinity, STR("nodeAffinity"));
    struct field_path required =
        field_path_member(&node, STR("requiredDuringSchedulingIgnoredDuringExecution"));
    struct field_path terms = field_path_member(&required, STR("nodeSelectorTerms"));
    const struct core_v1_node_affinity *a = affinity_of(updated), *b = affinity_of(old);
    const struct core_v1_node_selector *now, *was;

    if (!b || !b->required_during_scheduling_ignored_during_execution)
        return;
    was = b->required_during_scheduling_ignored_during_execution;
    now = a && a->required_during_scheduling_ignored_during_execution
              ? a->required_during_scheduling_ignored_during_execution
              : &none;
    if (was->node_selector_terms.len &&
        was->node_selector_terms.len != now->node_selector_terms.len) {
        field_errors_add_raw(
            c->errs, &terms, FIELD_ERROR_INVALID,
            rule_print_member(c->arena, "core/v1.NodeSelector", "nodeSelectorTerms", now),
            "no additions/deletions to non-empty NodeSelectorTerms list are "
            "allowed");
        return;
    }
    for (uint32_t i = 0; i < was->node_selector_terms.len; i++) {
        struct field_path item = field_path_index(&terms, i);

        if (!only_adds(&now->node_selector_terms.items[i], &was->node_selector_terms.items[i]))
            field_errors_add_raw(c->errs, &item, FIELD_ERROR_INVALID,
                                 rule_print_internal(c->arena, "core/v1.NodeSelectorTerm",
                                                     &now->node_selector_terms.items[i]),
                                 "only additions are allowed (no mutations or deletions)");
    }
}

/* Of a Pod that is not scheduled yet, selector and node affinity may grow. */
static void set_back_gated(struct core_v1_pod_spec *copy, struct core_v1_affinity *affinity,
                           const struct core_v1_pod_spec *old)
{
    bool has_pods =
        copy->affinity && (copy->affinity->pod_affinity || copy->affinity->pod_anti_affinity);

    copy->node_selector.items = old->node_selector.items;
    copy->node_selector.len = old->node_selector.len;
    if (structs_equal("core/v1.NodeAffinity", affinity_of(copy), affinity_of(old)))
        return;
    if (copy->affinity && !old->affinity && !has_pods) {
        copy->affinity = NULL;
        return;
    }
    *affinity = copy->affinity ? *copy->affinity : (struct core_v1_affinity){ 0 };
    affinity->node_affinity = old->affinity ? old->affinity->node_affinity : NULL;
    copy->affinity = affinity;
}

static void check_rest(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                       const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    struct core_v1_pod_spec copy = *updated;
    struct core_v1_affinity affinity;

    copy.containers.items = with_old_images(c->arena, updated->containers.items,
                                            old->containers.items, old->containers.len);
    copy.init_containers.items =
        with_old_images(c->arena, updated->init_containers.items, old->init_containers.items,
                        old->init_containers.len);
    copy.active_deadline_seconds = old->active_deadline_seconds;
    copy.tolerations.items = old->tolerations.items;
    copy.tolerations.len = old->tolerations.len;
    copy.scheduling_gates.items = old->scheduling_gates.items;
    copy.scheduling_gates.len = old->scheduling_gates.len;
    if (old->termination_grace_period_seconds && *old->termination_grace_period_seconds < 0 &&
        updated->termination_grace_period_seconds &&
        *updated->termination_grace_period_seconds == 1)
        copy.termination_grace_period_seconds = old->termination_grace_period_seconds;
    if (old->scheduling_gates.len)
        set_back_gated(&copy, &affinity, old);
    copy.service_account = old->service_account; /* the same as serviceAccountName */
    if (structs_equal("core/v1.PodSpec", &copy, old))
        return;
    field_errors_add(c->errs, spec, FIELD_ERROR_FORBIDDEN, CHANGED_TEXT "\n%.*s",
                     STR_ARG(rule_print_diff(c->arena, "core/v1.PodSpec", old, &copy)));
}

void rule_pod_update(const struct rule_context *c)
{
    const struct core_v1_pod *pod = c->data, *old_pod = c->request->old.data;
    const struct core_v1_pod_spec *updated = &pod->spec, *old = &old_pod->spec;
    struct field_path spec = field_path_member(c->path, STR("spec"));

    if (!check_count(c, "containers", updated->containers.len, old->containers.len, &spec))
        return;
    check_images(c, "containers", updated->containers.items, updated->containers.len, &spec);
    if (!check_count(c, "initContainers", updated->init_containers.len, old->init_containers.len,
                     &spec))
        return;
    check_images(c, "initContainers", updated->init_containers.items, updated->init_containers.len,
                 &spec);
    if (!check_deadline(c, updated, old, &spec))
        return;
    check_tolerations(c, updated, old, &spec);
    check_gates(c, updated, old, &spec);
    if (old->scheduling_gates.len) {
        check_selector(c, updated, old, &spec);
        check_affinity(c, updated, old, &spec);
    }
    check_rest(c, updated, old, &spec);
}
