/* Rules of batch/v1: Job and CronJob. */
#include "api/batch_v1.h"
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/object.h"
#include "api/rules_internal.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "api/validation.h"
#include "base/arena.h"

enum {
    INDEXED_MAX = 100000,          /* of parallelism and failed indexes */
    MANY_COMPLETIONS = 100000,     /* above it, with a limit per index, */
    MANY_COMPLETIONS_LIMIT = 10000 /* this bounds both of those */
};

static bool is_job(const struct rule_context *c)
{
    return c->request->object.type == schema_walk_type(c->request->object.schema, "batch/v1.Job");
}

static bool is_indexed(const struct batch_v1_job_spec *s)
{
    return str_eq(s->completion_mode, STR("Indexed"));
}

static void check_many_completions(const struct rule_context *c, const struct batch_v1_job_spec *s)
{
    static const char text[] = "must be less than or equal to 10000 when completions are above "
                               "100000 and used with backoff limit per index";

    if (!s->completions || *s->completions <= MANY_COMPLETIONS || !s->backoff_limit_per_index)
        return;
    if (!s->max_failed_indexes)
        rule_required(c, "maxFailedIndexes", "must be specified when completions is above 100000");
    if (s->parallelism && *s->parallelism > MANY_COMPLETIONS_LIMIT)
        rule_invalid_number(c, "parallelism", *s->parallelism, text);
    if (s->max_failed_indexes && *s->max_failed_indexes > MANY_COMPLETIONS_LIMIT)
        rule_invalid_number(c, "maxFailedIndexes", *s->max_failed_indexes, text);
}

static void check_indexed(const struct rule_context *c, const struct batch_v1_job_spec *s)
{
    if (!s->completions)
        rule_required(c, "completions", "when completion mode is Indexed");
    if (s->parallelism && *s->parallelism > INDEXED_MAX)
        rule_invalid_number(c, "parallelism", *s->parallelism,
                            "must be less than or equal to 100000 when completion mode is Indexed");
    if (s->completions && s->max_failed_indexes && *s->max_failed_indexes > *s->completions)
        rule_invalid_number(c, "maxFailedIndexes", *s->max_failed_indexes,
                            "must be less than or equal to completions");
    if (s->max_failed_indexes && *s->max_failed_indexes > INDEXED_MAX)
        rule_invalid_number(c, "maxFailedIndexes", *s->max_failed_indexes,
                            "must be less than or equal to 100000");
    check_many_completions(c, s);
}

static void check_not_indexed(const struct rule_context *c, const struct batch_v1_job_spec *s)
{
    if (s->backoff_limit_per_index)
        rule_invalid_number(c, "backoffLimitPerIndex", *s->backoff_limit_per_index,
                            "requires indexed completion mode");
    if (s->max_failed_indexes)
        rule_invalid_number(c, "maxFailedIndexes", *s->max_failed_indexes,
                            "requires indexed completion mode");
}

static void check_restart_policy(const struct rule_context *c, const struct batch_v1_job_spec *s)
{
    struct field_path template = field_path_member(c->path, STR("template"));
    struct field_path spec = field_path_member(&template, STR("spec"));
    struct rule_context at = *c;
    struct str policy = s->template.spec.restart_policy;

    at.path = &spec;
    if (policy.len == 0 || str_eq(policy, STR("Always")))
        rule_required(&at, "restartPolicy", "valid values: \"OnFailure\", \"Never\"");
    else if (!str_eq(policy, STR("OnFailure")) && !str_eq(policy, STR("Never")))
        rule_unsupported(&at, "restartPolicy", policy, "OnFailure|Never");
    else if (s->pod_failure_policy && !str_eq(policy, STR("Never")))
        rule_invalid(&at, "restartPolicy", policy,
                     "only \"Never\" is supported when podFailurePolicy is specified");
}

