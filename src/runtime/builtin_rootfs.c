/* A container's root: an overlay of its image's layers, and who in it the container runs as. */
#include <errno.h>
#include <fcntl.h>
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

int builtin_mount_rootfs(struct builtin *b, const struct image *image, struct str container_id,
                         struct err *err)
{
    static const char *const parts[] = { "/upper", "/work", "/rootfs" };
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf options = { 0 };
    struct mounting m = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int r = runtime_files_make_directory(
            builtin_path(&a, b->root, "containers", container_id, parts[i]), 0755, err);

        if (r < 0)
            return r;
    }
    m.target = builtin_path(&a, b->root, "containers", container_id, "/rootfs");
    m.layers_directory = arena_printf(&a, "%s/layers", image_store_directory(b->images)).p;
    buf_append_lit(&options, "lowerdir=");
    for (size_t i = image->layers.len; i-- > 0;)
        buf_printf(&options, "%.*s%s", STR_ARG(image->layers.items[i]), i ? ":" : "");
    if (image->layers.len == 0)
        buf_append_str(&options, str_from_cstr(builtin_path(&a, b->state, "empty", STR_NULL, "")));
    buf_printf(&options, ",upperdir=%s,workdir=%s",
               builtin_path(&a, b->root, "containers", container_id, "/upper"),
               builtin_path(&a, b->root, "containers", container_id, "/work"));
    if (options.len >= ROOTFS_OPTIONS_BYTES)
        return err_set(err, ERR_TOO_LARGE, "an image of %zu layers", image->layers.len);
    m.options = buf_cstr(&options);
    thread_join(thread_start("overlay", mount_overlay, &m));
    return m.result < 0 ? err_errno(err, -m.result, "mount the root of the container") : 0;
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
