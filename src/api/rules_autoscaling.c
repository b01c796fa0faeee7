/* Rules of autoscaling: v2, and v1 where it has the same fields. */
#include "api/autoscaling_v1.h"
#include "api/autoscaling_v2.h"
#include "api/field_error.h"
#include "api/quantity.h"
#include "api/rules_internal.h"
#include "base/arena.h"

enum { PERIOD_MAX_S = 1800, STABILIZATION_MAX_S = 3600 };

static void check_replicas(const struct rule_context *c, const int32_t *min, int32_t max)
{
    if (min && *min < 1)
        rule_invalid_number(c, "minReplicas", *min, "must be greater than or equal to 1");
    if (max == 0)
        rule_required(c, "maxReplicas", "must be set and greater than 0");
    else if (max < 0)
        rule_invalid_number(c, "maxReplicas", max, "must be greater than or equal to 1");
    if (min && max < *min)
        rule_invalid_number(c, "maxReplicas", max,
                            "must be greater than or equal to `minReplicas`");
}

static void rule_autoscaler_spec(const struct rule_context *c)
{
    const struct autoscaling_v2_horizontal_pod_autoscaler_spec *s = c->data;

    check_replicas(c, s->min_replicas, s->max_replicas);
}

static const char from_zero[] = "must specify at least one Object or External metric to support "
                                "scaling to zero replicas";

/* Nothing starts the first Pod but what is measured elsewhere. */
static void rule_metrics(const struct rule_context *c)
{
    const struct autoscaling_v2_horizontal_pod_autoscaler_spec *s = c->data;
    bool elsewhere = false;

    rule_below(c, "metrics");
    for (uint32_t i = 0; i < s->metrics.len; i++)
        elsewhere |= str_eq(s->metrics.items[i].type, STR("Object")) ||
                     str_eq(s->metrics.items[i].type, STR("External"));
    if (s->min_replicas && *s->min_replicas == 0 && !elsewhere)
        rule_forbidden(c, "metrics", from_zero);
}

static void rule_autoscaler_spec_v1(const struct rule_context *c)
{
    const struct autoscaling_v1_horizontal_pod_autoscaler_spec *s = c->data;

    check_replicas(c, s->min_replicas, s->max_replicas);
}

/* In the words of what the percentage becomes. */
static void rule_processor_target(const struct rule_context *c)
{
    const struct autoscaling_v1_horizontal_pod_autoscaler_spec *s = c->data;
    struct field_path metrics = field_path_member(c->path, STR("metrics"));
    struct field_path first = field_path_index(&metrics, 0);
    struct field_path resource = field_path_member(&first, STR("resource"));
    struct field_path target = field_path_member(&resource, STR("target"));
    struct rule_context at = *c;

    at.path = &target;
    if (s->target_cpu_utilization_percentage && *s->target_cpu_utilization_percentage < 1)
        rule_invalid_number(&at, "averageUtilization", *s->target_cpu_utilization_percentage,
                            "must be greater than 0");
    if (s->min_replicas && *s->min_replicas == 0)
        rule_forbidden(c, "metrics", from_zero);
}

/* "version" or "group/version". */
static void check_api_version(const struct rule_context *c, struct str version, bool allows_core)
{
    struct str group, rest;
    char text[320];

    if (!str_cut(version, '/', &group, &rest)) {
        if (!allows_core)
            rule_invalid(c, "apiVersion", version, "apiVersion must specify API group");
        return;
    }
    if (str_find(rest, '/') < 0)
        return;
    (void)snprintf(text, sizeof(text), "unexpected GroupVersion string: %.*s", STR_ARG(version));
    rule_invalid(c, "apiVersion", version, text);
}

/* v1 has the same struct. */
_Static_assert(sizeof(struct autoscaling_v1_cross_version_object_reference) ==
                   sizeof(struct autoscaling_v2_cross_version_object_reference),
               "references of both versions are alike");

static void rule_cross_reference(const struct rule_context *c)
{
    const struct autoscaling_v2_cross_version_object_reference *r = c->data, *old = c->old;
    bool allows_core = str_eq(r->kind, STR("ReplicationController")) ||
                       str_eq(c->path->name, STR("describedObject"));

    rule_check_kind(c, "kind", r->kind);
    rule_check_kind(c, "name", r->name);
    if (!old || !str_eq(old->api_version, r->api_version) || !str_eq(old->kind, r->kind))
        check_api_version(c, r->api_version, allows_core);
}

static void rule_scaling_window(const struct rule_context *c)
{
    const struct autoscaling_v2_hpa_scaling_rules *r = c->data;
    const int32_t *window = r->stabilization_window_seconds;

    if (window && *window < 0)
        rule_invalid_number(c, "stabilizationWindowSeconds", *window,
                            "must be greater than or equal to zero");
    if (window && *window > STABILIZATION_MAX_S)
        rule_invalid_number(c, "stabilizationWindowSeconds", *window,
                            "must be less than or equal to 3600");
}

