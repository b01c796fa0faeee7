/* The cluster's names: what the Kubernetes DNS specification (1.1) says of Services, their
 * endpoints and Pods, answered out of caches. */
#pragma once

#include "dns/dns_message.h"

struct informer;

struct dns_zone {
    struct str domain; /* "cluster.local" */
    const struct informer *services, *slices;
    int slices_of_service; /* index of slices by "namespace/service" */
    int services_of_ip;    /* index of services by address */
    int slices_of_ip;      /* index of slices by endpoint address */
    int services_in_namespace;
};

enum dns_zone_result {
    DNS_ZONE_ANSWERED,
    DNS_ZONE_NOT_OURS, /* somebody else's name */
    DNS_ZONE_CHASE,    /* answered with a CNAME that leads out of the zone */
};
/* Appends an answer to q of at most limit bytes to out. seed: turns the order of addresses. */
enum dns_zone_result dns_zone_answer(const struct dns_zone *z, const struct dns_query *q,
                                     size_t limit, uint32_t seed, struct buf *out);
