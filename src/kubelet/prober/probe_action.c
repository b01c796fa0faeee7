/* Each kind starts something that answers on the loop; whatever comes first, its answer or the
 * deadline, ends the action. The end is told from a task, so that nobody is called from within his
 * own call. */
#include "kubelet/prober/probe_action.h"

#include <errno.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/pb_wire.h"
#include "http/http_client.h"
#include "io/loop.h"
#include "io/tcp.h"
#include "runtime/runtime.h"

enum { BODY_MAX_BYTES = 10 * 1024, EXEC_OUTPUT_MAX = 10 * 1024 };

struct probe_action {
    struct probe_action_options o;
    struct arena arena;
    struct loop_timer deadline;
    struct loop_task finish;
    struct runtime_call *exec;
    struct http_client *http;
    struct http_call *call;
    struct tcp_stream tcp;
    bool is_tcp_open;
    int status; /* HTTP's */
    struct buf body;
    struct probe_action_result result;
    bool is_over;
};

static void stop(struct probe_action *p)
{
    loop_timer_stop(&p->deadline);
    loop_task_cancel(&p->finish);
    if (p->exec)
        p->o.runtime->ops->cancel(p->exec);
    p->exec = NULL;
    if (p->is_tcp_open)
        tcp_stream_close(&p->tcp);
    p->is_tcp_open = false;
}

static void free_action(struct probe_action *p)
{
    stop(p);
    http_client_free(p->http);
    buf_done(&p->body);
    arena_done(&p->arena);
    mem_free(p);
}

static void on_finish(struct loop_task *t)
{
    struct probe_action *p = CONTAINER_OF(t, struct probe_action, finish);

    stop(p);
    p->o.done(&p->result, p->o.arg);
    free_action(p);
}

