#include <arpa/inet.h>
#include <netinet/in.h>

#include "api/core_v1.h"
#include "base/arena.h"
#include "base/err.h"
#include "kubelet/pod_env.h"
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

/* Names other than localhost are not looked up: a probe asks its own Pod. */
static int set_host(struct arena *a, const struct prober_target *t, struct str host,
                    struct probe_plan *ret, struct err *err)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    ret->host = str_dup(a, host.len ? host : t->pod_ip);
    ret->address = str_eq(ret->host, STR("localhost")) ? STR("127.0.0.1") : ret->host;
    if (inet_pton(AF_INET, str_cstr(a, ret->address), bytes) == 1 ||
        inet_pton(AF_INET6, str_cstr(a, ret->address), bytes) == 1)
        return 0;
    return err_set(err, ERR_INVALID, "host \"%.*s\" is not an IP address", STR_ARG(ret->host));
}

/* env: NULL: $(NAME) stays. */
static void plan_exec(struct arena *a, const struct core_v1_exec_action *e,
                      const struct runtime_map *env, struct probe_plan *ret)
{
    struct str *words = ARENA_NEW_ARRAY(a, struct str, e->command.len);

    for (uint32_t i = 0; i < e->command.len; i++)
        words[i] =
            str_dup(a, env ? pod_env_expand(a, e->command.items[i], env) : e->command.items[i]);
    ret->kind = PROBE_ACTION_EXEC;
    ret->command = (struct runtime_strs){ words, e->command.len };
}

/* The values that stand in the spec; those from elsewhere are empty, as upstream has it. */
static struct runtime_map static_env(struct arena *a, const struct core_v1_container *c)
{
    struct runtime_key_value *items = ARENA_NEW_ARRAY(a, struct runtime_key_value, c->env.len);

    for (uint32_t i = 0; i < c->env.len; i++)
        items[i] = (struct runtime_key_value){ c->env.items[i].name, c->env.items[i].value };
    return (struct runtime_map){ items, c->env.len };
}

static int plan_http(struct arena *a, const struct prober_target *t,
                     const struct core_v1_http_get_action *g, struct str agent,
                     struct probe_plan *ret, struct err *err)
{
    struct http_header *h = ARENA_NEW_ARRAY(a, struct http_header, g->http_headers.len + 2);
    bool has_agent = false, has_accept = false;
    size_t n = 0;

    for (uint32_t i = 0; i < g->http_headers.len; i++) {
        const struct core_v1_http_header *own = &g->http_headers.items[i];
        bool is_accept = str_eq_nocase(own->name, STR("Accept"));

        has_agent |= str_eq_nocase(own->name, STR("User-Agent"));
        has_accept |= is_accept;
        if (!is_accept || own->value.len) /* an empty one means none at all */
            h[n++] = (struct http_header){ str_dup(a, own->name), str_dup(a, own->value) };
    }
    if (!has_agent)
        h[n++] = (struct http_header){ STR("User-Agent"), agent };
    if (!has_accept)
        h[n++] = (struct http_header){ STR("Accept"), STR("*/*") };
    ret->kind = PROBE_ACTION_HTTP;
    ret->is_https = str_eq_nocase(g->scheme, STR("HTTPS"));
    ret->path = g->path.len && g->path.p[0] == '/' ? str_dup(a, g->path)
                                                   : arena_printf(a, "/%.*s", STR_ARG(g->path));
    ret->headers = h;
    ret->n_headers = n;
    if (set_host(a, t, g->host, ret, err) < 0)
        return ERR_INVALID;
    return find_port(t, &g->port, &ret->port, err);
}

static int plan_tcp(struct arena *a, const struct prober_target *t,
                    const struct core_v1_tcp_socket_action *s, struct probe_plan *ret,
                    struct err *err)
{
    ret->kind = PROBE_ACTION_TCP;
    if (set_host(a, t, s->host, ret, err) < 0)
        return ERR_INVALID;
    return find_port(t, &s->port, &ret->port, err);
}

int probe_plan_of_probe(struct arena *a, const struct prober_target *t,
                        const struct core_v1_probe_handler *h, struct probe_plan *ret,
                        struct err *err)
{
    struct runtime_map env;

    *ret = (struct probe_plan){ 0 };
    if (h->exec) {
        env = static_env(a, t->container);
        plan_exec(a, h->exec, &env, ret);
        return 0;
    }
    if (h->http_get)
        return plan_http(a, t, h->http_get, STR("kube-probe/1.36"), ret, err);
    if (h->tcp_socket)
        return plan_tcp(a, t, h->tcp_socket, ret, err);
    if (!h->grpc)
        return err_set(err, ERR_INVALID, "missing probe handler");
    ret->kind = PROBE_ACTION_GRPC;
    ret->port = (uint16_t)h->grpc->port;
    ret->service = str_dup(a, h->grpc->service);
    return set_host(a, t, STR_NULL, ret, err);
}

int probe_plan_of_hook(struct arena *a, const struct prober_target *t,
                       const struct core_v1_lifecycle_handler *h, struct probe_plan *ret,
                       struct err *err)
{
    *ret = (struct probe_plan){ .is_hook = true };
    if (h->exec) {
        plan_exec(a, h->exec, NULL, ret);
        return 0;
    }
    if (h->http_get)
        return plan_http(a, t, h->http_get, STR("kube-lifecycle/1.36"), ret, err);
    if (h->tcp_socket)
        return plan_tcp(a, t, h->tcp_socket, ret, err);
    if (!h->sleep)
        return err_set(err, ERR_INVALID, "invalid handler: it has no action");
    ret->kind = PROBE_ACTION_SLEEP;
    ret->sleep_ms = h->sleep->seconds * 1000;
    return 0;
}
