/* What a StatefulSet does next: one thing at a time in order of the numbers, or (Parallel) as much
 * as it can. Nothing here talks to anybody. */
#include "api/meta_v1.h"
#include "base/arena.h"
#include "controller/pod_state.h"
#include "controller/stateful_set_internal.h"

static void step(struct stateful_run *s, struct stateful_step new)
{
    if (s->n_steps == s->cap_steps) {
        size_t cap = MAX(s->cap_steps * 2, (size_t)8);
        struct stateful_step *steps = ARENA_NEW_ARRAY(s->arena, struct stateful_step, cap);

        if (s->n_steps)
            memcpy(steps, s->steps, s->n_steps * sizeof(steps[0]));
        s->steps = steps;
        s->cap_steps = cap;
    }
    s->steps[s->n_steps++] = new;
}

static bool is_ordered(const struct stateful_run *s)
{
    return !str_eq(s->set->spec.pod_management_policy, STR("Parallel"));
}

static bool is_leaving(const struct api_object *pod)
{
    return pod->meta->deletion_timestamp.set;
}

static bool is_available(const struct stateful_run *s, const struct api_object *pod)
{
    return pod_is_available(pod->o.data, s->set->spec.min_ready_seconds, s->now_s, NULL);
}

static bool is_running_and_ready(const struct api_object *pod)
{
    return str_eq(API_OBJECT(pod, struct core_v1_pod)->status.phase, STR("Running")) &&
           pod_is_ready(pod->o.data);
}

static bool is_out(const struct stateful_run *s, const struct stateful_slot *slot)
{
    return !slot->pod || is_leaving(slot->pod) || !is_available(s, slot->pod);
}

/* --- claims --- */

/* True: all are there. */
static bool want_claims(struct stateful_run *s, const struct stateful_slot *slot)
{
    bool all = true;

    for (size_t i = 0; i < s->set->spec.volume_claim_templates.len; i++) {
        struct str name = stateful_claim_name(s, i, slot->ordinal);
        const struct api_object *claim = s->find_claim(s, name);

        if (!claim)
            step(s, (struct stateful_step){ STATEFUL_CREATE_CLAIM, slot, i, NULL });
        else if (claim->meta->deletion_timestamp.set)
            s->leaving_claim = name;
        all &= claim && !claim->meta->deletion_timestamp.set;
    }
    return all;
}

/* True: some are not as they should be. */
static bool own_claims(struct stateful_run *s, const struct stateful_slot *slot)
{
    size_t n = s->n_steps;

    for (size_t i = 0; i < s->set->spec.volume_claim_templates.len; i++) {
        const struct api_object *claim = s->find_claim(s, stateful_claim_name(s, i, slot->ordinal));

        if (claim && !stateful_claim_is_right(s, slot, claim))
            step(s, (struct stateful_step){ STATEFUL_OWN_CLAIM, slot, i, claim });
    }
    return s->n_steps > n;
}

static bool has_stale_claim(const struct stateful_run *s, const struct stateful_slot *slot)
{
    for (size_t i = 0; i < s->set->spec.volume_claim_templates.len; i++) {
        const struct api_object *claim = s->find_claim(s, stateful_claim_name(s, i, slot->ordinal));

        if (claim && stateful_claim_is_stale(s, slot, claim))
            return true;
    }
    return false;
}

/* --- what should be there --- */

static void create(struct stateful_run *s, const struct stateful_slot *slot)
{
    if (has_stale_claim(s, slot))
        return; /* until the garbage collector has been there */
    if (want_claims(s, slot))
        step(s, (struct stateful_step){ .action = STATEFUL_CREATE, .slot = slot });
    else if (!s->leaving_claim.len)
        s->needs_claims = true;
    else if (!s->refused)
        s->refused = slot;
}

static void keep_right(struct stateful_run *s, const struct stateful_slot *slot)
{
    bool storage = stateful_storage_is_right(s, slot);

    if (!storage)
        (void)want_claims(s, slot);
    if (!storage || !stateful_identity_is_right(slot))
        step(s, (struct stateful_step){ .action = STATEFUL_REPAIR, .slot = slot });
    (void)own_claims(s, slot);
}

/* True: in order, nothing comes after it yet. */
static bool process(struct stateful_run *s, const struct stateful_slot *slot)
{
    const struct core_v1_pod *pod = slot->pod ? slot->pod->o.data : NULL;

    if (!pod) {
        create(s, slot);
        return true;
    }
    if (pod_is_finished(pod)) {
        if (!is_leaving(slot->pod))
            step(s, (struct stateful_step){ .action = STATEFUL_DELETE, .slot = slot });
        return true; /* a new one comes when it is gone */
    }
    if (str_eq(pod->status.phase, STR("Pending"))) {
        (void)want_claims(s, slot);
        (void)own_claims(s, slot);
    }
    if (is_ordered(s) &&
        (is_leaving(slot->pod) || !is_running_and_ready(slot->pod) || !is_available(s, slot->pod)))
        return true;
    if (!str_eq(pod->status.phase, STR("Pending")))
        keep_right(s, slot);
    else if (!stateful_identity_is_right(slot) || !stateful_storage_is_right(s, slot))
        step(s, (struct stateful_step){ .action = STATEFUL_REPAIR, .slot = slot });
    return false;
}

