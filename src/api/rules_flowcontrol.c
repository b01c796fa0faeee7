/* Rules of flowcontrol.apiserver.k8s.io. */
#include "api/field_error.h"
#include "api/flowcontrol_v1.h"
#include "api/rules_internal.h"
#include "base/arena.h"

#define F "flowcontrol.apiserver.k8s.io/v1."
#define GROUP_SUBJECT(name)                                                                        \
    "{\"Kind\":\"Group\",\"User\":null,\"Group\":{\"Name\":\"" name "\"},\"ServiceAccount\":null}"
#define EVERYTHING                                                                                 \
    "\"ResourceRules\":[{\"Verbs\":[\"*\"],\"APIGroups\":[\"*\"],\"Resources\":[\"*\"],"           \
    "\"ClusterScope\":true,\"Namespaces\":[\"*\"]}],\"NonResourceRules\":[{\"Verbs\":[\"*\"],"     \
    "\"NonResourceURLs\":[\"*\"]}]"

/* "*" stands alone; true when it does. */
static bool check_star(const struct rule_context *c, const char *member, const struct str *all,
                       uint32_t n, const char *what)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));

    if (!rule_has_text(all, n, STR("*")))
        return false;
    if (n > 1)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, rule_print_texts(c->arena, all, n),
                             "if '*' is present, must not specify other %s", what);
    return true;
}

#define VERBS "create|delete|deletecollection|get|list|patch|proxy|update|watch"

static void check_verbs(const struct rule_context *c, const struct str *all, uint32_t n)
{
    struct field_path at = field_path_member(c->path, STR("verbs"));
    struct str rest, part;

    if (check_star(c, "verbs", all, n, "verbs"))
        return;
    for (uint32_t i = 0; i < n; i++) {
        bool known = false;

        rest = STR(VERBS);
        while (str_next(&rest, '|', &part))
            known |= str_eq(part, all[i]);
        if (known)
            continue;
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_NOT_SUPPORTED,
                             rule_print_texts(c->arena, all, n),
                             "supported values: \"create\", \"delete\", \"deletecollection\", "
                             "\"get\", \"list\", \"patch\", \"proxy\", \"update\", \"watch\"");
        return;
    }
}

static void rule_flow_schema(const struct rule_context *c)
{
    const struct flowcontrol_v1_flow_schema *f = c->data;
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct rule_context at = *c;

    at.path = &spec;
    if (f->spec.matching_precedence == 1 && !str_eq(f->metadata.name, STR("exempt")))
        rule_invalid_number(&at, "matchingPrecedence", 1,
                            "only the schema named 'exempt' may have matchingPrecedence 1");
}

static void rule_flow_schema_spec(const struct rule_context *c)
{
    const struct flowcontrol_v1_flow_schema_spec *s = c->data;

    if (s->matching_precedence <= 0)
        rule_invalid_number(c, "matchingPrecedence", s->matching_precedence,
                            "must be a positive value");
    if (s->matching_precedence > 10000)
        rule_invalid_number(c, "matchingPrecedence", s->matching_precedence,
                            "must not be greater than 10000");
}

/* Upstream shows the struct, not its type. */
static void rule_distinguisher(const struct rule_context *c)
{
    const struct flowcontrol_v1_flow_distinguisher_method *d = c->data;
    struct field_path at = field_path_member(c->path, STR("type"));

    if (!str_eq(d->type, STR("ByNamespace")) && !str_eq(d->type, STR("ByUser")))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_NOT_SUPPORTED,
                             rule_print_internal(c->arena, F "FlowDistinguisherMethod", d),
                             "supported values: \"ByNamespace\", \"ByUser\"");
}

/* Mandatory objects, which are found by these in a cluster that has nothing else. */
static const struct {
    const char *name, *spec;
} mandatory_schemas[] = {
    { "exempt", "{\"PriorityLevelConfiguration\":{\"Name\":\"exempt\"},\"MatchingPrecedence\":1,"
                "\"DistinguisherMethod\":null,\"Rules\":[{\"Subjects\":[" GROUP_SUBJECT(
                    "system:masters") "]," EVERYTHING "}]}" },
    { "catch-all",
      "{\"PriorityLevelConfiguration\":{\"Name\":\"catch-all\"},\"MatchingPrecedence\":10000,"
      "\"DistinguisherMethod\":{\"Type\":\"ByUser\"},\"Rules\":[{\"Subjects\":[" GROUP_SUBJECT(
          "system:unauthenticated") "," GROUP_SUBJECT("system:authenticated") "]," EVERYTHING
                                                                              "}]}" },
};

static void check_mandatory(const struct rule_context *c, struct str name, struct str want,
                            struct str spec)
{
    struct field_path at = field_path_member(c->path, STR("spec"));

