/* What the files of the StatefulSet controller share: one StatefulSet with a slot for each Pod that
 * it should have, as seen at the start of a run. */
#pragma once

#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "client/api_object.h"
#include "controller/controller.h"

#define STATEFUL_REVISION_LABEL "controller-revision-hash" /* a Pod's: its revision's name */

/* Slots without a Pod that one run looks at; there may be 2^31. */
enum { STATEFUL_MISSING_MAX = 500 };

struct stateful_slot {
    int64_t ordinal;
    struct str name;              /* of the Pod */
    const struct api_object *pod; /* NULL: there is none */
};

enum stateful_action {
    STATEFUL_CREATE,
    STATEFUL_DELETE,
    STATEFUL_REPAIR,       /* the Pod is to get its identity and volumes back */
    STATEFUL_CREATE_CLAIM, /* of `claim` of the set's templates */
    STATEFUL_OWN_CLAIM,    /* owners of `object` become what the policy says */
};
struct stateful_step {
    enum stateful_action action;
    const struct stateful_slot *slot;
    size_t claim;
    const struct api_object *object;
};

struct stateful_run {
    struct arena *arena;
    const struct api_object *object;
    const struct apps_v1_stateful_set *set;
    const struct core_v1_pod_template_spec *current_template; /* of what is not updated yet */
    struct str current, update;                               /* names of revisions */
    int64_t now_s;
    const struct api_object *(*find_claim)(const struct stateful_run *s, struct str name);
    void *arg; /* of find_claim */
    struct stateful_slot *slots;
    size_t n_slots;
    bool is_cut;                     /* there are more slots, all empty */
    struct stateful_slot *condemned; /* beyond the slots, the highest first */
    size_t n_condemned;
    /* What stateful_plan() decides. */
    struct stateful_step *steps;
    size_t n_steps, cap_steps;
    bool needs_claims;        /* Pods wait for what these steps do to claims: go on after them */
    struct str leaving_claim; /* one that is in the way until it is gone; unset: none */
    const struct stateful_slot *refused; /* of the Pod that cannot be made for that; NULL: none */
};

static inline int64_t stateful_start(const struct apps_v1_stateful_set *set)
{
    return set->spec.ordinals ? set->spec.ordinals->start : 0;
}
static inline int64_t stateful_replicas(const struct apps_v1_stateful_set *set)
{
    return set->spec.replicas ? *set->spec.replicas : 1;
}

/* stateful_set_pods.c: identity; pure. */
/* "web-3" of "web": 3; -1: the Pod is none of this set's. */
int64_t stateful_ordinal(struct str set, struct str pod);
void stateful_gather(struct stateful_run *s, const struct api_object *const *pods, size_t n_pods);
bool stateful_is_of_update(const struct stateful_run *s, const struct stateful_slot *slot);
struct object stateful_pod(const struct stateful_run *s, const struct stateful_slot *slot);
bool stateful_identity_is_right(const struct stateful_slot *slot);
bool stateful_storage_is_right(const struct stateful_run *s, const struct stateful_slot *slot);
struct object stateful_repaired(const struct stateful_run *s, const struct stateful_slot *slot);
struct str stateful_revision_of(const struct api_object *pod);
struct str stateful_claim_name(const struct stateful_run *s, size_t claim, int64_t ordinal);
struct object stateful_claim(const struct stateful_run *s, size_t claim, int64_t ordinal);

/* stateful_set_claims.c: who owns claims, so that they go with the set or with a Pod that is scaled
 * away; pure. */
bool stateful_claim_is_stale(const struct stateful_run *s, const struct stateful_slot *slot,
                             const struct api_object *claim);
/* Somebody else controls it, who is let alone. */
bool stateful_claim_is_contested(const struct stateful_run *s, const struct stateful_slot *slot,
                                 const struct api_object *claim);
bool stateful_claim_is_right(const struct stateful_run *s, const struct stateful_slot *slot,
                             const struct api_object *claim);
struct object stateful_owned_claim(const struct stateful_run *s, const struct stateful_slot *slot,
                                   const struct api_object *claim);

/* stateful_set_plan.c: pure. What is to be done now. */
void stateful_plan(struct stateful_run *s);
/* All but collisionCount and conditions. *ret_wait_s: until the next Pod is available. */
void stateful_status(const struct stateful_run *s, struct apps_v1_stateful_set_status *ret,
                     int64_t *ret_wait_s);
