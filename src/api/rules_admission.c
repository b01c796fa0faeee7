/* Rules of admissionregistration.k8s.io (webhooks, and the rules that policies match by, too) and
 * apiregistration.k8s.io. Expressions are not compiled: nothing evaluates them yet. */
#include "api/admissionregistration_v1.h"
#include "api/apiregistration_v1.h"
#include "api/field_error.h"
#include "api/rules_internal.h"
#include "base/arena.h"

static void rule_operations(const struct rule_context *c)
{
    const struct admissionregistration_v1_rule_with_operations *r = c->data;

    if (r->operations.len > 1 && rule_has_text(r->operations.items, r->operations.len, STR("*")))
        rule_invalid_texts(c, "operations", r->operations.items, r->operations.len,
                           "if '*' is present, must not specify other operations");
}

/* "a/b" where another entry says "a/\*" or "*\/b" already. */
static void check_covered(const struct rule_context *c, const struct str *all, uint32_t i)
{
    struct field_path list = field_path_member(c->path, STR("resources"));
    struct field_path item = field_path_index(&list, i);
    struct str name, sub;

    if (!str_cut(all[i], '/', &name, &sub))
        return;
    for (uint32_t j = 0; j < i; j++) {
        struct str other, other_sub;

        if (!str_cut(all[j], '/', &other, &other_sub))
            continue;
        if (str_eq(other, name) && str_eq(other_sub, STR("*")))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, all[i],
                                  "if '%.*s/*' is present, must not specify %.*s", STR_ARG(name),
                                  STR_ARG(all[i]));
        if (str_eq(other_sub, sub) && str_eq(other, STR("*")))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, all[i],
                                  "if '*/%.*s' is present, must not specify %.*s", STR_ARG(sub),
                                  STR_ARG(all[i]));
    }
}

static void rule_resource_list(const struct rule_context *c)
{
    const struct admissionregistration_v1_rule *r = c->data;
    const struct str *all = r->resources.items;
    uint32_t n = r->resources.len;
    struct field_path list = field_path_member(c->path, STR("resources"));
    bool plain = false;

    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&list, i);

        if (all[i].len == 0) {
            field_errors_add(c->errs, &item, FIELD_ERROR_REQUIRED, "");
            continue;
        }
        if (str_find(all[i], '/') < 0)
            plain = !str_eq(all[i], STR("*"));
        check_covered(c, all, i);
    }
    if (n > 1 && rule_has_text(all, n, STR("*/*")))
        rule_invalid_texts(c, "resources", all, n,
                           "if '*/*' is present, must not specify other resources");
    if (plain && rule_has_text(all, n, STR("*")))
        rule_invalid_texts(
            c, "resources", all, n,
            "if '*' is present, must not specify other resources without subresources");
}

static void rule_api_groups(const struct rule_context *c)
{
    const struct admissionregistration_v1_rule *r = c->data;

    if (r->api_groups.len > 1 && rule_has_text(r->api_groups.items, r->api_groups.len, STR("*")))
        rule_invalid_texts(c, "apiGroups", r->api_groups.items, r->api_groups.len,
                           "if '*' is present, must not specify other API groups");
}

static void rule_api_versions(const struct rule_context *c)
{
    const struct admissionregistration_v1_rule *r = c->data;
    const struct str *all = r->api_versions.items;
    struct field_path list = field_path_member(c->path, STR("apiVersions"));

    if (r->api_versions.len > 1 && rule_has_text(all, r->api_versions.len, STR("*")))
        rule_invalid_texts(c, "apiVersions", all, r->api_versions.len,
                           "if '*' is present, must not specify other API versions");
    for (uint32_t i = 0; i < r->api_versions.len; i++) {
        struct field_path item = field_path_index(&list, i);

        if (all[i].len == 0)
            field_errors_add(c->errs, &item, FIELD_ERROR_REQUIRED, "");
    }
}

