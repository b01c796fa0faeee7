/* Rules of EndpointSlices, Endpoints and Events. */
#include "api/core_v1.h"
#include "api/discovery_v1.h"
#include "api/events_v1.h"
#include "api/field_error.h"
#include "api/rules_internal.h"
#include "api/validation.h"
#include "base/arena.h"

#define NEW_EVENT "events.k8s.io/v1.Event"

static bool is_all(const uint8_t *p, size_t n, uint8_t byte)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte)
            return false;
    return true;
}

/* Addresses that no endpoint has. */
void rule_check_endpoint_ip(const struct rule_context *c, const struct field_path *at,
                            struct str text)
{
    struct name_ip ip;
    const uint8_t *b = ip.bytes;
    bool v4, loopback;

    if (!name_ip_parse(text, &ip)) {
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, text, "must be a valid IP address");
        return;
    }
    v4 = ip.family == 4;
    loopback = v4 ? b[0] == 127 : is_all(b, 15, 0) && b[15] == 1;
    if (is_all(b, v4 ? 4 : 16, 0))
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, text,
                              "may not be unspecified (%.*s)", STR_ARG(text));
    if (loopback)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, text,
                              "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    if (v4 ? b[0] == 169 && b[1] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, text,
                              "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    if (v4 ? b[0] == 224 && b[1] == 0 && b[2] == 0 : b[0] == 0xff && (b[1] & 0x0f) == 2)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, text,
                              "may not be in the link-local multicast range (224.0.0.0/24, "
                              "ff02::/10)");
}

static void check_name(const struct rule_context *c, const struct field_path *at, struct str text)
{
    struct str host = text;

    if (host.len && host.p[host.len - 1] == '.')
        host.len--;
    if (text.len == 0)
        field_errors_add(c->errs, at, FIELD_ERROR_REQUIRED, "");
    else if (name_rule_report(c->errs, at, NAME_RULE_DNS1123_SUBDOMAIN, host) &&
             str_find(host, '.') < 0)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, host,
                              "should be a domain with at least two segments separated by dots");
}

/* One address of an endpoint, by the slice's type. */
static void check_address(const struct rule_context *c, const struct field_path *list, uint32_t i,
                          struct str text, struct str type)
{
    struct field_path at = field_path_index(list, i);
    struct name_ip ip;
    int want = str_eq(type, STR("IPv4")) ? 4 : 6;

    if (str_eq(type, STR("FQDN")))
        check_name(c, &at, text);
    if (!str_eq(type, STR("IPv4")) && !str_eq(type, STR("IPv6")))
        return;
    if (!name_rule_report(c->errs, &at, NAME_RULE_IP, text))
        return;
    if (name_ip_parse(text, &ip) && ip.family != want)
        field_errors_add_text(c->errs, list, FIELD_ERROR_INVALID, text, "must be an IPv%d address",
                              want);
    rule_check_endpoint_ip(c, &at, text);
}

static void rule_endpoint(const struct rule_context *c)
{
    const struct discovery_v1_endpoint *e = c->data;
    const struct discovery_v1_endpoint_slice *slice = c->request->object.data;
    struct field_path list = field_path_member(c->path, STR("addresses"));

    for (uint32_t i = 0; i < e->addresses.len; i++)
        check_address(c, &list, i, e->addresses.items[i], slice->address_type);
}

/* Endpoints that stay as they are are not looked at again. */
static void rule_endpoints(const struct rule_context *c)
{
    const struct discovery_v1_endpoint_slice *s = c->data, *old = c->old;
    size_t before = c->errs->len;

    rule_below_set(c, "endpoints", 1000, NULL);
    if (c->errs->len > before && old &&
        rule_members_equal("discovery.k8s.io/v1.EndpointSlice", "endpoints", s, old))
        c->errs->len = before;
}

/* Names of ports differ, the empty one with them. */
static void rule_endpoint_slice(const struct rule_context *c)
{
    const struct discovery_v1_endpoint_slice *s = c->data;
    struct field_path list = field_path_member(c->path, STR("ports"));

    for (uint32_t i = 0; i < s->ports.len; i++)
        for (uint32_t j = 0; j < i; j++) {
            struct field_path item = field_path_index(&list, i);
            struct field_path name = field_path_member(&item, STR("name"));

            if (!str_eq(s->ports.items[i].name, s->ports.items[j].name))
                continue;
            field_errors_add_text(c->errs, &name, FIELD_ERROR_DUPLICATE, s->ports.items[i].name,
                                  "");
            break;
        }
}

static void rule_subset(const struct rule_context *c)
{
    const struct core_v1_endpoint_subset *s = c->data;

    if (!s->addresses.len && !s->not_ready_addresses.len)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED,
                         "must specify `addresses` or `notReadyAddresses`");
}