static void end(struct probe_action *p, int code, bool is_failure, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static void end(struct probe_action *p, int code, bool is_failure, const char *fmt, ...)
{
    va_list ap;

    if (p->is_over)
        return;
    p->is_over = true;
    va_start(ap, fmt);
    p->result = (struct probe_action_result){ code, is_failure, arena_vprintf(&p->arena, fmt, ap) };
    va_end(ap);
    loop_task_post(p->o.loop, &p->finish);
}

/* --- exec --- */

static void on_exec(const struct runtime_result *res, void *arg)
{
    struct probe_action *p = arg;
    struct str out = str_trim(res->output);

    p->exec = NULL;
    if (res->code == ERR_TIMEOUT)
        end(p, 0, true, "command timed out after %llds", (long long)(p->o.timeout_ms + 999) / 1000);
    else if (res->code < 0)
        end(p, res->code, false, "%s", res->err->text);
    else
        end(p, 0, res->exit_code != 0, "%.*s", STR_ARG(out));
}

static void start_exec(struct probe_action *p)
{
    struct runtime_exec_options o = { .command = p->o.plan->command,
                                      .has_stdout = true,
                                      .has_stderr = true,
                                      .timeout_ms = p->o.timeout_ms,
                                      .output_limit_bytes = EXEC_OUTPUT_MAX };

    p->exec = p->o.runtime->ops->exec_sync(p->o.runtime, p->o.container_id, &o, on_exec, p);
}

/* --- HTTP, and gRPC on top --- */

static void on_head(struct http_call *c, int status, const struct http_header *headers, size_t n,
                    void *arg)
{
    struct probe_action *p = arg;

    (void)c;
    (void)headers;
    (void)n;
    p->status = status;
}

static void on_body(struct http_call *c, struct str bytes, void *arg)
{
    struct probe_action *p = arg;

    buf_append_str(&p->body, str_sub(bytes, 0, BODY_MAX_BYTES - p->body.len));
    if (p->body.len == BODY_MAX_BYTES)
        http_call_cancel(c); /* the head decides */
}

/* HealthCheckResponse: field 1 is the status, 1 is SERVING; a frame's head of five bytes before. */
static int grpc_status(struct str body)
{
    uint32_t number, type;
    struct pb_reader r;
    uint64_t status = 0;
    struct err err;

    if (body.len < 5 || body.p[0] != 0)
        return -1;
    pb_reader_init(&r, str_tail(body, 5), &err);
    while (!pb_at_end(&r)) {
        if (pb_tag(&r, &number, &type) < 0)
            return -1;
        if ((number == 1 && type == PB_VARINT ? pb_varint(&r, &status) : pb_skip(&r, type)) < 0)
            return -1;
    }
    return status <= 3 ? (int)status : -1;
}

static void end_grpc(struct probe_action *p)
{
    static const char *const names[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" };
    int status = grpc_status(buf_str(&p->body));

    if (status == 1)
        end(p, 0, false, "service healthy");
    else if (status >= 0)
        end(p, 0, true, "service unhealthy (responded with \"%s\")", names[status]);
    else
        end(p, 0, true, "service unhealthy (no answer of grpc.health.v1)");
}

static void on_end(struct http_call *c, int result, const char *text, void *arg)
{
    struct probe_action *p = arg;

    (void)c;
    p->call = NULL;
    if (!p->status)
        end(p, 0, true, "Get \"%s://%.*s:%u%.*s\": %s", p->o.plan->is_https ? "https" : "http",
            STR_ARG(p->o.plan->host), p->o.plan->port, STR_ARG(p->o.plan->path),
            result == -ECONNREFUSED ? "connect: connection refused" : text);
    else if (p->o.plan->kind == PROBE_ACTION_GRPC)
        end_grpc(p);
    else
        end(p, 0, p->status < 200 || p->status >= 400, "HTTP probe failed with statuscode: %d",
            p->status);
}

static void start_call(struct probe_action *p, const struct http_call_options *options,
                       bool is_plain_h2)
{
    static const struct http_call_ops ops = { on_head, on_body, on_end };
    struct http_client_options co = {
        .loop = p->o.loop,
        .address = p->o.plan->host,
        .port = p->o.plan->port,
        .tls = p->o.plan->is_https ? p->o.tls : NULL,
        .is_plain_h2 = is_plain_h2,
    };
    struct http_call_options o = *options;
    int r;

    o.ops = &ops;
    o.arg = p;
    p->http = http_client_new(&co);
    r = http_call_start(p->http, &o, &p->call);
    if (r < 0)
        end(p, r, false, "%s", err_name(r));
}

static void start_http(struct probe_action *p)
{
    const struct probe_plan *plan = p->o.plan;

    start_call(p,
               &(struct http_call_options){ .method = STR("GET"),
                                            .path = plan->path,
                                            .headers = plan->headers,
                                            .n_headers = plan->n_headers },
               false);
}

static void start_grpc(struct probe_action *p)
{
    static const struct http_header headers[] = {
        { STR_INIT("content-type"), STR_INIT("application/grpc") },
        { STR_INIT("te"), STR_INIT("trailers") },
        { STR_INIT("user-agent"), STR_INIT("kube-probe/1.36") },
    };
    struct str service = str_sub(p->o.plan->service, 0, 127);
    struct buf b;

    /* HealthCheckRequest: field 1 is the service, shorter than 128 bytes. */
    buf_init_arena(&b, &p->arena, 160);
    buf_append(&b, "\0\0\0\0", 4);
    buf_append_char(&b, (char)(service.len ? service.len + 2 : 0));
    if (service.len) {
        buf_append_char(&b, 0x0a);
        buf_append_char(&b, (char)service.len);
        buf_append_str(&b, service);
    }
    start_call(p,
               &(struct http_call_options){ .method = STR("POST"),
                                            .path = STR("/grpc.health.v1.Health/Check"),
                                            .headers = headers,
                                            .n_headers = ARRAY_LEN(headers),
                                            .body = buf_str(&b) },
               true);
}

/* --- TCP --- */

static void on_tcp(struct tcp_stream *s, int events)
{
    struct probe_action *p = CONTAINER_OF(s, struct probe_action, tcp);
    int r = tcp_stream_connected(s);

    (void)events;
    if (r == -EINPROGRESS)
        return;
    tcp_stream_want(s, 0);
    if (r < 0)
        end(p, 0, true, "dial tcp %.*s:%u: connect: %s", STR_ARG(p->o.plan->host), p->o.plan->port,
            r == -ECONNREFUSED ? "connection refused" : err_name(r));
    else
        end(p, 0, false, "connected");
}

static void start_tcp(struct probe_action *p)
{
    struct err err;
    int r = tcp_stream_connect(&p->tcp, p->o.loop, str_cstr(&p->arena, p->o.plan->host),
                               p->o.plan->port, on_tcp, &err);

    if (r < 0) {
        end(p, 0, true, "dial tcp %.*s:%u: %s", STR_ARG(p->o.plan->host), p->o.plan->port,
            err.text);
        return;
    }
    p->is_tcp_open = true;
    tcp_stream_want(&p->tcp, LOOP_WRITABLE);
}

static void start_none(struct probe_action *p)
{
    end(p, ERR_INVALID, false, "%.*s", STR_ARG(p->o.plan->path));
}

/* --- the whole --- */

static void on_deadline(struct loop_timer *t)
{
    struct probe_action *p = CONTAINER_OF(t, struct probe_action, deadline);
    const struct probe_plan *plan = p->o.plan;

    if (plan->kind == PROBE_ACTION_SLEEP)
        end(p, 0, false, "slept");
    else if (plan->kind == PROBE_ACTION_TCP)
        end(p, 0, true, "dial tcp %.*s:%u: i/o timeout", STR_ARG(plan->host), plan->port);
    else if (plan->kind == PROBE_ACTION_GRPC)
        end(p, 0, true, "timeout: health rpc did not complete within %llds",
            (long long)p->o.timeout_ms / 1000);
    else if (plan->kind == PROBE_ACTION_HTTP)
        end(p, 0, true,
            "Get \"%s://%.*s:%u%.*s\": context deadline exceeded (Client.Timeout exceeded while "
            "awaiting headers)",
            plan->is_https ? "https" : "http", STR_ARG(plan->host), plan->port,
            STR_ARG(plan->path));
    else
        end(p, 0, true, "command timed out");
}

struct probe_action *probe_action_start(const struct probe_action_options *o)
{
    static void (*const starts[])(struct probe_action * p) = {
        [PROBE_ACTION_EXEC] = start_exec, [PROBE_ACTION_HTTP] = start_http,
        [PROBE_ACTION_TCP] = start_tcp,   [PROBE_ACTION_GRPC] = start_grpc,
        [PROBE_ACTION_SLEEP] = NULL, /* the deadline is its end */
        [PROBE_ACTION_NONE] = start_none,
    };
    struct probe_action *p = NEW(struct probe_action);

    p->o = *o;
    if (o->plan_arena) {
        p->arena = *o->plan_arena;
        *o->plan_arena = (struct arena){ 0 };
    }
    p->tcp.fd = -1;
    p->o.container_id = str_dup(&p->arena, o->container_id);
    loop_task_init(&p->finish, on_finish);
    loop_timer_init(&p->deadline, o->loop, on_deadline);
    if (o->plan->kind == PROBE_ACTION_SLEEP)
        loop_timer_start(&p->deadline, o->plan->sleep_ms);
    else if (o->timeout_ms > 0 && o->plan->kind != PROBE_ACTION_EXEC)
        loop_timer_start(&p->deadline, o->timeout_ms);
    if (starts[o->plan->kind])
        starts[o->plan->kind](p);
    return p;
}

void probe_action_cancel(struct probe_action *a)
{
    if (a)
        free_action(a);
}
