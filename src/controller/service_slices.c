#include "controller/service_slices.h"

#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "controller/controller.h"

#define SERVICE STR("kubernetes.io/service-name")
#define MANAGER STR("endpointslice.kubernetes.io/managed-by")

const struct resource *service_slices_row(void)
{
    return resource_find(STR("discovery.k8s.io"), STR("v1"), STR("endpointslices"));
}

bool service_slices_is_one(const struct api_object *o, struct str service, struct str manager)
{
    const struct schema_str_entry *s = text_map_find(&o->meta->labels, SERVICE);
    const struct schema_str_entry *m = text_map_find(&o->meta->labels, MANAGER);

    return s && m && str_eq(s->value, service) && str_eq(m->value, manager);
}

void service_slices_label(struct arena *a, struct meta_v1_object_meta *meta, struct str service,
                          struct str manager)
{
    text_map_put(a, &meta->labels, SERVICE, service);
    text_map_put(a, &meta->labels, MANAGER, manager);
}

void service_slices_map(struct controller_manager *m, const struct controller *c,
                        const struct api_object *o, struct str manager)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct schema_str_entry *s = text_map_find(&o->meta->labels, SERVICE);

    if (s && service_slices_is_one(o, s->value, manager))
        controller_enqueue(m, c, controller_key(&a, o->meta->namespace, s->value));
}

void service_slices_delete(struct reconcile *r, const struct api_object *o)
{
    reconcile_delete(r, service_slices_row(), r->namespace, o->meta->name, o->meta->uid, STR_NULL);
}
