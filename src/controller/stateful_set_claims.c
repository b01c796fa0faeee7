/* persistentVolumeClaimRetentionPolicy, by owners: what shall go with the set belongs to the set,
 * what shall go when it is scaled away belongs to its Pod from then on; the garbage collector does
 * the rest. Claims of an earlier set or Pod of the name, and those that somebody else controls, are
 * let alone. */
#include "api/meta_v1.h"
#include "base/arena.h"
#include "controller/pod_state.h"
#include "controller/stateful_set_internal.h"

typedef const struct meta_v1_owner_reference owner_ref;

struct policy {
    bool with_set;   /* deleted when the set is */
    bool with_scale; /* and when its Pod is scaled away */
};

static struct policy policy_of(const struct stateful_run *s)
{
    const struct apps_v1_stateful_set_persistent_volume_claim_retention_policy *p =
        s->set->spec.persistent_volume_claim_retention_policy;

    return (struct policy){ .with_set = p && str_eq(p->when_deleted, STR("Delete")),
                            .with_scale = p && str_eq(p->when_scaled, STR("Delete")) };
}

/* By name: it may be one of an earlier life. */
static bool names_set(const struct stateful_run *s, owner_ref *ref)
{
    return str_eq(ref->api_version, STR("apps/v1")) && str_eq(ref->kind, STR("StatefulSet")) &&
           str_eq(ref->name, s->object->meta->name);
}

static bool names_pod(const struct stateful_slot *slot, owner_ref *ref)
{
    return str_eq(ref->api_version, STR("v1")) && str_eq(ref->kind, STR("Pod")) &&
           str_eq(ref->name, slot->name);
}

static struct str uid_of(const struct stateful_slot *slot)
{
    return slot->pod ? slot->pod->meta->uid : STR_NULL;
}

static bool controls(owner_ref *ref)
{
    return ref->controller && *ref->controller;
}

/* Of the first that bears the name. */
static bool set_is_stale(const struct stateful_run *s, const struct api_object *claim)
{
    for (uint32_t i = 0; i < claim->meta->owner_references.len; i++)
        if (names_set(s, &claim->meta->owner_references.items[i]))
            return !str_eq(claim->meta->owner_references.items[i].uid, s->object->meta->uid);
    return false;
}

static bool pod_is_stale(const struct stateful_slot *slot, const struct api_object *claim)
{
    for (uint32_t i = 0; i < claim->meta->owner_references.len; i++)
        if (names_pod(slot, &claim->meta->owner_references.items[i]))
            return !str_eq(claim->meta->owner_references.items[i].uid, uid_of(slot));
    return false;
}

bool stateful_claim_is_stale(const struct stateful_run *s, const struct stateful_slot *slot,
                             const struct api_object *claim)
{
    return policy_of(s).with_scale && pod_is_stale(slot, claim);
}

static bool belongs_to(const struct api_object *claim, struct str uid)
{
    for (uint32_t i = 0; i < claim->meta->owner_references.len && uid.len; i++)
        if (str_eq(claim->meta->owner_references.items[i].uid, uid))
            return true;
    return false;
}

bool stateful_claim_is_contested(const struct stateful_run *s, const struct stateful_slot *slot,
                                 const struct api_object *claim)
{
    struct policy p = policy_of(s);

    for (uint32_t i = 0; i < claim->meta->owner_references.len; i++) {
        owner_ref *ref = &claim->meta->owner_references.items[i];
        bool is_other;

        if (!p.with_set && !p.with_scale)
            return false; /* we want no claims of our own: it is nobody's business */
        if (names_set(s, ref))
            is_other = !str_eq(ref->uid, s->object->meta->uid);
        else if (names_pod(slot, ref))
            is_other = !str_eq(ref->uid, uid_of(slot));
        else
            is_other = controls(ref);
        if (is_other)
            return true;
    }
    return false;
}

static bool has_weak_owner(const struct stateful_run *s, const struct stateful_slot *slot,
                           const struct api_object *claim)
{
    for (uint32_t i = 0; i < claim->meta->owner_references.len; i++) {
        owner_ref *ref = &claim->meta->owner_references.items[i];

        if ((str_eq(ref->uid, s->object->meta->uid) || str_eq(ref->uid, uid_of(slot))) &&
            !controls(ref))
            return true;
    }
    return false;
}

static bool is_scaled_away(const struct stateful_run *s, const struct stateful_slot *slot)
{
    int64_t index = slot->ordinal - stateful_start(s->set);

    return index < 0 || index >= stateful_replicas(s->set);
}

/* Who shall own it. */
struct owners {
    bool set, pod;
};

static struct owners owners_of(const struct stateful_run *s, const struct stateful_slot *slot)
{
    struct policy p = policy_of(s);
    bool away = p.with_scale && is_scaled_away(s, slot);

    return (struct owners){ .set = p.with_set && !away, .pod = away };
}

bool stateful_claim_is_right(const struct stateful_run *s, const struct stateful_slot *slot,
                             const struct api_object *claim)
{
    struct owners want = owners_of(s, slot);
    bool of_set = belongs_to(claim, s->object->meta->uid);
    bool of_pod = belongs_to(claim, uid_of(slot));

    if (set_is_stale(s, claim) || pod_is_stale(slot, claim))
        return true;
    if (stateful_claim_is_contested(s, slot, claim))
        return !of_set && !of_pod;
    return !has_weak_owner(s, slot, claim) && of_set == want.set && of_pod == want.pod;
}

struct object stateful_owned_claim(const struct stateful_run *s, const struct stateful_slot *slot,
                                   const struct api_object *claim)
{
    struct object o = object_copy(s->arena, claim->o);
    struct meta_v1_object_meta *m = object_meta(o);
    struct owners want = owners_of(s, slot);
    struct meta_v1_owner_reference *refs =
        ARENA_NEW_ARRAY(s->arena, struct meta_v1_owner_reference, m->owner_references.len + 2);
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->owner_references.len; i++)
        if (!names_set(s, &m->owner_references.items[i]) &&
            !names_pod(slot, &m->owner_references.items[i]))
            refs[n++] = m->owner_references.items[i];
    if (!stateful_claim_is_contested(s, slot, claim)) {
        if (want.set)
            refs[n++] = owner_reference_to(s->arena, s->object);
        if (want.pod && slot->pod)
            refs[n++] = owner_reference_to(s->arena, slot->pod);
    }
    m->owner_references.items = refs;
    m->owner_references.len = n;
    return o;
}
