#include "scheduler/scheduler_cache.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/text_map.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "scheduler/sched_amounts.h"

enum { MAX_TOPOLOGIES = 64 };

/* --- labels and images by row --- */

static void topology_set(struct sched_topology *t, size_t row, const struct api_object *node)
{
    const struct schema_str_entry *e =
        node ? text_map_find(&node->meta->labels, str_from_cstr(t->key)) : NULL;
    size_t value = 0;

    while (t->of_row.len <= row)
        VEC_PUSH(&t->of_row, 0);
    if (e) {
        value = (size_t)(uintptr_t)map_get(&t->values, e->value);
        if (!value) {
            value = t->n++;
            (void)map_put(&t->values, e->value, (void *)(uintptr_t)value);
        }
    }
    t->of_row.items[row] = (uint32_t)value;
}

static void topology_free(struct sched_topology *t)
{
    map_done(&t->values);
    VEC_DONE(&t->of_row);
    mem_free(t->key);
    mem_free(t);
}

const struct sched_topology *scheduler_cache_topology(struct scheduler_cache *c, struct str key)
{
    struct sched_topology *t;

    VEC_FOREACH(struct sched_topology **, i, &c->topologies)
        if (str_eq(str_from_cstr((*i)->key), key))
            return *i;
    t = NEW(struct sched_topology);
    t->key = str_heap_cstr(key);
    t->n = 1;
    for (size_t row = 0; row < c->nodes.len; row++)
        topology_set(t, row, c->nodes.items[row].object);
    VEC_PUSH(&c->topologies, t);
    return t;
}

/* Keys that Pods made up, and columns with many values that no node has any more. */
void scheduler_cache_trim(struct scheduler_cache *c)
{
    size_t kept = 0, surplus = c->topologies.len > MAX_TOPOLOGIES ? c->topologies.len / 2 : 0;

    for (size_t i = 0; i < c->topologies.len; i++) {
        struct sched_topology *t = c->topologies.items[i];

        if (i < surplus || t->n > 2 * c->nodes.len + MAX_TOPOLOGIES)
            topology_free(t);
        else
            c->topologies.items[kept++] = t;
    }
    c->topologies.len = kept;
}

static void image_set(struct scheduler_cache *c, struct str name, size_t row, int64_t bytes,
                      bool is_there)
{
    struct sched_image *i = map_get(&c->images, name);

    if (is_there && !i) {
        i = NEW(struct sched_image);
        (void)map_put(&c->images, name, i);
    }
    if (!i)
        return;
    if (is_there) {
        VEC_RESERVE(&i->nodes, 1);
        i->nodes.items[i->nodes.len].row = (uint32_t)row;
        i->nodes.items[i->nodes.len++].bytes = bytes;
        return;
    }
    for (size_t k = 0; k < i->nodes.len; k++)
        if (i->nodes.items[k].row == row) {
            i->nodes.items[k] = VEC_LAST(&i->nodes);
            i->nodes.len--;
            break;
        }
    if (!i->nodes.len) {
        (void)map_remove(&c->images, name);
        VEC_DONE(&i->nodes);
        mem_free(i);
    }
}

static void images_set(struct scheduler_cache *c, size_t row, const struct api_object *node,
                       bool is_there)
{
    const struct core_v1_node *n = node ? API_OBJECT(node, struct core_v1_node) : NULL;

    for (uint32_t i = 0; n && i < n->status.images.len; i++)
        for (uint32_t k = 0; k < n->status.images.items[i].names.len; k++)
            image_set(c, n->status.images.items[i].names.items[k], row,
                      n->status.images.items[i].size_bytes, is_there);
}

const struct sched_image *scheduler_cache_image(const struct scheduler_cache *c, struct str name)
{
    return map_get(&c->images, name);
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

    if (n->object || n->pods.len || n->nominated.len || !n->name)
        return;
    (void)map_remove(&c->rows, str_from_cstr(n->name));
    mem_free(n->name);
    VEC_DONE(&n->pods);
    VEC_DONE(&n->nominated);
    *n = (struct sched_node){ .name = NULL };
    VEC_PUSH(&c->holes, row);
}

bool scheduler_cache_find_node(const struct scheduler_cache *c, struct str name, size_t *ret_row)
{
    size_t row = (size_t)(uintptr_t)map_get(&c->rows, name);

    if (!row || !c->nodes.items[row - 1].object)
        return false;
    *ret_row = row - 1;
    return true;
}

