#include "kubelet/manifest/mirror_pods.h"

#include "api/core_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/rest_client.h"
#include "codec/value.h"
#include "io/loop.h"

#define MIRROR "kubernetes.io/config.mirror"

enum { RETRY_MS = 500, RETRY_MAX_MS = 30000 };

struct entry {
    struct mirror_pods *owner;
    char *key;
    const struct api_object *mirror; /* NULL: the API has none */
    struct rest_call *call;
    bool is_changed;  /* the watch has told since the call began */
    bool is_answered; /* what was asked for is done; the watch will tell */
    struct loop_timer timer;
    int64_t backoff_ms;
};

struct mirror_pods {
    struct mirror_pods_options o;
    struct map entries;
    bool is_synced;
};

static struct str mirror_of(const struct api_object *pod)
{
    const struct schema_str_entry *e = text_map_find(&pod->meta->annotations, STR(MIRROR));

    return e ? e->value : STR_NULL;
}

bool mirror_pods_is_mirror(const struct api_object *pod)
{
    return mirror_of(pod).p != NULL;
}

static void reconcile(struct entry *e);

static void on_timer(struct loop_timer *t)
{
    reconcile(CONTAINER_OF(t, struct entry, timer));
}

static struct entry *entry_of(struct mirror_pods *m, struct str key)
{
    struct entry *e = map_get(&m->entries, key);

    if (e)
        return e;
    e = NEW(struct entry);
    e->owner = m;
    e->key = str_heap_cstr(key);
    loop_timer_init(&e->timer, m->o.loop, on_timer);
    (void)map_put(&m->entries, key, e);
    return e;
}

static void entry_free(struct entry *e)
{
    rest_call_cancel(e->call);
    loop_timer_stop(&e->timer);
    api_object_unref(e->mirror);
    mem_free(e->key);
    mem_free(e);
}

static void on_done(const struct rest_result *res, void *arg)
{
    struct entry *e = arg;

    e->call = NULL;
    if (res->result == 0 || res->result == ERR_NOT_FOUND || res->result == ERR_EXISTS) {
        e->backoff_ms = 0;
        e->is_answered = !e->is_changed;
        reconcile(e);
        return;
    }
    LOG_WARNING("cannot keep the mirror of a static Pod", KV("pod", str_from_cstr(e->key)),
                KV("err", res->message.len ? res->message : STR("no answer")));
    e->backoff_ms = e->backoff_ms ? MIN(e->backoff_ms * 2, (int64_t)RETRY_MAX_MS) : RETRY_MS;
    loop_timer_start(&e->timer, e->backoff_ms);
}

static const struct resource *pods(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static void remove_mirror(struct entry *e)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    e->is_changed = false;
    e->call = rest_call_start(
        e->owner->o.client,
        &(struct rest_request){
            .verb = REST_DELETE,
            .resource = pods(),
            .namespace = e->mirror->meta->namespace,
            .name = e->mirror->meta->name,
            .patch = arena_printf(&a,
                                  "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
                                  "\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%.*s\"}}",
                                  STR_ARG(e->mirror->meta->uid)) },
        on_done, e);
}

static void put(struct arena *a, struct value *v, struct str key, struct str text)
{
    (void)value_set(a, v, key, value_string(text));
}

/* The static Pod with the mark of a picture, owned by the Node. */
static struct str mirror_json(struct arena *a, const struct api_object *pod,
                              const struct core_v1_node *node)
{
    struct value root, *meta, *list, *owner;
    struct buf text, out;
    struct err err;

    buf_init_arena(&text, a, 4096);
    buf_init_arena(&out, a, 4096);
    object_json_encode(&text, pod->o, NULL);
    if (value_parse(a, buf_str(&text), &root, NULL, &err) < 0)
        return STR_NULL; /* it is our own text */
    (void)value_remove(&root, STR("status"));
    meta = value_get(&root, STR("metadata"));
    (void)value_remove(meta, STR("uid"));
    put(a, value_get(meta, STR("annotations")), STR(MIRROR), pod->meta->uid);
    list = value_set(a, meta, STR("ownerReferences"), value_array());
    owner = value_push(a, list, value_object());
    put(a, owner, STR("apiVersion"), STR("v1"));
    put(a, owner, STR("kind"), STR("Node"));
    put(a, owner, STR("name"), node->metadata.name);
    put(a, owner, STR("uid"), node->metadata.uid);
    (void)value_set(a, owner, STR("controller"), value_bool(true));
    value_print(&out, &root);
    return buf_str(&out);
}

static void make_mirror(struct entry *e, const struct api_object *pod)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct core_v1_node *node = e->owner->o.node(e->owner->o.arg);

    if (!node)
        return; /* whoever learns of it wakes us */
    e->is_changed = false;
    e->call = rest_call_start(e->owner->o.client,
                              &(struct rest_request){ .verb = REST_CREATE,
                                                      .resource = pods(),
                                                      .namespace = pod->meta->namespace,
                                                      .patch = mirror_json(&a, pod, node) },
                              on_done, e);
}

static void reconcile(struct entry *e)
{
    struct mirror_pods *m = e->owner;
    const struct api_object *pod = m->o.wanted(str_from_cstr(e->key), m->o.arg);

    if (e->call || !m->is_synced || e->is_answered)
        return;
    if (e->mirror && (!pod || e->mirror->meta->deletion_timestamp.set ||
                      !str_eq(mirror_of(e->mirror), pod->meta->uid))) {
        remove_mirror(e);
    } else if (!e->mirror && pod) {
        make_mirror(e, pod);
    } else if (!e->mirror && !pod) {
        (void)map_remove(&m->entries, str_from_cstr(e->key));
        entry_free(e);
    }
}

void mirror_pods_change(struct mirror_pods *m, const struct api_object *old,
                        const struct api_object *new)
{
    struct str key = (new ? new : old)->key;
    struct entry *e = entry_of(m, key);
    bool is_another = new && (!e->mirror || !str_eq(e->mirror->meta->uid, new->meta->uid));

    api_object_unref(e->mirror);
    e->mirror = new ? api_object_ref(new) : NULL;
    e->is_answered = false;
    e->is_changed = true;
    if (is_another)
        m->o.on_mirror(key, m->o.arg);
    reconcile(e);
}

void mirror_pods_synced(struct mirror_pods *m)
{
    m->is_synced = true;
    mirror_pods_wake(m, STR_NULL);
}

void mirror_pods_wake(struct mirror_pods *m, struct str key)
{
    if (key.len)
        reconcile(entry_of(m, key));
    else
        MAP_FOREACH(it, &m->entries)
            reconcile(it->value);
}

const struct api_object *mirror_pods_find(const struct mirror_pods *m, const struct api_object *pod)
{
    const struct entry *e = map_get(&m->entries, pod->key);

    return e && e->mirror && str_eq(mirror_of(e->mirror), pod->meta->uid) ? e->mirror : NULL;
}

struct mirror_pods *mirror_pods_new(const struct mirror_pods_options *o)
{
    struct mirror_pods *m = NEW(struct mirror_pods);

    m->o = *o;
    return m;
}

void mirror_pods_free(struct mirror_pods *m)
{
    if (!m)
        return;
    MAP_FOREACH(it, &m->entries)
        entry_free(it->value);
    map_done(&m->entries);
    mem_free(m);
}
