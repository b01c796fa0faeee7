/* Which PersistentVolume is right for a claim: what the controller that binds them and the
 * scheduler share. Pure; texts and objects are borrowed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/label_selector.h"
#include "api/quantity.h"
#include "base/str.h"

struct arena;
struct core_v1_node;
struct core_v1_persistent_volume;
struct core_v1_persistent_volume_claim;
struct core_v1_pod;
struct core_v1_volume;
struct err;

#define VOLUME_BIND_COMPLETED      "pv.kubernetes.io/bind-completed"
#define VOLUME_BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"
#define VOLUME_PROVISIONED_BY      "pv.kubernetes.io/provisioned-by"
#define VOLUME_SELECTED_NODE       "volume.kubernetes.io/selected-node"
#define VOLUME_OLD_CLASS           "volume.beta.kubernetes.io/storage-class"

/* The class that it belongs to, "" for none: an annotation of old goes before the field. */
struct str volume_class(const struct core_v1_persistent_volume *v);
struct str volume_class_of_claim(const struct core_v1_persistent_volume_claim *c);
/* Asked for one, or for none ("")? Else the default is yet to be filled in. */
bool volume_claim_has_class(const struct core_v1_persistent_volume_claim *c);
bool volume_claim_is_bound(const struct core_v1_persistent_volume_claim *c); /* both halves */
/* It is promised (no uid) or bound to this claim. */
bool volume_is_for(const struct core_v1_persistent_volume *v,
                   const struct core_v1_persistent_volume_claim *c);
bool volume_modes_differ(const struct core_v1_persistent_volume *v, /* filesystem, block */
                         const struct core_v1_persistent_volume_claim *c);
/* Why a volume that the claim names cannot be its own; unset: it can. */
struct str volume_objection(struct arena *a, const struct core_v1_persistent_volume *v,
                            const struct core_v1_persistent_volume_claim *c);
/* The volume's own node affinity; NULL terms: it is everywhere. */
bool volume_is_on_node(const struct core_v1_persistent_volume *v, const struct core_v1_node *node);

/* The claim that a Pod's volume stands for; of an ephemeral one the claim made for it. Unset: it is
 * of another kind. */
struct str volume_claim_name(struct arena *a, const struct core_v1_pod *pod,
                             const struct core_v1_volume *v);
/* The claim was made for this Pod. */
bool volume_claim_is_of_pod(const struct core_v1_persistent_volume_claim *c,
                            const struct core_v1_pod *pod);

/* --- the best one --- */

struct volume_search {
    const struct core_v1_persistent_volume_claim *claim;
    struct label_selector selector;
    bool has_selector;
    bool is_delayed;                 /* only what is promised to it: the scheduler chooses */
    const struct core_v1_node *node; /* NULL: wherever it is */
    struct quantity wanted;
    /* Found so far: */
    const struct core_v1_persistent_volume *best;
    size_t best_modes; /* access modes that it has; always 0 with a node */
    bool best_is_promised;
    bool is_elsewhere; /* what is promised to the claim is not on the node */
    struct quantity best_size;
};
/* ERR_INVALID: the claim's selector is none. */
int volume_search_init(struct arena *a, struct volume_search *s,
                       const struct core_v1_persistent_volume_claim *claim, struct err *err);
/* Fewest access modes, then promised before free, then the smallest, then by name. With a node
 * modes do not count. */
void volume_search_offer(struct volume_search *s, const struct core_v1_persistent_volume *v);
