#include "apiserver/registry/strategies.h"

#include <stddef.h>

const struct strategy *const strategies[] = {
    &namespace_strategy,
    &pod_strategy,
    &service_strategy,
    &event_strategy,
    &events_event_strategy,
    &certificate_request_strategy,
    &volume_strategy,
    &volume_claim_strategy,
    &lease_strategy,
    &job_strategy,
    &daemon_set_strategy,
    &stateful_set_strategy,
    &service_account_strategy,
    &definition_strategy,
    &validating_webhook_strategy,
    &mutating_webhook_strategy,
    &validating_policy_strategy,
    &mutating_policy_strategy,
    &api_service_strategy,
    &device_claim_strategy,
    &endpoint_slice_strategy,
    &device_template_strategy,
    &device_slice_strategy,
    NULL,
};
