/* What one container sees of its Pod's volumes, and the files that every container has: /etc/hosts
 * and the termination log. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "kubelet/pod_env.h"
#include "kubelet/pod_field.h"
#include "kubelet/volume/volume_internal.h"
#include "kubelet/volume/volume_kinds.h"
#include "runtime/runtime_files.h"

enum { MAX_MOUNTS = 1024, HOSTS_MAX_BYTES = 1 << 20 };

struct mounts {
    struct volume_manager *manager;
    struct arena *arena;
    const struct core_v1_pod *pod;
    const struct core_v1_container *container;
    uint32_t attempt;
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

/* --- sub paths --- */

/* $(NAME) of the container's environment; what is unset or empty would mean another directory. */
static int expand(struct mounts *m, struct str text, struct str *ret)
{
    struct str rest = text, missing = STR_NULL;

    for (size_t i = 0; i + 1 < rest.len; i++) {
        struct str name;
        bool is_set = false;

        if (rest.p[i] == '$' && rest.p[i + 1] == '$') {
            i++;
            continue;
        }
        if (rest.p[i] != '$' || rest.p[i + 1] != '(' ||
            !str_cut(str_tail(rest, i + 2), ')', &name, &(struct str){ 0 }))
            continue;
        for (size_t k = 0; k < m->env->len; k++)
            is_set |= str_eq(m->env->items[k].key, name) && m->env->items[k].value.len;
        if (!is_set)
            missing = name;
    }
    if (missing.p)
        return err_set(m->err, ERR_INVALID, "missing value for %.*s", STR_ARG(missing));
    *ret = pod_env_expand(m->arena, text, m->env);
    return 0;
}

static int sub_path_of(struct mounts *m, const struct core_v1_volume_mount *vm, struct str *ret)
{
    struct str rest, part;
    int r = 0;

    *ret = vm->sub_path;
    if (vm->sub_path_expr.len)
        r = expand(m, vm->sub_path_expr, ret);
    if (r < 0)
        return r;
    if (str_has_prefix(*ret, STR("/")))
        return err_set(m->err, ERR_INVALID, "error SubPath `%.*s` must not be an absolute path",
                       STR_ARG(*ret));
    rest = *ret;
    while (str_next(&rest, '/', &part))
        if (str_eq(part, STR("..")))
            return err_set(m->err, ERR_INVALID,
                           "unable to provision SubPath `%.*s`: must not contain '..'",
                           STR_ARG(*ret));
    return 0;
}

/* Changes the mount's host path. The node's files are none of the user's business: they are logged.
 */
static int bind_sub_path(struct mounts *m, const struct core_v1_volume_mount *vm, struct str sub,
                         struct runtime_mount *mount)
{
    struct str target =
        arena_printf(m->arena, "%s/%.*s/volume-subpaths/%.*s/%.*s/%td", m->manager->pods_directory,
                     STR_ARG(m->pod->metadata.uid), STR_ARG(vm->name), STR_ARG(m->container->name),
                     vm - m->container->volume_mounts.items);

    if (volume_sub_path_bind(mount->host_path.p, str_cstr(m->arena, sub), target.p, m->err) < 0) {
        LOG_WARNING("cannot mount a subPath", KV("pod", m->pod->metadata.uid),
                    KV("container", m->container->name), KV("volume", vm->name),
                    KV("err", str_from_cstr(m->err->text)));
        return err_set(m->err, ERR_INVALID,
                       "failed to prepare subPath for volumeMount \"%.*s\" of container "
                       "\"%.*s\"",
                       STR_ARG(vm->name), STR_ARG(m->container->name));
    }
    mount->host_path = target;
    return 0;
}

/* --- one mount --- */

static enum runtime_propagation propagation_of(struct str text)
{
    if (str_eq(text, STR("Bidirectional")))
        return RUNTIME_BIDIRECTIONAL;
    return str_eq(text, STR("HostToContainer")) ? RUNTIME_HOST_TO_CONTAINER : RUNTIME_PRIVATE;
}

static bool is_readonly_claim(const struct core_v1_volume *v)
{
    return v->volume_source.persistent_volume_claim &&
           v->volume_source.persistent_volume_claim->read_only;
}

static bool is_image(const struct core_v1_volume *v)
{
    return v && volume_kind_of(v) && volume_kind_of(v)->is_an_image;
}

