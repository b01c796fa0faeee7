/* Rules of resource.k8s.io: slices, what drivers offer. */
#include <ctype.h>

#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/quantity.h"
#include "api/resource_v1.h"
#include "api/rules_internal.h"
#include "api/validation.h"
#include "base/arena.h"

enum {
    DEVICES_MAX = 128,
    RICH_DEVICES_MAX = 64, /* when any device has taints, counters or lists of values */
    COUNTERS_MAX = 32,
    NAMED_VALUES_MAX = 32, /* attributes and capacities of a device */
    ATTRIBUTE_VALUES_MAX = 48,
    ATTRIBUTE_MAX = 64,
    VALID_VALUES_MAX = 10,
};

static struct str joined(struct arena *a, const char *const *names, size_t n)
{
    struct str text = STR("{");

    for (size_t i = 0; i < n; i++)
        text = arena_printf(a, "%.*s%s`%s`", STR_ARG(text), i ? ", " : "", names[i]);
    return arena_printf(a, "%.*s}", STR_ARG(text));
}

/* True only when it is set to true; false is refused. */
static bool is_set(const struct rule_context *c, const char *member, const bool *b)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));

    if (b && !*b)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, STR("false"),
                             "must be either unset or set to true");
    return b && *b;
}

static bool is_node_name(const struct rule_context *c, struct str name, const char *text)
{
    struct field_path at = field_path_member(c->path, STR("nodeName"));

    if (!name.p)
        return false;
    if (name.len == 0) {
        rule_invalid(c, "nodeName", name, text);
        return false;
    }
    (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1123_SUBDOMAIN, name);
    return true;
}

static void check_immutable_text(const struct rule_context *c, const struct field_path *at,
                                 struct str now, struct str old)
{
    if (str_eq(now, old) && !now.p == !old.p)
        return;
    if (now.p)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, now, "field is immutable");
    else
        field_errors_add_raw(c->errs, at, FIELD_ERROR_INVALID, STR("null"), "field is immutable");
}

static void rule_slice_pool(const struct rule_context *c)
{
    const struct resource_v1_resource_slice_spec *s = c->data, *old = c->old;
    struct field_path pool = field_path_member(c->path, STR("pool"));
    struct field_path name = field_path_member(&pool, STR("name"));
    struct field_path driver = field_path_member(c->path, STR("driver"));
    struct field_path node = field_path_member(c->path, STR("nodeName"));
    struct rule_context at = *c;

    rule_check_driver(c, "driver", s->driver);
    at.path = &pool;
    rule_check_pool(&at, "name", s->pool.name);
    if (s->pool.resource_slice_count <= 0)
        rule_invalid_number(&at, "resourceSliceCount", s->pool.resource_slice_count,
                            "must be greater than zero");
    if (s->pool.generation < 0)
        rule_invalid_number(&at, "generation", s->pool.generation,
                            "must be greater than or equal to zero");
    if (!old)
        return;
    if (!str_eq(s->pool.name, old->pool.name))
        field_errors_add_text(c->errs, &name, FIELD_ERROR_INVALID, s->pool.name,
                              "field is immutable");
    if (!str_eq(s->driver, old->driver))
        field_errors_add_text(c->errs, &driver, FIELD_ERROR_INVALID, s->driver,
                              "field is immutable");
    check_immutable_text(c, &node, s->node_name, old->node_name);
}

static void rule_slice_node_name(const struct rule_context *c)
{
    const struct resource_v1_resource_slice_spec *s = c->data;

    (void)is_node_name(c, s->node_name, "must be either unset or set to a non-empty string");
}

#define ONE_OF_FOUR                                                                                \
    "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"