static void check_full_name(const struct rule_context *c, struct str name)
{
    struct field_path at = field_path_member(c->path, STR("name"));
    struct str rest = name, part;
    size_t parts = 0;

    if (name.len == 0) {
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
        return;
    }
    while (str_next(&rest, '.', &part))
        parts++;
    if (name_rule_report(c->errs, &at, NAME_RULE_DNS1123_SUBDOMAIN, name) && parts < 3)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, name,
                              "should be a domain with at least three segments separated by dots");
}

static void check_review_versions(const struct rule_context *c, const struct str *all, uint32_t n)
{
    struct field_path list = field_path_member(c->path, STR("admissionReviewVersions"));

    if (n == 0) {
        field_errors_add(c->errs, &list, FIELD_ERROR_REQUIRED, "must specify one of v1, v1beta1");
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&list, i);

        if (rule_has_text(all, i, all[i]))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, all[i], "duplicate version");
        else
            (void)name_rule_report(c->errs, &item, NAME_RULE_DNS1035_LABEL, all[i]);
    }
    if (!rule_has_text(all, n, STR("v1")) && !rule_has_text(all, n, STR("v1beta1")))
        rule_invalid_texts(c, "admissionReviewVersions", all, n,
                           "must include at least one of v1, v1beta1");
}

static void rule_validating_name(const struct rule_context *c)
{
    const struct admissionregistration_v1_validating_webhook *w = c->data;

    check_full_name(c, w->name);
}

static void rule_mutating_name(const struct rule_context *c)
{
    const struct admissionregistration_v1_mutating_webhook *w = c->data;

    check_full_name(c, w->name);
}

static void rule_validating_reviews(const struct rule_context *c)
{
    const struct admissionregistration_v1_validating_webhook *w = c->data;

    check_review_versions(c, w->admission_review_versions.items, w->admission_review_versions.len);
}

static void rule_mutating_reviews(const struct rule_context *c)
{
    const struct admissionregistration_v1_mutating_webhook *w = c->data;

    check_review_versions(c, w->admission_review_versions.items, w->admission_review_versions.len);
}

static void check_url(const struct rule_context *c, struct str url)
{
    static const char form[] = "; desired format: https://host[/path]";
    struct field_path at = field_path_member(c->path, STR("url"));
    ptrdiff_t end = str_find_str(url, STR("://"));
    struct str scheme = end < 0 ? STR("") : str_sub(url, 0, (size_t)end);
    struct str rest = end < 0 ? STR("") : str_tail(url, (size_t)end + 3);
    struct str fragment, query, path, user, host;

    (void)str_cut(rest, '#', &rest, &fragment);
    (void)str_cut(rest, '?', &rest, &query);
    (void)str_cut(rest, '/', &host, &path);
    if (!str_cut(host, '@', &user, &rest))
        user = STR_NULL;
    else
        host = rest;
    if (!str_eq_nocase(scheme, STR("https")))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, scheme,
                              "'https' is the only allowed URL scheme%s", form);
    if (host.len == 0)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, STR(""),
                              "host must be specified%s", form);
    if (user.p)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, user,
                              "user information is not permitted in the URL");
    if (fragment.len)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, fragment,
                              "fragments are not permitted in the URL");
    if (query.len)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, query,
                              "query parameters are not permitted in the URL");
}

static void rule_client_config(const struct rule_context *c)
{
    const struct admissionregistration_v1_webhook_client_config *w = c->data;

    if (!w->url.p == !w->service)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED,
                         "exactly one of url or service is required");
    else if (w->url.p)
        check_url(c, w->url);
}

static void check_segments(const struct rule_context *c, struct str path)
{
    struct field_path at = field_path_member(c->path, STR("path"));
    struct str rest = str_tail(path, 1), segment;
    bool more = true;

    if (str_has_suffix(rest, STR("/")))
        rest.len--;
    for (size_t i = 0; more; i++) {
        struct name_messages m;

        more = str_cut(rest, '/', &segment, &rest);
        if (segment.len == 0) {
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, path,
                                  "segment[%zu] may not be empty", i);
            continue;
        }
        name_rule_check(NAME_RULE_DNS1123_SUBDOMAIN, segment, &m);
        for (size_t k = 0; k < m.len; k++)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, path, "segment[%zu]: %.*s", i,
                                  STR_ARG(m.items[k]));
    }
}

