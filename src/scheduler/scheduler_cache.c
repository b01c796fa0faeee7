#include "scheduler/scheduler_cache.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/quantity.h"
#include "api/text_map.h"
#include "base/mem.h"
#include "client/api_object.h"

/* What a container counts for in scores when it asks for nothing. */
enum { DEFAULT_MILLI_CPU = 100, DEFAULT_MEMORY = 200 << 20 };

/* --- amounts --- */

static int extended_index(struct scheduler_cache *c, struct str name)
{
    for (size_t i = 0; i < c->extended.len; i++)
        if (str_eq(str_from_cstr(c->extended.items[i]), name))
            return (int)i;
    if (c->extended.len == SCHEDULER_MAX_EXTENDED)
        return -1;
    VEC_PUSH(&c->extended, str_heap_cstr(name));
    return (int)c->extended.len - 1;
}

static void set_amount(struct scheduler_cache *c, struct sched_resources *r, struct str name,
                       struct str value)
{
    struct quantity q;
    int i;

    if (!quantity_parse(value, &q))
        return;
    if (str_eq(name, STR("cpu"))) {
        r->milli_cpu = quantity_milli_value(q);
    } else if (str_eq(name, STR("memory"))) {
        r->memory = quantity_value(q);
    } else if (str_eq(name, STR("ephemeral-storage"))) {
        r->ephemeral = quantity_value(q);
    } else if (str_eq(name, STR("pods"))) {
        r->pods = quantity_value(q);
    } else {
        i = extended_index(c, name);
        if (i >= 0)
            r->extended[i] = quantity_value(q);
    }
}

static void read_list(struct scheduler_cache *c, const void *map, struct sched_resources *ret)
{
    *ret = (struct sched_resources){ 0 };
    for (uint32_t i = 0; i < text_map_len(map); i++)
        set_amount(c, ret, text_map_items(map)[i].key, text_map_items(map)[i].value);
}

static void add(struct sched_resources *to, const struct sched_resources *r, int sign)
{
    to->milli_cpu += sign * r->milli_cpu;
    to->memory += sign * r->memory;
    to->ephemeral += sign * r->ephemeral;
    to->pods += sign * r->pods;
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

void sched_pod_request(struct scheduler_cache *c, const struct core_v1_pod *pod,
                       struct sched_resources *ret)
{
    const struct core_v1_pod_spec *s = &pod->spec;
    struct sched_resources sidecars = { 0 }, one, peak = { 0 };

    *ret = (struct sched_resources){ 0 };
    for (uint32_t i = 0; i < s->containers.len; i++) {
        read_list(c, &s->containers.items[i].resources.requests, &one);
        add(ret, &one, 1);
    }
    /* An init container runs beside the sidecars that were started before it. */
    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        read_list(c, &s->init_containers.items[i].resources.requests, &one);
        if (str_eq(s->init_containers.items[i].restart_policy, STR("Always"))) {
            add(&sidecars, &one, 1);
            one = sidecars;
        } else {
            add(&one, &sidecars, 1);
        }
        at_least(&peak, &one);
    }
    add(ret, &sidecars, 1);
    at_least(ret, &peak);
    if (s->resources && text_map_len(&s->resources->requests)) { /* the Pod's own word */
        struct sched_resources own;

        read_list(c, &s->resources->requests, &own);
        at_least(ret, &own);
    }
    if (text_map_len(&s->overhead)) {
        read_list(c, &s->overhead, &one);
        add(ret, &one, 1);
    }
    ret->pods = 1;
}

void sched_pod_scored(const struct core_v1_pod *pod, int64_t *ret_cpu, int64_t *ret_memory)
{
    *ret_cpu = *ret_memory = 0;
    for (uint32_t i = 0; i < pod->spec.containers.len; i++) {
        const void *map = &pod->spec.containers.items[i].resources.requests;
        const struct schema_str_entry *cpu = text_map_find(map, STR("cpu")),
                                      *memory = text_map_find(map, STR("memory"));
        struct quantity q;

        *ret_cpu +=
            cpu && quantity_parse(cpu->value, &q) ? quantity_milli_value(q) : DEFAULT_MILLI_CPU;
        *ret_memory +=
            memory && quantity_parse(memory->value, &q) ? quantity_value(q) : DEFAULT_MEMORY;
    }
}

/* --- nodes --- */

static size_t row_of(struct scheduler_cache *c, struct str name)
{
    size_t row = (size_t)(uintptr_t)map_get(&c->rows, name);

    if (row)
        return row - 1;
    if (c->holes.len) {
        row = VEC_POP(&c->holes);
    } else {
        row = c->nodes.len;
        VEC_PUSH(&c->nodes, (struct sched_node){ .name = NULL });
    }
    c->nodes.items[row].name = str_heap_cstr(name);
    (void)map_put(&c->rows, name, (void *)(uintptr_t)(row + 1));
    return row;
}

