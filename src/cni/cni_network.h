/* What gives Pods their network: our own routed plugin as a function call, or whatever plugins a
 * configuration directory names, by CNI. Asynchronous, on one loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/ip_prefix.h"

struct cni_network;
struct err;
struct loop;

enum { CNI_MAX_IPS = 8 };

struct cni_port_mapping {
    const char *protocol; /* "tcp", "udp", "sctp" */
    uint16_t container_port, host_port;
    struct str host_ip;
};
struct cni_attachment {      /* a Pod's, copied */
    struct str container_id; /* the sandbox's id */
    struct str netns_path;
    struct str pod_namespace, pod_name, pod_uid;
    const struct cni_port_mapping *ports;
    size_t n_ports;
};
struct cni_network_result {
    int code; /* 0, or negative and err */
    const struct err *err;
    struct ip ips[CNI_MAX_IPS]; /* of eth0, after add */
    size_t n_ips;
};
/* Once, never from within the call; nothing after cni_network_cancel(). */
typedef void cni_network_done_fn(const struct cni_network_result *res, void *arg);
struct cni_call;

/* Our own plugin. Addresses are kept in directory, one file each. Without ranges it is not ready.
 */
struct cni_network *cni_network_new_routed(struct loop *l, const char *directory, uint32_t mtu);
/* At most one of each family, the Pod ranges of this node; what is allocated stays allocated. */
int cni_network_set_ranges(struct cni_network *n, const struct ip_prefix *ranges, size_t n_ranges,
                           struct err *err);

/* Other plugins: the first configuration list (.conflist, .conf, .json, by name) of
 * config_directory is read anew for each Pod; programs are looked for in the directories of
 * plugin_path ("a:b"). Results are kept in cache_directory until the Pod's network is deleted. */
struct cni_network *cni_network_new_plugins(struct loop *l, const char *config_directory,
                                            const char *plugin_path, const char *cache_directory);
/* Forgets addresses that are not of these sandboxes: a machine that went down has left them. Other
 * plugins know for themselves. */
int cni_network_retain(struct cni_network *n, const struct str *ids, size_t n_ids, struct err *err);
void cni_network_free(struct cni_network *n); /* accepts NULL; no calls may be open */

/* 0, or negative with the reason that the node's Ready condition gives. */
int cni_network_ready(struct cni_network *n, struct err *err);
struct cni_call *cni_network_add(struct cni_network *n, const struct cni_attachment *a,
                                 cni_network_done_fn *done, void *arg);
/* Succeeds when there is nothing to delete. */
struct cni_call *cni_network_delete(struct cni_network *n, const struct cni_attachment *a,
                                    cni_network_done_fn *done, void *arg);
void cni_network_cancel(struct cni_call *call);
