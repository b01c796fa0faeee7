/* Routes to the Pods of the other nodes, by their nodes' addresses, which must be on a network that
 * this one is on. */
#pragma once

#include "base/str.h"

struct api_object;
struct err;
struct node_routes;

int node_routes_new(struct str own_node, struct node_routes **ret, struct err *err);
void node_routes_free(struct node_routes *r); /* routes stay; accepts NULL */
/* As informer_handler: old NULL: added, new NULL: gone. */
void node_routes_change(struct node_routes *r, const struct api_object *old,
                        const struct api_object *new);
