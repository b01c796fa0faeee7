/* The service proxy of a node: Services as maps of one nftables table, routes to the other nodes'
 * Pods, ports of its Pods, and the addresses that Pods leave the cluster by. */
#pragma once

#include <stdbool.h>

struct proxy_options {
    const char *kubeconfig;
    const char *node_name; /* NULL or "": belongs to no node */
    const char
        *cluster_cidr; /* of all Pods, one or two; NULL: nothing leaves under another address */
    const char *table; /* of nftables */
    const char *healthz, *metrics; /* "ADDRESS:PORT", NULL: none */
    bool cleanup;                  /* removes the table and the routes, and ends */
};
/* Until SIGTERM; the rules stay. The process's exit code; one line on stderr when it cannot start.
 * The process must be in its node's network namespace. */
int proxy_run(const struct proxy_options *o);
