/* Pods: status at create, graceful deletion. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/text_map.h"
#include "apiserver/registry/strategies.h"
#include "base/macros.h"

enum { QOS_NONE, QOS_SOME, QOS_ALL };

static struct str compute(const void *map, const char *name)
{
    const struct schema_str_entry *e = text_map_find(map, str_from_cstr(name));

    /* Zero, however it is spelled, asks for nothing. */
    if (!e || !e->value.len || str_eq(e->value, STR("0")))
        return STR_NULL;
    return e->value;
}

/* What one container says of cpu and memory: nothing, something, or limits equal to requests. */
static int container_qos(const struct core_v1_container *c)
{
    static const char *const names[] = { "cpu", "memory" };
    bool any = false, all = true;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str request = compute(&c->resources.requests, names[i]);
        struct str limit = compute(&c->resources.limits, names[i]);

        any |= request.p || limit.p;
        all &= limit.p && (!request.p || str_eq(request, limit));
    }
    return all ? QOS_ALL : any ? QOS_SOME : QOS_NONE;
}

static struct str qos_class(const struct core_v1_pod_spec *spec)
{
    bool any = false, all = true;

    for (uint32_t i = 0; i < spec->containers.len; i++) {
        int q = container_qos(&spec->containers.items[i]);

        any |= q != QOS_NONE;
        all &= q == QOS_ALL;
    }
    for (uint32_t i = 0; i < spec->init_containers.len; i++) {
        int q = container_qos(&spec->init_containers.items[i]);

        any |= q != QOS_NONE;
        all &= q == QOS_ALL;
    }
    return !any ? STR("BestEffort") : all ? STR("Guaranteed") : STR("Burstable");
}

static void prepare_create(struct api_request *r, struct object o)
{
    struct core_v1_pod *pod = o.data;

    (void)r;
    pod->status.phase = STR("Pending");
    pod->status.qos_class = qos_class(&pod->spec);
}

/* Nobody runs a Pod that has no node or has ended: it goes at once. */
static int64_t grace_s(const struct meta_v1_delete_options *opts, struct object o)
{
    const struct core_v1_pod *pod = o.data;
    int64_t grace = 30;

    if (pod->spec.termination_grace_period_seconds)
        grace = *pod->spec.termination_grace_period_seconds;
    if (opts->grace_period_seconds)
        grace = *opts->grace_period_seconds;
    if (!pod->spec.node_name.len || str_eq(pod->status.phase, STR("Succeeded")) ||
        str_eq(pod->status.phase, STR("Failed")))
        return 0;
    return grace < 0 ? 1 : grace;
}

const struct strategy pod_strategy = {
    .group = STR_INIT(""),
    .resource = STR_INIT("pods"),
    .prepare_create = prepare_create,
    .grace_s = grace_s,
};
