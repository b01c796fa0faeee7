/* A container's root: an overlay of its image's layers, images that it mounts besides, and who in
 * it the container runs as. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "io/thread.h"
#include "runtime/builtin_internal.h"
#include "runtime/runtime_files.h"

enum { PASSWD_MAX_BYTES = 1 << 20, MAX_GROUPS = 1024, ROOTFS_OPTIONS_BYTES = 4000 };

struct mounting {
    const char *layers_directory, *target, *options;
    int result;
};

/* Layers are named relative to their directory, as the options are bounded by a page; the thread's
 * working directory is its own. */
static void mount_overlay(void *arg)
{
    struct mounting *m = arg;

    if (unshare(CLONE_FS) < 0 || chdir(m->layers_directory) < 0 ||
        mount("overlay", m->target, "overlay", 0, m->options) < 0)
        m->result = -errno;
}

/* Without writable the layers alone, which are two at least for overlayfs. */
static int mount_layers(const struct builtin *b, const struct image *image, const char *target,
                        const char *writable, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf options = { 0 };
    const char *empty = builtin_path(&a, b->state, "empty", STR_NULL, "");
    struct mounting m = {
        .target = target,
        .layers_directory = arena_printf(&a, "%s/layers", image_store_directory(b->images)).p,
    };

    buf_append_lit(&options, "lowerdir=");
    for (size_t i = image->layers.len; i-- > 0;)
        buf_printf(&options, "%.*s%s", STR_ARG(image->layers.items[i]), i ? ":" : "");
    if (image->layers.len < (writable[0] ? 1 : 2))
        buf_printf(&options, "%s%s", image->layers.len ? ":" : "", empty);
    buf_printf(&options, "%s", writable);
    if (options.len >= ROOTFS_OPTIONS_BYTES)
        return err_set(err, ERR_TOO_LARGE, "an image of %zu layers", image->layers.len);
    m.options = buf_cstr(&options);
    thread_join(thread_start("overlay", mount_overlay, &m));
    return m.result < 0 ? err_errno(err, -m.result, "mount the layers of an image") : 0;
}

int builtin_mount_rootfs(struct builtin *b, const struct image *image, struct str container_id,
                         struct err *err)
{
    static const char *const parts[] = { "/upper", "/work", "/rootfs" };
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *paths[ARRAY_LEN(parts)];

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int r;

        paths[i] = builtin_path(&a, b->root, "containers", container_id, parts[i]);
        r = runtime_files_make_directory(paths[i], 0755, err);
        if (r < 0)
            return r;
    }
    return mount_layers(b, image, paths[2],
                        arena_printf(&a, ",upperdir=%s,workdir=%s", paths[0], paths[1]).p, err);
}

/* --- images as volumes --- */

/* Where the sub path leads within the mounted image; it must be there. */
static int resolve_sub_path(struct arena *a, const char *root, struct str sub, struct str *ret,
                            struct err *err)
{
    const struct open_how how = { .flags = O_PATH | O_CLOEXEC,
                                  .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
    char self[64], real[PATH_MAX];
    ssize_t n = -1;

    if (root_fd < 0)
        return err_errno(err, errno, "open '%s'", root);
    fd = (int)syscall(SYS_openat2, root_fd, str_cstr(a, sub), &how, sizeof(how));
    (void)close(root_fd);
    if (fd >= 0) {
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        n = readlink(self, real, sizeof(real));
        (void)close(fd);
    }
    if (n < 0 || (size_t)n == sizeof(real))
        return err_set(err, ERR_NOT_FOUND, "the image has no '%.*s' to mount", STR_ARG(sub));
    *ret = str_dup(a, str_n(real, (size_t)n));
    return 0;
}

static int mount_image(struct builtin_container *c, struct arena *a, size_t i,
                       struct runtime_mount *m, struct buf *ids, struct err *err)
{
    const struct image *image = image_store_find(c->b->images, m->image);
    const char *target = builtin_path(a, c->b->root, "containers", c->status.id,
                                      arena_printf(a, "/images/%zu", i).p);
    int r;

    if (!image)
        return err_set(err, ERR_NOT_FOUND, "image '%.*s' not found",
                       STR_ARG(str_sub(m->image, 0, 512)));
    r = runtime_files_make_directory(target, 0755, err);
    if (r == 0)
        r = mount_layers(c->b, image, target, "", err);
    if (r < 0)
        return r;
    buf_printf(ids, "%s%.*s", ids->len ? "," : "", STR_ARG(image->info.id));
    m->host_path = str_from_cstr(target);
    m->readonly = true;
    return m->image_sub_path.len
               ? resolve_sub_path(a, target, m->image_sub_path, &m->host_path, err)
               : 0;
}

int builtin_mount_images(struct builtin_container *c, struct arena *a,
                         const struct runtime_container_config *config, struct runtime_mount **ret,
                         struct err *err)
{
    struct runtime_mount *mounts = ARENA_NEW_ARRAY(a, struct runtime_mount, config->n_mounts);
    struct buf ids = { .arena = a };
    int r = 0;

