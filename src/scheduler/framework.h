/* The scheduling framework: extension points as hooks, plugins as rows (plugins/). A cycle takes
 * one Pod and what is known of nodes, and says where it goes or why nowhere. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/scheduler_cache.h"

struct arena;
struct core_v1_pod;

/* One Pod on its way through the extension points. */
struct sched_cycle {
    struct arena *arena;
    struct scheduler_cache *cache;
    const struct api_object *object;
    const struct core_v1_pod *pod;
    struct sched_resources request;
    int64_t scored_cpu, scored_memory;
    uint64_t random; /* breaks ties */
};

/* What may make a Pod fit that did not. */
enum sched_event {
    SCHED_NODE_ADDED = 1 << 0,
    SCHED_NODE_ALLOCATABLE = 1 << 1,
    SCHED_NODE_LABELS = 1 << 2,
    SCHED_NODE_TAINTS = 1 << 3, /* and unschedulable */
    SCHED_POD_DELETED = 1 << 4,
    SCHED_POD_UPDATED = 1 << 5, /* the waiting Pod itself */
};

enum { SCHED_MAX_SCORE = 100, SCHED_MAX_REASONS = 8 };

/* Why a node does not do: texts in the cycle's arena or constant. */
struct sched_reasons {
    struct str items[SCHED_MAX_REASONS];
    size_t n;
};
static inline void sched_reason(struct sched_reasons *r, struct str text)
{
    if (r->n < SCHED_MAX_REASONS)
        r->items[r->n++] = text;
}

struct sched_plugin {
    const char *name; /* upstream's */
    unsigned events;  /* enum sched_event: worth another try when this plugin said no */
    /* Reasons why the Pod cannot run on the node; none: it can. NULL: does not filter. */
    void (*filter)(const struct sched_cycle *c, const struct sched_node *n,
                   struct sched_reasons *why);
    /* Any number; then it is brought to 0..SCHED_MAX_SCORE over the nodes by the normaliser, the
     * highest to SCHED_MAX_SCORE (or to 0 when is_reverse). NULL: does not score. */
    int64_t (*score)(const struct sched_cycle *c, const struct sched_node *n);
    int weight;
    bool normalizes, is_reverse;
};
extern const struct sched_plugin *const sched_plugins[]; /* ends with NULL */

extern const struct sched_plugin node_unschedulable_plugin;
extern const struct sched_plugin node_name_plugin;
extern const struct sched_plugin taint_toleration_plugin;
extern const struct sched_plugin node_affinity_plugin;
extern const struct sched_plugin node_ports_plugin;
extern const struct sched_plugin node_resources_fit_plugin;
extern const struct sched_plugin node_resources_balanced_plugin;

/* What a cycle came to. */
struct sched_result {
    bool fits;
    size_t row;         /* fits: the node */
    struct str message; /* else: "0/3 nodes are available: 2 Insufficient cpu, ..." */
    unsigned events;    /* else: what is worth another try */
};
/* *next_row: where the search begins, moved on, so that all nodes get their share. */
struct sched_result framework_schedule(struct sched_cycle *c, size_t *next_row);

/* --- what several plugins (and others) need --- */

bool sched_tolerates(const struct core_v1_pod *pod, struct str key, struct str value,
                     struct str effect);
struct core_v1_node_selector_term;
bool sched_term_matches(const struct core_v1_node_selector_term *t, const struct api_object *node);
