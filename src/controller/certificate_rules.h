/* What a certificate request may be signed for, approved by itself, and how long it stays. Nothing
 * here talks to anybody. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct certificate_request;
struct certificates_v1_certificate_signing_request;

#define CERTIFICATE_OF_NODES "kubernetes.io/kube-apiserver-client-kubelet"

typedef const struct certificates_v1_certificate_signing_request certificate_csr;

bool certificate_rules_has(certificate_csr *csr, struct str type); /* a condition that is True */
/* One of the four signers that the cluster's authority serves. */
bool certificate_rules_is_signed_here(certificate_csr *csr);
/* Why the signer does not sign this; unset: it does. */
struct str certificate_rules_objection(struct arena *a, certificate_csr *csr,
                                       const struct certificate_request *request);
/* A node asks for its own client certificate (is_self: with the one that it has). */
bool certificate_rules_is_node(certificate_csr *csr, const struct certificate_request *request,
                               bool is_self);
/* For how long: what is asked for, at least ten minutes, at most limit_s. */
int64_t certificate_rules_ttl(certificate_csr *csr, int64_t limit_s);
/* When the request is of no use to anybody any more; INT64_MAX: not by time alone. */
int64_t certificate_rules_ends_at(certificate_csr *csr);
