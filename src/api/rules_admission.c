/* Rules of admissionregistration.k8s.io and apiregistration.k8s.io. Expressions are not compiled:
 * nothing evaluates them yet. */
#include <ctype.h>

#include "api/admissionregistration_v1.h"
#include "api/apiregistration_v1.h"
#include "api/field_error.h"
#include "api/rules_internal.h"
#include "base/arena.h"

static bool has_text(const struct str *texts, uint32_t n, struct str text)
{
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(texts[i], text))
            return true;
    return false;
}

static void invalid_texts(const struct rule_context *c, const char *member, const struct str *texts,
                          uint32_t n, const char *text)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));

    field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, rule_print_texts(c->arena, texts, n),
                         "%s", text);
}

static void rule_operations(const struct rule_context *c)
{
    const struct admissionregistration_v1_rule_with_operations *r = c->data;

    if (r->operations.len > 1 && has_text(r->operations.items, r->operations.len, STR("*")))
        invalid_texts(c, "operations", r->operations.items, r->operations.len,
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

static void check_resources(const struct rule_context *c, const struct str *all, uint32_t n)
{
    struct field_path list = field_path_member(c->path, STR("resources"));
    bool plain = false;

    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&list, i);

        if (all[i].len == 0)
            field_errors_add(c->errs, &item, FIELD_ERROR_REQUIRED, "");
        if (str_find(all[i], '/') < 0)
            plain = !str_eq(all[i], STR("*"));
        check_covered(c, all, i);
    }
    if (n > 1 && has_text(all, n, STR("*/*")))
        invalid_texts(c, "resources", all, n,
                      "if '*/*' is present, must not specify other resources");
    if (plain && has_text(all, n, STR("*")))
        invalid_texts(c, "resources", all, n,
                      "if '*' is present, must not specify other resources without subresources");
}

static void rule_rule(const struct rule_context *c)
{
    const struct admissionregistration_v1_rule *r = c->data;
    struct field_path versions = field_path_member(c->path, STR("apiVersions"));

    if (r->api_groups.len > 1 && has_text(r->api_groups.items, r->api_groups.len, STR("*")))
        invalid_texts(c, "apiGroups", r->api_groups.items, r->api_groups.len,
                      "if '*' is present, must not specify other API groups");
    if (r->api_versions.len > 1 && has_text(r->api_versions.items, r->api_versions.len, STR("*")))
        invalid_texts(c, "apiVersions", r->api_versions.items, r->api_versions.len,
                      "if '*' is present, must not specify other API versions");
    for (uint32_t i = 0; i < r->api_versions.len; i++) {
        struct field_path item = field_path_index(&versions, i);

        if (r->api_versions.items[i].len == 0)
            field_errors_add(c->errs, &item, FIELD_ERROR_REQUIRED, "");
    }
    check_resources(c, r->resources.items, r->resources.len);
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

        if (has_text(all, i, all[i]))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, all[i], "duplicate version");
        else
            (void)name_rule_report(c->errs, &item, NAME_RULE_DNS1035_LABEL, all[i]);
    }
    if (!has_text(all, n, STR("v1")) && !has_text(all, n, STR("v1beta1")))
        invalid_texts(c, "admissionReviewVersions", all, n,
                      "must include at least one of v1, v1beta1");
}

static void rule_validating_webhook(const struct rule_context *c)
{
    const struct admissionregistration_v1_validating_webhook *w = c->data;

    check_full_name(c, w->name);
    check_review_versions(c, w->admission_review_versions.items, w->admission_review_versions.len);
}

static void rule_mutating_webhook(const struct rule_context *c)
{
    const struct admissionregistration_v1_mutating_webhook *w = c->data;

    check_full_name(c, w->name);
    check_review_versions(c, w->admission_review_versions.items, w->admission_review_versions.len);
}

