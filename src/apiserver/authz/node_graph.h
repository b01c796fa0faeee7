/* What the Pods of each node name, and so the node may read: edges from a node to a Secret, a
 * ConfigMap, a claim, an account; and the Secrets that volumes bound to claims are mounted with.
 *
 * It is fed by the store: first a scan of all Pods as of one revision, in slices, and beside it the
 * events after that revision. Counts only add up, so the order in which both come does not matter.
 * It says yes at once. Before it says no it looks at the node's Pods that it may not have heard of
 * yet, so the answer is never behind the store. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct apiserver;
struct err;
struct loop;
struct node_graph;

enum node_edge {
    NODE_EDGE_SECRET,
    NODE_EDGE_CONFIG_MAP,
    NODE_EDGE_CLAIM,
    NODE_EDGE_ACCOUNT,
    NODE_EDGE_RESOURCE_CLAIM,
};

/* On the loop's thread, before requests come; node_graph_free() after the loops have ended. */
int node_graph_new(struct apiserver *s, struct loop *l, struct node_graph **ret, struct err *err);
void node_graph_stop(struct node_graph *g); /* no more events; accepts NULL */
void node_graph_free(struct node_graph *g); /* accepts NULL */
/* Any thread. */
bool node_graph_has(struct node_graph *g, struct str node, enum node_edge edge,
                    struct str namespace, struct str name);