/* One port alone needs no name. */
static void rule_subset_ports(const struct rule_context *c)
{
    const struct core_v1_endpoint_subset *s = c->data;
    struct field_path list = field_path_member(c->path, STR("ports"));

    for (uint32_t i = 0; i < s->ports.len; i++) {
        struct field_path item = field_path_index(&list, i);
        struct field_path name = field_path_member(&item, STR("name"));

        if (s->ports.len > 1 && !s->ports.items[i].name.len)
            field_errors_add(c->errs, &name, FIELD_ERROR_REQUIRED, "");
        rule_below_item(c, "ports", i);
    }
}

static void rule_endpoint_address(const struct rule_context *c)
{
    const struct core_v1_endpoint_address *a = c->data;
    struct field_path at = field_path_member(c->path, STR("ip"));

    (void)name_rule_report(c->errs, &at, NAME_RULE_IP, a->ip);
    rule_check_endpoint_ip(c, &at, a->ip);
}

/* --- Events: what both groups' forms have in common --- */

struct event_parts {
    struct ktime time;
    struct str namespace, about; /* the Event's own, and of what it is about */
    struct str controller, instance, action, reason, message;
    const char *controller_name;
};

static void check_text(const struct rule_context *c, const char *member, struct str text,
                       size_t max)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));

    if (text.len == 0 && !str_eq(at.name, STR("message")))
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
    if (text.len > max)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, STR(""),
                              "can have at most %zu characters", max);
}

static void check_event(const struct rule_context *c, const struct event_parts *e)
{
    struct field_path object = field_path_member(c->path, STR("involvedObject"));
    struct field_path about = field_path_member(&object, STR("namespace"));
    struct field_path controller = field_path_member(c->path, str_from_cstr(e->controller_name));
    bool in_default = str_eq(e->namespace, STR("default"));
    bool fits = !e->about.len
                    ? in_default || (e->time.set ? str_eq(e->namespace, STR("kube-system"))
                                                 : !e->namespace.len)
                    : e->time.set || str_eq(e->namespace, e->about);

    if (!fits)
        field_errors_add_text(c->errs, &about, FIELD_ERROR_INVALID, e->about,
                              "does not match event.namespace");
    if (!e->time.set)
        return;
    if (e->controller.len == 0)
        field_errors_add(c->errs, &controller, FIELD_ERROR_REQUIRED, "");
    (void)name_rule_report(c->errs, &controller, NAME_RULE_QUALIFIED_NAME, e->controller);
    check_text(c, "reportingInstance", e->instance, 128);
    check_text(c, "action", e->action, 128);
    check_text(c, "reason", e->reason, 128);
    check_text(c, "message", e->message, 1024);
}

static void rule_event(const struct rule_context *c)
{
    const struct core_v1_event *e = c->data;
    const struct event_parts parts = { e->event_time,
                                       e->metadata.namespace,
                                       e->involved_object.namespace,
                                       e->reporting_component,
                                       e->reporting_instance,
                                       e->action,
                                       e->reason,
                                       e->message,
                                       "reportingComponent" };

    check_event(c, &parts);
}

static void check_series(const struct rule_context *c, const struct events_v1_event_series *s)
{
    struct field_path count = field_path_member(c->path, STR("series.count"));
    struct field_path last = field_path_member(c->path, STR("series.lastObservedTime"));

    if (s && s->count < 2)
        field_errors_add_text(c->errs, &count, FIELD_ERROR_INVALID, STR(""),
                              "should be at least 2");
    if (s && !s->last_observed_time.set)
        field_errors_add(c->errs, &last, FIELD_ERROR_REQUIRED, "");
}

/* What an update leaves alone, by its names in the internal form. */
static const struct {
    const char *member, *shown;
} kept[] = {
    { "regarding", "involvedObject" },
    { "reason", "reason" },
    { "note", "message" },
    { "deprecatedSource", "source" },
    { "deprecatedFirstTimestamp", "firstTimestamp" },
    { "deprecatedLastTimestamp", "lastTimestamp" },
    { "deprecatedCount", "count" },
    { "reason", "reason" },
    { "type", "type" },
    { "eventTime", "eventTime" },
    { "action", "action" },
    { "related", "related" },
    { "reportingController", "reportingController" },
    { "reportingInstance", "reportingInstance" },
};

static void check_event_kept(const struct rule_context *c, const struct events_v1_event *e,
                             const struct events_v1_event *old)
{
    if (!rule_members_equal(NEW_EVENT, "series", e, old))
        check_series(c, e->series);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        struct field_path at = field_path_member(c->path, str_from_cstr(kept[i].shown));

        if (rule_members_equal(NEW_EVENT, kept[i].member, e, old))
            continue;
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             rule_print_member(c->arena, NEW_EVENT, kept[i].member, e),
                             "field is immutable");
    }
}