static void read_taints(struct sched_node *n)
{
    const struct core_v1_node_spec *s = &API_OBJECT(n->object, struct core_v1_node)->spec;

    n->is_unschedulable = s->unschedulable;
    n->has_taints = n->has_soft_taints = false;
    for (uint32_t i = 0; i < s->taints.len; i++)
        if (str_eq(s->taints.items[i].effect, STR("PreferNoSchedule")))
            n->has_soft_taints = true;
        else
            n->has_taints = true;
}

void scheduler_cache_set_node(struct scheduler_cache *c, const struct api_object *node)
{
    size_t row = row_of(c, node->meta->name);
    struct sched_node *n = &c->nodes.items[row];

    images_set(c, row, n->object, false);
    c->n_nodes += !n->object;
    api_object_unref(n->object);
    n->object = api_object_ref(node);
    sched_amounts_of_node(c, &API_OBJECT(node, struct core_v1_node)->status.allocatable,
                          &n->allocatable);
    read_taints(n);
    images_set(c, row, n->object, true);
    VEC_FOREACH(struct sched_topology **, t, &c->topologies)
        topology_set(*t, row, node);
}

void scheduler_cache_remove_node(struct scheduler_cache *c, struct str name)
{
    size_t row;
    struct sched_node *n;

    if (!scheduler_cache_find_node(c, name, &row))
        return;
    n = &c->nodes.items[row];
    images_set(c, row, n->object, false);
    VEC_FOREACH(struct sched_topology **, t, &c->topologies)
        topology_set(*t, row, NULL);
    api_object_unref(n->object);
    n->object = NULL; /* its Pods still count should it come back */
    n->allocatable = (struct sched_resources){ 0 };
    c->n_nodes--;
    maybe_free_row(c, row);
}

/* --- Pods --- */

void scheduler_cache_try(struct sched_node *n, struct sched_pod *p, bool is_there)
{
    int sign = is_there ? 1 : -1;

    sched_amounts_add(&n->requested, &p->request, sign);
    n->scored_cpu += sign * p->scored_cpu;
    n->scored_memory += sign * p->scored_memory;
    if (is_there) {
        VEC_PUSH(&n->pods, p);
        return;
    }
    for (size_t i = n->pods.len; i--;)
        if (n->pods.items[i] == p) {
            n->pods.items[i] = VEC_LAST(&n->pods);
            n->pods.len--;
            return;
        }
}

static struct sched_pod *pod_new(struct scheduler_cache *c, const struct api_object *pod,
                                 size_t row)
{
    const struct core_v1_pod *spec = API_OBJECT(pod, struct core_v1_pod);
    struct sched_pod *p = NEW(struct sched_pod);

    p->object = api_object_ref(pod);
    p->node = row;
    p->priority = spec->spec.priority ? *spec->spec.priority : 0;
    p->class = pod_classes_get(&c->classes, pod);
    sched_pod_request(c, spec, &p->request);
    sched_pod_scored(spec, &p->scored_cpu, &p->scored_memory);
    return p;
}

static void pod_free(struct scheduler_cache *c, struct sched_pod *p)
{
    pod_classes_put(&c->classes, p->class);
    api_object_unref(p->object);
    mem_free(p);
}

static void uncount(struct scheduler_cache *c, struct sched_pod *p)
{
    size_t row = p->node;

    scheduler_cache_try(&c->nodes.items[row], p, false);
    pod_class_remove(&c->classes, p->class, p);
    pod_free(c, p);
    maybe_free_row(c, row);
}

/* The new goes before the old, so that its row is not freed in between. */
static void place(struct scheduler_cache *c, const struct api_object *pod, size_t row,
                  bool is_assumed)
{
    struct sched_pod *p = pod_new(c, pod, row), *old;

    p->is_assumed = is_assumed;
    old = map_put(&c->pods, pod->meta->uid, p);
    scheduler_cache_try(&c->nodes.items[row], p, true);
    pod_class_add(p->class, p, (uint32_t)row, pod->meta->deletion_timestamp.set);
    scheduler_cache_unnominate(c, pod->meta->uid);
    if (old)
        uncount(c, old);
}

