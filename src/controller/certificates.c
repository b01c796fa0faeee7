/* Certificate requests: approved where a node asks for its own client certificate and may do so,
 * signed by the cluster's authority where they are approved, and removed when they have had their
 * time. */
#include "api/authorization_v1.h"
#include "api/certificates_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "base/err.h"
#include "base/log.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "codec/certificate_request.h"
#include "codec/value.h"
#include "codec/x509.h"
#include "controller/certificate_rules.h"
#include "controller/controller.h"

static const struct resource *requests_row(void)
{
    return resource_find(STR("certificates.k8s.io"), STR("v1"), STR("certificatesigningrequests"));
}

static const struct api_object *find(struct reconcile *r)
{
    return informer_get(controller_informer(r->manager, requests_row()), r->key);
}

static void add_condition(struct arena *a, struct certificates_v1_certificate_signing_request *csr,
                          const struct certificates_v1_certificate_signing_request_condition *c)
{
    uint32_t n = csr->status.conditions.len;
    struct certificates_v1_certificate_signing_request_condition *items =
        ARENA_NEW_ARRAY(a, struct certificates_v1_certificate_signing_request_condition, n + 1);

    for (uint32_t i = 0; i < n; i++)
        items[i] = csr->status.conditions.items[i];
    items[n] = *c;
    csr->status.conditions.items = items;
    csr->status.conditions.len = n + 1;
}

/* --- signing --- */

/* Read anew each time: certificates are renewed in place. */
static int read_authority(struct reconcile *r, struct x509_pair *ret, struct err *err)
{
    const struct controller_manager_options *o = controller_options(r->manager);
    int rc = kube_config_read_file(r->arena, o->cluster_signing_cert_file, &ret->certificate, err);

    return rc < 0 ? rc
                  : kube_config_read_file(r->arena, o->cluster_signing_key_file, &ret->key, err);
}

static void set_failed(struct reconcile *r, const struct api_object *o, struct str why)
{
    struct object copy = object_copy(r->arena, o->o);

    add_condition(r->arena, copy.data,
                  &(struct certificates_v1_certificate_signing_request_condition){
                      .type = STR("Failed"),
                      .status = STR("True"),
                      .reason = STR("SignerValidationFailure"),
                      .message = why,
                      .last_update_time = { .sec = r->now_s, .set = true } });
    reconcile_update_status(r, requests_row(), copy);
}

static int sign(struct reconcile *r, certificate_csr *csr, struct str *ret, struct err *err)
{
    const struct controller_manager_options *o = controller_options(r->manager);
    const struct certificate_terms terms = {
        .usages = csr->spec.usages.items,
        .n_usages = csr->spec.usages.len,
        .now_s = r->now_s,
        .ttl_s = certificate_rules_ttl(csr, o->cluster_signing_duration_s),
    };
    struct x509_pair authority;
    int rc = read_authority(r, &authority, err);

    return rc < 0 ? rc
                  : certificate_request_sign(r->arena, &authority, csr->spec.request, &terms, ret,
                                             err);
}

static enum reconcile_result reconcile_signing(struct reconcile *r)
{
    const struct api_object *o = find(r);
    certificate_csr *csr = o ? o->o.data : NULL;
    struct certificate_request request;
    struct str objection, pem;
    struct object copy;
    struct err err;

    if (!csr || csr->status.certificate.len || certificate_rules_has(csr, STR("Denied")) ||
        !certificate_rules_has(csr, STR("Approved")) || certificate_rules_has(csr, STR("Failed")) ||
        !certificate_rules_is_signed_here(csr) ||
        !controller_options(r->manager)->cluster_signing_key_file)
        return RECONCILE_DONE;
    if (certificate_request_read(r->arena, csr->spec.request, &request, &err) < 0)
        return RECONCILE_DONE; /* admission lets none of these in */
    objection = certificate_rules_objection(r->arena, csr, &request);
    if (objection.len) {
        set_failed(r, o, objection);
        return RECONCILE_DONE;
    }
    if (sign(r, csr, &pem, &err) < 0) {
        LOG_WARNING("cannot sign", KV("request", r->key), KV("err", err.text));
        return RECONCILE_FAILED;
    }
    copy = object_copy(r->arena, o->o);
    ((struct certificates_v1_certificate_signing_request *)copy.data)->status.certificate = pem;
    reconcile_update_status(r, requests_row(), copy);
    return RECONCILE_DONE;
}

/* --- approving --- */

static const struct recognizer {
    bool is_self;
    const char *subresource, *message;
} recognizers[] = {
    { true, "selfnodeclient",
      "Auto approving self kubelet client certificate after SubjectAccessReview." },
    { false, "nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview." },
};