static void check_replacement(const struct rule_context *c, const struct batch_v1_job_spec *s)
{
    struct str policy = s->pod_replacement_policy;

    if (!policy.p || str_eq(policy, STR("Failed")))
        return;
    if (s->pod_failure_policy)
        rule_unsupported(c, "podReplacementPolicy", policy, "Failed");
    else if (!str_eq(policy, STR("TerminatingOrFailed")))
        rule_unsupported(c, "podReplacementPolicy", policy, "Failed|TerminatingOrFailed");
}

/* A template in a CronJob has no selector yet. */
static void check_no_selector(const struct rule_context *c, const struct batch_v1_job_spec *s)
{
    struct field_path at = field_path_member(c->path, STR("selector"));
    struct field_path manual = field_path_member(c->path, STR("manualSelector"));

    if (s->selector)
        field_errors_add_raw(
            c->errs, &at, FIELD_ERROR_INVALID,
            rule_print_struct(c->arena, "meta.k8s.io/v1.LabelSelector", s->selector),
            "`selector` will be auto-generated");
    if (s->manual_selector && *s->manual_selector)
        field_errors_add_raw(c->errs, &manual, FIELD_ERROR_NOT_SUPPORTED, STR("true"),
                             "supported values: \"nil\", \"false\"");
}

/* A Job's own one. */
static void rule_job_selector(const struct rule_context *c)
{
    const struct batch_v1_job_spec *s = c->data;

    if (!is_job(c)) {
        check_no_selector(c, s);
        return;
    }
    if (!s->selector)
        rule_required(c, "selector", "");
    rule_below(c, "selector");
    rule_check_template_labels(c, s->selector, &s->template);
}

static bool templates_equal(const struct core_v1_pod_template_spec *a,
                            const struct core_v1_pod_template_spec *b)
{
    struct object x = { .schema = &schema_builtin,
                        .type = schema_walk_type(&schema_builtin, "core/v1.PodTemplateSpec"),
                        .data = (void *)(uintptr_t)a }; /* read only */
    struct object y = x;

    y.data = (void *)(uintptr_t)b;
    return object_equal(x, y);
}

/* Where a Job does not run, what decides on which node its Pods run may still change. */
static void take_scheduling(struct core_v1_pod_template_spec *old,
                            struct core_v1_affinity *affinity,
                            const struct core_v1_pod_template_spec *t)
{
    static const struct core_v1_affinity none;

    if (old->spec.affinity || t->spec.affinity) {
        *affinity = old->spec.affinity ? *old->spec.affinity : none;
        affinity->node_affinity = t->spec.affinity ? t->spec.affinity->node_affinity : NULL;
        old->spec.affinity =
            !t->spec.affinity && !affinity->pod_affinity && !affinity->pod_anti_affinity ? NULL
                                                                                         : affinity;
    }
    old->spec.node_selector = t->spec.node_selector;
    old->spec.tolerations = t->spec.tolerations;
    old->spec.scheduling_gates = t->spec.scheduling_gates;
    old->metadata.annotations = t->metadata.annotations;
    old->metadata.labels = t->metadata.labels;
}

/* Containers with the resources of those of the same names; as they are, if there are others. */
static struct core_v1_container *take_resources(struct arena *a, struct core_v1_container *old,
                                                uint32_t n, const struct core_v1_container *from,
                                                uint32_t from_n)
{
    struct core_v1_container *items;

    if (n == 0 || n != from_n)
        return old;
    items = arena_dup(a, old, n * sizeof(*old));
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(items[i].name, from[i].name))
            items[i].resources = from[i].resources;
    return items;
}

