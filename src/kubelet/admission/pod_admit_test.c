#include "kubelet/admission/pod_admit.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "client/api_object.h"
#include "kubelet/node/node_pressure.h"

static void unref(void *o)
{
    api_object_unref(o);
}

static const void *decoded(struct arena *a, const char *resource, const char *json)
{
    struct api_object *o;
    struct err err;

    cr_assert(api_object_decode(resource_find(STR(""), STR("v1"), str_from_cstr(resource)),
                                str_from_cstr(json), &o, &err) >= 0,
              "%s: %s", json, err.text);
    arena_defer(a, unref, o);
    return o->o.data;
}

static const struct core_v1_pod *pod_of(struct arena *a, const char *spec)
{
    return decoded(a, "pods",
                   arena_printf(a,
                                "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
                                "\"p\",\"namespace\":\"n\"},\"spec\":{%s}}",
                                spec)
                       .p);
}

#define CPU(x) "\"resources\":{\"requests\":{\"cpu\":\"" x "\"}}"
#define ONE(x) "\"containers\":[{\"name\":\"c\"," x "}]"

static struct node_pressure pressure;

static const char *reason_of(struct arena *a, const char *spec, const char *other)
{
    const struct core_v1_pod *others[1];
    size_t n = 0;
    struct pod_admit_node node = {
        .node = decoded(a, "nodes",
                        "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"disk\":\"ssd\","
                        "\"size\":\"7\"}}}"),
        .cpu_milli = 2000,
        .memory_bytes = 1 << 30,
        .ephemeral_bytes = 1 << 30,
        .pods = 2,
        .pressure = &pressure,
    };

    if (other)
        others[n++] = pod_of(a, other);
    return str_cstr(a, pod_admit(a, &node, pod_of(a, spec), others, n).reason);
}

Test(pod_admit, reasons)
{
    static const struct {
        const char *spec, *other, *reason;
    } cases[] = {
        { ONE(CPU("2")), NULL, "" },
        { ONE(CPU("2001m")), NULL, "OutOfcpu" },
        { ONE(CPU("1")), ONE(CPU("1500m")), "OutOfcpu" },
        { ONE("\"resources\":{\"requests\":{\"memory\":\"2Gi\"}}"), NULL, "OutOfmemory" },
        { ONE("\"resources\":{\"requests\":{\"ephemeral-storage\":\"2Gi\"}}"), NULL,
          "OutOfephemeral-storage" },
        /* init containers: one at a time, beside the sidecars before them */
        { ONE(CPU("1")) ",\"initContainers\":[{\"name\":\"i\"," CPU("2") "}]", NULL, "" },
        { ONE(CPU("1")) ",\"initContainers\":[{\"name\":\"s\",\"restartPolicy\":\"Always\"," CPU(
              "500m") "},{\"name\":\"i\"," CPU("1600m") "}]",
          NULL, "OutOfcpu" },
        { ONE(CPU("1")) ",\"initContainers\":[{\"name\":\"s\",\"restartPolicy\":\"Always\"," CPU(
              "1100m") "}]",
          NULL, "OutOfcpu" },
        /* the Pod's own word, and its overhead */
        { ONE(CPU("4")) ",\"resources\":{\"requests\":{\"cpu\":\"1\"}}", NULL, "" },
        { ONE(CPU("2")) ",\"overhead\":{\"cpu\":\"1m\"}", NULL, "OutOfcpu" },
        /* ports */
        { ONE("\"ports\":[{\"containerPort\":1,\"hostPort\":80}]"),
          ONE("\"ports\":[{\"containerPort\":2,\"hostPort\":80,\"hostIP\":\"10.0.0.1\"}]"),
          "NodePorts" },
        { ONE("\"ports\":[{\"containerPort\":1,\"hostPort\":80,\"hostIP\":\"10.0.0.2\"}]"),
          ONE("\"ports\":[{\"containerPort\":2,\"hostPort\":80,\"hostIP\":\"10.0.0.1\"}]"), "" },
        { ONE("\"ports\":[{\"containerPort\":1,\"hostPort\":80,\"protocol\":\"UDP\"}]"),
          ONE("\"ports\":[{\"containerPort\":2,\"hostPort\":80}]"), "" },
        { ONE("\"ports\":[{\"containerPort\":1}]"), ONE("\"ports\":[{\"containerPort\":1}]"), "" },
        /* labels */
        { ONE("\"image\":\"i\"") ",\"nodeSelector\":{\"disk\":\"ssd\"}", NULL, "" },
        { ONE("\"image\":\"i\"") ",\"nodeSelector\":{\"disk\":\"hdd\"}", NULL, "NodeAffinity" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };

        cr_expect_str_eq(reason_of(&a, cases[i].spec, cases[i].other), cases[i].reason, "%s",
                         cases[i].spec);
    }
}

Test(pod_admit, required_terms)
{
    static const struct {
        const char *term;
        bool fits;
    } cases[] = {
        { "\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"In\",\"values\":[\"a\",\"ssd\"]}]",
          true },
        { "\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"NotIn\",\"values\":[\"ssd\"]}]",
          false },
        { "\"matchExpressions\":[{\"key\":\"none\",\"operator\":\"NotIn\",\"values\":[\"ssd\"]}]",
          true },
        { "\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"Exists\"}]", true },
        { "\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"DoesNotExist\"}]", false },
        { "\"matchExpressions\":[{\"key\":\"size\",\"operator\":\"Gt\",\"values\":[\"6\"]}]",
          true },
        { "\"matchExpressions\":[{\"key\":\"size\",\"operator\":\"Lt\",\"values\":[\"7\"]}]",
          false },
        { "\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"Gt\",\"values\":[\"1\"]}]",
          false },
        { "\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"n1\"]}]",
          true },
        { "\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"n2\"]}]",
          false },
        { "", false }, /* an empty term matches nothing */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        const char *spec =
            arena_printf(&a,
                         "\"containers\":[{\"name\":\"c\"}],\"affinity\":{\"nodeAffinity\":{"
                         "\"requiredDuringSchedulingIgnoredDuringExecution\":{"
                         "\"nodeSelectorTerms\":[{%s}]}}}",
                         cases[i].term)
                .p;

        cr_expect_str_eq(reason_of(&a, spec, NULL), cases[i].fits ? "" : "NodeAffinity", "%s",
                         cases[i].term);
    }
}

#define TOLERATES                                                                                  \
    ",\"tolerations\":[{\"key\":\"node.kubernetes.io/memory-pressure\",\"operator\":\"Exists\"}]"
#define CRITICAL ",\"priority\":2000001000"

Test(pod_admit, a_node_short_of_something_takes_what_it_must)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    static const char none[] = ONE("\"image\":\"i\"");

    pressure.holds[PRESSURE_OF_MEMORY] = true;
    cr_expect_str_eq(reason_of(&a, none, NULL), "Evicted");
    cr_expect_str_eq(reason_of(&a, ONE("\"image\":\"i\"") TOLERATES, NULL), "");
    cr_expect_str_eq(reason_of(&a, ONE("\"image\":\"i\"") CRITICAL, NULL), "");
    cr_expect_str_eq(reason_of(&a, ONE(CPU("1")), NULL), "", "it has asked for its own");
    pressure.holds[PRESSURE_OF_DISK] = true;
    cr_expect_str_eq(reason_of(&a, ONE(CPU("1")), NULL), "Evicted");
    cr_expect_str_eq(reason_of(&a, ONE("\"image\":\"i\"") TOLERATES, NULL), "Evicted");
    cr_expect_str_eq(reason_of(&a, ONE("\"image\":\"i\"") CRITICAL, NULL), "");
}