static void check_url(const struct rule_context *c, struct str url)
{
    static const char form[] = "; desired format: https://host[/path]";
    struct field_path at = field_path_member(c->path, STR("url"));
    ptrdiff_t end = str_find_str(url, STR("://"));
    struct str scheme = end < 0 ? STR("") : str_sub(url, 0, (size_t)end);
    struct str rest = end < 0 ? STR("") : str_tail(url, (size_t)end + 3), host, tail;

    if (!str_eq(scheme, STR("https")))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, scheme,
                              "'https' is the only allowed URL scheme%s", form);
    if (str_cut(rest, '#', &host, &tail)) {
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, tail,
                              "fragments are not permitted in the URL");
        rest = host;
    }
    if (str_cut(rest, '?', &host, &tail)) {
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, tail,
                              "query parameters are not permitted in the URL");
        rest = host;
    }
    if (str_cut(rest, '/', &host, &tail))
        rest = host;
    if (str_cut(rest, '@', &host, &tail)) {
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, host,
                              "user information is not permitted in the URL");
        rest = tail;
    }
    if (rest.len == 0)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, STR(""),
                              "host must be specified%s", form);
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

static void rule_service_reference(const struct rule_context *c)
{
    const struct admissionregistration_v1_service_reference *s = c->data;
    struct field_path at = field_path_member(c->path, STR("path"));
    struct str rest = s->path, step;
    size_t i = 0;

    if (s->port && (*s->port < 1 || *s->port > 65535))
        rule_invalid_number(c, "port", *s->port,
                            "port is not valid: must be between 1 and 65535, inclusive");
    if (s->path.len == 0 || str_eq(s->path, STR("/")))
        return;
    if (s->path.p[0] != '/') {
        rule_invalid(c, "path", s->path, "must start with a '/'");
        return;
    }
    rest = str_tail(s->path, 1);
    if (str_has_suffix(rest, STR("/")) && rest.len > 1)
        rest.len--;
    for (; str_next(&rest, '/', &step); i++)
        if (step.len == 0)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, s->path,
                                  "segment[%zu] may not be empty", i);
}

static void rule_policy_spec(const struct rule_context *c)
{
    const struct admissionregistration_v1_validating_admission_policy_spec *s = c->data;
    struct field_path constraints = field_path_member(c->path, STR("matchConstraints"));
    struct field_path rules = field_path_member(&constraints, STR("resourceRules"));
    static const char text[] = "validations or auditAnnotations must contain at least one item";

    if (s->match_constraints && !s->match_constraints->resource_rules.len)
        field_errors_add(c->errs, &rules, FIELD_ERROR_REQUIRED, "");
    if (s->validations.len || s->audit_annotations.len)
        return;
    rule_required(c, "validations", text);
    rule_required(c, "auditAnnotations", text);
}

static void check_mixed_kind(const struct rule_context *c, struct str kind)
{
    struct field_path at = field_path_member(c->path, STR("kind"));
    char *lower = arena_dup(c->arena, kind.p, kind.len);
    struct name_messages m;
    struct str all = STR("");

    for (size_t i = 0; i < kind.len; i++)
        lower[i] = (char)tolower((unsigned char)kind.p[i]);
    name_rule_check(NAME_RULE_DNS1035_LABEL, str_n(lower, kind.len), &m);
    for (size_t i = 0; i < m.len; i++)
        all = arena_printf(c->arena, "%.*s%s%.*s", STR_ARG(all), i ? "," : "", STR_ARG(m.items[i]));
    if (kind.len && m.len)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, kind,
                              "may have mixed case, but should otherwise match: %.*s",
                              STR_ARG(all));
}

static void rule_not_found_action(const struct rule_context *c)
{
    const struct admissionregistration_v1_param_ref *r = c->data;

    if (!r->parameter_not_found_action.len)
        rule_required(c, "parameterNotFoundAction", "");
}

