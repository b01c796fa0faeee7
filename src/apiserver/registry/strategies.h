/* The strategies there are; one array names them all (strategies.c). */
#pragma once

#include "apiserver/registry/strategy.h"

extern const struct strategy *const strategies[]; /* ends with NULL */

extern const struct strategy namespace_strategy;
extern const struct strategy pod_strategy;
extern const struct strategy service_strategy;
extern const struct strategy event_strategy;
extern const struct strategy events_event_strategy;
extern const struct strategy lease_strategy;
extern const struct strategy certificate_request_strategy;
extern const struct strategy volume_strategy;
extern const struct strategy volume_claim_strategy;
extern const struct strategy job_strategy;
extern const struct strategy daemon_set_strategy;
extern const struct strategy stateful_set_strategy;
extern const struct strategy service_account_strategy;
extern const struct strategy definition_strategy;
extern const struct strategy validating_webhook_strategy;
extern const struct strategy mutating_webhook_strategy;
extern const struct strategy validating_policy_strategy;
extern const struct strategy mutating_policy_strategy;
extern const struct strategy api_service_strategy;
extern const struct strategy device_claim_strategy;
extern const struct strategy endpoint_slice_strategy;
extern const struct strategy device_template_strategy;
extern const struct strategy device_slice_strategy;
