#include "client/leader_election.h"

#include <criterion/criterion.h>

#include "api/coordination_v1.h"
#include "api/meta_v1.h"
#include "api/object.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "client/kube_config.h"
#include "client/rest_client.h"
#include "http/http_server.h"
#include "io/loop.h"

/* A server of one Lease, with compare and set; time stands still but for turn_until(). */
static struct clock_fake now;
static struct loop *loop;
static struct http_server *server;
static struct rest_client *client;
static struct {
    char text[4096]; /* "" : there is none */
    int revision;
    bool is_away; /* every answer is 500 */
    int writes;
} lease;

static const struct resource *row(void)
{
    return resource_find(STR("coordination.k8s.io"), STR("v1"), STR("leases"));
}

static struct coordination_v1_lease *decode(struct arena *a, struct str json, struct object *ret)
{
    struct err err;

    cr_assert_eq(object_json_decode(a, &schema_builtin, row()->type, json, ret, NULL, &err), 0);
    return ret->data;
}

static void store(struct arena *a, struct object o)
{
    struct buf b;

    object_meta(o)->resource_version = arena_printf(a, "%d", ++lease.revision);
    buf_init_arena(&b, a, 512);
    object_json_encode(&b, o, NULL);
    (void)snprintf(lease.text, sizeof(lease.text), "%.*s", STR_ARG(buf_str(&b)));
}

static void answer(struct http_request *r, int code, const char *text)
{
    struct http_header type = { STR("content-type"), STR("application/json") };

    http_respond(r, code, &type, 1, str_from_cstr(text));
}

static void on_body(struct http_request *r, int result, struct str body, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    bool is_put = str_eq(http_request_method(r), STR("PUT"));
    struct object new, old;

    (void)arg;
    cr_assert_eq(result, 0);
    if (lease.is_away) {
        answer(r, 500, "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}");
        return;
    }
    lease.writes++;
    (void)decode(&a, body, &new);
    if (is_put != (lease.text[0] != 0)) {
        answer(r, 409, "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}");
        return;
    }
    if (is_put) {
        (void)decode(&a, str_from_cstr(lease.text), &old);
        if (!str_eq(object_meta(old)->resource_version, object_meta(new)->resource_version)) {
            answer(r, 409, "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}");
            return;
        }
    }
    store(&a, new);
    answer(r, is_put ? 200 : 201, lease.text);
}

static void on_request(struct http_request *r, void *arg)
{
    (void)arg;
    if (!str_eq(http_request_method(r), STR("GET")))
        http_request_read_body(r, 1 << 20, on_body, NULL);
    else if (lease.is_away)
        answer(r, 500, "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}");
    else if (!lease.text[0])
        answer(r, 404, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"reason\":\"NotFound\"}");
    else
        answer(r, 200, lease.text);
}

static void begin(void)
{
    struct kube_config config = { .host = STR("127.0.0.1") };
    struct err err;

    clock_fake_init(&now, 1700000000LL * 1000000000LL);
    loop = loop_new(&now.clock);
    cr_assert_eq(
        http_server_new(
            &(struct http_server_options){ .loops = &loop, .n_loops = 1, .on_request = on_request },
            &server, &err),
        0);
    cr_assert_eq(http_server_listen(server, "127.0.0.1", 0, &config.port, &err), 0);
    cr_assert_eq(rest_client_new(loop, &config, STR("test"), &client, &err), 0);
}

static void end(void)
{
    rest_client_free(client);
    http_server_stop(server, 0, NULL, NULL);
    for (int i = 0; i < 10; i++)
        loop_turn(loop);
    http_server_free(server);
    loop_free(loop);
}

struct candidate {
    struct leader_election *e;
    int started, stopped;
};
static void on_started(void *arg)
{
    ((struct candidate *)arg)->started++;
}
static void on_stopped(void *arg)
{
    ((struct candidate *)arg)->stopped++;
}

static void enter(struct candidate *c, const char *identity)
{
    c->e =
        leader_election_new(&(struct leader_election_options){ .loop = loop,
                                                               .client = client,
                                                               .namespace = STR("kube-system"),
                                                               .name = STR("it"),
                                                               .identity = str_from_cstr(identity),
                                                               .lease_ms = 1000,
                                                               .renew_ms = 300,
                                                               .retry_ms = 50,
                                                               .on_started = on_started,
                                                               .on_stopped = on_stopped,
                                                               .arg = c });
}

enum { STEP_MS = 10, TURNS_A_STEP = 50 /* enough for a request and its answer */ };

static bool turn_until(const int *n, int wanted, int64_t timeout_ms)
{
    for (int64_t ms = 0; *n < wanted && ms < timeout_ms; ms += STEP_MS) {
        clock_fake_advance(&now, STEP_MS * 1000000LL);
        for (int i = 0; i < TURNS_A_STEP; i++)
            loop_turn(loop);
    }
    return *n >= wanted;
}

static struct str holder(struct arena *a, int32_t *ret_transitions)
{
    struct object o;
    struct coordination_v1_lease *l = decode(a, str_from_cstr(lease.text), &o);

    if (ret_transitions)
        *ret_transitions = *l->spec.lease_transitions;
    return l->spec.holder_identity;
}

Test(leader_election, one_leads_and_renews_and_the_other_waits)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct candidate one = { 0 }, two = { 0 };

    begin();
    enter(&one, "one");
    cr_assert(turn_until(&one.started, 1, 5000));
    enter(&two, "two");
    cr_assert_not(turn_until(&two.started, 1, 1500), "a renewed lease does not run out");
    cr_expect_eq(one.stopped, 0);
    cr_expect_geq(lease.writes, 5);
    cr_expect(str_eq(holder(&a, NULL), STR("one")));
    leader_election_free(one.e); /* lets go: the other need not wait for its end */
    cr_assert(turn_until(&two.started, 1, 900));
    int32_t transitions;
    cr_expect(str_eq(holder(&a, &transitions), STR("two")));
    cr_expect_eq(transitions, 1);
    leader_election_free(two.e);
    end();
}

Test(leader_election, a_hold_that_is_not_renewed_runs_out)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct candidate one = { 0 };

    begin();
    (void)snprintf(lease.text, sizeof(lease.text),
                   "{\"kind\":\"Lease\",\"apiVersion\":\"coordination.k8s.io/v1\",\"metadata\":{"
                   "\"name\":\"it\",\"namespace\":\"kube-system\",\"resourceVersion\":\"7\"},"
                   "\"spec\":{\"holderIdentity\":\"gone\",\"leaseDurationSeconds\":1,"
                   "\"leaseTransitions\":4,\"renewTime\":\"2099-01-01T00:00:00.000000Z\"}}");
    enter(&one, "one");
    cr_assert_not(turn_until(&one.started, 1, 700), "not before its second has passed here");
    cr_assert(turn_until(&one.started, 1, 5000));
    int32_t transitions;
    cr_expect(str_eq(holder(&a, &transitions), STR("one")));
    cr_expect_eq(transitions, 5);
    leader_election_free(one.e);
    end();
}

Test(leader_election, a_leader_without_server_stops)
{
    struct candidate one = { 0 };

    begin();
    enter(&one, "one");
    cr_assert(turn_until(&one.started, 1, 5000));
    lease.is_away = true;
    cr_assert(turn_until(&one.stopped, 1, 5000));
    cr_expect_eq(one.stopped, 1);
    leader_election_free(one.e);
    end();
}
