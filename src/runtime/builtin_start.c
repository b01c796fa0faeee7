/* Starting a container: conmon in the sandbox's cgroup, which has crun create it and tells us its
 * pid, or crun's words, through a pipe; then crun start. */
#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/macros.h"
#include "codec/value.h"
#include "io/child.h"
#include "runtime/builtin_internal.h"
#include "runtime/cgroup.h"

enum {
    START_TIMEOUT_MS = 120000,
    SYNC_MAX_BYTES = 64 * 1024,
    MAX_ARGS = 96,
    START_ERROR_CODE = 128, /* as upstream's */
};

static const char *path_of(struct arena *a, const struct builtin_container *c, const char *rest)
{
    return builtin_path(a, c->b->root, "containers", c->status.id, rest);
}

static void close_sync(struct runtime_call *c)
{
    loop_watch_close(&c->watch);
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
}

static void fail(struct runtime_call *c, int code)
{
    struct builtin_container *ctr = c->container;

    close_sync(c);
    ctr->status.message = str_dup(&ctr->arena, str_from_cstr(c->err.text));
    builtin_container_ended(ctr, START_ERROR_CODE, "StartError", 0);
    c->result.reason = STR("RunContainerError");
    builtin_call_finish(c, code);
}

static void on_started(struct command *command, const struct command_result *res, void *arg)
{
    struct runtime_call *c = arg;
    struct builtin_container *ctr = c->container;
    const struct clock *clock = loop_clock(c->b->rt.loop);
    int r;

    (void)command;
    c->command = NULL;
    ctr->is_starting = false;
    if (ctr->status.state == RUNTIME_CONTAINER_IS_EXITED) { /* it was that quick */
        builtin_call_finish(c, 0);
        return;
    }
    if (res->code < 0 || res->status != 0) {
        fail(c, err_set(&c->err, res->code < 0 ? res->code : ERR_INVALID, "%.*s",
                        STR_ARG(str_trim(res->err))));
        return;
    }
    ctr->status.state = RUNTIME_CONTAINER_IS_RUNNING;
    ctr->status.started_at_ns = clock->wall_ns(clock);
    ctr->status.pid = ctr->main.pid;
    r = builtin_save_container(ctr, &c->err);
    if (r < 0) {
        fail(c, r);
        return;
    }
    builtin_emit(c->b, RUNTIME_CONTAINER_STARTED, NULL, ctr);
    builtin_call_finish(c, 0);
    builtin_kick(c->b);
}

static void run_crun_start(struct runtime_call *c, pid_t pid)
{
    struct builtin_container *ctr = c->container;
    struct arena *a = &c->arena;
    const char *const argv[] = { c->b->crun,
                                 "--root",
                                 arena_printf(a, "%s/crun", c->b->state).p,
                                 "--cgroup-manager=cgroupfs",
                                 "start",
                                 str_cstr(a, ctr->status.id),
                                 NULL };
    int r;

    builtin_process_identify(&ctr->main, pid);
    builtin_process_identify(&ctr->shim, builtin_process_parent(pid)); /* conmon reaps it */
    (void)builtin_process_watch(&ctr->shim, c->b->rt.loop, builtin_on_shim_end); /* -1: gone */
    r = builtin_process_watch(&ctr->main, c->b->rt.loop, builtin_on_main_end);
    if (r < 0) {
        fail(c, err_set(&c->err, r, "the container's first process ended before it was started"));
        return;
    }
    r = builtin_save_container(ctr, &c->err);
    if (r == 0)
        r = command_start(
            c->b->rt.loop,
            &(struct command_options){
                .argv = argv, .timeout_ms = START_TIMEOUT_MS, .done = on_started, .arg = c },
            &c->command, &c->err);
    if (r < 0)
        fail(c, r);
}

/* crun's words as conmon passes them: lines of log, of which the last says it. */
static int read_failure(struct runtime_call *c, const struct value *v)
{
    struct str message = v ? str_trim(value_get_str(v, STR("message"))) : STR_NULL;

    if (!message.len)
        message = STR("conmon ended without a word");
    return err_set(&c->err, ERR_INVALID, "failed to create containerd task: %.*s",
                   STR_ARG(str_sub(message, 0, 800)));
}

static void take_sync(struct runtime_call *c)
{
    struct err ignored;
    const struct value *pid;
    struct value v;
    bool ok = c->buf.len && value_parse(&c->arena, buf_str(&c->buf), &v, NULL, &ignored) == 0;

    close_sync(c);
    pid = ok ? value_get(&v, STR("pid")) : NULL;
    if (!pid)
        pid = ok ? value_get(&v, STR("data")) : NULL;
    if (pid && pid->type == VALUE_INT && pid->i > 1 && pid->i < INT32_MAX)
        run_crun_start(c, (pid_t)pid->i);
    else
        fail(c, read_failure(c, ok ? &v : NULL));
}

static void on_sync(struct loop_watch *w, int events)
{
    struct runtime_call *c = CONTAINER_OF(w, struct runtime_call, watch);

    (void)events;
    for (;;) {
        ssize_t n = read(c->fd, buf_reserve(&c->buf, 4096), 4096);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0) {
            c->buf.len += (size_t)n;
            if (!memchr(c->buf.p, '\n', c->buf.len) && c->buf.len < SYNC_MAX_BYTES)
                continue;
        }
        take_sync(c);
        return;
    }
}

