/* A container's life: create makes its root and specification; start runs conmon, which runs crun;
 * conmon leaves a file when it has ended, and ends. Events: the pidfds of both and the exit file,
 * in any order; the exit file ends it, or that both are gone without one. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "io/child.h"
#include "runtime/builtin_internal.h"
#include "runtime/cgroup.h"
#include "runtime/image_reference.h"
#include "runtime/runtime_files.h"

enum { SIGNAL_NAME_BYTES = 32, CRUN_TIMEOUT_MS = 60000 };

static const char *path_of(struct arena *a, const struct builtin_container *c, const char *rest)
{
    return builtin_path(a, c->b->root, "containers", c->status.id, rest);
}

static int64_t now_ns(const struct builtin *b)
{
    const struct clock *clock = loop_clock(b->rt.loop);

    return clock->wall_ns(clock);
}

static struct builtin_container *hold(struct runtime_call *c, struct str id)
{
    c->container = builtin_find_container(c->b, id);
    if (c->container) {
        c->container->refs++;
        return c->container;
    }
    (void)err_set(&c->err, ERR_NOT_FOUND, "container '%.*s' not found",
                  STR_ARG(str_sub(id, 0, 256)));
    return NULL;
}

static void save(const struct builtin_container *c)
{
    struct err err;

    if (builtin_save_container(c, &err) < 0)
        LOG_WARNING("cannot record a container", KV("id", c->status.id), KV("err", err.text));
}

/* --- the end --- */

static void on_cleaned(struct command *command, const struct command_result *res, void *arg)
{
    struct builtin_container *c = arg;
    struct err ignored;

    (void)command;
    (void)res; /* what crun could not do, removal does again */
    c->cleanup = NULL;
    (void)cgroup_remove(c->cgroup_path, &ignored);
    builtin_kick(c->b);
}

void builtin_clean_container(struct builtin_container *c)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *const argv[] = { c->b->crun,
                                 "--root",
                                 arena_printf(&a, "%s/crun", c->b->state).p,
                                 "--cgroup-manager=cgroupfs",
                                 "delete",
                                 "--force",
                                 str_cstr(&a, c->status.id),
                                 NULL };
    struct err err;

    if (c->cleanup)
        return;
    if (command_start(
            c->b->rt.loop,
            &(struct command_options){
                .argv = argv, .timeout_ms = CRUN_TIMEOUT_MS, .done = on_cleaned, .arg = c },
            &c->cleanup, &err) < 0)
        LOG_WARNING("cannot clean up", KV("id", c->status.id), KV("err", err.text));
}

void builtin_container_ended(struct builtin_container *c, int exit_code, const char *reason,
                             int64_t at_ns)
{
    if (c->status.state == RUNTIME_CONTAINER_IS_EXITED)
        return;
    builtin_process_done(&c->main);
    builtin_process_done(&c->shim);
    c->status.state = RUNTIME_CONTAINER_IS_EXITED;
    c->status.exit_code = exit_code;
    c->status.reason = str_dup(&c->arena, str_from_cstr(reason));
    c->status.finished_at_ns = at_ns ? at_ns : now_ns(c->b);
    if (!c->status.started_at_ns)
        c->status.started_at_ns = c->status.finished_at_ns;
    /* A file's time is of a coarser clock, and the end may come before we hear of the start. */
    c->status.finished_at_ns = MAX(c->status.finished_at_ns, c->status.started_at_ns);
    c->status.pid = 0;
    c->is_starting = false;
    save(c);
    cgroup_kill(c->cgroup_path); /* what it left in a shared pid namespace */
    builtin_clean_container(c);
    builtin_emit(c->b, RUNTIME_CONTAINER_STOPPED, NULL, c);
    builtin_kick(c->b);
}

static bool was_killed_for_memory(const struct builtin_container *c)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    return access(path_of(&a, c, "/persist/oom"), F_OK) == 0 ||
           cgroup_oom_kills(c->cgroup_path) > 0;
}

