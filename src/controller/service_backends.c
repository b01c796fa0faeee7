#include "controller/service_backends.h"

#include <stdlib.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/pod_state.h"

#define HEADLESS_LABEL "service.kubernetes.io/headless"

static const struct core_v1_service *spec_of(const struct api_object *service)
{
    return service->o.data;
}

bool service_has_selector(const struct api_object *service)
{
    const struct core_v1_service *s = spec_of(service);

    return s->spec.selector.len > 0 && !str_eq(s->spec.type, STR("ExternalName"));
}

bool service_is_headless(const struct api_object *service)
{
    return str_eq(spec_of(service)->spec.cluster_ip, STR("None"));
}

bool service_selects(const struct api_object *service, const struct api_object *pod)
{
    const struct core_v1_service *s = spec_of(service);

    for (uint32_t i = 0; i < s->spec.selector.len; i++) {
        const struct schema_str_entry *want = &s->spec.selector.items[i];
        const struct schema_str_entry *have = text_map_find(&pod->meta->labels, want->key);

        if (!have || !str_eq(have->value, want->value))
            return false;
    }
    return service_has_selector(service);
}

void service_copy_labels(struct reconcile *r, const struct api_object *service, void *map)
{
    for (uint32_t i = 0; i < service->meta->labels.len; i++) {
        const struct schema_str_entry *e = &service->meta->labels.items[i];

        if (!str_eq(e->key, STR(HEADLESS_LABEL)))
            text_map_put(r->arena, map, e->key, e->value);
    }
    if (service_is_headless(service))
        text_map_put(r->arena, map, STR(HEADLESS_LABEL), STR(""));
}

struct core_v1_object_reference *service_target_ref(struct reconcile *r,
                                                    const struct api_object *pod)
{
    struct core_v1_object_reference *ref = ARENA_NEW(r->arena, struct core_v1_object_reference);

    ref->kind = STR("Pod");
    ref->namespace = pod->meta->namespace;
    ref->name = pod->meta->name;
    ref->uid = pod->meta->uid;
    return ref;
}

/* --- ports --- */

/* The number that a Pod gives a port's name, sidecars included; 0: none. */
static int32_t named_port(const struct core_v1_pod *pod, struct str name, struct str protocol)
{
    for (uint32_t c = 0; c < pod->spec.containers.len; c++)
        for (uint32_t i = 0; i < pod->spec.containers.items[c].ports.len; i++) {
            const struct core_v1_container_port *p = &pod->spec.containers.items[c].ports.items[i];

            if (str_eq(p->name, name) && str_eq(p->protocol, protocol))
                return p->container_port;
        }
    for (uint32_t c = 0; c < pod->spec.init_containers.len; c++)
        for (uint32_t i = 0; i < pod->spec.init_containers.items[c].ports.len; i++) {
            const struct core_v1_container *sidecar = &pod->spec.init_containers.items[c];

            if (str_eq(sidecar->restart_policy, STR("Always")) &&
                str_eq(sidecar->ports.items[i].name, name) &&
                str_eq(sidecar->ports.items[i].protocol, protocol))
                return sidecar->ports.items[i].container_port;
        }
    return 0;
}

/* The Service's ports as this Pod has them; those that it lacks are left out. */
static size_t resolve_ports(const struct core_v1_service *s, const struct core_v1_pod *pod,
                            struct backend_port *ret)
{
    size_t n = 0;

    for (uint32_t i = 0; i < s->spec.ports.len; i++) {
        const struct core_v1_service_port *p = &s->spec.ports.items[i];
        int32_t port = p->target_port.type == INT_OR_STRING_STRING
                           ? named_port(pod, p->target_port.s, p->protocol)
                           : p->target_port.i;

        if (p->target_port.type == INT_OR_STRING_UNSET)
            port = p->port;
        if (port)
            ret[n++] = (struct backend_port){ p->name, p->protocol, p->app_protocol, port };
    }
    return n;
}

