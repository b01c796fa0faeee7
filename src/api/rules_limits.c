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

    for (uint32_t i = 0; i < r->spec.limits.len; i++)
        for (uint32_t j = 0; j < i; j++) {
            struct field_path item = field_path_index(&limits, i);
            struct field_path type = field_path_member(&item, STR("type"));

            if (!str_eq(r->spec.limits.items[i].type, r->spec.limits.items[j].type))
                continue;
            field_errors_add_text(c->errs, &type, FIELD_ERROR_DUPLICATE,
                                  r->spec.limits.items[i].type, "");
            break;
        }
}

static bool is_container_resource(struct str name)
{
    return str_eq(name, STR("cpu")) || str_eq(name, STR("memory")) ||
           str_eq(name, STR("ephemeral-storage")) || str_has_prefix(name, STR("hugepages-"));
}

static void check_names(const struct rule_context *c, const char *member, const void *map,
                        struct str type)
{
    const struct schema_str_entry *e = text_map_items(map);
    struct field_path list = field_path_member(c->path, str_from_cstr(member));
    bool of_pods = str_eq(type, STR("Pod")) || str_eq(type, STR("Container"));

    for (uint32_t i = 0; i < text_map_len(map); i++) {
        struct field_path at = field_path_key(&list, e[i].key);

        if (name_rule_report(c->errs, &at, NAME_RULE_QUALIFIED_NAME, e[i].key) && of_pods &&
            str_find(e[i].key, '/') < 0 && !is_container_resource(e[i].key))
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, e[i].key,
                                  "must be a standard resource for containers");
    }
}

/* Two amounts of one resource whose order is wrong when low > high. */
struct pair {
    const char *at; /* the map that the error is at */
    const void *low, *high;
    const char *low_name, *high_name;
    bool shows_low; /* which amount is the error's value */
};

static void check_pair(const struct rule_context *c, const struct pair *p)
{
    const struct schema_str_entry *e = text_map_items(p->low);
    struct field_path list = field_path_member(c->path, str_from_cstr(p->at));

    for (uint32_t i = 0; i < text_map_len(p->low); i++) {
        const struct schema_str_entry *other = text_map_find(p->high, e[i].key);
        struct field_path at = field_path_key(&list, e[i].key);
        struct quantity low, high;

        if (other && quantity_parse(e[i].value, &low) && quantity_parse(other->value, &high) &&
            quantity_compare(low, high) > 0)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID,
                                  p->shows_low ? e[i].value : other->value,
                                  "%s value %.*s is greater than %s value %.*s", p->low_name,
                                  STR_ARG(e[i].value), p->high_name, STR_ARG(other->value));
    }
}

static void check_ratios(const struct rule_context *c, const void *map)
{
    const struct schema_str_entry *e = text_map_items(map);
    struct field_path list = field_path_member(c->path, STR("maxLimitRequestRatio"));

    for (uint32_t i = 0; i < text_map_len(map); i++) {
        struct field_path at = field_path_key(&list, e[i].key);
        struct quantity q;

        if (quantity_parse(e[i].value, &q) && q.nano < 1000000000)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, e[i].value,
                                  "ratio %.*s is less than 1", STR_ARG(e[i].value));
    }
}

static void check_orders(const struct rule_context *c, const struct core_v1_limit_range_item *l)
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

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        check_pair(c, &pairs[i]);
    check_ratios(c, &l->max_limit_request_ratio);
}

void rule_limit_range_item(const struct rule_context *c)
{
    const struct core_v1_limit_range_item *l = c->data;
    struct field_path type = field_path_member(c->path, STR("type"));

    if (name_rule_report(c->errs, &type, NAME_RULE_QUALIFIED_NAME, l->type) &&
        str_find(l->type, '/') < 0 && !str_eq(l->type, STR("Pod")) &&
        !str_eq(l->type, STR("Container")) && !str_eq(l->type, STR("PersistentVolumeClaim")))
        rule_invalid(c, "type", l->type, "must be a standard limit type or fully qualified");
    if (str_eq(l->type, STR("Pod")) && l->default_.len)
        rule_forbidden(c, "default", "may not be specified when `type` is 'Pod'");
    if (str_eq(l->type, STR("Pod")) && l->default_request.len)
        rule_forbidden(c, "defaultRequest", "may not be specified when `type` is 'Pod'");
    if (str_eq(l->type, STR("PersistentVolumeClaim")) && !text_map_find(&l->min, STR("storage")) &&
        !text_map_find(&l->max, STR("storage")))
        rule_required(c, "limits",
                      "either minimum or maximum storage value is required, but neither was "
                      "provided");
    check_names(c, "max", &l->max, l->type);
    check_names(c, "min", &l->min, l->type);
    check_names(c, "default", &l->default_, l->type);
    check_names(c, "defaultRequest", &l->default_request, l->type);
    check_names(c, "maxLimitRequestRatio", &l->max_limit_request_ratio, l->type);
    check_orders(c, l);
}
