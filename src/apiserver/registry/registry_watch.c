/* WATCH: a pulled body. First, when the client asks for it, the objects that are there (ADDED), out
 * of snapshots at one fixed revision, in slices; then the store's events after that revision, with
 * selector transitions turned into ADDED and DELETED; bookmarks now and then.
 *
 *     START --(resourceVersion unset or "0", or sendInitialEvents)--> INITIAL --> EVENTS
 *     START --(resourceVersion N)-------------------------------------------> EVENTS
 */
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/extensions/extensions.h"
#include "apiserver/metrics.h"
#include "apiserver/registry/list_options.h"
#include "apiserver/registry/object_response.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/random.h"
#include "http/http_server.h"
#include "io/loop.h"
#include "store/store.h"

enum {
    SLICE_BYTES = 256 * 1024,
    SLICE_OBJECTS = 2048,
    TIMEOUT_MIN_S = 1800, /* upstream's --min-request-timeout; up to twice that */
    TIMEOUT_MAX_S = 366 * 86400,
    BOOKMARK_MS = 60000,
};

struct watch {
    struct http_source source;
    struct api_request *r;
    struct list_options o;
    struct store_watch *events;
    struct store_watch *definition; /* of a custom resource: its change is the end */
    struct loop_timer end, bookmark;
    struct store_range range; /* of the initial objects */
    uint64_t sent;            /* revision that the client is at */
    bool initial;             /* the initial objects are still being sent */
    bool bookmark_due;
    bool has_columns; /* the client knows the Table's columns */
    bool ended;       /* time is up */
    bool finished;    /* an ERROR event was sent: nothing follows */
};

/* --- frames --- */

/* b: the object in the medium that was negotiated. */
static void frame(struct watch *w, const char *type, struct str object, struct buf *out)
{
    if (w->r->accept.media == MEDIA_PROTOBUF) {
        object_pb_encode_watch_event(out, str_from_cstr(type), object);
        return;
    }
    buf_printf(out, "{\"type\":\"%s\",\"object\":", type);
    buf_append_str(out, object);
    buf_append_lit(out, "}\n");
}

static void frame_object(struct watch *w, struct arena *a, const char *type, struct object o,
                         struct buf *out)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 1024);
    object_response_print(w->r, a, o, !w->has_columns, &b); /* Tables name them once */
    w->has_columns = true;
    frame(w, type, buf_str(&b), out);
}

static void frame_status(struct watch *w, struct status s, struct buf *out)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct object o = status_object(&a, &s);
    struct buf b = { 0 };

    buf_init_arena(&b, &a, 1024);
    if (w->r->accept.media == MEDIA_PROTOBUF)
        object_pb_encode_enveloped(&b, o, object_api_version(o), object_kind(o));
    else
        object_json_encode(&b, o, NULL);
    frame(w, "ERROR", buf_str(&b), out);
    w->finished = true;
}

/* An object as stored, at a revision. */
static void frame_stored(struct watch *w, const char *type, const struct store_object *so,
                         uint64_t revision, struct buf *out)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct store_object at = *so;
    struct object o;
    struct err err;
    int rc;

    if (object_response_is_verbatim(w->r) && stored_object_is_verbatim(w->r->resource, so)) {
        buf_printf(out, "{\"type\":\"%s\",\"object\":", type);
        stored_object_append(out, so->head, revision, so->tail);
        buf_append_lit(out, "}\n");
        return;
    }
    at.mod_revision = revision;
    rc = stored_object_decode(&a, w->r->resource, &at, &o, &err);
    if (rc < 0)
        frame_status(w, status_internal(&a, "%s", err.text), out);
    else
        frame_object(w, &a, type, o, out);
}

static void frame_bookmark(struct watch *w, uint64_t revision, bool end_of_initial, struct buf *out)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct resource *row = w->r->resource;
    struct object o = object_new(&a, &schema_builtin, row->type);
    struct meta_v1_object_meta *meta;

    object_set_gvk(o, resource_api_version(&a, row), row->kind);
    meta = object_meta(o);
    meta->resource_version = arena_printf(&a, "%llu", (unsigned long long)revision);
    if (end_of_initial)
        text_map_put(&a, &meta->annotations, STR("k8s.io/initial-events-end"), STR("true"));
    frame_object(w, &a, "BOOKMARK", o, out);
    w->sent = revision;
}

/* --- events --- */

