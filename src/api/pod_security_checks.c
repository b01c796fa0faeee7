#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/pod_security.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"

#define APPARMOR STR("container.apparmor.security.beta.kubernetes.io/")
#define SECCOMP  "seccomp.security.alpha.kubernetes.io/"

/* What the checks look at of a container, whichever of the three lists it is in. */
struct part {
    struct str name;
    const struct core_v1_security_context *context; /* NULL: none */
    const struct core_v1_container_port *ports;
    uint32_t n_ports;
    const struct core_v1_probe *probes[3];
    const struct core_v1_lifecycle *lifecycle;
};

struct pod_view {
    struct arena *arena;
    int32_t minor;
    const struct meta_v1_object_meta *meta;
    const struct core_v1_pod_spec *spec;
    struct part *parts;
    size_t n;
};

static const struct core_v1_security_context no_context;

static const struct core_v1_security_context *context_of(const struct part *p)
{
    return p->context ? p->context : &no_context;
}

static const struct core_v1_pod_security_context *pod_context(const struct pod_view *v)
{
    static const struct core_v1_pod_security_context none;

    return v->spec->security_context ? v->spec->security_context : &none;
}

/* --- lists of words --- */

struct words {
    struct str *items;
    size_t n, cap;
};

static void add(struct arena *a, struct words *w, struct str word)
{
    if (w->n == w->cap) {
        struct str *bigger = ARENA_NEW_ARRAY(a, struct str, w->cap * 2 + 8);

        if (w->n)
            memcpy(bigger, w->items, w->n * sizeof(*bigger));
        w->items = bigger;
        w->cap = w->cap * 2 + 8;
    }
    w->items[w->n++] = word;
}

/* As a set: sorted, each once. */
static void add_once(struct arena *a, struct words *w, struct str word)
{
    size_t at = 0;

    while (at < w->n && str_cmp(w->items[at], word) < 0)
        at++;
    if (at < w->n && str_eq(w->items[at], word))
        return;
    add(a, w, word);
    memmove(w->items + at + 1, w->items + at, (w->n - 1 - at) * sizeof(*w->items));
    w->items[at] = word;
}

static struct str join(struct arena *a, const struct words *w, const char *between,
                       const char *around)
{
    struct buf b;

    buf_init_arena(&b, a, 128);
    for (size_t i = 0; i < w->n; i++)
        buf_printf(&b, "%s%s%.*s%s", i ? between : "", around, STR_ARG(w->items[i]), around);
    return buf_str(&b);
}

static struct str quoted(struct arena *a, const struct words *w)
{
    return join(a, w, ", ", "\"");
}

static const char *plural(const struct words *w, const char *one, const char *many)
{
    return w->n == 1 ? one : many;
}

static struct str containers(struct arena *a, const struct words *names)
{
    return arena_printf(a, "%s %.*s", plural(names, "container", "containers"),
                        STR_ARG(quoted(a, names)));
}

/* 'pod and containers "a", "b"': who says so. */
static struct str setters(struct arena *a, bool is_pod, const struct words *names)
{
    struct words w = { 0 };

    if (is_pod)
        add(a, &w, STR("pod"));
    if (names->n)
        add(a, &w, containers(a, names));
    return join(a, &w, " and ", "");
}

static bool find(struct pod_security_finding *f, const char *reason, struct str detail)
{
    *f = (struct pod_security_finding){ str_from_cstr(reason), detail };
    return false;
}

static bool is_among(struct str word, const char *words)
{
    struct str rest = str_from_cstr(words), w;

    while (str_next(&rest, ' ', &w))
        if (str_eq(w, word))
            return true;
    return false;
}

static bool is_true(const bool *b)
{
    return b && *b;
}

/* --- baseline --- */

static bool is_good_apparmor(const struct core_v1_app_armor_profile *p)
{
    return !p || is_among(p->type, "RuntimeDefault Localhost");
}

static bool is_good_apparmor_annotation(struct str v)
{
    return !v.len || str_eq(v, STR("runtime/default")) || str_has_prefix(v, STR("localhost/"));
}