    for (size_t i = 0; i < config->n_mounts && r == 0; i++) {
        mounts[i] = config->mounts[i];
        if (mounts[i].image.len)
            r = mount_image(c, a, i, &mounts[i], &ids, err);
    }
    c->image_volumes = str_dup(&c->arena, buf_str(&ids));
    *ret = mounts;
    return r;
}

void builtin_unmount_images(const struct builtin_container *c)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *path = builtin_path(&a, c->b->root, "containers", c->status.id, "/images");
    DIR *d = opendir(path); /* most have none */
    const struct dirent *e;

    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.')
            (void)umount2(arena_printf(&a, "%s/%s", path, e->d_name).p,
                          MNT_DETACH | UMOUNT_NOFOLLOW);
    if (d)
        (void)closedir(d);
}

/* A file of the image, whatever links it holds; unset when it is not there. */
static struct str read_inside(struct arena *a, const char *rootfs, const char *path)
{
    const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                                  .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
    struct str text = STR_NULL;
    struct err ignored;
    struct stat st;
    char self[64];

    if (root < 0)
        return text;
    fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    (void)close(root);
    if (fd < 0)
        return text;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        (void)runtime_files_read(a, AT_FDCWD, self, PASSWD_MAX_BYTES, &text, &ignored);
    }
    (void)close(fd);
    return text;
}

static struct str field_of(struct str line, int n)
{
    struct str field = STR_NULL;

    for (int i = 0; i <= n; i++)
        if (!str_next(&line, ':', &field))
            return STR_NULL;
    return field;
}

/* The line of a passwd or group file whose name, or whose number, is `who`. */
static bool find_line(struct str text, struct str who, struct str *ret)
{
    struct str line;

    while (str_next(&text, '\n', &line))
        if (str_eq(field_of(line, 0), who) || str_eq(field_of(line, 2), who)) {
            *ret = line;
            return true;
        }
    return false;
}

static bool to_id(struct str s, uint32_t *ret)
{
    uint64_t n;

    if (!str_to_u64(s, &n) || n >= UINT32_MAX)
        return false;
    *ret = (uint32_t)n;
    return true;
}

static bool is_member(struct str line, struct str name)
{
    struct str members = field_of(line, 3), member;

    while (name.len && str_next(&members, ',', &member))
        if (str_eq(member, name))
            return true;
    return false;
}

static void add_groups(struct oci_user *u, uint32_t *groups, struct str group_text,
                       struct str user_name, const struct runtime_security *security)
{
    struct str line;
    uint32_t gid;

    for (size_t i = 0; i < security->n_supplemental_groups && u->n_groups < MAX_GROUPS; i++)
        groups[u->n_groups++] = (uint32_t)security->supplemental_groups[i];
    while (!security->strict_groups && u->n_groups < MAX_GROUPS &&
           str_next(&group_text, '\n', &line))
        if (is_member(line, user_name) && to_id(field_of(line, 2), &gid))
            groups[u->n_groups++] = gid;
    u->groups = groups;
}

/* Who is asked for: a number or name, and perhaps a group. */
static void choose(struct arena *a, const struct image *image,
                   const struct runtime_security *security, struct str *ret_user,
                   struct str *ret_group)
{
    struct str user = image->user, group = STR_NULL;

    if (!str_cut(user, ':', &user, &group))
        group = STR_NULL;
    if (security->has_run_as_user) {
        user = arena_printf(a, "%lld", (long long)security->run_as_user);
        group = STR_NULL;
    } else if (security->run_as_username.len) {
        user = security->run_as_username;
        group = STR_NULL;
    }
    if (security->has_run_as_group)
        group = arena_printf(a, "%lld", (long long)security->run_as_group);
    *ret_user = user.len ? user : STR("0");
    *ret_group = group;
}

int builtin_resolve_user(struct arena *a, const char *rootfs, const struct image *image,
                         const struct runtime_security *security, struct oci_user *ret,
                         struct err *err)
{
    struct str passwd = read_inside(a, rootfs, "/etc/passwd");
    struct str groups = read_inside(a, rootfs, "/etc/group");
    struct oci_user u = { .home = STR("/") };
    struct str user, group, line, name = STR_NULL;

    choose(a, image, security, &user, &group);
    if (find_line(passwd, user, &line)) {
        name = field_of(line, 0);
        if (!to_id(field_of(line, 2), &u.uid) || !to_id(field_of(line, 3), &u.gid))
            return err_set(err, ERR_INVALID, "the image's /etc/passwd: user '%.*s'", STR_ARG(user));
        if (field_of(line, 5).len)
            u.home = str_dup(a, field_of(line, 5));
    } else if (!to_id(user, &u.uid)) {
        return err_set(err, ERR_INVALID,
                       "unable to find user %.*s: no matching entries in passwd file",
                       STR_ARG(user));
    }
    if (group.len && find_line(groups, group, &line)) {
        if (!to_id(field_of(line, 2), &u.gid))
            return err_set(err, ERR_INVALID, "the image's /etc/group: '%.*s'", STR_ARG(group));
    } else if (group.len && !to_id(group, &u.gid)) {
        return err_set(err, ERR_INVALID,
                       "unable to find group %.*s: no matching entries in group file",
                       STR_ARG(group));
    }
    add_groups(&u, ARENA_NEW_ARRAY(a, uint32_t, MAX_GROUPS), groups, name, security);
    *ret = u;
    return 0;
}