/* After the node selector itself. */
static void rule_slice_nodes(const struct rule_context *c)
{
    const struct resource_v1_resource_slice_spec *s = c->data;
    struct field_path selector = field_path_member(c->path, STR("nodeSelector"));
    struct field_path terms = field_path_member(&selector, STR("nodeSelectorTerms"));
    const char *set[4];
    size_t n = 0;

    if (s->node_name.len)
        set[n++] = "nodeName";
    if (s->node_selector) {
        set[n++] = "nodeSelector";
        if (s->node_selector->node_selector_terms.len != 1) {
            struct str printed =
                rule_print_internal(c->arena, "core/v1.NodeSelector", s->node_selector);
            ptrdiff_t from = str_find(printed, '[');

            field_errors_add_raw(c->errs, &terms, FIELD_ERROR_INVALID,
                                 from < 0 ? STR("null")
                                          : str_n(printed.p + from, printed.len - (size_t)from - 1),
                                 "must have exactly one node selector term");
        }
    }
    if (is_set(c, "allNodes", s->all_nodes))
        set[n++] = "allNodes";
    if (is_set(c, "perDeviceNodeSelection", s->per_device_node_selection))
        set[n++] = "perDeviceNodeSelection";
    if (n == 0)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED, ONE_OF_FOUR);
    else if (n > 1)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, joined(c->arena, set, n),
                              ONE_OF_FOUR ", but multiple fields are set");
    if (s->shared_counters.items && s->devices.items)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR(""),
                              "only one of `sharedCounters` or `devices` is allowed");
}

static void rule_slice_devices(const struct rule_context *c)
{
    const struct resource_v1_resource_slice_spec *s = c->data;
    uint32_t max = DEVICES_MAX;

    for (uint32_t i = 0; i < s->devices.len; i++)
        if (s->devices.items[i].taints.len || s->devices.items[i].consumes_counters.len)
            max = RICH_DEVICES_MAX;
    rule_below_set(c, "devices", max, "name");
}

/* ---- a device ---- */

static const struct resource_v1_device *old_device(const struct rule_context *c, struct str name)
{
    const struct resource_v1_resource_slice *old = c->request->old.data;

    for (uint32_t i = 0; old && i < old->spec.devices.len; i++)
        if (str_eq(old->spec.devices.items[i].name, name))
            return &old->spec.devices.items[i];
    return NULL;
}

static uint32_t attribute_values(const struct resource_v1_device *d)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < d->attributes.len; i++) {
        const struct resource_v1_device_attribute *a = &d->attributes.items[i].value;
        uint32_t listed = a->ints.len + a->bools.len + a->strings.len + a->versions.len;

        n += listed ? listed : 1;
    }
    return n;
}

static void rule_device_name(const struct rule_context *c)
{
    const struct resource_v1_device *d = c->data;
    struct field_path name = field_path_member(c->path, STR("name"));
    uint32_t named = d->attributes.len + d->capacity.len, values = attribute_values(d);

    (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_LABEL, d->name);
    if (named > NAMED_VALUES_MAX)
        field_errors_add_raw(
            c->errs, c->path, FIELD_ERROR_INVALID, arena_printf(c->arena, "%u", named),
            "the total number of attributes and capacities must not exceed %d", NAMED_VALUES_MAX);
    if (values > ATTRIBUTE_VALUES_MAX)
        field_errors_add_raw(
            c->errs, c->path, FIELD_ERROR_INVALID, arena_printf(c->arena, "%u", values),
            "the total number of attribute values must not exceed %d", ATTRIBUTE_VALUES_MAX);
}

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

/* Identifiers between dots; plain: numbers without leading zeros alone. */
static bool are_version_parts(struct str text, bool numbers_are_canonical, bool plain, int want)
{
    struct str part;
    int n = 0;
    bool more = true;

    while (more) {
        bool digits = true;

        more = str_cut(text, '.', &part, &text);
        if (part.len == 0)
            return false;
        for (size_t i = 0; i < part.len; i++) {
            digits &= is_digit(part.p[i]);
            if (!isalnum((unsigned char)part.p[i]) && part.p[i] != '-')
                return false;
        }
        if ((plain && !digits) ||
            (digits && numbers_are_canonical && part.len > 1 && part.p[0] == '0'))
            return false;
        n++;
    }
    return !want || n == want;
}

/* semver.org 2.0.0 */
static bool is_version(struct str text)
{
    struct str numbers, release, build;
    bool has_build = str_cut(text, '+', &release, &build), has_pre;

    has_pre = str_cut(release, '-', &numbers, &release);
    return are_version_parts(numbers, true, true, 3) &&
           (!has_pre || are_version_parts(release, true, false, 0)) &&
           (!has_build || are_version_parts(build, false, false, 0));
}

static void check_attribute_text(const struct rule_context *c, const struct field_path *at,
                                 struct str text, bool version)
{
    if (version && !is_version(text))
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, text,
                              "must be a string compatible with semver.org spec 2.0.0");
    if (text.len > ATTRIBUTE_MAX)
        field_errors_add(c->errs, at, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         ATTRIBUTE_MAX);
}

