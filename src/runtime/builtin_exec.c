/* Exec, attach and port forwarding: descriptors for the caller. A terminal's other end comes from
 * crun through a socket; conmon's attach socket, which frames its packets, is taken apart into
 * pipes here. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/child.h"
#include "net/netns.h"
#include "runtime/builtin_internal.h"
#include "runtime/builtin_stream.h"
#include "runtime/runtime_files.h"

enum { EXEC_OUTPUT_BYTES = 16 << 20, EXEC_CONFIG_BYTES = 8 << 20, KILL_PATIENCE_MS = 2000 };

static struct builtin_container *hold_running(struct runtime_call *c, struct str id)
{
    struct builtin_container *ctr = builtin_find_container(c->b, id);

    if (!ctr) {
        (void)err_set(&c->err, ERR_NOT_FOUND, "container '%.*s' not found",
                      STR_ARG(str_sub(id, 0, 256)));
        return NULL;
    }
    if (ctr->status.state != RUNTIME_CONTAINER_IS_RUNNING) {
        (void)err_set(&c->err, ERR_CONFLICT, "container '%.*s' is not running", STR_ARG(id));
        return NULL;
    }
    c->container = ctr;
    ctr->refs++;
    return ctr;
}

/* What crun is to run, as a file that goes once crun has read it; *ret_stem names it and the like.
 */
static int write_process(struct runtime_call *c, const struct runtime_exec_options *o,
                         const char **ret_stem)
{
    CLEANUP(buf_done) struct buf process = { 0 };
    struct arena *a = &c->arena;
    struct str config;
    int r = runtime_files_read(
        a, AT_FDCWD,
        builtin_path(a, c->b->root, "containers", c->container->status.id, "/config.json"),
        EXEC_CONFIG_BYTES, &config, &c->err);

    *ret_stem = arena_printf(a, "%s/tmp/%016llx", c->b->state, (unsigned long long)random_u64()).p;
    if (r == 0)
        r = oci_spec_print_exec(&process, config, &o->command, o->tty, &c->err);
    return r == 0 ? runtime_files_write(arena_printf(a, "%s.json", *ret_stem).p, buf_str(&process),
                                        0600, &c->err)
                  : r;
}

static const char **exec_argv(struct runtime_call *c, const char *stem, bool tty)
{
    struct arena *a = &c->arena;
    const char **argv = ARENA_NEW_ARRAY(a, const char *, 16);
    size_t n = 0;

    argv[n++] = c->b->crun;
    argv[n++] = "--root";
    argv[n++] = arena_printf(a, "%s/crun", c->b->state).p;
    argv[n++] = "--cgroup-manager=cgroupfs";
    argv[n++] = "exec";
    argv[n++] = "--process";
    argv[n++] = arena_printf(a, "%s.json", stem).p;
    argv[n++] = "--pid-file";
    argv[n++] = arena_printf(a, "%s.pid", stem).p;
    if (tty) {
        argv[n++] = "--console-socket";
        argv[n++] = arena_printf(a, "%s.sock", stem).p;
    }
    argv[n++] = str_cstr(a, c->container->status.id);
    return argv;
}

static void remove_files(const char *stem)
{
    static const char *const endings[] = { "json", "pid", "sock" };
    char path[BUILTIN_PATH_BYTES];

    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        (void)snprintf(path, sizeof(path), "%s.%s", stem, endings[i]);
        (void)unlink(path); /* not each of them exists */
    }
}

/* --- exec_sync --- */

static void on_exec_done(struct command *command, const struct command_result *res, void *arg)
{
    struct runtime_call *c = arg;

    (void)command;
    c->command = NULL;
    remove_files(c->arena_text);
    c->result.exit_code = res->status;
    c->result.output = str_dup(&c->arena, res->out);
    if (c->phase)
        builtin_call_finish(c, err_set(&c->err, ERR_TIMEOUT, "command timed out after %lld ms",
                                       (long long)c->timeout_ms));
    else
        builtin_call_finish(c, 0);
}

/* crun's death would leave the process in the container, so that one is killed first. */
static void on_exec_timeout(struct loop_timer *t)
{
    struct runtime_call *c = CONTAINER_OF(t, struct runtime_call, timer);
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str text;
    struct err ignored;
    uint64_t pid;

    if (c->phase++ == 0 &&
        runtime_files_read(&a, AT_FDCWD, arena_printf(&a, "%s.pid", c->arena_text).p, 32, &text,
                           &ignored) == 0 &&
        str_to_u64(str_trim(text), &pid) && pid > 1 && kill((pid_t)pid, SIGKILL) == 0) {
        loop_timer_start(t, KILL_PATIENCE_MS);
        return;
    }
    if (c->command)
        command_kill(c->command, SIGKILL);
}

