/* Each kind starts something that answers on the loop; whatever comes first, its answer or the
 * deadline, ends the action. The end is told from a task, so that nobody is called from within his
 * own call. */
#include "kubelet/prober/probe_action.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/time_text.h"
#include "http/http_client.h"
#include "kubelet/prober/probe_action_internal.h"
#include "runtime/runtime.h"

enum { EXEC_OUTPUT_MAX = 10 * 1024 };

static void stop(struct probe_action *p)
{
    loop_timer_stop(&p->deadline);
    loop_task_cancel(&p->finish);
    loop_task_cancel(&p->redirect);
    if (p->exec)
        p->o.runtime->ops->cancel(p->exec);
    p->exec = NULL;
    if (p->is_tcp_open)
        tcp_stream_close(&p->tcp);
    p->is_tcp_open = false;
}

static void free_action(struct probe_action *p)
{
    p->is_over = true; /* for what ends with its client */
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

void probe_action_end(struct probe_action *p, int code, enum probe_verdict verdict, const char *fmt,
                      ...)
{
    va_list ap;

    if (p->is_over)
        return;
    p->is_over = true;
    va_start(ap, fmt);
    p->result = (struct probe_action_result){ code, verdict == PROBE_NO, verdict == PROBE_WARNING,
                                              arena_vprintf(&p->arena, fmt, ap) };
    va_end(ap);
    loop_task_post(p->o.loop, &p->finish);
}

struct str probe_action_reason(struct arena *a, int code)
{
    struct str text = arena_printf(a, "%s", err_name(code));

    if (text.len && text.p[0] >= 'A' && text.p[0] <= 'Z')
        return arena_printf(a, "%c%s", text.p[0] + 32, text.p + 1);
    return text;
}

struct str probe_action_address(struct arena *a, struct str host, uint16_t port)
{
    return arena_printf(a, str_find(host, ':') >= 0 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(host), port);
}

/* --- exec --- */

/* "sh -c exit" */
static struct str command_text(struct probe_action *p)
{
    const struct runtime_strs *c = &p->o.plan->command;
    struct buf b;

    buf_init_arena(&b, &p->arena, 64);
    for (size_t i = 0; i < c->len; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", STR_ARG(c->items[i]));
    return buf_str(&b);
}

static void on_exec(const struct runtime_result *res, void *arg)
{
    struct probe_action *p = arg;
    struct buf took;

    p->exec = NULL;
    buf_init_arena(&took, &p->arena, 32);
    time_text_print_duration(&took, p->o.timeout_ms * 1000000);
    if (res->code == ERR_TIMEOUT)
        probe_action_end(p, 0, PROBE_NO, "command timed out: \"%.*s\" timed out after %.*s",
                         STR_ARG(command_text(p)), STR_ARG(buf_str(&took)));
    else if (res->code < 0)
        probe_action_end(p, res->code, PROBE_YES, "%s", res->err->text);
    else
        probe_action_end(p, 0, res->exit_code ? PROBE_NO : PROBE_YES, "%.*s", STR_ARG(res->output));
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

/* --- TCP --- */

static struct str address_of(struct probe_action *p)
{
    return probe_action_address(&p->arena, p->o.plan->host, p->o.plan->port);
}

static void end_tcp(struct probe_action *p, int code)
{
    if (code < 0)
        probe_action_end(p, 0, PROBE_NO, "dial tcp %.*s: connect: %.*s", STR_ARG(address_of(p)),
                         STR_ARG(probe_action_reason(&p->arena, code)));
    else
        probe_action_end(p, 0, PROBE_YES, "connected");
}

static void on_tcp(struct tcp_stream *s, int events)
{
    struct probe_action *p = CONTAINER_OF(s, struct probe_action, tcp);
    int r = tcp_stream_connected(s);

    (void)events;
    if (r == -EINPROGRESS)
        return;
    tcp_stream_want(s, 0);
    end_tcp(p, r);
}

static void start_tcp(struct probe_action *p)
{
    struct err err;
    int r = tcp_stream_connect(&p->tcp, p->o.loop, str_cstr(&p->arena, p->o.plan->address),
                               p->o.plan->port, on_tcp, &err);

    if (r < 0) {
        end_tcp(p, r);
        return;
    }
    p->is_tcp_open = true;
    tcp_stream_want(&p->tcp, LOOP_WRITABLE);
}

static void on_tcp_deadline(struct probe_action *p)
{
    probe_action_end(p, 0, PROBE_NO, "dial tcp %.*s: i/o timeout", STR_ARG(address_of(p)));
}

/* --- the whole --- */

static void start_nothing(struct probe_action *p)
{
    (void)p; /* its deadline is its end */
}

static void on_sleep_over(struct probe_action *p)
{
    if (p->o.timeout_ms > 0 && p->o.timeout_ms < p->o.plan->sleep_ms)
        probe_action_end(p, ERR_TIMEOUT, PROBE_NO,
                         "container terminated before sleep hook finished");
    else
        probe_action_end(p, 0, PROBE_YES, "slept");
}

static void start_none(struct probe_action *p)
{
    probe_action_end(p, ERR_INVALID, PROBE_NO, "%.*s", STR_ARG(p->o.plan->path));
}

static const struct {
    void (*start)(struct probe_action *p);
    void (*on_deadline)(struct probe_action *p); /* NULL: the runtime has it */
} kinds[] = {
    [PROBE_ACTION_EXEC] = { start_exec, NULL },
    [PROBE_ACTION_HTTP] = { probe_http_start, probe_http_on_deadline },
    [PROBE_ACTION_TCP] = { start_tcp, on_tcp_deadline },
    [PROBE_ACTION_GRPC] = { probe_grpc_start, probe_grpc_on_deadline },
    [PROBE_ACTION_SLEEP] = { start_nothing, on_sleep_over },
    [PROBE_ACTION_NONE] = { start_none, NULL },
};

static void on_deadline(struct loop_timer *t)
{
    struct probe_action *p = CONTAINER_OF(t, struct probe_action, deadline);

    kinds[p->o.plan->kind].on_deadline(p);
}

static int64_t deadline_ms(const struct probe_action_options *o)
{
    if (o->plan->kind != PROBE_ACTION_SLEEP)
        return o->timeout_ms;
    return o->timeout_ms > 0 ? MIN(o->timeout_ms, o->plan->sleep_ms) : o->plan->sleep_ms;
}

struct probe_action *probe_action_start(const struct probe_action_options *o)
{
    struct probe_action *p = NEW(struct probe_action);

    p->o = *o;
    if (o->plan_arena) {
        p->arena = *o->plan_arena;
        *o->plan_arena = (struct arena){ 0 };
    }
    p->tcp.fd = -1;
    p->o.container_id = str_dup(&p->arena, o->container_id);
    loop_task_init(&p->finish, on_finish);
    loop_task_init(&p->redirect, NULL);
    loop_timer_init(&p->deadline, o->loop, on_deadline);
    if (kinds[o->plan->kind].on_deadline &&
        (o->timeout_ms > 0 || o->plan->kind == PROBE_ACTION_SLEEP))
        loop_timer_start(&p->deadline, deadline_ms(o));
    kinds[o->plan->kind].start(p);
    return p;
}

void probe_action_cancel(struct probe_action *a)
{
    if (a)
        free_action(a);
}
