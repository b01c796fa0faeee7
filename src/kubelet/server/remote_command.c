/* exec and attach: the streams of a process as channels of one WebSocket. Each message begins with
 * the channel's number (a byte, or a digit in the base64 protocols). What the client does not take
 * is not read from the process, and the other way round. */
#include <errno.h>
#include <unistd.h>

#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "codec/base64.h"
#include "codec/json_writer.h"
#include "codec/value.h"
#include "http/websocket.h"
#include "io/loop.h"
#include "kubelet/server/server_internal.h"

enum channel { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_ERROR, CHANNEL_RESIZE };
enum {
    CHANNEL_CLOSE = 255,
    CHUNK_BYTES = 32768,
    STDIN_MAX_BYTES = 256 * 1024,
    NORMAL = 1000,
    GOING_AWAY = 1001
};

struct protocol {
    struct str name;
    bool is_base64;
    bool has_status; /* the error channel's text is a Status, also for success */
    bool has_resize;
    bool closes_streams; /* a message 255, N ends channel N */
};
static const struct protocol protocols[] = {
    { STR_INIT("v5.channel.k8s.io"), false, true, true, true },
    { STR_INIT("v4.channel.k8s.io"), false, true, true, false },
    { STR_INIT("v4.base64.channel.k8s.io"), true, true, true, false },
    { STR_INIT("v3.channel.k8s.io"), false, false, true, false },
    { STR_INIT("v2.channel.k8s.io"), false, false, false, false },
    { STR_INIT("channel.k8s.io"), false, false, true, false },
    { STR_INIT("base64.channel.k8s.io"), true, false, true, false },
    { STR_INIT(""), false, false, true, false }, /* none named: as channel.k8s.io */
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
    const struct protocol *protocol;
    struct websocket *websocket; /* NULL: the client is gone */
    struct runtime_call *call;
    struct runtime_stream *stream; /* NULL: not yet, or over */
    struct output outputs[2];
    struct loop_watch in_watch;
    int in_fd;
    struct buf input; /* what the process did not take yet */
    bool is_input_over, is_attach;
    bool has_streams[3]; /* that attach asks for: input, output, error */
    bool has_exited;
    int exit_code;
    char *error; /* it could not start */
};

static void maybe_free(struct remote_command *c)
{
    if (c->websocket || c->call || c->stream)
        return;
    list_remove(&c->link);
    buf_done(&c->input);
    http_request_unref(c->request);
    mem_free(c->error);
    mem_free(c);
}

/* --- to the client --- */

static bool send_channel(struct remote_command *c, enum channel channel, struct str bytes)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    if (!c->websocket)
        return true;
    if (c->protocol->is_base64) {
        buf_append_char(&b, (char)('0' + channel));
        base64_encode(&b, bytes);
    } else {
        buf_append_char(&b, (char)channel);
        buf_append_str(&b, bytes);
    }
    return websocket_send(c->websocket, c->protocol->is_base64, buf_str(&b));
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

static void append_failure(struct remote_command *c, struct buf *b)
{
    if (c->error) {
        buf_append_lit(b, "{\"metadata\":{},\"status\":\"Failure\",\"message\":");
        json_write_string(b, str_from_cstr(c->error));
        buf_append_lit(b, ",\"reason\":\"InternalError\",\"details\":{\"causes\":[{\"message\":");
        json_write_string(b, str_from_cstr(c->error));
        buf_append_lit(b, "}]},\"code\":500}");
        return;
    }
    buf_printf(b,
               "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with "
               "non-zero exit code: %d\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{"
               "\"reason\":\"ExitCode\",\"message\":\"%d\"}]}}",
               c->exit_code, c->exit_code);
}

static void send_end(struct remote_command *c)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    bool is_failure = c->error || c->exit_code != 0;

    if (c->protocol->has_status && is_failure)
        append_failure(c, &b);
    else if (c->protocol->has_status)
        buf_append_lit(&b, "{\"metadata\":{},\"status\":\"Success\"}");
    else if (c->error)
        buf_append_str(&b, str_from_cstr(c->error));
    else if (is_failure)
        buf_printf(&b, "command terminated with exit code %d", c->exit_code);
    if (b.len)
        (void)send_channel(c, CHANNEL_ERROR, buf_str(&b));
    websocket_close(c->websocket, NORMAL, STR(""));
}

