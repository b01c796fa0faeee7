/* From a Pod to what the runtime is asked for: its sandbox and each of its containers, in CRI's
 * terms. Pure: everything that must be looked up is handed in. */
#pragma once

#include <stdint.h>

#include "runtime/runtime_types.h"

struct arena;
struct core_v1_container;
struct core_v1_pod;
struct err;
struct pod_container;

/* What the node says for all Pods. */
struct pod_config_node {
    const char *log_directory; /* /var/log/pods */
    const char *cgroup_root;   /* "" or "/x", without a slash at the end */
    const char *seccomp_directory;
    struct str cluster_dns, cluster_domain;      /* unset: none */
    struct runtime_strs host_dns, host_searches; /* of the node's resolv.conf */
    int64_t memory_bytes;                        /* of the machine, for OOM scores */
};

struct str pod_config_cgroup(struct arena *a, const struct pod_config_node *n,
                             const struct core_v1_pod *pod);
/* The limits of the Pod's own cgroup: what its containers may use in all. */
void pod_config_cgroup_limits(const struct core_v1_pod *pod, struct runtime_resources *ret);

/* ERR_INVALID: a sysctl that is not allowed (SysctlForbidden), ... */
int pod_config_sandbox(struct arena *a, const struct pod_config_node *n,
                       const struct core_v1_pod *pod, uint32_t attempt,
                       struct runtime_sandbox_config *ret, struct err *err);

struct pod_config_container {
    const struct pod_container *container;
    const struct runtime_image *image; /* for runAsNonRoot */
    uint32_t attempt;
    struct runtime_map env;
    const struct runtime_mount *mounts;
    size_t n_mounts;
    struct str target_id; /* EPHEMERAL: the container whose processes it sees */
};
/* Texts of CreateContainerConfigError in err. */
int pod_config_container(struct arena *a, const struct pod_config_node *n,
                         const struct core_v1_pod *pod, const struct pod_config_container *in,
                         struct runtime_container_config *ret, struct err *err);
/* What one container may use. */
void pod_config_resources(const struct pod_config_node *n, const struct core_v1_pod *pod,
                          const struct core_v1_container *c, struct runtime_resources *r);
/* "NS_NAME_UID/CONTAINER/ATTEMPT.log" below the log directory. */
struct str pod_config_log_path(struct arena *a, struct str container, uint32_t attempt);
struct str pod_config_log_directory(struct arena *a, const struct pod_config_node *n,
                                    const struct core_v1_pod *pod);
