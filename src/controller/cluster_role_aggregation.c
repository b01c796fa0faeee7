/* ClusterRoles with an aggregation rule have the rules of all ClusterRoles that it selects: those
 * of the first selector first, of each in the order of names, each rule once. */
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/rbac_v1.h"
#include "api/resource.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/owned_objects.h"

typedef const struct rbac_v1_policy_rule policy_rule;

static const struct resource *roles_row(void)
{
    return resource_find(STR("rbac.authorization.k8s.io"), STR("v1"), STR("clusterroles"));
}

static bool same_texts(const void *a, const void *b)
{
    const struct schema_list *x = a, *y = b;
    const struct str *p = x->items, *q = y->items;

    if (x->len != y->len)
        return false;
    for (uint32_t i = 0; i < x->len; i++)
        if (!str_eq(p[i], q[i]))
            return false;
    return true;
}

static bool same_rule(policy_rule *a, policy_rule *b)
{
    return same_texts(&a->verbs, &b->verbs) && same_texts(&a->api_groups, &b->api_groups) &&
           same_texts(&a->resources, &b->resources) &&
           same_texts(&a->resource_names, &b->resource_names) &&
           same_texts(&a->non_resource_urls, &b->non_resource_urls);
}

static void add_rules(struct rbac_v1_cluster_role *to, const struct rbac_v1_cluster_role *from)
{
    for (uint32_t i = 0; i < from->rules.len; i++) {
        bool is_there = false;

        for (uint32_t k = 0; k < to->rules.len && !is_there; k++)
            is_there = same_rule(&to->rules.items[k], &from->rules.items[i]);
        if (!is_there)
            to->rules.items[to->rules.len++] = from->rules.items[i];
    }
}

static int by_name(const void *a, const void *b)
{
    const struct api_object *const *x = a, *const *y = b;

    return str_cmp((*x)->meta->name, (*y)->meta->name);
}

/* All but the role itself, by name; *ret_rules: how many rules they have in all. */
static size_t list_others(struct reconcile *r, const struct api_object ***ret, size_t *ret_rules)
{
    const struct informer *roles = controller_informer(r->manager, roles_row());
    const struct api_object **items = ARENA_NEW_ARRAY(r->arena, const struct api_object *,
                                                      informer_len(roles)),
                            *o;
    size_t cursor = 0, n = 0;

    *ret_rules = 0;
    while ((o = informer_next(roles, &cursor)) != NULL) {
        if (str_eq(o->key, r->key))
            continue;
        items[n++] = o;
        *ret_rules += API_OBJECT(o, struct rbac_v1_cluster_role)->rules.len;
    }
    if (n)
        qsort(items, n, sizeof(items[0]), by_name);
    *ret = items;
    return n;
}

static enum reconcile_result reconcile_role(struct reconcile *r)
{
    const struct api_object *o = informer_get(controller_informer(r->manager, roles_row()), r->key);
    const struct rbac_v1_cluster_role *role = o ? o->o.data : NULL;
    const struct api_object **others;
    struct rbac_v1_cluster_role *wanted;
    struct object copy;
    size_t n, n_rules;

    if (!role || !role->aggregation_rule)
        return RECONCILE_DONE;
    n = list_others(r, &others, &n_rules);
    copy = object_copy(r->arena, o->o);
    wanted = copy.data;
    wanted->rules.items = ARENA_NEW_ARRAY(r->arena, struct rbac_v1_policy_rule, n_rules);
    wanted->rules.len = 0;
    for (uint32_t s = 0; s < role->aggregation_rule->cluster_role_selectors.len; s++) {
        struct label_selector selector;
        struct err err;

        if (label_selector_from_meta(r->arena,
                                     &role->aggregation_rule->cluster_role_selectors.items[s],
                                     &selector, &err) < 0)
            return RECONCILE_FAILED;
        for (size_t i = 0; i < n; i++)
            if (owned_selects(&selector, others[i]))
                add_rules(wanted, others[i]->o.data);
    }
    if (!object_equal(copy, o->o))
        reconcile_update(r, roles_row(), copy);
    return RECONCILE_DONE;
}

/* Who selects whom is not known beforehand, and there are few of them. */
static void map_role(struct controller_manager *m, const struct controller *c,
                     const struct api_object *old, const struct api_object *new)
{
    const struct informer *roles = controller_informer(m, roles_row());
    const struct api_object *o;
    size_t cursor = 0;

    (void)old;
    (void)new;
    while ((o = informer_next(roles, &cursor)) != NULL)
        if (API_OBJECT(o, struct rbac_v1_cluster_role)->aggregation_rule)
            controller_enqueue(m, c, o->key);
}

static const struct controller_watch watches[] = {
    { "rbac.authorization.k8s.io", "v1", "clusterroles", map_role },
    { 0 },
};

const struct controller cluster_role_aggregation_controller = {
    .name = "clusterrole-aggregation",
    .watches = watches,
    .reconcile = reconcile_role,
    .workers = 1, /* one that aggregates may be selected by another */
};
