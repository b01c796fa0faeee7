/* CustomResourceDefinitions themselves. */
#include "api/apiextensions_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/structural/definition_rules.h"
#include "api/structural/schema_rules.h"
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

typedef const struct apiextensions_v1_custom_resource_definition crd_t;

static bool each_unknown_format(crd_t *d, schema_rules_format_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < d->spec.versions.len; i++) {
        const struct apiextensions_v1_custom_resource_validation *v =
            d->spec.versions.items[i].schema;

        if (v && !schema_rules_each_unknown_format(v->open_api_v3_schema, fn, arg))
            return false;
    }
    return true;
}

static bool differs(struct str format, void *arg)
{
    return !str_eq(format, *(const struct str *)arg);
}

struct warner {
    struct api_request *request;
    crd_t *old; /* NULL: create */
};

static bool warn(struct str format, void *arg)
{
    struct warner *w = arg;

    if (!w->old || each_unknown_format(w->old, differs, &format)) /* that is new */
        api_request_warn(w->request, "unrecognized format \"%.*s\"", STR_ARG(format));
    return w->request->n_warnings < API_REQUEST_MAX_WARNINGS;
}

static void warn_of_formats(struct api_request *r, struct object o, struct object old)
{
    struct warner w = { r, old.data };

    (void)each_unknown_format(o.data, warn, &w); /* or as many as a request may have */
}

static void validate(struct api_request *r, struct object o, struct object old,
                     struct field_errors *errs)
{
    definition_rules_check(o, old, r->subresource != NULL, errs);
    if (!errs->len && !r->subresource)
        warn_of_formats(r, o, old);
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
