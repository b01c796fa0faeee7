/* Keeps somebody told of every object of a resource: a streaming list (watch with
 * sendInitialEvents), then its events, resumed from the last revision seen when the connection
 * ends, begun anew when the server has forgotten that revision (410). Nothing polls; failures back
 * off to 30 s. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/object.h"
#include "base/str.h"

struct api_object;
struct loop;
struct reflector;
struct resource;
struct rest_client;

struct reflector_ops {
    /* A list begins: what is not told of again before on_synced() is gone. */
    void (*on_list)(void *arg);
    void (*on_object)(const struct api_object *o, bool is_deleted, void *arg); /* ref to keep it */
    void (*on_synced)(void *arg); /* the list is whole */
    /* Everything up to this revision has been told. */
    void (*on_revision)(uint64_t revision, void *arg);
};

struct reflector_options {
    struct loop *loop;
    struct rest_client *client;
    const struct resource *resource;
    struct str namespace;      /* unset: all */
    struct str field_selector; /* unset: none */
    struct str label_selector;
    void (*trim)(struct object o); /* api_object.h; may be NULL */
    const struct reflector_ops *ops;
    void *arg;
};

struct reflector *reflector_new(const struct reflector_options *o); /* copies; starts at once */
void reflector_free(struct reflector *r);                           /* accepts NULL */
