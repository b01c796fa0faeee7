/* Rules of apps/v1, and of ReplicationController, which is one of them by its nature. */
#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/object.h"
#include "api/rules_internal.h"
#include "api/schema.h"
#include "api/schema_walk.h"
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

static void check_always(const struct rule_context *c, const struct core_v1_pod_template_spec *t,
                         const char *kind)
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
                         "activeDeadlineSeconds in %s is not Supported", kind);
}

bool rule_selector_matches(const struct rule_context *c,
                           const struct meta_v1_label_selector *selector, const void *labels)
{
    struct label_selector sel = { 0 };
    struct err err = { 0 };

    return label_selector_from_meta(c->arena, selector, &sel, &err) < 0 ||
           label_selector_match(&sel, lookup_label, (void *)(uintptr_t)labels); /* read only */
}

void rule_check_template_labels(const struct rule_context *c,
                                const struct meta_v1_label_selector *selector,
                                const struct core_v1_pod_template_spec *t)
{
    struct field_path template = field_path_member(c->path, STR("template"));
    struct field_path meta = field_path_member(&template, STR("metadata"));
    struct field_path labels = field_path_member(&meta, STR("labels"));

    if (!rule_selector_matches(c, selector, &t->metadata.labels))
        field_errors_add_raw(c->errs, &labels, FIELD_ERROR_INVALID,
                             rule_print_map(c->arena, &t->metadata.labels),
                             "`selector` does not match template `labels`");
}

/* What an empty selector and a broken one are called. */
struct selector_words {
    const char *empty, *broken;
};

/* The selector must select something, and the template's labels. */
static void check_selector(const struct rule_context *c, const struct meta_v1_label_selector *s,
                           const struct core_v1_pod_template_spec *t,
                           const struct selector_words *words)
{
    struct field_path at = field_path_member(c->path, STR("selector"));
    struct label_selector sel = { 0 };
    struct err err = { 0 };
    struct str printed;

    if (!s) {
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
        rule_check_template_labels(c, NULL, t); /* as upstream: it selects nothing */
        return;
    }
    printed = rule_print_struct(c->arena, "meta.k8s.io/v1.LabelSelector", s);
    if (label_selector_from_meta(c->arena, s, &sel, &err) < 0)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed, "%s", words->broken);
    else if (label_selector_is_empty(&sel))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed, "%s", words->empty);
    else
        rule_check_template_labels(c, s, t);
}

static const struct selector_words deployment_words = { "empty selector is invalid for deployment",
                                                        "invalid label selector" };

static int64_t percent_of(struct str text)
{
    uint64_t percent;

    if (text.len < 2 || text.p[text.len - 1] != '%' ||
        !str_to_u64(str_sub(text, 0, text.len - 1), &percent))
        return -1;
    return percent > INT32_MAX ? INT32_MAX : (int64_t)percent;
}

static bool is_zero(const struct int_or_string *v)
{
    if (v->type == INT_OR_STRING_STRING)
        return percent_of(v->s) == 0;
    return v->i == 0;
}

void rule_check_amount(const struct rule_context *c, const struct field_path *at,
                       const struct int_or_string *v, bool limited)
{
    if (v->type == INT_OR_STRING_INT && v->i < 0)
        field_errors_add_raw(c->errs, at, FIELD_ERROR_INVALID, arena_printf(c->arena, "%d", v->i),
                             "must be greater than or equal to 0");
    if (v->type != INT_OR_STRING_STRING)
        return;
    if (percent_of(v->s) < 0)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, v->s,
                              "a valid percent string must be a numeric string followed by an "
                              "ending '%%' (e.g. '1%%',  or '93%%', regex used for validation is "
                              "'[0-9]+%%')");
    else if (percent_of(v->s) > 100 && limited)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, v->s,
                              "must not be greater than 100%%");
}

