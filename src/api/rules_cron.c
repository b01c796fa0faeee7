/* Rules of batch/v1 CronJob; its template's are those of Job. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "api/batch_v1.h"
#include "api/cron_schedule.h"
#include "api/field_error.h"
#include "api/rules_internal.h"
#include "base/arena.h"
#include "base/err.h"
#include "codec/time_zone.h"

enum { NAME_MAX_BYTES = 52 }; /* the Jobs' names end with eleven more */

void rule_cron_job(const struct rule_context *c)
{
    const struct batch_v1_cron_job *j = c->data;
    struct field_path meta = field_path_member(c->path, STR("metadata"));
    struct rule_context at = *c;

    at.path = &meta;
    if (!c->old && j->metadata.name.len > NAME_MAX_BYTES)
        rule_invalid(&at, "name", j->metadata.name, "must be no more than 52 characters");
}

static bool is_zone_part(struct str s)
{
    if (s.len == 0 || s.len > 14 || s.p[0] == '-' || str_eq(s, STR(".")) || str_eq(s, STR("..")))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.p[i]) && !strchr(".-_+", s.p[i]))
            return false;
    return true;
}

/* The machine's own list of zones; where it has none every name goes. */
static bool is_zone(struct str zone)
{
    CLEANUP(time_zone_free) struct time_zone *z = NULL;
    struct err err = { 0 };

    return access("/usr/share/zoneinfo", F_OK) != 0 || time_zone_load(zone, &z, &err) == 0;
}

static void check_zone(const struct rule_context *c, struct str zone)
{
    struct str rest = zone, part;
    bool good = true;

    if (zone.len == 0) {
        rule_invalid(c, "timeZone", zone, "timeZone must be nil or non-empty string");
        return;
    }
    while (str_next(&rest, '/', &part))
        good &= is_zone_part(part);
    if (str_eq_nocase(zone, STR("Local")))
        rule_invalid(c, "timeZone", zone,
                     "timeZone must be an explicit time zone as defined in "
                     "https://www.iana.org/time-zones");
    else if (!good || !is_zone(zone))
        rule_invalid(
            c, "timeZone", zone,
            str_cstr(c->arena, arena_printf(c->arena, "unknown time zone %.*s", STR_ARG(zone))));
}

void rule_cron_job_spec(const struct rule_context *c)
{
    const struct batch_v1_cron_job_spec *s = c->data, *old = c->old;
    bool has_zone = str_contains(s->schedule, STR("TZ"));
    bool may_zone = old && str_contains(old->schedule, STR("TZ"));
    struct cron_schedule parsed;
    struct err err = { 0 };

    if (s->schedule.len && cron_schedule_parse(s->schedule, &parsed, &err) < 0)
        rule_invalid(c, "schedule", s->schedule, err.text);
    if (has_zone && !may_zone)
        rule_invalid(c, "schedule", s->schedule,
                     "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    else if (has_zone && s->time_zone.p)
        rule_invalid(c, "schedule", s->schedule,
                     "cannot use both timeZone field and TZ or CRON_TZ in schedule");
}

void rule_cron_zone(const struct rule_context *c)
{
    const struct batch_v1_cron_job_spec *s = c->data, *old = c->old;

    if (s->time_zone.p && (!old || !str_eq(old->time_zone, s->time_zone)))
        check_zone(c, s->time_zone);
}

/* Its Jobs are new ones: the template may become any other. */
void rule_cron_template(const struct rule_context *c)
{
    struct rule_context plain = *c;

    plain.old = NULL;
    rule_below(&plain, "jobTemplate");
}
