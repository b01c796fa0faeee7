/* ObjectMeta on create and update, with upstream's rules, order and texts. Pure: what the strategy
 * fills in (uid, time, generated name, namespace of the request) was filled in before. */
#pragma once

#include <stdbool.h>

#include "api/name_rules.h"

struct arena;
struct field_errors;
struct field_path;
struct meta_v1_object_meta;

/* What a resource's row says. */
struct meta_rules {
    bool namespaced;
    enum name_rule name_rule;
    int name_max; /* bytes, below the rule's own limit; 0: the rule's */
};

/* On create; path is that of "metadata". */
void meta_validate(struct field_errors *errs, const struct meta_v1_object_meta *meta,
                   const struct meta_rules *rules, const struct field_path *path);
/* On update: immutable fields, no new finalizers while deleting, and the general rules for what
 * may change. `updated` gets the values that an update may leave out (uid, creationTimestamp,
 * deletion fields, generation) from `old` first, as upstream does. */
void meta_prepare_update(struct meta_v1_object_meta *updated,
                         const struct meta_v1_object_meta *old);
void meta_validate_update(struct field_errors *errs, const struct meta_v1_object_meta *updated,
                          const struct meta_v1_object_meta *old, const struct meta_rules *rules,
                          const struct field_path *path);
/* Labels and annotations alone, for other places that hold them (Pod templates). */
void meta_validate_labels(struct field_errors *errs, const void *string_map,
                          const struct field_path *path);
void meta_validate_annotations(struct field_errors *errs, const void *string_map,
                               const struct field_path *path);