/* Upstream says of each of the two names what it finds wrong with the other. */
static void rule_service_reference(const struct rule_context *c)
{
    const struct admissionregistration_v1_service_reference *s = c->data;

    if (!s->namespace.len)
        rule_required(c, "name", "");
    if (!s->name.len)
        rule_required(c, "namespace", "");
    if (s->port && (*s->port < 1 || *s->port > 65535))
        rule_invalid_number(c, "port", *s->port,
                            "port is not valid: must be between 1 and 65535, inclusive");
    if (s->path.len == 0 || str_eq(s->path, STR("/")))
        return;
    if (s->path.p[0] != '/')
        rule_invalid(c, "path", s->path, "must start with a '/'");
    check_segments(c, s->path);
}

/* --- APIService --- */

static void rule_api_service(const struct rule_context *c)
{
    const struct apiregistration_v1_api_service *s = c->data;
    struct field_path meta = field_path_member(c->path, STR("metadata"));
    struct field_path name = field_path_member(&meta, STR("name"));
    struct str want =
        arena_printf(c->arena, "%.*s.%.*s", STR_ARG(s->spec.version), STR_ARG(s->spec.group));

    if (!str_eq(s->metadata.name, want))
        field_errors_add_text(c->errs, &name, FIELD_ERROR_INVALID, s->metadata.name,
                              "must be `spec.version+\".\"+spec.group`: \"%.*s\"", STR_ARG(want));
}

static void check_service(const struct rule_context *c,
                          const struct apiregistration_v1_service_reference *s)
{
    struct field_path at = field_path_member(c->path, STR("service"));
    struct rule_context below = *c;

    below.path = &at;
    if (!s->namespace.len)
        rule_required(&below, "namespace", "");
    if (!s->name.len)
        rule_required(&below, "name", "");
    if (s->port && (*s->port < 1 || *s->port > 65535))
        rule_invalid_number(&below, "port", *s->port,
                            "port is not valid: must be between 1 and 65535, inclusive");
}

static void rule_api_service_spec(const struct rule_context *c)
{
    const struct apiregistration_v1_api_service_spec *s = c->data;
    struct field_path skip = field_path_member(c->path, STR("insecureSkipTLSVerify"));

    if (!s->group.len && !str_eq(s->version, STR("v1")))
        rule_required(c, "group", "only v1 may have an empty group and it better be legacy kube");
    if (s->service) {
        check_service(c, s->service);
        if (s->insecure_skip_tls_verify && s->ca_bundle.len)
            field_errors_add_raw(c->errs, &skip, FIELD_ERROR_INVALID, STR("true"),
                                 "may not be true if caBundle is present");
        return;
    }
    if (s->ca_bundle.len)
        rule_invalid(c, "caBundle", arena_printf(c->arena, "%zu bytes", s->ca_bundle.len),
                     "local APIServices may not have a caBundle");
    if (s->insecure_skip_tls_verify)
        field_errors_add_raw(c->errs, &skip, FIELD_ERROR_INVALID, STR("true"),
                             "local APIServices may not have insecureSkipTLSVerify");
}

#define A "admissionregistration.k8s.io/v1."
#define V "apiregistration.k8s.io/v1."
#define HOOK_BEGIN(type)                                                                              \
    { A type, "rules", RULE_BELOW },                                                                  \
        { A type, "failurePolicy", RULE_ENUM_SET, .text = "Fail|Ignore" },                            \
        { A type, "matchPolicy", RULE_ENUM_SET, .text = "Equivalent|Exact" },                         \
        { A type, "sideEffects", RULE_REQUIRED,                                                       \
          .text = "must specify one of None, NoneOnDryRun" },                                         \
        { A type, "sideEffects", RULE_ENUM_SET, .text = "None|NoneOnDryRun" },                        \
        { A type,   "timeoutSeconds", RULE_NUMBER,                                                    \
          .min = 1, .max = 30,        .text = "the timeout value must be between 1 and 30 seconds" }, \
        { A type, "namespaceSelector", RULE_BELOW },                                                  \
    {                                                                                                 \
        A type, "objectSelector", RULE_BELOW                                                          \
    }
