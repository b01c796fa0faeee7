/* The process: informers feed the cache and the queue; a task takes Pods from the queue, one cycle
 * each, in slices. */
#include "scheduler/scheduler.h"
#include "scheduler/pod_trim.h"

#include <signal.h>
#include <stdio.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/volume_match.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "client/api_object.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "client/leader_election.h"
#include "client/rest_client.h"
#include "scheduler/scheduler_internal.h"

enum { SLICE_PODS = 20 }; /* of one turn */

static int64_t now_ms(const struct scheduler *s)
{
    return loop_now_ms(s->loop);
}

void scheduler_wake(struct scheduler *s)
{
    if (s->is_synced && !s->is_ending)
        loop_task_post(s->loop, &s->task);
}

static const struct core_v1_pod *spec_of(const struct api_object *o)
{
    return API_OBJECT(o, struct core_v1_pod);
}

/* --- cycles --- */

static void fail(struct scheduler *s, struct queued_pod *p, const struct sched_result *r)
{
    struct event_reference about = event_reference_of(p->object);
    enum scheduler_nomination nomination = SCHEDULER_NOMINATION_STAYS;

    event_recorder_event(s->events, &about, "Warning", STR("FailedScheduling"), "%.*s",
                         STR_ARG(r->message));
    if (r->is_nominated)
        nomination = SCHEDULER_NOMINATION_BEGINS;
    else if (r->clears_nomination)
        nomination = SCHEDULER_NOMINATION_ENDS;
    scheduling_queue_give_up(&s->queue, p, r->events, now_ms(s));
    if (r->is_nominated)
        scheduler_preempt(s, p->object, r);
    scheduler_tell(s, p->object, STR("Unschedulable"), r->message, nomination, r->nominated_row);
}

static void schedule_one(struct scheduler *s, struct queued_pod *p)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct sched_cycle c = { .arena = &a,
                             .cache = &s->cache,
                             .lister = &s->lister,
                             .object = p->object,
                             .random = random_u64() };
    struct sched_result r = framework_schedule(&c, &s->next_row);

    const struct volume_choice *choices;
    size_t n;

    if (!r.fits) {
        fail(s, p, &r);
        return;
    }
    n = volume_binding_choose(&c, r.row, &choices);
    scheduler_cache_assume(&s->cache, p->object, r.row);
    if (n)
        scheduler_bind_volumes(s, p->object, r.row, choices, n);
    else
        scheduler_bind(s, p->object, r.row);
}

static void on_task(struct loop_task *t)
{
    struct scheduler *s = CONTAINER_OF(t, struct scheduler, task);
    struct queued_pod *p;
    int64_t next;

    if (s->has_lost_volumes)
        scheduler_volumes_changed(s, NULL, NULL);
    for (int i = 0; i < SLICE_PODS; i++) {
        if (s->bindings >= SCHEDULER_MAX_BINDINGS || s->is_ending)
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
    scheduler_wake(CONTAINER_OF(t, struct scheduler, timer));
}

/* --- Pods --- */

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
    struct str uid = o->meta->uid;
    bool counted = map_has(&s->cache.pods, uid) || map_has(&s->cache.nominated, uid);

    scheduling_queue_remove(&s->queue, uid);
    scheduler_volumes_drop(s, uid);
    scheduler_cache_remove_pod(&s->cache, uid);
    scheduler_cache_unnominate(&s->cache, uid);
    if (counted)
        scheduling_queue_event(&s->queue, SCHED_POD_DELETED);
}

static void pod_on_node(struct scheduler *s, const struct api_object *old,
                        const struct api_object *new)
{
    unsigned events = 0;

    scheduling_queue_remove(&s->queue, new->meta->uid);
    if (!map_has(&s->cache.pods, new->meta->uid)) {
        events = SCHED_POD_ADDED;
    } else if (old && spec_of(old)->spec.node_name.len) {
        if (!sched_same_map(&old->meta->labels, &new->meta->labels) ||
            old->meta->deletion_timestamp.set != new->meta->deletion_timestamp.set)
            events |= SCHED_POD_LABELS;
        if (old->meta->generation != new->meta->generation)
            events |= SCHED_POD_SCALED_DOWN;
    } else {
        events = SCHED_POD_ADDED; /* it was assumed: now others may count on it */
    }
    scheduler_cache_set_pod(&s->cache, new);
    if (events)
        scheduling_queue_event(&s->queue, events);
}

