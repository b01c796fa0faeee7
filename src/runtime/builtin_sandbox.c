#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/builtin_internal.h"
#include "runtime/cgroup.h"
#include "runtime/runtime_files.h"

enum {
    SANDBOX_TIMEOUT_MS = 30000,
    SANDBOX_SHM_BYTES = 64 << 20,
    RETRY_MS = 20, /* a cgroup whose processes have yet to die */
};

static const char *path_of(struct arena *a, const struct builtin_sandbox *s, const char *rest)
{
    return builtin_path(a, s->b->root, "sandboxes", s->status.id, rest);
}

/* The group of what is the sandbox's own: pause, and the conmons. */
static struct str own_cgroup(struct arena *a, const struct builtin_sandbox *s)
{
    return arena_printf(a, "%.*s/pintle-%.*s", STR_ARG(s->cgroup_parent),
                        STR_ARG(str_sub(s->status.id, 0, 16)));
}

void builtin_on_pause_end(struct loop_watch *w, int events)
{
    struct builtin_process *p = CONTAINER_OF(w, struct builtin_process, watch);
    struct builtin_sandbox *s = CONTAINER_OF(p, struct builtin_sandbox, pause);
    struct err err;

    (void)events;
    builtin_process_done(p);
    if (s->status.ready) {
        s->status.ready = false;
        if (builtin_save_sandbox(s, &err) < 0)
            LOG_WARNING("cannot record a sandbox's end", KV("err", err.text));
        builtin_emit(s->b, RUNTIME_SANDBOX_STOPPED, s, NULL);
    }
    builtin_kick(s->b);
}

/* --- run --- */

static struct runtime_map copy_map(struct arena *a, const struct runtime_map *m)
{
    struct runtime_key_value *items = ARENA_NEW_ARRAY(a, struct runtime_key_value, m->len);

    for (size_t i = 0; i < m->len; i++)
        items[i] = (struct runtime_key_value){ str_dup(a, m->items[i].key),
                                               str_dup(a, m->items[i].value) };
    return (struct runtime_map){ .items = items, .len = m->len };
}

static struct builtin_sandbox *sandbox_of(struct builtin *b,
                                          const struct runtime_sandbox_config *config)
{
    struct builtin_sandbox *s = builtin_sandbox_new(b);
    const struct clock *clock = loop_clock(b->rt.loop);
    struct arena *a = &s->arena;
    char id[BUILTIN_ID_LEN + 1];

    builtin_new_id(id);
    s->status = (struct runtime_sandbox_status){
        .id = str_dup(a, str_from_cstr(id)),
        .name = str_dup(a, config->name),
        .uid = str_dup(a, config->uid),
        .pod_namespace = str_dup(a, config->pod_namespace),
        .attempt = config->attempt,
        .created_at_ns = clock->wall_ns(clock),
        .labels = copy_map(a, &config->labels),
        .annotations = copy_map(a, &config->annotations),
    };
    s->host_network = config->namespaces.network == RUNTIME_NS_NODE;
    s->host_ipc = config->namespaces.ipc == RUNTIME_NS_NODE;
    s->host_pid = config->namespaces.pid == RUNTIME_NS_NODE;
    s->shared_pid = config->namespaces.pid == RUNTIME_NS_POD;
    s->log_directory = str_dup(a, config->log_directory);
    s->cgroup_parent =
        str_dup(a, config->cgroup_parent.len ? config->cgroup_parent : STR("/pintle"));
    if (!s->host_network) {
        s->hostname = str_dup(a, config->hostname);
        s->status.netns_path = str_from_cstr(builtin_path(a, b->state, "netns", s->status.id, ""));
    }
    return s;
}

static void append_list(struct buf *b, const char *word, struct runtime_strs list)
{
    if (!list.len)
        return;
    buf_printf(b, "%s", word);
    for (size_t i = 0; i < list.len; i++)
        buf_printf(b, " %.*s", STR_ARG(list.items[i]));
    buf_append_char(b, '\n');
}