static void check_amount(const struct rule_context *c, const struct field_path *parent,
                         const char *member, const struct int_or_string *v)
{
    struct field_path at = field_path_member(parent, str_from_cstr(member));

    rule_check_amount(c, &at, v, str_eq(at.name, STR("maxUnavailable")));
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

static void rule_deployment_strategy(const struct rule_context *c)
{
    const struct apps_v1_deployment_strategy *s = c->data;

    if (!str_eq(s->type, STR("Recreate")) && !str_eq(s->type, STR("RollingUpdate")))
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_NOT_SUPPORTED,
                             rule_print_internal(c->arena, "apps/v1.DeploymentStrategy", s),
                             "supported values: \"Recreate\", \"RollingUpdate\"");
}

static void rule_deployment_spec(const struct rule_context *c)
{
    const struct apps_v1_deployment_spec *s = c->data;
    const struct apps_v1_deployment_strategy *strategy = &s->strategy;
    struct field_path at = field_path_member(c->path, STR("strategy"));
    struct field_path rolling = field_path_member(&at, STR("rollingUpdate"));
    struct field_path deadline = field_path_member(c->path, STR("progressDeadlineSeconds"));

    check_selector(c, s->selector, &s->template, &deployment_words);
    check_always(c, &s->template, "ReplicaSet");
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

    check_selector(c, s->selector, &s->template, &deployment_words);
    check_always(c, &s->template, "ReplicaSet");
}

static void rule_daemon_set_spec(const struct rule_context *c)
{
    static const struct selector_words words = { "empty selector is invalid for daemonset",
                                                 "invalid label selector" };
    const struct apps_v1_daemon_set_spec *s = c->data;

    if (s->selector)
        check_selector(c, s->selector, &s->template, &words);
    else
        rule_check_template_labels(c, NULL, &s->template); /* as upstream: it selects nothing */
    check_always(c, &s->template, "DaemonSet");
}

static void rule_daemon_set_strategy(const struct rule_context *c)
{
    const struct apps_v1_daemon_set_update_strategy *s = c->data;
    const struct apps_v1_rolling_update_daemon_set *r = s->rolling_update;
    struct field_path rolling = field_path_member(c->path, STR("rollingUpdate"));
    struct field_path surge = field_path_member(&rolling, STR("maxSurge"));
    struct field_path unavailable = field_path_member(&rolling, STR("maxUnavailable"));

    if (str_eq(s->type, STR("OnDelete")))
        return;
    if (!str_eq(s->type, STR("RollingUpdate"))) {
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_NOT_SUPPORTED,
                             rule_print_internal(c->arena, "apps/v1.DaemonSetUpdateStrategy", s),
                             "supported values: \"RollingUpdate\", \"OnDelete\"");
        return;
    }
    if (!r) {
        field_errors_add(c->errs, &rolling, FIELD_ERROR_REQUIRED, "");
        return;
    }
    rule_check_amount(c, &unavailable, &r->max_unavailable, true);
    rule_check_amount(c, &surge, &r->max_surge, true);
    if (!is_zero(&r->max_unavailable) && !is_zero(&r->max_surge))
        field_errors_add_raw(c->errs, &surge, FIELD_ERROR_INVALID,
                             r->max_surge.type == INT_OR_STRING_STRING
                                 ? arena_printf(c->arena, "\"%.*s\"", STR_ARG(r->max_surge.s))
                                 : arena_printf(c->arena, "%d", r->max_surge.i),
                             "may not be set when maxUnavailable is non-zero");
    else if (is_zero(&r->max_unavailable) && is_zero(&r->max_surge))
        field_errors_add(c->errs, &unavailable, FIELD_ERROR_REQUIRED,
                         "cannot be 0 when maxSurge is 0");
}