/* Who nominates: this scheduler, or another component. What comes late changes nothing. */
static void note_nomination(struct scheduler *s, const struct api_object *old,
                            const struct api_object *new)
{
    struct str is = spec_of(new)->status.nominated_node_name,
               was = old ? spec_of(old)->status.nominated_node_name : STR("");

    if (!str_eq(is, was))
        scheduler_cache_nominate(&s->cache, new, is);
}

static void pod_without_node(struct scheduler *s, const struct api_object *old,
                             const struct api_object *new)
{
    const struct core_v1_pod *pod = spec_of(new);

    if (new->meta->deletion_timestamp.set || !is_ours(s, pod)) {
        scheduling_queue_remove(&s->queue, new->meta->uid);
        scheduler_cache_unnominate(&s->cache, new->meta->uid);
        return;
    }
    if (pod->spec.scheduling_gates.len) {
        scheduling_queue_remove(&s->queue, new->meta->uid);
        scheduler_tell(s, new, STR("SchedulingGated"),
                       STR("Scheduling is blocked due to non-empty scheduling gates"),
                       SCHEDULER_NOMINATION_STAYS, 0);
        return;
    }
    if (!map_has(&s->cache.pods, new->meta->uid))
        note_nomination(s, old, new);
    scheduling_queue_set(&s->queue, new, now_ms(s));
}

static void on_pod(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct scheduler *s = arg;

    if (old && (!new || !str_eq(old->meta->uid, new->meta->uid))) {
        pod_gone(s, old);
        old = NULL;
    }
    if (new &&has_ended(spec_of(new)))
        pod_gone(s, new);
    else if (new &&spec_of(new)->spec.node_name.len)
        pod_on_node(s, old, new);
    else if (new)
        pod_without_node(s, old, new);
    scheduler_wake(s);
}

/* --- nodes and the rest --- */

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
    if (!sched_same_map(&a->status.allocatable, &b->status.allocatable))
        events |= SCHED_NODE_ALLOCATABLE;
    if (!sched_same_map(&old->meta->labels, &new->meta->labels))
        events |= SCHED_NODE_LABELS;
    if (!same_taints(&a->spec, &b->spec))
        events |= SCHED_NODE_TAINTS;
    return events;
}

static void on_node(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct scheduler *s = arg;

    if (new)
        scheduler_cache_set_node(&s->cache, new);
    else
        scheduler_cache_remove_node(&s->cache, old->meta->name);
    scheduling_queue_event(&s->queue, new ? node_events(old, new) : SCHED_NODE_REMOVED);
    scheduler_wake(s);
}

static void on_namespace(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct scheduler *s = arg;

    if (new && (!old || !sched_same_map(&old->meta->labels, &new->meta->labels))) {
        scheduling_queue_event(&s->queue, SCHED_NAMESPACE_LABELS);
        scheduler_wake(s);
    }
}

static void on_claim(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct scheduler *s = arg;

    scheduler_volumes_changed(s, new ? new : old, NULL);
    scheduling_queue_event(&s->queue, SCHED_CLAIM_CHANGED);
    scheduler_wake(s);
}

static void on_volume(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct scheduler *s = arg;

    scheduler_volumes_changed(s, NULL, new ? new : old);
    scheduling_queue_event(&s->queue, SCHED_CLAIM_CHANGED);
    scheduler_wake(s);
}

static void on_class(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct scheduler *s = arg;

    (void)old;
    (void)new;
    scheduling_queue_event(&s->queue, SCHED_CLAIM_CHANGED);
    scheduler_wake(s);
}

static void ignore(const struct api_object *old, const struct api_object *new, void *arg)
{
    (void)old;
    (void)new;
    (void)arg;
}

static const struct {
    const char *group, *version, *resource;
    void (*fn)(const struct api_object *old, const struct api_object *new, void *arg);
} kinds[SCHED_KINDS] = {
    [SCHED_NAMESPACES] = { "", "v1", "namespaces", on_namespace },
    [SCHED_SERVICES] = { "", "v1", "services", ignore },
    [SCHED_REPLICATION_CONTROLLERS] = { "", "v1", "replicationcontrollers", ignore },
    [SCHED_REPLICA_SETS] = { "apps", "v1", "replicasets", ignore },
    [SCHED_STATEFUL_SETS] = { "apps", "v1", "statefulsets", ignore },
    [SCHED_DISRUPTION_BUDGETS] = { "policy", "v1", "poddisruptionbudgets", ignore },
    [SCHED_CLAIMS] = { "", "v1", "persistentvolumeclaims", on_claim },
    [SCHED_VOLUMES] = { "", "v1", "persistentvolumes", on_volume },
    [SCHED_CLASSES] = { "storage.k8s.io", "v1", "storageclasses", on_class },
};

