/* InterPodAffinity: together with Pods, or apart from them, by a label of their nodes. Required
 * terms of the Pod and of those that run already; preferred ones of both as scores. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

enum { HARD_AFFINITY_WEIGHT = 1 };

/* How many Pods that a term means are in each domain of its key. */
struct counted_term {
    const struct sched_term *term;
    const struct sched_topology *topology;
    int64_t *counts; /* by the topology's number */
};

/* Pods whose own anti-affinity means this Pod: by key, all terms together. */
struct repelling {
    const struct sched_topology *topology;
    int64_t *counts;
};

struct affinity_filter {
    struct counted_term *affinity, *anti;
    uint32_t n_affinity, n_anti;
    int64_t total;          /* of all counts of affinity */
    bool means_itself;      /* every term of affinity means the Pod itself */
    const void *own_labels; /* of the Pod's namespace */
    struct repelling *repelling;
    size_t n_repelling, cap_repelling;
};

static const void *namespace_labels(const struct sched_cycle *c, struct str name)
{
    const struct api_object *o =
        c->lister ? c->lister->get(c->lister->arg, SCHED_NAMESPACES, STR(""), name) : NULL;

    return o ? &o->meta->labels : NULL;
}

static bool term_means(const struct sched_cycle *c, const struct sched_term *t,
                       const struct pod_class *k)
{
    return sched_term_means(t, k,
                            t->has_namespace_selector ? namespace_labels(c, k->namespace) : NULL);
}

/* --- classes that a term may mean --- */

typedef void class_fn(struct sched_cycle *c, const struct pod_class *k, void *arg);

/* All classes of the namespaces that terms name; all there are when one selects namespaces. */
static void each_class(struct sched_cycle *c, const struct sched_terms *terms, class_fn *fn,
                       void *arg)
{
    const struct pod_namespace *n;
    bool selects = false, others = false;

    for (uint32_t i = 0; i < terms->len; i++) {
        selects |= terms->items[i].has_namespace_selector;
        for (uint32_t k = 0; k < terms->items[i].n_namespaces; k++)
            others |= !str_eq(terms->items[i].namespaces[k], c->class->namespace);
    }
    if (!selects && !others) {
        n = terms->len ? pod_classes_in(&c->cache->classes, c->class->namespace) : NULL;
        for (size_t i = 0; n && i < n->classes.len; i++)
            fn(c, n->classes.items[i], arg);
        return;
    }
    MAP_FOREACH(it, &c->cache->classes.by_key)
        fn(c, it->value, arg);
}

static uint32_t domain_of(const struct sched_topology *t, uint32_t row)
{
    return row < t->of_row.len ? t->of_row.items[row] : 0;
}

static void count_members(const struct pod_class *k, const struct sched_topology *t,
                          int64_t *counts, int64_t weight)
{
    for (size_t i = 0; i < k->members.len; i++)
        counts[domain_of(t, k->members.items[i].row)] += weight;
}

/* --- PreFilter --- */

static struct counted_term *prepare(struct sched_cycle *c, const struct sched_terms *terms)
{
    struct counted_term *t = ARENA_NEW_ARRAY(c->arena, struct counted_term, terms->len);

    for (uint32_t i = 0; i < terms->len; i++) {
        t[i].term = &terms->items[i];
        t[i].topology = scheduler_cache_topology(c->cache, terms->items[i].topology_key);
        t[i].counts = ARENA_NEW_ARRAY(c->arena, int64_t, t[i].topology->n);
    }
    return t;
}

static bool all_mean(const struct sched_cycle *c, const struct sched_terms *terms,
                     const struct pod_class *k)
{
    for (uint32_t i = 0; i < terms->len; i++)
        if (!term_means(c, &terms->items[i], k))
            return false;
    return terms->len;
}

static int64_t total_of(const struct affinity_filter *f)
{
    int64_t total = 0;

    for (uint32_t i = 0; i < f->n_affinity; i++)
        for (uint32_t k = 1; k < f->affinity[i].topology->n; k++)
            total += f->affinity[i].counts[k];
    return total;
}

/* A Pod counts for affinity only when all terms mean it; for anti-affinity each term by itself. */
static void count_affinity(struct sched_cycle *c, const struct pod_class *k, void *arg)
{
    struct affinity_filter *f = arg;

    if (!k->members.len || !all_mean(c, &c->class->affinity, k))
        return;
    for (uint32_t i = 0; i < f->n_affinity; i++)
        count_members(k, f->affinity[i].topology, f->affinity[i].counts, 1);
}

static void count_anti(struct sched_cycle *c, const struct pod_class *k, void *arg)
{
    struct affinity_filter *f = arg;

    for (uint32_t i = 0; i < f->n_anti && k->members.len; i++)
        if (term_means(c, f->anti[i].term, k))
            count_members(k, f->anti[i].topology, f->anti[i].counts, 1);
}