static void on_timeout(struct loop_timer *t)
{
    struct runtime_call *c = CONTAINER_OF(t, struct runtime_call, timer);

    if (c->fd >= 0)
        fail(c, err_set(&c->err, ERR_TIMEOUT, "conmon did not answer in %d s",
                        START_TIMEOUT_MS / 1000));
}

static void on_conmon_parent(struct child *child, int status, int signum, void *arg)
{
    (void)status; /* what counts comes through the pipe, whose end tells of a failure, too */
    (void)signum;
    (void)arg;
    child_free(child);
}

static size_t put_fixed(struct runtime_call *c, const char **argv, size_t n)
{
    const struct builtin_container *ctr = c->container;
    struct arena *a = &c->arena;
    const char *id = str_cstr(a, ctr->status.id), *bundle = path_of(a, ctr, "");
    const char *log =
        ctr->status.log_path.len ? str_cstr(a, ctr->status.log_path) : path_of(a, ctr, "/log");
    const char *const fixed[] = {
        c->b->conmon,
        "-b",
        bundle,
        "-c",
        id,
        "-u",
        id,
        "-n",
        id,
        "-r",
        c->b->crun,
        "-p",
        path_of(a, ctr, "/pidfile"),
        "-l",
        arena_printf(a, "k8s-file:%s", log).p,
        "--exit-dir",
        arena_printf(a, "%s/exits", c->b->state).p,
        "--persist-dir",
        path_of(a, ctr, "/persist"),
        "--socket-dir-path",
        arena_printf(a, "%s/s", c->b->state).p,
        "--log-level",
        "error",
        "--runtime-arg",
        "--root",
        "--runtime-arg",
        arena_printf(a, "%s/crun", c->b->state).p,
        "--runtime-arg",
        "--cgroup-manager=cgroupfs",
    };

    memcpy(argv + n, fixed, sizeof(fixed));
    return n + ARRAY_LEN(fixed);
}

static const char **conmon_argv(struct runtime_call *c)
{
    const struct builtin_container *ctr = c->container;
    struct arena *a = &c->arena;
    struct str cgroup = arena_printf(a, "%.*s/pintle-%.*s", STR_ARG(ctr->sandbox->cgroup_parent),
                                     STR_ARG(str_sub(ctr->sandbox_id, 0, 16)));
    struct runtime_strs files = cgroup_procs_files(a, cgroup);
    const char **argv = ARENA_NEW_ARRAY(a, const char *, MAX_ARGS);
    size_t n = 0;

    argv[n++] = arena_printf(a, "%s/pintle-sandbox", c->b->programs).p;
    argv[n++] = "run";
    for (size_t i = 0; i < files.len; i++)
        argv[n++] = str_cstr(a, files.items[i]);
    argv[n++] = "--";
    n = put_fixed(c, argv, n);
    if (ctr->has_stdin)
        argv[n++] = "-i";
    if (ctr->has_stdin && !ctr->stdin_once)
        argv[n++] = "--leave-stdin-open";
    if (ctr->tty)
        argv[n++] = "-t";
    return argv;
}

static int start_conmon(struct runtime_call *c)
{
    static const char *const env[] = {
        "_OCI_SYNCPIPE=3", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL
    };
    struct child *child;
    int p[2], r;

    if (pipe2(p, O_CLOEXEC) < 0)
        return err_errno(&c->err, errno, "make a pipe");
    c->fd = p[0];
    r = loop_watch_open(&c->watch, c->b->rt.loop, p[0], on_sync);
    if (r == 0)
        r = child_start(c->b->rt.loop,
                        &(struct child_options){ .argv = conmon_argv(c),
                                                 .env = env,
                                                 .stdio = { -1, p[1], -1 },
                                                 .on_exit = on_conmon_parent },
                        &child, &c->err);
    (void)close(p[1]);
    if (r == 0)
        loop_watch_want(&c->watch, LOOP_READABLE);
    return r;
}

struct runtime_call *builtin_start_container(struct runtime *rt, struct str id,
                                             runtime_done_fn *done, void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct runtime_call *c = builtin_call_new(b, "start_container", done, arg);
    struct builtin_container *ctr = builtin_find_container(b, id);
    int r = 0;

    if (!ctr || ctr->status.state != RUNTIME_CONTAINER_IS_CREATED || ctr->is_starting ||
        !ctr->sandbox || !ctr->sandbox->status.ready) {
        builtin_call_finish(c, ctr ? err_set(&c->err, ERR_CONFLICT,
                                             "container '%.*s' is not in the state to be started",
                                             STR_ARG(id))
                                   : err_set(&c->err, ERR_NOT_FOUND, "container '%.*s' not found",
                                             STR_ARG(str_sub(id, 0, 256))));
        return c;
    }
    c->container = ctr;
    ctr->refs++;
    ctr->is_starting = true;
    c->timer.fn = on_timeout;
    loop_timer_start(&c->timer, START_TIMEOUT_MS);
    r = builtin_save_container(ctr, &c->err);
    if (r == 0)
        r = start_conmon(c);
    if (r < 0)
        fail(c, r);
    return c;
}
