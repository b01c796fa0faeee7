/* What a PodDisruptionBudget's status says, by the Pods that it selects. Nothing here talks to
 * anybody. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct api_object;
struct arena;
struct policy_v1_pod_disruption_budget;
struct policy_v1_pod_disruption_budget_status;

enum { DISRUPTION_TIMEOUT_S = 120 }; /* an eviction that was granted, and not used until then */

/* Does the number of Pods that should be there come from their controllers, not from a count? */
bool disruption_needs_scale(const struct policy_v1_pod_disruption_budget *pdb);
/* scale: of all controllers together, 0 where it is not needed. False: an amount is no percentage.
 */
bool disruption_desire(const struct policy_v1_pod_disruption_budget *pdb, int64_t scale,
                       size_t n_pods, int32_t *ret_expected, int32_t *ret_desired);

struct disruption_pods {
    const struct api_object *const *items;
    size_t len;
};
/* Counts, what is allowed, evictions that are still awaited, the condition DisruptionAllowed; into
 * *s, which begins as a copy of the budget's. Returns in how many seconds time alone will change
 * it; 0: never. */
int64_t disruption_count(struct arena *a, const struct policy_v1_pod_disruption_budget *pdb,
                         const struct disruption_pods *pods, int64_t now_s,
                         struct policy_v1_pod_disruption_budget_status *s);
/* Nothing is allowed while the status cannot be known. */
void disruption_fail(struct arena *a, struct str message, int64_t now_s,
                     struct policy_v1_pod_disruption_budget_status *s);

/* The Pod bears DisruptionTarget and lives on. *ret_wait_s: how long it may still do so. */
bool disruption_is_pending(const struct api_object *pod, int64_t now_s, int64_t *ret_wait_s);
