/* Kinds that extend the server, as far as they are stored and not acted upon: a client is told so
 * in a warning. APIServices say by a condition whether they are served. */
#include "api/apiregistration_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"
#include "base/clock.h"

static void warn_webhooks(struct api_request *r, struct object o)
{
    (void)o;
    api_request_warn(r, "this server stores webhook configurations, but calls no webhooks");
}

static void warn_policies(struct api_request *r, struct object o)
{
    (void)o;
    api_request_warn(r, "this server stores admission policies, but does not evaluate them");
}

#define ADMISSION STR_INIT("admissionregistration.k8s.io")

const struct strategy validating_webhook_strategy = {
    .group = ADMISSION,
    .resource = STR_INIT("validatingwebhookconfigurations"),
    .prepare_create = warn_webhooks,
};

const struct strategy mutating_webhook_strategy = {
    .group = ADMISSION,
    .resource = STR_INIT("mutatingwebhookconfigurations"),
    .prepare_create = warn_webhooks,
};

const struct strategy validating_policy_strategy = {
    .group = ADMISSION,
    .resource = STR_INIT("validatingadmissionpolicies"),
    .prepare_create = warn_policies,
};

const struct strategy mutating_policy_strategy = {
    .group = ADMISSION,
    .resource = STR_INIT("mutatingadmissionpolicies"),
    .prepare_create = warn_policies,
};

static void api_service_prepare_create(struct api_request *r, struct object o)
{
    struct apiregistration_v1_api_service *s = o.data;
    struct apiregistration_v1_api_service_condition *c =
        ARENA_NEW(r->arena, struct apiregistration_v1_api_service_condition);
    bool local = !s->spec.service;

    *c = (struct apiregistration_v1_api_service_condition){
        .type = STR("Available"),
        .status = local ? STR("True") : STR("False"),
        .reason = local ? STR("Local") : STR("AggregationUnsupported"),
        .message = local ? STR("Local APIServices are always available")
                         : STR("this server does not serve APIs of others"),
        .last_transition_time = { .sec = clock_wall_s(r->server->clock), .set = true },
    };
    s->status.conditions.items = c;
    s->status.conditions.len = 1;
}

const struct strategy api_service_strategy = {
    .group = STR_INIT("apiregistration.k8s.io"),
    .resource = STR_INIT("apiservices"),
    .prepare_create = api_service_prepare_create,
};