static void rule_param_kind(const struct rule_context *c)
{
    const struct admissionregistration_v1_param_kind *k = c->data;
    struct field_path at = field_path_member(c->path, STR("apiVersion"));
    struct str group, version;

    check_mixed_kind(c, k->kind);
    if (k->api_version.len == 0)
        return;
    if (!str_cut(k->api_version, '/', &group, &version)) {
        (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1035_LABEL, k->api_version);
        return;
    }
    if (group.len)
        (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1123_SUBDOMAIN, group);
    if (version.len == 0)
        rule_invalid(c, "apiVersion", k->api_version, "version must be specified");
    else
        (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1035_LABEL, version);
}

static bool is_blank(struct str text)
{
    return str_trim(text).len == 0;
}

static void rule_validation(const struct rule_context *c)
{
    const struct admissionregistration_v1_validation *v = c->data;

    if (is_blank(v->expression))
        rule_required(c, "expression", "expression is not specified");
    if (v->message_expression.len && is_blank(v->message_expression))
        rule_invalid(c, "messageExpression", v->message_expression,
                     "must be non-empty if specified");
    if (v->message.len && is_blank(v->message))
        rule_invalid(c, "message", v->message, "must be non-empty if specified");
    else if (str_find(str_trim(v->message), '\n') >= 0)
        rule_invalid(c, "message", v->message, "must not contain line breaks");
}

static void rule_resource_names(const struct rule_context *c)
{
    const struct admissionregistration_v1_named_rule_with_operations *r = c->data;
    struct field_path list = field_path_member(c->path, STR("resourceNames"));

    for (uint32_t i = 0; i < r->resource_names.len; i++) {
        struct field_path item = field_path_index(&list, i);

        if (has_text(r->resource_names.items, i, r->resource_names.items[i]))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, r->resource_names.items[i],
                                  "");
    }
}

/* The type names the one member that is set. */
static void rule_mutation(const struct rule_context *c)
{
    const struct admissionregistration_v1_mutation *m = c->data;
    bool json = str_eq(m->patch_type, STR("JSONPatch"));

    if (!json && !str_eq(m->patch_type, STR("ApplyConfiguration")))
        return;
    if (json && !m->json_patch)
        rule_required(c, "jsonPatch", "must be specified when patchType is JSONPatch");
    if (!json && !m->apply_configuration)
        rule_required(c, "applyConfiguration",
                      "must be specified when patchType is ApplyConfiguration");
    rule_below(c, json ? "jsonPatch" : "applyConfiguration");
    if (json && m->apply_configuration)
        rule_invalid(c, "applyConfiguration", STR("{applyConfiguration}"),
                     "must not be specified when patchType is JSONPatch");
    if (!json && m->json_patch)
        rule_invalid(c, "jsonPatch", STR("{jsonPatch}"),
                     "must not be specified when patchType is ApplyConfiguration");
}

static void rule_policy_status(const struct rule_context *c)
{
    const struct admissionregistration_v1_validating_admission_policy_status *s = c->data;

    rule_check_conditions(c, "conditions", s->conditions.items, s->conditions.len);
}

static void rule_param_ref(const struct rule_context *c)
{
    const struct admissionregistration_v1_param_ref *r = c->data;
    static const char text[] = "name and selector are mutually exclusive";

    if (r->name.len && r->selector)
        rule_forbidden(c, "name", text);
    rule_below(c, "selector");
    if (r->name.len && r->selector)
        rule_forbidden(c, "selector", text);
    if (!r->name.len && !r->selector)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED,
                         "one of name or selector must be specified");
}

