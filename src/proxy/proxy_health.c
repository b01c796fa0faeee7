#include "proxy/proxy_health.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/time_text.h"
#include "http/status_server.h"
#include "io/loop.h"
#include "proxy/proxy_metrics.h"

struct proxy_health {
    struct proxy_health_options o;
    struct status_server *healthz, *metrics;
    struct map services; /* "namespace/name" -> struct check */
    int64_t queued_ms;   /* since when something waits; 0: nothing does */
    int64_t updated_wall_ns;
    bool is_eligible;
};

/* A healthCheckNodePort. */
struct check {
    struct proxy_health *health;
    struct status_server *server; /* NULL: somebody else has the port */
    char *namespace, *name;
    uint16_t port;
    size_t local_endpoints;
};

/* --- is it well --- */

static bool is_late(const struct proxy_health *h)
{
    return h->queued_ms && loop_now_ms(h->o.loop) - h->queued_ms > PROXY_HEALTH_LATE_MS;
}

void proxy_health_queued(struct proxy_health *h)
{
    if (!h->queued_ms)
        h->queued_ms = MAX(loop_now_ms(h->o.loop), (int64_t)1);
}

void proxy_health_updated(struct proxy_health *h)
{
    h->queued_ms = 0;
    h->updated_wall_ns = loop_clock(h->o.loop)->wall_ns(loop_clock(h->o.loop));
}

void proxy_health_eligible(struct proxy_health *h, bool is_eligible)
{
    h->is_eligible = is_eligible;
}

static void print_time(struct buf *b, int64_t wall_ns)
{
    if (wall_ns)
        time_text_print_micro(b, wall_ns / 1000000000, (int32_t)(wall_ns % 1000000000));
}

static int serve_check(struct proxy_health *h, struct status_answer *ret, enum proxy_check which,
                       bool is_well)
{
    const struct clock *c = loop_clock(h->o.loop);
    int status = is_well ? 200 : 503;

    ret->type = STR("application/json");
    ret->more[ret->n_more++] =
        (struct http_header){ STR("x-content-type-options"), STR("nosniff") };
    buf_append_lit(ret->body, "{\"lastUpdated\": \"");
    print_time(ret->body, h->updated_wall_ns);
    buf_append_lit(ret->body, "\",\"currentTime\": \"");
    print_time(ret->body, c->wall_ns(c));
    buf_append_char(ret->body, '"');
    if (which == PROXY_HEALTHZ)
        buf_printf(ret->body, ", \"nodeEligible\": %s", h->is_eligible ? "true" : "false");
    buf_append_char(ret->body, '}');
    proxy_metrics_checked(h->o.metrics, which, status);
    return status;
}

/* Of a node: load balancers of clusters without Local policies ask it. Of the proxy: whether to
 * start it anew. */
static int serve_healthz(struct status_answer *ret, void *arg)
{
    struct proxy_health *h = arg;

    return serve_check(h, ret, PROXY_HEALTHZ, !is_late(h) && h->is_eligible);
}

static int serve_livez(struct status_answer *ret, void *arg)
{
    struct proxy_health *h = arg;

    return serve_check(h, ret, PROXY_LIVEZ, !is_late(h));
}

static int serve_ok(struct status_answer *ret, void *arg)
{
    (void)arg;
    buf_append_lit(ret->body, "ok");
    return 200;
}

static int serve_mode(struct status_answer *ret, void *arg)
{
    (void)arg;
    buf_append_lit(ret->body, "nftables");
    return 200;
}

static int serve_metrics(struct status_answer *ret, void *arg)
{
    const struct proxy_health *h = arg;

    ret->type = STR("text/plain; version=0.0.4; charset=utf-8");
    h->o.print_metrics(ret->body, h->o.arg);
    return 200;
}

static const struct status_route health_routes[] = { { "/healthz", serve_healthz },
                                                     { "/livez", serve_livez },
                                                     { 0 } };
static const struct status_route metrics_routes[] = {
    { "/metrics", serve_metrics }, { "/healthz", serve_ok }, { "/proxyMode", serve_mode }, { 0 }
};

/* --- healthCheckNodePort --- */

