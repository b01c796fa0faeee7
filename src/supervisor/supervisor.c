/* A component's life. Readiness is a line on its standard output; who prints none is ready when it
 * runs. Those that come first must be ready before the others start.
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
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/child.h"
#include "io/loop.h"
#include "supervisor/cluster.h"
#include "supervisor/component.h"
#include "supervisor/readiness.h"
#include "supervisor/run_state.h"
#include "supervisor/service_notify.h"
#include "supervisor/stage.h"

#define PARENT_VARIABLE "PINTLE_SUPERVISOR"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 30000,
    STABLE_MS = 60000, /* who ran so long starts with the shortest back-off again */
    STOP_MS = 10000,
    READY_MS = 120000, /* nodes that are not Ready by then never will be */
    LINE_BYTES = 512,
};

struct supervisor;

enum component_state { WAITING, STARTING, READY, BACKOFF, STOPPED };
static const char *const state_names[] = { "waiting", "starting", "ready", "backing-off",
                                           "stopped" };

struct component {
    struct supervisor *supervisor;
    const struct component_row *row;
    const struct cluster_node *node;
    const char *name; /* "kubelet/node-1" */
    enum component_state state;
    struct child *child;
    int out; /* its standard output; -1: none */
    struct loop_watch watch;
    char line[LINE_BYTES];
    size_t line_len;
    struct loop_timer again;
    int64_t started_ms;
    int64_t backoff_ms;
    unsigned restarts;
    bool was_ready; /* once, ever */
};

struct supervisor {
    const struct cluster *cluster;
    struct arena arena;
    struct loop *loop;
    struct child_reaper reaper;
    struct component *components;
    size_t n;
    struct readiness *readiness;
    struct loop_timer deadline; /* of starting, then of stopping */
    struct loop_task write_task;
    int64_t began_ms;
    bool is_stopping;
    bool is_up; /* once, ever */
    int code;
};

/* --- what others see --- */

static void write_state(struct loop_task *t)
{
    struct supervisor *s = CONTAINER_OF(t, struct supervisor, write_task);
    CLEANUP(buf_done) struct buf b = { 0 };
    struct err err;

    for (size_t i = 0; i < s->n; i++) {
        const struct component *c = &s->components[i];

        buf_printf(&b, "%s %d %s %u\n", c->name, c->child ? (int)child_pid(c->child) : 0,
                   state_names[c->state], c->restarts);
    }
    if (run_state_write(s->cluster->run_dir, "components", buf_str(&b), &err) < 0)
        LOG_WARNING("cannot write the state of components", KV("err", (const char *)err.text));
}

static void set_state(struct component *c, enum component_state state)
{
    if (c->state != state)
        LOG_DEBUG("component", KV("name", c->name), KV("was", state_names[c->state]),
                  KV("is", state_names[state]));
    c->state = state;
    loop_task_post(c->supervisor->loop, &c->supervisor->write_task);
}

/* --- stopping --- */

/* The first ones stop when the others have. */
static void stop_next(struct supervisor *s)
{
    bool is_waiting = false;

    for (int phase = 0; phase < 2 && !is_waiting; phase++)
        for (size_t i = s->n; i-- > 0;) {
            struct component *c = &s->components[i];

            loop_timer_stop(&c->again);
            if (!c->child || c->row->is_first != (phase == 1))
                continue;
            (void)child_kill(c->child, SIGTERM); /* when it has ended, its exit is on the way */
            is_waiting = true;
        }
    if (!is_waiting)
        loop_stop(s->loop);
}

static void stop(struct supervisor *s, int code)
{
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    s->code = code;
    service_notify_tell("STOPPING=1");
    readiness_free(TAKE(s->readiness));
    loop_timer_start(&s->deadline, STOP_MS);
    stop_next(s);
}

static void fail(struct supervisor *s, const char *text)
{
    if (!s->is_stopping)
        (void)fprintf(stderr, "pintle up: %s\n", text);
    stop(s, 1);
}

