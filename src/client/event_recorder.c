/* One entry per Event on the server, found by what it says. An entry that changes while its request
 * is under way is sent once more afterwards, so a burst of repetitions costs two requests. */
#include "client/event_recorder.h"

#include <stdarg.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "client/api_object.h"
#include "client/rest_client.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"
#include "io/loop.h"

enum {
    MAX_ENTRIES = 4096, /* Events that are remembered; the oldest are forgotten */
    MAX_OBJECTS = 4096,
    MAX_IN_FLIGHT = 8,
    MESSAGE_BYTES = 1024,
    SIMILAR_MAX = 10,       /* different messages of one kind, then they are one */
    SIMILAR_WINDOW_S = 600, /* as long as one comes within this time of the last */
    BURST = 25,             /* Events of one object at once */
    REFILL_S = 300,         /* and one more in this time */
};

struct entry {
    struct list used;  /* in recorder.used, oldest first */
    struct list queue; /* in recorder.queue when it is to be sent */
    struct event_recorder *recorder;
    struct arena arena; /* of the texts */
    struct str key;
    struct event_reference about;
    const char *type;
    struct str name, reason, message;
    char *text; /* the message's, which may change often */
    int32_t count;
    int64_t first_s, last_s;
    struct rest_call *call; /* NULL: none is under way */
    bool is_created;        /* on the server */
    bool is_changed;        /* since it was sent */
};

/* Events of one object and kind, whatever they say. */
struct similar {
    uint64_t hashes[SIMILAR_MAX]; /* of messages */
    size_t n;
    int64_t last_s;
};

struct budget { /* of one object */
    double tokens;
    int64_t at_s;
};

struct event_recorder {
    struct event_recorder_options o;
    struct arena arena; /* of the options' texts */
    const struct resource *row;
    struct map entries; /* of struct entry */
    struct list used, queue;
    size_t in_flight;
    struct map similar; /* of struct similar */
    struct map budgets; /* of struct budget */
};

/* --- memory --- */

static void entry_free(struct entry *e)
{
    list_remove(&e->used);
    list_remove(&e->queue);
    arena_done(&e->arena);
    mem_free(e->text);
    mem_free(e);
}

static void clear(struct map *m)
{
    MAP_FOREACH(it, m)
        mem_free(it->value);
    map_done(m);
    *m = (struct map){ 0 };
}

/* Bounded by forgetting all at once, which costs a repetition each that counts anew. */
static void *remember(struct map *m, struct str key, size_t size)
{
    void *v = map_get(m, key);

    if (v)
        return v;
    if (m->len >= MAX_OBJECTS)
        clear(m);
    v = mem_zalloc(size);
    (void)map_put(m, key, v);
    return v;
}

static void forget_oldest(struct event_recorder *r)
{
    LIST_FOREACH_SAFE(n, &r->used) {
        struct entry *e = CONTAINER_OF(n, struct entry, used);

        if (r->entries.len < MAX_ENTRIES)
            return;
        if (e->call || !list_is_empty(&e->queue))
            continue;
        (void)map_remove(&r->entries, e->key);
        entry_free(e);
    }
}

/* --- sending --- */

static void send_more(struct event_recorder *r);

static void on_done(const struct rest_result *res, void *arg)
{
    struct entry *e = arg;
    struct event_recorder *r = e->recorder;

    e->call = NULL;
    r->in_flight--;
    if (res->result == 0)
        e->is_created = true;
    else if (res->result == ERR_NOT_FOUND && e->is_created)
        e->is_created = false, e->is_changed = true; /* it expired: made anew */
    else
        LOG_DEBUG("cannot write an event", KV("reason", e->reason),
                  KV("err", res->message.len ? res->message : STR("no answer")));
    if (e->is_changed && list_is_empty(&e->queue))
        list_append(&r->queue, &e->queue);
    send_more(r);
}

