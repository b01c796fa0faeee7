/* The certificates of a cluster, laid out as kubeadm does (pki/ca.crt, apiserver.crt, sa.key, ...),
 * and kubeconfigs under upstream's user names: admin.conf, controller-manager.conf, scheduler.conf,
 * proxy.conf, dns.conf; for each node kubelet-NAME.conf and pki/kubelet-NAME.crt. What is there and
 * valid is left alone, so that running it again changes nothing; what is missing is made; a
 * certificate that is about to end is made anew.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct err;

struct pki_options {
    const char *dir;               /* made when it is not there, 0700 */
    uint16_t secure_port;          /* 0: not known yet, no kubeconfig is written */
    const char *advertise_address; /* NULL: 127.0.0.1 only */
    const char *server;            /* what kubeconfigs name; NULL: 127.0.0.1 */
    const char *service_cidr;      /* ranges, by commas; the first address of each goes into the
                                      server's certificate */
};

struct pki_result {
    unsigned made; /* how many files were written */
    unsigned kept;
};

/* Files are written whole or not at all (a temporary one is renamed); keys are 0600. */
int pki_init(const struct pki_options *o, struct pki_result *ret, struct err *err);

/* One node's: kubelet-NAME.conf (user system:node:NAME in the group system:nodes) and the
 * certificate of the kubelet's own port, pki/kubelet-NAME.{crt,key}, which the API server takes for
 * these addresses alone. The cluster's authority must be there, or is made. */
struct pki_node {
    const char *name;
    const char *addresses; /* by commas */
    const char *server;    /* address of the API server as the node sees it; NULL: 127.0.0.1 */
};
int pki_init_node(const struct pki_options *o, const struct pki_node *node, struct pki_result *ret,
                  struct err *err);
