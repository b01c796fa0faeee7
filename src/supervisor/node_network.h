/* Nodes in network namespaces of their own, each joined to the host by a cable (a veth pair):
 *
 *     node-1: eth0 10.243.0.2/24 ---- pnID-1 10.243.0.1/32 \
 *                                                            host: routes, answers ARP for all
 *     node-2: eth0 10.243.0.3/24 ---- pnID-2 10.243.0.1/32 /
 *
 * No bridge: every packet between nodes is routed by the host, and a node may name another as the
 * next hop of a Pod range. Pods reach the world through a rule that masquerades nodes. */
#pragma once

struct cluster;
struct cluster_node;
struct err;

/* What is there already is kept: Pods of an earlier run live in it. */
int node_network_make(const struct cluster *c, const struct cluster_node *node, struct err *err);
/* What the host needs once: forwarding, and the rule. */
int node_network_make_host(const struct cluster *c, struct err *err);
/* The namespaces, with what is in them, and the rule; absent is fine. */
int node_network_remove(const struct cluster *c, struct err *err);
