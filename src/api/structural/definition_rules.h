/* Validation of CustomResourceDefinitions, in upstream's words. */
#pragma once

#include <stdbool.h>

#include "api/object.h"

struct field_errors;

/* Beyond metadata. old.data NULL: create. is_status: through the status endpoint, where the spec is
 * the stored one. */
void definition_rules_check(struct object crd, struct object old, bool is_status,
                            struct field_errors *errs);
