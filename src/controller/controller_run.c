/* One run of one key: reconcile lists changes; they are sent in batches of 1, 2, 4, ... (upstream's
 * slow start, so that a refusal by quota costs one request and not a thousand); then the run waits
 * until the caches have what was written, at most SEEN_TIMEOUT_MS. */
#include <stdarg.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "client/api_object.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/rest_client.h"
#include "codec/json_writer.h"
#include "codec/value.h"
#include "controller/controller_internal.h"
#include "io/loop.h"

enum { SEEN_TIMEOUT_MS = 10000, BATCH_MAX = 64 };

struct change {
    struct run *run;
    struct rest_request request;
    bool may_be_gone;  /* not found is fine */
    bool is_read;      /* its answer is what it is for */
    size_t answer;     /* is_read: its place in r.answers */
    bool is_event;     /* no request: what is told, and nothing else */
    struct told *told; /* NULL: nothing */
};

/* Events about a change; all texts in the run's arena. */
struct told {
    struct event_reference about;
    const char *type;
    struct reconcile_tale tale;
};

struct run {
    struct reconcile r;
    struct managed_controller *mc;
    struct arena arena;
    size_t next;   /* change to send */
    size_t in_air; /* sent, not answered */
    size_t batch;
    bool has_failed; /* a change of this stage */
    struct run_outcome outcome;
    struct {
        struct informer *informer;
        uint64_t revision;
    } written[4]; /* what the caches must have seen */
    size_t n_written;
    size_t n_awaited;
    struct loop_timer deadline;
};

/* --- listing changes --- */

static struct change *add(struct reconcile *r, enum rest_verb verb, const struct resource *row,
                          struct str namespace, struct str name)
{
    struct change *c = ARENA_NEW(r->arena, struct change);

    c->run = CONTAINER_OF(r, struct run, r);
    c->request = (struct rest_request){
        .verb = verb, .resource = row, .namespace = namespace, .name = name
    };
    VEC_PUSH(&r->changes, c);
    return c;
}

void reconcile_create(struct reconcile *r, const struct resource *row, struct str namespace,
                      struct object o)
{
    object_set_gvk(o, resource_api_version(r->arena, row), row->kind);
    add(r, REST_CREATE, row, namespace, STR_NULL)->request.body = o;
}

void reconcile_update_sub(struct reconcile *r, const struct resource *row, struct str subresource,
                          struct object o)
{
    const struct meta_v1_object_meta *m = object_meta(o);
    struct change *c = add(r, REST_UPDATE, row, m->namespace, m->name);

    object_set_gvk(o, resource_api_version(r->arena, row), row->kind);
    c->request.subresource = subresource;
    c->request.body = o;
}

void reconcile_update(struct reconcile *r, const struct resource *row, struct object o)
{
    reconcile_update_sub(r, row, STR_NULL, o);
}

void reconcile_update_status(struct reconcile *r, const struct resource *row, struct object o)
{
    reconcile_update_sub(r, row, STR("status"), o);
}

void reconcile_patch(struct reconcile *r, const struct resource *row, struct str namespace,
                     struct str name, struct str patch)
{
    add(r, REST_MERGE_PATCH, row, namespace, name)->request.patch = patch;
}

void reconcile_put_sub(struct reconcile *r, const struct resource *row, struct str namespace,
                       struct str name, struct str subresource, struct str json)
{
    struct change *c = add(r, REST_UPDATE, row, namespace, name);

    c->request.subresource = subresource;
    c->request.patch = json; /* sent as it is */
}

void reconcile_patch_strategic(struct reconcile *r, const struct resource *row,
                               struct str namespace, struct str name, struct str patch)
{
    add(r, REST_STRATEGIC_MERGE_PATCH, row, namespace, name)->request.patch = patch;
}

void reconcile_delete(struct reconcile *r, const struct resource *row, struct str namespace,
                      struct str name, struct str uid, struct str policy)
{
    struct change *c = add(r, REST_DELETE, row, namespace, name);
    struct buf b = { 0 };

    c->may_be_gone = true;
    if (!uid.len && !policy.len)
        return;
    buf_init_arena(&b, r->arena, 128);
    buf_append_lit(&b, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"");
    if (uid.len) {
        buf_append_lit(&b, ",\"preconditions\":{\"uid\":");
        json_write_string(&b, uid);
        buf_append_char(&b, '}');
    }
    if (policy.len) {
        buf_append_lit(&b, ",\"propagationPolicy\":");
        json_write_string(&b, policy);
    }
    buf_append_char(&b, '}');
    c->request.patch = buf_str(&b); /* sent as it is */
}