static size_t list_kind(void *arg, enum sched_kind kind, struct str namespace,
                        const struct api_object *const **ret)
{
    const struct scheduler *s = arg;

    return informer_by_index(s->kinds[kind], 0, namespace, ret);
}

static const struct api_object *get_kind(void *arg, enum sched_kind kind, struct str namespace,
                                         struct str name)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct scheduler *s = arg;

    if (namespace.len)
        name = arena_printf(&a, "%.*s/%.*s", STR_ARG(namespace), STR_ARG(name));
    return informer_get(s->kinds[kind], name);
}

static void on_synced(void *arg)
{
    struct scheduler *s = arg;
    bool all = informer_is_synced(s->pods) && informer_is_synced(s->nodes);

    for (size_t i = 0; i < SCHED_KINDS && all; i++)
        all = informer_is_synced(s->kinds[i]);
    if (all && !s->is_synced)
        LOG_INFO("caches are whole", KV("nodes", (unsigned long long)s->cache.n_nodes));
    s->is_synced = all;
    scheduler_wake(s);
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
    s->is_ending = true;
    loop_timer_start(&s->goodbye, s->election ? LEADER_ELECTION_GOODBYE_MS : 0);
    leader_election_free(TAKE(s->election));
}

static void on_leading(void *arg)
{
    struct scheduler *s = arg;

    for (size_t i = 0; i < SCHED_KINDS; i++)
        informer_start(s->kinds[i]);
    informer_start(s->nodes);
    informer_start(s->pods);
}

static void on_lease_lost(void *arg)
{
    struct scheduler *s = arg;

    s->has_lost = s->is_ending = true;
    loop_stop(s->loop);
}

static void index_namespace(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    if (o->meta->namespace.len)
        emit(o->meta->namespace, arg);
}

static void index_class(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    emit(volume_class(o->o.data), arg);
}

static struct informer *open_informer(struct scheduler *s, const char *group, const char *version,
                                      const char *resource, api_object_trim_fn *trim,
                                      void (*fn)(const struct api_object *old,
                                                 const struct api_object *new, void *arg))
{
    struct informer *i = informer_new(&(struct informer_options){
        .trim = trim,
        .loop = s->loop,
        .client = s->rest,
        .resource =
            resource_find(str_from_cstr(group), str_from_cstr(version), str_from_cstr(resource)) });

    informer_add_handler(
        i, &(struct informer_handler){ .on_change = fn, .on_synced = on_synced, .arg = s });
    return i;
}

static void open_informers(struct scheduler *s)
{
    s->pods = open_informer(s, "", "v1", "pods", pod_trim, on_pod);
    s->nodes = open_informer(s, "", "v1", "nodes", NULL, on_node);
    for (size_t i = 0; i < SCHED_KINDS; i++) {
        s->kinds[i] = open_informer(s, kinds[i].group, kinds[i].version, kinds[i].resource, NULL,
                                    kinds[i].fn);
        /* number 0 */
        (void)informer_add_index(s->kinds[i], i == SCHED_VOLUMES ? index_class : index_namespace);
    }
    s->lister = (struct sched_lister){ .list = list_kind, .get = get_kind, .arg = s };
}

static void elect(struct scheduler *s)
{
    s->election = leader_election_new(
        &(struct leader_election_options){ .loop = s->loop,
                                           .client = s->rest,
                                           .namespace = STR("kube-system"),
                                           .name = STR("kube-scheduler"),
                                           .identity = leader_election_identity(&s->arena),
                                           .on_started = on_leading,
                                           .on_stopped = on_lease_lost,
                                           .arg = s });
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
    open_informers(s);
    if (o->leader_elect)
        elect(s);
    else
        on_leading(s);
    return 0;
}

static void end(struct scheduler *s)
{
    informer_free(s->pods);
    informer_free(s->nodes);
    for (size_t i = 0; i < SCHED_KINDS; i++)
        informer_free(s->kinds[i]);
    event_recorder_free(s->events);
    leader_election_free(s->election);
    rest_client_free(s->rest);
    scheduler_writes_done(s);
    scheduler_volumes_done(s);
    scheduling_queue_done(&s->queue);
    scheduler_cache_done(&s->cache);
    loop_free(s->loop);
    arena_done(&s->arena);
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
    list_init(&s.volume_bindings);
    scheduling_queue_init(&s.queue);
    r = start(&s, o, &err);
    if (r >= 0)
        loop_run(s.loop);
    else
        (void)fprintf(stderr, "pintle scheduler: %s\n", err.text);
    end(&s);
    return r < 0 || s.has_lost ? 1 : 0;
}
