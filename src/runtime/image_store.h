/* Images on disk, as a runtime reads them; pintle-image writes them. Below one directory:
 *   images/HEX.json   a record per image, named by its configuration's digest
 *   layers/NAME/      a layer as overlayfs wants it, named by the first 24 digits of its diff id
 *   lock              held by writers
 * A record: {"id", "tags", "digests", "size", "layers": [NAME, ...] bottom first, "config": the
 * image configuration's own "config"}. It appears by rename once its layers are whole. */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "runtime/runtime_types.h"

struct err;
struct image_store;

enum { IMAGE_LAYER_NAME_LEN = 24, IMAGE_MAX_LAYERS = 150, IMAGE_RECORD_MAX_BYTES = 4 << 20 };

struct image {
    struct runtime_image info;
    struct runtime_strs layers; /* names, bottom first */
    struct runtime_strs entrypoint, cmd, env;
    struct str working_dir, user, stop_signal;
};

/* The directory is made when absent. */
int image_store_new(const char *directory, struct image_store **ret, struct err *err);
void image_store_free(struct image_store *s); /* accepts NULL */
/* Reads the records again when one came or went since; pointers handed out before are gone then. */
int image_store_refresh(struct image_store *s, struct err *err);
void image_store_invalidate(
    struct image_store *s); /* the next refresh reads whatever the time says */
/* By id ("sha256:HEX", HEX, at least 12 digits of it), tag or digest. NULL: not there. */
const struct image *image_store_find(const struct image_store *s, struct str name);
size_t image_store_len(const struct image_store *s);
const struct image *image_store_at(const struct image_store *s, size_t i);
const char *image_store_directory(const struct image_store *s);
