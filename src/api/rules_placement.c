/* Rules of where Pods may run: selectors, affinity, spreading, tolerations. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/rules_internal.h"
#include "base/arena.h"

void rule_toleration(const struct rule_context *c)
{
    const struct core_v1_toleration *t = c->data;
    struct field_path key = field_path_member(c->path, STR("key"));
    struct field_path op = field_path_member(c->path, STR("operator"));
    bool exists = str_eq(t->operator, STR("Exists"));
    struct name_messages m;

    if (t->key.len)
        (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, t->key);
    else if (!exists)
        rule_invalid(c, "operator", t->operator,
                     "operator must be Exists when `key` is empty, which means \"match all values "
                     "and all keys\"");
    if (t->toleration_seconds && !str_eq(t->effect, STR("NoExecute")))
        rule_invalid(c, "effect", t->effect,
                     "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (exists && t->value.len) {
        rule_invalid(c, "operator", t->value, "value must be empty when `operator` is 'Exists'");
    } else if (t->operator.len == 0 || str_eq(t->operator, STR("Equal"))) {
        struct str text = STR("");

        name_rule_check(NAME_RULE_LABEL_VALUE, t->value, &m);
        for (size_t i = 0; i < m.len; i++)
            text = arena_printf(c->arena, "%.*s%s%.*s", STR_ARG(text), i ? ";" : "",
                                STR_ARG(m.items[i]));
        if (m.len)
            field_errors_add_text(c->errs, &op, FIELD_ERROR_INVALID, t->value, "%.*s",
                                  STR_ARG(text));
    } else if (str_eq(t->operator, STR("Lt")) || str_eq(t->operator, STR("Gt"))) {
        rule_unsupported(c, "operator", t->operator, "Equal|Exists|Lt|Gt");
    } else if (!exists) {
        rule_unsupported(c, "operator", t->operator, "Equal|Exists");
    }
    if (t->effect.len && !str_eq(t->effect, STR("NoSchedule")) &&
        !str_eq(t->effect, STR("PreferNoSchedule")) && !str_eq(t->effect, STR("NoExecute")))
        rule_unsupported(c, "effect", t->effect, "NoSchedule|PreferNoSchedule|NoExecute");
}

static void check_operator(const struct rule_context *c, struct str operator, uint32_t n_values)
{
    if (str_eq(operator, STR("In")) || str_eq(operator, STR("NotIn"))) {
        if (n_values == 0)
            rule_required(c, "values", "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (str_eq(operator, STR("Exists")) || str_eq(operator, STR("DoesNotExist"))) {
        if (n_values)
            rule_forbidden(c, "values",
                           "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else {
        rule_invalid(c, "operator", operator, "not a valid selector operator");
    }
}

static void check_values(const struct rule_context *c, const struct str *values, uint32_t n,
                         enum name_rule rule)
{
    struct field_path list = field_path_member(c->path, STR("values"));

    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&list, i);

        (void)name_rule_report(c->errs, &item, rule, values[i]);
    }
}

/* Preferred terms may hold what no label can be. */
static bool is_preference(const struct rule_context *c)
{
    return c->up && str_eq(c->up->path->name, STR("preference"));
}

static void check_field_requirement(const struct rule_context *c,
                                    const struct core_v1_node_selector_requirement *r)
{
    bool is_name = str_eq(r->key, STR("metadata.name"));

    if (!str_eq(r->operator, STR("In")) && !str_eq(r->operator, STR("NotIn")))
        rule_invalid(c, "operator", r->operator, "not a valid selector operator");
    else if (r->values.len != 1)
        rule_required(c, "values",
                      "must be only one value when `operator` is 'In' or 'NotIn' for node field "
                      "selector");
    if (!is_name)
        rule_invalid(c, "key", r->key, "not a valid field selector key");
    else
        check_values(c, r->values.items, r->values.len, NAME_RULE_DNS1123_SUBDOMAIN);
}

