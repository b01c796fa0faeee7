/* One libuv loop. Each turn: due timers, tasks, (wait), descriptors and messages, tasks. Our timers
 * sit in a heap of their own, so that arming one costs no call into libuv and embeds in its owner;
 * one uv timer only wakes the loop for the earliest. */
#include "io/loop.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/io_internal.h"
#include "io/mailbox.h"

enum {
    LOOP_LONG_TURN_NS = 5 * 1000 * 1000, /* logged when longer */
};

struct loop {
    uv_loop_t uv;
    const struct clock *clock;
    struct mailbox *mailbox;
    int64_t now_ms;
    int64_t armed_ms; /* when the uv timer wakes us; 0: it does not */
    struct heap timers;
    struct list tasks;
    struct list signals; /* struct signal_watch */
    uv_timer_t wake;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t again; /* runs while tasks wait, so that the loop does not sleep */
    uint64_t turn_start_ns;
    uint64_t turn_idle_ns;
    pthread_t thread;
    atomic_bool is_running;
    bool is_stopping;
    bool is_watched; /* long turns are logged */
    char *scratch;
};

struct signal_watch {
    uv_signal_t uv;
    struct list link;
    loop_signal_fn *fn;
    void *arg;
};

struct loop_watch_handle {
    uv_poll_t uv;
    struct loop_watch *watch; /* NULL once closed */
};

uv_loop_t *loop_uv_(struct loop *l)
{
    return &l->uv;
}

static bool timer_less(const struct heap_node *a, const struct heap_node *b)
{
    const struct loop_timer *ta = CONTAINER_OF(a, const struct loop_timer, node);
    const struct loop_timer *tb = CONTAINER_OF(b, const struct loop_timer, node);

    return ta->due_ms < tb->due_ms;
}

static struct loop_timer *timer_first(struct loop *l)
{
    struct heap_node *n = heap_top(&l->timers);

    return n ? CONTAINER_OF(n, struct loop_timer, node) : NULL;
}

/* Timers armed for now while these run wait for the next turn: the time stands still, so a timer
 * that re-arms itself with 0 would never let go. */
static void run_timers(struct loop *l)
{
    struct loop_timer *t;
    size_t left = l->timers.nodes.len;

    l->now_ms = clock_mono_ms(l->clock);
    while (left-- && (t = timer_first(l)) && t->due_ms <= l->now_ms) {
        heap_remove(&l->timers, &t->node);
        t->fn(t);
    }
}

static void on_wake(uv_timer_t *wake)
{
    struct loop *l = wake->data;

    l->armed_ms = 0; /* run_timers() follows, in this turn's prepare step */
}

static void arm(struct loop *l)
{
    struct loop_timer *t = timer_first(l);

    if (!t || (l->armed_ms && l->armed_ms <= t->due_ms))
        return; /* a wake too early only looks and arms again */
    l->armed_ms = t->due_ms;
    uv_update_time(&l->uv);
    (void)uv_timer_start(&l->wake, on_wake,
                         t->due_ms > l->now_ms ? (uint64_t)(t->due_ms - l->now_ms) : 1, 0);
}

static void on_again(uv_idle_t *idle)
{
    (void)idle; /* being active is its work */
}

static void run_tasks(struct loop *l)
{
    struct list now;
    struct list *n;

    list_init(&now);
    list_splice(&now, &l->tasks);
    while ((n = list_first(&now))) {
        struct loop_task *t = CONTAINER_OF(n, struct loop_task, link);

        list_remove(n);
        t->fn(t);
    }
}

static void watch_turn(struct loop *l)
{
    uint64_t idle = uv_metrics_idle_time(&l->uv), now = uv_hrtime();
    uint64_t busy = now - l->turn_start_ns - (idle - l->turn_idle_ns);

    if (l->turn_start_ns && busy > LOOP_LONG_TURN_NS)
        LOG_DEBUG("long turn of an event loop", KV("microseconds", busy / 1000));
    l->turn_start_ns = now;
    l->turn_idle_ns = idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *l = prepare->data;

    run_timers(l);
    run_tasks(l);
    arm(l);
    if (!list_is_empty(&l->tasks))
        (void)uv_idle_start(&l->again, on_again);
    else
        (void)uv_idle_stop(&l->again);
    if (l->is_watched)
        watch_turn(l);
}

