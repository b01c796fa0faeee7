/* The cluster's names: what the Kubernetes DNS specification (1.1) says of Services, their
 * endpoints and Pods, answered out of caches. */
#pragma once

#include "dns/dns_message.h"

struct informer;

enum dns_zone_pods {
    DNS_ZONE_PODS_INSECURE, /* every address is a name */
    DNS_ZONE_PODS_VERIFIED, /* those of Pods are */
    DNS_ZONE_PODS_DISABLED,
};

struct dns_zone {
    struct str domain; /* "cluster.local" */
    enum dns_zone_pods pods_mode;
    const struct informer *services, *slices, *namespaces;
    const struct informer *pods; /* where names of Pods are verified */
    int slices_of_service;       /* index of slices by "namespace/service" */
    int services_of_ip;          /* index of services by address */
    int slices_of_ip;            /* index of slices by endpoint address */
    int pods_of_ip;
};

enum dns_zone_whose {
    DNS_ZONE_OURS,
    DNS_ZONE_NOT_OURS, /* somebody else's name */
    DNS_ZONE_CHASE,    /* aliases that lead out of the zone */
};
struct dns_zone_result {
    enum dns_zone_whose whose;
    int rcode;
    char target[DNS_NAME_BYTES]; /* CHASE: where to go on */
};
/* Adds the records of an answer to q, between dns_answer_begin() and _end(), which are the
 * caller's; none where the name is not ours. seed: turns the order of addresses. */
void dns_zone_answer(const struct dns_zone *z, const struct dns_query *q, uint32_t seed,
                     struct dns_answer *a, struct dns_zone_result *ret);