/* Lists of values are dropped (apiserver/registry), as upstream's feature is off. */
static void rule_device_attribute(const struct rule_context *c)
{
    const struct resource_v1_device_attribute *a = c->data;
    struct field_path string = field_path_member(c->path, STR("string"));
    struct field_path version = field_path_member(c->path, STR("version"));
    int n = !!a->int_ + !!a->bool_ + !!a->string.p + !!a->version.p;

    if (a->string.p)
        check_attribute_text(c, &string, a->string, false);
    if (a->version.p)
        check_attribute_text(c, &version, a->version, true);
    if (n == 0)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR(""),
                              "exactly one value must be specified");
    else if (n > 1)
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID,
                             rule_print_internal(c->arena, "resource.k8s.io/v1.DeviceAttribute", a),
                             "exactly one value must be specified");
}

static struct quantity amount(struct str text)
{
    struct quantity q = { 0 };

    (void)quantity_parse(text, &q); /* the decoder has seen that it is one */
    return q;
}

static void check_step(const struct rule_context *c, struct str value,
                       const struct resource_v1_capacity_request_policy_range *r)
{
    int64_t step = quantity_value(amount(r->step));
    __int128 over = (__int128)quantity_value(amount(value)) - quantity_value(amount(r->min));
    struct field_path at = field_path_member(c->path, STR("step"));

    if (step == 0 || over % step != 0)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, value,
                              "value is not a multiple of a given step (%.*s) from (%.*s)",
                              STR_ARG(r->step), STR_ARG(r->min));
}

static void add_amount(const struct rule_context *c, const char *member, struct str value,
                       const char *what, struct str limit)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));

    field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, value, "%s: %.*s", what,
                          STR_ARG(limit));
}

static void check_max(const struct rule_context *c, struct str capacity, struct str fallback,
                      const struct resource_v1_capacity_request_policy_range *r)
{
    if (quantity_compare(amount(r->min), amount(r->max)) > 0)
        add_amount(c, "max", r->min, "min is larger than max", r->max);
    if (quantity_compare(amount(r->max), amount(capacity)) > 0)
        add_amount(c, "max", r->max, "max is larger than capacity value", capacity);
    if (quantity_compare(amount(fallback), amount(r->max)) > 0)
        add_amount(c, "max", fallback, "default is more than max", r->max);
}

static void check_range(const struct rule_context *c, struct str capacity, struct str fallback,
                        const struct resource_v1_capacity_request_policy_range *r)
{
    struct field_path step = field_path_member(c->path, STR("step"));

    if (!r->min.p) {
        rule_required(c, "min", "required when validRange is defined");
        return;
    }
    if (quantity_compare(amount(r->min), amount(capacity)) > 0)
        add_amount(c, "min", r->min, "min is larger than capacity value", capacity);
    if (quantity_compare(amount(fallback), amount(r->min)) < 0)
        add_amount(c, "min", fallback, "default is less than min", r->min);
    if (r->max.p)
        check_max(c, capacity, fallback, r);
    if (r->step.p) {
        struct quantity sum = quantity_add(amount(r->min), amount(r->step));

        if (quantity_compare(sum, amount(capacity)) > 0)
            field_errors_add_text(c->errs, &step, FIELD_ERROR_INVALID, r->step,
                                  "one step %.*s is larger than capacity value: %.*s",
                                  STR_ARG(quantity_print(c->arena, sum)), STR_ARG(capacity));
        check_step(c, fallback, r);
        if (r->max.p)
            check_step(c, r->max, r);
    }
}

static void check_values(const struct rule_context *c, struct str capacity, struct str fallback,
                         const struct str *items, uint32_t n)
{
    bool found = false;

    for (uint32_t i = 1; i < n; i++) {
        struct field_path item = field_path_index(c->path, i);

        if (quantity_compare(amount(items[i - 1]), amount(items[i])) > 0)
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, items[i],
                                  "values must be sorted in ascending order");
    }
    if (n > VALID_VALUES_MAX)
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_TOO_MANY,
                             arena_printf(c->arena, "%u", n), "must have at most %d items",
                             VALID_VALUES_MAX);
    for (uint32_t i = 0; i < n && n <= VALID_VALUES_MAX; i++) {
        struct field_path item = field_path_index(c->path, i);

        if (quantity_compare(amount(items[i]), amount(capacity)) > 0)
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, items[i],
                                  "option is larger than capacity value: %.*s", STR_ARG(capacity));
        found |= quantity_compare(amount(items[i]), amount(fallback)) == 0;
    }
    for (uint32_t i = 1; i < n && n <= VALID_VALUES_MAX; i++)
        for (uint32_t k = 0; k < i; k++)
            if (quantity_value(amount(items[i])) == quantity_value(amount(items[k]))) {
                struct field_path item = field_path_index(c->path, i);
                int64_t v = quantity_value(amount(items[i]));

                field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE,
                                      arena_printf(c->arena, "%lld", (long long)v), "%s", "");
                break;
            }
    if (!found)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, fallback,
                              "default value is not valid according to the requestPolicy");
}

