/* Pods that wait for a node, in one of three places: active (next by priority, then by age),
 * backing off (until a time that doubles with each attempt, 1 s to 10 s), unschedulable (until
 * something happens that may matter to the plugin that said no). Belongs to one loop. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/str.h"

struct api_object;

enum queued_pod_place { QUEUED_ACTIVE, QUEUED_BACKOFF, QUEUED_UNSCHEDULABLE, QUEUED_OUT };
struct queued_pod {
    struct heap_node node; /* in active or backoff */
    enum queued_pod_place place;
    const struct api_object *object;
    int32_t priority;
    uint64_t order; /* of arrival */
    uint32_t attempts;
    int64_t ready_at_ms; /* the back-off's end */
    unsigned events;     /* enum sched_event: what it waits for */
};

struct scheduling_queue {
    struct heap active, backoff;
    struct map pods; /* of struct queued_pod by uid */
    uint64_t next_order;
    unsigned pending; /* events of which nobody has heard */
};

void scheduling_queue_init(struct scheduling_queue *q);
void scheduling_queue_done(struct scheduling_queue *q);
/* A Pod without a node, new or changed. */
void scheduling_queue_set(struct scheduling_queue *q, const struct api_object *pod, int64_t now_ms);
void scheduling_queue_remove(struct scheduling_queue *q, struct str uid);
/* The next one, which is out of the queue until one of the two below; NULL: none is ready. */
struct queued_pod *scheduling_queue_pop(struct scheduling_queue *q, int64_t now_ms);
void scheduling_queue_give_up(struct scheduling_queue *q, struct queued_pod *p, unsigned events,
                              int64_t now_ms);
void scheduling_queue_retry(struct scheduling_queue *q, struct str uid, int64_t now_ms);
/* Something happened (enum sched_event): those that wait for it are tried again, from the next pop
 * on. */
void scheduling_queue_event(struct scheduling_queue *q, unsigned events);
/* When the next back-off ends; 0: none runs. Of what happened since the last pop it knows nothing.
 */
int64_t scheduling_queue_next_ms(const struct scheduling_queue *q);
