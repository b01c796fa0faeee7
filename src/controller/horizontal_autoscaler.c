/* HorizontalPodAutoscalers: what they scale is kept between minReplicas and maxReplicas. Metrics
 * come from APIs that nobody serves here (metrics.k8s.io and its like are aggregated ones), so
 * within these bounds an autoscaler says why it does not know better, as upstream's says without a
 * metrics server. */
#include "api/autoscaling_v2.h"
#include "api/core_v1.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "base/buf.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "codec/json_writer.h"
#include "controller/controller.h"
#include "controller/scale_target.h"

enum { PERIOD_MS = 15000 }; /* sizes of what is scaled are not watched */

typedef struct autoscaling_v2_horizontal_pod_autoscaler autoscaler;
typedef struct autoscaling_v2_horizontal_pod_autoscaler_condition condition;

static const struct resource *autoscalers_row(void)
{
    return resource_find(STR("autoscaling"), STR("v2"), STR("horizontalpodautoscalers"));
}

/* --- one run --- */

struct scaling {
    int32_t current, wanted;
    const char *reason;
};

static const struct api_object *find(struct reconcile *r)
{
    return informer_get(controller_informer(r->manager, autoscalers_row()), r->key);
}

/* The time stays where the status does. True: its reason is another one now. */
static bool set_condition(struct reconcile *r, autoscaler *h, const condition *wanted)
{
    uint32_t n = h->status.conditions.len, at = 0;
    condition *items = ARENA_NEW_ARRAY(r->arena, condition, n + 1), was;

    for (uint32_t i = 0; i < n; i++)
        items[i] = h->status.conditions.items[i];
    while (at < n && !str_eq(items[at].type, wanted->type))
        at++;
    was = items[at];
    items[at] = *wanted;
    items[at].last_transition_time = str_eq(was.status, wanted->status)
                                         ? was.last_transition_time
                                         : (struct ktime){ .sec = r->now_s, .set = true };
    h->status.conditions.items = items;
    h->status.conditions.len = MAX(n, at + 1);
    return !str_eq(was.reason, wanted->reason);
}

static void write_status(struct reconcile *r, const struct api_object *o, struct object copy)
{
    if (!object_equal(copy, o->o))
        reconcile_update_status(r, autoscalers_row(), copy);
}

static enum reconcile_result cannot_scale(struct reconcile *r, const struct api_object *o,
                                          struct str why)
{
    struct object copy = object_copy(r->arena, o->o);
    const condition c = {
        .type = STR("AbleToScale"),
        .status = STR("False"),
        .reason = STR("FailedGetScale"),
        .message = arena_printf(
            r->arena, "the HPA controller was unable to get the target's current scale: %.*s",
            STR_ARG(why)),
    };
    bool is_new = set_condition(r, copy.data, &c);

    write_status(r, o, copy);
    if (is_new)
        reconcile_event(r, o, "Warning", "FailedGetScale", "%.*s", STR_ARG(why));
    return RECONCILE_DONE;
}

/* --- metrics that nobody serves --- */

static struct str resource_problem(struct arena *a, struct str name,
                                   const struct autoscaling_v2_metric_target *target)
{
    return arena_printf(a,
                        "failed to get %.*s %s: unable to get metrics for resource %.*s: unable to "
                        "fetch metrics from resource metrics API: the server could not find the "
                        "requested resource (get pods.metrics.k8s.io)",
                        STR_ARG(name), target->average_value.len ? "usage" : "utilization",
                        STR_ARG(name));
}

static struct str custom_problem(struct arena *a, struct str name)
{
    return arena_printf(a,
                        "unable to get metric %.*s: unable to fetch metrics from custom metrics "
                        "API: no custom metrics API (custom.metrics.k8s.io) registered",
                        STR_ARG(name));
}

/* Why, the condition's reason, and what the whole failure begins with. */
static struct str metric_problem(struct arena *a, const struct autoscaling_v2_metric_spec *m,
                                 const char **ret_reason, const char **ret_what)
{
    if (m->resource) {
        *ret_reason = "FailedGetResourceMetric";
        *ret_what =
            arena_printf(a, "failed to get %.*s resource metric value", STR_ARG(m->resource->name))
                .p;
        return resource_problem(a, m->resource->name, &m->resource->target);
    }
    if (m->container_resource) {
        *ret_reason = "FailedGetContainerResourceMetric";
        *ret_what = arena_printf(a, "failed to get %.*s container metric value",
                                 STR_ARG(m->container_resource->name))
                        .p;
        return resource_problem(a, m->container_resource->name, &m->container_resource->target);
    }
    if (m->pods || m->object) {
        *ret_reason = m->pods ? "FailedGetPodsMetric" : "FailedGetObjectMetric";
        *ret_what =
            m->pods ? "failed to get pods metric value" : "failed to get object metric value";
        return custom_problem(a, m->pods ? m->pods->metric.name : m->object->metric.name);
    }
    *ret_reason = "FailedGetExternalMetric";
    *ret_what = "failed to get external metric value";
    return arena_printf(a,
                        "unable to get external metric %.*s: unable to fetch metrics from external "
                        "metrics API: no external metrics API (external.metrics.k8s.io) registered",
                        STR_ARG(m->external ? m->external->metric.name : STR("")));
}

