/* LIST: a walk over one revision. With a limit the page's end is found first, because the continue
 * token stands before the items. JSON goes out in slices of at most SLICE_BYTES a turn, each with a
 * snapshot of its own at the fixed revision, so no read transaction is held between turns. */
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/continue_token.h"
#include "apiserver/registry/list_options.h"
#include "apiserver/registry/list_render.h"
#include "apiserver/registry/registry.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "http/http_server.h"
#include "store/store.h"

enum { SLICE_BYTES = 256 * 1024, SLICE_OBJECTS = 4096 };

#define INCONSISTENT_TEXT                                                                          \
    "The provided continue parameter is too old to display a consistent list result. You can "     \
    "start a new list without the continue parameter, or use the continue token in this response " \
    "to retrieve the remainder of the results. Continuing with the provided token results in an "  \
    "inconsistent list - objects that were created, modified, or deleted between the time the "    \
    "first chunk was returned and now may show up in the list."

struct list_call {
    struct http_source source;
    struct api_request *r;
    struct list_options o;
    struct list_meta_values meta;
    struct store_range range; /* .after moves on */
    uint64_t left;            /* items of the page still to come; UINT64_MAX: no limit */
    struct str begun;         /* head and first slice, made before the answer began */
    bool first;
    bool ended;
};

static struct status expired(struct list_call *l)
{
    struct api_request *r = l->r;
    struct status s;
    struct continue_token t = { .revision = -1 };

    if (!l->o.has_continue)
        return status_plain(r->arena, STATUS_EXPIRED,
                            "The resourceVersion for the provided list is too old.");
    t.after = str_tail(l->o.after, l->o.prefix.len);
    s = status_plain(r->arena, STATUS_EXPIRED, "%s", INCONSISTENT_TEXT);
    s.continue_token = continue_token_print(r->arena, &t);
    return s;
}

static struct status list_error(struct list_call *l, int code, const struct err *err)
{
    return code == ERR_COMPACTED ? expired(l) : status_of_store(l->r->arena, code, err);
}

/* Which revision is read. False: *st says why not. */
static bool choose_revision(struct list_call *l, const struct store_snapshot *snap,
                            struct status *st)
{
    const struct list_options *o = &l->o;
    bool exact = o->match == REVISION_MATCH_EXACT ||
                 (o->match == REVISION_MATCH_UNSET && o->limit && o->has_revision && o->revision);

    l->meta.revision = snap->revision;
    if (o->has_revision && o->revision > snap->revision) {
        *st = status_future_revision(l->r->arena, o->revision, snap->revision);
        if (o->match == REVISION_MATCH_EXACT) /* waiting helps only those who ask for no less */
            st->retry_after_s = 0;
        return false;
    }
    if (o->has_continue && o->continue_revision)
        l->meta.revision = o->continue_revision;
    else if (exact && !o->has_continue)
        l->meta.revision = o->revision;
    l->range.revision = l->meta.revision;
    return true;
}

/* Walks to the end of the page; sets the continue token when something is left behind it. */
static int find_page_end(struct list_call *l, struct store_snapshot *snap, struct err *err)
{
    CLEANUP(arena_done) struct arena scratch = { 0 };
    struct continue_token token = { .revision = (int64_t)l->meta.revision };
    struct store_cursor *cursor;
    struct store_object so;
    uint64_t n = 0;
    int rc = store_range_begin(snap, &scratch, &l->range, &cursor, err);

    while (rc >= 0 && n < l->o.limit && (rc = store_range_next(cursor, &so, err)) > 0)
        if (list_options_match(&l->o, &so) && ++n == l->o.limit)
            token.after = str_dup(l->r->arena, str_tail(so.key, l->o.prefix.len));
    if (rc <= 0 || n < l->o.limit)
        return rc;
    rc = store_range_next(cursor, &so, err);
    if (rc <= 0)
        return rc;
    l->meta.continue_token = continue_token_print(l->r->arena, &token);
    if (label_selector_is_empty(&l->o.labels) && field_selector_is_empty(&l->o.fields)) {
        rc = store_range_count(cursor, &l->meta.remaining, err);
        l->meta.remaining++;
    }
    return rc;
}

/* Appends items until out holds SLICE_BYTES more, or the end; range.after is then the last key. */
static int render_slice(struct list_call *l, struct store_snapshot *snap, struct buf *out,
                        struct err *err)
{
    CLEANUP(arena_done) struct arena scratch = { 0 };
    size_t begin = out->len, seen = 0;
    struct store_cursor *cursor;
    struct store_object so = { 0 };
    int rc = store_range_begin(snap, &scratch, &l->range, &cursor, err);

