#include "client/workqueue.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "io/loop.h"

struct fixture {
    struct clock_fake clock;
    struct loop *loop;
    struct workqueue *q;
    int announced;
};

static void on_ready(void *arg)
{
    ((struct fixture *)arg)->announced++;
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){ .announced = 0 };
    clock_fake_init(&f->clock, 0);
    f->loop = loop_new(&f->clock.clock);
    f->q = workqueue_new(f->loop, on_ready, f);
}

static void end(struct fixture *f)
{
    workqueue_free(f->q);
    loop_free(f->loop);
}

static void pass(struct fixture *f, int64_t ms)
{
    clock_fake_advance(&f->clock, ms * 1000000);
    loop_turn(f->loop);
}

static bool takes(struct fixture *f, struct str want)
{
    struct str key;

    return workqueue_get(f->q, &key) && str_eq(key, want);
}

Test(workqueue, hands_out_in_order_and_once)
{
    struct fixture f;
    struct str key;

    begin(&f);
    workqueue_add(f.q, STR("a/x"));
    workqueue_add(f.q, STR("a/y"));
    workqueue_add(f.q, STR("a/x"));
    cr_assert_eq(workqueue_len(f.q), 2);
    cr_assert(takes(&f, STR("a/x")));
    cr_assert(takes(&f, STR("a/y")));
    cr_assert_not(workqueue_get(f.q, &key));
    end(&f);
}

Test(workqueue, runs_again_when_added_during_work)
{
    struct fixture f;
    struct str key;

    begin(&f);
    workqueue_add(f.q, STR("default/web"));
    cr_assert(takes(&f, STR("default/web")));
    workqueue_add(f.q, STR("default/web"));
    cr_assert_not(workqueue_get(f.q, &key));
    workqueue_done(f.q, STR("default/web"));
    cr_assert(takes(&f, STR("default/web")));
    workqueue_done(f.q, STR("default/web"));
    cr_assert_not(workqueue_get(f.q, &key));
    end(&f);
}

Test(workqueue, announces_once_a_turn)
{
    struct fixture f;

    begin(&f);
    workqueue_add(f.q, STR("a"));
    workqueue_add(f.q, STR("b"));
    cr_assert_eq(f.announced, 0);
    pass(&f, 0);
    cr_assert_eq(f.announced, 1);
    pass(&f, 0);
    cr_assert_eq(f.announced, 1);
    end(&f);
}

Test(workqueue, announces_what_was_left_when_work_is_done)
{
    struct fixture f;

    begin(&f);
    workqueue_add(f.q, STR("a"));
    workqueue_add(f.q, STR("b"));
    loop_turn(f.loop);
    cr_assert_eq(f.announced, 1);
    cr_assert(takes(&f, STR("a"))); /* there are hands for one alone */
    workqueue_done(f.q, STR("a"));
    loop_turn(f.loop);
    cr_assert_eq(f.announced, 2);
    cr_assert(takes(&f, STR("b")));
    workqueue_done(f.q, STR("b"));
    loop_turn(f.loop);
    cr_assert_eq(f.announced, 2);
    end(&f);
}

Test(workqueue, waits_for_the_earliest_delay)
{
    struct fixture f;
    struct str key;

    begin(&f);
    workqueue_add_after(f.q, STR("a"), 500);
    workqueue_add_after(f.q, STR("a"), 100);
    workqueue_add_after(f.q, STR("a"), 900);
    pass(&f, 99);
    cr_assert_not(workqueue_get(f.q, &key));
    pass(&f, 1);
    cr_assert(takes(&f, STR("a")));
    workqueue_done(f.q, STR("a"));
    pass(&f, 1000);
    cr_assert_not(workqueue_get(f.q, &key), "one key, one delay");
    end(&f);
}

Test(workqueue, an_add_now_beats_a_delay)
{
    struct fixture f;
    struct str key;

    begin(&f);
    workqueue_add_after(f.q, STR("a"), 500);
    workqueue_add(f.q, STR("a"));
    cr_assert(takes(&f, STR("a")));
    workqueue_done(f.q, STR("a"));
    pass(&f, 600);
    cr_assert_not(workqueue_get(f.q, &key));
    end(&f);
}

Test(workqueue, backs_off_by_doubling_until_forgotten)
{
    struct fixture f;
    struct str key;

    begin(&f);
    for (int64_t want = 5; want <= 40; want *= 2) {
        workqueue_add_rate_limited(f.q, STR("a"));
        pass(&f, want - 1);
        cr_assert_not(workqueue_get(f.q, &key), "%d ms is too early", (int)want - 1);
        pass(&f, 1);
        cr_assert(takes(&f, STR("a")));
        workqueue_done(f.q, STR("a"));
    }
    cr_assert_eq(workqueue_requeues(f.q, STR("a")), 4);
    workqueue_forget(f.q, STR("a"));
    cr_assert_eq(workqueue_requeues(f.q, STR("a")), 0);
    workqueue_add_rate_limited(f.q, STR("a"));
    pass(&f, 5);
    cr_assert(takes(&f, STR("a")));
    end(&f);
}

Test(workqueue, a_delay_that_passes_during_work_comes_after_it)
{
    struct fixture f;
    struct str key;

    begin(&f);
    workqueue_add(f.q, STR("a"));
    cr_assert(takes(&f, STR("a")));
    workqueue_add_after(f.q, STR("a"), 10);
    pass(&f, 20);
    cr_assert_not(workqueue_get(f.q, &key));
    workqueue_done(f.q, STR("a"));
    cr_assert(takes(&f, STR("a")));
    end(&f);
}