/* What a watcher with this selector sees of an event; NULL: nothing. */
static const char *seen_as(const struct watch *w, const struct store_event *e)
{
    bool now = e->type != STORE_EVENT_DELETED && list_options_match(&w->o, &e->object);
    bool before = e->has_previous && list_options_match(&w->o, &e->previous);

    if (e->type == STORE_EVENT_DELETED)
        before = e->has_previous ? before : list_options_match(&w->o, &e->object);
    if (now)
        return before ? "MODIFIED" : "ADDED";
    return before ? "DELETED" : NULL;
}

static void frame_event(struct watch *w, const struct store_event *e, struct buf *out)
{
    const char *type = seen_as(w, e);

    w->sent = e->revision;
    if (!type)
        return;
    /* What left the selector is shown as it was while it was in. */
    if (type[0] == 'D' && e->type != STORE_EVENT_DELETED)
        frame_stored(w, type, &e->previous, e->revision, out);
    else
        frame_stored(w, type, &e->object, e->revision, out);
}

static void on_ready(struct store_watch *events, void *arg)
{
    struct watch *w = arg;

    (void)events;
    http_source_wake(w->r->http);
}

static struct status too_old(struct watch *w)
{
    return status_plain(w->r->arena, STATUS_EXPIRED, "too old resource version: %llu (%llu)",
                        (unsigned long long)w->sent,
                        (unsigned long long)store_compacted(w->r->server->store));
}

/* False: an ERROR event says why not. */
static bool start_events(struct watch *w, struct buf *out)
{
    struct store_watch_options options = {
        .resource = w->range.resource,
        .prefix = w->o.prefix,
        .name = w->o.name,
        .index_field = w->o.index_field,
        .index_value = w->o.index_value,
        .after = w->sent,
    };
    struct err err;
    int rc = store_watch_start(w->r->server->store, &options, loop_mailbox(w->r->loop), on_ready, w,
                               &w->events, &err);

    if (rc >= 0)
        return true;
    frame_status(w, rc == ERR_COMPACTED ? too_old(w) : status_of_store(w->r->arena, rc, &err), out);
    return false;
}

/* Sends a slice of the objects that are there. */
static int pull_initial(struct watch *w, struct buf *out)
{
    CLEANUP(arena_done) struct arena scratch = { 0 };
    size_t begin = out->len, seen = 0;
    struct store_snapshot snap;
    struct store_cursor *cursor;
    struct store_object so = { 0 };
    bool end = false;
    struct err err;
    int rc = store_snapshot_begin(w->r->server->store, &snap, &err);

    if (rc < 0)
        return rc;
    rc = store_range_begin(&snap, &scratch, &w->range, &cursor, &err);
    while (rc >= 0 && !end && out->len - begin < SLICE_BYTES && seen++ < SLICE_OBJECTS) {
        rc = store_range_next(cursor, &so, &err);
        end = rc == 0;
        if (rc > 0 && list_options_match(&w->o, &so))
            frame_stored(w, "ADDED", &so, so.mod_revision, out);
    }
    if (rc > 0 && so.key.p)
        w->range.after = str_dup(w->r->arena, so.key);
    store_snapshot_end(&snap);
    if (rc < 0) {
        frame_status(w, rc == ERR_COMPACTED ? too_old(w) : status_of_store(&scratch, rc, &err),
                     out);
        return 0;
    }
    if (end) {
        w->initial = false;
        if (w->o.send_initial_events && w->o.bookmarks)
            frame_bookmark(w, w->sent, true, out);
    }
    return 0;
}

static int pull_events(struct watch *w, struct buf *out, size_t hint_bytes)
{
    const struct store_event *e;
    size_t begin = out->len;

    if (!w->events && !start_events(w, out))
        return HTTP_SOURCE_END;
    while (out->len - begin < MAX(hint_bytes, (size_t)1) &&
           (e = store_watch_next(w->events)) != NULL) {
        frame_event(w, e, out);
        store_event_unref(e);
    }
    if (out->len - begin >= MAX(hint_bytes, (size_t)1))
        return HTTP_SOURCE_MORE;
    if (store_watch_status(w->events) < 0) {
        frame_status(w, too_old(w), out);
        return HTTP_SOURCE_END;
    }
    if (w->bookmark_due) {
        w->bookmark_due = false;
        frame_bookmark(w, MAX(store_watch_progress(w->events), w->sent), false, out);
    }
    /* The server's stop wakes us: a watch that ends in order is resumed elsewhere. */
    if (w->ended || atomic_load(&w->r->server->stopping))
        return HTTP_SOURCE_END;
    return HTTP_SOURCE_WAIT;
}

