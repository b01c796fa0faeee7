/* The process: informers feed the cache and the queue; a task takes Pods from the queue, one cycle
 * each, in slices; bindings and status go out side by side. */
#include "scheduler/scheduler.h"

#include <signal.h>
#include <stdio.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/object.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "client/api_object.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "client/leader_election.h"
#include "client/rest_client.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"
#include "io/loop.h"
#include "scheduler/framework.h"
#include "scheduler/scheduling_queue.h"

enum {
    MAX_BINDINGS = 500, /* under way; more Pods wait in the queue */
    SLICE_PODS = 20,    /* of one turn */
};

struct scheduler {
    struct str name;
    struct arena arena;
    struct loop *loop;
    struct rest_client *rest;
    struct event_recorder *events;
    struct informer *pods, *nodes;
    struct scheduler_cache cache;
    struct scheduling_queue queue;
    struct loop_task task;
    struct loop_timer timer;
    size_t n_synced, next_row, bindings;
    struct list under_way;            /* of struct binding */
    struct leader_election *election; /* NULL: always leads */
    bool has_lost;                    /* the lease */
    struct loop_timer goodbye;
};

struct binding {
    struct list link;
    struct scheduler *scheduler;
    const struct api_object *pod;
    char *node;
};

static int64_t now_ms(const struct scheduler *s)
{
    return loop_now_ms(s->loop);
}

static void wake(struct scheduler *s)
{
    if (s->n_synced == 2)
        loop_task_post(s->loop, &s->task);
}

static const struct core_v1_pod *spec_of(const struct api_object *o)
{
    return API_OBJECT(o, struct core_v1_pod);
}

/* --- telling --- */

static void on_told(const struct rest_result *res, void *arg)
{
    (void)arg;
    if (res->result < 0 && res->result != ERR_NOT_FOUND)
        LOG_DEBUG("cannot tell why a Pod waits",
                  KV("err", res->message.len ? res->message : STR("no answer")));
}

static const struct core_v1_pod_condition *scheduled_condition(const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; i < pod->status.conditions.len; i++)
        if (str_eq(pod->status.conditions.items[i].type, STR("PodScheduled")))
            return &pod->status.conditions.items[i];
    return NULL;
}

/* PodScheduled False with the reason; nothing when the Pod says so already. */
static void tell(struct scheduler *s, const struct api_object *o, struct str reason,
                 struct str message)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_pod_condition *old = scheduled_condition(spec_of(o));
    int64_t now_s = clock_wall_s(loop_clock(s->loop));
    bool is_same = old && str_eq(old->status, STR("False"));
    struct buf b;

    if (is_same && str_eq(old->reason, reason) && str_eq(old->message, message))
        return;
    buf_init_arena(&b, &a, 512);
    buf_append_lit(&b, "{\"metadata\":{\"uid\":");
    json_write_string(&b, o->meta->uid);
    buf_append_lit(&b, "},\"status\":{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":"
                       "\"False\",\"reason\":");
    json_write_string(&b, reason);
    buf_append_lit(&b, ",\"message\":");
    json_write_string(&b, message);
    buf_append_lit(&b, ",\"lastTransitionTime\":\"");
    time_text_print(&b, is_same && old->last_transition_time.set ? old->last_transition_time.sec
                                                                 : now_s);
    buf_append_lit(&b, "\"}]}}");
    (void)rest_call_start(s->rest,
                          &(struct rest_request){ .verb = REST_STRATEGIC_MERGE_PATCH,
                                                  .resource = informer_resource(s->pods),
                                                  .namespace = o->meta->namespace,
                                                  .name = o->meta->name,
                                                  .subresource = STR("status"),
                                                  .patch = buf_str(&b) },
                          on_told, s);
}

static void unschedulable(struct scheduler *s, const struct api_object *o, struct str message)
{
    struct event_reference about = event_reference_of(o);

    event_recorder_event(s->events, &about, "Warning", STR("FailedScheduling"), "%.*s",
                         STR_ARG(message));
    tell(s, o, STR("Unschedulable"), message);
}

/* --- binding --- */

static void binding_free(struct binding *b)
{
    list_remove(&b->link);
    api_object_unref(b->pod);
    mem_free(b->node);
    mem_free(b);
}

