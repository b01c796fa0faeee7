/* Custom resources for controllers: a row and a cache for each CustomResourceDefinition that is
 * served, made and retired as definitions come and go. Caches hold metadata alone. A row that was
 * handed out stays valid as long as the process, and is used again when its like comes back. */
#pragma once

#include <stddef.h>

#include "controller/controller.h"

struct custom_rows;

/* Before informers start. */
void custom_rows_prepare(struct controller_manager *m);
void custom_rows_free(struct custom_rows *c); /* accepts NULL */

/* map() as a watch's, for every object of every custom resource; synced() when the cache of one is
 * whole. Before start. */
void custom_rows_watch(struct controller_manager *m, const struct controller *c,
                       controller_map_fn *map,
                       void (*synced)(struct controller_manager *m, const struct resource *row));
/* Places 0 to custom_rows_len() - 1; NULL where none is in use now. */
size_t custom_rows_len(const struct controller_manager *m);
const struct resource *custom_rows_at(const struct controller_manager *m, size_t i);
/* NULL: not a custom row. */
struct informer *custom_rows_informer(const struct controller_manager *m,
                                      const struct resource *row);
