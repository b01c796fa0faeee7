/* An event loop on one thread: timers, file descriptors, work posted to the end of the turn. libuv
 * inside, seen only by io/. Everything belongs to the loop's thread unless it says otherwise. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct clock;
struct err;
struct loop;
struct mailbox;

struct loop *loop_new(const struct clock *clock);
void loop_free(struct loop *l);               /* closes what is left; accepts NULL */
void loop_run(struct loop *l);                /* until loop_stop() */
void loop_stop(struct loop *l);               /* from its thread */
struct mailbox *loop_mailbox(struct loop *l); /* the loop's own inbox; any thread may post */
const struct clock *loop_clock(struct loop *l);
int64_t loop_now_ms(struct loop *l); /* monotonic, as of the turn's start */

/* --- a timer, embedded in its owner --- */
struct loop_timer;
typedef void loop_timer_fn(struct loop_timer *t);
struct loop_timer {
    struct loop *loop;
    loop_timer_fn *fn;
    int64_t due_ms;
    struct {
        unsigned long place;
    } node; /* heap place, the loop's */
};
void loop_timer_init(struct loop_timer *t, struct loop *l, loop_timer_fn *fn);
void loop_timer_start(struct loop_timer *t, int64_t delay_ms); /* (re)arms, fires once */
void loop_timer_stop(struct loop_timer *t);                    /* also when it is not armed */

/* --- work for the end of this turn, posted at most once --- */
struct loop_task;
typedef void loop_task_fn(struct loop_task *t);
struct loop_task {
    struct list link; /* list_init() before first use, or loop_task_init() */
    loop_task_fn *fn;
};
void loop_task_init(struct loop_task *t, loop_task_fn *fn);
void loop_task_post(struct loop *l, struct loop_task *t); /* idempotent until it has run */
void loop_task_cancel(struct loop_task *t);

/* --- threads --- */
/* Runs fn(arg) on a new thread with signals blocked. */
struct thread;
struct thread *thread_start(const char *name, void (*fn)(void *arg), void *arg);
void thread_join(struct thread *t); /* waits and frees; accepts NULL */

/* SIGTERM/SIGINT -> fn on the loop's thread. */
typedef void loop_signal_fn(int signum, void *arg);
int loop_on_signal(struct loop *l, int signum, loop_signal_fn *fn, void *arg, struct err *err);
