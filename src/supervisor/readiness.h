/* Waits until every node of a cluster says that it is Ready: watches the Nodes as the
 * administrator.
 */
#pragma once

#include "base/str.h"

struct arena;
struct cluster;
struct err;
struct loop;
struct readiness;

/* on_ready(arg) once, on the loop, which may free it. What a node said before the second that is
 * now does not count. */
int readiness_new(struct loop *l, const struct cluster *c, void (*on_ready)(void *arg), void *arg,
                  struct readiness **ret, struct err *err);
void readiness_free(struct readiness *r); /* accepts NULL */
/* Who is missing, and what it says: "node 'a' has not registered". */
struct str readiness_missing(const struct readiness *r, struct arena *a);
