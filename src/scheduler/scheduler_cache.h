/* What the scheduler knows of nodes: in columns, so that a filter is a scan over arrays. Pods that
 * were given a node count at once (assumed), before the API has confirmed it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"

struct api_object;
struct core_v1_node;
struct core_v1_pod;

enum { SCHEDULER_MAX_EXTENDED = 32 }; /* names of extended resources in all */

struct sched_resources {
    int64_t milli_cpu, memory, ephemeral, pods;
    int64_t extended[SCHEDULER_MAX_EXTENDED];
};

struct sched_port {
    uint16_t port;
    struct str protocol, host_ip; /* the Pod's texts */
};

/* A Pod that counts on a node. */
struct sched_pod {
    const struct api_object *object;
    size_t node; /* its row */
    struct sched_resources request;
    int64_t scored_cpu, scored_memory; /* with a default for containers that ask for nothing */
    bool is_assumed;
};

struct sched_node {
    const struct api_object *object; /* NULL: a hole, or a node that only Pods speak of */
    char *name;
    struct sched_resources allocatable, requested;
    int64_t scored_cpu, scored_memory; /* requested, as the scores count it */
    struct VEC(struct sched_pod *) pods;
};

struct scheduler_cache {
    struct VEC(struct sched_node) nodes; /* rows are kept when a node goes, and used again */
    struct VEC(size_t) holes;            /* rows of nodes that are gone, with their Pods */
    struct map rows;                     /* name -> row + 1 */
    struct map pods;                     /* uid -> struct sched_pod */
    struct VEC(char *) extended;         /* names, by their index */
};

void scheduler_cache_done(struct scheduler_cache *c);
void scheduler_cache_set_node(struct scheduler_cache *c, const struct api_object *node);
void scheduler_cache_remove_node(struct scheduler_cache *c, struct str name);
/* The Pod, with spec.nodeName, as the API has it: counted, or counted anew. */
void scheduler_cache_set_pod(struct scheduler_cache *c, const struct api_object *pod);
void scheduler_cache_remove_pod(struct scheduler_cache *c, struct str uid);
/* On this row until the API says so, or scheduler_cache_forget(). */
void scheduler_cache_assume(struct scheduler_cache *c, const struct api_object *pod, size_t row);
void scheduler_cache_forget(struct scheduler_cache *c, struct str uid); /* assumed ones alone */

/* What a Pod asks for: containers added up, the largest init container, sidecars, overhead. */
void sched_pod_request(struct scheduler_cache *c, const struct core_v1_pod *pod,
                       struct sched_resources *ret);
void sched_pod_scored(const struct core_v1_pod *pod, int64_t *ret_cpu, int64_t *ret_memory);
static inline const struct sched_node *scheduler_cache_node(const struct scheduler_cache *c,
                                                            size_t row)
{
    return &c->nodes.items[row];
}
