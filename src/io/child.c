#include "io/child.h"

#include <stdbool.h>

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
