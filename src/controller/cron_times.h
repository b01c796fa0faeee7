/* When a CronJob is due: schedules in time, without anybody to talk to. Seconds since 1970. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cron_schedule;
struct err;
struct time_zone;

enum { CRON_NEVER = -1, CRON_MANY_MISSED = 100, CRON_SKEW_MS = 100 };

/* The first time after `after`; CRON_NEVER: not in five years. By local time: what falls into an
 * hour that is left out does not happen that day, what falls into one that comes twice happens
 * twice. */
int64_t cron_next(const struct cron_schedule *s, const struct time_zone *z, int64_t after);

struct cron_due {
    const struct cron_schedule *schedule;
    const struct time_zone *zone;
    int64_t created_s;
    int64_t last_s;     /* when it was last started for; 0: never */
    int64_t deadline_s; /* how late it may start; < 0: any time */
    int64_t now_ms;
};

/* The latest time that is over and was not started for; CRON_NEVER: none. ERR_INVALID: the schedule
 * has no times. */
int cron_due_time(const struct cron_due *d, int64_t *ret_time_s, bool *ret_too_many,
                  struct err *err);
/* Until it is worth looking again: the next time, and a little more for clocks that differ. */
int64_t cron_due_after_ms(const struct cron_due *d);
/* Is it too late to start for that time? */
bool cron_is_late(const struct cron_due *d, int64_t time_s);
