/* PUT: replaces an object whose resourceVersion, when the client gives one, is still the newest. */
#include <string.h>

#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/field_manager.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/strategy.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/registry/system_fields.h"
#include "apiserver/registry/update_core.h"
#include "apiserver/registry/write.h"
#include "base/arena.h"

static struct group_resource gr_of(const struct write *w)
{
    return (struct group_resource){ w->r->resource->group, w->r->resource->name };
}

/* In the words of upstream's storage, which names its key: without a prefix where nothing is yet.
 */
static void refuse_uid(struct write *w, const char *prefix, struct str wanted, struct str have)
{
    struct str key = str_tail(w->r->resource->storage_prefix, strlen("/registry/"));

    w->refused = status_conflict(
        w->r->arena, gr_of(w), w->name,
        "StorageError: invalid object, Code: 4, Key: %s%.*s%.*s%s%.*s, ResourceVersion: 0, "
        "AdditionalErrorMsg: Precondition failed: UID in precondition: %.*s, UID in object meta: "
        "%.*s",
        prefix, STR_ARG(key), STR_ARG(w->namespace), w->namespace.len ? "/" : "", STR_ARG(w->name),
        STR_ARG(wanted), STR_ARG(have));
}

/* resourceVersion and uid, where the client names them, are those of the stored object. */
static bool check_preconditions(struct write *w, const struct meta_v1_object_meta *meta)
{
    struct api_request *r = w->r;
    const struct meta_v1_object_meta *old = object_meta(w->current);
    struct field_path m = field_path_member(NULL, STR("metadata"));
    struct field_path p = field_path_member(&m, STR("resourceVersion"));
    struct field_errors errs;
    uint64_t ignored;

    /* What a patch makes of it is a change that validation refuses. */
    if (meta->uid.len && !str_eq(meta->uid, old->uid) && r->info.verb == REQUEST_VERB_UPDATE) {
        refuse_uid(w, "/registry/", meta->uid, old->uid);
        return false;
    }
    if (meta->resource_version.len && !str_to_u64(meta->resource_version, &ignored)) {
        w->refused = status_plain(
            r->arena, STATUS_UNKNOWN, "strconv.ParseUint: parsing \"%.*s\": invalid syntax",
            (int)MIN(meta->resource_version.len, (size_t)100), meta->resource_version.p);
        return false;
    }
    if (meta->resource_version.len && !str_eq(meta->resource_version, STR("0"))) {
        if (str_eq(meta->resource_version, old->resource_version))
            return true;
        w->refused = status_modified(r->arena, gr_of(w), w->name);
        return false;
    }
    if (!(r->resource->flags & RESOURCE_NEEDS_VERSION) || r->info.verb == REQUEST_VERB_PATCH ||
        (r->special && r->special->projection)) /* a view, a Scale, need not say it */
        return true;
    field_errors_init(&errs, r->arena);
    field_errors_add_raw(&errs, &p, FIELD_ERROR_INVALID, STR("0"),
                         "must be specified for an update");
    /* Upstream names the resource here, where it names the kind elsewhere. */
    w->refused = status_invalid(r->arena, r->resource->group, r->resource->name, w->name, &errs);
    return false;
}

/* PUT of some resources, and apply of all, make what is not there. */
static bool makes_new(const struct api_request *r)
{
    if (r->subresource)
        return false;
    if (r->info.verb == REQUEST_VERB_PATCH)
        return r->body_media == MEDIA_APPLY_PATCH;
    return r->info.verb == REQUEST_VERB_UPDATE && r->resource->flags & RESOURCE_PUT_CREATES;
}

static enum write_decision create_by_put(struct write *w, struct object o)
{
    struct api_request *r = w->r;
    struct admission_call call = {
        .request = r,
        .snapshot = w->snapshot,
        .write = w,
        .operation = ADMISSION_CREATE,
        .namespace = w->namespace,
        .name = w->name,
        .object = o,
    };
    struct meta_v1_object_meta *meta = object_meta(o);

    if (!makes_new(r)) {
        w->refused = status_not_found(r->arena, gr_of(w), w->name);
        return WRITE_REFUSED;
    }
    if (meta->uid.len) {
        refuse_uid(w, "/", meta->uid, STR(""));
        return WRITE_REFUSED;
    }
    system_fields_on_create(r, meta);
    if (!admission_mutate(&call, &w->refused))
        return WRITE_REFUSED;
    strategy_prepare_create(r, o);
    if (!strategy_validate(r, o, (struct object){ 0 }, &w->refused) ||
        !admission_validate(&call, &w->refused))
        return WRITE_REFUSED;
    w->updated = o;
    return WRITE_PUT;
}

