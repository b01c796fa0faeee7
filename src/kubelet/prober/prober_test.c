/* Probes against real sockets on loopback and a runtime that answers as it is told; the clock
 * stands still until a test moves it. */
#include "kubelet/prober/prober.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "api/core_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "client/api_object.h"
#include "codec/x509.h"
#include "http/http_server.h"
#include "io/loop.h"
#include "io/tcp.h"
#include "io/tls.h"
#include "kubelet/prober/probe_action.h"
#include "runtime/runtime.h"

static struct loop *loop;
static struct clock_fake fake;
static struct arena arena;
static struct prober *prober;
static struct http_server *server;
static struct tls_context *tls;
static uint16_t port, other_port;

/* --- the server --- */

static char requests[4096]; /* "GET /path agent host|" of each */
static struct http_request *waiting;
static int status;
static const char *location, *health;

static int pull_slowly(struct http_source *s, struct buf *out, size_t hint)
{
    (void)s;
    (void)out;
    (void)hint;
    return HTTP_SOURCE_WAIT;
}

static int pull_for_ever(struct http_source *s, struct buf *out, size_t hint)
{
    (void)s;
    memset(buf_reserve(out, hint), 'x', hint);
    out->len += hint;
    return HTTP_SOURCE_MORE;
}

static void on_done(struct http_source *s)
{
    (void)s;
}

static struct http_source slow = { pull_slowly, on_done }, flood = { pull_for_ever, on_done };

static void on_health(struct http_request *r, int result, struct str body, void *arg)
{
    static const struct http_header grpc = { STR_INIT("content-type"),
                                             STR_INIT("application/grpc") };
    struct http_header refused[] = { grpc,
                                     { STR_INIT("grpc-status"), STR_INIT("12") },
                                     { STR_INIT("grpc-message"), STR_INIT("unknown service") } };
    char *frame = arena_alloc(http_request_arena(r), 7, 1);
    bool is_mine = body.len == 12 && memcmp(body.p, "\0\0\0\0\7\x0a\5queue", 12) == 0;

    (void)arg;
    if (result != 0)
        return;
    if (strcmp(health, "none") == 0) {
        http_respond(r, 200, refused, 3, STR_NULL);
        return;
    }
    memcpy(frame, "\0\0\0\0\2\x08\1", 7);
    frame[6] = (char)(strcmp(health, "serving") == 0            ? 1
                      : strcmp(health, "queue") == 0 && is_mine ? 1
                                                                : 2);
    http_respond(r, 200, &grpc, 1, str_n(frame, 7));
}

static void on_request(struct http_request *r, void *arg)
{
    struct str path = http_request_path(r);
    size_t n = strlen(requests);

    (void)arg;
    (void)snprintf(requests + n, sizeof(requests) - n, "%.*s %.*s %.*s|", STR_ARG(path),
                   STR_ARG(http_request_header(r, STR("user-agent"))),
                   STR_ARG(http_request_header(r, STR("host"))));
    if (str_eq(path, STR("/grpc.health.v1.Health/Check"))) {
        http_request_read_body(r, 1024, on_health, NULL);
    } else if (str_eq(path, STR("/never"))) {
        http_request_ref(r);
        waiting = r;
    } else if (str_eq(path, STR("/slow"))) {
        http_respond_source(r, 200, NULL, 0, -1, &slow);
    } else if (str_eq(path, STR("/flood"))) {
        http_respond_source(r, 200, NULL, 0, -1, &flood);
    } else if (str_eq(path, STR("/go")) || str_eq(path, STR("/loop"))) {
        struct http_header h = { STR("location"), str_from_cstr(location) };

        http_respond(r, 302, &h, 1, STR("elsewhere"));
    } else {
        http_respond(r, status, NULL, 0, STR("body"));
    }
}

