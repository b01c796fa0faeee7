/* What an unquoted YAML scalar means, as Kubernetes' reader (YAML 1.1 with its booleans) has it. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct buf;

/* Appends the scalar as JSON: null, a boolean, a number, or a string. false: a number that JSON
 * cannot bear (.inf, .nan). */
bool yaml_scalar_write(struct buf *b, struct str plain);
/* It means a string, so that it needs no quotes for its meaning's sake. */
bool yaml_scalar_is_string(struct str plain);