/* The process has ended and everything that it said is with the client. */
static void maybe_end(struct remote_command *c)
{
    bool is_drained = c->outputs[0].fd < 0 && c->outputs[1].fd < 0;

    if (!c->stream || !is_drained || (!c->has_exited && !c->is_attach))
        return;
    if (c->websocket)
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
    if (!send_channel(c, o->channel, str_n(p, (size_t)n)))
        for (int i = 0; i < 2; i++)
            if (c->outputs[i].fd >= 0)
                loop_watch_want(&c->outputs[i].watch, 0); /* until on_drain */
}

static void on_drain(struct websocket *w, void *arg)
{
    struct remote_command *c = arg;

    (void)w;
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
        memmove(c->input.p, c->input.p + n, c->input.len - (size_t)n);
        c->input.len -= (size_t)n;
    }
    if (c->in_fd < 0)
        return;
    if (!c->input.len && c->is_input_over) {
        close_input(c);
        return;
    }
    loop_watch_want(&c->in_watch, c->input.len ? LOOP_WRITABLE : 0);
    if (c->websocket)
        websocket_set_reading(c->websocket, c->input.len < STDIN_MAX_BYTES);
}

static void on_input_ready(struct loop_watch *w, int events)
{
    (void)events;
    write_input(CONTAINER_OF(w, struct remote_command, in_watch));
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
        if (c->stream && width && height && width->type == VALUE_INT && height->type == VALUE_INT &&
            width->i > 0 && width->i <= UINT16_MAX && height->i > 0 && height->i <= UINT16_MAX)
            runtime_stream_resize(c->stream, (uint16_t)width->i, (uint16_t)height->i);
    }
    arena_done(&a);
}

static void on_channel(struct remote_command *c, int channel, struct str bytes)
{
    if (channel == CHANNEL_STDIN && !c->is_input_over) {
        buf_append_str(&c->input, bytes);
        write_input(c);
    } else if (channel == CHANNEL_RESIZE && c->protocol->has_resize) {
        resize(c, bytes);
    } else if (channel == CHANNEL_CLOSE && c->protocol->closes_streams && bytes.len &&
               bytes.p[0] == CHANNEL_STDIN) {
        c->is_input_over = true;
        write_input(c);
    }
}

static void on_message(struct websocket *w, bool is_text, struct str bytes, void *arg)
{
    struct remote_command *c = arg;
    struct arena a = { 0 };
    struct str plain = str_tail(bytes, 1);
    size_t bad;

    (void)w;
    (void)is_text;
    if (!bytes.len)
        return;
    if (!c->protocol->is_base64)
        on_channel(c, (unsigned char)bytes.p[0], plain);
    else if (base64_decode(&a, plain, &plain, &bad))
        on_channel(c, bytes.p[0] - '0', plain);
    arena_done(&a);
}

static void on_client_gone(struct websocket *w, void *arg)
{
    struct remote_command *c = arg;

    (void)w;
    c->websocket = NULL;
    if (c->call)
        c->server->o.runtime->ops->cancel(TAKE(c->call));
    end_stream(c);
    maybe_free(c);
}

static const struct websocket_ops websocket_ops = { on_message, on_drain, on_client_gone };

/* --- the process --- */

static void on_exit_of(struct runtime_stream *s, int exit_code, const struct err *err, void *arg)
{
    struct remote_command *c = arg;

    (void)s;
    c->has_exited = true;
    c->exit_code = exit_code;
    if (err && err->code < 0)
        c->error = str_heap_cstr(str_from_cstr(err->text));
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
    c->error = str_heap_cstr(str_from_cstr(text));
    if (c->websocket)
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
    fds = runtime_stream_fds(c->stream);
    c->in_fd = fds->in_fd;
    fds->in_fd = -1;
    if (c->is_attach && !c->has_streams[0])
        close_input(c);
    if (c->in_fd >= 0 &&
        loop_watch_open(&c->in_watch, c->server->o.loop, c->in_fd, on_input_ready) < 0)
        close_input(c);
    watch_output(c, 0, CHANNEL_STDOUT, &fds->out_fd);
    watch_output(c, 1, CHANNEL_STDERR, &fds->err_fd);
    for (int i = 0; i < 2; i++)
        if (c->is_attach && !c->has_streams[i + 1])
            close_output(&c->outputs[i]);
    runtime_stream_on_exit(c->stream, on_exit_of, c);
    write_input(c);
    maybe_end(c);
}

