/* The structural schema of a custom resource: one version's JSONSchemaProps compiled to a tree that
 * pruning, defaulting, validation and server-side apply walk beside a value tree. Immutable once
 * made, so any number of threads may read it; it lives in the arena it was made in.
 *
 * A schema has two sides, as upstream's: the structure (types, members, items, what is kept), which
 * alone decides what a value may contain, and the checks of values, which may refuse but never
 * shape. Below allOf, anyOf, oneOf and not there are checks only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct apiextensions_v1_json_schema_props;
struct arena;
struct err;
struct field_errors;
struct field_path;
struct structural_checks;
struct value;

enum structural_type {
    STRUCTURAL_ANY, /* no type given */
    STRUCTURAL_OBJECT,
    STRUCTURAL_ARRAY,
    STRUCTURAL_STRING,
    STRUCTURAL_INTEGER,
    STRUCTURAL_NUMBER,
    STRUCTURAL_BOOLEAN,
    STRUCTURAL_TYPE_MAX,
};

enum structural_flags {
    STRUCTURAL_NULLABLE = 1 << 0,
    STRUCTURAL_PRESERVES = 1 << 1,      /* x-kubernetes-preserve-unknown-fields */
    STRUCTURAL_EMBEDDED = 1 << 2,       /* x-kubernetes-embedded-resource */
    STRUCTURAL_INT_OR_STRING = 1 << 3,  /* x-kubernetes-int-or-string */
    STRUCTURAL_ANY_MEMBERS = 1 << 4,    /* additionalProperties: true */
    STRUCTURAL_LIST_SET = 1 << 5,       /* x-kubernetes-list-type: set */
    STRUCTURAL_LIST_MAP = 1 << 6,       /* x-kubernetes-list-type: map, by list_keys */
    STRUCTURAL_ATOMIC = 1 << 7,         /* a list or a map that is owned as a whole */
    STRUCTURAL_HAS_DEFAULTS = 1 << 8,   /* here or below */
    STRUCTURAL_HAS_EMBEDDED = 1 << 10,  /* the same */
    STRUCTURAL_HAS_EXPRESSIONS = 1 << 9 /* x-kubernetes-validations, here */
};

struct structural {
    enum structural_type type;
    unsigned flags;                         /* enum structural_flags */
    struct structural_property *properties; /* sorted by name */
    size_t n_properties;
    const uint32_t *slots; /* by hash of the name: its place + 1; NULL: they are few */
    size_t n_slots;        /* a power of two */
    const struct structural
        *additional; /* of other members; NULL: there are none (but see flags) */
    const struct structural *items;
    const struct value *default_value; /* NULL: none */
    const struct str *list_keys;
    size_t n_list_keys;
    struct str sorted_keys;                 /* the same, in order, separated by commas */
    const struct structural_checks *checks; /* NULL: none */
};
struct structural_property {
    struct str name;
    const struct structural *schema;
};

enum { STRUCTURAL_MAX_DEPTH = 100, STRUCTURAL_MAX_NODES = 100000 };

/* props may be NULL: everything is kept. Nothing of props is referred to afterwards. ERR_INVALID: a
 * default that is no JSON, a pattern that does not compile; ERR_TOO_DEEP, ERR_TOO_LARGE. */
int structural_compile(struct arena *a, const struct apiextensions_v1_json_schema_props *props,
                       const struct structural **ret, struct err *err);
/* Is the schema, with all that no compiled form has, within these bounds? ERR_TOO_DEEP,
 * ERR_TOO_LARGE. */
int structural_measure(const struct apiextensions_v1_json_schema_props *props, struct err *err);
/* The schema of a member: of properties, else of the others. NULL: none is known. */
const struct structural *structural_member(const struct structural *s, struct str name);
/* Of properties alone. */
const struct structural *structural_property(const struct structural *s, struct str name);
enum structural_type structural_type_of(struct str name); /* ANY for what is none */
const char *structural_type_name(enum structural_type t); /* "object"; "" for ANY */

/* --- values: what a client sent, or the store had; apiVersion, kind and metadata of the root (and
 * of embedded resources) are never touched --- */

/* Removes what the schema does not know. fn (may be NULL) hears of each, with its path:
 * "spec.list[2].x". */
typedef void structural_unknown_fn(struct str path, void *arg);
void structural_prune(struct arena *a, struct value *v, const struct structural *s,
                      structural_unknown_fn *fn, void *arg);
/* The same for a value somewhere below the root. */
void structural_prune_below(struct arena *a, struct value *v, const struct structural *s);
/* Nulls that may not be and have no default go; defaults are filled in, deep. */
void structural_default(struct arena *a, struct value *v, const struct structural *s);

/* --- checks: structural_validate.c --- */

/* Everything that is wrong with the value, in upstream's words; path NULL: the root. old (may be
 * NULL) is what the value was: parts that stay the same are not complained of. */
void structural_validate(const struct value *v, const struct value *old, const struct structural *s,
                         const struct field_path *path, struct field_errors *errs);