static struct object event_of(struct arena *a, const struct entry *e)
{
    const struct event_recorder *r = e->recorder;
    struct object o = object_new(a, &schema_builtin, r->row->type);
    struct core_v1_event *v = o.data;

    object_set_gvk(o, STR("v1"), STR("Event"));
    v->metadata.namespace = e->about.namespace.len ? e->about.namespace : STR("default");
    v->metadata.name = e->name;
    v->involved_object = (struct core_v1_object_reference){
        .kind = e->about.kind,
        .api_version = e->about.api_version,
        .namespace = e->about.namespace,
        .name = e->about.name,
        .uid = e->about.uid,
        .resource_version = e->about.resource_version,
        .field_path = e->about.field_path,
    };
    v->reason = e->reason;
    v->message = e->message;
    v->type = str_from_cstr(e->type);
    v->source.component = r->o.component;
    v->source.host = r->o.host;
    v->reporting_component = r->o.component;
    v->reporting_instance = r->o.host;
    v->first_timestamp = (struct ktime){ .sec = e->first_s, .set = true };
    v->last_timestamp = (struct ktime){ .sec = e->last_s, .set = true };
    v->count = e->count;
    return o;
}

static void send(struct entry *e)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct event_recorder *r = e->recorder;
    struct object o = event_of(&a, e);
    const struct core_v1_event *v = o.data;
    struct rest_request q = {
        .verb = e->is_created ? REST_MERGE_PATCH : REST_CREATE,
        .resource = r->row,
        .namespace = v->metadata.namespace,
        .name = e->is_created ? e->name : STR_NULL,
    };

    if (e->is_created) {
        struct buf b;

        buf_init_arena(&b, &a, 256);
        buf_printf(&b, "{\"count\":%d,\"lastTimestamp\":\"", e->count);
        time_text_print(&b, e->last_s);
        buf_append_lit(&b, "\",\"message\":");
        json_write_string(&b, e->message);
        buf_append_char(&b, '}');
        q.patch = buf_str(&b);
    } else {
        q.body = o;
    }
    e->is_changed = false;
    e->call = rest_call_start(r->o.client, &q, on_done, e);
    r->in_flight++;
}

static void send_more(struct event_recorder *r)
{
    struct list *n;

    while (r->in_flight < MAX_IN_FLIGHT && (n = list_first(&r->queue))) {
        list_remove(n);
        send(CONTAINER_OF(n, struct entry, queue));
    }
}

/* --- what is worth an Event --- */

