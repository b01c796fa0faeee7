/* A netlink socket in some network namespace: requests that the kernel answers at once, and
 * multicast events. A request costs tens of microseconds, so it is made from a loop. */
#pragma once

struct err;
struct netlink;

enum netlink_bus { NETLINK_OF_ROUTE, NETLINK_OF_NETFILTER };

/* netns_fd -1: where we are. The socket stays in that namespace. */
int netlink_new(int netns_fd, enum netlink_bus bus, struct netlink **ret, struct err *err);
void netlink_free(struct netlink *n); /* accepts NULL */
