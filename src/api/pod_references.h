/* The objects of the API that a Pod's spec names: what a static Pod may not have. Pure. */
#pragma once

#include <stdbool.h>

struct core_v1_pod;

/* A Secret: in environments, volumes, or to pull images with. */
bool pod_references_secrets(const struct core_v1_pod *pod);
bool pod_references_config_maps(const struct core_v1_pod *pod);
bool pod_references_tokens(const struct core_v1_pod *pod); /* of accounts, by projected volumes */
/* The first kind that the Pod names, in upstream's words ("secrets"); NULL: none. */
const char *pod_references_any(const struct core_v1_pod *pod);
