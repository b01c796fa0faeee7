/* Does a node suit a Pod: node selectors, required node affinity, tolerations of taints. Pure. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct core_v1_node;
struct core_v1_node_selector_requirement;
struct core_v1_pod_spec;
struct core_v1_taint;
struct core_v1_toleration;

/* value NULL: the node has none of that key. */
bool node_match_requirement(const struct core_v1_node_selector_requirement *r,
                            const struct str *value);
/* nodeSelector, and one of the required terms where there are any. */
bool node_match_pod(const struct core_v1_pod_spec *spec, const struct core_v1_node *node);
bool node_match_tolerates(const struct core_v1_toleration *t, const struct core_v1_taint *taint);
