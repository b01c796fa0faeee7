/* A cache of all objects of a resource, kept by a reflector, with handlers that hear of each change
 * and indexes to look objects up by. Objects are shared and immutable (api_object.h). One loop.
 *
 * Handlers run on the loop after the cache has changed; what they are given is valid within the
 * call. After a gap (410, a new server) they hear of what differs, once each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/object.h"
#include "base/str.h"

struct api_object;
struct informer;
struct loop;
struct resource;
struct rest_client;

struct informer_handler {
    /* old NULL: added; new NULL: deleted. Both set: changed. */
    void (*on_change)(const struct api_object *old, const struct api_object *new, void *arg);
    /* The cache holds everything there was when it began; then on every later list. May be NULL. */
    void (*on_synced)(void *arg);
    void *arg;
};

struct informer_options {
    struct loop *loop;
    struct rest_client *client;
    const struct resource *resource;
    struct str namespace;
    struct str field_selector;
    struct str label_selector;
    void (*trim)(struct object o); /* of what no handler reads (api_object.h); NULL: nothing */
};

struct informer *informer_new(const struct informer_options *o); /* not started */
void informer_free(struct informer *i);                          /* accepts NULL */
/* Before start. A handler is copied. */
void informer_add_handler(struct informer *i, const struct informer_handler *h);
/* An index: emit() is called for each value under which o is found. Before start; its number. */
typedef void informer_emit_fn(struct str value, void *emit_arg);
typedef void informer_index_fn(const struct api_object *o, informer_emit_fn *emit, void *emit_arg);
int informer_add_index(struct informer *i, informer_index_fn *fn);
void informer_start(struct informer *i);
/* Handlers hear of every object as deleted, and of nothing more until it is started again. Not from
 * within its own handlers. */
void informer_stop(struct informer *i);

bool informer_is_synced(const struct informer *i);
/* Everything that happened up to this revision is in the cache. */
uint64_t informer_revision(const struct informer *i);
/* fn(arg) once, when informer_revision() has reached revision; at once when it has. A later await
 * of the same arg replaces it. */
void informer_await(struct informer *i, uint64_t revision, void (*fn)(void *arg), void *arg);
void informer_cancel_await(struct informer *i, void *arg);

/* --- the lister: borrowed until the loop's next turn --- */
const struct api_object *informer_get(const struct informer *i, struct str key); /* NULL: absent */
size_t informer_len(const struct informer *i);
/* *cursor starts at 0; NULL at the end. Unordered. */
const struct api_object *informer_next(const struct informer *i, size_t *cursor);
/* The objects under a value of an index. */
size_t informer_by_index(const struct informer *i, int index, struct str value,
                         const struct api_object *const **ret);
const struct resource *informer_resource(const struct informer *i);
