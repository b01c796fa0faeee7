/* Requests for certificates, and reviews; refusals are in the words of upstream's server. */
#include "api/validation_fixture.h"

#define CSR "certificates.k8s.io/v1.CertificateSigningRequest"
#define PEM                                                                                        \
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIRk1HNENBUUF3RERFS01BZ0dBMVVF"             \
    "QXd3QmRUQlpNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCSlBuYkZNSUdjdVhtRFY4RDBB"             \
    "YlZGOURIQWFCK0hyd3diekgyYStkVzcyb3J1Um0yOTYrQnpFRVJkQTdsVU8xClQzbnBFTzhrdXFQTURM"             \
    "TjRnVnV0ZkllZ0FEQUtCZ2dxaGtqT1BRUURBZ05IQURCRUFpQW5CWk0zZUFXNEV0NEIKOFQrU0s5ZTA4"             \
    "L2JDY1FaRWJtVlYzRFlxcDAwQWpnSWdieFJZeTM0b3QxZWhhMGZRUzJRU0N0dHhHdm5tSU5IcwpjUGsx"             \
    "SCtDWU56UT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=="
#define SIGN(s)   SPEC("'request':'" PEM "'," s)
#define SIGNED(c) STATE("'conditions':[" c "]")
#define STATE(s)                                                                                   \
    "{" META ",'spec':{'request':'" PEM "','usages':['any'],'signerName':'a.b/c'},'status':{" s "}}"
#define CERTIFICATE                                                                                \
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJiekNDQVJXZ0F3SUJBZ0lVQlE2WTFXQnMxWVN4"             \
    "Qkxab3pnbXNTNEx3SFdRd0NnWUlLb1pJemowRUF3SXcKRERFS01BZ0dBMVVFQXd3QmRUQWdGdzB5TmpF"             \
    "eE1qWXhPREl6TVRkYUdBOHlNVEkyTVRFd01qRTRNak14TjFvdwpEREVLTUFnR0ExVUVBd3dCZFRCWk1C"             \
    "TUdCeXFHU000OUFnRUdDQ3FHU000OUF3RUhBMElBQkpQbmJGTUlHY3VYCm1EVjhEMEFiVkY5REhBYUIr"             \
    "SHJ3d2J6SDJhK2RXNzJvcnVSbTI5NitCekVFUmRBN2xVTzFUM25wRU84a3VxUE0KRExONGdWdXRmSWVq"             \
    "VXpCUk1CMEdBMVVkRGdRV0JCVEJ6dmQzbFNCaEsxdXQxQm11SXFJejFkTEh1akFmQmdOVgpIU01FR0RB"             \
    "V2dCVEJ6dmQzbFNCaEsxdXQxQm11SXFJejFkTEh1akFQQmdOVkhSTUJBZjhFQlRBREFRSC9NQW9HCkND"             \
    "cUdTTTQ5QkFNQ0EwZ0FNRVVDSUEvbVNPTUN0NlNiVTByNFZkaE4xYXhQbyt1MmhXNmR4cXZGamlXMGRH"             \
    "TVAKQWlFQXhlbG0zcnBMbWYvMGNmREVIZno1cUlqM1hZa1FvRUN4ZUgwbXdrcTM1SWs9Ci0tLS0tRU5E"             \
    "IENFUlRJRklDQVRFLS0tLS0K"
#define HEADED                                                                                     \
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmE6IGIKCmVBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define BROKEN "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmVBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