static void rule_binding_spec(const struct rule_context *c)
{
    const struct admissionregistration_v1_validating_admission_policy_binding_spec *s = c->data;
    const struct str *all = s->validation_actions.items;
    uint32_t n = s->validation_actions.len;
    struct field_path list = field_path_member(c->path, STR("validationActions"));

    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&list, i);

        if (has_text(all, i, all[i]))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, all[i], "");
    }
    if (has_text(all, n, STR("Deny")) && has_text(all, n, STR("Warn")))
        invalid_texts(c, "validationActions", all, n,
                      "must not contain both Deny and Warn (repeating the same validation failure "
                      "information in the API response and headers serves no purpose)");
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
#define HOOK(type)                                                                                    \
    { A type, "failurePolicy", RULE_ENUM_SET, .text = "Fail|Ignore" },                                \
        { A type, "matchPolicy", RULE_ENUM_SET, .text = "Equivalent|Exact" },                         \
        { A type, "sideEffects", RULE_REQUIRED,                                                       \
          .text = "must specify one of None, NoneOnDryRun" },                                         \
        { A type, "sideEffects", RULE_ENUM_SET, .text = "None|NoneOnDryRun" },                        \
        { A type,   "timeoutSeconds", RULE_NUMBER,                                                    \
          .min = 1, .max = 30,        .text = "the timeout value must be between 1 and 30 seconds" }, \
        { A type, "matchConditions", RULE_MAX_ITEMS, .max = 64 },                                     \
    {                                                                                                 \
        A type, "matchConditions", RULE_UNIQUE, .text = "name"                                        \
    }
#define POLICY(type)                                                                               \
    { A type, "failurePolicy", RULE_REQUIRED },                                                    \
        { A type, "failurePolicy", RULE_ENUM_SET, .text = "Fail|Ignore" },                         \
        { A type, "matchConstraints", RULE_REQUIRED },                                             \
        { A type, "matchConditions", RULE_MAX_ITEMS, .max = 64 },                                  \
    {                                                                                              \
        A type, "matchConditions", RULE_UNIQUE, .text = "name"                                     \
    }

