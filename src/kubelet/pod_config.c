#include "kubelet/pod_config.h"

#include "api/core_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "kubelet/pod_containers.h"
#include "kubelet/pod_env.h"

enum { CPU_PERIOD_US = 100000, MIN_SHARES = 2, MAX_SHARES = 262144, MIN_QUOTA_US = 1000 };

static bool is_true(const bool *p)
{
    return p && *p;
}

/* --- control groups --- */

static uint64_t shares_of(long long milli_cpu)
{
    long long shares = milli_cpu <= 0 ? MIN_SHARES : milli_cpu * 1024 / 1000;

    return (uint64_t)MIN(MAX(shares, (long long)MIN_SHARES), (long long)MAX_SHARES);
}

static int64_t quota_of(long long milli_cpu)
{
    return milli_cpu <= 0 ? 0 : MAX(milli_cpu * CPU_PERIOD_US / 1000, (long long)MIN_QUOTA_US);
}

struct str pod_config_cgroup(struct arena *a, const struct pod_config_node *n,
                             const struct core_v1_pod *pod)
{
    static const char *const classes[] = { [POD_QOS_GUARANTEED] = "",
                                           [POD_QOS_BURSTABLE] = "/burstable",
                                           [POD_QOS_BEST_EFFORT] = "/besteffort" };

    return arena_printf(a, "%s/kubepods%s/pod%.*s", n->cgroup_root, classes[pod_qos_of(pod)],
                        STR_ARG(pod->metadata.uid));
}

/* A limit of the Pod as a whole: main containers and sidecars together, or the largest moment of
 * its start; one without a limit makes it unlimited (-1). */
static long long pod_limit(const struct core_v1_pod *pod, struct str name, bool is_milli)
{
    const struct core_v1_pod_spec *s = &pod->spec;
    long long sum = 0, sidecars = 0, start = 0;

    if (s->resources && pod_resource(&s->resources->limits, name, is_milli) > 0)
        return pod_resource(&s->resources->limits, name, is_milli); /* its own word */
    for (uint32_t i = 0; i < s->containers.len; i++) {
        long long one = pod_resource(&s->containers.items[i].resources.limits, name, is_milli);

        if (one <= 0)
            return -1;
        sum += one;
    }
    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        const struct core_v1_container *c = &s->init_containers.items[i];
        long long one = pod_resource(&c->resources.limits, name, is_milli);

        if (one <= 0)
            return -1;
        if (str_eq(c->restart_policy, STR("Always")))
            sidecars += one;
        else
            start = MAX(start, sidecars + one);
    }
    return MAX(sum + sidecars, start);
}

void pod_config_cgroup_limits(const struct core_v1_pod *pod, struct runtime_resources *ret)
{
    long long cpu = pod_limit(pod, STR("cpu"), true), memory = pod_limit(pod, STR("memory"), false);

    *ret =
        (struct runtime_resources){ .cpu_shares = shares_of(pod_request(pod, STR("cpu"), true)) };
    if (cpu > 0) {
        ret->cpu_period_us = CPU_PERIOD_US;
        ret->cpu_quota_us = quota_of(cpu);
    }
    if (memory > 0)
        ret->memory_limit_bytes = memory;
}

/* --- names of files --- */

struct str pod_config_log_directory(struct arena *a, const struct pod_config_node *n,
                                    const struct core_v1_pod *pod)
{
    return arena_printf(a, "%s/%.*s_%.*s_%.*s", n->log_directory, STR_ARG(pod->metadata.namespace),
                        STR_ARG(pod->metadata.name), STR_ARG(pod->metadata.uid));
}

struct str pod_config_log_path(struct arena *a, struct str container, uint32_t attempt)
{
    return arena_printf(a, "%.*s/%u.log", STR_ARG(container), attempt);
}

/* --- the sandbox --- */

static void add_str(struct arena *a, struct runtime_strs *to, struct str s)
{
    struct str *items = ARENA_NEW_ARRAY(a, struct str, to->len + 1);

    for (size_t i = 0; i < to->len; i++) {
        items[i] = to->items[i];
        if (str_eq(items[i], s))
            return;
    }
    items[to->len] = s;
    *to = (struct runtime_strs){ items, to->len + 1 };
}

