#include "client/event_recorder.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "client/kube_config.h"
#include "client/rest_client.h"
#include "http/http_server.h"
#include "io/loop.h"

/* A server that takes everything and remembers it. */
static struct loop *loop;
static struct http_server *server;
static struct rest_client *client;
static struct event_recorder *recorder;
static struct clock_fake fake_wall;
static struct clock fake;
static struct {
    char method[8], path[128], body[2048];
} requests[64];
static size_t n_requests;
static int answer = 201;

static void on_body(struct http_request *r, int result, struct str body, void *arg)
{
    struct str method = http_request_method(r), path = http_request_path(r);

    (void)arg;
    cr_assert_eq(result, 0);
    cr_assert_lt(n_requests, 64);
    (void)snprintf(requests[n_requests].method, 8, "%.*s", STR_ARG(method));
    (void)snprintf(requests[n_requests].path, 128, "%.*s", STR_ARG(path));
    (void)snprintf(requests[n_requests].body, 2048, "%.*s", STR_ARG(body));
    n_requests++;
    http_respond(r, answer, NULL, 0, STR("{\"kind\":\"Event\",\"apiVersion\":\"v1\"}"));
}

static void on_request(struct http_request *r, void *arg)
{
    http_request_read_body(r, 1 << 20, on_body, arg);
}

/* The monotonic side runs, for the connection's timers; the wall stands. */
static int64_t real_mono(const struct clock *c)
{
    (void)c;
    return clock_system.mono_ns(&clock_system);
}
static int64_t fake_wall_ns(const struct clock *c)
{
    (void)c;
    return fake_wall.now_wall_ns;
}

static void begin(void)
{
    struct kube_config config = { .host = STR("127.0.0.1") };
    struct err err;
    uint16_t port;

    clock_fake_init(&fake_wall, 1700000000LL * 1000000000);
    fake = (struct clock){ .mono_ns = real_mono, .wall_ns = fake_wall_ns };
    loop = loop_new(&fake);
    cr_assert_eq(
        http_server_new(
            &(struct http_server_options){ .loops = &loop, .n_loops = 1, .on_request = on_request },
            &server, &err),
        0);
    cr_assert_eq(http_server_listen(server, "127.0.0.1", 0, &port, &err), 0);
    config.port = port;
    cr_assert_eq(rest_client_new(loop, &config, STR("test"), &client, &err), 0);
    recorder = event_recorder_new(&(struct event_recorder_options){
        .loop = loop, .client = client, .component = STR("kubelet"), .host = STR("node-1") });
}

static void end(void)
{
    event_recorder_free(recorder);
    rest_client_free(client);
    http_server_stop(server, 0, NULL, NULL);
    for (int i = 0; i < 10; i++)
        loop_turn(loop);
    http_server_free(server);
    loop_free(loop);
}

static void run_until(size_t n)
{
    for (int i = 0; i < 100000 && n_requests < n; i++)
        loop_turn(loop);
    for (int i = 0; i < 200; i++) /* nothing more comes */
        loop_turn(loop);
    cr_assert_eq(n_requests, n, "%zu requests", n_requests);
}

static struct event_reference web(const char *uid)
{
    return (struct event_reference){ .api_version = STR("v1"),
                                     .kind = STR("Pod"),
                                     .namespace = STR("shop"),
                                     .name = STR("web"),
                                     .uid = str_from_cstr(uid) };
}

static void say(struct event_reference about, const char *reason, const char *message)
{
    event_recorder_event(recorder, &about, "Warning", str_from_cstr(reason), "%s", message);
}

/* Requests of one turn arrive in any order. */
static size_t count_of(const char *text)
{
    size_t n = 0;

    for (size_t i = 0; i < n_requests; i++)
        n += strstr(requests[i].body, text) != NULL;
    return n;
}

Test(event_recorder, repetitions_count_up_on_one_event)
{
    begin();
    say(web("u1"), "BackOff", "again");
    run_until(1);
    cr_expect_str_eq(requests[0].method, "POST");
    cr_expect_str_eq(requests[0].path, "/api/v1/namespaces/shop/events");
    cr_expect(strstr(requests[0].body, "\"count\":1"));
    cr_expect(strstr(requests[0].body, "\"reportingComponent\":\"kubelet\""));
    cr_expect(
        strstr(requests[0].body, "\"source\":{\"component\":\"kubelet\",\"host\":\"node-1\"}"));
    fake_wall.now_wall_ns += 5LL * 1000000000;
    say(web("u1"), "BackOff", "again");
    say(web("u1"), "BackOff", "again");
    run_until(3); /* the third was noted while the second's request was under way */
    cr_expect_str_eq(requests[1].method, "PATCH");
    cr_expect(strstr(requests[2].body, "\"count\":3"), "%s", requests[2].body);
    cr_expect(strstr(requests[2].body, "\"lastTimestamp\":\"2023-11-14T22:13:25Z\""), "%s",
              requests[2].body);
    end();
}

Test(event_recorder, what_is_alike_is_put_together_after_ten)
{
    char text[32];

    begin();
    for (int i = 0; i < 12; i++) {
        (void)snprintf(text, sizeof(text), "attempt %d", i);
        say(web("u1"), "Failed", text);
    }
    run_until(11); /* the last two were one before it was their turn to be sent */
    cr_expect_eq(count_of("\"message\":\"attempt 9\""), 1);
    cr_expect_eq(count_of("(combined from similar events): attempt 11"), 1);
    cr_expect_eq(count_of("\"count\":2"), 1);
    end();
}

Test(event_recorder, one_object_has_a_budget_and_others_are_not_touched)
{
    begin();
    for (int i = 0; i < 40; i++) {
        say(web("u1"), "Unhealthy", "probe failed");
        run_until(i < 25 ? (size_t)i + 1 : 25);
    }
    say(web("u2"), "Unhealthy", "probe failed");
    run_until(26);
    fake_wall.now_wall_ns += 301LL * 1000000000;
    say(web("u1"), "Unhealthy", "probe failed");
    run_until(27);
    end();
}

Test(event_recorder, an_event_that_expired_is_made_anew)
{
    begin();
    say(web("u1"), "Pulled", "x");
    run_until(1);
    answer = 404;
    say(web("u1"), "Pulled", "x");
    for (int i = 0; i < 100000 && n_requests < 2; i++)
        loop_turn(loop);
    answer = 201;
    run_until(3);
    cr_expect_str_eq(requests[1].method, "PATCH");
    cr_expect_str_eq(requests[2].method, "POST");
    end();
}
