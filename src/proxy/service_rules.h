/* From a Service and its EndpointSlices to the elements that it needs. Pure. */
#pragma once

#include <stddef.h>

#include "base/vec.h"
#include "proxy/proxy_table.h"

struct api_object;
struct arena;

struct proxy_elements VEC(struct proxy_element);

/* Appends to ret. slices: those of the Service, of any address type; the IPv4 ones count. Ready
 * endpoints, or where there is none, those that still serve while they terminate. */
void service_rules(struct arena *a, const struct api_object *service,
                   const struct api_object *const *slices, size_t n_slices,
                   struct proxy_elements *ret);
