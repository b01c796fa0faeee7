#include "api/resource.h"

#include <criterion/criterion.h>

#include "base/arena.h"

Test(resource, finds_rows_by_name_and_kind)
{
    static const struct {
        const char *group, *version, *name, *kind, *prefix;
    } rows[] = {
        { "", "v1", "pods", "Pod", "/registry/pods/" },
        { "", "v1", "nodes", "Node", "/registry/minions/" },
        { "", "v1", "services", "Service", "/registry/services/specs/" },
        { "", "v1", "endpoints", "Endpoints", "/registry/services/endpoints/" },
        { "", "v1", "configmaps", "ConfigMap", "/registry/configmaps/" },
        { "apps", "v1", "deployments", "Deployment", "/registry/deployments/" },
        { "coordination.k8s.io", "v1", "leases", "Lease", "/registry/leases/" },
        { "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole",
          "/registry/clusterroles/" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str group = str_from_cstr(rows[i].group), version = str_from_cstr(rows[i].version);
        const struct resource *r = resource_find(group, version, str_from_cstr(rows[i].name));

        cr_assert(r, "%s", rows[i].name);
        cr_expect_eq(resource_find_kind(group, version, str_from_cstr(rows[i].kind)), r);
        cr_expect(str_eq(r->storage_prefix, str_from_cstr(rows[i].prefix)), "%s", rows[i].name);
    }
    cr_expect_not(resource_find(STR("apps"), STR("v1"), STR("pods")));
    cr_expect_not(resource_find(STR(""), STR("v1"), STR("pod")));
}

/* A row can be served only if everything that it names is there. */
Test(resource, every_row_is_whole)
{
    for (size_t i = 0; i < resource_table_len; i++) {
        const struct resource *r = &resource_table[i];
        bool lists = r->verbs & RESOURCE_VERB_LIST;

        /* metrics.k8s.io gives no singular names. */
        cr_expect(r->singular.len || str_eq(r->group, STR("metrics.k8s.io")), "%.*s",
                  STR_ARG(r->name));
        cr_expect(r->type && r->kind.len && r->verbs, "%.*s", STR_ARG(r->name));
        cr_expect(!lists || (r->list_type && r->list_kind.len), "%.*s", STR_ARG(r->name));
        cr_expect(!resource_is_stored(r) || r->storage_type, "%.*s", STR_ARG(r->name));
        cr_expect(!lists || (r->type->flags & SCHEMA_TYPE_OBJECT), "%.*s", STR_ARG(r->name));
        for (size_t j = 0; j < r->n_subresources; j++)
            cr_expect(r->subresources[j].type && r->subresources[j].verbs, "%.*s/%.*s",
                      STR_ARG(r->name), STR_ARG(r->subresources[j].name));
        for (size_t j = 0; j < r->n_columns; j++)
            cr_expect(r->columns[j].cell.len, "%.*s", STR_ARG(r->name));
        for (size_t j = 0; j < i; j++)
            cr_expect_not(str_eq(resource_table[j].group, r->group) &&
                              str_eq(resource_table[j].version, r->version) &&
                              str_eq(resource_table[j].name, r->name),
                          "%.*s stands twice", STR_ARG(r->name));
    }
}

Test(resource, versions_share_a_store)
{
    const struct resource *v1 =
        resource_find(STR("autoscaling"), STR("v1"), STR("horizontalpodautoscalers"));
    const struct resource *v2 =
        resource_find(STR("autoscaling"), STR("v2"), STR("horizontalpodautoscalers"));
    const struct resource *core = resource_find(STR(""), STR("v1"), STR("events"));
    const struct resource *events = resource_find(STR("events.k8s.io"), STR("v1"), STR("events"));
    const struct resource *reviews =
        resource_find(STR("authentication.k8s.io"), STR("v1"), STR("tokenreviews"));

    cr_assert(v1 && v2 && core && events && reviews);
    cr_expect_eq(resource_storage_index(v1), resource_storage_index(v2));
    cr_expect_eq(v1->storage_type, v2->storage_type);
    cr_expect_eq(resource_storage_index(core), resource_storage_index(events));
    cr_expect_eq(core->storage_type, events->storage_type);
    cr_expect_neq(resource_storage_index(core), resource_storage_index(v1));
    cr_expect_eq(resource_storage_index(reviews), -1);
}

Test(resource, each_group_has_one_preferred_version)
{
    for (size_t i = 0; i < resource_group_versions_len; i++) {
        const struct resource_group_version *g = &resource_group_versions[i];
        int preferred = 0;

        if (!g->served)
            continue;
        for (size_t j = 0; j < resource_group_versions_len; j++)
            preferred += str_eq(resource_group_versions[j].group, g->group) &&
                         resource_group_versions[j].preferred;
        cr_expect_eq(preferred, 1, "%.*s/%.*s", STR_ARG(g->group), STR_ARG(g->version));
    }
}

/* So that a block lost in editing is seen. */
Test(resource, counts)
{
    cr_expect_eq(resource_table_len, 97);
    cr_expect_eq(schema_builtin.n_types, 931);
}
