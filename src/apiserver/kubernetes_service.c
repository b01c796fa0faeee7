/* default/kubernetes, by which Pods find this server. Its three objects are watched in the store
 * and put right whenever somebody changes or deletes one. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include "apiserver/apiserver.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/bootstrap.h"
#include "apiserver/registry/ip_range.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/store.h"

struct kubernetes_service {
    struct apiserver *server;
    struct loop *loop;
    struct store_watch *watches[KUBERNETES_SERVICE_OBJECTS];
    bool is_busy;
    bool again;   /* something changed while it was busy */
    bool is_over; /* stopped while it was busy: freed when that ends */
};

/* The machine's first address that others can use. */
static struct str own_address(struct arena *a)
{
    struct ifaddrs *list, *i;
    struct str found = STR_NULL;
    char text[INET_ADDRSTRLEN];

    if (getifaddrs(&list) < 0)
        return found;
    for (i = list; i && !found.p; i = i->ifa_next) {
        struct sockaddr_in in;

        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP) ||
            (i->ifa_flags & IFF_LOOPBACK))
            continue;
        memcpy(&in, i->ifa_addr, sizeof(in));
        if (inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text)))
            found = str_dup(a, str_from_cstr(text));
    }
    freeifaddrs(list);
    return found;
}

#define NAMED "\"namespace\":\"default\",\"name\":\"kubernetes\""

size_t kubernetes_service_objects(const struct apiserver *s, struct arena *a,
                                  struct bootstrap_object *ret)
{
    const struct ip_range *range = &s->service_ranges.ranges[0];
    struct str ip = ip_range_nth(a, range, 1);
    struct str address = str_from_cstr(s->options->advertise_address), family;

    ret[0] = (struct bootstrap_object){
        .resource = STR("services"),
        .with_address = true,
        .json = arena_printf(
            a,
            "{\"metadata\":{" NAMED ",\"labels\":{\"component\":\"apiserver\",\"provider\":"
            "\"kubernetes\"}},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"%.*s\",\"clusterIPs"
            "\":[\"%.*s\"],\"ipFamilies\":[\"%.*s\"],\"ipFamilyPolicy\":\"SingleStack\",\"ports\":["
            "{\"name\":\"https\",\"protocol\":\"TCP\",\"port\":443,\"targetPort\":%u}]}}",
            STR_ARG(ip), STR_ARG(ip), STR_ARG(ip_range_family(range)), s->port),
    };
    if (!address.len)
        address = own_address(a);
    family = ip_range_family_of(address);
    if (!family.len || str_has_prefix(address, STR("127.")) || str_eq(address, STR("::1")))
        return 1;
    ret[1] = (struct bootstrap_object){
        .resource = STR("endpoints"),
        .is_kept = true,
        .json = arena_printf(
            a,
            "{\"metadata\":{" NAMED ",\"labels\":{\"endpointslice.kubernetes.io/skip-mirror\":"
            "\"true\"}},\"subsets\":[{\"addresses\":[{\"ip\":\"%.*s\"}],\"ports\":[{\"name\":"
            "\"https\",\"port\":%u,\"protocol\":\"TCP\"}]}]}",
            STR_ARG(address), s->port),
    };
    ret[2] = (struct bootstrap_object){
        .group = STR("discovery.k8s.io"),
        .resource = STR("endpointslices"),
        .is_kept = true,
        .json = arena_printf(
            a,
            "{\"metadata\":{" NAMED ",\"labels\":{\"kubernetes.io/service-name\":\"kubernetes\"}},"
            "\"addressType\":\"%.*s\",\"ports\":[{\"name\":\"https\",\"port\":%u,\"protocol\":"
            "\"TCP\"}],\"endpoints\":[{\"addresses\":[\"%.*s\"],\"conditions\":{\"ready\":true}}]}",
            STR_ARG(family), s->port, STR_ARG(address)),
    };
    ret[0].group = ret[1].group = STR("");
    return 3;
}

static void put_right(struct kubernetes_service *k);

static void on_put(void *arg, int result)
{
    struct kubernetes_service *k = arg;

    k->is_busy = false;
    if (k->is_over) {
        mem_free(k);
        return;
    }
    if (result < 0)
        LOG_WARNING("default/kubernetes was not put right", KV("reason", err_name(result)));
    if (k->again)
        put_right(k);
}

static void put_right(struct kubernetes_service *k)
{
    struct bootstrap_object objects[KUBERNETES_SERVICE_OBJECTS];
    CLEANUP(arena_done) struct arena a = { 0 };

    k->again = k->is_busy;
    if (k->is_busy)
        return;
    k->is_busy = true;
    bootstrap_put(k->server, k->loop, objects, kubernetes_service_objects(k->server, &a, objects),
                  on_put, k);
}

static void on_change(struct store_watch *w, void *arg)
{
    const struct store_event *e;
    bool changed = false;

    while ((e = store_watch_next(w))) {
        changed |= e->type != STORE_EVENT_CREATED;
        store_event_unref(e);
    }
    if (changed)
        put_right(arg);
}

struct kubernetes_service *kubernetes_service_start(struct apiserver *s, struct loop *l)
{
    static const struct str resources[KUBERNETES_SERVICE_OBJECTS][2] = {
        { STR_INIT(""), STR_INIT("services") },
        { STR_INIT(""), STR_INIT("endpoints") },
        { STR_INIT("discovery.k8s.io"), STR_INIT("endpointslices") },
    };
    struct kubernetes_service *k = NEW(struct kubernetes_service);
    struct err err;

    k->server = s;
    k->loop = l;
    for (size_t i = 0; i < KUBERNETES_SERVICE_OBJECTS; i++) {
        const struct store_watch_options o = {
            .resource =
                registry_store_id(&s->registry, stored_read_row(resources[i][0], resources[i][1])),
            .prefix = STR("default/"),
            .name = STR("kubernetes"),
            .after = store_revision(s->store),
        };

        if (store_watch_start(s->store, &o, loop_mailbox(l), on_change, k, &k->watches[i], &err) <
            0)
            LOG_WARNING("default/kubernetes is not watched", KV("reason", (const char *)err.text));
    }
    return k;
}

void kubernetes_service_stop(struct kubernetes_service *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < KUBERNETES_SERVICE_OBJECTS; i++)
        store_watch_stop(k->watches[i]);
    k->is_over = true;
    if (!k->is_busy)
        mem_free(k);
}
