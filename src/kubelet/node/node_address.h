/* The address by which others reach this node. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;

/* The source of packets to the API server; where that is on the loopback, of packets to anywhere.
 * ERR_NOT_FOUND: there is no route. */
int node_address_find(struct arena *a, struct str server, uint16_t port, struct str *ret,
                      struct err *err);
