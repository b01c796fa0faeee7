/* A layer's tar, of any compression, as a directory for overlayfs: everything is written beneath
 * that directory whatever the names and links in the tar say; whiteouts become overlayfs's own. */
#pragma once

#include <stdint.h>

#include "base/str.h"
#include "runtime/image_store.h"

struct err;

struct image_unpack_limits { /* 0: the default */
    uint64_t bytes;          /* of all files */
    uint64_t entries;
    uint64_t ratio; /* of uncompressed to compressed bytes */
};
/* tar_fd: read from its start. diff_id: "sha256:..." of the uncompressed tar, checked. The
 * directory appears under its name in layers/ of the store when it is whole; one that is there
 * already is not unpacked again (its size is 0 then). */
int image_unpack(const char *store, int tar_fd, struct str diff_id,
                 const struct image_unpack_limits *limits, char ret_name[IMAGE_LAYER_NAME_LEN + 1],
                 uint64_t *ret_size, struct err *err);