/* An annotation as 'key="value"'. */
static struct str annotation(struct arena *a, const struct schema_str_entry *e)
{
    struct buf b;

    buf_init_arena(&b, a, 128);
    buf_printf(&b, "%.*s=", STR_ARG(e->key));
    field_error_quote(&b, e->value);
    return buf_str(&b);
}

static bool apparmor(const struct pod_view *v, struct pod_security_finding *f)
{
    const struct core_v1_app_armor_profile *pod = pod_context(v)->app_armor_profile;
    struct words names = { 0 }, values = { 0 }, annotations = { 0 }, who = { 0 };
    struct arena *a = v->arena;

    if (!is_good_apparmor(pod)) {
        add(a, &who, STR("pod"));
        add_once(a, &values, pod->type);
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct core_v1_app_armor_profile *p = context_of(&v->parts[i])->app_armor_profile;

        if (is_good_apparmor(p))
            continue;
        add(a, &names, v->parts[i].name);
        add_once(a, &values, p->type);
    }
    if (names.n)
        add(a, &who, containers(a, &names));
    for (uint32_t i = 0; i < v->meta->annotations.len; i++) {
        const struct schema_str_entry *e = &v->meta->annotations.items[i];

        if (str_has_prefix(e->key, APPARMOR) && !is_good_apparmor_annotation(e->value))
            add_once(a, &annotations, annotation(a, e));
    }
    for (size_t i = 0; i < annotations.n; i++)
        add(a, &values, annotations.items[i]);
    if (annotations.n)
        add(a, &who, str_from_cstr(plural(&annotations, "annotation", "annotations")));
    return !who.n ||
           find(f, plural(&values, "forbidden AppArmor profile", "forbidden AppArmor profiles"),
                arena_printf(a, "%.*s must not set AppArmor profile type to %.*s",
                             STR_ARG(join(a, &who, " and ", "")), STR_ARG(quoted(a, &values))));
}

static bool adds_others(struct arena *a, const struct core_v1_capabilities *c, const char *allowed,
                        struct words *found)
{
    bool any = false;

    for (uint32_t i = 0; c && i < c->add.len; i++) {
        if (is_among(c->add.items[i], allowed))
            continue;
        add_once(a, found, c->add.items[i]);
        any = true;
    }
    return any;
}

static struct str must_not_add(struct arena *a, const struct words *names,
                               const struct words *capabilities)
{
    return arena_printf(a, "%.*s must not include %.*s in securityContext.capabilities.add",
                        STR_ARG(containers(a, names)), STR_ARG(quoted(a, capabilities)));
}

static bool capabilities_baseline(const struct pod_view *v, struct pod_security_finding *f)
{
    static const char allowed[] = "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD "
                                  "NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT";
    struct words names = { 0 }, found = { 0 };

    for (size_t i = 0; i < v->n; i++)
        if (adds_others(v->arena, context_of(&v->parts[i])->capabilities, allowed, &found))
            add(v->arena, &names, v->parts[i].name);
    return !names.n || find(f, "non-default capabilities", must_not_add(v->arena, &names, &found));
}

static bool host_namespaces(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words found = { 0 };

    if (v->spec->host_network)
        add(v->arena, &found, STR("hostNetwork=true"));
    if (v->spec->host_pid)
        add(v->arena, &found, STR("hostPID=true"));
    if (v->spec->host_ipc)
        add(v->arena, &found, STR("hostIPC=true"));
    return !found.n || find(f, "host namespaces", join(v->arena, &found, ", ", ""));
}

static bool host_path_volumes(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words names = { 0 };

    for (uint32_t i = 0; i < v->spec->volumes.len; i++)
        if (v->spec->volumes.items[i].volume_source.host_path)
            add(v->arena, &names, v->spec->volumes.items[i].name);
    return !names.n || find(f, "hostPath volumes",
                            arena_printf(v->arena, "%s %.*s", plural(&names, "volume", "volumes"),
                                         STR_ARG(quoted(v->arena, &names))));
}

