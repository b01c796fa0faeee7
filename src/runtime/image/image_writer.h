/* Changes of an image store, by one process at a time: the lock is held as long as the writer. */
#pragma once

#include "base/str.h"
#include "runtime/runtime_types.h"

struct err;
struct image_writer;

int image_writer_open(const char *store, struct image_writer **ret, struct err *err); /* waits */
void image_writer_close(struct image_writer *w); /* accepts NULL */
const char *image_writer_store(const struct image_writer *w);

struct image_writer_image {
    struct str config;    /* the image's configuration, JSON: its digest is the id */
    const int *layer_fds; /* tars, bottom first, as many as the configuration has diff ids */
    size_t n_layers;
    struct str tag;    /* full; unset: none. It is taken from whoever has it */
    struct str digest; /* full, "docker.io/library/x@sha256:..."; unset: none */
};
/* Unpacks the layers and records the image. *ret_id: "sha256:...", 72 bytes. */
int image_writer_add(struct image_writer *w, const struct image_writer_image *image,
                     char ret_id[72], struct err *err);
/* By id or name, with the layers that no other image needs. ERR_NOT_FOUND. */
int image_writer_remove(struct image_writer *w, struct str name, struct err *err);