/* While a Job is suspended, only the Pods' specs are compared. */
static void check_spec_kept(const struct rule_context *c, struct core_v1_pod_spec *was,
                            const struct core_v1_pod_spec *spec)
{
    struct field_path template = field_path_member(c->path, STR("template"));
    struct field_path at = field_path_member(&template, STR("spec"));

    was->containers.items = take_resources(c->arena, was->containers.items, was->containers.len,
                                           spec->containers.items, spec->containers.len);
    was->init_containers.items =
        take_resources(c->arena, was->init_containers.items, was->init_containers.len,
                       spec->init_containers.items, spec->init_containers.len);
    if (!rule_structs_equal("core/v1.PodSpec", spec, was))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             rule_print_internal(c->arena, "core/v1.PodSpec", spec),
                             "field is immutable");
}

static void check_template_kept(const struct rule_context *c, const struct batch_v1_job_spec *s,
                                const struct batch_v1_job_spec *old)
{
    struct core_v1_pod_template_spec was = old->template;
    struct core_v1_affinity affinity;
    struct field_path template = field_path_member(c->path, STR("template"));
    const struct batch_v1_job *job = c->request->old.data;
    bool may_change = old->suspend && *old->suspend && !job->status.active &&
                      (!job->status.start_time.set || rule_job_is(job, "Suspended"));

    if (may_change)
        take_scheduling(&was, &affinity, &s->template);
    if (may_change) {
        check_spec_kept(c, &was.spec, &s->template.spec);
        return;
    }
    if (!templates_equal(&s->template, &was))
        field_errors_add_raw(c->errs, &template, FIELD_ERROR_INVALID,
                             rule_print_internal(c->arena, "core/v1.PodTemplateSpec", &s->template),
                             "field is immutable");
}

static void check_completions_kept(const struct rule_context *c, const struct batch_v1_job_spec *s,
                                   const struct batch_v1_job_spec *old)
{
    struct field_path at = field_path_member(c->path, STR("completions"));
    bool same = s->completions && old->completions ? *s->completions == *old->completions
                                                   : !s->completions && !old->completions;

    if (same || (is_indexed(s) && !s->completions))
        return;
    if (!is_indexed(s))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             s->completions ? arena_printf(c->arena, "%d", *s->completions)
                                            : STR("null"),
                             "field is immutable");
    else if (!s->parallelism || *s->completions != *s->parallelism)
        rule_invalid_number(c, "completions", *s->completions,
                            "can only be modified in tandem with spec.parallelism");
}

static void rule_job_numbers(const struct rule_context *c)
{
    const struct batch_v1_job_spec *s = c->data;

    if (s->max_failed_indexes && !s->backoff_limit_per_index)
        rule_required(c, "backoffLimitPerIndex", "when maxFailedIndexes is specified");
    if (s->managed_by.p)
        rule_check_prefixed_path(c, "managedBy", s->managed_by);
}

static void rule_job_mode(const struct rule_context *c)
{
    const struct batch_v1_job_spec *s = c->data;

    if (is_indexed(s))
        check_indexed(c, s);
    else if (!s->completion_mode.p || str_eq(s->completion_mode, STR("NonIndexed")))
        check_not_indexed(c, s);
}

static void rule_job_success(const struct rule_context *c)
{
    const struct batch_v1_job_spec *s = c->data;
    struct field_path at = field_path_member(c->path, STR("successPolicy"));

    if (is_indexed(s))
        rule_below(c, "successPolicy");
    else if (s->success_policy)
        field_errors_add_raw(
            c->errs, &at, FIELD_ERROR_INVALID,
            rule_print_internal(c->arena, "batch/v1.SuccessPolicy", s->success_policy),
            "requires indexed completion mode");
}

static void rule_job_replacement(const struct rule_context *c)
{
    check_replacement(c, c->data);
}

static void rule_job_restart(const struct rule_context *c)
{
    check_restart_policy(c, c->data);
}

static void rule_job_completions(const struct rule_context *c)
{
    if (c->old && is_job(c))
        check_completions_kept(c, c->data, c->old);
}

static void rule_job_template(const struct rule_context *c)
{
    if (c->old && is_job(c))
        check_template_kept(c, c->data, c->old);
}