static int write_files(struct builtin_sandbox *s, const struct runtime_sandbox_config *config,
                       struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf dns = { 0 };
    CLEANUP(buf_done) struct buf hostname = { 0 };
    int r = 0;

    for (size_t i = 0; i < config->dns_servers.len; i++)
        buf_printf(&dns, "nameserver %.*s\n", STR_ARG(config->dns_servers.items[i]));
    append_list(&dns, "search", config->dns_searches);
    append_list(&dns, "options", config->dns_options);
    if (!config->has_dns) {
        struct str text;
        struct err ignored;

        if (runtime_files_read(&a, AT_FDCWD, "/etc/resolv.conf", 1 << 20, &text, &ignored) == 0)
            buf_append_str(&dns, text);
    }
    r = runtime_files_write(path_of(&a, s, "/resolv.conf"), buf_str(&dns), 0644, err);
    buf_printf(&hostname, "%.*s\n", STR_ARG(s->hostname));
    if (r == 0 && s->hostname.len)
        r = runtime_files_write(path_of(&a, s, "/hostname"), buf_str(&hostname), 0644, err);
    return r;
}

static int prepare(struct builtin_sandbox *s, const struct runtime_sandbox_config *config,
                   struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    uint64_t shm = config->shm_bytes ? config->shm_bytes : SANDBOX_SHM_BYTES;
    const char *shm_path = path_of(&a, s, "/shm");
    int r = runtime_files_make_directory(path_of(&a, s, ""), 0711, err);

    if (r == 0)
        r = write_files(s, config, err);
    if (r == 0 && s->log_directory.len)
        r = runtime_files_make_directory(str_cstr(&a, s->log_directory), 0755, err);
    if (r == 0 && !s->host_ipc) {
        r = runtime_files_make_directory(shm_path, 0755, err);
        if (r == 0 && mount("shm", shm_path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                            arena_printf(&a, "mode=1777,size=%llu", (unsigned long long)shm).p) < 0)
            r = err_errno(err, errno, "mount '%s'", shm_path);
    }
    if (r == 0)
        r = cgroup_make(own_cgroup(&a, s), err);
    return r == 0 ? builtin_save_sandbox(s, err) : r;
}

static struct cni_attachment attachment_of(const struct builtin_sandbox *s)
{
    return (struct cni_attachment){ .container_id = s->status.id,
                                    .netns_path = s->status.netns_path,
                                    .pod_namespace = s->status.pod_namespace,
                                    .pod_name = s->status.name,
                                    .pod_uid = s->status.uid };
}

static void stop_step(struct runtime_call *c);
enum { PHASE_KILL, PHASE_NETWORK, PHASE_CLEAN, PHASE_DROP };

/* A sandbox that could not be made is taken apart as a stopped one is; c->result has why. */
static void fail_run(struct runtime_call *c, int code)
{
    c->result.code = code;
    c->result.reason = STR("CreatePodSandboxError");
    c->phase = PHASE_KILL;
    c->step = stop_step;
    builtin_kick(c->b);
}

static void run_is_done(struct runtime_call *c)
{
    struct builtin_sandbox *s = c->sandbox;
    int r;

    s->status.ready = true;
    r = builtin_save_sandbox(s, &c->err);
    if (r < 0) {
        fail_run(c, r);
        return;
    }
    c->result.id = s->status.id;
    builtin_call_finish(c, 0);
    builtin_emit(c->b, RUNTIME_SANDBOX_READY, s, NULL);
}

static void on_network(const struct cni_network_result *res, void *arg)
{
    struct runtime_call *c = arg;
    struct builtin_sandbox *s = c->sandbox;
    struct str *texts;
    char text[IP_TEXT_BYTES];

    c->cni = NULL;
    if (res->code < 0) {
        fail_run(c, err_set(&c->err, res->code, "set up the network: %s", res->err->text));
        return;
    }
    texts = ARENA_NEW_ARRAY(&s->arena, struct str, CNI_MAX_IPS);
    for (size_t i = 0; i < res->n_ips; i++) {
        s->ips[i] = res->ips[i];
        texts[i] = str_dup(&s->arena, str_from_cstr(ip_print(&res->ips[i], text)));
    }
    s->status.ips = (struct runtime_strs){ .items = texts, .len = res->n_ips };
    run_is_done(c);
}

static void on_pause_started(struct command *command, const struct command_result *res, void *arg)
{
    struct runtime_call *c = arg;
    struct builtin_sandbox *s = c->sandbox;
    const struct cni_attachment attachment = attachment_of(s);
    uint64_t pid;
    int r;

    (void)command;
    c->command = NULL;
    if (res->code < 0 || res->status != 0 || !str_to_u64(str_trim(res->out), &pid)) {
        fail_run(c, err_set(&c->err, res->code < 0 ? res->code : ERR_INVALID,
                            "make the sandbox: %.*s", STR_ARG(str_trim(res->err))));
        return;
    }
    builtin_process_identify(&s->pause, (pid_t)pid);
    r = builtin_process_watch(&s->pause, c->b->rt.loop, builtin_on_pause_end);
    if (r < 0) {
        fail_run(c, err_set(&c->err, r, "the sandbox's pause ended at once"));
        return;
    }
    if (s->host_network || !c->b->network) {
        run_is_done(c);
        return;
    }
    s->network_is_up = true;
    r = builtin_save_sandbox(s, &c->err); /* before: a crash must not forget to delete it */
    if (r < 0)
        fail_run(c, r);
    else
        c->cni = cni_network_add(c->b->network, &attachment, on_network, c);
}

