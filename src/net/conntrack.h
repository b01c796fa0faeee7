/* Removal of tracked connections: those of a service or endpoint that is gone would send packets to
 * nowhere until they time out. */
#pragma once

#include <stdint.h>

#include "net/ip_prefix.h"

struct err;
struct netlink;

struct conntrack_filter {     /* zero: any */
    uint8_t protocol;         /* IPPROTO_UDP ... */
    struct ip original_to;    /* where the first packet was sent */
    uint16_t original_port;   /* host order */
    struct ip translated_to;  /* where it went: the replies' source */
    uint16_t translated_port; /* host order */
};
/* Over a NETLINK_OF_NETFILTER socket. How many were removed, or negative. */
int conntrack_flush(struct netlink *n, const struct conntrack_filter *filter, struct err *err);