static void check_label(const struct rule_context *c, const struct core_v1_pod_template_spec *t,
                        struct str key, struct str want)
{
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path template = field_path_member(&spec, STR("template"));
    struct field_path meta = field_path_member(&template, STR("metadata"));
    struct field_path labels = field_path_member(&meta, STR("labels"));
    struct field_path at = field_path_key(&labels, key);
    const struct schema_str_entry *e = text_map_find(&t->metadata.labels, key);

    if (!e)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "must be '%.*s'", STR_ARG(want));
    else if (!str_eq(e->value, want))
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                             rule_print_map(c->arena, &t->metadata.labels), "must be '%.*s'",
                             STR_ARG(want));
}

/* The selector is the one that the server makes, unless the client keeps it by hand. Jobs older
 * than the labels with a prefix have none of them. */
static void check_generated(const struct rule_context *c, const struct batch_v1_job *j)
{
    static const struct str uid_key = STR_INIT("batch.kubernetes.io/controller-uid");
    static const struct str name_key = STR_INIT("batch.kubernetes.io/job-name");
    const struct batch_v1_job *old = c->old;
    const void *had = old ? &old->spec.template.metadata.labels : NULL;
    bool prefixed = !had || (text_map_find(had, uid_key) && text_map_find(had, name_key));
    struct schema_list labels = { 0 };
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path at = field_path_member(&spec, STR("selector"));

    if ((j->spec.manual_selector && *j->spec.manual_selector) || !j->spec.selector)
        return;
    text_map_put(c->arena, &labels, STR("controller-uid"), j->metadata.uid);
    text_map_put(c->arena, &labels, STR("job-name"), j->metadata.name);
    check_label(c, &j->spec.template, STR("controller-uid"), j->metadata.uid);
    check_label(c, &j->spec.template, STR("job-name"), j->metadata.name);
    if (prefixed) {
        text_map_put(c->arena, &labels, uid_key, j->metadata.uid);
        text_map_put(c->arena, &labels, name_key, j->metadata.name);
        check_label(c, &j->spec.template, uid_key, j->metadata.uid);
        check_label(c, &j->spec.template, name_key, j->metadata.name);
    }
    if (!rule_selector_matches(c, j->spec.selector, &labels))
        field_errors_add_raw(
            c->errs, &at, FIELD_ERROR_INVALID,
            rule_print_struct(c->arena, "meta.k8s.io/v1.LabelSelector", j->spec.selector),
            "`selector` not auto-generated");
}

/* Pods are named after their indexes. */
static void check_host_name(const struct rule_context *c, const struct batch_v1_job *j)
{
    const struct batch_v1_job_spec *s = &j->spec;
    struct field_path meta = field_path_member(c->path, STR("metadata"));
    struct field_path name = field_path_member(&meta, STR("name"));
    struct str host;

    if (!is_indexed(s) || !s->completions || *s->completions <= 0)
        return;
    host = arena_printf(c->arena, "%.*s-%d", STR_ARG(j->metadata.name), *s->completions - 1);
    if (!name_rule_holds(NAME_RULE_DNS1123_LABEL, host))
        field_errors_add_text(c->errs, &name, FIELD_ERROR_INVALID, j->metadata.name,
                              "will not able to create pod with invalid DNS label: %.*s",
                              STR_ARG(host));
}

/* An update is checked as a new Job, too: upstream tells of each error twice. */
static void rule_job(const struct rule_context *c)
{
    struct rule_context plain = *c;

    plain.old = NULL;
    check_generated(c, c->data);
    rule_below(&plain, "spec");
    check_host_name(c, c->data);
    if (c->old)
        rule_below(c, "spec");
}

static bool has_container(const struct core_v1_pod_spec *s, struct str name)
{
    for (uint32_t i = 0; i < s->containers.len; i++)
        if (str_eq(s->containers.items[i].name, name))
            return true;
    for (uint32_t i = 0; i < s->init_containers.len; i++)
        if (str_eq(s->init_containers.items[i].name, name))
            return true;
    return false;
}

