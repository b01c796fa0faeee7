/* Roles and bindings, compiled: by subject, what is granted where. Immutable and counted; made anew
 * when one of them changes.
 *
 *   RoleBinding b in shop: Group devs -> ClusterRole view
 *   map "Gdevs" -> { namespace "shop", rules of view }
 *
 * A ServiceAccount is the user that its tokens name. An aggregated ClusterRole has the rules of all
 * that its selectors match. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct authz_attributes;
struct err;
struct rbac_policy;
struct rbac_v1_policy_rule;
struct registry;
struct store_snapshot;
struct user_info;

/* Reads them all. Roles that are missing, and objects that do not decode, grant nothing. */
int rbac_policy_new(const struct registry *registry, struct store_snapshot *snapshot,
                    struct rbac_policy **ret, struct err *err);
struct rbac_policy *rbac_policy_ref(struct rbac_policy *p);
void rbac_policy_unref(struct rbac_policy *p); /* accepts NULL */

bool rbac_policy_allows(const struct rbac_policy *p, const struct authz_attributes *a);
/* Every rule that holds for the user in a namespace ("": cluster-wide grants alone), until fn says
 * false. Rules live as long as the policy. */
typedef bool rbac_rule_fn(const struct rbac_v1_policy_rule *rule, void *arg);
void rbac_policy_each(const struct rbac_policy *p, const struct user_info *user,
                      struct str namespace, rbac_rule_fn *fn, void *arg);
struct rbac_rules {
    const struct rbac_v1_policy_rule *items;
    size_t n;
};
/* The rules of a role, NULL when there is none of that name. namespace "": a ClusterRole. */
const struct rbac_rules *rbac_policy_role(const struct rbac_policy *p, struct str namespace,
                                          struct str name);

/* One rule's answer to one wish. */
bool rbac_rule_allows(const struct rbac_v1_policy_rule *rule, const struct authz_attributes *a);
