#include "io/child.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/mem.h"
#include "io/io_internal.h"

struct child {
    uv_process_t uv;
    child_exit_fn *on_exit; /* NULL: freed by its owner */
    void *arg;
    bool has_ended;
    bool is_freed;
};

static void on_closed(uv_handle_t *h)
{
    mem_free(CONTAINER_OF((uv_process_t *)(void *)h, struct child, uv));
}

static void on_exit_of(uv_process_t *uv, int64_t status, int signum)
{
    struct child *c = CONTAINER_OF(uv, struct child, uv);

    c->has_ended = true;
    if (c->is_freed)
        uv_close((uv_handle_t *)uv, on_closed);
    else if (c->on_exit)
        c->on_exit(c, (int)status, signum, c->arg);
}

int child_start(struct loop *l, const struct child_options *o, struct child **ret, struct err *err)
{
    struct child *c = NEW(struct child);
    uv_stdio_container_t stdio[3];
    /* libuv's type is not const; it does not write to them. */
    uv_process_options_t options = {
        .file = o->argv[0],
        .args = (char **)(uintptr_t)o->argv,
        .env = (char **)(uintptr_t)o->env,
        .cwd = o->directory,
        .stdio = stdio,
        .stdio_count = 3,
        .exit_cb = on_exit_of,
    };
    int r;

    for (int i = 0; i < 3; i++) {
        stdio[i].flags = o->stdio[i] >= 0 ? UV_INHERIT_FD : UV_IGNORE;
        stdio[i].data.fd = o->stdio[i];
    }
    c->on_exit = o->on_exit;
    c->arg = o->arg;
    r = uv_spawn(loop_uv_(l), &c->uv, &options);
    if (r < 0) {
        uv_close((uv_handle_t *)&c->uv, on_closed);
        return err_errno(err, -r, "start '%s'", o->argv[0]);
    }
    *ret = c;
    return 0;
}

pid_t child_pid(const struct child *c)
{
    return c->uv.pid;
}

int child_kill(struct child *c, int signum)
{
    return c->has_ended ? -ESRCH : uv_process_kill(&c->uv, signum);
}

void child_free(struct child *c)
{
    if (!c)
        return;
    c->is_freed = true;
    if (c->has_ended)
        uv_close((uv_handle_t *)&c->uv, on_closed);
}

void child_close_(uv_handle_t *h)
{
    const struct child *c = CONTAINER_OF((uv_process_t *)(void *)h, struct child, uv);

    uv_close(h, c->is_freed ? on_closed : NULL);
}

/* --- whom others left behind --- */

struct search {
    pid_t pid;
    bool is_found;
};

static void on_handle(uv_handle_t *h, void *arg)
{
    struct search *s = arg;

    if (h->type == UV_PROCESS && uv_is_active(h) && ((uv_process_t *)(void *)h)->pid == s->pid)
        s->is_found = true;
}

/* At the end of the turn, when libuv has waited for those of ours whose signal it has seen. One of
 * ours that is met all the same has a signal yet to come, which brings us here again. */
static void reap(struct loop_task *t)
{
    const struct child_reaper *r = CONTAINER_OF(t, struct child_reaper, task);

    for (;;) {
        siginfo_t info = { .si_pid = 0 };
        struct search ours = { .is_found = false };

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
            return;
        ours.pid = info.si_pid;
        uv_walk(loop_uv_(r->loop), on_handle, &ours);
        if (ours.is_found || (waitpid(info.si_pid, NULL, WNOHANG) < 0 && errno != EINTR))
            return;
    }
}

static void on_child_signal(int signum, void *arg)
{
    struct child_reaper *r = arg;

    (void)signum;
    loop_task_post(r->loop, &r->task);
}

int child_reaper_start(struct child_reaper *r, struct loop *l, struct err *err)
{
    r->loop = l;
    loop_task_init(&r->task, reap);
    return loop_on_signal(l, SIGCHLD, on_child_signal, r, err);
}
