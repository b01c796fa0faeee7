/* DELETE of a collection: the keys that match are gathered from one snapshot, then deleted one
 * after the other; what is gone meanwhile is no error. The answer is the list of what was deleted.
 */
#include "api/meta_v1.h"
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/delete_core.h"
#include "apiserver/registry/list_options.h"
#include "apiserver/registry/list_render.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_object.h"
#include "base/arena.h"
#include "base/err.h"
#include "io/loop.h"

struct target {
    struct str namespace, name;
    struct target *next;
};

struct collection {
    struct write write;
    struct meta_v1_delete_options options;
    struct target *next;
    struct list_render *list;
    struct loop_task task;
    uint64_t revision;
};

static bool gather(struct api_request *r, struct collection *c, const struct list_options *o,
                   struct status *st)
{
    struct store_range range = list_options_range(r, o);
    struct target **end = &c->next;
    struct store_snapshot snap;
    struct store_cursor *cursor;
    struct store_object so;
    struct err err;
    uint64_t n = 0;
    int rc = store_snapshot_begin(r->server->store, &snap, &err);

    if (rc < 0) {
        *st = status_of_store(r->arena, rc, &err);
        return false;
    }
    c->revision = snap.revision;
    rc = store_range_begin(&snap, r->arena, &range, &cursor, &err);
    while (rc >= 0 && (rc = store_range_next(cursor, &so, &err)) > 0) {
        if (!list_options_match(o, &so))
            continue;
        *end = ARENA_NEW(r->arena, struct target);
        (*end)->namespace = str_dup(r->arena, stored_object_namespace(&so));
        (*end)->name = str_dup(r->arena, stored_object_name(&so));
        end = &(*end)->next;
        if ((o->limit && ++n == o->limit) || arena_is_over(r->arena))
            break;
    }
    store_snapshot_end(&snap);
    if (rc < 0)
        *st = status_of_store(r->arena, rc, &err);
    return rc >= 0;
}

static void end(struct collection *c)
{
    api_request_release(c->write.r);
}

static void one_done(struct write *w)
{
    struct collection *c = CONTAINER_OF(w, struct collection, write);

    if (w->decision == WRITE_REFUSED && w->refused.reason != STATUS_NOT_FOUND) {
        api_respond_status(w->r, &w->refused);
        end(c);
        return;
    }
    if (w->decision != WRITE_REFUSED) {
        object_meta(w->updated)->resource_version =
            arena_printf(w->r->arena, "%llu", (unsigned long long)w->revision);
        list_render_object(c->list, w->updated);
        c->revision = MAX(c->revision, w->revision);
    }
    /* By way of the loop, for a dry run is done before it returns: no nesting by the number. */
    loop_task_post(w->r->loop, &c->task);
}

static enum write_decision delete_decide(struct write *w)
{
    return delete_core(w, w->arg);
}

static void delete_next(struct loop_task *task)
{
    struct collection *c = CONTAINER_OF(task, struct collection, task);
    struct api_request *r = c->write.r;
    struct target *t = c->next;

    if (!t) {
        list_render_respond(c->list, c->revision);
        end(c);
        return;
    }
    c->next = t->next;
    c->write = (struct write){
        .r = r,
        .namespace = t->namespace,
        .name = t->name,
        .decide = delete_decide,
        .done = one_done,
        .arg = &c->options,
    };
    write_run(&c->write);
}

void registry_deletecollection(struct api_request *r)
{
    struct collection *c = ARENA_NEW(r->arena, struct collection);
    struct list_options o;
    struct status s;

    if (!body_check_options(r, "DeleteOptions", &s) ||
        !body_decode_delete_options(r, &c->options, &s) || !list_options_parse(r, false, &o, &s) ||
        !gather(r, c, &o, &s)) {
        api_respond_status(r, &s);
        return;
    }
    c->write.r = r;
    c->list = list_render_new(r);
    loop_task_init(&c->task, delete_next);
    api_request_hold(r);
    delete_next(&c->task);
}