static int add_volume(struct mounts *m, const struct core_v1_volume_mount *vm)
{
    const struct core_v1_volume *asked = find_volume(m->pod, vm->name);
    const struct core_v1_volume *v =
        asked ? volume_claim_resolved(m->arena, m->manager, m->pod, asked) : NULL;
    const char *path = v ? volume_path(m->arena, m->manager, m->pod, v) : NULL;
    struct runtime_mount *mount = &m->items[m->len];
    struct str sub;
    int r = sub_path_of(m, vm, &sub);

    if (r < 0)
        return r;
    if (!path && !is_image(v))
        return err_set(m->err, ERR_NOT_FOUND,
                       "cannot find volume \"%.*s\" to mount into container \"%.*s\"",
                       STR_ARG(vm->name), STR_ARG(m->container->name));
    *mount = (struct runtime_mount){
        .container_path = vm->mount_path.len && vm->mount_path.p[0] == '/'
                              ? vm->mount_path
                              : arena_printf(m->arena, "/%.*s", STR_ARG(vm->mount_path)),
        .host_path = str_from_cstr(path),
        .image = is_image(v) ? v->volume_source.image->reference : STR_NULL,
        .image_sub_path = is_image(v) ? sub : STR_NULL,
        .readonly = vm->read_only || volume_kind_of(v)->is_readonly || is_readonly_claim(asked),
        .recursive_readonly = str_eq(vm->recursive_read_only, STR("Enabled")) ||
                              str_eq(vm->recursive_read_only, STR("IfPossible")),
        .propagation = propagation_of(vm->mount_propagation),
    };
    m->len++;
    return sub.len && path ? bind_sub_path(m, vm, sub, mount) : 0;
}

/* --- /etc/hosts --- */

static bool has_mount_at(const struct core_v1_container *c, struct str path)
{
    for (uint32_t i = 0; i < c->volume_mounts.len; i++)
        if (str_eq(c->volume_mounts.items[i].mount_path, path))
            return true;
    return false;
}

static void add_pod_hosts(struct buf *b, const struct runtime_strs *pod_ips, struct str host)
{
    buf_append_lit(b, "# Kubernetes-managed hosts file.\n"
                      "127.0.0.1\tlocalhost\n"
                      "::1\tlocalhost ip6-localhost ip6-loopback\n"
                      "fe00::0\tip6-localnet\n"
                      "fe00::0\tip6-mcastprefix\n"
                      "fe00::1\tip6-allnodes\n"
                      "fe00::2\tip6-allrouters\n");
    for (size_t i = 0; i < pod_ips->len; i++)
        buf_printf(b, "%.*s\t%.*s\n", STR_ARG(pod_ips->items[i]), STR_ARG(host));
}

static void add_node_hosts(struct buf *b, struct arena *a)
{
    struct str text = STR_NULL;
    struct err err;

    (void)runtime_files_read(a, AT_FDCWD, "/etc/hosts", HOSTS_MAX_BYTES, &text, &err); /* or none */
    buf_append_lit(b, "# Kubernetes-managed hosts file (host network).\n");
    buf_append_str(b, text);
}

static struct str hosts_text(struct mounts *m, const struct runtime_strs *pod_ips, struct str host)
{
    const struct core_v1_pod_spec *s = &m->pod->spec;
    struct buf b;

    buf_init_arena(&b, m->arena, 512);
    if (s->host_network)
        add_node_hosts(&b, m->arena);
    else
        add_pod_hosts(&b, pod_ips, host);
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

    if (has_mount_at(m->container, STR("/etc/hosts")))
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
    struct str uid = m->pod->metadata.uid, name = m->container->name;
    struct str path = volume_manager_termination_log(m->arena, m->manager, uid, name, m->attempt);
    struct str at = m->container->termination_message_path;
    ptrdiff_t slash = str_rfind(path, '/');
    int r, fd;

    if (!at.len)
        return 0;
    r = runtime_files_make_directory(str_cstr(m->arena, str_sub(path, 0, (size_t)slash)), 0750,
                                     m->err);
    if (r < 0)
        return r;
    /* Each run has its own; that of the one before is still told of. */
    if (m->attempt > 1)
        (void)unlink(
            volume_manager_termination_log(m->arena, m->manager, uid, name, m->attempt - 2).p);
    (void)unlink(path.p); /* of a try that came to nothing */
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
                          uint32_t attempt, const struct runtime_map *env,
                          const struct runtime_strs *pod_ips, struct runtime_mount **ret,
                          size_t *ret_len, struct err *err)
{
    struct mounts m = { manager, a, pod, container, attempt, env, NULL, 0, err };
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
    if (r < 0)
        return r;
    *ret = m.items;
    *ret_len = m.len;
    return 0;
}