void reconcile_delete_as_seen(struct reconcile *r, const struct resource *row,
                              const struct api_object *o, struct str policy)
{
    struct change *c = add(r, REST_DELETE, row, o->meta->namespace, o->meta->name);

    c->may_be_gone = true;
    c->request.patch = arena_printf(
        r->arena,
        "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"%.*s\","
        "\"preconditions\":{\"uid\":\"%.*s\",\"resourceVersion\":\"%.*s\"}}",
        STR_ARG(policy), STR_ARG(o->meta->uid), STR_ARG(o->meta->resource_version));
}

void reconcile_delete_now(struct reconcile *r, const struct resource *row, struct str namespace,
                          struct str name, struct str uid)
{
    struct change *c = add(r, REST_DELETE, row, namespace, name);

    c->may_be_gone = true;
    c->request.patch =
        arena_printf(r->arena,
                     "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
                     "\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%.*s\"}}",
                     STR_ARG(uid));
}

void reconcile_delete_collection(struct reconcile *r, const struct resource *row,
                                 struct str namespace)
{
    add(r, REST_DELETECOLLECTION, row, namespace, STR_NULL)->may_be_gone = true;
}

void reconcile_get_sub(struct reconcile *r, const struct resource *row, struct str namespace,
                       struct str name, struct str subresource)
{
    struct change *c = add(r, REST_GET, row, namespace, name);

    c->may_be_gone = c->is_read = true;
    c->request.subresource = subresource;
    c->answer = r->answers.len;
    VEC_PUSH(&r->answers, (struct reconcile_answer){ .result = ERR_CANCELED });
}

void reconcile_ask(struct reconcile *r, const struct resource *row, struct str namespace,
                   struct object o)
{
    struct change *c;

    reconcile_get_sub(r, row, namespace, STR_NULL, STR_NULL);
    c = r->changes.items[r->changes.len - 1];
    object_set_gvk(o, resource_api_version(r->arena, row), row->kind);
    c->request.verb = REST_CREATE;
    c->request.body = o;
    c->is_read = true;
}

void reconcile_list(struct reconcile *r, const struct resource *row, struct str namespace)
{
    reconcile_get_sub(r, row, namespace, STR_NULL, STR_NULL);
    r->changes.items[r->changes.len - 1]->request.verb = REST_LIST;
}

void reconcile_get(struct reconcile *r, const struct resource *row, struct str namespace,
                   struct str name)
{
    reconcile_get_sub(r, row, namespace, name, STR_NULL);
}

/* --- events --- */

static struct told *told_new(struct arena *a, const struct api_object *about)
{
    struct told *t = ARENA_NEW(a, struct told);
    struct event_reference e = event_reference_of(about);

    t->about = (struct event_reference){ .api_version = str_dup(a, e.api_version),
                                         .kind = str_dup(a, e.kind),
                                         .namespace = str_dup(a, e.namespace),
                                         .name = str_dup(a, e.name),
                                         .uid = str_dup(a, e.uid),
                                         .resource_version = str_dup(a, e.resource_version) };
    t->type = "Normal";
    return t;
}

void reconcile_event(struct reconcile *r, const struct api_object *about, const char *type,
                     const char *reason, const char *fmt, ...)
{
    struct change *c = ARENA_NEW(r->arena, struct change);
    va_list ap;

    c->run = CONTAINER_OF(r, struct run, r);
    c->is_event = true;
    c->told = told_new(r->arena, about);
    c->told->type = type;
    c->told->tale.reason = reason;
    va_start(ap, fmt);
    c->told->tale.text = arena_vprintf(r->arena, fmt, ap);
    va_end(ap);
    VEC_PUSH(&r->changes, c);
}

void reconcile_tell(struct reconcile *r, const struct api_object *about,
                    const struct reconcile_tale *tale)
{
    struct told *t = told_new(r->arena, about);

    t->tale = *tale;
    t->tale.text = str_dup(r->arena, tale->text);
    t->tale.failed_text = str_dup(r->arena, tale->failed_text);
    VEC_LAST(&r->changes)->told = t;
}

static struct event_recorder *recorder_of(struct managed_controller *mc)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    if (!mc->recorder)
        mc->recorder = event_recorder_new(&(struct event_recorder_options){
            .loop = mc->manager->loop,
            .client = mc->manager->rest,
            .component = arena_printf(&a, "%s-controller", mc->controller->name) });
    return mc->recorder;
}

