/* Discovery: which groups, versions and resources are served, as the legacy documents (/api, /apis,
 * /apis/GROUP, /apis/GROUP/VERSION) and in the aggregated form (apidiscovery.k8s.io/v2) that newer
 * clients ask for on /api and /apis. All of it is printed from the resource rows:
 * those of the table, and those of custom resources in t (may be NULL). */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct api_request;
struct arena;
struct extension_table;

/* Answers when the path is one of discovery's; false: it is not. */
bool discovery_handle(struct api_request *r);

/* The documents themselves, JSON, in the arena. server_address is "HOST:PORT" as the client sees
 * it. */
struct str discovery_print_api_versions(struct arena *a, struct str server_address);
struct str discovery_print_groups(struct arena *a, const struct extension_table *t);
/* Unset when there is no such group or version. */
struct str discovery_print_group(struct arena *a, const struct extension_table *t,
                                 struct str group);
struct str discovery_print_resources(struct arena *a, const struct extension_table *t,
                                     struct str group, struct str version);
/* Of the core group (is_core: /api) or of all others (/apis). */
struct str discovery_print_aggregated(struct arena *a, const struct extension_table *t,
                                      bool is_core);