static void rule_scaling_tolerance(const struct rule_context *c)
{
    const struct autoscaling_v2_hpa_scaling_rules *r = c->data;
    struct field_path tolerance = field_path_member(c->path, STR("tolerance"));
    struct quantity q;

    if (r->tolerance.len && quantity_parse(r->tolerance, &q) && q.nano < 0)
        field_errors_add_text(c->errs, &tolerance, FIELD_ERROR_INVALID, r->tolerance,
                              "must be greater than or equal to 0");
}

static void rule_scaling_policy(const struct rule_context *c)
{
    const struct autoscaling_v2_hpa_scaling_policy *p = c->data;

    if (!str_eq(p->type, STR("Percent")) && !str_eq(p->type, STR("Pods")))
        rule_unsupported(c, "type", p->type, "Percent|Pods");
    if (p->value <= 0)
        rule_invalid_number(c, "value", p->value, "must be greater than zero");
    if (p->period_seconds <= 0)
        rule_invalid_number(c, "periodSeconds", p->period_seconds, "must be greater than zero");
    if (p->period_seconds > PERIOD_MAX_S)
        rule_invalid_number(c, "periodSeconds", p->period_seconds,
                            "must be less than or equal to 1800");
}

/* A source of metrics: its type names the one member that is set. */
/* Only the first source that is there is looked at. */
static void rule_metric_spec(const struct rule_context *c)
{
    static const char known_types[] = "ContainerResource|External|Object|Pods|Resource";
    const struct autoscaling_v2_metric_spec *m = c->data;
    const struct {
        const char *member;
        struct str type;
        const void *at;
    } sources[] = {
        { "object", STR("Object"), m->object },
        { "external", STR("External"), m->external },
        { "pods", STR("Pods"), m->pods },
        { "resource", STR("Resource"), m->resource },
        { "containerResource", STR("ContainerResource"), m->container_resource },
    };
    size_t n = 0, meant = ARRAY_LEN(sources);

    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (str_eq(m->type, sources[i].type))
            meant = i;
    if (m->type.len == 0)
        rule_required(c, "type", "must specify a metric source type");
    if (meant == ARRAY_LEN(sources))
        rule_unsupported(c, "type", m->type, known_types);
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (sources[i].at && n++ == 0)
            rule_below(c, sources[i].member);
    if (meant == ARRAY_LEN(sources))
        rule_unsupported(c, "type", m->type, known_types);
    else if (!sources[meant].at)
        rule_required(c, sources[meant].member,
                      "must populate information for the given metric source");
    for (size_t i = 0; n > 1 && i < ARRAY_LEN(sources); i++)
        if (sources[i].at && i != meant)
            rule_forbidden(c, sources[i].member, "must populate the given metric source only");
}

/* Selectors of metrics are not checked. */
static void rule_unchecked(const struct rule_context *c)
{
    (void)c;
}

static void check_positive(const struct rule_context *c, const char *member, struct str value)
{
    struct quantity q;

    if (value.len && quantity_parse(value, &q) && q.nano <= 0)
        rule_invalid(c, member, value, "must be positive");
}

static void rule_metric_target(const struct rule_context *c)
{
    const struct autoscaling_v2_metric_target *t = c->data;

    if (t->type.len == 0)
        rule_required(c, "type", "must specify a metric target type");
    if (!str_eq(t->type, STR("Utilization")) && !str_eq(t->type, STR("Value")) &&
        !str_eq(t->type, STR("AverageValue")))
        rule_invalid(c, "type", t->type, "must be either Utilization, Value, or AverageValue");
    check_positive(c, "value", t->value);
    check_positive(c, "averageValue", t->average_value);
    if (t->average_utilization && *t->average_utilization < 1)
        rule_invalid_number(c, "averageUtilization", *t->average_utilization,
                            "must be greater than 0");
}

static struct rule_context target_of(const struct rule_context *c, struct field_path *path)
{
    struct rule_context t = *c;

    *path = field_path_member(c->path, STR("target"));
    t.path = path;
    return t;
}

static void rule_object_metric(const struct rule_context *c)
{
    const struct autoscaling_v2_object_metric_source *s = c->data;
    struct field_path path;
    struct rule_context t = target_of(c, &path);

    if (!s->target.value.len && !s->target.average_value.len)
        rule_required(&t, "averageValue", "must set either a target value or averageValue");
}

static void rule_external_metric(const struct rule_context *c)
{
    const struct autoscaling_v2_external_metric_source *s = c->data;
    struct field_path path;
    struct rule_context t = target_of(c, &path);

    if (!s->target.value.len && !s->target.average_value.len)
        rule_required(&t, "averageValue",
                      "must set either a target value for metric or a per-pod target");
    if (s->target.value.len && s->target.average_value.len)
        rule_forbidden(&t, "value",
                       "may not set both a target value for metric and a per-pod target");
}

static void rule_pods_metric(const struct rule_context *c)
{
    const struct autoscaling_v2_pods_metric_source *s = c->data;
    struct field_path path;
    struct rule_context t = target_of(c, &path);

    if (!s->target.average_value.len)
        rule_required(&t, "averageValue", "must specify a positive target averageValue");
}

