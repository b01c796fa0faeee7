/* TaintToleration: NoSchedule and NoExecute keep Pods away, PreferNoSchedule makes a node less
 * wanted. */
#include "api/core_v1.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

static bool tolerates(const struct core_v1_toleration *t, struct str key, struct str value,
                      struct str effect)
{
    if (t->effect.len && !str_eq(t->effect, effect))
        return false;
    if (t->key.len && !str_eq(t->key, key))
        return false;
    if (str_eq(t->operator, STR("Exists")))
        return true;
    return t->key.len && str_eq(t->value, value);
}

bool sched_tolerates(const struct core_v1_pod *pod, struct str key, struct str value,
                     struct str effect)
{
    for (uint32_t i = 0; i < pod->spec.tolerations.len; i++)
        if (tolerates(&pod->spec.tolerations.items[i], key, value, effect))
            return true;
    return false;
}

static void filter(const struct sched_cycle *c, const struct sched_node *n,
                   struct sched_reasons *why)
{
    const struct core_v1_node_spec *s = &API_OBJECT(n->object, struct core_v1_node)->spec;

    for (uint32_t i = 0; i < s->taints.len; i++) {
        const struct core_v1_taint *t = &s->taints.items[i];

        if (str_eq(t->effect, STR("PreferNoSchedule")) ||
            sched_tolerates(c->pod, t->key, t->value, t->effect))
            continue;
        sched_reason(why, arena_printf(c->arena, "node(s) had untolerated taint {%.*s: %.*s}",
                                       STR_ARG(t->key), STR_ARG(t->value)));
        return; /* the first is told of */
    }
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *n)
{
    const struct core_v1_node_spec *s = &API_OBJECT(n->object, struct core_v1_node)->spec;
    int64_t count = 0;

    for (uint32_t i = 0; i < s->taints.len; i++) {
        const struct core_v1_taint *t = &s->taints.items[i];

        count += str_eq(t->effect, STR("PreferNoSchedule")) &&
                 !sched_tolerates(c->pod, t->key, t->value, t->effect);
    }
    return count;
}

const struct sched_plugin taint_toleration_plugin = {
    .name = "TaintToleration",
    .events = SCHED_NODE_TAINTS,
    .filter = filter,
    .score = score,
    .weight = 3,
    .normalizes = true,
    .is_reverse = true,
};