struct runtime_call *builtin_exec_sync(struct runtime *rt, struct str id,
                                       const struct runtime_exec_options *options,
                                       runtime_done_fn *done, void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct runtime_call *c = builtin_call_new(b, "exec_sync", done, arg);
    struct runtime_exec_options o = *options;
    int r;

    o.tty = false;
    if (!hold_running(c, id)) {
        builtin_call_finish(c, c->err.code);
        return c;
    }
    r = write_process(c, &o, &c->arena_text);
    if (r == 0)
        r = command_start(rt->loop,
                          &(struct command_options){ .argv = exec_argv(c, c->arena_text, false),
                                                     .limit_bytes = o.output_limit_bytes
                                                                        ? o.output_limit_bytes
                                                                        : EXEC_OUTPUT_BYTES,
                                                     .one_output = true,
                                                     .done = on_exec_done,
                                                     .arg = c },
                          &c->command, &c->err);
    if (r < 0) {
        builtin_call_finish(c, r);
        return c;
    }
    c->timeout_ms = o.timeout_ms;
    c->timer.fn = on_exec_timeout;
    if (o.timeout_ms > 0)
        loop_timer_start(&c->timer, o.timeout_ms);
    return c;
}

/* --- exec --- */

static int make_pipe(int *ret_ours, int *ret_theirs, bool we_write, struct err *err)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    *ret_ours = p[we_write];
    *ret_theirs = p[!we_write];
    return fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0 ? err_errno(err, errno, "make a pipe") : 0;
}

static int start_with_pipes(struct runtime_call *c, struct runtime_stream *s,
                            const struct runtime_exec_options *o)
{
    struct runtime_stream_fds *fds = runtime_stream_fds(s);
    int theirs[3] = { -1, -1, -1 }, r = 0;

    if (o->has_stdin)
        r = make_pipe(&fds->in_fd, &theirs[0], true, &c->err);
    if (r == 0 && o->has_stdout)
        r = make_pipe(&fds->out_fd, &theirs[1], false, &c->err);
    if (r == 0 && o->has_stderr)
        r = make_pipe(&fds->err_fd, &theirs[2], false, &c->err);
    if (r == 0)
        r = builtin_stream_start(s, exec_argv(c, c->arena_text, false), theirs, c->arena_text,
                                 &c->err);
    for (int i = 0; i < 3; i++)
        if (theirs[i] >= 0)
            (void)close(theirs[i]);
    return r;
}

/* crun connects and sends the terminal's master. */
static int receive_terminal(int socket_fd)
{
    char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte[64];
    struct iovec iov = { .iov_base = byte, .iov_len = sizeof(byte) };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    const struct cmsghdr *h;
    int fd;

    if (recvmsg(socket_fd, &m, MSG_CMSG_CLOEXEC) < 0)
        return -errno;
    h = CMSG_FIRSTHDR(&m);
    if (!h || h->cmsg_type != SCM_RIGHTS || h->cmsg_len != CMSG_LEN(sizeof(int)))
        return -EPROTO;
    memcpy(&fd, CMSG_DATA(h), sizeof(fd));
    return fd;
}

static void end_exec(struct runtime_call *c, int code)
{
    if (code < 0) {
        runtime_stream_close(c->result.stream);
        c->result.stream = NULL;
    }
    builtin_call_finish(c, code);
}

static void on_terminal(struct loop_watch *w, int events)
{
    struct runtime_call *c = CONTAINER_OF(w, struct runtime_call, watch);
    struct runtime_stream_fds *fds = runtime_stream_fds(c->result.stream);
    int connection = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC), fd;

    (void)events;
    if (connection < 0)
        return; /* nobody there after all */
    fd = receive_terminal(connection);
    (void)close(connection);
    loop_watch_close(&c->watch);
    if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
        fds->out_fd = fd;
        fds->in_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    end_exec(c, fd >= 0 ? 0 : err_errno(&c->err, -fd, "receive the terminal"));
}

/* crun ended before it sent a terminal. */
static void on_early_exit(struct runtime_stream *s, int exit_code, const struct err *err, void *arg)
{
    struct runtime_call *c = arg;

    (void)s;
    (void)exit_code;
    loop_watch_close(&c->watch);
    end_exec(c, err_set(&c->err, ERR_INVALID, "%s", err ? err->text : "exec failed"));
}

static int start_with_terminal(struct runtime_call *c, struct runtime_stream *s)
{
    static const int none[3] = { -1, -1, -1 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s.sock", c->arena_text), r;

    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return err_set(&c->err, ERR_TOO_LARGE, "the state directory's name is too long");
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(c->fd, 1) < 0)
        return err_errno(&c->err, errno, "listen at '%s'", address.sun_path);
    r = loop_watch_open(&c->watch, c->b->rt.loop, c->fd, on_terminal);
    if (r < 0)
        return err_errno(&c->err, -r, "watch a socket");
    loop_watch_want(&c->watch, LOOP_READABLE);
    runtime_stream_on_exit(s, on_early_exit, c);
    return builtin_stream_start(s, exec_argv(c, c->arena_text, true), none, c->arena_text, &c->err);
}

