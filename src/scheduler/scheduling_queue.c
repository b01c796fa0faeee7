#include "scheduler/scheduling_queue.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

enum { BACKOFF_MS = 1000, BACKOFF_MAX_MS = 10000 };

static const struct queued_pod *pod_of(const struct heap_node *n)
{
    return CONTAINER_OF((struct heap_node *)(uintptr_t)n, struct queued_pod, node);
}

/* PrioritySort. */
static bool by_priority(const struct heap_node *a, const struct heap_node *b)
{
    const struct queued_pod *x = pod_of(a), *y = pod_of(b);

    return x->priority != y->priority ? x->priority > y->priority : x->order < y->order;
}

static bool by_time(const struct heap_node *a, const struct heap_node *b)
{
    return pod_of(a)->ready_at_ms < pod_of(b)->ready_at_ms;
}

void scheduling_queue_init(struct scheduling_queue *q)
{
    *q = (struct scheduling_queue){ .next_order = 0 };
    heap_init(&q->active, by_priority);
    heap_init(&q->backoff, by_time);
}

static void pod_free(struct queued_pod *p)
{
    api_object_unref(p->object);
    mem_free(p);
}

void scheduling_queue_done(struct scheduling_queue *q)
{
    MAP_FOREACH(it, &q->pods)
        pod_free(it->value);
    map_done(&q->pods);
    heap_done(&q->active);
    heap_done(&q->backoff);
}

static void leave(struct scheduling_queue *q, struct queued_pod *p)
{
    if (p->place == QUEUED_ACTIVE)
        heap_remove(&q->active, &p->node);
    if (p->place == QUEUED_BACKOFF)
        heap_remove(&q->backoff, &p->node);
    p->place = QUEUED_OUT;
}

static void enter(struct scheduling_queue *q, struct queued_pod *p, int64_t now_ms)
{
    leave(q, p);
    p->place = p->ready_at_ms > now_ms ? QUEUED_BACKOFF : QUEUED_ACTIVE;
    heap_push(p->place == QUEUED_ACTIVE ? &q->active : &q->backoff, &p->node);
}

void scheduling_queue_set(struct scheduling_queue *q, const struct api_object *pod, int64_t now_ms)
{
    const struct core_v1_pod *spec = API_OBJECT(pod, struct core_v1_pod);
    struct queued_pod *p = map_get(&q->pods, pod->meta->uid);
    bool is_new = !p, has_changed;

    if (is_new) {
        p = NEW(struct queued_pod);
        p->place = QUEUED_OUT;
        p->order = q->next_order++;
        (void)map_put(&q->pods, pod->meta->uid, p);
    }
    /* Its status is what we (and others) write; that alone is no reason for another try. */
    has_changed = p->object && (p->object->meta->generation != pod->meta->generation ||
                                !sched_same_map(&p->object->meta->labels, &pod->meta->labels));
    api_object_unref(p->object);
    p->object = api_object_ref(pod);
    p->priority = spec->spec.priority ? *spec->spec.priority : 0;
    if (is_new || (p->place == QUEUED_UNSCHEDULABLE && has_changed))
        enter(q, p, now_ms);
}

void scheduling_queue_remove(struct scheduling_queue *q, struct str uid)
{
    struct queued_pod *p = map_remove(&q->pods, uid);

    if (!p)
        return;
    leave(q, p);
    pod_free(p);
}

static void wake_ready(struct scheduling_queue *q, int64_t now_ms)
{
    struct heap_node *n;

    while ((n = heap_top(&q->backoff)) && pod_of(n)->ready_at_ms <= now_ms)
        enter(q, (struct queued_pod *)(uintptr_t)pod_of(n), now_ms);
}

/* Once for all that happened in a turn: a thousand deletions are one walk. */
static void wake_interested(struct scheduling_queue *q, int64_t now_ms)
{
    unsigned events = q->pending;

    q->pending = 0;
    if (!events)
        return;
    MAP_FOREACH(it, &q->pods) {
        struct queued_pod *p = it->value;

        if (p->place == QUEUED_UNSCHEDULABLE && (p->events & events))
            enter(q, p, now_ms);
    }
}

struct queued_pod *scheduling_queue_pop(struct scheduling_queue *q, int64_t now_ms)
{
    struct heap_node *n;
    struct queued_pod *p;

    wake_interested(q, now_ms);
    wake_ready(q, now_ms);
    n = heap_pop(&q->active);
    if (!n)
        return NULL;
    p = CONTAINER_OF(n, struct queued_pod, node);
    p->place = QUEUED_OUT;
    p->attempts++;
    return p;
}

static void set_backoff(struct queued_pod *p, int64_t now_ms)
{
    int64_t ms = BACKOFF_MS;

    for (uint32_t i = 1; i < p->attempts && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    p->ready_at_ms = now_ms + MIN(ms, (int64_t)BACKOFF_MAX_MS);
}

void scheduling_queue_give_up(struct scheduling_queue *q, struct queued_pod *p, unsigned events,
                              int64_t now_ms)
{
    leave(q, p);
    p->place = QUEUED_UNSCHEDULABLE;
    p->events = events;
    set_backoff(p, now_ms);
}

void scheduling_queue_retry(struct scheduling_queue *q, struct str uid, int64_t now_ms)
{
    struct queued_pod *p = map_get(&q->pods, uid);

    if (!p)
        return;
    set_backoff(p, now_ms);
    enter(q, p, now_ms);
}

void scheduling_queue_event(struct scheduling_queue *q, unsigned events)
{
    q->pending |= events;
}

int64_t scheduling_queue_next_ms(const struct scheduling_queue *q)
{
    const struct heap_node *n = heap_top(&q->backoff);

    return n ? pod_of(n)->ready_at_ms : 0;
}
