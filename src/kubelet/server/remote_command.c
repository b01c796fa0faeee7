/* exec and attach: the streams of a process as channels of one client. What the client does not
 * take is not read from the process, and the other way round. Nobody may hold one for ever without
 * a byte in either direction. */
#include <errno.h>
#include <unistd.h>

#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "codec/json_writer.h"
#include "codec/value.h"
#include "io/loop.h"
#include "kubelet/server/channels.h"
#include "kubelet/server/server_internal.h"

enum {
    CHUNK_BYTES = 32768 - 16, /* with its channel and the head of a frame two TLS records */
    STDIN_MAX_BYTES = 256 * 1024,
    IDLE_MS = 4 * 3600 * 1000
};

/* A descriptor of the process that is read. */
struct output {
    struct loop_watch watch;
    enum channel channel;
    int fd; /* -1: it has ended, or is not wanted */
};

struct remote_command {
    struct list link; /* in the server's */
    struct kubelet_server *server;
    struct http_request *request;
    struct channels *channels; /* NULL: the client is gone */
    struct str container_id;   /* in the request's arena, as all of options */
    struct runtime_exec_options options;
    struct channels_wanted wanted;
    struct loop_timer idle;
    uint16_t columns, rows; /* of the client's terminal; 0: not known */
    struct runtime_call *call;
    struct runtime_stream *stream; /* NULL: not yet, or over */
    struct output outputs[2];
    struct loop_watch in_watch;
    int in_fd;
    struct buf input; /* what the process did not take yet */
    bool is_input_over, is_attach;
    bool has_exited;
    int exit_code;
    char *error; /* it could not start */
};

static void maybe_free(struct remote_command *c)
{
    if (c->channels || c->call || c->stream)
        return;
    loop_timer_stop(&c->idle);
    list_remove(&c->link);
    buf_done(&c->input);
    http_request_unref(c->request);
    mem_free(c->error);
    mem_free(c);
}

/* --- to the client --- */

static void stay(struct remote_command *c) /* something was said */
{
    loop_timer_start(&c->idle, IDLE_MS);
}

static void close_input(struct remote_command *c)
{
    loop_watch_close(&c->in_watch);
    if (c->in_fd >= 0)
        (void)close(c->in_fd);
    c->in_fd = -1;
}

static void close_output(struct output *o)
{
    loop_watch_close(&o->watch);
    if (o->fd >= 0)
        (void)close(o->fd);
    o->fd = -1;
}

/* Everything of the process is let go of. */
static void end_stream(struct remote_command *c)
{
    close_input(c);
    for (int i = 0; i < 2; i++)
        close_output(&c->outputs[i]);
    runtime_stream_close(TAKE(c->stream));
}

static void append_status(const struct remote_command *c, struct buf *b)
{
    CLEANUP(buf_done) struct buf text = { 0 };

    if (!c->error && c->exit_code == 0) {
        buf_append_lit(b, "{\"metadata\":{},\"status\":\"Success\"}");
    } else if (c->error) {
        buf_printf(&text, "Internal error occurred: %s", c->error);
        buf_append_lit(b, "{\"metadata\":{},\"status\":\"Failure\",\"message\":");
        json_write_string(b, buf_str(&text));
        buf_append_lit(b, ",\"reason\":\"InternalError\",\"details\":{\"causes\":[{\"message\":");
        json_write_string(b, str_from_cstr(c->error));
        buf_append_lit(b, "}]},\"code\":500}");
    } else {
        buf_printf(
            b,
            "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with "
            "non-zero exit code: %d\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":"
            "[{\"reason\":\"ExitCode\",\"message\":\"%d\"}]}}",
            c->exit_code, c->exit_code);
    }
}

static void send_end(struct remote_command *c)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    if (channels_has_status(c->channels))
        append_status(c, &b);
    else if (c->error)
        buf_printf(&b, "Internal error occurred: %s", c->error);
    else if (c->exit_code != 0)
        buf_printf(&b, "command terminated with non-zero exit code: %d", c->exit_code);
    if (b.len)
        (void)channels_send(c->channels, CHANNEL_ERROR, buf_str(&b));
    channels_close(c->channels);
}

/* The process has ended and everything that it said is with the client. */
static void maybe_end(struct remote_command *c)
{
    bool is_drained = c->outputs[0].fd < 0 && c->outputs[1].fd < 0;

    if (!c->stream || !is_drained || (!c->has_exited && !c->is_attach))
        return;
    if (c->channels)
        send_end(c);
    end_stream(c);
    maybe_free(c);
}

