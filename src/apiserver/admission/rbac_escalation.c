/* Nobody grants by a role or binding what they do not hold, unless they may "escalate" roles or
 * "bind" the one that is referred to. */
#include "api/meta_v1.h"
#include "api/rbac_v1.h"
#include "api/resource.h"
#include "apiserver/admission/admission.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/rbac.h"
#include "apiserver/authz/rbac_policy.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"

#define RBAC STR("rbac.authorization.k8s.io")

struct holding {
    const struct rbac_policy *policy;
    const struct user_info *user;
    struct str namespace;
    struct authz_attributes wish;
    bool found;
};

static bool covers(const struct rbac_v1_policy_rule *rule, void *arg)
{
    struct holding *h = arg;

    h->found = rbac_rule_allows(rule, &h->wish);
    return !h->found;
}

static bool holds_wish(struct holding *h)
{
    h->found = false;
    rbac_policy_each(h->policy, h->user, h->namespace, covers, h);
    return h->found;
}

/* A rule as the single wishes that it is made of: '*' is one that only '*' covers. */
static bool holds_resources(struct holding *h, const struct rbac_v1_policy_rule *rule,
                            struct str verb)
{
    for (uint32_t g = 0; g < rule->api_groups.len; g++)
        for (uint32_t i = 0; i < rule->resources.len; i++) {
            struct str resource, sub;

            if (!str_cut(rule->resources.items[i], '/', &resource, &sub))
                sub = STR("");
            for (uint32_t k = 0; k < MAX(rule->resource_names.len, 1U); k++) {
                h->wish = (struct authz_attributes){
                    .is_resource = true,
                    .verb = verb,
                    .group = rule->api_groups.items[g],
                    .resource = resource,
                    .subresource = sub,
                    .name = rule->resource_names.len ? rule->resource_names.items[k] : STR(""),
                };
                if (!holds_wish(h))
                    return false;
            }
        }
    return true;
}

static bool holds(struct holding *h, const struct rbac_v1_policy_rule *rule)
{
    for (uint32_t v = 0; v < rule->verbs.len; v++) {
        if (!holds_resources(h, rule, rule->verbs.items[v]))
            return false;
        for (uint32_t i = 0; i < rule->non_resource_urls.len; i++) {
            h->wish = (struct authz_attributes){ .verb = rule->verbs.items[v],
                                                 .path = rule->non_resource_urls.items[i] };
            if (!holds_wish(h))
                return false;
        }
    }
    return true;
}

static bool may(const struct admission_call *call, const char *verb, const char *resource,
                struct str name)
{
    struct authz_attributes a = {
        .arena = call->request->arena,
        .user = &call->request->user,
        .is_resource = true,
        .verb = str_from_cstr(verb),
        .group = RBAC,
        .resource = str_from_cstr(resource),
        .subresource = STR(""),
        .namespace = call->namespace,
        .name = name,
    };
    struct str reason;

    return authz_check(call->request->server, &a, &reason) == AUTHORIZER_ALLOW;
}

static void append_texts(struct buf *b, const char *member, const void *list)
{
    const struct schema_strings *t = list;

    if (!t->len)
        return;
    buf_printf(b, "%s%s:[", b->p[b->len - 1] == '{' ? "" : ", ", member);
    for (uint32_t i = 0; i < t->len; i++)
        buf_printf(b, "%s\"%.*s\"", i ? " " : "", STR_ARG(t->items[i]));
    buf_append_char(b, ']');
}

static bool refuse(const struct admission_call *call, struct buf *missing, struct status *ret)
{
    struct api_request *r = call->request;
    struct group_resource gr = { r->resource->group, r->resource->name };
    struct buf groups;

    buf_init_arena(&groups, r->arena, 128);
    for (size_t i = 0; i < r->user.n_groups; i++)
        buf_printf(&groups, "%s\"%.*s\"", i ? " " : "", STR_ARG(r->user.groups[i]));
    *ret = status_forbidden(r->arena, gr, call->name,
                            "user \"%.*s\" (groups=[%.*s]) is attempting to grant RBAC "
                            "permissions not currently held:%.*s",
                            STR_ARG(r->user.name), STR_ARG(buf_str(&groups)),
                            STR_ARG(buf_str(missing)));
    return false;
}

static bool check_rules(const struct admission_call *call, struct rbac_rules rules,
                        struct status *ret)
{
    struct api_request *r = call->request;
    struct rbac_policy *policy = rbac_policy_get(r->server->rbac);
    struct holding h = { .policy = policy, .user = &r->user, .namespace = call->namespace };
    struct buf missing;

    buf_init_arena(&missing, r->arena, 256);
    for (size_t i = 0; i < rules.n; i++) {
        if (holds(&h, &rules.items[i]))
            continue;
        buf_append_lit(&missing, "\n{");
        append_texts(&missing, "APIGroups", &rules.items[i].api_groups);
        append_texts(&missing, "Resources", &rules.items[i].resources);
        append_texts(&missing, "ResourceNames", &rules.items[i].resource_names);
        append_texts(&missing, "NonResourceURLs", &rules.items[i].non_resource_urls);
        append_texts(&missing, "Verbs", &rules.items[i].verbs);
        buf_append_char(&missing, '}');
    }
    rbac_policy_unref(policy);
    return missing.len ? refuse(call, &missing, ret) : true;
}

static bool check_role(const struct admission_call *call, struct status *ret)
{
    const struct rbac_v1_role *role = call->object.data; /* a ClusterRole begins alike */
    const struct rbac_rules rules = { role->rules.items, role->rules.len };

    if (may(call, "escalate", str_cstr(call->request->arena, call->request->resource->name),
            call->name))
        return true;
    return check_rules(call, rules, ret);
}

static bool check_binding(const struct admission_call *call, struct status *ret)
{
    const struct rbac_v1_role_binding *b = call->object.data; /* a ClusterRoleBinding lies alike */
    bool cluster = str_eq(b->role_ref.kind, STR("ClusterRole"));
    struct rbac_policy *policy;
    const struct rbac_rules *rules;
    bool ok;

    if (may(call, "bind", cluster ? "clusterroles" : "roles", b->role_ref.name))
        return true;
    policy = rbac_policy_get(call->request->server->rbac);
    rules = rbac_policy_role(policy, cluster ? STR("") : call->namespace, b->role_ref.name);
    if (rules) {
        ok = check_rules(call, *rules, ret);
    } else {
        *ret = status_not_found(
            call->request->arena,
            (struct group_resource){ RBAC, cluster ? STR("clusterroles") : STR("roles") },
            b->role_ref.name);
        ok = false;
    }
    rbac_policy_unref(policy);
    return ok;
}

static bool escalation_validate(const struct admission_call *call, struct status *ret)
{
    const struct resource *row = call->request->resource;
    struct str name = row->name;

    if (!str_eq(row->group, RBAC) || call->operation == ADMISSION_DELETE ||
        !call->request->server->rbac)
        return true;
    if (str_eq(name, STR("roles")) || str_eq(name, STR("clusterroles")))
        return check_role(call, ret);
    return check_binding(call, ret);
}

const struct admission_plugin rbac_escalation_plugin = {
    .name = "RBACEscalation",
    .validate = escalation_validate,
};
