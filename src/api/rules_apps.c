/* Rules of apps/v1 Deployment and ReplicaSet. */
#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/rules_internal.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/err.h"

static bool lookup_label(void *map, struct str key, struct str *ret)
{
    const struct schema_str_entry *e = text_map_find(map, key);

    if (e)
        *ret = e->value;
    return e != NULL;
}

static void check_template_spec(const struct rule_context *c,
                                const struct core_v1_pod_template_spec *t)
{
    static const struct str always[] = { STR_INIT("Always") };
    struct field_path template = field_path_member(c->path, STR("template"));
    struct field_path spec = field_path_member(&template, STR("spec"));
    struct field_path policy = field_path_member(&spec, STR("restartPolicy"));
    struct field_path deadline = field_path_member(&spec, STR("activeDeadlineSeconds"));

    if (t->spec.restart_policy.len && !str_eq(t->spec.restart_policy, always[0]))
        field_errors_add_unsupported(c->errs, &policy, t->spec.restart_policy, always, 1);
    if (t->spec.active_deadline_seconds)
        field_errors_add(c->errs, &deadline, FIELD_ERROR_FORBIDDEN,
                         "activeDeadlineSeconds in ReplicaSet is not Supported");
}

/* The selector must select something, and the template's labels. */
static void check_selector(const struct rule_context *c, const struct meta_v1_label_selector *s,
                           const struct core_v1_pod_template_spec *t)
{
    struct field_path at = field_path_member(c->path, STR("selector"));
    struct field_path template = field_path_member(c->path, STR("template"));
    struct field_path meta = field_path_member(&template, STR("metadata"));
    struct field_path labels = field_path_member(&meta, STR("labels"));
    struct label_selector sel = { 0 };
    struct err err = { 0 };
    struct str printed;

    check_template_spec(c, t);
    if (!s) {
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
        return;
    }
    printed = rule_print_struct(c->arena, "meta.k8s.io/v1.LabelSelector", s);
    if (label_selector_from_meta(c->arena, s, &sel, &err) < 0) {
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed, "invalid label selector");
        return;
    }
    if (label_selector_is_empty(&sel)) {
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed,
                             "empty selector is invalid for deployment");
        return;
    }
    if (!label_selector_match(&sel, lookup_label, (void *)(uintptr_t)&t->metadata.labels))
        field_errors_add_raw(c->errs, &labels, FIELD_ERROR_INVALID,
                             rule_print_map(c->arena, &t->metadata.labels),
                             "`selector` does not match template `labels`");
}

static bool is_zero(const struct int_or_string *v)
{
    if (v->type == INT_OR_STRING_STRING)
        return str_eq(v->s, STR("0%"));
    return v->i == 0;
}

/* "NN%" or a number that is not negative. */
static void check_amount(const struct rule_context *c, const struct field_path *parent,
                         const char *member, const struct int_or_string *v)
{
    struct field_path at = field_path_member(parent, str_from_cstr(member));
    uint64_t percent;

    if (v->type == INT_OR_STRING_INT && v->i < 0)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, arena_printf(c->arena, "%d", v->i),
                             "must be greater than or equal to 0");
    if (v->type != INT_OR_STRING_STRING)
        return;
    if (v->s.len < 2 || !str_to_u64(str_sub(v->s, 0, v->s.len - 1), &percent) ||
        v->s.p[v->s.len - 1] != '%')
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, v->s,
                              "a valid percent string must be a numeric string followed by an "
                              "ending '%%' (e.g. '1%%',  or '93%%', regex used for validation is "
                              "'[0-9]+%%')");
    else if (percent > 100 && str_eq(str_from_cstr(member), STR("maxUnavailable")))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, v->s,
                              "must not be greater than "
                              "100%%");
}

