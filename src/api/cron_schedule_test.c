#include "api/cron_schedule.h"

#include <criterion/criterion.h>

#include "base/err.h"
#include "base/macros.h"

static const struct {
    const char *text;
    const char *want; /* the refusal; NULL: taken */
} cases[] = {
    { "* * * * *", NULL },
    { "*/5 0-12/3 1,15 jan-MAR mon", NULL },
    { "  0  0 1 1 ? ", NULL },
    { "@hourly", NULL },
    { "@every 1h30m", NULL },
    { "TZ=UTC 0 * * * *", NULL },
    { "", "empty spec string" },
    { "error", "expected exactly 5 fields, found 1: [error]" },
    { "* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]" },
    { "60 * * * *", "end of range (60) above maximum (59): 60" },
    { "* * 0 * *", "beginning of range (0) below minimum (1): 0" },
    { "5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3" },
    { "*/0 * * * *", "step of range should be a positive number: */0" },
    { "1-2-3 * * * *", "too many hyphens: 1-2-3" },
    { "1/2/3 * * * *", "too many slashes: 1/2/3" },
    { "x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax" },
    { "@sometimes", "unrecognized descriptor: @sometimes" },
    { "@every x", "failed to parse duration @every x" },
};

Test(cron_schedule, what_is_taken_and_what_is_not)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cron_schedule s;
        struct err err = { 0 };
        int r = cron_schedule_parse(str_from_cstr(cases[i].text), &s, &err);

        if (!cases[i].want)
            cr_expect_eq(r, 0, "'%s': %s", cases[i].text, err.text);
        else
            cr_expect(r < 0 && strcmp(err.text, cases[i].want) == 0, "'%s': %s", cases[i].text,
                      err.text);
    }
}

Test(cron_schedule, fields)
{
    struct cron_schedule s;
    struct err err = { 0 };

    cr_assert_eq(cron_schedule_parse(STR("5/20 */12 * feb 1-5"), &s, &err), 0, "%s", err.text);
    cr_expect_eq(s.bits[CRON_MINUTE], 1ULL << 5 | 1ULL << 25 | 1ULL << 45);
    cr_expect_eq(s.bits[CRON_HOUR], 1ULL | 1ULL << 12);
    cr_expect_eq(s.bits[CRON_MONTH], 1ULL << 2);
    cr_expect_eq(s.bits[CRON_WEEKDAY], 0x3eULL);
    cr_expect(s.any_day && !s.any_weekday);
    cr_assert_eq(cron_schedule_parse(STR("@every 90m"), &s, &err), 0);
    cr_expect_eq(s.every_s, 5400);
}
