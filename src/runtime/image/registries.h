/* How registries are reached: the registries file, and what holds without it. See docs/images.md.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct err;

struct registry_place {
    struct str base; /* "https://registry-1.docker.io": scheme, host and port */
    struct str ca_file, username, password; /* or unset */
    bool skip_verify;
    bool is_named; /* in the file */
};
/* file: NULL or "": none. registry: as image_reference has it. Strings are the arena's. */
int registries_find(struct arena *a, const char *file, struct str registry,
                    struct registry_place *ret, struct err *err);
/* The same of the file's text. */
int registries_parse(struct arena *a, struct str text, struct str registry,
                     struct registry_place *ret, struct err *err);
