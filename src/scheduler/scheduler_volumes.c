/* What comes before a Pod's binding when its claims have waited for it: volumes are promised to
 * claims, drivers are told of the node, and when the controller has bound all claims, so is the
 * Pod.
 *
 * What was given away counts for the next cycles at once (the cache's given_volumes, told_nodes),
 * until the API shows it. When something fails the Pod comes back; what was written stays: the same
 * claim is likely to get the same volume again. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/text_map.h"
#include "api/volume_match.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/rest_client.h"
#include "codec/json_writer.h"
#include "scheduler/scheduler_internal.h"

enum { TIMEOUT_MS = 600000 };

struct given_claim {
    struct volume_binding *binding;
    const struct api_object *claim, *volume; /* as they were chosen; volume NULL: to be made */
    uint64_t revision; /* of what was written: what the cache must have seen */
};

struct volume_binding {
    struct list link;
    struct scheduler *scheduler;
    const struct api_object *pod;
    size_t row;
    char *node;
    struct given_claim *claims;
    size_t n, in_air;
    bool is_dropped; /* goes when its last answer has come */
    char *failure;   /* NULL: none yet */
    struct loop_timer timer;
};

static void forget(struct map *m, struct str key)
{
    mem_free(map_remove(m, key));
}

static void note(struct map *m, struct str key, struct str value)
{
    mem_free(map_put(m, key, str_heap_cstr(value)));
}

static void binding_free(struct volume_binding *b)
{
    loop_timer_stop(&b->timer);
    list_remove(&b->link);
    for (size_t i = 0; i < b->n; i++) {
        api_object_unref(b->claims[i].claim);
        api_object_unref(b->claims[i].volume);
    }
    api_object_unref(b->pod);
    mem_free(b->claims);
    mem_free(b->node);
    mem_free(b->failure);
    mem_free(b);
}

/* Only what nobody has written: the rest is the API's to tell. */
static void take_back(struct volume_binding *b)
{
    struct scheduler_cache *c = &b->scheduler->cache;

    for (size_t i = 0; i < b->n; i++) {
        const struct given_claim *g = &b->claims[i];

        if (g->revision)
            continue;
        if (g->volume)
            forget(&c->given_volumes, g->volume->key);
        else
            forget(&c->told_nodes, g->claim->key);
    }
}

static void fail(struct volume_binding *b, struct str why)
{
    struct scheduler *s = b->scheduler;
    struct event_reference about = event_reference_of(b->pod);
    struct str uid = b->pod->meta->uid;

    take_back(b);
    scheduler_cache_forget(&s->cache, uid);
    event_recorder_event(s->events, &about, "Warning", STR("FailedScheduling"),
                         "running PreBind plugin \"VolumeBinding\": %.*s", STR_ARG(why));
    scheduling_queue_retry(&s->queue, uid, loop_now_ms(s->loop));
    scheduling_queue_event(&s->queue, SCHED_POD_DELETED); /* its room is free */
    binding_free(b);
    s->has_lost_volumes = true;
    scheduler_wake(s);
}

/* --- is it done? --- */

static const struct api_object *current(const struct scheduler *s, enum sched_kind kind,
                                        const struct api_object *o)
{
    const struct api_object *now = informer_get(s->kinds[kind], o->key);

    return now && str_eq(now->meta->uid, o->meta->uid) ? now : NULL;
}

enum progress { PROGRESS_DONE, PROGRESS_WAITS, PROGRESS_FAILED };

static enum progress look_at_volume(const struct volume_binding *b, const struct given_claim *g,
                                    struct arena *a, struct str *ret_why)
{
    const struct api_object *o = current(b->scheduler, SCHED_VOLUMES, g->volume);
    const struct core_v1_persistent_volume *v = o ? o->o.data : NULL;

    if (o && o->revision < g->revision)
        return PROGRESS_WAITS;
    if (v && v->spec.claim_ref && v->spec.claim_ref->uid.len)
        return PROGRESS_DONE;
    if (map_has(&b->scheduler->cache.given_volumes, g->volume->key))
        return PROGRESS_WAITS; /* another Pod's binding is writing it */
    *ret_why = arena_printf(a, "binding volumes: ClaimRef got reset for pv \"%.*s\"",
                            STR_ARG(g->volume->meta->name));
    return PROGRESS_FAILED;
}

static enum progress look_at_node(const struct volume_binding *b, const struct given_claim *g,
                                  const struct api_object *claim, struct arena *a,
                                  struct str *ret_why)
{
    const struct schema_str_entry *e =
        text_map_find(&claim->meta->annotations, STR(VOLUME_SELECTED_NODE));

    if (claim->revision < g->revision)
        return PROGRESS_WAITS;
    if (e && str_eq(e->value, str_from_cstr(b->node)))
        return PROGRESS_DONE;
    if (map_has(&b->scheduler->cache.told_nodes, claim->key))
        return PROGRESS_WAITS;
    *ret_why = arena_printf(a, "binding volumes: provisioning failed for PVC \"%.*s\"",
                            STR_ARG(claim->meta->name));
    return PROGRESS_FAILED;
}