static void check_set_strategy(const struct rule_context *c,
                               const struct apps_v1_stateful_set_update_strategy *s)
{
    const struct apps_v1_rolling_update_stateful_set_strategy *r = s->rolling_update;
    struct field_path at = field_path_member(c->path, STR("updateStrategy"));
    struct field_path rolling = field_path_member(&at, STR("rollingUpdate"));
    struct field_path unavailable = field_path_member(&rolling, STR("maxUnavailable"));

    if (s->type.len == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
    else if (!str_eq(s->type, STR("OnDelete")) && !str_eq(s->type, STR("RollingUpdate")))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "{\"Type\":\"%.*s\",\"RollingUpdate\":%s}",
                                          STR_ARG(s->type), r ? "{}" : "null"),
                             "must be 'RollingUpdate' or 'OnDelete'");
    else if (str_eq(s->type, STR("OnDelete")) && r)
        field_errors_add_raw(
            c->errs, &rolling, FIELD_ERROR_INVALID,
            rule_print_internal(c->arena, "apps/v1.RollingUpdateStatefulSetStrategy", r),
            "only allowed for updateStrategy 'RollingUpdate'");
    if (!r || r->max_unavailable.type == INT_OR_STRING_UNSET)
        return;
    rule_check_amount(c, &unavailable, &r->max_unavailable, true);
    if (is_zero(&r->max_unavailable))
        field_errors_add_raw(c->errs, &unavailable, FIELD_ERROR_INVALID,
                             r->max_unavailable.type == INT_OR_STRING_STRING ? STR("\"0%\"")
                                                                             : STR("0"),
                             "cannot be 0");
}

/* All but what may change in an update. */
static bool set_core_equal(const struct apps_v1_stateful_set_spec *s,
                           const struct apps_v1_stateful_set_spec *old)
{
    struct apps_v1_stateful_set_spec a = *s, b = *old;
    struct object x = { .schema = &schema_builtin,
                        .type = schema_walk_type(&schema_builtin, "apps/v1.StatefulSetSpec"),
                        .data = &a };
    struct object y = { .schema = x.schema, .type = x.type, .data = &b };

    a.replicas = b.replicas;
    a.template = b.template;
    a.update_strategy = b.update_strategy;
    a.min_ready_seconds = b.min_ready_seconds;
    a.ordinals = b.ordinals;
    a.revision_history_limit = b.revision_history_limit;
    a.persistent_volume_claim_retention_policy = b.persistent_volume_claim_retention_policy;
    return object_equal(x, y);
}

static void rule_stateful_set_spec(const struct rule_context *c)
{
    const struct apps_v1_stateful_set_spec *s = c->data;

    if (s->pod_management_policy.len == 0)
        rule_required(c, "podManagementPolicy", "");
    else if (!str_eq(s->pod_management_policy, STR("OrderedReady")) &&
             !str_eq(s->pod_management_policy, STR("Parallel")))
        rule_invalid(c, "podManagementPolicy", s->pod_management_policy,
                     "must be 'OrderedReady' or 'Parallel'");
    check_set_strategy(c, &s->update_strategy);
}

/* They never change; old ones may be wrong by now. */
static void rule_set_claims(const struct rule_context *c)
{
    if (!c->old)
        rule_below(c, "volumeClaimTemplates");
}

static void rule_set_pods(const struct rule_context *c)
{
    static const struct selector_words words = { "empty selector is invalid for statefulset", "" };
    const struct apps_v1_stateful_set_spec *s = c->data;
    struct field_path service = field_path_member(c->path, STR("serviceName"));

    if (!c->old && s->service_name.len)
        (void)name_rule_report(c->errs, &service, NAME_RULE_DNS1123_LABEL, s->service_name);
    rule_below(c, "selector");
    check_selector(c, s->selector, &s->template, &words);
    rule_below(c, "template");
    check_always(c, &s->template, "StatefulSet");
}

static void rule_set_update(const struct rule_context *c)
{
    if (c->old && !set_core_equal(c->data, c->old))
        field_errors_add(c->errs, c->path, FIELD_ERROR_FORBIDDEN,
                         "updates to statefulset spec for fields other than 'replicas', "
                         "'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
                         "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
                         "forbidden");
}

