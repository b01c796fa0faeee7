/* Time as something handed in, so that tests own it. Monotonic nanoseconds for deadlines, wall time
 * for what the API shows. */
#pragma once

#include <stdint.h>

struct clock {
    int64_t (*mono_ns)(const struct clock *c);
    int64_t (*wall_ns)(const struct clock *c); /* since 1970-01-01T00:00:00Z, no leap seconds */
};

extern const struct clock clock_system;

/* A clock that stands still until it is told: change the fields. */
struct clock_fake {
    struct clock clock;
    int64_t now_mono_ns;
    int64_t now_wall_ns;
};

void clock_fake_init(struct clock_fake *f, int64_t wall_ns);
void clock_fake_advance(struct clock_fake *f, int64_t ns);

static inline int64_t clock_mono_ms(const struct clock *c)
{
    return c->mono_ns(c) / 1000000;
}

static inline int64_t clock_wall_s(const struct clock *c)
{
    return c->wall_ns(c) / 1000000000;
}
