/* Rules of LimitRange. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/quantity.h"
#include "api/rules_internal.h"
#include "api/text_map.h"
#include "base/arena.h"

void rule_limit_range(const struct rule_context *c)
{
    const struct core_v1_limit_range *r = c->data;
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path limits = field_path_member(&spec, STR("limits"));
    struct rule_names seen = { 0 };

    for (uint32_t i = 0; i < r->spec.limits.len; i++) {
        struct field_path item = field_path_index(&limits, i);
        struct field_path type = field_path_member(&item, STR("type"));

        if (!rule_names_add(c, &seen, r->spec.limits.items[i].type, NULL))
            field_errors_add_text(c->errs, &type, FIELD_ERROR_DUPLICATE,
                                  r->spec.limits.items[i].type, "");
    }
    rule_names_done(&seen);
}

static void check_names(const struct rule_context *c, const char *member, const void *map,
                        struct str type)
{
    const struct schema_str_entry *e = text_map_items(map);
    struct field_path list = field_path_member(c->path, str_from_cstr(member));

    for (uint32_t i = 0; i < text_map_len(map); i++) {
        struct field_path at = field_path_key(&list, e[i].key);

        if (str_eq(type, STR("Pod")) || str_eq(type, STR("Container")))
            rule_check_container_resource(c, &at, e[i].key);
        else
            (void)rule_check_resource_name(c, &at, e[i].key);
    }
}

/* Two amounts of one resource whose order is wrong when low > high. */
struct pair {
    const char *at; /* the map that the error is at */
    const void *low, *high;
    const char *low_name, *high_name;
    bool shows_low; /* which amount is the error's value */
};

static const struct schema_str_entry *find_amount(const void *map, struct str key,
                                                  struct quantity *ret)
{
    const struct schema_str_entry *e = text_map_find(map, key);

    return e && quantity_parse(e->value, ret) ? e : NULL;
}

static void check_pair(const struct rule_context *c, const struct pair *p, struct str key)
{
    struct field_path list = field_path_member(c->path, str_from_cstr(p->at));
    struct field_path at = field_path_key(&list, key);
    struct quantity a, b;
    const struct schema_str_entry *low = find_amount(p->low, key, &a);
    const struct schema_str_entry *high = find_amount(p->high, key, &b);

    if (low && high && quantity_compare(a, b) > 0)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID,
                              p->shows_low ? low->value : high->value,
                              "%s value %.*s is greater than %s value %.*s", p->low_name,
                              STR_ARG(low->value), p->high_name, STR_ARG(high->value));
}

/* No ratio is below one, or more than max and min leave room for. */
static void check_ratio(const struct rule_context *c, const struct core_v1_limit_range_item *l,
                        struct str key)
{
    struct field_path list = field_path_member(c->path, STR("maxLimitRequestRatio"));
    struct field_path at = field_path_key(&list, key);
    struct quantity q, min, max;
    const struct schema_str_entry *ratio = find_amount(&l->max_limit_request_ratio, key, &q);
    double most;

    if (ratio && q.nano < 1000000000)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, ratio->value,
                              "ratio %.*s is less than 1", STR_ARG(ratio->value));
    if (!ratio || !find_amount(&l->min, key, &min) || !find_amount(&l->max, key, &max))
        return;
    most = (double)quantity_milli_value(max) / (double)quantity_milli_value(min);
    if ((double)quantity_milli_value(q) / 1000 > most)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, ratio->value,
                              "ratio %.*s is greater than max/min = %f", STR_ARG(ratio->value),
                              most);
}

/* What cannot be overcommitted has one default. */
static void check_fixed(const struct rule_context *c, const struct core_v1_limit_range_item *l,
                        struct str key)
{
    struct field_path list = field_path_member(c->path, STR("defaultRequest"));
    struct field_path at = field_path_key(&list, key);
    struct quantity a, b;
    const struct schema_str_entry *limit = find_amount(&l->default_, key, &a);
    const struct schema_str_entry *request = find_amount(&l->default_request, key, &b);
    bool fixed = !rule_is_native_resource(key) || str_has_prefix(key, STR("hugepages-"));

    if (fixed && limit && request && quantity_compare(a, b) != 0)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, request->value,
                              "default value %.*s must equal to defaultRequest value %.*s in %.*s",
                              STR_ARG(limit->value), STR_ARG(request->value), STR_ARG(key));
}

static void check_key(const struct rule_context *c, const struct core_v1_limit_range_item *l,
                      struct str key)
{
    const struct pair pairs[] = {
        { "min", &l->min, &l->max, "min", "max", true },
        { "defaultRequest", &l->min, &l->default_request, "min", "default request", false },
        { "defaultRequest", &l->default_request, &l->max, "default request", "max", true },
        { "defaultRequest", &l->default_request, &l->default_, "default request", "default limit",
          true },
        { "default", &l->min, &l->default_, "min", "default", true },
        { "default", &l->default_, &l->max, "default", "max", false },
    };

    /* Of a Pod's limits defaults were refused already. */
    for (size_t i = 0; i < (str_eq(l->type, STR("Pod")) ? 1 : ARRAY_LEN(pairs)); i++)
        check_pair(c, &pairs[i], key);
    check_ratio(c, l, key);
    check_fixed(c, l, key);
}

void rule_limit_range_item(const struct rule_context *c)
{
    const struct core_v1_limit_range_item *l = c->data;
    struct field_path type = field_path_member(c->path, STR("type"));
    static const char *const maps[] = { "max", "min", "default", "defaultRequest",
                                        "maxLimitRequestRatio" };
    const void *all[] = { &l->max, &l->min, &l->default_, &l->default_request,
                          &l->max_limit_request_ratio };
    bool of_pods = str_eq(l->type, STR("Pod"));

    if (name_rule_report(c->errs, &type, NAME_RULE_QUALIFIED_NAME, l->type) &&
        str_find(l->type, '/') < 0 && !of_pods && !str_eq(l->type, STR("Container")) &&
        !str_eq(l->type, STR("PersistentVolumeClaim")))
        rule_invalid(c, "type", l->type, "must be a standard limit type or fully qualified");
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (i == 4 && str_eq(l->type, STR("PersistentVolumeClaim")) &&
            !text_map_find(&l->min, STR("storage")) && !text_map_find(&l->max, STR("storage")))
            rule_required(c, "limits",
                          "either minimum or maximum storage value is required, but neither was "
                          "provided");
        if (!of_pods || (i != 2 && i != 3))
            check_names(c, maps[i], all[i], l->type);
        else if (text_map_len(all[i]))
            rule_forbidden(c, maps[i], "may not be specified when `type` is 'Pod'");
    }
    for (size_t m = 0; m < ARRAY_LEN(all); m++)
        for (uint32_t i = 0; i < text_map_len(all[m]); i++) {
            struct str key = text_map_items(all[m])[i].key;
            bool done = false;

            for (size_t k = 0; k < m; k++)
                done |= text_map_find(all[k], key) != NULL;
            if (!done)
                check_key(c, l, key);
        }
}
