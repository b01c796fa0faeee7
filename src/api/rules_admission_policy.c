/* Rules of admissionregistration.k8s.io: policies and their bindings. Expressions are not compiled:
 * nothing evaluates them yet. */
#include <ctype.h>

#include "api/admissionregistration_v1.h"
#include "api/field_error.h"
#include "api/rules_internal.h"
#include "api/validation.h"
#include "base/arena.h"

#define A        "admissionregistration.k8s.io/v1."
#define MUTATING "*|CONNECT|CREATE|UPDATE"

static bool is_blank(struct str text)
{
    return str_trim(text).len == 0;
}

static void require_rules(const struct rule_context *c,
                          const struct admissionregistration_v1_match_resources *m)
{
    struct field_path constraints = field_path_member(c->path, STR("matchConstraints"));
    struct field_path rules = field_path_member(&constraints, STR("resourceRules"));

    if (m && !m->resource_rules.len)
        field_errors_add(c->errs, &rules, FIELD_ERROR_REQUIRED, "");
}

static void rule_policy_constraints(const struct rule_context *c)
{
    const struct admissionregistration_v1_validating_admission_policy_spec *s = c->data;

    require_rules(c, s->match_constraints);
}

static void rule_policy_checks(const struct rule_context *c)
{
    const struct admissionregistration_v1_validating_admission_policy_spec *s = c->data;
    static const char text[] = "validations or auditAnnotations must contain at least one item";

    if (s->validations.len || s->audit_annotations.len)
        return;
    rule_required(c, "validations", text);
    rule_required(c, "auditAnnotations", text);
}

/* An object that is deleted is not mutated. */
static void check_mutated(const struct rule_context *c, const char *member,
                          const struct admissionregistration_v1_match_resources *m)
{
    struct field_path match = field_path_member(c->path, str_from_cstr(member));
    struct field_path rules = field_path_member(&match, STR("resourceRules"));
    struct rule_context at = *c;

    at.path = &rules;
    for (uint32_t i = 0; m && i < m->resource_rules.len; i++) {
        const struct admissionregistration_v1_rule_with_operations *r =
            &m->resource_rules.items[i].rule_with_operations;

        for (uint32_t k = 0; k < r->operations.len; k++)
            if (!str_is_listed(STR(MUTATING), '|', r->operations.items[k]))
                rule_unsupported(&at, "operations", r->operations.items[k], MUTATING);
    }
}

static void rule_mutating_constraints(const struct rule_context *c)
{
    const struct admissionregistration_v1_mutating_admission_policy_spec *s = c->data;

    require_rules(c, s->match_constraints);
    check_mutated(c, "matchConstraints", s->match_constraints);
}

static void rule_mutating_binding(const struct rule_context *c)
{
    const struct admissionregistration_v1_mutating_admission_policy_binding_spec *s = c->data;

    check_mutated(c, "matchResources", s->match_resources);
}

/* One error that has all messages. */
static void check_joined(const struct rule_context *c, const char *member, enum name_rule rule,
                         struct str text, struct str shown, const char *before)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));
    struct name_messages m;
    struct str all = STR("");

    name_rule_check(rule, text, &m);
    for (size_t i = 0; i < m.len; i++)
        all = arena_printf(c->arena, "%.*s%s%.*s", STR_ARG(all), i ? "," : "", STR_ARG(m.items[i]));
    if (m.len)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, shown, "%s%.*s", before,
                              STR_ARG(all));
}

static void rule_param_version(const struct rule_context *c)
{
    const struct admissionregistration_v1_param_kind *k = c->data;
    struct str group, version, more;

    if (k->api_version.len == 0)
        return;
    if (!str_cut(k->api_version, '/', &group, &version)) {
        version = group;
        group = STR("");
    }
    if (str_cut(version, '/', &more, &more)) {
        rule_invalid(
            c, "apiVersion", k->api_version,
            str_cstr(c->arena, arena_printf(c->arena, "unexpected GroupVersion string: %.*s",
                                            STR_ARG(k->api_version))));
        return;
    }
    if (group.len)
        check_joined(c, "apiVersion", NAME_RULE_DNS1123_SUBDOMAIN, group, group, "");
    if (version.len == 0)
        rule_invalid(c, "apiVersion", k->api_version, "version must be specified");
    else
        check_joined(c, "apiVersion", NAME_RULE_DNS1035_LABEL, version, version, "");
}

