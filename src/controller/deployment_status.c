/* A Deployment's status and its conditions Available, Progressing and ReplicaFailure, in upstream's
 * reasons and words: kubectl rollout status reads them. */
#include "api/resource.h"
#include "api/text_map.h"
#include "controller/deployment_internal.h"

typedef struct apps_v1_deployment_condition condition;

static condition *find(const struct apps_v1_deployment_status *s, const char *type)
{
    for (uint32_t i = 0; i < s->conditions.len; i++)
        if (str_eq(s->conditions.items[i].type, str_from_cstr(type)))
            return &s->conditions.items[i];
    return NULL;
}

static void remove_condition(struct apps_v1_deployment_status *s, const char *type)
{
    condition *c = find(s, type);

    if (c)
        *c = s->conditions.items[--s->conditions.len];
}

/* Unchanged status keeps its transition time; the same reason keeps everything. */
static void set_condition(struct rollout *o, struct apps_v1_deployment_status *s, const char *type,
                          const char *status, const char *reason, struct str message)
{
    struct ktime now = { .sec = o->r->now_s, .set = true };
    condition *c = find(s, type), *grown;

    if (c && str_eq(c->status, str_from_cstr(status)) && str_eq(c->reason, str_from_cstr(reason)))
        return;
    if (!c) {
        grown = ARENA_NEW_ARRAY(o->r->arena, condition, s->conditions.len + 1);
        if (s->conditions.len)
            memcpy(grown, s->conditions.items, s->conditions.len * sizeof(*grown));
        s->conditions.items = grown;
        c = &grown[s->conditions.len++];
        c->type = str_from_cstr(type);
    }
    if (!str_eq(c->status, str_from_cstr(status)))
        c->last_transition_time = now;
    c->last_update_time = now;
    c->status = str_from_cstr(status);
    c->reason = str_from_cstr(reason);
    c->message = message;
}

/* --- sums --- */

static void sum(const struct rollout *o, struct apps_v1_deployment_status *s)
{
    int32_t terminating = 0;

    s->replicas = s->ready_replicas = s->available_replicas = 0;
    for (size_t i = 0; i < o->n_sets; i++) {
        const struct apps_v1_replica_set_status *x = &o->sets[i].set->status;

        s->replicas += x->replicas;
        s->ready_replicas += x->ready_replicas;
        s->available_replicas += x->available_replicas;
        terminating += x->terminating_replicas ? *x->terminating_replicas : 0;
    }
    s->updated_replicas = o->new ? o->new->set->status.replicas : 0;
    s->unavailable_replicas = MAX(rollout_total_size(o) - s->available_replicas, 0);
    s->terminating_replicas = ARENA_NEW(o->r->arena, int32_t);
    *s->terminating_replicas = terminating;
    s->observed_generation = o->object->meta->generation;
}

static void set_available(struct rollout *o, struct apps_v1_deployment_status *s)
{
    if (s->available_replicas >= o->replicas - o->max_unavailable)
        set_condition(o, s, "Available", "True", "MinimumReplicasAvailable",
                      STR("Deployment has minimum availability."));
    else
        set_condition(o, s, "Available", "False", "MinimumReplicasUnavailable",
                      STR("Deployment does not have minimum availability."));
}

/* --- progress --- */

bool rollout_is_complete(const struct rollout *o, const struct apps_v1_deployment_status *s)
{
    return s->updated_replicas == o->replicas && s->replicas == o->replicas &&
           s->available_replicas == o->replicas &&
           s->observed_generation >= o->object->meta->generation;
}

static bool has_progressed(const struct apps_v1_deployment_status *was,
                           const struct apps_v1_deployment_status *is)
{
    return is->updated_replicas > was->updated_replicas ||
           is->replicas - is->updated_replicas < was->replicas - was->updated_replicas ||
           is->ready_replicas > was->ready_replicas ||
           is->available_replicas > was->available_replicas;
}

/* Seconds until the deadline; <= 0: it has passed; INT64_MAX: there is none. */
static int64_t until_deadline(const struct rollout *o, const condition *c)
{
    const int32_t *deadline = o->deployment->spec.progress_deadline_seconds;

    if (!deadline || *deadline == INT32_MAX || !c)
        return INT64_MAX;
    return c->last_update_time.sec + *deadline - o->r->now_s;
}

