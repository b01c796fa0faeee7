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

#define CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

/* --- the decision, on a decoded definition that is changed in place --- */

struct definition_facts {
    struct arena *arena;
    /* Has some definition of the group had that name accepted, of a kind or of a resource? What
     * this one itself has claimed counts, as upstream's does. */
    bool (*is_taken)(void *arg, struct str group, bool kinds, struct str name);
    void *arg;
    bool is_cleaned;    /* it goes, and no object of it is left */
    struct str failure; /* why it cannot be served; unset: it can */
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
/* Looks what is to be written of the stored definition, and starts that; arena and time of the
 * facts are the writer's. True: nothing, and nothing will be until it changes. */
bool definition_writer_run(struct definition_writer *w, const struct store_object *so,
                           const struct definition_facts *facts);
