#include "apiserver/authz/rbac_policy.h"

#include <stdatomic.h>

#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/rbac_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/authz/authorizer.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

#define RBAC  STR("rbac.authorization.k8s.io")
#define EVERY STR("*")

struct grant {
    struct grant *next;
    struct str namespace; /* "": everywhere */
    struct rbac_rules *rules;
};

struct rbac_policy {
    atomic_int refs;
    struct arena arena;
    struct map roles;    /* "namespace/name" or "/name": struct rbac_rules */
    struct map subjects; /* "U" or "G" and the name: struct grant, a list */
};

/* --- rules --- */

struct texts {
    const struct str *items;
    uint32_t len;
};
#define TEXTS(list) ((struct texts){ (list).items, (list).len })

static bool has(struct texts t, struct str s)
{
    for (uint32_t i = 0; i < t.len; i++)
        if (str_eq(t.items[i], EVERY) || str_eq(t.items[i], s))
            return true;
    return false;
}

static bool has_exactly(struct texts t, struct str s)
{
    for (uint32_t i = 0; i < t.len; i++)
        if (str_eq(t.items[i], s))
            return true;
    return false;
}

/* "pods/log" is itself, or any resource's "log", or everything. */
static bool has_resource(struct texts t, struct str resource, struct str subresource)
{
    for (uint32_t i = 0; i < t.len; i++) {
        struct str head, tail;

        if (str_eq(t.items[i], EVERY))
            return true;
        if (!str_cut(t.items[i], '/', &head, &tail))
            tail = STR("");
        if (str_eq(tail, subresource) &&
            (str_eq(head, resource) || (subresource.len && str_eq(head, EVERY))))
            return true;
    }
    return false;
}

/* "/healthz", or "/apis/" followed by '*' at the end. */
static bool has_path(struct texts t, struct str path)
{
    for (uint32_t i = 0; i < t.len; i++) {
        struct str url = t.items[i];

        if (str_eq(url, EVERY) || str_eq(url, path))
            return true;
        if (str_has_suffix(url, EVERY) && str_has_prefix(path, str_sub(url, 0, url.len - 1)))
            return true;
    }
    return false;
}

bool rbac_rule_allows(const struct rbac_v1_policy_rule *rule, const struct authz_attributes *a)
{
    if (!has(TEXTS(rule->verbs), a->verb))
        return false;
    if (!a->is_resource)
        return has_path(TEXTS(rule->non_resource_urls), a->path);
    return has(TEXTS(rule->api_groups), a->group) &&
           has_resource(TEXTS(rule->resources), a->resource, a->subresource) &&
           (!rule->resource_names.len || has_exactly(TEXTS(rule->resource_names), a->name));
}

/* --- building --- */

struct build {
    struct rbac_policy *p;
    struct stored_reader reader;
    const struct resource *row;
    struct VEC(struct object) cluster_roles;
};

static struct str role_key(struct arena *a, struct str namespace, struct str name)
{
    return arena_printf(a, "%.*s/%.*s", STR_ARG(namespace), STR_ARG(name));
}

static int add_role(struct object o, void *arg)
{
    struct build *b = arg;
    const struct rbac_v1_role *role = o.data; /* a ClusterRole begins alike */
    struct rbac_rules *rules = ARENA_NEW(&b->p->arena, struct rbac_rules);

    rules->items = role->rules.items;
    rules->n = role->rules.len;
    map_put(&b->p->roles, role_key(&b->p->arena, role->metadata.namespace, role->metadata.name),
            rules);
    if (!resource_is_namespaced(b->row))
        VEC_PUSH(&b->cluster_roles, o);
    return 0;
}

static bool label_of(void *arg, struct str key, struct str *ret_value)
{
    const struct meta_v1_object_meta *meta = arg;
    const struct schema_str_entry *e = text_map_find(&meta->labels, key);

    if (e)
        *ret_value = e->value;
    return e;
}

static bool feeds(struct arena *a, const struct rbac_v1_aggregation_rule *rule,
                  struct meta_v1_object_meta *meta)
{
    for (uint32_t i = 0; i < rule->cluster_role_selectors.len; i++) {
        struct label_selector s;
        struct err ignored; /* a selector that does not parse selects nothing */

        if (label_selector_from_meta(a, &rule->cluster_role_selectors.items[i], &s, &ignored) >=
                0 &&
            label_selector_match(&s, label_of, meta))
            return true;
    }
    return false;
}

/* Aggregated roles may feed aggregated roles (edit feeds admin): repeated until nothing grows. */
static bool aggregate(struct build *b)
{
    struct arena *a = &b->p->arena;
    bool grown = false;

    for (size_t i = 0; i < b->cluster_roles.len; i++) {
        const struct rbac_v1_cluster_role *role = b->cluster_roles.items[i].data;
        struct rbac_rules *rules = map_get(&b->p->roles, role_key(a, STR(""), role->metadata.name));
        struct rbac_v1_policy_rule *items;
        size_t n = 0;

        if (!role->aggregation_rule)
            continue;
        for (int pass = 0; pass < 2; pass++) {
            items = pass ? ARENA_NEW_ARRAY(a, struct rbac_v1_policy_rule, n + 1) : NULL;
            n = 0;
            for (size_t k = 0; k < b->cluster_roles.len; k++) {
                struct meta_v1_object_meta *meta = object_meta(b->cluster_roles.items[k]);
                const struct rbac_rules *from;

                if (k == i || !feeds(a, role->aggregation_rule, meta))
                    continue;
                from = map_get(&b->p->roles, role_key(a, STR(""), meta->name));
                if (pass && from->n)
                    memcpy(items + n, from->items, from->n * sizeof(*items));
                n += from->n;
            }
        }
        grown |= n > rules->n;
        rules->items = items;
        rules->n = n;
    }
    return grown;
}