static void rule_param_kind(const struct rule_context *c)
{
    const struct admissionregistration_v1_param_kind *k = c->data;
    char *lower = arena_dup(c->arena, k->kind.p, k->kind.len);

    for (size_t i = 0; i < k->kind.len; i++)
        lower[i] = (char)tolower((unsigned char)k->kind.p[i]);
    if (k->kind.len)
        check_joined(c, "kind", NAME_RULE_DNS1035_LABEL, str_n(lower, k->kind.len), k->kind,
                     "may have mixed case, but should otherwise match: ");
}

static void rule_match_condition(const struct rule_context *c)
{
    const struct admissionregistration_v1_match_condition *m = c->data;

    if (is_blank(m->expression))
        rule_required(c, "expression", "");
}

static void rule_variable(const struct rule_context *c)
{
    const struct admissionregistration_v1_variable *v = c->data;
    static const struct str reserved =
        STR_INIT("true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|"
                 "package|namespace|return|var|void|while");

    if (is_blank(v->name))
        rule_required(c, "name", "name is not specified");
    else if (!name_rule_holds(NAME_RULE_C_IDENTIFIER, v->name) ||
             str_is_listed(reserved, '|', v->name))
        rule_invalid(c, "name", v->name, "must be a valid CEL identifier");
    if (is_blank(v->expression))
        rule_required(c, "expression", "expression is not specified");
}

enum { AUDIT_ANNOTATIONS_MAX = 20, AUDIT_EXPRESSION_MAX = 5120 };

/* The policy's name is the prefix of the annotation's key. */
static void check_audit_annotation(const struct rule_context *c,
                                   const struct admissionregistration_v1_audit_annotation *a)
{
    struct field_path key = field_path_member(c->path, STR("key"));
    struct str policy = object_meta(c->request->object)->name;
    size_t len = str_trim(a->value_expression).len;

    if (policy.len)
        (void)name_rule_report(
            c->errs, &key, NAME_RULE_QUALIFIED_NAME,
            arena_printf(c->arena, "%.*s/%.*s", STR_ARG(policy), STR_ARG(a->key)));
    else
        rule_invalid(c, "key", a->key, "requires metadata.name be non-empty");
    if (!len)
        rule_required(c, "valueExpression", "valueExpression is not specified");
    else if (len > AUDIT_EXPRESSION_MAX)
        rule_required(c, "valueExpression", "must not exceed 5120 bytes in length");
}

static void rule_audit_annotations(const struct rule_context *c)
{
    CLEANUP(rule_names_done) struct rule_names seen = { 0 };
    const struct admissionregistration_v1_validating_admission_policy_spec *s = c->data;
    const struct admissionregistration_v1_audit_annotation *all = s->audit_annotations.items;
    struct field_path list = field_path_member(c->path, STR("auditAnnotations"));

    if (s->audit_annotations.len > AUDIT_ANNOTATIONS_MAX)
        field_errors_add_raw(
            c->errs, &list, FIELD_ERROR_INVALID,
            rule_print_member(c->arena, A "ValidatingAdmissionPolicySpec", "auditAnnotations", s),
            "must not have more than 20 auditAnnotations");
    for (uint32_t i = 0; i < s->audit_annotations.len; i++) {
        struct field_path item = field_path_index(&list, i);
        struct rule_context at = *c;

        at.path = &item;
        check_audit_annotation(&at, &all[i]);
        if (!rule_names_add(c, &seen, all[i].key, NULL)) {
            struct field_path key = field_path_member(&item, STR("key"));

            field_errors_add_text(c->errs, &key, FIELD_ERROR_DUPLICATE, all[i].key, "");
        }
    }
}

static void rule_json_patch(const struct rule_context *c)
{
    const struct admissionregistration_v1_json_patch *p = c->data;

    if (is_blank(p->expression))
        rule_required(c, "expression", "");
}

