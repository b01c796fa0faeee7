#include "api/cron_schedule.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/macros.h"

static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun",
                                      "jul", "aug", "sep", "oct", "nov", "dec" };
static const char *const weekdays[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

static const struct bounds {
    unsigned min, max;
    const char *const *names;
    unsigned n_names;
    unsigned first_name;
} bounds[CRON_FIELDS] = {
    [CRON_MINUTE] = { 0, 59, NULL, 0, 0 },     [CRON_HOUR] = { 0, 23, NULL, 0, 0 },
    [CRON_DAY] = { 1, 31, NULL, 0, 0 },        [CRON_MONTH] = { 1, 12, months, 12, 1 },
    [CRON_WEEKDAY] = { 0, 6, weekdays, 7, 0 },
};

static const struct {
    struct str name;
    const char *fields;
} descriptors[] = {
    { STR_INIT("@yearly"), "0 0 1 1 *" },  { STR_INIT("@annually"), "0 0 1 1 *" },
    { STR_INIT("@monthly"), "0 0 1 * *" }, { STR_INIT("@weekly"), "0 0 * * 0" },
    { STR_INIT("@daily"), "0 0 * * *" },   { STR_INIT("@midnight"), "0 0 * * *" },
    { STR_INIT("@hourly"), "0 * * * *" },
};

/* A number, or a name of the field. */
static int parse_value(struct str s, const struct bounds *b, unsigned *ret, struct err *err)
{
    uint64_t n;

    for (unsigned i = 0; i < b->n_names; i++)
        if (s.len == 3 && strncasecmp(s.p, b->names[i], 3) == 0) {
            *ret = i + b->first_name;
            return 0;
        }
    if (!str_to_u64(s, &n) || n > 1000000)
        return err_set(err, ERR_SYNTAX,
                       "failed to parse int from %.*s: strconv.Atoi: parsing \"%.*s\": invalid "
                       "syntax",
                       STR_ARG(s), STR_ARG(s));
    *ret = (unsigned)n;
    return 0;
}

struct range {
    unsigned from, to, step;
    bool is_star;
};

static bool is_star(struct str s)
{
    return str_eq(s, STR("*")) || str_eq(s, STR("?"));
}

static int parse_step(struct str expr, struct str step, struct range *r, struct err *err)
{
    static const struct bounds none = { 0, 0, NULL, 0, 0 };
    int e = parse_value(step, &none, &r->step, err);

    if (e < 0)
        return e;
    if (r->step == 0)
        return err_set(err, ERR_SYNTAX, "step of range should be a positive number: %.*s",
                       STR_ARG(expr));
    return 0;
}

static int check_range(struct str expr, const struct range *r, const struct bounds *b,
                       struct err *err)
{
    if (r->from < b->min)
        return err_set(err, ERR_SYNTAX, "beginning of range (%u) below minimum (%u): %.*s", r->from,
                       b->min, STR_ARG(expr));
    if (r->to > b->max)
        return err_set(err, ERR_SYNTAX, "end of range (%u) above maximum (%u): %.*s", r->to, b->max,
                       STR_ARG(expr));
    if (r->from > r->to)
        return err_set(err, ERR_SYNTAX, "beginning of range (%u) beyond end of range (%u): %.*s",
                       r->from, r->to, STR_ARG(expr));
    return 0;
}

/* number | number-number, or "*", with "/step" */
static int parse_range(struct str expr, const struct bounds *b, struct range *r, struct err *err)
{
    struct str span = expr, step = { 0 }, low, high;
    bool has_step = str_cut(expr, '/', &span, &step);
    bool single;
    int e;

    *r = (struct range){ .from = b->min, .to = b->max, .step = 1 };
    if (str_find(step, '/') >= 0)
        return err_set(err, ERR_SYNTAX, "too many slashes: %.*s", STR_ARG(expr));
    single = !str_cut(span, '-', &low, &high);
    if (single)
        low = span;
    if (is_star(low)) {
        r->is_star = true;
    } else {
        e = parse_value(low, b, &r->from, err);
        if (e < 0)
            return e;
        r->to = r->from;
        if (!single && str_find(high, '-') >= 0)
            return err_set(err, ERR_SYNTAX, "too many hyphens: %.*s", STR_ARG(expr));
        e = single ? 0 : parse_value(high, b, &r->to, err);
        if (e < 0)
            return e;
    }
    e = has_step ? parse_step(expr, step, r, err) : 0;
    if (e < 0)
        return e;
    r->is_star = r->is_star && r->step == 1;
    if (has_step && single && !is_star(low))
        r->to = b->max; /* "N/step": from N on */
    return check_range(expr, r, b, err);
}

static int parse_field(struct str text, const struct bounds *b, uint64_t *ret, bool *ret_star,
                       struct err *err)
{
    struct str part;

    *ret = 0;
    *ret_star = false;
    while (str_next(&text, ',', &part)) {
        struct range r;
        int e;

        if (part.len == 0)
            continue;
        e = parse_range(part, b, &r, err);
        if (e < 0)
            return e;
        *ret_star |= r.is_star;
        for (unsigned n = r.from; n <= r.to; n += r.step)
            *ret |= 1ULL << n;
    }
    return 0;
}

static int parse_fields(struct str text, struct cron_schedule *ret, struct err *err)
{
    struct str fields[CRON_FIELDS + 1] = { 0 }, rest = text;
    size_t n = 0, i = 0;
    bool star[CRON_FIELDS];

    while (i < rest.len) {
        size_t from;

        while (i < rest.len && isspace((unsigned char)rest.p[i]))
            i++;
        from = i;
        while (i < rest.len && !isspace((unsigned char)rest.p[i]))
            i++;
        if (i > from && n++ < CRON_FIELDS)
            fields[n - 1] = str_sub(rest, from, i);
    }
    if (n != CRON_FIELDS)
        return err_set(err, ERR_SYNTAX, "expected exactly 5 fields, found %zu: [%.*s]", n,
                       STR_ARG(text));
    for (size_t f = 0; f < CRON_FIELDS; f++) {
        int e = parse_field(fields[f], &bounds[f], &ret->bits[f], &star[f], err);

        if (e < 0)
            return e;
    }
    ret->any_day = star[CRON_DAY];
    ret->any_weekday = star[CRON_WEEKDAY];
    return 0;
}

/* Go's durations: "1h30m", whole and broken numbers of units. */
static bool parse_duration(struct str s, int64_t *ret_s)
{
    double total = 0;

    if (s.len == 0)
        return false;
    while (s.len) {
        double number = 0, scale = 1;
        size_t i = 0;
        bool after_dot = false;

        while (i < s.len && (isdigit((unsigned char)s.p[i]) || (s.p[i] == '.' && !after_dot))) {
            if (s.p[i] == '.')
                after_dot = true;
            else if (after_dot)
                number += (s.p[i] - '0') * (scale /= 10);
            else
                number = number * 10 + (s.p[i] - '0');
            i++;
        }
        s = str_tail(s, i);
        if (i == 0 || s.len == 0 || !strchr("hms", s.p[0]))
            return false;
        total += number * (s.p[0] == 'h' ? 3600 : s.p[0] == 'm' ? 60 : 1);
        s = str_tail(s, 1);
        if (total > 1e12)
            return false;
    }
    *ret_s = total < 1 ? 1 : (int64_t)total;
    return true;
}

static int parse_descriptor(struct str text, struct cron_schedule *ret, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(descriptors); i++)
        if (str_eq(text, descriptors[i].name))
            return parse_fields(str_from_cstr(descriptors[i].fields), ret, err);
    if (!str_has_prefix(text, STR("@every ")))
        return err_set(err, ERR_SYNTAX, "unrecognized descriptor: %.*s", STR_ARG(text));
    if (!parse_duration(str_tail(text, sizeof("@every ") - 1), &ret->every_s))
        return err_set(err, ERR_SYNTAX, "failed to parse duration %.*s", STR_ARG(text));
    return 0;
}

int cron_schedule_parse(struct str text, struct cron_schedule *ret, struct err *err)
{
    struct str zone, rest;

    *ret = (struct cron_schedule){ 0 };
    if (text.len == 0)
        return err_set(err, ERR_SYNTAX, "empty spec string");
    if ((str_has_prefix(text, STR("TZ=")) || str_has_prefix(text, STR("CRON_TZ="))) &&
        str_cut(text, ' ', &zone, &rest)) {
        text = str_trim(rest);
        (void)str_cut(zone, '=', &rest, &ret->zone);
    }
    if (text.len && text.p[0] == '@')
        return parse_descriptor(text, ret, err);
    return parse_fields(text, ret, err);
}
