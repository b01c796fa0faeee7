#include "runtime/oci_spec.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/json_writer.h"
#include "codec/value.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const masked[] = {
    "/proc/asound",      "/proc/acpi",          "/proc/interrupts", "/proc/kcore",
    "/proc/keys",        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
    "/proc/sched_debug", "/proc/scsi",          "/sys/firmware",    "/sys/devices/virtual/powercap",
};
static const char *const readonly[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static void key_string(struct buf *b, const char *key, struct str s)
{
    buf_printf(b, "\"%s\":", key);
    json_write_string(b, s);
}

static void list_item(struct buf *b, struct str s, bool *first)
{
    if (!*first)
        buf_append_char(b, ',');
    *first = false;
    json_write_string(b, s);
}

/* --- process --- */

static struct str env_name(struct str assignment)
{
    struct str name = assignment, value;

    (void)str_cut(assignment, '=', &name, &value); /* without '=' all of it is the name */
    return name;
}

static bool config_sets(const struct runtime_map *env, struct str name)
{
    for (size_t i = 0; i < env->len; i++)
        if (str_eq(env->items[i].key, name))
            return true;
    return false;
}

static bool image_sets(const struct runtime_strs *env, struct str name)
{
    for (size_t i = 0; i < env->len; i++)
        if (str_eq(env_name(env->items[i]), name))
            return true;
    return false;
}

static void assignment(struct buf *b, struct str name, struct str value, bool *first)
{
    CLEANUP(buf_done) struct buf text = { 0 };

    buf_printf(&text, "%.*s=%.*s", STR_ARG(name), STR_ARG(value));
    list_item(b, buf_str(&text), first);
}

static void print_env(struct buf *b, const struct oci_spec *s)
{
    const struct runtime_map *env = &s->config->env;
    bool first = true;

    buf_append_lit(b, "\"env\":[");
    if (!image_sets(&s->image_env, STR("PATH")) && !config_sets(env, STR("PATH")))
        list_item(b, STR(DEFAULT_PATH), &first);
    if (s->hostname.len && !config_sets(env, STR("HOSTNAME")))
        assignment(b, STR("HOSTNAME"), s->hostname, &first);
    if (s->config->tty && !image_sets(&s->image_env, STR("TERM")) && !config_sets(env, STR("TERM")))
        list_item(b, STR("TERM=xterm"), &first);
    for (size_t i = 0; i < s->image_env.len; i++)
        if (!config_sets(env, env_name(s->image_env.items[i])))
            list_item(b, s->image_env.items[i], &first);
    for (size_t i = 0; i < env->len; i++)
        assignment(b, env->items[i].key, env->items[i].value, &first);
    if (s->user.home.len && !image_sets(&s->image_env, STR("HOME")) &&
        !config_sets(env, STR("HOME")))
        assignment(b, STR("HOME"), s->user.home, &first);
    buf_append_lit(b, "],");
}

static void append_list(struct buf *b, const struct runtime_strs *list, bool *first)
{
    for (size_t i = 0; i < list->len; i++)
        list_item(b, list->items[i], first);
}

/* command over ENTRYPOINT; args over CMD; a command without args has none. */
static int print_args(struct buf *b, const struct oci_spec *s, struct err *err)
{
    const struct runtime_container_config *c = s->config;
    bool first = true;

    buf_append_lit(b, "\"args\":[");
    append_list(b, c->command.len ? &c->command : &s->image_entrypoint, &first);
    if (c->args.len)
        append_list(b, &c->args, &first);
    else if (!c->command.len)
        append_list(b, &s->image_cmd, &first);
    buf_append_lit(b, "],");
    return first ? err_set(err, ERR_INVALID, "no command specified") : 0;
}

static void print_user(struct buf *b, const struct oci_user *u)
{
    buf_printf(b, "\"user\":{\"uid\":%u,\"gid\":%u,\"additionalGids\":[", u->uid, u->gid);
    for (size_t i = 0; i < u->n_groups; i++)
        buf_printf(b, "%s%u", i ? "," : "", u->groups[i]);
    buf_append_lit(b, "]},");
}

static void print_capabilities(struct buf *b, uint64_t mask)
{
    static const char *const sets[] = { "bounding", "effective", "permitted" };

    buf_append_lit(b, "\"capabilities\":{");
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        bool first = true;

        buf_printf(b, "%s\"%s\":[", i ? "," : "", sets[i]);
        for (int n = 0; oci_capability_name(n); n++)
            if (mask & ((uint64_t)1 << n))
                list_item(b, str_from_cstr(oci_capability_name(n)), &first);
        buf_append_char(b, ']');
    }
    buf_append_lit(b, "},");
}

