/* A Job's rules about Pods that failed, and about when it has succeeded early. */
#include "base/arena.h"
#include "controller/job_internal.h"

typedef struct batch_v1_pod_failure_policy_on_exit_codes_requirement exit_codes;

static bool code_fits(const exit_codes *want, int32_t code)
{
    bool is_in = false;

    for (uint32_t i = 0; i < want->values.len; i++)
        is_in |= want->values.items[i] == code;
    if (str_eq(want->operator, STR("In")))
        return is_in;
    return str_eq(want->operator, STR("NotIn")) && !is_in;
}

/* 0 never fits: a container that went well is not why a Pod failed. */
static const struct core_v1_container_status *
fitting_container(const struct core_v1_container_status *all, uint32_t n, const exit_codes *want)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct core_v1_container_state_terminated *t = all[i].state.terminated;

        if (t && t->exit_code != 0 &&
            (!want->container_name.p || str_eq(want->container_name, all[i].name)) &&
            code_fits(want, t->exit_code))
            return &all[i];
    }
    return NULL;
}

static const struct core_v1_pod_condition *
fitting_condition(const struct core_v1_pod *pod, const struct batch_v1_pod_failure_policy_rule *r)
{
    for (uint32_t i = 0; i < pod->status.conditions.len; i++) {
        const struct core_v1_pod_condition *c = &pod->status.conditions.items[i];

        for (uint32_t k = 0; k < r->on_pod_conditions.len; k++)
            if (str_eq(c->type, r->on_pod_conditions.items[k].type) &&
                str_eq(c->status, r->on_pod_conditions.items[k].status))
                return c;
    }
    return NULL;
}

/* What of the Pod fits the rule, for a message; unset: nothing does. */
static struct str fit(struct arena *a, const struct batch_v1_pod_failure_policy_rule *r,
                      const struct core_v1_pod *pod)
{
    const struct core_v1_container_status *c = NULL;
    const struct core_v1_pod_condition *cond;

    if (!r->on_exit_codes) {
        cond = fitting_condition(pod, r);
        return cond ? arena_printf(a, "Pod %.*s/%.*s has condition %.*s",
                                   STR_ARG(pod->metadata.namespace), STR_ARG(pod->metadata.name),
                                   STR_ARG(cond->type))
                    : STR_NULL;
    }
    c = fitting_container(pod->status.container_statuses.items, pod->status.container_statuses.len,
                          r->on_exit_codes);
    if (!c)
        c = fitting_container(pod->status.init_container_statuses.items,
                              pod->status.init_container_statuses.len, r->on_exit_codes);
    return c ? arena_printf(a, "Container %.*s for pod %.*s/%.*s failed with exit code %d",
                            STR_ARG(c->name), STR_ARG(pod->metadata.namespace),
                            STR_ARG(pod->metadata.name), c->state.terminated->exit_code)
             : STR_NULL;
}

struct job_verdict job_policy_judge(struct arena *a, const struct batch_v1_pod_failure_policy *p,
                                    const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; p && i < p->rules.len; i++) {
        const struct batch_v1_pod_failure_policy_rule *r = &p->rules.items[i];
        struct str why = fit(a, r, pod);

        if (!why.p)
            continue;
        return (struct job_verdict){
            .action = r->action,
            .is_counted = !str_eq(r->action, STR("Ignore")),
            .message = str_eq(r->action, STR("FailJob"))
                           ? arena_printf(a, "%.*s matching %.*s rule at index %u", STR_ARG(why),
                                          STR_ARG(r->action), i)
                           : STR_NULL,
        };
    }
    return (struct job_verdict){ .is_counted = true };
}

static bool is_met(struct arena *a, const struct batch_v1_success_policy_rule *r,
                   int32_t completions, const struct job_indexes *succeeded)
{
    struct job_indexes wanted;
    int32_t have;

    if (!r->succeeded_indexes.p)
        return r->succeeded_count && job_indexes_count(succeeded) >= *r->succeeded_count;
    wanted = job_indexes_parse(a, r->succeeded_indexes, completions);
    have = job_indexes_shared(&wanted, succeeded);
    return wanted.len && (have == job_indexes_count(&wanted) ||
                          (r->succeeded_count && have >= *r->succeeded_count));
}

int job_policy_success(struct arena *a, const struct batch_v1_job *j,
                       const struct job_indexes *succeeded)
{
    const struct batch_v1_success_policy *p = j->spec.success_policy;

    if (!p || !succeeded->len)
        return -1;
    for (uint32_t i = 0; i < p->rules.len; i++)
        if (is_met(a, &p->rules.items[i], *j->spec.completions, succeeded))
            return (int)i;
    return -1;
}
