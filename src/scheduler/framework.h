/* The scheduling framework: extension points as hooks, plugins as rows (plugins/). A cycle takes
 * one Pod and what is known of nodes, and says where it goes or why nowhere, and whom to preempt.
 * No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/scheduler_cache.h"

struct arena;
struct core_v1_pod;
struct sched_plugin;

/* What plugins read besides nodes and Pods. */
enum sched_kind {
    SCHED_NAMESPACES,
    SCHED_SERVICES,
    SCHED_REPLICATION_CONTROLLERS,
    SCHED_REPLICA_SETS,
    SCHED_STATEFUL_SETS,
    SCHED_DISRUPTION_BUDGETS,
    SCHED_CLAIMS,
    SCHED_VOLUMES,
    SCHED_CLASSES, /* of storage */
    SCHED_KINDS,
};
struct sched_lister {
    /* All of a namespace, volumes of a class; borrowed for the cycle. */
    size_t (*list)(void *arg, enum sched_kind kind, struct str namespace,
                   const struct api_object *const **ret);
    /* namespace "" for what is in none; NULL: there is none. */
    const struct api_object *(*get)(void *arg, enum sched_kind kind, struct str namespace,
                                    struct str name);
    void *arg;
};

/* What may make a Pod fit that did not. */
enum sched_event {
    SCHED_NODE_ADDED = 1 << 0,
    SCHED_NODE_ALLOCATABLE = 1 << 1,
    SCHED_NODE_LABELS = 1 << 2,
    SCHED_NODE_TAINTS = 1 << 3, /* and unschedulable */
    SCHED_POD_DELETED = 1 << 4,
    SCHED_POD_UPDATED = 1 << 5,     /* the waiting Pod itself */
    SCHED_POD_ADDED = 1 << 6,       /* on a node */
    SCHED_POD_LABELS = 1 << 7,      /* of one on a node */
    SCHED_POD_SCALED_DOWN = 1 << 8, /* one on a node asks for other amounts than before */
    SCHED_NAMESPACE_LABELS = 1 << 9,
    SCHED_CLAIM_CHANGED = 1 << 10, /* or a volume, or a class */
    SCHED_NODE_REMOVED = 1 << 11,
};

enum sched_fit {
    SCHED_UNTRIED, /* another node was enough, or a plugin left it out from the start */
    SCHED_FITS,
    SCHED_UNSCHEDULABLE, /* now; fewer Pods there may help */
    SCHED_UNRESOLVABLE,  /* whatever is preempted */
};

enum { SCHED_MAX_SCORE = 100, SCHED_MAX_REASONS = 8, SCHED_MAX_PLUGINS = 24 };

/* Why a node does not do: texts in the cycle's arena or constant. */
struct sched_reasons {
    struct str items[SCHED_MAX_REASONS];
    size_t n;
    bool is_unresolvable;
};
static inline void sched_reason(struct sched_reasons *r, struct str text)
{
    if (r->n < SCHED_MAX_REASONS)
        r->items[r->n++] = text;
}
static inline void sched_reason_final(struct sched_reasons *r, struct str text)
{
    r->is_unresolvable = true;
    sched_reason(r, text);
}

/* One Pod on its way through the extension points. The first part is the caller's. */
struct sched_cycle {
    struct arena *arena;
    struct scheduler_cache *cache;
    const struct sched_lister *lister; /* NULL: there is nothing to read */
    const struct api_object *object;
    uint64_t random; /* breaks ties */

    const struct core_v1_pod *pod;
    struct pod_class *class;
    int32_t priority;
    struct sched_resources request;
    int64_t scored_cpu, scored_memory;
    const struct sched_plugin *filters[SCHED_MAX_PLUGINS]; /* that have a say */
    size_t n_filters;
    uint8_t *fits; /* enum sched_fit, by row */

    /* Set by pre_filter of a plugin: */
    struct str rejection; /* on no node, whatever they are */
    const struct sched_plugin *rejected_by;
    const size_t *only; /* these rows alone; NULL: all */
    size_t n_only;
    const struct sched_plugin *narrowed_by;
    struct node_wants *node_wants; /* NULL: any node will do */
    struct wanted_term *preferred_nodes;
    uint32_t n_preferred_nodes;
    struct spread_filter *spread_filter;
    struct spread_score *spread_score;
    struct affinity_filter *affinity_filter;
    int64_t *affinity_score, *image_score; /* by row */
    struct volume_wants *volume_wants;     /* NULL: no claims */
    struct str *exclusive;                 /* claims of ReadWriteOncePod */
    size_t n_exclusive, n_sharing;         /* Pods that have these */
};

