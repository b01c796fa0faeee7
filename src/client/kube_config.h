/* Where the API server is and who we are, from a kubeconfig (its current context) as kubectl writes
 * it: cluster's server and authority, user's client certificate or token; data in the file or in
 * files that it names, relative to it. */
#pragma once

#include "base/str.h"

struct arena;
struct err;

struct kube_config {
    struct str host; /* without brackets */
    uint16_t port;
    bool is_tls;
    struct str path; /* prefix of the server's URL; "" mostly */
    struct str tls_server_name;
    struct str ca_pem;
    struct str certificate_pem; /* unset: none */
    struct str key_pem;
    struct str token; /* unset: none */
    struct str namespace;
};

/* Everything in a. Exec and auth-provider plugins are ERR_UNSUPPORTED. */
int kube_config_load(struct arena *a, const char *path, struct kube_config *ret, struct err *err);
/* directory: what relative file names are relative to. */
int kube_config_parse(struct arena *a, struct str yaml, struct str directory,
                      struct kube_config *ret, struct err *err);
/* What a Pod has: KUBERNETES_SERVICE_HOST and _PORT, the service account's files. */
int kube_config_in_cluster(struct arena *a, struct kube_config *ret, struct err *err);
/* A file as it is, into the arena. */
int kube_config_read_file(struct arena *a, const char *path, struct str *ret, struct err *err);
