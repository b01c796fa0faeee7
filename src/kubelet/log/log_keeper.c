/* Logs that have grown too large are turned over. Nothing tells of their growth for free, so they
 * are looked at: every ten seconds while any of them grows, else every minute. */
#include "base/clock.h"
#include "base/log.h"
#include "client/api_object.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/log/container_log.h"

enum { BUSY_MS = 10000, IDLE_MS = 60000 };

static void on_reopened(const struct runtime_result *res, void *arg)
{
    (void)arg;
    if (res->code < 0 && res->code != ERR_NOT_FOUND)
        LOG_WARNING("cannot open a log anew", KV("err", str_from_cstr(res->err->text)));
}

static void turn_over(struct kubelet *k, const struct runtime_container_status *c)
{
    struct err err;

    if (container_log_rotate(c->log_path, clock_wall_s(loop_clock(k->loop)),
                             CONTAINER_LOG_MAX_FILES, &err) < 0)
        LOG_WARNING("cannot turn over a log", KV("err", str_from_cstr(err.text)));
    else
        (void)k->runtime->ops->reopen_container_log(k->runtime, c->id, on_reopened, NULL);
}

static void look(struct loop_timer *t)
{
    struct kubelet *k = CONTAINER_OF(t, struct kubelet, log_timer);
    int64_t total = 0;

    MAP_FOREACH(it, &k->workers) {
        const struct pod_worker *w = it->value;

        for (size_t i = 0; i < w->n_statuses; i++) {
            const struct runtime_container_status *c = &w->statuses[i];
            int64_t size = 0;

            if (c->state == RUNTIME_CONTAINER_IS_RUNNING)
                size = container_log_size(c->log_path);
            if (size > CONTAINER_LOG_MAX_BYTES)
                turn_over(k, c);
            total += size;
        }
    }
    loop_timer_start(t, total == k->log_bytes ? IDLE_MS : BUSY_MS);
    k->log_bytes = total;
}

void log_keeper_start(struct kubelet *k)
{
    loop_timer_init(&k->log_timer, k->loop, look);
    loop_timer_start(&k->log_timer, BUSY_MS);
}
