/* How long a node may keep what it has read of Secrets and ConfigMaps, by the number of nodes: an
 * annotation that kubelets which poll obey. Bounds overlap, so that a cluster which grows and
 * shrinks by one node does not rewrite all of them. */
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"

#define TTL "node.alpha.kubernetes.io/ttl"

static const struct step {
    size_t least, most; /* nodes */
    const char *seconds;
} steps[] = {
    { 0, 100, "0" },     { 90, 500, "15" },         { 450, 1000, "30" },
    { 900, 2000, "60" }, { 1800, SIZE_MAX, "300" },
};

static const struct resource *nodes_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("nodes"));
}

static enum reconcile_result reconcile_node(struct reconcile *r)
{
    const struct informer *nodes = controller_informer(r->manager, nodes_row());
    const struct api_object *o = informer_get(nodes, r->key);
    size_t *step = controller_state(r->manager, r->controller), n = informer_len(nodes);
    const struct schema_str_entry *e;

    while (n > steps[*step].most)
        ++*step;
    while (n < steps[*step].least)
        --*step;
    e = o ? text_map_find(&o->meta->annotations, STR(TTL)) : NULL;
    if (o && (!e || !str_eq(e->value, str_from_cstr(steps[*step].seconds))))
        reconcile_patch(r, nodes_row(), STR_NULL, r->key,
                        arena_printf(r->arena,
                                     "{\"metadata\":{\"annotations\":{\"" TTL "\":\"%s\"}}}",
                                     steps[*step].seconds));
    return RECONCILE_DONE;
}

extern const struct controller node_ttl_controller;

static void prepare(struct controller_manager *m)
{
    controller_set_state(m, &node_ttl_controller, ARENA_NEW(controller_arena(m), size_t));
}

static const struct controller_watch watches[] = {
    { "", "v1", "nodes", controller_map_self },
    { 0 },
};

const struct controller node_ttl_controller = {
    .name = "ttl",
    .watches = watches,
    .reconcile = reconcile_node,
    .prepare = prepare,
};
