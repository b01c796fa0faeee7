/* Cluster DNS as a process of the cluster: answers for the cluster's domain, passes the rest on,
 * and keeps the Service kube-system/kube-dns with a slice that leads to itself. */
#pragma once

#include <stdint.h>

struct dns_options {
    const char *kubeconfig;
    const char *address; /* to listen on, and where the Service leads */
    uint16_t port;
    const char *cluster_dns; /* the Service's address; NULL: there is no Service */
    const char *domain;
    const char *upstream; /* "IP[:PORT]"; NULL: /etc/resolv.conf */
};
/* Until SIGTERM. The process's exit code; one line on stderr when it cannot start. */
int dns_run(const struct dns_options *o);
