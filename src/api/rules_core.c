/* Rules of core/v1 beside Pods, Services and volumes: Namespace, ConfigMap, Secret, Node. */
#include <ctype.h>

#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/rules_internal.h"
#include "api/text_map.h"
#include "api/validation.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

enum { DATA_MAX_BYTES = 1024 * 1024 };

static struct field_path key_of(const struct field_path *map, struct str key)
{
    return field_path_key(map, key);
}

static void check_size(const struct rule_context *c, const char *member, size_t total)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));

    if (total > DATA_MAX_BYTES)
        field_errors_add(c->errs, &p, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         DATA_MAX_BYTES);
}

static size_t bytes_in(const void *map)
{
    const struct schema_str_entry *e = text_map_items(map);
    size_t n = 0;

    for (uint32_t i = 0; i < text_map_len(map); i++)
        n += e[i].value.len;
    return n;
}

static bool maps_equal(const void *a, const void *b)
{
    const struct schema_str_entry *x = text_map_items(a), *y = text_map_items(b);

    if (text_map_len(a) != text_map_len(b))
        return false;
    for (uint32_t i = 0; i < text_map_len(a); i++)
        if (!str_eq(x[i].key, y[i].key) || !str_eq(x[i].value, y[i].value))
            return false;
    return true;
}

#define IMMUTABLE_TEXT "field is immutable when `immutable` is set"

static void rule_config_map(const struct rule_context *c)
{
    const struct core_v1_config_map *m = c->data, *old = c->old;
    struct field_path data = field_path_member(c->path, STR("data"));

    for (uint32_t i = 0; i < m->data.len; i++) {
        struct field_path key = key_of(&data, m->data.items[i].key);

        if (text_map_find(&m->binary_data, m->data.items[i].key))
            field_errors_add_text(c->errs, &key, FIELD_ERROR_INVALID, m->data.items[i].key,
                                  "duplicate of key present in binaryData");
    }
    check_size(c, "", bytes_in(&m->data) + bytes_in(&m->binary_data));
    if (!old || !old->immutable || !*old->immutable)
        return;
    if (!m->immutable || !*m->immutable)
        rule_forbidden(c, "immutable", IMMUTABLE_TEXT);
    if (!maps_equal(&m->data, &old->data))
        rule_forbidden(c, "data", IMMUTABLE_TEXT);
    if (!maps_equal(&m->binary_data, &old->binary_data))
        rule_forbidden(c, "binaryData", IMMUTABLE_TEXT);
}

/* Keys that a Secret of some type must hold; with `json` its content must parse. */
static const struct {
    struct str type;
    struct str key;
    bool json;
} secret_keys[] = {
    { STR_INIT("kubernetes.io/dockercfg"), STR_INIT(".dockercfg"), true },
    { STR_INIT("kubernetes.io/dockerconfigjson"), STR_INIT(".dockerconfigjson"), true },
    { STR_INIT("kubernetes.io/ssh-auth"), STR_INIT("ssh-privatekey"), false },
    { STR_INIT("kubernetes.io/tls"), STR_INIT("tls.crt"), false },
    { STR_INIT("kubernetes.io/tls"), STR_INIT("tls.key"), false },
};

static void check_secret_json(const struct rule_context *c, struct str json,
                              const struct field_path *path)
{
    struct value v;
    struct err err = { 0 };

    if (value_parse(c->arena, json, &v, NULL, &err) < 0)
        field_errors_add_text(c->errs, path, FIELD_ERROR_INVALID, STR("<secret contents redacted>"),
                              "%s", err.text);
}

static void check_secret_type(const struct rule_context *c, const struct core_v1_secret *s)
{
    struct field_path data = field_path_member(c->path, STR("data"));
    const struct schema_str_entry *account;

    for (size_t i = 0; i < sizeof(secret_keys) / sizeof(secret_keys[0]); i++) {
        struct field_path key = key_of(&data, secret_keys[i].key);
        const struct schema_str_entry *e;

        if (!str_eq(s->type, secret_keys[i].type))
            continue;
        e = text_map_find(&s->data, secret_keys[i].key);
        if (!e)
            field_errors_add(c->errs, &key, FIELD_ERROR_REQUIRED, "");
        else if (secret_keys[i].json)
            check_secret_json(c, e->value, &key);
    }
    if (str_eq(s->type, STR("kubernetes.io/basic-auth")) &&
        !text_map_find(&s->data, STR("username")) && !text_map_find(&s->data, STR("password"))) {
        struct field_path user = key_of(&data, STR("username"));
        struct field_path password = key_of(&data, STR("password"));

        field_errors_add(c->errs, &user, FIELD_ERROR_REQUIRED, "");
        field_errors_add(c->errs, &password, FIELD_ERROR_REQUIRED, "");
    }
    account = text_map_find(&s->metadata.annotations, STR("kubernetes.io/service-account.name"));
    if (str_eq(s->type, STR("kubernetes.io/service-account-token")) &&
        (!account || account->value.len == 0)) {
        struct field_path meta = field_path_member(c->path, STR("metadata"));
        struct field_path annotations = field_path_member(&meta, STR("annotations"));
        struct field_path key = key_of(&annotations, STR("kubernetes.io/service-account.name"));

        field_errors_add(c->errs, &key, FIELD_ERROR_REQUIRED, "");
    }
}

