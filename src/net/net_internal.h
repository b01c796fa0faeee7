/* Netlink messages over libmnl: known in this directory alone. */
#pragma once

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct err;
struct netlink;

enum { NETLINK_BUF_BYTES = 16 * 1024 };

/* A message under construction in the socket's own buffer, of which there is one: begin, put
 * attributes with mnl_attr_put_*_check or netlink_put(), then netlink_request(). extra is the
 * family's header, zeroed, of `size` bytes. */
struct nlmsghdr *netlink_begin(struct netlink *n, uint16_t type, uint16_t flags, void *ret_extra,
                               size_t size);
/* Sends it and waits for the answer: 0, or the kernel's -errno, with the kernel's own words in err
 * where it has some. Every data message of the answer goes to fn (may be NULL) first; a negative
 * result of fn ends the call with it once the answer has been read. */
typedef int netlink_message_fn(const struct nlmsghdr *m, void *arg);
int netlink_request(struct netlink *n, struct nlmsghdr *m, netlink_message_fn *fn, void *arg,
                    struct err *err);
struct mnl_socket *netlink_socket(struct netlink *n);
uint32_t netlink_next_seq(struct netlink *n);

/* As mnl_attr_for_each, with the conversion said. */
#define NETLINK_FOREACH(attr, m, header_bytes)                                                     \
    for (attr = mnl_nlmsg_get_payload_offset((m), (header_bytes)); mnl_attr_ok(                    \
             attr, (int)((const char *)mnl_nlmsg_get_payload_tail(m) - (const char *)(attr)));     \
         attr = mnl_attr_next(attr))

#define NETLINK_FOREACH_NESTED(attr, nest)                                                         \
    for (attr = mnl_attr_get_payload(nest);                                                        \
         mnl_attr_ok(attr, (int)((const char *)mnl_attr_get_payload(nest) +                        \
                                 mnl_attr_get_payload_len(nest) - (const char *)(attr)));          \
         attr = mnl_attr_next(attr))

/* The attribute of that type among a message's, or NULL. */
const struct nlattr *netlink_find(const struct nlmsghdr *m, size_t header_bytes, uint16_t type);
