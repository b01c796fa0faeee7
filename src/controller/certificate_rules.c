#include "controller/certificate_rules.h"

#include "api/certificates_v1.h"
#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/err.h"
#include "codec/certificate_request.h"
#include "codec/x509.h"

enum { MIN_TTL_S = 600, DONE_S = 3600, PENDING_S = 24 * 3600 };

#define NODE_PREFIX "system:node:"

static const struct certificates_v1_certificate_signing_request_condition *
find(certificate_csr *csr, struct str type)
{
    for (uint32_t i = 0; i < csr->status.conditions.len; i++)
        if (str_eq(csr->status.conditions.items[i].type, type))
            return &csr->status.conditions.items[i];
    return NULL;
}

bool certificate_rules_has(certificate_csr *csr, struct str type)
{
    const struct certificates_v1_certificate_signing_request_condition *c = find(csr, type);

    return c && (!c->status.len || str_eq(c->status, STR("True")));
}

/* --- who signs what --- */

static bool has_usage(certificate_csr *csr, struct str usage)
{
    for (uint32_t i = 0; i < csr->spec.usages.len; i++)
        if (str_eq(csr->spec.usages.items[i], usage))
            return true;
    return false;
}

/* "digital signature" and what it is for; keys of RSA may ask for "key encipherment", too. */
static bool usages_are(certificate_csr *csr, struct str purpose)
{
    uint32_t n = 2 + has_usage(csr, STR("key encipherment"));

    return csr->spec.usages.len == n && has_usage(csr, STR("digital signature")) &&
           has_usage(csr, purpose);
}

static struct str object_to_subject(const struct certificate_request *r)
{
    if (r->n_organizations != 1 || !str_eq(r->organizations[0], STR("system:nodes")))
        return STR("subject organization is not system:nodes");
    return STR_NULL;
}

static struct str object_to_serving(struct arena *a, certificate_csr *csr,
                                    const struct certificate_request *r)
{
    (void)a;
    if (object_to_subject(r).len)
        return object_to_subject(r);
    if (!r->n_dns_names && !r->n_addresses)
        return STR("DNS or IP subjectAltName is required");
    if (r->n_emails)
        return STR("Email subjectAltNames are not allowed");
    if (r->n_uris)
        return STR("URI subjectAltNames are not allowed");
    if (!usages_are(csr, STR("server auth")))
        return STR("usages did not match [digital signature key encipherment server auth]");
    if (!str_has_prefix(r->common_name, STR(NODE_PREFIX)))
        return STR("subject common name does not begin with system:node:");
    return STR_NULL;
}

static struct str object_to_node(struct arena *a, certificate_csr *csr,
                                 const struct certificate_request *r)
{
    (void)a;
    if (object_to_subject(r).len)
        return object_to_subject(r);
    if (r->n_dns_names)
        return STR("DNS subjectAltNames are not allowed");
    if (r->n_emails)
        return STR("Email subjectAltNames are not allowed");
    if (r->n_addresses)
        return STR("IP subjectAltNames are not allowed");
    if (r->n_uris)
        return STR("URI subjectAltNames are not allowed");
    if (!str_has_prefix(r->common_name, STR(NODE_PREFIX)))
        return STR("subject common name does not begin with system:node:");
    if (!usages_are(csr, STR("client auth")))
        return STR("usages did not match [client auth digital signature key encipherment]");
    return STR_NULL;
}

static struct str object_to_client(struct arena *a, certificate_csr *csr,
                                   const struct certificate_request *r)
{
    static const struct str fine[] = { STR_INIT("digital signature"), STR_INIT("key encipherment"),
                                       STR_INIT("client auth") };

    (void)r;
    for (uint32_t i = 0; i < csr->spec.usages.len; i++) {
        bool is_fine = false;

        for (size_t k = 0; k < ARRAY_LEN(fine); k++)
            is_fine |= str_eq(csr->spec.usages.items[i], fine[k]);
        if (!is_fine)
            return arena_printf(a, "invalid usage for client certificate: %.*s",
                                STR_ARG(csr->spec.usages.items[i]));
    }
    if (!has_usage(csr, STR("client auth")))
        return STR("missing required usage for client certificate: client auth");
    return STR_NULL;
}

static struct str object_to_nothing(struct arena *a, certificate_csr *csr,
                                    const struct certificate_request *r)
{
    (void)a;
    (void)csr;
    (void)r;
    return STR_NULL;
}

static const struct signer {
    struct str name;
    struct str (*objection)(struct arena *a, certificate_csr *csr,
                            const struct certificate_request *r);
} signers[] = {
    { STR_INIT("kubernetes.io/kubelet-serving"), object_to_serving },
    { STR_INIT(CERTIFICATE_OF_NODES), object_to_node },
    { STR_INIT("kubernetes.io/kube-apiserver-client"), object_to_client },
    { STR_INIT("kubernetes.io/legacy-unknown"), object_to_nothing },
};

static const struct signer *signer_of(certificate_csr *csr)
{
    for (size_t i = 0; i < ARRAY_LEN(signers); i++)
        if (str_eq(csr->spec.signer_name, signers[i].name))
            return &signers[i];
    return NULL;
}

bool certificate_rules_is_signed_here(certificate_csr *csr)
{
    return signer_of(csr);
}

struct str certificate_rules_objection(struct arena *a, certificate_csr *csr,
                                       const struct certificate_request *request)
{
    const struct signer *s = signer_of(csr);

    return s ? s->objection(a, csr, request) : STR("unrecognized signerName");
}

bool certificate_rules_is_node(certificate_csr *csr, const struct certificate_request *request,
                               bool is_self)
{
    return str_eq(csr->spec.signer_name, STR(CERTIFICATE_OF_NODES)) &&
           !object_to_node(NULL, csr, request).len &&
           (!is_self || str_eq(csr->spec.username, request->common_name));
}

/* --- times --- */

int64_t certificate_rules_ttl(certificate_csr *csr, int64_t limit_s)
{
    if (!csr->spec.expiration_seconds)
        return limit_s;
    return MIN(MAX((int64_t)*csr->spec.expiration_seconds, (int64_t)MIN_TTL_S), limit_s);
}

static int64_t sooner(int64_t at, const struct ktime *t, int64_t after_s)
{
    return t->set ? MIN(at, t->sec + after_s) : at;
}

int64_t certificate_rules_ends_at(certificate_csr *csr)
{
    const struct certificates_v1_certificate_signing_request_condition *approved =
        find(csr, STR("Approved"));
    bool is_issued = csr->status.certificate.len;
    int64_t at = INT64_MAX;
    struct x509_info info;
    struct err err;

    if (!csr->status.conditions.len)
        at = sooner(at, &csr->metadata.creation_timestamp, PENDING_S);
    for (uint32_t i = 0; i < csr->status.conditions.len; i++)
        if (str_eq(csr->status.conditions.items[i].type, STR("Denied")) ||
            str_eq(csr->status.conditions.items[i].type, STR("Failed")))
            at = sooner(at, &csr->status.conditions.items[i].last_update_time, DONE_S);
    if (approved)
        at = sooner(at, &approved->last_update_time, is_issued ? DONE_S : PENDING_S);
    if (approved && is_issued && x509_read(csr->status.certificate, &info, &err) >= 0)
        at = MIN(at, info.not_after);
    return at;
}
