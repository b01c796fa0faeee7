/* Custom resources that are served: compiled from the CustomResourceDefinitions in the store, at
 * the start and whenever one of them changes. Requests hold the table that they began with; a table
 * is immutable and counted.
 *
 * What upstream's controllers do to definitions is done here, too (definition_status.h): names are
 * accepted, a definition is established, the objects of one that goes are deleted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/resource.h"
#include "base/refcount.h"
#include "base/str.h"
#include "store/store.h"

struct api_request;
struct apiserver;
struct custom_definition;
struct custom_resource;
struct err;
struct extensions;
struct loop;
struct openapi_publication;

struct extension_table {
    struct refcount refs;
    struct custom_definition **definitions; /* sorted by name; established ones */
    size_t n;
    struct resource_group_version *group_versions; /* by group, preferred version first */
    size_t n_group_versions;
    struct openapi_publication *openapi; /* made when it is first asked for */
};

/* On the loop's thread, before requests come; extensions_free() after the loops have ended. */
int extensions_new(struct apiserver *s, struct loop *l, struct extensions **ret, struct err *err);
void extensions_stop(
    struct extensions *x); /* no more changes; on the loop's thread; accepts NULL */
/* When no loop runs any more, and before the store and the loops go: waits for threads that read
 * the one and post to the others. Accepts NULL. */
void extensions_settle(struct extensions *x);
void extensions_free(struct extensions *x); /* accepts NULL */

/* With a reference for the caller; any thread. */
struct extension_table *extensions_get(struct extensions *x);
void extension_table_unref(struct extension_table *t); /* accepts NULL */

/* The table of a request, held until the request ends; NULL while the server starts. */
const struct extension_table *extensions_of(struct api_request *r);
/* A served version of an established definition, or NULL. */
const struct resource *extension_table_find(const struct extension_table *t, struct str group,
                                            struct str version, struct str resource);
const struct custom_definition *extension_table_definition(const struct extension_table *t,
                                                           struct str group, struct str resource);

/* For a watch of objects: ready() runs when something becomes of the definition; events that
 * changed it are the end of the watch. */
int extensions_watch_definition(struct api_request *r, store_watch_fn *ready, void *arg,
                                struct store_watch **ret, struct err *err);
bool extensions_definition_changed(const struct custom_definition *d, const struct store_event *e);

bool extension_table_has_group_version(const struct extension_table *t, struct str group,
                                       struct str version);