static void on_output(struct loop_watch *w, int events)
{
    struct output *o = CONTAINER_OF(w, struct output, watch);
    struct remote_command *c =
        o->channel == CHANNEL_STDERR
            ? CONTAINER_OF((struct output(*)[2])(void *)(o - 1), struct remote_command, outputs)
            : CONTAINER_OF((struct output(*)[2])(void *)o, struct remote_command, outputs);
    char *p = loop_scratch(c->server->o.loop);
    ssize_t n = read(o->fd, p, CHUNK_BYTES);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* a terminal ends with EIO */
        close_output(o);
        maybe_end(c);
        return;
    }
    stay(c);
    if (c->channels && !channels_send(c->channels, o->channel, str_n(p, (size_t)n)))
        for (int i = 0; i < 2; i++)
            if (c->outputs[i].fd >= 0)
                loop_watch_want(&c->outputs[i].watch, 0); /* until on_drain */
}

static void on_drain(void *arg)
{
    struct remote_command *c = arg;

    for (int i = 0; i < 2; i++)
        if (c->outputs[i].fd >= 0)
            loop_watch_want(&c->outputs[i].watch, LOOP_READABLE);
}

/* --- to the process --- */

static void write_input(struct remote_command *c)
{
    while (c->in_fd >= 0 && c->input.len) {
        ssize_t n = write(c->in_fd, c->input.p, c->input.len);

        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* it reads no more */
            close_input(c);
            buf_reset(&c->input);
            return;
        }
        buf_drop(&c->input, (size_t)n);
    }
    if (c->in_fd < 0)
        return;
    if (!c->input.len && c->is_input_over) {
        close_input(c);
        return;
    }
    loop_watch_want(&c->in_watch, c->input.len ? LOOP_WRITABLE : 0);
    if (c->channels)
        channels_set_reading(c->channels, c->input.len < STDIN_MAX_BYTES);
}

static void on_input_ready(struct loop_watch *w, int events)
{
    (void)events;
    write_input(CONTAINER_OF(w, struct remote_command, in_watch));
}

static void set_size(struct remote_command *c, uint16_t columns, uint16_t rows)
{
    c->columns = columns; /* for when it begins */
    c->rows = rows;
    if (c->stream)
        runtime_stream_resize(c->stream, columns, rows);
}

/* {"Width":80,"Height":24} */
static void resize(struct remote_command *c, struct str json)
{
    struct arena a = { 0 };
    const struct value *width, *height;
    struct value v;
    struct err err;

    if (value_parse(&a, json, &v, NULL, &err) == 0) {
        width = value_get(&v, STR("Width"));
        height = value_get(&v, STR("Height"));
        if (width && height && width->type == VALUE_INT && height->type == VALUE_INT &&
            width->i > 0 && width->i <= UINT16_MAX && height->i > 0 && height->i <= UINT16_MAX)
            set_size(c, (uint16_t)width->i, (uint16_t)height->i);
    }
    arena_done(&a);
}

static void on_bytes(enum channel channel, struct str bytes, void *arg)
{
    struct remote_command *c = arg;

    stay(c);
    if (channel == CHANNEL_STDIN && c->wanted.input && !c->is_input_over) {
        buf_append_str(&c->input, bytes);
        write_input(c);
    } else if (channel == CHANNEL_RESIZE) {
        resize(c, bytes);
    }
}

static void on_finish(enum channel channel, void *arg)
{
    struct remote_command *c = arg;

    if (channel != CHANNEL_STDIN)
        return;
    c->is_input_over = true;
    write_input(c);
}

static void on_client_gone(void *arg)
{
    struct remote_command *c = arg;

    c->channels = NULL;
    if (c->call)
        c->server->o.runtime->ops->cancel(TAKE(c->call));
    end_stream(c);
    maybe_free(c);
}

/* --- the process --- */

static void set_error(struct remote_command *c, const char *text)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    buf_printf(&b, "error %s container: %s", c->is_attach ? "attaching to" : "executing command in",
               text);
    mem_free(c->error);
    c->error = str_heap_cstr(buf_str(&b));
}

static void on_exit_of(struct runtime_stream *s, int exit_code, const struct err *err, void *arg)
{
    struct remote_command *c = arg;

    (void)s;
    c->has_exited = true;
    c->exit_code = exit_code;
    if (err && err->code < 0)
        set_error(c, err->text);
    maybe_end(c);
}

static void watch_output(struct remote_command *c, int i, enum channel channel, int *fd)
{
    struct output *o = &c->outputs[i];

    o->channel = channel;
    o->fd = *fd;
    *fd = -1;
    if (o->fd < 0)
        return;
    if (loop_watch_open(&o->watch, c->server->o.loop, o->fd, on_output) < 0)
        close_output(o);
    else
        loop_watch_want(&o->watch, LOOP_READABLE);
}

static void fail(struct remote_command *c, const char *text)
{
    set_error(c, text);
    if (c->channels)
        send_end(c);
    maybe_free(c);
}