static void rule_apply_configuration(const struct rule_context *c)
{
    const struct admissionregistration_v1_apply_configuration *a = c->data;

    if (is_blank(a->expression))
        rule_required(c, "expression", "");
}

static void rule_expression_warning(const struct rule_context *c)
{
    const struct admissionregistration_v1_expression_warning *w = c->data;

    if (is_blank(w->field_ref))
        rule_required(c, "fieldRef", "");
}

static void rule_not_found_action(const struct rule_context *c)
{
    const struct admissionregistration_v1_param_ref *r = c->data;

    if (!r->parameter_not_found_action.len)
        rule_required(c, "parameterNotFoundAction", "");
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
    else if (str_find(str_trim(v->message), '\n') >= 0 || str_find(str_trim(v->message), '\r') >= 0)
        rule_invalid(c, "message", v->message, "must not contain line breaks");
}

static void rule_resource_names(const struct rule_context *c)
{
    CLEANUP(rule_names_done) struct rule_names seen = { 0 };
    const struct admissionregistration_v1_named_rule_with_operations *r = c->data;
    const struct str *all = r->resource_names.items;
    struct field_path list = field_path_member(c->path, STR("resourceNames"));

    for (uint32_t i = 0; i < r->resource_names.len; i++) {
        struct field_path item = field_path_index(&list, i);

        (void)name_rule_report(c->errs, &item, NAME_RULE_PATH_SEGMENT, all[i]);
        if (!rule_names_add(c, &seen, all[i], NULL))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, all[i], "");
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

static void rule_validation_actions(const struct rule_context *c)
{
    static const struct str actions[] = { STR_INIT("Audit"), STR_INIT("Deny"), STR_INIT("Warn") };
    const struct admissionregistration_v1_validating_admission_policy_binding_spec *s = c->data;
    const struct str *all = s->validation_actions.items;
    uint32_t n = s->validation_actions.len;
    struct field_path list = field_path_member(c->path, STR("validationActions"));

    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&list, i);

        if (!rule_has_text(actions, ARRAY_LEN(actions), all[i]))
            field_errors_add_unsupported(c->errs, &item, all[i], actions, ARRAY_LEN(actions));
        if (rule_has_text(all, i, all[i]))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, all[i], "");
    }
    if (rule_has_text(all, n, STR("Deny")) && rule_has_text(all, n, STR("Warn")))
        rule_invalid_texts(c, "validationActions", all, n,
                           "must not contain both Deny and Warn (repeating the same validation "
                           "failure information in the API response and headers serves no "
                           "purpose)");
}

#define POLICY_BEGIN(type)                                                                         \
    { A type, "failurePolicy", RULE_ENUM_SET, .text = "Fail|Ignore" },                             \
        { A type, "paramKind", RULE_BELOW }, { A type, "matchConstraints", RULE_REQUIRED },        \
    {                                                                                              \
        A type, "matchConstraints", RULE_BELOW                                                     \
    }
#define POLICY_CONDITIONS(type)                                                                    \
    { A type, "matchConditions", RULE_MAX_ITEMS, .max = 64 },                                      \
        { A type, "matchConditions", RULE_BELOW },                                                 \
        { A type, "matchConditions", RULE_UNIQUE, .text = "name" },                                \
    {                                                                                              \
        A type, "variables", RULE_BELOW                                                            \
    }
#define BINDING(type)                                                                              \
    { A type, "policyName", RULE_REQUIRED },                                                       \
        { A type, "policyName", RULE_NAME, .min = NAME_RULE_DNS1123_SUBDOMAIN },                   \
        { A type, "paramRef", RULE_BELOW },                                                        \
    {                                                                                              \
        A type, "matchResources", RULE_BELOW                                                       \
    }

