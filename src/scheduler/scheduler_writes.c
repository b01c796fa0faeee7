/* What the scheduler sends: bindings, the PodScheduled condition, evictions. All side by side,
 * without throttle. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/rest_client.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"
#include "scheduler/scheduler_internal.h"

/* A request about a Pod, on its way. */
struct pod_write {
    struct list link;
    struct scheduler *scheduler;
    const struct api_object *pod;
    char *node;
    const struct api_object *preemptor; /* NULL: none */
};

static struct pod_write *write_new(struct scheduler *s, const struct api_object *pod, size_t row)
{
    struct pod_write *w = NEW(struct pod_write);

    w->scheduler = s;
    list_init(&w->link);
    list_append(&s->under_way, &w->link);
    w->pod = api_object_ref(pod);
    w->node = str_heap_cstr(str_from_cstr(scheduler_cache_node(&s->cache, row)->name));
    return w;
}

static void write_free(struct pod_write *w)
{
    list_remove(&w->link);
    api_object_unref(w->pod);
    api_object_unref(w->preemptor);
    mem_free(w->node);
    mem_free(w);
}

void scheduler_writes_done(struct scheduler *s)
{
    LIST_FOREACH_SAFE(n, &s->under_way)
        write_free(CONTAINER_OF(n, struct pod_write, link));
}

static void send(struct scheduler *s, const struct api_object *pod, enum rest_verb verb,
                 const char *subresource, const struct buf *text, rest_done_fn *done, void *arg)
{
    (void)rest_call_start(s->rest,
                          &(struct rest_request){ .verb = verb,
                                                  .resource = informer_resource(s->pods),
                                                  .namespace = pod->meta->namespace,
                                                  .name = pod->meta->name,
                                                  .subresource = str_from_cstr(subresource),
                                                  .patch = buf_str(text) },
                          done, arg);
}

static struct str words(const struct rest_result *res)
{
    return res->message.len ? res->message : STR("no answer");
}

/* --- conditions --- */

static void on_told(const struct rest_result *res, void *arg)
{
    (void)arg;
    if (res->result < 0 && res->result != ERR_NOT_FOUND)
        LOG_DEBUG("cannot write a Pod's status", KV("err", words(res)));
}

static const struct core_v1_pod_condition *condition_of(const struct api_object *pod,
                                                        struct str type)
{
    const struct core_v1_pod_status *s = &API_OBJECT(pod, struct core_v1_pod)->status;

    for (uint32_t i = 0; i < s->conditions.len; i++)
        if (str_eq(s->conditions.items[i].type, type))
            return &s->conditions.items[i];
    return NULL;
}

/* "status":{"conditions":[ ... ] - open for more. */
static void put_condition(struct scheduler *s, struct buf *b, const struct api_object *pod,
                          const struct core_v1_pod_condition *new)
{
    const struct core_v1_pod_condition *old = condition_of(pod, new->type);
    bool is_same = old && str_eq(old->status, new->status) && old->last_transition_time.set;

    buf_append_lit(b, "{\"metadata\":{\"uid\":");
    json_write_string(b, pod->meta->uid);
    buf_append_lit(b, "},\"status\":{\"conditions\":[{\"type\":");
    json_write_string(b, new->type);
    buf_append_lit(b, ",\"status\":");
    json_write_string(b, new->status);
    buf_append_lit(b, ",\"reason\":");
    json_write_string(b, new->reason);
    buf_append_lit(b, ",\"message\":");
    json_write_string(b, new->message);
    if (pod->meta->generation)
        buf_printf(b, ",\"observedGeneration\":%lld", (long long)pod->meta->generation);
    buf_append_lit(b, ",\"lastTransitionTime\":\"");
    time_text_print(b, is_same ? old->last_transition_time.sec : clock_wall_s(loop_clock(s->loop)));
    buf_append_lit(b, "\"}]");
}

static bool says_so(const struct api_object *pod, const struct core_v1_pod_condition *new)
{
    const struct core_v1_pod_condition *old = condition_of(pod, new->type);

    return old && str_eq(old->status, new->status) && str_eq(old->reason, new->reason) &&
           str_eq(old->message, new->message);
}

void scheduler_tell(struct scheduler *s, const struct api_object *pod, struct str reason,
                    struct str message, enum scheduler_nomination nomination, size_t row)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_pod_condition new = {
        .type = STR("PodScheduled"), .status = STR("False"), .reason = reason, .message = message
    };
    struct str node = API_OBJECT(pod, struct core_v1_pod)->status.nominated_node_name;
    struct buf b;

    if (nomination == SCHEDULER_NOMINATION_BEGINS) {
        node = str_from_cstr(scheduler_cache_node(&s->cache, row)->name);
        scheduler_cache_nominate(&s->cache, pod, node);
    } else if (nomination == SCHEDULER_NOMINATION_ENDS) {
        scheduler_cache_unnominate(&s->cache, pod->meta->uid);
        if (!node.len)
            nomination = SCHEDULER_NOMINATION_STAYS;
    }
    if (nomination == SCHEDULER_NOMINATION_STAYS && says_so(pod, &new))
        return;
    buf_init_arena(&b, &a, 512);
    put_condition(s, &b, pod, &new);
    if (nomination == SCHEDULER_NOMINATION_BEGINS) {
        buf_append_lit(&b, ",\"nominatedNodeName\":");
        json_write_string(&b, node);
    } else if (nomination == SCHEDULER_NOMINATION_ENDS) {
        buf_append_lit(&b, ",\"nominatedNodeName\":null");
    }
    buf_append_lit(&b, "}}");
    send(s, pod, REST_STRATEGIC_MERGE_PATCH, "status", &b, on_told, NULL);
}