/* The same for all that is counted: of a Pod's many changes of status few matter. */
static bool is_same(const struct sched_pod *p, const struct api_object *pod, size_t row)
{
    return p->node == row && p->object->meta->generation == pod->meta->generation &&
           pod->meta->generation &&
           p->object->meta->deletion_timestamp.set == pod->meta->deletion_timestamp.set &&
           sched_same_map(&p->object->meta->labels, &pod->meta->labels);
}

bool sched_same_map(const void *a, const void *b)
{
    if (text_map_len(a) != text_map_len(b))
        return false;
    for (uint32_t i = 0; i < text_map_len(a); i++)
        if (!str_eq(text_map_items(a)[i].key, text_map_items(b)[i].key) ||
            !str_eq(text_map_items(a)[i].value, text_map_items(b)[i].value))
            return false;
    return true;
}

void scheduler_cache_set_pod(struct scheduler_cache *c, const struct api_object *pod)
{
    size_t row = row_of(c, API_OBJECT(pod, struct core_v1_pod)->spec.node_name);
    struct sched_pod *p = map_get(&c->pods, pod->meta->uid);

    if (p && is_same(p, pod, row)) {
        api_object_unref(p->object);
        p->object = api_object_ref(pod);
        p->is_assumed = false;
        return;
    }
    place(c, pod, row, false);
}

void scheduler_cache_assume(struct scheduler_cache *c, const struct api_object *pod, size_t row)
{
    place(c, pod, row, true);
}

void scheduler_cache_remove_pod(struct scheduler_cache *c, struct str uid)
{
    struct sched_pod *p = map_remove(&c->pods, uid);

    if (p)
        uncount(c, p);
}

void scheduler_cache_forget(struct scheduler_cache *c, struct str uid)
{
    const struct sched_pod *p = map_get(&c->pods, uid);

    if (p && p->is_assumed)
        scheduler_cache_remove_pod(c, uid);
}

void scheduler_cache_nominate(struct scheduler_cache *c, const struct api_object *pod,
                              struct str node)
{
    struct sched_pod *p = map_get(&c->nominated, pod->meta->uid);

    if (p && str_eq(str_from_cstr(c->nodes.items[p->node].name), node))
        return;
    scheduler_cache_unnominate(c, pod->meta->uid);
    if (!node.len)
        return;
    p = pod_new(c, pod, row_of(c, node));
    VEC_PUSH(&c->nodes.items[p->node].nominated, p);
    (void)map_put(&c->nominated, pod->meta->uid, p);
}

void scheduler_cache_unnominate(struct scheduler_cache *c, struct str uid)
{
    struct sched_pod *p = map_remove(&c->nominated, uid);
    struct sched_node *n;
    size_t row;

    if (!p)
        return;
    row = p->node;
    n = &c->nodes.items[row];
    for (size_t i = 0; i < n->nominated.len; i++)
        if (n->nominated.items[i] == p) {
            n->nominated.items[i] = VEC_LAST(&n->nominated);
            n->nominated.len--;
            break;
        }
    pod_free(c, p);
    maybe_free_row(c, row);
}

static void pods_done(struct map *pods)
{
    MAP_FOREACH(it, pods) {
        struct sched_pod *p = it->value;

        api_object_unref(p->object);
        mem_free(p);
    }
    map_done(pods);
}

void scheduler_cache_done(struct scheduler_cache *c)
{
    pods_done(&c->pods);
    pods_done(&c->nominated);
    pod_classes_done(&c->classes);
    map_done(&c->rows);
    VEC_FOREACH(struct sched_node *, n, &c->nodes) {
        api_object_unref(n->object);
        mem_free(n->name);
        VEC_DONE(&n->pods);
        VEC_DONE(&n->nominated);
    }
    VEC_DONE(&c->nodes);
    VEC_DONE(&c->holes);
    VEC_FOREACH(char **, name, &c->extended)
        mem_free(*name);
    VEC_DONE(&c->extended);
    VEC_FOREACH(struct sched_topology **, t, &c->topologies)
        topology_free(*t);
    VEC_DONE(&c->topologies);
    MAP_FOREACH(it, &c->images) {
        struct sched_image *i = it->value;

        VEC_DONE(&i->nodes);
        mem_free(i);
    }
    map_done(&c->images);
}