static bool host_ports(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words names = { 0 }, ports = { 0 };

    for (size_t i = 0; i < v->n; i++) {
        size_t before = names.n;

        for (uint32_t k = 0; k < v->parts[i].n_ports; k++) {
            int32_t port = v->parts[i].ports[k].host_port;

            if (!port)
                continue;
            add_once(v->arena, &ports, arena_printf(v->arena, "%d", port));
            if (names.n == before)
                add(v->arena, &names, v->parts[i].name);
        }
    }
    return !names.n ||
           find(f, "hostPort",
                arena_printf(v->arena, "%.*s %s %s %.*s", STR_ARG(containers(v->arena, &names)),
                             plural(&names, "uses", "use"), plural(&ports, "hostPort", "hostPorts"),
                             STR_ARG(join(v->arena, &ports, ", ", ""))));
}

static void add_hosts(struct arena *a, const struct core_v1_http_get_action *http,
                      const struct core_v1_tcp_socket_action *tcp, struct words *hosts)
{
    if (http && http->host.len)
        add_once(a, hosts, http->host);
    if (tcp && tcp->host.len)
        add_once(a, hosts, tcp->host);
}

static void add_hosts_of(struct arena *a, const struct part *p, struct words *hosts)
{
    const struct core_v1_lifecycle_handler *handlers[] = {
        p->lifecycle ? p->lifecycle->post_start : NULL,
        p->lifecycle ? p->lifecycle->pre_stop : NULL,
    };

    for (size_t i = 0; i < ARRAY_LEN(p->probes); i++)
        if (p->probes[i])
            add_hosts(a, p->probes[i]->handler.http_get, p->probes[i]->handler.tcp_socket, hosts);
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
        if (handlers[i])
            add_hosts(a, handlers[i]->http_get, handlers[i]->tcp_socket, hosts);
}

static bool probe_hosts(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words names = { 0 }, hosts = { 0 };

    for (size_t i = 0; i < v->n; i++) {
        struct words own = { 0 };

        add_hosts_of(v->arena, &v->parts[i], &own);
        for (size_t k = 0; k < own.n; k++)
            add_once(v->arena, &hosts, own.items[k]);
        if (own.n)
            add_once(v->arena, &names, v->parts[i].name);
    }
    return !names.n ||
           find(f, "probe or lifecycle host",
                arena_printf(v->arena, "%.*s %s %s %.*s", STR_ARG(containers(v->arena, &names)),
                             plural(&names, "uses", "use"),
                             plural(&hosts, "probe or lifecycle host", "probe or lifecycle hosts"),
                             STR_ARG(quoted(v->arena, &hosts))));
}

static bool privileged(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words names = { 0 };

    for (size_t i = 0; i < v->n; i++)
        if (is_true(context_of(&v->parts[i])->privileged))
            add(v->arena, &names, v->parts[i].name);
    return !names.n ||
           find(f, "privileged",
                arena_printf(v->arena, "%.*s must not set securityContext.privileged=true",
                             STR_ARG(containers(v->arena, &names))));
}

static bool proc_mount(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words names = { 0 }, kinds = { 0 };

    for (size_t i = 0; i < v->n; i++) {
        struct str kind = context_of(&v->parts[i])->proc_mount;

        if (!kind.len || str_eq(kind, STR("Default")))
            continue;
        add(v->arena, &names, v->parts[i].name);
        add_once(v->arena, &kinds, kind);
    }
    return !names.n ||
           find(f, "procMount",
                arena_printf(v->arena, "%.*s must not set securityContext.procMount to %.*s",
                             STR_ARG(containers(v->arena, &names)),
                             STR_ARG(quoted(v->arena, &kinds))));
}

struct selinux {
    struct words types;
    bool has_user, has_role;
};

static bool is_good_selinux(const struct pod_view *v, const struct core_v1_se_linux_options *o,
                            struct selinux *s)
{
    bool is_good = true;

