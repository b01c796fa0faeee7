#include "apiserver/registry/pod_condition.h"

#include "api/core_v1.h"
#include "base/arena.h"

struct core_v1_pod_condition *pod_condition_find(const struct core_v1_pod *pod, struct str type)
{
    for (uint32_t i = 0; i < pod->status.conditions.len; i++)
        if (str_eq(pod->status.conditions.items[i].type, type))
            return &pod->status.conditions.items[i];
    return NULL;
}

void pod_condition_set(struct arena *a, struct core_v1_pod *pod,
                       const struct core_v1_pod_condition *c)
{
    const struct core_v1_pod_condition *was = pod_condition_find(pod, c->type);
    uint32_t n = pod->status.conditions.len;
    struct core_v1_pod_condition *items = ARENA_NEW_ARRAY(a, struct core_v1_pod_condition, n + 1);
    size_t at = was ? (size_t)(was - pod->status.conditions.items) : n;

    if (n)
        memcpy(items, pod->status.conditions.items, n * sizeof(*items));
    items[at] = *c;
    if (was && str_eq(was->status, c->status))
        items[at].last_transition_time = was->last_transition_time;
    pod->status.conditions.items = items;
    pod->status.conditions.len = was ? n : n + 1;
}
