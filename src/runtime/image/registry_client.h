/* One repository of one registry over HTTPS (distribution v2), by libcurl: small answers into
 * memory, blobs into files, a few at a time. It authenticates when it is asked to; credentials go
 * to the registry and the token server that it names, not where it redirects to. Connections to
 * link-local addresses are refused, and to loopback when the registry itself is elsewhere. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "runtime/runtime_types.h"

struct arena;
struct err;
struct registry_client;
struct registry_place;

struct registry_answer {
    struct str body, digest; /* digest: as the registry says, perhaps unset */
};
struct registry_blob {
    struct str digest; /* checked */
    uint64_t size;     /* exactly */
    int fd;            /* read and write; what it holds is the blob's beginning */
};

/* Both are read as long as the client is. */
struct registry_client *registry_client_new(const struct registry_place *place,
                                            struct str repository, const struct runtime_auth *auth);
void registry_client_free(struct registry_client *c); /* accepts NULL */
/* kind: "manifests". ERR_NOT_FOUND, ERR_DENIED, ERR_PROTOCOL, ERR_TOO_LARGE; texts as containerd
 * words them. */
int registry_client_get(struct registry_client *c, const char *kind, struct str reference,
                        size_t limit_bytes, struct arena *a, struct registry_answer *ret,
                        struct err *err);
int registry_client_download(struct registry_client *c, const struct registry_blob *blobs, size_t n,
                             struct err *err);