static void rule_node_requirement(const struct rule_context *c)
{
    const struct core_v1_node_selector_requirement *r = c->data;
    struct field_path key = field_path_member(c->path, STR("key"));

    if (c->path->parent && str_eq(c->path->parent->name, STR("matchFields"))) {
        check_field_requirement(c, r);
        return;
    }
    if (!str_eq(r->operator, STR("Gt")) && !str_eq(r->operator, STR("Lt")))
        check_operator(c, r->operator, r->values.len);
    else if (r->values.len != 1)
        rule_required(c, "values",
                      "must be specified single value when `operator` is 'Lt' or 'Gt'");
    (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, r->key);
    if (!is_preference(c))
        check_values(c, r->values.items, r->values.len, NAME_RULE_LABEL_VALUE);
}

static void rule_label_requirement(const struct rule_context *c)
{
    const struct meta_v1_label_selector_requirement *r = c->data;
    struct field_path key = field_path_member(c->path, STR("key"));

    check_operator(c, r->operator, r->values.len);
    (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, r->key);
    check_values(c, r->values.items, r->values.len, NAME_RULE_LABEL_VALUE);
}

static void check_label_keys(const struct rule_context *c, const char *member,
                             const struct str *keys, uint32_t n,
                             const struct meta_v1_label_selector *s)
{
    struct field_path list = field_path_member(c->path, str_from_cstr(member));

    if (n && !s)
        rule_forbidden(c, member, "must not be specified when labelSelector is not set");
    for (uint32_t i = 0; s && i < n; i++) {
        struct field_path item = field_path_index(&list, i);

        (void)name_rule_report(c->errs, &item, NAME_RULE_QUALIFIED_NAME, keys[i]);
    }
}

static long index_of(struct str key, const struct str *keys, uint32_t n)
{
    while (n-- > 0)
        if (str_eq(keys[n], key))
            return n;
    return -1;
}

/* A key that the selector names twice was merged in from the keys, so the user named it, too. */
static void check_selector_keys(const struct rule_context *c, const struct str *keys, uint32_t n,
                                const struct meta_v1_label_selector *s)
{
    struct rule_names seen = { 0 };

    for (uint32_t i = 0; i < s->match_labels.len; i++)
        (void)rule_names_add(c, &seen, s->match_labels.items[i].key, NULL);
    for (uint32_t i = 0; i < s->match_expressions.len; i++) {
        struct str key = s->match_expressions.items[i].key;
        long at = index_of(key, keys, n);
        struct field_path item = field_path_index(c->path, at < 0 ? 0 : (size_t)at);

        if (!rule_names_add(c, &seen, key, NULL) && at >= 0)
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, key,
                                  "exists in both matchLabelKeys and labelSelector");
    }
    rule_names_done(&seen);
}

static void check_match_keys(const struct rule_context *c, const struct str *match, uint32_t n,
                             const struct str *mismatch, uint32_t n_mismatch,
                             const struct meta_v1_label_selector *s)
{
    struct field_path list = field_path_member(c->path, STR("matchLabelKeys"));
    struct rule_names others = { 0 };

    check_label_keys(c, "matchLabelKeys", match, n, s);
    check_label_keys(c, "mismatchLabelKeys", mismatch, n_mismatch, s);
    if (n && s)
        check_selector_keys(c, match, n, s);
    for (uint32_t i = 0; n && i < n_mismatch; i++)
        (void)rule_names_add(c, &others, mismatch[i], NULL);
    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&list, i);

        if (rule_names_has(&others, match[i], NULL))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, match[i],
                                  "exists in both matchLabelKeys and mismatchLabelKeys");
    }
    rule_names_done(&others);
}

static void rule_affinity_term(const struct rule_context *c)
{
    const struct core_v1_pod_affinity_term *t = c->data;
    struct field_path namespace = field_path_member(c->path, STR("namespace"));

    for (uint32_t i = 0; i < t->namespaces.len; i++)
        (void)name_rule_report(c->errs, &namespace, NAME_RULE_DNS1123_LABEL,
                               t->namespaces.items[i]);
    check_match_keys(c, t->match_label_keys.items, t->match_label_keys.len,
                     t->mismatch_label_keys.items, t->mismatch_label_keys.len, t->label_selector);
}