static int print_process(struct buf *b, const struct oci_spec *s, uint64_t capabilities,
                         struct err *err)
{
    const struct runtime_container_config *c = s->config;
    struct str cwd = c->working_dir.len ? c->working_dir : s->image_working_dir;
    int r;

    buf_printf(b, "\"process\":{\"terminal\":%s,", c->tty ? "true" : "false");
    print_user(b, &s->user);
    r = print_args(b, s, err);
    if (r < 0)
        return r;
    print_env(b, s);
    key_string(b, "cwd", cwd.len ? cwd : STR("/"));
    buf_append_char(b, ',');
    print_capabilities(b, capabilities);
    if (c->resources.has_oom_score_adj)
        buf_printf(b, "\"oomScoreAdj\":%d,",
                   MIN(MAX(c->resources.oom_score_adj, s->host.min_oom_score_adj), 1000));
    buf_printf(b, "\"noNewPrivileges\":%s},",
               c->security.no_new_privileges && !c->security.privileged ? "true" : "false");
    return 0;
}

/* --- mounts --- */

static bool is_mounted(const struct runtime_container_config *c, const char *path)
{
    for (size_t i = 0; i < c->n_mounts; i++)
        if (str_eq(c->mounts[i].container_path, str_from_cstr(path)))
            return true;
    return false;
}

static void print_bind(struct buf *b, struct str source, struct str target, const char *options)
{
    buf_append_lit(b, ",{\"type\":\"bind\",");
    key_string(b, "source", source);
    buf_append_char(b, ',');
    key_string(b, "destination", target);
    buf_printf(b, ",\"options\":[%s]}", options);
}

