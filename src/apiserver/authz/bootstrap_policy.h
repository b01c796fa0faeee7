/* The roles and bindings of upstream, which every cluster begins with: a table (bootstrap_roles.c),
 * and how its rows become objects. */
#pragma once

#include <stddef.h>

struct arena;
struct bootstrap_object;

/* One rule; consecutive rows of one name are one role. Lists are separated by commas; "''" stands
 * for the core group. */
struct bootstrap_role {
    const char *namespace; /* NULL: a ClusterRole */
    const char *name;
    const char *aggregate_to; /* "view": feeds that role; NULL: none */
    const char *aggregates;   /* is fed by those that aggregate to this; then it has no rule */
    const char *groups, *resources, *names, *urls, *verbs; /* NULL: none */
};

struct bootstrap_binding {
    const char *namespace; /* NULL: a ClusterRoleBinding */
    const char *name;
    const char *role;     /* "ClusterRole:NAME" or "Role:NAME" */
    const char *subjects; /* "User:NAME|Group:NAME|ServiceAccount:NAMESPACE/NAME"; NULL: none */
};

extern const struct bootstrap_role bootstrap_roles[]; /* end with a row without name */
extern const struct bootstrap_binding bootstrap_bindings[];

/* The rules of one of the roles, as they are at first. */
struct rbac_rules;
void bootstrap_role_rules(struct arena *a, const char *name, struct rbac_rules *ret);

size_t bootstrap_policy_count(void); /* at most so many objects */
/* Into ret, with texts from the arena; returns how many. */
size_t bootstrap_policy_objects(struct arena *a, struct bootstrap_object *ret);