bool builtin_take_exit(struct builtin_container *c)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *path = builtin_path(&a, c->b->state, "exits", c->status.id, ""), *reason;
    struct str text;
    struct stat st;
    struct err ignored;
    uint64_t code;

    if (c->is_starting && c->main.pid == 0)
        return false; /* start has yet to hear of it */
    if (stat(path, &st) < 0 || runtime_files_read(&a, AT_FDCWD, path, 64, &text, &ignored) < 0 ||
        !str_to_u64(str_trim(text), &code) || code > 255)
        return false;
    reason = code == 0 ? "Completed" : was_killed_for_memory(c) ? "OOMKilled" : "Error";
    builtin_container_ended(c, (int)code, reason,
                            (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    return true;
}

void builtin_take_exit_or_wait(struct builtin_container *c)
{
    if (!builtin_take_exit(c) && c->shim.pidfd < 0)
        builtin_container_ended(c, BUILTIN_LOST_CODE, "Unknown", 0);
}

void builtin_on_main_end(struct loop_watch *w, int events)
{
    struct builtin_process *p = CONTAINER_OF(w, struct builtin_process, watch);
    struct builtin_container *c = CONTAINER_OF(p, struct builtin_container, main);

    (void)events;
    builtin_process_done(p);
    builtin_take_exit_or_wait(c);
}

void builtin_on_shim_end(struct loop_watch *w, int events)
{
    struct builtin_process *p = CONTAINER_OF(w, struct builtin_process, watch);
    struct builtin_container *c = CONTAINER_OF(p, struct builtin_container, shim);

    (void)events;
    builtin_process_done(p);
    if (c->main.pidfd < 0)
        builtin_take_exit_or_wait(c);
}

/* --- create --- */

static struct runtime_map copy_map(struct arena *a, const struct runtime_map *m)
{
    struct runtime_key_value *items = ARENA_NEW_ARRAY(a, struct runtime_key_value, m->len);

    for (size_t i = 0; i < m->len; i++)
        items[i] = (struct runtime_key_value){ str_dup(a, m->items[i].key),
                                               str_dup(a, m->items[i].value) };
    return (struct runtime_map){ .items = items, .len = m->len };
}

static struct builtin_container *container_of(struct builtin_sandbox *s,
                                              const struct runtime_container_config *config,
                                              const struct image *image)
{
    struct builtin_container *c = builtin_container_new(s->b);
    struct arena *a = &c->arena;
    char id[BUILTIN_ID_LEN + 1];

    builtin_new_id(id);
    c->sandbox = s;
    c->sandbox_id = str_dup(a, s->status.id);
    c->status = (struct runtime_container_status){
        .id = str_dup(a, str_from_cstr(id)),
        .sandbox_id = c->sandbox_id,
        .pod_uid = str_dup(a, s->status.uid),
        .name = str_dup(a, config->name),
        .attempt = config->attempt,
        .state = RUNTIME_CONTAINER_IS_CREATED,
        .created_at_ns = now_ns(s->b),
        .image = str_dup(a, config->image),
        .image_id = str_dup(a, image->info.id),
        .image_ref =
            str_dup(a, image->info.digests.len ? image->info.digests.items[0] : image->info.id),
        .labels = copy_map(a, &config->labels),
        .annotations = copy_map(a, &config->annotations),
    };
    if (config->log_path.len)
        c->status.log_path =
            arena_printf(a, "%.*s/%.*s", STR_ARG(s->log_directory), STR_ARG(config->log_path));
    c->cgroup_path = arena_printf(a, "%.*s/%s", STR_ARG(s->cgroup_parent), id);
    c->stop_signal = str_dup(a, config->stop_signal.len ? config->stop_signal : image->stop_signal);
    c->tty = config->tty;
    c->has_stdin = config->has_stdin;
    c->stdin_once = config->stdin_once;
    return c;
}

static struct str namespace_path(struct arena *a, const struct builtin_sandbox *s, const char *type)
{
    return arena_printf(a, "/proc/%d/ns/%s", (int)s->pause.pid, type);
}

static int fill_pid(struct arena *a, const struct builtin_container *c,
                    const struct runtime_container_config *config, struct oci_spec *spec,
                    struct err *err)
{
    const struct builtin_sandbox *s = c->sandbox;
    const struct builtin_container *target;

    switch (config->namespaces.pid) {
    case RUNTIME_NS_NODE:
        return 0;
    case RUNTIME_NS_TARGET:
        target = builtin_find_container(c->b, config->namespaces.target_id);
        if (!target || target->status.state != RUNTIME_CONTAINER_IS_RUNNING)
            return err_set(err, ERR_NOT_FOUND, "the target container does not run");
        spec->pid_path = arena_printf(a, "/proc/%d/ns/pid", (int)target->main.pid);
        return 0;
    case RUNTIME_NS_DEFAULT:
    case RUNTIME_NS_POD:
    case RUNTIME_NS_CONTAINER:
        break;
    }
    if (s->host_pid)
        return 0;
    if (s->shared_pid)
        spec->pid_path = namespace_path(a, s, "pid");
    else
        spec->own_pid = true;
    return 0;
}

static int fill_seccomp(struct arena *a, const struct runtime_container_config *config,
                        struct oci_spec *spec, struct err *err)
{
    const struct runtime_seccomp *seccomp = &config->security.seccomp;
    int r;

    if (seccomp->type != RUNTIME_SECCOMP_LOCALHOST)
        return 0;
    r = runtime_files_read(a, AT_FDCWD, str_cstr(a, seccomp->localhost_path), 4 << 20,
                           &spec->seccomp_profile, err);
    if (r == 0 && (spec->seccomp_profile.len == 0 || str_trim(spec->seccomp_profile).p[0] != '{'))
        r = err_set(err, ERR_INVALID, "'%.*s' is no seccomp profile",
                    STR_ARG(seccomp->localhost_path));
    return r;
}

static struct str print_groups(struct arena *a, const struct oci_user *u)
{
    struct buf b;

    buf_init_arena(&b, a, 32);
    buf_append_u64(&b, u->gid);
    for (size_t i = 0; i < u->n_groups; i++)
        if (u->groups[i] != u->gid)
            buf_printf(&b, ",%u", u->groups[i]);
    return buf_str(&b);
}

static int write_spec(struct builtin_container *c, const struct runtime_container_config *config,
                      const struct image *image, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf text = { 0 };
    const struct builtin_sandbox *s = c->sandbox;
    const char *rootfs = path_of(&a, c, "/rootfs");
    struct oci_spec spec = {
        .config = config,
        .container_id = c->status.id,
        .hostname = s->hostname,
        .cgroups_path = c->cgroup_path,
        .rootfs = str_from_cstr(rootfs),
        .host = c->b->host,
        .image_entrypoint = image->entrypoint,
        .image_cmd = image->cmd,
        .image_env = image->env,
        .image_working_dir = image->working_dir,
        .netns_path = s->status.netns_path,
        .ipc_path = s->host_ipc ? STR_NULL : namespace_path(&a, s, "ipc"),
        .uts_path = s->host_network ? STR_NULL : namespace_path(&a, s, "uts"),
        .host_network = s->host_network,
        .shm_path = s->host_ipc ? STR("/dev/shm")
                                : str_from_cstr(builtin_path(&a, c->b->root, "sandboxes",
                                                             s->status.id, "/shm")),
        .resolv_conf_path =
            str_from_cstr(builtin_path(&a, c->b->root, "sandboxes", s->status.id, "/resolv.conf")),
    };
    int r = builtin_resolve_user(&a, rootfs, image, &config->security, &spec.user, err);

    if (s->hostname.len)
        spec.hostname_path =
            str_from_cstr(builtin_path(&a, c->b->root, "sandboxes", s->status.id, "/hostname"));
    if (r == 0)
        r = fill_pid(&a, c, config, &spec, err);
    if (r == 0)
        r = fill_seccomp(&a, config, &spec, err);
    if (r == 0)
        r = oci_spec_print(&text, &spec, err);
    c->status.user = spec.user.uid;
    c->status.groups = print_groups(&c->arena, &spec.user);
    return r == 0 ? runtime_files_write(path_of(&a, c, "/config.json"), buf_str(&text), 0600, err)
                  : r;
}

static int make_log(const struct builtin_container *c, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    char *path = (char *)(uintptr_t)str_cstr(&a, c->status.log_path), *slash;

    slash = strrchr(path, '/');
    if (!slash)
        return 0;
    *slash = '\0';
    return runtime_files_make_directory(path, 0755, err);
}

static void remove_now(struct builtin_container *c)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct err ignored;

    builtin_unmount_images(c);
    (void)umount2(path_of(&a, c, "/rootfs"),
                  MNT_DETACH | UMOUNT_NOFOLLOW); /* perhaps not mounted */
    (void)runtime_files_remove(AT_FDCWD, path_of(&a, c, ""), &ignored);
}