static struct repelling *repelling_of(struct sched_cycle *c, struct affinity_filter *f,
                                      struct str key)
{
    const struct sched_topology *t = scheduler_cache_topology(c->cache, key);
    struct repelling *grown;

    for (size_t i = 0; i < f->n_repelling; i++)
        if (f->repelling[i].topology == t)
            return &f->repelling[i];
    if (f->n_repelling == f->cap_repelling) {
        f->cap_repelling = f->cap_repelling ? f->cap_repelling * 2 : 4;
        grown = ARENA_NEW_ARRAY(c->arena, struct repelling, f->cap_repelling);
        if (f->n_repelling)
            memcpy(grown, f->repelling, f->n_repelling * sizeof(*grown));
        f->repelling = grown;
    }
    f->repelling[f->n_repelling] =
        (struct repelling){ t, ARENA_NEW_ARRAY(c->arena, int64_t, t->n) };
    return &f->repelling[f->n_repelling++];
}

static bool means_me(const struct sched_cycle *c, const struct affinity_filter *f,
                     const struct sched_term *t)
{
    return sched_term_means(t, c->class, f->own_labels);
}

static void count_repelling(struct sched_cycle *c, struct affinity_filter *f)
{
    for (size_t i = 0; i < c->cache->classes.with_anti.len; i++) {
        const struct pod_class *k = c->cache->classes.with_anti.items[i];

        for (uint32_t t = 0; t < k->anti_affinity.len && k->members.len; t++)
            if (means_me(c, f, &k->anti_affinity.items[t])) {
                const struct repelling *r =
                    repelling_of(c, f, k->anti_affinity.items[t].topology_key);

                count_members(k, r->topology, r->counts, 1);
            }
    }
}

static bool has_nominated_anti(const struct sched_cycle *c)
{
    MAP_FOREACH(it, &c->cache->nominated) {
        const struct sched_pod *p = it->value;

        if (p->class->anti_affinity.len)
            return true;
    }
    return false;
}

static bool pre_filter(struct sched_cycle *c)
{
    struct affinity_filter *f = ARENA_NEW(c->arena, struct affinity_filter);

    c->affinity_filter = f;
    f->own_labels = namespace_labels(c, c->class->namespace);
    f->affinity = prepare(c, &c->class->affinity);
    f->n_affinity = c->class->affinity.len;
    f->anti = prepare(c, &c->class->anti_affinity);
    f->n_anti = c->class->anti_affinity.len;
    if (f->n_affinity)
        each_class(c, &c->class->affinity, count_affinity, f);
    if (f->n_anti)
        each_class(c, &c->class->anti_affinity, count_anti, f);
    f->total = total_of(f);
    f->means_itself = all_mean(c, &c->class->affinity, c->class);
    count_repelling(c, f);
    return f->n_affinity || f->n_anti || f->n_repelling || has_nominated_anti(c);
}

static void try_pod(struct sched_cycle *c, const struct sched_pod *p, bool is_there)
{
    struct affinity_filter *f = c->affinity_filter;
    int64_t weight = is_there ? 1 : -1;
    uint32_t row = (uint32_t)p->node;

    if (all_mean(c, &c->class->affinity, p->class))
        for (uint32_t i = 0; i < f->n_affinity; i++) {
            uint32_t d = domain_of(f->affinity[i].topology, row);

            f->affinity[i].counts[d] += weight;
            f->total += d ? weight : 0;
        }
    for (uint32_t i = 0; i < f->n_anti; i++)
        if (term_means(c, f->anti[i].term, p->class))
            f->anti[i].counts[domain_of(f->anti[i].topology, row)] += weight;
    for (uint32_t i = 0; i < p->class->anti_affinity.len; i++)
        if (means_me(c, f, &p->class->anti_affinity.items[i])) {
            struct repelling *r = repelling_of(c, f, p->class->anti_affinity.items[i].topology_key);

            r->counts[domain_of(r->topology, row)] += weight;
        }
}

/* --- Filter --- */

static bool has_friends(const struct affinity_filter *f, uint32_t row)
{
    bool all = true;

    for (uint32_t i = 0; i < f->n_affinity; i++) {
        uint32_t d = domain_of(f->affinity[i].topology, row);

        if (!d)
            return false;
        all &= f->affinity[i].counts[d] > 0;
    }
    /* The first of a group that wants to be together may go anywhere. */
    return all || (!f->total && f->means_itself);
}

static bool has_foes(const struct affinity_filter *f, uint32_t row)
{
    for (uint32_t i = 0; i < f->n_anti; i++) {
        uint32_t d = domain_of(f->anti[i].topology, row);

        if (d && f->anti[i].counts[d] > 0)
            return true;
    }
    return false;
}

static bool is_repelled(const struct affinity_filter *f, uint32_t row)
{
    for (size_t i = 0; i < f->n_repelling; i++) {
        uint32_t d = domain_of(f->repelling[i].topology, row);

        if (d && f->repelling[i].counts[d] > 0)
            return true;
    }
    return false;
}

