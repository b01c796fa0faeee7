/* The ConfigMaps or Secrets that this node's Pods refer to: one watch for each while a Pod refers
 * to it, none otherwise, as a node may read no others (upstream's watch-based manager). One loop.
 */
#pragma once

#include "base/str.h"

struct api_object;
struct err;
struct loop;
struct object_cache;
struct resource;
struct rest_client;

struct object_cache_options {
    struct loop *loop;
    struct rest_client *client;
    const struct resource *resource;
    /* An object became known, changed, or is gone; by name, "namespace/name". */
    void (*on_change)(struct str key, void *arg);
    void *arg;
};

struct object_cache *object_cache_new(const struct object_cache_options *o); /* copies */
void object_cache_free(struct object_cache *c);                              /* accepts NULL */

/* The Pod refers to the object: it is watched until object_cache_release_pod(). Again: no-op. */
void object_cache_retain(struct object_cache *c, struct str pod_uid, struct str namespace,
                         struct str name);
void object_cache_release_pod(struct object_cache *c, struct str pod_uid);

/* 0 and a borrowed object, valid until the loop's next turn; ERR_AGAIN: not known yet, on_change
 * will tell; ERR_NOT_FOUND: the server has none (err: upstream's words, `configmap "x" not found`).
 * What nobody retains is ERR_AGAIN for ever. */
int object_cache_get(const struct object_cache *c, struct str namespace, struct str name,
                     const struct api_object **ret, struct err *err);
