#include "codec/time_text.h"

#include "base/buf.h"
#include "base/macros.h"

/* --- calendar: days since 1970 in the proleptic Gregorian calendar --- */

static int64_t days_of(int64_t y, int m, int d)
{
    int64_t era, year_of_era, day_of_year;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    year_of_era = y - era * 400;
    day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_of(int64_t days, int64_t *y, int *m, int *d)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = yoe + era * 400 + (*m <= 2);
}

static int month_days(int64_t y, int m)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

    return m == 2 && leap ? 29 : days[m - 1];
}

/* n digits at *s, which is moved over them. */
static bool take_digits(struct str *s, size_t n, int *ret)
{
    int v = 0;

    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_tail(*s, n);
    *ret = v;
    return true;
}

static bool take_char(struct str *s, char c)
{
    if (!s->len || s->p[0] != c)
        return false;
    *s = str_tail(*s, 1);
    return true;
}

static bool take_fraction(struct str *s, int32_t *ret_nsec)
{
    int32_t scale = 100000000, v = 0;

    *ret_nsec = 0;
    if (!take_char(s, '.'))
        return true;
    if (!s->len || s->p[0] < '0' || s->p[0] > '9')
        return false;
    for (; s->len && s->p[0] >= '0' && s->p[0] <= '9'; *s = str_tail(*s, 1), scale /= 10)
        v += (s->p[0] - '0') * scale;
    *ret_nsec = v;
    return true;
}

static bool take_zone(struct str *s, int *ret_seconds)
{
    int sign = 1, h, m;

    *ret_seconds = 0;
    if (take_char(s, 'Z'))
        return true;
    if (take_char(s, '-'))
        sign = -1;
    else if (!take_char(s, '+'))
        return false;
    if (!take_digits(s, 2, &h) || !take_char(s, ':') || !take_digits(s, 2, &m) || h > 23 || m > 59)
        return false;
    *ret_seconds = sign * (h * 3600 + m * 60);
    return true;
}

bool time_text_parse(struct str s, int64_t *ret_sec, int32_t *ret_nsec)
{
    int y, mo, d, h, mi, sec, zone;
    int32_t nsec;

    if (!take_digits(&s, 4, &y) || !take_char(&s, '-') || !take_digits(&s, 2, &mo) ||
        !take_char(&s, '-') || !take_digits(&s, 2, &d) || !take_char(&s, 'T'))
        return false;
    if (!take_digits(&s, 2, &h) || !take_char(&s, ':') || !take_digits(&s, 2, &mi) ||
        !take_char(&s, ':') || !take_digits(&s, 2, &sec))
        return false;
    if (!take_fraction(&s, &nsec) || !take_zone(&s, &zone) || s.len)
        return false;
    if (mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo) || h > 23 || mi > 59 || sec > 59)
        return false;
    *ret_sec = days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - zone;
    *ret_nsec = nsec;
    return true;
}

static void put_digits(struct buf *b, int64_t v, int n)
{
    char text[20];

    for (int i = n; i-- > 0; v /= 10)
        text[i] = (char)('0' + v % 10);
    buf_append(b, text, (size_t)n);
}

static void print_to_seconds(struct buf *b, int64_t sec)
{
    int64_t days = sec / 86400, rest = sec % 86400, y;
    int m, d;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    date_of(days, &y, &m, &d);
    put_digits(b, MAX(y, 0), 4);
    buf_append_char(b, '-');
    put_digits(b, m, 2);
    buf_append_char(b, '-');
    put_digits(b, d, 2);
    buf_append_char(b, 'T');
    put_digits(b, rest / 3600, 2);
    buf_append_char(b, ':');
    put_digits(b, rest / 60 % 60, 2);
    buf_append_char(b, ':');
    put_digits(b, rest % 60, 2);
}

void time_text_print(struct buf *b, int64_t sec)
{
    print_to_seconds(b, sec);
    buf_append_char(b, 'Z');
}

void time_text_print_micro(struct buf *b, int64_t sec, int32_t nsec)
{
    print_to_seconds(b, sec);
    buf_append_char(b, '.');
    put_digits(b, nsec / 1000, 6);
    buf_append_char(b, 'Z');
}

/* --- durations --- */

static const struct {
    struct str name;
    int64_t ns;
} units[] = {
    { STR_INIT("ns"), 1 },           { STR_INIT("us"), 1000 },
    { STR_INIT("\xc2\xb5s"), 1000 }, { STR_INIT("\xce\xbcs"), 1000 },
    { STR_INIT("ms"), 1000000 },     { STR_INIT("s"), 1000000000 },
    { STR_INIT("m"), 60000000000 },  { STR_INIT("h"), 3600000000000 },
};

