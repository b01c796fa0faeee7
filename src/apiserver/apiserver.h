/* The API server: opens the store, listens, serves until a signal. The only component that sees the
 * store. One loop and thread per core; each request lives on one of them (docs/apiserver.md). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

struct apiserver_options {
    const char *data_dir;     /* the store lives in its subdirectory "store" */
    const char *bind_address; /* NULL: "0.0.0.0" */
    uint16_t secure_port;     /* 0: any free one, printed in the line that says ready */
    const char *tls_cert_file;
    const char *tls_key_file;
    const char *client_ca_file; /* who may present a client certificate */
    /* Called when the data directory is this process's own, before certificates are read: what
     * writes there must not do so under another server's feet. May fill in the names above. */
    int (*prepare)(void *arg, struct err *err);
    void *prepare_arg;
    unsigned threads;     /* I/O loops; 0: one per core */
    const char *soft_dir; /* of what a reboot may lose; NULL: on a tmpfs, by data_dir */
    bool ephemeral;       /* nothing is kept */
    bool plain_http;      /* tests and benches: no TLS; every client is an administrator */
    uint32_t event_ttl_s; /* 0: 3600 */
    /* What this server shows to kubelets, and what their certificates must be signed by; all or
     * none. */
    const char *kubelet_client_certificate;
    const char *kubelet_client_key;
    const char *kubelet_certificate_authority;
    const char *service_account_signing_key_file; /* NULL: no tokens are made */
    const char *service_account_key_file;         /* believed beside it: a private or public key */
    const char *service_account_issuer;    /* NULL: https://kubernetes.default.svc.cluster.local */
    const char *disable_admission_plugins; /* names, by commas; NULL: all are on */
    const char *service_cidr;              /* NULL: 10.96.0.0/12; a second family after a comma */
    const char *node_port_range;           /* NULL: 30000-32767 */
    /* By which nodes and Pods reach this server; NULL: the machine's first address that is not
     * loopback. */
    const char *advertise_address;
};

/* Runs until SIGTERM or SIGINT. The process's exit code: 0, or 1 after one line on stderr. Prints
 * one line on stdout when it serves: "serving https://ADDRESS:PORT". */
int apiserver_run(const struct apiserver_options *o);
