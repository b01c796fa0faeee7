/* The objects of the API that a Pod's spec names: what a static Pod may not have, and what
 * the Pod's node may read. Pure. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct core_v1_pod;

enum pod_reference { POD_REFERENCE_SECRET, POD_REFERENCE_CONFIG_MAP, POD_REFERENCE_CLAIM };
/* What it names by name, in any container or volume, once or more each; false: enough. */
typedef bool pod_reference_fn(enum pod_reference kind, struct str name, void *arg);
void pod_references_each(const struct core_v1_pod *pod, pod_reference_fn *fn, void *arg);

/* A Secret: in environments, volumes, or to pull images with. */
bool pod_references_secrets(const struct core_v1_pod *pod);
bool pod_references_config_maps(const struct core_v1_pod *pod);
bool pod_references_tokens(const struct core_v1_pod *pod); /* of accounts, by projected volumes */
/* The first kind that the Pod names, in upstream's words ("secrets"); NULL: none. */
const char *pod_references_any(const struct core_v1_pod *pod);
