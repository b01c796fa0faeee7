/* Pieces of JSON appended to a buffer, as Go's encoding/json writes them. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct buf;

/* A quoted string: " and \ escaped, control characters as \n, \t, ... or \u00xx; < > & and
 * U+2028/2029 as \u escapes. s must be UTF-8. */
void json_write_string(struct buf *b, struct str s);
/* The shortest text that reads back as v; exponent form below 1e-6 and from 1e21 on. v is finite.
 */
void json_write_double(struct buf *b, double v);
/* Any valid JSON text, white space outside strings left out, strings kept as they are spelled. */
void json_write_compact(struct buf *b, struct str json);