const struct rule rules_admission_policy[] = {
    { .type = A "MatchCondition", .check = RULE_FN, .fn = rule_match_condition },
    { A "MatchCondition", "name", RULE_REQUIRED },
    { A "MatchCondition", "name", RULE_NAME, .min = NAME_RULE_QUALIFIED_NAME },
    POLICY_BEGIN("ValidatingAdmissionPolicySpec"),
    { .type = A "ValidatingAdmissionPolicySpec", .check = RULE_FN, .fn = rule_policy_constraints },
    POLICY_CONDITIONS("ValidatingAdmissionPolicySpec"),
    { .type = A "ValidatingAdmissionPolicySpec", .check = RULE_FN, .fn = rule_policy_checks },
    { A "ValidatingAdmissionPolicySpec", "validations", RULE_BELOW },
    { .type = A "ValidatingAdmissionPolicySpec", .check = RULE_FN, .fn = rule_audit_annotations },
    POLICY_BEGIN("MutatingAdmissionPolicySpec"),
    { .type = A "MutatingAdmissionPolicySpec", .check = RULE_FN, .fn = rule_mutating_constraints },
    POLICY_CONDITIONS("MutatingAdmissionPolicySpec"),
    { A "MutatingAdmissionPolicySpec", "mutations", RULE_REQUIRED,
      .text = "mutations must contain at least one item" },
    { A "MutatingAdmissionPolicySpec", "mutations", RULE_BELOW },
    { A "MutatingAdmissionPolicySpec", "reinvocationPolicy", RULE_REQUIRED },
    { A "MutatingAdmissionPolicySpec", "reinvocationPolicy", RULE_ENUM, .text = "IfNeeded|Never" },
    { A "ParamKind", "apiVersion", RULE_REQUIRED },
    { .type = A "ParamKind", .check = RULE_FN, .fn = rule_param_version },
    { A "ParamKind", "kind", RULE_REQUIRED },
    { .type = A "ParamKind", .check = RULE_FN, .fn = rule_param_kind },
    { .type = A "NamedRuleWithOperations", .check = RULE_FN, .fn = rule_resource_names },
    { A "MatchResources", "matchPolicy", RULE_ENUM_SET, .text = "Equivalent|Exact" },
    { A "MatchResources", "namespaceSelector", RULE_BELOW },
    { A "MatchResources", "objectSelector", RULE_BELOW },
    { .type = A "Variable", .check = RULE_FN, .fn = rule_variable },
    { .type = A "Validation", .check = RULE_FN, .fn = rule_validation },
    { A "Validation", "reason", RULE_ENUM_SET, .text = "Forbidden|Invalid|RequestEntityTooLarge" },
    { A "ParamRef", "name", RULE_NAME, .min = NAME_RULE_PATH_SEGMENT },
    { .type = A "ParamRef", .check = RULE_BELOW, .fn = rule_param_ref, .order = "selector" },
    { .type = A "ParamRef", .check = RULE_FN, .fn = rule_not_found_action },
    { A "ParamRef", "parameterNotFoundAction", RULE_ENUM, .text = "Deny|Allow" },
    BINDING("ValidatingAdmissionPolicyBindingSpec"),
    { .type = A "ValidatingAdmissionPolicyBindingSpec",
      .check = RULE_FN,
      .fn = rule_validation_actions },
    { A "ValidatingAdmissionPolicyBindingSpec", "validationActions", RULE_REQUIRED,
      .text = "at least one validation action is required" },
    BINDING("MutatingAdmissionPolicyBindingSpec"),
    { .type = A "MutatingAdmissionPolicyBindingSpec",
      .check = RULE_FN,
      .fn = rule_mutating_binding },
    { A "Mutation", "patchType", RULE_REQUIRED },
    { A "Mutation", "patchType", RULE_ENUM, .text = "ApplyConfiguration|JSONPatch" },
    { .type = A "Mutation",
      .check = RULE_BELOW,
      .fn = rule_mutation,
      .order = "jsonPatch|applyConfiguration" },
    { .type = A "JSONPatch", .check = RULE_FN, .fn = rule_json_patch },
    { .type = A "ApplyConfiguration", .check = RULE_FN, .fn = rule_apply_configuration },
    { A "ValidatingAdmissionPolicyStatus", "typeChecking", RULE_BELOW },
    { .type = A "ValidatingAdmissionPolicyStatus", .check = RULE_FN, .fn = rule_policy_status },
    { A "ExpressionWarning", "warning", RULE_REQUIRED },
    { .type = A "ExpressionWarning", .check = RULE_FN, .fn = rule_expression_warning },
    { 0 },
};