static void rule_controller_revision(const struct rule_context *c)
{
    const struct apps_v1_controller_revision *r = c->data;
    struct str data = str_trim(r->data);

    if (c->old)
        return;
    if (data.len == 0 || str_eq(data, STR("null")))
        rule_required(c, "data", "data is mandatory");
    else if (data.p[0] != '{')
        rule_required(c, "data", "data must be a valid JSON object");
}

static void rule_replication_controller_spec(const struct rule_context *c)
{
    const struct core_v1_replication_controller_spec *s = c->data;
    struct field_path template = field_path_member(c->path, STR("template"));
    struct field_path meta = field_path_member(&template, STR("metadata"));
    struct field_path labels = field_path_member(&meta, STR("labels"));

    if (!s->template)
        return;
    for (uint32_t i = 0; i < s->selector.len; i++) {
        const struct schema_str_entry *e =
            text_map_find(&s->template->metadata.labels, s->selector.items[i].key);

        if (e && str_eq(e->value, s->selector.items[i].value))
            continue;
        field_errors_add_raw(c->errs, &labels, FIELD_ERROR_INVALID,
                             rule_print_map(c->arena, &s->template->metadata.labels),
                             "`selector` does not match template `labels`");
        break;
    }
    check_always(c, s->template, "ReplicationController");
}

/* A number of a status that another bounds. */
static void check_not_above(const struct rule_context *c, const char *member, int32_t n,
                            int32_t bound, const char *of)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));

    if (n > bound)
        field_errors_add_raw(c->errs, &p, FIELD_ERROR_INVALID, arena_printf(c->arena, "%d", n),
                             "cannot be greater than %s", of);
}

#define ALL "status.replicas"

static void rule_deployment_status(const struct rule_context *c)
{
    const struct apps_v1_deployment_status *s = c->data, *old = c->old;

    check_not_above(c, "updatedReplicas", s->updated_replicas, s->replicas, ALL);
    check_not_above(c, "readyReplicas", s->ready_replicas, s->replicas, ALL);
    check_not_above(c, "availableReplicas", s->available_replicas, s->replicas, ALL);
    check_not_above(c, "availableReplicas", s->available_replicas, s->ready_replicas,
                    "readyReplicas");
    rule_check_collisions(c, s->collision_count, old ? old->collision_count : NULL);
}

static void rule_replica_set_status(const struct rule_context *c)
{
    const struct apps_v1_replica_set_status *s = c->data;

    check_not_above(c, "fullyLabeledReplicas", s->fully_labeled_replicas, s->replicas, ALL);
    check_not_above(c, "readyReplicas", s->ready_replicas, s->replicas, ALL);
    check_not_above(c, "availableReplicas", s->available_replicas, s->replicas, ALL);
    check_not_above(c, "availableReplicas", s->available_replicas, s->ready_replicas,
                    "readyReplicas");
}

static void rule_replication_controller_status(const struct rule_context *c)
{
    const struct core_v1_replication_controller_status *s = c->data;

    check_not_above(c, "fullyLabeledReplicas", s->fully_labeled_replicas, s->replicas, ALL);
    check_not_above(c, "readyReplicas", s->ready_replicas, s->replicas, ALL);
    check_not_above(c, "availableReplicas", s->available_replicas, s->replicas, ALL);
    check_not_above(c, "availableReplicas", s->available_replicas, s->ready_replicas,
                    "readyReplicas");
}

