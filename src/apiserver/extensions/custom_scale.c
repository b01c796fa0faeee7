/* scale of a custom resource: numbers and a selector at the paths that its definition names. */
#include "api/autoscaling_v1.h"
#include "api/object_value.h"
#include "api/resource.h"
#include "api/structural/custom_resource.h"
#include "apiserver/api_request.h"
#include "apiserver/extensions/custom_strategy.h"
#include "apiserver/registry/scale.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

static const struct value *at(const struct value *tree, struct str path)
{
    struct str part;

    while (tree && path.len && str_next(&path, '.', &part))
        tree = value_get(tree, part);
    return tree;
}

static int32_t number_at(const struct value *tree, struct str path)
{
    const struct value *v = at(tree, path);

    return v && v->type == VALUE_INT && v->i >= INT32_MIN && v->i <= INT32_MAX ? (int32_t)v->i : 0;
}

/* Makes the objects on the way. */
static void set_at(struct arena *a, struct value *tree, struct str path, struct value v)
{
    struct str part, rest;

    while (str_cut(path, '.', &part, &rest)) {
        struct value *below = value_get(tree, part);

        tree =
            below && below->type == VALUE_OBJECT ? below : value_set(a, tree, part, value_object());
        path = rest;
    }
    value_set(a, tree, path, v);
}

static struct object view(struct api_request *r, struct object o)
{
    const struct custom_resource *c = r->resource->custom;
    struct object v = scale_new(r, o);
    struct autoscaling_v1_scale *scale = v.data;
    const struct value *selector;
    struct value tree;
    struct err err;

    if (object_value(r->arena, o, &tree, &err) < 0)
        return v;
    scale->spec.replicas = number_at(&tree, c->replicas_path);
    scale->status.replicas = number_at(&tree, c->status_replicas_path);
    selector = c->selector_path.len ? at(&tree, c->selector_path) : NULL;
    if (selector && selector->type == VALUE_STRING)
        scale->status.selector = selector->s;
    return v;
}

static bool merge(struct api_request *r, struct object view_object, struct object o,
                  struct status *ret)
{
    const struct custom_resource *c = r->resource->custom;
    const struct autoscaling_v1_scale *scale = view_object.data;
    struct str top, rest;
    struct value tree;
    struct buf b = { 0 };
    struct err err;

    if (!scale_check(r, scale, o, ret))
        return false;
    if (object_value(r->arena, o, &tree, &err) < 0) {
        *ret = status_internal(r->arena, "%s", err.text);
        return false;
    }
    set_at(r->arena, &tree, c->replicas_path, value_int(scale->spec.replicas));
    (void)str_cut(c->replicas_path, '.', &top, &rest);
    buf_init_arena(&b, r->arena, 256);
    value_print(&b, value_get(&tree, top));
    custom_object_set_member(r->arena, o, top, buf_str(&b));
    if (custom_object_settle(r->arena, c, o, NULL, NULL, NULL, &err) >= 0)
        return true;
    *ret = status_internal(r->arena, "%s", err.text);
    return false;
}

void custom_scale_config(struct arena *a, const struct custom_resource *c, const struct value *spec,
                         struct value *config)
{
    const struct value *replicas = spec ? value_get(spec, STR("replicas")) : NULL;

    if (replicas)
        set_at(a, config, c->replicas_path, *replicas);
}

const struct projection custom_scale_projection = { .view = view, .merge = merge };
