/* One item a key, in a map; an item says whether it is ready (in the list), worked on, added again
 * meanwhile, or waiting (in the heap, one timer for all). It goes when none of that holds and its
 * back-off is forgotten. */
#include "client/workqueue.h"

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/loop.h"

struct item {
    struct list ready; /* linked: to be handed out */
    struct heap_node waiting;
    int64_t due_ms;
    uint32_t failures;
    bool is_worked_on;
    bool is_dirty;  /* added while worked on */
    struct str key; /* bytes */
    char bytes[];
};

struct workqueue {
    struct loop *loop;
    workqueue_ready_fn *on_ready;
    void *arg;
    struct map items;
    struct list ready;
    size_t n_ready;
    struct heap waiting;
    struct loop_timer timer;
    struct loop_task announce;
};

static bool is_sooner(const struct heap_node *a, const struct heap_node *b)
{
    const struct item *x = CONTAINER_OF(a, const struct item, waiting);
    const struct item *y = CONTAINER_OF(b, const struct item, waiting);

    return x->due_ms < y->due_ms;
}

static void on_announce(struct loop_task *t)
{
    struct workqueue *q = CONTAINER_OF(t, struct workqueue, announce);

    if (q->n_ready)
        q->on_ready(q->arg);
}

static void arm(struct workqueue *q)
{
    const struct heap_node *top = heap_top(&q->waiting);

    if (!top) {
        loop_timer_stop(&q->timer);
        return;
    }
    loop_timer_start(
        &q->timer, MAX(CONTAINER_OF(top, const struct item, waiting)->due_ms - loop_now_ms(q->loop),
                       (int64_t)0));
}

static void make_ready(struct workqueue *q, struct item *i)
{
    heap_remove(&q->waiting, &i->waiting);
    if (i->is_worked_on) {
        i->is_dirty = true;
        return;
    }
    if (!list_is_empty(&i->ready))
        return;
    list_append(&q->ready, &i->ready);
    q->n_ready++;
    loop_task_post(q->loop, &q->announce);
}

static void on_timer(struct loop_timer *t)
{
    struct workqueue *q = CONTAINER_OF(t, struct workqueue, timer);
    struct heap_node *n;

    while ((n = heap_top(&q->waiting)) != NULL) {
        struct item *i = CONTAINER_OF(n, struct item, waiting);

        if (i->due_ms > loop_now_ms(q->loop))
            break;
        make_ready(q, i);
    }
    arm(q);
}

struct workqueue *workqueue_new(struct loop *l, workqueue_ready_fn *on_ready, void *arg)
{
    struct workqueue *q = NEW(struct workqueue);

    q->loop = l;
    q->on_ready = on_ready;
    q->arg = arg;
    list_init(&q->ready);
    heap_init(&q->waiting, is_sooner);
    loop_timer_init(&q->timer, l, on_timer);
    loop_task_init(&q->announce, on_announce);
    return q;
}

void workqueue_free(struct workqueue *q)
{
    if (!q)
        return;
    loop_timer_stop(&q->timer);
    loop_task_cancel(&q->announce);
    heap_done(&q->waiting);
    MAP_FOREACH(e, &q->items)
        mem_free(e->value);
    map_done(&q->items);
    mem_free(q);
}

static struct item *item_of(struct workqueue *q, struct str key)
{
    struct item *i = map_get(&q->items, key);

    if (i)
        return i;
    i = mem_zalloc(sizeof(*i) + key.len);
    memcpy(i->bytes, key.p ? key.p : "", key.len);
    i->key = str_n(i->bytes, key.len);
    list_init(&i->ready);
    (void)map_put(&q->items, key, i); /* was absent */
    return i;
}

/* Nothing is known of the key any more. */
static void drop_if_idle(struct workqueue *q, struct item *i)
{
    if (i->is_worked_on || i->failures || i->waiting.place || !list_is_empty(&i->ready))
        return;
    (void)map_remove(&q->items, i->key); /* i itself */
    mem_free(i);
}

void workqueue_add(struct workqueue *q, struct str key)
{
    make_ready(q, item_of(q, key));
    arm(q);
}

void workqueue_add_after(struct workqueue *q, struct str key, int64_t delay_ms)
{
    struct item *i = item_of(q, key);
    int64_t due = loop_now_ms(q->loop) + delay_ms;

    if (delay_ms <= 0) {
        make_ready(q, i);
    } else if (!list_is_empty(&i->ready)) {
        return; /* sooner than any delay */
    } else if (!i->waiting.place) {
        i->due_ms = due;
        heap_push(&q->waiting, &i->waiting);
    } else if (due < i->due_ms) {
        i->due_ms = due;
        heap_update(&q->waiting, &i->waiting);
    }
    arm(q);
}

void workqueue_add_rate_limited(struct workqueue *q, struct str key)
{
    struct item *i = item_of(q, key);
    int64_t delay = WORKQUEUE_BASE_DELAY_MS;

    for (uint32_t n = 0; n < i->failures && delay < WORKQUEUE_MAX_DELAY_MS; n++)
        delay *= 2;
    i->failures++;
    workqueue_add_after(q, key, MIN(delay, (int64_t)WORKQUEUE_MAX_DELAY_MS));
}

void workqueue_forget(struct workqueue *q, struct str key)
{
    struct item *i = map_get(&q->items, key);

    if (!i)
        return;
    i->failures = 0;
    drop_if_idle(q, i);
}

uint32_t workqueue_requeues(const struct workqueue *q, struct str key)
{
    const struct item *i = map_get(&q->items, key);

    return i ? i->failures : 0;
}

bool workqueue_get(struct workqueue *q, struct str *ret_key)
{
    struct list *n = list_first(&q->ready);
    struct item *i;

    if (!n)
        return false;
    i = CONTAINER_OF(n, struct item, ready);
    list_remove(&i->ready);
    q->n_ready--;
    i->is_worked_on = true;
    *ret_key = i->key;
    return true;
}

void workqueue_done(struct workqueue *q, struct str key)
{
    struct item *i = map_get(&q->items, key);

    if (!i)
        return;
    i->is_worked_on = false;
    if (i->is_dirty) {
        i->is_dirty = false;
        make_ready(q, i);
    }
    drop_if_idle(q, i);
    if (q->n_ready) /* whoever was too busy for what is ready may have room now */
        loop_task_post(q->loop, &q->announce);
}

size_t workqueue_len(const struct workqueue *q)
{
    return q->n_ready;
}