/* Letters up to the next digit or '.'. */
static bool take_unit(struct str *s, int64_t *ret_ns)
{
    size_t n = 0;

    while (n < s->len && s->p[n] != '.' && (s->p[n] < '0' || s->p[n] > '9'))
        n++;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (str_eq(units[i].name, str_sub(*s, 0, n))) {
            *ret_ns = units[i].ns;
            *s = str_tail(*s, n);
            return true;
        }
    }
    return false;
}

static bool take_term(struct str *s, __int128 *sum)
{
    __int128 whole = 0, fraction = 0, scale = 1;
    bool digits = false;
    int64_t unit;

    for (; s->len && s->p[0] >= '0' && s->p[0] <= '9'; *s = str_tail(*s, 1), digits = true) {
        whole = whole * 10 + (s->p[0] - '0');
        if (whole > (__int128)INT64_MAX + 1)
            return false;
    }
    if (take_char(s, '.')) {
        for (; s->len && s->p[0] >= '0' && s->p[0] <= '9'; *s = str_tail(*s, 1), digits = true) {
            if (scale < 1000000000000000) {
                fraction = fraction * 10 + (s->p[0] - '0');
                scale *= 10;
            }
        }
    }
    if (!digits || !take_unit(s, &unit))
        return false;
    *sum += whole * unit + fraction * unit / scale;
    return *sum <= (__int128)INT64_MAX + 1;
}

bool time_text_parse_duration(struct str s, int64_t *ret_ns)
{
    bool negative = false;
    __int128 sum = 0;

    if (s.len && (s.p[0] == '-' || s.p[0] == '+')) {
        negative = s.p[0] == '-';
        s = str_tail(s, 1);
    }
    if (str_eq(s, STR("0"))) {
        *ret_ns = 0;
        return true;
    }
    if (!s.len)
        return false;
    while (s.len) {
        if (!take_term(&s, &sum))
            return false;
    }
    if (!negative && sum > INT64_MAX)
        return false;
    *ret_ns = (int64_t)(negative ? -sum : sum);
    return true;
}

/* v / unit with its fraction, zeros at the end left out. */
static void print_fraction(struct buf *b, uint64_t v, uint64_t unit)
{
    uint64_t rest = v % unit;

    buf_append_u64(b, v / unit);
    if (!rest)
        return;
    buf_append_char(b, '.');
    while (rest) {
        rest *= 10; /* below 10^10: units are at most a second's nanoseconds */
        /* cppcheck-suppress zerodivcond ; unit is one of the callers' constants */
        buf_append_char(b, (char)('0' + rest / unit));
        rest %= unit;
    }
}

void time_text_print_duration(struct buf *b, int64_t ns)
{
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, second = 1000000000;

    if (!v) {
        buf_append_lit(b, "0s");
        return;
    }
    if (ns < 0)
        buf_append_char(b, '-');
    if (v < 1000) {
        buf_printf(b, "%lluns", (unsigned long long)v);
    } else if (v < 1000000) {
        print_fraction(b, v, 1000);
        buf_append_lit(b, "\xc2\xb5s");
    } else if (v < second) {
        print_fraction(b, v, 1000000);
        buf_append_lit(b, "ms");
    } else {
        if (v >= 3600 * second)
            buf_printf(b, "%lluh", (unsigned long long)(v / (3600 * second)));
        if (v >= 60 * second)
            buf_printf(b, "%llum", (unsigned long long)(v / (60 * second) % 60));
        print_fraction(b, v % (60 * second), second);
        buf_append_char(b, 's');
    }
}

static void print_two(struct buf *b, int64_t a, char unit_a, int64_t c, char unit_c)
{
    buf_append_i64(b, a);
    buf_append_char(b, unit_a);
    if (c) {
        buf_append_i64(b, c);
        buf_append_char(b, unit_c);
    }
}

void time_text_print_age(struct buf *b, int64_t s)
{
    int64_t minutes = s / 60, hours = s / 3600, days = hours / 24, years = days / 365;

    if (s < -1)
        buf_append_lit(b, "<invalid>");
    else if (s < 0)
        buf_append_lit(b, "0s");
    else if (s < 120)
        print_two(b, s, 's', 0, ' ');
    else if (minutes < 10)
        print_two(b, minutes, 'm', s % 60, 's');
    else if (minutes < 180)
        print_two(b, minutes, 'm', 0, ' ');
    else if (hours < 8)
        print_two(b, hours, 'h', minutes % 60, 'm');
    else if (hours < 48)
        print_two(b, hours, 'h', 0, ' ');
    else if (days < 8)
        print_two(b, days, 'd', hours % 24, 'h');
    else if (days < 365 * 2)
        print_two(b, days, 'd', 0, ' ');
    else if (years < 8)
        print_two(b, years, 'y', days % 365, 'd');
    else
        print_two(b, years, 'y', 0, ' ');
}
