#include "controller/cron_times.h"

#include "api/cron_schedule.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/time_zone.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, YEARS = 5 };

/* --- the next time --- */

static bool has(const struct cron_schedule *s, enum cron_field f, int64_t n)
{
    return s->bits[f] >> n & 1;
}

/* Days of the month and of the week: one of both decides, unless one of them is "*". */
static bool has_day(const struct cron_schedule *s, int day, int weekday)
{
    bool by_month = has(s, CRON_DAY, day), by_week = has(s, CRON_WEEKDAY, weekday);

    return s->any_day || s->any_weekday ? by_month && by_week : by_month || by_week;
}

/* t itself when it fits, else where to look next: the beginning of another month, day, hour or
 * minute. */
static int64_t advance(const struct cron_schedule *s, const struct time_zone *z, int64_t t)
{
    int64_t local = t + time_zone_offset(z, t), day_s = local % DAY_S, year;
    int month, day, weekday;

    day_s += day_s < 0 ? DAY_S : 0;
    time_zone_date((local - day_s) / DAY_S, &year, &month, &day, &weekday);
    if (!has(s, CRON_MONTH, month))
        return time_zone_to_utc(
            z, time_zone_days(month == 12 ? year + 1 : year, month % 12 + 1, 1) * DAY_S);
    if (!has_day(s, day, weekday))
        return time_zone_to_utc(z, local - day_s + DAY_S);
    if (!has(s, CRON_HOUR, day_s / HOUR_S))
        return t + HOUR_S - day_s % HOUR_S;
    if (!has(s, CRON_MINUTE, day_s % HOUR_S / MINUTE_S))
        return t + MINUTE_S;
    return t;
}

int64_t cron_next(const struct cron_schedule *s, const struct time_zone *z, int64_t after)
{
    int64_t limit = after + (int64_t)(YEARS + 1) * 366 * DAY_S, t, next;

    if (s->every_s)
        return after + s->every_s;
    /* Whole minutes of local time, which may be off by seconds in old times. */
    t = after + MINUTE_S - ((after + time_zone_offset(z, after)) % MINUTE_S + MINUTE_S) % MINUTE_S;
    while (t < limit) {
        next = advance(s, z, t);
        if (next == t)
            return t;
        t = MAX(next, t + 1);
    }
    return CRON_NEVER;
}

/* --- what is due --- */

/* *ret_recent: CRON_NEVER when nothing is over since *ret_from. */
static int most_recent(const struct cron_due *d, bool by_deadline, int64_t *ret_from,
                       int64_t *ret_recent, int64_t *ret_missed, struct err *err)
{
    int64_t now = d->now_ms / 1000, from = d->last_s ? d->last_s : d->created_s, first, second;
    int64_t interval, t;

    if (by_deadline && d->deadline_s >= 0)
        from = MAX(from, now - d->deadline_s);
    *ret_from = from;
    *ret_recent = CRON_NEVER;
    *ret_missed = 0;
    first = cron_next(d->schedule, d->zone, from);
    second = first == CRON_NEVER ? CRON_NEVER : cron_next(d->schedule, d->zone, first);
    if (first == CRON_NEVER || second == CRON_NEVER)
        return err_set(err, ERR_INVALID,
                       "time difference between two schedules is less than 1 second");
    if (now < first)
        return 0;
    if (now < second) {
        *ret_recent = first;
        return 0;
    }
    /* As if all of them were as far apart as these two; then from there on one by one. */
    interval = second - first;
    *ret_missed = (now - first) / interval + 1;
    t = cron_next(d->schedule, d->zone, first + (*ret_missed - 2) * interval);
    for (; t != CRON_NEVER && t <= now; t = cron_next(d->schedule, d->zone, t))
        *ret_recent = t;
    return 0;
}

int cron_due_time(const struct cron_due *d, int64_t *ret_time_s, bool *ret_too_many,
                  struct err *err)
{
    int64_t from, missed;
    int r = most_recent(d, true, &from, ret_time_s, &missed, err);

    *ret_too_many = r == 0 && *ret_time_s != CRON_NEVER && missed > CRON_MANY_MISSED;
    return r;
}

int64_t cron_due_after_ms(const struct cron_due *d)
{
    int64_t from, recent, missed, now = d->now_ms / 1000, next;
    struct err err;

    if (most_recent(d, false, &from, &recent, &missed, &err) < 0)
        recent = now;
    else if (recent == CRON_NEVER)
        recent = missed ? now : from;
    next = cron_next(d->schedule, d->zone, recent);
    if (next == CRON_NEVER)
        return 0;
    return MAX(next * 1000 + CRON_SKEW_MS - d->now_ms, 1);
}

bool cron_is_late(const struct cron_due *d, int64_t time_s)
{
    return d->deadline_s >= 0 && (time_s + d->deadline_s) * 1000 < d->now_ms;
}