static int create(struct runtime_call *call, struct builtin_sandbox *s,
                  const struct runtime_container_config *config, struct err *err)
{
    struct builtin *b = s->b;
    struct runtime_container_config with_images = *config;
    struct runtime_mount *mounts;
    const struct image *image;
    struct builtin_container *c;
    CLEANUP(arena_done) struct arena a = { 0 };
    int r = image_store_refresh(b->images, err);

    if (r < 0)
        return r;
    image = image_store_find(b->images, config->image);
    if (!image)
        return err_set(err, ERR_NOT_FOUND, "image '%.*s' not found",
                       STR_ARG(str_sub(config->image, 0, 512)));
    c = container_of(s, config, image);
    r = builtin_mount_rootfs(b, image, c->status.id, err);
    if (r == 0)
        r = runtime_files_make_directory(path_of(&a, c, "/persist"), 0700, err);
    if (r == 0)
        r = builtin_mount_images(c, &a, config, &mounts, err);
    if (r == 0) {
        with_images.mounts = mounts;
        r = write_spec(c, &with_images, image, err);
    }
    if (r == 0)
        r = make_log(c, err);
    if (r == 0)
        r = builtin_save_container(c, err);
    if (r < 0) {
        remove_now(c);
        builtin_container_unref(c);
        return r;
    }
    list_append(&b->containers, &c->link);
    call->container = c;
    c->refs++;
    call->result.id = c->status.id;
    return 0;
}

