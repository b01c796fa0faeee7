/* What the files of volume/ share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
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
    gid_t gid;         /* fsGroup; (gid_t)-1: none */
    bool *wants_group; /* contents that are not the group's yet: true; NULL: they never are */
    const char *path;  /* of its directory */
    struct err *err;
    struct VEC(struct atomic_file) files; /* gathered by kinds that write small files */
};

struct volume_manager {
    struct volume_manager_options o;
    char *pods_directory;
    struct map tokens; /* of struct volume_token, by "uid/volume/source" */
    struct map claims; /* of struct volume_claim, by "uid/volume" */
};

/* The files of the volume, into t->files; 0, ERR_AGAIN, or negative with t->err. */
int volume_payload(struct volume_task *t);

/* --- kinds with a file of their own --- */
int volume_empty_dir_sync(struct volume_task *t);
int volume_host_path_sync(struct volume_task *t);
/* Bytes that a tmpfs of the Pod may hold: no more than its memory's limit, the node's memory and
 * size_limit (unset: none). 0: unknown. */
int64_t volume_empty_dir_limit(const struct core_v1_pod *pod, const struct pod_node *node,
                               struct str size_limit);

/* --- directories and mounts --- */
bool volume_mount_point_is(const char *path);
int volume_mount_point_tmpfs(const char *path, int64_t limit_bytes, struct err *err);
/* Mode 0777, and the group with the set-group-id bit unless it is (gid_t)-1. */
int volume_mount_point_own(const char *path, gid_t gid, struct err *err);
/* Detaches everything mounted below, also what containers have mounted in there. */
void volume_mount_point_clear(const char *path);

/* What stands at sub below root, opened beneath it, made when absent, and mounted at target (which
 * is made), so that nobody can swap it afterwards. err says nothing of the node's files. */
int volume_sub_path_bind(const char *root, const char *sub, const char *target, struct err *err);

/* A service account token: asked for when it is not there, kept fresh. 0 with *ret borrowed;
 * ERR_AGAIN: under way. */
struct core_v1_service_account_token_projection;
int volume_token_get(struct volume_task *t, uint32_t source,
                     const struct core_v1_service_account_token_projection *p, struct str *ret);
void volume_token_forget_pod(struct volume_manager *m, struct str pod_uid);
void volume_token_done(struct volume_manager *m);

/* A volume by claim (persistentVolumeClaim, ephemeral): t->volume becomes what its PersistentVolume
 * says, once the API has told. 0, also for other volumes; ERR_AGAIN; or negative with t->err. */
int volume_claim_resolve(struct volume_task *t);
bool volume_claim_is(const struct core_v1_volume *v);
/* What resolve has come to; others are themselves. NULL: nothing yet. */
const struct core_v1_volume *volume_claim_resolved(struct arena *a, const struct volume_manager *m,
                                                   const struct core_v1_pod *pod,
                                                   const struct core_v1_volume *v);
void volume_claim_forget_pod(struct volume_manager *m, struct str pod_uid);
void volume_claim_done(struct volume_manager *m);

/* Everything at and below path belongs to the group and may be written by it; only_on_mismatch: not
 * when path itself does already (fsGroupChangePolicy). */
int volume_group_own(const char *path, gid_t gid, bool only_on_mismatch, struct err *err);

/* "PODS/UID/..." in the arena. */
const char *volume_pod_path(struct arena *a, const struct volume_manager *m, struct str pod_uid,
                            const char *below);
/* The directory of a volume, or where the host has it. NULL: no such kind. */
const char *volume_path(struct arena *a, const struct volume_manager *m,
                        const struct core_v1_pod *pod, const struct core_v1_volume *v);