static int start_pause(struct runtime_call *c, const struct runtime_sandbox_config *config)
{
    struct builtin_sandbox *s = c->sandbox;
    struct builtin *b = c->b;
    struct arena *a = &c->arena;
    struct runtime_strs cgroups = cgroup_procs_files(a, own_cgroup(a, s));
    const char **argv = ARENA_NEW_ARRAY(a, const char *, 10 + cgroups.len + config->sysctls.len);
    size_t n = 0;

    argv[n++] = arena_printf(a, "%s/pintle-sandbox", b->programs).p;
    argv[n++] = "create";
    argv[n++] = arena_printf(a, "%s/pintle-pause", b->programs).p;
    argv[n++] = arena_printf(a, "%s/empty", b->state).p;
    argv[n++] = s->host_network ? "" : str_cstr(a, s->status.netns_path);
    argv[n++] = str_cstr(a, s->hostname);
    argv[n++] = arena_printf(a, "%s%s-", s->host_ipc ? "" : "i", s->shared_pid ? "p" : "").p;
    for (size_t i = 0; i < cgroups.len; i++)
        argv[n++] = str_cstr(a, cgroups.items[i]);
    argv[n++] = "--";
    for (size_t i = 0; i < config->sysctls.len; i++)
        argv[n++] = arena_printf(a, "%.*s=%.*s", STR_ARG(config->sysctls.items[i].key),
                                 STR_ARG(config->sysctls.items[i].value))
                        .p;
    return command_start(
        b->rt.loop,
        &(struct command_options){
            .argv = argv, .timeout_ms = SANDBOX_TIMEOUT_MS, .done = on_pause_started, .arg = c },
        &c->command, &c->err);
}

struct runtime_call *builtin_run_pod_sandbox(struct runtime *rt,
                                             const struct runtime_sandbox_config *config,
                                             runtime_done_fn *done, void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct runtime_call *c = builtin_call_new(b, "run_podsandbox", done, arg);
    struct builtin_sandbox *s = sandbox_of(b, config);
    int r;

    c->sandbox = s;
    s->refs++;
    list_append(&b->sandboxes, &s->link);
    r = prepare(s, config, &c->err);
    if (r == 0)
        r = start_pause(c, config);
    if (r < 0)
        fail_run(c, r);
    return c;
}

/* --- stop and remove --- */

static void on_retry(struct loop_timer *t)
{
    struct runtime_call *c = CONTAINER_OF(t, struct runtime_call, timer);

    if (c->step)
        c->step(c);
}

/* Kills whatever of the sandbox runs; true when nothing does. */
static bool kill_all(struct builtin_sandbox *s)
{
    bool all_ended = true;

    LIST_FOREACH(n, &s->b->containers) {
        struct builtin_container *ctr = CONTAINER_OF(n, struct builtin_container, link);

        if (ctr->sandbox != s)
            continue;
        if (ctr->status.state == RUNTIME_CONTAINER_IS_RUNNING || ctr->is_starting) {
            (void)builtin_process_signal(&ctr->main, SIGKILL); /* ended already is as good */
            all_ended = false;
        }
        if (ctr->cleanup)
            all_ended = false;
    }
    if (!all_ended)
        return false;
    (void)builtin_process_signal(&s->pause, SIGKILL);
    return s->pause.pidfd < 0;
}

static void on_network_gone(const struct cni_network_result *res, void *arg)
{
    struct runtime_call *c = arg;

    c->cni = NULL;
    if (res->code < 0 && c->result.code == 0) {
        builtin_call_finish(c,
                            err_set(&c->err, res->code, "remove the network: %s", res->err->text));
        return;
    }
    c->sandbox->network_is_up = false;
    c->phase = PHASE_CLEAN;
    c->step = stop_step;
    builtin_kick(c->b);
}