static void print_own_mounts(struct buf *b, const struct oci_spec *s)
{
    static const struct {
        const char *path, *type, *source, *options;
    } mounts[] = {
        { "/dev", "tmpfs", "tmpfs", "\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"" },
        { "/dev/pts", "devpts", "devpts",
          "\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"" },
        { "/dev/mqueue", "mqueue", "mqueue", "\"nosuid\",\"noexec\",\"nodev\"" },
    };
    bool privileged = s->config->security.privileged;

    buf_append_lit(b,
                   "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\","
                   "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]}");
    for (size_t i = 0; i < ARRAY_LEN(mounts); i++)
        if (!is_mounted(s->config, mounts[i].path))
            buf_printf(
                b, ",{\"destination\":\"%s\",\"type\":\"%s\",\"source\":\"%s\",\"options\":[%s]}",
                mounts[i].path, mounts[i].type, mounts[i].source, mounts[i].options);
    if (!is_mounted(s->config, "/sys"))
        buf_printf(
            b,
            ",{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":["
            "\"nosuid\",\"noexec\",\"nodev\",\"%s\"]}",
            privileged ? "rw" : "ro");
    if (!is_mounted(s->config, "/sys/fs/cgroup") && !is_mounted(s->config, "/sys"))
        buf_printf(b,
                   ",{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
                   "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"%s\"]}",
                   privileged ? "rw" : "ro");
    if (s->shm_path.len && !is_mounted(s->config, "/dev/shm"))
        print_bind(b, s->shm_path, STR("/dev/shm"),
                   "\"rbind\",\"rprivate\",\"nosuid\",\"nodev\",\"noexec\"");
    if (s->resolv_conf_path.len && !is_mounted(s->config, "/etc/resolv.conf"))
        print_bind(b, s->resolv_conf_path, STR("/etc/resolv.conf"),
                   "\"rbind\",\"rprivate\",\"rw\"");
    if (s->hostname_path.len && !is_mounted(s->config, "/etc/hostname"))
        print_bind(b, s->hostname_path, STR("/etc/hostname"), "\"rbind\",\"rprivate\",\"rw\"");
}

static void print_mounts(struct buf *b, const struct oci_spec *s)
{
    static const char *const propagation[] = {
        [RUNTIME_PRIVATE] = "rprivate",
        [RUNTIME_HOST_TO_CONTAINER] = "rslave",
        [RUNTIME_BIDIRECTIONAL] = "rshared",
    };

    print_own_mounts(b, s);
    for (size_t i = 0; i < s->config->n_mounts; i++) {
        const struct runtime_mount *m = &s->config->mounts[i];
        char options[96];

        (void)snprintf(options, sizeof(options), "\"rbind\",\"%s\",\"%s\"%s",
                       propagation[m->propagation],
                       m->recursive_readonly ? "rro"
                       : m->readonly         ? "ro"
                                             : "rw",
                       m->image.len ? ",\"noexec\",\"nosuid\",\"nodev\"" : "");
        print_bind(b, m->host_path, m->container_path, options);
    }
    buf_append_lit(b, "],");
}

/* --- linux --- */

static void print_namespace(struct buf *b, const char *type, struct str path, bool own, bool *first)
{
    if (!own && !path.len)
        return; /* the node's */
    buf_printf(b, "%s{\"type\":\"%s\"", *first ? "" : ",", type);
    *first = false;
    if (path.len) {
        buf_append_char(b, ',');
        key_string(b, "path", path);
    }
    buf_append_char(b, '}');
}

static void print_namespaces(struct buf *b, const struct oci_spec *s)
{
    bool first = true;

    buf_append_lit(b, "\"namespaces\":[");
    print_namespace(b, "pid", s->pid_path, s->own_pid, &first);
    print_namespace(b, "network", s->netns_path, false, &first);
    print_namespace(b, "ipc", s->ipc_path, false, &first);
    print_namespace(b, "uts", s->uts_path, false, &first);
    print_namespace(b, "mount", STR_NULL, true, &first);
    if (!s->config->security.privileged)
        print_namespace(b, "cgroup", STR_NULL, true, &first);
    buf_append_lit(b, "],");
}

static void print_number(struct buf *b, const char *key, int64_t n, bool *first)
{
    if (n == 0)
        return;
    buf_printf(b, "%s\"%s\":%lld", *first ? "" : ",", key, (long long)n);
    *first = false;
}

static void print_text(struct buf *b, const char *key, struct str s, bool *first)
{
    if (!s.len)
        return;
    if (!*first)
        buf_append_char(b, ',');
    key_string(b, key, s);
    *first = false;
}

static void print_devices_rules(struct buf *b, const struct runtime_container_config *c)
{
    if (c->security.privileged)
        buf_append_lit(b, "\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]");
    else
        buf_append_lit(b, "\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]");
}

static void print_resources(struct buf *b, const struct runtime_container_config *c,
                            const struct oci_host *host)
{
    const struct runtime_resources *r = &c->resources;
    bool first = true;

    buf_append_lit(b, "\"resources\":{");
    print_devices_rules(b, c);
    buf_append_lit(b, ",\"memory\":{");
    print_number(b, "limit", r->memory_limit_bytes, &first);
    print_number(b, "swap", r->memory_swap_limit_bytes, &first);
    buf_append_lit(b, "},\"cpu\":{");
    first = true;
    print_number(b, "shares", (int64_t)MIN(r->cpu_shares, (uint64_t)262144), &first);
    print_number(b, "quota", r->cpu_quota_us, &first);
    print_number(b, "period", r->cpu_period_us, &first);
    print_text(b, "cpus", r->cpuset_cpus, &first);
    print_text(b, "mems", r->cpuset_mems, &first);
    buf_append_char(b, '}');
    if (r->pids_limit > 0)
        buf_printf(b, ",\"pids\":{\"limit\":%lld}", (long long)r->pids_limit);
    if (host->has_cgroup_v2) /* out of memory, a container ends as a whole */
        buf_append_lit(b, ",\"unified\":{\"memory.oom.group\":\"1\"}");
    buf_append_lit(b, "},");
}

static void print_paths(struct buf *b, const char *key, const struct runtime_strs *wanted,
                        bool has_wanted, const char *const *defaults, size_t n, bool privileged)
{
    bool first = true;

    buf_printf(b, "\"%s\":[", key);
    if (has_wanted)
        append_list(b, wanted, &first);
    else if (!privileged)
        for (size_t i = 0; i < n; i++)
            list_item(b, str_from_cstr(defaults[i]), &first);
    buf_append_lit(b, "],");
}

static void print_seccomp(struct buf *b, const struct oci_spec *s, uint64_t capabilities)
{
    const struct runtime_security *security = &s->config->security;

    if (security->privileged || security->seccomp.type == RUNTIME_SECCOMP_UNCONFINED)
        return;
    buf_append_lit(b, "\"seccomp\":");
    if (security->seccomp.type == RUNTIME_SECCOMP_LOCALHOST)
        buf_append_str(b, s->seccomp_profile);
    else
        oci_seccomp_print_default(b, capabilities);
    buf_append_char(b, ',');
}

static const char *root_propagation(const struct runtime_container_config *c)
{
    const char *result = "rprivate";

    for (size_t i = 0; i < c->n_mounts; i++) {
        if (c->mounts[i].propagation == RUNTIME_BIDIRECTIONAL)
            return "rshared";
        if (c->mounts[i].propagation == RUNTIME_HOST_TO_CONTAINER)
            result = "rslave";
    }
    return result;
}

static void print_linux(struct buf *b, const struct oci_spec *s, uint64_t capabilities)
{
    const struct runtime_security *security = &s->config->security;

    buf_append_lit(b, "\"linux\":{");
    print_namespaces(b, s);
    print_resources(b, s->config, &s->host);
    print_seccomp(b, s, capabilities);
    print_paths(b, "maskedPaths", &security->masked_paths, security->has_masked_paths, masked,
                ARRAY_LEN(masked), security->privileged);
    print_paths(b, "readonlyPaths", &security->readonly_paths, security->has_readonly_paths,
                readonly, ARRAY_LEN(readonly), security->privileged);
    buf_printf(b, "\"rootfsPropagation\":\"%s\",", root_propagation(s->config));
    key_string(b, "cgroupsPath", s->cgroups_path);
    buf_append_char(b, '}');
}

int oci_spec_print(struct buf *b, const struct oci_spec *s, struct err *err)
{
    uint64_t capabilities;
    int r = oci_capabilities(&s->config->security, s->host.bounding, &capabilities, err);

    if (r < 0)
        return r;
    buf_append_lit(b, "{\"ociVersion\":\"1.0.2\",\"root\":{");
    key_string(b, "path", s->rootfs);
    buf_printf(b, ",\"readonly\":%s},", s->config->security.readonly_rootfs ? "true" : "false");
    r = print_process(b, s, capabilities, err);
    if (r < 0)
        return r;
    print_mounts(b, s);
    print_linux(b, s, capabilities);
    buf_append_char(b, '}');
    return 0;
}

int oci_spec_print_exec(struct buf *b, struct str config_json, const struct runtime_strs *command,
                        bool tty, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct value config, args = value_array(), *process;
    int r = value_parse(&a, config_json, &config, NULL, err);

    if (r < 0)
        return r;
    process = value_get(&config, STR("process"));
    if (!process || process->type != VALUE_OBJECT)
        return err_set(err, ERR_CORRUPT, "the container's specification has no process");
    for (size_t i = 0; i < command->len; i++)
        value_push(&a, &args, value_string(command->items[i]));
    value_set(&a, process, STR("args"), args);
    value_set(&a, process, STR("terminal"), value_bool(tty));
    value_print(b, process);
    return 0;
}
