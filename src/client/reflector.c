/*     LISTING --(initial events, then their bookmark)--> WATCHING
 *        ^                                                  |
 *        +---- 410, or ended before it was whole -----------+--> ended: WATCHING again, resumed
 */
#include "client/reflector.h"

#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "client/api_object.h"
#include "client/rest_client.h"
#include "io/loop.h"

enum { BACKOFF_MIN_MS = 800, BACKOFF_MAX_MS = 30000, FIRST_RETRY_MS = 20 };

struct reflector {
    struct reflector_options o;
    struct arena arena;
    struct rest_call *watch;
    struct loop_timer again;
    uint64_t revision; /* told up to here; 0: nothing */
    bool is_listing;
    uint32_t failures; /* in a row */
};

static void start(struct reflector *r);

/* Jittered, so that many do not come at once. The first retry is quick: servers restart. */
static int64_t backoff_ms(struct reflector *r)
{
    int64_t ms = BACKOFF_MIN_MS;

    if (r->failures++ == 0)
        return FIRST_RETRY_MS;
    for (uint32_t i = 2; i < r->failures && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    ms = MIN(ms, (int64_t)BACKOFF_MAX_MS);
    return ms / 2 + (int64_t)(random_u64() % (uint64_t)ms);
}

static void on_again(struct loop_timer *t)
{
    start(CONTAINER_OF(t, struct reflector, again));
}

static bool is_end_of_list(const struct api_object *o)
{
    return text_map_find(&o->meta->annotations, STR("k8s.io/initial-events-end")) != NULL;
}

static void on_bookmark(struct reflector *r, const struct api_object *o)
{
    r->revision = MAX(r->revision, o->revision);
    if (r->is_listing && is_end_of_list(o)) {
        r->is_listing = false;
        r->o.ops->on_synced(r->o.arg);
    }
    if (!r->is_listing)
        r->o.ops->on_revision(r->revision, r->o.arg);
}

static bool on_event(enum rest_event type, struct str json, void *arg)
{
    struct reflector *r = arg;
    struct api_object *o;
    struct err err;

    if (api_object_decode_trimmed(r->o.resource, json, r->o.trim, &o, &err) < 0) {
        LOG_ERROR("watch sent what is no object", KV("resource", r->o.resource->name),
                  KV("reason", (const char *)err.text));
        r->watch = NULL;
        r->revision = 0;
        loop_timer_start(&r->again, backoff_ms(r));
        return false;
    }
    r->failures = 0;
    if (type == REST_BOOKMARK) {
        on_bookmark(r, o);
    } else {
        if (!r->is_listing)
            r->revision = MAX(r->revision, o->revision);
        r->o.ops->on_object(o, type == REST_DELETED, r->o.arg);
        if (!r->is_listing)
            r->o.ops->on_revision(r->revision, r->o.arg);
    }
    api_object_unref(o);
    return true;
}

static void on_end(const struct rest_result *result, void *arg)
{
    struct reflector *r = arg;
    bool is_expired = result->result == ERR_COMPACTED;

    r->watch = NULL;
    if (is_expired || r->is_listing)
        r->revision = 0;
    if (result->result == 0 || is_expired) {
        loop_timer_start(&r->again, 0);
        return;
    }
    if (r->failures == 1) /* the first may be a restart; said once */
        LOG_WARNING("watch failed, will try again", KV("resource", r->o.resource->name),
                    KV("reason", result->message));
    loop_timer_start(&r->again, backoff_ms(r));
}

static const struct rest_watch_ops watch_ops = { on_event, on_end };

static void start(struct reflector *r)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct rest_request q = { .verb = REST_WATCH,
                              .resource = r->o.resource,
                              .namespace = r->o.namespace };
    struct str selectors = STR("");

    if (r->o.field_selector.len)
        selectors = arena_printf(&a, "&fieldSelector=%.*s",
                                 STR_ARG(rest_query_escape(&a, r->o.field_selector)));
    if (r->o.label_selector.len)
        selectors = arena_printf(&a, "%.*s&labelSelector=%.*s", STR_ARG(selectors),
                                 STR_ARG(rest_query_escape(&a, r->o.label_selector)));
    r->is_listing = r->revision == 0;
    if (r->is_listing) {
        q.query = arena_printf(&a,
                               "allowWatchBookmarks=true&sendInitialEvents=true"
                               "&resourceVersionMatch=NotOlderThan%.*s",
                               STR_ARG(selectors));
        r->o.ops->on_list(r->o.arg);
    } else {
        q.query = arena_printf(&a, "allowWatchBookmarks=true&resourceVersion=%llu%.*s",
                               (unsigned long long)r->revision, STR_ARG(selectors));
    }
    r->watch = rest_watch_start(r->o.client, &q, &watch_ops, r);
}

struct reflector *reflector_new(const struct reflector_options *o)
{
    struct reflector *r = NEW(struct reflector);

    r->o = *o;
    r->o.namespace = str_dup(&r->arena, o->namespace);
    r->o.field_selector = str_dup(&r->arena, o->field_selector);
    r->o.label_selector = str_dup(&r->arena, o->label_selector);
    loop_timer_init(&r->again, o->loop, on_again);
    start(r);
    return r;
}

void reflector_free(struct reflector *r)
{
    if (!r)
        return;
    rest_call_cancel(r->watch);
    loop_timer_stop(&r->again);
    arena_done(&r->arena);
    mem_free(r);
}