static void rule_secret(const struct rule_context *c)
{
    const struct core_v1_secret *s = c->data, *old = c->old;

    check_size(c, "data", bytes_in(&s->data));
    check_secret_type(c, s);
    if (!old || !old->immutable || !*old->immutable)
        return;
    if (!s->immutable || !*s->immutable)
        rule_forbidden(c, "immutable", IMMUTABLE_TEXT);
    if (!maps_equal(&s->data, &old->data))
        rule_forbidden(c, "data", IMMUTABLE_TEXT);
}

/* Upstream's path of taints leaves out the spec. */
static void rule_taints(const struct rule_context *c)
{
    struct field_path meta = { .name = STR("metadata"), .index = -1 };
    const struct core_v1_node_spec *s = c->data;
    struct field_path taints = field_path_member(&meta, STR("taints"));
    struct rule_context at = *c;
    struct rule_names seen = { 0 };

    at.path = &meta;
    rule_below(&at, "taints");
    for (uint32_t i = 0; i < s->taints.len; i++) {
        const struct core_v1_taint *t = &s->taints.items[i];
        struct field_path item = field_path_index(&taints, i);
        struct str key = arena_printf(c->arena, "%.*s %.*s", STR_ARG(t->key), STR_ARG(t->effect));

        if (!rule_names_add(c, &seen, key, t))
            field_errors_add_raw(c->errs, &item, FIELD_ERROR_DUPLICATE,
                                 rule_print_internal(c->arena, "core/v1.Taint", t),
                                 "taints must be unique by key and effect pair");
    }
    rule_names_done(&seen);
}

static void rule_taint(const struct rule_context *c)
{
    const struct core_v1_taint *t = c->data;
    struct field_path key = field_path_member(c->path, STR("key"));
    struct field_path value = field_path_member(c->path, STR("value"));
    struct name_messages m;

    (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, t->key);
    name_rule_check(NAME_RULE_LABEL_VALUE, t->value, &m);
    if (m.len)
        field_errors_add_text(c->errs, &value, FIELD_ERROR_INVALID, t->value, "%.*s%s%.*s",
                              STR_ARG(m.items[0]), m.len > 1 ? ";" : "",
                              STR_ARG(m.len > 1 ? m.items[1] : STR("")));
}

static bool ranges_equal(const struct core_v1_node_spec *a, const struct core_v1_node_spec *b)
{
    if (a->pod_cidrs.len != b->pod_cidrs.len)
        return false;
    for (uint32_t i = 0; i < a->pod_cidrs.len; i++)
        if (!str_eq(a->pod_cidrs.items[i], b->pod_cidrs.items[i]))
            return false;
    return true;
}

static int family_of_range(struct str range)
{
    struct name_ip ip;
    int prefix_len;

    return name_cidr_parse(range, &ip, &prefix_len) ? ip.family : 0;
}

static void rule_node_spec(const struct rule_context *c)
{
    const struct core_v1_node_spec *s = c->data, *old = c->old;
    struct field_path ranges = field_path_member(c->path, STR("podCIDRs"));

    if (s->pod_cidrs.len > 2 ||
        (s->pod_cidrs.len == 2 &&
         family_of_range(s->pod_cidrs.items[0]) == family_of_range(s->pod_cidrs.items[1])))
        field_errors_add_raw(c->errs, &ranges, FIELD_ERROR_INVALID,
                             rule_print_texts(c->arena, s->pod_cidrs.items, s->pod_cidrs.len),
                             "may specify no more than one CIDR for each IP family");
    if (!old)
        return;
    if (old->pod_cidrs.len && !ranges_equal(s, old))
        rule_forbidden(c, "podCIDRs",
                       "node updates may not change podCIDR except from \"\" to valid");
    if (old->provider_id.len && !str_eq(old->provider_id, s->provider_id))
        rule_forbidden(c, "providerID",
                       "node updates may not change providerID except from \"\" to valid");
    rule_taints(c); /* an update is checked as a new Node, too, with each error told twice */
    if (!str_eq(old->external_id, s->external_id))
        rule_forbidden(c, "externalID", "may not be updated");
}

