/* What one container sees of its Pod's volumes, and the files that every container has: /etc/hosts
 * and the termination log. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "base/buf.h"
#include "base/err.h"
#include "kubelet/pod_env.h"
#include "kubelet/pod_field.h"
#include "kubelet/volume/volume_internal.h"
#include "runtime/runtime_files.h"

enum { MAX_MOUNTS = 1024 };

struct mounts {
    struct volume_manager *manager;
    struct arena *arena;
    const struct core_v1_pod *pod;
    const struct core_v1_container *container;
    const struct runtime_map *env;
    struct runtime_mount *items;
    size_t len;
    struct err *err;
};

static const struct core_v1_volume *find_volume(const struct core_v1_pod *pod, struct str name)
{
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++)
        if (str_eq(pod->spec.volumes.items[i].name, name))
            return &pod->spec.volumes.items[i];
    return NULL;
}

/* --- sub paths: opened beneath the volume, following links that stay inside, and mounted by the
 * descriptor, so that nothing can be put in between --- */

static int open_beneath(int fd, const char *path)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };

    return (int)syscall(SYS_openat2, fd, path, &how, sizeof(how));
}

/* Directories that are not there are made, one after the other. */
static int make_beneath(int root_fd, struct str path)
{
    int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0), next;
    char name[NAME_MAX + 1];
    struct str part;

    while (fd >= 0 && str_next(&path, '/', &part)) {
        if (!part.len || str_eq(part, STR(".")))
            continue;
        if (part.len > NAME_MAX || str_eq(part, STR(".."))) {
            (void)close(fd);
            errno = EINVAL;
            return -1;
        }
        memcpy(name, part.p, part.len);
        name[part.len] = '\0';
        if (mkdirat(fd, name, 0750) < 0 && errno != EEXIST) {
            (void)close(fd);
            return -1;
        }
        next = open_beneath(fd, name);
        (void)close(fd);
        fd = next;
    }
    return fd;
}

static int open_sub_path(struct mounts *m, const char *root, struct str sub)
{
    int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
    int saved;

    if (root_fd < 0)
        return err_errno(m->err, errno, "open '%s'", root);
    fd = open_beneath(root_fd, str_cstr(m->arena, sub));
    if (fd < 0 && errno == ENOENT)
        fd = make_beneath(root_fd, sub);
    saved = errno;
    (void)close(root_fd);
    return fd < 0 ? err_errno(m->err, saved,
                              "failed to prepare subPath for volumeMount \"%.*s\" of container "
                              "\"%.*s\"",
                              STR_ARG(sub), STR_ARG(m->container->name))
                  : fd;
}

/* --- one mount --- */

static enum runtime_propagation propagation_of(struct str text)
{
    if (str_eq(text, STR("Bidirectional")))
        return RUNTIME_BIDIRECTIONAL;
    return str_eq(text, STR("HostToContainer")) ? RUNTIME_HOST_TO_CONTAINER : RUNTIME_PRIVATE;
}

static int add_volume(struct mounts *m, const struct core_v1_volume_mount *vm)
{
    const struct core_v1_volume *v = find_volume(m->pod, vm->name);
    const char *path = v ? volume_path(m->arena, m->manager, m->pod, v) : NULL;
    struct str sub =
        vm->sub_path_expr.len ? pod_env_expand(m->arena, vm->sub_path_expr, m->env) : vm->sub_path;
    struct runtime_mount *mount = &m->items[m->len];
    int fd;

    if (!path)
        return err_set(m->err, ERR_NOT_FOUND, "no volume \"%.*s\"", STR_ARG(vm->name));
    *mount = (struct runtime_mount){
        .container_path = vm->mount_path.len && vm->mount_path.p[0] == '/'
                              ? vm->mount_path
                              : arena_printf(m->arena, "/%.*s", STR_ARG(vm->mount_path)),
        .host_path = str_from_cstr(path),
        .readonly = vm->read_only,
        .recursive_readonly = str_eq(vm->recursive_read_only, STR("Enabled")) ||
                              str_eq(vm->recursive_read_only, STR("IfPossible")),
        .propagation = propagation_of(vm->mount_propagation),
    };
    if (sub.len) {
        fd = open_sub_path(m, path, sub);
        if (fd < 0)
            return fd;
        mount->host_fd_plus_1 = fd + 1;
    }
    m->len++;
    return 0;
}

/* --- /etc/hosts --- */

static bool has_mount_at(const struct core_v1_container *c, struct str path)
{
    for (uint32_t i = 0; i < c->volume_mounts.len; i++)
        if (str_eq(c->volume_mounts.items[i].mount_path, path))
            return true;
    return false;
}

static struct str hosts_text(struct mounts *m, const struct runtime_strs *pod_ips, struct str host)
{
    const struct core_v1_pod_spec *s = &m->pod->spec;
    struct buf b;

