/* Conditional defaults of apps, batch and autoscaling. */
#include "api/apps_v1.h"
#include "api/autoscaling_v2.h"
#include "api/batch_v1.h"
#include "api/core_v1.h"
#include "api/defaults_internal.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/arena.h"

static int32_t *new_int32(struct arena *a, int32_t v)
{
    int32_t *p = ARENA_NEW(a, int32_t);

    *p = v;
    return p;
}

static void default_percent(struct int_or_string *v)
{
    if (v->type == INT_OR_STRING_UNSET)
        *v = (struct int_or_string){ .type = INT_OR_STRING_STRING, .s = STR("25%") };
}

static void default_int(struct int_or_string *v, int32_t i)
{
    if (v->type == INT_OR_STRING_UNSET)
        *v = (struct int_or_string){ .type = INT_OR_STRING_INT, .i = i };
}

static bool is_rolling(struct str type)
{
    return type.len == 0 || str_eq(type, STR("RollingUpdate"));
}

static void deployment_strategy(struct arena *a, void *data)
{
    struct apps_v1_deployment_strategy *s = data;

    if (!is_rolling(s->type))
        return;
    if (!s->rolling_update)
        s->rolling_update = ARENA_NEW(a, struct apps_v1_rolling_update_deployment);
    default_percent(&s->rolling_update->max_unavailable);
    default_percent(&s->rolling_update->max_surge);
}

static void daemon_set_strategy(struct arena *a, void *data)
{
    struct apps_v1_daemon_set_update_strategy *s = data;

    if (!is_rolling(s->type))
        return;
    if (!s->rolling_update)
        s->rolling_update = ARENA_NEW(a, struct apps_v1_rolling_update_daemon_set);
    default_int(&s->rolling_update->max_unavailable, 1);
    default_int(&s->rolling_update->max_surge, 0);
}

/* The strategy's type is looked at before it gets its own default: only an absent one brings an
 * empty rollingUpdate into being. */
static void stateful_set_strategy(struct arena *a, void *data)
{
    struct apps_v1_stateful_set_update_strategy *s = data;

    if (s->type.len == 0) {
        s->type = STR("RollingUpdate");
        if (!s->rolling_update)
            s->rolling_update = ARENA_NEW(a, struct apps_v1_rolling_update_stateful_set_strategy);
    }
    if (is_rolling(s->type) && s->rolling_update && !s->rolling_update->partition)
        s->rolling_update->partition = new_int32(a, 0);
}

static void stateful_set_spec(struct arena *a, void *data)
{
    struct apps_v1_stateful_set_spec *s = data;

    (void)a;
    for (uint32_t i = 0; i < s->volume_claim_templates.len; i++) {
        struct core_v1_persistent_volume_claim *c = &s->volume_claim_templates.items[i];

        c->type_meta.api_version = STR("v1");
        c->type_meta.kind = STR("PersistentVolumeClaim");
    }
}

static void job(struct arena *a, void *data)
{
    struct batch_v1_job *j = data;
    struct batch_v1_job_spec *s = &j->spec;

    if (!s->completions && !s->parallelism)
        s->completions = new_int32(a, 1);
    if (!s->parallelism)
        s->parallelism = new_int32(a, 1);
    if (!s->backoff_limit)
        s->backoff_limit = new_int32(a, s->backoff_limit_per_index ? INT32_MAX : 6);
    if (j->metadata.labels.len == 0 && s->template.metadata.labels.len)
        text_map_copy(a, &j->metadata.labels, &s->template.metadata.labels);
    if (!s->completion_mode.p)
        s->completion_mode = STR("NonIndexed");
    if (!s->suspend)
        s->suspend = ARENA_NEW(a, bool);
    if (!s->manual_selector)
        s->manual_selector = ARENA_NEW(a, bool);
    if (!s->pod_replacement_policy.p)
        s->pod_replacement_policy =
            s->pod_failure_policy ? STR("Failed") : STR("TerminatingOrFailed");
}

static void autoscaler_metrics(struct arena *a, struct autoscaling_v2_horizontal_pod_autoscaler *h)
{
    struct autoscaling_v2_metric_spec *m;

    if (h->spec.metrics.len)
        return;
    m = ARENA_NEW(a, struct autoscaling_v2_metric_spec);
    m->type = STR("Resource");
    m->resource = ARENA_NEW(a, struct autoscaling_v2_resource_metric_source);
    m->resource->name = STR("cpu");
    m->resource->target.type = STR("Utilization");
    m->resource->target.average_utilization = new_int32(a, 80);
    h->spec.metrics.items = m;
    h->spec.metrics.len = 1;
}

static struct autoscaling_v2_hpa_scaling_rules *
scaling_rules(struct arena *a, struct autoscaling_v2_hpa_scaling_rules *r,
              const struct autoscaling_v2_hpa_scaling_policy *policies, uint32_t n)
{
    if (!r)
        r = ARENA_NEW(a, struct autoscaling_v2_hpa_scaling_rules);
    if (!r->select_policy.p)
        r->select_policy = STR("Max");
    if (!r->policies.items) {
        r->policies.items = arena_dup(a, policies, n * sizeof(*policies));
        r->policies.len = n;
    }
    return r;
}

static void autoscaler(struct arena *a, void *data)
{
    static const struct autoscaling_v2_hpa_scaling_policy up[] = {
        { .type = STR_INIT("Pods"), .value = 4, .period_seconds = 15 },
        { .type = STR_INIT("Percent"), .value = 100, .period_seconds = 15 },
    };
    static const struct autoscaling_v2_hpa_scaling_policy down[] = {
        { .type = STR_INIT("Percent"), .value = 100, .period_seconds = 15 },
    };
    struct autoscaling_v2_horizontal_pod_autoscaler *h = data;
    struct autoscaling_v2_horizontal_pod_autoscaler_behavior *b = h->spec.behavior;

    autoscaler_metrics(a, h);
    if (!b)
        return;
    b->scale_up = scaling_rules(a, b->scale_up, up, 2);
    if (!b->scale_up->stabilization_window_seconds)
        b->scale_up->stabilization_window_seconds = new_int32(a, 0);
    b->scale_down = scaling_rules(a, b->scale_down, down, 1);
}

const struct default_fn default_fns_workloads[] = {
    { "apps/v1.DeploymentStrategy", deployment_strategy },
    { "apps/v1.DaemonSetUpdateStrategy", daemon_set_strategy },
    { "apps/v1.StatefulSetUpdateStrategy", stateful_set_strategy },
    { "apps/v1.StatefulSetSpec", stateful_set_spec },
    { "batch/v1.Job", job },
    { "autoscaling/v2.HorizontalPodAutoscaler", autoscaler },
    { 0 },
};