static void check_raw_or_utilization(const struct rule_context *c,
                                     const struct autoscaling_v2_metric_target *target)
{
    struct field_path path;
    struct rule_context t = target_of(c, &path);

    if (!target->average_utilization && !target->average_value.len)
        rule_required(&t, "averageUtilization",
                      "must set either a target raw value or a target utilization");
    if (target->average_utilization && target->average_value.len)
        rule_forbidden(&t, "averageValue",
                       "may not set both a target raw value and a target utilization");
}

static void rule_resource_metric(const struct rule_context *c)
{
    const struct autoscaling_v2_resource_metric_source *s = c->data;

    check_raw_or_utilization(c, &s->target);
}

static void rule_container_metric(const struct rule_context *c)
{
    const struct autoscaling_v2_container_resource_metric_source *s = c->data;

    check_raw_or_utilization(c, &s->target);
}

#define V2  "autoscaling/v2."
#define V1  "autoscaling/v1."
#define HPA "HorizontalPodAutoscaler"

const struct rule rules_autoscaling[] = {
    { .type = V2 HPA "Spec", .check = RULE_FN, .fn = rule_autoscaler_spec },
    { .type = V2 "CrossVersionObjectReference", .check = RULE_FN, .fn = rule_cross_reference },
    { V2 HPA "Spec", "scaleTargetRef", RULE_BELOW },
    { .type = V2 HPA "Spec", .check = RULE_BELOW, .fn = rule_metrics, .order = "metrics" },
    { .type = V2 "HPAScalingRules", .check = RULE_FN, .fn = rule_scaling_window },
    { V2 "HPAScalingRules", "selectPolicy", RULE_ENUM_SET, .text = "Disabled|Max|Min" },
    { V2 "HPAScalingRules", "policies", RULE_REQUIRED, .text = "must specify at least one Policy" },
    { V2 "HPAScalingRules", "policies", RULE_BELOW },
    { .type = V2 "HPAScalingRules", .check = RULE_FN, .fn = rule_scaling_tolerance },
    { .type = V2 "HPAScalingPolicy", .check = RULE_FN, .fn = rule_scaling_policy },
    { .type = V2 "MetricSpec",
      .check = RULE_BELOW,
      .fn = rule_metric_spec,
      .order = "object|external|pods|resource|containerResource" },
    { V2 "MetricIdentifier", "name", RULE_REQUIRED, .text = "must specify a metric name" },
    { V2 "MetricIdentifier", "name", RULE_NAME, .min = NAME_RULE_PATH_SEGMENT },
    { .type = V2 "MetricIdentifier", .check = RULE_DO, .fn = rule_unchecked, .order = "selector" },
    { .type = V2 "MetricTarget", .check = RULE_FN, .fn = rule_metric_target },
    { V2 "ObjectMetricSource", "describedObject", RULE_BELOW },
    { V2 "ObjectMetricSource", "metric", RULE_BELOW },
    { V2 "ObjectMetricSource", "target", RULE_BELOW },
    { .type = V2 "ObjectMetricSource", .check = RULE_FN, .fn = rule_object_metric },
    { V2 "ExternalMetricSource", "metric", RULE_BELOW },
    { V2 "ExternalMetricSource", "target", RULE_BELOW },
    { .type = V2 "ExternalMetricSource", .check = RULE_FN, .fn = rule_external_metric },
    { V2 "PodsMetricSource", "metric", RULE_BELOW },
    { V2 "PodsMetricSource", "target", RULE_BELOW },
    { .type = V2 "PodsMetricSource", .check = RULE_FN, .fn = rule_pods_metric },
    { V2 "ResourceMetricSource", "name", RULE_REQUIRED, .text = "must specify a resource name" },
    { V2 "ResourceMetricSource", "target", RULE_BELOW },
    { .type = V2 "ResourceMetricSource", .check = RULE_FN, .fn = rule_resource_metric },
    { V2 "ContainerResourceMetricSource", "name", RULE_REQUIRED,
      .text = "must specify a resource name" },
    { V2 "ContainerResourceMetricSource", "container", RULE_REQUIRED,
      .text = "must specify a container" },
    { V2 "ContainerResourceMetricSource", "container", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },
    { V2 "ContainerResourceMetricSource", "target", RULE_BELOW },
    { .type = V2 "ContainerResourceMetricSource", .check = RULE_FN, .fn = rule_container_metric },
    { V2 HPA "Status", "currentReplicas", RULE_MIN, .min = 0 },
    { V2 HPA "Status", "desiredReplicas", RULE_MIN, .min = 0 },
    { .type = V1 HPA "Spec", .check = RULE_FN, .fn = rule_autoscaler_spec_v1 },
    { V1 HPA "Spec", "scaleTargetRef", RULE_BELOW },
    { .type = V1 HPA "Spec", .check = RULE_FN, .fn = rule_processor_target },
    { .type = V1 "CrossVersionObjectReference", .check = RULE_FN, .fn = rule_cross_reference },
    { V1 HPA "Status", "currentReplicas", RULE_MIN, .min = 0 },
    { V1 HPA "Status", "desiredReplicas", RULE_MIN, .min = 0 },
    { V1 "ScaleSpec", "replicas", RULE_MIN, .min = 0 },
    { 0 },
};