/* An option by the same name is replaced. */
static void add_option(struct arena *a, struct runtime_strs *to, struct str name, struct str value)
{
    struct str *items = ARENA_NEW_ARRAY(a, struct str, to->len + 1), head;
    size_t n = 0;

    for (size_t i = 0; i < to->len; i++) {
        (void)str_cut(to->items[i], ':', &head, &(struct str){ 0 });
        if (!str_eq(head, name))
            items[n++] = to->items[i];
    }
    items[n++] = value.len ? arena_printf(a, "%.*s:%.*s", STR_ARG(name), STR_ARG(value)) : name;
    *to = (struct runtime_strs){ items, n };
}

static void use_cluster_dns(struct arena *a, const struct pod_config_node *n,
                            const struct core_v1_pod *pod, struct runtime_sandbox_config *ret)
{
    struct str domain = n->cluster_domain;

    add_str(a, &ret->dns_servers, n->cluster_dns);
    add_str(a, &ret->dns_searches,
            arena_printf(a, "%.*s.svc.%.*s", STR_ARG(pod->metadata.namespace), STR_ARG(domain)));
    add_str(a, &ret->dns_searches, arena_printf(a, "svc.%.*s", STR_ARG(domain)));
    add_str(a, &ret->dns_searches, domain);
    for (size_t i = 0; i < n->host_searches.len; i++)
        add_str(a, &ret->dns_searches, n->host_searches.items[i]);
    add_str(a, &ret->dns_options, STR("ndots:5"));
}

static void set_dns(struct arena *a, const struct pod_config_node *n, const struct core_v1_pod *pod,
                    struct runtime_sandbox_config *ret)
{
    const struct core_v1_pod_dns_config *c = pod->spec.dns_config;
    struct str policy = pod->spec.dns_policy;
    bool wants_cluster = str_eq(policy, STR("ClusterFirstWithHostNet")) ||
                         (str_eq(policy, STR("ClusterFirst")) && !pod->spec.host_network);

    ret->has_dns = true;
    if (wants_cluster && n->cluster_dns.len) {
        use_cluster_dns(a, n, pod, ret);
    } else if (!str_eq(policy, STR("None"))) {
        ret->dns_servers = n->host_dns;
        ret->dns_searches = n->host_searches;
    }
    for (uint32_t i = 0; c && i < c->nameservers.len; i++)
        add_str(a, &ret->dns_servers, c->nameservers.items[i]);
    for (uint32_t i = 0; c && i < c->searches.len; i++)
        add_str(a, &ret->dns_searches, c->searches.items[i]);
    for (uint32_t i = 0; c && i < c->options.len; i++) {
        const struct core_v1_pod_dns_config_option *o = &c->options.items[i];

        add_option(a, &ret->dns_options, o->name, o->value);
    }
}

/* Those that touch nothing but the Pod's own namespaces; net. only with a network of its own. */
static bool is_safe_sysctl(struct str name, bool host_network, bool host_ipc)
{
    static const struct {
        struct str name;
        bool of_network;
    } safe[] = {
        { STR_INIT("kernel.shm_rmid_forced"), false },
        { STR_INIT("net.ipv4.ip_local_port_range"), true },
        { STR_INIT("net.ipv4.tcp_syncookies"), true },
        { STR_INIT("net.ipv4.ping_group_range"), true },
        { STR_INIT("net.ipv4.ip_unprivileged_port_start"), true },
        { STR_INIT("net.ipv4.ip_local_reserved_ports"), true },
        { STR_INIT("net.ipv4.tcp_keepalive_time"), true },
        { STR_INIT("net.ipv4.tcp_fin_timeout"), true },
        { STR_INIT("net.ipv4.tcp_keepalive_intvl"), true },
        { STR_INIT("net.ipv4.tcp_keepalive_probes"), true },
        { STR_INIT("net.ipv4.tcp_rmem"), true },
        { STR_INIT("net.ipv4.tcp_wmem"), true },
    };

    for (size_t i = 0; i < ARRAY_LEN(safe); i++)
        if (str_eq(safe[i].name, name))
            return safe[i].of_network ? !host_network : !host_ipc;
    return false;
}

static int set_sysctls(struct arena *a, const struct core_v1_pod *pod,
                       struct runtime_sandbox_config *ret, struct err *err)
{
    const struct core_v1_pod_security_context *s = pod->spec.security_context;
    struct runtime_key_value *items;