static void on_bound(const struct rest_result *res, void *arg)
{
    struct binding *b = arg;
    struct scheduler *s = b->scheduler;
    struct event_reference about = event_reference_of(b->pod);

    s->bindings--;
    if (res->result == 0) {
        event_recorder_event(
            s->events, &about, "Normal", STR("Scheduled"), "Successfully assigned %.*s/%.*s to %s",
            STR_ARG(b->pod->meta->namespace), STR_ARG(b->pod->meta->name), b->node);
    } else {
        scheduler_cache_forget(&s->cache, b->pod->meta->uid);
        if (res->result != ERR_NOT_FOUND) {
            event_recorder_event(s->events, &about, "Warning", STR("FailedScheduling"),
                                 "binding rejected: %.*s",
                                 STR_ARG(res->message.len ? res->message : STR("no answer")));
            scheduling_queue_retry(&s->queue, b->pod->meta->uid, now_ms(s));
        }
        scheduling_queue_event(&s->queue, SCHED_POD_DELETED, now_ms(s)); /* its room is free */
    }
    binding_free(b);
    wake(s);
}

static void bind_pod(struct scheduler *s, const struct api_object *o, size_t row)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct binding *b = NEW(struct binding);
    struct buf text;

    b->scheduler = s;
    list_init(&b->link);
    list_append(&s->under_way, &b->link);
    b->pod = api_object_ref(o);
    b->node = str_heap_cstr(str_from_cstr(scheduler_cache_node(&s->cache, row)->name));
    scheduler_cache_assume(&s->cache, o, row);
    buf_init_arena(&text, &a, 512);
    buf_append_lit(&text, "{\"kind\":\"Binding\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":");
    json_write_string(&text, o->meta->name);
    buf_append_lit(&text, ",\"namespace\":");
    json_write_string(&text, o->meta->namespace);
    buf_append_lit(&text, ",\"uid\":");
    json_write_string(&text, o->meta->uid);
    buf_append_lit(&text, "},\"target\":{\"kind\":\"Node\",\"name\":");
    json_write_string(&text, str_from_cstr(b->node));
    buf_append_lit(&text, "}}");
    s->bindings++;
    (void)rest_call_start(s->rest,
                          &(struct rest_request){ .verb = REST_CREATE,
                                                  .resource = informer_resource(s->pods),
                                                  .namespace = o->meta->namespace,
                                                  .name = o->meta->name,
                                                  .subresource = STR("binding"),
                                                  .patch = buf_str(&text) },
                          on_bound, b);
}

/* --- cycles --- */

static bool has_claims(const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++)
        if (pod->spec.volumes.items[i].volume_source.persistent_volume_claim)
            return true;
    return false;
}

static void schedule_one(struct scheduler *s, struct queued_pod *p)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct sched_cycle c = { .arena = &a,
                             .cache = &s->cache,
                             .object = p->object,
                             .pod = spec_of(p->object),
                             .random = random_u64() };
    struct sched_result r;

    sched_pod_request(&s->cache, c.pod, &c.request);
    sched_pod_scored(c.pod, &c.scored_cpu, &c.scored_memory);
    if (has_claims(c.pod))
        r = (struct sched_result){ .message =
                                       STR("0 nodes are available: pod has unbound immediate "
                                           "PersistentVolumeClaims."),
                                   .events = SCHED_POD_UPDATED };
    else
        r = framework_schedule(&c, &s->next_row);
    if (r.fits) {
        bind_pod(s, p->object, r.row);
        return;
    }
    unschedulable(s, p->object, r.message);
    scheduling_queue_give_up(&s->queue, p, r.events, now_ms(s));
}

static void on_task(struct loop_task *t)
{
    struct scheduler *s = CONTAINER_OF(t, struct scheduler, task);
    struct queued_pod *p;
    int64_t next;

    for (int i = 0; i < SLICE_PODS; i++) {
        if (s->bindings >= MAX_BINDINGS)
            return; /* the next that ends wakes us */
        p = scheduling_queue_pop(&s->queue, now_ms(s));
        if (!p)
            break;
        schedule_one(s, p);
    }
    next = scheduling_queue_next_ms(&s->queue);
    if (heap_top(&s->queue.active))
        loop_timer_start(&s->timer, 0); /* after what else is ready */
    else if (next)
        loop_timer_start(&s->timer, MAX(next - now_ms(s), (int64_t)1));
}

