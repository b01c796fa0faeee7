/* How long something that keeps failing is left alone: 1 s, 2 s, 4 s, ... 15 min after each
 * attempt, by a key; forgotten after twice the longest time without one. */
#pragma once

#include <stdint.h>

#include "base/map.h"

enum { POD_BACKOFF_FIRST_MS = 1000, POD_BACKOFF_MAX_MS = 15 * 60 * 1000 };

struct pod_backoff {
    struct map entries;
    int64_t swept_ms; /* when those that are over were last looked for */
};

void pod_backoff_done(struct pod_backoff *b);
/* Milliseconds from now until the next attempt may be made; 0: now. */
int64_t pod_backoff_wait(const struct pod_backoff *b, struct str key, int64_t now_ms);
void pod_backoff_attempt(struct pod_backoff *b, struct str key, int64_t now_ms);