    if (!o)
        return true;
    if (o->type.len && !is_among(o->type, "container_t container_init_t container_kvm_t") &&
        (v->minor < 31 || !str_eq(o->type, STR("container_engine_t")))) {
        add_once(v->arena, &s->types, o->type);
        is_good = false;
    }
    s->has_user |= o->user.len != 0;
    s->has_role |= o->role.len != 0;
    return is_good && !o->user.len && !o->role.len;
}

static bool selinux(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words names = { 0 }, what = { 0 };
    struct selinux s = { 0 };
    bool is_pod = !is_good_selinux(v, pod_context(v)->se_linux_options, &s);
    struct arena *a = v->arena;

    for (size_t i = 0; i < v->n; i++)
        if (!is_good_selinux(v, context_of(&v->parts[i])->se_linux_options, &s))
            add(a, &names, v->parts[i].name);
    if (s.types.n)
        add(a, &what,
            arena_printf(a, "%s %.*s", plural(&s.types, "type", "types"),
                         STR_ARG(quoted(a, &s.types))));
    if (s.has_user)
        add(a, &what, STR("user may not be set"));
    if (s.has_role)
        add(a, &what, STR("role may not be set"));
    return (!is_pod && !names.n) ||
           find(f, "seLinuxOptions",
                arena_printf(a, "%.*s set forbidden securityContext.seLinuxOptions: %.*s",
                             STR_ARG(setters(a, is_pod, &names)),
                             STR_ARG(join(a, &what, "; ", ""))));
}

static bool is_good_seccomp(const struct core_v1_seccomp_profile *p)
{
    return is_among(p->type, "RuntimeDefault Localhost");
}

static bool is_good_seccomp_annotation(struct str v)
{
    return is_among(v, "runtime/default docker/default") || str_has_prefix(v, STR("localhost/"));
}

static void check_annotation(const struct pod_view *v, struct str key, struct words *found)
{
    const struct schema_str_entry *e = text_map_find(&v->meta->annotations, key);

    if (e && !is_good_seccomp_annotation(e->value))
        add_once(v->arena, found, annotation(v->arena, e));
}

/* Before v1.19 profiles were annotations. */
static bool seccomp_annotations(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words found = { 0 };

    check_annotation(v, STR(SECCOMP "pod"), &found);
    for (size_t i = 0; i < v->n; i++)
        check_annotation(
            v, arena_printf(v->arena, "container." SECCOMP "%.*s", STR_ARG(v->parts[i].name)),
            &found);
    return !found.n || find(f, "seccompProfile",
                            arena_printf(v->arena, "forbidden %s %.*s",
                                         plural(&found, "annotation", "annotations"),
                                         STR_ARG(join(v->arena, &found, ", ", ""))));
}

/* needs_one: each container must have a profile, its own or the Pod's. */
static bool seccomp(const struct pod_view *v, bool needs_one, struct pod_security_finding *f)
{
    const struct core_v1_seccomp_profile *pod = pod_context(v)->seccomp_profile;
    struct words names = { 0 }, without = { 0 }, values = { 0 };
    bool is_pod = pod && !is_good_seccomp(pod);
    struct arena *a = v->arena;

    if (is_pod)
        add_once(a, &values, pod->type);
    for (size_t i = 0; i < v->n; i++) {
        const struct core_v1_seccomp_profile *p = context_of(&v->parts[i])->seccomp_profile;

        if (!p && (!pod || is_pod))
            add(a, &without, v->parts[i].name);
        if (!p || is_good_seccomp(p))
            continue;
        add(a, &names, v->parts[i].name);
        add_once(a, &values, p->type);
    }
    if (is_pod || names.n)
        return find(f, "seccompProfile",
                    arena_printf(a, "%.*s must not set securityContext.seccompProfile.type to %.*s",
                                 STR_ARG(setters(a, is_pod, &names)), STR_ARG(quoted(a, &values))));
    return !needs_one || !without.n ||
           find(f, "seccompProfile",
                arena_printf(a,
                             "pod or %.*s must set securityContext.seccompProfile.type to "
                             "\"RuntimeDefault\" or \"Localhost\"",
                             STR_ARG(containers(a, &without))));
}

