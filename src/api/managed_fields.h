/* metadata.managedFields as sets: who set which fields, by manager, operation, version and
 * subresource. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/field_set.h"
#include "api/schema.h"
#include "base/str.h"

struct arena;
struct err;
struct meta_v1_managed_fields_entry;
struct meta_v1_object_meta;

enum { MANAGED_FIELDS_MAX_UPDATERS = 10, MANAGED_FIELDS_MANAGER_MAX = 128 };

struct managed_entry {
    struct str manager;
    struct str api_version;
    struct str subresource;
    struct str text; /* FieldsV1 as it was read; unset once the set has changed */
    struct ktime time;
    struct field_set set;
    bool applied;
};

struct managed_fields {
    struct managed_entry *items;
    uint32_t len;
    uint32_t cap;
};

/* What one side of a write says of its manager. */
struct managed_manager {
    struct str name;
    struct str api_version;
    struct str subresource;
    bool applied;
};

/* ERR_INVALID where upstream refuses an entry. Entries of one identity: the last stays. */
int managed_fields_decode(struct arena *a, const struct meta_v1_object_meta *meta,
                          struct managed_fields *ret, struct err *err);
/* Into meta, in upstream's order: Apply before Update, by time, by name. */
void managed_fields_encode(struct arena *a, const struct managed_fields *m,
                           struct meta_v1_object_meta *meta);
struct managed_fields managed_fields_copy(struct arena *a, const struct managed_fields *m);

/* The entry of that identity (an applier has one for all versions), or NULL. */
struct managed_entry *managed_fields_find(const struct managed_fields *m,
                                          const struct managed_manager *who);
struct managed_entry *managed_fields_add(struct arena *a, struct managed_fields *m,
                                         const struct managed_manager *who);
void managed_entry_set(struct managed_entry *e, struct field_set set);
void managed_fields_remove_empty(struct managed_fields *m);
/* Same identities and sets, whatever the times. */
bool managed_fields_equal(const struct managed_fields *x, const struct managed_fields *y);
/* More than MANAGED_FIELDS_MAX_UPDATERS: the oldest become one, "ancient-changes". */
void managed_fields_cap(struct arena *a, struct managed_fields *m);

/* The client asks that all be forgotten: [] or [{}]. */
bool managed_fields_is_reset(const struct meta_v1_object_meta *meta);
/* Paths that nobody owns: identity and what the server itself keeps. */
const struct field_set *managed_fields_never_owned(void);
/* "pintle/v1 (linux)" -> "pintle": who a client without a fieldManager is. */
struct str managed_fields_agent_name(struct arena *a, struct str user_agent);
/* A manager's name is of printable characters. */
bool managed_fields_name_is_printable(struct str name);