/* Each pair of a key and an action is there once. */
static void check_repeated(const struct rule_context *c,
                           const struct core_v1_topology_spread_constraint *t)
{
    const struct core_v1_pod_spec *s = c->up->data;
    struct field_path at = field_path_member(c->path, STR("{topologyKey, whenUnsatisfiable}"));

    for (uint32_t i = (uint32_t)c->path->index + 1; i < s->topology_spread_constraints.len; i++) {
        const struct core_v1_topology_spread_constraint *o =
            &s->topology_spread_constraints.items[i];

        if (!str_eq(t->topology_key, o->topology_key) ||
            !str_eq(t->when_unsatisfiable, o->when_unsatisfiable))
            continue;
        field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE,
                              arena_printf(c->arena, "{%.*s, %.*s}", STR_ARG(t->topology_key),
                                           STR_ARG(t->when_unsatisfiable)),
                              "");
        return;
    }
}

static void rule_spread(const struct rule_context *c)
{
    const struct core_v1_topology_spread_constraint *t = c->data;
    struct field_path domains = field_path_member(c->path, STR("minDomains"));

    if (c->up && c->path->index >= 0)
        check_repeated(c, t);
    if (!t->min_domains)
        return;
    if (*t->min_domains <= 0)
        rule_invalid_number(c, "minDomains", *t->min_domains, "must be greater than zero");
    if (!str_eq(t->when_unsatisfiable, STR("DoNotSchedule")))
        field_errors_add_raw(c->errs, &domains, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "%d", *t->min_domains),
                             "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not %.*s",
                             STR_ARG(t->when_unsatisfiable));
}

static void rule_spread_keys(const struct rule_context *c)
{
    const struct core_v1_topology_spread_constraint *t = c->data;

    check_match_keys(c, t->match_label_keys.items, t->match_label_keys.len, NULL, 0,
                     t->label_selector);
}

#define SPREAD "core/v1.TopologySpreadConstraint"
#define TERM   "core/v1.PodAffinityTerm"

const struct rule rules_placement[] = {
    { .type = "core/v1.Toleration", .check = RULE_FN, .fn = rule_toleration },
    { "core/v1.NodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", RULE_BELOW },
    { "core/v1.NodeSelector", "nodeSelectorTerms", RULE_REQUIRED,
      .text = "must have at least one node selector term" },
    { .type = "core/v1.NodeSelectorRequirement", .check = RULE_FN, .fn = rule_node_requirement },
    { "core/v1.PreferredSchedulingTerm", "weight", RULE_NUMBER, .min = 1, .max = 100,
      .text = "must be in the range 1-100" },
    { "core/v1.WeightedPodAffinityTerm", "weight", RULE_NUMBER, .min = 1, .max = 100,
      .text = "must be in the range 1-100" },
    { TERM, "labelSelector", RULE_BELOW },
    { TERM, "namespaceSelector", RULE_BELOW },
    { .type = TERM, .check = RULE_FN, .fn = rule_affinity_term },
    { TERM, "topologyKey", RULE_REQUIRED, .text = "can not be empty" },
    { TERM, "topologyKey", RULE_NAME_ALWAYS, .min = NAME_RULE_QUALIFIED_NAME },
    { SPREAD, "maxSkew", RULE_NUMBER, .min = 1, .max = INT32_MAX,
      .text = "must be greater than zero" },
    { SPREAD, "topologyKey", RULE_REQUIRED, .text = "can not be empty" },
    { SPREAD, "whenUnsatisfiable", RULE_ENUM_SET, .text = "DoNotSchedule|ScheduleAnyway" },
    { .type = SPREAD, .check = RULE_FN, .fn = rule_spread },
    { SPREAD, "nodeAffinityPolicy", RULE_ENUM_SET, .text = "Honor|Ignore" },
    { SPREAD, "nodeTaintsPolicy", RULE_ENUM_SET, .text = "Honor|Ignore" },
    { .type = SPREAD, .check = RULE_FN, .fn = rule_spread_keys },
    { "meta.k8s.io/v1.LabelSelector", "matchLabels", RULE_LABELS },
    { .type = "meta.k8s.io/v1.LabelSelectorRequirement",
      .check = RULE_FN,
      .fn = rule_label_requirement },
    { 0 },
};