static int watch_pull(struct http_source *s, struct buf *out, size_t hint_bytes)
{
    struct watch *w = CONTAINER_OF(s, struct watch, source);
    int rc;

    if (w->finished || (w->initial && w->ended))
        return HTTP_SOURCE_END;
    if (w->initial) {
        rc = pull_initial(w, out);
        return rc < 0 ? rc : w->finished ? HTTP_SOURCE_END : HTTP_SOURCE_MORE;
    }
    return pull_events(w, out, hint_bytes);
}

static void watch_done(struct http_source *s)
{
    struct watch *w = CONTAINER_OF(s, struct watch, source);

    loop_timer_stop(&w->end);
    loop_timer_stop(&w->bookmark);
    store_watch_stop(w->events);
    store_watch_stop(w->definition);
    w->events = w->definition = NULL;
    metrics_watchers(w->r->server->metrics, -1);
    api_request_release(w->r);
}

/* --- timers --- */

static void on_end(struct loop_timer *t)
{
    struct watch *w = CONTAINER_OF(t, struct watch, end);

    w->ended = true;
    w->bookmark_due = w->o.bookmarks;
    http_source_wake(w->r->http);
}

static void on_bookmark(struct loop_timer *t)
{
    struct watch *w = CONTAINER_OF(t, struct watch, bookmark);

    w->bookmark_due = true;
    loop_timer_start(t, BOOKMARK_MS);
    http_source_wake(w->r->http);
}

static void start_timers(struct watch *w)
{
    int64_t seconds = w->o.timeout_s;

    if (!seconds)
        seconds = TIMEOUT_MIN_S + (int64_t)(random_u64() % TIMEOUT_MIN_S);
    seconds = MIN(seconds, (int64_t)TIMEOUT_MAX_S);
    loop_timer_init(&w->end, w->r->loop, on_end);
    loop_timer_init(&w->bookmark, w->r->loop, on_bookmark);
    w->ended = seconds < 0; /* over before it began */
    loop_timer_start(&w->end, MAX(seconds, (int64_t)0) * 1000);
    if (w->o.bookmarks)
        loop_timer_start(&w->bookmark, BOOKMARK_MS);
}

static void on_definition(struct store_watch *events, void *arg)
{
    struct watch *w = arg;
    const struct store_event *e;

    while ((e = store_watch_next(events))) {
        w->ended |= extensions_definition_changed(w->r->resource->custom->definition, e);
        store_event_unref(e);
    }
    if (w->ended)
        http_source_wake(w->r->http);
}

/* Where the watch begins. False: *st. */
static bool choose_start(struct watch *w, struct status *st)
{
    struct store_snapshot snap;
    struct err err;
    int rc = store_snapshot_begin(w->r->server->store, &snap, &err);

    if (rc < 0) {
        *st = status_of_store(w->r->arena, rc, &err);
        return false;
    }
    w->initial = w->o.has_send_initial_events ? w->o.send_initial_events : w->o.revision == 0;
    if (w->o.revision > snap.revision) {
        *st = status_future_revision(w->r->arena, w->o.revision, snap.revision);
        rc = -1;
    }
    w->sent = w->initial || !w->o.revision ? snap.revision : w->o.revision;
    w->range.revision = w->sent;
    store_snapshot_end(&snap);
    return rc >= 0;
}

static struct str content_type(struct api_request *r)
{
    return r->accept.media == MEDIA_PROTOBUF
               ? STR("application/vnd.kubernetes.protobuf;stream=watch")
               : STR("application/json");
}

void registry_watch(struct api_request *r)
{
    struct watch *w = ARENA_NEW(r->arena, struct watch);
    struct status s;
    struct err err;

    w->r = r;
    r->pretty = false; /* frames are lines */
    if (!list_options_parse(r, true, &w->o, &s)) {
        api_respond_status(r, &s);
        return;
    }
    w->range = list_options_range(r, &w->o);
    if (!choose_start(w, &s)) {
        api_respond_status(r, &s);
        return;
    }
    if (r->resource->custom &&
        extensions_watch_definition(r, on_definition, w, &w->definition, &err) < 0) {
        s = status_internal(r->arena, "%s", err.text);
        api_respond_status(r, &s);
        return;
    }
    start_timers(w);
    api_request_hold(r);
    metrics_watchers(r->server->metrics, 1);
    w->source.pull = watch_pull;
    w->source.done = watch_done;
    api_respond_source(r, 200, content_type(r), &w->source);
}
