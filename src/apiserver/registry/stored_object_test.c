#include "apiserver/registry/stored_object.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "apiserver/registry/conversion.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static struct object decode(struct arena *a, const struct resource *row, const char *json)
{
    struct object o;
    struct err err;

    cr_assert_eq(
        object_json_decode(a, &schema_builtin, row->type, str_from_cstr(json), &o, NULL, &err), 0,
        "%s", err.text);
    return o;
}

static struct str encode(struct arena *a, struct object o)
{
    struct buf b = { .arena = a };

    object_json_encode(&b, o, NULL);
    return buf_str(&b);
}

Test(stored_object, is_split_where_the_revision_goes)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct resource *row = resource_find(STR(""), STR("v1"), STR("pods"));
    struct object o = decode(&a, row,
                             "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p\","
                             "\"resourceVersion\":\"7\",\"labels\":{\"b\":\"2\",\"a\":\"1\"}},"
                             "\"spec\":{\"containers\":[],\"nodeName\":\"n1\"}}");
    struct store_mutation m = { 0 };
    struct err err;
    struct str json;

    cr_assert_eq(stored_object_encode(&a, row, o, &m, &err), 0);
    json = stored_object_json(&a, m.head, 99, m.tail);
    cr_assert(str_contains(json, STR("\"resourceVersion\":\"99\"")), "%.*s", STR_ARG(json));
    cr_assert_not(str_contains(json, STR("\"7\"")));
    cr_assert(str_eq(object_meta(o)->resource_version, STR("7")));
    cr_assert_eq(m.n_labels, 2);
    cr_assert(str_eq(m.labels[0].key, STR("a")));
    for (size_t i = 1; i < m.n_fields; i++)
        cr_assert_lt(str_cmp(m.fields[i - 1].key, m.fields[i].key), 0);
    for (size_t i = 0; i < m.n_fields; i++)
        if (str_eq(m.fields[i].key, STR("spec.nodeName")))
            cr_assert(str_eq(m.fields[i].value, STR("n1")));
}

Test(stored_object, fields_are_read_as_text)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct resource *row = resource_find(STR(""), STR("v1"), STR("pods"));
    struct object o = decode(&a, row,
                             "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[],"
                             "\"hostNetwork\":true}}");

    cr_assert(str_eq(object_field_text(&a, o, STR("spec.hostNetwork")), STR("true")));
    cr_assert(str_eq(object_field_text(&a, o, STR("spec.nodeName")), STR("")));
    cr_assert(str_eq(object_field_text(&a, o, STR("spec.nope")), STR("")));
    cr_assert(str_eq(object_field_text(&a, o, STR("metadata.name")), STR("p")));
}

Test(conversion, events_change_their_words)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct resource *core = resource_find(STR(""), STR("v1"), STR("events"));
    const struct resource *events = resource_find(STR("events.k8s.io"), STR("v1"), STR("events"));
    struct object o = decode(&a, core,
                             "{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
                             "\"e\"},\"involvedObject\":{\"kind\":\"Pod\"},\"message\":\"hello\","
                             "\"source\":{\"component\":\"x\"},\"count\":3}"),
                  there, back;
    struct err err;
    struct str json;

    cr_assert_eq(conversion_convert(&a, o, events->type, &there, &err), 0, "%s", err.text);
    json = encode(&a, there);
    cr_assert(str_contains(json, STR("\"note\":\"hello\"")), "%.*s", STR_ARG(json));
    cr_assert(str_contains(json, STR("\"regarding\":{\"kind\":\"Pod\"}")));
    cr_assert(str_contains(json, STR("\"deprecatedCount\":3")));
    cr_assert(str_contains(json, STR("\"apiVersion\":\"events.k8s.io/v1\"")));
    cr_assert_eq(conversion_convert(&a, there, core->type, &back, &err), 0);
    cr_assert(object_equal(o, back), "%.*s", STR_ARG(encode(&a, back)));
}

Test(conversion, autoscalers_keep_what_v1_cannot_say)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct resource *v1 =
        resource_find(STR("autoscaling"), STR("v1"), STR("horizontalpodautoscalers"));
    const struct resource *v2 =
        resource_find(STR("autoscaling"), STR("v2"), STR("horizontalpodautoscalers"));
    struct object
        o = decode(
            &a, v2,
            "{\"kind\":\"HorizontalPodAutoscaler\",\"apiVersion\":\"autoscaling/v2\",\"metadata\":{"
            "\"name\":\"h\"},\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"},"
            "\"maxReplicas\":3,\"metrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\","
            "\"target\":{\"type\":\"Utilization\",\"averageUtilization\":70}}},{\"type\":\"Pods\","
            "\"pods\":{\"metric\":{\"name\":\"m\"},\"target\":{\"type\":\"AverageValue\","
            "\"averageValue\":\"1\"}}}]},\"status\":{\"desiredReplicas\":0}}"),
        there, back;
    struct err err;
    struct str json;

    cr_assert_eq(conversion_convert(&a, o, v1->type, &there, &err), 0, "%s", err.text);
    json = encode(&a, there);
    cr_assert(str_contains(json, STR("\"targetCPUUtilizationPercentage\":70")), "%.*s",
              STR_ARG(json));
    cr_assert(str_contains(json, STR("autoscaling.alpha.kubernetes.io/metrics")));
    cr_assert_eq(conversion_convert(&a, there, v2->type, &back, &err), 0, "%s", err.text);
    json = encode(&a, back);
    cr_assert(str_contains(json, STR("\"averageUtilization\":70")), "%.*s", STR_ARG(json));
    cr_assert(str_contains(json, STR("\"averageValue\":\"1\"")));
    cr_assert_not(str_contains(json, STR("autoscaling.alpha")));
}