static void check_rolling(const struct rule_context *c,
                          const struct apps_v1_rolling_update_deployment *r)
{
    struct field_path strategy = field_path_member(c->path, STR("strategy"));
    struct field_path rolling = field_path_member(&strategy, STR("rollingUpdate"));
    struct field_path unavailable = field_path_member(&rolling, STR("maxUnavailable"));

    check_amount(c, &rolling, "maxUnavailable", &r->max_unavailable);
    check_amount(c, &rolling, "maxSurge", &r->max_surge);
    if (is_zero(&r->max_unavailable) && is_zero(&r->max_surge))
        field_errors_add_raw(c->errs, &unavailable, FIELD_ERROR_INVALID,
                             r->max_unavailable.type == INT_OR_STRING_STRING ? STR("\"0%\"")
                                                                             : STR("0"),
                             "may not be 0 when `maxSurge` is 0");
}

static void rule_deployment_spec(const struct rule_context *c)
{
    const struct apps_v1_deployment_spec *s = c->data;
    const struct apps_v1_deployment_strategy *strategy = &s->strategy;
    struct field_path at = field_path_member(c->path, STR("strategy"));
    struct field_path rolling = field_path_member(&at, STR("rollingUpdate"));
    struct field_path deadline = field_path_member(c->path, STR("progressDeadlineSeconds"));

    check_selector(c, s->selector, &s->template);
    if (str_eq(strategy->type, STR("Recreate")) && strategy->rolling_update)
        field_errors_add(c->errs, &rolling, FIELD_ERROR_FORBIDDEN,
                         "may not be specified when strategy `type` is 'Recreate'");
    else if (str_eq(strategy->type, STR("RollingUpdate")) && !strategy->rolling_update)
        field_errors_add(c->errs, &rolling, FIELD_ERROR_REQUIRED,
                         "this should be defaulted and never be nil");
    else if (str_eq(strategy->type, STR("RollingUpdate")))
        check_rolling(c, strategy->rolling_update);
    if (s->progress_deadline_seconds && *s->progress_deadline_seconds <= s->min_ready_seconds)
        field_errors_add_raw(c->errs, &deadline, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "%d", *s->progress_deadline_seconds),
                             "must be greater than minReadySeconds");
}

static void rule_replica_set_spec(const struct rule_context *c)
{
    const struct apps_v1_replica_set_spec *s = c->data;

    check_selector(c, s->selector, &s->template);
}

#define DEPLOY "apps/v1.DeploymentSpec"
#define RS     "apps/v1.ReplicaSetSpec"

const struct rule rules_apps[] = {
    { DEPLOY, "replicas", RULE_MIN, .min = 0 },
    { DEPLOY, "minReadySeconds", RULE_MIN, .min = 0 },
    { DEPLOY, "revisionHistoryLimit", RULE_MIN, .min = 0 },
    { DEPLOY, "progressDeadlineSeconds", RULE_MIN, .min = 0 },
    { DEPLOY, "selector", RULE_IMMUTABLE },
    { .type = DEPLOY, .check = RULE_FN, .fn = rule_deployment_spec },
    { "apps/v1.DeploymentStrategy", "type", RULE_REQUIRED },
    { "apps/v1.DeploymentStrategy", "type", RULE_ENUM, .text = "Recreate|RollingUpdate" },
    { RS, "replicas", RULE_MIN, .min = 0 },
    { RS, "minReadySeconds", RULE_MIN, .min = 0 },
    { RS, "selector", RULE_IMMUTABLE },
    { .type = RS, .check = RULE_FN, .fn = rule_replica_set_spec },
    { "apps/v1.DeploymentStatus", "replicas", RULE_MIN, .min = 0 },
    { "apps/v1.DeploymentStatus", "updatedReplicas", RULE_MIN, .min = 0 },
    { "apps/v1.DeploymentStatus", "readyReplicas", RULE_MIN, .min = 0 },
    { "apps/v1.DeploymentStatus", "availableReplicas", RULE_MIN, .min = 0 },
    { "apps/v1.DeploymentStatus", "unavailableReplicas", RULE_MIN, .min = 0 },
    { "apps/v1.ReplicaSetStatus", "replicas", RULE_MIN, .min = 0 },
    { "apps/v1.ReplicaSetStatus", "readyReplicas", RULE_MIN, .min = 0 },
    { "apps/v1.ReplicaSetStatus", "availableReplicas", RULE_MIN, .min = 0 },
    { "apps/v1.ReplicaSetStatus", "fullyLabeledReplicas", RULE_MIN, .min = 0 },
    { 0 },
};
