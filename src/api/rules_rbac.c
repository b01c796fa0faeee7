/* Rules of rbac.authorization.k8s.io. */
#include "api/field_error.h"
#include "api/rbac_v1.h"
#include "api/rules_internal.h"
#include "api/schema_walk.h"
#include "api/validation.h"
#include "base/arena.h"

#define GROUP "rbac.authorization.k8s.io"

/* Is the object at hand of this type? */
static bool object_is(const struct rule_context *c, const char *type)
{
    return c->request->object.type == schema_walk_type(c->request->object.schema, type);
}

static void check_urls(const struct rule_context *c, const struct rbac_v1_policy_rule *r)
{
    struct field_path urls = field_path_member(c->path, STR("nonResourceURLs"));
    struct str printed =
        rule_print_texts(c->arena, r->non_resource_urls.items, r->non_resource_urls.len);

    if (object_is(c, GROUP "/v1.Role"))
        field_errors_add_raw(c->errs, &urls, FIELD_ERROR_INVALID, printed,
                             "namespaced rules cannot apply to non-resource URLs");
    if (r->api_groups.len || r->resources.len || r->resource_names.len)
        field_errors_add_raw(c->errs, &urls, FIELD_ERROR_INVALID, printed,
                             "rules cannot apply to both regular resources and non-resource URLs");
}

static void rule_policy_rule(const struct rule_context *c)
{
    const struct rbac_v1_policy_rule *r = c->data;

    if (r->non_resource_urls.len) {
        check_urls(c, r);
        return;
    }
    if (r->api_groups.len == 0)
        rule_required(c, "apiGroups", "resource rules must supply at least one api group");
    if (r->resources.len == 0)
        rule_required(c, "resources", "resource rules must supply at least one resource");
}

static void rule_role_ref(const struct rule_context *c)
{
    const struct rbac_v1_role_ref *ref = c->data;
    bool cluster = object_is(c, GROUP "/v1.ClusterRoleBinding");

    if (!str_eq(ref->api_group, STR(GROUP)))
        rule_unsupported(c, "apiGroup", ref->api_group, GROUP);
    if (!str_eq(ref->kind, STR("ClusterRole")) && (cluster || !str_eq(ref->kind, STR("Role"))))
        rule_unsupported(c, "kind", ref->kind, cluster ? "ClusterRole" : "Role|ClusterRole");
    rule_check_kind(c, "name", ref->name);
}

static void rule_subject(const struct rule_context *c)
{
    static const struct str none[] = { STR_INIT("") };
    const struct rbac_v1_subject *s = c->data;
    struct field_path name = field_path_member(c->path, STR("name"));
    struct field_path group = field_path_member(c->path, STR("apiGroup"));

    if (str_eq(s->kind, STR("User")) || str_eq(s->kind, STR("Group"))) {
        if (!str_eq(s->api_group, STR(GROUP)))
            rule_unsupported(c, "apiGroup", s->api_group, GROUP);
        return;
    }
    if (!str_eq(s->kind, STR("ServiceAccount"))) {
        rule_unsupported(c, "kind", s->kind, "ServiceAccount|User|Group");
        return;
    }
    if (s->name.len)
        (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_SUBDOMAIN, s->name);
    if (s->api_group.len)
        field_errors_add_unsupported(c->errs, &group, s->api_group, none, 1);
    if (s->namespace.len == 0 && object_is(c, GROUP "/v1.ClusterRoleBinding"))
        rule_required(c, "namespace", "");
}

static void check_role_ref_kept(const struct rule_context *c, const struct rbac_v1_role_ref *ref,
                                const struct rbac_v1_role_ref *old)
{
    struct field_path p = field_path_member(c->path, STR("roleRef"));

    if (!str_eq(ref->api_group, old->api_group) || !str_eq(ref->kind, old->kind) ||
        !str_eq(ref->name, old->name))
        field_errors_add_raw(c->errs, &p, FIELD_ERROR_INVALID,
                             rule_print_internal(c->arena, GROUP "/v1.RoleRef", ref),
                             "cannot change roleRef");
}

/* Upstream converts what it has checked, and says so when that fails. */
static void rule_aggregation(const struct rule_context *c)
{
    const struct rbac_v1_aggregation_rule *r = c->data;
    struct field_path list = field_path_member(c->path, STR("clusterRoleSelectors"));

    for (uint32_t i = 0; i < r->cluster_role_selectors.len; i++) {
        struct field_path item = field_path_index(&list, i);
        size_t before = c->errs->len;

        rule_below_item(c, "clusterRoleSelectors", i);
        if (c->errs->len > before)
            field_errors_add_raw(c->errs, &item, FIELD_ERROR_INVALID, STR("null"),
                                 "invalid label selector.");
    }
}

static void rule_role_binding(const struct rule_context *c)
{
    const struct rbac_v1_role_binding *b = c->data, *old = c->old;

    if (old)
        check_role_ref_kept(c, &b->role_ref, &old->role_ref);
}

static void rule_cluster_role_binding(const struct rule_context *c)
{
    const struct rbac_v1_cluster_role_binding *b = c->data, *old = c->old;

    if (old)
        check_role_ref_kept(c, &b->role_ref, &old->role_ref);
}

const struct rule rules_rbac[] = {
    { GROUP "/v1.PolicyRule", "verbs", RULE_REQUIRED,
      .text = "verbs must contain at least one value" },
    { .type = GROUP "/v1.PolicyRule", .check = RULE_FN, .fn = rule_policy_rule },
    { GROUP "/v1.AggregationRule", "clusterRoleSelectors", RULE_REQUIRED,
      .text = "at least one clusterRoleSelector required if aggregationRule is non-nil" },
    { .type = GROUP "/v1.RoleRef", .check = RULE_FN, .fn = rule_role_ref },
    { GROUP "/v1.Subject", "name", RULE_REQUIRED },
    { .type = GROUP "/v1.Subject", .check = RULE_FN, .fn = rule_subject },
    { GROUP "/v1.AggregationRule", "clusterRoleSelectors", RULE_BELOW, .fn = rule_aggregation },
    { GROUP "/v1.RoleBinding", "roleRef", RULE_BELOW },
    { GROUP "/v1.RoleBinding", "subjects", RULE_BELOW },
    { .type = GROUP "/v1.RoleBinding", .check = RULE_FN, .fn = rule_role_binding },
    { GROUP "/v1.ClusterRoleBinding", "roleRef", RULE_BELOW },
    { GROUP "/v1.ClusterRoleBinding", "subjects", RULE_BELOW },
    { .type = GROUP "/v1.ClusterRoleBinding", .check = RULE_FN, .fn = rule_cluster_role_binding },
    { 0 },
};
