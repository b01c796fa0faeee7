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
    &node_resources_balanced_plugin,
    NULL,
};

enum { MIN_FEASIBLE = 100, MIN_PERCENT = 5, MAX_TEXTS = 256, MAX_PLUGINS = 16 };

/* Reasons of all nodes, each with how many gave it. */
struct tally {
    struct str texts[MAX_TEXTS];
    uint32_t counts[MAX_TEXTS];
    size_t n;
    unsigned events;
};

static void count_reason(struct tally *t, struct str text)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->texts[i], text)) {
            t->counts[i]++;
            return;
        }
    if (t->n == MAX_TEXTS)
        return;
    t->texts[t->n] = text;
    t->counts[t->n++] = 1;
}

static bool passes(const struct sched_cycle *c, const struct sched_node *n, struct tally *t)
{
    for (size_t i = 0; sched_plugins[i]; i++) {
        struct sched_reasons why = { .n = 0 };

        if (!sched_plugins[i]->filter)
            continue;
        sched_plugins[i]->filter(c, n, &why);
        if (!why.n)
            continue;
        t->events |= sched_plugins[i]->events;
        for (size_t k = 0; k < why.n; k++)
            count_reason(t, why.items[k]);
        return false;
    }
    return true;
}

/* On large clusters the best of enough nodes is good enough (upstream's numFeasibleNodesToFind). */
static size_t enough(size_t nodes)
{
    size_t percent = nodes / 125 < 50 - MIN_PERCENT ? 50 - nodes / 125 : MIN_PERCENT;

    return nodes < MIN_FEASIBLE ? nodes : MAX(nodes * percent / 100, (size_t)MIN_FEASIBLE);
}

/* --- scores --- */

static void normalize(int64_t *scores, size_t n, bool is_reverse)
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

        if (!plugin->score)
            continue;
        for (size_t i = 0; i < n; i++)
            scores[i] = plugin->score(c, scheduler_cache_node(c->cache, rows[i]));
        if (plugin->normalizes)
            normalize(scores, n, plugin->is_reverse);
        for (size_t i = 0; i < n; i++)
            total[i] += scores[i] * plugin->weight;
    }
    for (size_t i = 1; i < n; i++) {
        if (total[i] > total[best]) {
            best = i;
            ties = 1;
        } else if (total[i] == total[best] && c->random % ++ties == 0) {
            best = i; /* each of equal ones is as likely */
        }
    }
    return rows[best];
}

/* --- the message --- */

struct line {
    struct str text;
};

static int by_text(const void *a, const void *b)
{
    return str_cmp(((const struct line *)a)->text, ((const struct line *)b)->text);
}

static struct str message_of(struct arena *a, const struct tally *t, size_t nodes)
{
    struct line *lines = ARENA_NEW_ARRAY(a, struct line, t->n);
    struct buf b;

    if (!nodes)
        return STR("no nodes available to schedule pods");
    for (size_t i = 0; i < t->n; i++)
        lines[i].text = arena_printf(a, "%u %.*s", t->counts[i], STR_ARG(t->texts[i]));
    if (t->n > 1)
        qsort(lines, t->n, sizeof(*lines), by_text);
    buf_init_arena(&b, a, 128);
    buf_printf(&b, "0/%zu nodes are available: ", nodes);
    for (size_t i = 0; i < t->n; i++)
        buf_printf(&b, "%s%.*s", i ? ", " : "", STR_ARG(lines[i].text));
    buf_append_char(&b, '.');
    return buf_str(&b);
}

struct sched_result framework_schedule(struct sched_cycle *c, size_t *next_row)
{
    const struct scheduler_cache *cache = c->cache;
    size_t all = cache->nodes.len, nodes = 0, n = 0, wanted, seen = 0;
    size_t *rows = ARENA_NEW_ARRAY(c->arena, size_t, all);
    struct tally *t = ARENA_NEW(c->arena, struct tally);

    for (size_t i = 0; i < all; i++)
        nodes += cache->nodes.items[i].object != NULL;
    wanted = enough(nodes);
    for (; seen < all && n < wanted; seen++) {
        size_t row = (*next_row + seen) % all;

        if (cache->nodes.items[row].object && passes(c, &cache->nodes.items[row], t))
            rows[n++] = row;
    }
    if (all)
        *next_row = (*next_row + seen) % all;
    if (!n)
        return (struct sched_result){ .message = message_of(c->arena, t, nodes),
                                      .events = t->events | SCHED_NODE_ADDED | SCHED_POD_UPDATED };
    return (struct sched_result){ .fits = true, .row = n == 1 ? rows[0] : best_of(c, rows, n) };
}
