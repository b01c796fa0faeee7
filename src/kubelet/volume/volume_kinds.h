/* The kinds of volumes that there are. */
#pragma once

#include "kubelet/volume/volume_internal.h"

struct volume_kind {
    const char *name; /* of the directory: "kubernetes.io~NAME" */
    size_t offset;    /* of its pointer in core_v1_volume_source */
    /* Makes or refreshes it. 0, ERR_AGAIN, or negative with t->err. */
    int (*sync)(struct volume_task *t);
    bool is_on_host;  /* has no directory of its own */
    bool is_an_image; /* nor here: the runtime mounts it */
    bool is_readonly; /* for containers, whatever their mounts say */
};

/* NULL: none that is supported. */
const struct volume_kind *volume_kind_of(const struct core_v1_volume *v);
/* Why that is so; returns ERR_UNSUPPORTED. */
int volume_kind_refuse(const struct core_v1_volume *v, struct err *err);
