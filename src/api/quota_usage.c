#include "api/quota_usage.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/pod_amounts.h"
#include "api/quantity.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/macros.h"

#define COMPUTE                                                                                    \
    "cpu memory requests.cpu requests.memory limits.cpu limits.memory ephemeral-storage "          \
    "requests.ephemeral-storage limits.ephemeral-storage"
#define CLASS_SUFFIX STR(".storageclass.storage.k8s.io/")

static bool is_listed(struct str words, struct str word)
{
    struct str part;

    while (str_next(&words, ' ', &part))
        if (str_eq(part, word))
            return true;
    return false;
}

/* Amounts beside count/RESOURCE, by their full names. */
static const struct {
    struct str resource, amounts;
} rows[] = {
    { STR_INIT("pods"), STR_INIT("pods " COMPUTE) },
    { STR_INIT("services"), STR_INIT("services services.nodeports services.loadbalancers") },
    { STR_INIT("persistentvolumeclaims"), STR_INIT("persistentvolumeclaims requests.storage") },
    { STR_INIT("secrets"), STR_INIT("secrets") },
    { STR_INIT("configmaps"), STR_INIT("configmaps") },
    { STR_INIT("replicationcontrollers"), STR_INIT("replicationcontrollers") },
    { STR_INIT("resourcequotas"), STR_INIT("resourcequotas") },
};

/* "count/pods", "count/jobs.batch" */
static bool is_count_of(struct str group, struct str resource, struct str amount)
{
    struct str rest;

    if (!str_has_prefix(amount, STR("count/")))
        return false;
    rest = str_tail(amount, sizeof("count/") - 1);
    if (!str_has_prefix(rest, resource))
        return false;
    rest = str_tail(rest, resource.len);
    return group.len ? rest.len && rest.p[0] == '.' && str_eq(str_tail(rest, 1), group) : !rest.len;
}

/* Requests of what only some nodes have: "requests.example.com/gpu". */
static bool is_extended(struct str amount)
{
    return str_has_prefix(amount, STR("requests.")) && str_find(amount, '/') > 0 &&
           !str_contains(amount, STR("kubernetes.io/"));
}

bool quota_counts(struct str group, struct str resource, struct str amount)
{
    if (is_count_of(group, resource, amount))
        return true;
    if (group.len)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].resource, resource) && is_listed(rows[i].amounts, amount))
            return true;
    if (str_eq(resource, STR("pods")))
        return str_has_prefix(amount, STR("hugepages-")) ||
               str_has_prefix(amount, STR("requests.hugepages-")) || is_extended(amount);
    return str_eq(resource, STR("persistentvolumeclaims")) && str_contains(amount, CLASS_SUFFIX);
}

static void put_number(struct arena *a, void *map, struct str name, int64_t n)
{
    text_map_put(a, map, name, arena_printf(a, "%lld", (long long)n));
}

static struct str count_name(struct arena *a, const struct quota_object *o)
{
    return arena_printf(a, "count/%.*s%s%.*s", STR_ARG(o->resource), o->group.len ? "." : "",
                        STR_ARG(o->group));
}

/* --- Pods --- */

static bool is_running_down(const struct core_v1_pod *p, int64_t now_s)
{
    const struct meta_v1_object_meta *m = &p->metadata;

    if (str_eq(p->status.phase, STR("Failed")) || str_eq(p->status.phase, STR("Succeeded")))
        return true;
    return m->deletion_timestamp.set && m->deletion_grace_period_seconds &&
           now_s > m->deletion_timestamp.sec + *m->deletion_grace_period_seconds;
}

static void put_limits(struct arena *a, void *map, const void *limits)
{
    static const struct str names[] = { STR_INIT("cpu"), STR_INIT("memory"),
                                        STR_INIT("ephemeral-storage") };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct schema_str_entry *e = text_map_find(limits, names[i]);

        if (e)
            text_map_put(a, map, arena_printf(a, "limits.%.*s", STR_ARG(names[i])), e->value);
    }
}

/* Each request under its own name, where it has a short one, and as requests.NAME. */
static void put_requests(struct arena *a, void *map, const void *requests)
{
    const struct schema_str_entry *e = text_map_items(requests);

    for (uint32_t i = 0; i < text_map_len(requests); i++) {
        if (str_find(e[i].key, '/') < 0)
            text_map_put(a, map, e[i].key, e[i].value);
        text_map_put(a, map, arena_printf(a, "requests.%.*s", STR_ARG(e[i].key)), e[i].value);
    }
}

