#include "scheduler/sched_amounts.h"

#include "api/core_v1.h"
#include "api/quantity.h"
#include "api/text_map.h"
#include "base/mem.h"
#include "scheduler/scheduler_cache.h"

/* What a container counts for in scores when it asks for nothing. */
enum { DEFAULT_MILLI_CPU = 100, DEFAULT_MEMORY = 200 << 20 };

/* --- amounts --- */

/* Only nodes make names: what Pods make up must not fill the table. */
static int extended_index(struct scheduler_cache *c, struct str name, bool may_add)
{
    for (size_t i = 0; i < c->extended.len; i++)
        if (str_eq(str_from_cstr(c->extended.items[i]), name))
            return (int)i;
    if (!may_add || c->extended.len == SCHEDULER_MAX_EXTENDED)
        return -1;
    VEC_PUSH(&c->extended, str_heap_cstr(name));
    return (int)c->extended.len - 1;
}

static void set_amount(struct scheduler_cache *c, struct sched_resources *r,
                       const struct schema_str_entry *e, bool is_node)
{
    struct quantity q;
    int i;

    if (!quantity_parse(e->value, &q))
        return;
    if (str_eq(e->key, STR("cpu"))) {
        r->milli_cpu = quantity_milli_value(q);
    } else if (str_eq(e->key, STR("memory"))) {
        r->memory = quantity_value(q);
    } else if (str_eq(e->key, STR("ephemeral-storage"))) {
        r->ephemeral = quantity_value(q);
    } else if (str_eq(e->key, STR("pods"))) {
        r->pods = quantity_value(q);
    } else if (c) {
        i = extended_index(c, e->key, is_node);
        if (i >= 0)
            r->extended[i] = quantity_value(q);
        else if (!is_node)
            r->unknown += quantity_value(q) > 0;
    }
}

static void read_list(struct scheduler_cache *c, const void *map, bool is_node,
                      struct sched_resources *ret)
{
    *ret = (struct sched_resources){ 0 };
    for (uint32_t i = 0; i < text_map_len(map); i++)
        set_amount(c, ret, &text_map_items(map)[i], is_node);
}

void sched_amounts_of_node(struct scheduler_cache *c, const void *map, struct sched_resources *ret)
{
    read_list(c, map, true, ret);
}

void sched_amounts_add(struct sched_resources *to, const struct sched_resources *r, int sign)
{
    to->milli_cpu += sign * r->milli_cpu;
    to->memory += sign * r->memory;
    to->ephemeral += sign * r->ephemeral;
    to->pods += sign * r->pods;
    to->unknown += sign * r->unknown;
    for (int i = 0; i < SCHEDULER_MAX_EXTENDED; i++)
        to->extended[i] += sign * r->extended[i];
}

static void at_least(struct sched_resources *to, const struct sched_resources *r)
{
    to->milli_cpu = MAX(to->milli_cpu, r->milli_cpu);
    to->memory = MAX(to->memory, r->memory);
    to->ephemeral = MAX(to->ephemeral, r->ephemeral);
    for (int i = 0; i < SCHEDULER_MAX_EXTENDED; i++)
        to->extended[i] = MAX(to->extended[i], r->extended[i]);
}

/* least: what counts when a container says nothing of it; NULL: nothing. */
static void read_container(struct scheduler_cache *c, const void *map,
                           const struct sched_resources *least, struct sched_resources *ret)
{
    read_list(c, map, false, ret);
    if (least && !text_map_find(map, STR("cpu")))
        ret->milli_cpu = least->milli_cpu;
    if (least && !text_map_find(map, STR("memory")))
        ret->memory = least->memory;
}

/* The Pod's own word goes before the sum of its containers, for what it names. */
static void own_word(struct scheduler_cache *c, const void *map, struct sched_resources *ret)
{
    struct sched_resources own;

    read_list(c, map, false, &own);
    if (text_map_find(map, STR("cpu")))
        ret->milli_cpu = own.milli_cpu;
    if (text_map_find(map, STR("memory")))
        ret->memory = own.memory;
}

static void pod_sum(struct scheduler_cache *c, const struct core_v1_pod *pod,
                    const struct sched_resources *least, struct sched_resources *ret)
{
    const struct core_v1_pod_spec *s = &pod->spec;
    struct sched_resources sidecars = { 0 }, one, peak = { 0 };

    *ret = (struct sched_resources){ 0 };
    for (uint32_t i = 0; i < s->containers.len; i++) {
        read_container(c, &s->containers.items[i].resources.requests, least, &one);
        sched_amounts_add(ret, &one, 1);
    }
    /* An init container runs beside the sidecars that were started before it. */
    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        read_container(c, &s->init_containers.items[i].resources.requests, least, &one);
        if (str_eq(s->init_containers.items[i].restart_policy, STR("Always"))) {
            sched_amounts_add(&sidecars, &one, 1);
            one = sidecars;
        } else {
            sched_amounts_add(&one, &sidecars, 1);
        }
        at_least(&peak, &one);
    }
    sched_amounts_add(ret, &sidecars, 1);
    at_least(ret, &peak);
    if (s->resources && text_map_len(&s->resources->requests))
        own_word(c, &s->resources->requests, ret);
    if (text_map_len(&s->overhead)) {
        read_list(c, &s->overhead, false, &one);
        sched_amounts_add(ret, &one, 1);
    }
}

void sched_pod_request(struct scheduler_cache *c, const struct core_v1_pod *pod,
                       struct sched_resources *ret)
{
    pod_sum(c, pod, NULL, ret);
    ret->pods = 1;
}

void sched_pod_scored(const struct core_v1_pod *pod, int64_t *ret_cpu, int64_t *ret_memory)
{
    static const struct sched_resources least = { .milli_cpu = DEFAULT_MILLI_CPU,
                                                  .memory = DEFAULT_MEMORY };
    struct sched_resources sum;

    pod_sum(NULL, pod, &least, &sum);
    *ret_cpu = sum.milli_cpu;
    *ret_memory = sum.memory;
}
