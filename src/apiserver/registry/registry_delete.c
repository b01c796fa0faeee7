/* DELETE: by preconditions, propagation policy, grace and finalizers an object is removed at once
 * or marked and kept until the last finalizer goes (registry_update.c removes it then). */
#include "api/meta_v1.h"
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/delete_core.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/strategy.h"
#include "base/arena.h"
#include "base/clock.h"

#define FOREGROUND "foregroundDeletion"
#define ORPHAN     "orphan"

/* Upstream names the kind here, not the resource. */
static struct group_resource kind_of(const struct write *w)
{
    return (struct group_resource){ w->r->resource->group, w->r->resource->kind };
}

static bool check_preconditions(struct write *w, const struct meta_v1_delete_options *opts)
{
    const struct meta_v1_object_meta *meta = object_meta(w->current);
    const struct meta_v1_preconditions *p = opts->preconditions;

    if (!p)
        return true;
    if (p->uid.len && !str_eq(p->uid, meta->uid)) {
        w->refused = status_conflict(
            w->r->arena, kind_of(w), w->name,
            "the UID in the precondition (%.*s) does not match the UID in record (%.*s). The "
            "object might have been deleted and then recreated",
            STR_ARG(p->uid), STR_ARG(meta->uid));
        return false;
    }
    if (p->resource_version.len && !str_eq(p->resource_version, meta->resource_version)) {
        w->refused = status_conflict(
            w->r->arena, kind_of(w), w->name,
            "the ResourceVersion in the precondition (%.*s) does not match the ResourceVersion in "
            "record (%.*s). The object might have been modified",
            STR_ARG(p->resource_version), STR_ARG(meta->resource_version));
        return false;
    }
    return true;
}

static bool has_finalizer(const struct meta_v1_object_meta *meta, struct str name)
{
    for (uint32_t i = 0; i < meta->finalizers.len; i++)
        if (str_eq(meta->finalizers.items[i], name))
            return true;
    return false;
}

/* Which of the two finalizers the deletion asks for: by the options, else by what is there, else by
 * the resource's default. */
static struct str propagation(const struct resource *row, const struct meta_v1_object_meta *meta,
                              const struct meta_v1_delete_options *opts)
{
    if (row->flags & RESOURCE_NO_GC)
        return STR_NULL;
    if (opts->orphan_dependents)
        return *opts->orphan_dependents ? STR(ORPHAN) : STR_NULL;
    if (str_eq(opts->propagation_policy, STR("Foreground")))
        return STR(FOREGROUND);
    if (str_eq(opts->propagation_policy, STR("Orphan")))
        return STR(ORPHAN);
    if (opts->propagation_policy.len)
        return STR_NULL;
    if (has_finalizer(meta, STR(ORPHAN)))
        return STR(ORPHAN);
    if (has_finalizer(meta, STR(FOREGROUND)))
        return STR(FOREGROUND);
    return row->flags & RESOURCE_ORPHANS ? STR(ORPHAN) : STR_NULL;
}

static void set_finalizers(struct arena *a, struct meta_v1_object_meta *meta, struct str wanted)
{
    struct str *items = ARENA_NEW_ARRAY(a, struct str, meta->finalizers.len + 1);
    uint32_t n = 0;

    for (uint32_t i = 0; i < meta->finalizers.len; i++) {
        struct str f = meta->finalizers.items[i];

        if (!str_eq(f, STR(FOREGROUND)) && !str_eq(f, STR(ORPHAN)))
            items[n++] = f;
    }
    if (wanted.len)
        items[n++] = wanted;
    meta->finalizers.items = n ? items : NULL;
    meta->finalizers.len = n;
}

/* First deletion: when it happened and how long it may take; a later one may only shorten. */
static void mark(struct write *w, struct object o, int64_t grace)
{
    const struct strategy *s = strategy_of(w->r->resource);
    struct meta_v1_object_meta *meta = object_meta(o);
    int64_t now = clock_wall_s(w->r->server->clock);
    int64_t *seconds = ARENA_NEW(w->r->arena, int64_t);

    if (meta->deletion_timestamp.set) {
        int64_t old =
            meta->deletion_grace_period_seconds ? *meta->deletion_grace_period_seconds : 0;

        if (grace >= old)
            return;
        meta->deletion_timestamp.sec = MAX(meta->deletion_timestamp.sec + grace - old, now);
    } else {
        meta->deletion_timestamp = (struct ktime){ .sec = now + grace, .set = true };
        if (meta->generation > 0)
            meta->generation++;
    }
    *seconds = grace;
    meta->deletion_grace_period_seconds = seconds;
    if (s->mark_deleted)
        s->mark_deleted(w->r, o);
}

enum write_decision delete_core(struct write *w, const struct meta_v1_delete_options *opts)
{
    struct api_request *r = w->r;
    const struct strategy *s = strategy_of(r->resource);
    struct admission_call call = {
        .request = r,
        .snapshot = w->snapshot,
        .operation = ADMISSION_DELETE,
        .namespace = w->namespace,
        .name = w->name,
        .old = w->current,
    };
    struct object o;
    struct meta_v1_object_meta *meta;
    int64_t grace;

    if (!check_preconditions(w, opts) || !admission_mutate(&call, &w->refused) ||
        !admission_validate(&call, &w->refused))
        return WRITE_REFUSED;
    o = object_copy(r->arena, w->current);
    meta = object_meta(o);
    w->updated = o;
    set_finalizers(r->arena, meta, propagation(r->resource, meta, opts));
    grace = s->grace_s ? s->grace_s(opts, o) : 0;
    /* What is going already goes sooner only when the client names a shorter time. */
    if (meta->deletion_timestamp.set && !opts->grace_period_seconds &&
        meta->deletion_grace_period_seconds)
        grace = *meta->deletion_grace_period_seconds;
    if (!meta->finalizers.len && !(s->is_kept && s->is_kept(o)) && grace == 0)
        return WRITE_DELETE;
    mark(w, o, grace);
    return WRITE_PUT;
}

static enum write_decision delete_decide(struct write *w)
{
    return delete_core(w, w->arg);
}

static void delete_done(struct write *w)
{
    const struct meta_v1_delete_options *opts = w->arg;
    struct api_request *r = w->r;
    struct status s = {
        .reason = STATUS_SUCCESS,
        .group = r->resource->group,
        .kind = r->resource->name,
        .name = w->name,
    };

    if (w->decision == WRITE_REFUSED || (r->resource->flags & RESOURCE_DELETE_RETURNS_OBJECT)) {
        write_respond(w, 200);
        return;
    }
    if (w->decision != WRITE_DELETE) {
        write_respond(w, opts->orphan_dependents && !*opts->orphan_dependents ? 202 : 200);
        return;
    }
    s.uid = object_meta(w->current)->uid;
    api_respond_status(r, &s);
}

void registry_delete(struct api_request *r)
{
    struct write *w = ARENA_NEW(r->arena, struct write);
    struct meta_v1_delete_options *opts = ARENA_NEW(r->arena, struct meta_v1_delete_options);
    struct status s;

    if (!body_check_options(r, "DeleteOptions", &s) || !body_decode_delete_options(r, opts, &s)) {
        api_respond_status(r, &s);
        return;
    }
    *w = (struct write){
        .r = r,
        .namespace = r->info.namespace,
        .name = r->info.name,
        .decide = delete_decide,
        .done = delete_done,
        .arg = opts,
    };
    write_run(w);
}