    buf_init_arena(&b, m->arena, 512);
    buf_append_lit(&b, "# Kubernetes-managed hosts file.\n"
                       "127.0.0.1\tlocalhost\n"
                       "::1\tlocalhost ip6-localhost ip6-loopback\n"
                       "fe00::0\tip6-localnet\n"
                       "fe00::0\tip6-mcastprefix\n"
                       "fe00::1\tip6-allnodes\n"
                       "fe00::2\tip6-allrouters\n");
    for (size_t i = 0; i < pod_ips->len; i++)
        buf_printf(&b, "%.*s\t%.*s\n", STR_ARG(pod_ips->items[i]), STR_ARG(host));
    if (s->host_aliases.len)
        buf_append_lit(&b, "\n# Entries added by HostAliases.\n");
    for (uint32_t i = 0; i < s->host_aliases.len; i++) {
        const struct core_v1_host_alias *h = &s->host_aliases.items[i];

        buf_append_str(&b, h->ip);
        for (uint32_t k = 0; k < h->hostnames.len; k++)
            buf_printf(&b, "\t%.*s", STR_ARG(h->hostnames.items[k]));
        buf_append_char(&b, '\n');
    }
    return buf_str(&b);
}

/* "web-0.db.shop.svc.cluster.local\tweb-0" where there is a subdomain. */
static struct str host_names(struct mounts *m)
{
    const struct core_v1_pod *p = m->pod;
    struct str host = p->spec.hostname.len ? p->spec.hostname : p->metadata.name;
    struct str domain = m->manager->o.cluster_domain;

    if (!p->spec.subdomain.len)
        return host;
    return arena_printf(m->arena, "%.*s.%.*s.%.*s.svc.%.*s\t%.*s", STR_ARG(host),
                        STR_ARG(p->spec.subdomain), STR_ARG(p->metadata.namespace), STR_ARG(domain),
                        STR_ARG(host));
}

static int add_hosts(struct mounts *m, const struct runtime_strs *pod_ips)
{
    const char *path = volume_pod_path(m->arena, m->manager, m->pod->metadata.uid, "/etc-hosts");
    int r;

    if (m->pod->spec.host_network || has_mount_at(m->container, STR("/etc/hosts")))
        return 0;
    r = runtime_files_write(path, hosts_text(m, pod_ips, host_names(m)), 0644, m->err);
    if (r < 0)
        return r;
    m->items[m->len++] = (struct runtime_mount){ .container_path = STR("/etc/hosts"),
                                                 .host_path = str_from_cstr(path) };
    return 0;
}

static int add_termination_log(struct mounts *m)
{
    struct str path = volume_manager_termination_log(m->arena, m->manager, m->pod->metadata.uid,
                                                     m->container->name);
    struct str at = m->container->termination_message_path;
    ptrdiff_t slash = str_rfind(path, '/');
    int r, fd;

    if (!at.len)
        return 0;
    r = runtime_files_make_directory(str_cstr(m->arena, str_sub(path, 0, (size_t)slash)), 0750,
                                     m->err);
    if (r < 0)
        return r;
    /* A new one for each run: the one before may still be open. */
    (void)unlink(path.p);
    fd = open(path.p, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(m->err, errno, "make '%.*s'", STR_ARG(path));
    (void)fchmod(fd, 0666); /* whatever the umask */
    (void)close(fd);
    m->items[m->len++] = (struct runtime_mount){ .container_path = at, .host_path = path };
    return 0;
}

int volume_manager_mounts(struct volume_manager *manager, struct arena *a,
                          const struct core_v1_pod *pod, const struct core_v1_container *container,
                          const struct runtime_map *env, const struct runtime_strs *pod_ips,
                          struct runtime_mount **ret, size_t *ret_len, struct err *err)
{
    struct mounts m = { manager, a, pod, container, env, NULL, 0, err };
    int r =
        runtime_files_make_directory(volume_pod_path(a, manager, pod->metadata.uid, ""), 0750, err);

    if (container->volume_mounts.len > MAX_MOUNTS)
        return err_set(err, ERR_TOO_LARGE, "more than %d volume mounts", MAX_MOUNTS);
    m.items = ARENA_NEW_ARRAY(a, struct runtime_mount, container->volume_mounts.len + 2);
    for (uint32_t i = 0; r >= 0 && i < container->volume_mounts.len; i++)
        r = add_volume(&m, &container->volume_mounts.items[i]);
    if (r >= 0)
        r = add_hosts(&m, pod_ips);
    if (r >= 0)
        r = add_termination_log(&m);
    if (r < 0) {
        volume_manager_close_mounts(m.items, m.len);
        return r;
    }
    *ret = m.items;
    *ret_len = m.len;
    return 0;
}

void volume_manager_close_mounts(struct runtime_mount *mounts, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (mounts[i].host_fd_plus_1)
            (void)close(mounts[i].host_fd_plus_1 - 1);
}
