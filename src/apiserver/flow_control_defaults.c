/* The priority levels and FlowSchemas that every cluster begins with, as upstream has them (KEP
 * 1040): "exempt" and "catch-all" are mandatory, the others a suggestion. Deleted ones come back.
 */
#include "apiserver/apiserver_internal.h"
#include "apiserver/bootstrap.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/macros.h"
#include "codec/time_text.h"

#define FLOW_GROUP STR_INIT("flowcontrol.apiserver.k8s.io")
#define META(name)                                                                                 \
    "{\"metadata\":{\"name\":\"" name                                                              \
    "\",\"annotations\":{\"apf.kubernetes.io/autoupdate-spec\":\"true\"}}"

/* --- levels --- */

#define LIMITED(name, shares, lendable, response)                                                  \
    META(name)                                                                                     \
    ",\"spec\":{\"type\":\"Limited\",\"limited\":{\"nominalConcurrencyShares\":" #shares           \
    ",\"lendablePercent\":" #lendable ",\"limitResponse\":{" response "}}}}"
#define QUEUED(name, shares, lendable, queues, hand)                                               \
    LIMITED(name, shares, lendable,                                                                \
            "\"type\":\"Queue\",\"queuing\":{\"queues\":" #queues ",\"handSize\":" #hand           \
            ",\"queueLengthLimit\":50}")

static const char *const levels[] = {
    META("exempt") ",\"spec\":{\"type\":\"Exempt\",\"exempt\":{\"nominalConcurrencyShares\":0,"
                   "\"lendablePercent\":0}}}",
    LIMITED("catch-all", 5, 0, "\"type\":\"Reject\""),
    QUEUED("system", 30, 33, 64, 6),
    QUEUED("node-high", 40, 25, 64, 6),
    QUEUED("leader-election", 10, 0, 16, 4),
    QUEUED("workload-high", 40, 50, 128, 6),
    QUEUED("workload-low", 100, 90, 128, 6),
    QUEUED("global-default", 20, 50, 128, 6),
};

/* --- schemas --- */

#define USER(name)  "{\"kind\":\"User\",\"user\":{\"name\":\"" name "\"}}"
#define GROUP(name) "{\"kind\":\"Group\",\"group\":{\"name\":\"" name "\"}}"
#define ACCOUNTS(ns)                                                                               \
    "{\"kind\":\"ServiceAccount\",\"serviceAccount\":{\"namespace\":\"" ns "\",\"name\":\"*\"}}"
#define EVERYBODY GROUP("system:unauthenticated") "," GROUP("system:authenticated")
#define RESOURCES(verbs, group, cluster, resources)                                                \
    "{\"verbs\":[" verbs "],\"apiGroups\":[\"" group "\"],\"resources\":[" resources               \
    "],\"namespaces\":[\"*\"]" cluster "}"
#define CLUSTER ",\"clusterScope\":true"
#define PATHS(verb, paths)                                                                         \
    "\"nonResourceRules\":[{\"verbs\":[\"" verb "\"],\"nonResourceURLs\":[" paths "]}]"
#define EVERYTHING                                                                                 \
    "\"resourceRules\":[" RESOURCES("\"*\"", "*", CLUSTER, "\"*\"") "]," PATHS("*", "\"*\"")

static const struct flow_schema {
    const char *name, *level;
    unsigned precedence;
    const char *distinguisher; /* NULL: all are one flow */
    const char *subjects, *rules;
} schemas[] = {
    { "exempt", "exempt", 1, NULL, GROUP("system:masters"), EVERYTHING },
    { "probes", "exempt", 2, NULL, EVERYBODY, PATHS("get", "\"/healthz\",\"/readyz\",\"/livez\"") },
    { "system-leader-election", "leader-election", 100, "ByUser",
      USER("system:kube-controller-manager") "," USER("system:kube-scheduler") "," ACCOUNTS(
          "kube-system"),
      "\"resourceRules\":[" RESOURCES("\"get\",\"create\",\"update\"", "coordination.k8s.io", "",
                                      "\"leases\"") "]" },
    { "system-node-high", "node-high", 400, "ByUser", GROUP("system:nodes"),
      "\"resourceRules\":[" RESOURCES(
          "\"*\"", "", CLUSTER, "\"nodes\",\"nodes/status\"") "," RESOURCES("\"*\"",
                                                                            "coordination.k8s.io",
                                                                            "", "\"leases\"") "]" },
    { "system-nodes", "system", 500, "ByUser", GROUP("system:nodes"), EVERYTHING },
    { "kube-controller-manager", "workload-high", 800, "ByNamespace",
      USER("system:kube-controller-manager"), EVERYTHING },
    { "kube-scheduler", "workload-high", 800, "ByNamespace", USER("system:kube-scheduler"),
      EVERYTHING },
    { "kube-system-service-accounts", "workload-high", 900, "ByNamespace", ACCOUNTS("kube-system"),
      EVERYTHING },
    { "service-accounts", "workload-low", 9000, "ByUser", GROUP("system:serviceaccounts"),
      EVERYTHING },
    { "global-default", "global-default", 9900, "ByUser", EVERYBODY, EVERYTHING },
    { "catch-all", "catch-all", 10000, "ByUser", EVERYBODY, EVERYTHING },
};

static struct str schema_json(struct arena *a, const struct flow_schema *f, struct str now)
{
    struct buf b = { .arena = a };

    buf_printf(&b,
               META("%s") ",\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"%s\"},"
                          "\"matchingPrecedence\":%u,",
               f->name, f->level, f->precedence);
    if (f->distinguisher)
        buf_printf(&b, "\"distinguisherMethod\":{\"type\":\"%s\"},", f->distinguisher);
    buf_printf(&b, "\"rules\":[{\"subjects\":[%s],%s}]}", f->subjects, f->rules);
    buf_printf(
        &b,
        ",\"status\":{\"conditions\":[{\"type\":\"Dangling\",\"status\":\"False\","
        "\"lastTransitionTime\":\"%.*s\",\"reason\":\"Found\",\"message\":\"This FlowSchema "
        "references the PriorityLevelConfiguration object named \\\"%s\\\" and it exists\"}]}}",
        STR_ARG(now), f->level);
    return buf_str(&b);
}

static size_t objects(const struct apiserver *s, struct arena *a, struct bootstrap_object *ret)
{
    struct buf now = { .arena = a };
    size_t n = 0;

    time_text_print(&now, clock_wall_s(s->clock));
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        ret[n++] = (struct bootstrap_object){ .group = FLOW_GROUP,
                                              .resource = STR("prioritylevelconfigurations"),
                                              .json = str_from_cstr(levels[i]) };
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++)
        ret[n++] = (struct bootstrap_object){ .group = FLOW_GROUP,
                                              .resource = STR("flowschemas"),
                                              .json = schema_json(a, &schemas[i], buf_str(&now)) };
    return n;
}

const struct kept_set flow_control_set = {
    .name = "flow control",
    .places = { { .group = FLOW_GROUP, .resource = STR_INIT("flowschemas") },
                { .group = FLOW_GROUP, .resource = STR_INIT("prioritylevelconfigurations") } },
    .n_places = 2,
    .max = ARRAY_LEN(levels) + ARRAY_LEN(schemas),
    .objects = objects,
};
