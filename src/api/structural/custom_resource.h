/* A CustomResourceDefinition made ready to be served: a resource row and a compiled schema for each
 * version. Immutable once made and counted, so any thread may read it; rows and schemas live as
 * long as the definition.
 *
 * Objects of custom resources are meta/v1 CustomObjects: metadata as every object has it, and every
 * other member as JSON text. What a schema has to say to them goes by trees of values. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/object.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/refcount.h"
#include "base/str.h"

struct err;
struct field_errors;
struct json_path;
struct structural;
struct value;

enum {
    CUSTOM_VERSIONS_MAX = 64,
    CUSTOM_DEFINITION_BYTES_MAX = 64 << 20, /* of one definition, compiled */
    CUSTOM_SELECTABLE_MAX = 8,
};

/* One version. */
struct custom_resource {
    struct resource row; /* row.custom is this */
    const struct custom_definition *definition;
    const struct structural *schema;
    const struct json_path *const *column_paths;     /* of row.columns, from the second on */
    const struct json_path *const *selectable_paths; /* of row.selectable's words */
    size_t n_selectable;
    bool is_served;
    bool has_status;
    bool has_scale;
    struct str replicas_path, status_replicas_path, selector_path; /* "spec.replicas" */
    struct str warning; /* that every request gets; unset: none */
    uint32_t stamp;     /* of what is stored by this schema: differs when the schema does */
};

struct custom_definition {
    struct refcount refs;
    struct arena arena;
    struct str name; /* "widgets.example.com" */
    struct str group;
    struct str uid;
    int64_t generation;
    uint64_t revision;   /* resourceVersion of the object that it was made of */
    bool is_established; /* or about to be: its names are accepted, so it is served */
    bool is_terminating;
    uint16_t store_id;                /* the server's */
    struct custom_resource *versions; /* preferred first */
    size_t n_versions;
    const struct custom_resource *storage;
};

/* Compiles a decoded, valid object of kind CustomResourceDefinition. ERR_INVALID, ERR_TOO_LARGE ...
 * when a schema does not compile. Names are those that were accepted, the wanted ones before that.
 */
int custom_definition_new(struct object crd, struct custom_definition **ret, struct err *err);
struct custom_definition *custom_definition_ref(struct custom_definition *d);
void custom_definition_unref(struct custom_definition *d); /* accepts NULL */
/* NULL: no such version. */
const struct custom_resource *custom_definition_version(const struct custom_definition *d,
                                                        struct str version);

/* "v1" before "v1beta1" before what is no version; <0, 0, >0 as qsort wants it. */
int custom_resource_compare_versions(struct str a, struct str b);

/* --- objects --- */

struct object custom_object_new(struct arena *a, const struct resource *row);
/* JSON of a member, unset when it is not there; setting the unset string removes it. */
struct str custom_object_member(struct object o, struct str name);
void custom_object_set_member(struct arena *a, struct object o, struct str name, struct str json);
/* Do members other than `except` differ? */
bool custom_object_differs(struct object a, struct object b, struct str except);
/* Members are pruned and defaulted by the version's schema, nulls settled, and printed in one form.
 * unknown (may be NULL) hears the path of each member that is dropped, duplicate of each that was
 * given twice (the first in each member). */
typedef void custom_path_fn(struct str path, void *arg);
int custom_object_settle(struct arena *a, const struct custom_resource *c, struct object o,
                         custom_path_fn *unknown, custom_path_fn *duplicate, void *arg,
                         struct err *err);
/* The same for what is written in a version that the client did not speak: pruned, not defaulted.
 */
int custom_object_prune(struct arena *a, const struct custom_resource *c, struct object o,
                        struct err *err);

/* The texts of what the versions of the definition select by, at each of `paths`' words; returns
 * how many are set. */
struct custom_field {
    struct str name, text;
};
size_t custom_object_fields(struct arena *a, const struct custom_definition *d, struct object o,
                            struct custom_field *ret, size_t max);

/* Everything that is wrong with an object by its version's schema; old.data NULL: create. What was
 * wrong already and is left as it was is no error. status_only: the spec is not looked at. */
void custom_object_validate(struct arena *a, const struct custom_resource *c, struct object o,
                            struct object old, bool status_only, struct field_errors *errs);
