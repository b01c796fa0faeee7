/* default/kubernetes, by which Pods find this server. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include "apiserver/apiserver.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/bootstrap.h"
#include "apiserver/registry/ip_range.h"
#include "base/arena.h"

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

static size_t objects(const struct apiserver *s, struct arena *a, struct bootstrap_object *ret)
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

const struct kept_set kubernetes_service_set = {
    .name = "default/kubernetes",
    .places = { { STR_INIT(""), STR_INIT("services"), STR_INIT("default"), STR_INIT("kubernetes") },
                { STR_INIT(""), STR_INIT("endpoints"), STR_INIT("default"),
                  STR_INIT("kubernetes") },
                { STR_INIT("discovery.k8s.io"), STR_INIT("endpointslices"), STR_INIT("default"),
                  STR_INIT("kubernetes") } },
    .n_places = 3,
    .max = 3,
    .objects = objects,
};
