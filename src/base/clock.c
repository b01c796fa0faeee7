#include "base/clock.h"

#include <time.h>

#include "base/macros.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts); /* cannot fail for these ids */
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t system_mono(const struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall(const struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_REALTIME);
}

const struct clock clock_system = { .mono_ns = system_mono, .wall_ns = system_wall };

static int64_t fake_mono(const struct clock *c)
{
    return ((const struct clock_fake *)c)->now_mono_ns;
}

static int64_t fake_wall(const struct clock *c)
{
    return ((const struct clock_fake *)c)->now_wall_ns;
}

void clock_fake_init(struct clock_fake *f, int64_t wall_ns)
{
    *f = (struct clock_fake){
        .clock = { .mono_ns = fake_mono, .wall_ns = fake_wall },
        .now_mono_ns = 1000000000,
        .now_wall_ns = wall_ns,
    };
}

void clock_fake_advance(struct clock_fake *f, int64_t ns)
{
    f->now_mono_ns += ns;
    f->now_wall_ns += ns;
}
