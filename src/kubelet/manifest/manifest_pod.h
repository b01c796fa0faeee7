/* A file with a Pod in it becomes a static Pod: named NAME-NODE, bound here, its uid a digest of
 * its text, so that a changed file is another Pod. Pure. */
#pragma once

#include "base/str.h"

struct api_object;
struct err;

enum { MANIFEST_MAX_BYTES = 1 << 20 };

struct manifest_origin {
    struct str node_name;
    struct str path; /* part of the digest: two files with one text are two Pods */
    int64_t now_s;   /* for the annotation kubernetes.io/config.seen */
};
/* YAML or JSON. One reference in *ret. ERR_SYNTAX, ERR_INVALID with the API's words. */
int manifest_pod_decode(struct str text, const struct manifest_origin *from,
                        const struct api_object **ret, struct err *err);
