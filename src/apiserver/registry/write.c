#include "apiserver/registry/write.h"

#include "api/meta_v1.h"
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/object_response.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/registry/strategy.h"
#include "apiserver/registry/subresources.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/loop.h"

static struct group_resource gr_of(const struct write *w)
{
    return (struct group_resource){ w->r->resource->group, w->r->resource->name };
}

static void finish(struct write *w)
{
    struct api_request *r = w->r;

    w->done(w);
    api_request_release(r);
}

static void refuse(struct write *w, struct status s)
{
    w->decision = WRITE_REFUSED;
    w->refused = s;
    finish(w);
}

/* Reads what is there now. False: refused already. */
static bool read_current(struct write *w, struct store_object *so)
{
    struct api_request *r = w->r;
    struct err err;
    int rc;

    rc = store_get(w->snapshot, w->mutation.resource, w->mutation.key, so, &err);
    if (rc == ERR_NOT_FOUND) {
        if (w->may_create || w->must_be_new)
            return true;
        w->refused = status_not_found(r->arena, gr_of(w), w->name);
        return false;
    }
    if (rc >= 0 && w->must_be_new) {
        w->refused = status_already_exists(r->arena, gr_of(w), w->name);
        return false;
    }
    if (rc >= 0) {
        w->current_revision = so->mod_revision;
        rc = stored_object_decode(r->arena, r->resource, so, &w->current, &err);
    }
    if (rc < 0) {
        w->refused = status_of_store(r->arena, rc, &err);
        return false;
    }
    return true;
}

/* The decision made ready for the store: what is put is encoded, and when nothing changed by that
 * the write becomes none. */
static enum write_decision prepare(struct write *w, const struct store_object *so)
{
    struct api_request *r = w->r;
    const struct strategy *s = strategy_of(r->resource);
    struct store_mutation *m = &w->mutation;
    struct err err;
    int rc;

    if (s->transact && !s->transact(w, &w->refused))
        return WRITE_REFUSED;
    m->op = w->decision == WRITE_DELETE ? STORE_DELETE : STORE_PUT;
    m->expected = w->current.data ? w->current_revision : STORE_EXPECT_ABSENT;
    m->head = m->tail = STR_NULL;
    rc = stored_object_encode(r->arena, r->resource, w->updated, m, &err);
    if (rc < 0) {
        w->refused = status_of_store(r->arena, rc, &err);
        return WRITE_REFUSED;
    }
    if (w->decision == WRITE_PUT && so->head.p && str_eq(so->head, m->head) &&
        str_eq(so->tail, m->tail))
        return WRITE_NOTHING;
    m->expires_s = w->current.data ? so->expires_s : 0;
    if (s->expires_s)
        m->expires_s = clock_wall_s(r->server->clock) + s->expires_s(r, w->updated);
    return w->decision;
}

static void try_once(struct write *w);

static void on_stored(struct store_txn *txn, void *arg)
{
    struct write *w = arg;
    struct api_request *r = w->r;

    switch (txn->result) {
    case 0:
        w->revision = txn->revision;
        finish(w);
        return;
    case ERR_EXISTS:
        if (w->must_be_new && txn->failed == 0) {
            refuse(w, status_already_exists(r->arena, gr_of(w), w->name));
            return;
        }
        break;
    case ERR_CONFLICT:
    case ERR_NOT_FOUND:
        break;
    default:
        refuse(w, status_of_store(r->arena, txn->result, NULL));
        return;
    }
    /* Others changed what is stored along with it, a quota that many count on: the object itself
     * lost no race. */
    if (++w->tries < (txn->failed > 0 ? WRITE_TRIES_OF_EXTRAS : WRITE_TRIES))
        try_once(w);
    else
        refuse(w, status_modified(r->arena, gr_of(w), w->name));
}

static struct store_outbox *outbox_of(const struct api_request *r)
{
    size_t i = 0;

    while (i + 1 < r->server->n_outboxes && r->server->outboxes[i].loop != r->loop)
        i++;
    return &r->server->outboxes[i];
}

