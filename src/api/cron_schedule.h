/* Schedules of CronJobs: five fields (minute, hour, day of month, month, day of week), lists,
 * ranges and steps, names of months and days, and @hourly and its like. Parsing only: pure, any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct err;

enum cron_field { CRON_MINUTE, CRON_HOUR, CRON_DAY, CRON_MONTH, CRON_WEEKDAY, CRON_FIELDS };

struct cron_schedule {
    uint64_t bits[CRON_FIELDS]; /* bit n: the value n is in the field */
    bool any_day, any_weekday;  /* "*" or "?": the other of the two decides alone */
    struct str zone;            /* "TZ=..." or "CRON_TZ=..." before the fields; of the text */
    int64_t every_s;            /* @every: seconds, the fields are unused; else 0 */
};

/* ERR_SYNTAX with upstream's words. */
int cron_schedule_parse(struct str text, struct cron_schedule *ret, struct err *err);