static uint16_t listen_on(const char *address, bool is_tls)
{
    static const struct str local = STR_INIT("127.0.0.1");
    struct x509_pair ca, pair;
    struct x509_request q = { .common_name = STR("web"),
                              .addresses = &local,
                              .n_addresses = 1,
                              .is_server = true,
                              .days = 1 };
    struct http_server_options o = { .loops = &loop, .n_loops = 1, .on_request = on_request };
    struct err err;
    uint16_t p;

    if (is_tls) {
        cr_assert_eq(x509_make_ca(&arena, STR("ca"), 1, &ca, &err), 0);
        cr_assert_eq(x509_make_signed(&arena, &ca, &q, &pair, &err), 0);
        cr_assert_eq(tls_context_new(&(struct tls_options){ .certificate_pem = pair.certificate,
                                                            .key_pem = pair.key },
                                     &tls, &err),
                     0, "%s", err.text);
        o.tls = tls;
    }
    cr_assert_eq(http_server_new(&o, &server, &err), 0, "%s", err.text);
    cr_assert_eq(http_server_listen(server, address, 0, &p, &err), 0, "%s", err.text);
    return p;
}

/* --- the runtime --- */

struct runtime_call {
    struct loop_task task;
    runtime_done_fn *done;
    void *arg;
};

static struct runtime rt;
static struct runtime_call calls[8];
static size_t n_calls, n_canceled;
static int exec_code, exec_exit;
static const char *exec_output;
static char exec_command[256];

static void on_exec_task(struct loop_task *t)
{
    struct runtime_call *c = CONTAINER_OF(t, struct runtime_call, task);
    struct err err = { exec_code, "no such container" };

    c->done(&(struct runtime_result){ .code = exec_code,
                                      .err = &err,
                                      .exit_code = exec_exit,
                                      .output = str_from_cstr(exec_output) },
            c->arg);
}

static struct runtime_call *exec_sync(struct runtime *r, struct str id,
                                      const struct runtime_exec_options *o, runtime_done_fn *done,
                                      void *arg)
{
    struct runtime_call *c = &calls[n_calls++ % ARRAY_LEN(calls)];

    (void)r;
    cr_expect(str_eq(id, STR("abc")));
    exec_command[0] = '\0';
    for (size_t i = 0; i < o->command.len; i++)
        (void)snprintf(exec_command + strlen(exec_command),
                       sizeof(exec_command) - strlen(exec_command), "%.*s|",
                       STR_ARG(o->command.items[i]));
    *c = (struct runtime_call){ .done = done, .arg = arg };
    loop_task_init(&c->task, on_exec_task);
    loop_task_post(loop, &c->task);
    return c;
}

static void cancel(struct runtime_call *c)
{
    loop_task_cancel(&c->task);
    n_canceled++;
}

static const struct runtime_ops ops = { .name = "fake", .exec_sync = exec_sync, .cancel = cancel };

/* --- fixture --- */

static char events[2048]; /* "reason: message|" */
static int n_results;
static bool must_remove;

static void on_result(struct str pod_uid, struct str id, enum probe_kind kind, bool is_ok,
                      void *arg)
{
    (void)pod_uid;
    (void)kind;
    (void)is_ok;
    (void)arg;
    n_results++;
    if (must_remove)
        prober_remove(prober, id);
}

static void on_event(struct str pod_uid, struct str id, const char *reason, struct str message,
                     void *arg)
{
    size_t n = strlen(events);

    (void)pod_uid;
    (void)id;
    (void)arg;
    (void)snprintf(events + n, sizeof(events) - n, "%s: %.*s|", reason, STR_ARG(message));
}

static void new_prober(void)
{
    prober = prober_new(&(struct prober_options){
        .loop = loop, .runtime = &rt, .on_result = on_result, .on_event = on_event });
}

static void begin(void)
{
    clock_fake_init(&fake, 1700000000LL * 1000000000);
    loop = loop_new(&fake.clock);
    rt.ops = &ops;
    status = 200;
    location = "";
    health = "serving";
    exec_output = "";
    new_prober();
}

static void turn(int n)
{
    for (int i = 0; i < n; i++)
        loop_turn(loop);
}

static void end(void)
{
    prober_free(prober);
    if (waiting)
        http_request_unref(waiting);
    if (server) {
        http_server_stop(server, 0, NULL, NULL);
        turn(20);
        http_server_free(server);
    }
    tls_context_free(tls);
    loop_free(loop);
    arena_done(&arena);
}

static void unref(void *o)
{
    api_object_unref(o);
}