static void submit(struct write *w)
{
    w->all = ARENA_NEW_ARRAY(w->r->arena, struct store_mutation, w->n_extra + 1);
    w->all[0] = w->mutation;
    if (w->n_extra)
        memcpy(w->all + 1, w->extra, w->n_extra * sizeof(*w->extra));
    w->txn = (struct store_txn){
        .mutations = w->all,
        .n = w->n_extra + 1,
        .mailbox = loop_mailbox(w->r->loop),
        .done = on_stored,
        .arg = w,
    };
    store_outbox_submit(outbox_of(w->r), &w->txn);
}

static void try_once(struct write *w)
{
    struct store_snapshot snap;
    struct store_object so = { 0 };
    struct err err;
    int rc = store_snapshot_begin(w->r->server->store, &snap, &err);

    if (rc < 0) {
        refuse(w, status_of_store(w->r->arena, rc, &err));
        return;
    }
    w->snapshot = &snap;
    w->current = w->updated = (struct object){ 0 };
    w->decision = WRITE_REFUSED;
    w->n_extra = 0;
    if (read_current(w, &so)) {
        w->created = !w->current.data;
        w->decision = w->decide(w);
    }
    if (w->decision == WRITE_PUT || w->decision == WRITE_DELETE)
        w->decision = prepare(w, &so);
    if (w->n_extra > WRITE_EXTRA_MAX) {
        w->decision = WRITE_REFUSED;
        w->refused = status_plain(w->r->arena, STATUS_TOO_LARGE,
                                  "Request entity too large: it changes too many objects at once");
    }
    store_snapshot_end(&snap);
    w->snapshot = NULL;
    w->revision = w->current_revision;
    if (arena_is_over(w->r->arena)) {
        refuse(w, status_plain(w->r->arena, STATUS_TOO_LARGE,
                               "Request entity too large: the object takes too much memory"));
        return;
    }
    if (w->r->dry_run || w->decision == WRITE_NOTHING || w->decision == WRITE_REFUSED)
        finish(w);
    else
        submit(w);
}

struct store_mutation *write_add(struct write *w)
{
    if (!w->extra)
        w->extra = ARENA_NEW_ARRAY(w->r->arena, struct store_mutation, WRITE_EXTRA_MAX + 1);
    w->n_extra++;
    return &w->extra[MIN(w->n_extra, (size_t)WRITE_EXTRA_MAX + 1) - 1];
}

void write_run(struct write *w)
{
    struct api_request *r = w->r;

    api_request_hold(r);
    w->tries = 0;
    w->current_revision = 0;
    w->mutation.resource = registry_store_id(&r->server->registry, r->resource);
    w->mutation.key = registry_key(r->arena, r->resource, w->namespace, w->name);
    try_once(w);
}

/* The bytes that were stored are the answer, when the client wants that form. */
static bool respond_stored(struct write *w, int code)
{
    struct store_object so = { .head = w->mutation.head,
                               .tail = w->mutation.tail,
                               .schema_stamp = w->mutation.schema_stamp,
                               .mod_revision = w->revision };

    if (w->decision != WRITE_PUT || !w->revision || (w->r->special && w->r->special->projection) ||
        !object_response_is_verbatim(w->r) || !stored_object_is_verbatim(w->r->resource, &so))
        return false;
    object_response_send_stored(w->r, code, &so);
    return true;
}

void write_respond(struct write *w, int code)
{
    struct api_request *r = w->r;

    if (w->decision == WRITE_REFUSED) {
        api_respond_status(r, &w->refused);
        return;
    }
    if (respond_stored(w, code))
        return;
    if (w->revision)
        object_meta(w->updated)->resource_version =
            arena_printf(r->arena, "%llu", (unsigned long long)w->revision);
    else
        object_meta(w->updated)->resource_version = STR_NULL;
    if (r->special && r->special->projection)
        object_response_send(r, code, r->special->projection->view(r, w->updated));
    else
        object_response_send(r, code, w->updated);
}
