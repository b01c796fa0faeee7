/* Rules of amounts of resources: of containers, of a Pod as a whole, of its overhead. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/pod_amounts.h"
#include "api/quantity.h"
#include "api/rules_pod_scan.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/arena.h"

static const char standard_names[] =
    "cpu|memory|ephemeral-storage|requests.cpu|requests.memory|requests.ephemeral-storage|"
    "limits.cpu|limits.memory|limits.ephemeral-storage|pods|resourcequotas|services|"
    "replicationcontrollers|secrets|configmaps|persistentvolumeclaims|storage|requests.storage|"
    "services.nodeports|services.loadbalancers";
static const char counted_names[] = "pods|resourcequotas|services|replicationcontrollers|secrets|"
                                    "configmaps|persistentvolumeclaims|services.nodeports|"
                                    "services.loadbalancers";

static bool is_listed(struct str name, const char *list)
{
    return str_is_listed(str_from_cstr(list), '|', name);
}

static bool is_huge_page(struct str name)
{
    return str_has_prefix(name, STR("hugepages-"));
}

bool rule_is_native_resource(struct str name)
{
    return str_find(name, '/') < 0 || str_contains(name, STR("kubernetes.io/"));
}

bool rule_is_extended_resource(struct str name)
{
    struct str prefix, rest;
    struct name_messages m;

    if (rule_is_native_resource(name) || str_has_prefix(name, STR("requests.")))
        return false;
    name_rule_check(NAME_RULE_QUALIFIED_NAME, name, &m);
    /* A quota names it with "requests." before it, which must still be a prefix. */
    return m.len == 0 && str_cut(name, '/', &prefix, &rest) && prefix.len + 9 <= 253;
}

bool rule_check_resource_name(const struct rule_context *c, const struct field_path *at,
                              struct str name)
{
    if (!name_rule_report(c->errs, at, NAME_RULE_QUALIFIED_NAME, name))
        return false;
    if (str_find(name, '/') >= 0 || is_listed(name, standard_names) || is_huge_page(name) ||
        str_has_prefix(name, STR("requests.hugepages-")))
        return true;
    field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, name,
                          "must be a standard resource type or fully qualified");
    return false;
}

void rule_check_amount_value(const struct rule_context *c, const struct field_path *at,
                             struct str name, struct str amount)
{
    struct quantity q;

    if (!quantity_parse(amount, &q))
        return;
    if (q.nano < 0)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, amount,
                              "must be greater than or equal to 0");
    if ((is_listed(name, counted_names) || rule_is_extended_resource(name)) &&
        quantity_milli_value(q) % 1000 != 0)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, amount, "must be an integer");
}

void rule_check_container_resource(const struct rule_context *c, const struct field_path *at,
                                   struct str name)
{
    (void)rule_check_resource_name(c, at, name);
    if (str_find(name, '/') < 0) {
        if (!is_listed(name, "cpu|memory|ephemeral-storage") && !is_huge_page(name))
            field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, name,
                                  "must be a standard resource for containers");
    } else if (!rule_is_native_resource(name) && !rule_is_extended_resource(name)) {
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, name,
                              "doesn't follow extended resource name standard");
    }
}

static void check_pod_name(const struct rule_context *c, const struct field_path *at,
                           struct str name)
{
    static const struct str known[] = { STR_INIT("cpu"), STR_INIT("hugepages-"),
                                        STR_INIT("memory") };

    if (rule_check_resource_name(c, at, name) && !str_eq(name, known[0]) &&
        !str_eq(name, known[2]) && !is_huge_page(name))
        field_errors_add_unsupported(c->errs, at, name, known, ARRAY_LEN(known));
}

static void check_huge_page(const struct rule_context *c, const struct field_path *at,
                            struct str name, struct str amount)
{
    struct quantity page, q;

    if (!is_huge_page(name) || !quantity_parse(amount, &q))
        return;
    if (quantity_parse(str_tail(name, 10), &page) && page.nano > 0 && q.nano % page.nano == 0 &&
        quantity_milli_value(q) % 1000 == 0)
        return;
    field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, amount,
                          "%.*s is not positive integer multiple of %.*s", STR_ARG(amount),
                          STR_ARG(name));
}

/* Limits or requests. ret: which families there are. */
struct families {
    bool compute;
    bool huge;
};

