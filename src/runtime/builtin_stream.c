#include "runtime/builtin_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/child.h"
#include "io/loop.h"
#include "runtime/runtime_files.h"

enum {
    ATTACH_PACKET_BYTES = 8193, /* conmon's largest: its first byte says which stream */
    ATTACH_STDERR = 3,
    MESSAGE_BYTES = 1000,
};

/* A packet of the attach socket on its way to a pipe, and input on its way to the socket. */
struct attach {
    struct loop_watch socket, in, out[2];
    int socket_fd, in_fd;
    int out_fds[2]; /* ours: stdout, stderr */
    char packet[ATTACH_PACKET_BYTES];
    size_t len, at; /* of what is left of the packet */
    int to;         /* index into out_fds */
    char input[4096];
    bool ends_with_input;
    size_t input_len; /* what the socket did not take yet; one packet, so all or nothing */
};

struct runtime_stream {
    struct loop *loop;
    struct runtime_stream_fds fds;
    bool tty;
    struct child *child;
    int error_fd; /* what crun says, with a terminal */
    char *stem;
    char *ctl;
    runtime_stream_exit_fn *on_exit;
    void *arg;
    bool has_exited;
    int exit_code;
    int terminal_fd; /* for its size */
    struct loop_task exit_task;
    struct attach *attach;
};