static int serve_service(struct status_answer *ret, void *arg)
{
    const struct check *c = arg;
    bool is_well = !is_late(c->health);

    ret->type = STR("application/json");
    ret->more[0] = (struct http_header){ STR("x-content-type-options"), STR("nosniff") };
    ret->more[1] = (struct http_header){ STR("x-load-balancing-endpoint-weight"),
                                         arena_printf(ret->arena, "%zu", c->local_endpoints) };
    ret->n_more = 2;
    buf_printf(ret->body,
               "{\n\t\"service\": {\n\t\t\"namespace\": \"%s\",\n\t\t\"name\": \"%s\"\n\t},\n"
               "\t\"localEndpoints\": %zu,\n\t\"serviceProxyHealthy\": %s\n}",
               c->namespace, c->name, c->local_endpoints, is_well ? "true" : "false");
    return c->local_endpoints && is_well ? 200 : 503;
}

static const struct status_route service_routes[] = { { "*", serve_service }, { 0 } };

static void check_free(struct check *c)
{
    status_server_free(c->server);
    mem_free(c->namespace);
    mem_free(c->name);
    mem_free(c);
}

static struct check *check_new(struct proxy_health *h, struct str namespace, struct str name,
                               uint16_t port)
{
    struct check *c = NEW(struct check);
    struct err err;

    c->health = h;
    c->namespace = str_heap_cstr(namespace);
    c->name = str_heap_cstr(name);
    c->port = port;
    if (status_server_new(h->o.loop, "0.0.0.0", port, service_routes, c, &c->server, &err) >= 0)
        (void)status_server_listen(c->server, "::", port, &err); /* not where there is no IPv6 */
    else
        LOG_WARNING("a Service's health cannot be asked for", KV("service", name),
                    KV("namespace", namespace), KV("err", str_from_cstr(err.text)));
    return c;
}

void proxy_health_service(struct proxy_health *h, struct str namespace, struct str name,
                          uint16_t port, size_t local_endpoints)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str key = arena_printf(&a, "%.*s/%.*s", STR_ARG(namespace), STR_ARG(name));
    struct check *c = map_get(&h->services, key);

    if (c && c->port != port) {
        (void)map_remove(&h->services, key);
        check_free(c);
        c = NULL;
    }
    if (!port)
        return;
    if (!c) {
        c = check_new(h, namespace, name, port);
        (void)map_put(&h->services, key, c);
    }
    c->local_endpoints = local_endpoints;
}

/* --- life --- */

static int open_at(const struct proxy_health *h, const char *at, const struct status_route *routes,
                   struct status_server **ret, struct err *err)
{
    struct str text = str_from_cstr(at), host, port;
    ptrdiff_t colon = str_rfind(text, ':');
    struct arena a = { 0 };
    uint64_t n;
    int r;

    if (!at || !*at)
        return 0;
    if (colon < 0 || !str_to_u64(str_tail(text, (size_t)colon + 1), &n) || n > 65535)
        return err_set(err, ERR_INVALID, "'%s' is not an address with a port", at);
    host = str_sub(text, 0, (size_t)colon);
    if (str_has_prefix(host, STR("[")) && str_has_suffix(host, STR("]")))
        host = str_sub(host, 1, host.len - 1);
    port = str_tail(text, (size_t)colon + 1);
    r = n ? status_server_new(h->o.loop, str_cstr(&a, host), (uint16_t)n, routes,
                              (void *)(uintptr_t)h, ret, err)
          : 0;
    arena_done(&a);
    if (r < 0)
        LOG_WARNING("a port of ours cannot be had", KV("port", port),
                    KV("err", str_from_cstr(err->text)));
    return 0;
}

int proxy_health_new(const struct proxy_health_options *o, struct proxy_health **ret,
                     struct err *err)
{
    struct proxy_health *h = NEW(struct proxy_health);
    int r;

    h->o = *o;
    h->is_eligible = true;
    r = open_at(h, o->healthz, health_routes, &h->healthz, err);
    if (r >= 0)
        r = open_at(h, o->metrics_at, metrics_routes, &h->metrics, err);
    if (r < 0) {
        proxy_health_free(h);
        return r;
    }
    *ret = h;
    return 0;
}

void proxy_health_free(struct proxy_health *h)
{
    if (!h)
        return;
    MAP_FOREACH(it, &h->services)
        check_free(it->value);
    map_done(&h->services);
    status_server_free(h->healthz);
    status_server_free(h->metrics);
    mem_free(h);
}