static void tell(const struct change *c, struct str name)
{
    const struct told *t = c->told;

    if (t && t->tale.reason)
        event_recorder_event(recorder_of(c->run->mc), &t->about, t->type,
                             str_from_cstr(t->tale.reason), "%.*s%.*s", STR_ARG(t->tale.text),
                             STR_ARG(t->tale.ends_in_name ? name : STR_NULL));
}

/* What a Namespace that is leaving refuses is no news, nor is an object that is there. */
static void tell_of_failure(const struct change *c, const struct rest_result *answer)
{
    const struct told *t = c->told;

    if (t && t->tale.failed_reason && answer->result != ERR_EXISTS &&
        !str_contains(answer->body, STR("NamespaceTerminating")))
        event_recorder_event(recorder_of(c->run->mc), &t->about, "Warning",
                             str_from_cstr(t->tale.failed_reason), "%.*s%.*s",
                             STR_ARG(t->tale.failed_text), STR_ARG(answer->message));
}

/* --- the run --- */

static void send_batch(struct run *run);
static void run_stage(struct run *run, enum reconcile_result (*stage)(struct reconcile *r));

static void end_run(struct run *run)
{
    struct managed_controller *mc = run->mc;
    struct run_outcome outcome = run->outcome;
    struct str key = run->r.key; /* the queue's */

    loop_timer_stop(&run->deadline);
    for (size_t i = 0; i < run->n_written; i++)
        informer_cancel_await(run->written[i].informer, run);
    VEC_DONE(&run->r.changes);
    VEC_DONE(&run->r.answers);
    arena_done(&run->arena);
    mem_free(run);
    controller_run_ended(mc, key, &outcome);
}

/* What reconcile wanted to do after its changes. */
static void next_stage(struct run *run)
{
    enum reconcile_result (*then)(struct reconcile *) = TAKE(run->r.then);
    enum reconcile_result (*otherwise)(struct reconcile *) = TAKE(run->r.otherwise);

    if (run->outcome.is_failed && otherwise) {
        run_stage(run, otherwise);
    } else if (!run->outcome.is_failed && then && !run->n_awaited) {
        run_stage(run, then);
    } else {
        end_run(run);
    }
}

/* Time is up, or everything has been seen: on_seen() comes from within the cache's own work, so it
 * only lets the timer fire. */
static void on_deadline(struct loop_timer *t)
{
    struct run *run = CONTAINER_OF(t, struct run, deadline);

    if (run->n_awaited)
        LOG_WARNING("the cache has not seen what was written",
                    KV("controller", run->mc->controller->name), KV("key", run->r.key));
    next_stage(run);
}

static void on_seen(void *arg)
{
    struct run *run = arg;

    if (--run->n_awaited == 0)
        loop_timer_start(&run->deadline, 0);
}

/* All changes are answered. */
static void await_caches(struct run *run)
{
    run->n_awaited = run->n_written + 1;
    loop_timer_start(&run->deadline, SEEN_TIMEOUT_MS);
    for (size_t i = 0; i < run->n_written; i++)
        informer_await(run->written[i].informer, run->written[i].revision, on_seen, run);
    on_seen(run);
}

static void note_written(struct run *run, const struct resource *row, uint64_t revision)
{
    struct informer *i = controller_informer(run->mc->manager, row);

    if (!i || !revision)
        return;
    for (size_t n = 0; n < run->n_written; n++)
        if (run->written[n].informer == i) {
            run->written[n].revision = MAX(run->written[n].revision, revision);
            return;
        }
    if (run->n_written < ARRAY_LEN(run->written)) {
        run->written[run->n_written].informer = i;
        run->written[run->n_written++].revision = revision;
    }
}

/* What a delete of a collection answers: a list of what it met. */
static void count_items(struct reconcile *r, struct str json)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct value *items;
    struct value v;
    struct err err;

    if (value_parse(&a, json, &v, NULL, &err) < 0)
        return;
    items = value_get(&v, STR("items"));
    for (uint32_t i = 0; items && items->type == VALUE_ARRAY && i < items->len; i++) {
        const struct value *meta = value_get(&items->items[i], STR("metadata"));

        r->n_deleted++;
        r->n_terminating += meta && value_get_str(meta, STR("deletionTimestamp")).len > 0;
    }
}