    if (!s || !s->sysctls.len)
        return 0;
    items = ARENA_NEW_ARRAY(a, struct runtime_key_value, s->sysctls.len);
    for (uint32_t i = 0; i < s->sysctls.len; i++) {
        struct str name = str_dup(a, s->sysctls.items[i].name);

        for (size_t k = 0; k < name.len; k++) /* "net/ipv4/x" is the same */
            if (name.p[k] == '/')
                ((char *)(uintptr_t)name.p)[k] = '.';
        if (!is_safe_sysctl(name, pod->spec.host_network, pod->spec.host_ipc))
            return err_set(err, ERR_INVALID, "forbidden sysctl: \"%.*s\" not allowlisted",
                           STR_ARG(name));
        items[i] = (struct runtime_key_value){ name, s->sysctls.items[i].value };
    }
    ret->sysctls = (struct runtime_map){ items, s->sysctls.len };
    return 0;
}

static void set_ports(struct arena *a, const struct core_v1_pod *pod,
                      struct runtime_sandbox_config *ret)
{
    size_t n = 0;
    struct runtime_port_mapping *ports;

    for (uint32_t i = 0; i < pod->spec.containers.len; i++)
        n += pod->spec.containers.items[i].ports.len;
    ports = ARENA_NEW_ARRAY(a, struct runtime_port_mapping, n);
    for (uint32_t i = 0; i < pod->spec.containers.len; i++) {
        const struct core_v1_container *c = &pod->spec.containers.items[i];

        for (uint32_t k = 0; k < c->ports.len; k++) {
            const struct core_v1_container_port *p = &c->ports.items[k];

            ports[ret->n_ports++] = (struct runtime_port_mapping){
                .protocol = str_eq(p->protocol, STR("UDP"))    ? RUNTIME_UDP
                            : str_eq(p->protocol, STR("SCTP")) ? RUNTIME_SCTP
                                                               : RUNTIME_TCP,
                .container_port = (uint16_t)p->container_port,
                .host_port = (uint16_t)p->host_port,
                .host_ip = p->host_ip,
            };
        }
    }
    ret->ports = ports;
}

static struct runtime_namespaces namespaces_of(const struct core_v1_pod *pod)
{
    return (struct runtime_namespaces){
        .network = pod->spec.host_network ? RUNTIME_NS_NODE : RUNTIME_NS_POD,
        .ipc = pod->spec.host_ipc ? RUNTIME_NS_NODE : RUNTIME_NS_POD,
        .pid = pod->spec.host_pid                           ? RUNTIME_NS_NODE
               : is_true(pod->spec.share_process_namespace) ? RUNTIME_NS_POD
                                                            : RUNTIME_NS_CONTAINER,
    };
}

static bool is_privileged(const struct core_v1_container *c)
{
    return c->security_context && is_true(c->security_context->privileged);
}

/* At most 63 bytes of the Pod's name, without a '-' or '.' at the end. */
static struct str hostname_of(struct arena *a, const struct pod_config_node *n,
                              const struct core_v1_pod *pod)
{
    const struct core_v1_pod_spec *s = &pod->spec;
    struct str name = s->hostname.len ? s->hostname : str_sub(pod->metadata.name, 0, 63);

    if (s->hostname_override.len)
        return s->hostname_override;
    while (name.len && (name.p[name.len - 1] == '-' || name.p[name.len - 1] == '.'))
        name.len--;
    if (!is_true(s->set_hostname_as_fqdn) || !s->subdomain.len)
        return name;
    return arena_printf(a, "%.*s.%.*s.%.*s.svc.%.*s", STR_ARG(name), STR_ARG(s->subdomain),
                        STR_ARG(pod->metadata.namespace), STR_ARG(n->cluster_domain));
}

int pod_config_sandbox(struct arena *a, const struct pod_config_node *n,
                       const struct core_v1_pod *pod, uint32_t attempt,
                       struct runtime_sandbox_config *ret, struct err *err)
{
    *ret = (struct runtime_sandbox_config){
        .name = pod->metadata.name,
        .uid = pod->metadata.uid,
        .pod_namespace = pod->metadata.namespace,
        .attempt = attempt,
        .hostname = hostname_of(a, n, pod),
        .log_directory = pod_config_log_directory(a, n, pod),
        .cgroup_parent = pod_config_cgroup(a, n, pod),
        .namespaces = namespaces_of(pod),
    };
    for (uint32_t i = 0; i < pod->spec.containers.len; i++)
        ret->privileged |= is_privileged(&pod->spec.containers.items[i]);
    set_dns(a, n, pod, ret);
    set_ports(a, pod, ret);
    return set_sysctls(a, pod, ret, err);
}

