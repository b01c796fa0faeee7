/* Environments of containers, without an API server: literals, expansion, fields and resources. */
#include "kubelet/pod_env.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "client/api_object.h"
#include "kubelet/pod_field.h"

static const struct pod_node node = {
    .name = STR_INIT("node-1"),
    .host_ip = STR_INIT("10.0.0.7"),
    .allocatable_cpu_milli = 1500,
    .allocatable_memory_bytes = 1 << 30,
};
static const struct str ips[] = { STR_INIT("10.1.0.5"), STR_INIT("fd00::5") };
static const struct runtime_strs pod_ips = { ips, 2 };

static const struct api_object *pod_of(struct arena *a, const char *container)
{
    struct str json = arena_printf(
        a,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":\"n\","
        "\"uid\":\"u-1\",\"labels\":{\"a\":\"1\",\"b\":\"x\\\"y\"},"
        "\"annotations\":{\"k\":\"two\\nlines\"}},"
        "\"spec\":{\"serviceAccountName\":\"robot\",\"containers\":[{\"name\":\"c\","
        "\"resources\":{\"limits\":{\"cpu\":\"250m\"},\"requests\":{\"memory\":\"3Mi\"}},%s}]}}",
        container);
    struct api_object *o;
    struct err err;

    cr_assert(api_object_decode(resource_find(STR(""), STR("v1"), STR("pods")), json, &o, &err) >=
                  0,
              "%s", err.text);
    return o;
}

static void unref(void *o)
{
    api_object_unref(o);
}

/* "NAME=value|NAME=value", or the error's text. */
static const char *made(struct arena *a, const char *container)
{
    const struct pod_env_sources sources = { .node = &node };
    const struct api_object *o = pod_of(a, container);
    const struct core_v1_pod *pod = API_OBJECT(o, struct core_v1_pod);
    struct runtime_map env;
    struct buf b;
    struct err err;

    arena_defer(a, unref, (void *)(uintptr_t)o);
    if (pod_env_make(a, &sources, pod, &pod->spec.containers.items[0], &pod_ips, &env, &err) < 0)
        return arena_printf(a, "%s", err.text).p;
    buf_init_arena(&b, a, 64);
    for (size_t i = 0; i < env.len; i++)
        buf_printf(&b, "%s%.*s=%.*s", i ? "|" : "", STR_ARG(env.items[i].key),
                   STR_ARG(env.items[i].value));
    return buf_cstr(&b);
}

#define FIELD(name, path)                                                                          \
    "{\"name\":\"" name "\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"" path "\"}}}"
#define AMOUNT(name, resource, divisor)                                                            \
    "{\"name\":\"" name "\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"" resource         \
    "\",\"divisor\":\"" divisor "\"}}}"

Test(pod_env, makes_values)
{
    static const struct {
        const char *container, *env;
    } cases[] = {
        { "\"env\":[]", "" },
        { "\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"A\",\"value\":\"2\"}]", "A=2" },
        { "\"env\":[{\"name\":\"A\"}]", "A=" },
        { "\"env\":[{\"name\":\"A\",\"value\":\"x\"},{\"name\":\"B\",\"value\":\"$(A)-$(C)\"},"
          "{\"name\":\"C\",\"value\":\"$$(A) $(B) $A $\"}]",
          "A=x|B=x-$(C)|C=$(A) x-$(C) $A $" },
        { "\"env\":[{\"name\":\"A\",\"value\":\"$(\"},{\"name\":\"B\",\"value\":\"$()\"}]",
          "A=$(|B=$()" },
        { "\"env\":[" FIELD("N", "metadata.name") "," FIELD("U", "metadata.uid") "," FIELD(
              "S", "spec.serviceAccountName") "," FIELD("W", "spec.nodeName") "]",
          "N=p|U=u-1|S=robot|W=node-1" },
        { "\"env\":[" FIELD("I", "status.podIP") "," FIELD("J", "status.podIPs") "," FIELD(
              "H", "status.hostIP") "," FIELD("K", "status.hostIPs") "]",
          "I=10.1.0.5|J=10.1.0.5,fd00::5|H=10.0.0.7|K=10.0.0.7" },
        { "\"env\":[" FIELD("L", "metadata.labels") "," FIELD("M", "metadata.labels['b']") "," FIELD(
              "O", "metadata.annotations") "," FIELD("Z", "metadata.labels['zz']") "]",
          "L=a=\"1\"\nb=\"x\\\"y\"|M=x\"y|O=k=\"two\\nlines\"|Z=" },
        { "\"env\":[" FIELD("X", "spec.nope") "]", "unsupported fieldPath: spec.nope" },
        { "\"env\":[" AMOUNT("A", "limits.cpu", "1") "," AMOUNT("B", "limits.cpu", "1m") "," AMOUNT(
              "C", "requests.memory",
              "1Mi") "," AMOUNT("D", "limits.memory",
                                "1Gi") "," AMOUNT("E", "requests.memory",
                                                  "2Mi") "," AMOUNT("F", "requests.cpu", "1m") "]",
          "A=1|B=250|C=3|D=1|E=2|F=0" },
        { "\"env\":[" AMOUNT("A", "cpu", "1") "]", "unsupported container resource : cpu" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        const char *env = made(&a, cases[i].container);

        cr_expect_str_eq(env, cases[i].env, "case %zu: %s", i, env);
    }
}