static void rule_request_policy(const struct rule_context *c)
{
    const struct resource_v1_capacity_request_policy *p = c->data;
    const struct resource_v1_device_capacity *device = c->up->data;
    struct str capacity = device->value.len ? device->value : STR("0");
    bool values = p->valid_values.len, range = p->valid_range;
    struct field_path at =
        field_path_member(c->path, values ? STR("validValues") : STR("validRange"));
    struct rule_context below = *c;

    below.path = &at;
    if (values && range)
        field_errors_add(c->errs, c->path, FIELD_ERROR_FORBIDDEN,
                         "exactly one policy can be specified, cannot specify \"validValues\" and "
                         "\"validRange\" at the same time");
    else if ((values || range) && !p->default_.p)
        rule_required(c, "default",
                      values ? "required when validValues is defined"
                             : "required when validRange is defined");
    else if (values)
        check_values(&below, capacity, p->default_, p->valid_values.items, p->valid_values.len);
    else if (range)
        check_range(&below, capacity, p->default_, p->valid_range);
}

/* A policy is for devices that several claims share. */
static void rule_device_capacity(const struct rule_context *c)
{
    const struct resource_v1_device *d = c->up->data;

    if (d->allow_multiple_allocations && *d->allow_multiple_allocations)
        rule_below(c, "requestPolicy");
    else
        rule_forbidden(c, "requestPolicy", "allowMultipleAllocations must be true");
}

/* Keys are reported at the map, values at their keys, one pair after the other. */
static void rule_attribute_keys(const struct rule_context *c)
{
    const struct resource_v1_device *d = c->data;
    struct field_path at = field_path_member(c->path, STR("attributes"));

    for (uint32_t i = 0; i < d->attributes.len; i++) {
        rule_check_attribute_name(c, &at, d->attributes.items[i].key);
        rule_below_item(c, "attributes", i);
    }
}

static void rule_capacity_keys(const struct rule_context *c)
{
    const struct resource_v1_device *d = c->data;
    struct field_path at = field_path_member(c->path, STR("capacity"));

    for (uint32_t i = 0; i < d->capacity.len; i++) {
        rule_check_attribute_name(c, &at, d->capacity.items[i].key);
        rule_below_item(c, "capacity", i);
    }
}

static void rule_taints(const struct rule_context *c)
{
    const struct resource_v1_device *d = c->data, *old = old_device(c, d->name);

    if (!old || !rule_members_equal("resource.k8s.io/v1.Device", "taints", d, old))
        rule_below_set(c, "taints", 16, NULL);
}

static void rule_device_taint(const struct rule_context *c)
{
    const struct resource_v1_device_taint *t = c->data;
    struct field_path key = field_path_member(c->path, STR("key"));

    (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, t->key);
}

#define ONE_OF_THREE                                                                               \
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "                   \
    "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"

static bool is_selecting(const struct rule_context *c)
{
    const struct resource_v1_resource_slice *s = c->request->object.data;

    return s->spec.per_device_node_selection && *s->spec.per_device_node_selection;
}

static void rule_device_node_name(const struct rule_context *c)
{
    const struct resource_v1_device *d = c->data;

    if (is_selecting(c))
        (void)is_node_name(c, d->node_name, "must not be empty");
}

static void rule_device_node_selector(const struct rule_context *c)
{
    if (is_selecting(c))
        rule_below(c, "nodeSelector");
}