/* The spec that a policy is part of: of the Job, or of the CronJob's template. */
static const struct batch_v1_job_spec *spec_at_hand(const struct rule_context *c)
{
    if (is_job(c))
        return &((const struct batch_v1_job *)c->request->object.data)->spec;
    return &((const struct batch_v1_cron_job *)c->request->object.data)->spec.job_template.spec;
}

static void rule_failure_rule(const struct rule_context *c)
{
    const struct batch_v1_pod_failure_policy_rule *r = c->data;

    if (r->action.len == 0)
        rule_required(c, "action",
                      "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
    else if (str_eq(r->action, STR("FailIndex")) && !spec_at_hand(c)->backoff_limit_per_index)
        rule_invalid(c, "action", r->action, "requires the backoffLimitPerIndex to be set");
    rule_below(c, "onExitCodes");
    rule_below(c, "onPodConditions");
    if (r->on_exit_codes && r->on_pod_conditions.len)
        field_errors_add(c->errs, c->path, FIELD_ERROR_INVALID,
                         "specifying both OnExitCodes and OnPodConditions is not supported");
    if (!r->on_exit_codes && !r->on_pod_conditions.len)
        field_errors_add(c->errs, c->path, FIELD_ERROR_INVALID,
                         "specifying one of OnExitCodes and OnPodConditions is required");
}

static struct str print_codes(struct arena *a, const int32_t *codes, uint32_t n)
{
    struct str s = STR("[");

    for (uint32_t i = 0; i < n; i++)
        s = arena_printf(a, "%.*s%s%d", STR_ARG(s), i ? "," : "", codes[i]);
    return arena_printf(a, "%.*s]", STR_ARG(s));
}

static void check_exit_codes(const struct rule_context *c,
                             const struct batch_v1_pod_failure_policy_on_exit_codes_requirement *r)
{
    struct field_path values = field_path_member(c->path, STR("values"));
    bool ordered = true;

    for (uint32_t i = 0; i < r->values.len; i++) {
        struct field_path item = field_path_index(&values, i);
        int32_t code = r->values.items[i];
        struct str printed = arena_printf(c->arena, "%d", code);

        if (code == 0 && str_eq(r->operator, STR("In")))
            field_errors_add_raw(c->errs, &item, FIELD_ERROR_INVALID, printed,
                                 "must not be 0 for the In operator");
        for (uint32_t j = 0; j < i; j++)
            if (r->values.items[j] == code) {
                field_errors_add_raw(c->errs, &item, FIELD_ERROR_DUPLICATE, printed, "");
                break;
            }
        ordered &= i == 0 || r->values.items[i - 1] <= code;
    }
    if (!ordered)
        field_errors_add_raw(c->errs, &values, FIELD_ERROR_INVALID,
                             print_codes(c->arena, r->values.items, r->values.len),
                             "must be ordered");
}

enum { EXIT_CODES_MAX = 255 };

static void rule_exit_codes(const struct rule_context *c)
{
    const struct batch_v1_pod_failure_policy_on_exit_codes_requirement *r = c->data;
    struct field_path values = field_path_member(c->path, STR("values"));

    if (r->container_name.p && !has_container(&spec_at_hand(c)->template.spec, r->container_name))
        rule_invalid(c, "containerName", r->container_name,
                     "must be one of the container or initContainer names in the pod template");
    if (r->values.len == 0)
        field_errors_add_raw(c->errs, &values, FIELD_ERROR_INVALID,
                             r->values.items ? STR("[]") : STR("null"),
                             "at least one value is required");
    else if (r->values.len > EXIT_CODES_MAX)
        field_errors_add_raw(c->errs, &values, FIELD_ERROR_TOO_MANY,
                             arena_printf(c->arena, "%u", r->values.len),
                             "must have at most 255 items");
    else
        check_exit_codes(c, r);
}

static void rule_success_rule(const struct rule_context *c)
{
    const struct batch_v1_success_policy_rule *r = c->data;

    if (!r->succeeded_count && !r->succeeded_indexes.p)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED,
                         "at least one of succeededCount or succeededIndexes must be specified");
}

