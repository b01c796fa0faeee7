/* What a Pod can be told about itself: fieldRef and resourceFieldRef, in env and in downwardAPI
 * volumes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "runtime/runtime_types.h"

struct arena;
struct core_v1_container;
struct core_v1_pod;
struct core_v1_resource_field_selector;
struct err;

/* What the answers need to know of the node; the kubelet's, one for all its parts. */
struct pod_node {
    struct str name;
    struct str host_ip;
    struct runtime_strs host_ips;
    int64_t allocatable_cpu_milli; /* what a container without a limit has */
    int64_t allocatable_memory_bytes;
    int64_t allocatable_ephemeral_bytes;
};

/* Addresses come from pod_ips when that is not empty, else from the Pod's status. Whole maps
 * (labels, annotations) are lines key="value". ERR_INVALID: no such field. */
int pod_field_value(struct arena *a, const struct core_v1_pod *pod, const struct pod_node *node,
                    const struct runtime_strs *pod_ips, struct str path, struct str *ret,
                    struct err *err);
/* own: the container whose env it is; NULL: the selector names one. Rounded up to the divisor. */
int pod_field_resource(struct arena *a, const struct core_v1_pod *pod, const struct pod_node *node,
                       const struct core_v1_container *own,
                       const struct core_v1_resource_field_selector *selector, struct str *ret,
                       struct err *err);
/* A container, init container or ephemeral one of the Pod; NULL: none. */
const struct core_v1_container *pod_find_container(const struct core_v1_pod *pod, struct str name);
