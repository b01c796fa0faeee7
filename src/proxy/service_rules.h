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
    const struct api_object *service;
    const struct api_object *const *slices; /* those of the Service, of any address type */
    size_t n_slices;
};
/* Appends to ret. Ready endpoints, or where there is none, those that still serve while they
 * terminate; under a Local policy of the node's own ones. */
void service_rules(const struct service_rules_input *in, struct proxy_elements *ret);
/* hostPort of a Pod that runs in a network of its own. */
void service_rules_of_pod(const struct api_object *pod, struct proxy_elements *ret);
