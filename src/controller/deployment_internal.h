/* What the files of the Deployment controller share: one Deployment with its ReplicaSets, as seen
 * at the start of a run. */
#pragma once

#include "api/apps_v1.h"
#include "client/api_object.h"
#include "controller/controller.h"

#define REVISION_ANNOTATION "deployment.kubernetes.io/revision"
#define DESIRED_ANNOTATION  "deployment.kubernetes.io/desired-replicas"
#define MAX_ANNOTATION      "deployment.kubernetes.io/max-replicas"
#define HASH_LABEL          "pod-template-hash"

/* A ReplicaSet with the size that this run wants of it. */
struct rollout_set {
    const struct api_object *object;
    const struct apps_v1_replica_set *set;
    int32_t size; /* spec.replicas; changed by the run */
};

struct rollout {
    struct reconcile *r;
    const struct api_object *object;
    const struct apps_v1_deployment *deployment;
    struct rollout_set *sets; /* oldest first; the new one among them */
    size_t n_sets;
    struct rollout_set *new; /* NULL: none has the template */
    int32_t replicas;
    int32_t max_surge, max_unavailable;
    bool created_new;     /* a new set is being created by this run */
    struct str new_name;  /* of the new set, also while it is being created */
    int32_t new_size;     /* of the set that is being created */
    int64_t revision;     /* that the Deployment is to bear; 0: as it is */
    bool collides;        /* its name is taken by a set of another template */
    bool found_new_again; /* an old set's template came back */
};

static inline bool rollout_is_rolling(const struct rollout *o)
{
    return !str_eq(o->deployment->spec.strategy.type, STR("Recreate"));
}
/* Sums over all sets; the new one, too. */
int32_t rollout_total_size(const struct rollout *o);

/* deployment_sizes.c: decides sizes; pure. */
void rollout_resolve_limits(struct rollout *o);
int32_t rollout_new_set_size(const struct rollout *o,
                             int32_t current); /* of the new set, rolling */
void rollout_roll(struct rollout *o);          /* one step of a rolling update */
void rollout_recreate(struct rollout *o, bool old_pods_are_running);
void rollout_scale(struct rollout *o); /* in proportion: paused, or replicas changed midway */

/* deployment_status.c */
/* Lists the update of status when something changed; sets again_after_ms for the deadline. */
void rollout_update_status(struct rollout *o);
bool rollout_is_complete(const struct rollout *o, const struct apps_v1_deployment_status *s);
