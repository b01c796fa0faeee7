/* The directories of Pods: pods/UID/volumes/kubernetes.io~KIND/NAME, etc-hosts, containers/NAME. */
#include "kubelet/volume/volume_manager.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "api/core_v1.h"
#include "base/err.h"
#include "base/mem.h"
#include "kubelet/object_cache.h"
#include "kubelet/volume/volume_internal.h"
#include "kubelet/volume/volume_kinds.h"
#include "runtime/runtime_files.h"

const char *volume_pod_path(struct arena *a, const struct volume_manager *m, struct str pod_uid,
                            const char *below)
{
    return arena_printf(a, "%s/%.*s%s", m->pods_directory, STR_ARG(pod_uid), below).p;
}

const char *volume_path(struct arena *a, const struct volume_manager *m,
                        const struct core_v1_pod *pod, const struct core_v1_volume *v)
{
    const struct volume_kind *k = volume_kind_of(v);

    if (!k || k->is_an_image)
        return NULL;
    if (k->is_on_host)
        return str_cstr(a, v->volume_source.host_path->path);
    return arena_printf(a, "%s/%.*s/volumes/kubernetes.io~%s/%.*s", m->pods_directory,
                        STR_ARG(pod->metadata.uid), k->name, STR_ARG(v->name))
        .p;
}

const char *volume_manager_counted_path(struct arena *a, const struct volume_manager *m,
                                        const struct core_v1_pod *pod,
                                        const struct core_v1_volume *v)
{
    const struct volume_kind *k = volume_kind_of(v);

    return k && !k->is_on_host ? volume_path(a, m, pod, v) : NULL;
}

int volume_manager_new(const struct volume_manager_options *o, struct volume_manager **ret,
                       struct err *err)
{
    struct volume_manager *m;
    char real[PATH_MAX];
    int r = runtime_files_make_directory(o->pods_directory, 0750, err);

    if (r < 0)
        return r;
    if (!realpath(o->pods_directory, real)) /* the mount table has it so */
        return err_errno(err, errno, "look at '%s'", o->pods_directory);
    m = NEW(struct volume_manager);
    m->o = *o;
    m->pods_directory = str_heap_cstr(str_from_cstr(real));
    *ret = m;
    return 0;
}

void volume_manager_free(struct volume_manager *m)
{
    if (!m)
        return;
    volume_token_done(m);
    volume_claim_done(m);
    mem_free(m->pods_directory);
    mem_free(m);
}

static gid_t group_of(const struct core_v1_pod *pod)
{
    const struct core_v1_pod_security_context *s = pod->spec.security_context;

    return s && s->fs_group ? (gid_t)*s->fs_group : (gid_t)-1;
}

static bool is_only_on_mismatch(const struct core_v1_pod *pod)
{
    return str_eq(pod->spec.security_context->fs_group_change_policy, STR("OnRootMismatch"));
}

static int make_one(struct volume_task *t)
{
    const struct volume_kind *k = volume_kind_of(t->volume);
    int r;

    if (!k)
        return volume_kind_refuse(t->volume, t->err);
    t->path = volume_path(t->arena, t->manager, t->pod, t->volume);
    r = k->sync(t);
    if (r == 0 && t->wants_group && *t->wants_group && t->gid != (gid_t)-1) {
        r = volume_group_own(t->path, t->gid, is_only_on_mismatch(t->pod), t->err);
        *t->wants_group = r < 0;
    }
    return r;
}

static int sync_one(struct volume_manager *m, struct arena *a, const struct core_v1_pod *pod,
                    const struct core_v1_volume *v, struct err *err)
{
    struct volume_task t = {
        .manager = m,
        .arena = a,
        .pod = pod,
        .volume = v,
        .gid = group_of(pod),
        .err = err,
    };
    int r = volume_claim_resolve(&t);

    if (r == 0)
        r = make_one(&t);
    VEC_DONE(&t.files);
    if (r < 0 && r != ERR_AGAIN)
        (void)err_wrap(err, "MountVolume.SetUp failed for volume \"%.*s\" ", STR_ARG(v->name));
    return r;
}

int volume_manager_sync(struct volume_manager *m, const struct core_v1_pod *pod, struct err *err)
{
    struct err first = { 0 };
    int worst = 0;

    for (uint32_t i = 0; i < pod->spec.volumes.len; i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        int r = sync_one(m, &a, pod, &pod->spec.volumes.items[i], err);

        if (r < 0 && (worst == 0 || worst == ERR_AGAIN)) {
            worst = r;
            first = *err;
        }
    }
    if (worst < 0)
        *err = first;
    return worst;
}

struct str volume_manager_termination_log(struct arena *a, const struct volume_manager *m,
                                          struct str pod_uid, struct str container,
                                          uint32_t attempt)
{
    return arena_printf(a, "%s/%.*s/containers/%.*s/termination-log.%u", m->pods_directory,
                        STR_ARG(pod_uid), STR_ARG(container), attempt);
}

/* --- the end --- */

int volume_manager_remove_pod(struct volume_manager *m, struct str pod_uid, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    volume_token_forget_pod(m, pod_uid);
    volume_claim_forget_pod(m, pod_uid);
    object_cache_release_pod(m->o.config_maps, pod_uid);
    object_cache_release_pod(m->o.secrets, pod_uid);
    volume_mount_point_clear(volume_pod_path(&a, m, pod_uid, ""));
    return runtime_files_remove(AT_FDCWD, volume_pod_path(&a, m, pod_uid, ""), err);
}

void volume_manager_each_pod(struct volume_manager *m, void (*fn)(struct str pod_uid, void *arg),
                             void *arg)
{
    DIR *d = opendir(m->pods_directory);
    const struct dirent *e;

    while (d && (e = readdir(d)))
        if (e->d_type == DT_DIR && e->d_name[0] != '.')
            fn(str_from_cstr(e->d_name), arg);
    if (d)
        (void)closedir(d);
}
