/* How large each ReplicaSet of a Deployment shall be. Nothing here talks to anybody. */
#include "api/schema.h"
#include "controller/deployment_internal.h"
#include "controller/pod_state.h"

void rollout_resolve_limits(struct rollout *o)
{
    const struct apps_v1_rolling_update_deployment *u = o->deployment->spec.strategy.rolling_update;

    o->replicas = o->deployment->spec.replicas ? *o->deployment->spec.replicas : 1;
    o->max_surge = o->max_unavailable = 0;
    if (!rollout_is_rolling(o) || !u)
        return;
    o->max_surge = pod_share(&u->max_surge, o->replicas, true);
    o->max_unavailable = pod_share(&u->max_unavailable, o->replicas, false);
    if (o->max_surge == 0 && o->max_unavailable == 0)
        o->max_unavailable = 1; /* something must move */
    o->max_unavailable = MIN(o->max_unavailable, o->replicas);
}

int32_t rollout_total_size(const struct rollout *o)
{
    int32_t n = 0;

    for (size_t i = 0; i < o->n_sets; i++)
        n += o->sets[i].size;
    return n;
}

static int32_t total_available(const struct rollout *o)
{
    int32_t n = 0;

    for (size_t i = 0; i < o->n_sets; i++)
        n += o->sets[i].set->status.available_replicas;
    return n;
}

int32_t rollout_new_set_size(const struct rollout *o, int32_t current)
{
    int32_t room;

    if (!rollout_is_rolling(o))
        return o->replicas;
    room = o->replicas + o->max_surge - rollout_total_size(o);
    if (room <= 0)
        return current;
    return current + MIN(room, o->replicas - current);
}

static bool is_old(const struct rollout *o, const struct rollout_set *s)
{
    return s != o->new;
}

/* Pods that are not available anyway go first: they cost nobody anything. */
static int32_t drop_unhealthy(struct rollout *o, int32_t budget)
{
    int32_t dropped = 0;

    for (size_t i = 0; i < o->n_sets && dropped < budget; i++) {
        struct rollout_set *s = &o->sets[i];
        int32_t sick = s->size - s->set->status.available_replicas;

        if (!is_old(o, s) || s->size == 0 || sick <= 0)
            continue;
        sick = MIN(sick, budget - dropped);
        s->size -= sick;
        dropped += sick;
    }
    return dropped;
}

static void shrink_old(struct rollout *o)
{
    int32_t min_available = o->replicas - o->max_unavailable;
    int32_t new_missing = o->new ? o->new->size - o->new->set->status.available_replicas : 0;
    int32_t budget = rollout_total_size(o) - min_available - MAX(new_missing, 0), spare;

    if (budget <= 0)
        return;
    (void)drop_unhealthy(o, budget);
    spare = total_available(o) - min_available;
    for (size_t i = 0; i < o->n_sets && spare > 0; i++) {
        struct rollout_set *s = &o->sets[i];
        int32_t n = is_old(o, s) ? MIN(s->size, spare) : 0;

        s->size -= n;
        spare -= n;
    }
}

void rollout_roll(struct rollout *o)
{
    int32_t before = o->new ? o->new->size : 0;

    if (o->new && o->new->size > o->replicas)
        o->new->size = o->replicas;
    else if (o->new && o->new->size < o->replicas)
        o->new->size = rollout_new_set_size(o, o->new->size);
    if (o->new && o->new->size == before)
        shrink_old(o);
}

void rollout_recreate(struct rollout *o, bool old_pods_are_running)
{
    bool shrunk = false;

    for (size_t i = 0; i < o->n_sets; i++)
        if (is_old(o, &o->sets[i]) && o->sets[i].size) {
            o->sets[i].size = 0;
            shrunk = true;
        }
    if (!shrunk && !old_pods_are_running && o->new)
        o->new->size = o->replicas;
}

/* --- in proportion --- */

static struct rollout_set *only_active(struct rollout *o, size_t *ret_active)
{
    struct rollout_set *active = NULL;

    *ret_active = 0;
    for (size_t i = 0; i < o->n_sets; i++)
        if (o->sets[i].size > 0) {
            active = &o->sets[i];
            ++*ret_active;
        }
    return active;
}

static bool is_saturated(const struct rollout *o)
{
    return o->new && o->new->size == o->replicas &&
           o->new->set->status.available_replicas == o->replicas;
}

/* The largest first when growing, the largest last in age when shrinking: whoever comes first takes
 * what rounding leaves. */
static struct rollout_set *largest(struct rollout *o)
{
    struct rollout_set *best = NULL;

    for (size_t i = 0; i < o->n_sets; i++)
        if (!best || o->sets[i].size >= best->size)
            best = &o->sets[i];
    return best;
}

static void spread(struct rollout *o)
{
    int32_t all = rollout_total_size(o);
    int32_t allowed = o->replicas > 0 ? o->replicas + o->max_surge : 0;
    int32_t left = allowed - all;
    struct rollout_set *big = largest(o);
    int32_t to_add = left;

    if (!left || !all)
        return;
    for (size_t i = 0; i < o->n_sets; i++) {
        struct rollout_set *s = &o->sets[i];
        int64_t share = (int64_t)s->size * to_add;
        int32_t n = (int32_t)((share + (share > 0 ? all / 2 : -(all / 2))) / all);

        if (left > 0)
            n = MIN(MAX(n, 0), left);
        else
            n = MAX(MAX(MIN(n, 0), left), -s->size);
        s->size += n;
        left -= n;
    }
    big->size = MAX(big->size + left, 0);
}

void rollout_scale(struct rollout *o)
{
    size_t n_active;
    struct rollout_set *one = only_active(o, &n_active);

    if (n_active == 0)
        one = o->new ? o->new : o->n_sets ? &o->sets[o->n_sets - 1] : NULL;
    if (n_active <= 1) {
        if (one)
            one->size = o->replicas;
        return;
    }
    if (is_saturated(o)) {
        for (size_t i = 0; i < o->n_sets; i++)
            if (is_old(o, &o->sets[i]))
                o->sets[i].size = 0;
        return;
    }
    if (rollout_is_rolling(o))
        spread(o);
}
