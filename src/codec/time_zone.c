#include "codec/time_zone.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"

enum { DAY_S = 86400, MAX_TRANSITIONS = 8192, HEADER_BYTES = 44 };

struct transition {
    int64_t at;     /* UTC */
    int32_t offset; /* from then on */
};

/* One of the two changes a year: "M3.5.0/2", "J60", "59". */
struct change {
    char kind; /* 'M', 'J', or 0: day of the year, counted from 0 with leap days */
    int month, week, weekday;
    int day;
    int32_t time_s; /* of local time, may be beyond the day */
};

struct rule {
    bool is_set, has_summer;
    int32_t offset, summer_offset;
    struct change begin, end; /* of summer time */
};

struct time_zone {
    struct transition *transitions;
    size_t n;
    int32_t first; /* before all of them */
    struct rule rule;
};

void time_zone_free(struct time_zone *z)
{
    if (!z)
        return;
    mem_free(z->transitions);
    mem_free(z);
}

/* --- the calendar --- */

/* Years begin in March here, so that the leap day comes last; 400 of them have 146,097 days. */
int64_t time_zone_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void time_zone_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day, int *ret_weekday)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

    *ret_day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *ret_month = (int)(m < 10 ? m + 3 : m - 9);
    *ret_year = y + era * 400 + (*ret_month <= 2);
    *ret_weekday = (int)(((days % 7) + 11) % 7); /* 1970 began on a Thursday */
}

/* --- rules --- */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Local seconds since 1970 of the change in that year. */
static int64_t change_in(const struct change *c, int64_t year)
{
    int64_t first, days;
    int y_month, y_day, weekday;
    int64_t y;

    if (c->kind == 'M') {
        first = time_zone_days(year, c->month, 1);
        time_zone_date(first, &y, &y_month, &y_day, &weekday);
        days = first + (c->weekday - weekday + 7) % 7 + (c->week - 1) * 7;
        if (days >= time_zone_days(c->month == 12 ? year + 1 : year, c->month % 12 + 1, 1))
            days -= 7; /* week 5 is the last one */
    } else {
        days = time_zone_days(year, 1, 1) + c->day;
        if (c->kind == 'J')
            days += (is_leap(year) && c->day >= 60) - 1; /* February 29 has no number */
    }
    return days * DAY_S + c->time_s;
}

static int32_t rule_offset(const struct rule *r, int64_t utc_s)
{
    int64_t year, begin, end, days = utc_s / DAY_S - (utc_s % DAY_S < 0);
    int month, day, weekday;

    if (!r->has_summer)
        return r->offset;
    time_zone_date(days, &year, &month, &day, &weekday);
    begin = change_in(&r->begin, year) - r->offset;
    end = change_in(&r->end, year) - r->summer_offset;
    if (begin <= end)
        return utc_s >= begin && utc_s < end ? r->summer_offset : r->offset;
    return utc_s >= end && utc_s < begin ? r->offset : r->summer_offset; /* in the south */
}

/* "CET", "<+03>" */
static bool skip_name(struct str *s)
{
    size_t i = 0;
    ptrdiff_t end;

    if (s->len && s->p[0] == '<') {
        end = str_find(*s, '>');
        if (end < 0)
            return false;
        *s = str_tail(*s, (size_t)end + 1);
        return true;
    }
    while (i < s->len && ((s->p[i] >= 'A' && s->p[i] <= 'Z') || (s->p[i] >= 'a' && s->p[i] <= 'z')))
        i++;
    *s = str_tail(*s, i);
    return i >= 3;
}

static bool take_number(struct str *s, int max, int *ret)
{
    size_t i = 0;
    int n = 0;

    while (i < s->len && s->p[i] >= '0' && s->p[i] <= '9' && i < 4)
        n = n * 10 + (s->p[i++] - '0');
    *s = str_tail(*s, i);
    *ret = n;
    return i > 0 && n <= max;
}

static bool take_char(struct str *s, char c)
{
    if (!s->len || s->p[0] != c)
        return false;
    *s = str_tail(*s, 1);
    return true;
}