struct runtime_call *builtin_create_container(struct runtime *rt, struct str sandbox_id,
                                              const struct runtime_container_config *config,
                                              runtime_done_fn *done, void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct builtin_sandbox *s = builtin_find_sandbox(b, sandbox_id);
    struct runtime_call *c = builtin_call_new(b, "create_container", done, arg);
    int r = s && s->status.ready ? create(c, s, config, &c->err)
                                 : err_set(&c->err, ERR_NOT_FOUND, "sandbox '%.*s' is not ready",
                                           STR_ARG(str_sub(sandbox_id, 0, 256)));

    if (r < 0)
        c->result.reason = STR("CreateContainerError");
    builtin_call_finish(c, r);
    if (r == 0)
        builtin_emit(b, RUNTIME_CONTAINER_CREATED, NULL, c->container);
    return c;
}

/* --- stop --- */

static int signal_of(struct str name)
{
    uint64_t number;

    if (str_to_u64(name, &number) && number > 0 && number < 65)
        return (int)number;
    if (str_has_prefix(name, STR("SIG")))
        name = str_tail(name, 3);
    for (int i = 1; name.len && i < 32; i++)
        if (str_eq(name, str_from_cstr(sigabbrev_np(i))))
            return i;
    return SIGTERM;
}

static void stop_step(struct runtime_call *c)
{
    if (c->container->status.state != RUNTIME_CONTAINER_IS_RUNNING && !c->container->is_starting)
        builtin_call_finish(c, 0);
}

