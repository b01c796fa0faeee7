/* A Job's conditions. */
#include <string.h>

#include "base/arena.h"
#include "controller/job_internal.h"

static job_condition *find(const struct batch_v1_job_status *s, struct str type)
{
    for (uint32_t i = 0; i < s->conditions.len; i++)
        if (str_eq(s->conditions.items[i].type, type))
            return &s->conditions.items[i];
    return NULL;
}

static bool is_true(const job_condition *c)
{
    return c && str_eq(c->status, STR("True"));
}

const job_condition *job_find_condition(const struct batch_v1_job *j, const char *type)
{
    return find(&j->status, str_from_cstr(type));
}

bool job_has_condition(const struct batch_v1_job *j, const char *type)
{
    return is_true(job_find_condition(j, type));
}

const job_condition *job_finished_condition(const struct batch_v1_job *j)
{
    for (uint32_t i = 0; i < j->status.conditions.len; i++) {
        const job_condition *c = &j->status.conditions.items[i];

        if (is_true(c) && (str_eq(c->type, STR("Complete")) || str_eq(c->type, STR("Failed"))))
            return c;
    }
    return NULL;
}

bool job_is_finished(const struct batch_v1_job *j)
{
    return job_finished_condition(j) != NULL;
}

bool job_set_condition(struct arena *a, struct batch_v1_job_status *s, const job_condition *c)
{
    job_condition *have = find(s, c->type), *grown;
    bool differs = !have || !str_eq(have->status, c->status) || !str_eq(have->reason, c->reason) ||
                   !str_eq(have->message, c->message);

    if (!differs || (!have && str_eq(c->status, STR("False"))))
        return false;
    grown = ARENA_NEW_ARRAY(a, job_condition, s->conditions.len + 1);
    if (s->conditions.len)
        memcpy(grown, s->conditions.items, s->conditions.len * sizeof(*grown));
    if (have)
        grown[have - s->conditions.items] = *c;
    else
        grown[s->conditions.len++] = *c;
    s->conditions.items = grown;
    return true;
}
