/* CertificateApproval, CertificateSigning, CertificateSubjectRestriction: who approves or signs for
 * a signer has the right to do that for this signer, and nobody asks to be a master of the cluster.
 */
#include "api/certificates_v1.h"
#include "api/resource.h"
#include "apiserver/admission/admission.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/authorizer.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/err.h"
#include "codec/x509.h"

#define GROUP STR("certificates.k8s.io")

static bool is_request(const struct admission_call *call, enum admission_operation op,
                       struct str subresource)
{
    const struct api_request *r = call->request;
    struct str sub = r->subresource ? r->subresource->name : STR("");

    return call->operation == op && str_eq(r->resource->group, GROUP) &&
           str_eq(r->resource->name, STR("certificatesigningrequests")) && str_eq(sub, subresource);
}

static bool forbid(const struct admission_call *call, struct status *ret, struct str why)
{
    *ret = status_forbidden(call->request->arena,
                            (struct group_resource){ GROUP, STR("certificatesigningrequests") },
                            call->name, "%.*s", STR_ARG(why));
    return false;
}

/* The verb on signers, by the signer's whole name or by its domain: "example.com/\*". */
static bool may(const struct admission_call *call, struct str verb, struct str signer)
{
    struct api_request *r = call->request;
    struct authz_attributes a = { .arena = r->arena,
                                  .user = &r->user,
                                  .is_resource = true,
                                  .verb = verb,
                                  .group = GROUP,
                                  .resource = STR("signers"),
                                  .name = signer };
    struct str reason = STR_NULL, domain, path;

    if (authz_check(r->server, &a, &reason) == AUTHORIZER_ALLOW)
        return true;
    if (!str_cut(signer, '/', &domain, &path))
        return false;
    a.name = arena_printf(r->arena, "%.*s/*", STR_ARG(domain));
    return authz_check(r->server, &a, &reason) == AUTHORIZER_ALLOW;
}

static bool check_right(const struct admission_call *call, const char *verb, struct status *ret)
{
    const struct certificates_v1_certificate_signing_request *old = call->old.data;
    struct str signer = old->spec.signer_name;

    if (may(call, str_from_cstr(verb), signer))
        return true;
    return forbid(call, ret,
                  arena_printf(call->request->arena,
                               "user not permitted to %s requests with signerName \"%.*s\"", verb,
                               STR_ARG(signer)));
}

static bool approval_validate(const struct admission_call *call, struct status *ret)
{
    if (!is_request(call, ADMISSION_UPDATE, STR("approval")))
        return true;
    return check_right(call, "approve", ret);
}

static bool says_failed(const struct certificates_v1_certificate_signing_request *csr)
{
    for (uint32_t i = 0; i < csr->status.conditions.len; i++)
        if (str_eq(csr->status.conditions.items[i].type, STR("Failed")))
            return true;
    return false;
}

/* A status that neither issues nor fails the request is not the signer's business. */
static bool signing_validate(const struct admission_call *call, struct status *ret)
{
    const struct certificates_v1_certificate_signing_request *csr = call->object.data;
    const struct certificates_v1_certificate_signing_request *old = call->old.data;

    if (!is_request(call, ADMISSION_UPDATE, STR("status")) ||
        (str_eq(csr->status.certificate, old->status.certificate) &&
         says_failed(csr) == says_failed(old)))
        return true;
    return check_right(call, "sign", ret);
}

static bool subject_validate(const struct admission_call *call, struct status *ret)
{
    const struct certificates_v1_certificate_signing_request *csr = call->object.data;

    if (!is_request(call, ADMISSION_CREATE, STR("")) ||
        !str_eq(csr->spec.signer_name, STR("kubernetes.io/kube-apiserver-client")) ||
        !x509_request_has(csr->spec.request, X509_ORGANIZATION, STR("system:masters")))
        return true;
    return forbid(call, ret,
                  STR("use of kubernetes.io/kube-apiserver-client signer with system:masters group "
                      "is not allowed"));
}

const struct admission_plugin certificate_approval_plugin = {
    .name = "CertificateApproval",
    .validate = approval_validate,
};

const struct admission_plugin certificate_signing_plugin = {
    .name = "CertificateSigning",
    .validate = signing_validate,
};

const struct admission_plugin certificate_subject_plugin = {
    .name = "CertificateSubjectRestriction",
    .validate = subject_validate,
};
