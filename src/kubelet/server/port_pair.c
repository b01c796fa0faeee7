#include "kubelet/server/port_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "runtime/runtime.h"

enum { CHUNK_BYTES = 32768 };

void port_pair_init(struct port_pair *p, const struct port_pair_ops *ops, struct runtime *rt,
                    uint16_t port)
{
    *p = (struct port_pair){ .ops = ops, .runtime = rt, .port = port, .in_fd = -1, .out_fd = -1 };
}

static void close_fd(struct loop_watch *w, int *fd)
{
    loop_watch_close(w);
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void port_pair_stop(struct port_pair *p)
{
    if (p->call)
        p->runtime->ops->cancel(TAKE(p->call));
    close_fd(&p->in_watch, &p->in_fd);
    close_fd(&p->out_watch, &p->out_fd);
    runtime_stream_close(TAKE(p->stream));
    buf_done(&p->input);
}

static void end(struct port_pair *p, const char *error)
{
    port_pair_stop(p);
    p->ops->over(p, error);
}

/* --- to the Pod --- */

static void write_input(struct port_pair *p)
{
    size_t done = 0;

    while (p->in_fd >= 0 && done < p->input.len) {
        ssize_t n = send(p->in_fd, p->input.p + done, p->input.len - done, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* it takes no more; what it said is still to be read */
            done = p->input.len;
            p->is_input_over = true;
            break;
        }
        done += (size_t)n;
    }
    if (p->in_fd < 0)
        return;
    buf_drop(&p->input, done);
    if (!p->input.len && p->is_input_over) {
        (void)shutdown(p->in_fd, SHUT_WR); /* one that is gone shows when it is read */
        close_fd(&p->in_watch, &p->in_fd);
        return;
    }
    loop_watch_want(&p->in_watch, p->input.len ? LOOP_WRITABLE : 0);
}

static void on_writable(struct loop_watch *w, int events)
{
    struct port_pair *p = CONTAINER_OF(w, struct port_pair, in_watch);

    (void)events;
    write_input(p);
    p->ops->took(p);
}

void port_pair_write(struct port_pair *p, struct str bytes)
{
    if (p->is_input_over)
        return;
    buf_append_str(&p->input, bytes);
    write_input(p);
}

void port_pair_finish(struct port_pair *p)
{
    p->is_input_over = true;
    write_input(p);
}

bool port_pair_is_held(const struct port_pair *p)
{
    return p->input.len > PORT_PAIR_HELD_BYTES;
}

/* --- from the Pod --- */

static void on_readable(struct loop_watch *w, int events)
{
    struct port_pair *p = CONTAINER_OF(w, struct port_pair, out_watch);
    char *bytes = loop_scratch(p->runtime->loop);
    ssize_t n = read(p->out_fd, bytes, CHUNK_BYTES);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        end(p, NULL);
    else if (!p->ops->send(p, str_n(bytes, (size_t)n)))
        loop_watch_want(&p->out_watch, 0); /* until drained */
}

void port_pair_drain(struct port_pair *p)
{
    if (p->out_fd >= 0)
        loop_watch_want(&p->out_watch, LOOP_READABLE);
}

/* --- the beginning --- */

static void on_connected(const struct runtime_result *res, void *arg)
{
    struct port_pair *p = arg;
    struct runtime_stream_fds *fds;
    struct loop *l = p->runtime->loop;

    p->call = NULL;
    if (res->code < 0) {
        end(p, res->err->text);
        return;
    }
    p->stream = res->stream;
    fds = runtime_stream_fds(p->stream);
    p->out_fd = fds->out_fd;
    p->in_fd = fcntl(fds->in_fd, F_DUPFD_CLOEXEC, 0); /* one socket, but two that watch it */
    fds->in_fd = fds->out_fd = -1;
    if (p->in_fd < 0 || p->out_fd < 0 ||
        loop_watch_open(&p->in_watch, l, p->in_fd, on_writable) < 0 ||
        loop_watch_open(&p->out_watch, l, p->out_fd, on_readable) < 0) {
        end(p, "the connection cannot be watched");
        return;
    }
    loop_watch_want(&p->out_watch, LOOP_READABLE);
    write_input(p);
    p->ops->took(p);
}

void port_pair_connect(struct port_pair *p, struct str sandbox_id)
{
    p->call = p->runtime->ops->port_forward(p->runtime, sandbox_id, p->port, on_connected, p);
}
