/* Images out of registries. */
#pragma once

#include "base/str.h"
#include "runtime/runtime_types.h"

struct err;

struct image_pull_options {
    const char *store;               /* directory */
    const char *registries_file;     /* NULL or "": none */
    struct str name;                 /* as a Pod says it */
    const struct runtime_auth *auth; /* NULL: none */
};
/* *ret_id: "sha256:...", 72 bytes. Layers that the store has are not fetched; what was fetched of
 * others by an attempt that failed is not fetched again. The store is locked only to write. Texts
 * as containerd words them; ERR_NOT_FOUND, ERR_DENIED, ... */
int image_pull(const struct image_pull_options *o, char ret_id[72], struct err *err);
