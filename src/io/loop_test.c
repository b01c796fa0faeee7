#include "io/loop.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/mailbox.h"

static char order[16];
static size_t n_order;

struct named_timer {
    struct loop_timer t;
    char name;
};

static void note(struct loop_timer *t)
{
    order[n_order++] = CONTAINER_OF(t, struct named_timer, t)->name;
}

Test(loop, runs_timers_in_order_of_their_time)
{
    struct clock_fake clock;
    struct named_timer a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
    struct loop *l;

    clock_fake_init(&clock, 0);
    l = loop_new(&clock.clock);
    loop_timer_init(&a.t, l, note);
    loop_timer_init(&b.t, l, note);
    loop_timer_init(&c.t, l, note);
    loop_timer_start(&a.t, 30);
    loop_timer_start(&b.t, 10);
    loop_timer_start(&c.t, 20);
    loop_turn(l);
    cr_assert_eq(n_order, 0);
    clock_fake_advance(&clock, 10 * 1000000LL);
    loop_turn(l);
    cr_assert_eq(n_order, 1);
    loop_timer_stop(&c.t);
    loop_timer_stop(&c.t);
    clock_fake_advance(&clock, 100 * 1000000LL);
    loop_turn(l);
    cr_assert_str_eq(order, "ba");
    loop_free(l);
}

struct task_of_test {
    struct loop_task task;
    struct loop *l;
    int runs;
};

static void run_thrice(struct loop_task *t)
{
    struct task_of_test *x = CONTAINER_OF(t, struct task_of_test, task);

    if (++x->runs < 3)
        loop_task_post(x->l, t);
    else
        loop_stop(x->l);
}

Test(loop, does_not_sleep_while_tasks_wait)
{
    struct task_of_test x = { .l = loop_new(&clock_system) };

    loop_task_init(&x.task, run_thrice);
    loop_task_post(x.l, &x.task);
    loop_task_post(x.l, &x.task); /* once all the same */
    loop_run(x.l);
    cr_assert_eq(x.runs, 3);
    loop_free(x.l);
}

static void stop_loop(struct loop_timer *t)
{
    loop_stop(t->loop);
}

Test(loop, wakes_for_the_earliest_timer)
{
    struct loop *l = loop_new(&clock_system);
    struct loop_timer late, early;
    int64_t start = clock_mono_ms(&clock_system);

    loop_timer_init(&late, l, stop_loop);
    loop_timer_init(&early, l, stop_loop);
    loop_timer_start(&late, 60000);
    loop_timer_start(&early, 5);
    loop_run(l);
    cr_assert_geq(clock_mono_ms(&clock_system) - start, 5);
    cr_assert_lt(clock_mono_ms(&clock_system) - start, 30000);
    loop_free(l);
}

static void on_signal(int signum, void *arg)
{
    order[0] = (char)signum;
    loop_stop(arg);
}

Test(loop, catches_signals)
{
    struct loop *l = loop_new(&clock_system);
    struct err err;

    cr_assert_eq(loop_on_signal(l, SIGUSR1, on_signal, l, &err), 0);
    cr_assert_eq(kill(getpid(), SIGUSR1), 0);
    loop_run(l);
    cr_assert_eq(order[0], SIGUSR1);
    cr_assert_lt(loop_on_signal(l, 9999, on_signal, l, &err), 0);
    loop_free(l);
}

struct watch_of_test {
    struct loop_watch w;
    struct loop *l;
    int fd;
};

static void on_ready(struct loop_watch *w, int events)
{
    struct watch_of_test *x = CONTAINER_OF(w, struct watch_of_test, w);

    cr_assert_eq(events, LOOP_READABLE);
    cr_assert_eq(read(x->fd, order, 1), 1);
    loop_watch_close(w);
    loop_stop(x->l);
}

Test(loop, watches_descriptors)
{
    struct watch_of_test x = { .l = loop_new(&clock_system) };
    int p[2];

    cr_assert_eq(pipe(p), 0);
    x.fd = p[0];
    cr_assert_eq(loop_watch_open(&x.w, x.l, p[0], on_ready), 0);
    loop_watch_want(&x.w, LOOP_READABLE);
    cr_assert_eq(write(p[1], "x", 1), 1);
    loop_run(x.l);
    cr_assert_eq(order[0], 'x');
    loop_free(x.l);
}
