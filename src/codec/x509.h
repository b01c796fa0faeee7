/* X.509 certificates and keys: making the ones of a cluster, reading what they say. Keys are ECDSA
 * P-256; texts are PEM. OpenSSL inside. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;

/* A certificate and its private key, PEM. */
struct x509_pair {
    struct str certificate;
    struct str key;
};

struct x509_request {
    struct str common_name;
    const struct str *organizations;
    size_t n_organizations;
    const struct str *dns_names;
    size_t n_dns_names;
    const struct str *addresses; /* text of IPv4 or IPv6 */
    size_t n_addresses;
    bool is_server;
    bool is_client;
    int64_t days;
};

/* Self-signed, may sign. Valid from five minutes ago, because clocks differ. */
int x509_make_ca(struct arena *a, struct str common_name, int64_t days, struct x509_pair *ret,
                 struct err *err);
int x509_make_signed(struct arena *a, const struct x509_pair *ca, const struct x509_request *req,
                     struct x509_pair *ret, struct err *err);
/* A key pair for signing tokens: PKCS #8 and SubjectPublicKeyInfo, both PEM. */
int x509_make_key(struct arena *a, struct str *ret_private, struct str *ret_public,
                  struct err *err);

struct x509_info {
    int64_t not_before; /* seconds since 1970 */
    int64_t not_after;
    bool is_ca;
};
int x509_read(struct str certificate_pem, struct x509_info *ret, struct err *err);
/* A certificate request (PKCS #10, PEM) that parses and is signed by its own key. */
int x509_check_request(struct str request_pem, struct err *err);
/* Its subject: the (last) common name, or one of the organizations. */
enum x509_name { X509_COMMON_NAME, X509_ORGANIZATION };
bool x509_request_has(struct str request_pem, enum x509_name name, struct str value);
/* PEM blocks, all of them certificates that parse, and at least one. */
int x509_check_certificates(struct str pem, struct err *err);
/* The public half of a private key, both PEM. */
int x509_public_key(struct arena *a, struct str private_pem, struct str *ret_public,
                    struct err *err);
/* The certificate is for this DNS name or address (text). */
bool x509_is_for(struct str certificate_pem, struct str name);
/* The first certificate is signed by ca and its key is this one. */
bool x509_pair_fits(const struct x509_pair *pair, struct str ca_certificate);
