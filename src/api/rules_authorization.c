/* Rules of authorization.k8s.io: reviews. Operators that are not known are left to the authorizers,
 * as newer clients may know more of them. */
#include "api/authorization_v1.h"
#include "api/field_error.h"
#include "api/rules_internal.h"
#include "base/arena.h"

#define Z "authorization.k8s.io/v1."

static void check_attributes(const struct rule_context *c, const void *resource,
                             const struct authorization_v1_non_resource_attributes *other)
{
    struct field_path path = field_path_member(c->path, STR("nonResourceAttributes"));
    struct field_path at = field_path_member(c->path, STR("resourceAttributes"));

    if (resource && other)
        field_errors_add_raw(c->errs, &path, FIELD_ERROR_INVALID,
                             rule_print_internal(c->arena, Z "NonResourceAttributes", other),
                             "cannot be specified in combination with resourceAttributes");
    if (!resource && !other)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, STR("null"),
                             "exactly one of nonResourceAttributes or resourceAttributes must be "
                             "specified");
}

static void rule_review_spec(const struct rule_context *c)
{
    const struct authorization_v1_subject_access_review_spec *s = c->data;

    check_attributes(c, s->resource_attributes, s->non_resource_attributes);
    if (!s->user.len && !s->groups.len)
        rule_invalid(c, "user", s->user, "at least one of user or group must be specified");
}

static void rule_self_review_spec(const struct rule_context *c)
{
    const struct authorization_v1_self_subject_access_review_spec *s = c->data;

    check_attributes(c, s->resource_attributes, s->non_resource_attributes);
}

/* Of metadata nothing is set, but for what `shown` may keep. */
static void check_meta(const struct rule_context *c, const struct meta_v1_object_meta *m,
                       bool with_namespace)
{
    static const struct meta_v1_object_meta none;
    struct field_path at = field_path_member(c->path, STR("metadata"));
    struct meta_v1_object_meta probe = *m;

    memset(&probe.managed_fields, 0, sizeof(probe.managed_fields));
    if (with_namespace)
        probe.namespace = STR_NULL;
    if (rule_structs_equal("meta.k8s.io/v1.ObjectMeta", &probe, &none))
        return;
    field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                         rule_print_struct(c->arena, "meta.k8s.io/v1.ObjectMeta", m), "%s",
                         with_namespace ? "must be empty except for namespace" : "must be empty");
}

static void rule_review(const struct rule_context *c)
{
    const struct authorization_v1_subject_access_review *r = c->data;

    check_meta(c, &r->metadata, false);
}

static void rule_self_review(const struct rule_context *c)
{
    const struct authorization_v1_self_subject_access_review *r = c->data;

    check_meta(c, &r->metadata, false);
}

static void rule_local_review(const struct rule_context *c)
{
    const struct authorization_v1_local_subject_access_review *r = c->data;
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path resource = field_path_member(&spec, STR("resourceAttributes"));
    struct field_path namespace = field_path_member(&resource, STR("namespace"));
    struct field_path other = field_path_member(&spec, STR("nonResourceAttributes"));

    check_meta(c, &r->metadata, true);
    if (r->spec.resource_attributes &&
        !str_eq(r->spec.resource_attributes->namespace, r->metadata.namespace))
        field_errors_add_text(c->errs, &namespace, FIELD_ERROR_INVALID,
                              r->spec.resource_attributes->namespace,
                              "must match metadata.namespace");
    if (r->spec.non_resource_attributes)
        field_errors_add_raw(c->errs, &other, FIELD_ERROR_INVALID,
                             rule_print_internal(c->arena, Z "NonResourceAttributes",
                                                 r->spec.non_resource_attributes),
                             "disallowed on this kind of request");
}

static void check_selector(const struct rule_context *c, struct str raw, uint32_t n)
{
    struct field_path at = field_path_member(c->path, STR("requirements"));
    struct str path = field_path_print(c->arena, c->path);

    if (raw.len && n)
        rule_invalid(c, "rawSelector", raw, "may not specified at the same time as requirements");
    if (!raw.len && !n)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED,
                         "when %.*s is specified, requirements or rawSelector is required",
                         STR_ARG(path));
}

static void check_values(const struct rule_context *c, struct str operator, uint32_t n)
{
    if ((str_eq(operator, STR("In")) || str_eq(operator, STR("NotIn"))) && !n)
        rule_required(c, "values", "must be specified when `operator` is 'In' or 'NotIn'");
    if ((str_eq(operator, STR("Exists")) || str_eq(operator, STR("DoesNotExist"))) && n)
        rule_forbidden(c, "values",
                       "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
}

static void rule_field_selector(const struct rule_context *c)
{
    const struct authorization_v1_field_selector_attributes *s = c->data;
    struct field_path list = field_path_member(c->path, STR("requirements"));

    check_selector(c, s->raw_selector, s->requirements.len);
    for (uint32_t i = 0; i < s->requirements.len; i++) {
        const struct meta_v1_field_selector_requirement *q = &s->requirements.items[i];
        struct field_path item = field_path_index(&list, i);
        struct rule_context at = *c;

        at.path = &item;
        if (!q->key.len)
            rule_required(&at, "key", "must be specified");
        check_values(&at, q->operator, q->values.len);
    }
}

static void rule_label_selector(const struct rule_context *c)
{
    const struct authorization_v1_label_selector_attributes *s = c->data;
    struct field_path list = field_path_member(c->path, STR("requirements"));

    check_selector(c, s->raw_selector, s->requirements.len);
    for (uint32_t i = 0; i < s->requirements.len; i++) {
        const struct meta_v1_label_selector_requirement *q = &s->requirements.items[i];
        struct field_path item = field_path_index(&list, i);
        struct field_path key = field_path_member(&item, STR("key"));
        struct field_path values = field_path_member(&item, STR("values"));
        struct rule_context at = *c;

        at.path = &item;
        check_values(&at, q->operator, q->values.len);
        (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, q->key);
        for (uint32_t k = 0; k < q->values.len; k++) {
            struct field_path value = field_path_index(&values, k);

            (void)name_rule_report(c->errs, &value, NAME_RULE_LABEL_VALUE, q->values.items[k]);
        }
    }
}

const struct rule rules_authorization[] = {
    { Z "SubjectAccessReview", "spec", RULE_BELOW },
    { .type = Z "SubjectAccessReview", .check = RULE_FN, .fn = rule_review },
    { Z "SelfSubjectAccessReview", "spec", RULE_BELOW },
    { .type = Z "SelfSubjectAccessReview", .check = RULE_FN, .fn = rule_self_review },
    { Z "LocalSubjectAccessReview", "spec", RULE_BELOW },
    { .type = Z "LocalSubjectAccessReview", .check = RULE_FN, .fn = rule_local_review },
    { .type = Z "SubjectAccessReviewSpec", .check = RULE_FN, .fn = rule_review_spec },
    { .type = Z "SelfSubjectAccessReviewSpec", .check = RULE_FN, .fn = rule_self_review_spec },
    { .type = Z "FieldSelectorAttributes", .check = RULE_FN, .fn = rule_field_selector },
    { .type = Z "LabelSelectorAttributes",
      .check = RULE_FN,
      .fn = rule_label_selector,
      .order = "requirements" },
    { 0 },
};
