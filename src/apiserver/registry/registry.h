/* The generic registry: how objects of every resource are kept in the store. A resource is a row
 * (api/resource.h); what a row cannot say is its strategy (strategy.h). One file per verb. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct api_request;
struct err;
struct resource;
struct store;

struct registry {
    struct store *store;
    uint16_t *ids; /* by resource_storage_index() */
    uint16_t namespaces_id;
    uint16_t node_ports_id; /* no API resource: service_allocation.h */
    uint32_t event_ttl_s;
};

/* Names every stored resource to the store. */
int registry_init(struct registry *g, struct store *s, uint32_t event_ttl_s, struct err *err);
void registry_done(struct registry *g);
uint16_t registry_store_id(const struct registry *g, const struct resource *row);

/* "namespace/name" or "name" */
struct arena;
struct str registry_key(struct arena *a, const struct resource *row, struct str namespace,
                        struct str name);

/* The verbs: each answers the request, now or later. */
void registry_get(struct api_request *r);
void registry_list(struct api_request *r);
void registry_watch(struct api_request *r);
void registry_create(struct api_request *r);
void registry_update(struct api_request *r);
void registry_patch(struct api_request *r);
void registry_delete(struct api_request *r);
void registry_deletecollection(struct api_request *r);