/* --- what should not --- */

/* The first that is not well: in order, it alone may go while it is not. */
static const struct stateful_slot *first_out(const struct stateful_run *s)
{
    for (size_t i = 0; i < s->n_slots; i++)
        if (is_out(s, &s->slots[i]))
            return &s->slots[i];
    for (size_t i = s->n_condemned; i > 0; i--)
        if (is_out(s, &s->condemned[i - 1]))
            return &s->condemned[i - 1];
    return NULL;
}

/* True: in order, nothing comes after it yet. */
static bool condemn(struct stateful_run *s, const struct stateful_slot *slot,
                    const struct stateful_slot *first)
{
    if (is_leaving(slot->pod))
        return true;
    if (is_ordered(s) && slot != first &&
        (!is_running_and_ready(slot->pod) || !is_available(s, slot->pod)))
        return true;
    step(s, (struct stateful_step){ .action = STATEFUL_DELETE, .slot = slot });
    return true;
}

/* --- another template --- */

/* The highest that is not of the new one goes; the next when that has come back. */
static void update(struct stateful_run *s)
{
    const struct apps_v1_rolling_update_stateful_set_strategy *u =
        s->set->spec.update_strategy.rolling_update;
    int64_t least = u && u->partition ? *u->partition : 0, start = stateful_start(s->set);

    for (size_t i = s->n_slots; i > 0 && s->slots[i - 1].ordinal - start >= least; i--) {
        const struct stateful_slot *slot = &s->slots[i - 1];

        if (slot->pod && !is_leaving(slot->pod) &&
            !str_eq(stateful_revision_of(slot->pod), s->update)) {
            step(s, (struct stateful_step){ .action = STATEFUL_DELETE, .slot = slot });
            return;
        }
        if (is_out(s, slot))
            return;
    }
}

void stateful_plan(struct stateful_run *s)
{
    const struct stateful_slot *first = first_out(s);
    bool ordered = is_ordered(s);

    if (is_leaving(s->object))
        return;
    for (size_t i = 0; i < s->n_slots; i++)
        if (process(s, &s->slots[i]) && ordered)
            return;
    if (s->is_cut || s->leaving_claim.len)
        return;
    for (size_t i = 0; i < s->n_condemned; i++)
        s->needs_claims |= own_claims(s, &s->condemned[i]);
    if (s->needs_claims)
        return; /* no Pod goes before what shall go with it is its own */
    for (size_t i = 0; i < s->n_condemned; i++)
        if (condemn(s, &s->condemned[i], first) && ordered)
            return;
    if (!str_eq(s->set->spec.update_strategy.type, STR("OnDelete")))
        update(s);
}

/* --- status --- */

static void count(const struct stateful_run *s, const struct api_object *pod,
                  struct apps_v1_stateful_set_status *ret, int64_t *ret_wait_s)
{
    struct str revision = stateful_revision_of(pod);
    int64_t wait = 0;

    ret->replicas++;
    if (is_running_and_ready(pod)) {
        ret->ready_replicas++;
        ret->available_replicas +=
            pod_is_available(pod->o.data, s->set->spec.min_ready_seconds, s->now_s, &wait);
    }
    if (wait && (!*ret_wait_s || wait < *ret_wait_s))
        *ret_wait_s = wait;
    if (is_leaving(pod))
        return;
    ret->current_replicas += str_eq(revision, s->current);
    ret->updated_replicas += str_eq(revision, s->update);
}

void stateful_status(const struct stateful_run *s, struct apps_v1_stateful_set_status *ret,
                     int64_t *ret_wait_s)
{
    struct apps_v1_stateful_set_status t = *ret;
    int64_t wanted = stateful_replicas(s->set);

    t.observed_generation = s->object->meta->generation;
    t.replicas = t.ready_replicas = t.available_replicas = 0;
    t.current_replicas = t.updated_replicas = 0;
    t.current_revision = s->current;
    t.update_revision = s->update;
    *ret_wait_s = 0;
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->slots[i].pod)
            count(s, s->slots[i].pod, &t, ret_wait_s);
    for (size_t i = 0; i < s->n_condemned; i++)
        count(s, s->condemned[i].pod, &t, ret_wait_s);
    if (str_eq(s->set->spec.update_strategy.type, STR("RollingUpdate")) &&
        t.updated_replicas == wanted && t.ready_replicas == wanted && t.replicas == wanted) {
        t.current_replicas = t.updated_replicas;
        t.current_revision = t.update_revision;
    }
    *ret = t;
}