static bool seccomp_baseline(const struct pod_view *v, struct pod_security_finding *f)
{
    return v->minor < 19 ? seccomp_annotations(v, f) : seccomp(v, false, f);
}

static bool sysctls(const struct pod_view *v, struct pod_security_finding *f)
{
    static const struct {
        int32_t since;
        const char *names;
    } rows[] = {
        { 0, "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies "
             "net.ipv4.ping_group_range net.ipv4.ip_unprivileged_port_start" },
        { 27, "net.ipv4.ip_local_reserved_ports" },
        { 29, "net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl "
              "net.ipv4.tcp_keepalive_probes" },
        { 32, "net.ipv4.tcp_rmem net.ipv4.tcp_wmem" },
    };
    struct words found = { 0 };

    for (uint32_t i = 0; i < pod_context(v)->sysctls.len; i++) {
        struct str name = pod_context(v)->sysctls.items[i].name;
        bool is_allowed = false;

        for (size_t k = 0; k < ARRAY_LEN(rows); k++)
            is_allowed |= v->minor >= rows[k].since && is_among(name, rows[k].names);
        if (!is_allowed)
            add(v->arena, &found, name);
    }
    return !found.n || find(f, "forbidden sysctls", join(v->arena, &found, ", ", ""));
}

static bool is_host_process(const struct core_v1_windows_security_context_options *o)
{
    return o && is_true(o->host_process);
}

static bool host_process(const struct pod_view *v, struct pod_security_finding *f)
{
    bool is_pod = is_host_process(pod_context(v)->windows_options);
    struct words names = { 0 };

    for (size_t i = 0; i < v->n; i++)
        if (is_host_process(context_of(&v->parts[i])->windows_options))
            add(v->arena, &names, v->parts[i].name);
    return (!is_pod && !names.n) ||
           find(f, "hostProcess",
                arena_printf(v->arena,
                             "%.*s must not set securityContext.windowsOptions.hostProcess=true",
                             STR_ARG(setters(v->arena, is_pod, &names))));
}

/* --- restricted --- */

static bool escalation(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words names = { 0 };

    for (size_t i = 0; i < v->n; i++) {
        const bool *may = context_of(&v->parts[i])->allow_privilege_escalation;

        if (!may || *may)
            add(v->arena, &names, v->parts[i].name);
    }
    return !names.n || find(f, "allowPrivilegeEscalation != false",
                            arena_printf(v->arena,
                                         "%.*s must set securityContext.allowPrivilegeEscalation="
                                         "false",
                                         STR_ARG(containers(v->arena, &names))));
}

static bool drops_all(const struct core_v1_capabilities *c)
{
    for (uint32_t i = 0; c && i < c->drop.len; i++)
        if (str_eq(c->drop.items[i], STR("ALL")))
            return true;
    return false;
}

static bool capabilities_restricted(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words keeping = { 0 }, adding = { 0 }, found = { 0 }, what = { 0 };
    struct arena *a = v->arena;

    for (size_t i = 0; i < v->n; i++) {
        const struct core_v1_capabilities *c = context_of(&v->parts[i])->capabilities;

        if (!drops_all(c))
            add(a, &keeping, v->parts[i].name);
        if (adds_others(a, c, "NET_BIND_SERVICE", &found))
            add(a, &adding, v->parts[i].name);
    }
    if (keeping.n)
        add(a, &what,
            arena_printf(a, "%.*s must set securityContext.capabilities.drop=[\"ALL\"]",
                         STR_ARG(containers(a, &keeping))));
    if (adding.n)
        add(a, &what, must_not_add(a, &adding, &found));
    return !what.n || find(f, "unrestricted capabilities", join(a, &what, "; ", ""));
}

