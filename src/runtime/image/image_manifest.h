/* Manifests and indexes of images, as OCI and Docker (schema 2) write them: foreign JSON. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;
struct value;

enum { IMAGE_MANIFEST_MAX_BYTES = 4 << 20, IMAGE_CONFIG_MAX_BYTES = 2 << 20 };
#define IMAGE_LAYER_MAX_BYTES ((uint64_t)32 << 30)

struct image_descriptor {
    struct str digest; /* valid */
    uint64_t size;
};

struct image_manifest {
    bool is_index;
    struct image_descriptor
        chosen; /* an index's: the first for this machine; digest may be unset */
    struct image_descriptor config; /* else, with layers, bottom first */
    struct image_descriptor *layers;
    size_t n_layers;
};

/* Of an index's entry: is it for another machine? */
bool image_manifest_is_foreign(const struct value *descriptor);
struct str image_manifest_platform(void); /* "linux/amd64" */
/* The Accept header's value: the media types that are understood. */
const char *image_manifest_accept(void);
/* Strings are the arena's or the text's. ERR_INVALID, ERR_UNSUPPORTED (Docker's schema 1). */
int image_manifest_parse(struct arena *a, struct str text, struct image_manifest *ret,
                         struct err *err);
