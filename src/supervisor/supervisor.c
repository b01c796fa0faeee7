/* A component is a row: its words, and what must be ready before it starts. Readiness is a line on
 * its standard output; who prints none is ready when it runs.
 *
 *     WAITING --(those before are ready)--> STARTING --(line)--> READY --(ended)--> BACKOFF -->
 * STARTING
 */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "base/vec.h"
#include "io/child.h"
#include "io/loop.h"

#define PARENT_VARIABLE "PINTLE_SUPERVISOR"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 30000,
    STABLE_MS = 60000, /* who ran so long starts with the shortest back-off again */
    STOP_MS = 10000,
    LINE_BYTES = 512,
};

struct supervisor;

struct component_row {
    const char *name; /* the subcommand */
    bool has_ready_line;
    void (*words)(struct supervisor *s, struct arena *a, const char **argv, size_t *n);
};

enum component_state { WAITING, STARTING, READY, BACKOFF, STOPPED };

struct component {
    struct supervisor *supervisor;
    const struct component_row *row;
    enum component_state state;
    struct child *child;
    int out; /* its standard output; -1: none */
    struct loop_watch watch;
    char line[LINE_BYTES];
    size_t line_len;
    struct loop_timer again;
    int64_t started_ms;
    int64_t backoff_ms;
    bool was_ready; /* once, ever */
};

enum { MAX_COMPONENTS = 8, MAX_WORDS = 24 };

struct supervisor {
    const struct supervisor_options *o;
    struct loop *loop;
    struct component components[MAX_COMPONENTS];
    size_t n;
    struct loop_timer deadline; /* of stopping */
    bool is_stopping;
    bool has_told;
    int code;
};

/* --- what is run --- */

static void word(const char **argv, size_t *n, const char *text)
{
    argv[(*n)++] = text;
}

static void flag(struct arena *a, const char **argv, size_t *n, const char *name, const char *value)
{
    if (value)
        word(argv, n, arena_printf(a, "--%s=%s", name, value).p);
}

static void apiserver_words(struct supervisor *s, struct arena *a, const char **argv, size_t *n)
{
    flag(a, argv, n, "data-dir", s->o->root);
    flag(a, argv, n, "secure-port", arena_printf(a, "%u", s->o->secure_port).p);
    flag(a, argv, n, "bind-address", s->o->bind_address);
    flag(a, argv, n, "advertise-address", s->o->advertise_address);
    flag(a, argv, n, "service-cluster-ip-range", s->o->service_cidr);
    if (s->o->ephemeral)
        word(argv, n, "--ephemeral");
}

static void client_words(struct supervisor *s, struct arena *a, const char **argv, size_t *n)
{
    flag(a, argv, n, "kubeconfig", arena_printf(a, "%s/admin.conf", s->o->root).p);
}

static const struct component_row rows[] = {
    { "apiserver", true, apiserver_words },
    { "controller-manager", false, client_words },
};

/* --- one component --- */

static void start_next(struct supervisor *s);
static void stop_next(struct supervisor *s);

static void set_state(struct component *c, enum component_state state)
{
    static const char *const names[] = { "waiting", "starting", "ready", "backing off", "stopped" };

    if (c->state == state)
        return;
    LOG_DEBUG("component", KV("name", c->row->name), KV("was", names[c->state]),
              KV("is", names[state]));
    c->state = state;
}

static void close_output(struct component *c)
{
    loop_watch_close(&c->watch);
    if (c->out >= 0)
        (void)close(c->out); /* a pipe's read end */
    c->out = -1;
}

static void tell(struct supervisor *s)
{
    if (s->has_told)
        return;
    for (size_t i = 0; i < s->n; i++)
        if (s->components[i].state != READY)
            return;
    s->has_told = true;
    printf("the cluster is up: export KUBECONFIG=%s/admin.conf\n", s->o->root);
    (void)fflush(stdout);
}

static void on_ready(struct component *c)
{
    if (c->state != STARTING)
        return;
    set_state(c, READY);
    c->was_ready = true;
    start_next(c->supervisor);
    tell(c->supervisor);
}

/* Lines of the component; the first that says "serving" is what we wait for. What comes later is
 * passed over: components log to stderr, which is ours. */
static void on_output(struct loop_watch *w, int events)
{
    struct component *c = CONTAINER_OF(w, struct component, watch);
    ssize_t n = read(c->out, c->line + c->line_len, sizeof(c->line) - c->line_len);
    struct str text, line;

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_output(c);
        return;
    }
    c->line_len += (size_t)n;
    text = str_n(c->line, c->line_len);
    while (str_find(text, '\n') >= 0) {
        (void)str_cut(text, '\n', &line, &text);
        if (str_has_prefix(line, STR("serving ")))
            on_ready(c);
    }
    memmove(c->line, text.p, text.len);
    c->line_len = text.len == sizeof(c->line) ? 0 : text.len;
}

static void back_off(struct component *c)
{
    int64_t now = loop_now_ms(c->supervisor->loop);

    if (now - c->started_ms > STABLE_MS || !c->backoff_ms)
        c->backoff_ms = BACKOFF_MIN_MS;
    set_state(c, BACKOFF);
    loop_timer_start(&c->again, c->backoff_ms);
    c->backoff_ms = MIN(c->backoff_ms * 2, (int64_t)BACKOFF_MAX_MS);
}

