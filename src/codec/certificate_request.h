/* Certificate requests (PKCS #10, PEM): what they ask for, and certificates made of them. OpenSSL
 * inside. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;
struct x509_pair;

struct certificate_request {
    struct str common_name; /* the last one; unset: none */
    const struct str *organizations;
    size_t n_organizations;
    size_t n_dns_names, n_addresses, n_emails, n_uris; /* alternative names of each kind */
};
/* ERR_SYNTAX: it is none. */
int certificate_request_read(struct arena *a, struct str pem, struct certificate_request *ret,
                             struct err *err);

struct certificate_terms {
    const struct str *usages; /* in Kubernetes' words: "client auth" */
    size_t n_usages;
    int64_t now_s, ttl_s;
};
/* Subject, alternative names and key are the request's; nothing else of it is taken over. Valid
 * from five minutes ago; not beyond the authority's own end. *ret is PEM. ERR_INVALID: an unknown
 * usage, a request that is not signed by its own key, an authority that has ended. */
int certificate_request_sign(struct arena *a, const struct x509_pair *authority, struct str pem,
                             const struct certificate_terms *terms, struct str *ret,
                             struct err *err);