/* What the newer group refuses beside that, in the words of the internal form. */
static void rule_new_event(const struct rule_context *c)
{
    const struct events_v1_event *e = c->data;
    const struct event_parts parts = { e->event_time,
                                       e->metadata.namespace,
                                       e->regarding.namespace,
                                       e->reporting_controller,
                                       e->reporting_instance,
                                       e->action,
                                       e->reason,
                                       e->note,
                                       "reportingController" };
    static const char unset[] = "needs to be unset";

    check_event(c, &parts);
    if (c->old) {
        check_event_kept(c, e, c->old);
        return;
    }
    check_series(c, e->series);
    if (!e->event_time.set)
        rule_required(c, "eventTime", "");
    if (!str_eq(e->type, STR("Normal")) && !str_eq(e->type, STR("Warning")))
        rule_invalid(c, "type", STR(""),
                     str_cstr(c->arena,
                              arena_printf(c->arena, "has invalid value: %.*s", STR_ARG(e->type))));
    if (e->deprecated_first_timestamp.set)
        rule_invalid(c, "firstTimestamp", STR(""), unset);
    if (e->deprecated_last_timestamp.set)
        rule_invalid(c, "lastTimestamp", STR(""), unset);
    if (e->deprecated_count)
        rule_invalid(c, "count", STR(""), unset);
    if (e->deprecated_source.component.len || e->deprecated_source.host.len)
        rule_invalid(c, "source", STR(""), unset);
}

#define D "discovery.k8s.io/v1."

const struct rule rules_discovery[] = {
    { D "EndpointSlice", "addressType", RULE_REQUIRED },
    { D "EndpointSlice", "addressType", RULE_ENUM, .text = "FQDN|IPv4|IPv6" },
    { D "EndpointSlice", "ports", RULE_SET, .max = 20000 },
    { .type = D "EndpointSlice", .check = RULE_FN, .fn = rule_endpoint_slice },
    { D "EndpointSlice", "endpoints", RULE_BELOW, .fn = rule_endpoints },
    { D "EndpointSlice", "addressType", RULE_IMMUTABLE },
    { D "Endpoint", "addresses", RULE_REQUIRED, .text = "must contain at least 1 address" },
    { D "Endpoint", "addresses", RULE_MAX_ITEMS, .max = 100 },
    { .type = D "Endpoint", .check = RULE_FN, .fn = rule_endpoint },
    { D "Endpoint", "nodeName", RULE_NAME_SET, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { D "Endpoint", "hostname", RULE_NAME_SET, .min = NAME_RULE_DNS1123_LABEL },
    { D "EndpointHints", "forZones", RULE_MAX_ITEMS, .max = 8 },
    { D "EndpointHints", "forZones", RULE_BELOW },
    { D "EndpointHints", "forZones", RULE_UNIQUE, .text = "name" },
    { D "ForZone", "name", RULE_NAME, .min = NAME_RULE_LABEL_VALUE },
    { D "EndpointHints", "forNodes", RULE_MAX_ITEMS, .max = 8 },
    { D "EndpointHints", "forNodes", RULE_BELOW },
    { D "EndpointHints", "forNodes", RULE_UNIQUE, .text = "name" },
    { D "ForNode", "name", RULE_NAME_ALWAYS, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { D "EndpointPort", "name", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },
    { D "EndpointPort", "protocol", RULE_ENUM_SET, .text = "SCTP|TCP|UDP" },
    { D "EndpointPort", "appProtocol", RULE_NAME_SET, .min = NAME_RULE_QUALIFIED_NAME },
    { .type = "core/v1.EndpointSubset", .check = RULE_FN, .fn = rule_subset },
    { "core/v1.EndpointSubset", "addresses", RULE_BELOW },
    { "core/v1.EndpointSubset", "notReadyAddresses", RULE_BELOW },
    { "core/v1.EndpointSubset", "ports", RULE_BELOW, .fn = rule_subset_ports },
    { .type = "core/v1.EndpointAddress", .check = RULE_FN, .fn = rule_endpoint_address },
    { "core/v1.EndpointAddress", "hostname", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },
    { "core/v1.EndpointAddress", "nodeName", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { "core/v1.EndpointPort", "name", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },
    { "core/v1.EndpointPort", "port", RULE_NUMBER, .min = 1, .max = 65535 },
    { "core/v1.EndpointPort", "protocol", RULE_ENUM, .text = "SCTP|TCP|UDP" },
    { "core/v1.EndpointPort", "appProtocol", RULE_NAME, .min = NAME_RULE_QUALIFIED_NAME },
    { .type = "core/v1.Event", .check = RULE_FN, .fn = rule_event },
    { .type = NEW_EVENT, .check = RULE_FN, .fn = rule_new_event },
    { 0 },
};