/* --- security --- */

static int set_seccomp(struct arena *a, const struct pod_config_node *n,
                       const struct core_v1_seccomp_profile *p, struct runtime_seccomp *ret,
                       struct err *err)
{
    if (!p || str_eq(p->type, STR("Unconfined"))) {
        ret->type = RUNTIME_SECCOMP_UNCONFINED;
        return 0;
    }
    if (str_eq(p->type, STR("RuntimeDefault"))) {
        ret->type = RUNTIME_SECCOMP_DEFAULT;
        return 0;
    }
    /* Fails closed: no profile named is no profile meant. */
    if (!str_eq(p->type, STR("Localhost")))
        return err_set(err, ERR_INVALID, "unknown type of seccompProfile '%.*s'", STR_ARG(p->type));
    if (!p->localhost_profile.len || p->localhost_profile.p[0] == '/' ||
        str_contains(p->localhost_profile, STR("..")))
        return err_set(err, ERR_INVALID,
                       "localhostProfile must be set if seccompProfile type is "
                       "Localhost.");
    ret->type = RUNTIME_SECCOMP_LOCALHOST;
    ret->localhost_path =
        arena_printf(a, "%s/%.*s", n->seccomp_directory, STR_ARG(p->localhost_profile));
    return 0;
}

static int check_non_root(const struct core_v1_pod *pod, const struct core_v1_container *c,
                          const struct runtime_image *image, const struct runtime_security *s,
                          struct err *err)
{
    const struct core_v1_pod_security_context *p = pod->spec.security_context;
    const bool *wanted = c->security_context && c->security_context->run_as_non_root
                             ? c->security_context->run_as_non_root
                         : p ? p->run_as_non_root
                             : NULL;

    if (!is_true(wanted))
        return 0;
    if (s->has_run_as_user)
        return s->run_as_user
                   ? 0
                   : err_set(err, ERR_INVALID,
                             "container's runAsUser breaks non-root policy (pod: "
                             "\"%.*s_%.*s(%.*s)\", container: %.*s)",
                             STR_ARG(pod->metadata.name), STR_ARG(pod->metadata.namespace),
                             STR_ARG(pod->metadata.uid), STR_ARG(c->name));
    if (image && !image->has_uid)
        return err_set(err, ERR_INVALID,
                       "container has runAsNonRoot and image has non-numeric user (%.*s), cannot "
                       "verify user is non-root (pod: \"%.*s_%.*s(%.*s)\", container: %.*s)",
                       STR_ARG(image->username), STR_ARG(pod->metadata.name),
                       STR_ARG(pod->metadata.namespace), STR_ARG(pod->metadata.uid),
                       STR_ARG(c->name));
    if (image && !image->uid)
        return err_set(err, ERR_INVALID,
                       "container has runAsNonRoot and image will run as root (pod: "
                       "\"%.*s_%.*s(%.*s)\", container: %.*s)",
                       STR_ARG(pod->metadata.name), STR_ARG(pod->metadata.namespace),
                       STR_ARG(pod->metadata.uid), STR_ARG(c->name));
    return 0;
}

static void set_groups(struct arena *a, const struct core_v1_pod_security_context *p,
                       struct runtime_security *s)
{
    int64_t *groups;
    size_t n = 0;

    if (!p)
        return;
    groups = ARENA_NEW_ARRAY(a, int64_t, p->supplemental_groups.len + 1);
    for (uint32_t i = 0; i < p->supplemental_groups.len; i++)
        groups[n++] = p->supplemental_groups.items[i];
    if (p->fs_group)
        groups[n++] = *p->fs_group;
    s->supplemental_groups = groups;
    s->n_supplemental_groups = n;
    s->strict_groups = str_eq(p->supplemental_groups_policy, STR("Strict"));
}

/* The container's own word, else the Pod's. */
static int set_security(struct arena *a, const struct pod_config_node *n,
                        const struct core_v1_pod *pod, const struct core_v1_container *c,
                        struct runtime_security *s, struct err *err)
{
    static const struct core_v1_security_context none = { 0 };
    const struct core_v1_pod_security_context *p = pod->spec.security_context;
    const struct core_v1_security_context *k = c->security_context ? c->security_context : &none;
    const int64_t *user = k->run_as_user ? k->run_as_user : p ? p->run_as_user : NULL;
    const int64_t *group = k->run_as_group ? k->run_as_group : p ? p->run_as_group : NULL;
    const struct core_v1_seccomp_profile *seccomp = k->seccomp_profile ? k->seccomp_profile
                                                    : p                ? p->seccomp_profile
                                                                       : NULL;

