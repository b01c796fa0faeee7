/* Rules of certificates.k8s.io. What an update may add or take away depends on its endpoint: that
 * is the strategy's (apiserver/registry). */
#include "api/certificates_v1.h"
#include "api/field_error.h"
#include "api/rules_internal.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/base64.h"
#include "codec/x509.h"

static void check_labels(const struct rule_context *c, const struct field_path *at,
                         struct str segment)
{
    struct str rest = segment, label;

    while (str_next(&rest, '.', &label)) {
        struct name_messages m;

        name_rule_check(NAME_RULE_DNS1123_LABEL, label, &m);
        for (size_t i = 0; i < m.len; i++)
            field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, segment,
                                  "validating label \"%.*s\": %.*s", STR_ARG(label),
                                  STR_ARG(m.items[i]));
    }
}

static void check_signer(const struct rule_context *c, struct str name)
{
    struct field_path at = field_path_member(c->path, STR("signerName"));
    struct str domain, path;

    if (str_eq(name, STR("kubernetes.io/legacy-unknown"))) {
        rule_invalid(c, "signerName", name,
                     "the legacy signerName is not allowed via this API version");
        return;
    }
    if (name.len == 0) {
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
        return;
    }
    if (!str_cut(name, '/', &domain, &path) || str_find(path, '/') >= 0) {
        rule_invalid(c, "signerName", name,
                     "must be a fully qualified domain and path of the form "
                     "'example.com/signer-name'");
        return;
    }
    check_labels(c, &at, domain);
    if (str_find(domain, '.') < 0)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, domain,
                              "should be a domain with at least two segments separated by dots");
    check_labels(c, &at, path);
}

/* In upstream's order, as its answer lists them. */
static const struct str usages[] = {
    STR_INIT("any"),
    STR_INIT("cert sign"),
    STR_INIT("client auth"),
    STR_INIT("code signing"),
    STR_INIT("content commitment"),
    STR_INIT("crl sign"),
    STR_INIT("data encipherment"),
    STR_INIT("decipher only"),
    STR_INIT("digital signature"),
    STR_INIT("email protection"),
    STR_INIT("encipher only"),
    STR_INIT("ipsec end system"),
    STR_INIT("ipsec tunnel"),
    STR_INIT("ipsec user"),
    STR_INIT("key agreement"),
    STR_INIT("key encipherment"),
    STR_INIT("microsoft sgc"),
    STR_INIT("netscape sgc"),
    STR_INIT("ocsp signing"),
    STR_INIT("s/mime"),
    STR_INIT("server auth"),
    STR_INIT("signing"),
    STR_INIT("timestamping"),
};

static bool is_usage(struct str text)
{
    return rule_has_text(usages, ARRAY_LEN(usages), text);
}

static void rule_usages(const struct rule_context *c)
{
    CLEANUP(rule_names_done) struct rule_names seen = { 0 };
    const struct certificates_v1_certificate_signing_request_spec *s = c->data;
    struct field_path list = field_path_member(c->path, STR("usages"));

    for (uint32_t i = 0; i < s->usages.len; i++) {
        struct field_path item = field_path_index(&list, i);

        if (!is_usage(s->usages.items[i]))
            field_errors_add_unsupported(c->errs, &item, s->usages.items[i], usages,
                                         ARRAY_LEN(usages));
    }
    for (uint32_t i = 0; i < s->usages.len; i++) {
        struct field_path item = field_path_index(&list, i);

        if (!rule_names_add(c, &seen, s->usages.items[i], NULL))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, s->usages.items[i], "");
    }
}

static void rule_signer(const struct rule_context *c)
{
    const struct certificates_v1_certificate_signing_request_spec *s = c->data;

    check_signer(c, s->signer_name);
}

static void rule_request(const struct rule_context *c)
{
    const struct certificates_v1_certificate_signing_request_spec *s = c->data;
    struct field_path at = field_path_member(c->path, STR("request"));
    struct err err = { 0 };
    struct buf printed;

    buf_init_arena(&printed, c->arena, s->request.len * 2);
    if (x509_check_request(s->request, &err) == 0)
        return;
    buf_append_char(&printed, '"');
    base64_encode(&printed, s->request);
    buf_append_char(&printed, '"');
    field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                         s->request.p ? buf_str(&printed) : STR("null"), "%s", err.text);
}

/* A decision is never taken back, so that its condition has one status. */
static void rule_condition(const struct rule_context *c)
{
    const struct certificates_v1_certificate_signing_request_condition *q = c->data;
    bool is_decision = str_is_listed(STR("Approved|Denied|Failed"), '|', q->type);
    const char *known = is_decision ? "True" : "False|True|Unknown";

    if (q->status.len && !str_is_listed(str_from_cstr(known), '|', q->status))
        rule_unsupported(c, "status", q->status, known);
}

/* The one of the two decisions that stands second, when both are there; empty otherwise. */
static struct str
second_decision(const struct certificates_v1_certificate_signing_request_status *s)
{
    struct str first = STR("");

    for (uint32_t i = 0; s && i < s->conditions.len; i++) {
        struct str type = s->conditions.items[i].type;

        if (!str_is_listed(STR("Approved|Denied"), '|', type))
            continue;
        if (first.len && !str_eq(type, first))
            return type;
        first = type;
    }
    return STR("");
}

static void rule_decisions(const struct rule_context *c)
{
    struct str second = second_decision(c->data);

    if (second.len && !second_decision(c->old).len)
        rule_invalid(c, "conditions", second,
                     "Approved and Denied conditions are mutually exclusive");
}

static void rule_certificate(const struct rule_context *c)
{
    const struct certificates_v1_certificate_signing_request_status *s = c->data, *old = c->old;
    struct err err = { 0 };

    if (!s->certificate.len || (old && str_eq(s->certificate, old->certificate)))
        return;
    if (x509_check_certificates(s->certificate, &err) < 0)
        rule_invalid(c, "certificate", STR("<certificate data>"), err.text);
}

#define C "certificates.k8s.io/v1.CertificateSigningRequest"

const struct rule rules_certificates[] = {
    { .type = C "Spec", .check = RULE_FN, .fn = rule_request },
    { C "Spec", "usages", RULE_REQUIRED },
    { .type = C "Spec", .check = RULE_FN, .fn = rule_usages },
    { .type = C "Spec", .check = RULE_FN, .fn = rule_signer },
    { C "Spec", "expirationSeconds", RULE_NUMBER, .min = 600, .max = INT32_MAX,
      .text = "may not specify a duration less than 600 seconds (10 minutes)" },
    { C "Condition", "type", RULE_REQUIRED },
    { C "Condition", "status", RULE_REQUIRED },
    { .type = C "Condition", .check = RULE_FN, .fn = rule_condition },
    { C "Status", "conditions", RULE_BELOW },
    { .type = C "Status", .check = RULE_FN, .fn = rule_decisions },
    { C "Status", "conditions", RULE_UNIQUE, .text = "type" },
    { .type = C "Status", .check = RULE_FN, .fn = rule_certificate },
    { 0 },
};
