/* CustomResourceDefinitions themselves. */
#include "api/apiextensions_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/structural/definition_rules.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/extensions/definition_status.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"
#include "base/clock.h"

static void prepare_create(struct api_request *r, struct object o)
{
    definition_status_init(r->arena, o);
}

static void prepare_update(struct api_request *r, struct object o, struct object old)
{
    (void)old;
    if (!r->subresource)
        definition_status_stored_versions(r->arena, o);
}

/* Its objects go first: the finalizer that says so is set by mark_deleted(). */
static bool is_kept(struct object o)
{
    return !object_meta(o)->deletion_timestamp.set;
}

static void mark_deleted(struct api_request *r, struct object o)
{
    definition_status_terminating(r->arena, o, clock_wall_s(r->server->clock));
}

static void validate(struct api_request *r, struct object o, struct object old,
                     struct field_errors *errs)
{
    definition_rules_check(o, old, r->subresource != NULL, errs);
}

const struct strategy definition_strategy = {
    .group = STR_INIT("apiextensions.k8s.io"),
    .resource = STR_INIT("customresourcedefinitions"),
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .validate = validate,
    .is_kept = is_kept,
    .mark_deleted = mark_deleted,
};
