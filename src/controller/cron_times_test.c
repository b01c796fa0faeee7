#include "controller/cron_times.h"

#include <criterion/criterion.h>

#include "api/cron_schedule.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/time_text.h"
#include "codec/time_zone.h"

static int64_t at(const char *text)
{
    int64_t s = 0;
    int32_t ns;

    cr_assert(time_text_parse(str_from_cstr(text), &s, &ns), "%s", text);
    return s;
}

static struct cron_schedule parse(const char *text)
{
    struct cron_schedule s;
    struct err err;

    cr_assert_eq(cron_schedule_parse(str_from_cstr(text), &s, &err), 0, "%s: %s", text, err.text);
    return s;
}

static struct time_zone *zone(const char *name)
{
    struct time_zone *z = NULL;
    struct err err;

    if (time_zone_load(str_from_cstr(name), &z, &err) < 0)
        cr_skip_test("no time zones here");
    return z;
}

static void expect_next(const char *schedule, const struct time_zone *z, const char *after,
                        const char *want)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct cron_schedule s = parse(schedule);
    int64_t got = cron_next(&s, z, at(after));

    if (got == CRON_NEVER)
        buf_append_lit(&b, "never");
    else
        time_text_print(&b, got);
    cr_expect(str_eq(buf_str(&b), str_from_cstr(want)), "%s after %s: %.*s, not %s", schedule,
              after, STR_ARG(buf_str(&b)), want);
}