static const struct validation_case certificates[] = {
    { CSR, NULL, SPEC("'request':'eA==','signerName':'x','usages':['y','y'],'expirationSeconds':5"),
      "[spec.request: Invalid value: \"eA==\": PEM block type must be CERTIFICATE REQUEST, spec.usages[0]: Unsupported value: \"y\": supported values: \"any\", \"cert sign\", \"client auth\", \"code signing\", \"content commitment\", \"crl sign\", \"data encipherment\", \"decipher only\", \"digital signature\", \"email protection\", \"encipher only\", \"ipsec end system\", \"ipsec tunnel\", \"ipsec user\", \"key agreement\", \"key encipherment\", \"microsoft sgc\", \"netscape sgc\", \"ocsp signing\", \"s/mime\", \"server auth\", \"signing\", \"timestamping\", spec.usages[1]: Unsupported value: \"y\": supported values: \"any\", \"cert sign\", \"client auth\", \"code signing\", \"content commitment\", \"crl sign\", \"data encipherment\", \"decipher only\", \"digital signature\", \"email protection\", \"encipher only\", \"ipsec end system\", \"ipsec tunnel\", \"ipsec user\", \"key agreement\", \"key encipherment\", \"microsoft sgc\", \"netscape sgc\", \"ocsp signing\", \"s/mime\", \"server auth\", \"signing\", \"timestamping\", spec.usages[1]: Duplicate value: \"y\", spec.signerName: Invalid value: \"x\": must be a fully qualified domain and path of the form 'example.com/signer-name', spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 600 seconds (10 minutes)]" },
    { CSR, NULL, SPEC("'expirationSeconds':5"),
      "[spec.request: Invalid value: null: PEM block type must be CERTIFICATE REQUEST, spec.usages: Required value, spec.signerName: Required value, spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 600 seconds (10 minutes)]" },
    { CSR, NULL, SPEC("'request':'eA==','signerName':'a_b/c'"),
      "[spec.request: Invalid value: \"eA==\": PEM block type must be CERTIFICATE REQUEST, spec.usages: Required value, spec.signerName: Invalid value: \"a_b\": validating label \"a_b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.signerName: Invalid value: \"a_b\": should be a domain with at least two segments separated by dots]" },
    { CSR, NULL,
      SIGN(
          "'usages':['client auth','digital signature'],'signerName':'a.b/c','expirationSeconds':600"),
      NULL },
    { CSR, NULL, SIGN("'usages':['any','x','any'],'signerName':'kubernetes.io/legacy-unknown'"),
      "[spec.usages[1]: Unsupported value: \"x\": supported values: \"any\", \"cert sign\", \"client auth\", \"code signing\", \"content commitment\", \"crl sign\", \"data encipherment\", \"decipher only\", \"digital signature\", \"email protection\", \"encipher only\", \"ipsec end system\", \"ipsec tunnel\", \"ipsec user\", \"key agreement\", \"key encipherment\", \"microsoft sgc\", \"netscape sgc\", \"ocsp signing\", \"s/mime\", \"server auth\", \"signing\", \"timestamping\", spec.usages[2]: Duplicate value: \"any\", spec.signerName: Invalid value: \"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API version]" },
    { CSR, NULL, SIGN("'usages':['any'],'signerName':'a.b/c/d'"),
      "spec.signerName: Invalid value: \"a.b/c/d\": must be a fully qualified domain and path of the form 'example.com/signer-name'" },
    { CSR, SIGNED(""),
      SIGNED("{'type':'Approved','status':'True'},{'type':'Other','status':'Unknown'}"), NULL,
      true },
    { CSR, SIGNED(""),
      SIGNED(
          "{},{'type':'Failed','status':'False'},{'type':'o','status':'x'},{'type':'o','status':'True'}"),
      "[status.conditions[0].type: Required value, status.conditions[0].status: Required value, status.conditions[1].status: Unsupported value: \"False\": supported values: \"True\", status.conditions[2].status: Unsupported value: \"x\": supported values: \"False\", \"True\", \"Unknown\", status.conditions[3].type: Duplicate value: \"o\"]",
      true },
    { CSR, SIGNED(""),
      SIGNED("{'type':'Denied','status':'True'},{'type':'Approved','status':'True'}"),
      "status.conditions: Invalid value: \"Approved\": Approved and Denied conditions are mutually exclusive",
      true },
    { CSR, STATE(""), STATE("'certificate':'" CERTIFICATE "'"), NULL, true },
    { CSR, STATE(""), STATE("'certificate':'eA=='"),
      "status.certificate: Invalid value: \"<certificate data>\": must contain at least one CERTIFICATE PEM block",
      true },
    { CSR, STATE(""), STATE("'certificate':'" PEM "'"),
      "status.certificate: Invalid value: \"<certificate data>\": only CERTIFICATE PEM blocks are allowed, found \"CERTIFICATE REQUEST\"",
      true },
    { CSR, STATE(""), STATE("'certificate':'" HEADED "'"),
      "status.certificate: Invalid value: \"<certificate data>\": no PEM block headers are permitted",
      true },
    { CSR, STATE(""), STATE("'certificate':'" BROKEN "'"),
      "status.certificate: Invalid value: \"<certificate data>\": x509: malformed certificate",
      true },
};

