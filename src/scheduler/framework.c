#include "scheduler/framework.h"

#include <stdlib.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/buf.h"
#include "client/api_object.h"

const struct sched_plugin *const sched_plugins[] = {
    &node_unschedulable_plugin,
    &node_name_plugin,
    &taint_toleration_plugin,
    &node_affinity_plugin,
    &node_ports_plugin,
    &node_resources_fit_plugin,
    &volume_restrictions_plugin,
    &volume_binding_plugin,
    &volume_zone_plugin, /* reads what the one before has found */
    &pod_topology_spread_plugin,
    &inter_pod_affinity_plugin,
    &node_resources_balanced_plugin,
    &image_locality_plugin,
    NULL,
};

enum { MIN_FEASIBLE = 100, MIN_PERCENT = 5 };

/* --- the message --- */

void sched_tally_add(struct sched_tally *t, struct str text, uint32_t n)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->texts[i], text)) {
            t->counts[i] += n;
            return;
        }
    if (t->n == SCHED_MAX_TEXTS)
        return;
    t->texts[t->n] = text;
    t->counts[t->n++] = n;
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str available(struct arena *a, size_t nodes, struct str why)
{
    return arena_printf(a, "0/%zu nodes are available: %.*s.", nodes, STR_ARG(why));
}

struct str sched_tally_text(struct arena *a, const struct sched_tally *t, size_t nodes)
{
    struct str *lines = ARENA_NEW_ARRAY(a, struct str, t->n);
    struct buf b;

    for (size_t i = 0; i < t->n; i++)
        lines[i] = arena_printf(a, "%u %.*s", t->counts[i], STR_ARG(t->texts[i]));
    if (t->n > 1)
        qsort(lines, t->n, sizeof(*lines), by_text);
    buf_init_arena(&b, a, 128);
    for (size_t i = 0; i < t->n; i++)
        buf_printf(&b, "%s%.*s", i ? ", " : "", STR_ARG(lines[i]));
    return available(a, nodes, buf_str(&b));
}

/* --- filters --- */

static bool run_filters(struct sched_cycle *c, size_t row, struct sched_reasons *why,
                        const struct sched_plugin **ret_by)
{
    const struct sched_node *n = scheduler_cache_node(c->cache, row);

    for (size_t i = 0; i < c->n_filters; i++) {
        c->filters[i]->filter(c, n, row, why);
        if (why->n) {
            *ret_by = c->filters[i];
            return false;
        }
    }
    return true;
}

void framework_try(struct sched_cycle *c, struct sched_pod *p, bool is_there)
{
    scheduler_cache_try(scheduler_cache_node(c->cache, p->node), p, is_there);
    for (size_t i = 0; i < c->n_filters; i++)
        if (c->filters[i]->try_pod)
            c->filters[i]->try_pod(c, p, is_there);
}

static bool counts_first(const struct sched_cycle *c, const struct sched_pod *p)
{
    return p->priority >= c->priority && !str_eq(p->object->meta->uid, c->object->meta->uid);
}

static bool try_nominated(struct sched_cycle *c, struct sched_node *n, bool is_there)
{
    bool any = false;

    for (size_t i = 0; i < n->nominated.len; i++)
        if (counts_first(c, n->nominated.items[i])) {
            framework_try(c, n->nominated.items[i], is_there);
            any = true;
        }
    return any;
}

/* Those who were nominated may come or not: their room is theirs, and what they would satisfy
 * (affinity) is not counted on. */
bool framework_fits(struct sched_cycle *c, size_t row, struct sched_reasons *why,
                    const struct sched_plugin **ret_by)
{
    struct sched_node *n = scheduler_cache_node(c->cache, row);
    bool fits;

    if (n->nominated.len && try_nominated(c, n, true)) {
        fits = run_filters(c, row, why, ret_by);
        (void)try_nominated(c, n, false);
        if (!fits)
            return false;
    }
    return run_filters(c, row, why, ret_by);
}

static bool passes(struct sched_cycle *c, size_t row, struct sched_tally *t)
{
    struct sched_reasons why;
    const struct sched_plugin *by = NULL;

    why.n = 0;
    why.is_unresolvable = false;
    if (framework_fits(c, row, &why, &by)) {
        c->fits[row] = SCHED_FITS;
        return true;
    }
    c->fits[row] = why.is_unresolvable ? SCHED_UNRESOLVABLE : SCHED_UNSCHEDULABLE;
    t->events |= by->events;
    for (size_t k = 0; k < why.n; k++)
        sched_tally_add(t, why.items[k], 1);
    return false;
}

/* On large clusters the best of enough nodes is good enough (upstream's numFeasibleNodesToFind). */
static size_t enough(size_t nodes)
{
    size_t percent = nodes / 125 < 50 - MIN_PERCENT ? 50 - nodes / 125 : MIN_PERCENT;

    return nodes < MIN_FEASIBLE ? nodes : MAX(nodes * percent / 100, (size_t)MIN_FEASIBLE);
}

static size_t find_among(struct sched_cycle *c, size_t *rows, struct sched_tally *t)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_only; i++)
        if (passes(c, c->only[i], t))
            rows[n++] = c->only[i];
    if (c->cache->n_nodes > c->n_only)
        sched_tally_add(
            t,
            arena_printf(c->arena, "node(s) didn't satisfy plugin(s) [%s]", c->narrowed_by->name),
            (uint32_t)(c->cache->n_nodes - c->n_only));
    t->events |= c->narrowed_by->events;
    return n;
}

