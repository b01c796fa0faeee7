/* One row a kind: where its directory is and how it is made. */
#include "kubelet/volume/volume_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "api/quantity.h"
#include "base/err.h"
#include "base/macros.h"
#include "runtime/runtime_files.h"

static bool is_mount(const char *path)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct stat here, above;

    return stat(path, &here) == 0 && stat(arena_printf(&a, "%s/..", path).p, &above) == 0 &&
           here.st_dev != above.st_dev;
}

/* --- emptyDir --- */

static int mount_tmpfs(const char *path, const char *options, struct err *err)
{
    if (is_mount(path))
        return 0;
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return err_errno(err, errno, "mount a tmpfs on '%s'", path);
    return 0;
}

static int own(const char *path, gid_t gid, mode_t mode, struct err *err)
{
    struct stat st;

    if (gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)
        return err_errno(err, errno, "give '%s' to group %u", path, (unsigned)gid);
    if (gid != (gid_t)-1)
        mode |= 02070;
    if (stat(path, &st) == 0 && (st.st_mode & 07777) == mode)
        return 0;
    if (chmod(path, mode) < 0)
        return err_errno(err, errno, "change the mode of '%s'", path);
    return 0;
}

static int make_empty_dir(struct volume_task *t)
{
    const struct core_v1_empty_dir_volume_source *e = t->volume->volume_source.empty_dir;
    char options[64] = "mode=0777";
    struct quantity limit;
    int r = runtime_files_make_directory(t->path, 0777, t->err);

    if (r < 0)
        return r;
    if (str_eq(e->medium, STR("Memory"))) {
        if (e->size_limit.len && quantity_parse(e->size_limit, &limit) && limit.nano > 0)
            (void)snprintf(options, sizeof(options), "mode=0777,size=%lld",
                           (long long)quantity_value(limit));
        r = mount_tmpfs(t->path, options, t->err);
    } else if (e->medium.len) {
        return err_set(t->err, ERR_UNSUPPORTED, "emptyDir medium \"%.*s\" is not supported",
                       STR_ARG(e->medium));
    }
    return r < 0 ? r : own(t->path, t->gid, 0777, t->err);
}

/* --- hostPath --- */

struct host_path_type {
    struct str name;
    mode_t format;      /* S_IFDIR ...; 0: anything, also nothing */
    mode_t make;        /* made with this mode when absent; 0: it must be there */
    const char *failed; /* upstream's words */
};
static const struct host_path_type host_path_types[] = {
    { STR_INIT(""), 0, 0, "" },
    { STR_INIT("Directory"), S_IFDIR, 0, "is not a directory" },
    { STR_INIT("DirectoryOrCreate"), S_IFDIR, 0755, "is not a directory" },
    { STR_INIT("File"), S_IFREG, 0, "is not a file" },
    { STR_INIT("FileOrCreate"), S_IFREG, 0644, "is not a file" },
    { STR_INIT("Socket"), S_IFSOCK, 0, "is not a socket file" },
    { STR_INIT("CharDevice"), S_IFCHR, 0, "is not a character device" },
    { STR_INIT("BlockDevice"), S_IFBLK, 0, "is not a block device" },
};

static int make_host_path(const struct host_path_type *k, const char *path, struct err *err)
{
    int fd;

    if (k->format == S_IFDIR)
        return runtime_files_make_directory(path, k->make, err);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, k->make);
    if (fd < 0 && errno != EEXIST)
        return err_errno(err, errno, "make '%s'", path);
    if (fd >= 0)
        (void)close(fd);
    return 0;
}

static int check_host_path(struct volume_task *t)
{
    const struct core_v1_host_path_volume_source *h = t->volume->volume_source.host_path;
    const struct host_path_type *k = NULL;
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(host_path_types); i++)
        if (str_eq(h->type, host_path_types[i].name))
            k = &host_path_types[i];
    if (!k)
        return err_set(t->err, ERR_INVALID, "hostPath type check failed: unknown type '%.*s'",
                       STR_ARG(h->type));
    if (!k->format) /* the runtime makes a directory of what is absent */
        return access(t->path, F_OK) == 0 ? 0 : runtime_files_make_directory(t->path, 0755, t->err);
    if (stat(t->path, &st) < 0 && k->make) {
        int r = make_host_path(k, t->path, t->err);

        if (r < 0)
            return r;
    }
    if (stat(t->path, &st) < 0 || (st.st_mode & S_IFMT) != k->format)
        return err_set(t->err, ERR_INVALID, "hostPath type check failed: %s %s", t->path,
                       k->failed);
    return 0;
}

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
    bool in_memory = !t->volume->volume_source.config_map;
    int r = volume_payload(t);

    if (r == 0)
        r = runtime_files_make_directory(t->path, 0755, t->err);
    if (r == 0 && in_memory)
        r = mount_tmpfs(t->path, "mode=0755", t->err);
    if (r == 0)
        r = own(t->path, t->gid, 0777, t->err);
    return r < 0 ? r : write_files(t);
}

/* --- the rows --- */

static bool is_empty_dir(const struct core_v1_volume_source *v)
{
    return v->empty_dir;
}
static bool is_host_path(const struct core_v1_volume_source *v)
{
    return v->host_path;
}
static bool is_config_map(const struct core_v1_volume_source *v)
{
    return v->config_map;
}
static bool is_secret(const struct core_v1_volume_source *v)
{
    return v->secret;
}
static bool is_downward_api(const struct core_v1_volume_source *v)
{
    return v->downward_api;
}
static bool is_projected(const struct core_v1_volume_source *v)
{
    return v->projected;
}

static const struct volume_kind kinds[] = {
    { "empty-dir", is_empty_dir, make_empty_dir, false },
    { "host-path", is_host_path, check_host_path, true },
    { "configmap", is_config_map, make_files, false },
    { "secret", is_secret, make_files, false },
    { "downward-api", is_downward_api, make_files, false },
    { "projected", is_projected, make_files, false },
};

const struct volume_kind *volume_kind_of(const struct core_v1_volume *v)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].is(&v->volume_source))
            return &kinds[i];
    return NULL;
}