static void on_exit_of(struct child *child, int status, int signum, void *arg)
{
    struct component *c = arg;
    struct supervisor *s = c->supervisor;

    child_free(child);
    c->child = NULL;
    close_output(c);
    if (s->is_stopping) {
        set_state(c, STOPPED);
        stop_next(s);
        return;
    }
    if (!c->was_ready && c->row->has_ready_line && signum == 0) {
        s->code = status ? status : 1; /* it has said why */
        set_state(c, STOPPED);
        s->is_stopping = true;
        stop_next(s);
        return;
    }
    LOG_ERROR("component ended, will start it again", KV("name", c->row->name),
              KV("status", status), KV("signal", signum));
    back_off(c);
}

/* The read end, or -1; *ret_write is the child's. */
static int make_pipe(int *ret_write, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, errno, "pipe");
    *ret_write = fds[1];
    return fds[0];
}

static int spawn(struct component *c, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct supervisor *s = c->supervisor;
    const char *argv[MAX_WORDS] = { s->o->program, c->row->name };
    size_t n = 2;
    int write_end = -1, r;
    struct child_options o = {
        .argv = argv, .stdio = { -1, -1, STDERR_FILENO }, .on_exit = on_exit_of, .arg = c
    };

    c->row->words(s, &a, argv, &n);
    if (s->o->verbosity)
        flag(&a, argv, &n, "v", arena_printf(&a, "%u", s->o->verbosity).p);
    c->line_len = 0;
    c->out = -1;
    if (c->row->has_ready_line) {
        c->out = make_pipe(&write_end, err);
        if (c->out < 0)
            return c->out;
        r = loop_watch_open(&c->watch, s->loop, c->out, on_output);
        if (r < 0)
            return err_errno(err, -r, "watch a pipe");
        loop_watch_want(&c->watch, LOOP_READABLE);
        o.stdio[1] = write_end;
    }
    r = child_start(s->loop, &o, &c->child, err);
    if (write_end >= 0)
        (void)close(write_end); /* the child has its own */
    return r;
}

static void start(struct component *c)
{
    struct err err;

    set_state(c, STARTING);
    c->started_ms = loop_now_ms(c->supervisor->loop);
    if (spawn(c, &err) < 0) {
        LOG_ERROR("cannot start a component", KV("name", c->row->name),
                  KV("reason", (const char *)err.text));
        close_output(c);
        back_off(c);
        return;
    }
    if (!c->row->has_ready_line)
        on_ready(c);
}

static void on_again(struct loop_timer *t)
{
    struct component *c = CONTAINER_OF(t, struct component, again);

    if (!c->supervisor->is_stopping)
        start(c);
}

/* --- all of them --- */

static void start_next(struct supervisor *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct component *c = &s->components[i];

        if (c->state == WAITING) {
            start(c);
            return; /* the next one when this is ready */
        }
        if (!c->was_ready)
            return;
    }
}

/* The last that runs is asked to stop; when all have, so do we. */
static void stop_next(struct supervisor *s)
{
    for (size_t i = s->n; i-- > 0;) {
        struct component *c = &s->components[i];

        loop_timer_stop(&c->again);
        if (!c->child)
            continue;
        (void)child_kill(c->child, SIGTERM); /* when it has ended, its exit is on the way */
        loop_timer_start(&s->deadline, STOP_MS);
        return;
    }
    loop_stop(s->loop);
}

static void on_deadline(struct loop_timer *t)
{
    struct supervisor *s = CONTAINER_OF(t, struct supervisor, deadline);

    for (size_t i = 0; i < s->n; i++)
        if (s->components[i].child) {
            LOG_WARNING("component does not stop, it is killed",
                        KV("name", s->components[i].row->name));
            (void)child_kill(s->components[i].child, SIGKILL);
        }
}

static void on_signal(int signum, void *arg)
{
    struct supervisor *s = arg;

    (void)signum;
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    stop_next(s);
}

static int prepare(struct supervisor *s, struct err *err)
{
    char pid[16];
    int r;

    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (setenv(PARENT_VARIABLE, pid, 1) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_errno(err, errno, "become a supervisor");
    r = loop_on_signal(s->loop, SIGTERM, on_signal, s, err);
    if (r >= 0)
        r = loop_on_signal(s->loop, SIGINT, on_signal, s, err);
    return r;
}

int supervisor_run(const struct supervisor_options *o)
{
    struct supervisor s = { .o = o };
    struct err err;

    s.loop = loop_new(&clock_system);
    loop_timer_init(&s.deadline, s.loop, on_deadline);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct component *c = &s.components[s.n++];

        *c = (struct component){ .supervisor = &s, .row = &rows[i], .out = -1 };
        loop_timer_init(&c->again, s.loop, on_again);
    }
    if (prepare(&s, &err) < 0) {
        (void)fprintf(stderr, "pintle up: %s\n", err.text);
        s.code = 1;
    } else {
        start_next(&s);
        loop_run(s.loop);
    }
    loop_timer_stop(&s.deadline);
    loop_free(s.loop);
    return s.code;
}

bool supervisor_join(void)
{
    const char *text = getenv(PARENT_VARIABLE);
    int64_t parent;

    if (!text)
        return true;
    (void)unsetenv(PARENT_VARIABLE); /* it is not for our own children */
    if (!str_to_i64(str_from_cstr(text), &parent) ||
        prctl(PR_SET_PDEATHSIG, (unsigned long)SIGTERM, 0UL, 0UL, 0UL) < 0)
        return true;
    return getppid() == (pid_t)parent; /* it may have ended before we asked for the signal */
}