VALIDATION_TABLE(validation_requests, certificates, certificates)

#define Z       "authorization.k8s.io/v1."
#define SAR(m)  "{'metadata':{'namespace':'d'},'spec':{" m "}}"
#define BARE(m) "{'spec':{" m "}}"
#define PODS(m) "'user':'u','resourceAttributes':{'verb':'list','resource':'pods'" m "}"
#define NEITHER                                                                                    \
    "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or "       \
    "resourceAttributes must be specified"
#define SELECTOR_AT "spec.resourceAttributes."

/* Their metadata is no object's: it has to be empty, and is checked by rows. */
static const struct validation_case reviews[] = {
    { Z "SubjectAccessReview", NULL, BARE(PODS("")), NULL },
    { Z "SubjectAccessReview", NULL, BARE(""),
      "[" NEITHER ", spec.user: Invalid value: \"\": at least one of user or group must be "
      "specified]" },
    { Z "SubjectAccessReview", NULL, BARE(PODS("") ",'nonResourceAttributes':{'path':'/'}"),
      "spec.nonResourceAttributes: Invalid value: {\"Path\":\"/\",\"Verb\":\"\"}: cannot be "
      "specified in combination with resourceAttributes" },
    { Z "SubjectAccessReview", NULL, SAR(PODS("")), "metadata: Invalid value: {\"..." },
    { Z "SelfSubjectAccessReview", NULL, BARE("'nonResourceAttributes':{'path':'/','verb':'get'}"),
      NULL },
    { Z "SelfSubjectAccessReview", NULL, BARE(""), NEITHER },
    { Z "SelfSubjectAccessReview", NULL, SAR("'resourceAttributes':{'verb':'get'}"),
      "metadata: Invalid value: {\"..." },
    { Z "LocalSubjectAccessReview", NULL, SAR(PODS(",'namespace':'d'")), NULL },
    { Z "LocalSubjectAccessReview", NULL, SAR(PODS("")),
      "spec.resourceAttributes.namespace: Invalid value: \"\": must match metadata.namespace" },
    { Z "LocalSubjectAccessReview", NULL, SAR("'user':'u','nonResourceAttributes':{'path':'/'}"),
      "spec.nonResourceAttributes: Invalid value: {\"Path\":\"/\",\"Verb\":\"\"}: disallowed on "
      "this kind of request" },
    { Z "SubjectAccessReview", NULL,
      BARE(PODS(",'fieldSelector':{'requirements':[{'key':'k','operator':'In','values':['v']},{"
                "'key':'k','operator':'Later'}]},'labelSelector':{'rawSelector':'a=b'}")),
      NULL },
    { Z "SubjectAccessReview", NULL, BARE(PODS(",'fieldSelector':{},'labelSelector':{}")),
      "[" SELECTOR_AT "fieldSelector.requirements: Required value: when " SELECTOR_AT
      "fieldSelector is specified, requirements or rawSelector is required, " SELECTOR_AT
      "labelSelector.requirements: Required value: when " SELECTOR_AT
      "labelSelector is specified, requirements or rawSelector is required]" },
    { Z "SubjectAccessReview", NULL,
      BARE(PODS(
          ",'fieldSelector':{'rawSelector':'r','requirements':[{'operator':'In'}]},"
          "'labelSelector':{'requirements':[{'key':'k','operator':'Exists','values':['v']}]}")),
      "[" SELECTOR_AT "fieldSelector.rawSelector: Invalid value: \"r\": may not specified at the "
      "same time as requirements, " SELECTOR_AT
      "fieldSelector.requirements[0].key: Required value: must be specified, " SELECTOR_AT
      "fieldSelector.requirements[0].values: Required value: must be specified when `operator` is "
      "'In' or 'NotIn', " SELECTOR_AT
      "labelSelector.requirements[0].values: Forbidden: may not be specified when `operator` is "
      "'Exists' or 'DoesNotExist']" },
};

VALIDATION_TABLE_BY(validation_requests, reviews, reviews, validation_run_rows)