struct approval {
    size_t at; /* recognizer whose question is out */
};

/* May who asked create certificatesigningrequests/SUBRESOURCE? */
static void ask(struct reconcile *r, certificate_csr *csr, const char *subresource)
{
    const struct resource *row =
        resource_find(STR("authorization.k8s.io"), STR("v1"), STR("subjectaccessreviews"));
    struct object o = object_new(r->arena, &schema_builtin, row->type);
    struct authorization_v1_subject_access_review *review = o.data;
    struct authorization_v1_resource_attributes *what =
        ARENA_NEW(r->arena, struct authorization_v1_resource_attributes);

    *what = (struct authorization_v1_resource_attributes){
        .group = STR("certificates.k8s.io"),
        .resource = STR("certificatesigningrequests"),
        .verb = STR("create"),
        .subresource = str_from_cstr(subresource),
        .version = STR("*"),
    };
    review->spec.resource_attributes = what;
    review->spec.user = csr->spec.username;
    review->spec.uid = csr->spec.uid;
    review->spec.groups.items = csr->spec.groups.items;
    review->spec.groups.len = csr->spec.groups.len;
    review->spec.extra.items = csr->spec.extra.items;
    review->spec.extra.len = csr->spec.extra.len;
    reconcile_ask(r, row, STR_NULL, o);
}

static bool is_allowed(struct reconcile *r)
{
    const struct reconcile_answer *answer = &r->answers.items[r->answers.len - 1];
    const struct value *status, *allowed;
    struct value v;
    struct err err;

    if (answer->result != 0 || value_parse(r->arena, answer->body, &v, NULL, &err) < 0)
        return false;
    status = value_get(&v, STR("status"));
    allowed = status ? value_get(status, STR("allowed")) : NULL;
    return allowed && allowed->type == VALUE_BOOL && allowed->b;
}

static enum reconcile_result ask_next(struct reconcile *r);

static enum reconcile_result approve(struct reconcile *r)
{
    struct approval *a = r->state;
    const struct api_object *o = find(r);
    struct object copy;

    if (!o)
        return RECONCILE_DONE;
    if (!is_allowed(r)) {
        a->at++;
        return ask_next(r);
    }
    copy = object_copy(r->arena, o->o);
    add_condition(r->arena, copy.data,
                  &(struct certificates_v1_certificate_signing_request_condition){
                      .type = STR("Approved"),
                      .status = STR("True"),
                      .reason = STR("AutoApproved"),
                      .message = str_from_cstr(recognizers[a->at].message) });
    reconcile_update_sub(r, requests_row(), STR("approval"), copy);
    return RECONCILE_DONE;
}

static enum reconcile_result ask_next(struct reconcile *r)
{
    struct approval *a = r->state;
    const struct api_object *o = find(r);
    certificate_csr *csr = o ? o->o.data : NULL;
    struct certificate_request request;
    struct err err;

    if (!csr || csr->status.certificate.len || certificate_rules_has(csr, STR("Approved")) ||
        certificate_rules_has(csr, STR("Denied")) ||
        certificate_request_read(r->arena, csr->spec.request, &request, &err) < 0)
        return RECONCILE_DONE;
    for (; a->at < ARRAY_LEN(recognizers); a->at++) {
        if (!certificate_rules_is_node(csr, &request, recognizers[a->at].is_self))
            continue;
        ask(r, csr, recognizers[a->at].subresource);
        r->then = approve;
        return RECONCILE_DONE;
    }
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_approval(struct reconcile *r)
{
    r->state = ARENA_NEW(r->arena, struct approval);
    return ask_next(r);
}

/* --- cleaning --- */

static enum reconcile_result reconcile_age(struct reconcile *r)
{
    const struct api_object *o = find(r);
    int64_t at = o ? certificate_rules_ends_at(o->o.data) : INT64_MAX;

    if (at == INT64_MAX)
        return RECONCILE_DONE;
    if (at >= r->now_s)
        r->again_after_ms = (at - r->now_s + 1) * 1000;
    else
        reconcile_delete(r, requests_row(), STR_NULL, r->key, o->meta->uid, STR_NULL);
    return RECONCILE_DONE;
}

static const struct controller_watch watches[] = {
    { "certificates.k8s.io", "v1", "certificatesigningrequests", controller_map_self },
    { 0 },
};

const struct controller certificate_signing_controller = {
    .name = "csrsigning",
    .watches = watches,
    .reconcile = reconcile_signing,
};
const struct controller certificate_approving_controller = {
    .name = "csrapproving",
    .watches = watches,
    .reconcile = reconcile_approval,
};
const struct controller certificate_cleaning_controller = {
    .name = "csrcleaner",
    .watches = watches,
    .reconcile = reconcile_age,
};
