/* hostPath: what the node has, checked for what the Pod expects it to be, perhaps made. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "base/err.h"
#include "kubelet/volume/volume_internal.h"
#include "runtime/runtime_files.h"

struct host_path_type {
    struct str name;
    mode_t format;      /* S_IFDIR ... */
    mode_t make;        /* made with this mode when absent; 0: it must be there */
    const char *failed; /* upstream's words */
};
static const struct host_path_type types[] = {
    { STR_INIT("Directory"), S_IFDIR, 0, "is not a directory" },
    { STR_INIT("DirectoryOrCreate"), S_IFDIR, 0755, "is not a directory" },
    { STR_INIT("File"), S_IFREG, 0, "is not a file" },
    { STR_INIT("FileOrCreate"), S_IFREG, 0644, "is not a file" },
    { STR_INIT("Socket"), S_IFSOCK, 0, "is not a socket file" },
    { STR_INIT("CharDevice"), S_IFCHR, 0, "is not a character device" },
    { STR_INIT("BlockDevice"), S_IFBLK, 0, "is not a block device" },
};

static int make(const struct host_path_type *k, const char *path, struct err *err)
{
    int fd;

    if (k->format == S_IFDIR)
        return runtime_files_make_directory(path, k->make, err);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, k->make);
    if (fd < 0 && errno != EEXIST)
        return err_errno(err, errno, "open %s", path);
    if (fd >= 0)
        (void)close(fd);
    return 0;
}

static const struct host_path_type *find_type(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(name, types[i].name))
            return &types[i];
    return NULL;
}

int volume_host_path_sync(struct volume_task *t)
{
    const struct core_v1_host_path_volume_source *h = t->volume->volume_source.host_path;
    const struct host_path_type *k = find_type(h->type);
    struct stat st;

    if (!h->type.len) /* the runtime makes a directory of what is absent */
        return access(t->path, F_OK) == 0 ? 0 : runtime_files_make_directory(t->path, 0755, t->err);
    if (!k)
        return err_set(t->err, ERR_INVALID, "%.*s is an invalid volume type", STR_ARG(h->type));
    if (k->make && stat(t->path, &st) < 0) {
        int r = make(k, t->path, t->err);

        if (r < 0)
            return r;
    }
    if (stat(t->path, &st) < 0 || (st.st_mode & S_IFMT) != k->format)
        return err_set(t->err, ERR_INVALID, "hostPath type check failed: %s %s", t->path,
                       k->failed);
    return 0;
}
