/* scale: the replicas of a workload as an autoscaling/v1 Scale, whatever its kind. */
#include "apiserver/registry/scale.h"

#include "api/apps_v1.h"
#include "api/autoscaling_v1.h"
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/object_path.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* The number at a path, a pointer or a value; 0 when it is unset. */
static int32_t number_at(struct object o, struct str path)
{
    const struct schema_field *f = NULL;
    void *at = object_path_at(o, path, &f);
    const int32_t *value = at ? object_path_value(f, at) : NULL;

    return value ? *value : 0;
}

/* A LabelSelector, or the map of labels that a ReplicationController has instead, as text. */
static struct str selector_text(struct arena *a, struct object o)
{
    const struct schema_field *f = NULL;
    void *at = object_path_at(o, STR("spec.selector"), &f);
    struct label_selector selector;
    struct buf b = { 0 };
    struct err err;

    if (!at)
        return STR("");
    if (f->shape != SCHEMA_MAP) {
        if (label_selector_from_meta(a, object_path_value(f, at), &selector, &err) < 0)
            return STR("");
        return selector.nothing ? STR("") : label_selector_print(a, &selector);
    }
    buf_init_arena(&b, a, 64);
    for (uint32_t i = 0; i < text_map_len(at); i++) {
        const struct schema_str_entry *e = &text_map_items(at)[i];

        buf_printf(&b, "%s%.*s=%.*s", i ? "," : "", STR_ARG(e->key), STR_ARG(e->value));
    }
    return buf_str(&b);
}

struct object scale_new(struct api_request *r, struct object o)
{
    struct object v = object_new(r->arena, &schema_builtin, r->subresource->type);
    const struct meta_v1_object_meta *meta = object_meta(o);
    struct autoscaling_v1_scale *scale = v.data;

    object_set_gvk(v, STR("autoscaling/v1"), STR("Scale"));
    scale->metadata.name = meta->name;
    scale->metadata.namespace = meta->namespace;
    scale->metadata.uid = meta->uid;
    scale->metadata.resource_version = meta->resource_version;
    scale->metadata.creation_timestamp = meta->creation_timestamp;
    return v;
}

bool scale_check(struct api_request *r, const struct autoscaling_v1_scale *scale, struct object o,
                 struct status *ret)
{
    struct field_path spec = field_path_member(NULL, STR("spec"));
    struct field_path path = field_path_member(&spec, STR("replicas"));
    struct field_errors errs;

    if (scale->spec.replicas >= 0)
        return true;
    field_errors_init(&errs, r->arena);
    field_errors_add_raw(&errs, &path, FIELD_ERROR_INVALID,
                         arena_printf(r->arena, "%d", scale->spec.replicas),
                         "must be greater than or equal to 0");
    *ret = status_invalid(r->arena, STR("autoscaling"), STR("Scale"), object_meta(o)->name, &errs);
    return false;
}

static struct object scale_view(struct api_request *r, struct object o)
{
    struct object v = scale_new(r, o);
    struct autoscaling_v1_scale *scale = v.data;

    scale->spec.replicas = number_at(o, STR("spec.replicas"));
    scale->status.replicas = number_at(o, STR("status.replicas"));
    scale->status.selector = selector_text(r->arena, o);
    return v;
}

static bool scale_merge(struct api_request *r, struct object view, struct object o,
                        struct status *ret)
{
    const struct autoscaling_v1_scale *scale = view.data;
    const struct schema_field *f = NULL;
    void *at = object_path_at(o, STR("spec.replicas"), &f);
    int32_t *value = ARENA_NEW(r->arena, int32_t);

    if (!scale_check(r, scale, o, ret))
        return false;
    if (!at) {
        *ret = status_internal(r->arena, "the resource has no spec.replicas");
        return false;
    }
    *value = scale->spec.replicas;
    if (f->shape == SCHEMA_POINTER)
        memcpy(at, &value, sizeof(value)); /* the place of an int32_t * */
    else
        memcpy(at, value, sizeof(*value));
    return true;
}

const struct projection scale_projection = { .view = scale_view, .merge = scale_merge };
