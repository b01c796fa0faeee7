/* A Namespace that is deleted is emptied, resource by resource, and goes when nothing is left: its
 * finalizer "kubernetes" is taken off. What is left (Pods that stop gracefully, finalizers) shows
 * in its conditions meanwhile. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/custom_rows.h"

enum { AGAIN_MS = 1000 }; /* what is left may go without an event that we hear */

static const struct resource *namespaces_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("namespaces"));
}

static const struct api_object *terminating(struct reconcile *r)
{
    const struct api_object *ns =
        informer_get(controller_informer(r->manager, namespaces_row()), r->key);

    return ns && ns->meta->deletion_timestamp.set ? ns : NULL;
}

static void set_condition(struct reconcile *r, struct core_v1_namespace *ns, const char *type,
                          bool is_true, const char *reason, struct str message)
{
    struct core_v1_namespace_condition *c = NULL, *grown;
    struct str status = is_true ? STR("True") : STR("False");

    for (uint32_t i = 0; i < ns->status.conditions.len; i++)
        if (str_eq(ns->status.conditions.items[i].type, str_from_cstr(type)))
            c = &ns->status.conditions.items[i];
    if (!c) {
        grown = ARENA_NEW_ARRAY(r->arena, struct core_v1_namespace_condition,
                                ns->status.conditions.len + 1);
        if (ns->status.conditions.len)
            memcpy(grown, ns->status.conditions.items, ns->status.conditions.len * sizeof(*grown));
        ns->status.conditions.items = grown;
        c = &grown[ns->status.conditions.len++];
        c->type = str_from_cstr(type);
    }
    if (!str_eq(c->status, status))
        c->last_transition_time = (struct ktime){ .sec = r->now_s, .set = true };
    c->status = status;
    c->reason = str_from_cstr(reason);
    c->message = message;
}

static void finalize(struct reconcile *r, const struct api_object *object)
{
    struct object copy = object_copy(r->arena, object->o);
    struct core_v1_namespace *ns = copy.data;
    uint32_t n = 0;

    for (uint32_t i = 0; i < ns->spec.finalizers.len; i++)
        if (!str_eq(ns->spec.finalizers.items[i], STR("kubernetes")))
            ns->spec.finalizers.items[n++] = ns->spec.finalizers.items[i];
    if (n == ns->spec.finalizers.len)
        return;
    ns->spec.finalizers.len = n;
    reconcile_update_sub(r, namespaces_row(), STR("finalize"), copy);
}

static void report_left(struct reconcile *r, const struct api_object *object)
{
    struct object copy = object_copy(r->arena, object->o);
    struct core_v1_namespace *ns = copy.data;

    set_condition(r, ns, "NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
                  STR("All resources successfully discovered"));
    set_condition(r, ns, "NamespaceDeletionGroupVersionParsingFailure", false,
                  "ParsedGroupVersions", STR("All legacy kube types successfully parsed"));
    set_condition(r, ns, "NamespaceDeletionContentFailure", false, "ContentDeleted",
                  STR("All content successfully deleted, may be waiting on finalization"));
    set_condition(r, ns, "NamespaceContentRemaining", true, "SomeResourcesRemain",
                  arena_printf(r->arena, "Some resources are remaining: %zu resource instances",
                               r->n_terminating));
    if (!object_equal(copy, object->o))
        reconcile_update_status(r, namespaces_row(), copy);
}

static const struct resource *pods_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("pods"));
}

static void delete_all(struct reconcile *r)
{
    for (size_t i = 0; i < resource_table_len; i++) {
        const struct resource *row = &resource_table[i];

        if (resource_is_namespaced(row) && resource_is_stored(row) &&
            (row->verbs & RESOURCE_VERB_DELETECOLLECTION) &&
            resource_find(row->group, row->version, row->name) == row)
            reconcile_delete_collection(r, row, r->key);
    }
    for (size_t i = 0; i < custom_rows_len(r->manager); i++) {
        const struct resource *row = custom_rows_at(r->manager, i);

        if (row && resource_is_namespaced(row))
            reconcile_delete_collection(r, row, r->key);
    }
}

/* Empty is what a pass found empty: what is created or let go meanwhile is met by the next one. */
static enum reconcile_result after_pass(struct reconcile *r)
{
    const struct api_object *ns = terminating(r);

    if (!ns)
        return RECONCILE_DONE;
    if (r->n_terminating) {
        r->again_after_ms = AGAIN_MS;
        report_left(r, ns);
    } else if (r->n_deleted) {
        r->n_deleted = 0;
        delete_all(r);
        r->then = after_pass;
    } else {
        finalize(r, ns);
    }
    return RECONCILE_DONE;
}

/* Nothing that a Pod relies on (its network policies, its secrets) goes before it. */
static enum reconcile_result after_pods(struct reconcile *r)
{
    const struct api_object *ns = terminating(r);

    if (!ns)
        return RECONCILE_DONE;
    if (r->n_terminating) {
        r->again_after_ms = AGAIN_MS;
        report_left(r, ns);
        return RECONCILE_DONE;
    }
    delete_all(r);
    r->then = after_pass;
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_namespace(struct reconcile *r)
{
    const struct api_object *ns = terminating(r);

    if (!ns || !API_OBJECT(ns, struct core_v1_namespace)->spec.finalizers.len)
        return RECONCILE_DONE;
    reconcile_delete_collection(r, pods_row(), r->key);
    r->then = after_pods;
    return RECONCILE_DONE;
}

/* A Pod that has gone from a namespace that is going. */
static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    const struct api_object *ns;

    if (new)
        return;
    ns = informer_get(controller_informer(m, namespaces_row()), old->meta->namespace);
    if (ns && ns->meta->deletion_timestamp.set)
        controller_enqueue(m, c, ns->key);
}

static void map_terminating(struct controller_manager *m, const struct controller *c,
                            const struct api_object *old, const struct api_object *new)
{
    (void)old;
    if (new &&new->meta->deletion_timestamp.set)
        controller_enqueue(m, c, new->key);
}

static const struct controller_watch watches[] = {
    { "", "v1", "namespaces", map_terminating },
    { "", "v1", "pods", map_pod },
    { 0 },
};

const struct controller namespace_controller = {
    .name = "namespace",
    .watches = watches,
    .reconcile = reconcile_namespace,
};