struct runtime_call *builtin_exec(struct runtime *rt, struct str id,
                                  const struct runtime_exec_options *options, runtime_done_fn *done,
                                  void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct runtime_call *c = builtin_call_new(b, "exec", done, arg);
    int r;

    if (!hold_running(c, id)) {
        builtin_call_finish(c, c->err.code);
        return c;
    }
    c->result.stream = builtin_stream_new(rt->loop, options->tty);
    r = write_process(c, options, &c->arena_text);
    if (r == 0)
        r = options->tty ? start_with_terminal(c, c->result.stream)
                         : start_with_pipes(c, c->result.stream, options);
    if (r < 0 || !options->tty)
        end_exec(c, r);
    return c;
}

/* --- attach --- */

struct runtime_call *builtin_attach(struct runtime *rt, struct str id, runtime_done_fn *done,
                                    void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct runtime_call *c = builtin_call_new(b, "attach", done, arg);
    struct builtin_container *ctr = hold_running(c, id);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int n, fd, r = 0;

    if (!ctr) {
        builtin_call_finish(c, c->err.code);
        return c;
    }
    n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/s/%.*s/attach", b->state,
                 STR_ARG(id));
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        r = err_set(&c->err, ERR_TOO_LARGE, "the state directory's name is too long");
    else if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        r = err_errno(&c->err, errno, "attach to container '%.*s'", STR_ARG(id));
    if (r == 0) {
        c->result.stream = builtin_stream_new(rt->loop, ctr->tty);
        r = builtin_stream_attach(
            c->result.stream, fd, ctr->has_stdin, !ctr->stdin_once || ctr->tty,
            ctr->tty ? builtin_path(&c->arena, b->root, "containers", id, "/ctl") : NULL, &c->err);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    end_exec(c, r);
    return c;
}

/* --- port forward --- */

static int connect_inside(struct runtime_call *c);

static void on_connected(struct loop_watch *w, int events)
{
    struct runtime_call *c = CONTAINER_OF(w, struct runtime_call, watch);
    struct runtime_stream_fds *fds;
    socklen_t len = sizeof(int);
    int failure = 0, r;

    (void)events;
    loop_watch_close(&c->watch);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0)
        failure = errno;
    if (failure == 0) {
        c->result.stream = builtin_stream_new(c->b->rt.loop, false);
        fds = runtime_stream_fds(c->result.stream);
        fds->out_fd = c->fd;
        fds->in_fd = c->fd;
        c->fd = -1;
        builtin_call_finish(c, 0);
        return;
    }
    (void)close(c->fd);
    c->fd = -1;
    if (++c->phase < 2) { /* ::1 next */
        r = connect_inside(c);
        if (r < 0)
            builtin_call_finish(c, r);
        return;
    }
    builtin_call_finish(c, err_errno(&c->err, failure, "connect to port %lld of the Pod",
                                     (long long)c->timeout_ms));
}

static int connect_inside(struct runtime_call *c)
{
    struct builtin_sandbox *s = c->sandbox;
    uint16_t port = htons((uint16_t)c->timeout_ms);
    struct sockaddr_in v4 = { .sin_family = AF_INET,
                              .sin_port = port,
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port = port,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int netns = -1, r;

    if (!s->host_network) {
        netns = netns_open(str_cstr(&c->arena, s->status.netns_path), &c->err);
        if (netns < 0)
            return netns;
    }
    c->fd = netns_socket(netns, c->phase ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (netns >= 0)
        (void)close(netns);
    if (c->fd < 0)
        return err_errno(&c->err, -c->fd, "open a socket in the Pod");
    r = c->phase ? connect(c->fd, (struct sockaddr *)&v6, sizeof(v6))
                 : connect(c->fd, (struct sockaddr *)&v4, sizeof(v4));
    if (r < 0 && errno != EINPROGRESS && errno != ECONNREFUSED && errno != EADDRNOTAVAIL &&
        errno != ENETUNREACH)
        return err_errno(&c->err, errno, "connect to the Pod");
    r = loop_watch_open(&c->watch, c->b->rt.loop, c->fd, on_connected);
    if (r < 0)
        return err_errno(&c->err, -r, "watch a socket");
    loop_watch_want(&c->watch, LOOP_WRITABLE);
    return 0;
}

struct runtime_call *builtin_port_forward(struct runtime *rt, struct str sandbox_id, uint16_t port,
                                          runtime_done_fn *done, void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct runtime_call *c = builtin_call_new(b, "port_forward", done, arg);
    struct builtin_sandbox *s = builtin_find_sandbox(b, sandbox_id);
    int r;

    if (!s || !s->status.ready) {
        builtin_call_finish(c, err_set(&c->err, ERR_NOT_FOUND, "sandbox '%.*s' is not ready",
                                       STR_ARG(str_sub(sandbox_id, 0, 256))));
        return c;
    }
    c->sandbox = s;
    s->refs++;
    c->timeout_ms = port;
    r = connect_inside(c);
    if (r < 0)
        builtin_call_finish(c, r);
    return c;
}