/* NULL: one that is allowed. */
static const char *restricted_type(const struct core_v1_volume_source *s)
{
    const struct {
        const void *is;
        const char *name;
    } rows[] = {
        { s->config_map, NULL },
        { s->csi, NULL },
        { s->downward_api, NULL },
        { s->empty_dir, NULL },
        { s->ephemeral, NULL },
        { s->image, NULL },
        { s->persistent_volume_claim, NULL },
        { s->projected, NULL },
        { s->secret, NULL },
        { s->host_path, "hostPath" },
        { s->gce_persistent_disk, "gcePersistentDisk" },
        { s->aws_elastic_block_store, "awsElasticBlockStore" },
        { s->git_repo, "gitRepo" },
        { s->nfs, "nfs" },
        { s->iscsi, "iscsi" },
        { s->glusterfs, "glusterfs" },
        { s->rbd, "rbd" },
        { s->flex_volume, "flexVolume" },
        { s->cinder, "cinder" },
        { s->cephfs, "cephfs" },
        { s->flocker, "flocker" },
        { s->fc, "fc" },
        { s->azure_file, "azureFile" },
        { s->vsphere_volume, "vsphereVolume" },
        { s->quobyte, "quobyte" },
        { s->azure_disk, "azureDisk" },
        { s->photon_persistent_disk, "photonPersistentDisk" },
        { s->portworx_volume, "portworxVolume" },
        { s->scale_io, "scaleIO" },
        { s->storageos, "storageos" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].is)
            return rows[i].name;
    return "unknown";
}

static bool restricted_volumes(const struct pod_view *v, struct pod_security_finding *f)
{
    struct words names = { 0 }, types = { 0 };

    for (uint32_t i = 0; i < v->spec->volumes.len; i++) {
        const char *type = restricted_type(&v->spec->volumes.items[i].volume_source);

        if (!type)
            continue;
        add(v->arena, &names, v->spec->volumes.items[i].name);
        add_once(v->arena, &types, str_from_cstr(type));
    }
    return !names.n ||
           find(f, "restricted volume types",
                arena_printf(v->arena, "%s %.*s %s %s %.*s", plural(&names, "volume", "volumes"),
                             STR_ARG(quoted(v->arena, &names)), plural(&names, "uses", "use"),
                             plural(&types, "restricted volume type", "restricted volume types"),
                             STR_ARG(quoted(v->arena, &types))));
}

static bool non_root(const struct pod_view *v, struct pod_security_finding *f)
{
    const bool *pod = pod_context(v)->run_as_non_root;
    struct words names = { 0 }, without = { 0 };
    bool is_pod = pod && !*pod;

    for (size_t i = 0; i < v->n; i++) {
        const bool *own = context_of(&v->parts[i])->run_as_non_root;

        if (own && !*own)
            add(v->arena, &names, v->parts[i].name);
        if (!own && !is_true(pod))
            add(v->arena, &without, v->parts[i].name);
    }
    if (is_pod || names.n)
        return find(f, "runAsNonRoot != true",
                    arena_printf(v->arena, "%.*s must not set securityContext.runAsNonRoot=false",
                                 STR_ARG(setters(v->arena, is_pod, &names))));
    return !without.n ||
           find(f, "runAsNonRoot != true",
                arena_printf(v->arena, "pod or %.*s must set securityContext.runAsNonRoot=true",
                             STR_ARG(containers(v->arena, &without))));
}

static bool is_root(const int64_t *user)
{
    return user && *user == 0;
}

static bool run_as_user(const struct pod_view *v, struct pod_security_finding *f)
{
    bool is_pod = is_root(pod_context(v)->run_as_user);
    struct words names = { 0 };

    for (size_t i = 0; i < v->n; i++)
        if (is_root(context_of(&v->parts[i])->run_as_user))
            add(v->arena, &names, v->parts[i].name);
    return (!is_pod && !names.n) || find(f, "runAsUser=0",
                                         arena_printf(v->arena, "%.*s must not set runAsUser=0",
                                                      STR_ARG(setters(v->arena, is_pod, &names))));
}

static bool seccomp_restricted(const struct pod_view *v, struct pod_security_finding *f)
{
    return seccomp(v, true, f);
}

/* --- all of them, in the order in which findings are told --- */

enum { NEVER = INT32_MAX };

