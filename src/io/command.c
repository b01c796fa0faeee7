#include "io/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/child.h"
#include "io/loop.h"

enum { DEFAULT_LIMIT_BYTES = 64 * 1024, OUT = 0, ERR = 1 };

struct output {
    struct command *command;
    struct loop_watch watch;
    struct buf text;
    int fd; /* -1: none, or at its end */
};

struct command {
    struct loop *loop;
    struct child *child;
    struct output outputs[2];
    struct loop_timer timer;
    size_t limit;
    command_done_fn *done;
    void *arg;
    bool timed_out;
};

static void close_output(struct output *o)
{
    if (o->fd < 0)
        return;
    loop_watch_close(&o->watch);
    (void)close(o->fd);
    o->fd = -1;
}

/* Reads what is there. */
static void drain(struct output *o)
{
    struct command *c = o->command;

    while (o->fd >= 0) {
        char *scratch = loop_scratch(c->loop);
        ssize_t n = read(o->fd, scratch, LOOP_SCRATCH_BYTES);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_output(o);
            return;
        }
        buf_append(&o->text, scratch, MIN((size_t)n, c->limit - o->text.len));
    }
}

static void on_readable(struct loop_watch *w, int events)
{
    (void)events;
    drain(CONTAINER_OF(w, struct output, watch));
}

static void command_free(struct command *c)
{
    loop_timer_stop(&c->timer);
    for (int i = 0; i < 2; i++) {
        close_output(&c->outputs[i]);
        buf_done(&c->outputs[i].text);
    }
    child_free(c->child);
    mem_free(c);
}

static void on_exit_of(struct child *child, int status, int signum, void *arg)
{
    struct command *c = arg;
    struct command_result res = { .code = c->timed_out ? ERR_TIMEOUT : 0,
                                  .status = signum ? 128 + signum : status,
                                  .signum = signum };

    (void)child;
    drain(&c->outputs[OUT]);
    drain(&c->outputs[ERR]);
    res.out = buf_str(&c->outputs[OUT].text);
    res.err = buf_str(&c->outputs[ERR].text);
    c->done(c, &res, c->arg);
    command_free(c);
}

static void on_timeout(struct loop_timer *t)
{
    struct command *c = CONTAINER_OF(t, struct command, timer);

    c->timed_out = true;
    (void)child_kill(c->child, SIGKILL); /* ended already: then on_exit_of is on its way */
}

/* A descriptor to read the input from, -1 for none. */
static int open_input(struct str input, int *ret, struct err *err)
{
    int fd;

    *ret = -1;
    if (input.len == 0)
        return 0;
    fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "make a file in memory");
    for (size_t at = 0; at < input.len;) {
        ssize_t n = write(fd, input.p + at, input.len - at);

        if (n < 0) {
            int r = err_errno(err, errno, "write to a file in memory");

            (void)close(fd);
            return r;
        }
        at += (size_t)n;
    }
    (void)lseek(fd, 0, SEEK_SET); /* of a regular file: does not fail */
    *ret = fd;
    return 0;
}

static int open_output(struct command *c, struct output *o, int *ret_theirs, struct err *err)
{
    int p[2], r;

    if (pipe2(p, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    o->command = c;
    *ret_theirs = p[1];
    r = loop_watch_open(&o->watch, c->loop, p[0], on_readable);
    if (r < 0) {
        (void)close(p[0]);
        return err_errno(err, -r, "watch a pipe");
    }
    o->fd = p[0];
    loop_watch_want(&o->watch, LOOP_READABLE);
    return 0;
}

static int start(struct command *c, const struct command_options *o, struct err *err)
{
    int stdio[3] = { -1, -1, -1 };
    int r = open_input(o->input, &stdio[0], err);

    if (r >= 0)
        r = open_output(c, &c->outputs[OUT], &stdio[1], err);
    if (r >= 0 && !o->one_output)
        r = open_output(c, &c->outputs[ERR], &stdio[2], err);
    if (r >= 0)
        r = child_start(c->loop,
                        &(struct child_options){
                            .argv = o->argv,
                            .env = o->env,
                            .directory = o->directory,
                            .stdio = { stdio[0], stdio[1], o->one_output ? stdio[1] : stdio[2] },
                            .on_exit = on_exit_of,
                            .arg = c },
                        &c->child, err);
    for (int i = 0; i < 3; i++)
        if (stdio[i] >= 0)
            (void)close(stdio[i]);
    return r;
}

int command_start(struct loop *l, const struct command_options *o, struct command **ret,
                  struct err *err)
{
    struct command *c = NEW(struct command);
    int r;

    c->loop = l;
    c->limit = o->limit_bytes ? o->limit_bytes : DEFAULT_LIMIT_BYTES;
    c->done = o->done;
    c->arg = o->arg;
    c->outputs[OUT].fd = c->outputs[ERR].fd = -1;
    loop_timer_init(&c->timer, l, on_timeout);
    r = start(c, o, err);
    if (r < 0) {
        command_free(c);
        return r;
    }
    if (o->timeout_ms > 0)
        loop_timer_start(&c->timer, o->timeout_ms);
    *ret = c;
    return 0;
}

pid_t command_pid(const struct command *c)
{
    return child_pid(c->child);
}

void command_kill(struct command *c, int signum)
{
    (void)child_kill(c->child, signum); /* ended already: done is on its way */
}

void command_cancel(struct command *c)
{
    if (!c)
        return;
    (void)child_kill(c->child, SIGKILL); /* ended already is as good */
    command_free(c);
}