/* A row that neither a node nor a Pod needs is free for another. */
static void maybe_free_row(struct scheduler_cache *c, size_t row)
{
    struct sched_node *n = &c->nodes.items[row];

    if (n->object || n->pods.len || !n->name)
        return;
    (void)map_remove(&c->rows, str_from_cstr(n->name));
    mem_free(n->name);
    VEC_DONE(&n->pods);
    *n = (struct sched_node){ .name = NULL };
    VEC_PUSH(&c->holes, row);
}

void scheduler_cache_set_node(struct scheduler_cache *c, const struct api_object *node)
{
    size_t row = row_of(c, node->meta->name);
    struct sched_node *n = &c->nodes.items[row];

    api_object_unref(n->object);
    n->object = api_object_ref(node);
    read_list(c, &API_OBJECT(node, struct core_v1_node)->status.allocatable, &n->allocatable);
}

void scheduler_cache_remove_node(struct scheduler_cache *c, struct str name)
{
    size_t row = row_of(c, name);
    struct sched_node *n = &c->nodes.items[row];

    api_object_unref(n->object);
    n->object = NULL; /* its Pods still count should it come back */
    n->allocatable = (struct sched_resources){ 0 };
    maybe_free_row(c, row);
}

/* --- Pods --- */

static void count(struct scheduler_cache *c, struct sched_pod *p)
{
    struct sched_node *n = &c->nodes.items[p->node];

    add(&n->requested, &p->request, 1);
    n->scored_cpu += p->scored_cpu;
    n->scored_memory += p->scored_memory;
    VEC_PUSH(&n->pods, p);
}

static void uncount(struct scheduler_cache *c, struct sched_pod *p)
{
    struct sched_node *n = &c->nodes.items[p->node];

    add(&n->requested, &p->request, -1);
    n->scored_cpu -= p->scored_cpu;
    n->scored_memory -= p->scored_memory;
    for (size_t i = 0; i < n->pods.len; i++)
        if (n->pods.items[i] == p) {
            n->pods.items[i] = VEC_LAST(&n->pods);
            n->pods.len--;
            return;
        }
}

static void place(struct scheduler_cache *c, const struct api_object *pod, size_t row,
                  bool is_assumed)
{
    const struct core_v1_pod *spec = API_OBJECT(pod, struct core_v1_pod);
    struct sched_pod *p;

    scheduler_cache_remove_pod(c, pod->meta->uid);
    p = NEW(struct sched_pod);
    p->object = api_object_ref(pod);
    p->node = row;
    p->is_assumed = is_assumed;
    sched_pod_request(c, spec, &p->request);
    sched_pod_scored(spec, &p->scored_cpu, &p->scored_memory);
    (void)map_put(&c->pods, pod->meta->uid, p);
    count(c, p);
}

void scheduler_cache_set_pod(struct scheduler_cache *c, const struct api_object *pod)
{
    place(c, pod, row_of(c, API_OBJECT(pod, struct core_v1_pod)->spec.node_name), false);
}

void scheduler_cache_assume(struct scheduler_cache *c, const struct api_object *pod, size_t row)
{
    place(c, pod, row, true);
}

static void pod_free(struct sched_pod *p)
{
    api_object_unref(p->object);
    mem_free(p);
}

void scheduler_cache_remove_pod(struct scheduler_cache *c, struct str uid)
{
    struct sched_pod *p = map_remove(&c->pods, uid);

    if (!p)
        return;
    uncount(c, p);
    maybe_free_row(c, p->node);
    pod_free(p);
}

void scheduler_cache_forget(struct scheduler_cache *c, struct str uid)
{
    const struct sched_pod *p = map_get(&c->pods, uid);

    if (p && p->is_assumed)
        scheduler_cache_remove_pod(c, uid);
}

void scheduler_cache_done(struct scheduler_cache *c)
{
    MAP_FOREACH(it, &c->pods)
        pod_free(it->value);
    map_done(&c->pods);
    map_done(&c->rows);
    VEC_FOREACH(struct sched_node *, n, &c->nodes) {
        api_object_unref(n->object);
        mem_free(n->name);
        VEC_DONE(&n->pods);
    }
    VEC_DONE(&c->nodes);
    VEC_DONE(&c->holes);
    VEC_FOREACH(char **, name, &c->extended)
        mem_free(*name);
    VEC_DONE(&c->extended);
}
