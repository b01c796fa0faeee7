/* Telling the API: one request of a Pod at a time, the newest status next; nothing is sent twice.
 */
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/rest_client.h"
#include "kubelet/kubelet_internal.h"

enum { RETRY_MS = 200, RETRY_MAX_MS = 10000 };

static const struct resource *pods(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static void later(struct pod_worker *w)
{
    w->status_backoff_ms =
        w->status_backoff_ms ? MIN(w->status_backoff_ms * 2, (int64_t)RETRY_MAX_MS) : RETRY_MS;
    loop_timer_start(&w->status_timer, w->status_backoff_ms);
}

static void on_retry(struct loop_timer *t)
{
    struct pod_worker *w = CONTAINER_OF(t, struct pod_worker, status_timer);

    if (w->phase == POD_IS_GONE)
        pod_status_delete(w);
    else
        pod_worker_wake(w);
}

static void on_told(const struct rest_result *res, void *arg)
{
    struct pod_worker *w = arg;

    w->status_call = NULL;
    if (res->result == 0) {
        mem_free(w->status_sent);
        w->status_sent = TAKE(w->status_sending);
        w->status_backoff_ms = 0;
        kubelet_figures_pod_told(w);
    } else {
        mem_free(w->status_sending);
        w->status_sending = NULL;
        if (res->result != ERR_NOT_FOUND && res->result != ERR_CONFLICT)
            LOG_WARNING("cannot tell a Pod's status", KV("pod", w->pod->key),
                        KV("err", res->message.len ? res->message : STR("no answer")));
        later(w);
        return;
    }
    if (w->phase == POD_IS_GONE)
        pod_status_delete(w);
    else
        pod_worker_wake(w); /* it may be another by now */
}

void pod_status_send(struct pod_worker *w, struct str patch)
{
    const struct api_object *shown = pod_worker_shown(w);

    if (w->status_call || w->is_deleted_in_api || !shown ||
        (w->status_sent && str_eq(patch, str_from_cstr(w->status_sent))))
        return;
    if (!w->status_timer.loop)
        loop_timer_init(&w->status_timer, w->k->loop, on_retry);
    w->status_sending = str_heap_cstr(patch);
    w->status_began_ms = loop_now_ms(w->k->loop);
    w->status_call = rest_call_start(w->k->rest,
                                     &(struct rest_request){ .verb = REST_STRATEGIC_MERGE_PATCH,
                                                             .resource = pods(),
                                                             .namespace = shown->meta->namespace,
                                                             .name = shown->meta->name,
                                                             .subresource = STR("status"),
                                                             .patch = patch },
                                     on_told, w);
}

static void on_deleted(const struct rest_result *res, void *arg)
{
    struct pod_worker *w = arg;

    w->status_call = NULL;
    if (res->result == 0 || res->result == ERR_NOT_FOUND || res->result == ERR_CONFLICT)
        return; /* the watch tells of the end */
    w->is_delete_sent = false;
    later(w);
}

void pod_status_delete(struct pod_worker *w)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    if (w->status_call || w->is_delete_sent)
        return; /* its answer brings us back */
    if (!w->status_timer.loop)
        loop_timer_init(&w->status_timer, w->k->loop, on_retry);
    w->is_delete_sent = true;
    w->status_call = rest_call_start(
        w->k->rest,
        &(struct rest_request){
            .verb = REST_DELETE,
            .resource = pods(),
            .namespace = w->pod->meta->namespace,
            .name = w->pod->meta->name,
            .patch = arena_printf(&a,
                                  "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
                                  "\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%.*s\"}}",
                                  STR_ARG(w->uid)) },
        on_deleted, w);
}

void pod_status_stop(struct pod_worker *w)
{
    rest_call_cancel(TAKE(w->status_call));
    if (w->status_timer.loop)
        loop_timer_stop(&w->status_timer);
    mem_free(w->status_sending);
    mem_free(w->status_sent);
    w->status_sending = w->status_sent = NULL;
}