static void on_grace_over(struct loop_timer *t)
{
    struct runtime_call *c = CONTAINER_OF(t, struct runtime_call, timer);

    (void)builtin_process_signal(&c->container->main, SIGKILL); /* its end is seen anyway */
}

struct runtime_call *builtin_stop_container(struct runtime *rt, struct str id, int64_t timeout_ms,
                                            runtime_done_fn *done, void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct runtime_call *c = builtin_call_new(b, "stop_container", done, arg);
    struct builtin_container *ctr = hold(c, id);

    if (!ctr || ctr->status.state != RUNTIME_CONTAINER_IS_RUNNING) {
        builtin_call_finish(c, 0);
        return c;
    }
    c->step = stop_step;
    (void)builtin_process_signal(&ctr->main,
                                 timeout_ms > 0 ? signal_of(ctr->stop_signal) : SIGKILL);
    c->timer.fn = on_grace_over;
    if (timeout_ms > 0)
        loop_timer_start(&c->timer, timeout_ms);
    return c;
}

/* --- remove --- */

static void forget(struct builtin_container *c)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    if (c->is_gone)
        return;
    c->is_gone = true;
    (void)unlink(builtin_path(&a, c->b->state, "exits", c->status.id, "")); /* perhaps never came */
    list_remove(&c->link);
    builtin_emit(c->b, RUNTIME_CONTAINER_REMOVED, NULL, c);
    builtin_container_unref(c);
}

static void on_files_removed(struct command *command, const struct command_result *res, void *arg)
{
    struct runtime_call *c = arg;

    (void)command;
    c->command = NULL;
    if (res->code < 0 || res->status != 0) {
        builtin_call_finish(c, err_set(&c->err, res->code < 0 ? res->code : ERR_INVALID,
                                       "remove the container's files: %.*s",
                                       STR_ARG(str_trim(res->err))));
        return;
    }
    forget(c->container);
    if (!c->sandbox) {
        builtin_call_finish(c, 0);
        return;
    }
    /* One of a sandbox that is removed: its call goes on with the next. */
    builtin_container_unref(c->container);
    c->container = NULL;
    c->step = c->resume;
    builtin_kick(c->b);
}

int builtin_drop_container(struct runtime_call *call, struct builtin_container *c, struct err *err)
{
    struct arena *a = &call->arena;
    const char *rootfs = path_of(a, c, "/rootfs");
    const char *const argv[] = { "rm", "-rf", "--one-file-system", "--", path_of(a, c, ""), NULL };

    if (call->container != c) {
        call->container = c;
        c->refs++;
    }
    builtin_unmount_images(c);
    if (umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
        return err_errno(err, errno, "unmount '%s'", rootfs);
    return command_start(
        c->b->rt.loop,
        &(struct command_options){ .argv = argv, .done = on_files_removed, .arg = call },
        &call->command, err);
}

static void remove_step(struct runtime_call *c)
{
    struct builtin_container *ctr = c->container;
    int r;

    if (ctr->is_gone) {
        builtin_call_finish(c, 0);
        return;
    }
    if (ctr->status.state == RUNTIME_CONTAINER_IS_RUNNING || ctr->is_starting) {
        (void)builtin_process_signal(&ctr->main, SIGKILL);
        return;
    }
    if (ctr->cleanup)
        return;
    c->step = NULL;
    r = builtin_drop_container(c, ctr, &c->err);
    if (r < 0)
        builtin_call_finish(c, r);
}

struct runtime_call *builtin_remove_container(struct runtime *rt, struct str id,
                                              runtime_done_fn *done, void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct runtime_call *c = builtin_call_new(b, "remove_container", done, arg);

    if (!hold(c, id)) {
        builtin_call_finish(c, 0); /* gone already */
        return c;
    }
    c->step = remove_step;
    builtin_kick(b);
    return c;
}
