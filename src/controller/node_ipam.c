/* Each node gets a range of Pod addresses of its own out of --cluster-cidr, and keeps it. One
 * worker, and caches that have seen the last choice: two nodes never get one range. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/name_rules.h"
#include "api/resource.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"

enum { MAX_RANGES = 1 << 16 };

static const struct resource *nodes_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("nodes"));
}

/* The n-th range of `bits` within the cluster's, as text; false beyond its end. */
static bool print_range(struct arena *a, struct str cluster, int bits, uint32_t n, struct str *ret)
{
    struct name_ip ip;
    int len, family_bits;
    unsigned __int128 base = 0;

    if (!name_cidr_parse(cluster, &ip, &len))
        return false;
    family_bits = ip.family == 4 ? 32 : 128;
    if (bits < len || bits > family_bits || (bits - len < 32 && n >> (bits - len)))
        return false;
    for (int i = 0; i < family_bits / 8; i++)
        base = base << 8 | ip.bytes[i];
    base &= len ? ~(unsigned __int128)0 << (family_bits - len) : 0;
    base += (unsigned __int128)n << (family_bits - bits);
    if (ip.family == 4) {
        uint32_t v4 = (uint32_t)base;

        *ret = arena_printf(a, "%u.%u.%u.%u/%d", v4 >> 24, v4 >> 16 & 255, v4 >> 8 & 255, v4 & 255,
                            bits);
        return true;
    }
    *ret = STR("");
    for (int i = 7; i >= 0; i--)
        *ret = arena_printf(a, "%.*s%s%x", STR_ARG(*ret), i == 7 ? "" : ":",
                            (unsigned)(base >> (16 * i)) & 0xffff);
    *ret = arena_printf(a, "%.*s/%d", STR_ARG(*ret), bits);
    return true;
}

static bool is_taken(const struct informer *nodes, struct str range)
{
    const struct api_object *o;
    size_t cursor = 0;

    while ((o = informer_next(nodes, &cursor)) != NULL)
        if (str_eq(API_OBJECT(o, struct core_v1_node)->spec.pod_cidr, range))
            return true;
    return false;
}

static enum reconcile_result reconcile_node(struct reconcile *r)
{
    const struct controller_manager_options *options = controller_options(r->manager);
    const struct informer *nodes = controller_informer(r->manager, nodes_row());
    const struct api_object *o = informer_get(nodes, r->key);
    struct str range;

    if (!o || !options->cluster_cidr.len || API_OBJECT(o, struct core_v1_node)->spec.pod_cidr.len)
        return RECONCILE_DONE;
    for (uint32_t n = 0; n < MAX_RANGES; n++) {
        if (!print_range(r->arena, options->cluster_cidr, options->node_cidr_mask_size, n, &range))
            break;
        if (is_taken(nodes, range))
            continue;
        reconcile_patch(r, nodes_row(), STR_NULL, r->name,
                        arena_printf(r->arena,
                                     "{\"spec\":{\"podCIDR\":\"%.*s\",\"podCIDRs\":[\"%.*s\"]}}",
                                     STR_ARG(range), STR_ARG(range)));
        return RECONCILE_DONE;
    }
    reconcile_event(r, o, "Normal", "CIDRNotAvailable", "Node %.*s status is now: CIDRNotAvailable",
                    STR_ARG(r->name));
    return RECONCILE_DONE;
}

/* When a node goes, its range may be what another one waits for. */
static void map_node(struct controller_manager *m, const struct controller *c,
                     const struct api_object *old, const struct api_object *new)
{
    const struct informer *nodes = controller_informer(m, nodes_row());
    const struct api_object *o;
    size_t cursor = 0;

    if (new) {
        controller_map_self(m, c, old, new);
        return;
    }
    while ((o = informer_next(nodes, &cursor)) != NULL)
        if (!API_OBJECT(o, struct core_v1_node)->spec.pod_cidr.len)
            controller_enqueue(m, c, o->key);
}

static const struct controller_watch watches[] = {
    { "", "v1", "nodes", map_node },
    { 0 },
};

const struct controller node_ipam_controller = {
    .name = "node-ipam",
    .watches = watches,
    .reconcile = reconcile_node,
    .workers = 1,
};
