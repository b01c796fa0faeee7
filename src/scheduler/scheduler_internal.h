/* The process's own parts: scheduler.c (informers, cycles) and scheduler_writes.c (what it sends).
 */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "io/loop.h"
#include "scheduler/framework.h"
#include "scheduler/scheduling_queue.h"

struct event_recorder;
struct informer;
struct leader_election;
struct rest_client;

enum { SCHEDULER_MAX_BINDINGS = 500 }; /* under way; more Pods wait in the queue */

struct scheduler {
    struct str name;
    struct arena arena;
    struct loop *loop;
    struct rest_client *rest;
    struct event_recorder *events;
    struct informer *pods, *nodes;
    struct informer *kinds[SCHED_KINDS];
    struct sched_lister lister;
    struct scheduler_cache cache;
    struct scheduling_queue queue;
    struct loop_task task;
    struct loop_timer timer;
    size_t next_row, bindings;
    bool is_synced, is_ending;
    struct list under_way;            /* of requests that hold objects */
    struct list volume_bindings;      /* Pods whose volumes are being bound */
    bool has_lost_volumes;            /* one failed: others may have waited for it */
    struct leader_election *election; /* NULL: always leads */
    bool has_lost;                    /* the lease */
    struct loop_timer goodbye;
};

/* Cycles go on when this turn ends. */
void scheduler_wake(struct scheduler *s);

/* Binds the Pod, which counts on the node already (is assumed); when that is refused it comes back.
 */
void scheduler_bind(struct scheduler *s, const struct api_object *pod, size_t row);
/* What its status is to say of the node it waits for. */
enum scheduler_nomination {
    SCHEDULER_NOMINATION_STAYS,
    SCHEDULER_NOMINATION_ENDS,
    SCHEDULER_NOMINATION_BEGINS, /* at the row */
};
/* PodScheduled False with the reason; nothing when the Pod says all this already. */
void scheduler_tell(struct scheduler *s, const struct api_object *pod, struct str reason,
                    struct str message, enum scheduler_nomination nomination, size_t row);
/* Evicts the victims of a preemption. */
void scheduler_preempt(struct scheduler *s, const struct api_object *pod,
                       const struct sched_result *r);
/* scheduler_volumes.c: the same, after the claims have got what was chosen. */
void scheduler_bind_volumes(struct scheduler *s, const struct api_object *pod, size_t row,
                            const struct volume_choice *choices, size_t n);
/* A claim or a volume has changed; both NULL: what was given to a Pod was taken back. */
void scheduler_volumes_changed(struct scheduler *s, const struct api_object *claim,
                               const struct api_object *volume);
void scheduler_volumes_drop(struct scheduler *s, struct str uid); /* the Pod is gone */
void scheduler_volumes_done(struct scheduler *s); /* after its rest client has ended */
void scheduler_writes_done(struct scheduler *s);  /* after its rest client has ended */
