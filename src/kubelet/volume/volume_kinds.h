/* The kinds of volumes that there are. */
#pragma once

#include "kubelet/volume/volume_internal.h"

struct core_v1_volume_source;

struct volume_kind {
    const char *name; /* of the directory: "kubernetes.io~NAME" */
    bool (*is)(const struct core_v1_volume_source *v);
    /* Makes or refreshes it. 0, ERR_AGAIN, or negative with t->err. */
    int (*sync)(struct volume_task *t);
    bool is_on_host; /* has no directory of its own */
};

/* NULL: none that is supported. */
const struct volume_kind *volume_kind_of(const struct core_v1_volume *v);