    while (rc >= 0 && out->len - begin < SLICE_BYTES && seen++ < SLICE_OBJECTS) {
        if (!l->left) {
            l->ended = true;
            break;
        }
        rc = store_range_next(cursor, &so, err);
        if (rc == 0)
            l->ended = true;
        if (rc <= 0)
            break;
        if (!list_options_match(&l->o, &so))
            continue;
        rc = list_render_item(l->r, &so, l->first, out, err);
        l->first = false;
        if (l->left != UINT64_MAX)
            l->left--;
    }
    if (rc >= 0 && !l->ended && so.key.p)
        l->range.after = str_dup(l->r->arena, so.key);
    return rc;
}

static int list_pull(struct http_source *s, struct buf *out, size_t hint_bytes)
{
    struct list_call *l = CONTAINER_OF(s, struct list_call, source);
    struct store_snapshot snap;
    struct err err;
    int rc;

    (void)hint_bytes;
    if (l->begun.p) {
        buf_append_str(out, l->begun);
        l->begun = STR_NULL;
        return HTTP_SOURCE_MORE;
    }
    if (!l->ended) {
        rc = store_snapshot_begin(l->r->server->store, &snap, &err);
        if (rc >= 0) {
            rc = render_slice(l, &snap, out, &err);
            store_snapshot_end(&snap);
        }
        if (rc < 0) {
            LOG_WARNING("list ended early", KV("resource", l->r->resource->name),
                        KV("reason", (const char *)err.text));
            return rc;
        }
    }
    if (!l->ended)
        return HTTP_SOURCE_MORE;
    list_render_foot(out);
    buf_append_char(out, '\n');
    return HTTP_SOURCE_END;
}

static void list_source_done(struct http_source *s)
{
    api_request_release(CONTAINER_OF(s, struct list_call, source)->r);
}

/* Head and first slice are made at once; a list that fits is an ordinary answer. */
static int answer_json(struct list_call *l, struct store_snapshot *snap, struct err *err)
{
    struct api_request *r = l->r;
    struct buf b = { 0 };
    int rc;

    buf_init_arena(&b, r->arena, 4096);
    list_render_head(r, &l->meta, &b);
    rc = render_slice(l, snap, &b, err);
    if (rc < 0)
        return rc;
    if (l->ended) {
        list_render_foot(&b);
        api_respond_printed(r, 200, &b);
        return 0;
    }
    l->begun = buf_str(&b);
    api_request_hold(r);
    l->source.pull = list_pull;
    l->source.done = list_source_done;
    api_respond_source(r, 200, media_text(MEDIA_JSON), &l->source);
    return 0;
}

static int answer_whole(struct list_call *l, struct store_snapshot *snap, struct err *err)
{
    struct list_render *render = list_render_new(l->r);
    struct store_cursor *cursor;
    struct store_object so;
    int rc = store_range_begin(snap, l->r->arena, &l->range, &cursor, err);

    while (rc >= 0 && l->left && (rc = store_range_next(cursor, &so, err)) > 0) {
        if (!list_options_match(&l->o, &so))
            continue;
        rc = list_render_stored(render, &so, err);
        if (l->left != UINT64_MAX)
            l->left--;
    }
    if (rc >= 0)
        list_render_respond_with(render, &l->meta);
    return rc;
}

static void answer(struct list_call *l, struct store_snapshot *snap)
{
    struct api_request *r = l->r;
    struct status s;
    struct err err;
    int rc = 0;

    if (!choose_revision(l, snap, &s)) {
        api_respond_status(r, &s);
        return;
    }
    if (l->o.limit)
        rc = find_page_end(l, snap, &err);
    if (rc >= 0)
        rc = list_render_streams(r) ? answer_json(l, snap, &err) : answer_whole(l, snap, &err);
    if (rc < 0) {
        s = list_error(l, rc, &err);
        api_respond_status(r, &s);
    }
}

void registry_list(struct api_request *r)
{
    struct list_call *l = ARENA_NEW(r->arena, struct list_call);
    struct store_snapshot snap;
    struct status s;
    struct err err;
    int rc;

    l->r = r;
    l->first = true;
    if (!list_options_parse(r, false, &l->o, &s)) {
        api_respond_status(r, &s);
        return;
    }
    l->left = l->o.limit ? l->o.limit : UINT64_MAX;
    l->range = list_options_range(r, &l->o);
    rc = store_snapshot_begin(r->server->store, &snap, &err);
    if (rc < 0) {
        s = status_of_store(r->arena, rc, &err);
        api_respond_status(r, &s);
        return;
    }
    answer(l, &snap);
    store_snapshot_end(&snap);
}
