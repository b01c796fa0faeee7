/* NodeResourcesFit (with LeastAllocated) and NodeResourcesBalancedAllocation. */
#include "api/core_v1.h"
#include "base/arena.h"
#include "scheduler/framework.h"

static void filter(const struct sched_cycle *c, const struct sched_node *n,
                   struct sched_reasons *why)
{
    const struct sched_resources *have = &n->allocatable, *used = &n->requested,
                                 *want = &c->request;

    if (used->pods + 1 > have->pods)
        sched_reason(why, STR("Too many pods"));
    if (want->milli_cpu > 0 && want->milli_cpu > have->milli_cpu - used->milli_cpu)
        sched_reason(why, STR("Insufficient cpu"));
    if (want->memory > 0 && want->memory > have->memory - used->memory)
        sched_reason(why, STR("Insufficient memory"));
    if (want->ephemeral > 0 && want->ephemeral > have->ephemeral - used->ephemeral)
        sched_reason(why, STR("Insufficient ephemeral-storage"));
    for (size_t i = 0; i < c->cache->extended.len; i++)
        if (want->extended[i] > 0 && want->extended[i] > have->extended[i] - used->extended[i])
            sched_reason(why,
                         arena_printf(c->arena, "Insufficient %s", c->cache->extended.items[i]));
}

static int64_t free_share(int64_t have, int64_t used)
{
    return have <= 0 || used > have ? 0 : (have - used) * SCHED_MAX_SCORE / have;
}

static int64_t least_allocated(const struct sched_cycle *c, const struct sched_node *n)
{
    return (free_share(n->allocatable.milli_cpu, n->scored_cpu + c->scored_cpu) +
            free_share(n->allocatable.memory, n->scored_memory + c->scored_memory)) /
           2;
}

const struct sched_plugin node_resources_fit_plugin = {
    .name = "NodeResourcesFit",
    .events = SCHED_NODE_ALLOCATABLE | SCHED_POD_DELETED,
    .filter = filter,
    .score = least_allocated,
    .weight = 1,
};

static double share(int64_t used, int64_t have)
{
    return used >= have ? 1 : (double)used / (double)have;
}

/* The closer the shares of cpu and memory that are used, the better. */
static int64_t balanced(const struct sched_cycle *c, const struct sched_node *n)
{
    double cpu, memory, apart;

    if (n->allocatable.milli_cpu <= 0 || n->allocatable.memory <= 0)
        return 0;
    cpu = share(n->requested.milli_cpu + c->request.milli_cpu, n->allocatable.milli_cpu);
    memory = share(n->requested.memory + c->request.memory, n->allocatable.memory);
    apart = cpu > memory ? cpu - memory : memory - cpu;
    return (int64_t)((1 - apart / 2) * SCHED_MAX_SCORE);
}

const struct sched_plugin node_resources_balanced_plugin = {
    .name = "NodeResourcesBalancedAllocation",
    .score = balanced,
    .weight = 1,
};
