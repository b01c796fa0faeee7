/* emptyDir: a directory of the node, or a tmpfs. Made once: what containers do with its mode and
 * owner afterwards stays, so a file outside of it says that it was ready. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "api/quantity.h"
#include "base/err.h"
#include "kubelet/pod_config.h"
#include "kubelet/pod_field.h"
#include "kubelet/volume/volume_internal.h"
#include "runtime/runtime_files.h"

int64_t volume_empty_dir_limit(const struct core_v1_pod *pod, const struct pod_node *node,
                               struct str size_limit)
{
    int64_t limit = node ? node->allocatable_memory_bytes : 0;
    struct runtime_resources r;
    struct quantity own;

    pod_config_cgroup_limits(pod, &r);
    if (r.memory_limit_bytes > 0 && (!limit || r.memory_limit_bytes < limit))
        limit = r.memory_limit_bytes;
    if (size_limit.len && quantity_parse(size_limit, &own) && quantity_value(own) > 0 &&
        (!limit || quantity_value(own) < limit))
        limit = quantity_value(own);
    return limit;
}

static int mark_ready(const struct volume_task *t, const char *ready)
{
    struct str path = str_from_cstr(ready);
    const char *above = str_cstr(t->arena, str_sub(path, 0, (size_t)str_rfind(path, '/')));
    int fd, r = runtime_files_make_directory(above, 0750, t->err);

    if (r < 0)
        return r;
    fd = open(ready, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(t->err, errno, "make '%s'", ready);
    (void)close(fd);
    return 0;
}

int volume_empty_dir_sync(struct volume_task *t)
{
    const struct core_v1_empty_dir_volume_source *e = t->volume->volume_source.empty_dir;
    bool is_memory = str_eq(e->medium, STR("Memory"));
    const char *ready =
        volume_pod_path(t->arena, t->manager, t->pod->metadata.uid,
                        arena_printf(t->arena, "/plugins/kubernetes.io~empty-dir/%.*s/ready",
                                     STR_ARG(t->volume->name))
                            .p);
    int r;

    if (str_has_prefix(e->medium, STR("HugePages")))
        return err_set(t->err, ERR_UNSUPPORTED,
                       "storage medium \"%.*s\" is not supported: this node offers no huge pages",
                       STR_ARG(e->medium));
    if (e->medium.len && !is_memory)
        return err_set(t->err, ERR_INVALID, "unknown storage medium \"%.*s\"", STR_ARG(e->medium));
    if (access(ready, F_OK) == 0 &&
        (is_memory ? volume_mount_point_is(t->path) : access(t->path, F_OK) == 0))
        return 0;
    r = runtime_files_make_directory(t->path, 0777, t->err);
    if (r == 0 && is_memory)
        r = volume_mount_point_tmpfs(
            t->path, volume_empty_dir_limit(t->pod, t->manager->o.node, e->size_limit), t->err);
    if (r == 0)
        r = volume_mount_point_own(t->path, t->gid, t->err);
    return r < 0 ? r : mark_ready(t, ready);
}
