/* What the files of volume/ share. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "kubelet/volume/atomic_writer.h"
#include "kubelet/volume/volume_manager.h"

struct core_v1_volume;

/* One volume of one Pod while it is synced. */
struct volume_task {
    struct volume_manager *manager;
    struct arena *arena;
    const struct core_v1_pod *pod;
    const struct core_v1_volume *volume;
    gid_t gid;        /* fsGroup; (gid_t)-1: none */
    const char *path; /* of its directory */
    struct err *err;
    struct VEC(struct atomic_file) files; /* gathered by kinds that write small files */
};

struct volume_manager {
    struct volume_manager_options o;
    char *pods_directory;
    struct map tokens; /* of struct volume_token, by "uid/volume/source" */
};

/* Files of one source, appended to t->files; 0, ERR_AGAIN, or negative with t->err. */
int volume_payload(struct volume_task *t);

/* A service account token: asked for when it is not there, kept fresh. 0 with *ret borrowed;
 * ERR_AGAIN: under way. */
struct core_v1_service_account_token_projection;
int volume_token_get(struct volume_task *t, uint32_t source,
                     const struct core_v1_service_account_token_projection *p, struct str *ret);
void volume_token_forget_pod(struct volume_manager *m, struct str pod_uid);
void volume_token_done(struct volume_manager *m);

/* "PODS/UID/..." in the arena. */
const char *volume_pod_path(struct arena *a, const struct volume_manager *m, struct str pod_uid,
                            const char *below);
/* The directory of a volume, or where the host has it. NULL: no such kind. */
const char *volume_path(struct arena *a, const struct volume_manager *m,
                        const struct core_v1_pod *pod, const struct core_v1_volume *v);