static void rule_stateful_set_status(const struct rule_context *c)
{
    const struct apps_v1_stateful_set_status *s = c->data, *old = c->old;

    check_not_above(c, "readyReplicas", s->ready_replicas, s->replicas, ALL);
    check_not_above(c, "currentReplicas", s->current_replicas, s->replicas, ALL);
    check_not_above(c, "updatedReplicas", s->updated_replicas, s->replicas, ALL);
    check_not_above(c, "availableReplicas", s->available_replicas, s->replicas, ALL);
    check_not_above(c, "availableReplicas", s->available_replicas, s->ready_replicas,
                    "status.readyReplicas");
    rule_check_collisions(c, s->collision_count, old ? old->collision_count : NULL);
}

static void rule_daemon_set_status(const struct rule_context *c)
{
    const struct apps_v1_daemon_set_status *s = c->data, *old = c->old;

    rule_check_collisions(c, s->collision_count, old ? old->collision_count : NULL);
}

#define SET  "apps/v1.StatefulSetSpec"
#define SETS "apps/v1.StatefulSetStatus"
#define KEEP "apps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy"
#define DS   "apps/v1.DaemonSetSpec"
#define DSS  "apps/v1.DaemonSetStatus"
#define RC   "core/v1.ReplicationControllerSpec"
#define RCS  "core/v1.ReplicationControllerStatus"
#define RSS  "apps/v1.ReplicaSetStatus"
#define DEPS "apps/v1.DeploymentStatus"

#define DEPLOY "apps/v1.DeploymentSpec"
#define RS     "apps/v1.ReplicaSetSpec"