    s->privileged = is_true(k->privileged);
    s->readonly_rootfs = is_true(k->read_only_root_filesystem);
    s->no_new_privileges = k->allow_privilege_escalation && !*k->allow_privilege_escalation;
    s->has_run_as_user = user != NULL;
    s->run_as_user = user ? *user : 0;
    s->has_run_as_group = group != NULL;
    s->run_as_group = group ? *group : 0;
    if (k->capabilities) {
        s->add_capabilities =
            (struct runtime_strs){ k->capabilities->add.items, k->capabilities->add.len };
        s->drop_capabilities =
            (struct runtime_strs){ k->capabilities->drop.items, k->capabilities->drop.len };
    }
    if (str_eq(k->proc_mount, STR("Unmasked")))
        s->has_masked_paths = s->has_readonly_paths = true;
    set_groups(a, p, s);
    return set_seccomp(a, n, s->privileged ? NULL : seccomp, &s->seccomp, err);
}

/* --- resources --- */

static int oom_score_of(const struct pod_config_node *n, const struct core_v1_pod *pod,
                        long long memory_request)
{
    long long score;

    switch (pod_qos_of(pod)) {
    case POD_QOS_GUARANTEED:
        return -997;
    case POD_QOS_BEST_EFFORT:
        return 1000;
    case POD_QOS_BURSTABLE:
        break;
    }
    score = 1000 - 1000 * MAX(memory_request, 0LL) / MAX(n->memory_bytes, (int64_t)1);
    return (int)MIN(MAX(score, 3LL), 999LL);
}

void pod_config_resources(const struct pod_config_node *n, const struct core_v1_pod *pod,
                          const struct core_v1_container *c, struct runtime_resources *r)
{
    long long cpu = pod_resource(&c->resources.limits, STR("cpu"), true),
              request = pod_resource(&c->resources.requests, STR("cpu"), true),
              memory = pod_resource(&c->resources.limits, STR("memory"), false);

    r->cpu_shares = shares_of(request >= 0 ? request : cpu);
    if (cpu > 0) {
        r->cpu_period_us = CPU_PERIOD_US;
        r->cpu_quota_us = quota_of(cpu);
    }
    if (memory > 0)
        r->memory_limit_bytes = r->memory_swap_limit_bytes = memory;
    r->has_oom_score_adj = true;
    r->oom_score_adj =
        oom_score_of(n, pod, pod_resource(&c->resources.requests, STR("memory"), false));
}

/* --- the container --- */

static struct runtime_strs expand_all(struct arena *a, const struct str *items, uint32_t len,
                                      const struct runtime_map *env)
{
    struct str *out = ARENA_NEW_ARRAY(a, struct str, len);

    for (uint32_t i = 0; i < len; i++)
        out[i] = pod_env_expand(a, items[i], env);
    return (struct runtime_strs){ out, len };
}

int pod_config_container(struct arena *a, const struct pod_config_node *n,
                         const struct core_v1_pod *pod, const struct pod_config_container *in,
                         struct runtime_container_config *ret, struct err *err)
{
    const struct core_v1_container *c = in->container->spec;
    int r;

    *ret = (struct runtime_container_config){
        .name = c->name,
        .attempt = in->attempt,
        .image = c->image,
        .command = expand_all(a, c->command.items, c->command.len, &in->env),
        .args = expand_all(a, c->args.items, c->args.len, &in->env),
        .working_dir = c->working_dir,
        .env = in->env,
        .mounts = in->mounts,
        .n_mounts = in->n_mounts,
        .log_path = pod_config_log_path(a, c->name, in->attempt),
        .has_stdin = c->stdin,
        .stdin_once = c->stdin_once,
        .tty = c->tty,
        .stop_signal = c->lifecycle ? c->lifecycle->stop_signal : STR_NULL,
        .namespaces = namespaces_of(pod),
    };
    if (in->target_id.len) {
        ret->namespaces.pid = RUNTIME_NS_TARGET;
        ret->namespaces.target_id = in->target_id;
    }
    pod_config_resources(n, pod, c, &ret->resources);
    r = set_security(a, n, pod, c, &ret->security, err);
    return r < 0 ? r : check_non_root(pod, c, in->image, &ret->security, err);
}
