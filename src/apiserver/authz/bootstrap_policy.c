#include "apiserver/authz/bootstrap_policy.h"

#include <string.h>

#include "api/rbac_v1.h"
#include "api/schema.h"
#include "apiserver/authz/rbac_policy.h"
#include "apiserver/bootstrap.h"
#include "base/arena.h"
#include "base/buf.h"

#define RBAC STR("rbac.authorization.k8s.io")

size_t bootstrap_policy_count(void)
{
    size_t n = 0;

    for (size_t i = 0; bootstrap_roles[i].name; i++)
        n++;
    for (size_t i = 0; bootstrap_bindings[i].name; i++)
        n++;
    return n;
}

static void append_list(struct buf *b, const char *member, const char *words, bool *first)
{
    struct str rest = str_from_cstr(words), word;

    if (!words)
        return;
    buf_printf(b, "%s\"%s\":[", *first ? "" : ",", member);
    *first = false;
    for (bool f = true; str_next(&rest, ',', &word); f = false) {
        if (str_eq(word, STR("''")))
            word = STR("");
        buf_printf(b, "%s\"%.*s\"", f ? "" : ",", STR_ARG(word));
    }
    buf_append_char(b, ']');
}

static void append_meta(struct buf *b, const char *namespace, const char *name,
                        const char *aggregate_to)
{
    buf_printf(b, "{\"metadata\":{\"name\":\"%s\"", name);
    if (namespace)
        buf_printf(b, ",\"namespace\":\"%s\"", namespace);
    buf_append_lit(b, ",\"labels\":{\"kubernetes.io/bootstrapping\":\"rbac-defaults\"");
    if (aggregate_to)
        buf_printf(b, ",\"rbac.authorization.k8s.io/aggregate-to-%s\":\"true\"", aggregate_to);
    buf_append_lit(b, "},\"annotations\":{\"rbac.authorization.kubernetes.io/autoupdate\":"
                      "\"true\"}}");
}

static void append_rule(struct buf *b, const struct bootstrap_role *row)
{
    bool first = true;

    buf_append_char(b, '{');
    append_list(b, "verbs", row->verbs, &first);
    append_list(b, "apiGroups", row->groups, &first);
    append_list(b, "resources", row->resources, &first);
    append_list(b, "resourceNames", row->names, &first);
    append_list(b, "nonResourceURLs", row->urls, &first);
    buf_append_char(b, '}');
}

static bool is_same_role(const struct bootstrap_role *a, const struct bootstrap_role *b)
{
    return b->name && str_eq(str_from_cstr(a->name), str_from_cstr(b->name)) &&
           str_eq(str_from_cstr(a->namespace), str_from_cstr(b->namespace));
}

/* Prints the role that begins at *at and moves past it. */
static struct str role_json(struct arena *a, size_t *at)
{
    const struct bootstrap_role *row = &bootstrap_roles[*at], *first = row;
    struct buf b;

    buf_init_arena(&b, a, 2048);
    append_meta(&b, row->namespace, row->name, row->aggregate_to);
    if (row->aggregates)
        buf_printf(&b,
                   ",\"aggregationRule\":{\"clusterRoleSelectors\":[{\"matchLabels\":{"
                   "\"rbac.authorization.k8s.io/aggregate-to-%s\":\"true\"}}]}",
                   row->aggregates);
    buf_append_lit(&b, ",\"rules\":[");
    for (; is_same_role(first, row); row++) {
        if (!row->verbs)
            continue;
        if (row != first)
            buf_append_char(&b, ',');
        append_rule(&b, row);
    }
    buf_append_lit(&b, "]}");
    *at = (size_t)(row - bootstrap_roles);
    return buf_str(&b);
}

static void append_subject(struct buf *b, struct str subject, bool first)
{
    struct str kind, name, namespace;

    (void)str_cut(subject, ':', &kind, &name);
    if (str_eq(kind, STR("ServiceAccount"))) {
        (void)str_cut(name, '/', &namespace, &name);
        buf_printf(b, "%s{\"kind\":\"ServiceAccount\",\"namespace\":\"%.*s\",\"name\":\"%.*s\"}",
                   first ? "" : ",", STR_ARG(namespace), STR_ARG(name));
        return;
    }
    buf_printf(b,
               "%s{\"kind\":\"%.*s\",\"apiGroup\":\"rbac.authorization.k8s.io\",\"name\":"
               "\"%.*s\"}",
               first ? "" : ",", STR_ARG(kind), STR_ARG(name));
}

static struct str binding_json(struct arena *a, const struct bootstrap_binding *row)
{
    struct str rest = str_from_cstr(row->subjects), subject, kind, name;
    struct buf b;

    (void)str_cut(str_from_cstr(row->role), ':', &kind, &name);
    buf_init_arena(&b, a, 512);
    append_meta(&b, row->namespace, row->name, NULL);
    buf_append_lit(&b, ",\"subjects\":[");
    for (bool first = true; row->subjects && str_next(&rest, '|', &subject); first = false)
        append_subject(&b, subject, first);
    buf_printf(&b,
               "],\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"%.*s\","
               "\"name\":\"%.*s\"}}",
               STR_ARG(kind), STR_ARG(name));
    return buf_str(&b);
}

size_t bootstrap_policy_objects(struct arena *a, struct bootstrap_object *ret)
{
    size_t n = 0;

    for (size_t at = 0; bootstrap_roles[at].name;) {
        bool namespaced = bootstrap_roles[at].namespace != NULL;

        ret[n++] = (struct bootstrap_object){
            .group = RBAC,
            .resource = namespaced ? STR("roles") : STR("clusterroles"),
            .json = role_json(a, &at),
        };
    }
    for (const struct bootstrap_binding *row = bootstrap_bindings; row->name; row++)
        ret[n++] = (struct bootstrap_object){
            .group = RBAC,
            .resource = row->namespace ? STR("rolebindings") : STR("clusterrolebindings"),
            .json = binding_json(a, row),
        };
    return n;
}

static void split(struct arena *a, void *to, const char *words)
{
    struct str rest = str_from_cstr(words), word;
    struct schema_strings list = { 0 };

    list.items = ARENA_NEW_ARRAY(a, struct str, rest.len + 1);
    while (words && str_next(&rest, ',', &word))
        list.items[list.len++] = str_eq(word, STR("''")) ? STR("") : word;
    memcpy(to, &list, sizeof(list));
}

void bootstrap_role_rules(struct arena *a, const char *name, struct rbac_rules *ret)
{
    struct rbac_v1_policy_rule *items =
        ARENA_NEW_ARRAY(a, struct rbac_v1_policy_rule, bootstrap_policy_count());
    size_t n = 0;

    for (const struct bootstrap_role *row = bootstrap_roles; row->name; row++) {
        if (row->namespace || !str_eq(str_from_cstr(row->name), str_from_cstr(name)))
            continue;
        split(a, &items[n].verbs, row->verbs);
        split(a, &items[n].api_groups, row->groups);
        split(a, &items[n].resources, row->resources);
        split(a, &items[n].resource_names, row->names);
        split(a, &items[n].non_resource_urls, row->urls);
        n++;
    }
    *ret = (struct rbac_rules){ items, n };
}
