/* The containers of a Pod in one row, whatever list of the spec they stand in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena;
struct core_v1_container;
struct core_v1_pod;

enum pod_container_kind {
    POD_CONTAINER_INIT,    /* runs to its end before the next */
    POD_CONTAINER_SIDECAR, /* an init container that stays: restartPolicy Always */
    POD_CONTAINER_MAIN,
    POD_CONTAINER_EPHEMERAL,
};
struct pod_container {
    enum pod_container_kind kind;
    const struct core_v1_container *spec;
    struct str target; /* EPHEMERAL: whose processes it shares; unset: none */
};

/* Init containers, main ones, ephemeral ones, each in the spec's order; in the arena. */
size_t pod_containers(struct arena *a, const struct core_v1_pod *pod,
                      const struct pod_container **ret);

enum pod_qos { POD_QOS_GUARANTEED, POD_QOS_BURSTABLE, POD_QOS_BEST_EFFORT };
/* By requests and limits of cpu and memory of all containers. */
enum pod_qos pod_qos_of(const struct core_v1_pod *pod);
struct str pod_qos_name(enum pod_qos q); /* "BestEffort" */

/* "cpu" or "memory" in thousandths or bytes; -1: not set. */
long long pod_resource(const void *map, struct str name, bool is_milli);
/* What the Pod as a whole asks for, as the scheduler counts it: main containers and sidecars
 * together or the largest moment of its start, or the Pod's own word; and its overhead. */
long long pod_request(const struct core_v1_pod *pod, struct str name, bool is_milli);