static void on_check(uv_check_t *check)
{
    struct loop *l = check->data;

    run_tasks(l);
}

static void must(int r)
{
    if (r < 0) {
        LOG_ERROR("cannot make an event loop", KV("error", uv_strerror(r)));
        abort();
    }
}

struct loop *loop_new(const struct clock *clock)
{
    struct loop *l = NEW(struct loop);

    l->clock = clock;
    l->now_ms = clock_mono_ms(clock);
    l->is_watched = log_is_on(LOG_LEVEL_DEBUG);
    heap_init(&l->timers, timer_less);
    list_init(&l->tasks);
    list_init(&l->signals);
    must(uv_loop_init(&l->uv));
    if (l->is_watched)
        must(uv_loop_configure(&l->uv, UV_METRICS_IDLE_TIME));
    must(uv_timer_init(&l->uv, &l->wake));
    must(uv_prepare_init(&l->uv, &l->prepare));
    must(uv_check_init(&l->uv, &l->check));
    must(uv_idle_init(&l->uv, &l->again));
    l->wake.data = l->prepare.data = l->check.data = l;
    must(uv_prepare_start(&l->prepare, on_prepare));
    must(uv_check_start(&l->check, on_check));
    l->mailbox = mailbox_new(l);
    return l;
}

static void close_handle(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (uv_is_closing(h))
        return;
    if (h->type == UV_PROCESS)
        child_close_(h);
    else
        uv_close(h, NULL);
}

static void on_signal_closed(uv_handle_t *h)
{
    mem_free(CONTAINER_OF((uv_signal_t *)(void *)h, struct signal_watch, uv));
}

void loop_free(struct loop *l)
{
    struct list *n;

    if (!l)
        return;
    mailbox_free(TAKE(l->mailbox));
    while ((n = list_first(&l->signals))) {
        struct signal_watch *s = CONTAINER_OF(n, struct signal_watch, link);

        list_remove(n);
        uv_close((uv_handle_t *)&s->uv, on_signal_closed);
    }
    uv_walk(&l->uv, close_handle, NULL);
    (void)uv_run(&l->uv, UV_RUN_DEFAULT); /* only closings are left, so it returns */
    (void)uv_loop_close(&l->uv);
    heap_done(&l->timers);
    mem_free(l->scratch);
    mem_free(l);
}

static void run(struct loop *l, uv_run_mode mode)
{
    l->thread = pthread_self();
    atomic_store_explicit(&l->is_running, true, memory_order_release);
    (void)uv_run(&l->uv, mode);
}

void loop_run(struct loop *l)
{
    while (!l->is_stopping)
        run(l, UV_RUN_DEFAULT);
    l->is_stopping = false;
    atomic_store_explicit(&l->is_running, false, memory_order_release);
}

void loop_turn(struct loop *l)
{
    run(l, UV_RUN_NOWAIT);
    atomic_store_explicit(&l->is_running, false, memory_order_release);
}

void loop_stop(struct loop *l)
{
    l->is_stopping = true;
    uv_stop(&l->uv);
}

bool loop_is_current(const struct loop *l)
{
    return !atomic_load_explicit(&l->is_running, memory_order_acquire) ||
           pthread_equal(l->thread, pthread_self());
}

struct mailbox *loop_mailbox(struct loop *l)
{
    return l->mailbox;
}

const struct clock *loop_clock(struct loop *l)
{
    return l->clock;
}

int64_t loop_now_ms(struct loop *l)
{
    return l->now_ms;
}

char *loop_scratch(struct loop *l)
{
    if (!l->scratch)
        l->scratch = mem_alloc(LOOP_SCRATCH_BYTES);
    return l->scratch;
}

/* --- timers --- */

