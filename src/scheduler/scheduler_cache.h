/* What the scheduler knows of nodes and of the Pods on them, in a form that plugins scan. Pods that
 * were given a node count at once (assumed), before the API has confirmed it. Pods that wait for
 * room on a node that preemption makes are nominated to it. Belongs to one loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "scheduler/pod_class.h"

struct api_object;
struct core_v1_node;
struct core_v1_pod;

enum { SCHEDULER_MAX_EXTENDED = 32 }; /* names of extended resources in all */

struct sched_resources {
    int64_t milli_cpu, memory, ephemeral, pods;
    int64_t unknown; /* how many resources are asked for that no node has */
    int64_t extended[SCHEDULER_MAX_EXTENDED];
};

/* A Pod that counts on a node, or that is nominated to it. */
struct sched_pod {
    const struct api_object *object;
    struct pod_class *class;
    size_t node;   /* its row */
    size_t member; /* its place in the class, when it counts */
    int32_t priority;
    struct sched_resources request;
    int64_t scored_cpu, scored_memory; /* with a default for containers that ask for nothing */
    bool is_assumed;
};

struct sched_node {
    const struct api_object *object; /* NULL: a hole, or a node that only Pods speak of */
    char *name;
    int64_t scored_cpu, scored_memory; /* requested, as the scores count it */
    bool is_unschedulable;
    bool has_taints, has_soft_taints; /* NoSchedule and NoExecute; PreferNoSchedule */
    struct VEC(struct sched_pod *) pods;
    struct VEC(struct sched_pod *) nominated;
    struct sched_resources allocatable, requested;
};

/* Values of one label of all nodes, as small numbers: 0 is no such label. */
struct sched_topology {
    char *key;
    struct map values;           /* value -> number */
    struct VEC(uint32_t) of_row; /* number, by row */
    uint32_t n;                  /* numbers given, 0 included */
};

/* An image, and which nodes have it. */
struct sched_image {
    struct VEC(struct {
        uint32_t row;
        int64_t bytes;
    }) nodes;
};

struct scheduler_cache {
    struct VEC(struct sched_node) nodes; /* rows are kept when a node goes, and used again */
    size_t n_nodes;                      /* rows with a node */
    struct VEC(size_t) holes;            /* rows of nodes that are gone, with their Pods */
    struct map rows;                     /* name -> row + 1 */
    struct map pods;                     /* uid -> struct sched_pod */
    struct map nominated;                /* uid -> struct sched_pod */
    struct VEC(char *) extended;         /* names, by their index */
    struct pod_classes classes;
    struct VEC(struct sched_topology *) topologies;
    struct map images; /* name -> struct sched_image */
    /* What Pods were given, and the API does not show yet (scheduler_volumes.c owns the texts): */
    struct map given_volumes; /* PersistentVolume -> key of its claim */
    struct map told_nodes;    /* key of a claim -> node where a driver makes its volume */
};

void scheduler_cache_done(struct scheduler_cache *c);
void scheduler_cache_set_node(struct scheduler_cache *c, const struct api_object *node);
void scheduler_cache_remove_node(struct scheduler_cache *c, struct str name);
/* The row of a node that is there. */
bool scheduler_cache_find_node(const struct scheduler_cache *c, struct str name, size_t *ret_row);
/* The Pod, with spec.nodeName, as the API has it: counted, or counted anew. */
void scheduler_cache_set_pod(struct scheduler_cache *c, const struct api_object *pod);
void scheduler_cache_remove_pod(struct scheduler_cache *c, struct str uid);
/* On this row until the API says so, or scheduler_cache_forget(). */
void scheduler_cache_assume(struct scheduler_cache *c, const struct api_object *pod, size_t row);
void scheduler_cache_forget(struct scheduler_cache *c, struct str uid); /* assumed ones alone */
/* The Pod waits for room on this node; an empty name: on none any more. */
void scheduler_cache_nominate(struct scheduler_cache *c, const struct api_object *pod,
                              struct str node);
void scheduler_cache_unnominate(struct scheduler_cache *c, struct str uid);

/* For trying: the Pod counts in its node's sums and list (or not), nowhere else. */
void scheduler_cache_try(struct sched_node *n, struct sched_pod *p, bool is_there);

/* Made on first use; good until the next scheduler_cache_trim(). */
const struct sched_topology *scheduler_cache_topology(struct scheduler_cache *c, struct str key);
void scheduler_cache_trim(struct scheduler_cache *c); /* what is not used much goes */
const struct sched_image *scheduler_cache_image(const struct scheduler_cache *c, struct str name);

bool sched_same_map(const void *a, const void *b); /* labels, ResourceLists */

/* What a Pod asks for: containers added up, the largest init container, sidecars, overhead. */
void sched_pod_request(struct scheduler_cache *c, const struct core_v1_pod *pod,
                       struct sched_resources *ret);
void sched_pod_scored(const struct core_v1_pod *pod, int64_t *ret_cpu, int64_t *ret_memory);
static inline struct sched_node *scheduler_cache_node(const struct scheduler_cache *c, size_t row)
{
    return &c->nodes.items[row];
}
