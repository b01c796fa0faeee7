/* Shared by strategic_merge.c (maps, directives) and strategic_merge_list.c (lists, their order).
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "codec/value.h"

struct arena;
struct err;
struct schema;
struct schema_type;

struct merge_run {
    struct arena *arena;
    const struct schema *schema;
    struct err *err;
};

/* What a map in the document is: a struct of this type, or something without fields. */
struct merge_node {
    const struct schema_type *type;
    bool is_map;
};

struct merge_field {
    struct merge_node node; /* of the value, or of the list's elements */
    struct str merge_key;
    bool merge;
    bool replace;
    bool is_list;
};

int merge_maps(struct merge_run *run, struct merge_node at, struct value *doc,
               const struct value *patch);

/* Merges list `patch` into *doc (its items may be moved); with remove, takes the scalars that patch
 * names out of it instead. */
int merge_lists(struct merge_run *run, const struct merge_field *field, struct value *doc,
                const struct value *patch, bool remove);
/* Puts *list into the order that `order` says; what it does not name keeps its place as it was in
 * `old`. Items are told apart by merge_key, scalars (empty merge_key) by value. */
int merge_order(struct merge_run *run, struct value *list, const struct value *order,
                const struct value *old, struct str merge_key);
/* The items of the patch's list must come in the order of the order list. Both may be NULL. */
int merge_check_order(struct merge_run *run, const struct value *patch, const struct value *order,
                      struct str merge_key);

/* Errors, with values printed as Go's %v does. */
int merge_bad_directive(struct merge_run *run, const struct value *directive,
                        const struct value *map);
int merge_no_key(struct merge_run *run, const struct value *map, struct str merge_key);
const char *merge_type_name(const struct value *v);