static const struct check {
    bool (*fn)(const struct pod_view *v, struct pod_security_finding *f); /* true: allowed */
    bool is_restricted;
    int32_t since;
    int32_t not_restricted_since; /* a restricted check says more */
    int32_t not_windows_since;    /* Pods of Windows have no such thing */
    int32_t not_users_since;      /* Pods in user namespaces need no such thing */
} checks[] = {
    { apparmor, false, 0, NEVER, NEVER, NEVER },
    { capabilities_baseline, false, 0, 22, NEVER, NEVER },
    { host_namespaces, false, 0, NEVER, NEVER, NEVER },
    { host_path_volumes, false, 0, 0, NEVER, NEVER },
    { host_ports, false, 0, NEVER, NEVER, NEVER },
    { probe_hosts, false, 34, NEVER, NEVER, NEVER },
    { privileged, false, 0, NEVER, NEVER, NEVER },
    { proc_mount, false, 0, 35, NEVER, 35 },
    { selinux, false, 0, NEVER, NEVER, NEVER },
    { seccomp_baseline, false, 0, 19, NEVER, NEVER },
    { sysctls, false, 0, NEVER, NEVER, NEVER },
    { host_process, false, 0, NEVER, NEVER, NEVER },
    { escalation, true, 8, NEVER, 25, NEVER },
    { capabilities_restricted, true, 22, NEVER, 25, NEVER },
    { proc_mount, true, 35, NEVER, NEVER, NEVER },
    { restricted_volumes, true, 0, NEVER, NEVER, NEVER },
    { non_root, true, 0, NEVER, NEVER, 35 },
    { run_as_user, true, 23, NEVER, NEVER, 35 },
    { seccomp_restricted, true, 19, NEVER, 25, NEVER },
};
_Static_assert(ARRAY_LEN(checks) <= POD_SECURITY_FINDINGS_MAX, "room for all findings");

static bool applies(const struct check *c, const struct pod_view *v, bool is_restricted)
{
    bool is_windows = v->spec->os && str_eq(v->spec->os->name, STR("windows"));
    bool has_users = v->spec->host_users && !*v->spec->host_users;

    if (v->minor < c->since || (c->is_restricted && !is_restricted))
        return false;
    if (is_restricted && v->minor >= c->not_restricted_since)
        return false;
    return !(is_windows && v->minor >= c->not_windows_since) &&
           !(has_users && v->minor >= c->not_users_since);
}

#define PART(c)                                                                                    \
    ((struct part){                                                                                \
        .name = (c)->name,                                                                         \
        .context = (c)->security_context,                                                          \
        .ports = (c)->ports.items,                                                                 \
        .n_ports = (c)->ports.len,                                                                 \
        .probes = { (c)->liveness_probe, (c)->readiness_probe, (c)->startup_probe },               \
        .lifecycle = (c)->lifecycle,                                                               \
    })

static void view(struct pod_view *v)
{
    const struct core_v1_pod_spec *s = v->spec;

    v->parts = ARENA_NEW_ARRAY(v->arena, struct part,
                               (size_t)s->init_containers.len + s->containers.len +
                                   s->ephemeral_containers.len + 1);
    for (uint32_t i = 0; i < s->init_containers.len; i++)
        v->parts[v->n++] = PART(&s->init_containers.items[i]);
    for (uint32_t i = 0; i < s->containers.len; i++)
        v->parts[v->n++] = PART(&s->containers.items[i]);
    for (uint32_t i = 0; i < s->ephemeral_containers.len; i++)
        v->parts[v->n++] = PART(&s->ephemeral_containers.items[i].ephemeral_container_common);
}

size_t pod_security_check(struct arena *a, struct pod_security_standard s,
                          const struct meta_v1_object_meta *meta,
                          const struct core_v1_pod_spec *spec, struct pod_security_finding *ret)
{
    struct pod_view v = { .arena = a, .minor = s.minor, .meta = meta, .spec = spec };
    size_t n = 0;

    if (s.level == POD_SECURITY_PRIVILEGED)
        return 0;
    view(&v);
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (applies(&checks[i], &v, s.level == POD_SECURITY_RESTRICTED) &&
            !checks[i].fn(&v, &ret[n]))
            n++;
    return n;
}