/* "[+-]h[:m[:s]]" */
static bool take_time(struct str *s, int32_t *ret)
{
    bool is_negative = take_char(s, '-');
    int h, m = 0, sec = 0;

    if (!is_negative)
        (void)take_char(s, '+');
    if (!take_number(s, 167, &h) || (take_char(s, ':') && !take_number(s, 59, &m)) ||
        (take_char(s, ':') && !take_number(s, 59, &sec)))
        return false;
    *ret = (h * 3600 + m * 60 + sec) * (is_negative ? -1 : 1);
    return true;
}

static bool take_change(struct str *s, struct change *ret)
{
    bool good;

    *ret = (struct change){ .time_s = 7200 };
    if (!take_char(s, ','))
        return false;
    if (take_char(s, 'M')) {
        ret->kind = 'M';
        good = take_number(s, 12, &ret->month) && ret->month > 0 && take_char(s, '.') &&
               take_number(s, 5, &ret->week) && ret->week > 0 && take_char(s, '.') &&
               take_number(s, 6, &ret->weekday);
    } else {
        ret->kind = take_char(s, 'J') ? 'J' : 0;
        good = take_number(s, 365, &ret->day) && (ret->kind == 0 || ret->day > 0);
    }
    return good && (!take_char(s, '/') || take_time(s, &ret->time_s));
}

/* West is positive there. */
static bool parse_rule(struct str s, struct rule *ret)
{
    struct rule r = { .is_set = true };

    if (!skip_name(&s) || !take_time(&s, &r.offset))
        return false;
    r.offset = -r.offset;
    r.summer_offset = r.offset + 3600;
    r.has_summer = s.len > 0;
    if (r.has_summer) {
        if (!skip_name(&s))
            return false;
        if (s.len && s.p[0] != ',') {
            if (!take_time(&s, &r.summer_offset))
                return false;
            r.summer_offset = -r.summer_offset;
        }
        if (!take_change(&s, &r.begin) || !take_change(&s, &r.end))
            return false;
    }
    *ret = r;
    return s.len == 0;
}

/* --- TZif --- */

static int64_t big_endian(const char *p, size_t bytes)
{
    uint64_t v = (unsigned char)p[0] & 0x80 ? ~0ULL : 0;

    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | (unsigned char)p[i];
    return (int64_t)v;
}

struct block {
    size_t isut, isstd, leap, time, type, chars;
};

static bool read_header(struct str data, char *ret_version, struct block *ret)
{
    size_t *counts[] = { &ret->isut, &ret->isstd, &ret->leap, &ret->time, &ret->type, &ret->chars };

    if (data.len < HEADER_BYTES || memcmp(data.p, "TZif", 4) != 0)
        return false;
    *ret_version = data.p[4];
    for (size_t i = 0; i < 6; i++) {
        int64_t n = big_endian(data.p + 20 + i * 4, 4);

        if (n < 0 || n > MAX_TRANSITIONS)
            return false;
        *counts[i] = (size_t)n;
    }
    return ret->type > 0;
}

static size_t block_bytes(const struct block *b, size_t time_bytes)
{
    return b->time * (time_bytes + 1) + b->type * 6 + b->chars + b->leap * (time_bytes + 4) +
           b->isstd + b->isut;
}

static bool read_block(struct time_zone *z, const char *p, const struct block *b, size_t time_bytes)
{
    const char *types = p + b->time * time_bytes, *infos = types + b->time;

    z->transitions = mem_zalloc((b->time + 1) * sizeof(*z->transitions));
    z->n = b->time;
    z->first = (int32_t)big_endian(infos, 4);
    for (size_t i = 0; i < b->time; i++) {
        size_t type = (unsigned char)types[i];

        if (type >= b->type)
            return false;
        z->transitions[i] = (struct transition){ big_endian(p + i * time_bytes, time_bytes),
                                                 (int32_t)big_endian(infos + type * 6, 4) };
        if (abs(z->transitions[i].offset) > 7 * DAY_S ||
            (i && z->transitions[i].at <= z->transitions[i - 1].at))
            return false;
    }
    return abs(z->first) <= 7 * DAY_S;
}