static void check_amounts(const struct rule_context *c, const struct field_path *at,
                          const void *map, bool of_pod, struct families *ret)
{
    const struct schema_str_entry *e = text_map_items(map);

    for (uint32_t i = 0; i < text_map_len(map); i++) {
        struct field_path key = field_path_key(at, e[i].key);

        if (of_pod)
            check_pod_name(c, &key, e[i].key);
        else
            rule_check_container_resource(c, &key, e[i].key);
        rule_check_amount_value(c, &key, e[i].key, e[i].value);
        check_huge_page(c, &key, e[i].key, e[i].value);
        ret->compute |= is_listed(e[i].key, "cpu|memory");
        ret->huge |= is_huge_page(e[i].key);
    }
}

/* A request is at most its limit; of what cannot be overcommitted both are the same. */
static void check_against_limits(const struct rule_context *c, const struct field_path *path,
                                 const void *requests, const void *limits)
{
    const struct schema_str_entry *e = text_map_items(requests);
    struct field_path at = field_path_member(path, STR("requests"));
    struct field_path limit_at = field_path_member(path, STR("limits"));

    for (uint32_t i = 0; i < text_map_len(requests); i++) {
        const struct schema_str_entry *limit = text_map_find(limits, e[i].key);
        bool fixed = !rule_is_native_resource(e[i].key) || is_huge_page(e[i].key);
        struct quantity want, most;

        if (!limit && fixed)
            field_errors_add(c->errs, &limit_at, FIELD_ERROR_REQUIRED,
                             "Limit must be set for non overcommitable resources");
        if (!limit || !quantity_parse(e[i].value, &want) || !quantity_parse(limit->value, &most))
            continue;
        if (fixed && quantity_compare(want, most) != 0)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, e[i].value,
                                  "must be equal to %.*s limit of %.*s", STR_ARG(e[i].key),
                                  STR_ARG(limit->value));
        else if (quantity_compare(want, most) > 0)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, e[i].value,
                                  "must be less than or equal to %.*s limit of %.*s",
                                  STR_ARG(e[i].key), STR_ARG(limit->value));
    }
}

static void check_claim_known(const struct rule_context *c, const struct field_path *at,
                              struct str name)
{
    const struct core_v1_pod_spec *s = c->scratch->pod->spec;
    struct str known = STR("");

    if (rule_names_has(&c->scratch->pod->claims, name, NULL))
        return;
    for (uint32_t i = 0; i < s->resource_claims.len; i++)
        known = arena_printf(c->arena, "%.*s%s%.*s", STR_ARG(known), known.len ? ", " : "",
                             STR_ARG(s->resource_claims.items[i].name));
    field_errors_add_text(c->errs, at, FIELD_ERROR_NOT_FOUND, name,
                          "must be one of the names in pod.spec.resourceClaims%s%.*s",
                          known.len ? ": " : " which is empty", STR_ARG(known));
}

/* A claim is used as a whole, or by requests of it, each once. */
static void check_claims(const struct rule_context *c, const struct field_path *path,
                         const struct core_v1_resource_requirements *r)
{
    struct field_path list = field_path_member(path, STR("claims"));
    struct rule_names seen = { 0 }, parts = { 0 };

    for (uint32_t i = 0; r->claims.items && i < r->claims.len; i++) {
        const struct core_v1_resource_claim *claim = &r->claims.items[i];
        struct field_path at = field_path_index(&list, i);
        struct field_path request = field_path_member(&at, STR("request"));
        struct str key = claim->name;

        if (claim->name.len == 0) {
            field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
            continue;
        }
        if (claim->request.len && !rule_names_has(&seen, key, NULL)) {
            (void)name_rule_report(c->errs, &request, NAME_RULE_DNS1123_LABEL, claim->request);
            key = arena_printf(c->arena, "%.*s/%.*s", STR_ARG(key), STR_ARG(claim->request));
        }
        if (!rule_names_add(c, &seen, key, NULL) ||
            (claim->request.len == 0 && rule_names_has(&parts, claim->name, NULL)))
            field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, key, "");
        if (claim->request.len)
            (void)rule_names_add(c, &parts, claim->name, NULL);
        check_claim_known(c, &at, claim->name);
    }
    rule_names_done(&seen);
    rule_names_done(&parts);
}