static int clean_sandbox(struct builtin_sandbox *s, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *shm = path_of(&a, s, "/shm"), *netns = str_cstr(&a, s->status.netns_path);

    if (umount2(shm, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
        return err_errno(err, errno, "unmount '%s'", shm);
    if (netns[0] && umount2(netns, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
        errno != ENOENT)
        return err_errno(err, errno, "unmount '%s'", netns);
    if (netns[0] && unlink(netns) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove '%s'", netns);
    return 0;
}

/* One ended container's files at a time. */
static bool drop_next(struct runtime_call *c)
{
    LIST_FOREACH(n, &c->b->containers) {
        struct builtin_container *ctr = CONTAINER_OF(n, struct builtin_container, link);
        int r;

        if (ctr->sandbox != c->sandbox)
            continue;
        c->step = NULL; /* until its files are gone */
        c->resume = stop_step;
        r = builtin_drop_container(c, ctr, &c->err);
        if (r < 0)
            builtin_call_finish(c, r);
        return true;
    }
    return false;
}

static void drop_sandbox(struct runtime_call *c)
{
    struct builtin_sandbox *s = c->sandbox;
    CLEANUP(arena_done) struct arena a = { 0 };
    struct err err;
    int r = cgroup_remove(own_cgroup(&a, s), &err);

    if (r == -EBUSY) {
        c->timer.fn = on_retry;
        loop_timer_start(&c->timer, RETRY_MS);
        return;
    }
    if (r == 0)
        r = runtime_files_remove(AT_FDCWD, path_of(&a, s, ""), &err);
    if (r < 0 && c->result.code == 0) {
        c->err = err;
        builtin_call_finish(c, r);
        return;
    }
    if (!s->is_gone) {
        s->is_gone = true;
        list_remove(&s->link);
        builtin_emit(c->b, RUNTIME_SANDBOX_REMOVED, s, NULL);
        builtin_sandbox_unref(s);
    }
    builtin_call_finish(c, c->result.code);
}

static void stop_is_done(struct runtime_call *c)
{
    struct builtin_sandbox *s = c->sandbox;
    bool was_ready = s->status.ready;
    struct err err;
    int r = clean_sandbox(s, &err);

    s->status.ready = false;
    s->status.ips.len = 0;
    if (r == 0)
        r = builtin_save_sandbox(s, &err);
    if (r < 0 && c->result.code == 0) {
        c->err = err;
        builtin_call_finish(c, r);
        return;
    }
    if (was_ready)
        builtin_emit(c->b, RUNTIME_SANDBOX_STOPPED, s, NULL);
    c->phase = PHASE_DROP;
}

/* c->timeout_ms: 1 for a removal, 0 for a stop. A failed run goes all the way, as removal does. */
static void stop_step(struct runtime_call *c)
{
    struct builtin_sandbox *s = c->sandbox;
    const struct cni_attachment attachment = attachment_of(s);

    if (c->phase == PHASE_KILL) {
        if (!kill_all(s))
            return; /* run again when one of them has ended */
        c->phase = PHASE_NETWORK;
    }
    if (c->phase == PHASE_NETWORK) {
        if (s->network_is_up && c->b->network) {
            c->step = NULL;
            c->cni = cni_network_delete(c->b->network, &attachment, on_network_gone, c);
            return;
        }
        c->phase = PHASE_CLEAN;
    }
    if (c->phase == PHASE_CLEAN)
        stop_is_done(c);
    if (c->phase != PHASE_DROP || c->is_finished)
        return;
    if (c->result.code == 0 && c->timeout_ms == 0)
        builtin_call_finish(c, 0);
    else if (!drop_next(c))
        drop_sandbox(c);
}

static struct runtime_call *begin_stop(struct runtime *rt, struct str id, bool remove,
                                       runtime_done_fn *done, void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct builtin_sandbox *s = builtin_find_sandbox(b, id);
    struct runtime_call *c =
        builtin_call_new(b, remove ? "remove_podsandbox" : "stop_podsandbox", done, arg);

    if (!s) {
        builtin_call_finish(c, 0); /* gone already */
        return c;
    }
    c->sandbox = s;
    s->refs++;
    c->timeout_ms = remove;
    c->phase = PHASE_KILL;
    c->step = stop_step;
    builtin_kick(b);
    return c;
}

struct runtime_call *builtin_stop_pod_sandbox(struct runtime *rt, struct str id,
                                              runtime_done_fn *done, void *arg)
{
    return begin_stop(rt, id, false, done, arg);
}

struct runtime_call *builtin_remove_pod_sandbox(struct runtime *rt, struct str id,
                                                runtime_done_fn *done, void *arg)
{
    return begin_stop(rt, id, true, done, arg);
}
