/* EndpointSlices by their Service and by who manages them. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct api_object;
struct arena;
struct controller;
struct controller_manager;
struct meta_v1_object_meta;
struct reconcile;
struct resource;

const struct resource *service_slices_row(void);
/* Is it a slice of that Service, and the manager's? */
bool service_slices_is_one(const struct api_object *o, struct str service, struct str manager);
/* The labels that say so. */
void service_slices_label(struct arena *a, struct meta_v1_object_meta *meta, struct str service,
                          struct str manager);
/* An event of a slice of the manager's concerns its Service. */
void service_slices_map(struct controller_manager *m, const struct controller *c,
                        const struct api_object *o, struct str manager);
void service_slices_delete(struct reconcile *r, const struct api_object *o);