static void pod_usage(struct arena *a, const struct quota_object *o, void *ret)
{
    const struct core_v1_pod *p = o->object.data;
    struct schema_list requests = { 0 }, limits = { 0 };

    if (is_running_down(p, o->now_s))
        return;
    put_number(a, ret, STR("pods"), 1);
    pod_amounts(a, &p->spec, POD_AMOUNTS_REQUESTS, &requests);
    pod_amounts(a, &p->spec, POD_AMOUNTS_LIMITS, &limits);
    put_requests(a, ret, &requests);
    put_limits(a, ret, &limits);
}

/* --- Services and claims --- */

static void service_usage(struct arena *a, const struct quota_object *o, void *ret)
{
    const struct core_v1_service_spec *s = &((const struct core_v1_service *)o->object.data)->spec;
    bool balanced = str_eq(s->type, STR("LoadBalancer"));
    bool all = !s->allocate_load_balancer_node_ports || *s->allocate_load_balancer_node_ports;
    int64_t ports = 0;

    for (uint32_t i = 0; i < s->ports.len; i++)
        ports +=
            (balanced && (all || s->ports.items[i].node_port)) || str_eq(s->type, STR("NodePort"));
    put_number(a, ret, STR("services"), 1);
    put_number(a, ret, STR("services.loadbalancers"), balanced);
    put_number(a, ret, STR("services.nodeports"), ports);
}

static void claim_usage(struct arena *a, const struct quota_object *o, void *ret)
{
    const struct core_v1_persistent_volume_claim *p = o->object.data;
    const struct schema_str_entry *size =
        text_map_find(&p->spec.resources.requests, STR("storage"));
    struct str class = p->spec.storage_class_name;
    struct str prefix = arena_printf(a, "%.*s%.*s", STR_ARG(class), STR_ARG(CLASS_SUFFIX));

    put_number(a, ret, STR("persistentvolumeclaims"), 1);
    if (class.len)
        put_number(a, ret, arena_printf(a, "%.*spersistentvolumeclaims", STR_ARG(prefix)), 1);
    if (!size)
        return;
    text_map_put(a, ret, STR("requests.storage"), size->value);
    if (class.len)
        text_map_put(a, ret, arena_printf(a, "%.*srequests.storage", STR_ARG(prefix)), size->value);
}

void quota_usage(struct arena *a, const struct quota_object *o, void *ret)
{
    put_number(a, ret, count_name(a, o), 1);
    if (o->group.len)
        return;
    if (str_eq(o->resource, STR("pods")))
        pod_usage(a, o, ret);
    else if (str_eq(o->resource, STR("services")))
        service_usage(a, o, ret);
    else if (str_eq(o->resource, STR("persistentvolumeclaims")))
        claim_usage(a, o, ret);
    else if (quota_counts(o->group, o->resource, o->resource))
        put_number(a, ret, o->resource, 1);
}

/* --- scopes --- */

static bool has_amounts(const struct core_v1_container *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const void *maps[] = { &c[i].resources.requests, &c[i].resources.limits };

        for (size_t k = 0; k < ARRAY_LEN(maps); k++)
            if (text_map_find(maps[k], STR("cpu")) || text_map_find(maps[k], STR("memory")))
                return true;
    }
    return false;
}

static bool is_best_effort(const struct core_v1_pod_spec *s)
{
    return !has_amounts(s->containers.items, s->containers.len) &&
           !has_amounts(s->init_containers.items, s->init_containers.len);
}

static bool terms_cross(const struct core_v1_pod_affinity_term *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (t[i].namespaces.len || t[i].namespace_selector)
            return true;
    return false;
}

static bool weighted_cross(const struct core_v1_weighted_pod_affinity_term *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (terms_cross(&t[i].pod_affinity_term, 1))
            return true;
    return false;
}

/* Does its affinity look into other namespaces? */
static bool crosses_namespaces(const struct core_v1_affinity *a)
{
    const struct core_v1_pod_affinity *p = a ? a->pod_affinity : NULL;
    const struct core_v1_pod_anti_affinity *q = a ? a->pod_anti_affinity : NULL;

    return (p && (terms_cross(p->required_during_scheduling_ignored_during_execution.items,
                              p->required_during_scheduling_ignored_during_execution.len) ||
                  weighted_cross(p->preferred_during_scheduling_ignored_during_execution.items,
                                 p->preferred_during_scheduling_ignored_during_execution.len))) ||
           (q && (terms_cross(q->required_during_scheduling_ignored_during_execution.items,
                              q->required_during_scheduling_ignored_during_execution.len) ||
                  weighted_cross(q->preferred_during_scheduling_ignored_during_execution.items,
                                 q->preferred_during_scheduling_ignored_during_execution.len)));
}