/* members of the one container; %d is the server's port. */
static const struct core_v1_pod *pod_of(const char *container, const char *pod_status)
{
    struct str json = arena_printf(
        &arena,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"uid\":\"u\"},"
        "\"spec\":{\"containers\":[{\"name\":\"c\",\"ports\":[{\"name\":\"web\","
        "\"containerPort\":%d}],\"env\":[{\"name\":\"A\",\"value\":\"1\"}],%s}]},"
        "\"status\":{%s}}",
        port, container, pod_status);
    struct api_object *o;
    struct err err;

    cr_assert_geq(api_object_decode(resource_find(STR(""), STR("v1"), STR("pods")), json, &o, &err),
                  0, "%s", err.text);
    arena_defer(&arena, unref, o);
    return API_OBJECT(o, struct core_v1_pod);
}

static struct prober_target target_of(const struct core_v1_pod *pod)
{
    return (struct prober_target){ .pod_uid = STR("u"),
                                   .pod_ip = STR("127.0.0.1"),
                                   .container_id = STR("abc"),
                                   .started_at_ns = fake.now_wall_ns,
                                   .pod = pod,
                                   .container = &pod->spec.containers.items[0] };
}

static void add(const char *probes)
{
    struct prober_target t = target_of(pod_of(probes, ""));

    prober_add(prober, &t);
}

static void wait_ms(int64_t ms)
{
    clock_fake_advance(&fake, ms * 1000000);
    turn(3);
}

/* --- one action at a time --- */

static struct probe_action_result got;
static bool is_got;

static void on_action(const struct probe_action_result *r, void *arg)
{
    (void)arg;
    got = *r;
    got.output = str_dup(&arena, r->output);
    is_got = true;
}

/* What a probe's handler comes to: "ok", "no", "warning" or "error" and its words. */
static const char *probe(const char *handler)
{
    struct prober_target t =
        target_of(pod_of(arena_printf(&arena, "\"livenessProbe\":{%s}", handler).p, ""));
    struct tls_context *trusting = NULL;
    struct probe_plan plan;
    struct err err;

    is_got = false;
    if (probe_plan_of_probe(&arena, &t, &t.container->liveness_probe->handler, &plan, &err) < 0)
        return arena_printf(&arena, "plan: %s", err.text).p;
    cr_assert_eq(tls_context_new(&(struct tls_options){ .is_client = true, .trusts_all = true },
                                 &trusting, &err),
                 0);
    (void)probe_action_start(&(struct probe_action_options){ .loop = loop,
                                                             .runtime = &rt,
                                                             .tls = trusting,
                                                             .container_id = STR("abc"),
                                                             .plan = &plan,
                                                             .timeout_ms = 1000,
                                                             .done = on_action });
    for (int i = 0; i < 20000 && !is_got; i++) {
        loop_turn(loop);
        if (i == 10000)
            clock_fake_advance(&fake, 1000000000);
    }
    cr_assert(is_got);
    tls_context_free(trusting);
    return arena_printf(&arena, "%s: %.*s",
                        got.code < 0     ? "error"
                        : got.is_failure ? "no"
                        : got.is_warning ? "warning"
                                         : "ok",
                        STR_ARG(got.output))
        .p;
}

/* With "PORT", "CLOSED" and "HOST" put in. */
static const char *filled(const char *text)
{
    struct str rest = str_from_cstr(text);
    struct buf b;

    buf_init_arena(&b, &arena, 256);
    while (rest.len) {
        if (str_has_prefix(rest, STR("PORT"))) {
            buf_printf(&b, "%u", port);
            rest = str_tail(rest, 4);
        } else if (str_has_prefix(rest, STR("CLOSED"))) {
            buf_printf(&b, "%u", other_port);
            rest = str_tail(rest, 6);
        } else {
            buf_append_char(&b, rest.p[0]);
            rest = str_tail(rest, 1);
        }
    }
    return buf_cstr(&b);
}

static void no_accept(int fd, const char *peer, void *arg)
{
    (void)peer;
    (void)arg;
    (void)close(fd);
}

/* A port where nobody listens. */
static uint16_t closed_port(void)
{
    struct tcp_listener *l;
    struct err err;
    uint16_t p;

    cr_assert_eq(tcp_listen(loop, "127.0.0.1", 0, no_accept, NULL, &l, &p, &err), 0);
    tcp_listener_free(l);
    return p;
}

#define GET(path)         "\"httpGet\":{\"port\":PORT,\"path\":\"" path "\"}"
#define GET_WITH(p, more) "\"httpGet\":{\"port\":PORT,\"path\":\"" p "\"," more "}"

