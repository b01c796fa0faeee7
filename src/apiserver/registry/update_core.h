/* What PUT and PATCH share once they know the new object. */
#pragma once

#include "apiserver/registry/write.h"

struct meta_v1_object_meta;

/* The new object (private, of the row's type) against w->current, or as a new one where that is
 * absent: preconditions, admission, strategy, validation. Sets w->updated or w->refused. */
enum write_decision update_core(struct write *w, struct object updated);
/* A view through the request's projection, merged into the stored object; then as update_core(),
 * with managedFields kept. Without a projection the object itself. */
enum write_decision update_core_view(struct write *w, struct object view);
/* Name and namespace are the request's, or unset and then taken from it. False: 400. */
bool update_core_check_name(struct api_request *r, struct meta_v1_object_meta *meta,
                            struct status *ret);
