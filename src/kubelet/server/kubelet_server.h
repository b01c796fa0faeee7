/* The kubelet's HTTPS port: Pods, logs, exec, attach, port forwarding, statistics, metrics, health.
 * Only who has a client certificate of the cluster's authority for the API server's kubelet client
 * (or of system:masters) is answered; /healthz is for everyone. One loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct api_object;
struct arena;
struct buf;
struct err;
struct kubelet_metrics;
struct kubelet_server;
struct loop;
struct runtime;
struct stats_collector;

/* What of a Pod its control group does not tell. */
struct kubelet_view_volume {
    struct str name;
    const char *path;
};
struct kubelet_view_pod {
    int64_t started_s;
    const char *log_directory;
    struct kubelet_view_volume *volumes; /* that are made of files of ours */
    size_t n_volumes;
};

/* What the server asks of the kubelet. Answers are borrowed until the loop's next turn. */
struct kubelet_view {
    /* The node's Pods with their latest status, static ones too. */
    size_t (*pods)(void *arg, const struct api_object *const **ret);
    /* NULL: none. uid may be unset. */
    const struct api_object *(*find_pod)(void *arg, struct str namespace, struct str name,
                                         struct str uid);
    /* The runtime's id of the Pod's container as it runs now or ran last; unset: none. */
    struct str (*container_id)(void *arg, struct str pod_uid, struct str container);
    /* The log file of a container's current (or, is_previous, last but one) run, and whether that
     * run still writes to it. Unset: none, and err has upstream's words. */
    struct str (*log_path)(void *arg, struct str pod_uid, struct str container, bool is_previous,
                           bool *ret_is_running, struct err *err);
    struct str (*sandbox_id)(void *arg, struct str pod_uid); /* unset: none */
    bool (*is_healthy)(void *arg, struct err *err);
    /* False: none of that uid. In a. */
    bool (*pod_details)(void *arg, struct arena *a, struct str pod_uid,
                        struct kubelet_view_pod *ret);
    void (*print_metrics)(void *arg, struct buf *b);
    void (*print_probe_metrics)(void *arg, struct buf *b);
    void (*print_configuration)(void *arg, struct buf *b); /* KubeletConfiguration, as JSON */
    void *arg;
};

struct kubelet_server_options {
    struct loop *loop;
    struct runtime *runtime;
    struct str node_name;
    const char *address; /* to listen on */
    uint16_t port;       /* 0 picks one */
    const char *cert_file, *key_file, *client_ca_file;
    const struct kubelet_view *view; /* the caller's, outlives the server */
    struct stats_collector *stats;   /* the same */
    struct kubelet_metrics *metrics; /* the same */
};

int kubelet_server_new(const struct kubelet_server_options *o, struct kubelet_server **ret,
                       uint16_t *ret_port, struct err *err);
void kubelet_server_free(struct kubelet_server *s); /* ends its streams; accepts NULL */
/* A container ended or was removed: who follows its log is told. */
void kubelet_server_container_ended(struct kubelet_server *s, struct str container_id);