static bool same_ports(const struct backend_group *g, const struct backend_port *ports, size_t n)
{
    if (g->n_ports != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (g->ports[i].port != ports[i].port || !str_eq(g->ports[i].name, ports[i].name) ||
            !str_eq(g->ports[i].protocol, ports[i].protocol))
            return false;
    return true;
}

/* --- Pods --- */

static struct str address_of(const struct core_v1_pod *pod, bool is_v6)
{
    for (uint32_t i = 0; i < pod->status.pod_ips.len; i++) {
        struct str ip = pod->status.pod_ips.items[i].ip;

        if ((str_find(ip, ':') >= 0) == is_v6)
            return ip;
    }
    if (!pod->status.pod_ips.len && pod->status.pod_ip.len &&
        (str_find(pod->status.pod_ip, ':') >= 0) == is_v6)
        return pod->status.pod_ip;
    return STR_NULL;
}

static struct backend backend_of(const struct api_object *service, const struct api_object *pod,
                                 struct str ip)
{
    const struct core_v1_pod *p = pod->o.data;
    bool published = spec_of(service)->spec.publish_not_ready_addresses;
    struct backend b = { .pod = pod, .ip = ip };

    b.is_serving = published || pod_is_ready(p);
    b.is_terminating = pod->meta->deletion_timestamp.set;
    b.is_ready = published || (b.is_serving && !b.is_terminating);
    if (p->spec.hostname.len && str_eq(p->spec.subdomain, service->meta->name))
        b.hostname = p->spec.hostname;
    return b;
}

static int by_ip(const void *a, const void *b)
{
    const struct backend *x = a, *y = b;
    int c = str_cmp(x->ip, y->ip);

    return c ? c : str_cmp(x->pod->key, y->pod->key);
}

void service_backends(struct reconcile *r, const struct api_object *service, bool is_v6,
                      struct backends *ret)
{
    const struct core_v1_service *s = spec_of(service);
    const struct informer *pods = controller_informer_of(r->manager, "", "v1", "pods");
    const struct api_object *const *all;
    size_t n = controller_in_namespace(pods, service->meta->namespace, &all);
    struct backend_port *ports =
        ARENA_NEW_ARRAY(r->arena, struct backend_port, s->spec.ports.len + 1);

    *ret = (struct backends){ .groups = ARENA_NEW_ARRAY(r->arena, struct backend_group, n + 1) };
    for (size_t i = 0; i < n; i++) {
        const struct core_v1_pod *pod = all[i]->o.data;
        struct str ip = address_of(pod, is_v6);
        struct backend_group *g = NULL;
        size_t n_ports;

        if (!ip.len || pod_is_finished(pod) || !service_selects(service, all[i]))
            continue;
        n_ports = resolve_ports(s, pod, ports);
        for (size_t k = 0; k < ret->n && !g; k++)
            if (same_ports(&ret->groups[k], ports, n_ports))
                g = &ret->groups[k];
        if (!g) {
            g = &ret->groups[ret->n++];
            g->ports = arena_dup(r->arena, ports, (n_ports + 1) * sizeof(*ports));
            g->n_ports = n_ports;
            g->backends = ARENA_NEW_ARRAY(r->arena, struct backend, n);
        }
        g->backends[g->n_backends++] = backend_of(service, all[i], ip);
    }
    for (size_t k = 0; k < ret->n; k++)
        qsort(ret->groups[k].backends, ret->groups[k].n_backends, sizeof(struct backend), by_ip);
}

void service_map_pod(struct controller_manager *m, const struct controller *c,
                     const struct api_object *old, const struct api_object *new)
{
    const struct api_object *pod = new ? new : old, *const *services;
    size_t n = controller_in_namespace(controller_informer_of(m, "", "v1", "services"),
                                       pod->meta->namespace, &services);

    for (size_t i = 0; i < n; i++)
        if ((old && service_selects(services[i], old)) || (new &&service_selects(services[i], new)))
            controller_enqueue(m, c, services[i]->key);
}