static struct str set_message(const struct rollout *o, const char *verb)
{
    return o->new_name.len
               ? arena_printf(o->r->arena, "ReplicaSet \"%.*s\" %s", STR_ARG(o->new_name), verb)
               : arena_printf(o->r->arena, "Deployment \"%.*s\" %s", STR_ARG(o->object->meta->name),
                              verb);
}

static void note_progress(struct rollout *o, struct apps_v1_deployment_status *s)
{
    condition *c = find(s, "Progressing");

    if (c && str_eq(c->reason, STR("ReplicaSetUpdated"))) {
        c->last_update_time = (struct ktime){ .sec = o->r->now_s, .set = true };
        return;
    }
    set_condition(o, s, "Progressing", "True", "ReplicaSetUpdated",
                  set_message(o, "is progressing."));
}

static void set_progressing(struct rollout *o, struct apps_v1_deployment_status *s)
{
    const struct apps_v1_deployment_status *was = &o->deployment->status;
    condition *c = find(s, "Progressing");
    bool was_complete = c && str_eq(c->reason, STR("NewReplicaSetAvailable")) &&
                        s->replicas == s->updated_replicas && !o->created_new;
    int64_t left;

    if (o->deployment->spec.paused) {
        set_condition(o, s, "Progressing", "Unknown", "DeploymentPaused",
                      STR("Deployment is paused"));
        return;
    }
    if (c && str_eq(c->reason, STR("DeploymentPaused")))
        set_condition(o, s, "Progressing", "Unknown", "DeploymentResumed",
                      STR("Deployment is resumed"));
    if (!o->deployment->spec.progress_deadline_seconds) {
        remove_condition(s, "Progressing");
        return;
    }
    if (o->created_new)
        set_condition(
            o, s, "Progressing", "True", "NewReplicaSetCreated",
            arena_printf(o->r->arena, "Created new replica set \"%.*s\"", STR_ARG(o->new_name)));
    else if (o->found_new_again)
        set_condition(
            o, s, "Progressing", "True", "FoundNewReplicaSet",
            arena_printf(o->r->arena, "Found new replica set \"%.*s\"", STR_ARG(o->new_name)));
    else if (was_complete)
        return;
    else if (rollout_is_complete(o, s))
        set_condition(o, s, "Progressing", "True", "NewReplicaSetAvailable",
                      set_message(o, "has successfully progressed."));
    else if (has_progressed(was, s))
        note_progress(o, s);
    c = find(s, "Progressing");
    left = until_deadline(o, c);
    if (rollout_is_complete(o, s) || left == INT64_MAX)
        return;
    if (left <= 0)
        set_condition(o, s, "Progressing", "False", "ProgressDeadlineExceeded",
                      set_message(o, "has timed out progressing."));
    else
        o->r->again_after_ms = (left + 1) * 1000;
}

/* Creating Pods fails: the sets say so. */
static void set_failure(struct rollout *o, struct apps_v1_deployment_status *s)
{
    for (size_t i = o->n_sets; i-- > 0;) {
        const struct apps_v1_replica_set_status *x = &o->sets[i].set->status;

        for (uint32_t k = 0; k < x->conditions.len; k++)
            if (str_eq(x->conditions.items[k].type, STR("ReplicaFailure"))) {
                set_condition(o, s, "ReplicaFailure", "True", "FailedCreate",
                              x->conditions.items[k].message);
                return;
            }
    }
    remove_condition(s, "ReplicaFailure");
}

void rollout_update_status(struct rollout *o)
{
    const struct resource *row = resource_find(STR("apps"), STR("v1"), STR("deployments"));
    struct object copy = object_copy(o->r->arena, o->object->o);
    struct apps_v1_deployment *d = copy.data;

    sum(o, &d->status);
    if (o->collides) {
        int32_t *count = ARENA_NEW(o->r->arena, int32_t);

        *count = d->status.collision_count ? *d->status.collision_count + 1 : 1;
        d->status.collision_count = count;
    }
    if (o->revision)
        text_map_put(o->r->arena, &d->metadata.annotations, STR(REVISION_ANNOTATION),
                     arena_printf(o->r->arena, "%lld", (long long)o->revision));
    set_available(o, &d->status);
    set_progressing(o, &d->status);
    set_failure(o, &d->status);
    if (object_equal(copy, o->object->o))
        return;
    reconcile_update_status(o->r, row, copy);
}
