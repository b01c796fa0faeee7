#include "apiserver/extensions/custom_strategy.h"

#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/structural/custom_resource.h"
#include "apiserver/api_request.h"
#include "base/arena.h"

static bool is_status(const struct api_request *r)
{
    return r->subresource && str_eq(r->subresource->name, STR("status"));
}

static void prepare_create(struct api_request *r, struct object o)
{
    if (r->resource->custom->has_status)
        custom_object_set_member(r->arena, o, STR("status"), STR_NULL);
    object_meta(o)->generation = 1;
}

/* The status endpoint changes nothing but the status; all others everything but that. */
static void prepare_update(struct api_request *r, struct object o, struct object old)
{
    const struct custom_resource *c = r->resource->custom;
    struct meta_v1_custom_object *to = o.data;
    const struct meta_v1_custom_object *from = old.data;
    struct str status = custom_object_member(o, STR("status"));

    if (is_status(r)) {
        to->members.items = from->members.items;
        to->members.len = from->members.len;
        custom_object_set_member(r->arena, o, STR("status"), status);
        return;
    }
    if (c->has_status)
        custom_object_set_member(r->arena, o, STR("status"),
                                 custom_object_member(old, STR("status")));
    if (custom_object_differs(o, old, STR_NULL))
        to->metadata.generation = from->metadata.generation + 1;
}

static bool has_finalizer(const struct meta_v1_object_meta *meta, struct str name)
{
    for (uint32_t i = 0; meta && i < meta->finalizers.len; i++)
        if (str_eq(meta->finalizers.items[i], name))
            return true;
    return false;
}

/* Names without a path may be somebody else's, too. */
static void warn_of_finalizers(struct api_request *r, const struct meta_v1_object_meta *meta,
                               const struct meta_v1_object_meta *old)
{
    static const struct str standard[] = { STR_INIT("orphan"), STR_INIT("foregroundDeletion"),
                                           STR_INIT("kubernetes") };

    for (uint32_t i = 0; i < meta->finalizers.len; i++) {
        struct str f = meta->finalizers.items[i];
        bool known = str_find(f, '/') >= 0 || has_finalizer(old, f);

        for (size_t k = 0; k < ARRAY_LEN(standard); k++)
            known |= str_eq(f, standard[k]);
        if (!known)
            api_request_warn(r,
                             "metadata.finalizers: \"%.*s\": prefer a domain-qualified finalizer "
                             "name%s to avoid accidental conflicts with other finalizer writers",
                             STR_ARG(f), str_find(f, '.') >= 0 ? " including a path (/)" : "");
    }
}

static void validate(struct api_request *r, struct object o, struct object old,
                     struct field_errors *errs)
{
    custom_object_validate(r->arena, r->resource->custom, o, old, is_status(r), errs);
    if (!is_status(r))
        warn_of_finalizers(r, object_meta(o), old.data ? object_meta(old) : NULL);
}

const struct strategy custom_strategy = {
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .validate = validate,
};