/* A claim that is bound must be bound to what the node reaches. */
static enum progress look_at_claim(const struct volume_binding *b, const struct given_claim *g,
                                   struct arena *a, struct str *ret_why)
{
    const struct scheduler *s = b->scheduler;
    const struct api_object *claim = current(s, SCHED_CLAIMS, g->claim), *volume, *node;
    const struct core_v1_persistent_volume_claim *c = claim ? claim->o.data : NULL;
    enum progress p;

    if (!claim) {
        *ret_why = arena_printf(a, "binding volumes: persistentvolumeclaim \"%.*s\" not found",
                                STR_ARG(g->claim->meta->name));
        return PROGRESS_FAILED;
    }
    p = g->volume ? look_at_volume(b, g, a, ret_why) : look_at_node(b, g, claim, a, ret_why);
    if (p != PROGRESS_DONE)
        return p;
    if (!volume_claim_is_bound(c))
        return PROGRESS_WAITS;
    volume = informer_get(s->kinds[SCHED_VOLUMES], c->spec.volume_name);
    node = informer_get(s->nodes, str_from_cstr(b->node));
    if (!volume)
        return PROGRESS_WAITS;
    if (node && volume_is_on_node(volume->o.data, node->o.data))
        return PROGRESS_DONE;
    *ret_why =
        arena_printf(a, "binding volumes: pv \"%.*s\" node affinity doesn't match node \"%s\"",
                     STR_ARG(volume->meta->name), b->node);
    return PROGRESS_FAILED;
}

/* May end the binding. */
static void check(struct volume_binding *b)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct scheduler *s = b->scheduler;
    const struct api_object *pod;
    struct str why = STR("");
    bool waits = false;

    if (b->in_air || b->is_dropped)
        return;
    for (size_t i = 0; i < b->n; i++) {
        enum progress p = look_at_claim(b, &b->claims[i], &a, &why);

        if (p == PROGRESS_FAILED) {
            fail(b, why);
            return;
        }
        waits |= p == PROGRESS_WAITS;
    }
    if (waits)
        return;
    pod = api_object_ref(b->pod);
    scheduler_bind(s, pod, b->row);
    binding_free(b);
    api_object_unref(pod);
}

static void on_timeout(struct loop_timer *t)
{
    struct volume_binding *b = CONTAINER_OF(t, struct volume_binding, timer);

    if (b->in_air)
        loop_timer_start(&b->timer, 1000); /* requests have time limits of their own */
    else
        fail(b, STR("binding volumes: context deadline exceeded"));
}

/* --- writing --- */

static void on_written(const struct rest_result *res, void *arg)
{
    struct given_claim *g = arg;
    struct volume_binding *b = g->binding;

    if (res->result >= 0 && res->object)
        g->revision = res->object->revision;
    else if (!b->failure)
        b->failure = str_heap_cstr(res->message.len ? res->message : STR("no answer"));
    if (--b->in_air)
        return;
    if (b->is_dropped) {
        take_back(b);
        binding_free(b);
    } else if (b->failure) {
        CLEANUP(arena_done) struct arena a = { 0 };

        fail(b, str_dup(&a, str_from_cstr(b->failure)));
    } else {
        check(b);
    }
}

static void send(struct given_claim *g, enum sched_kind kind, const struct api_object *o,
                 const struct buf *patch)
{
    struct scheduler *s = g->binding->scheduler;

    g->binding->in_air++;
    (void)rest_call_start(s->rest,
                          &(struct rest_request){ .verb = REST_MERGE_PATCH,
                                                  .resource = informer_resource(s->kinds[kind]),
                                                  .namespace = o->meta->namespace,
                                                  .name = o->meta->name,
                                                  .patch = buf_str(patch) },
                          on_written, g);
}

static void put_text(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "\"%s\":", name);
    json_write_string(b, value);
}

/* Against the state that was chosen: whoever was faster wins. */
static void promise(struct given_claim *g)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct meta_v1_object_meta *claim = g->claim->meta, *volume = g->volume->meta;
    struct buf b;

    buf_init_arena(&b, &a, 512);
    buf_append_lit(&b, "{\"metadata\":{");
    put_text(&b, "resourceVersion", volume->resource_version);
    if (!volume_is_for(g->volume->o.data, g->claim->o.data))
        buf_append_lit(&b, ",\"annotations\":{\"" VOLUME_BOUND_BY_CONTROLLER "\":\"yes\"}");
    buf_append_lit(&b, "},\"spec\":{\"claimRef\":{\"kind\":\"PersistentVolumeClaim\","
                       "\"apiVersion\":\"v1\",");
    put_text(&b, "namespace", claim->namespace);
    buf_append_char(&b, ',');
    put_text(&b, "name", claim->name);
    buf_append_char(&b, ',');
    put_text(&b, "uid", claim->uid);
    buf_append_char(&b, ',');
    put_text(&b, "resourceVersion", claim->resource_version);
    buf_append_lit(&b, "}}}");
    note(&g->binding->scheduler->cache.given_volumes, g->volume->key, g->claim->key);
    send(g, SCHED_VOLUMES, g->volume, &b);
}

