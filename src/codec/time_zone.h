/* Time zones of the machine's database: how far local time is ahead of UTC at a moment. TZif files
 * (RFC 9636) with their transitions, and the rule of POSIX's TZ that holds after the last one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct err;
struct time_zone;

enum { TIME_ZONE_MAX_BYTES = 128 * 1024 };

/* name: "Europe/Berlin", "UTC"; "": the machine's own (TZ, /etc/localtime, else UTC). Reads one
 * small file. ERR_NOT_FOUND with Go's words, ERR_INVALID. */
int time_zone_load(struct str name, struct time_zone **ret, struct err *err);
/* The bytes of a TZif file. */
int time_zone_parse(struct str data, struct time_zone **ret, struct err *err);
void time_zone_free(struct time_zone *z); /* accepts NULL */
DEFINE_CLEANUP(struct time_zone *, time_zone_free);

/* Seconds east of Greenwich at a moment of UTC; NULL is UTC. */
int32_t time_zone_offset(const struct time_zone *z, int64_t utc_s);
/* The moment of a local time, given as seconds since 1970-01-01T00:00:00 local: of two the first,
 * of none (clocks jumped over it) the moment of the jump. */
int64_t time_zone_to_utc(const struct time_zone *z, int64_t local_s);

/* --- the calendar, without zones --- */
int64_t time_zone_days(int64_t year, int month, int day); /* since 1970-01-01 */
/* month 1 to 12, day 1 to 31, weekday 0 (Sunday) to 6. */
void time_zone_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day,
                    int *ret_weekday);