/* Those of a new Namespace are reported at the list, as upstream's server does. */
static void rule_namespace_finalizers(const struct rule_context *c)
{
    const struct core_v1_namespace_spec *s = c->data;
    struct field_path list = field_path_member(c->path, STR("finalizers"));

    for (uint32_t i = 0; i < s->finalizers.len; i++) {
        struct str name = s->finalizers.items[i];
        struct field_path item = field_path_index(&list, i);
        const struct field_path *at = c->old ? &item : &list;

        (void)name_rule_report(c->errs, at, NAME_RULE_QUALIFIED_NAME, name);
        if (str_find(name, '/') < 0 && !str_eq(name, STR("kubernetes")) &&
            !str_eq(name, STR("orphan")) && !str_eq(name, STR("foregroundDeletion")))
            field_errors_add_text(
                c->errs, at, FIELD_ERROR_INVALID, name,
                "name is neither a standard finalizer name nor is it fully qualified");
    }
}

/* "Feature", "Feature/part" */
static bool is_feature_name(struct str name)
{
    struct str rest = name, part;

    if (!name.len || !isupper((unsigned char)name.p[0]))
        return false;
    while (str_next(&rest, '/', &part)) {
        if (!part.len || !isalpha((unsigned char)part.p[0]))
            return false;
        for (size_t i = 1; i < part.len; i++)
            if (!isalnum((unsigned char)part.p[i]))
                return false;
    }
    return true;
}

enum { FEATURE_NAME_MAX = 253 };

static void check_feature(const struct rule_context *c, const struct field_path *at,
                          struct str name)
{
    struct buf quoted = { .arena = c->arena };

    field_error_quote(&quoted, name);
    if (name.len > FEATURE_NAME_MAX)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, name,
                              "invalid feature name %.*s: must be no more than %d characters",
                              STR_ARG(buf_str(&quoted)), FEATURE_NAME_MAX);
    else if (!is_feature_name(name))
        field_errors_add_text(
            c->errs, at, FIELD_ERROR_INVALID, name,
            "invalid feature name %.*s: must start with an UpperCamelCase segment, with "
            "subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), "
            "and contain only alphanumeric characters and slashes",
            STR_ARG(buf_str(&quoted)));
}

static void rule_declared_features(const struct rule_context *c)
{
    const struct core_v1_node_status *s = c->data;
    struct field_path list = field_path_member(c->path, STR("declaredFeatures"));

    for (uint32_t i = 0; i < s->declared_features.len; i++) {
        struct str name = s->declared_features.items[i];
        struct field_path at = field_path_index(&list, i);
        int order = i ? str_cmp(s->declared_features.items[i - 1], name) : -1;

        if (order == 0)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, name, "%s", "");
        else if (order > 0)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, name,
                                  "list must be sorted alphabetically");
        check_feature(c, &at, name);
    }
}

const struct rule rules_core[] = {
    { .type = "core/v1.NamespaceSpec", .check = RULE_FN, .fn = rule_namespace_finalizers },
    { "core/v1.ConfigMap", "data", RULE_KEYS, .min = NAME_RULE_CONFIG_KEY },
    { "core/v1.ConfigMap", "binaryData", RULE_KEYS, .min = NAME_RULE_CONFIG_KEY },
    { .type = "core/v1.ConfigMap", .check = RULE_FN, .fn = rule_config_map },
    { "core/v1.Secret", "data", RULE_KEYS, .min = NAME_RULE_CONFIG_KEY },
    { "core/v1.Secret", "type", RULE_IMMUTABLE },
    { .type = "core/v1.Secret", .check = RULE_FN, .fn = rule_secret },
    { .type = "core/v1.NodeSpec", .check = RULE_BELOW, .fn = rule_taints, .order = "taints" },
    { "core/v1.NodeSpec", "podCIDRs", RULE_NAME, .min = NAME_RULE_CIDR },
    { .type = "core/v1.NodeSpec", .check = RULE_FN, .fn = rule_node_spec },
    { .type = "core/v1.NodeStatus", .check = RULE_FN, .fn = rule_declared_features },
    { .type = "core/v1.Taint", .check = RULE_FN, .fn = rule_taint },
    { "core/v1.Taint", "effect", RULE_REQUIRED },
    { "core/v1.Taint", "effect", RULE_ENUM, .text = "NoSchedule|PreferNoSchedule|NoExecute" },
    { 0 },
};
