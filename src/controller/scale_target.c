#include "controller/scale_target.h"

#include "api/apiextensions_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "codec/value.h"
#include "controller/controller.h"
#include "controller/custom_rows.h"

struct str scale_target_group(struct str api_version)
{
    struct str group, version;

    return str_cut(api_version, '/', &group, &version) ? group : STR("");
}

const struct resource *scale_target_find(const struct controller_manager *m, struct str api_version,
                                         struct str kind)
{
    struct str group = scale_target_group(api_version), head, version;
    const struct resource *row;

    if (!str_cut(api_version, '/', &head, &version))
        version = api_version;
    row = resource_find_kind(group, version, kind);
    for (size_t i = 0; !row && i < custom_rows_len(m); i++) {
        const struct resource *custom = custom_rows_at(m, i);

        if (custom && str_eq(custom->group, group) && str_eq(custom->kind, kind))
            row = custom;
    }
    return row;
}

bool scale_target_has_scale(struct controller_manager *m, const struct resource *row)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct apiextensions_v1_custom_resource_definition *d;
    const struct api_object *o;

    if (resource_subresource(row, STR("scale")))
        return true;
    o = informer_get(
        controller_informer_of(m, "apiextensions.k8s.io", "v1", "customresourcedefinitions"),
        arena_printf(&a, "%.*s.%.*s", STR_ARG(row->name), STR_ARG(row->group)));
    d = o ? o->o.data : NULL;
    for (uint32_t i = 0; d && i < d->spec.versions.len; i++)
        if (str_eq(d->spec.versions.items[i].name, row->version))
            return d->spec.versions.items[i].subresources &&
                   d->spec.versions.items[i].subresources->scale;
    return false;
}

static int64_t number_in(const struct value *v, struct str member)
{
    const struct value *n = v ? value_get(v, member) : NULL;

    return n && n->type == VALUE_INT ? n->i : 0;
}

bool scale_target_read(struct arena *a, struct str json, struct scale_target *ret)
{
    const struct value *meta, *spec, *status;
    struct value v;
    struct err err;

    if (value_parse(a, json, &v, NULL, &err) < 0)
        return false;
    meta = value_get(&v, STR("metadata"));
    spec = value_get(&v, STR("spec"));
    status = value_get(&v, STR("status"));
    if (!meta)
        return false;
    *ret = (struct scale_target){
        .uid = value_get_str(meta, STR("uid")),
        .resource_version = value_get_str(meta, STR("resourceVersion")),
        .wanted = number_in(spec, STR("replicas")),
        .current = number_in(status, STR("replicas")),
    };
    if (status)
        ret->selector = value_get_str(status, STR("selector"));
    return true;
}
