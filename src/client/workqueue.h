/* Keys that need work. A key added twice before it is handed out is one entry; a key added while it
 * is worked on is handed out once more after that. Failed keys come back after a delay of their own
 * that doubles. As client-go's, for one loop; keys are "namespace/name" or "name". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct loop;
struct workqueue;

/* Runs at the end of a turn in which something became ready, or work was done while something was;
 * takes what it wants with get(). */
typedef void workqueue_ready_fn(void *arg);

enum { WORKQUEUE_BASE_DELAY_MS = 5, WORKQUEUE_MAX_DELAY_MS = 1000000 };

struct workqueue *workqueue_new(struct loop *l, workqueue_ready_fn *on_ready, void *arg);
void workqueue_free(struct workqueue *q); /* accepts NULL */

void workqueue_add(struct workqueue *q, struct str key); /* copies key */
/* Not before the delay; the earliest of several wins, and an add() now too. */
void workqueue_add_after(struct workqueue *q, struct str key, int64_t delay_ms);
/* After 5 ms, 10 ms, ... 1000 s: the key's own back-off. */
void workqueue_add_rate_limited(struct workqueue *q, struct str key);
void workqueue_forget(struct workqueue *q, struct str key); /* it went well: back-off starts anew */
uint32_t workqueue_requeues(const struct workqueue *q, struct str key); /* failures in a row */

bool workqueue_get(struct workqueue *q, struct str *ret_key); /* valid until done() */
void workqueue_done(struct workqueue *q, struct str key);
size_t workqueue_len(const struct workqueue *q); /* ready, not handed out */
