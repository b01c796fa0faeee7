/* Names of images: "busybox" is docker.io/library/busybox:latest. */
#pragma once

#include "base/str.h"

struct arena;
struct err;

struct image_reference {
    struct str registry;   /* "docker.io", "localhost:5000" */
    struct str repository; /* "library/busybox" */
    struct str tag;        /* "latest" when neither it nor a digest is given; else perhaps unset */
    struct str digest;     /* "sha256:..." or unset */
};

/* Strings are the arena's. ERR_INVALID. */
int image_reference_parse(struct arena *a, struct str text, struct image_reference *ret,
                          struct err *err);
struct str image_reference_tagged(struct arena *a, const struct image_reference *r); /* by tag */
struct str image_reference_digested(struct arena *a, const struct image_reference *r,
                                    struct str digest);
/* "sha256:" and 64 lower-case hex digits. */
bool image_digest_is_valid(struct str digest);