    if (!str_eq(spec, want))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, spec,
                             "spec of '%.*s' must equal the fixed value", STR_ARG(name));
}

static void rule_mandatory_schema(const struct rule_context *c)
{
    const struct flowcontrol_v1_flow_schema *f = c->data;

    for (size_t i = 0; i < ARRAY_LEN(mandatory_schemas); i++)
        if (str_eq(f->metadata.name, str_from_cstr(mandatory_schemas[i].name)))
            check_mandatory(c, f->metadata.name, str_from_cstr(mandatory_schemas[i].spec),
                            rule_print_internal(c->arena, F "FlowSchemaSpec", &f->spec));
}

static void rule_rules(const struct rule_context *c)
{
    const struct flowcontrol_v1_policy_rules_with_subjects *r = c->data;

    if (!r->resource_rules.len && !r->non_resource_rules.len)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED,
                         "at least one of resourceRules and nonResourceRules has to be non-empty");
}

/* The kind names the one member that is set. */
static void rule_subject(const struct rule_context *c)
{
    const struct flowcontrol_v1_subject *s = c->data;
    const struct {
        struct str kind;
        const char *member;
        const void *at;
    } members[] = {
        { STR("ServiceAccount"), "serviceAccount", s->service_account },
        { STR("User"), "user", s->user },
        { STR("Group"), "group", s->group },
    };
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        known |= str_eq(s->kind, members[i].kind);
    if (!known) {
        rule_unsupported(c, "kind", s->kind, "Group|ServiceAccount|User");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        bool is_meant = str_eq(s->kind, members[i].kind);
        struct field_path at = field_path_member(c->path, str_from_cstr(members[i].member));

        if (is_meant && !members[i].at)
            field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED,
                             "%s is required when subject kind is '%.*s'", members[i].member,
                             STR_ARG(s->kind));
        else if (is_meant)
            rule_below(c, members[i].member);
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        bool is_meant = str_eq(s->kind, members[i].kind);
        struct field_path at = field_path_member(c->path, str_from_cstr(members[i].member));

        if (!is_meant && members[i].at)
            field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN,
                             "%s is forbidden when subject kind is not '%.*s'", members[i].member,
                             STR_ARG(members[i].kind));
    }
}

static void rule_account(const struct rule_context *c)
{
    const struct flowcontrol_v1_service_account_subject *s = c->data;
    struct field_path name = field_path_member(c->path, STR("name"));

    if (s->name.len && !str_eq(s->name, STR("*")))
        (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_SUBDOMAIN, s->name);
}

static const char *wrong_path(struct str path)
{
    ptrdiff_t star = str_find(path, '*');

    if (path.len == 0)
        return "must not be empty";
    if (path.p[0] != '/')
        return "must start with slash";
    if (str_find(path, ' ') >= 0)
        return "must not contain white-space";
    if (str_contains(path, STR("//")))
        return "must not contain double slash";
    if (star >= 0 && ((size_t)star != path.len - 1 || !str_has_suffix(path, STR("/*"))))
        return "wildcard can only do suffix matching";
    return NULL;
}

static void rule_non_resource(const struct rule_context *c)
{
    const struct flowcontrol_v1_non_resource_policy_rule *r = c->data;
    struct field_path list = field_path_member(c->path, STR("nonResourceURLs"));

    check_verbs(c, r->verbs.items, r->verbs.len);
    if (check_star(c, "nonResourceURLs", r->non_resource_urls.items, r->non_resource_urls.len,
                   "non-resource URLs"))
        return;
    for (uint32_t i = 0; i < r->non_resource_urls.len; i++) {
        struct field_path item = field_path_index(&list, i);
        const char *why = wrong_path(r->non_resource_urls.items[i]);

        if (why)
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID,
                                  r->non_resource_urls.items[i], "%s", why);
    }
}

static void rule_resource(const struct rule_context *c)
{
    const struct flowcontrol_v1_resource_policy_rule *r = c->data;
    struct field_path list = field_path_member(c->path, STR("namespaces"));

    check_verbs(c, r->verbs.items, r->verbs.len);
    (void)check_star(c, "apiGroups", r->api_groups.items, r->api_groups.len, "api groups");
    (void)check_star(c, "resources", r->resources.items, r->resources.len, "resources");
    if (!r->namespaces.len && !r->cluster_scope)
        rule_required(c, "namespaces",
                      "resource rules that are not cluster scoped must supply at least one "
                      "namespace");
    if (check_star(c, "namespaces", r->namespaces.items, r->namespaces.len, "namespaces"))
        return;
    for (uint32_t i = 0; i < r->namespaces.len; i++) {
        struct field_path item = field_path_index(&list, i);
        struct name_messages m;

        name_rule_check(NAME_RULE_DNS1123_LABEL, r->namespaces.items[i], &m);
        for (size_t j = 0; j < m.len; j++)
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, r->namespaces.items[i],
                                  "each member of this list must be '*' or a DNS-1123 label; %.*s",
                                  STR_ARG(m.items[j]));
    }
}

