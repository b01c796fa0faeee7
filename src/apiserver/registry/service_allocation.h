/* Addresses and node ports of Services. Both are keys of the store that a Service takes in the very
 * transaction that writes it (expected absent) and gives back in the one that deletes it, so there
 * is nothing to repair and no race: two Services that want one address meet at its key, and the
 * loser runs its compare-and-set loop again. An address is an IPAddress object, as upstream has it;
 * a node port is a key that is no API object. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apiserver/registry/ip_range.h"
#include "base/str.h"

struct core_v1_service;
struct err;
struct status;
struct write;

struct service_ranges {
    struct ip_range ranges[2]; /* the first is the primary family's */
    size_t n;
    int32_t first_port, last_port; /* node ports */
};

/* "10.96.0.0/12[,fd00::/108]", two of different families at most; "30000-32767". */
int service_ranges_parse(struct str cidrs, struct str ports, struct service_ranges *ret,
                         struct err *err);
/* The range of a family; NULL when the cluster has none. */
const struct ip_range *service_ranges_of(const struct service_ranges *r, struct str family);

/* Does the Service have addresses of the cluster (not headless, not ExternalName)? */
bool service_has_address(const struct core_v1_service *svc);
bool service_has_node_ports(const struct core_v1_service *svc);
bool service_has_health_port(const struct core_v1_service *svc);

/* The strategy's transact(): what w->updated lacks is chosen, what it names is taken, what
 * w->current had and it has no longer is given back. */
bool service_allocation_transact(struct write *w, struct status *ret);
