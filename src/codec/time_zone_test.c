#include "codec/time_zone.h"

#include <criterion/criterion.h>

#include "base/err.h"
#include "codec/time_text.h"

static int64_t at(const char *text)
{
    int64_t s = 0;
    int32_t ns;

    cr_assert(time_text_parse(str_from_cstr(text), &s, &ns), "%s", text);
    return s;
}

/* A file without transitions: the rule alone. */
static struct time_zone *with_rule(const char *rule)
{
    char bytes[256] = "TZif2";
    struct time_zone *z;
    struct err err;
    size_t n = 44;

    for (int block = 0; block < 2; block++) {
        if (block) {
            memcpy(bytes + n, "TZif2", 5);
            n += 44;
        }
        bytes[n - 5] = 1; /* a type */
        bytes[n - 1] = 4; /* bytes of names */
        n += 6;
        memcpy(bytes + n, "XXX", 4);
        n += 4;
    }
    n += (size_t)snprintf(bytes + n, sizeof(bytes) - n, "\n%s\n", rule);
    return time_zone_parse(str_n(bytes, n), &z, &err) < 0 ? NULL : z;
}

Test(time_zone, rules)
{
    static const struct {
        const char *rule, *when;
        int32_t want;
    } rows[] = {
        { "UTC0", "2030-07-01T00:00:00Z", 0 },
        { "<+0530>-5:30", "2030-07-01T00:00:00Z", 19800 },
        { "EST5", "2030-07-01T00:00:00Z", -18000 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", 7200 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 3600 },
        { "EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z", -18000 },
        { "EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", -14400 },
        { "EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", -18000 },
        { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-15T00:00:00Z", 39600 },
        { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T16:00:00Z", 36000 },
        { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-10-03T16:00:00Z", 39600 },
        { "IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26T23:59:59Z", 7200 },
        { "IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00Z", 10800 },
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200 },
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600 },
        { "XXX0YYY,J60/0,J300/0", "2024-03-01T00:00:00Z", 3600 },
        { "XXX0YYY,J60/0,J300/0", "2024-02-29T23:59:59Z", 0 },
        { "XXX0YYY,59/0,300/0", "2024-02-29T00:00:00Z", 3600 },
        { "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-12-01T00:00:00Z", 0 }, /* summer in winter */
        { "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3600 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(time_zone_free) struct time_zone *z = with_rule(rows[i].rule);

        cr_assert_not_null(z, "%s", rows[i].rule);
        cr_expect_eq(time_zone_offset(z, at(rows[i].when)), rows[i].want, "%s at %s: %d",
                     rows[i].rule, rows[i].when, time_zone_offset(z, at(rows[i].when)));
    }
}

Test(time_zone, rules_that_are_none)
{
    static const char *const rules[] = { "X",
                                         "CET",
                                         "CET-",
                                         "CET-1CEST,M3.5.0",
                                         "CET-1CEST,M13.5.0,M10.5.0",
                                         "CET-1CEST,M3.6.0,M10.5.0",
                                         "CET-1CEST,J0,J5",
                                         "CET-1CEST,M3.5.0,M10.5.0/3x",
                                         "<+03-3",
                                         "CET-999" };

    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        cr_expect_null(with_rule(rules[i]), "%s", rules[i]);
}

Test(time_zone, local_times_that_come_twice_or_never)
{
    CLEANUP(time_zone_free) struct time_zone *z = with_rule("CET-1CEST,M3.5.0,M10.5.0/3");

    cr_expect_eq(time_zone_to_utc(z, at("2026-07-01T12:00:00Z")), at("2026-07-01T10:00:00Z"));
    cr_expect_eq(time_zone_to_utc(z, at("2026-10-25T02:30:00Z")), at("2026-10-25T00:30:00Z"));
    cr_expect_eq(time_zone_to_utc(z, at("2026-03-29T02:30:00Z")), at("2026-03-29T01:00:00Z"));
    cr_expect_eq(time_zone_to_utc(NULL, 12345), 12345);
}

Test(time_zone, calendar)
{
    int64_t year;
    int month, day, weekday;

    for (int64_t days = -800000; days < 800000; days += 13) {
        time_zone_date(days, &year, &month, &day, &weekday);
        cr_assert_eq(time_zone_days(year, month, day), days, "%lld", (long long)days);
    }
    time_zone_date(time_zone_days(2026, 11, 26), &year, &month, &day, &weekday);
    cr_expect_eq(weekday, 4);
    time_zone_date(-1, &year, &month, &day, &weekday);
    cr_expect(year == 1969 && month == 12 && day == 31 && weekday == 3);
}

Test(time_zone, the_machines_database)
{
    CLEANUP(time_zone_free) struct time_zone *berlin = NULL, *none = NULL;
    struct err err;

    cr_expect_eq(time_zone_load(STR("UTC"), &none, &err), 0);
    cr_expect_lt(time_zone_load(STR("Nowhere/Land"), &none, &err), 0);
    cr_expect_str_eq(err.text, "unknown time zone Nowhere/Land");
    cr_expect_lt(time_zone_load(STR("../../etc/passwd"), &none, &err), 0);
    if (time_zone_load(STR("Europe/Berlin"), &berlin, &err) < 0)
        return; /* it has none */
    cr_expect_eq(time_zone_offset(berlin, at("2026-01-01T00:00:00Z")), 3600);
    cr_expect_eq(time_zone_offset(berlin, at("2026-07-01T00:00:00Z")), 7200);
    cr_expect_eq(time_zone_offset(berlin, at("2090-07-01T00:00:00Z")), 7200);
    cr_expect_eq(time_zone_offset(berlin, at("1970-07-01T00:00:00Z")), 3600);
}
