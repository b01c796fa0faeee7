/* An event loop on one thread: timers, file descriptors, work posted to the end of the turn. libuv
 * inside, seen only by io/. Everything belongs to the loop's thread unless it says otherwise. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "io/thread.h"

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
int64_t loop_now_ms(struct loop *l);        /* monotonic, as of the turn's start */
bool loop_is_current(const struct loop *l); /* is this its thread (or does it not run yet) */
/* One turn without waiting: due timers, tasks, ready descriptors, messages. For tests, with a fake
 * clock if they like. */
void loop_turn(struct loop *l);

/* --- a timer, embedded in its owner --- */
struct loop_timer;
typedef void loop_timer_fn(struct loop_timer *t);
struct loop_timer {
    struct loop *loop;
    loop_timer_fn *fn;
    int64_t due_ms;
    struct heap_node node; /* the loop's */
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

/* SIGTERM/SIGINT -> fn on the loop's thread. */
typedef void loop_signal_fn(int signum, void *arg);
int loop_on_signal(struct loop *l, int signum, loop_signal_fn *fn, void *arg, struct err *err);

/* --- a file descriptor, watched; embedded in its owner. The descriptor stays the owner's --- */
enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };
struct loop_watch;
/* events: those of the wanted ones that hold; an error or hang-up shows as all of them. */
typedef void loop_watch_fn(struct loop_watch *w, int events);
struct loop_watch {
    struct loop_watch_handle *handle; /* NULL: not open */
    loop_watch_fn *fn;
    int events; /* wanted now */
};
/* Makes fd non-blocking. Watches nothing until loop_watch_want(). 0 or -errno. */
int loop_watch_open(struct loop_watch *w, struct loop *l, int fd, loop_watch_fn *fn);
void loop_watch_want(struct loop_watch *w, int events); /* 0: none */
/* No call of fn afterwards; the descriptor may be closed at once. Also when it is not open. */
void loop_watch_close(struct loop_watch *w);

/* The loop's scratch memory: LOOP_SCRATCH_BYTES for reading into and out again within one callback,
 * so that idle connections hold no buffers. */
enum { LOOP_SCRATCH_BYTES = 64 * 1024 };
char *loop_scratch(struct loop *l);
