/* POST: the object gets its system fields, is admitted, prepared, validated, and stored where
 * nothing is yet. A generated name that is taken is drawn again. */
#include "api/meta_v1.h"
#include "api/object.h"
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/field_manager.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/strategy.h"
#include "apiserver/registry/system_fields.h"
#include "apiserver/registry/write.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/random.h"

enum { NAME_TRIES = 8, NAME_SUFFIX = 5, NAME_BASE_MAX = 63 - NAME_SUFFIX };

struct create {
    struct write write;
    struct object body;
    bool makes_name; /* the client gave none: another will do */
    int name_tries;
};

/* prefix + five characters that make no words */
static struct str generate_name(struct arena *a, struct str prefix)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    char suffix[NAME_SUFFIX];
    uint64_t x = random_u64();

    for (int i = 0; i < NAME_SUFFIX; i++) {
        suffix[i] = alphabet[x % (sizeof(alphabet) - 1)];
        x /= sizeof(alphabet) - 1;
    }
    prefix = str_sub(prefix, 0, NAME_BASE_MAX);
    return arena_printf(a, "%.*s%.*s", STR_ARG(prefix), NAME_SUFFIX, suffix);
}

void system_fields_on_create(struct api_request *r, struct meta_v1_object_meta *meta)
{
    char uid[RANDOM_UUID_LEN + 1];

    random_uuid(uid);
    meta->uid = str_dup(r->arena, str_from_cstr(uid));
    meta->creation_timestamp = (struct ktime){ .sec = clock_wall_s(r->server->clock), .set = true };
    meta->deletion_timestamp = (struct ktime){ 0 };
    meta->deletion_grace_period_seconds = NULL;
    meta->self_link = STR_NULL;
    meta->resource_version = STR_NULL;
    if (!meta->name.len && meta->generate_name.len)
        meta->name = generate_name(r->arena, meta->generate_name);
}

static enum write_decision create_decide(struct write *w)
{
    struct create *c = w->arg;
    struct api_request *r = w->r;
    struct admission_call call = {
        .request = r,
        .snapshot = w->snapshot,
        .write = w,
        .operation = ADMISSION_CREATE,
        .namespace = w->namespace,
        .name = object_meta(c->body)->name,
        .object = object_copy(r->arena, c->body),
    };

    if (!admission_mutate(&call, &w->refused))
        return WRITE_REFUSED;
    strategy_prepare_create(r, call.object);
    if (!strategy_validate(r, call.object, (struct object){ 0 }, &w->refused) ||
        !admission_validate(&call, &w->refused))
        return WRITE_REFUSED;
    w->updated = call.object;
    return WRITE_PUT;
}

static void start(struct create *c);

static void create_done(struct write *w)
{
    struct create *c = w->arg;
    struct meta_v1_object_meta *meta = object_meta(c->body);
    struct group_resource gr = { w->r->resource->group, w->r->resource->name };

    if (w->decision == WRITE_REFUSED && w->refused.reason == STATUS_ALREADY_EXISTS &&
        meta->generate_name.len) {
        if (c->makes_name && ++c->name_tries < NAME_TRIES) {
            meta->name = generate_name(w->r->arena, meta->generate_name);
            start(c);
            return;
        }
        w->refused = status_not_unique(w->r->arena, gr, meta->name);
    }
    if (w->decision != WRITE_REFUSED)
        w->revision = w->r->dry_run ? 0 : w->revision;
    write_respond(w, 201);
}

static void start(struct create *c)
{
    struct api_request *r = c->write.r;

    c->write = (struct write){
        .r = r,
        .namespace = r->info.namespace,
        .name = object_meta(c->body)->name,
        .must_be_new = true,
        .decide = create_decide,
        .done = create_done,
        .arg = c,
    };
    write_run(&c->write);
}

bool system_fields_check_namespace(struct api_request *r, struct meta_v1_object_meta *meta,
                                   struct status *ret)
{
    if (!resource_is_namespaced(r->resource))
        return true;
    if (!meta->namespace.len)
        meta->namespace = r->info.namespace;
    if (str_eq(meta->namespace, r->info.namespace))
        return true;
    *ret = status_plain(r->arena, STATUS_BAD_REQUEST,
                        "the namespace of the provided object does not match the namespace sent on "
                        "the request");
    return false;
}

/* An object without a name has no key: upstream's answer comes before anything is read. */
static bool check_name(struct api_request *r, struct meta_v1_object_meta *meta, struct status *ret)
{
    struct status_cause *cause;

    if (meta->name.len || meta->generate_name.len)
        return true;
    cause = ARENA_NEW(r->arena, struct status_cause);
    cause->type = STR("FieldValueRequired");
    cause->message = STR("Required value: name or generateName is required");
    cause->field = STR("metadata.name");
    *ret = status_plain(r->arena, STATUS_INVALID,
                        "%.*s%s%.*s \"\" is invalid: metadata.name: Required value: name or "
                        "generateName is required",
                        STR_ARG(r->resource->kind), r->resource->group.len ? "." : "",
                        STR_ARG(r->resource->group));
    ret->group = r->resource->group;
    ret->kind = r->resource->kind;
    ret->causes = cause;
    ret->n_causes = 1;
    return false;
}

void registry_create(struct api_request *r)
{
    struct create *c = ARENA_NEW(r->arena, struct create);
    struct meta_v1_object_meta *meta;
    struct status s;

    if (!body_check_options(r, "CreateOptions", &s) || !body_decode(r, &c->body, &s)) {
        api_respond_status(r, &s);
        return;
    }
    meta = object_meta(c->body);
    if (meta->resource_version.len) {
        s = status_plain(r->arena, STATUS_UNKNOWN,
                         "resourceVersion should not be set on objects to be created");
        api_respond_status(r, &s);
        return;
    }
    if (!system_fields_check_namespace(r, meta, &s) || !check_name(r, meta, &s)) {
        api_respond_status(r, &s);
        return;
    }
    c->makes_name = !meta->name.len;
    system_fields_on_create(r, meta);
    field_manager_update(r, (struct object){ 0 }, c->body);
    c->write.r = r;
    start(c);
}
