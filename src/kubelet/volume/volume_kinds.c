/* One row a kind: where its directory is and how it is made. */
#include "kubelet/volume/volume_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "base/err.h"
#include "runtime/runtime_files.h"

/* --- small files --- */

static int write_files(struct volume_task *t)
{
    int dir_fd = open(t->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

    if (dir_fd < 0)
        return err_errno(t->err, errno, "open '%s'", t->path);
    r = atomic_writer_write(dir_fd, t->files.items, t->files.len, t->gid, t->err);
    (void)close(dir_fd);
    return r < 0 ? r : 0;
}

static int make_files(struct volume_task *t)
{
    bool is_in_memory = !t->volume->volume_source.config_map;
    int r = volume_payload(t);

    if (r == 0)
        r = runtime_files_make_directory(t->path, 0777, t->err);
    if (r == 0 && is_in_memory)
        r = volume_mount_point_tmpfs(
            t->path, volume_empty_dir_limit(t->pod, t->manager->o.node, STR_NULL), t->err);
    if (r == 0)
        r = volume_mount_point_own(t->path, t->gid, t->err);
    return r < 0 ? r : write_files(t);
}

static int make_nothing(struct volume_task *t)
{
    (void)t;
    return 0;
}

/* --- the rows --- */

#define SOURCE(member) offsetof(struct core_v1_volume_source, member)

static const struct volume_kind kinds[] = {
    { "empty-dir", SOURCE(empty_dir), volume_empty_dir_sync, .is_on_host = false },
    { "host-path", SOURCE(host_path), volume_host_path_sync, .is_on_host = true },
    { "configmap", SOURCE(config_map), make_files, .is_readonly = true },
    { "secret", SOURCE(secret), make_files, .is_readonly = true },
    { "downward-api", SOURCE(downward_api), make_files, .is_readonly = true },
    { "projected", SOURCE(projected), make_files, .is_readonly = true },
    { "image", SOURCE(image), make_nothing, .is_readonly = true, .is_an_image = true },
};

#define STRANGER(field, member)                                                                    \
    {                                                                                              \
        field, SOURCE(member)                                                                      \
    }

static const struct stranger {
    const char *name;
    size_t offset;
} strangers[] = {
    STRANGER("csi", csi),
    STRANGER("nfs", nfs),
    STRANGER("iscsi", iscsi),
    STRANGER("fc", fc),
    STRANGER("rbd", rbd),
    STRANGER("cephfs", cephfs),
    STRANGER("glusterfs", glusterfs),
    STRANGER("flexVolume", flex_volume),
    STRANGER("cinder", cinder),
    STRANGER("flocker", flocker),
    STRANGER("azureFile", azure_file),
    STRANGER("azureDisk", azure_disk),
    STRANGER("vsphereVolume", vsphere_volume),
    STRANGER("quobyte", quobyte),
    STRANGER("photonPersistentDisk", photon_persistent_disk),
    STRANGER("portworxVolume", portworx_volume),
    STRANGER("scaleIO", scale_io),
    STRANGER("storageos", storageos),
    STRANGER("gcePersistentDisk", gce_persistent_disk),
    STRANGER("awsElasticBlockStore", aws_elastic_block_store),
};

static bool has(const struct core_v1_volume *v, size_t offset)
{
    return *(void *const *)(const void *)((const char *)&v->volume_source + offset);
}

const struct volume_kind *volume_kind_of(const struct core_v1_volume *v)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (has(v, kinds[i].offset))
            return &kinds[i];
    return NULL;
}

int volume_kind_refuse(const struct core_v1_volume *v, struct err *err)
{
    if (v->volume_source.git_repo) /* it would run the repository's hooks as root of the node */
        return err_set(err, ERR_UNSUPPORTED,
                       "gitRepo volume plugin has been disabled; clone the repository into an "
                       "emptyDir in an init container instead");
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
        if (has(v, strangers[i].offset))
            return err_set(err, ERR_UNSUPPORTED,
                           "no volume plugin matched: this kubelet has none for %s volumes",
                           strangers[i].name);
    return err_set(err, ERR_UNSUPPORTED, "no volume plugin matched");
}