TestSuite(prober, .init = begin, .fini = end);

Test(prober, asks_by_http)
{
    static const struct {
        const char *handler;
        int status;
        const char *result, *seen;
    } cases[] = {
        { GET("/a"), 200, "ok: body", "/a kube-probe/1.36 127.0.0.1:PORT|" },
        { GET("b"), 204, "ok: ", "/b kube-probe/1.36 127.0.0.1:PORT|" },
        { GET("/a"), 400, "no: HTTP probe failed with statuscode: 400", NULL },
        { GET("/a"), 500, "no: HTTP probe failed with statuscode: 500", NULL },
        { GET("/a"), 304, "warning: Probe terminated redirects, Response body: ", NULL },
        { GET("/a"), 301, "warning: Probe terminated redirects, Response body: body", NULL },
        { "\"httpGet\":{\"port\":\"web\",\"path\":\"/\"}", 200, "ok: body", NULL },
        { "\"httpGet\":{\"port\":\"PORT\",\"path\":\"/\"}", 200, "ok: body", NULL },
        { "\"httpGet\":{\"port\":\"gone\",\"path\":\"/\"}", 200,
          "plan: couldn't find port: gone in container c", NULL },
        { "\"httpGet\":{\"port\":70000}", 200, "plan: invalid port number: 70000", NULL },
        { GET_WITH("/", "\"host\":\"example.com\""), 200,
          "plan: host \"example.com\" is not an IP address", NULL },
        { GET_WITH("/", "\"host\":\"localhost\""), 200, "ok: body",
          "/ kube-probe/1.36 localhost:PORT|" },
        { GET_WITH("/", "\"httpHeaders\":[{\"name\":\"host\",\"value\":\"shop\"},{\"name\":"
                        "\"User-Agent\",\"value\":\"me\"}]"),
          200, "ok: body", "/ me shop|" },
        { GET("/never"), 200,
          "no: Get \"http://127.0.0.1:PORT/never\": context deadline exceeded (Client.Timeout "
          "exceeded while awaiting headers)",
          NULL },
        { GET("/slow"), 200,
          "error: context deadline exceeded (Client.Timeout or context cancellation while reading "
          "body)",
          NULL },
        { "\"httpGet\":{\"port\":CLOSED,\"path\":\"/x\"}", 200,
          "no: Get \"http://127.0.0.1:CLOSED/x\": dial tcp 127.0.0.1:CLOSED: connect: connection "
          "refused",
          NULL },
        { "\"httpGet\":{\"port\":CLOSED,\"path\":\"/x\",\"host\":\"::1\"}", 200,
          "no: Get \"http://[::1]:CLOSED/x\": dial tcp [::1]:CLOSED: connect: connection refused",
          NULL },
        { "\"exec\":null", 200, "plan: missing probe handler", NULL },
    };

    port = listen_on("127.0.0.1", false);
    other_port = closed_port();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        status = cases[i].status;
        requests[0] = '\0';
        cr_expect_str_eq(probe(filled(cases[i].handler)), filled(cases[i].result), "case %zu", i);
        if (cases[i].seen)
            cr_expect_str_eq(requests, filled(cases[i].seen), "case %zu", i);
        if (waiting)
            http_request_unref(TAKE(waiting));
    }
    cr_expect(str_has_prefix(str_from_cstr(probe(filled(GET("/flood")))), STR("ok: xxx")));
    cr_expect_eq(got.output.len, 10 * 1024);
}

