/* Namespaces: a finalizer in the spec holds a namespace until what is in it is gone; it is emptied
 * through the finalize subresource alone. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"

static void set_name_label(struct api_request *r, struct core_v1_namespace *ns)
{
    struct str name = ns->metadata.name;

    if (name.len)
        text_map_put(r->arena, &ns->metadata.labels, STR("kubernetes.io/metadata.name"), name);
}

static void prepare_create(struct api_request *r, struct object o)
{
    struct core_v1_namespace *ns = o.data;
    bool found = false;

    ns->status.phase = STR("Active");
    for (uint32_t i = 0; i < ns->spec.finalizers.len; i++)
        found |= str_eq(ns->spec.finalizers.items[i], STR("kubernetes"));
    if (!found) {
        uint32_t n = ns->spec.finalizers.len;
        struct str *items = ARENA_NEW_ARRAY(r->arena, struct str, n + 1);

        for (uint32_t i = 0; i < n; i++)
            items[i] = ns->spec.finalizers.items[i];
        items[n] = STR("kubernetes");
        ns->spec.finalizers.items = items;
        ns->spec.finalizers.len = n + 1;
    }
    set_name_label(r, ns);
}

static void prepare_update(struct api_request *r, struct object o, struct object old)
{
    struct core_v1_namespace *ns = o.data;
    const struct core_v1_namespace *was = old.data;

    if (!r->subresource || !str_eq(r->subresource->name, STR("finalize")))
        ns->spec.finalizers = was->spec.finalizers;
    set_name_label(r, ns);
}

static bool is_kept(struct object o)
{
    return ((const struct core_v1_namespace *)o.data)->spec.finalizers.len != 0;
}

static void mark_deleted(struct api_request *r, struct object o)
{
    (void)r;
    ((struct core_v1_namespace *)o.data)->status.phase = STR("Terminating");
}

const struct strategy namespace_strategy = {
    .group = STR_INIT(""),
    .resource = STR_INIT("namespaces"),
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .is_kept = is_kept,
    .mark_deleted = mark_deleted,
};
