/* What PUT and PATCH share once they know the new object. */
#pragma once

#include "apiserver/registry/write.h"

/* The new object (private, of the row's type) against w->current, or as a new one where that is
 * absent: preconditions, admission, strategy, validation. Sets w->updated or w->refused. */
/* A view through the request's projection, merged into the stored object; then as update_core().
 * Without a projection the same as that. */
enum write_decision update_core_view(struct write *w, struct object view);
enum write_decision update_core(struct write *w, struct object updated);