static void on_deadline(struct loop_timer *t)
{
    struct supervisor *s = CONTAINER_OF(t, struct supervisor, deadline);
    CLEANUP(arena_done) struct arena a = { 0 };

    if (!s->is_stopping) {
        fail(s, arena_printf(&a, "not Ready after %d s: %.*s", READY_MS / 1000,
                             STR_ARG(s->readiness ? readiness_missing(s->readiness, &a)
                                                  : STR("the API server is not ready")))
                    .p);
        return;
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->components[i].child) {
            LOG_WARNING("component does not stop, it is killed", KV("name", s->components[i].name));
            (void)child_kill(s->components[i].child, SIGKILL);
        }
    loop_timer_start(&s->deadline, STOP_MS);
}

/* --- readiness --- */

static void start_others(struct supervisor *s);

/* Whoever waits for it reads to the end of our standard output. */
static void close_stdout(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)fflush(stdout); /* whoever reads may have left */
    if (fd >= 0) {
        (void)dup2(fd, STDOUT_FILENO);
        (void)close(fd);
    }
}

static void on_nodes_ready(void *arg)
{
    struct supervisor *s = arg;
    const struct cluster *c = s->cluster;
    int64_t took_ms = loop_now_ms(s->loop) - s->began_ms;

    readiness_free(TAKE(s->readiness));
    loop_timer_stop(&s->deadline);
    s->is_up = true;
    printf("the cluster is up: %zu node%s Ready after %lld.%02lld s\nexport KUBECONFIG=%s/"
           "admin.conf\n",
           c->n_nodes, c->n_nodes == 1 ? "" : "s", (long long)took_ms / 1000,
           (long long)took_ms % 1000 / 10, c->root);
    close_stdout();
    service_notify_tell("READY=1");
}

static void on_ready(struct component *c)
{
    if (c->state != STARTING)
        return;
    c->was_ready = true;
    set_state(c, READY);
    if (c->row->is_first)
        start_others(c->supervisor);
}

static void close_output(struct component *c)
{
    loop_watch_close(&c->watch);
    if (c->out >= 0)
        (void)close(c->out); /* a pipe's read end */
    c->out = -1;
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

/* --- one component --- */

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
    if (!s->is_up && !s->is_stopping && signum == 0) { /* it has said why */
        set_state(c, STOPPED);
        stop(s, status ? status : 1);
        return;
    }
    if (s->is_stopping) {
        set_state(c, STOPPED);
        stop_next(s);
        return;
    }
    LOG_ERROR("component ended, will start it again", KV("name", c->name), KV("status", status),
              KV("signal", signum));
    back_off(c);
}

/* The read end, or negative; *ret_write is the child's. */
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
    int write_end = -1, r;
    struct child_options o = { .argv = component_argv(&a, c->row, s->cluster, c->node, NULL),
                               .stdio = { -1, -1, STDERR_FILENO },
                               .on_exit = on_exit_of,
                               .arg = c };

    c->line_len = 0;
    c->out = -1;
    if (c->row->has_ready_line) {
        c->out = make_pipe(&write_end, err);
        if (c->out < 0)
            return c->out;
        r = loop_watch_open(&c->watch, s->loop, c->out, on_output);
        if (r < 0) {
            (void)close(write_end); /* nobody has it yet */
            return err_errno(err, -r, "watch a pipe");
        }
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
        LOG_ERROR("cannot start a component", KV("name", c->name),
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

    if (c->supervisor->is_stopping)
        return;
    c->restarts++;
    start(c);
}

/* --- all of them --- */

static void watch_nodes(struct supervisor *s)
{
    struct err err;

    if (readiness_new(s->loop, s->cluster, on_nodes_ready, s, &s->readiness, &err) < 0)
        fail(s, err.text);
}

static void start_others(struct supervisor *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->components[i].row->is_first && !s->components[i].was_ready)
            return;
    if (!s->is_up && !s->readiness)
        watch_nodes(s); /* before anybody says something that counts */
    for (size_t i = 0; i < s->n && !s->is_stopping; i++)
        if (s->components[i].state == WAITING)
            start(&s->components[i]);
}