Test(prober, follows_redirects_on_its_host_alone)
{
    static const struct {
        const char *location, *result, *paths;
    } cases[] = {
        { "/there", "ok: body", "/go /there " },
        { "there?a=b#c", "ok: body", "/go /there " },
        { "../x/./y", "ok: body", "/go /x/y " },
        { "http://127.0.0.1:PORT/abs", "ok: body", "/go /abs " },
        { "//127.0.0.1:PORT", "ok: body", "/go / " },
        { "http://127.0.0.2:PORT/", "warning: Probe terminated redirects, Response body: elsewhere",
          "/go " },
        { "http://user@169.254.169.254/latest",
          "warning: Probe terminated redirects, Response body: elsewhere", "/go " },
        { "http://127.0.0.1@10.0.0.1/",
          "warning: Probe terminated redirects, Response body: elsewhere", "/go " },
        { "http://127.0.0.1:CLOSED/x",
          "no: Get \"http://127.0.0.1:CLOSED/x\": dial tcp 127.0.0.1:CLOSED: connect: connection "
          "refused",
          "/go " },
        { "ftp://127.0.0.1/",
          "no: Get \"http://127.0.0.1:PORT/go\": failed to follow Location header "
          "\"ftp://127.0.0.1/\"",
          "/go " },
        { "/loop", "no: Get \"http://127.0.0.1:PORT/loop\": stopped after 10 redirects",
          "/go /loop /loop /loop /loop /loop /loop /loop /loop /loop " },
    };

    port = listen_on("127.0.0.1", false);
    other_port = closed_port();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str rest, part;
        struct buf b;

        location = filled(cases[i].location);
        requests[0] = '\0';
        cr_expect_str_eq(probe(filled(GET("/go"))), filled(cases[i].result), "case %zu", i);
        buf_init_arena(&b, &arena, 256);
        rest = str_from_cstr(requests);
        while (str_next(&rest, '|', &part))
            if (part.len)
                buf_printf(&b, "%.*s ", (int)str_find(part, ' '), part.p);
        cr_expect_str_eq(buf_cstr(&b), cases[i].paths, "case %zu", i);
    }
}

Test(prober, asks_by_https_without_verifying)
{
    port = listen_on("127.0.0.1", true);
    cr_expect_str_eq(probe(filled(GET_WITH("/a", "\"scheme\":\"HTTPS\""))), "ok: body");
    status = 503;
    cr_expect_str_eq(probe(filled(GET_WITH("/a", "\"scheme\":\"HTTPS\""))),
                     "no: HTTP probe failed with statuscode: 503");
}

Test(prober, connects_by_tcp)
{
    port = listen_on("127.0.0.1", false);
    other_port = closed_port();
    cr_expect_str_eq(probe(filled("\"tcpSocket\":{\"port\":PORT}")), "ok: connected");
    cr_expect_str_eq(probe(filled("\"tcpSocket\":{\"port\":CLOSED}")),
                     filled("no: dial tcp 127.0.0.1:CLOSED: connect: connection refused"));
    cr_expect_str_eq(
        probe(filled("\"tcpSocket\":{\"port\":CLOSED,\"host\":\"255.255.255.255\"}")),
        filled("no: dial tcp 255.255.255.255:CLOSED: connect: network is unreachable"));
}

Test(prober, checks_grpc_health)
{
    static const struct {
        const char *health, *handler, *result;
    } cases[] = {
        { "serving", "\"grpc\":{\"port\":PORT}", "ok: service healthy" },
        { "queue", "\"grpc\":{\"port\":PORT,\"service\":\"queue\"}", "ok: service healthy" },
        { "queue", "\"grpc\":{\"port\":PORT,\"service\":\"other\"}",
          "no: service unhealthy (responded with \"NOT_SERVING\")" },
        { "none", "\"grpc\":{\"port\":PORT}",
          "no: error: this server does not implement the grpc health protocol "
          "(grpc.health.v1.Health): unknown service" },
        { "serving", "\"grpc\":{\"port\":CLOSED}",
          "no: timeout: failed to connect service \"127.0.0.1:CLOSED\" within 1s: context deadline "
          "exceeded" },
    };

    port = listen_on("127.0.0.1", false);
    other_port = closed_port();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        health = cases[i].health;
        cr_expect_str_eq(probe(filled(cases[i].handler)), filled(cases[i].result), "case %zu", i);
    }
}

#define EXEC "\"exec\":{\"command\":[\"test\",\"$(A)\",\"$(B)\"]}"

Test(prober, runs_commands)
{
    cr_expect_str_eq(probe(EXEC), "ok: ");
    cr_expect_str_eq(exec_command, "test|1|$(B)|");
    exec_exit = 1;
    exec_output = "not there\n";
    cr_expect_str_eq(probe(EXEC), "no: not there\n");
    exec_code = ERR_TIMEOUT;
    cr_expect_str_eq(probe(EXEC), "no: command timed out: \"test 1 $(B)\" timed out after 1s");
    exec_code = ERR_NOT_FOUND;
    cr_expect_str_eq(probe(EXEC), "error: no such container");
}

/* --- through time --- */

