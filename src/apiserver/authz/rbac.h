/* The policy in force: compiled at the start, and again whenever a role or binding has changed in
 * the store. A change holds from a moment after it was answered, as upstream's does. */
#pragma once

struct apiserver;
struct err;
struct loop;
struct rbac;
struct rbac_policy;

/* On the loop's thread, before requests come; rbac_free() after the loops have ended. */
int rbac_new(struct apiserver *s, struct loop *l, struct rbac **ret, struct err *err);
void rbac_stop(struct rbac *r); /* no more changes; on the loop's thread; accepts NULL */
void rbac_free(struct rbac *r); /* accepts NULL */
/* With a reference for the caller; any thread. */
struct rbac_policy *rbac_policy_get(struct rbac *r);
