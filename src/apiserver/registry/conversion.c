#include "apiserver/registry/conversion.h"

#include "api/object_json.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/value.h"

struct rename {
    struct str a, b; /* members at the top of the object */
};

/* core/v1 Event and events.k8s.io/v1 Event */
static const struct rename event_renames[] = {
    { STR_INIT("involvedObject"), STR_INIT("regarding") },
    { STR_INIT("message"), STR_INIT("note") },
    { STR_INIT("source"), STR_INIT("deprecatedSource") },
    { STR_INIT("firstTimestamp"), STR_INIT("deprecatedFirstTimestamp") },
    { STR_INIT("lastTimestamp"), STR_INIT("deprecatedLastTimestamp") },
    { STR_INIT("count"), STR_INIT("deprecatedCount") },
    { STR_INIT("reportingComponent"), STR_INIT("reportingController") },
};

static void rename_members(struct value *v, bool forward)
{
    for (uint32_t i = 0; v->type == VALUE_OBJECT && i < v->len; i++)
        for (size_t k = 0; k < ARRAY_LEN(event_renames); k++) {
            const struct rename *rn = &event_renames[k];

            if (str_eq(v->members[i].key, forward ? rn->a : rn->b)) {
                v->members[i].key = forward ? rn->b : rn->a;
                break;
            }
        }
}

static void event_to_v1(struct arena *a, struct value *v)
{
    (void)a;
    rename_members(v, true);
}

static void event_to_core(struct arena *a, struct value *v)
{
    (void)a;
    rename_members(v, false);
}

/* autoscaling/v1 says one metric, the average CPU utilization; what else v2 knows is kept in
 * annotations, as upstream does. */
#define HPA_METRICS    "autoscaling.alpha.kubernetes.io/metrics"
#define HPA_CONDITIONS "autoscaling.alpha.kubernetes.io/conditions"
#define HPA_BEHAVIOR   "autoscaling.alpha.kubernetes.io/behavior"
#define HPA_CURRENT    "autoscaling.alpha.kubernetes.io/current-metrics"

static struct value *member(struct value *v, struct str key)
{
    return v ? value_get(v, key) : NULL;
}

static struct value *object_member(struct arena *a, struct value *v, struct str key)
{
    struct value *m = value_get(v, key);

    return m && m->type == VALUE_OBJECT ? m : value_set(a, v, key, value_object());
}

static bool is_cpu(struct value *metric)
{
    struct value *res = member(metric, STR("resource"));

    return str_eq(value_get_str(metric, STR("type")), STR("Resource")) && res &&
           str_eq(value_get_str(res, STR("name")), STR("cpu"));
}

/* Moves the value to an annotation, unless it is absent, null or empty. */
static void to_annotation(struct arena *a, struct value *root, struct str name,
                          const struct value *v)
{
    struct value *annotations;
    struct buf b = { 0 };

    if (!v || v->type == VALUE_NULL ||
        ((v->type == VALUE_ARRAY || v->type == VALUE_OBJECT) && !v->len))
        return;
    annotations = object_member(a, object_member(a, root, STR("metadata")), STR("annotations"));
    buf_init_arena(&b, a, 256);
    value_print(&b, v);
    value_set(a, annotations, name, value_string(buf_str(&b)));
}

/* Moves an annotation's JSON into a member; one that is no JSON stays where it is. */
static void from_annotation(struct arena *a, struct value *root, struct str name,
                            struct value *into, struct str key)
{
    struct value *annotations = member(member(root, STR("metadata")), STR("annotations"));
    struct str text = annotations ? value_get_str(annotations, name) : STR_NULL;
    struct value v;
    struct err err;

    if (!text.p || value_parse(a, text, &v, NULL, &err) < 0)
        return;
    value_set(a, into, key, v);
    value_remove(annotations, name);
}

static void hpa_current_to_v1(struct arena *a, struct value *root, struct value *status)
{
    struct value *current = member(status, STR("currentMetrics"));

    for (uint32_t i = 0; current && current->type == VALUE_ARRAY && i < current->len; i++) {
        struct value *u =
            member(member(member(&current->items[i], STR("resource")), STR("current")),
                   STR("averageUtilization"));

        if (is_cpu(&current->items[i]) && u) {
            value_set(a, status, STR("currentCPUUtilizationPercentage"), *u);
            break;
        }
    }
    to_annotation(a, root, STR(HPA_CURRENT), member(status, STR("currentMetrics")));
    to_annotation(a, root, STR(HPA_CONDITIONS), member(status, STR("conditions")));
    value_remove(status, STR("currentMetrics"));
    value_remove(status, STR("conditions"));
}