static void check_requirements(const struct rule_context *c, const struct field_path *path,
                               const struct core_v1_resource_requirements *r, bool of_pod)
{
    struct field_path limits = field_path_member(path, STR("limits"));
    struct field_path requests = field_path_member(path, STR("requests"));
    struct families f = { 0 };

    check_amounts(c, &limits, &r->limits, of_pod, &f);
    check_amounts(c, &requests, &r->requests, of_pod, &f);
    check_against_limits(c, path, &r->requests, &r->limits);
    if (f.huge && !f.compute)
        field_errors_add(c->errs, path, FIELD_ERROR_FORBIDDEN, "HugePages require cpu or memory");
    check_claims(c, path, r);
}

/* What a status tells of resources is not checked. */
void rule_resources(const struct rule_context *c)
{
    if (c->scratch->pod)
        check_requirements(c, c->path, c->data, false);
}

void rule_overhead(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    struct field_path at = field_path_member(c->path, STR("overhead"));
    struct core_v1_resource_requirements r = { 0 };

    r.limits.items = s->overhead.items;
    r.limits.len = s->overhead.len;
    if (s->overhead.len)
        check_requirements(c, &at, &r, false);
}

/* What the containers want together is within what the Pod has. */
static void check_sums(const struct rule_context *c, const struct core_v1_pod_spec *s,
                       const struct field_path *at, enum pod_amounts_kind kind)
{
    struct core_v1_pod_spec plain = *s;
    struct schema_list sums = { 0 };
    const void *own = kind == POD_AMOUNTS_LIMITS ? (const void *)&s->resources->limits
                                                 : (const void *)&s->resources->requests;
    struct field_path list =
        field_path_member(at, kind == POD_AMOUNTS_LIMITS ? STR("limits") : STR("requests"));
    const struct schema_str_entry *e;

    plain.resources = NULL;
    pod_amounts(c->arena, &plain, kind, &sums);
    e = sums.items;
    for (uint32_t i = 0; i < sums.len; i++) {
        const struct schema_str_entry *have = text_map_find(own, e[i].key);
        struct field_path key = field_path_key(&list, e[i].key);
        struct quantity want, most;

        if (!have || (kind == POD_AMOUNTS_LIMITS && !is_huge_page(e[i].key)) ||
            !quantity_parse(e[i].value, &want) || !quantity_parse(have->value, &most) ||
            quantity_compare(want, most) <= 0)
            continue;
        field_errors_add_text(c->errs, &key, FIELD_ERROR_INVALID, have->value,
                              "must be greater than or equal to aggregate container %s of %.*s",
                              kind == POD_AMOUNTS_LIMITS ? "limits" : "requests",
                              STR_ARG(e[i].value));
    }
}

static void check_container_limits(const struct rule_context *c, const struct core_v1_pod_spec *s,
                                   const struct field_path *at)
{
    struct field_path list = field_path_member(at, STR("containers"));

    for (uint32_t i = 0; i < s->containers.len; i++) {
        const void *limits = &s->containers.items[i].resources.limits;
        const struct schema_str_entry *e = text_map_items(limits);
        struct field_path item = field_path_index(&list, i);

        for (uint32_t k = 0; k < text_map_len(limits); k++) {
            const struct schema_str_entry *have = text_map_find(&s->resources->limits, e[k].key);
            struct field_path key = field_path_key(&item, e[k].key);
            struct field_path path = field_path_member(&key, STR("limits"));
            struct quantity want, most;

            if (have && quantity_parse(e[k].value, &want) && quantity_parse(have->value, &most) &&
                quantity_compare(want, most) > 0)
                field_errors_add_text(c->errs, &path, FIELD_ERROR_INVALID, e[k].value,
                                      "must be less than or equal to pod limits of %.*s",
                                      STR_ARG(have->value));
        }
    }
}

void rule_pod_resources(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    struct field_path at = field_path_member(c->path, STR("resources"));
    struct field_path claims = field_path_member(&at, STR("claims"));

    if (!s->resources)
        return;
    if (s->os && str_eq(s->os->name, STR("windows"))) {
        rule_forbidden(c, "resources", "may not be set for a windows pod");
        return;
    }
    if (s->resources->claims.len)
        field_errors_add(c->errs, &claims, FIELD_ERROR_FORBIDDEN,
                         "claims may not be set for Resources at pod-level");
    check_requirements(c, &at, s->resources, true);
    check_sums(c, s, &at, POD_AMOUNTS_REQUESTS);
    check_sums(c, s, &at, POD_AMOUNTS_LIMITS);
    check_container_limits(c, s, &at);
}
