/* Network links of a namespace: veth pairs, VXLAN, state, names. Names are at most 15 bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/ip_prefix.h"

struct err;
struct netlink;

enum { LINK_NAME_BYTES = 16, LINK_MAC_BYTES = 6 };

struct link_info {
    int index;
    char name[LINK_NAME_BYTES];
    uint8_t mac[LINK_MAC_BYTES];
    uint32_t mtu;
    bool is_up;
    int peer_index; /* veth: the other end's index, in its namespace; 0: none */
};

struct link_veth {
    const char *name; /* here */
    const char *peer_name;
    int peer_netns_fd;             /* -1: here as well */
    uint32_t mtu;                  /* 0: the kernel's */
    const uint8_t *mac, *peer_mac; /* NULL: the kernel picks */
    bool up; /* this end, at once; the peer is made before it has one, so it cannot be */
};
int link_add_veth(struct netlink *n, const struct link_veth *veth, struct err *err); /* -EEXIST */

struct link_vxlan {
    const char *name;
    uint32_t id;
    uint16_t port;
    struct ip local; /* family 0: none */
    uint32_t mtu;
    const uint8_t *mac;
};
int link_add_vxlan(struct netlink *n, const struct link_vxlan *vxlan, struct err *err);

/* -ENODEV: no such link. */
int link_get(struct netlink *n, const char *name, struct link_info *ret, struct err *err);
/* The index of a name, or negative as above. */
int link_index(struct netlink *n, const char *name, struct err *err);
int link_set_up(struct netlink *n, int index, bool up, struct err *err);
int link_set_mtu(struct netlink *n, int index, uint32_t mtu, struct err *err);
int link_rename(struct netlink *n, int index, const char *name, struct err *err); /* while down */
int link_move(struct netlink *n, int index, int netns_fd, struct err *err);
int link_delete(struct netlink *n, const char *name, struct err *err); /* absent is fine */
/* All links; fn's negative result ends it. */
typedef int link_fn(const struct link_info *info, void *arg);
int link_list(struct netlink *n, link_fn *fn, void *arg, struct err *err);