static void on_stream(const struct runtime_result *res, void *arg)
{
    struct remote_command *c = arg;
    struct runtime_stream_fds *fds;

    c->call = NULL;
    if (res->code < 0) {
        fail(c, res->err->text);
        return;
    }
    c->stream = res->stream;
    if (c->columns || !c->is_attach) /* of what one attaches to another may have said the size */
        runtime_stream_resize(c->stream, c->columns, c->rows);
    fds = runtime_stream_fds(c->stream);
    c->in_fd = fds->in_fd;
    fds->in_fd = -1;
    if (!c->wanted.input && !c->is_attach) /* what one attaches to keeps its input */
        close_input(c);
    if (c->in_fd >= 0 &&
        loop_watch_open(&c->in_watch, c->server->o.loop, c->in_fd, on_input_ready) < 0)
        close_input(c);
    watch_output(c, 0, CHANNEL_STDOUT, &fds->out_fd);
    watch_output(c, 1, CHANNEL_STDERR, &fds->err_fd);
    if (c->is_attach && !c->wanted.output)
        close_output(&c->outputs[0]);
    if (c->is_attach && !c->wanted.error)
        close_output(&c->outputs[1]);
    runtime_stream_on_exit(c->stream, on_exit_of, c);
    write_input(c);
    maybe_end(c);
}

/* --- the beginning --- */

static void start(void *arg)
{
    struct remote_command *c = arg;
    struct runtime *rt = c->server->o.runtime;

    stay(c);
    c->call = c->is_attach ? rt->ops->attach(rt, c->container_id, on_stream, c)
                           : rt->ops->exec(rt, c->container_id, &c->options, on_stream, c);
}

static void on_idle(struct loop_timer *t)
{
    const struct remote_command *c = CONTAINER_OF(t, struct remote_command, idle);

    if (c->channels)
        channels_close(c->channels);
}

static bool read_command(const struct server_request *r, struct runtime_strs *ret)
{
    struct str *words;
    size_t n = 0;

    while (server_param(r, STR("command"), n).p)
        n++;
    words = ARENA_NEW_ARRAY(r->arena, struct str, n);
    for (size_t i = 0; i < n; i++)
        words[i] = server_param(r, STR("command"), i);
    *ret = (struct runtime_strs){ words, n };
    return n != 0;
}

static void serve(const struct server_request *r, bool is_attach)
{
    static const struct channels_events events = { start, on_bytes, on_finish, on_drain,
                                                   on_client_gone };
    struct runtime_exec_options o = { .tty = server_flag(r, STR("tty")),
                                      .has_stdin = server_flag(r, STR("input")),
                                      .has_stdout = server_flag(r, STR("output")),
                                      .has_stderr = server_flag(r, STR("error")) };
    struct server_container where;
    struct remote_command *c;

    if (!server_find_container(r, &where))
        return;
    if (!where.id.len) {
        server_answer_text(
            r, 404,
            arena_printf(r->arena, "container not found (\"%.*s\")\n", STR_ARG(where.container)));
        return;
    }
    if (!o.has_stdin && !o.has_stdout && !o.has_stderr) {
        server_answer_text(r, 400, STR("you must specify at least 1 of stdin, stdout, stderr\n"));
        return;
    }
    if (!is_attach && !read_command(r, &o.command)) {
        server_answer_text(r, 400,
                           STR("you must specify at least one command for the container\n"));
        return;
    }
    o.has_stderr &= !o.tty; /* a terminal is one stream */
    c = NEW(struct remote_command);
    *c = (struct remote_command){ .server = r->server,
                                  .request = r->http,
                                  .container_id = str_dup(r->arena, where.id),
                                  .options = o,
                                  .wanted = { o.has_stdin, o.has_stdout, o.has_stderr, o.tty },
                                  .is_attach = is_attach,
                                  .in_fd = -1,
                                  .outputs = { { .fd = -1 }, { .fd = -1 } } };
    c->channels = channels_accept(r, &c->wanted, &events, c);
    if (!c->channels) {
        mem_free(c);
        return;
    }
    http_request_ref(r->http);
    list_append(&r->server->commands, &c->link);
    loop_timer_init(&c->idle, r->server->o.loop, on_idle);
    if (channels_is_ready(c->channels))
        start(c);
}

void remote_command_exec(const struct server_request *r)
{
    serve(r, false);
}

void remote_command_attach(const struct server_request *r)
{
    serve(r, true);
}

void remote_command_stop_all(struct kubelet_server *s)
{
    LIST_FOREACH_SAFE(n, &s->commands) {
        const struct remote_command *c = CONTAINER_OF(n, struct remote_command, link);

        if (c->channels)
            channels_close(c->channels);
    }
}