static void tell_metrics(struct reconcile *r, const struct api_object *o, autoscaler *h,
                         const struct scale_target *t)
{
    const uint32_t n = h->spec.metrics.len;
    condition c = { .type = STR("ScalingActive"), .status = STR("False") };
    const char *reason = "InvalidSelector", *what = "";
    struct str why = STR("selector is required");

    if (!t->selector.len) {
        c.message = STR("the HPA target's scale is missing a selector");
    } else if (n) {
        why = metric_problem(r->arena, &h->spec.metrics.items[0], &reason, &what);
        c.message = arena_printf(r->arena, "the HPA was unable to compute the replica count: %.*s",
                                 STR_ARG(why));
    } else {
        return;
    }
    c.reason = str_from_cstr(reason);
    if (!set_condition(r, h, &c))
        return;
    reconcile_event(r, o, "Warning", t->selector.len ? reason : "SelectorRequired", "%.*s",
                    STR_ARG(why));
    if (t->selector.len)
        reconcile_event(r, o, "Warning", "FailedComputeMetricsReplicas",
                        "invalid metrics (%u invalid out of %u), first error is: %s: %.*s", n, n,
                        what, STR_ARG(why));
}

/* --- reconcile --- */

static void set_able(struct reconcile *r, autoscaler *h, const char *status, const char *reason,
                     struct str message)
{
    (void)set_condition(r, h,
                        &(condition){ .type = STR("AbleToScale"),
                                      .status = str_from_cstr(status),
                                      .reason = str_from_cstr(reason),
                                      .message = message });
}

static enum reconcile_result tell_rescaled(struct reconcile *r)
{
    const struct scaling *s = r->state;
    const struct api_object *o = find(r);
    struct object copy;
    autoscaler *h;

    if (!o)
        return RECONCILE_DONE;
    copy = object_copy(r->arena, o->o);
    h = copy.data;
    set_able(r, h, "True", "SucceededRescale",
             arena_printf(r->arena, "the HPA controller was able to update the target scale to %d",
                          s->wanted));
    h->status.current_replicas = s->current;
    h->status.desired_replicas = s->wanted;
    h->status.last_scale_time = (struct ktime){ .sec = r->now_s, .set = true };
    write_status(r, o, copy);
    reconcile_event(r, o, "Normal", "SuccessfulRescale", "New size: %d; reason: %s", s->wanted,
                    s->reason);
    return RECONCILE_DONE;
}

static enum reconcile_result tell_refused(struct reconcile *r)
{
    const struct scaling *s = r->state;
    const struct api_object *o = find(r);
    struct object copy;
    autoscaler *h;

    if (!o)
        return RECONCILE_DONE;
    copy = object_copy(r->arena, o->o);
    h = copy.data;
    set_able(r, h, "False", "FailedUpdateScale",
             arena_printf(r->arena,
                          "the HPA controller was unable to update the target scale: %.*s",
                          STR_ARG(r->failure)));
    h->status.current_replicas = s->current;
    write_status(r, o, copy);
    reconcile_event(r, o, "Warning", "FailedRescale", "New size: %d; reason: %s; error: %.*s",
                    s->wanted, s->reason, STR_ARG(r->failure));
    return RECONCILE_DONE;
}

static void rescale(struct reconcile *r, const struct resource *row, const autoscaler *h,
                    const struct scale_target *t)
{
    const struct scaling *s = r->state;
    struct buf b;

    buf_init_arena(&b, r->arena, 256);
    buf_append_lit(&b, "{\"apiVersion\":\"autoscaling/v1\",\"kind\":\"Scale\",\"metadata\":{"
                       "\"namespace\":");
    json_write_string(&b, h->metadata.namespace);
    buf_append_lit(&b, ",\"name\":");
    json_write_string(&b, h->spec.scale_target_ref.name);
    buf_append_lit(&b, ",\"resourceVersion\":");
    json_write_string(&b, t->resource_version);
    buf_printf(&b, "},\"spec\":{\"replicas\":%d}}", s->wanted);
    reconcile_put_sub(r, row, h->metadata.namespace, h->spec.scale_target_ref.name, STR("scale"),
                      buf_str(&b));
    r->then = tell_rescaled;
    r->otherwise = tell_refused;
}

