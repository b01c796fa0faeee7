/* Who set which fields, kept by every write: the request's manager, version and subresource put
 * together with api/apply.h. */
#pragma once

#include <stdbool.h>

#include "api/object.h"
#include "codec/value.h"

struct api_request;
struct meta_v1_object_meta;
struct status;

/* `updated` is what the request makes of `live` (data NULL: of nothing), before admission:
 * its managedFields become live's, or those that the client gave, with what changed. */
void field_manager_update(struct api_request *r, struct object live, struct object updated);
/* *ret is live (data NULL: nothing) with the applied configuration, defaulted and with its
 * managedFields. False: *ret_status says why not. */
bool field_manager_apply(struct api_request *r, struct object live, const struct value *config,
                         struct object *ret, struct status *ret_status);
/* Entries that differ by their times alone are put back to those of `live`, when nothing else
 * differs either. */
void field_manager_keep_times(struct object live, struct object updated);