static void rule_succeeded_indexes(const struct rule_context *c)
{
    const struct batch_v1_success_policy_rule *r = c->data;
    const struct batch_v1_job_spec *s = spec_at_hand(c);

    if (r->succeeded_indexes.p && s->completions)
        (void)rule_check_indexes(c, "succeededIndexes", r->succeeded_indexes, *s->completions);
}

static void check_count(const struct rule_context *c, int32_t count, int32_t limit,
                        const char *what)
{
    struct str text;

    if (count <= limit)
        return;
    text =
        arena_printf(c->arena, "must be less than or equal to %d (the number of %s)", limit, what);
    rule_invalid_number(c, "succeededCount", count, str_cstr(c->arena, text));
}

static void rule_succeeded_count(const struct rule_context *c)
{
    const struct batch_v1_success_policy_rule *r = c->data;
    const struct batch_v1_job_spec *s = spec_at_hand(c);
    struct rule_context quiet = *c;
    struct field_errors none;

    if (!r->succeeded_count || !s->completions)
        return;
    check_count(c, *r->succeeded_count, *s->completions, "specified completions");
    if (!r->succeeded_indexes.p)
        return;
    field_errors_init(&none, c->arena);
    quiet.errs = &none;
    check_count(
        c, *r->succeeded_count,
        rule_check_indexes(&quiet, "succeededIndexes", r->succeeded_indexes, *s->completions),
        "indexes in the specified succeededIndexes field");
}

#define JOB  "batch/v1.JobSpec"
#define JOBS "batch/v1.JobStatus"
#define CRON "batch/v1.CronJobSpec"

