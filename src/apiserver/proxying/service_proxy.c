/* proxy of Pods and Services: a request to a Pod's own address. By https, whatever certificate it
 * shows is taken. A Service stands for one of its ready addresses, drawn by lot. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/proxying/kubelet_endpoints.h"
#include "apiserver/proxying/proxy_path.h"
#include "apiserver/proxying/relay.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/random.h"
#include "http/http_server.h"

static void send_to(struct api_request *r, const struct proxy_name *name, struct str address,
                    uint16_t port)
{
    struct relay_target t = {
        .address = address,
        .port = port,
        .unreachable = "error trying to reach service",
        .is_unavailable = true,
    };

    proxy_path_aim(r, name->scheme, &t);
    relay_start(r, &t);
}

/* A page's relative links need the slash at the end. True: the client is sent there. */
static bool redirect_to_slash(struct api_request *r)
{
    struct str path = http_request_path(r->http), query = http_request_query(r->http);

    if (r->info.rest.len || str_has_suffix(path, STR("/")) ||
        !(str_eq(r->info.method, STR("GET")) || str_eq(r->info.method, STR("HEAD"))))
        return false;
    api_request_header(
        r, STR("location"),
        arena_printf(r->arena, "%.*s/%s%.*s", STR_ARG(path), query.len ? "?" : "", STR_ARG(query)));
    api_respond(r, 301, STR(""), STR(""));
    return true;
}

/* False: answered. */
static bool read_name(struct api_request *r, struct proxy_name *ret)
{
    struct status s;

    if (!proxy_path_name(r, ret, &s)) {
        api_respond_status(r, &s);
        return false;
    }
    return !redirect_to_slash(r);
}

static void unavailable(struct api_request *r, const char *what, struct str name)
{
    struct status s =
        status_plain(r->arena, STATUS_UNAVAILABLE, "%s \"%.*s\"", what, STR_ARG(name));

    api_respond_status(r, &s);
}

/* A number, or the name of a port of the Pod; 0: there is none. */
static uint16_t pod_port(const struct core_v1_pod *pod, struct str port)
{
    uint64_t number;

    if (str_to_u64(port, &number))
        return number <= 65535 ? (uint16_t)number : 0;
    for (uint32_t i = 0; i < pod->spec.containers.len; i++)
        for (uint32_t k = 0; k < pod->spec.containers.items[i].ports.len; k++) {
            const struct core_v1_container_port *p = &pod->spec.containers.items[i].ports.items[k];

            if (!port.len || str_eq(p->name, port))
                return (uint16_t)p->container_port;
        }
    return 0;
}

void pod_proxy_connect(struct api_request *r)
{
    const struct core_v1_pod *pod;
    struct proxy_name name;
    struct object o;
    struct status s;
    uint16_t port;

    if (!read_name(r, &name))
        return;
    if (!proxy_path_read(r, "pods", name.name, &o, &s)) {
        api_respond_status(r, &s);
        return;
    }
    pod = o.data;
    port = pod_port(pod, name.port);
    if (!port && !name.port.len)
        port = str_eq(name.scheme, STR("https")) ? 443 : 80;
    if (!port || !proxy_path_is_allowed(pod->status.pod_ip)) {
        s = status_plain(r->arena, STATUS_BAD_REQUEST, "%s",
                         port ? "address not allowed" : "no such port");
        api_respond_status(r, &s);
        return;
    }
    send_to(r, &name, pod->status.pod_ip, port);
}

/* The Service's port of that name or number, under which its endpoints have theirs; false: none. */
static bool service_port(const struct core_v1_service *svc, struct str port, struct str *ret_name)
{
    uint64_t number = 0;
    bool numeric = str_to_u64(port, &number);

    for (uint32_t i = 0; i < svc->spec.ports.len; i++) {
        const struct core_v1_service_port *p = &svc->spec.ports.items[i];

        if ((!port.len && (svc->spec.ports.len == 1 || !p->name.len)) ||
            (numeric && (uint64_t)p->port == number) || (port.len && str_eq(p->name, port))) {
            *ret_name = p->name;
            return true;
        }
    }
    return false;
}

struct drawn {
    struct str address;
    uint16_t port;
    uint64_t seen;
};

static void draw(const struct core_v1_endpoint_subset *set, struct str port, struct drawn *d)
{
    for (uint32_t p = 0; p < set->ports.len; p++) {
        if (!str_eq(set->ports.items[p].name, port))
            continue;
        for (uint32_t i = 0; i < set->addresses.len; i++)
            if (proxy_path_is_allowed(set->addresses.items[i].ip) &&
                random_u64() % ++d->seen == 0) { /* each with the same chance */
                d->address = set->addresses.items[i].ip;
                d->port = (uint16_t)set->ports.items[p].port;
            }
    }
}

void service_proxy_connect(struct api_request *r)
{
    const struct core_v1_endpoints *endpoints;
    struct drawn d = { 0 };
    struct proxy_name name;
    struct object svc, o;
    struct str port;
    struct status s;

    if (!read_name(r, &name))
        return;
    if (!proxy_path_read(r, "services", name.name, &svc, &s)) {
        api_respond_status(r, &s);
        return;
    }
    if (!service_port(svc.data, name.port, &port)) {
        unavailable(r, "no service port found for service", name.name);
        return;
    }
    if (proxy_path_read(r, "endpoints", name.name, &o, &s)) {
        endpoints = o.data;
        for (uint32_t i = 0; i < endpoints->subsets.len; i++)
            draw(&endpoints->subsets.items[i], port, &d);
    }
    if (!d.seen) {
        unavailable(r, "no endpoints available for service", name.name);
        return;
    }
    send_to(r, &name, d.address, d.port);
}
