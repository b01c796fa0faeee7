/* Credentials for pulling an image, out of Secrets of the types kubernetes.io/dockerconfigjson and
 * kubernetes.io/dockercfg. */
#pragma once

#include <stddef.h>

#include "base/str.h"
#include "runtime/runtime_types.h"

struct arena;

enum { IMAGE_AUTH_MAX_BYTES = 1 << 20, IMAGE_AUTH_MAX = 64 };

struct image_auth_config {
    struct str text; /* JSON, foreign */
    bool is_legacy;  /* dockercfg: without "auths" around it */
};
/* The credentials whose registry fits the image ("quay.io/a/b:c"), the most particular first, at
 * most max; their number. A configuration that cannot be read has none. Strings are the arena's or
 * the texts'. */
size_t image_auth_find(struct arena *a, const struct image_auth_config *configs, size_t n_configs,
                       struct str image, struct runtime_auth *ret, size_t max);