const struct rule rules_apps[] = {
    { DEPLOY, "replicas", RULE_MIN, .min = 0 },
    { DEPLOY, "strategy", RULE_BELOW },
    { DEPLOY, "minReadySeconds", RULE_MIN, .min = 0 },
    { DEPLOY, "revisionHistoryLimit", RULE_MIN, .min = 0 },
    { DEPLOY, "progressDeadlineSeconds", RULE_MIN, .min = 0 },
    { DEPLOY, "selector", RULE_IMMUTABLE },
    { DEPLOY, "selector", RULE_BELOW },
    { .type = DEPLOY, .check = RULE_FN, .fn = rule_deployment_spec },
    { .type = "apps/v1.DeploymentStrategy", .check = RULE_FN, .fn = rule_deployment_strategy },
    { RS, "replicas", RULE_MIN, .min = 0 },
    { RS, "minReadySeconds", RULE_MIN, .min = 0 },
    { RS, "selector", RULE_IMMUTABLE },
    { RS, "selector", RULE_BELOW },
    { .type = RS, .check = RULE_FN, .fn = rule_replica_set_spec },
    { DEPS, "observedGeneration", RULE_MIN, .min = 0 },
    { DEPS, "replicas", RULE_MIN, .min = 0 },
    { DEPS, "updatedReplicas", RULE_MIN, .min = 0 },
    { DEPS, "readyReplicas", RULE_MIN, .min = 0 },
    { DEPS, "availableReplicas", RULE_MIN, .min = 0 },
    { DEPS, "unavailableReplicas", RULE_MIN, .min = 0 },
    { DEPS, "terminatingReplicas", RULE_MIN, .min = 0 },
    { DEPS, "collisionCount", RULE_MIN, .min = 0 },
    { .type = DEPS, .check = RULE_FN, .fn = rule_deployment_status },
    { RSS, "replicas", RULE_MIN, .min = 0 },
    { RSS, "fullyLabeledReplicas", RULE_MIN, .min = 0 },
    { RSS, "readyReplicas", RULE_MIN, .min = 0 },
    { RSS, "availableReplicas", RULE_MIN, .min = 0 },
    { RSS, "observedGeneration", RULE_MIN, .min = 0 },
    { RSS, "terminatingReplicas", RULE_MIN, .min = 0 },
    { .type = RSS, .check = RULE_FN, .fn = rule_replica_set_status },
    { DS, "selector", RULE_BELOW },
    { .type = DS, .check = RULE_FN, .fn = rule_daemon_set_spec },
    { DS, "selector", RULE_IMMUTABLE },
    { DS, "minReadySeconds", RULE_MIN, .min = 0 },
    { DS, "revisionHistoryLimit", RULE_MIN, .min = 0 },
    { .type = "apps/v1.DaemonSetUpdateStrategy", .check = RULE_FN, .fn = rule_daemon_set_strategy },
    { DSS, "currentNumberScheduled", RULE_MIN, .min = 0 },
    { DSS, "numberMisscheduled", RULE_MIN, .min = 0 },
    { DSS, "desiredNumberScheduled", RULE_MIN, .min = 0 },
    { DSS, "numberReady", RULE_MIN, .min = 0 },
    { DSS, "observedGeneration", RULE_MIN, .min = 0 },
    { DSS, "updatedNumberScheduled", RULE_MIN, .min = 0 },
    { DSS, "numberAvailable", RULE_MIN, .min = 0 },
    { DSS, "numberUnavailable", RULE_MIN, .min = 0 },
    { DSS, "collisionCount", RULE_MIN, .min = 0 },
    { .type = DSS, .check = RULE_FN, .fn = rule_daemon_set_status },
    { .type = SET, .check = RULE_FN, .fn = rule_stateful_set_spec },
    { SET, "updateStrategy", RULE_BELOW },
    { SET, "persistentVolumeClaimRetentionPolicy", RULE_BELOW },
    { .type = SET, .check = RULE_BELOW, .fn = rule_set_claims, .order = "volumeClaimTemplates" },
    { SET, "replicas", RULE_MIN, .min = 0 },
    { SET, "minReadySeconds", RULE_MIN, .min = 0 },
    { SET, "ordinals", RULE_BELOW },
    { .type = SET, .check = RULE_BELOW, .fn = rule_set_pods, .order = "selector|template" },
    { .type = SET, .check = RULE_FN, .fn = rule_set_update },
    { "apps/v1.StatefulSetOrdinals", "start", RULE_MIN, .min = 0 },
    { "apps/v1.RollingUpdateStatefulSetStrategy", "partition", RULE_MIN, .min = 0 },
    { KEEP, "whenDeleted", RULE_ENUM, .text = "Retain|Delete" },
    { KEEP, "whenScaled", RULE_ENUM, .text = "Retain|Delete" },
    { SETS, "replicas", RULE_MIN, .min = 0 },
    { SETS, "readyReplicas", RULE_MIN, .min = 0 },
    { SETS, "currentReplicas", RULE_MIN, .min = 0 },
    { SETS, "updatedReplicas", RULE_MIN, .min = 0 },
    { SETS, "availableReplicas", RULE_MIN, .min = 0 },
    { SETS, "observedGeneration", RULE_MIN, .min = 0 },
    { SETS, "collisionCount", RULE_MIN, .min = 0 },
    { .type = SETS, .check = RULE_FN, .fn = rule_stateful_set_status },
    { .type = "apps/v1.ControllerRevision", .check = RULE_FN, .fn = rule_controller_revision },
    { "apps/v1.ControllerRevision", "revision", RULE_MIN, .min = 0 },
    { "apps/v1.ControllerRevision", "data", RULE_IMMUTABLE },
    { RC, "minReadySeconds", RULE_MIN, .min = 0 },
    { RC, "selector", RULE_REQUIRED },
    { RC, "replicas", RULE_MIN, .min = 0 },
    { RC, "template", RULE_REQUIRED },
    { .type = RC, .check = RULE_FN, .fn = rule_replication_controller_spec },
    { RCS, "replicas", RULE_MIN, .min = 0 },
    { RCS, "fullyLabeledReplicas", RULE_MIN, .min = 0 },
    { RCS, "readyReplicas", RULE_MIN, .min = 0 },
    { RCS, "availableReplicas", RULE_MIN, .min = 0 },
    { RCS, "observedGeneration", RULE_MIN, .min = 0 },
    { .type = RCS, .check = RULE_FN, .fn = rule_replication_controller_status },
    { 0 },
};