void loop_timer_init(struct loop_timer *t, struct loop *l, loop_timer_fn *fn)
{
    *t = (struct loop_timer){ .loop = l, .fn = fn };
}

void loop_timer_start(struct loop_timer *t, int64_t delay_ms)
{
    int64_t now = clock_mono_ms(t->loop->clock);

    if (__builtin_add_overflow(now, delay_ms > 0 ? delay_ms : 0, &t->due_ms))
        t->due_ms = INT64_MAX;
    if (t->node.place)
        heap_update(&t->loop->timers, &t->node);
    else
        heap_push(&t->loop->timers, &t->node);
}

void loop_timer_stop(struct loop_timer *t)
{
    if (t->node.place)
        heap_remove(&t->loop->timers, &t->node);
}

/* --- tasks --- */

void loop_task_init(struct loop_task *t, loop_task_fn *fn)
{
    list_init(&t->link);
    t->fn = fn;
}

void loop_task_post(struct loop *l, struct loop_task *t)
{
    if (list_is_empty(&t->link))
        list_append(&l->tasks, &t->link);
}

void loop_task_cancel(struct loop_task *t)
{
    list_remove(&t->link);
}

/* --- signals --- */

static void on_signal(uv_signal_t *h, int signum)
{
    struct signal_watch *s = CONTAINER_OF(h, struct signal_watch, uv);

    s->fn(signum, s->arg);
}

int loop_on_signal(struct loop *l, int signum, loop_signal_fn *fn, void *arg, struct err *err)
{
    struct signal_watch *s = NEW(struct signal_watch);
    int r;

    s->fn = fn;
    s->arg = arg;
    must(uv_signal_init(&l->uv, &s->uv));
    list_init(&s->link);
    r = uv_signal_start(&s->uv, on_signal, signum);
    if (r < 0) {
        uv_close((uv_handle_t *)&s->uv, on_signal_closed);
        return err_errno(err, -r, "catch signal %d", signum);
    }
    list_append(&l->signals, &s->link);
    return 0;
}

/* --- descriptors --- */

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct loop_watch_handle *h = CONTAINER_OF(uv, struct loop_watch_handle, uv);
    struct loop_watch *w = h->watch;
    int got = 0;

    if (!w)
        return;
    if (status < 0)
        got = w->events; /* the owner's read or write gives the reason */
    if (events & (UV_READABLE | UV_DISCONNECT))
        got |= LOOP_READABLE;
    if (events & UV_WRITABLE)
        got |= LOOP_WRITABLE;
    got &= w->events;
    /* After an error libuv has stopped the watch; want() must start it anew. */
    if (status < 0)
        w->events = 0;
    if (got)
        w->fn(w, got);
}

static void on_poll_closed(uv_handle_t *h)
{
    mem_free(CONTAINER_OF((uv_poll_t *)(void *)h, struct loop_watch_handle, uv));
}

int loop_watch_open(struct loop_watch *w, struct loop *l, int fd, loop_watch_fn *fn)
{
    struct loop_watch_handle *h = NEW(struct loop_watch_handle);
    int r = uv_poll_init(&l->uv, &h->uv, fd);

    if (r < 0) {
        mem_free(h);
        return r;
    }
    h->watch = w;
    *w = (struct loop_watch){ .handle = h, .fn = fn };
    return 0;
}

void loop_watch_want(struct loop_watch *w, int events)
{
    int uv =
        (events & LOOP_READABLE ? UV_READABLE : 0) | (events & LOOP_WRITABLE ? UV_WRITABLE : 0);

    if (!w->handle || w->events == events)
        return;
    w->events = events;
    if (uv)
        (void)uv_poll_start(&w->handle->uv, uv, on_poll);
    else
        (void)uv_poll_stop(&w->handle->uv);
}

void loop_watch_close(struct loop_watch *w)
{
    if (!w->handle)
        return;
    w->handle->watch = NULL;
    uv_close((uv_handle_t *)&w->handle->uv, on_poll_closed);
    w->handle = NULL;
    w->events = 0;
}
