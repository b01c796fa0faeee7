/* What of a container's requests and limits has been changed, and how to act on it. Pure. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct core_v1_container;
struct core_v1_resource_requirements;

/* As canonical JSON, so that two of them can be compared and kept; in a. */
struct str pod_resize_text(struct arena *a, const struct core_v1_resource_requirements *r);
/* The other way round; NULL: no such text. In a. */
struct core_v1_resource_requirements *pod_resize_parse(struct arena *a, struct str text);

enum pod_resize_way { POD_RESIZE_NOTHING, POD_RESIZE_IN_PLACE, POD_RESIZE_BY_RESTART };
/* From what its run has to what the spec wants, by its resizePolicy. */
enum pod_resize_way pod_resize_way(const struct core_v1_container *c,
                                   const struct core_v1_resource_requirements *has);