static bool name_matches(const struct core_v1_scoped_resource_selector_requirement *r,
                         struct str name)
{
    bool listed = false;

    for (uint32_t i = 0; i < r->values.len; i++)
        listed |= name.len && str_eq(r->values.items[i], name);
    if (str_eq(r->operator, STR("In")))
        return listed;
    if (str_eq(r->operator, STR("NotIn")))
        return !listed;
    return str_eq(r->operator, STR("Exists")) ? name.len > 0 : name.len == 0;
}

static bool pod_scope_holds(const struct core_v1_scoped_resource_selector_requirement *r,
                            const struct core_v1_pod_spec *s)
{
    bool ends = s->active_deadline_seconds && *s->active_deadline_seconds >= 0;

    if (str_eq(r->scope_name, STR("Terminating")))
        return ends;
    if (str_eq(r->scope_name, STR("NotTerminating")))
        return !ends;
    if (str_eq(r->scope_name, STR("BestEffort")))
        return is_best_effort(s);
    if (str_eq(r->scope_name, STR("NotBestEffort")))
        return !is_best_effort(s);
    if (str_eq(r->scope_name, STR("PriorityClass")))
        return name_matches(r, s->priority_class_name);
    return str_eq(r->scope_name, STR("CrossNamespacePodAffinity")) &&
           crosses_namespaces(s->affinity);
}

static bool scope_holds(const struct core_v1_scoped_resource_selector_requirement *r,
                        const struct quota_object *o)
{
    if (!o->group.len && str_eq(o->resource, STR("pods")))
        return pod_scope_holds(r, &((const struct core_v1_pod *)o->object.data)->spec);
    if (!o->group.len && str_eq(o->resource, STR("persistentvolumeclaims")) &&
        str_eq(r->scope_name, STR("VolumeAttributesClass"))) {
        const struct core_v1_persistent_volume_claim *p = o->object.data;

        return name_matches(r, p->spec.volume_attributes_class_name);
    }
    return false;
}

bool quota_scopes_hold(const struct core_v1_resource_quota_spec *s, const struct quota_object *o)
{
    for (uint32_t i = 0; i < s->scopes.len; i++) {
        struct core_v1_scoped_resource_selector_requirement r = {
            .scope_name = s->scopes.items[i],
            .operator= STR("Exists"),
        };

        if (!scope_holds(&r, o))
            return false;
    }
    for (uint32_t i = 0; s->scope_selector && i < s->scope_selector->match_expressions.len; i++)
        if (!scope_holds(&s->scope_selector->match_expressions.items[i], o))
            return false;
    return true;
}

/* --- what must be stated --- */

static bool states(const struct core_v1_container *c, struct str amount)
{
    struct str name = amount;
    bool limit = str_has_prefix(amount, STR("limits."));

    if (limit)
        name = str_tail(amount, sizeof("limits.") - 1);
    else if (str_has_prefix(amount, STR("requests.")))
        name = str_tail(amount, sizeof("requests.") - 1);
    return text_map_find(
        limit ? (const void *)&c->resources.limits : (const void *)&c->resources.requests, name);
}

static void name_silent(struct arena *a, const struct core_v1_container *c, uint32_t n,
                        struct str amount, struct str *names)
{
    for (uint32_t i = 0; i < n; i++)
        if (!states(&c[i], amount))
            *names = arena_printf(a, "%.*s%s%.*s", STR_ARG(*names), names->len ? "," : "",
                                  STR_ARG(c[i].name));
}

struct str quota_missing(struct arena *a, const struct quota_object *o, const void *hard)
{
    static const struct str compute = STR_INIT("cpu memory requests.cpu requests.memory limits.cpu "
                                               "limits.memory");
    const struct schema_str_entry *e = text_map_items(hard);
    const struct core_v1_pod_spec *s;
    struct str text = STR_NULL;

    if (o->group.len || !str_eq(o->resource, STR("pods")))
        return text;
    s = &((const struct core_v1_pod *)o->object.data)->spec;
    if (s->resources)
        return text;
    for (uint32_t i = 0; i < text_map_len(hard); i++) {
        struct str names = STR("");

        if (!is_listed(compute, e[i].key))
            continue;
        name_silent(a, s->containers.items, s->containers.len, e[i].key, &names);
        name_silent(a, s->init_containers.items, s->init_containers.len, e[i].key, &names);
        if (names.len)
            text =
                arena_printf(a, "%.*s%s%.*s for: %.*s", STR_ARG(text),
                             text.len ? "; " : "must specify ", STR_ARG(e[i].key), STR_ARG(names));
    }
    return text;
}
