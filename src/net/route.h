/* Addresses, routes and neighbours of a namespace. Adding what is there already succeeds, as does
 * deleting what is not. */
#pragma once

#include "net/ip_prefix.h"
#include "net/link.h"

struct err;
struct netlink;

/* IPv6 addresses are usable at once: no duplicate address detection. */
int route_add_address(struct netlink *n, int link_index, const struct ip_prefix *address,
                      struct err *err);
int route_delete_address(struct netlink *n, int link_index, const struct ip_prefix *address,
                         struct err *err);
/* All addresses of a link (0: of all links). */
typedef int route_address_fn(int link_index, const struct ip_prefix *address, void *arg);
int route_list_addresses(struct netlink *n, int link_index, route_address_fn *fn, void *arg,
                         struct err *err);

struct route {
    struct ip_prefix to; /* len 0: default; family decides */
    int link_index;
    struct ip via;    /* family 0: directly on the link */
    struct ip source; /* family 0: the kernel's choice */
    bool onlink;      /* via is on the link though no route says so */
    uint32_t mtu;     /* 0: the link's */
    uint8_t protocol; /* who made it, a number of his own; 0: an administrator, on deletion: any */
};
int route_add(struct netlink *n, const struct route *route, struct err *err); /* replaces */
int route_delete(struct netlink *n, const struct route *route, struct err *err);
typedef int route_fn(const struct route *route, void *arg);
int route_list(struct netlink *n, int family, route_fn *fn, void *arg, struct err *err); /* main */

/* The route that packets to ip take. ERR_NOT_FOUND: none, or it is an address of this machine. */
int route_find(struct netlink *n, const struct ip *ip, struct route *ret, struct err *err);

/* A permanent neighbour: nobody asks for the address. */
int route_add_neighbour(struct netlink *n, int link_index, const struct ip *ip,
                        const uint8_t mac[LINK_MAC_BYTES], struct err *err);
/* A VXLAN link's forwarding entry: mac is behind the node at `remote`. */
int route_add_forwarding(struct netlink *n, int link_index, const struct ip *remote,
                         const uint8_t mac[LINK_MAC_BYTES], struct err *err);
int route_delete_forwarding(struct netlink *n, int link_index, const struct ip *remote,
                            const uint8_t mac[LINK_MAC_BYTES], struct err *err);
