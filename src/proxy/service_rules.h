/* From a Service and its EndpointSlices, or a Pod with ports of its node, to the elements that they
 * need. Pure. */
#pragma once

#include <stddef.h>

#include "base/vec.h"
#include "proxy/proxy_table.h"

struct api_object;

struct proxy_elements VEC(struct proxy_element);

struct service_rules_input {
    struct str node; /* whose endpoints are local; empty: none is */
    struct str zone; /* the node's; empty: unknown */
    const struct api_object *service;
    const struct api_object *const *slices; /* those of the Service, of any address type */
    size_t n_slices;
};
/* Appends to ret. Ready endpoints (of them those that hints say are for this node or zone, if all
 * bear hints and one is), or where there is none, those that still serve while they terminate;
 * under a Local policy of the node's own ones. */
void service_rules(const struct service_rules_input *in, struct proxy_elements *ret);
/* The port where a load balancer asks how many endpoints are here; 0: none does. */
uint16_t service_rules_health_port(const struct api_object *service);
size_t service_rules_local_endpoints(const struct service_rules_input *in);
/* hostPort of a Pod that runs in a network of its own. */
void service_rules_of_pod(const struct api_object *pod, struct proxy_elements *ret);