static struct str subject_key(struct arena *a, const struct rbac_v1_subject *s)
{
    if (str_eq(s->kind, STR("ServiceAccount")))
        return arena_printf(a, "Usystem:serviceaccount:%.*s:%.*s", STR_ARG(s->namespace),
                            STR_ARG(s->name));
    return arena_printf(a, "%c%.*s", str_eq(s->kind, STR("Group")) ? 'G' : 'U', STR_ARG(s->name));
}

static int add_binding(struct object o, void *arg)
{
    struct build *b = arg;
    struct arena *a = &b->p->arena;
    const struct rbac_v1_role_binding *binding = o.data; /* a ClusterRoleBinding lies alike */
    struct str namespace = binding->metadata.namespace;
    bool is_role = str_eq(binding->role_ref.kind, STR("Role"));
    struct rbac_rules *rules =
        map_get(&b->p->roles, role_key(a, is_role ? namespace : STR(""), binding->role_ref.name));

    for (uint32_t i = 0; rules && i < binding->subjects.len; i++) {
        struct str key = subject_key(a, &binding->subjects.items[i]);
        struct grant *g = ARENA_NEW(a, struct grant);

        g->namespace = namespace;
        g->rules = rules;
        g->next = map_get(&b->p->subjects, key);
        map_put(&b->p->subjects, key, g);
    }
    return 0;
}

static int read_each(struct build *b, const char *resource, stored_read_fn *fn, struct err *err)
{
    b->row = stored_read_row(RBAC, str_from_cstr(resource));
    return stored_read_each(&b->reader, b->row, STR(""), fn, b, err);
}

int rbac_policy_new(const struct registry *registry, struct store_snapshot *snapshot,
                    struct rbac_policy **ret, struct err *err)
{
    struct build b = { .p = NEW(struct rbac_policy) };
    int rc;

    atomic_init(&b.p->refs, 1);
    b.reader = (struct stored_reader){ registry, snapshot, &b.p->arena };
    rc = read_each(&b, "clusterroles", add_role, err);
    for (int i = 0; rc >= 0 && i < 8 && aggregate(&b); i++)
        ;
    if (rc >= 0)
        rc = read_each(&b, "roles", add_role, err);
    if (rc >= 0)
        rc = read_each(&b, "clusterrolebindings", add_binding, err);
    if (rc >= 0)
        rc = read_each(&b, "rolebindings", add_binding, err);
    VEC_DONE(&b.cluster_roles);
    if (rc < 0) {
        rbac_policy_unref(b.p);
        return rc;
    }
    *ret = b.p;
    return 0;
}

struct rbac_policy *rbac_policy_ref(struct rbac_policy *p)
{
    atomic_fetch_add(&p->refs, 1);
    return p;
}

void rbac_policy_unref(struct rbac_policy *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    map_done(&p->roles);
    map_done(&p->subjects);
    arena_done(&p->arena);
    mem_free(p);
}

/* --- asking --- */

/* False: fn has had enough. */
static bool each_of(const struct rbac_policy *p, char kind, struct str name, struct str namespace,
                    rbac_rule_fn *fn, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct grant *g = map_get(&p->subjects, arena_printf(&a, "%c%.*s", kind, STR_ARG(name)));

    for (; g; g = g->next) {
        if (g->namespace.len && !str_eq(g->namespace, namespace))
            continue;
        for (size_t i = 0; i < g->rules->n; i++)
            if (!fn(&g->rules->items[i], arg))
                return false;
    }
    return true;
}

void rbac_policy_each(const struct rbac_policy *p, const struct user_info *user,
                      struct str namespace, rbac_rule_fn *fn, void *arg)
{
    if (!each_of(p, 'U', user->name, namespace, fn, arg))
        return;
    for (size_t i = 0; i < user->n_groups; i++)
        if (!each_of(p, 'G', user->groups[i], namespace, fn, arg))
            return;
}

struct wish {
    const struct authz_attributes *a;
    bool allowed;
};

static bool try_rule(const struct rbac_v1_policy_rule *rule, void *arg)
{
    struct wish *w = arg;

    w->allowed = rbac_rule_allows(rule, w->a);
    return !w->allowed;
}

bool rbac_policy_allows(const struct rbac_policy *p, const struct authz_attributes *a)
{
    struct wish w = { .a = a };

    rbac_policy_each(p, a->user, a->is_resource ? a->namespace : STR(""), try_rule, &w);
    return w.allowed;
}

const struct rbac_rules *rbac_policy_role(const struct rbac_policy *p, struct str namespace,
                                          struct str name)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    return map_get(&p->roles, role_key(&a, namespace, name));
}