static void note_read(struct change *c, const struct rest_result *answer)
{
    struct reconcile_answer *a = &c->run->r.answers.items[c->answer];
    const struct meta_v1_object_meta *meta = answer->object ? answer->object->meta : NULL;

    a->result = answer->result;
    if (c->request.subresource.len || c->request.verb != REST_GET)
        a->body = str_dup(&c->run->arena, answer->body);
    if (!meta)
        return;
    a->uid = str_dup(&c->run->arena, meta->uid);
    for (uint32_t i = 0; i < meta->finalizers.len && meta->deletion_timestamp.set; i++)
        a->is_deleted_in_foreground |= str_eq(meta->finalizers.items[i], STR("foregroundDeletion"));
}

static void note_refusal(struct change *c, const struct rest_result *answer)
{
    struct run *run = c->run;

    if (!run->outcome.is_failed)
        run->r.failure = str_dup(&run->arena, answer->message);
    run->outcome.is_failed = run->has_failed = true;
    run->outcome.is_conflict |= answer->result == ERR_CONFLICT;
    if (answer->result != ERR_CONFLICT)
        LOG_WARNING("change refused", KV("controller", run->mc->controller->name),
                    KV("key", run->r.key), KV("resource", c->request.resource->name),
                    KV("name", c->request.name), KV("reason", answer->message));
    tell_of_failure(c, answer);
}

static void on_answer(const struct rest_result *answer, void *arg)
{
    struct change *c = arg;
    struct run *run = c->run;

    if (c->request.verb == REST_DELETECOLLECTION && answer->result == 0)
        count_items(&run->r, answer->body);
    if (c->is_read)
        note_read(c, answer);
    else if (answer->object)
        note_written(run, c->request.resource, answer->object->revision);
    if (answer->result < 0 && !(answer->result == ERR_NOT_FOUND && c->may_be_gone))
        note_refusal(c, answer);
    else
        tell(c, answer->object ? answer->object->meta->name : c->request.name);
    if (--run->in_air)
        return;
    if (run->has_failed || run->next == run->r.changes.len)
        await_caches(run);
    else
        send_batch(run);
}

static void send_batch(struct run *run)
{
    do {
        size_t end = MIN(run->next + run->batch, run->r.changes.len);

        run->batch = MIN(run->batch * 2, (size_t)BATCH_MAX);
        for (; run->next < end; run->next++) {
            struct change *c = run->r.changes.items[run->next];

            if (c->is_event) {
                tell(c, STR_NULL);
                continue;
            }
            run->in_air++;
            (void)rest_call_start(run->mc->manager->rest, &c->request, on_answer,
                                  c); /* never fails at once */
        }
    } while (!run->in_air && run->next < run->r.changes.len);
    if (!run->in_air)
        await_caches(run);
}

/* What lies in a cache lasts for this turn of the loop alone; changes that are sent later, and the
 * names that an answer is told by, are kept. */
static void keep_changes(struct run *run)
{
    for (size_t i = 0; i < run->r.changes.len; i++) {
        struct rest_request *q = &run->r.changes.items[i]->request;
        struct buf b;

        q->namespace = str_dup(&run->arena, q->namespace);
        q->name = str_dup(&run->arena, q->name);
        if (i < run->batch || !q->body.data)
            continue;
        buf_init_arena(&b, &run->arena, 1024);
        object_json_encode(&b, q->body, NULL);
        q->patch = buf_str(&b); /* sent as it is */
        q->body = (struct object){ 0 };
    }
}

static void run_stage(struct run *run, enum reconcile_result (*stage)(struct reconcile *r))
{
    VEC_CLEAR(&run->r.changes);
    run->next = 0;
    run->batch = 1;
    run->has_failed = false;
    run->outcome.is_failed |= stage(&run->r) == RECONCILE_FAILED;
    run->outcome.again_after_ms = run->r.again_after_ms;
    keep_changes(run);
    if (run->r.changes.len)
        send_batch(run);
    else if (run->r.then && !run->outcome.is_failed)
        loop_timer_start(&run->deadline, 0); /* nothing to wait for */
    else
        end_run(run);
}

void controller_run_start(struct managed_controller *mc, struct str key)
{
    struct run *run = NEW(struct run);
    struct controller_manager *m = mc->manager;

    run->mc = mc;
    run->r.manager = m;
    run->r.controller = mc->controller;
    run->r.arena = &run->arena;
    run->r.key = key;
    run->r.now_s = clock_wall_s(loop_clock(m->loop));
    if (!str_cut(key, '/', &run->r.namespace, &run->r.name)) {
        run->r.name = key;
        run->r.namespace = STR("");
    }
    loop_timer_init(&run->deadline, m->loop, on_deadline);
    run_stage(run, mc->controller->reconcile);
}