const struct rule rules_batch[] = {
    { JOB, "parallelism", RULE_MIN, .min = 0 },
    { JOB, "completions", RULE_MIN, .min = 0 },
    { JOB, "activeDeadlineSeconds", RULE_MIN, .min = 0 },
    { JOB, "backoffLimit", RULE_MIN, .min = 0 },
    { JOB, "ttlSecondsAfterFinished", RULE_MIN, .min = 0 },
    { JOB, "backoffLimitPerIndex", RULE_MIN, .min = 0 },
    { JOB, "maxFailedIndexes", RULE_MIN, .min = 0 },
    { .type = JOB, .check = RULE_FN, .fn = rule_job_numbers },
    { JOB, "managedBy", RULE_MAX_BYTES, .max = 63 },
    { JOB, "completionMode", RULE_ENUM_SET, .text = "NonIndexed|Indexed" },
    { .type = JOB, .check = RULE_FN, .fn = rule_job_mode },
    { JOB, "podFailurePolicy", RULE_BELOW },
    { .type = JOB, .check = RULE_BELOW, .fn = rule_job_success, .order = "successPolicy" },
    { .type = JOB, .check = RULE_FN, .fn = rule_job_replacement },
    { JOB, "template", RULE_BELOW },
    { .type = JOB, .check = RULE_FN, .fn = rule_job_restart },
    { .type = JOB, .check = RULE_BELOW, .fn = rule_job_selector, .order = "selector" },
    { .type = JOB, .check = RULE_FN, .fn = rule_job_completions },
    { JOB, "selector", RULE_IMMUTABLE },
    { .type = JOB, .check = RULE_FN, .fn = rule_job_template },
    { JOB, "completionMode", RULE_IMMUTABLE },
    { JOB, "podFailurePolicy", RULE_IMMUTABLE },
    { JOB, "backoffLimitPerIndex", RULE_IMMUTABLE },
    { JOB, "managedBy", RULE_IMMUTABLE },
    { JOB, "successPolicy", RULE_IMMUTABLE },
    { .type = "batch/v1.Job", .check = RULE_BELOW, .fn = rule_job, .order = "spec" },
    { "batch/v1.PodFailurePolicy", "rules", RULE_MAX_ITEMS, .max = 20 },
    { "batch/v1.PodFailurePolicyRule", "action", RULE_ENUM,
      .text = "Count|FailIndex|FailJob|Ignore" },
    { "batch/v1.PodFailurePolicyRule", "onPodConditions", RULE_MAX_ITEMS, .max = 20 },
    { .type = "batch/v1.PodFailurePolicyRule",
      .check = RULE_BELOW,
      .fn = rule_failure_rule,
      .order = "onExitCodes|onPodConditions" },
    { "batch/v1.PodFailurePolicyOnExitCodesRequirement", "operator", RULE_REQUIRED,
      .text = "valid values: [\"In\" \"NotIn\"]" },
    { "batch/v1.PodFailurePolicyOnExitCodesRequirement", "operator", RULE_ENUM,
      .text = "In|NotIn" },
    { .type = "batch/v1.PodFailurePolicyOnExitCodesRequirement",
      .check = RULE_FN,
      .fn = rule_exit_codes },
    { "batch/v1.PodFailurePolicyOnPodConditionsPattern", "type", RULE_NAME_ALWAYS,
      .min = NAME_RULE_QUALIFIED_NAME },
    { "batch/v1.PodFailurePolicyOnPodConditionsPattern", "status", RULE_ENUM,
      .text = "False|True|Unknown" },
    { "batch/v1.SuccessPolicy", "rules", RULE_REQUIRED,
      .text = "at least one rules must be specified when the successPolicy is specified" },
    { "batch/v1.SuccessPolicy", "rules", RULE_MAX_ITEMS, .max = 20 },
    { .type = "batch/v1.SuccessPolicyRule", .check = RULE_FN, .fn = rule_success_rule },
    { "batch/v1.SuccessPolicyRule", "succeededIndexes", RULE_MAX_BYTES, .max = 65536 },
    { .type = "batch/v1.SuccessPolicyRule", .check = RULE_FN, .fn = rule_succeeded_indexes },
    { "batch/v1.SuccessPolicyRule", "succeededCount", RULE_MIN, .min = 0 },
    { .type = "batch/v1.SuccessPolicyRule", .check = RULE_FN, .fn = rule_succeeded_count },
    { JOBS, "active", RULE_MIN, .min = 0 },
    { JOBS, "succeeded", RULE_MIN, .min = 0 },
    { JOBS, "failed", RULE_MIN, .min = 0 },
    { JOBS, "ready", RULE_MIN, .min = 0 },
    { JOBS, "terminating", RULE_MIN, .min = 0 },
    { .type = JOBS, .check = RULE_FN, .fn = rule_job_status },
    { CRON, "schedule", RULE_REQUIRED },
    { "batch/v1.CronJob", "spec", RULE_BELOW },
    { .type = "batch/v1.CronJob", .check = RULE_FN, .fn = rule_cron_job },
    { .type = CRON, .check = RULE_FN, .fn = rule_cron_job_spec },
    { CRON, "startingDeadlineSeconds", RULE_MIN, .min = 0 },
    { .type = CRON, .check = RULE_FN, .fn = rule_cron_zone },
    { CRON, "concurrencyPolicy", RULE_ENUM, .text = "Allow|Forbid|Replace" },
    { .type = CRON, .check = RULE_BELOW, .fn = rule_cron_template, .order = "jobTemplate" },
    { CRON, "successfulJobsHistoryLimit", RULE_MIN, .min = 0 },
    { CRON, "failedJobsHistoryLimit", RULE_MIN, .min = 0 },
    { 0 },
};