static void filter(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                   struct sched_reasons *why)
{
    const struct affinity_filter *f = c->affinity_filter;

    (void)n;
    if (!has_friends(f, (uint32_t)row))
        sched_reason_final(why, STR("node(s) didn't match pod affinity rules"));
    else if (has_foes(f, (uint32_t)row))
        sched_reason(why, STR("node(s) didn't match pod anti-affinity rules"));
    else if (is_repelled(f, (uint32_t)row))
        sched_reason(why, STR("node(s) didn't satisfy existing pods anti-affinity rules"));
}

/* --- Score --- */

/* Weights that a class of Pods gives to the domains of a key, spread over its rows. */
struct weighed_key {
    const struct sched_topology *topology;
    int64_t *weights;
};
struct weighing {
    struct VEC(struct weighed_key) keys;
};

static int64_t *weights_of(struct sched_cycle *c, struct weighing *w, struct str key,
                           const struct sched_topology **ret)
{
    const struct sched_topology *t = scheduler_cache_topology(c->cache, key);
    struct weighed_key new = { t, NULL };

    *ret = t;
    for (size_t i = 0; i < w->keys.len; i++)
        if (w->keys.items[i].topology == t)
            return w->keys.items[i].weights;
    new.weights = ARENA_NEW_ARRAY(c->arena, int64_t, t->n);
    VEC_PUSH(&w->keys, new);
    return new.weights;
}

static void weigh(struct sched_cycle *c, struct weighing *w, const struct sched_term *t,
                  const struct pod_class *k, int64_t weight)
{
    const struct sched_topology *topology;
    int64_t *weights = weights_of(c, w, t->topology_key, &topology);

    count_members(k, topology, weights, weight);
}

static void weigh_mine(struct sched_cycle *c, const struct pod_class *k, void *arg)
{
    const struct sched_terms *mine = &c->class->preferred;

    for (uint32_t i = 0; i < mine->len && k->members.len; i++)
        if (term_means(c, &mine->items[i], k))
            weigh(c, arg, &mine->items[i], k, mine->items[i].weight);
}

static void weigh_theirs(struct sched_cycle *c, struct weighing *w)
{
    const void *own = namespace_labels(c, c->class->namespace);

    for (size_t i = 0; i < c->cache->classes.with_terms.len; i++) {
        const struct pod_class *k = c->cache->classes.with_terms.items[i];

        if (!k->members.len)
            continue;
        for (uint32_t t = 0; t < k->affinity.len; t++)
            if (sched_term_means(&k->affinity.items[t], c->class, own))
                weigh(c, w, &k->affinity.items[t], k, HARD_AFFINITY_WEIGHT);
        for (uint32_t t = 0; t < k->preferred.len; t++)
            if (sched_term_means(&k->preferred.items[t], c->class, own))
                weigh(c, w, &k->preferred.items[t], k, k->preferred.items[t].weight);
    }
}

static bool pre_score(struct sched_cycle *c, const size_t *rows, size_t n)
{
    struct weighing w = { 0 };

    if (c->class->preferred.len)
        each_class(c, &c->class->preferred, weigh_mine, &w);
    weigh_theirs(c, &w);
    if (w.keys.len)
        c->affinity_score = ARENA_NEW_ARRAY(c->arena, int64_t, c->cache->nodes.len);
    for (size_t k = 0; k < w.keys.len; k++) {
        w.keys.items[k].weights[0] = 0;
        for (size_t i = 0; i < n; i++)
            c->affinity_score[rows[i]] +=
                w.keys.items[k].weights[domain_of(w.keys.items[k].topology, (uint32_t)rows[i])];
    }
    VEC_DONE(&w.keys);
    return c->affinity_score;
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *n, size_t row)
{
    (void)n;
    return c->affinity_score[row];
}

static void normalize(const struct sched_cycle *c, const size_t *rows, int64_t *scores, size_t n)
{
    int64_t min = INT64_MAX, max = INT64_MIN;

    (void)c;
    (void)rows;
    for (size_t i = 0; i < n; i++) {
        min = MIN(min, scores[i]);
        max = MAX(max, scores[i]);
    }
    for (size_t i = 0; i < n; i++)
        scores[i] = max > min ? SCHED_MAX_SCORE * (scores[i] - min) / (max - min) : 0;
}

const struct sched_plugin inter_pod_affinity_plugin = {
    .name = "InterPodAffinity",
    .events = SCHED_POD_DELETED | SCHED_POD_ADDED | SCHED_POD_LABELS | SCHED_NODE_LABELS |
              SCHED_NAMESPACE_LABELS,
    .pre_filter = pre_filter,
    .filter = filter,
    .try_pod = try_pod,
    .pre_score = pre_score,
    .score = score,
    .normalize = normalize,
    .weight = 2,
};
