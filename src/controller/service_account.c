/* Every namespace has a service account "default", and the ConfigMap kube-root-ca.crt with the
 * authority that Pods verify the API server by. Both come back when they are deleted or changed. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"

#define CA_MAP_NAME "kube-root-ca.crt"
#define CA_KEY      "ca.crt"

static const struct api_object *get(struct reconcile *r, const char *resource, struct str name)
{
    struct informer *i = controller_informer_of(r->manager, "", "v1", resource);

    return informer_get(i, controller_key(r->arena, r->key, name));
}

/* The namespace, unless it is on its way out. */
static bool is_living(struct reconcile *r)
{
    struct informer *namespaces = controller_informer_of(r->manager, "", "v1", "namespaces");
    const struct api_object *ns = informer_get(namespaces, r->key);

    return ns && !ns->meta->deletion_timestamp.set;
}

static struct object new_object(struct reconcile *r, const struct resource *row, struct str name)
{
    struct object o = object_new(r->arena, &schema_builtin, row->type);

    object_meta(o)->name = name;
    object_meta(o)->namespace = r->key;
    return o;
}

static enum reconcile_result reconcile_account(struct reconcile *r)
{
    const struct resource *row = resource_find(STR(""), STR("v1"), STR("serviceaccounts"));

    if (is_living(r) && !get(r, "serviceaccounts", STR("default")))
        reconcile_create(r, row, r->key, new_object(r, row, STR("default")));
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_ca(struct reconcile *r)
{
    const struct resource *row = resource_find(STR(""), STR("v1"), STR("configmaps"));
    const struct api_object *have = get(r, "configmaps", STR(CA_MAP_NAME));
    struct str ca = controller_root_ca(r->manager);
    struct object o;
    struct core_v1_config_map *map;
    struct schema_str_entry *entry;

    if (!is_living(r) || !ca.len)
        return RECONCILE_DONE;
    if (have) {
        map = have->o.data;
        entry = text_map_find(&map->data, STR(CA_KEY));
        if (map->data.len == 1 && entry && str_eq(entry->value, ca))
            return RECONCILE_DONE;
        o = object_copy(r->arena, have->o);
        map = o.data;
        map->data.len = 0;
        text_map_put(r->arena, &map->data, STR(CA_KEY), ca);
        reconcile_update(r, row, o);
        return RECONCILE_DONE;
    }
    o = new_object(r, row, STR(CA_MAP_NAME));
    map = o.data;
    text_map_put(r->arena, &object_meta(o)->annotations, STR("kubernetes.io/description"),
                 STR("The certificate authority that verifies this cluster's API server."));
    text_map_put(r->arena, &map->data, STR(CA_KEY), ca);
    reconcile_create(r, row, r->key, o);
    return RECONCILE_DONE;
}

/* Of the objects that this file keeps, only these. */
static void map_named(struct controller_manager *m, const struct controller *c,
                      const struct api_object *old, const struct api_object *new)
{
    const struct api_object *o = new ? new : old;

    if (str_eq(o->meta->name, STR("default")) || str_eq(o->meta->name, STR(CA_MAP_NAME)))
        controller_map_namespace(m, c, old, new);
}

static const struct controller_watch account_watches[] = {
    { "", "v1", "namespaces", controller_map_self },
    { "", "v1", "serviceaccounts", map_named },
    { 0 },
};
const struct controller serviceaccount_controller = {
    .name = "serviceaccount",
    .watches = account_watches,
    .reconcile = reconcile_account,
};

static const struct controller_watch ca_watches[] = {
    { "", "v1", "namespaces", controller_map_self },
    { "", "v1", "configmaps", map_named },
    { 0 },
};
const struct controller root_ca_controller = {
    .name = "root-ca-certificate-publisher",
    .watches = ca_watches,
    .reconcile = reconcile_ca,
};
