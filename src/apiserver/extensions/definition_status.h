/* The status of a CustomResourceDefinition, as upstream's controllers keep it: names accepted or in
 * conflict, established, approved; and the end of one whose objects are gone. */
#pragma once

#include <stdbool.h>

#include "api/object.h"
#include "base/str.h"

struct apiserver;
struct arena;
struct definition_writer;
struct loop;
struct store_object;
struct store_snapshot;

#define CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

/* --- the decision, on a decoded definition that is changed in place; everything else is looked up
 * in the snapshot --- */

struct definition_facts {
    struct apiserver *server;
    struct store_snapshot *snapshot;
    struct arena *arena;
    bool is_cleaned; /* it goes, and no object of it is left */
    int64_t now_s;
};

/* *ret_conflict: a name is taken, so that another definition's change may matter. */
void definition_status_update(const struct definition_facts *f, struct object crd,
                              bool *ret_conflict);
/* As it is created, and as it is marked for deletion: for the strategy. */
void definition_status_init(struct arena *a, struct object crd);
void definition_status_terminating(struct arena *a, struct object crd, int64_t now_s);
/* The stored version is among those that objects may be stored in. */
void definition_status_stored_versions(struct arena *a, struct object crd);

/* --- writing it --- */

/* One write at a time; settled() runs after each, on the loop. */
struct definition_writer *definition_writer_new(struct apiserver *s, struct loop *l,
                                                void (*settled)(void *arg), void *arg);
void definition_writer_release(struct definition_writer *w); /* accepts NULL */
/* Looks what is to be written of the stored definition, and starts that. True: nothing, and nothing
 * will be until it changes. */
bool definition_writer_run(struct definition_writer *w, struct store_snapshot *snapshot,
                           const struct store_object *so, bool is_cleaned);