static void on_timer(struct loop_timer *t)
{
    wake(CONTAINER_OF(t, struct scheduler, timer));
}

/* --- what the API says --- */

static bool has_ended(const struct core_v1_pod *pod)
{
    return str_eq(pod->status.phase, STR("Succeeded")) || str_eq(pod->status.phase, STR("Failed"));
}

static bool is_ours(const struct scheduler *s, const struct core_v1_pod *pod)
{
    return str_eq(pod->spec.scheduler_name.len ? pod->spec.scheduler_name
                                               : STR("default-scheduler"),
                  s->name);
}

static void pod_gone(struct scheduler *s, const struct api_object *o)
{
    bool counted = map_has(&s->cache.pods, o->meta->uid);

    scheduling_queue_remove(&s->queue, o->meta->uid);
    scheduler_cache_remove_pod(&s->cache, o->meta->uid);
    if (counted)
        scheduling_queue_event(&s->queue, SCHED_POD_DELETED, now_ms(s));
}

static void on_pod(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct scheduler *s = arg;
    const struct core_v1_pod *pod;

    if (old && (!new || !str_eq(old->meta->uid, new->meta->uid)))
        pod_gone(s, old);
    if (new) {
        pod = spec_of(new);
        if (has_ended(pod)) {
            pod_gone(s, new);
        } else if (pod->spec.node_name.len) {
            scheduling_queue_remove(&s->queue, new->meta->uid);
            scheduler_cache_set_pod(&s->cache, new);
        } else if (new->meta->deletion_timestamp.set || !is_ours(s, pod)) {
            scheduling_queue_remove(&s->queue, new->meta->uid);
        } else if (pod->spec.scheduling_gates.len) {
            tell(s, new, STR("SchedulingGated"),
                 STR("Scheduling is blocked due to non-empty "
                     "scheduling gates"));
        } else {
            scheduling_queue_set(&s->queue, new, now_ms(s));
        }
    }
    wake(s);
}

static bool same_list(const void *a, const void *b)
{
    if (text_map_len(a) != text_map_len(b))
        return false;
    for (uint32_t i = 0; i < text_map_len(a); i++)
        if (!str_eq(text_map_items(a)[i].key, text_map_items(b)[i].key) ||
            !str_eq(text_map_items(a)[i].value, text_map_items(b)[i].value))
            return false;
    return true;
}

static bool same_taints(const struct core_v1_node_spec *a, const struct core_v1_node_spec *b)
{
    if (a->taints.len != b->taints.len || a->unschedulable != b->unschedulable)
        return false;
    for (uint32_t i = 0; i < a->taints.len; i++)
        if (!str_eq(a->taints.items[i].key, b->taints.items[i].key) ||
            !str_eq(a->taints.items[i].value, b->taints.items[i].value) ||
            !str_eq(a->taints.items[i].effect, b->taints.items[i].effect))
            return false;
    return true;
}

static unsigned node_events(const struct api_object *old, const struct api_object *new)
{
    const struct core_v1_node *a, *b;
    unsigned events = 0;

    if (!old)
        return SCHED_NODE_ADDED;
    a = API_OBJECT(old, struct core_v1_node);
    b = API_OBJECT(new, struct core_v1_node);
    if (!same_list(&a->status.allocatable, &b->status.allocatable))
        events |= SCHED_NODE_ALLOCATABLE;
    if (!same_list(&old->meta->labels, &new->meta->labels))
        events |= SCHED_NODE_LABELS;
    if (!same_taints(&a->spec, &b->spec))
        events |= SCHED_NODE_TAINTS;
    return events;
}

static void on_node(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct scheduler *s = arg;

    if (!new) {
        scheduler_cache_remove_node(&s->cache, old->meta->name);
        return;
    }
    scheduler_cache_set_node(&s->cache, new);
    scheduling_queue_event(&s->queue, node_events(old, new), now_ms(s));
    wake(s);
}