struct sched_plugin {
    const char *name; /* upstream's */
    unsigned events;  /* enum sched_event: worth another try when this plugin said no */
    /* Once a cycle, before the filter. False: the filter has nothing to say. NULL: it always has.
     */
    bool (*pre_filter)(struct sched_cycle *c);
    /* Reasons why the Pod cannot run on the node; none: it can. NULL: does not filter. */
    void (*filter)(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                   struct sched_reasons *why);
    /* What if this Pod were on that node, or were not. NULL: filter looks at the node itself. */
    void (*try_pod)(struct sched_cycle *c, const struct sched_pod *p, bool is_there);
    /* Once a cycle, with the nodes that passed. False: no score. NULL: always scores. */
    bool (*pre_score)(struct sched_cycle *c, const size_t *rows, size_t n);
    int64_t (*score)(const struct sched_cycle *c, const struct sched_node *n, size_t row);
    /* Brings scores to 0..SCHED_MAX_SCORE. NULL: they are. */
    void (*normalize)(const struct sched_cycle *c, const size_t *rows, int64_t *scores, size_t n);
    int weight;
};
extern const struct sched_plugin *const sched_plugins[]; /* ends with NULL */

extern const struct sched_plugin node_unschedulable_plugin;
extern const struct sched_plugin node_name_plugin;
extern const struct sched_plugin taint_toleration_plugin;
extern const struct sched_plugin node_affinity_plugin;
extern const struct sched_plugin node_ports_plugin;
extern const struct sched_plugin node_resources_fit_plugin;
extern const struct sched_plugin node_resources_balanced_plugin;
extern const struct sched_plugin volume_restrictions_plugin;
extern const struct sched_plugin volume_binding_plugin;
extern const struct sched_plugin volume_zone_plugin;
extern const struct sched_plugin pod_topology_spread_plugin;
extern const struct sched_plugin inter_pod_affinity_plugin;
extern const struct sched_plugin image_locality_plugin;

/* What a cycle came to. */
struct sched_result {
    bool fits;
    size_t row;         /* fits: the node */
    struct str message; /* else: "0/3 nodes are available: 2 Insufficient cpu. preemption: ..." */
    unsigned events;    /* else: what is worth another try */
    /* Preemption makes room on that row, victims in order of importance; none: no preemption. */
    bool is_nominated;
    size_t nominated_row;
    const struct sched_pod **victims;
    size_t n_victims;
    bool clears_nomination; /* the node that the Pod was nominated to is of no use any more */
};
/* *next_row: where the search begins, moved on, so that all nodes get their share. */
struct sched_result framework_schedule(struct sched_cycle *c, size_t *next_row);

/* --- for preemption --- */

/* Does it fit there, with the Pods nominated there and without them? Reasons of the first failure.
 */
bool framework_fits(struct sched_cycle *c, size_t row, struct sched_reasons *why,
                    const struct sched_plugin **ret_by);
void framework_try(struct sched_cycle *c, struct sched_pod *p, bool is_there);

/* Reasons of nodes, each with how many gave it. */
enum { SCHED_MAX_TEXTS = 256 };
struct sched_tally {
    struct str texts[SCHED_MAX_TEXTS];
    uint32_t counts[SCHED_MAX_TEXTS];
    size_t n;
    unsigned events;
};
void sched_tally_add(struct sched_tally *t, struct str text, uint32_t n);
/* "0/3 nodes are available: 1 this, 2 that." */
struct str sched_tally_text(struct arena *a, const struct sched_tally *t, size_t nodes);

/* plugins/default_preemption.c: PostFilter. Fills victims or says why not. */
struct str default_preemption(struct sched_cycle *c, struct sched_result *r);

/* What a claim that waits for its first consumer gets on the node of the row. */
struct volume_choice {
    const struct api_object *claim, *volume; /* volume NULL: a driver is to make one there */
};
size_t volume_binding_choose(struct sched_cycle *c, size_t row, const struct volume_choice **ret);

/* --- what several plugins (and others) need --- */

struct core_v1_taint;
/* The highest to SCHED_MAX_SCORE; reversed: to 0. */
void sched_normalize(int64_t *scores, size_t n, bool is_reverse);
bool sched_tolerates(const struct core_v1_pod *pod, const struct core_v1_taint *taint);
/* A taint that keeps the Pod from the node. */
bool sched_has_untolerated(const struct core_v1_pod *pod, const struct sched_node *n);
/* nodeSelector and required node affinity, as NodeAffinity's pre_filter left them. */
bool sched_matches_node(const struct sched_cycle *c, const struct sched_node *n, size_t row);
