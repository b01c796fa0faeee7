/* What binding and letting go make of volumes and claims. Nothing here talks to anybody; what is
 * changed is the caller's copy. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct core_v1_persistent_volume;
struct core_v1_persistent_volume_claim;

/* The volume is the claim's; one that was free says that it was bound by us. */
void volume_state_refer(struct arena *a, struct core_v1_persistent_volume *v,
                        const struct core_v1_persistent_volume_claim *c);
/* Free again; or, where its reference was there before us, promised to whoever bears that name. */
void volume_state_let_go(struct arena *a, struct core_v1_persistent_volume *v);
/* volume NULL: there is none, and the claim says nothing of one. */
void volume_state_claim_status(struct arena *a, struct core_v1_persistent_volume_claim *c,
                               struct str phase, const struct core_v1_persistent_volume *v);
/* Policy Delete: why nobody here can; unset: a driver of somebody else's does it. */
struct str volume_state_deleter(struct arena *a, const struct core_v1_persistent_volume *v);
/* The finalizer of volumes that are said to come from a plugin within Kubernetes. */
void volume_state_protect(struct arena *a, struct core_v1_persistent_volume *v);

/* Finalizers; both leave the old list alone. */
struct meta_v1_object_meta;
bool volume_state_has_finalizer(const struct meta_v1_object_meta *m, struct str name);
void volume_state_set_finalizer(struct arena *a, struct meta_v1_object_meta *m, struct str name,
                                bool is_wanted);