Test(cron_times, next)
{
    static const char *const rows[][3] = {
        { "* * * * *", "2026-07-09T14:45:00Z", "2026-07-09T14:46:00Z" },
        { "* * * * *", "2026-07-09T14:45:59Z", "2026-07-09T14:46:00Z" },
        { "*/15 * * * *", "2026-07-09T14:45:00Z", "2026-07-09T15:00:00Z" },
        { "20-35/15 * * * *", "2026-07-09T14:45:00Z", "2026-07-09T15:20:00Z" },
        { "0 0 * * *", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z" },
        { "0 0 1 * *", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z" },
        { "0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z" },
        { "0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z" },
        { "0 0 30 2 *", "2026-01-01T00:00:00Z", "never" },
        { "59 23 31 2 *", "2026-01-01T00:00:00Z", "never" },
        { "0 0 * * mon", "2026-11-26T00:00:00Z", "2026-11-30T00:00:00Z" },
        { "0 0 13 * fri", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z" }, /* one of both */
        { "0 0 13 * fri", "2026-12-12T00:00:00Z", "2026-12-13T00:00:00Z" },
        { "0 0 */2 * sun", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z" }, /* a step is no "*" */
        { "0 12 * jan,mar *", "2026-01-31T12:00:00Z", "2026-03-01T12:00:00Z" },
        { "@hourly", "2026-07-09T14:45:00Z", "2026-07-09T15:00:00Z" },
        { "@weekly", "2026-11-26T00:00:00Z", "2026-11-29T00:00:00Z" },
        { "@yearly", "2026-11-26T00:00:00Z", "2027-01-01T00:00:00Z" },
        { "@every 90m", "2026-07-09T14:45:10Z", "2026-07-09T16:15:10Z" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_next(rows[i][0], NULL, rows[i][1], rows[i][2]);
}

Test(cron_times, next_where_clocks_are_changed)
{
    CLEANUP(time_zone_free) struct time_zone *z = zone("America/New_York");
    static const char *const rows[][3] = {
        { "0 9 * * *", "2026-03-07T14:00:00Z", "2026-03-08T13:00:00Z" },
        { "0 9 * * *", "2026-10-31T13:00:00Z", "2026-11-01T14:00:00Z" },
        { "30 2 * * *", "2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z" }, /* not on the 8th */
        { "30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z" }, /* twice */
        { "30 1 * * *", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z" },
        { "0 * * * *", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z" },
        { "0 0 1 * *", "2026-06-15T00:00:00Z", "2026-07-01T04:00:00Z" },
        { "0 23 31 12 *", "2026-06-15T00:00:00Z", "2027-01-01T04:00:00Z" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_next(rows[i][0], z, rows[i][1], rows[i][2]);
}

Test(cron_times, next_in_odd_zones)
{
    CLEANUP(time_zone_free) struct time_zone *kolkata = zone("Asia/Kolkata");
    CLEANUP(time_zone_free) struct time_zone *beirut = zone("Asia/Beirut");

    expect_next("0 * * * *", kolkata, "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z");
    expect_next("0 0 * * *", kolkata, "2026-01-01T00:00:00Z", "2026-01-01T18:30:00Z");
    /* A day that begins at one in the morning: midnight does not happen, the rest does. */
    expect_next("0 0 29 3 *", beirut, "2026-03-01T00:00:00Z", "2027-03-28T21:00:00Z");
    expect_next("0 1 29 3 *", beirut, "2026-03-01T00:00:00Z", "2026-03-28T22:00:00Z");
}

/* --- what is due --- */

Test(cron_times, due)
{
    static const struct {
        const char *what, *schedule, *created, *last, *now;
        int64_t deadline;
        const char *want; /* NULL: nothing is due */
        bool too_many;
        int64_t again_ms;
    } rows[] = {
        { "nothing yet", "0 * * * *", "2026-01-01T10:30:00Z", NULL, "2026-01-01T10:59:00Z", -1,
          NULL, false, 60100 },
        { "the first time", "0 * * * *", "2026-01-01T10:30:00Z", NULL, "2026-01-01T11:00:00Z", -1,
          "2026-01-01T11:00:00Z", false, 3600100 },
        { "late", "0 * * * *", "2026-01-01T10:30:00Z", "2026-01-01T11:00:00Z",
          "2026-01-01T12:10:00Z", -1, "2026-01-01T12:00:00Z", false, 3000100 },
        { "too late to begin with", "0 * * * *", "2026-01-01T10:30:00Z", NULL,
          "2026-01-01T11:10:00Z", 300, NULL, false, 3000100 },
        { "several were missed: the last", "0 * * * *", "2026-01-01T10:30:00Z", NULL,
          "2026-01-01T15:10:00Z", -1, "2026-01-01T15:00:00Z", false, 3000100 },
        { "very many were missed", "* * * * *", "2026-01-01T10:00:00Z", NULL,
          "2026-01-01T15:10:30Z", -1, "2026-01-01T15:10:00Z", true, 30100 },
        { "but few within the deadline", "* * * * *", "2026-01-01T10:00:00Z", NULL,
          "2026-01-01T15:10:30Z", 600, "2026-01-01T15:10:00Z", false, 30100 },
        { "uneven times", "30 6-16/4 * * 1-5", "2026-01-02T06:30:00Z", NULL, "2026-01-05T08:00:00Z",
          -1, "2026-01-05T06:30:00Z", false, 9000100 },
        { "from when it was made", "@every 5m", "2026-01-01T10:00:07Z", NULL,
          "2026-01-01T10:16:00Z", -1, "2026-01-01T10:15:07Z", false, 247100 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cron_schedule s = parse(rows[i].schedule);
        struct cron_due d = { .schedule = &s,
                              .created_s = at(rows[i].created),
                              .last_s = rows[i].last ? at(rows[i].last) : 0,
                              .deadline_s = rows[i].deadline,
                              .now_ms = at(rows[i].now) * 1000 };
        int64_t got = 0;
        bool too_many;
        struct err err;

        cr_assert_eq(cron_due_time(&d, &got, &too_many, &err), 0, "%s", rows[i].what);
        cr_expect_eq(got, rows[i].want ? at(rows[i].want) : CRON_NEVER, "%s: %lld", rows[i].what,
                     (long long)got);
        cr_expect_eq(too_many, rows[i].too_many, "%s", rows[i].what);
        cr_expect_eq(cron_due_after_ms(&d), rows[i].again_ms, "%s: again after %lld", rows[i].what,
                     (long long)cron_due_after_ms(&d));
    }
}

Test(cron_times, a_day_that_never_comes)
{
    struct cron_schedule s = parse("59 23 31 2 *");
    struct cron_due d = { .schedule = &s,
                          .created_s = at("2026-01-01T00:00:00Z"),
                          .deadline_s = -1,
                          .now_ms = at("2026-06-01T00:00:00Z") * 1000 };
    bool too_many;
    int64_t got;
    struct err err;

    cr_assert_lt(cron_due_time(&d, &got, &too_many, &err), 0);
    cr_expect_str_eq(err.text, "time difference between two schedules is less than 1 second");
    cr_expect_eq(cron_due_after_ms(&d), 0);
}

Test(cron_times, late)
{
    struct cron_due d = { .deadline_s = 10, .now_ms = 20000 };

    cr_expect_not(cron_is_late(&d, 10));
    cr_expect(cron_is_late(&d, 9));
    d.now_ms++;
    cr_expect(cron_is_late(&d, 10));
    d.deadline_s = -1;
    cr_expect_not(cron_is_late(&d, 1));
}
