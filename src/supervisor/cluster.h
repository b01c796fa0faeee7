/* A cluster on this machine: what `pintle up` was asked for, and what follows from it. Everything
 * that the kernel knows by name (tables, links, control groups) bears the cluster's id, so that
 * clusters with different roots do not meet; the one at the default root has the names that people
 * expect. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;

#define CLUSTER_ROOT "/var/lib/pintle"
#define CLUSTER_RUN  "/run/pintle"

enum { CLUSTER_MAX_NODES = 100 };

struct cluster_options {
    const char *program; /* ours: what is run for each component */
    const char *root;    /* state: certificates, kubeconfigs, store, images, Pods */
    const char *run_dir; /* sockets, pids, namespaces; NULL: follows from root */
    const char *bind_address, *advertise_address; /* NULL: all; the (first) node's network */
    const char *service_cidr, *cluster_cidr, *node_cidr;
    const char *node_ports;      /* NULL: the API server's default */
    const char *node_name;       /* of a single node; of more, what comes before "-1" */
    const char *node_ip;         /* of a single node; NULL: found */
    const char *registries_file; /* NULL: none */
    const char *dns_upstream;    /* NULL: the host's */
    uint16_t secure_port, kubelet_port, dns_port;
    uint32_t n_nodes;
    bool ephemeral; /* the root is a tmpfs */
    uint32_t verbosity;
};

struct cluster_node {
    const char *name, *ip;
    const char *netns; /* file that holds its network namespace; NULL: the host's */
    const char *link;  /* the host's end of its cable; NULL: none */
    const char *root_dir, *state_dir, *cgroup_root;
};

struct cluster {
    const struct cluster_options *o;
    const char *root, *run_dir; /* absolute */
    const char *id;             /* six hexadecimal digits */
    bool is_default;
    const char *server;      /* address of the API server that nodes and Pods reach */
    const char *gateway;     /* the host's address towards nodes in namespaces; NULL: none */
    const char *cluster_dns; /* the tenth Service address */
    const char *nft_table, *log_dir, *image_dir;
    const char *soft_dir; /* in memory where there is a place: what a reboot may lose */
    struct cluster_node *nodes;
    size_t n_nodes;
};

/* Looks nothing up but the machine's name and address. Everything in a; o is borrowed. */
int cluster_plan(struct arena *a, const struct cluster_options *o, struct cluster *ret,
                 struct err *err);
const char *cluster_path(struct arena *a, const struct cluster *c, const char *below_root);
const char *cluster_run_path(struct arena *a, const struct cluster *c, const char *below_run_dir);
