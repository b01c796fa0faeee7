/* TaintToleration: NoSchedule and NoExecute keep Pods away, PreferNoSchedule makes a node less
 * wanted. */
#include "api/core_v1.h"
#include "api/node_match.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

bool sched_tolerates(const struct core_v1_pod *pod, const struct core_v1_taint *taint)
{
    for (uint32_t i = 0; i < pod->spec.tolerations.len; i++)
        if (node_match_tolerates(&pod->spec.tolerations.items[i], taint))
            return true;
    return false;
}

static bool is_soft(const struct core_v1_taint *t)
{
    return str_eq(t->effect, STR("PreferNoSchedule"));
}

bool sched_has_untolerated(const struct core_v1_pod *pod, const struct sched_node *n)
{
    const struct core_v1_node_spec *s;

    if (!n->has_taints)
        return false;
    s = &API_OBJECT(n->object, struct core_v1_node)->spec;
    for (uint32_t i = 0; i < s->taints.len; i++)
        if (!is_soft(&s->taints.items[i]) && !sched_tolerates(pod, &s->taints.items[i]))
            return true;
    return false;
}

static void filter(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                   struct sched_reasons *why)
{
    (void)row;
    if (sched_has_untolerated(c->pod, n))
        sched_reason_final(why, STR("node(s) had untolerated taint(s)"));
}

/* Without such taints all nodes score alike. */
static bool pre_score(struct sched_cycle *c, const size_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (scheduler_cache_node(c->cache, rows[i])->has_soft_taints)
            return true;
    return false;
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *n, size_t row)
{
    const struct core_v1_node_spec *s = &API_OBJECT(n->object, struct core_v1_node)->spec;
    int64_t count = 0;

    (void)row;
    for (uint32_t i = 0; n->has_soft_taints && i < s->taints.len; i++)
        count += is_soft(&s->taints.items[i]) && !sched_tolerates(c->pod, &s->taints.items[i]);
    return count;
}

static void normalize(const struct sched_cycle *c, const size_t *rows, int64_t *scores, size_t n)
{
    (void)c;
    (void)rows;
    sched_normalize(scores, n, true);
}

const struct sched_plugin taint_toleration_plugin = {
    .name = "TaintToleration",
    .events = SCHED_NODE_TAINTS,
    .filter = filter,
    .pre_score = pre_score,
    .score = score,
    .normalize = normalize,
    .weight = 3,
};
