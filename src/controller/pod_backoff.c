#include "controller/pod_backoff.h"

#include "base/mem.h"

enum { SWEEP_MS = 60000 };

struct attempt {
    int64_t last_ms;
    int64_t delay_ms;
};

static bool is_over(const struct attempt *a, int64_t now_ms)
{
    return now_ms - a->last_ms > 2 * (int64_t)POD_BACKOFF_MAX_MS;
}

void pod_backoff_done(struct pod_backoff *b)
{
    MAP_FOREACH(e, &b->entries)
        mem_free(e->value);
    map_done(&b->entries);
}

int64_t pod_backoff_wait(const struct pod_backoff *b, struct str key, int64_t now_ms)
{
    const struct attempt *a = map_get(&b->entries, key);

    if (!a || is_over(a, now_ms))
        return 0;
    return MAX(a->last_ms + a->delay_ms - now_ms, (int64_t)0);
}

static void sweep(struct pod_backoff *b, int64_t now_ms)
{
    if (now_ms - b->swept_ms < SWEEP_MS)
        return;
    b->swept_ms = now_ms;
    MAP_FOREACH(e, &b->entries)
        if (is_over(e->value, now_ms))
            mem_free(map_remove(&b->entries, e->key));
}

void pod_backoff_attempt(struct pod_backoff *b, struct str key, int64_t now_ms)
{
    struct attempt *a;

    sweep(b, now_ms);
    a = map_get(&b->entries, key);
    if (!a) {
        a = NEW(struct attempt);
        (void)map_put(&b->entries, key, a); /* was absent */
    }
    if (!a->delay_ms || is_over(a, now_ms))
        a->delay_ms = POD_BACKOFF_FIRST_MS;
    else
        a->delay_ms = MIN(a->delay_ms * 2, (int64_t)POD_BACKOFF_MAX_MS);
    a->last_ms = now_ms;
}