static void on_synced(void *arg)
{
    struct scheduler *s = arg;

    s->n_synced = (size_t)informer_is_synced(s->pods) + (size_t)informer_is_synced(s->nodes);
    wake(s);
}

/* --- life --- */

static void on_goodbye(struct loop_timer *t)
{
    loop_stop(CONTAINER_OF(t, struct scheduler, goodbye)->loop);
}

/* The lease is let go of, which takes a moment to send. */
static void on_signal(int signum, void *arg)
{
    struct scheduler *s = arg;

    (void)signum;
    s->n_synced = 0; /* no cycle begins */
    loop_timer_start(&s->goodbye, s->election ? LEADER_ELECTION_GOODBYE_MS : 0);
    leader_election_free(TAKE(s->election));
}

static void on_leading(void *arg)
{
    struct scheduler *s = arg;

    informer_start(s->nodes);
    informer_start(s->pods);
}

static void on_lease_lost(void *arg)
{
    struct scheduler *s = arg;

    s->has_lost = true;
    loop_stop(s->loop);
}

static struct informer *open_informer(struct scheduler *s, const char *resource,
                                      void (*fn)(const struct api_object *old,
                                                 const struct api_object *new, void *arg))
{
    struct informer *i = informer_new(&(struct informer_options){
        .loop = s->loop,
        .client = s->rest,
        .resource = resource_find(STR(""), STR("v1"), str_from_cstr(resource)) });

    informer_add_handler(
        i, &(struct informer_handler){ .on_change = fn, .on_synced = on_synced, .arg = s });
    return i;
}

static int start(struct scheduler *s, const struct scheduler_options *o, struct err *err)
{
    struct kube_config config;
    int r = o->kubeconfig ? kube_config_load(&s->arena, o->kubeconfig, &config, err)
                          : kube_config_in_cluster(&s->arena, &config, err);

    if (r >= 0)
        r = rest_client_new(s->loop, &config, STR("kube-scheduler"), &s->rest, err);
    if (r >= 0)
        r = loop_on_signal(s->loop, SIGTERM, on_signal, s, err);
    if (r >= 0)
        r = loop_on_signal(s->loop, SIGINT, on_signal, s, err);
    if (r < 0)
        return r;
    s->name = str_from_cstr(o->name ? o->name : "default-scheduler");
    s->events = event_recorder_new(&(struct event_recorder_options){
        .loop = s->loop, .client = s->rest, .component = s->name });
    s->pods = open_informer(s, "pods", on_pod);
    s->nodes = open_informer(s, "nodes", on_node);
    if (o->leader_elect)
        s->election = leader_election_new(
            &(struct leader_election_options){ .loop = s->loop,
                                               .client = s->rest,
                                               .namespace = STR("kube-system"),
                                               .name = STR("kube-scheduler"),
                                               .identity = leader_election_identity(&s->arena),
                                               .on_started = on_leading,
                                               .on_stopped = on_lease_lost,
                                               .arg = s });
    else
        on_leading(s);
    return 0;
}

int scheduler_run(const struct scheduler_options *o)
{
    struct scheduler s = { .name = STR_NULL };
    struct err err;
    int r;

    s.loop = loop_new(&clock_system);
    loop_task_init(&s.task, on_task);
    loop_timer_init(&s.timer, s.loop, on_timer);
    loop_timer_init(&s.goodbye, s.loop, on_goodbye);
    list_init(&s.under_way);
    scheduling_queue_init(&s.queue);
    r = start(&s, o, &err);
    if (r >= 0)
        loop_run(s.loop);
    else
        (void)fprintf(stderr, "pintle scheduler: %s\n", err.text);
    informer_free(s.pods);
    informer_free(s.nodes);
    event_recorder_free(s.events);
    leader_election_free(s.election);
    rest_client_free(s.rest);
    LIST_FOREACH_SAFE(n, &s.under_way)
        binding_free(CONTAINER_OF(n, struct binding, link));
    scheduling_queue_done(&s.queue);
    scheduler_cache_done(&s.cache);
    loop_free(s.loop);
    arena_done(&s.arena);
    return r < 0 || s.has_lost ? 1 : 0;
}