struct runtime_stream_fds *runtime_stream_fds(struct runtime_stream *s)
{
    return &s->fds;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void tell_exit(struct loop_task *t)
{
    struct runtime_stream *s = CONTAINER_OF(t, struct runtime_stream, exit_task);
    runtime_stream_exit_fn *fn = s->on_exit;
    char text[MESSAGE_BYTES];
    struct err err;
    ssize_t n = 0;

    s->on_exit = NULL;
    if (!fn)
        return;
    if (s->error_fd >= 0)
        n = pread(s->error_fd, text, sizeof(text), 0);
    if (n > 0) {
        struct str words = str_trim(str_n(text, (size_t)n));

        (void)err_set(&err, ERR_INVALID, "%.*s", STR_ARG(words));
    }
    fn(s, s->exit_code, n > 0 ? &err : NULL, s->arg);
}

void runtime_stream_on_exit(struct runtime_stream *s, runtime_stream_exit_fn *fn, void *arg)
{
    s->on_exit = fn;
    s->arg = arg;
    if (s->has_exited)
        loop_task_post(s->loop, &s->exit_task);
}

void runtime_stream_resize(struct runtime_stream *s, uint16_t columns, uint16_t rows)
{
    const struct winsize size = { .ws_col = columns, .ws_row = rows };
    char text[64];
    int fd, n;

    if (!s->tty)
        return;
    if (s->terminal_fd < 0 && s->fds.out_fd >= 0 && !s->ctl)
        s->terminal_fd = fcntl(s->fds.out_fd, F_DUPFD_CLOEXEC, 0);
    if (s->terminal_fd >= 0)
        (void)ioctl(s->terminal_fd, TIOCSWINSZ, &size); /* a terminal that is gone has no size */
    if (!s->ctl)
        return;
    fd = open(s->ctl, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    n = snprintf(text, sizeof(text), "1 %u %u\n", rows, columns);
    if (fd >= 0)
        (void)!write(fd, text, (size_t)n); /* conmon may have gone */
    close_fd(&fd);
}

static void remove_files(const char *stem)
{
    static const char *const endings[] = { "json", "pid", "sock" };
    char path[512];

    for (size_t i = 0; stem && i < ARRAY_LEN(endings); i++) {
        (void)snprintf(path, sizeof(path), "%s.%s", stem, endings[i]);
        (void)unlink(path); /* not each of them exists */
    }
}

static void attach_free(struct attach *a)
{
    if (!a)
        return;
    loop_watch_close(&a->socket);
    loop_watch_close(&a->in);
    close_fd(&a->socket_fd);
    close_fd(&a->in_fd);
    for (int i = 0; i < 2; i++) {
        loop_watch_close(&a->out[i]);
        close_fd(&a->out_fds[i]);
    }
    mem_free(a);
}

static void stream_free(struct runtime_stream *s)
{
    loop_task_cancel(&s->exit_task);
    if (s->fds.in_fd == s->fds.out_fd)
        s->fds.in_fd = -1; /* one socket */
    close_fd(&s->fds.in_fd);
    close_fd(&s->fds.out_fd);
    close_fd(&s->fds.err_fd);
    close_fd(&s->terminal_fd);
    close_fd(&s->error_fd);
    attach_free(s->attach);
    child_free(s->child);
    remove_files(s->stem);
    mem_free(s->stem);
    mem_free(s->ctl);
    mem_free(s);
}

void runtime_stream_close(struct runtime_stream *s)
{
    if (s)
        stream_free(s); /* a terminal's process gets HUP as its last descriptor closes */
}

struct runtime_stream *builtin_stream_new(struct loop *l, bool tty)
{
    struct runtime_stream *s = NEW(struct runtime_stream);

    s->loop = l;
    s->tty = tty;
    s->fds = (struct runtime_stream_fds){ -1, -1, -1 };
    s->error_fd = s->terminal_fd = -1;
    loop_task_init(&s->exit_task, tell_exit);
    return s;
}

/* --- exec --- */

static void on_child_exit(struct child *c, int status, int signum, void *arg)
{
    struct runtime_stream *s = arg;

    (void)c;
    s->has_exited = true;
    s->exit_code = signum ? 128 + signum : status;
    loop_task_post(s->loop, &s->exit_task);
}

int builtin_stream_start(struct runtime_stream *s, const char *const *argv, const int stdio[3],
                         const char *stem, struct err *err)
{
    struct child_options o = {
        .argv = argv, .stdio = { stdio[0], stdio[1], stdio[2] }, .on_exit = on_child_exit, .arg = s
    };

    s->stem = str_heap_cstr(str_from_cstr(stem));
    if (s->tty) { /* nothing else takes what crun itself has to say */
        s->error_fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        o.stdio[2] = s->error_fd;
    }
    return child_start(s->loop, &o, &s->child, err);
}

/* --- attach --- */

static void end_of_output(struct attach *a)
{
    loop_watch_close(&a->socket);
    for (int i = 0; i < 2; i++) {
        loop_watch_close(&a->out[i]);
        close_fd(&a->out_fds[i]);
    }
}

/* The packet's rest to its pipe: false when it does not take more now. */
static bool flush_packet(struct attach *a)
{
    while (a->at < a->len) {
        ssize_t n = a->out_fds[a->to] < 0
                        ? (ssize_t)(a->len - a->at)
                        : write(a->out_fds[a->to], a->packet + a->at, a->len - a->at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            loop_watch_want(&a->socket, 0);
            loop_watch_want(&a->out[a->to], LOOP_WRITABLE);
            return false;
        }
        if (n < 0) { /* nobody reads it any more */
            loop_watch_close(&a->out[a->to]);
            close_fd(&a->out_fds[a->to]);
            continue;
        }
        a->at += (size_t)n;
    }
    return true;
}

static bool send_input(struct attach *a);

static void on_socket(struct loop_watch *w, int events)
{
    struct attach *a = CONTAINER_OF(w, struct attach, socket);

    if ((events & LOOP_WRITABLE) && a->input_len && send_input(a)) {
        loop_watch_want(&a->socket, LOOP_READABLE);
        loop_watch_want(&a->in, LOOP_READABLE);
    }
    while (flush_packet(a)) {
        ssize_t n = recv(a->socket_fd, a->packet, sizeof(a->packet), MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            end_of_output(a);
            return;
        }
        a->to = a->packet[0] == ATTACH_STDERR && a->out_fds[1] >= 0;
        a->at = 1;
        a->len = (size_t)n;
    }
}

static void on_out_writable(struct attach *a, int i)
{
    loop_watch_want(&a->out[i], 0);
    if (!flush_packet(a))
        return;
    loop_watch_want(&a->socket, LOOP_READABLE);
}

static void on_stdout(struct loop_watch *w, int events)
{
    (void)events;
    on_out_writable(CONTAINER_OF(w, struct attach, out[0]), 0);
}

static void on_stderr(struct loop_watch *w, int events)
{
    (void)events;
    on_out_writable(CONTAINER_OF(w, struct attach, out[1]), 1);
}

static void end_input(struct attach *a)
{
    loop_watch_close(&a->in);
    close_fd(&a->in_fd);
    (void)shutdown(a->socket_fd, SHUT_WR); /* conmon closes the container's input */
}

/* false: it does not take more now. */
static bool send_input(struct attach *a)
{
    ssize_t n;

    if (a->input_len == 0)
        return true;
    do
        n = send(a->socket_fd, a->input, a->input_len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        loop_watch_want(&a->in, 0);
        loop_watch_want(&a->socket, LOOP_READABLE | LOOP_WRITABLE);
        return false;
    }
    a->input_len = 0;
    if (n < 0)
        end_input(a);
    return n >= 0;
}

/* The caller has nothing more to say to a container that listens on: it hears no more either. */
static void leave(struct attach *a)
{
    loop_watch_close(&a->in);
    close_fd(&a->in_fd);
    end_of_output(a);
}

static void on_input(struct loop_watch *w, int events)
{
    struct attach *a = CONTAINER_OF(w, struct attach, in);
    ssize_t n;

    (void)events;
    do
        n = read(a->in_fd, a->input, sizeof(a->input));
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    a->input_len = n > 0 ? (size_t)n : 0;
    if (n <= 0 && a->ends_with_input)
        leave(a);
    else if (n <= 0)
        end_input(a);
    else
        (void)send_input(a); /* goes on when the socket takes more */
}

static int open_out(struct runtime_stream *s, int i, int *ret_theirs, loop_watch_fn *fn)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    *ret_theirs = p[0];
    s->attach->out_fds[i] = p[1];
    return loop_watch_open(&s->attach->out[i], s->loop, p[1], fn);
}

static int open_in(struct runtime_stream *s)
{
    int p[2], r;

    if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    s->fds.in_fd = p[1];
    s->attach->in_fd = p[0];
    r = loop_watch_open(&s->attach->in, s->loop, p[0], on_input);
    if (r == 0)
        loop_watch_want(&s->attach->in, LOOP_READABLE);
    return r;
}

int builtin_stream_attach(struct runtime_stream *s, int socket_fd, bool has_stdin,
                          bool ends_with_input, const char *ctl, struct err *err)
{
    struct attach *a = NEW(struct attach);
    int r;

    a->socket_fd = socket_fd;
    a->ends_with_input = ends_with_input;
    a->in_fd = a->out_fds[0] = a->out_fds[1] = -1;
    s->attach = a;
    s->ctl = ctl ? str_heap_cstr(str_from_cstr(ctl)) : NULL;
    r = open_out(s, 0, &s->fds.out_fd, on_stdout);
    if (r == 0 && !s->tty)
        r = open_out(s, 1, &s->fds.err_fd, on_stderr);
    if (r == 0 && has_stdin)
        r = open_in(s);
    if (r == 0)
        r = loop_watch_open(&a->socket, s->loop, socket_fd, on_socket);
    if (r < 0)
        return err_errno(err, -r, "attach");
    loop_watch_want(&a->socket, LOOP_READABLE);
    return 0;
}