Test(prober, is_ready_without_probes)
{
    add("\"image\":\"i\"");
    cr_expect(prober_is_ready(prober, STR("abc")));
    cr_expect(prober_is_started(prober, STR("abc")));
    cr_expect(!prober_is_failed(prober, STR("abc")));
}

Test(prober, counts_to_its_thresholds)
{
    clock_fake_advance(&fake, 3600LL * 1000000000); /* the kubelet is old */
    add("\"readinessProbe\":{" EXEC ",\"periodSeconds\":5,\"initialDelaySeconds\":3,"
        "\"successThreshold\":2,\"failureThreshold\":2}");
    turn(3);
    cr_expect_eq(n_calls, 0, "the delay");
    wait_ms(2999);
    cr_expect_eq(n_calls, 0);
    wait_ms(1);
    cr_expect_eq(n_calls, 1);
    cr_expect(!prober_is_ready(prober, STR("abc")), "one of two");
    wait_ms(4999);
    cr_expect_eq(n_calls, 1);
    wait_ms(1);
    cr_expect(prober_is_ready(prober, STR("abc")));
    cr_expect_eq(n_results, 1);
    exec_exit = 1;
    exec_output = "down";
    wait_ms(5000);
    cr_expect(prober_is_ready(prober, STR("abc")));
    wait_ms(5000);
    cr_expect(!prober_is_ready(prober, STR("abc")));
    cr_expect_eq(n_results, 2);
    cr_expect_str_eq(events, "Unhealthy: Readiness probe failed: down|"
                             "Unhealthy: Readiness probe failed: down|");
}

Test(prober, kills_by_liveness_once)
{
    clock_fake_advance(&fake, 3600LL * 1000000000);
    add("\"livenessProbe\":{" EXEC ",\"periodSeconds\":1,\"failureThreshold\":3}");
    exec_exit = 1;
    exec_output = "x";
    turn(3);
    cr_expect_eq(n_calls, 0, "it begins with a period");
    wait_ms(1000);
    wait_ms(1000);
    cr_expect(!prober_is_failed(prober, STR("abc")));
    /* What could not be had does not count, is tried three times, and told of once. */
    exec_code = ERR_NOT_FOUND;
    wait_ms(1000);
    turn(9);
    cr_expect_eq(n_calls, 5);
    exec_code = 0;
    wait_ms(1000);
    cr_expect(prober_is_failed(prober, STR("abc")));
    cr_expect_eq(n_results, 1);
    wait_ms(5000);
    cr_expect_eq(n_calls, 6, "no more probes after the verdict");
    cr_expect_str_eq(events,
                     "Unhealthy: Liveness probe failed: x|Unhealthy: Liveness probe failed: x|"
                     "Unhealthy: Liveness probe errored and resulted in unknown state: no such "
                     "container|Unhealthy: Liveness probe failed: x|");
}

Test(prober, waits_for_startup)
{
    clock_fake_advance(&fake, 3600LL * 1000000000);
    add("\"startupProbe\":{" EXEC ",\"periodSeconds\":2,\"failureThreshold\":5},"
        "\"readinessProbe\":{\"exec\":{\"command\":[\"ready\"]},\"periodSeconds\":60}");
    exec_exit = 1;
    turn(3);
    cr_expect_eq(n_calls, 1);
    cr_expect(!prober_is_started(prober, STR("abc")));
    cr_expect(!prober_is_ready(prober, STR("abc")));
    exec_exit = 0;
    wait_ms(2000);
    turn(4);
    cr_expect(prober_is_started(prober, STR("abc")));
    cr_expect_str_eq(exec_command, "ready|", "readiness is asked at once");
    cr_expect(prober_is_ready(prober, STR("abc")));
    cr_expect_eq(n_calls, 3);
    wait_ms(2000);
    cr_expect_eq(n_calls, 3, "startup is over");
}

Test(prober, gives_up_a_startup)
{
    clock_fake_advance(&fake, 3600LL * 1000000000);
    add("\"startupProbe\":{" EXEC ",\"periodSeconds\":2,\"failureThreshold\":2}");
    exec_exit = 1;
    turn(3);
    cr_expect_eq(n_calls, 1, "asked at once, which does not count");
    wait_ms(2000);
    cr_expect(!prober_is_failed(prober, STR("abc")));
    wait_ms(2000);
    cr_expect(prober_is_failed(prober, STR("abc")));
    cr_expect(!prober_is_started(prober, STR("abc")));
}