/* Was this the last thing that held an object which is to go? */
static bool is_released(struct api_request *r, struct object o)
{
    const struct meta_v1_object_meta *meta = object_meta(o);
    const struct strategy *s = strategy_of(r->resource);

    return meta->deletion_timestamp.set && !meta->finalizers.len &&
           (!meta->deletion_grace_period_seconds || *meta->deletion_grace_period_seconds == 0) &&
           !(s->is_kept && s->is_kept(o));
}

enum write_decision update_core(struct write *w, struct object updated)
{
    struct api_request *r = w->r;
    struct admission_call call = {
        .request = r,
        .snapshot = w->snapshot,
        .write = w,
        .operation = ADMISSION_UPDATE,
        .namespace = w->namespace,
        .name = w->name,
        .object = updated,
        .old = w->current,
    };

    if (!w->current.data)
        return create_by_put(w, updated);
    if (!check_preconditions(w, object_meta(updated)) || !admission_mutate(&call, &w->refused))
        return WRITE_REFUSED;
    object_meta(updated)->resource_version = object_meta(w->current)->resource_version;
    strategy_prepare_update(r, updated, w->current);
    field_manager_keep_times(w->current, updated);
    if (!strategy_validate(r, updated, w->current, &w->refused) ||
        !admission_validate(&call, &w->refused))
        return WRITE_REFUSED;
    w->updated = updated;
    return is_released(r, updated) ? WRITE_DELETE : WRITE_PUT;
}

enum write_decision update_core_view(struct write *w, struct object view)
{
    const struct subresource *special = w->r->special;
    struct object o;

    if (!special || !special->projection) {
        field_manager_update(w->r, w->current, view);
        return update_core(w, view);
    }
    if (!w->current.data) {
        w->refused = status_not_found(w->r->arena, gr_of(w), w->name);
        return WRITE_REFUSED;
    }
    o = object_copy(w->r->arena, w->current);
    object_meta(o)->resource_version = object_meta(view)->resource_version;
    object_meta(o)->uid = object_meta(view)->uid;
    if (!special->projection->merge(w->r, view, o, &w->refused))
        return WRITE_REFUSED;
    field_manager_update(w->r, w->current, o);
    return update_core(w, o);
}

static enum write_decision update_decide(struct write *w)
{
    const struct object *body = w->arg;

    return update_core_view(w, object_copy(w->r->arena, *body));
}

static void update_done(struct write *w)
{
    write_respond(w, w->created ? 201 : 200);
}

bool update_core_check_name(struct api_request *r, struct meta_v1_object_meta *meta,
                            struct status *ret)
{
    if (!meta->name.len)
        meta->name = r->info.name;
    if (!str_eq(meta->name, r->info.name)) {
        *ret = status_plain(r->arena, STATUS_BAD_REQUEST,
                            "the name of the object (%.*s) does not match the name on the URL "
                            "(%.*s)",
                            STR_ARG(meta->name), STR_ARG(r->info.name));
        return false;
    }
    return system_fields_check_namespace(r, meta, ret);
}

/* What replaces an object must say its name. */
static bool check_named(struct api_request *r, struct meta_v1_object_meta *meta, struct status *ret)
{
    if (meta->name.len)
        return update_core_check_name(r, meta, ret);
    *ret = status_plain(r->arena, STATUS_BAD_REQUEST,
                        "the name of the object (%.*s based on URL) was undeterminable: name must "
                        "be provided",
                        STR_ARG(r->info.name));
    return false;
}

void registry_update(struct api_request *r)
{
    struct write *w = ARENA_NEW(r->arena, struct write);
    struct object *body = ARENA_NEW(r->arena, struct object);
    struct status s;

    if (!body_check_options(r, "UpdateOptions", &s) || !body_decode(r, body, &s) ||
        !check_named(r, object_meta(*body), &s)) {
        api_respond_status(r, &s);
        return;
    }
    *w = (struct write){
        .r = r,
        .namespace = r->info.namespace,
        .name = r->info.name,
        .may_create = true,
        .decide = update_decide,
        .done = update_done,
        .arg = body,
    };
    write_run(w);
}
