#include "dns/dns_service.h"

#include "api/core_v1.h"
#include "api/discovery_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "client/rest_client.h"
#include "io/loop.h"

enum { RETRY_MS = 1000 };

/* One of the two objects. */
struct kept {
    struct dns_service *service;
    struct informer *informer;
    struct rest_call *call;
    struct loop_timer timer;
    bool (*is_right)(const struct dns_service *s, const struct api_object *o);
    struct str (*make)(struct arena *a, const struct dns_service *s);
};

struct dns_service {
    struct dns_service_options o;
    struct kept kept[2];
};

static const struct str key = STR_INIT("kube-system/kube-dns");

static bool is_right_service(const struct dns_service *s, const struct api_object *o)
{
    const struct core_v1_service *v = API_OBJECT(o, struct core_v1_service);

    return str_eq(v->spec.cluster_ip, str_from_cstr(s->o.cluster_ip)) && v->spec.ports.len == 2;
}

static struct str make_service(struct arena *a, const struct dns_service *s)
{
    return arena_printf(
        a,
        "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"kube-dns\","
        "\"namespace\":\"kube-system\",\"labels\":{\"k8s-app\":\"kube-dns\","
        "\"kubernetes.io/cluster-service\":\"true\",\"kubernetes.io/name\":\"CoreDNS\"}},"
        "\"spec\":{\"clusterIP\":\"%s\",\"ports\":["
        "{\"name\":\"dns\",\"protocol\":\"UDP\",\"port\":53,\"targetPort\":%u},"
        "{\"name\":\"dns-tcp\",\"protocol\":\"TCP\",\"port\":53,\"targetPort\":%u}]}}",
        s->o.cluster_ip, s->o.port, s->o.port);
}

static bool is_right_slice(const struct dns_service *s, const struct api_object *o)
{
    const struct discovery_v1_endpoint_slice *v = API_OBJECT(o, struct discovery_v1_endpoint_slice);

    return v->endpoints.len == 1 && v->endpoints.items[0].addresses.len == 1 &&
           str_eq(v->endpoints.items[0].addresses.items[0], str_from_cstr(s->o.address)) &&
           v->ports.len == 2 && v->ports.items[0].port &&
           *v->ports.items[0].port == (int32_t)s->o.port;
}

static struct str make_slice(struct arena *a, const struct dns_service *s)
{
    return arena_printf(
        a,
        "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{"
        "\"name\":\"kube-dns\",\"namespace\":\"kube-system\",\"labels\":{"
        "\"kubernetes.io/service-name\":\"kube-dns\","
        "\"endpointslice.kubernetes.io/managed-by\":\"pintle-dns\"}},"
        "\"addressType\":\"%s\",\"endpoints\":[{\"addresses\":[\"%s\"],"
        "\"conditions\":{\"ready\":true,\"serving\":true,\"terminating\":false}}],\"ports\":["
        "{\"name\":\"dns\",\"protocol\":\"UDP\",\"port\":%u},"
        "{\"name\":\"dns-tcp\",\"protocol\":\"TCP\",\"port\":%u}]}",
        str_contains(str_from_cstr(s->o.address), STR(":")) ? "IPv6" : "IPv4", s->o.address,
        s->o.port, s->o.port);
}

static void check(struct kept *k);

static void on_written(const struct rest_result *res, void *arg)
{
    struct kept *k = arg;

    k->call = NULL;
    if (res->result == 0 || res->result == ERR_EXISTS)
        return; /* the watch has it */
    LOG_WARNING("cannot write kube-dns", KV("resource", informer_resource(k->informer)->name),
                KV("err", res->message.len ? res->message : STR("no answer")));
    loop_timer_start(&k->timer, RETRY_MS);
}

static void check(struct kept *k)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct api_object *o = informer_get(k->informer, key);

    if (k->call || !informer_is_synced(k->informer) || (o && k->is_right(k->service, o)))
        return;
    k->call = rest_call_start(k->service->o.client,
                              &(struct rest_request){ .verb = o ? REST_MERGE_PATCH : REST_CREATE,
                                                      .resource = informer_resource(k->informer),
                                                      .namespace = STR("kube-system"),
                                                      .name = o ? STR("kube-dns") : STR_NULL,
                                                      .patch = k->make(&a, k->service) },
                              on_written, k);
}

static void on_change(const struct api_object *old, const struct api_object *new, void *arg)
{
    (void)old;
    (void)new;
    check(arg);
}

static void on_synced(void *arg)
{
    check(arg);
}

static void on_retry(struct loop_timer *t)
{
    check(CONTAINER_OF(t, struct kept, timer));
}

static void keep(struct dns_service *s, struct kept *k, struct str group, struct str resource)
{
    k->service = s;
    k->informer = informer_new(
        &(struct informer_options){ .loop = s->o.loop,
                                    .client = s->o.client,
                                    .resource = resource_find(group, STR("v1"), resource),
                                    .namespace = STR("kube-system"),
                                    .field_selector = STR("metadata.name=kube-dns") });
    informer_add_handler(
        k->informer,
        &(struct informer_handler){ .on_change = on_change, .on_synced = on_synced, .arg = k });
    loop_timer_init(&k->timer, s->o.loop, on_retry);
    informer_start(k->informer);
}

struct dns_service *dns_service_new(const struct dns_service_options *o)
{
    struct dns_service *s = NEW(struct dns_service);

    s->o = *o;
    s->kept[0].is_right = is_right_service;
    s->kept[0].make = make_service;
    s->kept[1].is_right = is_right_slice;
    s->kept[1].make = make_slice;
    keep(s, &s->kept[0], STR(""), STR("services"));
    keep(s, &s->kept[1], STR("discovery.k8s.io"), STR("endpointslices"));
    return s;
}

void dns_service_free(struct dns_service *s)
{
    if (!s)
        return;
    for (int i = 0; i < 2; i++) {
        loop_timer_stop(&s->kept[i].timer);
        rest_call_cancel(s->kept[i].call);
        informer_free(s->kept[i].informer);
    }
    mem_free(s);
}