#define HOOK_END(type)                                                                             \
    { A type, "clientConfig", RULE_BELOW },                                                        \
        { A type, "matchConditions", RULE_MAX_ITEMS, .max = 64 },                                  \
        { A type, "matchConditions", RULE_BELOW },                                                 \
    {                                                                                              \
        A type, "matchConditions", RULE_UNIQUE, .text = "name"                                     \
    }

const struct rule rules_admission[] = {
    { A "ValidatingWebhookConfiguration", "webhooks", RULE_BELOW },
    { A "ValidatingWebhookConfiguration", "webhooks", RULE_UNIQUE, .text = "name" },
    { A "MutatingWebhookConfiguration", "webhooks", RULE_BELOW },
    { A "MutatingWebhookConfiguration", "webhooks", RULE_UNIQUE, .text = "name" },
    { .type = A "ValidatingWebhook", .check = RULE_FN, .fn = rule_validating_name },
    HOOK_BEGIN("ValidatingWebhook"),
    HOOK_END("ValidatingWebhook"),
    { .type = A "ValidatingWebhook", .check = RULE_FN, .fn = rule_validating_reviews },
    { .type = A "MutatingWebhook", .check = RULE_FN, .fn = rule_mutating_name },
    HOOK_BEGIN("MutatingWebhook"),
    { A "MutatingWebhook", "reinvocationPolicy", RULE_ENUM_SET, .text = "IfNeeded|Never" },
    HOOK_END("MutatingWebhook"),
    { .type = A "MutatingWebhook", .check = RULE_FN, .fn = rule_mutating_reviews },
    { A "RuleWithOperations", "operations", RULE_REQUIRED },
    { .type = A "RuleWithOperations", .check = RULE_FN, .fn = rule_operations },
    { A "RuleWithOperations", "operations", RULE_ENUM, .text = "*|CONNECT|CREATE|DELETE|UPDATE" },
    { A "Rule", "apiGroups", RULE_REQUIRED },
    { .type = A "Rule", .check = RULE_FN, .fn = rule_api_groups },
    { A "Rule", "apiVersions", RULE_REQUIRED },
    { .type = A "Rule", .check = RULE_FN, .fn = rule_api_versions },
    { A "Rule", "resources", RULE_REQUIRED },
    { .type = A "Rule", .check = RULE_FN, .fn = rule_resource_list },
    { A "Rule", "scope", RULE_ENUM_SET, .text = "*|Cluster|Namespaced" },
    { .type = A "WebhookClientConfig", .check = RULE_FN, .fn = rule_client_config },
    { .type = A "ServiceReference", .check = RULE_FN, .fn = rule_service_reference },
    { .type = V "APIService", .check = RULE_FN, .fn = rule_api_service },
    { V "APIServiceSpec", "group", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { V "APIServiceSpec", "version", RULE_NAME, .min = NAME_RULE_DNS1035_LABEL },
    { V "APIServiceSpec", "groupPriorityMinimum", RULE_NUMBER, .min = 1, .max = 20000,
      .text = "must be positive and less than 20000" },
    { V "APIServiceSpec", "versionPriority", RULE_NUMBER, .min = 1, .max = 1000,
      .text = "must be positive and less than 1000" },
    { .type = V "APIServiceSpec", .check = RULE_FN, .fn = rule_api_service_spec },
    { V "APIServiceCondition", "status", RULE_ENUM_SET, .text = "True|False|Unknown" },
    { 0 },
};
