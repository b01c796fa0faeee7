/* A Pod's volumes on this node, below ROOT/pods/UID/volumes as upstream lays them out: made before
 * its containers are created, kept up to date while it runs (configMap, secret, projected,
 * downwardAPI by the atomic writer's symlinks), and taken away when the Pod is gone. Level-driven:
 * whoever wants a Pod's volumes asks again whenever on_change tells. One loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "runtime/runtime_types.h"

struct arena;
struct core_v1_container;
struct core_v1_pod;
struct err;
struct loop;
struct object_cache;
struct pod_node;
struct rest_client;
struct volume_manager;

struct volume_manager_options {
    struct loop *loop;
    struct rest_client *client; /* for service account tokens */
    const char *pods_directory; /* ROOT/pods; made when absent */
    struct str cluster_domain;  /* "cluster.local"; borrowed */
    struct object_cache *config_maps, *secrets;
    const struct pod_node *node; /* the kubelet's; see kubelet/pod_field.h */
    /* Asking again for this Pod is worthwhile. May run from any later turn. */
    void (*on_change)(struct str pod_uid, void *arg);
    void *arg;
};

int volume_manager_new(const struct volume_manager_options *o, struct volume_manager **ret,
                       struct err *err);
void volume_manager_free(struct volume_manager *m); /* mounts stay; accepts NULL */

/* Makes and refreshes what the Pod's volumes need now. pod is the whole object with its status (for
 * downwardAPI). 0: all are there and as fresh as the caches; ERR_AGAIN: something is still on its
 * way; else err says what is wrong with which volume in upstream's words (for the Event
 * FailedMount) and on_change tells when it may be better. */
int volume_manager_sync(struct volume_manager *m, const struct core_v1_pod *pod, struct err *err);

/* The mounts of one container's run, after a sync that was 0: volumes with subPath and subPathExpr
 * (env for it; bound below PODS/UID/volume-subpaths until the Pod is removed), /etc/hosts (made by
 * us unless the container mounts something there), the termination log. */
int volume_manager_mounts(struct volume_manager *m, struct arena *a, const struct core_v1_pod *pod,
                          const struct core_v1_container *container, uint32_t attempt,
                          const struct runtime_map *env, const struct runtime_strs *pod_ips,
                          struct runtime_mount **ret, size_t *ret_len, struct err *err);
/* Where the termination message of the container's run is read from; in a. */
struct str volume_manager_termination_log(struct arena *a, const struct volume_manager *m,
                                          struct str pod_uid, struct str container,
                                          uint32_t attempt);

/* The directory of a volume whose files are ours to count, in a; NULL: not of such a kind. */
struct core_v1_volume;
const char *volume_manager_counted_path(struct arena *a, const struct volume_manager *m,
                                        const struct core_v1_pod *pod,
                                        const struct core_v1_volume *v);

/* Unmounts and removes all that a Pod had, after its containers are gone. Known by directory alone,
 * so that Pods which ended while no kubelet ran are cleaned, too. */
int volume_manager_remove_pod(struct volume_manager *m, struct str pod_uid, struct err *err);
/* Calls fn for each Pod that has a directory. */
void volume_manager_each_pod(struct volume_manager *m, void (*fn)(struct str pod_uid, void *arg),
                             void *arg);
