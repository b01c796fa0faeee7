/* Routes to the Pods of other nodes, each by its node's own address, while both are on a network of
 * this namespace. They bear a mark in the kernel, so that those of nodes that went while nobody
 * looked are found: a route of ours into the cluster's ranges that no node wants goes. */
#pragma once

#include <stddef.h>

#include "base/str.h"

struct api_object;
struct err;
struct ip_prefix;
struct node_routes;

/* own_node: its Pods are behind links of this machine; may be empty. cidrs: the cluster's ranges of
 * Pods (they stay); without them nothing is known to be left over. In the caller's network
 * namespace. */
int node_routes_new(struct str own_node, const struct ip_prefix *cidrs, size_t n_cidrs,
                    struct node_routes **ret, struct err *err);
void node_routes_free(struct node_routes *r); /* the routes stay; accepts NULL */

/* A Node was added (old NULL), changed or went (new NULL). */
void node_routes_change(struct node_routes *r, const struct api_object *old,
                        const struct api_object *new);
/* All nodes are known: what none of them wants goes. */
void node_routes_sweep(struct node_routes *r);
/* No node wants any. */
int node_routes_clean(struct node_routes *r, struct err *err);