Test(prober, keeps_the_state_of_containers_it_finds)
{
    struct prober_target t;

    prober_free(prober);
    clock_fake_advance(&fake, 3600LL * 1000000000);
    new_prober();
    t = target_of(pod_of("\"startupProbe\":{" EXEC "},\"readinessProbe\":{" EXEC
                         ",\"periodSeconds\":10}",
                         "\"containerStatuses\":[{\"name\":\"c\",\"ready\":true,\"started\":true,"
                         "\"restartCount\":0,\"image\":\"i\",\"imageID\":\"\","
                         "\"containerID\":\"pintle://abc\"}]"));
    t.started_at_ns -= 60LL * 1000000000;
    prober_add(prober, &t);
    cr_expect(prober_is_started(prober, STR("abc")));
    cr_expect(prober_is_ready(prober, STR("abc")));
    wait_ms(10000); /* within its period */
    cr_expect_eq(n_calls, 1);
    cr_expect(prober_is_ready(prober, STR("abc")));
}

Test(prober, may_be_removed_at_any_time)
{
    clock_fake_advance(&fake, 3600LL * 1000000000);
    must_remove = true;
    add("\"readinessProbe\":{" EXEC "}");
    turn(3);
    cr_expect_eq(n_results, 1, "removed by its own callback");
    must_remove = false;
    add("\"readinessProbe\":{" EXEC "},\"livenessProbe\":{" EXEC "}");
    clock_fake_advance(&fake, 1);
    loop_turn(loop); /* may have begun */
    prober_stop_liveness(prober, STR("abc"));
    prober_remove(prober, STR("abc"));
    prober_remove(prober, STR("abc"));
    wait_ms(20000);
}

/* --- hooks --- */

static const char *hook(const char *handler, int64_t timeout_ms)
{
    struct prober_target t =
        target_of(pod_of(arena_printf(&arena, "\"lifecycle\":{\"preStop\":{%s}}", handler).p, ""));

    is_got = false;
    (void)prober_run_handler(prober, &t, t.container->lifecycle->pre_stop, timeout_ms, on_action,
                             NULL);
    for (int i = 0; i < 20000 && !is_got; i++) {
        loop_turn(loop);
        if (i == 10000)
            clock_fake_advance(&fake, 5LL * 1000000000);
    }
    cr_assert(is_got);
    return arena_printf(&arena, "%s: %.*s",
                        got.code < 0     ? "error"
                        : got.is_failure ? "no"
                                         : "ok",
                        STR_ARG(got.output))
        .p;
}

Test(prober, runs_hooks)
{
    port = listen_on("127.0.0.1", false);
    cr_expect_str_eq(hook("\"sleep\":{\"seconds\":5}", 0), "ok: slept");
    cr_expect_str_eq(hook("\"sleep\":{\"seconds\":50}", 5000),
                     "error: container terminated before sleep hook finished");
    cr_expect_str_eq(hook(EXEC, 0), "ok: ");
    cr_expect_str_eq(exec_command, "test|$(A)|$(B)|");
    status = 500;
    cr_expect_str_eq(hook(filled(GET("/bye")), 0), "ok: 500", "it was asked: that is all");
    cr_expect_str_eq(requests, filled("/bye kube-lifecycle/1.36 127.0.0.1:PORT|"));
    cr_expect_str_eq(hook(filled("\"tcpSocket\":{\"port\":PORT}"), 0), "ok: connected");
    cr_expect_str_eq(hook("\"exec\":null", 0), "error: invalid handler: it has no action");
}

Test(prober, cancels_actions_under_way)
{
    struct prober_target t;
    struct probe_action *a;

    port = listen_on("127.0.0.1", false);
    t = target_of(pod_of(filled("\"lifecycle\":{\"preStop\":{" GET("/never") "}}"), ""));
    is_got = false;
    a = prober_run_handler(prober, &t, t.container->lifecycle->pre_stop, 0, on_action, NULL);
    for (int i = 0; i < 20000 && !waiting; i++)
        loop_turn(loop);
    cr_assert_not_null(waiting);
    probe_action_cancel(a);
    turn(20);
    cr_expect(!is_got);
}