static void rule_level(const struct rule_context *c)
{
    const struct flowcontrol_v1_priority_level_configuration *p = c->data;
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct rule_context at = *c;

    at.path = &spec;
    if (str_eq(p->metadata.name, STR("exempt")) != str_eq(p->spec.type, STR("Exempt")))
        rule_invalid(&at, "type", p->spec.type,
                     "must be 'Exempt' if and only if `name` is 'exempt'");
}

static void rule_mandatory_level(const struct rule_context *c)
{
    const struct flowcontrol_v1_priority_level_configuration *p = c->data;
    struct field_path at = field_path_member(c->path, STR("spec"));
    struct str spec;

    if (!str_eq(p->metadata.name, STR("catch-all")) && !str_eq(p->metadata.name, STR("exempt")))
        return;
    spec = rule_print_internal(c->arena, F "PriorityLevelConfigurationSpec", &p->spec);
    if (str_eq(p->metadata.name, STR("catch-all")))
        check_mandatory(c, p->metadata.name,
                        STR("{\"Type\":\"Limited\",\"Limited\":{\"NominalConcurrencyShares\":5,"
                            "\"LimitResponse\":{\"Type\":\"Reject\",\"Queuing\":null},"
                            "\"LendablePercent\":0,\"BorrowingLimitPercent\":null},\"Exempt\":"
                            "null}"),
                        spec);
    else if (p->spec.limited || !str_eq(p->spec.type, STR("Exempt")))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, spec,
                             "spec of 'exempt' except the 'spec.exempt' field must equal the fixed "
                             "value");
}

static void rule_level_spec(const struct rule_context *c)
{
    const struct flowcontrol_v1_priority_level_configuration_spec *s = c->data;

    if (str_eq(s->type, STR("Exempt"))) {
        if (s->limited)
            rule_forbidden(c, "limited", "must be nil if the type is not Limited");
        rule_below(c, "exempt");
    } else if (str_eq(s->type, STR("Limited"))) {
        if (s->exempt)
            rule_forbidden(c, "exempt", "must be nil if the type is Limited");
        if (!s->limited)
            rule_required(c, "limited", "must not be empty when type is Limited");
        rule_below(c, "limited");
    } else {
        rule_unsupported(c, "type", s->type, "Exempt|Limited");
    }
}

static void rule_limit_response(const struct rule_context *c)
{
    const struct flowcontrol_v1_limit_response *r = c->data;

    if (str_eq(r->type, STR("Reject"))) {
        if (r->queuing)
            rule_forbidden(c, "queuing",
                           "must be nil if limited.limitResponse.type is not Limited");
    } else if (str_eq(r->type, STR("Queue"))) {
        if (!r->queuing)
            rule_required(c, "queuing",
                          "must not be empty if limited.limitResponse.type is Limited");
        rule_below(c, "queuing");
    } else {
        rule_unsupported(c, "type", r->type, "Queue|Reject");
    }
}

enum { HASH_BITS = 60, QUEUES_MAX = 10000000 };

/* Bits that dealing a hand out of a deck takes. */
static int entropy_bits(int32_t deck, int32_t hand)
{
    int bits_of_one = 0;

    while (bits_of_one < 31 && (1LL << bits_of_one) < deck)
        bits_of_one++;
    return bits_of_one * hand;
}

static void rule_queuing(const struct rule_context *c)
{
    const struct flowcontrol_v1_queuing_configuration *q = c->data;

    if (q->queue_length_limit <= 0)
        rule_invalid_number(c, "queueLengthLimit", q->queue_length_limit, "must be positive");
    if (q->queues <= 0)
        rule_invalid_number(c, "queues", q->queues, "must be positive");
    else if (q->queues > QUEUES_MAX)
        rule_invalid_number(c, "queues", q->queues, "must not be greater than 10000000");
    if (q->hand_size <= 0)
        rule_invalid_number(c, "handSize", q->hand_size, "must be positive");
    else if (q->hand_size > q->queues)
        rule_invalid_number(c, "handSize", q->hand_size,
                            str_cstr(c->arena, arena_printf(c->arena,
                                                            "should not be greater than queues "
                                                            "(%d)",
                                                            q->queues)));
    else if (q->hand_size > HASH_BITS || entropy_bits(q->queues, q->hand_size) > HASH_BITS)
        rule_invalid_number(
            c, "handSize", q->hand_size,
            str_cstr(c->arena, arena_printf(c->arena,
                                            "required entropy bits of deckSize %d and "
                                            "handSize %d should not be greater than 60",
                                            q->queues, q->hand_size)));
}

