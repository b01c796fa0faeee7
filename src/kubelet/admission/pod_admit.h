/* Does a Pod that was bound to this node fit on it? The scheduler has asked before, but others bind
 * as well (DaemonSets of old, static Pods, people), and two schedulers may have. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct core_v1_node;
struct node_pressure;
struct core_v1_pod;

struct pod_admit_node {
    const struct core_v1_node *node; /* for its labels; NULL: not known, they are not asked for */
    int64_t cpu_milli, memory_bytes, ephemeral_bytes; /* allocatable */
    uint32_t pods;
    const struct node_pressure *pressure; /* NULL: none */
};
/* Why a Pod is Failed from its beginning; reason unset: it is not. */
struct pod_rejection {
    struct str reason;  /* "OutOfcpu", "NodePorts", "NodeAffinity" */
    struct str message; /* of the Event; the status says "Pod was rejected: " before it */
};
/* Resources alone. */
struct pod_rejection pod_admit_resources(struct arena *a, const struct pod_admit_node *n,
                                         const struct core_v1_pod *pod,
                                         const struct core_v1_pod *const *others, size_t n_others);
/* others: the Pods that are here already. */
struct pod_rejection pod_admit(struct arena *a, const struct pod_admit_node *n,
                               const struct core_v1_pod *pod,
                               const struct core_v1_pod *const *others, size_t n_others);