static void rule_device_nodes(const struct rule_context *c)
{
    const struct resource_v1_device *d = c->data;
    const char *set[3];
    size_t n = 0;

    if (!is_selecting(c)) {
        if (d->node_name.p || d->node_selector || d->all_nodes)
            field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID, STR("null"),
                                 "`nodeName`, `nodeSelector` and `allNodes` can only be set if "
                                 "`perDeviceNodeSelection` is set to true in the ResourceSlice "
                                 "spec");
        return;
    }
    if (d->node_name.len)
        set[n++] = "nodeName";
    if (d->node_selector)
        set[n++] = "nodeSelector";
    if (is_set(c, "allNodes", d->all_nodes))
        set[n++] = "allNodes";
    if (n == 0)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED, ONE_OF_THREE);
    else if (n > 1)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, joined(c->arena, set, n),
                              ONE_OF_THREE);
}

static void rule_device_bindings(const struct rule_context *c)
{
    const struct resource_v1_device *d = c->data;

    rule_check_bindings(c, &d->binding_conditions, &d->binding_failure_conditions);
}

static void check_counters(const struct rule_context *c,
                           const struct resource_v1_counter_entry *items, uint32_t n)
{
    struct field_path at = field_path_member(c->path, STR("counters"));

    if (n == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
    else if (n > COUNTERS_MAX)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_TOO_MANY, arena_printf(c->arena, "%u", n),
                             "must have at most %d items", COUNTERS_MAX);
    for (uint32_t i = 0; i < n && n <= COUNTERS_MAX; i++)
        (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1123_LABEL, items[i].key);
}

static void rule_counter_set(const struct rule_context *c)
{
    const struct resource_v1_counter_set *s = c->data;

    check_counters(c, s->counters.items, s->counters.len);
}

static void rule_counter_consumption(const struct rule_context *c)
{
    const struct resource_v1_device_counter_consumption *s = c->data;

    check_counters(c, s->counters.items, s->counters.len);
}

#define D "resource.k8s.io/v1."

const struct rule rules_device_slice[] = {
    { .type = D "ResourceSliceSpec", .check = RULE_FN, .fn = rule_slice_pool },
    { .type = D "ResourceSliceSpec", .check = RULE_FN, .fn = rule_slice_node_name },
    { D "ResourceSliceSpec", "nodeSelector", RULE_BELOW },
    { .type = D "ResourceSliceSpec", .check = RULE_FN, .fn = rule_slice_nodes },
    { D "ResourceSliceSpec", "devices", RULE_BELOW, .fn = rule_slice_devices },
    { D "ResourceSliceSpec", "sharedCounters", RULE_SET, .max = 8, .text = "name" },
    { D "CounterSet", "name", RULE_REQUIRED },
    { D "CounterSet", "name", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },
    { .type = D "CounterSet", .check = RULE_FN, .fn = rule_counter_set },
    { .type = D "Device", .check = RULE_FN, .fn = rule_device_name },
    { D "Device", "attributes", RULE_BELOW, .fn = rule_attribute_keys },
    { D "Device", "capacity", RULE_BELOW, .fn = rule_capacity_keys },
    { D "Device", "taints", RULE_BELOW, .fn = rule_taints },
    { D "Device", "consumesCounters", RULE_SET, .max = 2, .text = "counterSet" },
    { .type = D "Device", .check = RULE_FN, .fn = rule_device_node_name },
    { D "Device", "nodeSelector", RULE_BELOW, .fn = rule_device_node_selector },
    { .type = D "Device", .check = RULE_FN, .fn = rule_device_nodes },
    { .type = D "Device", .check = RULE_FN, .fn = rule_device_bindings },
    { .type = D "DeviceAttribute", .check = RULE_FN, .fn = rule_device_attribute },
    { D "DeviceCapacity", "requestPolicy", RULE_BELOW, .fn = rule_device_capacity },
    { .type = D "CapacityRequestPolicy", .check = RULE_FN, .fn = rule_request_policy },
    { .type = D "DeviceTaint", .check = RULE_FN, .fn = rule_device_taint },
    { D "DeviceTaint", "value", RULE_NAME, .min = NAME_RULE_LABEL_VALUE },
    { D "DeviceTaint", "effect", RULE_REQUIRED },
    { D "DeviceTaint", "effect", RULE_ENUM, .text = "NoExecute|NoSchedule|None" },
    { D "DeviceCounterConsumption", "counterSet", RULE_REQUIRED },
    { D "DeviceCounterConsumption", "counterSet", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },
    { .type = D "DeviceCounterConsumption", .check = RULE_FN, .fn = rule_counter_consumption },
    { 0 },
};
