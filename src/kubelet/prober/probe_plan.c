#include <string.h>

#include "api/core_v1.h"
#include "base/arena.h"
#include "base/err.h"
#include "kubelet/prober/probe_action.h"

static int find_port(const struct prober_target *t, const struct int_or_string *port, uint16_t *ret,
                     struct err *err)
{
    int64_t n = port->i;

    if (port->type == INT_OR_STRING_STRING && !str_to_i64(port->s, &n)) {
        const struct core_v1_container *c = t->container;

        for (uint32_t i = 0; i < c->ports.len; i++)
            if (str_eq(c->ports.items[i].name, port->s)) {
                *ret = (uint16_t)c->ports.items[i].container_port;
                return 0;
            }
        return err_set(err, ERR_INVALID, "couldn't find port: %.*s in container %.*s",
                       STR_ARG(port->s), STR_ARG(c->name));
    }
    if (n < 1 || n > 65535)
        return err_set(err, ERR_INVALID, "invalid port number: %lld", (long long)n);
    *ret = (uint16_t)n;
    return 0;
}

static struct str host_of(struct arena *a, const struct prober_target *t, struct str host)
{
    if (str_eq(host, STR("localhost")))
        return STR("127.0.0.1");
    return str_dup(a, host.len ? host : t->pod_ip);
}

static void plan_exec(struct arena *a, const struct core_v1_exec_action *e, struct probe_plan *ret)
{
    struct str *words = ARENA_NEW_ARRAY(a, struct str, e->command.len);

    for (uint32_t i = 0; i < e->command.len; i++)
        words[i] = str_dup(a, e->command.items[i]);
    ret->kind = PROBE_ACTION_EXEC;
    ret->command = (struct runtime_strs){ words, e->command.len };
}

static int plan_http(struct arena *a, const struct prober_target *t,
                     const struct core_v1_http_get_action *g, struct probe_plan *ret,
                     struct err *err)
{
    struct http_header *h = ARENA_NEW_ARRAY(a, struct http_header, g->http_headers.len + 2);
    bool has_agent = false, has_accept = false;
    size_t n = 0;

    for (uint32_t i = 0; i < g->http_headers.len; i++) {
        h[n++] = (struct http_header){ str_dup(a, g->http_headers.items[i].name),
                                       str_dup(a, g->http_headers.items[i].value) };
        has_agent |= str_eq_nocase(g->http_headers.items[i].name, STR("User-Agent"));
        has_accept |= str_eq_nocase(g->http_headers.items[i].name, STR("Accept"));
    }
    if (!has_agent)
        h[n++] = (struct http_header){ STR("User-Agent"), STR("kube-probe/1.36") };
    if (!has_accept)
        h[n++] = (struct http_header){ STR("Accept"), STR("*/*") };
    ret->kind = PROBE_ACTION_HTTP;
    ret->host = host_of(a, t, g->host);
    ret->is_https = str_eq_nocase(g->scheme, STR("HTTPS"));
    ret->path = g->path.len && g->path.p[0] == '/' ? str_dup(a, g->path)
                                                   : arena_printf(a, "/%.*s", STR_ARG(g->path));
    ret->headers = h;
    ret->n_headers = n;
    return find_port(t, &g->port, &ret->port, err);
}

static int plan_tcp(struct arena *a, const struct prober_target *t,
                    const struct core_v1_tcp_socket_action *s, struct probe_plan *ret,
                    struct err *err)
{
    ret->kind = PROBE_ACTION_TCP;
    ret->host = host_of(a, t, s->host);
    return find_port(t, &s->port, &ret->port, err);
}

int probe_plan_of_probe(struct arena *a, const struct prober_target *t,
                        const struct core_v1_probe_handler *h, struct probe_plan *ret,
                        struct err *err)
{
    *ret = (struct probe_plan){ 0 };
    if (h->exec) {
        plan_exec(a, h->exec, ret);
        return 0;
    }
    if (h->http_get)
        return plan_http(a, t, h->http_get, ret, err);
    if (h->tcp_socket)
        return plan_tcp(a, t, h->tcp_socket, ret, err);
    if (!h->grpc)
        return err_set(err, ERR_INVALID, "missing probe handler");
    ret->kind = PROBE_ACTION_GRPC;
    ret->host = str_dup(a, t->pod_ip);
    ret->port = (uint16_t)h->grpc->port;
    ret->service = str_dup(a, h->grpc->service);
    return 0;
}

int probe_plan_of_hook(struct arena *a, const struct prober_target *t,
                       const struct core_v1_lifecycle_handler *h, struct probe_plan *ret,
                       struct err *err)
{
    *ret = (struct probe_plan){ 0 };
    if (h->exec) {
        plan_exec(a, h->exec, ret);
        return 0;
    }
    if (h->http_get)
        return plan_http(a, t, h->http_get, ret, err);
    if (h->tcp_socket)
        return plan_tcp(a, t, h->tcp_socket, ret, err);
    if (!h->sleep)
        return err_set(err, ERR_INVALID, "invalid handler: it has no action");
    ret->kind = PROBE_ACTION_SLEEP;
    ret->sleep_ms = h->sleep->seconds * 1000;
    return 0;
}
