/* Resources with a scale, found by apiVersion and kind: those of the table, and custom ones. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct controller_manager;
struct resource;

struct str scale_target_group(struct str api_version); /* of "apps/v1"; "" for "v1" */
/* NULL: nothing of that kind is served. */
const struct resource *scale_target_find(const struct controller_manager *m, struct str api_version,
                                         struct str kind);
bool scale_target_has_scale(struct controller_manager *m, const struct resource *row);

/* What GET .../scale answered. */
struct scale_target {
    struct str uid, resource_version, selector;
    int64_t wanted, current; /* spec.replicas, status.replicas */
};
bool scale_target_read(struct arena *a, struct str json, struct scale_target *ret);
