/* What objects use of a ResourceQuota: which of its amounts, how much of each, and whether a
 * quota's scopes hold for an object. Pure; for admission and for the controller that counts anew.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/object.h"
#include "base/str.h"

struct arena;
struct core_v1_resource_quota_spec;

/* Objects of one resource. */
struct quota_object {
    struct str group, resource;
    struct object object; /* of version v1 for the core group's kinds */
    int64_t now_s;        /* a Pod past its time of grace uses nothing but its place */
};

/* Is the amount ("pods", "count/jobs.batch", "requests.cpu") used by objects of the resource? */
bool quota_counts(struct str group, struct str resource, struct str amount);
/* ret: an empty map of quantities. */
void quota_usage(struct arena *a, const struct quota_object *o, void *ret);
bool quota_scopes_hold(const struct core_v1_resource_quota_spec *s, const struct quota_object *o);
/* Amounts of `hard` that a Pod's containers must state and do not: "must specify cpu for: a,b";
 * unset when nothing is missing. */
struct str quota_missing(struct arena *a, const struct quota_object *o, const void *hard);
