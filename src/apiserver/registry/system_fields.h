/* What the server, not the client, says in an object's metadata. */
#pragma once

#include <stdbool.h>

struct api_request;
struct meta_v1_object_meta;
struct status;

/* uid, creationTimestamp, a generated name; clears what a client cannot give. */
void system_fields_on_create(struct api_request *r, struct meta_v1_object_meta *meta);
/* The object's namespace is the request's, or unset and then taken from it. False: 400. */
bool system_fields_check_namespace(struct api_request *r, struct meta_v1_object_meta *meta,
                                   struct status *ret);