/* Within bounds the number stays: there is nothing to measure by. */
static void decide(const autoscaler *h, const struct scale_target *t, struct scaling *s)
{
    int32_t least = h->spec.min_replicas ? *h->spec.min_replicas : 1;

    s->current = s->wanted = (int32_t)t->wanted;
    if (!s->current)
        return;
    if (s->current > h->spec.max_replicas) {
        s->wanted = h->spec.max_replicas;
        s->reason = "Current number of replicas above Spec.MaxReplicas";
    } else if (s->current < least) {
        s->wanted = least;
        s->reason = "Current number of replicas below Spec.MinReplicas";
    }
}

static const struct resource *target_of(struct reconcile *r, const autoscaler *h)
{
    return scale_target_find(r->manager, h->spec.scale_target_ref.api_version,
                             h->spec.scale_target_ref.kind);
}

static enum reconcile_result scale(struct reconcile *r)
{
    const struct reconcile_answer *answer = &r->answers.items[0];
    const struct api_object *o = find(r);
    const struct resource *row = o ? target_of(r, o->o.data) : NULL;
    struct scaling *s = r->state;
    struct scale_target t;
    struct object copy;
    autoscaler *h;

    if (!row)
        return RECONCILE_DONE;
    copy = object_copy(r->arena, o->o);
    h = copy.data;
    if (answer->result != 0 || !scale_target_read(r->arena, answer->body, &t))
        return cannot_scale(r, o,
                            arena_printf(r->arena, "%.*s%s%.*s \"%.*s\" not found",
                                         STR_ARG(row->name), row->group.len ? "." : "",
                                         STR_ARG(row->group),
                                         STR_ARG(h->spec.scale_target_ref.name)));
    decide(h, &t, s);
    if (s->wanted != s->current) {
        rescale(r, row, h, &t);
        return RECONCILE_DONE;
    }
    set_able(r, h, "True", "SucceededGetScale",
             STR("the HPA controller was able to get the target's current scale"));
    h->status.current_replicas = s->current;
    if (s->current) {
        tell_metrics(r, o, h, &t);
    } else {
        h->status.desired_replicas = 0;
        (void)set_condition(
            r, h,
            &(condition){
                .type = STR("ScalingActive"),
                .status = STR("False"),
                .reason = STR("ScalingDisabled"),
                .message =
                    STR("scaling is disabled since the replica count of the target is zero") });
    }
    write_status(r, o, copy);
    return RECONCILE_DONE;
}

static enum reconcile_result say_unreadable(struct reconcile *r)
{
    const struct api_object *o = find(r);

    return o ? cannot_scale(r, o, r->failure) : RECONCILE_DONE;
}

static enum reconcile_result reconcile_autoscaler(struct reconcile *r)
{
    const struct api_object *o = find(r);
    const autoscaler *h = o ? o->o.data : NULL;
    const struct autoscaling_v2_cross_version_object_reference *ref;
    const struct resource *row;

    if (!h || o->meta->deletion_timestamp.set)
        return RECONCILE_DONE;
    r->again_after_ms = PERIOD_MS;
    ref = &h->spec.scale_target_ref;
    row = target_of(r, h);
    if (!row)
        return cannot_scale(r, o,
                            arena_printf(r->arena, "no matches for kind \"%.*s\" in group \"%.*s\"",
                                         STR_ARG(ref->kind),
                                         STR_ARG(scale_target_group(ref->api_version))));
    if (!scale_target_has_scale(r->manager, row))
        return cannot_scale(r, o, STR("the server could not find the requested resource"));
    r->state = ARENA_NEW(r->arena, struct scaling);
    reconcile_get_sub(r, row, o->meta->namespace, ref->name, STR("scale"));
    r->then = scale;
    r->otherwise = say_unreadable;
    return RECONCILE_DONE;
}

/* Its own status is no reason to look again. */
static void map_autoscaler(struct controller_manager *m, const struct controller *c,
                           const struct api_object *old, const struct api_object *new)
{
    const autoscaler *was = old ? old->o.data : NULL, *is = new ? new->o.data : NULL;

    if (is &&
        (!was || was->metadata.generation != is->metadata.generation || !is->metadata.generation))
        controller_enqueue(m, c, new->key);
}

static const struct controller_watch watches[] = {
    { "autoscaling", "v2", "horizontalpodautoscalers", map_autoscaler },
    { 0 },
};

const struct controller horizontal_autoscaler_controller = {
    .name = "horizontal-pod-autoscaler",
    .watches = watches,
    .reconcile = reconcile_autoscaler,
};
