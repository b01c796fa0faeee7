/* Conditions in a Pod's status. */
#pragma once

#include "base/str.h"

struct arena;
struct core_v1_pod;
struct core_v1_pod_condition;

struct core_v1_pod_condition *pod_condition_find(const struct core_v1_pod *pod, struct str type);
/* Adds or replaces the one of its type; the time of the last transition stays where the status
 * does. The list is copied: other holders keep theirs. */
void pod_condition_set(struct arena *a, struct core_v1_pod *pod,
                       const struct core_v1_pod_condition *c);
