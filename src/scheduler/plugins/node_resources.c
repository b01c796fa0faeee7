/* NodeResourcesFit (with LeastAllocated) and NodeResourcesBalancedAllocation. */
#include "api/core_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "scheduler/framework.h"

/* More than the node has in all is beyond preemption. */
static void compare(struct sched_reasons *why, int64_t want, int64_t have, int64_t used,
                    struct str text)
{
    if (want <= 0 || want <= have - used)
        return;
    sched_reason(why, text);
    why->is_unresolvable |= want > have;
}

/* A resource that no node has. */
static struct str unknown_name(const struct sched_cycle *c, const void *map)
{
    for (uint32_t i = 0; i < text_map_len(map); i++) {
        struct str name = text_map_items(map)[i].key;
        bool is_known = str_eq(name, STR("cpu")) || str_eq(name, STR("memory")) ||
                        str_eq(name, STR("ephemeral-storage")) || str_eq(name, STR("pods"));

        for (size_t k = 0; k < c->cache->extended.len && !is_known; k++)
            is_known = str_eq(name, str_from_cstr(c->cache->extended.items[k]));
        if (!is_known)
            return name;
    }
    return STR_NULL;
}

static struct str unknown_of(const struct sched_cycle *c)
{
    const struct core_v1_pod_spec *s = &c->pod->spec;
    struct str name = STR_NULL;

    for (uint32_t i = 0; i < s->containers.len && !name.len; i++)
        name = unknown_name(c, &s->containers.items[i].resources.requests);
    for (uint32_t i = 0; i < s->init_containers.len && !name.len; i++)
        name = unknown_name(c, &s->init_containers.items[i].resources.requests);
    return name.len ? name : unknown_name(c, &s->overhead);
}

static void filter(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                   struct sched_reasons *why)
{
    const struct sched_resources *have = &n->allocatable, *used = &n->requested,
                                 *want = &c->request;

    (void)row;
    if (used->pods + 1 > have->pods)
        sched_reason(why, STR("Too many pods"));
    compare(why, want->milli_cpu, have->milli_cpu, used->milli_cpu, STR("Insufficient cpu"));
    compare(why, want->memory, have->memory, used->memory, STR("Insufficient memory"));
    compare(why, want->ephemeral, have->ephemeral, used->ephemeral,
            STR("Insufficient ephemeral-storage"));
    for (size_t i = 0; i < c->cache->extended.len; i++)
        if (UNLIKELY(want->extended[i] > 0))
            compare(why, want->extended[i], have->extended[i], used->extended[i],
                    arena_printf(c->arena, "Insufficient %s", c->cache->extended.items[i]));
    if (UNLIKELY(want->unknown))
        sched_reason_final(why,
                           arena_printf(c->arena, "Insufficient %.*s", STR_ARG(unknown_of(c))));
}

static int64_t free_share(int64_t have, int64_t used)
{
    return have <= 0 || used > have ? 0 : (have - used) * SCHED_MAX_SCORE / have;
}

static int64_t least_allocated(const struct sched_cycle *c, const struct sched_node *n, size_t row)
{
    (void)row;
    return (free_share(n->allocatable.milli_cpu, n->scored_cpu + c->scored_cpu) +
            free_share(n->allocatable.memory, n->scored_memory + c->scored_memory)) /
           2;
}

const struct sched_plugin node_resources_fit_plugin = {
    .name = "NodeResourcesFit",
    .events = SCHED_NODE_ALLOCATABLE | SCHED_POD_DELETED | SCHED_POD_SCALED_DOWN,
    .filter = filter,
    .score = least_allocated,
    .weight = 1,
};

static double share(int64_t used, int64_t have)
{
    return used >= have ? 1 : (double)used / (double)have;
}

static bool asks_for_something(struct sched_cycle *c, const size_t *rows, size_t n)
{
    (void)rows;
    (void)n;
    return c->request.milli_cpu || c->request.memory;
}

static int64_t balance(const struct sched_node *n, int64_t milli_cpu, int64_t memory)
{
    double cpu = share(n->requested.milli_cpu + milli_cpu, n->allocatable.milli_cpu),
           mem = share(n->requested.memory + memory, n->allocatable.memory),
           apart = cpu > mem ? cpu - mem : mem - cpu;

    return (int64_t)((1 - apart / 2) * SCHED_MAX_SCORE);
}

/* Does the Pod bring the used shares of cpu and memory closer together, or apart? */
static int64_t balanced(const struct sched_cycle *c, const struct sched_node *n, size_t row)
{
    int64_t with = SCHED_MAX_SCORE, without = SCHED_MAX_SCORE;

    (void)row;
    if (n->allocatable.milli_cpu > 0 && n->allocatable.memory > 0) {
        with = balance(n, c->request.milli_cpu, c->request.memory);
        without = balance(n, 0, 0);
    }
    return SCHED_MAX_SCORE / 2 + (SCHED_MAX_SCORE / 2 + with - without) / 2;
}

const struct sched_plugin node_resources_balanced_plugin = {
    .name = "NodeResourcesBalancedAllocation",
    .pre_score = asks_for_something,
    .score = balanced,
    .weight = 1,
};
