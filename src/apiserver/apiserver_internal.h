/* What the parts of the API server share. Included by src/apiserver only. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "apiserver/admission/admission.h"
#include "apiserver/authn/authenticator.h"
#include "apiserver/authn/service_account_token.h"
#include "apiserver/authz/authorizer.h"
#include "apiserver/authz/rbac_policy.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/service_allocation.h"

struct apiserver_options;
struct clock;
struct extensions;
struct metrics;
struct node_graph;
struct rbac;
struct store;
struct store_outbox;
struct tls_context;

struct apiserver {
    const struct apiserver_options *options;
    const struct clock *clock;
    struct store *store;
    struct store_outbox *outboxes; /* one a loop */
    size_t n_outboxes;
    struct metrics *metrics;
    struct registry registry;
    struct service_ranges service_ranges;
    struct tls_context *proxy_tls;   /* to Pods: any certificate will do */
    struct tls_context *kubelet_tls; /* NULL: no certificate for kubelets */
    struct service_account_keys service_account_keys;
    const struct authenticator *const *authenticators; /* NULL-terminated; the first that knows */
    struct rbac *_Atomic rbac;                         /* NULL: not yet */
    struct node_graph *_Atomic node_graph;             /* NULL: not yet */
    struct rbac_rules node_rules;                      /* what every node may */
    struct extensions *_Atomic extensions;             /* NULL: not yet */
    const struct authorizer *const *authorizers;       /* NULL-terminated; the first opinion */
    const struct admission_plugin *const *admission;   /* NULL-terminated, in order */
    struct str client_ca_pem; /* whose certificates clients present; unset without TLS */
    uint16_t port;            /* that it listens on */
    _Atomic bool ready;       /* bootstrap objects are there */
    _Atomic bool stopping;
};
