/* A container's environment: Services, envFrom, env with values, references to fields, resources,
 * ConfigMaps and Secrets, and $(NAME) expanded. Later ones win, as upstream has it. */
#pragma once

#include "base/str.h"
#include "runtime/runtime_types.h"

struct arena;
struct core_v1_container;
struct core_v1_pod;
struct err;
struct informer;
struct object_cache;
struct pod_node;

struct pod_env_sources {
    struct object_cache *config_maps;
    struct object_cache *secrets;
    const struct informer *services; /* NULL: none */
    const struct pod_node *node;
};

/* Retains what the Pod's containers refer to, so that pod_env_make() can find it. */
void pod_env_retain(const struct pod_env_sources *s, const struct core_v1_pod *pod);

/* Everything in a, texts of the Pod and of cached objects borrowed: valid until the loop's next
 * turn. pod_ips: the sandbox's. 0; ERR_AGAIN: an object is not known yet; ERR_NOT_FOUND,
 * ERR_INVALID: err is what CreateContainerConfigError says. */
int pod_env_make(struct arena *a, const struct pod_env_sources *s, const struct core_v1_pod *pod,
                 const struct core_v1_container *container, const struct runtime_strs *pod_ips,
                 struct runtime_map *ret, struct err *err);
/* Text with $(NAME) replaced by env's values; $$ is a dollar; unknown names stay as they are. */
struct str pod_env_expand(struct arena *a, struct str text, const struct runtime_map *env);
