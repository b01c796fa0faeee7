/* Our own plugin: routed, without a bridge. A Pod has a /32 (/128) on eth0 and a default route by a
 * link-local gateway, 169.254.1.1 (fe80::1), that exists only as a permanent neighbour entry for
 * the host side's MAC; the node has one route per Pod to its veth, and a permanent neighbour as
 * well: so nobody ever asks for an address, and packets between Pods of a node pass the node's
 * rules. */
#pragma once

#include <stdint.h>

#include "base/str.h"
#include "cni/cni_result.h"
#include "net/ip_prefix.h"

struct err;

enum { CNI_ROUTED_MAX_RANGES = 2 };

struct cni_routed_config {
    const char *directory; /* of allocated addresses */
    struct ip_prefix ranges[CNI_ROUTED_MAX_RANGES];
    size_t n_ranges;
    uint32_t mtu; /* 0: the kernel's default */
};
struct cni_routed_pod {
    struct str container_id;
    const char *interface;  /* "eth0" */
    const char *netns_path; /* NULL or gone: delete does what is left to do */
};

/* Blocks for a millisecond or two. Begun again after a failure or a crash it gives the same
 * addresses; on failure nothing stays. */
int cni_routed_add(const struct cni_routed_config *config, const struct cni_routed_pod *pod,
                   struct cni_result *ret, struct err *err);
int cni_routed_delete(const struct cni_routed_config *config, const struct cni_routed_pod *pod,
                      struct err *err);
/* Releases the addresses of all but these sandboxes. */
int cni_routed_retain(const struct cni_routed_config *config, const struct str *ids, size_t n_ids,
                      struct err *err);
/* Is everything of `result` as add made it? ERR_NOT_FOUND says what is not. */
int cni_routed_check(const struct cni_routed_config *config, const struct cni_routed_pod *pod,
                     const struct cni_result *result, struct err *err);
