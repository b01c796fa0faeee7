#include "io/mailbox.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/thread.h"

enum { N_THREADS = 4, N_MESSAGES = 2000 };

struct counted {
    struct mailbox_message msg;
    int thread, number;
};

static struct loop *loop;
static int last[N_THREADS];
static int total;

static void receive(struct mailbox_message *m)
{
    struct counted *c = CONTAINER_OF(m, struct counted, msg);

    cr_assert_eq(c->number, last[c->thread] + 1); /* in the order of posting */
    last[c->thread] = c->number;
    mem_free(c);
    if (++total == N_THREADS * N_MESSAGES)
        loop_stop(loop);
}

static void post_many(void *arg)
{
    struct list together;

    list_init(&together);
    for (int i = 1; i <= N_MESSAGES; i++) {
        struct counted *c = NEW(struct counted);

        c->msg.fn = receive;
        c->thread = *(int *)arg;
        c->number = i;
        if (i % 7 < 4) {
            mailbox_post_all(loop_mailbox(loop), &together); /* often none */
            mailbox_post(loop_mailbox(loop), &c->msg);
        } else {
            list_append(&together, &c->msg.link);
        }
    }
    mailbox_post_all(loop_mailbox(loop), &together);
}

Test(mailbox, keeps_each_threads_order)
{
    struct thread *threads[N_THREADS];
    int numbers[N_THREADS];

    loop = loop_new(&clock_system);
    for (int i = 0; i < N_THREADS; i++) {
        numbers[i] = i;
        threads[i] = thread_start("poster", post_many, &numbers[i]);
    }
    loop_run(loop);
    for (int i = 0; i < N_THREADS; i++)
        thread_join(threads[i]);
    cr_assert_eq(total, N_THREADS * N_MESSAGES);
    loop_free(loop);
}

static int runs;

static void run_twice(struct mailbox_message *m)
{
    if (++runs == 1)
        mailbox_post(loop_mailbox(loop), m);
}

Test(mailbox, runs_what_is_queued_before_it_ends)
{
    struct mailbox_message m = { .fn = run_twice };
    struct mailbox *own;

    loop = loop_new(&clock_system);
    own = mailbox_new(loop);
    mailbox_post(own, &m);
    mailbox_free(own);
    cr_assert_eq(runs, 1);
    loop_turn(loop);
    cr_assert_eq(runs, 2);
    loop_free(loop);
}
