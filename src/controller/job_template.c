/* Pods of a Job, out of its template. */
#include <string.h>

#include "api/text_map.h"
#include "base/arena.h"
#include "controller/job_internal.h"
#include "controller/pod_state.h"

enum { NAME_PREFIX_MAX = 58 }; /* a generated name ends in five more */

static struct str prefix(struct arena *a, struct str name, int32_t index)
{
    struct str end = index < 0 ? STR("-") : arena_printf(a, "-%d-", index);

    if (index >= 0)
        name = str_sub(name, 0, NAME_PREFIX_MAX - end.len);
    return arena_printf(a, "%.*s%.*s", STR_ARG(name), STR_ARG(end));
}

static bool has_env(const struct core_v1_container *c, struct str name)
{
    for (uint32_t i = 0; i < c->env.len; i++)
        if (str_eq(c->env.items[i].name, name))
            return true;
    return false;
}

static void add_env(struct arena *a, struct core_v1_container *c)
{
    struct core_v1_env_var *env;

    if (has_env(c, STR("JOB_COMPLETION_INDEX")))
        return;
    env = ARENA_NEW_ARRAY(a, struct core_v1_env_var, c->env.len + 1);
    if (c->env.len)
        memcpy(env, c->env.items, c->env.len * sizeof(*env));
    env[c->env.len].name = STR("JOB_COMPLETION_INDEX");
    env[c->env.len].value_from = ARENA_NEW(a, struct core_v1_env_var_source);
    env[c->env.len].value_from->field_ref = ARENA_NEW(a, struct core_v1_object_field_selector);
    env[c->env.len].value_from->field_ref->field_path = STR("metadata.labels['" JOB_INDEX "']");
    c->env.items = env;
    c->env.len++;
}

static struct core_v1_container *add_env_to_all(struct arena *a,
                                                const struct core_v1_container *from, uint32_t n)
{
    struct core_v1_container *c = ARENA_NEW_ARRAY(a, struct core_v1_container, n);

    for (uint32_t i = 0; i < n; i++) {
        c[i] = from[i];
        add_env(a, &c[i]);
    }
    return c;
}

static void add_finalizer(struct arena *a, struct meta_v1_object_meta *m)
{
    struct str *all = ARENA_NEW_ARRAY(a, struct str, m->finalizers.len + 1);

    for (uint32_t i = 0; i < m->finalizers.len; i++) {
        all[i] = m->finalizers.items[i];
        if (str_eq(all[i], STR(JOB_FINALIZER)))
            return;
    }
    all[m->finalizers.len] = STR(JOB_FINALIZER);
    m->finalizers.items = all;
    m->finalizers.len++;
}

/* The failures of the index so far live on in its Pods' annotations. */
static void annotate_failures(struct arena *a, struct meta_v1_object_meta *m,
                              const struct batch_v1_job *j, const struct job_pod *replaced)
{
    int64_t failures = 0, ignored = 0;

    if (replaced) {
        bool is_counted = job_policy_judge(a, j->spec.pod_failure_policy, replaced->pod).is_counted;

        failures = (int64_t)job_index_failures(replaced->object) + is_counted;
        ignored = (int64_t)job_index_all_failures(replaced->object) -
                  job_index_failures(replaced->object) + !is_counted;
    }
    text_map_put(a, &m->annotations, STR(JOB_INDEX_FAILURES),
                 arena_printf(a, "%lld", (long long)failures));
    if (ignored > 0)
        text_map_put(a, &m->annotations, STR(JOB_INDEX_IGNORED),
                     arena_printf(a, "%lld", (long long)ignored));
}

struct object job_new_pod(struct arena *a, const struct api_object *job, int32_t index,
                          const struct job_pod *replaced)
{
    const struct batch_v1_job *j = job->o.data;
    struct object o = pod_from_template(a, &j->spec.template, job->meta->namespace,
                                        prefix(a, job->meta->name, index), job);
    struct core_v1_pod *pod = o.data;
    struct str text;

    add_finalizer(a, &pod->metadata);
    if (index < 0)
        return o;
    text = arena_printf(a, "%d", index);
    text_map_copy(a, &pod->metadata.annotations, &j->spec.template.metadata.annotations);
    text_map_copy(a, &pod->metadata.labels, &j->spec.template.metadata.labels);
    text_map_put(a, &pod->metadata.annotations, STR(JOB_INDEX), text);
    text_map_put(a, &pod->metadata.labels, STR(JOB_INDEX), text);
    if (j->spec.backoff_limit_per_index)
        annotate_failures(a, &pod->metadata, j, replaced);
    pod->spec.hostname = arena_printf(a, "%.*s-%d", STR_ARG(job->meta->name), index);
    pod->spec.containers.items =
        add_env_to_all(a, pod->spec.containers.items, pod->spec.containers.len);
    pod->spec.init_containers.items =
        add_env_to_all(a, pod->spec.init_containers.items, pod->spec.init_containers.len);
    return o;
}