static void hpa_to_v1(struct arena *a, struct value *root)
{
    struct value *spec = object_member(a, root, STR("spec"));
    struct value *status = value_get(root, STR("status"));
    struct value *metrics = value_get(spec, STR("metrics"));
    struct value others = value_array();

    for (uint32_t i = 0; metrics && metrics->type == VALUE_ARRAY && i < metrics->len; i++) {
        struct value *u = member(member(member(&metrics->items[i], STR("resource")), STR("target")),
                                 STR("averageUtilization"));

        if (is_cpu(&metrics->items[i]) && u &&
            !value_get(spec, STR("targetCPUUtilizationPercentage")))
            value_set(a, spec, STR("targetCPUUtilizationPercentage"), *u);
        else
            value_push(a, &others, metrics->items[i]);
        metrics = value_get(spec, STR("metrics")); /* setting a member may have moved it */
    }
    to_annotation(a, root, STR(HPA_METRICS), &others);
    spec = object_member(a, root, STR("spec"));
    to_annotation(a, root, STR(HPA_BEHAVIOR), value_get(spec, STR("behavior")));
    spec = object_member(a, root, STR("spec"));
    value_remove(spec, STR("metrics"));
    value_remove(spec, STR("behavior"));
    status = value_get(root, STR("status"));
    if (status && status->type == VALUE_OBJECT)
        hpa_current_to_v1(a, root, status);
}

static struct value cpu_metric(struct arena *a, struct value utilization)
{
    struct value target = value_object(), resource = value_object(), metric = value_object();

    value_set(a, &target, STR("type"), value_string(STR("Utilization")));
    value_set(a, &target, STR("averageUtilization"), utilization);
    value_set(a, &resource, STR("name"), value_string(STR("cpu")));
    value_set(a, &resource, STR("target"), target);
    value_set(a, &metric, STR("type"), value_string(STR("Resource")));
    value_set(a, &metric, STR("resource"), resource);
    return metric;
}

static void hpa_to_v2(struct arena *a, struct value *root)
{
    struct value *spec = object_member(a, root, STR("spec"));
    struct value *status = object_member(a, root, STR("status"));
    struct value *u, *metrics;

    spec = object_member(a, root, STR("spec"));
    from_annotation(a, root, STR(HPA_METRICS), spec, STR("metrics"));
    from_annotation(a, root, STR(HPA_BEHAVIOR), spec, STR("behavior"));
    from_annotation(a, root, STR(HPA_CONDITIONS), status, STR("conditions"));
    from_annotation(a, root, STR(HPA_CURRENT), status, STR("currentMetrics"));
    u = value_get(spec, STR("targetCPUUtilizationPercentage"));
    if (u) {
        struct value metric = cpu_metric(a, *u);

        value_remove(spec, STR("targetCPUUtilizationPercentage"));
        metrics = value_get(spec, STR("metrics"));
        if (!metrics || metrics->type != VALUE_ARRAY)
            metrics = value_set(a, spec, STR("metrics"), value_array());
        value_insert(a, metrics, 0, metric);
    }
    value_remove(status, STR("currentCPUUtilizationPercentage"));
}

static const struct {
    struct str kind, from, to; /* "group/version" */
    void (*change)(struct arena *a, struct value *v);
} conversions[] = {
    { STR_INIT("Event"), STR_INIT("/v1"), STR_INIT("events.k8s.io/v1"), event_to_v1 },
    { STR_INIT("Event"), STR_INIT("events.k8s.io/v1"), STR_INIT("/v1"), event_to_core },
    { STR_INIT("HorizontalPodAutoscaler"), STR_INIT("autoscaling/v2"), STR_INIT("autoscaling/v1"),
      hpa_to_v1 },
    { STR_INIT("HorizontalPodAutoscaler"), STR_INIT("autoscaling/v1"), STR_INIT("autoscaling/v2"),
      hpa_to_v2 },
};

static struct str group_version(struct arena *a, const struct schema *s,
                                const struct schema_type *t)
{
    return arena_printf(a, "%s/%s", schema_cstr(s, t->group), schema_cstr(s, t->version));
}

int conversion_convert(struct arena *a, struct object from, const struct schema_type *to,
                       struct object *ret, struct err *err)
{
    const struct schema *s = from.schema;
    struct str kind = schema_str(s, from.type->name);
    struct str gv_from = group_version(a, s, from.type), gv_to = group_version(a, s, to);
    struct buf b = { 0 }, out = { 0 };
    struct value v;
    size_t row = 0;
    int r;

    while (row < ARRAY_LEN(conversions) &&
           !(str_eq(conversions[row].kind, kind) && str_eq(conversions[row].from, gv_from) &&
             str_eq(conversions[row].to, gv_to)))
        row++;
    if (row == ARRAY_LEN(conversions) && !str_eq(schema_str(s, to->name), kind))
        return err_set(err, ERR_UNSUPPORTED, "no conversion from %.*s %.*s to %.*s",
                       STR_ARG(gv_from), STR_ARG(kind), STR_ARG(gv_to));
    buf_init_arena(&b, a, 1024);
    object_json_encode(&b, from, NULL);
    if (row < ARRAY_LEN(conversions)) {
        r = value_parse(a, buf_str(&b), &v, NULL, err);
        if (r < 0)
            return r;
        conversions[row].change(a, &v);
        buf_init_arena(&out, a, b.len + 256);
        value_print(&out, &v);
        b = out;
    }
    r = object_json_decode(a, s, to, buf_str(&b), ret, NULL, err);
    if (r < 0)
        return r;
    object_set_gvk(*ret, schema_cstr(s, to->group)[0] ? gv_to : schema_str(s, to->version),
                   schema_str(s, to->name));
    return 0;
}
