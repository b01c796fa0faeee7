/* ResourceQuotas: status.hard follows spec.hard, status.used is counted anew from what is there.
 * Admission adds to it as objects are created; here it goes down again when they go, end or shrink.
 *
 * Key: the quota. An object's event concerns the quotas of its namespace; most namespaces have
 * none, and then nothing is done. */
#include "api/quota_usage.h"

#include "api/core_v1.h"
#include "api/pod_amounts.h"
#include "api/quantity.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/pod_state.h"

extern const struct controller resourcequota_controller;

static const struct resource *quotas_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("resourcequotas"));
}

/* Rows that share their storage share their objects: the first one stands for them. */
static bool is_counted(const struct resource *row)
{
    unsigned needed = RESOURCE_VERB_LIST | RESOURCE_VERB_WATCH;

    if (!(row->flags & RESOURCE_SERVED) || !resource_is_namespaced(row) ||
        !resource_is_stored(row) || (row->verbs & needed) != needed || (row->flags & RESOURCE_SOFT))
        return false;
    for (const struct resource *other = resource_table; other < row; other++)
        if ((other->flags & RESOURCE_SERVED) && str_eq(other->storage_prefix, row->storage_prefix))
            return false;
    return true;
}

/* --- which quotas an event concerns --- */

static void enqueue_namespace(struct controller_manager *m, const struct controller *c,
                              struct str namespace)
{
    const struct api_object *const *quotas;
    size_t n = controller_in_namespace(controller_informer(m, quotas_row()), namespace, &quotas);

    for (size_t i = 0; i < n; i++)
        controller_enqueue(m, c, quotas[i]->key);
}

static void map_object(struct controller_manager *m, const struct controller *c,
                       const struct api_object *old, const struct api_object *new)
{
    if (new && !old)
        enqueue_namespace(m, c, new->meta->namespace);
    else if (old && !new)
        enqueue_namespace(m, c, old->meta->namespace);
}

static void map_changed(struct controller_manager *m, const struct controller *c,
                        const struct api_object *old, const struct api_object *new)
{
    if (old && new)
        enqueue_namespace(m, c, new->meta->namespace);
    else
        map_object(m, c, old, new);
}

/* A Pod frees what it used when it ends; a resize changes it. */
static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    if (!old || !new || pod_is_finished(old->o.data) != pod_is_finished(new->o.data) ||
        old->meta->generation != new->meta->generation)
        map_changed(m, c, old, new);
}

static controller_map_fn *map_of(const struct resource *row)
{
    if (row->group.len)
        return map_object;
    if (str_eq(row->name, STR("pods")))
        return map_pod;
    if (str_eq(row->name, STR("services")) || str_eq(row->name, STR("persistentvolumeclaims")))
        return map_changed;
    return map_object;
}

static void prepare(struct controller_manager *m)
{
    controller_add_watch(m, &resourcequota_controller, quotas_row(), controller_map_self);
    for (size_t i = 0; i < resource_table_len; i++)
        if (is_counted(&resource_table[i]))
            controller_add_watch(m, &resourcequota_controller, &resource_table[i],
                                 map_of(&resource_table[i]));
}

/* --- counting --- */

static bool concerns(const struct core_v1_resource_quota *q, const struct resource *row)
{
    for (uint32_t i = 0; i < q->spec.hard.len; i++)
        if (quota_counts(row->group, row->name, q->spec.hard.items[i].key))
            return true;
    return false;
}

static void count_row(struct reconcile *r, const struct core_v1_resource_quota *q,
                      const struct resource *row, void *sum)
{
    const struct api_object *const *objects;
    size_t n =
        controller_in_namespace(controller_informer(r->manager, row), r->namespace, &objects);

    for (size_t i = 0; i < n; i++) {
        const struct quota_object o = { row->group, row->name, objects[i]->o, r->now_s };
        struct schema_list usage = { 0 };

        if (!quota_scopes_hold(&q->spec, &o))
            continue;
        quota_usage(r->arena, &o, &usage);
        pod_amounts_add(r->arena, sum, &usage);
    }
}

static bool maps_equal(const void *a, const void *b)
{
    const struct schema_str_entry *x = text_map_items(a);

    if (text_map_len(a) != text_map_len(b))
        return false;
    for (uint32_t i = 0; i < text_map_len(a); i++) {
        const struct schema_str_entry *y = text_map_find(b, x[i].key);
        struct quantity p, q;

        if (!y || !quantity_parse(x[i].value, &p) || !quantity_parse(y->value, &q) ||
            quantity_compare(p, q) != 0)
            return false;
    }
    return true;
}

static enum reconcile_result reconcile_quota(struct reconcile *r)
{
    const struct api_object *o =
        informer_get(controller_informer(r->manager, quotas_row()), r->key);
    struct core_v1_resource_quota *q;
    struct schema_list sum = { 0 }, used = { 0 };
    struct object copy;

    if (!o)
        return RECONCILE_DONE;
    copy = object_copy(r->arena, o->o);
    q = copy.data;
    for (size_t i = 0; i < resource_table_len; i++)
        if (is_counted(&resource_table[i]) && concerns(q, &resource_table[i]))
            count_row(r, q, &resource_table[i], &sum);
    for (uint32_t i = 0; i < q->spec.hard.len; i++) {
        const struct schema_str_entry *e = text_map_find(&sum, q->spec.hard.items[i].key);

        text_map_put(r->arena, &used, q->spec.hard.items[i].key, e ? e->value : STR("0"));
    }
    if (maps_equal(&q->spec.hard, &q->status.hard) && maps_equal(&used, &q->status.used))
        return RECONCILE_DONE;
    memcpy(&q->status.hard, &q->spec.hard, sizeof(q->status.hard));
    memcpy(&q->status.used, &used, sizeof(used));
    reconcile_update_status(r, quotas_row(), copy);
    return RECONCILE_DONE;
}

static const struct controller_watch watches[] = { { 0 } };

const struct controller resourcequota_controller = {
    .name = "resourcequota",
    .watches = watches,
    .reconcile = reconcile_quota,
    .prepare = prepare,
};