/* --- the beginning --- */

static const struct protocol *choose(const struct http_request *http)
{
    struct str names[ARRAY_LEN(protocols)], chosen;
    bool any;

    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        names[i] = protocols[i].name;
    chosen = websocket_choose(http, names, ARRAY_LEN(protocols) - 1, &any);
    if (any && !chosen.len)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        if (str_eq(protocols[i].name, chosen))
            return &protocols[i];
    return NULL;
}

/* NULL: answered otherwise. */
static struct remote_command *begin(const struct server_request *r, struct server_container *where)
{
    const struct protocol *p;
    struct remote_command *c;

    if (!server_find_container(r, where))
        return NULL;
    if (!where->id.len) {
        server_answer_text(
            r, 404,
            arena_printf(r->arena, "container not found (\"%.*s\")\n", STR_ARG(where->container)));
        return NULL;
    }
    p = websocket_is_asked_for(r->http) ? choose(r->http) : NULL;
    if (!p) {
        server_answer_text(r, 400,
                           STR("unable to upgrade: only WebSocket subprotocols "
                               "v5.channel.k8s.io and older are spoken here\n"));
        return NULL;
    }
    c = NEW(struct remote_command);
    c->server = r->server;
    c->request = r->http;
    c->protocol = p;
    c->in_fd = c->outputs[0].fd = c->outputs[1].fd = -1;
    list_init(&c->link);
    if (websocket_accept(r->http, p->name, &websocket_ops, c, &c->websocket) < 0) {
        mem_free(c);
        server_answer_text(r, 400, STR("unable to upgrade: not a WebSocket request\n"));
        return NULL;
    }
    http_request_ref(r->http);
    list_append(&r->server->commands, &c->link);
    /* An empty message tells the client that this stands. */
    (void)send_channel(c, server_flag(r, STR("output")) ? CHANNEL_STDOUT : CHANNEL_ERROR, STR(""));
    return c;
}

void remote_command_exec(const struct server_request *r)
{
    struct runtime *rt = r->server->o.runtime;
    struct runtime_exec_options o = { .tty = server_flag(r, STR("tty")),
                                      .has_stdin = server_flag(r, STR("input")),
                                      .has_stdout = server_flag(r, STR("output")),
                                      .has_stderr = server_flag(r, STR("error")) };
    struct server_container where;
    struct str *words;
    size_t n = 0;
    struct remote_command *c;

    while (server_param(r, STR("command"), n).p)
        n++;
    if (!n) {
        server_answer_text(r, 400,
                           STR("you must specify at least one command for the container\n"));
        return;
    }
    c = begin(r, &where);
    if (!c)
        return;
    words = ARENA_NEW_ARRAY(r->arena, struct str, n);
    for (size_t i = 0; i < n; i++)
        words[i] = server_param(r, STR("command"), i);
    o.command = (struct runtime_strs){ words, n };
    c->call = rt->ops->exec(rt, where.id, &o, on_stream, c);
}

void remote_command_attach(const struct server_request *r)
{
    struct runtime *rt = r->server->o.runtime;
    struct server_container where;
    struct remote_command *c = begin(r, &where);

    if (!c)
        return;
    c->is_attach = true;
    c->has_streams[0] = server_flag(r, STR("input"));
    c->has_streams[1] = server_flag(r, STR("output"));
    c->has_streams[2] = server_flag(r, STR("error"));
    c->call = rt->ops->attach(rt, where.id, on_stream, c);
}

void remote_command_stop_all(struct kubelet_server *s)
{
    LIST_FOREACH_SAFE(n, &s->commands) {
        struct remote_command *c = CONTAINER_OF(n, struct remote_command, link);

        if (c->websocket)
            websocket_close(c->websocket, GOING_AWAY, STR("the kubelet ends"));
    }
}
