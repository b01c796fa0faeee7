/* Cluster DNS as a process of the cluster: answers for the cluster's domain, passes the rest on,
 * and keeps the Service kube-system/kube-dns with a slice that leads to itself. */
#pragma once

#include <stdint.h>

#include "dns/dns_zone.h"

struct dns_options {
    const char *kubeconfig;
    const char *address; /* to listen on, and where the Service leads */
    uint16_t port;
    const char *cluster_dns; /* the Service's address; NULL: there is no Service */
    const char *domain;
    const char *upstream; /* "IP[:PORT]"; NULL: /etc/resolv.conf */
    uint32_t cache_entries;
    enum dns_zone_pods pods_mode;
    uint16_t health_port, ready_port, metrics_port; /* at `address`; 0: not there */
};
/* Until SIGTERM. The process's exit code; one line on stderr when it cannot start. */
int dns_run(const struct dns_options *o);