static size_t find(struct sched_cycle *c, size_t *rows, struct sched_tally *t, size_t *next_row)
{
    const struct scheduler_cache *cache = c->cache;
    size_t all = cache->nodes.len, n = 0, wanted = enough(cache->n_nodes), seen, row = *next_row;

    if (c->only)
        return find_among(c, rows, t);
    for (seen = 0; seen < all && n < wanted; seen++, row++) {
        if (row >= all)
            row = 0;
        if (cache->nodes.items[row].object && passes(c, row, t))
            rows[n++] = row;
    }
    *next_row = row;
    return n;
}

/* --- scores --- */

void sched_normalize(int64_t *scores, size_t n, bool is_reverse)
{
    int64_t max = 0;

    for (size_t i = 0; i < n; i++)
        max = MAX(max, scores[i]);
    for (size_t i = 0; i < n; i++) {
        int64_t s = max ? scores[i] * SCHED_MAX_SCORE / max : 0;

        scores[i] = is_reverse ? SCHED_MAX_SCORE - s : s;
    }
}

static size_t best_of(struct sched_cycle *c, const size_t *rows, size_t n)
{
    int64_t *total = ARENA_NEW_ARRAY(c->arena, int64_t, n);
    int64_t *scores = ARENA_NEW_ARRAY(c->arena, int64_t, n);
    size_t best = 0, ties = 1;

    for (size_t p = 0; sched_plugins[p]; p++) {
        const struct sched_plugin *plugin = sched_plugins[p];

        if (!plugin->score || (plugin->pre_score && !plugin->pre_score(c, rows, n)))
            continue;
        for (size_t i = 0; i < n; i++)
            scores[i] = plugin->score(c, scheduler_cache_node(c->cache, rows[i]), rows[i]);
        if (plugin->normalize)
            plugin->normalize(c, rows, scores, n);
        for (size_t i = 0; i < n; i++)
            total[i] += scores[i] * plugin->weight;
    }
    for (size_t i = 1; i < n; i++) {
        if (total[i] > total[best]) {
            best = i;
            ties = 1;
        } else if (total[i] == total[best] && c->random % ++ties == 0) {
            best = i; /* each of equal ones is as likely, nearly */
        }
    }
    return rows[best];
}

/* --- the cycle --- */

static void begin(struct sched_cycle *c)
{
    c->pod = API_OBJECT(c->object, struct core_v1_pod);
    c->priority = c->pod->spec.priority ? *c->pod->spec.priority : 0;
    sched_pod_request(c->cache, c->pod, &c->request);
    sched_pod_scored(c->pod, &c->scored_cpu, &c->scored_memory);
    scheduler_cache_trim(c->cache);
    c->class = pod_classes_get(&c->cache->classes, c->object);
    c->fits = ARENA_NEW_ARRAY(c->arena, uint8_t, c->cache->nodes.len);
    for (size_t i = 0; sched_plugins[i] && !c->rejection.len; i++) {
        const struct sched_plugin *p = sched_plugins[i];
        bool has_say = !p->pre_filter || p->pre_filter(c);

        if (c->rejection.len)
            c->rejected_by = p;
        if (has_say && p->filter)
            c->filters[c->n_filters++] = p;
    }
}

/* The node that victims left for this Pod is most likely the only one. */
static bool fits_nominated(struct sched_cycle *c, struct sched_tally *t, size_t *ret_row)
{
    return c->pod->status.nominated_node_name.len &&
           scheduler_cache_find_node(c->cache, c->pod->status.nominated_node_name, ret_row) &&
           passes(c, *ret_row, t);
}

static void explain(struct sched_cycle *c, const struct sched_tally *t, struct sched_result *r)
{
    size_t nodes = c->cache->n_nodes;
    struct str why = c->rejection.len ? available(c->arena, nodes, c->rejection)
                                      : sched_tally_text(c->arena, t, nodes);
    struct str preemption = default_preemption(c, r);

    r->events = t->events | SCHED_NODE_ADDED | SCHED_POD_UPDATED;
    if (c->rejected_by)
        r->events = c->rejected_by->events | SCHED_POD_UPDATED;
    /* Upstream's first plugin of this point looks for claims of devices, and says so too. */
    r->message = preemption.len
                     ? arena_printf(c->arena, "%.*s no new claims to deallocate, preemption: %.*s",
                                    STR_ARG(why), STR_ARG(preemption))
                     : why;
}

struct sched_result framework_schedule(struct sched_cycle *c, size_t *next_row)
{
    struct sched_result r = { .fits = false };
    struct sched_tally *t = ARENA_NEW(c->arena, struct sched_tally);
    size_t *rows, n = 0;

    if (!c->cache->n_nodes) {
        r.message = STR("no nodes available to schedule pods");
        r.events = SCHED_NODE_ADDED;
        return r;
    }
    begin(c);
    rows = ARENA_NEW_ARRAY(c->arena, size_t, c->cache->nodes.len);
    if (!c->rejection.len) {
        if (fits_nominated(c, t, rows)) {
            n = 1;
        } else {
            *t = (struct sched_tally){ .n = 0 }; /* it is asked again with the others */
            n = find(c, rows, t, next_row);
        }
    }
    r.fits = n > 0;
    if (!n)
        explain(c, t, &r);
    else
        r.row = n == 1 ? rows[0] : best_of(c, rows, n);
    pod_classes_put(&c->cache->classes, c->class);
    return r;
}
