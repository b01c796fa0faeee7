/* The node agent: runs the Pods that are bound to its node, keeps their status and its own Node in
 * the API. Everything is driven by events of the API and the runtime, and by timers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct kubelet_options {
    const char *kubeconfig;
    const char *node_name;
    const char *node_ip;         /* NULL: the one that the API server is reached from */
    const char *root_directory;  /* pods, the runtime's containers */
    const char *state_directory; /* sockets, exit files, namespaces */
    const char *image_directory; /* NULL: below root_directory */
    const char *log_directory;   /* of Pods */
    const char *cgroup_root;     /* "/": /kubepods */
    const char *cluster_dns;     /* NULL: none */
    const char *cluster_domain;
    const char *address; /* the port listens on; NULL: all */
    uint16_t port;
    const char *cert_file, *key_file, *client_ca_file; /* NULL: the port is not opened */
    const char *registries_file;
    const char *cni_conf_directory; /* NULL: our own network */
    const char *cni_bin_directory;
    const char *node_labels;        /* "a=b,c=d" */
    const char *node_taints;        /* "a=b:NoSchedule,c:NoExecute"; of a new Node */
    const char *manifest_directory; /* of static Pods; NULL: none */
    const char *eviction_hard;      /* when the node is short of something; see node_pressure.h */
    uint32_t max_pods;
    uint32_t pod_max_pids; /* processes of one Pod; 0: as many as the machine takes */
    bool cleanup;          /* removes everything of this node and ends */
};

/* Until SIGTERM; containers run on. The process's exit code; one line on stderr when it cannot
 * start. The process must be in its node's network and mount namespace. */
int kubelet_run(const struct kubelet_options *o);