static void tell(struct given_claim *g)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str node = str_from_cstr(g->binding->node);
    struct buf b;

    buf_init_arena(&b, &a, 256);
    buf_append_lit(&b, "{\"metadata\":{");
    put_text(&b, "uid", g->claim->meta->uid);
    buf_append_lit(&b, ",\"annotations\":{");
    put_text(&b, VOLUME_SELECTED_NODE, node);
    buf_append_lit(&b, "}}}");
    note(&g->binding->scheduler->cache.told_nodes, g->claim->key, node);
    send(g, SCHED_CLAIMS, g->claim, &b);
}

/* Another Pod of the same claim may have been first. */
static bool is_given(const struct given_claim *g)
{
    const struct scheduler_cache *c = &g->binding->scheduler->cache;
    const struct core_v1_persistent_volume *v = g->volume ? g->volume->o.data : NULL;

    if (v)
        return map_has(&c->given_volumes, g->volume->key) ||
               (v->spec.claim_ref && v->spec.claim_ref->uid.len);
    return map_has(&c->told_nodes, g->claim->key) ||
           text_map_find(&g->claim->meta->annotations, STR(VOLUME_SELECTED_NODE));
}

void scheduler_bind_volumes(struct scheduler *s, const struct api_object *pod, size_t row,
                            const struct volume_choice *choices, size_t n)
{
    struct volume_binding *b = NEW(struct volume_binding);

    b->scheduler = s;
    b->pod = api_object_ref(pod);
    b->row = row;
    b->node = str_heap_cstr(str_from_cstr(scheduler_cache_node(&s->cache, row)->name));
    b->claims = mem_zalloc(n * sizeof(*b->claims));
    b->n = n;
    loop_timer_init(&b->timer, s->loop, on_timeout);
    list_init(&b->link);
    list_append(&s->volume_bindings, &b->link);
    b->in_air = 1; /* until all are on their way */
    for (size_t i = 0; i < n; i++) {
        struct given_claim *g = &b->claims[i];

        g->binding = b;
        g->claim = api_object_ref(choices[i].claim);
        g->volume = choices[i].volume ? api_object_ref(choices[i].volume) : NULL;
        if (is_given(g))
            g->revision = 1; /* not ours to take back */
        else if (g->volume)
            promise(g);
        else
            tell(g);
    }
    b->in_air--;
    loop_timer_start(&b->timer, TIMEOUT_MS);
    check(b);
}

/* --- what happens meanwhile --- */

/* What the API shows needs no note any more. */
static void unnote(struct scheduler *s, const struct api_object *claim,
                   const struct api_object *volume)
{
    const struct core_v1_persistent_volume *v = volume ? volume->o.data : NULL;

    if (v && (v->spec.claim_ref || !informer_get(s->kinds[SCHED_VOLUMES], volume->key)))
        forget(&s->cache.given_volumes, volume->key);
    if (claim &&
        (text_map_find(&claim->meta->annotations, STR(VOLUME_SELECTED_NODE)) ||
         volume_claim_is_bound(claim->o.data) || !informer_get(s->kinds[SCHED_CLAIMS], claim->key)))
        forget(&s->cache.told_nodes, claim->key);
}

static bool uses(const struct volume_binding *b, const struct api_object *claim)
{
    for (size_t i = 0; i < b->n; i++)
        if (str_eq(claim->key, b->claims[i].claim->key))
            return true;
    return false;
}

void scheduler_volumes_changed(struct scheduler *s, const struct api_object *claim,
                               const struct api_object *volume)
{
    s->has_lost_volumes = false;
    unnote(s, claim, volume);
    LIST_FOREACH_SAFE(n, &s->volume_bindings) {
        struct volume_binding *b = CONTAINER_OF(n, struct volume_binding, link);

        if (!claim || uses(b, claim))
            check(b);
    }
}

void scheduler_volumes_drop(struct scheduler *s, struct str uid)
{
    LIST_FOREACH_SAFE(n, &s->volume_bindings) {
        struct volume_binding *b = CONTAINER_OF(n, struct volume_binding, link);

        if (!str_eq(b->pod->meta->uid, uid))
            continue;
        b->is_dropped = true;
        if (b->in_air)
            continue;
        take_back(b);
        binding_free(b);
    }
}

void scheduler_volumes_done(struct scheduler *s)
{
    LIST_FOREACH_SAFE(n, &s->volume_bindings)
        binding_free(CONTAINER_OF(n, struct volume_binding, link));
    MAP_FOREACH(e, &s->cache.given_volumes)
        mem_free(e->value);
    map_done(&s->cache.given_volumes);
    MAP_FOREACH(e, &s->cache.told_nodes)
        mem_free(e->value);
    map_done(&s->cache.told_nodes);
}