static void start_first(struct supervisor *s)
{
    loop_timer_start(&s->deadline, READY_MS);
    for (size_t i = 0; i < s->n; i++)
        if (s->components[i].row->is_first)
            start(&s->components[i]);
}

static void add(struct supervisor *s, const struct component_row *row,
                const struct cluster_node *node)
{
    struct component *c = &s->components[s->n++];

    *c = (struct component){ .supervisor = s, .row = row, .node = node, .out = -1 };
    c->name = node ? arena_printf(&s->arena, "%s/%s", row->command, node->name).p : row->command;
    loop_timer_init(&c->again, s->loop, on_again);
}

static void add_all(struct supervisor *s)
{
    size_t most = 0;

    for (const struct component_row *row = component_rows; row->command; row++)
        most += row->place == COMPONENT_OF_NODE ? s->cluster->n_nodes : 1;
    s->components = ARENA_NEW_ARRAY(&s->arena, struct component, most);
    for (const struct component_row *row = component_rows; row->command; row++) {
        if (row->place == COMPONENT_OF_NODE)
            for (size_t i = 0; i < s->cluster->n_nodes; i++)
                add(s, row, &s->cluster->nodes[i]);
        else if (row->place == COMPONENT_OF_CLUSTER || s->cluster->gateway)
            add(s, row, NULL);
    }
}

static void on_signal(int signum, void *arg)
{
    struct supervisor *s = arg;

    (void)signum;
    stop(s, s->is_up ? 0 : 1);
}

static int prepare(struct supervisor *s, struct err *err)
{
    char pid[16];
    int r;

    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (setenv(PARENT_VARIABLE, pid, 1) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_errno(err, errno, "become a supervisor");
    r = child_reaper_start(&s->reaper, s->loop, err);
    if (r >= 0)
        r = loop_on_signal(s->loop, SIGTERM, on_signal, s, err);
    if (r >= 0)
        r = loop_on_signal(s->loop, SIGINT, on_signal, s, err);
    return r;
}

/* The components' lives; whether they ever were up is in *ret_up. */
static int run(const struct cluster *c, int64_t began_ms, bool *ret_up)
{
    struct supervisor s = { .cluster = c, .began_ms = began_ms };
    struct err err;

    s.loop = loop_new(&clock_system);
    loop_timer_init(&s.deadline, s.loop, on_deadline);
    loop_task_init(&s.write_task, write_state);
    add_all(&s);
    if (prepare(&s, &err) < 0) {
        (void)fprintf(stderr, "pintle up: %s\n", err.text);
        s.code = 1;
    } else {
        start_first(&s);
        loop_run(s.loop);
    }
    write_state(&s.write_task);
    loop_timer_stop(&s.deadline);
    loop_task_cancel(&s.write_task);
    loop_free(s.loop);
    arena_done(&s.arena);
    *ret_up = s.is_up;
    return s.code;
}

int supervisor_run(const struct cluster *c, const char *record)
{
    int64_t began_ms = clock_mono_ms(&clock_system);
    struct stage stage = { .lock = -1 };
    struct err err;
    bool was_up = false;
    int code = 1;

    service_notify_take();
    if (stage_set(&stage, c, record, &err) < 0)
        (void)fprintf(stderr, "pintle up: %s\n", err.text);
    else
        code = run(c, began_ms, &was_up);
    (void)unsetenv(PARENT_VARIABLE); /* programs that clean up are not ours to supervise */
    if (!was_up)
        stage_strike(&stage, c);
    stage_leave(&stage);
    return code;
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
