/* Times and durations as text: RFC 3339 and Go's durations. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct buf;

/* "2006-01-02T15:04:05[.fraction](Z|+hh:mm)", years 0000 to 9999. */
bool time_text_parse(struct str text, int64_t *ret_sec, int32_t *ret_nsec);
void time_text_print(struct buf *b, int64_t sec); /* UTC, whole seconds */
void time_text_print_micro(struct buf *b, int64_t sec,
                           int32_t nsec); /* UTC, six digits of fraction */

/* "1h2m3.5s", "500ms", "-2us", "0". false: not one, or beyond int64 nanoseconds. */
bool time_text_parse_duration(struct str text, int64_t *ret_ns);
void time_text_print_duration(struct buf *b, int64_t ns);
/* kubectl's short age: "5s", "3m20s", "7h", "4d", "2y". Below -1 s "<invalid>". */
void time_text_print_age(struct buf *b, int64_t seconds);