/* --- binding --- */

static void on_bound(const struct rest_result *res, void *arg)
{
    struct pod_write *w = arg;
    struct scheduler *s = w->scheduler;
    struct event_reference about = event_reference_of(w->pod);
    struct str uid = w->pod->meta->uid;

    s->bindings--;
    if (res->result == 0) {
        event_recorder_event(
            s->events, &about, "Normal", STR("Scheduled"), "Successfully assigned %.*s/%.*s to %s",
            STR_ARG(w->pod->meta->namespace), STR_ARG(w->pod->meta->name), w->node);
    } else {
        scheduler_cache_forget(&s->cache, uid);
        if (res->result != ERR_NOT_FOUND) {
            event_recorder_event(s->events, &about, "Warning", STR("FailedScheduling"),
                                 "binding rejected: %.*s", STR_ARG(words(res)));
            scheduling_queue_retry(&s->queue, uid, loop_now_ms(s->loop));
        }
        scheduling_queue_event(&s->queue, SCHED_POD_DELETED); /* its room is free */
    }
    write_free(w);
    scheduler_wake(s);
}

void scheduler_bind(struct scheduler *s, const struct api_object *pod, size_t row)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct pod_write *w = write_new(s, pod, row);
    struct buf b;

    buf_init_arena(&b, &a, 512);
    buf_append_lit(&b, "{\"kind\":\"Binding\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":");
    json_write_string(&b, pod->meta->name);
    buf_append_lit(&b, ",\"namespace\":");
    json_write_string(&b, pod->meta->namespace);
    buf_append_lit(&b, ",\"uid\":");
    json_write_string(&b, pod->meta->uid);
    buf_append_lit(&b, "},\"target\":{\"kind\":\"Node\",\"name\":");
    json_write_string(&b, str_from_cstr(w->node));
    buf_append_lit(&b, "}}");
    s->bindings++;
    send(s, pod, REST_CREATE, "binding", &b, on_bound, w);
}

/* --- evicting --- */

static void give_back(struct pod_write *w, const struct rest_result *res)
{
    struct scheduler *s = w->scheduler;

    LOG_WARNING("cannot preempt", KV("pod", w->pod->key), KV("err", words(res)));
    scheduling_queue_retry(&s->queue, w->preemptor->meta->uid, loop_now_ms(s->loop));
    write_free(w);
    scheduler_wake(s);
}

static void on_deleted(const struct rest_result *res, void *arg)
{
    struct pod_write *w = arg;
    struct event_reference about = event_reference_of(w->pod);

    if (res->result < 0 && res->result != ERR_NOT_FOUND) {
        give_back(w, res);
        return;
    }
    if (res->result >= 0)
        event_recorder_event(w->scheduler->events, &about, "Normal", STR("Preempted"),
                             "Preempted by pod %.*s on node %s", STR_ARG(w->preemptor->meta->uid),
                             w->node);
    write_free(w);
}

static void on_marked(const struct rest_result *res, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct pod_write *w = arg;
    struct buf b;

    if (res->result < 0) {
        if (res->result == ERR_NOT_FOUND)
            write_free(w);
        else
            give_back(w, res);
        return;
    }
    buf_init_arena(&b, &a, 128);
    buf_append_lit(&b, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
                       "\"preconditions\":{\"uid\":");
    json_write_string(&b, w->pod->meta->uid);
    buf_append_lit(&b, "}}");
    send(w->scheduler, w->pod, REST_DELETE, NULL, &b, on_deleted, w);
}

static void evict(struct scheduler *s, const struct api_object *preemptor,
                  const struct sched_pod *victim)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_pod_condition mark = {
        .type = STR("DisruptionTarget"),
        .status = STR("True"),
        .reason = STR("PreemptionByScheduler"),
        .message = arena_printf(&a, "%.*s: preempting to accommodate a higher priority pod",
                                STR_ARG(s->name)),
    };
    struct pod_write *w;
    struct buf b;

    if (victim->object->meta->deletion_timestamp.set)
        return;
    w = write_new(s, victim->object, victim->node);
    w->preemptor = api_object_ref(preemptor);
    buf_init_arena(&b, &a, 512);
    put_condition(s, &b, victim->object, &mark);
    buf_append_lit(&b, "}}");
    send(s, victim->object, REST_STRATEGIC_MERGE_PATCH, "status", &b, on_marked, w);
}

/* Less important Pods that wait for this node will not get it: they look elsewhere at once. */
static void displace(struct scheduler *s, size_t row, int32_t priority)
{
    struct sched_node *n = scheduler_cache_node(&s->cache, row);
    static const char text[] = "{\"status\":{\"nominatedNodeName\":null}}";
    const struct buf b = { .p = (char *)(uintptr_t)text, .len = sizeof(text) - 1 };

    for (size_t i = n->nominated.len; i--;) {
        const struct api_object *o = n->nominated.items[i]->object;

        if (n->nominated.items[i]->priority >= priority)
            continue;
        send(s, o, REST_STRATEGIC_MERGE_PATCH, "status", &b, on_told, NULL);
        scheduling_queue_retry(&s->queue, o->meta->uid, loop_now_ms(s->loop));
        scheduler_cache_unnominate(&s->cache, o->meta->uid);
    }
}

void scheduler_preempt(struct scheduler *s, const struct api_object *pod,
                       const struct sched_result *r)
{
    const struct core_v1_pod *spec = API_OBJECT(pod, struct core_v1_pod);

    displace(s, r->nominated_row, spec->spec.priority ? *spec->spec.priority : 0);
    for (size_t i = 0; i < r->n_victims; i++)
        evict(s, pod, r->victims[i]);
}