/* The second block, of 64-bit times, when there is one, and the rule behind it. */
static bool parse(struct str data, struct time_zone *z)
{
    struct block b;
    char version;
    size_t bytes;

    if (!read_header(data, &version, &b))
        return false;
    data = str_tail(data, HEADER_BYTES);
    bytes = block_bytes(&b, 4);
    if (data.len < bytes)
        return false;
    if (version < '2')
        return read_block(z, data.p, &b, 4);
    data = str_tail(data, bytes);
    if (!read_header(data, &version, &b))
        return false;
    data = str_tail(data, HEADER_BYTES);
    bytes = block_bytes(&b, 8);
    if (data.len < bytes || !read_block(z, data.p, &b, 8))
        return false;
    data = str_trim(str_tail(data, bytes));
    return data.len == 0 || parse_rule(data, &z->rule);
}

int time_zone_parse(struct str data, struct time_zone **ret, struct err *err)
{
    CLEANUP(time_zone_free) struct time_zone *z = NEW(struct time_zone);

    if (!parse(data, z))
        return err_set(err, ERR_INVALID, "malformed time zone information");
    *ret = TAKE(z);
    return 0;
}

static int load_file(const char *path, struct time_zone **ret, struct err *err)
{
    CLEANUP(mem_free) void *bytes = mem_alloc(TIME_ZONE_MAX_BYTES);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return err_set(err, ERR_NOT_FOUND, "cannot open '%s'", path);
    n = read(fd, bytes, TIME_ZONE_MAX_BYTES);
    (void)close(fd);
    return time_zone_parse(str_n(bytes, n > 0 ? (size_t)n : 0), ret, err);
}

static bool is_name(struct str name)
{
    return !str_has_prefix(name, STR("/")) && !str_contains(name, STR("..")) && name.len < 200;
}

int time_zone_load(struct str name, struct time_zone **ret, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *path = "/etc/localtime";
    int r;

    if (!name.len)
        name = str_from_cstr(getenv("TZ"));
    if (str_eq(name, STR("UTC")) || (name.p && !name.len)) {
        *ret = NULL;
        return 0;
    }
    if (name.len && !is_name(name))
        return err_set(err, ERR_INVALID, "time: invalid location name");
    if (name.len)
        path = str_cstr(&a, arena_printf(&a, "/usr/share/zoneinfo/%.*s", STR_ARG(name)));
    r = load_file(path, ret, err);
    if (r >= 0)
        return 0;
    if (name.len)
        return err_set(err, r, "unknown time zone %.*s", STR_ARG(name));
    *ret = NULL; /* a machine that says nothing has UTC */
    return 0;
}

/* --- what it is for --- */

int32_t time_zone_offset(const struct time_zone *z, int64_t utc_s)
{
    size_t low = 0, high;

    if (!z)
        return 0;
    if (z->rule.is_set && (z->n == 0 || utc_s >= z->transitions[z->n - 1].at))
        return rule_offset(&z->rule, utc_s);
    high = z->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (z->transitions[middle].at <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? z->transitions[low - 1].offset : z->first;
}

/* The jump lies between two moments with different offsets. */
static int64_t find_jump(const struct time_zone *z, int64_t before, int64_t after)
{
    int32_t offset = time_zone_offset(z, before);

    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;

        if (time_zone_offset(z, middle) == offset)
            before = middle;
        else
            after = middle;
    }
    return after;
}

int64_t time_zone_to_utc(const struct time_zone *z, int64_t local_s)
{
    int64_t day_before = local_s - DAY_S - time_zone_offset(z, local_s - DAY_S);
    int64_t day_after = local_s + DAY_S - time_zone_offset(z, local_s + DAY_S);
    int64_t first = local_s - time_zone_offset(z, day_before);
    int64_t second = local_s - time_zone_offset(z, day_after);

    if (time_zone_offset(z, first) == time_zone_offset(z, day_before))
        return first;
    if (time_zone_offset(z, second) == time_zone_offset(z, day_after))
        return second;
    return find_jump(z, day_before, day_after);
}