const struct rule rules_admission[] = {
    { A "ValidatingWebhookConfiguration", "webhooks", RULE_UNIQUE, .text = "name" },
    { A "MutatingWebhookConfiguration", "webhooks", RULE_UNIQUE, .text = "name" },
    { .type = A "ValidatingWebhook", .check = RULE_FN, .fn = rule_validating_webhook },
    { .type = A "MutatingWebhook", .check = RULE_FN, .fn = rule_mutating_webhook },
    HOOK("ValidatingWebhook"),
    HOOK("MutatingWebhook"),
    { A "MutatingWebhook", "reinvocationPolicy", RULE_ENUM, .text = "IfNeeded|Never" },
    { A "RuleWithOperations", "operations", RULE_REQUIRED },
    { A "RuleWithOperations", "operations", RULE_ENUM, .text = "*|CONNECT|CREATE|DELETE|UPDATE" },
    { .type = A "RuleWithOperations", .check = RULE_FN, .fn = rule_operations },
    { A "Rule", "apiGroups", RULE_REQUIRED },
    { A "Rule", "apiVersions", RULE_REQUIRED },
    { A "Rule", "resources", RULE_REQUIRED },
    { A "Rule", "scope", RULE_ENUM_SET, .text = "*|Cluster|Namespaced" },
    { .type = A "Rule", .check = RULE_FN, .fn = rule_rule },
    { .type = A "WebhookClientConfig", .check = RULE_FN, .fn = rule_client_config },
    { A "ServiceReference", "name", RULE_REQUIRED },
    { A "ServiceReference", "namespace", RULE_REQUIRED },
    { .type = A "ServiceReference", .check = RULE_FN, .fn = rule_service_reference },
    { A "MatchCondition", "expression", RULE_REQUIRED },
    { A "MatchCondition", "name", RULE_REQUIRED },
    { A "MatchCondition", "name", RULE_NAME, .min = NAME_RULE_QUALIFIED_NAME },
    POLICY("ValidatingAdmissionPolicySpec"),
    POLICY("MutatingAdmissionPolicySpec"),
    { .type = A "ValidatingAdmissionPolicySpec", .check = RULE_FN, .fn = rule_policy_spec },
    { A "ValidatingAdmissionPolicySpec", "auditAnnotations", RULE_UNIQUE, .text = "key" },
    { A "ParamKind", "apiVersion", RULE_REQUIRED },
    { A "ParamKind", "kind", RULE_REQUIRED },
    { .type = A "ParamKind", .check = RULE_FN, .fn = rule_param_kind },
    { A "NamedRuleWithOperations", "resourceNames", RULE_NAME, .min = NAME_RULE_PATH_SEGMENT },
    { .type = A "NamedRuleWithOperations", .check = RULE_FN, .fn = rule_resource_names },
    { A "MatchResources", "matchPolicy", RULE_REQUIRED },
    { A "MatchResources", "matchPolicy", RULE_ENUM_SET, .text = "Equivalent|Exact" },
    { A "MatchResources", "namespaceSelector", RULE_REQUIRED },
    { A "MatchResources", "objectSelector", RULE_REQUIRED },
    { A "Variable", "name", RULE_REQUIRED, .text = "name is not specified" },
    { A "Variable", "name", RULE_NAME, .min = NAME_RULE_C_IDENTIFIER },
    { A "Variable", "expression", RULE_REQUIRED, .text = "expression is not specified" },
    { .type = A "Validation", .check = RULE_FN, .fn = rule_validation },
    { A "Validation", "reason", RULE_ENUM, .text = "Forbidden|Invalid|RequestEntityTooLarge" },
    { A "AuditAnnotation", "key", RULE_REQUIRED },
    { A "AuditAnnotation", "valueExpression", RULE_REQUIRED,
      .text = "valueExpression is not specified" },
    { A "ParamRef", "name", RULE_NAME, .min = NAME_RULE_PATH_SEGMENT },
    { .type = A "ParamRef", .check = RULE_BELOW, .fn = rule_param_ref, .order = "selector" },
    { .type = A "ParamRef", .check = RULE_FN, .fn = rule_not_found_action },
    { A "ParamRef", "parameterNotFoundAction", RULE_ENUM, .text = "Deny|Allow" },
    { A "ValidatingAdmissionPolicyBindingSpec", "policyName", RULE_REQUIRED },
    { A "ValidatingAdmissionPolicyBindingSpec", "policyName", RULE_NAME,
      .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { A "ValidatingAdmissionPolicyBindingSpec", "validationActions", RULE_REQUIRED,
      .text = "at least one validation action is required" },
    { A "ValidatingAdmissionPolicyBindingSpec", "validationActions", RULE_ENUM,
      .text = "Audit|Deny|Warn" },
    { .type = A "ValidatingAdmissionPolicyBindingSpec", .check = RULE_FN, .fn = rule_binding_spec },
    { A "MutatingAdmissionPolicyBindingSpec", "policyName", RULE_REQUIRED },
    { A "MutatingAdmissionPolicyBindingSpec", "policyName", RULE_NAME,
      .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { A "MutatingAdmissionPolicySpec", "mutations", RULE_REQUIRED,
      .text = "mutations must contain at least one item" },
    { A "MutatingAdmissionPolicySpec", "reinvocationPolicy", RULE_REQUIRED },
    { A "MutatingAdmissionPolicySpec", "reinvocationPolicy", RULE_ENUM, .text = "IfNeeded|Never" },
    { A "Mutation", "patchType", RULE_REQUIRED },
    { A "Mutation", "patchType", RULE_ENUM, .text = "ApplyConfiguration|JSONPatch" },
    { .type = A "Mutation",
      .check = RULE_BELOW,
      .fn = rule_mutation,
      .order = "jsonPatch|applyConfiguration" },
    { A "JSONPatch", "expression", RULE_REQUIRED },
    { A "ApplyConfiguration", "expression", RULE_REQUIRED },
    { .type = A "ValidatingAdmissionPolicyStatus", .check = RULE_FN, .fn = rule_policy_status },
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
