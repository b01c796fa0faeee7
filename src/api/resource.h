/* Resources: what the API serves, as rows made from the resource blocks of the .kapi files. A row
 * says names, scope, verbs, subresources, where and how objects are stored, what selectors and
 * columns there are and how writes behave; what cannot be said in a row is a strategy
 * (apiserver/registry). Texts with several words are separated by single spaces. Constant; any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/name_rules.h"
#include "api/schema.h"
#include "base/str.h"

/* X(name, text, is it a write). In the order in which discovery lists them. */
#define RESOURCE_VERBS(X)                                                                          \
    X(CREATE, "create")                                                                            \
    X(DELETE, "delete")                                                                            \
    X(DELETECOLLECTION, "deletecollection")                                                        \
    X(GET, "get")                                                                                  \
    X(LIST, "list")                                                                                \
    X(PATCH, "patch")                                                                              \
    X(UPDATE, "update")                                                                            \
    X(WATCH, "watch")

enum resource_verb_index {
#define X(name, text) RESOURCE_VERB_INDEX_##name,
    RESOURCE_VERBS(X)
#undef X
        RESOURCE_VERB_INDEX_MAX,
};
enum resource_verb { /* a set of these is `verbs` */
#define X(name, text) RESOURCE_VERB_##name = 1 << RESOURCE_VERB_INDEX_##name,
                     RESOURCE_VERBS(X)
#undef X
};

enum resource_flags {
    RESOURCE_NAMESPACED = 1 << 0,
    RESOURCE_SERVED = 1 << 1,                /* by default */
    RESOURCE_PUT_CREATES = 1 << 2,           /* PUT of a missing name creates */
    RESOURCE_NEEDS_VERSION = 1 << 3,         /* an update must bear a resourceVersion */
    RESOURCE_DELETE_RETURNS_OBJECT = 1 << 4, /* else a Status */
    RESOURCE_ORPHANS = 1 << 5,          /* default deletion policy is Orphan, else Background */
    RESOURCE_NO_GC = 1 << 6,            /* not garbage collected: no propagation finalizers */
    RESOURCE_SOFT = 1 << 7,             /* kept in the store's soft class */
    RESOURCE_GENERATION_UNSET = 1 << 8, /* generation is not set at create */
};

struct resource_subresource {
    struct str name;                /* "status" */
    const struct schema_type *type; /* of body and answer: the parent's, Scale, Eviction ... */
    unsigned verbs;                 /* enum resource_verb */
    bool connect;                   /* a stream or tunnel; type is that of the options */
};

struct resource_column {
    struct str name;  /* header */
    struct str type;  /* string, integer, number, boolean, date */
    bool is_name;     /* format "name" */
    uint8_t priority; /* 0 always, 1 wide */
    struct str
        cell; /* ".spec.x" a path, ".spec.x|<none>" with a text for unset; else a computed cell */
    struct str format, description; /* of custom resources' columns */
};

struct custom_resource;

struct resource {
    struct str group; /* "" for core */
    struct str version;
    struct str name; /* plural: "pods" */
    struct str singular;
    struct str kind;
    struct str list_kind; /* "" where it cannot be listed */
    struct str short_names;
    struct str categories;
    unsigned verbs; /* enum resource_verb */
    unsigned flags; /* enum resource_flags */
    const struct schema_type *type;
    const struct schema_type *list_type; /* NULL: cannot be listed */
    /* Storage. A row without storage_prefix is not stored (reviews, bindings). */
    struct str storage_prefix; /* "/registry/pods/" */
    const struct schema_type
        *storage_type; /* the version that is written; rows may share a prefix */
    /* Selectable fields beside metadata.name and metadata.namespace; those with an index. */
    struct str selectable;
    struct str indexed;
    /* When metadata.generation is kept: it is 1 at create and goes up when one of these paths
     * changes
     * ("all": anything outside metadata). "" : not set by the server; "none": never goes up. */
    struct str generation;
    /* Fields that a write through an endpoint cannot change. */
    struct str reset_main;
    struct str reset_status;
    enum name_rule name_rule;
    int name_max; /* bytes, below the rule's own limit; 0: the rule's */
    const struct resource_subresource *subresources;
    size_t n_subresources;
    const struct resource_column *columns;
    size_t n_columns;
    /* NULL for rows of the table. Others are made from a CustomResourceDefinition, at run time
     * (structural/custom_resource.h), and live as long as it is held. */
    const struct custom_resource *custom;
};

struct resource_group_version {
    struct str group;
    struct str version;
    bool preferred;
    bool served;
    struct str stability;    /* "GA", "beta", "alpha" */
    uint32_t group_priority; /* apiregistration's groupPriorityMinimum and versionPriority */
    uint32_t version_priority;
    uint32_t order; /* of groups in /apis */
};

/* All rows, grouped by group version in discovery order; served or not. */
extern const struct resource resource_table[];
extern const size_t resource_table_len;
/* In discovery order: groups by order, versions of a group preferred first. */
extern const struct resource_group_version resource_group_versions[];
extern const size_t resource_group_versions_len;

/* Served rows only; NULL when there is none. */
const struct resource *resource_find(struct str group, struct str version, struct str name);
const struct resource *resource_find_kind(struct str group, struct str version, struct str kind);
const struct resource_group_version *resource_find_group_version(struct str group,
                                                                 struct str version);
bool resource_has_group(struct str group); /* is some version of it served */
const struct resource_subresource *resource_subresource(const struct resource *r, struct str name);

static inline bool resource_is_namespaced(const struct resource *r)
{
    return r->flags & RESOURCE_NAMESPACED;
}
static inline bool resource_is_stored(const struct resource *r)
{
    return r->storage_prefix.len != 0;
}
/* Rows that share a prefix (autoscaling v1 and v2, the two events) share one index below
 * resource_storage_count(); -1 for rows that are not stored. */
int resource_storage_index(const struct resource *r);
size_t resource_storage_count(void);

struct arena;
/* "v1", "apps/v1" */
struct str resource_api_version(struct arena *a, const struct resource *r);
const char *resource_verb_name(enum resource_verb_index v);