/* A token bucket for each object. */
static bool may_send(struct event_recorder *r, struct str object_key, int64_t now_s)
{
    struct budget *b = map_get(&r->budgets, object_key);

    if (!b) {
        b = remember(&r->budgets, object_key, sizeof(*b));
        *b = (struct budget){ .tokens = BURST, .at_s = now_s };
    }
    b->tokens = MIN((double)BURST, b->tokens + (double)(now_s - b->at_s) / REFILL_S);
    b->at_s = now_s;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

/* Too many different messages of one kind: from now on they are one. */
static bool is_one_of_many(struct event_recorder *r, struct str kind_key, struct str message,
                           int64_t now_s)
{
    struct similar *s = remember(&r->similar, kind_key, sizeof(*s));
    uint64_t h = hash_bytes(message.p, message.len);

    if (now_s - s->last_s > SIMILAR_WINDOW_S)
        s->n = 0;
    s->last_s = now_s;
    for (size_t i = 0; i < s->n; i++)
        if (s->hashes[i] == h)
            return false;
    if (s->n == SIMILAR_MAX)
        return true;
    s->hashes[s->n++] = h;
    return false;
}

static struct entry *entry_new(struct event_recorder *r, struct str key,
                               const struct event_reference *about, const char *type,
                               struct str reason, int64_t now_s)
{
    struct entry *e = NEW(struct entry);
    struct arena *a = &e->arena;

    forget_oldest(r);
    e->recorder = r;
    list_init(&e->used);
    list_init(&e->queue);
    e->key = str_dup(a, key);
    e->about = (struct event_reference){
        .api_version = str_dup(a, about->api_version),
        .kind = str_dup(a, about->kind),
        .namespace = str_dup(a, about->namespace),
        .name = str_dup(a, about->name),
        .uid = str_dup(a, about->uid),
        .resource_version = str_dup(a, about->resource_version),
        .field_path = str_dup(a, about->field_path),
    };
    e->type = str_eq(str_from_cstr(type), STR("Warning")) ? "Warning" : "Normal";
    e->reason = str_dup(a, reason);
    e->name =
        arena_printf(a, "%.*s.%016llx", STR_ARG(about->name), (unsigned long long)random_u64());
    e->first_s = now_s;
    (void)map_put(&r->entries, key, e);
    return e;
}

static void note(struct event_recorder *r, struct entry *e, struct str message, int64_t now_s)
{
    if (!str_eq(e->message, message)) {
        mem_free(e->text);
        e->text = str_heap_cstr(message);
        e->message = str_from_cstr(e->text);
    }
    e->count++;
    e->last_s = now_s;
    e->is_changed = true;
    list_remove(&e->used);
    list_append(&r->used, &e->used);
    if (!e->call && list_is_empty(&e->queue))
        list_append(&r->queue, &e->queue);
    send_more(r);
}

void event_recorder_event(struct event_recorder *r, const struct event_reference *about,
                          const char *type, struct str reason, const char *fmt, ...)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    int64_t now_s = clock_wall_s(loop_clock(r->o.loop));
    struct str message, object, kind, key;
    bool is_combined;
    struct entry *e;
    va_list ap;

    va_start(ap, fmt);
    message = arena_vprintf(&a, fmt, ap);
    va_end(ap);
    message = str_sub(message, 0, MESSAGE_BYTES);
    object = arena_printf(&a, "%.*s/%.*s/%.*s/%.*s", STR_ARG(about->kind),
                          STR_ARG(about->namespace), STR_ARG(about->name), STR_ARG(about->uid));
    kind = arena_printf(&a, "%.*s %.*s %s %.*s", STR_ARG(object), STR_ARG(about->field_path), type,
                        STR_ARG(reason));
    is_combined = is_one_of_many(r, kind, message, now_s);
    if (is_combined)
        message =
            str_sub(arena_printf(&a, "(combined from similar events): %.*s", STR_ARG(message)), 0,
                    MESSAGE_BYTES);
    if (!may_send(r, object, now_s))
        return;
    key = is_combined ? kind : arena_printf(&a, "%.*s %.*s", STR_ARG(kind), STR_ARG(message));
    e = map_get(&r->entries, key);
    if (!e)
        e = entry_new(r, key, about, type, reason, now_s);
    note(r, e, message, now_s);
}

/* --- life --- */

struct event_recorder *event_recorder_new(const struct event_recorder_options *o)
{
    struct event_recorder *r = NEW(struct event_recorder);

    r->o = *o;
    r->o.component = str_dup(&r->arena, o->component);
    r->o.host = str_dup(&r->arena, o->host);
    r->row = resource_find(STR(""), STR("v1"), STR("events"));
    list_init(&r->used);
    list_init(&r->queue);
    return r;
}

void event_recorder_free(struct event_recorder *r)
{
    if (!r)
        return;
    MAP_FOREACH(it, &r->entries) {
        struct entry *e = it->value;

        rest_call_cancel(e->call);
        entry_free(e);
    }
    map_done(&r->entries);
    clear(&r->similar);
    clear(&r->budgets);
    arena_done(&r->arena);
    mem_free(r);
}

struct event_reference event_reference_of(const struct api_object *o)
{
    return (struct event_reference){
        .api_version = object_api_version(o->o),
        .kind = object_kind(o->o),
        .namespace = o->meta->namespace,
        .name = o->meta->name,
        .uid = o->meta->uid,
        .resource_version = o->meta->resource_version,
    };
}