const struct rule rules_flowcontrol[] = {
    { .type = F "FlowSchema", .check = RULE_FN, .fn = rule_flow_schema },
    { F "FlowSchema", "spec", RULE_BELOW },
    { .type = F "FlowSchema", .check = RULE_FN, .fn = rule_mandatory_schema },
    { .type = F "FlowSchemaSpec", .check = RULE_FN, .fn = rule_flow_schema_spec },
    { .type = F "FlowDistinguisherMethod", .check = RULE_FN, .fn = rule_distinguisher },
    { F "PriorityLevelConfigurationReference", "name", RULE_REQUIRED,
      .text = "must reference a priority level" },
    { F "PriorityLevelConfigurationReference", "name", RULE_NAME,
      .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { F "PolicyRulesWithSubjects", "subjects", RULE_REQUIRED,
      .text = "subjects must contain at least one value" },
    { .type = F "PolicyRulesWithSubjects", .check = RULE_FN, .fn = rule_rules },
    { .type = F "Subject",
      .check = RULE_BELOW,
      .fn = rule_subject,
      .order = "serviceAccount|user|group" },
    { F "ServiceAccountSubject", "name", RULE_REQUIRED },
    { .type = F "ServiceAccountSubject", .check = RULE_FN, .fn = rule_account },
    { F "ServiceAccountSubject", "namespace", RULE_REQUIRED,
      .text = "must specify namespace for service account" },
    { F "ServiceAccountSubject", "namespace", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },
    { F "UserSubject", "name", RULE_REQUIRED },
    { F "GroupSubject", "name", RULE_REQUIRED },
    { F "NonResourcePolicyRule", "verbs", RULE_REQUIRED,
      .text = "verbs must contain at least one value" },
    { F "NonResourcePolicyRule", "nonResourceURLs", RULE_REQUIRED,
      .text = "nonResourceURLs must contain at least one value" },
    { .type = F "NonResourcePolicyRule", .check = RULE_FN, .fn = rule_non_resource },
    { F "ResourcePolicyRule", "verbs", RULE_REQUIRED,
      .text = "verbs must contain at least one value" },
    { F "ResourcePolicyRule", "apiGroups", RULE_REQUIRED,
      .text = "resource rules must supply at least one api group" },
    { F "ResourcePolicyRule", "resources", RULE_REQUIRED,
      .text = "resource rules must supply at least one resource" },
    { .type = F "ResourcePolicyRule", .check = RULE_FN, .fn = rule_resource },
    { .type = F "PriorityLevelConfiguration", .check = RULE_FN, .fn = rule_level },
    { F "PriorityLevelConfiguration", "spec", RULE_BELOW },
    { .type = F "PriorityLevelConfiguration", .check = RULE_FN, .fn = rule_mandatory_level },
    { .type = F "PriorityLevelConfigurationSpec",
      .check = RULE_BELOW,
      .fn = rule_level_spec,
      .order = "exempt|limited" },
    { F "LimitedPriorityLevelConfiguration", "nominalConcurrencyShares", RULE_NUMBER, .min = 0,
      .max = INT32_MAX, .text = "must be a non-negative integer" },
    { F "LimitedPriorityLevelConfiguration", "limitResponse", RULE_BELOW },
    { F "LimitedPriorityLevelConfiguration", "lendablePercent", RULE_NUMBER, .min = 0, .max = 100 },
    { F "LimitedPriorityLevelConfiguration", "borrowingLimitPercent", RULE_NUMBER, .min = 0,
      .max = INT32_MAX, .text = "if specified, must be a non-negative integer" },
    { F "ExemptPriorityLevelConfiguration", "nominalConcurrencyShares", RULE_NUMBER, .min = 0,
      .max = INT32_MAX, .text = "must be a non-negative integer" },
    { F "ExemptPriorityLevelConfiguration", "lendablePercent", RULE_NUMBER, .min = 0, .max = 100 },
    { .type = F "LimitResponse",
      .check = RULE_BELOW,
      .fn = rule_limit_response,
      .order = "queuing" },
    { .type = F "QueuingConfiguration", .check = RULE_FN, .fn = rule_queuing },
    { F "FlowSchemaStatus", "conditions", RULE_UNIQUE, .text = "type" },
    { F "FlowSchemaCondition", "type", RULE_REQUIRED },
    { F "PriorityLevelConfigurationStatus", "conditions", RULE_UNIQUE, .text = "type" },
    { F "PriorityLevelConfigurationCondition", "type", RULE_REQUIRED },
    { 0 },
};
