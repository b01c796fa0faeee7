/* CertificateSigningRequests: the spec is who asked. Conditions of approval are set through
 * .../approval alone, the certificate through .../status alone and once. */
#include "api/certificates_v1.h"
#include "api/field_error.h"
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/macros.h"

static void prepare_create(struct api_request *r, struct object o)
{
    struct certificates_v1_certificate_signing_request *csr = o.data;
    struct schema_strings_entry *extra =
        ARENA_NEW_ARRAY(r->arena, struct schema_strings_entry, r->user.n_extra);

    for (size_t i = 0; i < r->user.n_extra; i++)
        extra[i] = (struct schema_strings_entry){
            .key = r->user.extra[i].key,
            .value = { .items = (struct str *)(uintptr_t)r->user.extra[i].values, /* read only */
                       .len = (uint32_t)r->user.extra[i].n_values },
        };
    csr->spec.username = r->user.name;
    csr->spec.uid = r->user.uid;
    csr->spec.groups.items = (struct str *)(uintptr_t)r->user.groups; /* read only */
    csr->spec.groups.len = (uint32_t)r->user.n_groups;
    csr->spec.extra.items = extra;
    csr->spec.extra.len = (uint32_t)r->user.n_extra;
}

/* Times that the client does not tell. A condition that stays keeps the time of its last change. */
static void set_time(struct certificates_v1_certificate_signing_request_condition *c,
                     const struct certificates_v1_certificate_signing_request *old, int64_t now_s)
{
    const struct ktime now = { .sec = now_s, .set = true };

    if (!c->last_update_time.set)
        c->last_update_time = now;
    if (c->last_transition_time.set)
        return;
    c->last_transition_time = now;
    for (uint32_t i = 0; i < old->status.conditions.len; i++) {
        const struct certificates_v1_certificate_signing_request_condition *was =
            &old->status.conditions.items[i];

        if (str_eq(was->type, c->type) && str_eq(was->status, c->status) &&
            was->last_transition_time.set) {
            c->last_transition_time = was->last_transition_time;
            return;
        }
    }
}

static void prepare_update(struct api_request *r, struct object o, struct object old)
{
    struct certificates_v1_certificate_signing_request *csr = o.data;

    for (uint32_t i = 0; r->subresource && i < csr->status.conditions.len; i++)
        set_time(&csr->status.conditions.items[i], old.data, clock_wall_s(r->server->clock));
}

static const struct certificates_v1_certificate_signing_request_condition *
condition(const struct certificates_v1_certificate_signing_request *csr, struct str type)
{
    for (uint32_t i = 0; i < csr->status.conditions.len; i++)
        if (str_eq(csr->status.conditions.items[i].type, type))
            return &csr->status.conditions.items[i];
    return NULL;
}

static const struct field_path status_path = { .name = STR_INIT("status"), .index = -1 };

static bool is_endpoint(const struct api_request *r, struct str name)
{
    return r->subresource && str_eq(r->subresource->name, name);
}

/* One of the three conditions, before and after. */
static void check_condition(const struct api_request *r, struct str type,
                            const struct certificates_v1_certificate_signing_request *csr,
                            const struct certificates_v1_certificate_signing_request *old,
                            struct field_errors *errs)
{
    const struct certificates_v1_certificate_signing_request_condition *now = condition(csr, type);
    const struct certificates_v1_certificate_signing_request_condition *was = condition(old, type);
    struct field_path at = field_path_member(&status_path, STR("conditions"));

    if (was && !now)
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                         "updates may not remove a condition of type \"%.*s\"", STR_ARG(type));
    if (!now || is_endpoint(r, STR("approval")) || str_eq(type, STR("Failed")))
        return;
    if (!was)
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                         "updates may not add a condition of type \"%.*s\"", STR_ARG(type));
    else if (!str_eq(now->status, was->status) || !str_eq(now->reason, was->reason) ||
             !str_eq(now->message, was->message))
        field_errors_add(errs, &at, FIELD_ERROR_FORBIDDEN,
                         "updates may not modify a condition of type \"%.*s\"", STR_ARG(type));
}

static void validate(struct api_request *r, struct object o, struct object old_object,
                     struct field_errors *errs)
{
    static const struct str types[] = { STR_INIT("Approved"), STR_INIT("Denied"),
                                        STR_INIT("Failed") };
    const struct certificates_v1_certificate_signing_request *csr = o.data, *old = old_object.data;
    struct field_path certificate = field_path_member(&status_path, STR("certificate"));

    if (!old)
        return;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        check_condition(r, types[i], csr, old, errs);
    if (str_eq(csr->status.certificate, old->status.certificate))
        return;
    if (!is_endpoint(r, STR("status")))
        field_errors_add(errs, &certificate, FIELD_ERROR_FORBIDDEN,
                         "updates may not set certificate content");
    else if (old->status.certificate.len)
        field_errors_add(errs, &certificate, FIELD_ERROR_FORBIDDEN,
                         "updates may not modify existing certificate content");
}

const struct strategy certificate_request_strategy = {
    .group = STR_INIT("certificates.k8s.io"),
    .resource = STR_INIT("certificatesigningrequests"),
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .validate = validate,
};
